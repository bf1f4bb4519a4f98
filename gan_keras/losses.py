"""What the players minimise: pairs of losses as functions of D's outputs, and penalties on D's gradients."""

from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops

from gan_keras._plumbing.checks import check_logits, check_single_images


class Loss(NamedTuple):
    """The losses of both players: functions of D's outputs `(batch, 1)` that return a loss for each, `(batch, 1)`.

    Args:
        real: what D minimises on real images.
        fake: what D minimises on generated images.
        generator: what G minimises on generated images.
        from_logits: False if D ends in a sigmoid, so that its outputs are probabilities in [0, 1]; True if they are
            logits, any real numbers.
    """

    real: callable
    fake: callable
    generator: callable
    from_logits: bool = False

    of_pairs = False
    parts = 2  # of `discriminator_loss`; `GAN` reports their mean

    def discriminator_loss(self, on_real, on_fake):
        """The mean over the real images and the mean over the generated ones, added up: a scalar."""
        return ops.mean(self.real(on_real)) + ops.mean(self.fake(on_fake))

    def generator_loss(self, on_real, on_fake):
        """The mean over the generated images, a scalar; `on_real` is not used."""
        return ops.mean(self.generator(on_fake))

    def judged_right(self, on_real, on_fake):
        """Which real and which generated images D judges right: two arrays of booleans."""
        threshold = 0.0 if self.from_logits else 0.5
        return on_real > threshold, on_fake <= threshold


class PairLoss(NamedTuple):
    """Losses that look at D's scores of a real and of a generated image together, as relativistic ones do.

    Both are functions of `(on_real, on_fake)`, each `(batch, 1)`, and return a loss for each pair, `(batch, 1)`. D
    learns from them in one update, and G's turn needs real images, too.

    Args:
        discriminator: what D minimises.
        generator: what G minimises.
        from_logits: True, since only the difference of scores counts: D must not end in a sigmoid.
    """

    discriminator: callable
    generator: callable
    from_logits: bool = True

    of_pairs = True
    parts = 1

    def discriminator_loss(self, on_real, on_fake):
        """The mean over the pairs, a scalar."""
        return ops.mean(self.discriminator(on_real, on_fake))

    def generator_loss(self, on_real, on_fake):
        """The mean over the pairs, a scalar."""
        return ops.mean(self.generator(on_real, on_fake))

    def judged_right(self, on_real, on_fake):
        """Which real images score above the mean generated one, and which generated ones below the mean real one."""
        return on_real > ops.mean(on_fake), on_fake < ops.mean(on_real)


def as_real(probability):
    """`-log D(x)`: small if D says "real". Stable: from a sigmoid's output Keras goes back to its logits."""
    return ops.binary_crossentropy(ops.ones_like(probability), probability)


def as_fake(probability):
    """`-log(1 - D(x))`: small if D says "generated"."""
    return ops.binary_crossentropy(ops.zeros_like(probability), probability)


def as_real_from_logits(logits):
    """`-log sigmoid(D(x))`."""
    return ops.binary_crossentropy(ops.ones_like(logits), logits, from_logits=True)


def as_fake_from_logits(logits):
    """`-log(1 - sigmoid(D(x)))`."""
    return ops.binary_crossentropy(ops.zeros_like(logits), logits, from_logits=True)


def not_as_fake(probability):
    """`log(1 - D(x))`, which G minimises in the minimax game: flat where D is sure that the image is generated."""
    return -as_fake(probability)


def not_as_fake_from_logits(logits):
    """`log(1 - sigmoid(D(x)))`."""
    return -as_fake_from_logits(logits)


def score(scores):
    """The critic's score itself: small if it finds the images generated."""
    return 1 * scores


def minus_score(scores):
    """The negative of the critic's score: small if it finds the images real."""
    return -scores


def fake_above_real(on_real, on_fake):
    """`-log sigmoid(D(x) - D(G(z)))`: small if D scores the real image of a pair higher than the generated one."""
    return ops.softplus(on_fake - on_real)


def real_above_fake(on_real, on_fake):
    """`-log sigmoid(D(G(z)) - D(x))`: small if D scores the generated image of a pair higher than the real one."""
    return ops.softplus(on_real - on_fake)


# Goodfellow et al. 2014: section 3 advises the non-saturating loss, equation 1 is the minimax game.
NON_SATURATING = Loss(as_real, as_fake, as_real)
NON_SATURATING_FROM_LOGITS = Loss(as_real_from_logits, as_fake_from_logits, as_real_from_logits, from_logits=True)
MINIMAX = Loss(as_real, as_fake, not_as_fake)
MINIMAX_FROM_LOGITS = Loss(as_real_from_logits, as_fake_from_logits, not_as_fake_from_logits, from_logits=True)
# Arjovsky et al. 2017, equations 2 and 3; it needs a critic that is not too steep: `gradient_penalty`. Its accuracy is
# counted at a score of 0, which means nothing.
WASSERSTEIN = Loss(minus_score, score, minus_score, from_logits=True)
# Jolicoeur-Martineau 2018, equations 4 and 5 with a logistic loss, as in Huang et al. 2024.
RELATIVISTIC = PairLoss(fake_above_real, real_above_fake)


def gradient_penalty(discriminator, real, fake, weight=10.0, seed=None):
    """`weight * E[(|grad D(x)| - 1)^2]` between real and generated images (Gulrajani et al. 2017, equation 3).

    Each x lies somewhere on the straight line from a generated image to a real one: `alpha * real + (1 - alpha) * fake`
    with an alpha of its own, even in [0, 1].

    Args:
        discriminator: the critic, images to scores `(batch, 1)`; no sigmoid, no batch normalisation.
        real: real images, `(batch, ...)` of any rank.
        fake: as many generated images of the same shape.
        weight: lambda in the paper, 10 there.
        seed: of alpha: an int, or a `keras.random.SeedGenerator` (`GAN` gives its own).

    Returns:
        A scalar tensor.

    Raises:
        ValueError: if the images differ in number or shape, or the discriminator ends in a sigmoid or holds a
            `BatchNormalization`, at whatever depth.
    """
    check_single_images(discriminator, real, fake)
    real, fake = ops.convert_to_tensor(real), ops.convert_to_tensor(fake)
    one_each = (ops.shape(real)[0],) + (1,) * (len(real.shape) - 1)
    alpha = keras.random.uniform(one_each, dtype=fake.dtype, seed=seed)
    squares = squared_gradients(discriminator, alpha * ops.cast(real, fake.dtype) + (1 - alpha) * fake)
    lengths = ops.sqrt(squares + 1e-12)  # the tiny number keeps the root's derivative finite where D is flat
    return weight * ops.mean(ops.square(lengths - 1))


def r1(discriminator, real, fake, weight=10.0, seed=None):
    """`weight / 2 * E[|grad D(x)|^2]` on real images (Mescheder et al. 2018, equation 9).

    Args:
        discriminator: images to logits or scores `(batch, 1)`; no sigmoid.
        real: real images, `(batch, ...)` of any rank.
        fake: not used.
        weight: gamma in the paper, 10 there.
        seed: not used.

    Returns:
        A scalar tensor.

    Raises:
        ValueError: if the discriminator ends in a sigmoid.
    """
    return weight / 2 * ops.mean(squared_gradients(discriminator, real))


def r2(discriminator, real, fake, weight=10.0, seed=None):
    """`weight / 2 * E[|grad D(x)|^2]` on generated images (Mescheder et al. 2018, equation 10), otherwise as `r1`."""
    return weight / 2 * ops.mean(squared_gradients(discriminator, fake))


def r1_r2(discriminator, real, fake, weight=10.0, seed=None):
    """`r1` and `r2` together, as Huang et al. (2024) train; otherwise as `r1`."""
    return r1(discriminator, real, fake, weight) + r2(discriminator, real, fake, weight)


def squared_gradients(discriminator, images):
    """The squared length of the gradient of D's output with respect to each image, `(batch,)`."""
    check_logits(discriminator)
    images = ops.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = discriminator(images, training=True)
    gradients = tape.gradient(scores, images)
    return ops.sum(ops.square(gradients), axis=range(1, len(images.shape)))


_losses = (NON_SATURATING, NON_SATURATING_FROM_LOGITS, MINIMAX, MINIMAX_FROM_LOGITS, WASSERSTEIN, RELATIVISTIC)
for _function in {*(part for loss in _losses for part in loss[:-1]), gradient_penalty, r1, r2, r1_r2}:
    # so that a saved GAN finds them again
    keras.saving.register_keras_serializable("gan_keras")(_function)

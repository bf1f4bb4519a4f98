"""What the players minimise: pairs of losses as functions of D's outputs, and penalties on D's gradients."""

from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops

register = keras.saving.register_keras_serializable("gan_keras")


class Loss(NamedTuple):
    """A pair of losses: each function takes D's outputs `(batch, 1)` and returns a loss for each, `(batch, 1)`.

    Args:
        real: what D minimises on real images.
        fake: what D minimises on generated images.
        generator: what G minimises on generated images.
        from_logits: False if D ends in a sigmoid, so that its outputs are probabilities in [0, 1]; True if they are
            logits or scores, any real numbers.
    """

    real: callable
    fake: callable
    generator: callable
    from_logits: bool = False

    @property
    def threshold(self):
        """D says "real" to the outputs above it."""
        return 0.0 if self.from_logits else 0.5


@register
def as_real(probability):
    """`-log D(x)`: small if D says "real". Stable: from a sigmoid's output Keras goes back to its logits."""
    return ops.binary_crossentropy(ops.ones_like(probability), probability)


@register
def as_fake(probability):
    """`-log(1 - D(x))`: small if D says "generated"."""
    return ops.binary_crossentropy(ops.zeros_like(probability), probability)


@register
def as_real_from_logits(logits):
    """`-log sigmoid(D(x))`."""
    return ops.binary_crossentropy(ops.ones_like(logits), logits, from_logits=True)


@register
def as_fake_from_logits(logits):
    """`-log(1 - sigmoid(D(x)))`."""
    return ops.binary_crossentropy(ops.zeros_like(logits), logits, from_logits=True)


@register
def not_as_fake(probability):
    """`log(1 - D(x))`, which G minimises in the minimax game: flat where D is sure that the image is generated."""
    return -as_fake(probability)


@register
def not_as_fake_from_logits(logits):
    """`log(1 - sigmoid(D(x)))`."""
    return -as_fake_from_logits(logits)


@register
def score(scores):
    """The critic's score itself."""
    return 1 * scores


@register
def minus_score(scores):
    """The negative of the critic's score."""
    return -scores


# Goodfellow et al. 2014: section 3 advises the non-saturating loss, equation 1 is the minimax game.
NON_SATURATING = Loss(as_real, as_fake, as_real)
NON_SATURATING_FROM_LOGITS = Loss(as_real_from_logits, as_fake_from_logits, as_real_from_logits, from_logits=True)
MINIMAX = Loss(as_real, as_fake, not_as_fake)
MINIMAX_FROM_LOGITS = Loss(as_real_from_logits, as_fake_from_logits, not_as_fake_from_logits, from_logits=True)
# Arjovsky et al. 2017, equations 2 and 3. The critic's accuracy is counted at a score of 0, which means nothing.
WASSERSTEIN = Loss(minus_score, score, minus_score, from_logits=True)


@register
def gradient_penalty(discriminator, real, fake, weight=10.0, seed=None):
    """`weight * E[(|grad D(x)| - 1)^2]` between real and generated images (Gulrajani et al. 2017, equation 3).

    The point x between a real and a generated image is drawn evenly, one for each pair: `alpha` in U[0, 1].

    Args:
        discriminator: the critic, images to scores `(batch, 1)`; no sigmoid, no batch normalisation.
        real: real images, `(batch, ...)` of any rank.
        fake: as many generated images.
        weight: lambda in the paper, 10 there.
        seed: of alpha: an int, or a `keras.random.SeedGenerator` (`GAN` gives its own).

    Returns:
        A scalar tensor.

    Raises:
        ValueError: if the discriminator ends in a sigmoid.
    """
    fake = ops.convert_to_tensor(fake)
    real = ops.cast(real, fake.dtype)
    one_each = (ops.shape(real)[0],) + (1,) * (len(real.shape) - 1)
    alpha = keras.random.uniform(one_each, dtype=fake.dtype, seed=seed)
    squares = squared_gradients(discriminator, alpha * real + (1 - alpha) * fake)
    # The tiny number keeps the derivative of the root finite where D is flat.
    return weight * ops.mean(ops.square(ops.sqrt(squares + 1e-12) - 1))


@register
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


@register
def r2(discriminator, real, fake, weight=10.0, seed=None):
    """`weight / 2 * E[|grad D(x)|^2]` on generated images (Mescheder et al. 2018, equation 10), otherwise as `r1`."""
    return weight / 2 * ops.mean(squared_gradients(discriminator, fake))


def squared_gradients(discriminator, images):
    """The squared length of the gradient of D's output with respect to each image, `(batch,)`."""
    if ends_in_sigmoid(discriminator):
        raise ValueError(
            "penalty: these penalties are defined on D's logits or scores, but this discriminator ends in a sigmoid; "
            "build it without, and train it with a loss from logits"
        )
    images = ops.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = discriminator(images, training=True)
    gradients = tape.gradient(scores, images)
    return ops.sum(ops.square(gradients), axis=range(1, len(images.shape)))


def ends_in_sigmoid(discriminator):
    """Whether D's outputs are probabilities: True, False, or None where its last layer does not tell."""
    activation = getattr(discriminator.layers[-1], "activation", None)
    known = {keras.activations.sigmoid: True, keras.activations.linear: False}
    return known.get(activation)

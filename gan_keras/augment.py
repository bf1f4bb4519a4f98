"""Differentiable augmentation, for few images: D sees each image altered, real or generated (Zhao et al. 2020)."""

import keras
from keras import ops

from gan_keras._plumbing.checks import check_policy

POLICY = ("colour", "translation", "cutout")


def alter_colour(images, seed):
    """Another brightness (up to half of white more or less), saturation (0 to 2 times), contrast (0.5 to 1.5 times)."""
    shape = (ops.shape(images)[0], 1, 1, 1)
    images = images + keras.random.uniform(shape, -0.5, 0.5, dtype=images.dtype, seed=seed)
    grey = ops.mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * keras.random.uniform(shape, 0, 2, dtype=images.dtype, seed=seed)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * keras.random.uniform(shape, 0.5, 1.5, dtype=images.dtype, seed=seed)


def translate(images, seed):
    """Each image moved by up to an eighth of its size, what comes in from outside being what is at the edge."""
    for axis, rule in ((1, "nij,njwc->niwc"), (2, "nij,nhjc->nhic")):
        size = images.shape[axis]
        most = max(1, size // 8)
        shift = keras.random.randint((ops.shape(images)[0], 1), -most, most + 1, dtype="int32", seed=seed)
        from_where = ops.clip(ops.arange(size, dtype="int32")[None] + shift, 0, size - 1)
        images = ops.einsum(rule, ops.one_hot(from_where, size, dtype=images.dtype), images)
    return images


def cut_out(images, seed):
    """A square with edges of half the image's size made grey, its centre anywhere."""
    inside = True
    for axis in (1, 2):
        size = images.shape[axis]
        centre = keras.random.randint((ops.shape(images)[0], 1, 1, 1), 0, size, dtype="int32", seed=seed)
        place = ops.reshape(ops.arange(size, dtype="int32"), (1, size, 1, 1) if axis == 1 else (1, 1, size, 1))
        inside = ops.logical_and(inside, ops.abs(2 * (place - centre)) < size // 2)
    return ops.where(inside, ops.zeros_like(images), images)


def diff_augment(images, seed=None, policy=POLICY):
    """Alter each image at random, so that gradients flow through (DiffAugment, Zhao et al. 2020).

    Args:
        images: float images `(batch, height, width, channels)` in [-1, 1].
        seed: an int, a `keras.random.SeedGenerator`, or None.
        policy: which of "colour", "translation" and "cutout", in this order.

    Returns:
        As many images, of which colours may leave [-1, 1].

    Raises:
        ValueError: if `policy` names something else.
    """
    for name in check_policy(policy, ALTERATIONS):
        images = ALTERATIONS[name](images, seed)
    return images


ALTERATIONS = {"colour": alter_colour, "translation": translate, "cutout": cut_out}


@keras.saving.register_keras_serializable("gan_keras")
class DiffAugment(keras.layers.Layer):
    """`diff_augment` as D's first layer: at work while the two train, and at rest when D is only asked.

    In `GAN`, D is called with `training=True` on real and on generated images, in D's turn and in G's, so the layer
    alters what it should: the same alterations on both kinds, in both turns.

    Args:
        policy: as in `diff_augment`.
        seed: of the alterations.
    """

    def __init__(self, policy=POLICY, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.policy, self.seed = tuple(check_policy(policy, ALTERATIONS)), seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        return diff_augment(images, self.seed_generator, self.policy) if training else images

    def get_config(self):
        return super().get_config() | {"policy": list(self.policy), "seed": self.seed}

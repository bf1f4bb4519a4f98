"""Differentiable augmentation, for few images: D sees each image altered, real or generated (Zhao et al. 2020)."""

import keras
from keras import ops

from gan_keras._plumbing.checks import check_policy, check_seed

POLICY = ("colour", "translation", "cutout")


def alter_colour(images, seed):
    """Another brightness (up to 0.5 more or less), saturation (0 to 2 times) and contrast (0.5 to 1.5 times)."""
    shape = (ops.shape(images)[0], 1, 1, 1)
    images = images + keras.random.uniform(shape, -0.5, 0.5, dtype=images.dtype, seed=seed)
    grey = ops.mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * keras.random.uniform(shape, 0, 2, dtype=images.dtype, seed=seed)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * keras.random.uniform(shape, 0.5, 1.5, dtype=images.dtype, seed=seed)


def shift_matrices(count, size, seed):
    """For each of `count` images a matrix of zeros and ones, which moves its rows or columns by up to an eighth."""
    most = max(1, size // 8)
    shift = keras.random.randint((count, 1), -most, most + 1, dtype="int32", seed=seed)
    from_where = ops.clip(ops.arange(size, dtype="int32") + shift, 0, size - 1)  # the edge's colour fills gaps
    return ops.one_hot(from_where, size)


def translate(images, seed):
    """Each image moved by up to an eighth of its size, down or up and to the right or left."""
    count, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
    images = ops.einsum("nij,njwc->niwc", shift_matrices(count, height, seed), images)
    return ops.einsum("nij,nhjc->nhic", shift_matrices(count, width, seed), images)


def cut_out(images, seed):
    """A square with edges of half the image's size made grey, its centre anywhere."""
    count, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
    top = keras.random.randint((count, 1, 1, 1), -(height // 4), height - height // 4, dtype="int32", seed=seed)
    left = keras.random.randint((count, 1, 1, 1), -(width // 4), width - width // 4, dtype="int32", seed=seed)
    down = ops.reshape(ops.arange(height, dtype="int32"), (1, height, 1, 1)) - top
    right = ops.reshape(ops.arange(width, dtype="int32"), (1, 1, width, 1)) - left
    covered = (down >= 0) & (down < height // 2) & (right >= 0) & (right < width // 2)
    return ops.where(covered, ops.zeros_like(images), images)


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
    seed = check_seed(seed)
    for name in check_policy(policy, ALTERATIONS):
        images = ALTERATIONS[name](images, seed)
    return images


ALTERATIONS = {"colour": alter_colour, "translation": translate, "cutout": cut_out}


@keras.saving.register_keras_serializable("gan_keras")
class DiffAugment(keras.layers.Layer):
    """`diff_augment` as D's first layer: at work while the two train, and at rest when D is only asked.

    In `GAN`, D is called with `training=True` on real and on generated images, in D's turn and in G's, so the layer
    alters what it should: the same kinds of alterations on real and generated images, in both turns.

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

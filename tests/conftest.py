"""Small networks and small images, so that the unit tests take seconds."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def make_images(rng):
    """Float images in [-1, 1] of any shape."""

    def make(count, image_shape=(4, 3, 1)):
        return rng.uniform(-1, 1, (count, *image_shape)).astype("float32")

    return make


@pytest.fixture
def make_pair():
    """A small generator, discriminator and combined model; without dropout and batch normalisation unless asked for."""
    import keras
    from keras import layers

    from gan_keras import models

    def make(image_shape=(4, 3, 1), latent_dim=5, optimizer=None, dropout=0.0, norm=False, seed=3):
        keras.utils.set_random_seed(seed)
        optimizer = optimizer or (lambda: keras.optimizers.Adam(1e-2, beta_1=0.5))
        generator = keras.Sequential([keras.Input((latent_dim,)), layers.Dense(16)], name="generator")
        generator.add(layers.LeakyReLU(negative_slope=0.2))
        if dropout:
            generator.add(layers.Dropout(dropout))
        if dropout or norm:
            generator.add(layers.BatchNormalization())
        generator.add(layers.Dense(int(np.prod(image_shape)), activation="tanh"))
        generator.add(layers.Reshape(image_shape))
        discriminator = keras.Sequential(
            [
                keras.Input(image_shape),
                layers.Flatten(),
                layers.Dense(16),
                layers.LeakyReLU(negative_slope=0.2),
                layers.Dense(1, activation="sigmoid"),
            ],
            name="discriminator",
        )
        discriminator.compile(optimizer(), loss="binary_crossentropy", metrics=["accuracy"], jit_compile=False)
        combined = models.build_combined(generator, discriminator)
        combined.compile(optimizer(), loss="binary_crossentropy", jit_compile=False)
        return generator, discriminator, combined

    return make


@pytest.fixture
def pair(make_pair):
    return make_pair()


@pytest.fixture
def make_gan(make_pair):
    """A small compiled `GAN`, or one of a class of your own."""
    from gan_keras.gan import GAN

    def make(cls=GAN, pair=None, **options):
        gan = cls(*make_pair(**pair or {})[:2], seed=5)
        gan.compile(**options)
        return gan

    return make

"""The two players, and the combined model that trains one through the other."""

import math

import keras
from keras import layers

from gan_keras import augment
from gan_keras._plumbing.checks import check_networks, check_number, check_shape


def build_discriminator(image_shape=(28, 28, 1)):
    """Build and compile the police: images in, the probability that each is real out.

    Args:
        image_shape: `(height, width, channels)` of the images.

    Returns:
        A compiled `keras.Model`, `(batch, height, width, channels)` to `(batch, 1)` in [0, 1].

    Raises:
        ValueError: if `image_shape` is not three positive whole numbers.
    """
    image_shape = check_shape(image_shape)
    discriminator = keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Flatten(),
            layers.Dense(512),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Dense(256),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="discriminator",
    )
    adam = keras.optimizers.Adam(learning_rate=2e-4, beta_1=0.5)
    discriminator.compile(adam, loss="binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    return discriminator


def build_generator(latent_dim=100, image_shape=(28, 28, 1)):
    """Build the counterfeiter: latent points in, images out.

    Args:
        latent_dim: how many numbers make a latent point.
        image_shape: `(height, width, channels)` of the images.

    Returns:
        A `keras.Model`, `(batch, latent_dim)` to `(batch, height, width, channels)` in [-1, 1].

    Raises:
        ValueError: if an argument is not made of positive whole numbers.
    """
    image_shape = check_shape(image_shape)
    latent_dim = check_number(latent_dim, "latent_dim")
    generator = keras.Sequential([keras.Input((latent_dim,))], name="generator")
    for units in (256, 512, 1024):
        generator.add(layers.Dense(units))
        generator.add(layers.LeakyReLU(negative_slope=0.2))
        generator.add(layers.Dropout(0.1))
        generator.add(layers.BatchNormalization(momentum=0.8))
    generator.add(layers.Dense(math.prod(image_shape), activation="tanh"))
    generator.add(layers.Reshape(image_shape))
    return generator


def build_dcgan_generator(latent_dim=100, image_shape=(28, 28, 1)):
    """Build a convolutional counterfeiter: two dense layers, then two transposed convolutions that double.

    The convolutions are those of DCGAN (Radford et al. 2016), the two dense layers before them InfoGAN's (Chen et al.
    2016).

    Args:
        latent_dim: how many numbers make a latent point.
        image_shape: `(height, width, channels)` of the images, of any size.

    Returns:
        A `keras.Model`, `(batch, latent_dim)` to `(batch, height, width, channels)` in [-1, 1].

    Raises:
        ValueError: if an argument is not made of positive whole numbers.
    """
    image_shape = check_shape(image_shape)
    latent_dim = check_number(latent_dim, "latent_dim")
    height, width, channels = image_shape
    rows, columns = math.ceil(height / 4), math.ceil(width / 4)
    generator = keras.Sequential([keras.Input((latent_dim,))], name="generator")
    for units in (256, 32 * rows * columns):
        generator.add(layers.Dense(units, use_bias=False))
        generator.add(layers.BatchNormalization(momentum=0.9))
        generator.add(layers.ReLU())
    generator.add(layers.Reshape((rows, columns, 32)))
    generator.add(layers.Conv2DTranspose(16, 4, strides=2, padding="same", use_bias=False))
    generator.add(layers.BatchNormalization(momentum=0.9))
    generator.add(layers.ReLU())
    generator.add(layers.Conv2DTranspose(channels, 4, strides=2, padding="same", activation="tanh"))
    generator.add(layers.Cropping2D(((0, 4 * rows - height), (0, 4 * columns - width))))
    return generator


def build_dcgan_discriminator(image_shape=(28, 28, 1)):
    """Build the police of a convolutional pair: two strided convolutions and two dense layers; its answer is a logit.

    It is not compiled: train it with `GAN`, a loss from logits and `losses.r1`.

    Args:
        image_shape: `(height, width, channels)` of the images, of any size.

    Returns:
        A `keras.Model`, `(batch, height, width, channels)` to logits `(batch, 1)`.

    Raises:
        ValueError: if `image_shape` is not three positive whole numbers.
    """
    image_shape = check_shape(image_shape)
    discriminator = keras.Sequential([keras.Input(image_shape)], name="discriminator")
    for filters in (16, 32):
        discriminator.add(layers.Conv2D(filters, 4, strides=2, padding="same"))
        discriminator.add(layers.LeakyReLU(negative_slope=0.2))
    discriminator.add(layers.Flatten())
    discriminator.add(layers.Dense(128))
    discriminator.add(layers.LeakyReLU(negative_slope=0.2))
    discriminator.add(layers.Dense(1))
    return discriminator


def build_picture_generator(latent_dim=100, image_shape=(32, 32, 3)):
    """Build a counterfeiter for pictures in colour: a dense layer, then three times "double the size, convolve".

    Enlarging before an ordinary convolution leaves no checkerboard (Odena et al. 2016).

    Args:
        latent_dim: how many numbers make a latent point.
        image_shape: `(height, width, channels)` of the images, of any size.

    Returns:
        A `keras.Model`, `(batch, latent_dim)` to `(batch, height, width, channels)` in [-1, 1].

    Raises:
        ValueError: if an argument is not made of positive whole numbers.
    """
    image_shape = check_shape(image_shape)
    latent_dim = check_number(latent_dim, "latent_dim")
    height, width, channels = image_shape
    rows, columns = math.ceil(height / 8), math.ceil(width / 8)
    generator = keras.Sequential([keras.Input((latent_dim,))], name="generator")
    generator.add(layers.Dense(rows * columns * 96))
    generator.add(layers.Reshape((rows, columns, 96)))
    generator.add(layers.BatchNormalization())
    generator.add(layers.LeakyReLU(negative_slope=0.2))
    for filters in (48, 24):
        generator.add(layers.UpSampling2D())
        generator.add(layers.Conv2D(filters, 3, padding="same"))
        generator.add(layers.LeakyReLU(negative_slope=0.2))
    generator.add(layers.UpSampling2D())
    generator.add(layers.Conv2D(channels, 3, padding="same", activation="tanh"))
    generator.add(layers.Cropping2D(((0, 8 * rows - height), (0, 8 * columns - width))))
    return generator


def build_picture_discriminator(image_shape=(32, 32, 3), policy=augment.POLICY):
    """Build the police for pictures in colour: augmentation, three strided convolutions; its answer is a logit.

    It is not compiled: train it with `GAN` and a loss from logits.

    Args:
        image_shape: `(height, width, channels)` of the images, of any size.
        policy: of `augment.DiffAugment`; `()` leaves the images as they are.

    Returns:
        A `keras.Model`, `(batch, height, width, channels)` to logits `(batch, 1)`.

    Raises:
        ValueError: if `image_shape` is not three positive whole numbers, or `policy` names something unknown.
    """
    discriminator = keras.Sequential([keras.Input(check_shape(image_shape))], name="discriminator")
    discriminator.add(augment.DiffAugment(policy))
    for filters in (24, 48, 96):
        discriminator.add(layers.Conv2D(filters, 4, strides=2, padding="same"))
        discriminator.add(layers.LeakyReLU(negative_slope=0.2))
    discriminator.add(layers.Flatten())
    discriminator.add(layers.Dense(1))
    return discriminator


def build_combined(generator, discriminator):
    """Build and compile the combined model: latent points in, the discriminator's verdict on their images out.

    It holds the two networks themselves, not copies. `training.train_generator` freezes D while it trains G through it.

    Args:
        generator: `(batch, latent_dim)` to images.
        discriminator: images of the same shape to `(batch, 1)`.

    Returns:
        A compiled `keras.Model`, `(batch, latent_dim)` to `(batch, 1)`; its last layer is the discriminator.

    Raises:
        ValueError: if the generator does not draw what the discriminator looks at.
    """
    check_networks(generator, discriminator)
    noise = keras.Input(generator.input_shape[1:])
    combined = keras.Model(noise, discriminator(generator(noise)), name="combined")
    adam = keras.optimizers.Adam(learning_rate=2e-4, beta_1=0.5)
    combined.compile(adam, loss="binary_crossentropy", jit_compile=False)
    return combined

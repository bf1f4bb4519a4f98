"""The two players, and the combined model that trains one through the other."""

import math

import keras
from keras import layers, ops

from gan_keras import augment
from gan_keras._plumbing.checks import check_number, check_pair, check_shape


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


def choose(noise, strength=6.0):
    """Read the first half of each latent point as a choice: `strength` at its largest number, 0 at the others.

    A continuous network draws a connected set of images from a connected cloud of points, also what lies between two
    kinds, which bounds its precision (Tanielian et al. 2020). A choice takes the cloud apart.

    Args:
        noise: latent points `(batch, latent_dim)`.
        strength: of the choice, beside the numbers of the other half, whose standard deviation is 1.

    Returns:
        A tensor `(batch, latent_dim)`: the choice, then the other half as it was.
    """
    options = noise.shape[1] // 2
    first = noise[:, :options]
    choice = ops.cast(first >= ops.max(first, axis=1, keepdims=True), noise.dtype)  # argmax has no TF Lite
    return ops.concatenate([strength * choice, noise[:, options:]], axis=1)


def build_dcgan_generator(latent_dim=100, image_shape=(28, 28, 1)):
    """Build a convolutional counterfeiter: a choice, two dense layers, two transposed convolutions that double.

    The dense layers first are those of InfoGAN (Chen et al. 2016); the rest follows DCGAN (Radford et al. 2015).

    Args:
        latent_dim: how many numbers make a latent point, at least 2; `choose` reads the first half as a choice.
        image_shape: `(height, width, channels)` of the images, of any size.

    Returns:
        A `keras.Model`, `(batch, latent_dim)` to `(batch, height, width, channels)` in [-1, 1].

    Raises:
        ValueError: if an argument is not made of positive whole numbers.
    """
    image_shape = check_shape(image_shape)
    height, width, channels = image_shape
    rows, columns = -(-height // 4), -(-width // 4)  # a quarter, rounded up
    latent_dim = check_number(latent_dim, "latent_dim", low=2)
    noise = keras.Input((latent_dim,), name="noise")
    x = choose(noise)
    for units in (256, rows * columns * 32):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    x = layers.Reshape((rows, columns, 32))(x)
    x = layers.Conv2DTranspose(16, 4, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ReLU()(x)
    x = layers.Conv2DTranspose(channels, 4, strides=2, padding="same", activation="tanh")(x)
    x = layers.Cropping2D(((0, 4 * rows - height), (0, 4 * columns - width)))(x)
    return keras.Model(noise, x, name="generator")


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
    rows, columns = -(-height // 8), -(-width // 8)  # an eighth, rounded up
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
    check_pair(generator, discriminator)
    noise = keras.Input(generator.input_shape[1:])
    combined = keras.Model(noise, discriminator(generator(noise)), name="combined")
    adam = keras.optimizers.Adam(learning_rate=2e-4, beta_1=0.5)
    combined.compile(adam, loss="binary_crossentropy", jit_compile=False)
    return combined

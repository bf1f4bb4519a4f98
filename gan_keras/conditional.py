"""Asking for a class: networks that are told a label beside the noise or the image, and the GAN that trains them."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from gan_keras._plumbing.checks import check_classes, check_conditional, check_number, check_shape, check_vectors
from gan_keras.data import sample_noise
from gan_keras.gan import GAN


def class_vectors(labels, num_classes=10):
    """Labels as one-hot vectors: 1 at the class, 0 elsewhere.

    Args:
        labels: whole numbers `(batch,)` or `(batch, 1)` in 0 to num_classes - 1; or class vectors
            `(batch, num_classes)`, which come back as they are.
        num_classes: how many classes there are.

    Returns:
        A float tensor `(batch, num_classes)`.
    """
    labels = labels if hasattr(labels, "shape") else np.array(labels)
    if labels.shape[1:] == (num_classes,):
        return labels
    return ops.one_hot(ops.reshape(labels, (ops.shape(labels)[0],)), num_classes)


def label_map(labels, image_shape=(28, 28, 1), num_classes=10):
    """Labels as extra channels of an image: channel c is 1 everywhere where the label is c, and 0 elsewhere.

    Args:
        labels: whole numbers `(batch,)` or `(batch, 1)`, or class vectors; see `class_vectors`.
        image_shape: `(height, width, channels)` of the images.
        num_classes: how many classes there are.

    Returns:
        A float tensor `(batch, height, width, num_classes)`.
    """
    height, width, _ = image_shape
    vectors = class_vectors(labels, num_classes)
    return ops.tile(ops.reshape(vectors, (-1, 1, 1, num_classes)), (1, height, width, 1))


def build_conditional_generator(latent_dim=100, num_classes=10, image_shape=(28, 28, 1)):
    """Build a counterfeiter that can be asked for a class: latent points and class vectors in, images out.

    Args:
        latent_dim: how many numbers make a latent point.
        num_classes: how many classes can be asked for.
        image_shape: `(height, width, channels)` of the images.

    Returns:
        A `keras.Model`, `[(batch, latent_dim), (batch, num_classes)]` to `(batch, height, width, channels)` in
        [-1, 1].

    Raises:
        ValueError: if an argument is not made of positive whole numbers.
    """
    image_shape = check_shape(image_shape)
    latent_dim = check_number(latent_dim, "latent_dim")
    num_classes = check_number(num_classes, "num_classes")
    height, width, channels = image_shape
    rows, columns = math.ceil(height / 4), math.ceil(width / 4)
    noise = keras.Input((latent_dim,), name="noise")
    vectors = keras.Input((num_classes,), name="vectors")
    x = layers.Concatenate()([noise, layers.Dense(50, use_bias=False, name="embedding")(vectors)])
    for units in (256, 32 * rows * columns):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Reshape((rows, columns, 32))(x)
    x = layers.Conv2DTranspose(16, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(channels, 4, strides=2, padding="same", activation="tanh")(x)
    if (4 * rows, 4 * columns) != (height, width):
        x = layers.Cropping2D(((0, 4 * rows - height), (0, 4 * columns - width)))(x)
    return keras.Model([noise, vectors], x, name="generator")


def build_conditional_discriminator(image_shape=(28, 28, 1), num_classes=10):
    """Build the police that sees the class asked for: images and class vectors in, logits out.

    The logit is a score for being real at all and a score for being of the asked class, as in the projection
    discriminator of Miyato and Koyama 2018. It has no normalisation, so that a penalty may look at each image alone.

    Args:
        image_shape: `(height, width, channels)` of the images.
        num_classes: how many classes there are.

    Returns:
        A `keras.Model`, `[(batch, height, width, channels), (batch, num_classes)]` to logits `(batch, 1)`.

    Raises:
        ValueError: if an argument is not made of positive whole numbers.
    """
    image_shape = check_shape(image_shape)
    num_classes = check_number(num_classes, "num_classes")
    images = keras.Input(image_shape, name="images")
    vectors = keras.Input((num_classes,), name="vectors")
    x = images
    for filters in (16, 32):
        x = layers.Conv2D(filters, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(layers.Dense(128)(layers.Flatten()(x)))
    scores = layers.Dense(num_classes, use_bias=False, name="scores")(x)  # one for each class
    picked = layers.Dot(axes=1)([scores, vectors])  # the asked one's
    logits = layers.Activation("linear")(layers.Add()([layers.Dense(1)(x), picked]))
    return keras.Model([images, vectors], logits, name="discriminator")


class FixedLabels:
    """A conditional network with its class vectors filled in: a network of images, or of latent points, alone.

    Args:
        network: `[x, (batch, num_classes)]` to something.
        vectors: class vectors `(batch, num_classes)`, as many as there will be x.
    """

    def __init__(self, network, vectors):
        self.network, self.vectors = network, vectors
        self.operations, self.non_trainable_variables = network.operations, network.non_trainable_variables
        self.input_shape, self.output_shape = network.input_shape[0], network.output_shape

    def __call__(self, inputs, training=False):
        return self.network([inputs, self.vectors], training=training)

    def predict_on_batch(self, inputs):
        return self.network.predict_on_batch([inputs, self.vectors])


def draw(generator, labels, noise=None, seed=0):
    """Ask a conditional generator for images.

    Args:
        generator: `[(batch, latent_dim), (batch, num_classes)]` to images.
        labels: which classes, whole numbers `(N,)`; or class vectors `(N, num_classes)`, also mixed ones.
        noise: the latent points `(N, latent_dim)`; by default new ones.
        seed: of those new ones.

    Returns:
        An array of images `(N, height, width, channels)`.

    Raises:
        ValueError: if an argument does not fit the generator.
    """
    check_conditional(generator)
    latent_dim, num_classes = (shape[-1] for shape in generator.input_shape)
    labels, noise = check_vectors(labels, noise, num_classes, latent_dim)
    noise = sample_noise(len(labels), latent_dim, seed) if noise is None else noise
    vectors = np.asarray(class_vectors(labels, num_classes))
    batches = [slice(i, i + 500) for i in range(0, len(labels), 500)]
    return np.concatenate([generator([noise[few], vectors[few]], training=False) for few in batches])


@keras.saving.register_keras_serializable("gan_keras")
class ConditionalGAN(GAN):
    """A `GAN` whose players both see the label (Mirza and Osindero 2014): one can ask for a class.

    Args:
        generator: `[(batch, latent_dim), (batch, num_classes)]` to images.
        discriminator: `[images, (batch, num_classes)]` to `(batch, 1)`.
        seed: of the noise and of the order of the images, 0 to 2^31 - 1.

    Raises:
        ValueError: if the networks do not take such pairs, or differ in images or classes.
    """

    inputs_of_a_player = 2

    def __init__(self, generator, discriminator, seed=0, **kwargs):
        num_classes = check_classes(generator, discriminator)
        super().__init__(generator, discriminator, seed, **kwargs)
        self.num_classes = num_classes

    def train_step(self, batch):
        """One iteration on real images and their labels; each fake is asked for the label of a real image beside it."""
        images, labels = batch
        vectors = class_vectors(labels, self.num_classes)
        for turn in range(self.d_steps):
            real, asked = images[turn :: self.d_steps], vectors[turn :: self.d_steps]
            fake = self.generator([self.sample_noise(real), asked], training=False)
            logs = self.train_discriminator([real, asked], [fake, asked])
        return self.update_means(logs | self.train_generator([self.sample_noise(real), asked], [real, asked]))

    def penalty_on(self, real, fake):
        """The penalty on D's gradients with respect to the images, at fixed labels."""
        (real_images, asked), (fake_images, _) = real, fake
        return self.penalty(FixedLabels(self.discriminator, asked), real_images, fake_images, seed=self.noise_seed)

    def train_generator(self, inputs, real):
        """Train G with one update: its image must pass as real *of the class that was asked for*."""
        noise, asked = inputs
        with tf.GradientTape() as tape:
            on_fake = self.discriminator([self.generator([noise, asked], training=True), asked], training=True)
            on_real = self.discriminator(real, training=True) if self.loss.of_pairs else None
            g_loss = self.loss.generator_loss(on_real, on_fake)
        self.update_generator(tape, g_loss)
        return {"g_loss": g_loss}

    def call(self, inputs, training=False):
        """Images of `[noise, labels]`: `(batch, latent_dim)`, and whole numbers `(batch,)` or class vectors."""
        noise, labels = inputs
        return self.generator([noise, class_vectors(labels, self.num_classes)], training=training)

    def unconditional_generator(self, count):
        """The network that draws an image of each of `count` latent points alone, for callbacks: class after class."""
        vectors = np.eye(self.num_classes, dtype="float32")[np.arange(count) % self.num_classes]
        return FixedLabels(self.generator, vectors)

    def fit(self, images, labels=None, **options):
        """Train.

        Args:
            images: as `GAN.fit`; or a `tf.data.Dataset` of batches `(images, labels)`.
            labels: the class of each image, whole numbers `(N,)` in 0 to num_classes - 1; None for a Dataset.
            options: the other arguments of `GAN.fit`, by name.

        Returns:
            As `GAN.fit`.

        Raises:
            ValueError: if an argument is wrong; it says which.
        """
        return super().fit(images, labels=labels, **options)

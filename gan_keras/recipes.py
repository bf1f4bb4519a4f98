"""Five published recipes for a GAN on the digits, as data, and what builds and trains them."""

import math
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import layers, ops

from gan_keras import watching
from gan_keras._plumbing.batches import published_batches
from gan_keras._plumbing.checks import check_halving, check_recipe, check_recipe_training, check_shape
from gan_keras.callbacks import AsPublished, Curves
from gan_keras.gan import GAN


@keras.saving.register_keras_serializable("gan_keras")
class FromScratch(GAN):
    """D trains once, on the sum of its two losses; its fakes come from G in training mode, as usual in PyTorch."""

    ignores = ("d_steps",)

    def train_step(self, real):
        fake = self.generator(self.sample_noise(real), training=True)
        logs = self.train_discriminator_at_once(real, fake)
        return self.update_means(logs | self.train_generator(self.sample_noise(real), real))


@keras.saving.register_keras_serializable("gan_keras")
class Blogathon(GAN):
    """G goes first; D then trains once, on the mean of its two losses, and sees the same fakes."""

    ignores = ("d_steps", "penalty", "pairs")

    def train_step(self, real):
        with tf.GradientTape() as tape:
            fake = self.generator(self.sample_noise(real), training=True)
            g_loss = ops.mean(self.loss.generator(self.discriminator(fake, training=True)))
        self.update_generator(tape, g_loss)
        return self.update_means({"g_loss": g_loss} | self.train_discriminator(real, fake))

    def train_discriminator(self, real, fake):
        with tf.GradientTape() as tape:
            on_real, on_fake = (self.discriminator(x, training=True) for x in (real, fake))
            loss = ops.mean(self.loss.real(on_real) + self.loss.fake(on_fake)) / 2
        self.update_discriminator(tape, loss)
        return self.discriminator_logs(loss, on_real, on_fake)


@keras.saving.register_keras_serializable("gan_keras")
class PaperWalkthrough(GAN):
    """D trains once, on real and generated images shuffled into one batch."""

    ignores = ("penalty", "pairs")

    def train_discriminator(self, real, fake):
        images = ops.concatenate([real, fake])
        order = keras.random.shuffle(ops.arange(ops.shape(images)[0]), seed=self.noise_seed)
        with tf.GradientTape() as tape:
            answers = self.discriminator(ops.take(images, order, axis=0), training=True)
            on_real, on_fake = ops.split(ops.take(answers, ops.argsort(order), axis=0), 2)
            loss = ops.mean(ops.concatenate([self.loss.real(on_real), self.loss.fake(on_fake)]))
        self.update_discriminator(tape, loss)
        return self.discriminator_logs(loss, on_real, on_fake)


class Watching(NamedTuple):
    """How a tutorial watches its training.

    Args:
        images: how many it draws, in a square grid, always of the same latent points.
        every: iterations between two looks; None is an epoch.
        to: "files", a PNG a look; "page", the notebook's page as well; "tensorboard", with both losses.
        lines: whether each look prints a line with both losses, and only the end of the training draws a grid.
    """

    images: int = 25
    every: int = None
    to: str = "files"
    lines: bool = False


class Recipe(NamedTuple):
    """How a tutorial trains a GAN.

    Args:
        source: where it was published.
        generator: its hidden layers, such as "512 norm leaky": 512 units, batch normalization, LeakyReLU 0.2. The
            words are leaky, relu, dropout and norm, in the order of the layers.
        discriminator: likewise.
        optimizer: of each player: class name and config of a Keras optimizer.
        batch_size: how many real images an iteration takes.
        epochs: passes over the images; None where the source counts iterations.
        steps: iterations, where it does.
        game: the class that trains it: the order of steps, the fakes that D sees, the halves of its loss.
        dropout: the rate of every dropout layer.
        norm: momentum and epsilon of every batch normalization.
        start: "pytorch": kernels and biases even between -1 and 1 over the root of the layer's inputs; "keras": Glorot
            and Bengio's (2010) even kernels, biases zero.
        replace: whether a batch is drawn at random, so that an image may come again before all others have come.
        output: the generator's last activation, "tanh" or "sigmoid"; with "sigmoid" images are in [0, 1].
        latent_dim: how many numbers make a latent point.
        build: function of a recipe and an image shape that builds both networks; None is `build_recipe`'s dense ones.
        watch: how the source watches its training.
    """

    source: str
    generator: tuple
    discriminator: tuple
    optimizer: dict
    batch_size: int
    epochs: int = None
    steps: int = None
    game: type = GAN
    dropout: float = 0.3
    norm: tuple = (0.9, 1e-5)  # PyTorch's; it writes this momentum 0.1
    start: str = "pytorch"
    replace: bool = False
    output: str = "tanh"
    latent_dim: int = 100
    build: callable = None
    watch: Watching = Watching()


def adam(learning_rate, beta_1=0.9, epsilon=1e-8):
    """Adam as data; epsilon is PyTorch's."""
    return {"class_name": "Adam", "config": {"learning_rate": learning_rate, "beta_1": beta_1, "epsilon": epsilon}}


RECIPES = {
    "counterfeiter": Recipe(
        "Generative Adversarial Networks, the Counterfeiter and the Police Game (Keras)",
        generator=("256 leaky dropout norm", "512 leaky dropout norm", "1024 leaky dropout norm"),
        discriminator=("512 leaky", "256 leaky"),
        optimizer=adam(2e-4, beta_1=0.5, epsilon=1e-7),  # Keras's epsilon
        batch_size=32,
        steps=5000,
        dropout=0.1,
        norm=(0.8, 1e-3),
        start="keras",
        replace=True,
        watch=Watching(every=200),
    ),
    "blogathon": Recipe(
        "Analytics Vidhya, GANs for beginners, 2021 (PyTorch)",
        generator=("128 leaky", "512 norm leaky", "1024 norm leaky"),
        discriminator=("512 leaky", "256 leaky", "128 leaky"),
        optimizer=adam(2e-4, beta_1=0.4),
        batch_size=64,
        epochs=20,
        game=Blogathon,
        watch=Watching(every=400),
    ),
    "from_scratch": Recipe(
        "A. Villemin, the repository GANs, after the article GANs from Scratch 1 (PyTorch)",
        generator=("256 leaky", "512 leaky", "1024 leaky"),
        discriminator=("1024 leaky dropout", "512 leaky dropout", "256 leaky dropout"),
        optimizer=adam(2e-4),
        batch_size=100,
        epochs=200,
        game=FromScratch,
        watch=Watching(images=16, every=100, to="tensorboard"),
    ),
    "lecture_notes": Recipe(
        "5.1 GAN architecture, a lecture's page (PyTorch)",
        generator=("256 relu", "512 relu", "1024 relu"),
        discriminator=("1024 leaky", "512 leaky", "256 leaky"),
        optimizer=adam(2e-4),
        batch_size=64,
        epochs=50,
        game=FromScratch,
        watch=Watching(images=64, to="page", lines=True),
    ),
    "paper_walkthrough": Recipe(
        "a walk through the paper of Goodfellow et al. 2014 (PyTorch)",
        generator=("256 relu", "512 relu", "1024 relu"),
        discriminator=("1024 relu dropout", "512 relu dropout", "256 relu dropout"),
        optimizer=adam(1e-4),
        batch_size=32,
        epochs=50,
        game=PaperWalkthrough,
        watch=Watching(to="page"),
    ),
}


def dense_layers(recipe, hidden, inputs):
    """The layers that words such as "512 norm leaky" stand for.

    Args:
        recipe: a `Recipe`.
        hidden: for each dense layer its units, then leaky, relu, dropout and norm in the order of the layers.
        inputs: how many numbers come in.

    Returns:
        A list of Keras layers.
    """
    momentum, epsilon = recipe.norm
    kinds = {
        "leaky": lambda: layers.LeakyReLU(negative_slope=0.2),
        "relu": lambda: layers.ReLU(),
        "dropout": lambda: layers.Dropout(recipe.dropout),
        "norm": lambda: layers.BatchNormalization(momentum=momentum, epsilon=epsilon),
    }
    stack = []
    for words in hidden:
        units, *after = words.split()
        starts, limit = {}, 1 / math.sqrt(inputs)
        if recipe.start == "pytorch":  # two objects, since one would give kernel and bias the same numbers
            starts["kernel_initializer"] = keras.initializers.RandomUniform(-limit, limit)
            starts["bias_initializer"] = keras.initializers.RandomUniform(-limit, limit)
        stack += [layers.Dense(int(units), **starts), *(kinds[word]() for word in after)]
        inputs = int(units)
    return stack


def build_recipe(recipe, image_shape=(28, 28, 1)):
    """Build a recipe's two networks.

    Args:
        recipe: a `Recipe`, or the name of one of `RECIPES`.
        image_shape: `(height, width, channels)` of the images.

    Returns:
        `(generator, discriminator)`, not compiled: `(batch, latent_dim)` to images, and images to probabilities
        `(batch, 1)`.

    Raises:
        ValueError: if an argument is wrong; it says which.
    """
    recipe = RECIPES.get(recipe, recipe) if isinstance(recipe, str) else recipe
    check_recipe(recipe, RECIPES)
    image_shape = check_shape(image_shape)
    if recipe.build is not None:
        return recipe.build(recipe, image_shape)
    pixels = math.prod(image_shape)
    generator = keras.Sequential([keras.Input((recipe.latent_dim,))], name="generator")
    for layer in dense_layers(recipe, (*recipe.generator, str(pixels)), recipe.latent_dim):
        generator.add(layer)
    generator.add(layers.Activation(recipe.output))
    generator.add(layers.Reshape(image_shape))
    discriminator = keras.Sequential([keras.Input(image_shape), layers.Flatten()], name="discriminator")
    for layer in dense_layers(recipe, (*recipe.discriminator, "1"), pixels):
        discriminator.add(layer)
    discriminator.add(layers.Activation("sigmoid"))
    return generator, discriminator


def build_large_dcgan(recipe, image_shape=(64, 64, 1)):
    """Build the networks of `DCGAN`, the second part of `from_scratch`.

    Args:
        recipe: a `Recipe` whose `discriminator` and `generator` are numbers of channels.
        image_shape: `(height, width, channels)` of the images, for four layers multiples of 16.

    Returns:
        `(generator, discriminator)`, as `build_recipe`.

    Raises:
        ValueError: if height or width cannot be halved so often.
    """
    first, *others = recipe.generator
    check_halving(image_shape, len(recipe.discriminator))
    small = [side // 2 ** len(recipe.discriminator) for side in image_shape[:2]]

    def conv(kind, filters, **more):
        return kind(filters, 4, 2, "same", use_bias=False, kernel_initializer=small_normal(), **more)

    generator = keras.Sequential([keras.Input((recipe.latent_dim,))], name="generator")
    generator.add(*dense_layers(recipe, [str(math.prod(small) * first)], recipe.latent_dim))
    generator.add(layers.Reshape((*small, first)))
    discriminator = keras.Sequential([keras.Input(image_shape)], name="discriminator")
    norm = dict(zip(("momentum", "epsilon"), recipe.norm, strict=True))
    for filters in others:
        generator.add(conv(layers.Conv2DTranspose, filters))
        generator.add(layers.BatchNormalization(gamma_initializer=small_normal(), **norm))
        generator.add(layers.ReLU())
    for i, filters in enumerate(recipe.discriminator):
        discriminator.add(conv(layers.Conv2D, filters))
        if i > 0:  # not at the input
            discriminator.add(layers.BatchNormalization(gamma_initializer=small_normal(), **norm))
        discriminator.add(layers.LeakyReLU(negative_slope=0.2))
    generator.add(conv(layers.Conv2DTranspose, image_shape[2], activation=recipe.output))
    discriminator.add(layers.Flatten())
    discriminator.add(*dense_layers(recipe, ["1"], math.prod(small) * recipe.discriminator[-1]))
    discriminator.add(layers.Activation("sigmoid"))
    return generator, discriminator


def small_normal():
    """DCGAN's start, N(0, 0.02); a new object each time, since one gives the same numbers again."""
    return keras.initializers.RandomNormal(0.0, 0.02)


DCGAN = Recipe(
    "A. Villemin, the repository GANs, part 2 (PyTorch)",
    generator=(1024, 512, 256, 128),
    discriminator=(128, 256, 512, 1024),
    optimizer=adam(2e-4, beta_1=0.5),
    batch_size=100,
    epochs=200,
    game=FromScratch,
    build=build_large_dcgan,
    watch=RECIPES["from_scratch"].watch,
)


def train_recipe(recipe, images, steps=None, seed=0, watch=False, folder=None, callbacks=(), verbose="auto"):
    """Train new networks by a recipe.

    Args:
        recipe: the name of one of `RECIPES`, or a `Recipe`, such as `RECIPES["blogathon"]._replace(batch_size=32)`.
        images: floats `(N, height, width, channels)` in the range of the recipe's output: [-1, 1] for tanh, [0, 1]
            for sigmoid.
        steps: how many iterations; by default as many as were published, which can take hours.
        seed: of everything random; it also sets the seeds of Python, NumPy and Keras.
        watch: whether to watch the training as the recipe's source does (its `watch`).
        folder: where `watch` writes; by default `images/runs/recipes/<name>`.
        callbacks: of Keras or of `gan_keras.callbacks`, such as `GANMonitor`.
        verbose: as in `keras.Model.fit`.

    Returns:
        `(generator, history)`: the trained generator, and a dict of lists with a value for each iteration, the means
        over up to 50 iterations, of `d_loss`, `g_loss`, `accuracy_real` and `accuracy_fake`. Training ends at a loss
        that is not finite; the means with it are left out (so the dict is empty if it is among the first).

    Raises:
        ValueError: if an argument is wrong; it says which.
        OSError: if the folder cannot be written.
        ImportError: if events for TensorBoard are wanted and it is not installed.
    """
    name, recipe = (recipe, RECIPES.get(recipe, recipe)) if isinstance(recipe, str) else ("own", recipe)
    images = check_recipe_training(images, recipe, RECIPES, steps, seed)
    steps = published_steps(recipe, len(images)) if steps is None else steps
    curves, every = Curves(), steps
    if watch:
        every = recipe.watch.every or math.ceil(len(images) / recipe.batch_size)
        curves = AsPublished(recipe, every, folder or watching.runs_folder(f"recipes/{name}"))
    keras.utils.set_random_seed(seed)
    gan = recipe.game(*build_recipe(recipe, images.shape[1:]), seed=seed)
    at_once = max(n for n in range(1, 51) if steps % n == every % n == 0)  # iterations between two stops for callbacks
    gan.compile(*(keras.optimizers.get(recipe.optimizer) for _ in "DG"), steps_per_execution=at_once)
    batches = published_batches(images, recipe.batch_size, seed, recipe.replace)
    epoch = max(n for n in range(at_once, 1001, at_once) if steps % n == 0)  # its length changes only the display
    callbacks = [curves, *keras.tree.flatten(callbacks)]
    gan.fit(batches, steps_per_epoch=epoch, epochs=steps // epoch, callbacks=callbacks, verbose=verbose)
    return gan.generator, curves.history


def published_steps(recipe, count):
    """How many iterations the source trains, on so many images."""
    return recipe.steps or recipe.epochs * math.ceil(count / recipe.batch_size)

"""The tables of notebook 16: what computed `stacked.csv` of `gan_keras/results`.

`python tools/stacked_table.py FILE [stacks|digits]` trains every row with three seeds on the whole MNIST, an hour and a
half or so on one core (set PYTHONPATH to the project's folder). It writes a row after each run, and beside FILE ten
images of each G that drew plain digits with seed 0, and goes on where it was stopped. Other machines give other numbers
within the spread over seeds.
"""

import csv
import functools
import pathlib
import sys
import time

import keras
import numpy as np
from dcgan_table import measure
from keras import layers, ops
from PIL import Image

from gan_keras import watching
from gan_keras.data import load_mnist, sample_noise
from gan_keras.gan import GAN
from gan_keras.judging import features, frechet_distance, kl_divergence, load_judge
from gan_keras.losses import NON_SATURATING_FROM_LOGITS, RELATIVISTIC, r1, r1_r2, squared_gradients
from gan_keras.results import STACKED_COLUMNS, read_stacked, strip_name

SEEDS = (0, 1, 2)
GAMMA = 0.3  # of R1, and of R2
STACKS = 20_000  # to train on
JUDGED = 10_000  # images drawn, from the same latent points for every row


def make_stacks(images, count, seed):
    """Images of three channels, each with a digit drawn at random: `(count, 28, 28, 3)`."""
    rng = np.random.default_rng(seed)
    return np.concatenate([images[rng.integers(len(images), size=count)] for _ in range(3)], axis=-1)


def start():
    """First weights for leaky ReLU; a new object each time, since one gives the same numbers again."""
    return keras.initializers.HeNormal()


def modern_generator(channels, output=None, normalized=False):
    """Notebook 12's shapes; nothing between the layers but leaky ReLU."""
    generator = keras.Sequential([keras.Input((100,))])
    hidden = [
        layers.Dense(256, kernel_initializer=start()),
        layers.Dense(7 * 7 * 32, kernel_initializer=start()),
        layers.Conv2DTranspose(16, 4, 2, "same", kernel_initializer=start()),
    ]
    for layer in hidden:
        generator.add(layer)
        if normalized:
            generator.add(layers.BatchNormalization(momentum=0.9))
        generator.add(layers.LeakyReLU(negative_slope=0.2))
        if layer is hidden[1]:
            generator.add(layers.Reshape((7, 7, 32)))
    generator.add(layers.Conv2DTranspose(channels, 4, 2, "same", activation=output))
    return generator


def modern_discriminator(channels):
    """Notebook 12's second police, with other first weights."""
    discriminator = keras.Sequential([keras.Input((28, 28, channels))])
    for filters in (16, 32):
        discriminator.add(layers.Conv2D(filters, 4, 2, "same", kernel_initializer=start()))
        discriminator.add(layers.LeakyReLU(negative_slope=0.2))
    discriminator.add(layers.Flatten())
    discriminator.add(layers.Dense(128, kernel_initializer=start()))
    discriminator.add(layers.LeakyReLU(negative_slope=0.2))
    discriminator.add(layers.Dense(1))
    return discriminator


def no_penalty(discriminator, real, fake, seed=None):
    """Nothing; with it D makes one update on both batches, as with R1."""
    return ops.zeros(())


R1, R1_R2 = functools.partial(r1, weight=GAMMA), functools.partial(r1_r2, weight=GAMMA)
DOUBLE_R1 = functools.partial(r1, weight=2 * GAMMA)  # as heavy as R1 + R2
LOSSES = {"classic": NON_SATURATING_FROM_LOGITS, "pairs": RELATIVISTIC}
PENALTIES = {"no penalty": no_penalty, "R1": R1, "R1 doubled": DOUBLE_R1, "R1 + R2": R1_R2}
# What the rows change in the recipe: pairs, R1 and R2, no momentum, no tanh, no normalization.
RECIPE = {"loss": RELATIVISTIC, "penalty": R1_R2, "beta_1": 0.0, "output": None, "normalized": False}
CHANGES = {
    "the recipe": {},
    "+ tanh": {"output": "tanh"},
    "+ normalization": {"normalized": True},
    "+ momentum": {"beta_1": 0.5},
    "+ a quarter of the rate": {"rate": 0.001},
    "tanh; classic, R1": {"output": "tanh", "loss": NON_SATURATING_FROM_LOGITS, "penalty": R1},
}
TRAININGS = {
    "stacks": {
        f"{loss}, {penalty}": RECIPE | {"output": "tanh", "loss": LOSSES[loss], "penalty": PENALTIES[penalty]}
        for penalty in PENALTIES
        for loss in LOSSES
    },
    "digits": {name: RECIPE | change for name, change in CHANGES.items()},
}
STEPS = {"stacks": 1500, "digits": 3000}  # iterations of every row
RATES = {"stacks": 0.002, "digits": 0.004}  # that of the digits is notebook 12's


def train(choices, images, steps, rate, seed, callbacks=()):
    """A pair trained by some choices, as in `RECIPE`, with batches of 32; returns the GAN."""
    keras.utils.set_random_seed(seed)
    generator = modern_generator(images.shape[-1], choices["output"], choices["normalized"])
    gan = GAN(generator, modern_discriminator(images.shape[-1]), seed=seed)
    adam = {"learning_rate": rate, "beta_1": choices["beta_1"], "beta_2": 0.99}
    averaging = keras.optimizers.Adam(**adam, use_ema=True, ema_momentum=1 - 9 / steps)
    gan.compile(keras.optimizers.Adam(**adam), averaging, loss=choices["loss"], penalty=choices["penalty"])
    gan.fit(images, batch_size=32, steps_per_epoch=steps, callbacks=callbacks, verbose=0)
    return gan


def slope(discriminator, images):
    """How steep D is at images: the root of the mean squared length of its gradient."""
    return float(ops.sqrt(ops.mean(squared_gradients(discriminator, images))))


def average(gan):
    """Put the averaged weights in place, and measure batch normalization's statistics anew with them."""
    gan.g_optimizer.finalize_variable_values(gan.generator.trainable_variables)
    measure(gan.generator)


def judged(stacks):
    """What the judge says of each channel, `(N, channels, 10)`, and its features of them, `(N * channels, 64)`."""
    digits = np.moveaxis(np.clip(stacks, -1, 1), -1, 1).reshape(-1, 28, 28, 1)
    seen = features(digits)
    said = np.array(load_judge().layers[-1](seen))
    return said.reshape(len(stacks), -1, 10), seen


def modes_and_kl(said):
    """How many numbers the judge reads at all, and the divergence of their shares from equal ones."""
    channels = said.shape[1]
    numbers = said.argmax(axis=2) @ 10 ** np.arange(channels)[::-1]
    counts = np.bincount(numbers, minlength=10**channels)
    return (counts > 0).sum(), kl_divergence(counts, np.ones(10**channels))


def report(gan, images, real):
    """Modes, KL, share of clear digits, Fréchet distance of the averaged G; how steep D is at real and fake images."""
    fake = gan.generator.predict(sample_noise(1000, 100, seed=1), batch_size=500, verbose=0)
    steep = [slope(gan.discriminator, some) for some in (images[:1000], fake)]
    average(gan)
    drawn = gan.generator.predict(sample_noise(JUDGED, 100, seed=1), batch_size=500, verbose=0)
    said, seen = judged(drawn)
    clear = (said.max(axis=2) > 0.9).mean()
    return *modes_and_kl(said), clear, frechet_distance(seen[: len(real)], real), *steep


def row(data, name, seed, images, real, steps=None, folder=None):
    """Train and judge one row of the table: a dict of `STACKED_COLUMNS`.

    Args:
        data: "stacks" or "digits".
        name: of one of its trainings.
        seed: of the training, and of the stacks.
        images: digits `(N, 28, 28, 1)` in [-1, 1].
        real: the judge's features of other digits.
        steps: how many iterations; by default those of the table.
        folder: where ten images of its G are kept, if they are plain digits of seed 0.
    """
    steps = STEPS[data] if steps is None else steps
    images = make_stacks(images, STACKS, seed) if data == "stacks" else images
    started = time.process_time()
    choices = TRAININGS[data][name]
    gan = train(choices, images, steps, choices.get("rate", RATES[data]), seed)
    seconds = time.process_time() - started
    values = [f"{value:.4g}" for value in report(gan, images, real)]
    if folder is not None and (data, seed) == ("digits", 0):
        ten = np.clip(gan.generator.predict(watching.fixed_noise(count=10), verbose=0), -1, 1)  # not all end in tanh
        Image.fromarray(watching.grid(ten, columns=10)).save(folder / strip_name("stacked", name), optimize=True)
    return dict(zip(STACKED_COLUMNS, (data, name, seed, steps, f"{seconds:.0f}", *values), strict=True))


def main(path, only=None):
    """Do the trainings that the table in a file does not have yet."""
    images, real = load_mnist(), features(load_mnist("test"))
    wanted = [(d, name, seed) for d in TRAININGS if only in (None, d) for seed in SEEDS for name in TRAININGS[d]]
    for data, name, seed in wanted:
        done = {(r["data"], r["row"], r["seed"]) for r in read_stacked(path)} if path.exists() else set()
        if (data, name, seed) in done:
            continue
        made = row(data, name, seed, images, real, folder=path.parent)
        new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, STACKED_COLUMNS, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(made)
        print(made, flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])

"""The table of notebook 12: what computed `dcgan.csv` of `gan_keras/results`.

`python tools/dcgan_table.py FILE` trains every row with three seeds on the whole MNIST, an hour or more on one core
(set PYTHONPATH to the project's folder). It writes rows after each run and goes on where it was stopped. Other machines
give other numbers within the spread over seeds.
"""

import csv
import pathlib
import sys
import time

import keras
from keras import layers, ops

from gan_keras.data import load_mnist, sample_noise
from gan_keras.gan import GAN
from gan_keras.judging import density_coverage, features, frechet_distance, precision_recall
from gan_keras.losses import NON_SATURATING_FROM_LOGITS, r1
from gan_keras.models import (
    build_dcgan_discriminator,
    build_dcgan_generator,
    build_discriminator,
    build_generator,
)
from gan_keras.results import DCGAN_COLUMNS, read_dcgan

SEEDS = (0, 1, 2)
STEPS = 3000  # iterations of every row
RATE = 0.004


def start():
    """How the paper draws the first weights; a new object each time, since one gives the same numbers again."""
    return keras.initializers.RandomNormal(stddev=0.02)


def plain_generator():
    """A counterfeiter by DCGAN's rules: 100 numbers, 7 x 7, 14 x 14, 28 x 28."""
    generator = keras.Sequential([keras.Input((100,))])
    generator.add(layers.Dense(7 * 7 * 32, use_bias=False, kernel_initializer=start()))
    generator.add(layers.Reshape((7, 7, 32)))
    generator.add(layers.BatchNormalization(momentum=0.9))
    generator.add(layers.ReLU())
    generator.add(layers.Conv2DTranspose(16, 4, 2, "same", use_bias=False, kernel_initializer=start()))
    generator.add(layers.BatchNormalization(momentum=0.9))
    generator.add(layers.ReLU())
    generator.add(layers.Conv2DTranspose(1, 4, 2, "same", activation="tanh", kernel_initializer=start()))
    return generator


def plain_discriminator():
    """A police by DCGAN's rules: 28 x 28, 14 x 14, 7 x 7, one logit."""
    discriminator = keras.Sequential([keras.Input((28, 28, 1))])
    discriminator.add(layers.Conv2D(16, 4, 2, "same", kernel_initializer=start()))
    discriminator.add(layers.LeakyReLU(negative_slope=0.2))
    discriminator.add(layers.Conv2D(32, 4, 2, "same", kernel_initializer=start()))
    discriminator.add(layers.BatchNormalization(momentum=0.9))
    discriminator.add(layers.LeakyReLU(negative_slope=0.2))
    discriminator.add(layers.Flatten())
    discriminator.add(layers.Dense(1, kernel_initializer=start()))
    return discriminator


def dense_discriminator():
    """Notebook 06's police with a logit in place of its sigmoid, as R1 needs it."""
    return keras.Sequential([keras.Input((28, 28, 1)), *build_discriminator().layers[:-1], layers.Dense(1)])


def no_penalty(discriminator, real, fake, seed=None):
    """Nothing; with it D makes one update on both batches, as with R1."""
    return ops.zeros(())


def seldom_r1(discriminator, real, fake, seed=None):
    """R1 with gamma 0.3 on average: in one of eight iterations, at random, and there eight times as strong."""
    now = keras.random.uniform((), seed=seed) < 1 / 8
    return ops.cond(now, lambda: r1(discriminator, real, fake, weight=8 * 0.3), lambda: ops.zeros(()))


PLAIN = plain_generator, plain_discriminator
OURS = build_dcgan_generator, build_dcgan_discriminator
AS_IN_06 = build_generator, build_discriminator
DENSE = build_generator, dense_discriminator
R1_ROWS = {"raw": "+ R1", "measured": "new statistics, not averaged", "averaged": "+ averaged weights"}
RATES = {"plain, slower": 0.001, "plain, as slow as the paper's": 0.0002}  # the others take RATE
# G, D, penalty, whether the rate falls, and the rows it gives: with the weights as they are, with these and batch
# normalization's statistics measured anew, or with the averages.
TRAININGS = {
    "plain": (*PLAIN, no_penalty, False, {"raw": "plain DCGAN"}),
    "plain, slower": (*PLAIN, no_penalty, False, {"raw": "plain DCGAN at 0.001"}),
    "plain, as slow as the paper's": (*PLAIN, no_penalty, False, {"raw": "plain DCGAN at 0.0002"}),
    "ours": (*OURS, no_penalty, False, {"raw": "our networks"}),
    "r1": (*OURS, seldom_r1, False, R1_ROWS),
    "falling": (*OURS, seldom_r1, True, {"raw": "falling rate, not averaged", "averaged": "+ falling rate"}),
    "06": (*AS_IN_06, None, False, {"raw": "dense networks, as in 06"}),
    "dense": (*DENSE, seldom_r1, True, {"averaged": "dense networks, the same changes"}),
}


def train(name, seed, images, steps=STEPS):
    """One training of the table.

    Args:
        name: of one of `TRAININGS`.
        seed: of the networks, the noise and the order of the images.
        images: `(N, 28, 28, 1)` in [-1, 1].
        steps: how many iterations, with batches of 32.

    Returns:
        The `GAN`.
    """
    make_g, make_d, penalty, falls, _ = TRAININGS[name]
    keras.utils.set_random_seed(seed)
    gan = GAN(make_g(), make_d(), seed=seed)
    if penalty is None:
        gan.compile()
    else:
        rate = RATES.get(name, RATE)
        rate = keras.optimizers.schedules.PolynomialDecay(rate, steps, rate / 10) if falls else rate
        averaging = keras.optimizers.Adam(rate, beta_1=0.5, use_ema=True, ema_momentum=1 - 9 / steps)
        gan.compile(
            keras.optimizers.Adam(rate, beta_1=0.5), averaging, loss=NON_SATURATING_FROM_LOGITS, penalty=penalty
        )
    gan.fit(images, batch_size=32, steps_per_epoch=steps, verbose=0)
    return gan


def measure(generator):
    """Measure batch normalization's statistics anew."""
    for turn in range(50):
        generator(sample_noise(500, 100, seed=turn), training=True)


def report(generator, real):
    """Fréchet distance, precision, recall, density, coverage of as many images as there are real ones."""
    seen = features(generator.predict(sample_noise(len(real), 100, seed=1), batch_size=500, verbose=0))
    return frechet_distance(seen, real), *precision_recall(real, seen), *density_coverage(real, seen)


def rows(name, seed, images, real, steps=STEPS):
    """Train, and yield the table's rows that this training gives: dicts of `DCGAN_COLUMNS`."""
    started = time.process_time()
    gan = train(name, seed, images, steps)
    seconds = time.process_time() - started
    for weights, row in TRAININGS[name][-1].items():
        if weights == "averaged":
            gan.g_optimizer.finalize_variable_values(gan.generator.trainable_variables)
        if weights != "raw":
            measure(gan.generator)
        values = row, seed, steps, f"{seconds:.0f}", *(f"{value:.4g}" for value in report(gan.generator, real))
        yield dict(zip(DCGAN_COLUMNS, values, strict=True))


def main(path):
    """Do the trainings that the table in a file does not have yet."""
    images, real = load_mnist(), features(load_mnist("test"))
    for seed in SEEDS:
        for name, (*_, judged) in TRAININGS.items():
            done = {(r["row"], r["seed"]) for r in read_dcgan(path)} if path.exists() else set()
            if {(row, seed) for row in judged.values()} <= done:
                continue
            new = not path.exists()
            made = list(rows(name, seed, images, real))
            with path.open("a", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, DCGAN_COLUMNS, lineterminator="\n")
                if new:
                    writer.writeheader()
                writer.writerows(made)
            print(*made, sep="\n", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))

"""The long table of notebook 10: what computed `long_runs.csv` and `long_runs_*.png`, and what reads them.

`python -m gan_keras.long_runs FOLDER` trains every recipe and every change with three seeds on the whole MNIST, which
takes hours. It writes a row after each run and goes on where it was stopped; a second process, with `backwards` behind
FOLDER, helps from the other end. Other machines give other numbers within the spread over seeds.
"""

import csv
import importlib.resources
import pathlib
import sys
import time

import numpy as np
from PIL import Image

from gan_keras.data import load_mnist, sample_noise
from gan_keras.judging import (
    density_coverage,
    digit_histogram,
    features,
    frechet_distance,
    load_judge,
    precision_recall,
)
from gan_keras.recipes import RECIPES, Blogathon, FromScratch, adam, published_steps, train_recipe
from gan_keras.watching import fixed_noise, grid

SEEDS = (0, 1, 2)
# At the published length, or as many iterations as one free core of a server of 2026 does in about ten minutes.
AT_MOST = {"from_scratch": 8000, "lecture_notes": 13000, "paper_walkthrough": 21000}
SHORT = 1500  # iterations of a recipe beside its changes
RMSPROP = {"class_name": "RMSprop", "config": {"learning_rate": 8e-4, "clipvalue": 1.0}}  # the article's alternative
SGD = {"class_name": "SGD", "config": {"learning_rate": 0.1, "momentum": 0.5}}  # as the code of the 2014 paper begins
# One change each: the recipe, and what is replaced in it.
CHANGES = {
    "start as Keras does": ("blogathon", {"start": "keras"}),
    "beta_1 0.9": ("blogathon", {"optimizer": adam(2e-4, beta_1=0.9)}),
    "no BatchNorm in G": ("blogathon", {"generator": ("128 leaky", "512 leaky", "1024 leaky")}),
    "dropout in D": ("blogathon", {"discriminator": ("512 leaky dropout", "256 leaky dropout", "128 leaky dropout")}),
    "D first, fresh fakes": ("blogathon", {"game": FromScratch}),
    "G first, same fakes": ("counterfeiter", {"game": Blogathon}),
    "D first, one update": ("counterfeiter", {"game": FromScratch}),
    "RMSprop 8e-4": ("counterfeiter", {"optimizer": RMSPROP}),
    "Adam 8e-4": ("counterfeiter", {"optimizer": adam(8e-4, beta_1=0.5, epsilon=1e-7)}),
    "SGD 0.1": ("counterfeiter", {"optimizer": SGD}),
    "sigmoid": ("counterfeiter", {"output": "sigmoid"}),
    "latent size 10": ("counterfeiter", {"latent_dim": 10}),
    "latent size 1000": ("counterfeiter", {"latent_dim": 1000}),
    "SGD 0.1 there": ("paper_walkthrough", {"optimizer": SGD}),
}
COLUMNS = ("recipe", "change", "seed", "steps", "done", "published_steps", "minutes")
METRICS = ("frechet", "precision", "recall", "density", "coverage", "confident", "present")


def changed(change):
    """The `Recipe` of one of `CHANGES`."""
    base, what = CHANGES[change]
    return RECIPES[base]._replace(**what)


def report(drawn, real):
    """A generator's numbers.

    Args:
        drawn: generated images `(N, 28, 28, 1)` in [-1, 1].
        real: `judging.features` of as many real ones.

    Returns:
        A dict of `METRICS`: the Fréchet distance, precision, recall, density, coverage, the share of images of which
        the judge is surer than 0.99, and how many digits it finds.
    """
    seen = features(drawn)
    precision, recall = precision_recall(real, seen)
    density, coverage = density_coverage(real, seen)
    probabilities = load_judge().predict(drawn, batch_size=500, verbose=0)
    confident, present = (probabilities.max(axis=1) > 0.99).mean(), digit_histogram(probabilities)["present"]
    found = frechet_distance(seen, real), precision, recall, density, coverage, float(confident), present
    return dict(zip(METRICS, found, strict=True))


def draw(generator, recipe, count=10_000, noise=None):
    """Images in [-1, 1] of a recipe's generator."""
    noise = sample_noise(count, recipe.latent_dim, seed=1) if noise is None else noise
    drawn = generator.predict(noise, batch_size=500, verbose=0)
    return 2 * drawn - 1 if recipe.output == "sigmoid" else drawn


def read(folder=None):
    """The rows of `long_runs.csv`: dicts with `COLUMNS` and `METRICS`, numbers as numbers."""
    folder = importlib.resources.files("gan_keras") if folder is None else folder
    with folder.joinpath("long_runs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = dict.fromkeys(("seed", "steps", "done", "published_steps", "present"), int)
    return [{k: v if k in COLUMNS[:2] else kinds.get(k, float)(v) for k, v in row.items()} for row in rows]


def strip(name):
    """Ten images of a recipe's generator after its long run, seed 0: a uint8 array, as `watching.grid` gives."""
    with importlib.resources.files("gan_keras").joinpath(f"long_runs_{name}.png").open("rb") as file:
        return np.asarray(Image.open(file))


def jobs():
    """Every run: `(recipe's name, change or "", seed, steps)`."""
    for seed in SEEDS:
        for name, recipe in RECIPES.items():
            yield name, "", seed, min(published_steps(recipe, 60_000), AT_MOST.get(name, 10**9))
    for seed in SEEDS:
        for name in dict.fromkeys(base for base, _ in CHANGES.values()):
            yield name, "", seed, SHORT
        for change, (base, _) in CHANGES.items():
            yield base, change, seed, SHORT


def main(folder, backwards=False):
    """Do the runs that the table in a folder does not have yet, perhaps from the last to the first."""
    images, test = load_mnist(), load_mnist("test")
    real, table, columns = features(test), folder / "long_runs.csv", (*COLUMNS, *METRICS)
    for name, change, seed, steps in list(jobs())[:: -1 if backwards else 1]:
        done = {(r["recipe"], r["change"], r["seed"], r["steps"]) for r in read(folder)} if table.exists() else set()
        if (name, change, seed, steps) in done:
            continue
        recipe, start = changed(change) if change else RECIPES[name], time.monotonic()
        scaled = (images + 1) / 2 if recipe.output == "sigmoid" else images
        generator, history = train_recipe(recipe, scaled, steps=steps, seed=seed, verbose=0)
        minutes = (time.monotonic() - start) / 60
        numbers = report(draw(generator, recipe), real)
        finite = len(history.get("d_loss", []))  # fewer than steps where a loss became NaN, counted in fifties
        row = (name, change, seed, steps, finite, published_steps(RECIPES[name], len(images)), f"{minutes:.1f}")
        new = not table.exists()
        with table.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([columns] if new else [])
            writer.writerow([*row, *(f"{value:.4g}" for value in numbers.values())])
        if not change and seed == 0 and steps != SHORT:
            sheet = grid(draw(generator, recipe, noise=fixed_noise(recipe.latent_dim)[:10]), columns=10)
            Image.fromarray(sheet).save(folder / f"long_runs_{name}.png", optimize=True)
        print(name, change, seed, steps, numbers, flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), backwards="backwards" in sys.argv)

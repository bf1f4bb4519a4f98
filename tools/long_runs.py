"""The long table of notebook 10: what computed `long_runs.csv` and `long_runs_*.png` of `gan_keras/results`.

`python tools/long_runs.py FOLDER` trains every recipe and every change with three seeds on the whole MNIST, which takes
hours (set PYTHONPATH to the project's folder). It writes a row after each run and goes on where it was stopped; a
second process, with `backwards` behind FOLDER, helps from the other end. Other machines give other numbers within the
spread over seeds.
"""

import csv
import pathlib
import sys
import time

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
from gan_keras.recipes import RECIPES, published_steps, train_recipe
from gan_keras.results import CHANGES, COLUMNS, METRICS, SHORT, changed, read, strip_name
from gan_keras.watching import fixed_noise, grid

SEEDS = (0, 1, 2)
# At the published length, or as many iterations as one free core of a server of 2026 does in about ten minutes.
AT_MOST = {"from_scratch": 8000, "lecture_notes": 13000, "paper_walkthrough": 21000}


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
            Image.fromarray(sheet).save(folder / strip_name("long_runs", name), optimize=True)
        print(name, change, seed, steps, numbers, flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), backwards="backwards" in sys.argv)

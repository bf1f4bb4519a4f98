"""What was computed beforehand: the judge's weights (`judge.npz`), and tables that take many trainings.

The long table and the pictures of notebook 10 come from `tools/long_runs.py`, which trains every recipe and every
change with three seeds; the table of notebook 12, `dcgan.csv`, from `tools/dcgan_table.py`; the tables of notebook 16,
`stacked.csv`, from `tools/stacked_table.py` (its pictures from a second run, on another machine).
"""

import csv
import importlib.resources
import re

import numpy as np
from PIL import Image

from gan_keras.recipes import RECIPES, Blogathon, FromScratch, adam

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


def read(folder=None):
    """The rows of `long_runs.csv`: dicts with `COLUMNS` and `METRICS`, numbers as numbers."""
    folder = importlib.resources.files(__name__) if folder is None else folder
    with folder.joinpath("long_runs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = dict.fromkeys(("seed", "steps", "done", "published_steps", "present"), int)
    return [{k: v if k in COLUMNS[:2] else kinds.get(k, float)(v) for k, v in row.items()} for row in rows]


def strip_name(table, name):
    """The file that holds images of a row of a table: its letters and digits."""
    return f"{table}_{'_'.join(re.findall('[a-z0-9]+', name.lower()))}.png"


def strip(name, table="long_runs"):
    """Ten images of a recipe's generator after its long run, or of a row of another table, seed 0: uint8."""
    with importlib.resources.files(__name__).joinpath(strip_name(table, name)).open("rb") as file:
        return np.asarray(Image.open(file))


DCGAN_COLUMNS = ("row", "seed", "steps", "seconds", "frechet", "precision", "recall", "density", "coverage")
STACKED_COLUMNS = ("data", "row", "seed", "steps", "seconds", "modes", "kl", "clear", "frechet")
STACKED_COLUMNS += ("slope_real", "slope_fake")


def read_dcgan(path=None):
    """The rows of `dcgan.csv`: dicts with `DCGAN_COLUMNS`, numbers as numbers; seconds are of one core's work."""
    return rows_of("dcgan.csv", path)


def read_stacked(path=None):
    """The rows of `stacked.csv`: dicts with `STACKED_COLUMNS`, as `read_dcgan`."""
    return rows_of("stacked.csv", path)


def rows_of(name, path):
    """The rows of one of the tables, or of a file like it."""
    path = importlib.resources.files(__name__).joinpath(name) if path is None else path
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = {"data": str, "row": str, "seed": int, "steps": int, "modes": int}
    return [{name: kinds.get(name, float)(value) for name, value in row.items()} for row in rows]

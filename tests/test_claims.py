"""What the notebooks say in a sentence and cannot establish in a cell: over seeds, against controls, in long runs.

The quick claims belong to `make test`; those marked `slow` run with `make claims`, and every week.
"""

import ast
import importlib.util
import json
import pathlib

import numpy as np
import pytest

from gan_keras import results

ROOT = pathlib.Path(__file__).resolve().parent.parent


def dcgan_table():
    """The module `tools/dcgan_table.py`."""
    spec = importlib.util.spec_from_file_location("dcgan_table", ROOT / "tools" / "dcgan_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_dcgan_table_was_computed_with_the_networks_that_are_shown():
    """12, section 6: the table is of section 4's and 5's functions."""
    cells = json.loads((ROOT / "notebooks" / "12_dcgan.ipynb").read_text(encoding="utf-8"))["cells"]
    shown = [n for c in cells if c["cell_type"] == "code" for n in ast.parse("".join(c["source"])).body]
    tool = ast.parse((ROOT / "tools" / "dcgan_table.py").read_text(encoding="utf-8")).body
    shown, used = ({n.name: ast.dump(n) for n in part if isinstance(n, ast.FunctionDef)} for part in (shown, tool))
    for name in ("start", "plain_generator", "plain_discriminator", "no_penalty", "seldom_r1"):
        assert shown[name] == used[name], name


@pytest.mark.slow
def test_a_row_of_the_dcgan_table_again():
    """12, section 6: what is stored comes out again, within the spread over seeds and machines."""
    from gan_keras.data import load_mnist
    from gan_keras.judging import features

    stored = {(row["row"], row["seed"]): row for row in results.read_dcgan()}
    found = dcgan_table().rows("falling", 0, load_mnist(), features(load_mnist("test")))
    for row in found:
        beside = [r["frechet"] for (name, _), r in stored.items() if name == row["row"]]
        assert 0.6 * min(beside) < float(row["frechet"]) < 1.6 * max(beside), row


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_long_dcgan_training_reaches_its_distance(seed):
    """12, section 7: averaging helps, and the distance is below 8 after 9,000 iterations, whatever the seed."""
    from gan_keras.data import load_mnist
    from gan_keras.judging import features

    real = features(load_mnist("test"))
    found = [float(r["frechet"]) for r in dcgan_table().rows("falling", seed, load_mnist(), real, steps=9000)]
    assert found[1] < found[0]
    assert found[1] < 8


def test_precision_alone_says_nothing_of_noise():
    """12, section 8: pure noise scores high in precision, and nothing in coverage."""
    from gan_keras.data import load_mnist
    from gan_keras.judging import density_coverage, features, precision_recall

    digits = load_mnist("test")
    real, noise = features(digits), features(np.random.default_rng(9).uniform(-1, 1, digits.shape))
    assert precision_recall(real, noise)[0] > 0.6 or len(digits) < 10_000
    density, coverage = density_coverage(real, noise)
    assert density < 0.4
    assert coverage < 0.05

"""What the notebooks say in a sentence and cannot establish in a cell: over seeds, against controls, in long runs.

The quick claims belong to `make test`; those marked `slow` run with `make claims`, and every week.
"""

import keras
import numpy as np
import pytest
from keras import layers

from gan_keras import results
from gan_keras.data import load_mnist, sample_noise
from gan_keras.judging import features, frechet_distance
from gan_keras.losses import NON_SATURATING, as_fake, as_real
from gan_keras.recipes import RECIPES, FromScratch, adam, build_recipe, train_recipe


def weights_after(images, loss, epsilon, steps):
    """All weights of a small `lecture_notes` pair after some iterations; `epsilon` is that of D's Adam."""
    keras.utils.set_random_seed(13)
    small = RECIPES["lecture_notes"]._replace(generator=("64 relu",), discriminator=("64 leaky",))
    gan = FromScratch(*build_recipe(small), seed=13)
    gan.compile(keras.optimizers.Adam(2e-4, epsilon=epsilon), keras.optimizers.Adam(2e-4), loss=loss)
    if steps:
        gan.fit(images, batch_size=64, steps_per_epoch=steps, verbose=0)
    return np.concatenate([w.ravel() for w in gan.generator.get_weights() + gan.discriminator.get_weights()])


def test_under_adam_sum_or_mean_of_the_losses_is_a_matter_of_epsilon():
    """10, section 3: "Under Adam this hardly matters, because Adam divides each gradient by its own size"."""
    images = load_mnist()
    half = NON_SATURATING._replace(real=lambda p: as_real(p) / 2, fake=lambda p: as_fake(p) / 2)
    start = weights_after(images, half, 1e-8, steps=0)
    mean, twice, once = (
        weights_after(images, loss, epsilon, steps=20)
        for loss, epsilon in ((half, 1e-8), (NON_SATURATING, 2e-8), (NON_SATURATING, 1e-8))
    )
    assert np.array_equal(mean, twice)  # the sum with twice the epsilon is the mean, bit by bit
    assert 0 < np.linalg.norm(once - mean) < 0.01 * np.linalg.norm(mean - start)


def test_kerass_first_weights_are_larger_than_pytorchs_in_every_layer_of_blogathon():
    """10, section 2: the two frameworks draw the first weights differently."""
    widths = {
        start: [
            float(np.std(layer.kernel))
            for network in build_recipe(RECIPES["blogathon"]._replace(start=start))
            for layer in network.layers
            if isinstance(layer, layers.Dense)
        ]
        for start in ("pytorch", "keras")
    }
    assert all(k > p for p, k in zip(*widths.values(), strict=True))


def short_runs(name, recipe, change=""):
    rows = [r for r in results.read() if (r["recipe"], r["change"], r["steps"]) == (recipe, change, results.SHORT)]
    return np.array([row[name] for row in rows])


def test_what_the_table_of_changes_says():
    """10, sections 7 and 9, beyond what the notebook's own checks hold."""
    usual = short_runs("frechet", "blogathon")
    for change in ("start as Keras does", "dropout in D"):  # "an effect of a tenth could be there and would not show"
        assert abs(short_runs("frechet", "blogathon", change).mean() / usual.mean() - 1) < 0.03
    assert 0.1 < (usual.max() - usual.min()) / usual.mean() < 0.15
    usual = short_runs("frechet", "counterfeiter")
    ended = short_runs("done", "counterfeiter", "SGD 0.1") == 0
    assert ended.sum() == 2
    assert short_runs("frechet", "counterfeiter", "SGD 0.1")[ended].min() > 600  # the untrained networks'
    assert short_runs("frechet", "counterfeiter", "SGD 0.1")[~ended].max() < usual.min()
    assert (
        short_runs("frechet", "paper_walkthrough").min()
        > 500
        < short_runs("frechet", "paper_walkthrough", "SGD 0.1 there").min()
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2, 13])
def test_neither_batch_normalization_nor_beta_1_helps_lecture_notes_and_both_do(seed):
    """10, section 8, on seeds of their own: after 300 iterations the pair is far ahead of each alone."""
    images, test = load_mnist(), load_mnist("test")
    real = features(test[np.random.default_rng(0).permutation(len(test))[:1000]])
    norm = {"generator": ("256 norm relu", "512 norm relu", "1024 norm relu")}
    memory = {"optimizer": adam(2e-4, beta_1=0.4)}
    found = []
    for change in ({}, norm, memory, norm | memory):
        recipe = RECIPES["lecture_notes"]._replace(**change)
        generator, _ = train_recipe(recipe, images, 300, seed, verbose=0)
        drawn = generator.predict(sample_noise(1000, seed=1), batch_size=500, verbose=0)
        found.append(frechet_distance(features(drawn), real))
    plain, *alone, both = found
    assert both < 0.75 * min(plain, *alone)
    assert min(alone) > 0.8 * plain

"""Losses of pairs: what they are, and that a GAN learns from them."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers

from gan_keras import losses
from gan_keras.gan import GAN, FusedAdam
from gan_keras.judging import mode_report
from gan_keras.losses import RELATIVISTIC, Loss, PairLoss

MEANS = np.array(list(itertools.product((-0.8, 0, 0.8), repeat=2)))
STD = 0.05


def both_penalties(discriminator, real, fake, seed=None):
    return losses.r1(discriminator, real, fake, 0.05) + losses.r2(discriminator, real, fake, 0.05)


def hidden():
    return [layers.Dense(64, "leaky_relu") for _ in range(2)]


def make_grid_gan(loss=RELATIVISTIC, **options):
    """Points in the plane as images of one pixel and two channels."""
    keras.utils.set_random_seed(3)
    generator = keras.Sequential([keras.Input((8,)), *hidden(), layers.Dense(2), layers.Reshape((1, 1, 2))])
    start = [keras.Input((1, 1, 2)), layers.Flatten(), layers.Rescaling(4.0)]
    gan = GAN(generator, keras.Sequential([*start, *hidden(), layers.Dense(1)]), seed=3)
    adam = {"learning_rate": 2e-3, "beta_1": 0.0, "beta_2": 0.99}
    gan.compile(FusedAdam(**adam), FusedAdam(**adam), loss=loss, **options)
    return gan


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    drawn = MEANS[rng.integers(0, len(MEANS), 20_000)] + rng.normal(0, STD, (20_000, 2))
    return np.clip(drawn, -1, 1).astype("float32").reshape(-1, 1, 1, 2)


def test_by_hand():
    on_real, on_fake = np.array([[2.0], [0.5]], "float32"), np.array([[1.0], [1.5]], "float32")
    assert float(RELATIVISTIC.discriminator_loss(on_real, on_fake)) == pytest.approx(np.log1p(np.exp([-1, 1])).mean())
    assert float(RELATIVISTIC.generator_loss(on_real, on_fake)) == pytest.approx(np.log1p(np.exp([1, -1])).mean())
    right_on_real, right_on_fake = RELATIVISTIC.judged_right(on_real, on_fake)
    np.testing.assert_array_equal(right_on_real, [[True], [False]])  # above 1.25, the mean generated score
    np.testing.assert_array_equal(right_on_fake, [[True], [False]])  # below 1.25, the mean real one
    assert (RELATIVISTIC.of_pairs, Loss.of_pairs) == (True, False)


def test_only_differences_count():
    on_real, on_fake = np.random.default_rng(0).normal(size=(2, 6, 1)).astype("float32")
    for name in ("discriminator_loss", "generator_loss"):
        loss = getattr(RELATIVISTIC, name)
        assert float(loss(on_real + 3, on_fake + 3)) == pytest.approx(float(loss(on_real, on_fake)), rel=1e-5)


def test_a_gan_learns_the_grid_from_pairs(points):
    gan = make_grid_gan(penalty=both_penalties)
    noise = np.random.default_rng(1).normal(size=(2500, 8)).astype("float32")

    def report():
        return mode_report(np.asarray(gan.generator(noise)).reshape(-1, 2), MEANS, STD)

    before = report()
    history = gan.fit(points, batch_size=128, steps_per_epoch=2000, verbose=0).history
    after = report()
    assert before["captured"] < after["captured"] == 9
    assert after["high_quality"] > 0.27  # points anywhere in the square: 0.16; seeds 3 to 6: 0.35 to 0.40
    assert before["high_quality"] < 0.22
    assert history["d_loss"][0] == pytest.approx(np.log(2), abs=0.15)


def test_d_makes_one_update_and_g_needs_real_images(points):
    """G's gradient depends on the real images of its turn, through the size of the difference."""
    gan = make_grid_gan()
    gan.fit(points[:64], batch_size=16, verbose=0)
    assert int(gan.d_optimizer.iterations) == int(gan.g_optimizer.iterations) == 4
    moved = []
    for real in (points[:16], -points[:16]):
        one = make_grid_gan()
        before = one.generator.get_weights()
        one.train_generator(np.ones((16, 8), "float32"), real)
        after = one.generator.get_weights()
        moved.append(np.concatenate([(a - b).ravel() for a, b in zip(after, before, strict=True)]))
    assert np.abs(moved[0]).max() > 0
    assert not np.array_equal(*moved)


def test_it_is_saved_and_comes_back(points, tmp_path):
    gan = make_grid_gan(penalty=losses.r1)
    gan.fit(points[:64], batch_size=16, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert isinstance(loaded.loss, PairLoss)
    assert loaded.loss == RELATIVISTIC
    loaded.fit(points[:64], batch_size=16, verbose=0)


def test_wrong_losses_are_named():
    for wrong in (lambda a: a, (1, 2, True), RELATIVISTIC[:2], "relativistic"):
        with pytest.raises(ValueError, match=r"^loss: expected a gan_keras\.losses\.Loss"):
            make_grid_gan(loss=wrong)
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Reshape((1, 1, 2))])
    sigmoid = keras.Sequential([keras.Input((1, 1, 2)), layers.Flatten(), layers.Dense(1, "sigmoid")])
    with pytest.raises(ValueError, match=r"^loss: it takes logits or scores"):
        GAN(generator, sigmoid).compile(loss=RELATIVISTIC)
    with pytest.raises(ValueError, match=r"^loss: a PairLoss compares logits"):
        GAN(generator, sigmoid).compile(loss=RELATIVISTIC._replace(from_logits=False))

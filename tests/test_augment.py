"""Differentiable augmentation: what it alters, by how much, and that gradients come back through it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from gan_keras import augment, losses
from gan_keras.gan import GAN


@pytest.fixture
def pictures(rng):
    return tf.constant(rng.uniform(-0.4, 0.4, (200, 16, 24, 3)).astype("float32"))


def test_colours_change_within_the_papers_ranges(pictures):
    altered = np.asarray(augment.alter_colour(pictures, seed=keras.random.SeedGenerator(1)))
    brighter = (altered - np.asarray(pictures)).mean(axis=(1, 2, 3))
    assert brighter.min() > -0.5
    assert brighter.max() < 0.5
    assert brighter.std() == pytest.approx(1 / np.sqrt(12), rel=0.15)  # of a uniform draw over a length of 1
    contrast = altered.mean(axis=3).std(axis=(1, 2)) / np.asarray(pictures).mean(axis=3).std(axis=(1, 2))
    assert 0.5 <= contrast.min() < 0.6
    assert 1.4 < contrast.max() <= 1.5001
    grey = ops.mean(pictures, axis=3, keepdims=True) * tf.ones((1, 1, 1, 3))
    still_grey = np.asarray(augment.alter_colour(grey, seed=keras.random.SeedGenerator(1)))
    assert np.ptp(still_grey, axis=3).max() < 1e-5


def test_translation_moves_by_an_eighth_at_most_and_fills_with_the_edge(pictures):
    moved = np.asarray(augment.translate(pictures, seed=keras.random.SeedGenerator(1)))
    seen = set()
    for before, after in zip(np.asarray(pictures), moved, strict=True):
        padded = np.pad(before, ((2, 2), (3, 3), (0, 0)), mode="edge")
        places = [(y, x) for y in range(5) for x in range(7) if np.array_equal(padded[y : y + 16, x : x + 24], after)]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) > 30  # of 35


def test_cutout_is_half_of_each_side_anywhere(pictures):
    cut = np.asarray(augment.cut_out(pictures, seed=keras.random.SeedGenerator(1)))
    gone = (cut == 0).all(axis=3)
    np.testing.assert_array_equal(cut[~gone], np.asarray(pictures)[~gone])
    assert gone.sum(axis=(1, 2)).max() == 8 * 12
    assert 0.02 < gone.mean() < 0.25
    assert gone.any(axis=0).all()


def test_gradients_flow_through_all_of_it(pictures):
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        total = ops.sum(augment.diff_augment(pictures, seed=keras.random.SeedGenerator(3)) ** 2)
    gradient = np.asarray(tape.gradient(total, pictures))
    assert np.isfinite(gradient).all()
    assert (gradient != 0).mean() > 0.6


@pytest.mark.parametrize("seed", [5, np.int64(5)])
def test_with_one_number_for_a_seed_each_draw_is_another(seed):
    """Else brightness, saturation and contrast would go together, and images would move along diagonals only."""
    dots = np.zeros((300, 16, 16, 3), "float32")
    dots[:, 8, 8] = 1
    moved = np.asarray(augment.diff_augment(dots, seed=seed, policy="translation"))
    places = np.argwhere(moved[..., 0] == 1)[:, 1:] - 8
    assert abs(np.corrcoef(places.T)[0, 1]) < 0.3
    again = np.asarray(augment.diff_augment(dots, seed=seed, policy="translation"))
    np.testing.assert_array_equal(moved, again)


def test_images_are_altered_apart_and_anew():
    same = tf.ones((50, 16, 16, 3)) * tf.linspace(-0.3, 0.3, 16)[:, None]
    layer = augment.DiffAugment(seed=1)
    first, second = (np.asarray(layer(same, training=True)) for _ in range(2))
    assert len(np.unique(first.reshape(50, -1), axis=0)) == 50
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(layer(same), same)


@pytest.mark.parametrize("policy", ["colour", ("cutout", "translation"), ()])
def test_a_policy_is_what_it_names(pictures, policy):
    altered = augment.diff_augment(pictures, seed=1, policy=policy)
    assert altered.shape == pictures.shape
    assert np.array_equal(altered, pictures) is (policy == ())


def test_an_unknown_alteration_is_named(pictures):
    with pytest.raises(ValueError, match=r"^policy: .*'flip'"):
        augment.diff_augment(pictures, policy="flip")


@pytest.mark.parametrize("turn", ["real", "fake", "generator"])
def test_in_a_gan_every_kind_is_altered_in_every_turn(turn, rng):
    """A D that answers by how grey its images are; unaltered white images have no grey square."""
    images = np.full((8, 8, 8, 3), 0.9, "float32")
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(192, bias_initializer="ones"), layers.Reshape((8, 8, 3))]
    )
    discriminator = keras.Sequential(
        [keras.Input((8, 8, 3)), augment.DiffAugment("cutout", seed=1), layers.Flatten(), layers.Dense(1)]
    )
    gan = GAN(generator, discriminator)
    seen = []
    flat = discriminator.layers[1]
    original = flat.call
    flat.call = lambda x: (seen.append(np.asarray(x)), original(x))[1]
    gan.compile(loss=losses.NON_SATURATING_FROM_LOGITS, run_eagerly=True)
    gan.fit(images, batch_size=8, epochs=1, verbose=0)
    looked_at = dict(zip(("real", "fake", "generator"), seen[-3:], strict=True))
    assert (looked_at[turn] == 0).all(axis=3).any(axis=(1, 2)).all()


def test_it_is_saved_with_its_policy(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), augment.DiffAugment(("cutout",), seed=4), layers.Flatten()])
    model.save(tmp_path / "d.keras")
    layer = keras.models.load_model(tmp_path / "d.keras").layers[0]
    assert (layer.policy, layer.seed) == (("cutout",), 4)

"""The losses are the papers' formulas, for probabilities and for logits, also where D is very sure."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from gan_keras import losses

PAIRS = [
    (losses.NON_SATURATING, losses.NON_SATURATING_FROM_LOGITS),
    (losses.MINIMAX, losses.MINIMAX_FROM_LOGITS),
]
LOGITS = np.array([[-3.0], [-0.5], [0.0], [2.0]], "float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-np.float64(x)))


def test_the_discriminators_losses_are_its_binary_cross_entropy():
    p = sigmoid(LOGITS)
    for of_probabilities, from_logits in PAIRS:
        for loss, outputs in ((of_probabilities, p.astype("float32")), (from_logits, LOGITS)):
            np.testing.assert_allclose(loss.real(outputs), -np.log(p), rtol=1e-5)
            np.testing.assert_allclose(loss.fake(outputs), -np.log(1 - p), rtol=1e-5)


def test_the_generators_losses_are_the_papers():
    p = sigmoid(LOGITS)
    wanted = [-np.log(p), np.log(1 - p)]
    for (of_probabilities, from_logits), values in zip(PAIRS, wanted, strict=True):
        np.testing.assert_allclose(of_probabilities.generator(p.astype("float32")), values, rtol=1e-5)
        np.testing.assert_allclose(from_logits.generator(LOGITS), values, rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("logit", [-60.0, 60.0])
@pytest.mark.parametrize("sigmoid_in_layer", [True, False])
def test_losses_and_gradients_stay_exact_where_the_discriminator_is_sure(compiled, logit, sigmoid_in_layer):
    """A sigmoid is exactly 0 or 1 in float32 at +-60, but the losses still know by how much D is sure."""
    discriminator = keras.Sequential(
        [keras.Input((1,)), layers.Dense(1, "sigmoid" if sigmoid_in_layer else None, kernel_initializer="ones")]
    )
    pairs = [pair[0] if sigmoid_in_layer else pair[1] for pair in PAIRS]

    def values_and_slopes(x):
        results = []
        for loss in pairs:
            for part in loss[:3]:
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    value = part(discriminator(x, training=True))
                results += [value[0, 0], tape.gradient(value, x)[0, 0]]
        return results

    run = tf.function(values_and_slopes) if compiled else values_and_slopes
    got = np.array(run(tf.constant([[logit]])))
    real, fake = (max(-logit, 0.0), -sigmoid(-logit)), (max(logit, 0.0), sigmoid(logit))
    wanted = [*real, *fake, *real, *real, *fake, -fake[0], -fake[1]]
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_only_the_non_saturating_generator_learns_from_a_lost_position():
    slopes = {}
    for pair in (losses.NON_SATURATING_FROM_LOGITS, losses.MINIMAX_FROM_LOGITS):
        logit = tf.constant([[-10.0]])
        with tf.GradientTape() as tape:
            tape.watch(logit)
            loss = pair.generator(logit)
        slopes[pair] = abs(float(tape.gradient(loss, logit)[0, 0]))
    strong, weak = slopes.values()
    assert strong > 0.999
    assert weak < 1e-4


def test_thresholds():
    assert losses.NON_SATURATING.threshold == losses.MINIMAX.threshold == 0.5
    assert losses.NON_SATURATING_FROM_LOGITS.threshold == losses.MINIMAX_FROM_LOGITS.threshold == 0.0


def linear(shape, slope, activation=None):
    """A discriminator whose gradient with respect to an image is the same everywhere."""
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(1, activation)])
    model.layers[-1].set_weights([np.full((int(np.prod(shape)), 1), slope, "float32"), np.zeros(1)])
    return model


@pytest.mark.parametrize("shape", [(4,), (2, 3), (4, 4, 1), (2, 2, 2, 3)])
@pytest.mark.parametrize("batch", [1, 5])
def test_penalties_of_a_linear_discriminator(rng, shape, batch):
    critic, length = linear(shape, 0.3), 0.3 * np.sqrt(np.prod(shape))
    real, fake = rng.normal(size=(2, batch, *shape)).astype("float32")
    for penalty in (losses.r1, losses.r2):
        assert float(penalty(critic, real, fake)) == pytest.approx(5 * length**2, rel=1e-4)
        assert float(penalty(critic, real, fake, weight=1.0)) == pytest.approx(length**2 / 2, rel=1e-4)


class Square(layers.Layer):
    """D(x) = |x|^2 / 2, whose gradient is x."""

    seen = None

    def call(self, x):
        self.seen = x
        return ops.sum(ops.square(x), axis=1, keepdims=True) / 2


def test_r1_is_on_real_and_r2_on_generated_images(rng):
    critic = keras.Sequential([keras.Input((6,)), Square()])
    real, fake = rng.normal(size=(2, 7, 6)).astype("float32")
    assert float(losses.r1(critic, real, fake)) == pytest.approx(5 * np.mean((real**2).sum(1)), rel=1e-5)
    assert float(losses.r2(critic, real, fake)) == pytest.approx(5 * np.mean((fake**2).sum(1)), rel=1e-5)


@pytest.mark.parametrize("penalty", [losses.r1, losses.r2])
def test_penalties_teach_the_discriminator_and_are_finite_where_it_is_flat(rng, penalty):
    real, fake = rng.normal(size=(2, 5, 4)).astype("float32")
    for slope in (0.0, 0.9):
        critic = linear((4,), slope)
        with tf.GradientTape() as tape:
            value = penalty(critic, real, fake)
        gradient = tape.gradient(value, critic.trainable_variables[0])
        assert np.isfinite(np.asarray(gradient)).all()
    assert float(np.abs(gradient).min()) > 0.1


@pytest.mark.parametrize("penalty", [losses.r1, losses.r2])
def test_penalties_refuse_a_sigmoid(rng, penalty):
    real, fake = rng.normal(size=(2, 5, 4)).astype("float32")
    with pytest.raises(ValueError, match=r"^penalty: .* ends in a sigmoid"):
        penalty(linear((4,), 0.3, "sigmoid"), real, fake)


def test_what_a_discriminator_ends_in():
    assert losses.ends_in_sigmoid(linear((4,), 0.3, "sigmoid")) is True
    assert losses.ends_in_sigmoid(linear((4,), 0.3)) is False
    assert losses.ends_in_sigmoid(linear((4,), 0.3, "tanh")) is None
    assert losses.ends_in_sigmoid(keras.Sequential([keras.Input((4,)), Square()])) is None

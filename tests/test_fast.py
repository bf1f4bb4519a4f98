"""What makes `fit` fast changes nothing but the time, and can be turned off."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from gan_keras._plumbing import fast
from gan_keras.gan import GAN, FusedAdam


def moved(optimizer, make_pair, steps=4, compiled=True):
    """A network's weights after some updates, and the optimizer's variables."""
    network = make_pair()[0]
    update = fast.make_update(network, optimizer, fast=True)

    def step(x):
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(network(x) - 0.3))
        update(tape, loss)

    step = tf.function(step) if compiled else step
    for i in range(steps):
        step(tf.constant(np.full((4, 5), 1.0 + i, "float32")))
    return network.get_weights(), [np.array(v) for v in optimizer.variables]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta_1": 0.0, "beta_2": 0.99, "epsilon": 1e-3},
        {"amsgrad": True},
        {"weight_decay": 0.1, "clipnorm": 0.01},
        {"use_ema": True, "ema_momentum": 0.9},
        {"gradient_accumulation_steps": 2},
        {"loss_scale_factor": 64.0},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(1e-2, 2, 0.5)},
    ],
    ids=lambda options: "-".join(options) or "defaults",
)
@pytest.mark.parametrize("compiled", [True, False])
def test_fused_adam_is_adam(make_pair, options, compiled):
    options = {"learning_rate": 1e-2, "beta_1": 0.5} | options
    weights, state = moved(FusedAdam(**options), make_pair, compiled=compiled)
    wanted, wanted_state = moved(keras.optimizers.Adam(**options), make_pair, compiled=compiled)
    start = make_pair()[0].get_weights()
    for one, other, first in zip(weights, wanted, start, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6)
        assert np.abs(other - first).max() > 1e-3
    for one, other in zip(state, wanted_state, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6)


def test_fused_adam_agrees_with_adam_to_the_last_digits_of_float64():
    """Keras takes its powers of beta from float32 numbers; in double precision this shows at the sixth digit."""
    weights = []
    for make in (FusedAdam, keras.optimizers.Adam):
        rng, optimizer = np.random.default_rng(0), make(2e-4, beta_1=0.5)
        variable = keras.Variable(np.zeros(100), dtype="float64")
        for _ in range(5):
            optimizer.apply([tf.constant(rng.normal(size=100))], [variable])
        weights.append(variable.numpy())
    assert np.abs(weights[0]).max() > 1e-4
    np.testing.assert_allclose(*weights, rtol=1e-12, atol=0)


def test_fused_adam_uses_the_kernel_and_the_switch_turns_it_off(make_pair, monkeypatch):
    def kernels():
        network, adam = make_pair()[0], FusedAdam()
        update = fast.make_update(network, adam, fast=True)

        @tf.function
        def step(x):
            with tf.GradientTape() as tape:
                loss = ops.mean(network(x))
            update(tape, loss)

        operations = step.get_concrete_function(tf.zeros((4, 5))).graph.get_operations()
        return sum(operation.type == "ResourceApplyAdam" for operation in operations), len(network.trainable_variables)

    monkeypatch.delenv("GAN_KERAS_PLAIN", raising=False)
    used, variables = kernels()
    assert used == variables
    monkeypatch.setenv("GAN_KERAS_PLAIN", "1")
    assert kernels()[0] == 0


def test_fused_adam_is_saved_by_name_and_comes_back():
    config = keras.saving.serialize_keras_object(FusedAdam(3e-4, beta_1=0.2))
    loaded = keras.saving.deserialize_keras_object(config)
    assert type(loaded) is FusedAdam
    assert (float(loaded.learning_rate), loaded.beta_1) == (pytest.approx(3e-4), 0.2)


def test_what_fused_adam_takes_from_keras_is_there(make_pair):
    """If this fails, Keras has renamed what its Adam keeps.

    Look at `update_step` of keras.optimizers.Adam: FusedAdam needs the two moving averages of a variable. Until it is
    mended, GAN_KERAS_PLAIN=1 trains without it.
    """
    adam, network = FusedAdam(), make_pair()[0]
    adam.build(network.trainable_variables)
    variable = network.trainable_variables[1]
    index = adam._get_variable_index(variable)
    for averages in (adam._momentums, adam._velocities):
        assert averages[index].shape == variable.shape
        assert any(averages[index] is known for known in adam.variables)


@pytest.mark.parametrize("optimizer", ["FusedAdam", "rmsprop"])
def test_without_any_trick_training_ends_with_the_same_weights(make_pair, make_images, monkeypatch, optimizer):
    images = make_images(20)

    def trained():
        keras.utils.set_random_seed(1)
        gan = GAN(*make_pair(dropout=0.2)[:2], seed=2)
        gan.compile(*(FusedAdam(2e-4, beta_1=0.5) if optimizer == "FusedAdam" else optimizer for _ in "DG"))
        gan.fit(images, batch_size=4, epochs=2, verbose=0)
        return [*gan.generator.get_weights(), *gan.discriminator.get_weights()]

    monkeypatch.delenv("GAN_KERAS_PLAIN", raising=False)
    quick = trained()
    monkeypatch.setenv("GAN_KERAS_PLAIN", "1")
    for one, other in zip(quick, trained(), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_the_users_optimizer_is_not_patched(make_pair, make_images):
    adam = keras.optimizers.Adam(1e-3)
    before = set(vars(adam))
    gan = GAN(*make_pair()[:2])
    gan.compile(adam, keras.optimizers.Adam(1e-3))
    gan.fit(make_images(8), batch_size=4, verbose=0)
    new = {name for name in set(vars(adam)) - before if callable(getattr(adam, name))}
    assert not new


def test_the_graph_options_are_put_back(make_pair, make_images):
    before = tf.config.optimizer.get_experimental_options()
    with contextlib.suppress(RuntimeError), fast.graph_options():
        assert tf.config.optimizer.get_experimental_options()["remapping"] is False
        raise RuntimeError
    after = tf.config.optimizer.get_experimental_options()
    for name in ("remapping", "dependency_optimization"):
        assert after.get(name, True) == before.get(name, True)

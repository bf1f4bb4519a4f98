"""The compiled GAN: the same mathematics as the loop, and everything that is expected of `fit`."""

import contextlib
import csv
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_same, run_python, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from gan_keras import losses, models, training
from gan_keras._plumbing import fast
from gan_keras.gan import GAN, FusedAdam
from gan_keras.recipes import Blogathon, PaperWalkthrough

SHAPE = (4, 3, 1)


class Scripted(GAN):
    """Takes its noise from a list, in order."""

    script = None

    def sample_noise(self, batch):
        noise = ops.take(self.script, self.noise_seed.state[1], axis=0)
        self.noise_seed.next()
        return noise


@pytest.fixture
def float64():
    policy = keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(policy)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("norm", [False, True])  # with it D's fakes, in inference mode, need its moving averages
@pytest.mark.parametrize("steps_per_execution", [1, 7])
def test_the_compiled_step_is_the_loop_of_notebook_06(make_pair, monkeypatch, steps_per_execution, norm):
    """Notebook 07, section 4: "The project tests the same for the compiled `fit`", to nine digits after the point."""
    steps, batch_size, rng = 20, 6, np.random.default_rng(1)
    images = rng.uniform(-1, 1, (30, *SHAPE))
    noises = rng.normal(size=(2 * steps, batch_size, 5))
    generator, discriminator, combined = make_pair(norm=norm)
    before = [*generator.get_weights(), *discriminator.get_weights()]
    noise = iter(noises)
    monkeypatch.setattr(training, "sample_noise", lambda *_: next(noise))
    history = training.train(generator, discriminator, combined, images, steps, batch_size, seed=3)

    rows = np.random.default_rng([3, 0])  # as in the loop, whose noise here takes nothing from it
    batches = np.stack([images[rows.integers(0, 30, batch_size)] for _ in range(steps)])
    gan = Scripted(*make_pair(norm=norm)[:2])
    gan.script = tf.constant(noises)
    assert_same(weights(gan), before)
    adam = [keras.optimizers.Adam(1e-2, beta_1=0.5) for _ in range(2)]
    gan.compile(*adam, steps_per_execution=steps_per_execution)
    logs = gan.fit(tf.data.Dataset.from_tensor_slices(batches), verbose=0).history

    after = [*generator.get_weights(), *discriminator.get_weights()]
    assert {w.dtype for w in after} == {np.dtype("float64")}
    for one, other, start in zip(weights(gan), after, before, strict=True):
        assert np.abs(other - start).max() > 1e-6
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)
    for name in ("d_loss", "g_loss", "accuracy_real", "accuracy_fake"):
        assert logs[name][0] == pytest.approx(np.mean(history[name]), abs=1e-9)


def test_compile_alone_is_the_counterfeiter_recipe():
    gan = GAN(models.build_generator(), models.build_discriminator())
    gan.compile()
    assert gan.d_optimizer is not gan.g_optimizer
    for adam in (gan.d_optimizer, gan.g_optimizer):
        assert (type(adam), adam.beta_1, adam.beta_2) == (FusedAdam, 0.5, 0.999)
        assert float(adam.learning_rate) == pytest.approx(2e-4)
    assert (gan.loss, gan.penalty, gan.d_steps) == (losses.NON_SATURATING, None, 1)


def test_an_iteration_makes_two_updates_of_the_discriminator_and_one_of_the_generator(make_gan, make_images):
    gan = make_gan()
    gan.fit(make_images(12), batch_size=4, verbose=0)
    assert int(gan.iteration) == 3
    assert int(gan.d_optimizer.iterations) == 6
    assert int(gan.g_optimizer.iterations) == 3


def test_a_penalty_needs_one_update_and_takes_part_in_it(make_gan, make_images):
    def pull(discriminator, real, fake, seed):
        return 1e3 * ops.sum(ops.square(discriminator.trainable_variables[-1] - 1))

    gan = make_gan(penalty=pull)
    gan.fit(make_images(12), batch_size=4, epochs=20, verbose=0)
    assert int(gan.d_optimizer.iterations) == int(gan.g_optimizer.iterations) == 60
    assert float(gan.discriminator.trainable_variables[-1][0]) > 0.008  # 60 small steps of Adam towards 1


def test_each_discriminator_step_sees_new_images(make_pair):
    seen = []

    class Spy(GAN):
        def train_discriminator(self, real, fake):
            tf.py_function(lambda x: seen.extend(x.numpy().ravel()), [real[:, 0, 0, 0]], [])
            return super().train_discriminator(real, fake)

    images = np.linspace(-1, 1, 12, dtype="float32").reshape(12, 1, 1, 1)
    gan = Spy(*make_pair(image_shape=(1, 1, 1))[:2])
    gan.compile(d_steps=3)
    gan.fit(images, batch_size=2, epochs=2, verbose=0)
    assert int(gan.d_optimizer.iterations) == 24
    assert int(gan.g_optimizer.iterations) == 4
    np.testing.assert_array_equal(np.sort(seen[:12]), images.ravel())
    np.testing.assert_array_equal(np.sort(seen[12:]), images.ravel())
    assert seen[:12] != seen[12:]
    gan.fit(tf.data.Dataset.from_tensor_slices(images).batch(2), verbose=0)
    np.testing.assert_array_equal(np.sort(seen[24:]), images.ravel())


def test_the_generator_makes_the_discriminators_fakes_in_inference_mode(make_pair, make_images):
    modes = []

    class Spy(layers.Layer):
        def call(self, x, training=False):
            modes.append(training)
            return x

    generator, discriminator, _ = make_pair()
    spied = keras.Sequential([keras.Input((5,)), Spy(), *generator.layers])
    modes.clear()
    gan = GAN(spied, discriminator)
    gan.compile(run_eagerly=True)
    gan.fit(make_images(4), batch_size=4, verbose=0)
    assert modes == [False, False, True]  # the first is fit's look at the range of G's images


def test_a_frozen_flag_left_behind_by_the_combined_model_is_named(make_pair):
    generator, discriminator, _ = make_pair()
    discriminator.trainable = False
    with pytest.raises(ValueError, match=r"^discriminator: has nothing to train"):
        GAN(generator, discriminator).compile()


@pytest.mark.parametrize("batch_size", [2, 5])
def test_batches_depend_on_seed_and_number_alone(batch_size):
    from gan_keras._plumbing.batches import shuffled_batches

    images = np.arange(11.0).reshape(11, 1)
    all_of_it = [b.numpy().ravel().tolist() for b in shuffled_batches(images, None, batch_size, 3).take(30)]
    for start in (1, 5, 12, 29):
        again = [
            b.numpy().ravel().tolist() for b in shuffled_batches(images, None, batch_size, 3, start).take(30 - start)
        ]
        assert again == all_of_it[start:]
    in_a_pass = 11 // batch_size
    passes = [np.concatenate(all_of_it[i : i + in_a_pass]).tolist() for i in range(0, 30 - in_a_pass, in_a_pass)]
    assert all(len(set(one)) == in_a_pass * batch_size for one in passes)
    assert passes[0] != passes[1]
    other = next(iter(shuffled_batches(images, None, 11, 4))).numpy().ravel().tolist()
    assert other != next(iter(shuffled_batches(images, None, 11, 3))).numpy().ravel().tolist()


def test_the_same_seed_trains_the_same_weights_and_another_seed_others(make_pair, make_images):
    images = make_images(20)

    def trained(seed, steps_per_execution=50):
        gan = GAN(*make_pair(dropout=0.2)[:2], seed=seed)
        gan.compile(steps_per_execution=steps_per_execution)
        gan.fit(images, batch_size=4, epochs=4, verbose=0)
        return weights(gan)

    assert_same(trained(1), trained(1))
    assert_same(trained(1), trained(1, steps_per_execution=1))
    assert not np.array_equal(trained(1)[0], trained(2)[0])


def test_two_calls_of_fit_are_one_longer_call(make_gan, make_images):
    images, once, twice = make_images(20), make_gan(), make_gan()
    once.fit(images, batch_size=4, epochs=4, verbose=0)
    twice.fit(images, batch_size=4, epochs=1, verbose=0)
    twice.fit(images, batch_size=4, epochs=3, verbose=0)
    assert_same(weights(once), weights(twice))


@pytest.mark.parametrize(("steps", "at_once"), [(7, 7), (53, 1), (60, 30), (100, 50)])
def test_an_epoch_has_exactly_the_steps_asked_for(make_gan, make_images, steps, at_once):
    gan = make_gan()
    gan.fit(make_images(20), batch_size=4, steps_per_epoch=steps, epochs=2, verbose=0)
    assert int(gan.iteration) == 2 * steps
    assert gan.steps_per_execution == at_once


@pytest.mark.parametrize("d_steps", [1, 2, 3])
def test_fit_on_a_dataset_whose_batches_have_a_fixed_size(make_gan, make_images, d_steps):
    """As without `drop_remainder`, where nobody promises a size and all batches happen to have one."""
    images, trained = make_images(24), []
    for drop in (True, False):
        gan = make_gan(d_steps=d_steps)
        gan.fit(tf.data.Dataset.from_tensor_slices(images).batch(4, drop_remainder=drop), verbose=0)
        assert int(gan.iteration) == 6 // d_steps
        trained.append(weights(gan))
    assert_same(*trained)


def test_fit_on_a_dataset_with_a_smaller_last_batch(make_gan, make_images):
    gan = make_gan()
    gan.fit(tf.data.Dataset.from_tensor_slices(make_images(10)).batch(4), epochs=2, verbose=0)
    assert int(gan.iteration) == 6


def test_history_and_progress_bar_show_losses_and_accuracies(make_gan, make_images, capsys):
    history = make_gan().fit(make_images(8), batch_size=4, epochs=3).history
    assert set(history) == {"d_loss", "g_loss", "accuracy_real", "accuracy_fake", "loss"}
    assert all(len(values) == 3 for values in history.values())
    np.testing.assert_allclose(history["loss"], np.add(history["d_loss"], history["g_loss"]), rtol=1e-6)
    shown = capsys.readouterr().out
    assert all(f"{name}: " in shown for name in history)


def test_accuracies_are_the_discriminators(make_gan, make_images):
    """D says "real" to everything, and nobody learns."""
    gan = make_gan(d_optimizer=keras.optimizers.SGD(0.0), g_optimizer=keras.optimizers.SGD(0.0))
    gan.discriminator.layers[-1].set_weights([np.zeros((16, 1)), np.array([3.0])])
    logs = gan.fit(make_images(8), batch_size=4, verbose=0).history
    assert (logs["accuracy_real"], logs["accuracy_fake"]) == ([1.0], [0.0])
    assert logs["d_loss"][0] == pytest.approx((np.log1p(np.exp(-3)) + np.log1p(np.exp(3))) / 2, rel=1e-5)
    assert logs["g_loss"][0] == pytest.approx(np.log1p(np.exp(-3)), rel=1e-5)


def test_kerass_callbacks_work(make_gan, make_images, tmp_path):
    pytest.importorskip("tensorboard")
    gan, images = make_gan(), make_images(40)
    callbacks = [
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="g_loss", save_best_only=True, mode="min"),
        keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.TensorBoard(tmp_path / "board", write_graph=False),
    ]
    gan.fit(images, batch_size=4, epochs=2, callbacks=callbacks, verbose=0)
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert float(rows[1]["accuracy_real"]) <= 1
    assert isinstance(keras.saving.load_model(tmp_path / "best.keras"), GAN)
    assert (tmp_path / "2.weights.h5").exists()
    events = b"".join(path.read_bytes() for path in (tmp_path / "board").rglob("*events*") if path.is_file())
    assert b"epoch_d_loss" in events
    early = keras.callbacks.EarlyStopping("accuracy_real", mode="min", patience=0, baseline=-1.0)
    assert len(gan.fit(images, batch_size=4, epochs=9, callbacks=early, verbose=0).epoch) < 9


def test_terminate_on_nan_of_keras_sees_it(make_gan):
    gan = make_gan(loss=losses.NON_SATURATING._replace(generator=lambda v: v * np.nan))
    keras_own = keras.callbacks.TerminateOnNaN()
    data = tf.data.Dataset.from_tensor_slices(np.zeros((4, *SHAPE), "float32")).batch(2)
    history = keras.Model.fit(gan, data, epochs=5, callbacks=[keras_own], verbose=0)
    assert len(history.epoch) == 1


def noise_and_images(gan):
    noise = np.random.default_rng(0).normal(size=(3, gan.latent_dim)).astype("float32")
    return noise, np.asarray(gan(noise))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"d_optimizer": "rmsprop", "g_optimizer": "sgd", "loss": losses.MINIMAX, "d_steps": 2},
        {"steps_per_execution": 3},
    ],
    ids=["recipe", "other", "steps"],
)
def test_a_saved_gan_comes_back_whole(make_gan, make_images, tmp_path, options):
    gan, images = make_gan(pair={"dropout": 0.1}, **options), make_images(20)
    gan.fit(images, batch_size=4, epochs=2, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert_same(weights(loaded), weights(gan))
    assert_same([noise_and_images(loaded)[1]], [noise_and_images(gan)[1]])
    assert (loaded.loss, loaded.d_steps, loaded.seed) == (gan.loss, gan.d_steps, gan.seed)
    assert loaded.max_steps_per_execution == options.get("steps_per_execution", 50)
    for one, other in ((loaded.d_optimizer, gan.d_optimizer), (loaded.g_optimizer, gan.g_optimizer)):
        assert type(one) is type(other)
        assert_same([v.numpy() for v in one.variables], [v.numpy() for v in other.variables])
    assert int(loaded.iteration) == int(gan.iteration)
    loaded.fit(images, batch_size=4, verbose=0)


def test_a_saved_gan_comes_back_with_its_penalty(make_pair, make_images, tmp_path):
    generator, _, _ = make_pair()
    critic = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(8, "tanh"), layers.Dense(1)])
    gan = GAN(generator, critic)
    gan.compile(loss=losses.MINIMAX_FROM_LOGITS, penalty=losses.r1, d_steps=2)
    gan.fit(make_images(8), batch_size=2, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert (loaded.loss, loaded.penalty, loaded.d_steps) == (losses.MINIMAX_FROM_LOGITS, losses.r1, 2)


@pytest.mark.long
def test_a_saved_gan_loads_in_another_process_with_nothing_but_the_import(make_gan, make_images, tmp_path):
    gan = make_gan()
    gan.fit(make_images(8), batch_size=4, verbose=0)
    gan.save(tmp_path / "gan.keras")
    noise, images = noise_and_images(gan)
    np.savez(tmp_path / "wanted.npz", noise=noise, images=images)
    code = """
        import sys, numpy as np, keras, gan_keras.gan
        wanted = np.load(sys.argv[2])
        assert np.array_equal(keras.saving.load_model(sys.argv[1])(wanted["noise"]), wanted["images"])
    """
    run_python(code, tmp_path / "gan.keras", tmp_path / "wanted.npz")


TRAIN_TWICE = """
    import hashlib, keras, numpy as np
    from gan_keras import models, training
    from gan_keras.gan import GAN
    images = np.random.default_rng(0).uniform(-1, 1, (64, 12, 12, 1)).astype("float32")
    def networks():
        keras.utils.set_random_seed(1)
        return models.build_generator(16, (12, 12, 1)), models.build_discriminator((12, 12, 1))
    def told(generator):
        samples = generator.predict_on_batch(np.random.default_rng(1).normal(size=(9, 16)).astype("float32"))
        print(hashlib.sha256(samples.tobytes()).hexdigest())
    generator, discriminator = networks()
    training.train(generator, discriminator, models.build_combined(generator, discriminator), images, 20, 8, seed=2)
    told(generator)
    gan = GAN(*networks(), seed=2)
    gan.compile()
    gan.fit(images, batch_size=8, epochs=4, verbose=0)
    told(gan.generator)
"""


@pytest.mark.long
def test_two_processes_draw_the_same_samples_bit_by_bit():
    once, again = run_python(TRAIN_TWICE), run_python(TRAIN_TWICE)
    assert len(once.split()) == 2
    assert once == again


def by_hand(generator, discriminator, real, noise, order):
    """Plain SGD on the recipe's losses, written out; returns all weights."""

    def bce(p, target):
        return ops.mean(ops.binary_crossentropy(ops.full_like(p, target), p))

    def descend(network, loss, tape):
        for weight, slope in zip(network.weights, tape.gradient(loss, network.weights), strict=True):
            weight.assign_sub(0.5 * slope)

    with tf.GradientTape(persistent=True) as tape:
        fake = generator(noise[0], training=True)
        d_loss = (bce(discriminator(real), 1.0) + bce(discriminator(fake), 0.0)) / 2
        g_loss = bce(discriminator(fake), 1.0)
    if order == "G first":
        descend(generator, g_loss, tape)
        with tf.GradientTape() as tape:
            d_loss = (bce(discriminator(real), 1.0) + bce(discriminator(fake), 0.0)) / 2
        descend(discriminator, d_loss, tape)
    else:
        descend(discriminator, d_loss, tape)
        with tf.GradientTape() as tape:
            g_loss = bce(discriminator(generator(noise[1], training=True)), 1.0)
        descend(generator, g_loss, tape)
    return [np.array(w) for w in generator.get_weights() + discriminator.get_weights()]


@pytest.mark.parametrize(("cls", "order"), [(Blogathon, "G first"), (PaperWalkthrough, "D first")])
def test_recipes_with_another_order_are_subclasses_of_a_few_lines(make_pair, make_images, rng, cls, order):
    real, noise = make_images(6), rng.normal(size=(2, 6, 5)).astype("float32")
    wanted = by_hand(*make_pair()[:2], real, noise, order)
    gan = type("ScriptedRecipe", (Scripted, cls), {})(*make_pair()[:2])
    gan.script = tf.constant(noise[[0, 0, 1]])  # the number between is the shuffle's, where there is one
    gan.compile(keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.5))
    before = weights(gan)
    logs = gan.fit(tf.data.Dataset.from_tensors(real), verbose=0).history
    assert set(logs) == {"d_loss", "g_loss", "accuracy_real", "accuracy_fake", "loss"}
    for one, other, start in zip(weights(gan), wanted, before, strict=True):
        assert np.abs(other - start).max() > 1e-5
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer",
    ["adam", "adamw", "rmsprop", "sgd", "adagrad", "adadelta", "adamax", "nadam", "ftrl", "lion", "adafactor"],
)
def test_every_optimizer_of_keras_moves_as_it_does_without_xla(make_pair, optimizer):
    from gan_keras._plumbing.fast import make_update

    def moved(fast):
        network, optimizer_ = make_pair()[0], keras.optimizers.get(optimizer)
        move = make_update(network, optimizer_, fast)
        for step in range(3):
            with tf.GradientTape() as tape:
                loss = ops.mean(ops.square(network(np.full((4, 5), 1.0 + step, "float32")) - 0.3))
            move(tape, loss)
        return network.get_weights()

    for quick, slow, start in zip(moved(True), moved(False), make_pair()[0].get_weights(), strict=True):
        np.testing.assert_allclose(quick, slow, rtol=1e-5, atol=1e-6)
        assert not np.array_equal(slow, start)


def test_schedules_clipping_loss_scaling_and_moving_averages_work(make_gan, make_images):
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-2, 10, 0.9)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(schedule, global_clipnorm=1.0), initial_scale=64)
    gan = make_gan(d_optimizer=scaled, g_optimizer=keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.9))
    before = weights(gan)
    gan.fit(make_images(20), batch_size=4, verbose=0)
    assert all(np.isfinite(w).all() and not np.array_equal(w, b) for w, b in zip(weights(gan), before, strict=True))


@pytest.mark.long
def test_without_xla_it_trains_too(make_gan, make_images, monkeypatch):
    images, compiled = make_images(20), make_gan(d_optimizer="rmsprop")
    compiled.fit(images, batch_size=4, verbose=0)
    monkeypatch.setattr(fast, "xla_works", lambda: False)
    slow = make_gan(d_optimizer="rmsprop")
    slow.fit(images, batch_size=4, verbose=0)
    for one, other in zip(weights(compiled), weights(slow), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d_optimizer": "no such"}, r"^d_optimizer: expected a Keras optimizer"),
        ({"g_optimizer": 3}, r"^g_optimizer: expected a Keras optimizer"),
        ({"d_steps": 0}, r"^d_steps: expected at least 1, got 0"),
        ({"d_steps": 1.5}, r"^d_steps: expected a whole number"),
        ({"loss": "bce"}, r"^loss: expected a gan_keras\.losses\.Loss"),
        (
            {"loss": losses.NON_SATURATING_FROM_LOGITS},
            r"^loss: it takes logits or scores, but the discriminator ends in a sigmoid",
        ),
        ({"penalty": 10}, r"^penalty: expected a function"),
        ({"steps_per_execution": 0}, r"^steps_per_execution: expected at least 1"),
        ({"optimizer": "adam"}, r"^optimizer: not an argument of GAN\.compile"),
    ],
)
def test_wrong_arguments_of_compile_are_named(pair, options, message):
    with pytest.raises(ValueError, match=message):
        GAN(*pair[:2]).compile(**options)


def test_one_optimizer_for_both_players_is_named(pair):
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match=r"^g_optimizer: expected another object than d_optimizer"):
        GAN(*pair[:2]).compile(adam, adam)
    gan = GAN(*pair[:2])
    gan.compile(adam)
    gan.compile(adam)  # once more for the same network is fine
    with pytest.raises(ValueError, match=r"^g_optimizer: this optimizer already belongs to another network"):
        gan.compile(g_optimizer=adam)


def test_probabilities_wanted_but_none_given_is_named(make_pair):
    generator, _, _ = make_pair()
    critic = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"^loss: it takes probabilities, but the discriminator ends without"):
        GAN(generator, critic).compile()


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((8, 4, 3)), {}, r"^images: expected 4 axes"),
        (np.zeros((8, 5, 3, 1)), {}, r"^images: expected images of shape \(4, 3, 1\)"),
        (np.zeros((8, 4, 3, 1), "uint8"), {}, r"^images: expected floats"),
        (np.full((8, 4, 3, 1), 9.0), {}, r"^images: expected pixels in \[-1, 1\]"),
        (np.full((8, 4, 3, 1), np.nan), {}, r"^images: found NaN"),
        (np.zeros((8, 4, 3, 1)), {"batch_size": 9}, r"^batch_size: expected at most 8 \(the number of images\)"),
        (np.zeros((8, 4, 3, 1)), {"batch_size": 0}, r"^batch_size: expected at least 1"),
        (np.zeros((8, 4, 3, 1)), {"steps_per_epoch": 0}, r"^steps_per_epoch: expected at least 1"),
        (np.zeros((8, 4, 3, 1)), {"epochs": -1}, r"^epochs: expected at least 0"),
        (np.zeros((8, 4, 3, 1)), {"epochs": 1.0}, r"^epochs: expected a whole number"),
        (np.zeros((8, 4, 3, 1)), {"callbacks": [3]}, r"^callbacks: expected Keras callbacks"),
    ],
)
def test_wrong_arguments_of_fit_are_named(make_gan, images, options, message):
    with pytest.raises(ValueError, match=message):
        make_gan().fit(images, **{"batch_size": 4, "verbose": 0} | options)


def test_wrong_datasets_are_named(make_gan):
    gan, images = make_gan(), np.zeros((8, *SHAPE), "float32")
    pairs = tf.data.Dataset.from_tensor_slices((images, images)).batch(4)
    for data, message in (
        (pairs, r"^images: expected a Dataset of one tensor"),
        (tf.data.Dataset.from_tensor_slices(images + 5).batch(4), r"^images: expected pixels in \[-1, 1\]"),
        (tf.data.Dataset.from_tensor_slices(images), r"^images: expected a Dataset of batches .*call \.batch\(32\)"),
        (tf.data.Dataset.from_tensor_slices(images).batch(4).repeat(), r"^steps_per_epoch: expected a whole number"),
    ):
        with pytest.raises(ValueError, match=message):
            gan.fit(data, verbose=0)
    gan.fit(tf.data.Dataset.from_tensor_slices(images).batch(4).repeat(), steps_per_epoch=3, verbose=0)
    assert int(gan.iteration.numpy()) == 3


def test_fit_before_compile_is_named(pair, make_images):
    with pytest.raises(ValueError, match=r"compile"):
        GAN(*pair[:2]).fit(make_images(8))


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5, "x"])
def test_a_wrong_seed_is_named(pair, seed):
    with pytest.raises(ValueError, match=r"^seed: expected"):
        GAN(*pair[:2], seed=seed)


@pytest.mark.parametrize("known", [True, False])
def test_a_dataset_with_fewer_batches_than_an_iteration_takes_is_named(make_gan, make_images, known):
    batches = tf.data.Dataset.from_tensor_slices(make_images(8)).batch(4)
    batches = batches if known else batches.filter(lambda batch: True)
    with pytest.raises(ValueError, match=r"^images: (an iteration takes 3 batches|the Dataset has too few)"):
        make_gan(d_steps=3).fit(batches, verbose=0)


def test_d_steps_times_batch_size_beyond_the_images_is_named(make_gan, make_images):
    with pytest.raises(ValueError, match=r"^d_steps: 3 batches of 4 images need more than the 8 given"):
        make_gan(d_steps=3).fit(make_images(8), batch_size=4, verbose=0)


@given(
    image_shape=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4)),
    latent_dim=st.integers(1, 7),
    count=st.integers(1, 20),
    batch_size=st.integers(-1, 24),
    d_steps=st.integers(0, 3),
    dtype=st.sampled_from(["float16", "float32", "float64", "uint8", "int32", "bool"]),
    scale=st.sampled_from([1.0, 1.0, 0.0, 255.0]),
    penalty=st.sampled_from([None, losses.r1, losses.r2]),
    loss=st.sampled_from([losses.NON_SATURATING, losses.NON_SATURATING_FROM_LOGITS, losses.MINIMAX_FROM_LOGITS]),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_every_call_trains_or_names_the_argument(
    image_shape, latent_dim, count, batch_size, d_steps, dtype, scale, penalty, loss
):
    rng = np.random.default_rng(0)
    images = (scale * rng.uniform(-1, 1, (count, *image_shape))).astype(dtype)
    end = layers.Dense(1, None if loss.from_logits else "sigmoid")
    generator = keras.Sequential(
        [keras.Input((latent_dim,)), layers.Dense(math.prod(image_shape), "tanh"), layers.Reshape(image_shape)]
    )
    gan = GAN(generator, keras.Sequential([keras.Input(image_shape), layers.Flatten(), end]))
    wrong = {
        "d_steps": d_steps < 1 or d_steps * batch_size > count,
        "batch_size": not 1 <= batch_size <= count,
        "images": not dtype.startswith("float") or scale > 1,
        "penalty": penalty is not None and not loss.from_logits,
    }
    expected = "|".join(name for name in wrong if wrong[name])
    with pytest.raises(ValueError, match=rf"^({expected}): ") if expected else contextlib.nullcontext():
        gan.compile("sgd", "sgd", loss=loss, penalty=penalty, d_steps=d_steps, run_eagerly=True)
        logs = gan.fit(images, batch_size=batch_size, steps_per_epoch=2, verbose=0).history
        assert all(np.isfinite(values).all() for values in logs.values())
        assert int(gan.iteration.numpy()) == 2


def test_networks_in_half_precision_are_named(make_pair):
    generator, _, _ = make_pair()
    policy = keras.DTypePolicy("mixed_float16")
    half = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(1, "sigmoid", dtype=policy)])
    half.dtype_policy = policy
    with pytest.raises(ValueError, match=r"^discriminator: expected a network that computes in float32"):
        GAN(generator, half).compile()


@pytest.mark.long
def test_saving_and_loading_interrupts_nothing(make_gan, make_images, tmp_path):
    """Weights, optimizers, noise, dropout and the order of the images go on where they were."""
    images, whole, part = make_images(20), make_gan(pair={"dropout": 0.2}), make_gan(pair={"dropout": 0.2})
    whole.fit(images, batch_size=4, epochs=4, verbose=0)
    part.fit(images, batch_size=4, epochs=2, verbose=0)
    part.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    loaded.fit(images, batch_size=4, epochs=2, verbose=0)
    assert_same(weights(loaded), weights(whole))

"""Freezing cannot go wrong, the losses are the batch's own, and the loop learns."""

import warnings

import keras
import numpy as np
import pytest

from gan_keras import data, training

KEYS = {"d_loss", "d_loss_real", "d_loss_fake", "accuracy_real", "accuracy_fake", "g_loss"}
SIZES = [64, 64, 32, 64, 17, 1, 64, 3, 1, 32]


def new_discriminator(image_shape=(4, 3, 1)):
    """A discriminator that is not compiled."""
    return keras.Sequential(
        [keras.Input(image_shape), keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")]
    )


def snapshot(model):
    return [np.copy(w) for w in model.get_weights()]


def same(before, model):
    """Whether every number is what it was, to the bit."""
    return all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def all_moved(before, model):
    """Whether every array of weights changed."""
    return all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def bce(probabilities, target):
    """Binary cross-entropy by hand, in nats."""
    p = np.clip(np.asarray(probabilities, "float64"), 1e-7, 1 - 1e-7)
    return float(-np.mean(target * np.log(p) + (1 - target) * np.log(1 - p)))


@pytest.fixture
def noise_of(rng):
    return lambda count, latent_dim=5: rng.normal(size=(count, latent_dim)).astype("float32")


@pytest.fixture
def d_step(make_images):
    """One D step on fresh random images, with every warning an error."""

    def step(discriminator, batch_size):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return training.train_discriminator(discriminator, make_images(batch_size), make_images(batch_size))

    return step


@pytest.fixture
def g_step(noise_of):
    """One G step on fresh noise, with every warning an error."""

    def step(combined, batch_size):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return training.train_generator(combined, noise_of(batch_size))

    return step


def check_d_step(pair, d_step, batch_size):
    generator, discriminator, combined = pair
    before_g, before_d = snapshot(generator), snapshot(discriminator)
    counts = int(discriminator.optimizer.iterations), int(combined.optimizer.iterations)
    d_step(discriminator, batch_size)
    assert all_moved(before_d, discriminator), f"D did not move at batch size {batch_size}"
    assert same(before_g, generator), f"the D step moved G at batch size {batch_size}"
    assert int(discriminator.optimizer.iterations) == counts[0] + 2
    assert int(combined.optimizer.iterations) == counts[1]


def check_g_step(pair, g_step, batch_size):
    generator, discriminator, combined = pair
    before_g, before_d = snapshot(generator), snapshot(discriminator)
    counts = int(discriminator.optimizer.iterations), int(combined.optimizer.iterations)
    g_step(combined, batch_size)
    assert all_moved(before_g, generator), f"G did not move at batch size {batch_size}"
    assert same(before_d, discriminator), f"the G step moved D at batch size {batch_size}"
    assert int(discriminator.optimizer.iterations) == counts[0]
    assert int(combined.optimizer.iterations) == counts[1] + 1
    assert discriminator.trainable
    assert all(layer.trainable for layer in discriminator.layers)


# Freezing


def test_each_step_moves_its_own_network_only_at_any_batch_size(pair, d_step, g_step):
    for batch_size in SIZES:
        check_d_step(pair, d_step, batch_size)
        check_g_step(pair, g_step, batch_size)


def test_a_g_step_may_come_first(pair, d_step, g_step):
    check_g_step(pair, g_step, 8)
    check_d_step(pair, d_step, 8)


def freeze_d(pair, images, noise):
    pair[1].trainable = False


def train_frozen_d(pair, images, noise):
    pair[1].trainable = False
    pair[1].train_on_batch(images, np.ones((len(images), 1)))


def fit_frozen_d_and_free_it(pair, images, noise):
    train_frozen_d(pair, images, noise)
    pair[1].fit(images, np.ones((len(images), 1)), verbose=0)
    pair[1].trainable = True


def compile_frozen_d(pair, images, noise):
    pair[1].trainable = False
    pair[1].compile(keras.optimizers.Adam(1e-2), loss="binary_crossentropy", metrics=["accuracy"])


def freeze_d_layer_by_layer(pair, images, noise):
    for layer in pair[1].layers:
        layer.trainable = False


def warm_d_up(pair, images, noise):
    pair[1].fit(images, np.ones((len(images), 1)), verbose=0)


def train_combined_with_d_free(pair, images, noise):
    pair[2].train_on_batch(noise, np.ones((len(noise), 1)))


def train_combined_with_d_frozen(pair, images, noise):
    pair[1].trainable = False
    pair[2].train_on_batch(noise, np.ones((len(noise), 1)))


def freeze_combined(pair, images, noise):
    pair[2].trainable = False


def freeze_g(pair, images, noise):
    pair[0].trainable = False


def evaluate_and_predict(pair, images, noise):
    pair[1].evaluate(images, np.ones((len(images), 1)), verbose=0)
    pair[0].predict(noise, verbose=0)


BEFORE = [
    fit_frozen_d_and_free_it,
    compile_frozen_d,
    train_combined_with_d_free,
    train_combined_with_d_frozen,
]
BETWEEN = [
    freeze_d,
    train_frozen_d,
    fit_frozen_d_and_free_it,
    compile_frozen_d,
    warm_d_up,
    train_combined_with_d_frozen,
    evaluate_and_predict,
]


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
@pytest.mark.parametrize("spoil", BEFORE, ids=lambda f: f.__name__)
def test_both_steps_are_right_whatever_was_called_before(pair, make_images, noise_of, d_step, g_step, spoil):
    spoil(pair, make_images(8), noise_of(8))
    check_d_step(pair, d_step, 8)
    check_g_step(pair, g_step, 8)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_both_steps_stay_right_whatever_is_called_in_between(pair, make_images, noise_of, d_step, g_step):
    """The G step first, here. (After one, training the combined model with D free is Keras's own error.)"""
    check_g_step(pair, g_step, 8)
    check_d_step(pair, d_step, 8)
    for spoil in BETWEEN:
        spoil(pair, make_images(8), noise_of(8))
        check_g_step(pair, g_step, 8)
        check_d_step(pair, d_step, 8)


def test_a_layer_of_g_frozen_on_purpose_stays_frozen_and_the_others_learn(pair, g_step):
    """Also at a batch size at which it has learned before."""
    first, last = [layer for layer in pair[0].layers if layer.trainable_weights]
    for free in (True, False, True):
        first.trainable = free
        before_first, before_last = snapshot(first), snapshot(last)
        g_step(pair[2], 8)
        assert all_moved(before_last, last)
        assert same(before_first, first) is not free


@pytest.mark.parametrize(
    ("freeze", "step", "named"),
    [
        (freeze_d_layer_by_layer, "d", "discriminator"),
        (freeze_g, "g", "combined"),
        (freeze_combined, "g", "combined"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_player_with_nothing_to_train_is_named(pair, d_step, g_step, freeze, step, named):
    freeze(pair, None, None)
    with pytest.raises(ValueError, match=rf"^{named}: none of its weights is trainable"):
        d_step(pair[1], 8) if step == "d" else g_step(pair[2], 8)
    assert pair[1].trainable


def test_d_learns_again_at_the_size_it_was_traced_at_while_frozen(pair, make_images, d_step):
    """The trap is real: for Keras itself D stays dead, whatever its flag says. We are not in it."""
    _, discriminator, _ = pair
    images, ones = make_images(8), np.ones((8, 1))
    discriminator.trainable = False
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        discriminator.train_on_batch(images, ones)
    discriminator.trainable = True
    before = snapshot(discriminator)
    discriminator.train_on_batch(images, ones)
    assert same(before, discriminator)
    check_d_step(pair, d_step, 8)


def test_after_a_g_step_the_users_own_fit_trains_d(pair, make_images, g_step):
    _, discriminator, _ = pair
    g_step(pair[2], 8)
    before = snapshot(discriminator)
    discriminator.fit(make_images(8), np.ones((8, 1)), batch_size=8, verbose=0)
    assert all_moved(before, discriminator)


@pytest.mark.parametrize("use_it", [False, True], ids=["not-used", "used"])
def test_compiled_anew_d_trains_with_its_new_optimizer(pair, make_images, d_step, use_it):
    _, discriminator, _ = pair
    d_step(discriminator, 8)
    old = discriminator.optimizer
    steps = int(old.iterations)
    discriminator.compile(keras.optimizers.SGD(0.5), loss="binary_crossentropy", metrics=["accuracy"])
    if use_it:
        discriminator.train_on_batch(make_images(8), np.ones((8, 1)))
    check_d_step(pair, d_step, 8)
    assert int(old.iterations) == steps


@pytest.mark.parametrize("use_it", [False, True], ids=["not-used", "used"])
def test_compiled_anew_the_combined_model_trains_with_its_new_optimizer(pair, noise_of, g_step, use_it):
    combined = pair[2]
    g_step(combined, 8)
    old = combined.optimizer
    combined.compile(keras.optimizers.SGD(0.5), loss="binary_crossentropy")
    if use_it:
        train_combined_with_d_frozen(pair, None, noise_of(8))
    check_g_step(pair, g_step, 8)
    assert int(old.iterations) == 1


def test_d_is_free_again_when_the_g_step_raises(pair, d_step, g_step):
    _, discriminator, combined = pair
    d_step(discriminator, 8)
    combined.compile(discriminator.optimizer, loss="binary_crossentropy")  # one optimizer for both: Keras raises
    with pytest.raises(ValueError, match="Unknown variable"):
        g_step(combined, 8)
    assert discriminator.trainable
    assert all(layer.trainable for layer in discriminator.layers)
    before = snapshot(discriminator)
    d_step(discriminator, 8)
    assert all_moved(before, discriminator)


def test_trained_networks_can_be_saved_and_loaded_to_train_on(pair, d_step, g_step, tmp_path):
    d_step(pair[1], 8)
    g_step(pair[2], 8)
    for model, name in ((pair[0], "generator.keras"), (pair[1], "discriminator.keras")):
        model.save(tmp_path / name)
        loaded = keras.models.load_model(tmp_path / name)
        assert same(snapshot(model), loaded)
    assert int(loaded.optimizer.iterations) == 2  # of the discriminator, whose optimizer is saved with it
    before = snapshot(loaded)
    d_step(loaded, 8)
    assert all_moved(before, loaded)
    assert int(loaded.optimizer.iterations) == 4


# Losses


def test_d_losses_and_accuracies_are_those_of_this_batch(make_pair, make_images):
    """The fake half meets the D that has just learned from the real half, so a twin takes that half step by hand."""
    _, discriminator, _ = make_pair(seed=1)
    _, twin, _ = make_pair(seed=1)
    for batch_size in (64, 8, 8):
        real, fake = make_images(batch_size), -0.8 * np.abs(make_images(batch_size))
        p_real = np.asarray(twin(real))
        twin.train_on_batch(real, np.ones((batch_size, 1)))
        p_fake = np.asarray(twin(fake))
        twin.train_on_batch(fake, np.zeros((batch_size, 1)))
        logs = training.train_discriminator(discriminator, real, fake)
        assert logs["d_loss_real"] == pytest.approx(bce(p_real, 1), abs=1e-5)
        assert logs["d_loss_fake"] == pytest.approx(bce(p_fake, 0), abs=1e-5)
        assert logs["d_loss"] == pytest.approx((bce(p_real, 1) + bce(p_fake, 0)) / 2, abs=1e-5)
        assert logs["accuracy_real"] == pytest.approx((p_real > 0.5).mean(), abs=1e-6)
        assert logs["accuracy_fake"] == pytest.approx((p_fake <= 0.5).mean(), abs=1e-6)
        np.testing.assert_allclose(discriminator.get_weights()[0], twin.get_weights()[0], atol=1e-6)


def test_d_accuracies_tell_a_d_that_always_says_real(make_pair, make_images):
    _, discriminator, _ = make_pair(optimizer=lambda: keras.optimizers.SGD(0.0))
    weights = discriminator.get_weights()
    discriminator.set_weights([0 * w for w in weights[:-1]] + [weights[-1] + 3.0])
    logs = training.train_discriminator(discriminator, make_images(8), make_images(8))
    assert logs["accuracy_real"] == 1
    assert logs["accuracy_fake"] == 0
    assert logs["d_loss_real"] == pytest.approx(np.log1p(np.exp(-3)), abs=1e-5)
    assert logs["d_loss_fake"] == pytest.approx(np.log1p(np.exp(3)), abs=1e-5)


def test_g_loss_is_that_of_this_batch_and_not_a_running_mean(pair, noise_of):
    _, _, combined = pair
    for batch_size, scale in ((32, 1), (32, 40), (4, 1), (4, 0.01), (32, 1)):
        noise = scale * noise_of(batch_size)
        expected = bce(combined(noise), 1)
        assert training.train_generator(combined, noise) == {"g_loss": pytest.approx(expected, abs=1e-5)}


def test_losses_are_the_batchs_own_after_the_users_own_training(pair, make_images, noise_of):
    _, discriminator, combined = pair
    discriminator.fit(make_images(64), np.zeros((64, 1)), epochs=3, verbose=0)
    real, noise = make_images(8), noise_of(8)
    expected = bce(combined(noise), 1)
    assert training.train_generator(combined, noise)["g_loss"] == pytest.approx(expected, abs=1e-5)
    expected = bce(discriminator(real), 1)
    assert training.train_discriminator(discriminator, real, real)["d_loss_real"] == pytest.approx(expected, abs=1e-5)


def test_real_and_fake_may_differ_in_number(pair, make_images):
    logs = training.train_discriminator(pair[1], make_images(8), make_images(3))
    assert set(logs) == KEYS - {"g_loss"}


def test_d_learns_to_call_the_real_ones_real_and_the_fake_ones_fake(pair, make_images):
    _, discriminator, _ = pair
    real, fake = 0.3 + 0.2 * make_images(32), -0.3 + 0.2 * make_images(32)
    for _ in range(60):
        logs = training.train_discriminator(discriminator, real, fake)
    assert np.asarray(discriminator(real)).min() > 0.8
    assert np.asarray(discriminator(fake)).max() < 0.2
    assert logs["accuracy_real"] == logs["accuracy_fake"] == 1


def test_g_learns_to_make_d_say_real(pair, noise_of):
    generator, discriminator, combined = pair
    noise = noise_of(64)
    before = np.asarray(discriminator(generator(noise)))
    losses = [training.train_generator(combined, noise)["g_loss"] for _ in range(40)]
    after = np.asarray(discriminator(generator(noise)))
    assert (after > before).all()
    assert after.mean() > before.mean() + 0.1
    assert losses[-1] < losses[0] - 0.1


# Errors of the single steps


def test_a_d_step_names_the_wrong_batch(pair, make_images):
    _, discriminator, _ = pair
    good, before = make_images(4), snapshot(discriminator)
    for real, fake, message in (
        (good[..., 0], good, r"^real: expected 4 axes"),
        (good, good[:, :2], r"^fake: expected images of shape \(4, 3, 1\), got \(2, 3, 1\)"),
        (good, good * np.nan, r"^fake: found NaN"),
        (127.5 * (good + 1), good, r"^real: expected pixels in \[-1, 1\]"),
        (good[:0], good, r"^real: expected at least one image"),
    ):
        with pytest.raises(ValueError, match=message):
            training.train_discriminator(discriminator, real, fake)
    assert same(before, discriminator)


def test_a_g_step_names_the_wrong_noise(pair, noise_of):
    generator, _, combined = pair
    before = snapshot(generator)
    for noise, message in (
        (noise_of(4, 7), r"^noise: the generator takes latent points of 5 numbers.*, got 7"),
        (noise_of(4)[0], r"^noise: expected floats of shape \(N, 5\)"),
        (np.nan * noise_of(4), r"^noise: found NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            training.train_generator(combined, noise)
    assert same(before, generator)


def test_models_that_are_not_compiled_are_named(pair, make_images, noise_of):
    generator, discriminator, _ = pair
    with pytest.raises(ValueError, match=r"^discriminator: not compiled; call discriminator\.compile\("):
        training.train_discriminator(new_discriminator(), make_images(4), make_images(4))
    noise = keras.Input((5,))
    with pytest.raises(ValueError, match=r"^combined: not compiled; call combined\.compile\("):
        training.train_generator(keras.Model(noise, discriminator(generator(noise))), noise_of(4))


def test_a_d_compiled_without_accuracy_is_named(make_images):
    discriminator = new_discriminator()
    discriminator.compile("adam", loss="binary_crossentropy")
    with pytest.raises(ValueError, match=r"^discriminator: .*accuracy"):
        training.train_discriminator(discriminator, make_images(4), make_images(4))


# The loop


def test_train_takes_images_of_any_size_and_channels(make_pair, make_images):
    pair = make_pair((8, 6, 3), latent_dim=4, dropout=0.1)
    before = [snapshot(model) for model in pair]
    images = make_images(20, (8, 6, 3))
    untouched = images.copy()
    history = training.train(*pair, images, steps=3, batch_size=7)
    assert set(history) == KEYS
    assert all(len(values) == 3 for values in history.values())
    assert all(type(value) is float and np.isfinite(value) for values in history.values() for value in values)
    assert not any(same(b, model) for b, model in zip(before, pair, strict=True))
    np.testing.assert_array_equal(images, untouched)


@pytest.mark.long
def test_train_takes_the_networks_of_the_recipe():
    from gan_keras import models

    generator, discriminator = models.build_generator(10, (5, 7, 1)), models.build_discriminator((5, 7, 1))
    images = np.random.default_rng(0).uniform(-1, 1, (40, 5, 7, 1))
    history = training.train(generator, discriminator, models.build_combined(generator, discriminator), images, steps=2)
    assert len(history["g_loss"]) == 2


def test_each_iteration_is_two_d_updates_and_one_g_update(pair, make_images):
    training.train(*pair, make_images(10), steps=4, batch_size=10)
    assert int(pair[1].optimizer.iterations) == 8
    assert int(pair[2].optimizer.iterations) == 4


def test_no_steps_change_nothing_and_give_an_empty_history(pair, make_images):
    before = [snapshot(model) for model in pair]
    assert training.train(*pair, make_images(10), steps=0, batch_size=5) == {}
    assert all(same(b, model) for b, model in zip(before, pair, strict=True))


def test_training_prints_nothing_and_warns_of_nothing(pair, make_images, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training.train(*pair, make_images(10), steps=2, batch_size=4)
    assert capsys.readouterr().out == ""


@pytest.mark.long
def test_the_same_seed_gives_the_same_weights_and_history_to_the_bit(make_pair, make_images):
    images = make_images(30)
    weights, histories = [], []
    for _ in range(2):
        pair = make_pair(dropout=0.2)
        histories.append(training.train(*pair, images, steps=3, batch_size=8, seed=4))
        weights.append(snapshot(pair[2]))
    assert histories[0] == histories[1]
    assert all(np.array_equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))


def test_batches_are_drawn_anew_for_every_iteration(make_pair, make_images):
    """With a learning rate of 0 a loss depends on nothing but its batch."""
    pair = make_pair(optimizer=lambda: keras.optimizers.SGD(0.0))
    history = training.train(*pair, make_images(50), steps=6, batch_size=8)
    for name in ("d_loss_real", "d_loss_fake", "g_loss"):
        assert len({round(value, 7) for value in history[name]}) == 6, name


def test_fakes_for_d_and_noise_for_g_are_not_the_same_draw(make_pair, make_images):
    """With the same noise, -log(1 - p) and -log(p) would give the same p in each pair of one-image losses."""
    pair = make_pair(optimizer=lambda: keras.optimizers.SGD(0.0))
    history = training.train(*pair, make_images(50), steps=5, batch_size=1)
    shown_to_d, shown_for_g = 1 - np.exp(-np.array(history["d_loss_fake"])), np.exp(-np.array(history["g_loss"]))
    assert np.abs(shown_to_d - shown_for_g).min() > 1e-5


def test_going_on_with_a_history_or_another_seed_draws_other_noise(make_pair, make_images):
    pair = make_pair(optimizer=lambda: keras.optimizers.SGD(0.0))
    images = make_images(50)
    first = training.train(*pair, images, steps=4, batch_size=8, seed=2)
    kept = {name: list(values) for name, values in first.items()}
    both = training.train(*pair, images, steps=4, batch_size=8, seed=2, history=first)
    assert both is first
    for name in KEYS:
        assert len(both[name]) == 8
        assert both[name][:4] == kept[name]
    assert len({round(value, 7) for value in both["g_loss"]}) == 8
    assert training.train(*pair, images, steps=4, batch_size=8, seed=2)["g_loss"] == kept["g_loss"]
    other = training.train(*pair, images, steps=4, batch_size=8, seed=3)
    assert not set(other["g_loss"]) & set(both["g_loss"])


def test_two_trainings_do_not_share_a_history(pair, make_images):
    images = make_images(10)
    first = training.train(*pair, images, steps=1, batch_size=5)
    second = training.train(*pair, images, steps=1, batch_size=5)
    assert first is not second
    assert len(first["d_loss"]) == len(second["d_loss"]) == 1


class Watch:
    """Notes what it is called with, and presses Ctrl-C at one iteration."""

    def __init__(self, stop_at=None):
        self.calls, self.stop_at = [], stop_at

    def __call__(self, history, end=False):
        lengths = {len(values) for values in history.values()}
        self.calls.append((lengths.pop() if lengths else 0, end))
        assert not lengths, "the lists of the history differ in length"
        if not end and self.calls[-1][0] == self.stop_at:
            raise KeyboardInterrupt


def test_watch_is_called_after_each_iteration_and_at_the_end(pair, make_images):
    watch = Watch()
    training.train(*pair, make_images(10), steps=3, batch_size=5, watch=watch)
    assert watch.calls == [(1, False), (2, False), (3, False), (3, True)]


def test_an_interrupt_keeps_history_and_weights_and_draws(pair, make_images, capsys):
    watch, images = Watch(stop_at=2), make_images(10)
    before = snapshot(pair[0])
    history = training.train(*pair, images, steps=100, batch_size=5, watch=watch)
    assert watch.calls == [(1, False), (2, False), (2, True)]
    assert {len(values) for values in history.values()} == {2}
    assert all_moved(before, pair[0])
    assert pair[1].trainable
    assert capsys.readouterr().out == "Interrupted after iteration 2; what was trained is kept.\n"
    training.train(*pair, images, steps=3, batch_size=5, history=history)
    assert {len(values) for values in history.values()} == {5}


def test_other_errors_are_not_swallowed(pair, make_images):
    def watch(history, end=False):
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        training.train(*pair, make_images(10), steps=3, batch_size=5, watch=watch)


def test_a_generator_that_breaks_stops_the_training(make_pair, make_images):
    """Weights that are NaN draw NaN: better to stop than to train D on it."""
    pair = make_pair()

    def break_it(history, end=False):
        if len(history["d_loss"]) == 2:
            pair[0].set_weights([np.nan * w for w in pair[0].get_weights()])

    with pytest.raises(ValueError, match=r"^fake: found NaN"):
        training.train(*pair, make_images(10), steps=5, batch_size=5, watch=break_it)


def two_images(count, seed=0):
    """Two kinds of image, dark left of bright and bright left of dark, with a little noise."""
    rng = np.random.default_rng(seed)
    kind = np.where(np.arange(4) < 2, -0.7, 0.7)[None, None, :, None] * np.ones((1, 4, 4, 1))
    sign = rng.choice([-1, 1], (count, 1, 1, 1))
    return (sign * kind + rng.normal(scale=0.05, size=(count, 4, 4, 1))).astype("float32"), kind


def distance_to_the_two(generator, kind):
    """Root mean square distance of 200 samples to the nearer of the two."""
    samples = generator.predict_on_batch(data.sample_noise(200, generator.input_shape[1], seed=9))
    return np.sqrt(np.minimum(((samples - kind) ** 2).mean((1, 2, 3)), ((samples + kind) ** 2).mean((1, 2, 3)))).mean()


@pytest.mark.long
def test_the_loop_learns_to_draw_two_kinds_of_image(make_pair):
    """Over 4 seeds: untrained 0.69 to 0.76, trained 0.27 to 0.33; with a dead D or swapped labels over 0.9."""
    images, kind = two_images(400)
    pair = make_pair((4, 4, 1))
    untrained = distance_to_the_two(pair[0], kind)
    training.train(*pair, images, steps=120, batch_size=32)
    assert untrained > 0.6
    assert distance_to_the_two(pair[0], kind) < 0.42


@pytest.mark.parametrize("still", [0, 1], ids=["generator", "discriminator"])
def test_in_the_loop_nobody_but_its_own_optimizer_moves_a_network(make_pair, make_images, still):
    """With a learning rate of 0 in the one optimizer, its network stays as it is, to the bit, and the other moves."""
    pair = make_pair()
    still_optimizer = (pair[2], pair[1])[still].optimizer
    still_optimizer.learning_rate = 0.0
    before = snapshot(pair[0]), snapshot(pair[1])
    training.train(*pair, make_images(10), steps=3, batch_size=5)
    assert same(before[still], pair[still])
    assert all_moved(before[1 - still], pair[1 - still])


# Errors of the loop


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": -1}, r"^steps: expected at least 0, got -1"),
        ({"steps": 2.0}, r"^steps: expected a whole number, got 2\.0"),
        ({"steps": True}, r"^steps: expected a whole number, got True"),
        ({"batch_size": 0}, r"^batch_size: expected at least 1, got 0"),
        ({"batch_size": -3}, r"^batch_size: expected at least 1, got -3"),
        ({"batch_size": 2.5}, r"^batch_size: expected a whole number, got 2\.5"),
        ({"batch_size": 11}, r"^batch_size: expected at most 10 \(the number of images\), got 11"),
    ],
    ids=lambda x: "" if isinstance(x, str) else "-".join(f"{k}={v}" for k, v in x.items()),
)
def test_wrong_numbers_are_named(pair, make_images, change, message):
    with pytest.raises(ValueError, match=message):
        training.train(*pair, make_images(10), **({"steps": 1, "batch_size": 5} | change))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x[..., 0], r"^images: expected 4 axes .*add the channel axis"),
        (lambda x: x[:0], r"^images: expected at least one image"),
        (lambda x: x[:, :, :2], r"^images: expected images of shape \(4, 3, 1\), got \(4, 2, 1\)"),
        (lambda x: np.repeat(x, 3, axis=-1), r"^images: expected images of shape \(4, 3, 1\), got \(4, 3, 3\)"),
        (lambda x: (127.5 * (x + 1)).astype("uint8"), r"^images: expected floats .*got uint8.*to_tanh"),
        (lambda x: 127.5 * (x + 1), r"^images: expected pixels in \[-1, 1\]"),
        (lambda x: np.where(x == x.max(), np.nan, x), r"^images: found NaN or infinite"),
        (lambda x: (x + 1) / 2, r"^images: their pixels lie in \[.*tanh wants images in \[-1, 1\]"),
        (lambda x: [*x[:9], x[9, :2]], r"^images: expected one array of images of equal size"),
    ],
    ids=["3-axes", "none", "size", "channels", "uint8", "0..255", "nan", "[0,1]-with-tanh", "ragged"],
)
def test_wrong_images_are_named_before_anything_is_trained(pair, make_images, spoil, message):
    before = [snapshot(model) for model in pair]
    with pytest.raises(ValueError, match=message):
        training.train(*pair, spoil(make_images(10)), steps=1, batch_size=5)
    assert all(same(b, model) for b, model in zip(before, pair, strict=True))


def test_images_in_tanhs_range_with_a_sigmoid_generator(make_pair, make_images):
    from gan_keras import models

    _, discriminator, _ = make_pair()
    generator = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(12, activation="sigmoid"), keras.layers.Reshape((4, 3, 1))]
    )
    combined = models.build_combined(generator, discriminator)
    with pytest.raises(ValueError, match=r"^images: their pixels lie in \[-.*sigmoid wants \[0, 1\]"):
        training.train(generator, discriminator, combined, make_images(10), steps=1, batch_size=5)
    unit = (make_images(10) + 1) / 2
    assert len(training.train(generator, discriminator, combined, unit, steps=1, batch_size=5)["g_loss"]) == 1


def test_a_generator_and_a_discriminator_of_other_shapes(make_pair, make_images):
    small, large = make_pair((4, 3, 1)), make_pair((4, 4, 1))
    with pytest.raises(ValueError, match=r"^generator: it draws images of shape \(4, 4, 1\), but .*\(4, 3, 1\)"):
        training.train(large[0], small[1], small[2], make_images(10), steps=1, batch_size=5)


@pytest.mark.parametrize("stranger", [0, 1], ids=["generator", "discriminator"])
def test_a_combined_model_of_other_networks(make_pair, make_images, stranger):
    pair, other = list(make_pair(seed=1)), make_pair(seed=2)
    pair[stranger] = other[stranger]
    with pytest.raises(ValueError, match=r"^combined: expected build_combined\(generator, discriminator\) of these"):
        training.train(*pair, make_images(10), steps=1, batch_size=5)


def test_train_names_the_model_that_is_not_compiled(make_pair, make_images):
    from gan_keras import models

    generator, discriminator, _ = make_pair()
    raw = new_discriminator()
    with pytest.raises(ValueError, match=r"^discriminator: not compiled"):
        training.train(generator, raw, models.build_combined(generator, raw), make_images(10), steps=1, batch_size=5)
    noise = keras.Input((5,))
    combined = keras.Model(noise, discriminator(generator(noise)))
    with pytest.raises(ValueError, match=r"^combined: not compiled"):
        training.train(generator, discriminator, combined, make_images(10), steps=1, batch_size=5)

"""The watchdog judges windows and says each thing once; Watch keeps frames, curves and files."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from gan_keras import callbacks, watching
from gan_keras.gan import GAN


class Model:
    """What the watchdog looks at: an iteration, a latent size, and a generator that draws one of `modes` images."""

    latent_dim, image_shape = 3, (4, 4, 1)

    def __init__(self, modes=64):
        self.iteration, self.modes = np.zeros((), int), modes
        self.pictures = np.random.default_rng(0).uniform(-1, 1, (64, 4, 4, 1))

    def unconditional_generator(self, count):
        return self.generator

    def generator(self, noise, training):
        assert not training
        return ops.convert_to_tensor(self.pictures[np.arange(len(noise)) % self.modes])


class Number:
    def __init__(self):
        self.value = 0

    def numpy(self):
        return self.value


@pytest.fixture
def watch(make_images, capsys):
    """Run the watchdog over accuracies `(real, fake)`, one pair an iteration; return what it reported."""

    def run(accuracies, modes=64, steps_per_epoch=300, at_once=10, images=None):
        dog, model = callbacks.Watchdog(make_images(70, (4, 4, 1)) if images is None else images), Model(modes)
        model.iteration = Number()
        dog.set_model(model)
        dog.on_train_begin()
        for first in range(0, len(accuracies), steps_per_epoch):
            model.iteration.value = first
            dog.on_epoch_begin(first // steps_per_epoch)
            epoch = np.array(accuracies[first : first + steps_per_epoch], float)
            for last in range(at_once, len(epoch) + 1, at_once):
                model.iteration.value = first + last
                means = epoch[:last].mean(axis=0)
                dog.on_train_batch_end(last - 1, {"accuracy_real": means[0], "accuracy_fake": means[1]})
        assert capsys.readouterr().out.count("Iteration") == len(dog.reports)
        return dog.reports

    return run


HEALTHY = 90 * [(0.9, 0.9)] + 210 * [(1, 1)] + 300 * [(0.9, 0.2)] + 2400 * [(0.7, 0.75)]


def test_a_healthy_course_is_silent(watch):
    assert watch(HEALTHY) == []


@pytest.mark.parametrize("at_once", [1, 10, 50])
def test_a_discriminator_that_has_won_is_reported_once(watch, at_once):
    [(iteration, message)] = watch(900 * [(0.7, 0.75)] + 2100 * [(1.0, 0.995)], at_once=at_once)
    assert iteration == 1500
    assert "the discriminator has won" in message
    assert "100.0% of the real and 99.5%" in message


def test_the_first_window_does_not_count(watch):
    assert watch(500 * [(1, 1)] + 1000 * [(0.7, 0.7)]) == []


def test_one_sure_half_is_no_victory(watch):
    assert watch(3000 * [(1.0, 0.6)]) == []


@pytest.mark.parametrize("modes", [1, 5])
def test_a_collapsed_generator_is_reported_once(watch, modes):
    [(iteration, message)] = watch(HEALTHY, modes=modes)
    assert iteration == 1000
    assert "the generator has collapsed" in message


@pytest.mark.parametrize(("share", "reports"), [(0.4, 1), (0.6, 0)])
def test_alike_is_less_than_half_of_the_distance_between_real_images(watch, monkeypatch, rng, share, reports):
    real = rng.normal(size=(64, 4, 4, 1)).clip(-1, 1).astype("float32")
    monkeypatch.setattr(Model, "generator", lambda self, noise, training: ops.convert_to_tensor(share * real))
    assert len(watch(HEALTHY, images=real)) == reports


def test_both_are_reported(watch):
    assert len(watch(3000 * [(1, 1)], modes=1)) == 2


def test_what_it_needs_is_named():
    with pytest.raises(ValueError, match=r"^images: expected 4 axes"):
        callbacks.Watchdog(np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"^images: expected at least 2"):
        callbacks.Watchdog(np.zeros((1, 4, 4, 1)))


def test_images_that_are_not_finite_are_left_to_stop_on_nan(watch, monkeypatch):
    monkeypatch.setattr(Model, "generator", lambda self, noise, training: ops.full((64, 4, 4, 1), np.nan))
    assert watch(HEALTHY) == []


@pytest.fixture
def fit(make_pair, make_images):
    """Train a small GAN with callbacks for a number of steps."""

    def run(*callbacks, steps=20, epochs=1, at_once=5):
        gan = GAN(*make_pair()[:2], seed=1)
        gan.compile(steps_per_execution=at_once)
        history = gan.fit(make_images(40), 4, epochs, steps, callbacks=list(callbacks), verbose=0).history
        return gan, history

    return run


@pytest.mark.parametrize("at_once", [1, 4, 10])
def test_watch_keeps_frames_and_a_curve_with_a_value_for_each_iteration(fit, at_once):
    watch = callbacks.GANMonitor(every=10)
    gan, history = fit(watch, steps=20, epochs=2, at_once=at_once)
    iterations = [iteration for iteration, _ in watch.frames]
    assert iterations[0] == 0
    assert iterations[-1] == 40
    assert all(0 <= found - 10 * i < at_once for i, found in enumerate(iterations))
    noise = watching.fixed_noise(gan.latent_dim)
    np.testing.assert_allclose(watch.frames[-1][1], gan.generator(noise), atol=1e-6)
    for name, values in watch.history.items():
        assert len(values) == 40
        np.testing.assert_allclose(np.mean(np.reshape(values, (2, 20)), 1), history[name], rtol=1e-4, err_msg=name)


def test_watch_counts_right_where_a_dataset_ends_between_two_calls(make_pair, make_images):
    gan, watch = GAN(*make_pair()[:2]), callbacks.GANMonitor(every=10)
    gan.compile(steps_per_execution=8)
    data = tf.data.Dataset.from_tensor_slices(make_images(40)).batch(4)  # 10 batches: a call of 8 and one of 2
    history = gan.fit(data, epochs=2, callbacks=watch, verbose=0).history
    assert int(gan.iteration) == len(watch.history["d_loss"]) == 20
    np.testing.assert_allclose(np.mean(np.reshape(watch.history["d_loss"], (2, 10)), 1), history["d_loss"], rtol=1e-4)


def test_watch_goes_on_in_a_second_call_of_fit(make_pair, make_images):
    gan, watch = GAN(*make_pair()[:2]), callbacks.GANMonitor(every=5)
    gan.compile(steps_per_execution=5)
    for _ in range(2):
        gan.fit(make_images(40), batch_size=4, verbose=0, callbacks=watch)
    assert [iteration for iteration, _ in watch.frames] == [0, 5, 10, 15, 20]
    assert len(watch.history["g_loss"]) == 20


def test_watch_of_a_training_that_goes_on_from_a_checkpoint_counts_from_there(make_pair, make_images, tmp_path):
    for epochs, expected in ((1, [0, 5, 10]), (3, [10, 15, 20, 25, 30]), (3, [30])):
        gan, watch = GAN(*make_pair()[:2]), callbacks.GANMonitor(every=5, folder=tmp_path / "grids")
        gan.compile(steps_per_execution=5)
        going_on = [callbacks.Resume(tmp_path / "checkpoint"), watch]
        gan.fit(make_images(40), batch_size=4, epochs=epochs, verbose=0, callbacks=going_on)
        assert [iteration for iteration, _ in watch.frames] == expected
        assert watch.monitor.steps == (10 * epochs if len(expected) > 1 else None)
    assert len(list((tmp_path / "grids").iterdir())) == 7


def test_watch_writes_files_and_for_tensorboard(fit, tmp_path):
    fit(callbacks.GANMonitor(every=10, folder=tmp_path / "grids", log_dir=tmp_path / "board"))
    names = [f"iteration_{i:05d}.png" for i in (0, 10, 20)]
    assert sorted(path.name for path in (tmp_path / "grids").iterdir()) == names
    [events] = (tmp_path / "board").glob("*tfevents*")
    assert events.read_bytes().count(b"samples") >= 3
    assert events.read_bytes().count(b"\x89PNG") == 3


def test_watch_says_at_once_that_it_cannot_write(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot write to the folder"):
        callbacks.GANMonitor(log_dir=tmp_path / "file" / "board")


@pytest.mark.long
def test_memory_stays_flat(make_pair, make_images):
    """50,000 iterations; what the first 10,000 needed is warm-up."""
    psutil = pytest.importorskip("psutil")
    gan, images = GAN(*make_pair()[:2]), make_images(64)
    gan.compile()
    watched = [callbacks.GANMonitor(every=5000), callbacks.Watchdog(images)]
    used = []
    for _ in range(5):
        gan.fit(images, batch_size=4, steps_per_epoch=10_000, callbacks=watched, verbose=0)
        used.append(psutil.Process().memory_info().rss / 2**20)
    assert int(gan.iteration) == 50_000
    assert used[-1] - used[0] < 60

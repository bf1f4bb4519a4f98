"""The watchdog judges windows, is silent while all is well, and says each thing once."""

import numpy as np
import pytest
from keras import ops

from gan_keras import callbacks


class Model:
    """What the watchdog looks at: an iteration, a latent size, and a generator that draws one of `modes` images."""

    latent_dim = 3

    def __init__(self, modes=64):
        self.iteration, self.modes = np.zeros((), int), modes
        self.pictures = np.random.default_rng(0).uniform(-1, 1, (64, 4, 4, 1))

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

    def run(accuracies, modes=64, steps_per_epoch=300, at_once=10):
        dog, model = callbacks.Watchdog(make_images(70, (4, 4, 1))), Model(modes)
        model.iteration = Number()
        dog.set_model(model)
        dog.on_train_begin()
        for first in range(0, len(accuracies), steps_per_epoch):
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


def test_both_are_reported(watch):
    assert len(watch(3000 * [(1, 1)], modes=1)) == 2


def test_what_it_needs_is_named():
    with pytest.raises(ValueError, match=r"^images: expected 4 axes"):
        callbacks.Watchdog(np.zeros((3, 4)))

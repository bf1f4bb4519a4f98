"""A training that is killed and started again ends as if it had never stopped; what goes wrong is said."""

import errno
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from helpers import assert_same
from keras import ops

from gan_keras import losses
from gan_keras._plumbing import checkpoints
from gan_keras._plumbing.checkpoints import Resume, StopOnNaN, training_state
from gan_keras.gan import GAN

ROOT = pathlib.Path(__file__).resolve().parent.parent

TRAIN = """
import os, sys, time
folder, hang_in_write = sys.argv[1], int(sys.argv[2])
import keras, numpy as np
from gan_keras import models
from gan_keras._plumbing.checkpoints import Resume, training_state
from gan_keras.gan import GAN

keras.utils.set_random_seed(1)
images = np.random.default_rng(0).uniform(-1, 1, (96, 6, 6, 1)).astype("float32")
gan = GAN(models.build_generator(9, (6, 6, 1)), models.build_discriminator((6, 6, 1)), seed=4)
gan.compile()
fsync, calls = os.fsync, []
def fsync_or_hang(number):
    calls.append(number)
    if len(calls) == hang_in_write:
        os.ftruncate(number, os.fstat(number).st_size // 2)
        print("writing", flush=True)
        time.sleep(600)
    fsync(number)
os.fsync = fsync_or_hang
tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print("epoch", epoch, flush=True))
callbacks = [Resume(folder + "/gan"), tell]
history = gan.fit(images, batch_size=16, epochs=40, steps_per_epoch=20, callbacks=callbacks, verbose=0)
assert history.epoch == list(range(40))
np.savez(folder + "/end.npz", *[v.numpy() for v in training_state(gan)], **history.history)
"""


def start(folder, hang_in_write=0):
    command = [sys.executable, "-c", TRAIN, str(folder), str(hang_in_write)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def lines_until(process, wanted):
    for line in process.stdout:
        if line.startswith(wanted):
            return line
    raise AssertionError(f"the process ended without {wanted!r}")


@pytest.mark.long
def test_killed_five_times_is_never_stopped(tmp_path):
    (tmp_path / "whole").mkdir()
    whole, folder, rng = start(tmp_path / "whole"), tmp_path / "killed", random.Random(0)
    folder.mkdir()
    reached = []
    for kill in range(5):
        hang_in_write = 4 if kill == 2 else 0
        process = start(folder, hang_in_write)
        lines_until(process, "writing" if hang_in_write else "epoch")
        if not hang_in_write:
            time.sleep(rng.uniform(0, 0.3))
        process.kill()
        assert process.wait() != 0
        if hang_in_write:
            assert (folder / "gan.npz.part").exists()
        with np.load(folder / "gan.npz") as checkpoint:
            reached.append(len(json.loads(str(checkpoint["notes"]))["logs"]))
    assert reached == sorted(reached)
    assert 0 < reached[0] < reached[-1] < 40
    assert start(folder).wait() == 0
    assert whole.wait() == 0
    with np.load(tmp_path / "whole" / "end.npz") as wanted, np.load(folder / "end.npz") as got:
        assert len(wanted.files) > 60
        assert set(wanted.files) == set(got.files)
        for name in wanted.files:
            np.testing.assert_array_equal(got[name], wanted[name])


@pytest.fixture
def images(make_images):
    return make_images(20)


def state(gan):
    return [variable.numpy() for variable in training_state(gan)]


class Stop(keras.callbacks.Callback):
    """Ends a fit with an error in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch:
            raise InterruptedError


@pytest.mark.parametrize("options", [{}, {"d_steps": 2, "d_optimizer": "rmsprop", "g_optimizer": "sgd"}])
def test_every_second_epoch_is_kept_and_the_history_is_whole(make_gan, images, tmp_path, options):
    how = {"batch_size": 4, "steps_per_epoch": 3, "epochs": 5, "verbose": 0}
    pair = {"dropout": 0.3}
    whole = make_gan(pair=pair, **options)
    history = whole.fit(images, **how)
    with pytest.raises(InterruptedError):
        make_gan(pair=pair, **options).fit(images, **how, callbacks=[Resume(tmp_path / "gan", every=2), Stop(3)])
    resumed = make_gan(pair=pair, **options)
    again = resumed.fit(images, **how, callbacks=[Resume(tmp_path / "gan", every=2)])
    assert_same(state(resumed), state(whole))
    assert again.history == history.history
    assert again.epoch == [0, 1, 2, 3, 4]
    assert len(state(whole)) > 20


def test_a_finished_training_comes_back_finished(make_gan, images, tmp_path, capsys):
    first, second = make_gan(), make_gan()
    one = first.fit(images, batch_size=4, epochs=2, callbacks=[Resume(tmp_path / "a" / "gan")], verbose=0)
    two = second.fit(images, batch_size=4, epochs=2, callbacks=[Resume(tmp_path / "a" / "gan")], verbose=0)
    assert_same(state(first), state(second))
    assert one.history == two.history
    assert "Going on after epoch 2" in capsys.readouterr().out
    second.fit(images, batch_size=4, epochs=3, callbacks=[Resume(tmp_path / "a" / "gan")], verbose=0)
    assert int(second.iteration.numpy()) == 15


@pytest.mark.parametrize("name", ["batch_size", "steps_per_epoch", "images", "seed"])
def test_another_training_than_the_checkpoints_is_named(make_gan, images, tmp_path, name):
    how = {"batch_size": 4, "steps_per_epoch": 2, "verbose": 0}
    make_gan().fit(images, **how, callbacks=[Resume(tmp_path / "gan")])
    gan = make_gan()
    before = state(gan)
    if name == "images":
        images = images[:-1]
    elif name == "seed":
        gan.seed = 6
    else:
        how[name] += 1
    with pytest.raises(ValueError, match=rf"^{name}: the checkpoint .* delete it to start anew"):
        gan.fit(images, **how, callbacks=[Resume(tmp_path / "gan")])
    assert_same(before, state(gan))


@pytest.mark.parametrize(
    ("options", "name"), [({"g_optimizer": "sgd"}, "g_optimizer"), ({"pair": {"dropout": 0.5}}, "path")]
)
def test_a_checkpoint_of_other_networks_or_optimizers_is_named(make_gan, images, tmp_path, options, name):
    make_gan().fit(images, batch_size=4, callbacks=[Resume(tmp_path / "gan")], verbose=0)
    with pytest.raises(
        ValueError, match=rf"^{name}: the checkpoint .* is of (other networks|a training with FusedAdam)"
    ):
        make_gan(**options).fit(images, batch_size=4, callbacks=[Resume(tmp_path / "gan")], verbose=0)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty", "other"])
def test_a_damaged_checkpoint_is_named(make_gan, images, tmp_path, damage):
    path = tmp_path / "gan.npz"
    make_gan().fit(images, batch_size=4, callbacks=[Resume(path)], verbose=0)
    whole = path.read_bytes()
    middle = len(whole) // 2
    if damage == "other":
        np.savez(path, a=np.zeros(3))
    else:
        flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        path.write_bytes({"cut": whole[:middle], "flipped": flipped, "text": b"hello", "empty": b""}[damage])
    gan = make_gan()
    before = state(gan)
    with pytest.raises(
        ValueError, match=r"^path: .*gan\.npz is damaged or no checkpoint .*; delete it, or get it again"
    ):
        gan.fit(images, batch_size=4, callbacks=[Resume(path)], verbose=0)
    assert_same(before, state(gan))


@pytest.mark.parametrize("option", [{"loss": losses.MINIMAX}, {"d_steps": 2}])
def test_a_checkpoint_of_another_game_is_named(make_gan, images, tmp_path, option):
    make_gan().fit(images, batch_size=4, callbacks=[Resume(tmp_path / "gan")], steps_per_epoch=2, verbose=0)
    with pytest.raises(ValueError, match=rf"^{min(option)}: the checkpoint .* delete it to start anew"):
        make_gan(**option).fit(images, batch_size=4, callbacks=[Resume(tmp_path / "gan")], steps_per_epoch=2, verbose=0)


def test_names_with_dots_are_names_of_their_own(tmp_path):
    assert Resume(tmp_path / "rate_0.1").path.name == "rate_0.1.npz"
    assert Resume(tmp_path / "rate_0.2.npz").path.name == "rate_0.2.npz"


def test_early_stopping_leaves_a_checkpoint_between_two_that_are_due(make_gan, images, tmp_path):
    class Enough(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    gan = make_gan()
    gan.fit(images, batch_size=4, epochs=9, callbacks=[Enough(), Resume(tmp_path / "gan", every=5)], verbose=0)
    again = make_gan()
    assert Resume(tmp_path / "gan").restore(again) == 3
    assert_same(state(again), state(gan))


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_last_checkpoint(make_gan, images, tmp_path, monkeypatch):
    path = tmp_path / "gan.npz"
    make_gan().fit(images, batch_size=4, callbacks=[Resume(path)], verbose=0)
    good = path.read_bytes()

    def write_some_then_fail(file, *_, **__):
        file.write(b"x" * 1000)
        full()

    monkeypatch.setattr(checkpoints.np, "savez", write_some_then_fail)
    with pytest.raises(
        OSError, match=r"^cannot write the checkpoint .*No space left on device\); the one before it is intact"
    ):
        make_gan().fit(images, batch_size=4, epochs=2, callbacks=[Resume(path)], verbose=0)
    assert path.read_bytes() == good
    assert os.listdir(tmp_path) == ["gan.npz"]


def test_a_full_disk_for_real(make_gan, images, tmp_path):
    resource = pytest.importorskip("resource")
    import signal

    path, gan = tmp_path / "gan.npz", make_gan()
    gan.fit(images, batch_size=4, callbacks=[Resume(path)], verbose=0)
    good, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match=r"^cannot write the checkpoint .*; the one before it is intact"):
            make_gan().fit(images, batch_size=4, epochs=2, callbacks=[Resume(path)], verbose=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == good


def test_where_to_start_is_said_once(make_gan, images, tmp_path):
    with pytest.raises(ValueError, match=r"^initial_epoch: Resume knows where to go on"):
        make_gan().fit(images, batch_size=4, epochs=3, initial_epoch=1, callbacks=[Resume(tmp_path / "gan")])


def test_an_unwritable_folder_is_said_before_training(make_gan, images, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    gan = make_gan()
    with pytest.raises(OSError, match=r"^cannot write the checkpoint .*file.gan\.npz .*there is none before it"):
        gan.fit(images, batch_size=4, callbacks=[Resume(tmp_path / "file" / "gan")], verbose=0)
    assert int(gan.iteration.numpy()) == 0


class Poisoned(GAN):
    """A GAN whose noise is NaN in one iteration."""

    at = None

    def sample_noise(self, batch):
        return super().sample_noise(batch) * ops.where(self.iteration == self.at - 1, np.nan, 1.0)


@pytest.mark.parametrize("steps_per_execution", [1, 3])
@pytest.mark.parametrize("at", [2, 7, 12])
def test_nan_stops_and_says_where_and_keeps_the_last_finite_weights(make_gan, images, capsys, at, steps_per_execution):
    gan = make_gan(Poisoned, steps_per_execution=steps_per_execution)
    gan.at = at
    how = {"batch_size": 4, "steps_per_epoch": 12, "verbose": 0}
    history = gan.fit(images, **how, epochs=3, callbacks=[StopOnNaN(every=1)])
    assert re.findall(r"Iteration (\d+): ", capsys.readouterr().out) == [str(at)]  # the user's own speaks alone
    assert all(np.isfinite(array).all() for array in state(gan))
    assert len(history.epoch) == 1
    kept_at = int(gan.iteration.numpy())
    assert kept_at == (at - 1) // steps_per_execution * steps_per_execution
    untroubled = make_gan(Poisoned, steps_per_execution=steps_per_execution)
    untroubled.at = 99
    if kept_at:
        untroubled.fit(images, **how | {"steps_per_epoch": kept_at})
    assert_same(state(untroubled), state(gan))


def test_infinity_stops_too_and_the_checkpoint_stays_finite(make_gan, images, tmp_path, capsys):
    wild = losses.NON_SATURATING._replace(generator=lambda v: v * 1e38 * 1e38)
    gan = make_gan(loss=wild)
    gan.fit(images, batch_size=4, epochs=3, callbacks=[Resume(tmp_path / "gan")], verbose=0)
    said = capsys.readouterr().out
    assert re.search(
        r"Iteration 1: (d_loss is nan, )?g_loss is (inf|nan)\. Training stops; .* those after iteration 0\.",
        said,
    )
    with np.load(tmp_path / "gan.npz") as file:
        assert all(np.isfinite(file[f"arr_{i}"]).all() for i in range(len(file.files) - 1))


def test_weights_that_are_not_finite_are_never_kept(make_gan):
    gan = make_gan()
    guard = StopOnNaN(every=1)
    guard.set_model(gan)
    guard.on_train_begin()
    kept = guard.kept
    gan.generator.weights[0].assign(np.full(gan.generator.weights[0].shape, np.inf))
    gan.iteration.assign(5)
    guard.on_train_batch_end(4, {"d_loss": 0.5})
    assert guard.kept is kept

"""Callbacks for `GAN.fit`: checkpoints to go on from after a stop, and guards that say when training went wrong."""

import contextlib
import json
import os
import pathlib
import zipfile

import keras
import numpy as np
import tensorflow as tf

from gan_keras import watching
from gan_keras.checks import check_images, check_number
from gan_keras.data import sample_noise


def training_state(gan):
    """All variables that training changes: both networks with their seeds, the noise's seed, both optimizers."""
    return gan.variables + gan.d_optimizer.variables + gan.g_optimizer.variables


class Resume(keras.callbacks.Callback):
    """Go on from the last checkpoint if there is one, and write one at the end of each epoch.

    Killed at any moment and started again with the same call of `GAN.fit` on the same array, training ends with the
    same weights, bit by bit, as if it had never stopped. The returned history is that of all epochs. What other
    callbacks remember (the best value of `EarlyStopping`) is not in the checkpoint; nor is the order of a
    `tf.data.Dataset` of your own.

    Args:
        path: file of the checkpoint. Delete it to start anew.
        every: write it every so many epochs, and after the last.

    Raises:
        OSError: the file cannot be written; the last checkpoint is intact.
        ValueError: the file is no checkpoint, is damaged, or belongs to another training.
    """

    def __init__(self, path, every=1):
        super().__init__()
        self.path = pathlib.Path(path).with_suffix(".npz")
        self.every = check_number(every, "every")
        self.settings, self.logs = {}, []

    def restore(self, gan, **settings):
        """Put the checkpoint's state into a compiled GAN (`GAN.fit` calls this).

        Args:
            gan: the GAN; with no checkpoint it stays as it is.
            settings: what must be the same before and after, such as `batch_size`.

        Returns:
            How many epochs are done.
        """
        self.settings, self.logs = settings, []
        if not self.path.exists():
            self.save(gan)  # to learn now, not after the first epoch, whether it can be written
            return 0
        notes, arrays = self.read()
        for name in settings:
            if settings[name] != notes["settings"].get(name):
                raise ValueError(
                    f"{name}: the checkpoint {self.path} is of a training with {notes['settings'].get(name)}, "
                    f"not {settings[name]}; delete it to start anew"
                )
        variables = training_state(gan)
        if [list(a.shape) for a in arrays] != [list(v.shape) for v in variables]:
            raise ValueError(f"path: the checkpoint {self.path} is of other networks or optimizers")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        self.logs = notes["logs"]
        print(f"Going on after epoch {len(self.logs)}, from the checkpoint {self.path.name}")
        return len(self.logs)

    def read(self):
        """The notes and the arrays of the checkpoint; the file's checksums are verified."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                notes = json.loads(str(file["notes"]))
                return notes, [file[f"arr_{i}"] for i in range(len(file.files) - 1)]
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"path: {self.path} is damaged or no checkpoint ({error}); delete it, or get it again"
            ) from None

    def save(self, gan):
        """Write the checkpoint beside the old one, force it to the disk, and only then put it in its place."""
        notes = json.dumps({"settings": self.settings, "logs": self.logs})
        arrays = [variable.numpy() for variable in training_state(gan)]
        part = self.path.with_suffix(".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as file:
                np.savez(file, *arrays, notes=notes)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise OSError(
                f"cannot write the checkpoint {self.path} ({error.strerror or error}); "
                + ("the one before it is intact" if self.path.exists() else "there is none before it")
            ) from error

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(list(logs.values())).all():
            return
        self.logs.append(logs)
        if len(self.logs) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            self.save(self.model)

    def on_train_end(self, logs=None):
        history = self.model.history
        history.epoch = list(range(len(self.logs)))
        history.history = {name: [logs[name] for logs in self.logs] for name in (self.logs or [{}])[0]}


class StopOnNaN(keras.callbacks.Callback):
    """Stop when a loss is NaN or infinite, say in which iteration, and keep the last finite weights.

    `GAN.fit` always adds it.

    Args:
        every: keep a copy of the weights every so many iterations.
    """

    def __init__(self, every=200):
        super().__init__()
        self.every = check_number(every, "every")

    def keep(self):
        """Copy the state of training, if it is finite."""
        state = [variable.numpy() for variable in training_state(self.model)]
        if all(np.isfinite(array).all() for array in state):
            self.kept, self.kept_at = state, int(self.model.iteration.numpy())

    def on_train_begin(self, logs=None):
        self.kept, self.kept_at = None, 0
        self.keep()

    def on_train_batch_end(self, batch, logs=None):
        iteration = int(self.model.iteration.numpy())  # counts only iterations with finite losses
        bad = [f"{name} is {value:.2g}" for name, value in logs.items() if not np.isfinite(value) and name != "loss"]
        if bad:
            print(f"\nIteration {iteration + 1:,}: {', '.join(bad)}. Training stops", end="")
            if self.kept is not None:
                for variable, array in zip(training_state(self.model), self.kept, strict=True):
                    variable.assign(array)
                print(f"; the weights are those after iteration {self.kept_at:,}", end="")
            print(".")
            self.model.stop_training = True
        elif iteration - self.kept_at >= self.every:
            self.keep()


class Windows(keras.callbacks.Callback):
    """Turns Keras's running means over an epoch into means over the iterations since the last call."""

    def on_epoch_begin(self, epoch, logs=None):
        self.seen, self.sums = 0, {}

    def since_last(self, batch, logs):
        """`(count, means)`: how many iterations, and each log's mean over them."""
        sums = {name: (batch + 1) * float(value) for name, value in logs.items()}
        count = batch + 1 - self.seen
        means = {name: (total - self.sums.get(name, 0.0)) / count for name, total in sums.items()}
        self.seen, self.sums = batch + 1, sums
        return count, means


class Watch(Windows):
    """Watch `GAN.fit`: a live picture of the same latent points and the curves, and every few iterations a frame.

    Args:
        every: keep a frame at least every so many iterations.
        folder: where to save each frame's grid as a PNG; None saves nothing.
        log_dir: where to write each frame for TensorBoard, beside the losses of `keras.callbacks.TensorBoard`.
        noise: the latent points `(N, latent_dim)`; by default `watching.fixed_noise()`.

    Attributes:
        frames: list of `(iteration, images)`, for `watching.rows_of_frames` and `watching.animation`.
        history: a dict of lists with a value for each iteration, the means between two calls; for
            `watching.plot_history`.

    Raises:
        OSError: if a folder cannot be written.
    """

    def __init__(self, every=200, folder=None, log_dir=None, noise=None):
        super().__init__()
        self.options = {"every": check_number(every, "every"), "folder": folder, "noise": noise}
        self.log_dir = None if log_dir is None else watching.writable_folder(log_dir)
        self.watcher, self.history = None, {}

    @property
    def frames(self):
        return [] if self.watcher is None else self.watcher.frames

    def on_train_begin(self, logs=None):
        if self.watcher is None:
            self.watcher = watching.Watcher(self.model.generator, **self.options)
            self.writer = None if self.log_dir is None else tf.summary.create_file_writer(str(self.log_dir))
            self.write()
        self.watcher.steps = None
        if self.params["steps"]:
            self.watcher.steps = self.params["steps"] * self.params["epochs"]

    def on_train_batch_end(self, batch, logs=None):
        count, means = self.since_last(batch, logs)
        for name, value in means.items():
            self.history.setdefault(name, []).extend([value] * count)
        before = len(self.frames)
        self.watcher(self.history)
        if len(self.frames) > before:
            self.write()

    def on_train_end(self, logs=None):
        self.watcher(self.history, end=True)

    def write(self):
        """The newest frame to TensorBoard."""
        if self.writer is not None:
            iteration, images = self.frames[-1]
            sheet = watching.grid(images)
            with self.writer.as_default(step=iteration):
                tf.summary.image("samples", sheet.reshape(1, *sheet.shape[:2], -1))
            self.writer.flush()


class Watchdog(Windows):
    """Say once, as it happens, that the discriminator has won or that the generator has collapsed.

    It judges means over windows of iterations, the first of which it leaves out: a healthy training of the
    `counterfeiter` recipe passes through accuracies of 1.00 on both kinds of images before iteration 500.

    Args:
        images: real images `(N, height, width, channels)` in [-1, 1], to know how different images should be.
        window: how many iterations are judged together.

    Attributes:
        reports: list of `(iteration, message)`.
    """

    def __init__(self, images, window=500):
        super().__init__()
        images = check_images(images)
        self.window = check_number(window, "window")
        self.apart = nearest_neighbour(images[:: max(1, len(images) // 64)][:64])
        self.reports, self.said = [], set()

    def on_train_begin(self, logs=None):
        self.noise = sample_noise(64, self.model.latent_dim, seed=2014)
        self.right, self.steps = np.zeros(2), 0

    def on_train_batch_end(self, batch, logs=None):
        count, means = self.since_last(batch, logs)
        self.right += count * np.array([means["accuracy_real"], means["accuracy_fake"]])
        self.steps += count
        if self.steps >= self.window:
            if self.model.iteration.numpy() > self.steps:
                self.judge(*(self.right / self.steps))
            self.right, self.steps = np.zeros(2), 0

    def judge(self, accuracy_real, accuracy_fake):
        """Judge a window by D's mean accuracies in it and by samples of G at its end."""
        if min(accuracy_real, accuracy_fake) > 0.92:
            self.say(
                f"the discriminator has won: in the last {self.steps:,} iterations it was right about "
                f"{accuracy_real:.1%} of the real and {accuracy_fake:.1%} of the generated images, "
                "so the generator hardly learns. Slow the discriminator down, or start again with another seed"
            )
        alike = nearest_neighbour(np.asarray(self.model.generator(self.noise, training=False)))
        if alike < 0.45 * self.apart:
            self.say(
                "the generator has collapsed: its images are too alike. From one to the one most like it the distance "
                f"is {alike:.2g}; between real images it is {self.apart:.2g}. Slow the generator down, or start again"
            )

    def say(self, message):
        """Report a message of this kind, if it is the first."""
        kind, iteration = message.split(":")[0], int(self.model.iteration.numpy())
        if kind not in self.said:
            self.said.add(kind)
            self.reports.append((iteration, message))
            print(f"\nIteration {iteration:,}: {message}.")


def nearest_neighbour(images):
    """The median over images of the Euclidean distance to the most similar other one."""
    flat = np.reshape(images, (len(images), -1)).astype("float64")
    distances = np.sqrt(np.square(flat[:, None] - flat[None]).sum(-1))
    np.fill_diagonal(distances, np.inf)
    return float(np.median(distances.min(axis=1)))

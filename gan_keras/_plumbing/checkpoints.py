"""Checkpoints of `GAN.fit`: to go on from after a stop, and to go back to when a loss is not finite."""

import contextlib
import json
import os
import pathlib
import zipfile

import keras
import numpy as np

from gan_keras._plumbing.checks import check_number
from gan_keras._plumbing.saving import training_state


def writes_files(gan):
    """Whether files are this process's business: True, but for the second and further workers of `tf.distribute`."""
    return gan.distribute_strategy.extended.should_checkpoint


class Resume(keras.callbacks.Callback):
    """Go on from the last checkpoint if there is one, and write one at the end of each epoch.

    Killed at any moment and started again with the same call of `GAN.fit` on the same array, training ends with the
    same weights, bit by bit, as if it had never stopped. The returned history is that of all epochs. What other
    callbacks remember (the best value of `EarlyStopping`) is not in the checkpoint; nor is the order of a
    `tf.data.Dataset` of your own. The optimizers come back as they were, learning rates too. On a GPU the bits need
    `tf.config.experimental.enable_op_determinism()`.

    Where several workers train together (`tf.distribute`), the first one writes the file, and all read it.

    Args:
        path: file of the checkpoint. Delete it to start anew.
        every: write it every so many epochs, and after the last.

    Raises:
        OSError: the file cannot be written; the last checkpoint is intact.
        ValueError: the file is no checkpoint, is damaged, or belongs to another training.
    """

    def __init__(self, path, every=1):
        super().__init__()
        path = pathlib.Path(path)
        self.path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
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
            if writes_files(gan):
                self.save(gan)  # to learn now, not after the first epoch, whether it can be written
            return 0
        notes, arrays = self.read()
        for name in settings:
            if name in notes["settings"] and settings[name] != notes["settings"][name]:  # older ones noted less
                raise ValueError(
                    f"{name}: the checkpoint {self.path} is of a training with {notes['settings'][name]}, "
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
        part = self.path.with_name(self.path.name + ".part")
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
        if not logs or not np.isfinite(list(logs.values())).all():
            return
        self.logs.append(logs)
        if not writes_files(self.model):
            return
        if len(self.logs) % self.every == 0 or epoch + 1 == self.params["epochs"] or self.model.stop_training:
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

"""What `python -m gan_keras FOLDER` does: train for some minutes, show how it goes, and report."""

import contextlib
import functools
import json
import os
import sys
import time
import zlib

import keras
import numpy as np
from PIL import Image

from gan_keras import losses, models, watching
from gan_keras._plumbing.checkpoints import Resume
from gan_keras._plumbing.pictures import to_png, writable_folder
from gan_keras._plumbing.report import write_report
from gan_keras.gan import GAN, FusedAdam

STEPS = 50  # an epoch: what a stop may lose
LATENT_DIM = 100


def build(image_shape, seed):
    """The GAN that trains: relativistic pairs, R1 and R2 (Huang et al. 2024), augmentation, averaged weights."""
    keras.utils.set_random_seed(seed)
    gan = GAN(
        models.build_picture_generator(LATENT_DIM, image_shape),
        models.build_picture_discriminator(image_shape),
        seed=seed,
    )
    gan.compile(
        FusedAdam(1e-3, beta_1=0.0, beta_2=0.99),
        FusedAdam(1e-3, beta_1=0.0, beta_2=0.99, use_ema=True, ema_momentum=0.995),
        loss=losses.RELATIVISTIC,
        penalty=functools.partial(losses.r1_r2, weight=0.5),
        steps_per_execution=10,
    )
    return gan


def split(images, seed):
    """Pictures to train on, and those held out to see whether D learns the others by heart: one in ten."""
    held_out = min(200, len(images) // 10)
    order = np.random.default_rng(seed).permutation(len(images))
    return images[np.sort(order[held_out:])], images[np.sort(order[:held_out])]


@contextlib.contextmanager
def averaged_weights(gan):
    """Within it G has the averages of its weights, with which it draws better than with the newest ones."""
    newest = gan.generator.get_weights()
    if int(gan.iteration.numpy()):
        gan.g_optimizer.finalize_variable_values(gan.generator.trainable_variables)
    try:
        yield
    finally:
        gan.generator.set_weights(newest)


class Progress(keras.callbacks.Callback):
    """Draw, measure and keep what the report needs, say how far it is, and stop when the time is over.

    Args:
        train: pictures to train on.
        held_out: pictures that D never trains on; may be none.
        settings: those of the command line.
        state: what an earlier call has noted, or this call's `training` alone.

    Attributes:
        epochs: a dict for each epoch of all calls: its last iteration, the means of losses and accuracies, and D's mean
            logits on pictures that it trains on (`train`) and that are held out (`held_out`, or None), and how often
            it finds one of the former more real than one of the latter (`memory`).
    """

    def __init__(self, train, held_out, settings, state):
        super().__init__()
        self.train, self.held_out, self.settings = train[:200], held_out, settings
        self.training = state["training"]
        self.spent, self.epochs = state.get("seconds", 0.0), state.get("epochs", [])
        self.noise = watching.fixed_noise(LATENT_DIM, 64)
        self.clock, self.next_picture = None, 0.0  # no clock runs before the training
        self.frames = writable_folder(settings.out / "frames")

    def on_train_begin(self, logs=None):
        self.clock = time.monotonic()
        done = int(self.model.iteration.numpy())  # an epoch after the last checkpoint is trained again
        self.epochs = [epoch for epoch in self.epochs if epoch["iteration"] <= done]
        for frame in self.frames.glob("iteration_*.png"):
            if int(frame.stem.partition("_")[2]) > done:
                frame.unlink()
        self.draw()

    def on_train_batch_end(self, batch, logs=None):
        if self.seconds() >= 60 * self.settings.minutes:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        numbers = {name: round(float(value), 4) for name, value in logs.items()}
        self.epochs.append({"iteration": int(self.model.iteration.numpy())} | numbers | self.verdicts())
        self.note()
        self.say()
        if self.seconds() >= self.next_picture:
            self.draw()

    def on_train_end(self, logs=None):
        self.draw()
        self.note()
        if self.epochs:
            self.say(end=True)
        if sys.stdout.isatty():
            print()

    def seconds(self):
        """Seconds of training, those of earlier calls included."""
        return self.spent + (0.0 if self.clock is None else time.monotonic() - self.clock)

    def verdicts(self):
        """D's mean logits on both kinds of pictures, and how often it prefers one that it trains on."""
        known = np.ravel(self.model.discriminator(self.train, training=False))
        if not len(self.held_out):
            return {"train": float(known.mean()), "held_out": None, "memory": None}
        new = np.ravel(self.model.discriminator(self.held_out, training=False))
        memory = float(np.mean(known[:, None] > new))
        return {"train": float(known.mean()), "held_out": float(new.mean()), "memory": memory}

    def draw(self):
        """Write the grid, and a frame of the film; ever more seldom, so that it takes a few percent of the time."""
        start = time.monotonic()
        with averaged_weights(self.model):
            images = np.asarray(self.model.generator(self.noise, training=False))
        iteration = int(self.model.iteration.numpy())
        replace(self.settings.out / "grid.png", to_png(watching.grid(images)))
        replace(self.frames / f"iteration_{iteration:07d}.png", to_png(watching.grid(images[:25], scale=1)))
        self.next_picture = self.seconds() + max(2.0, self.seconds() / 60, 20 * (time.monotonic() - start))

    def note(self):
        """Write down what the next call needs to go on."""
        state = {"training": self.training, "seconds": self.seconds(), "epochs": self.epochs}
        replace(self.settings.out / "state.json", json.dumps(state).encode())

    def say(self, end=False):
        """A line of progress, written over where there is a terminal."""
        whole, newest = 60 * self.settings.minutes, self.epochs[-1]
        bar = "#" * round(20 * min(1.0, self.seconds() / whole))
        times = " of ".join(f"{int(s) // 60}:{int(s) % 60:02d}" for s in (self.seconds(), whole))
        losses_now = f"D's loss {newest['d_loss']:.2f}, G's {newest['g_loss']:.2f}"
        line = f"[{bar:20}] {times}, iteration {newest['iteration']:,}, {losses_now}"
        if sys.stdout.isatty():
            print(f"\r{line}", end="", flush=True)
        elif end or self.seconds() >= self.next_picture:
            print(line, flush=True)


def replace(path, content):
    """Write a file beside its old self, then put it in its place, so that a viewer never sees half of it."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def read_state(out, images, seed):
    """What an earlier call has noted; only what this call trains on where there is nothing that can be read.

    Raises:
        ValueError: if the folder holds another training.
    """
    count, height, width, _ = images.shape
    training = f"{count:,} pictures of {height} x {width} (checksum {zlib.crc32(images.tobytes()):08x}), seed {seed}"
    try:
        state = json.loads((out / "state.json").read_text(encoding="utf-8"))
        before = state["training"]
    except (OSError, ValueError, KeyError, TypeError):
        return {"training": training}
    if before != training:
        raise ValueError(
            f"--out: {out} holds a training on {before}, and this would be one on {training}; "
            "name another folder, or delete this one to start anew"
        )
    return state


def film(folder):
    """The frames as an animated PNG, at most 60 of them."""
    files = sorted(folder.glob("iteration_*.png"))
    files = files[:: -(-len(files) // 60)] if files else []
    return [Image.open(file).convert("RGB").quantize(128) for file in files]


def train(images, settings):
    """Train on pictures as the command line says, and write everything.

    Raises:
        ValueError: if there are too few pictures, or the folder's checkpoint is of another training.
        OSError: if the folder cannot be written.
        KeyboardInterrupt: after a stop, once everything is written as it is by then.
    """
    if len(images) < 2:
        raise ValueError("folder: expected at least 2 pictures (a hundred or more give something to look at), got 1")
    try:
        out = settings.out = writable_folder(settings.out)
    except OSError as error:
        raise OSError(str(error).replace("folder=...", "--out")) from None
    state = read_state(out, images, settings.seed)
    train_on, held_out = split(images, settings.seed)
    gan = build(images.shape[1:], settings.seed)
    progress = Progress(train_on, held_out, settings, state)
    if progress.spent >= 60 * settings.minutes:
        print(f"{settings.minutes:g} minutes are done; --minutes {2 * settings.minutes:g} would go on.")
    else:
        print(f"Watch {out / 'grid.png'} while it trains.", flush=True)
    try:
        gan.fit(
            train_on,
            batch_size=min(32, len(train_on)),
            steps_per_epoch=STEPS,
            epochs=10**6 if progress.spent < 60 * settings.minutes else 0,
            callbacks=[Resume(out / "checkpoint"), progress],
            verbose=0,
        )
    except KeyboardInterrupt:
        print("\nStopped; writing what there is (once more Ctrl-C leaves at once).", flush=True)
        finish(gan, progress, train_on, out)
        raise
    finish(gan, progress, train_on, out)


def finish(gan, progress, train_on, out):
    """Write the generator, the film and the report."""
    with averaged_weights(gan):
        gan.generator.save(out / "generator.keras")
        drawn = np.asarray(gan.generator(progress.noise, training=False))
    pages = film(progress.frames)
    if pages:
        pages[0].save(out / "film.png", save_all=True, append_images=pages[1:], duration=150, loop=0)
    write_report(out, drawn, train_on, progress)
    print(f"Done: {out / 'report.html'} shows it all; generator.keras, grid.png and film.png lie beside it.")

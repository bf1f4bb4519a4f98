"""Callbacks for `GAN.fit`: a live picture, a watchdog, the habits of tutorials, and those of `checkpoints`."""

import numpy as np

from gan_keras import watching
from gan_keras._plumbing.checkpoints import Resume, StopOnNaN
from gan_keras._plumbing.checks import check_images, check_number, fits
from gan_keras._plumbing.pictures import in_notebook, summary_writer, write_summaries
from gan_keras._plumbing.windows import WindowMeans
from gan_keras.data import sample_noise
from gan_keras.judging import neighbour_radii

__all__ = ["AsPublished", "Curves", "GANMonitor", "Resume", "StopOnNaN", "Watch", "Watchdog"]


class Curves(WindowMeans):
    """Keep the curves of `GAN.fit`.

    Attributes:
        history: a dict of lists with a value for each iteration, the means between two calls; for
            `watching.plot_history`.
    """

    def __init__(self):
        super().__init__()
        self.history = {}

    def on_train_batch_end(self, batch, logs=None):
        count, means = self.since_last(logs)
        for name, value in means.items():
            self.history.setdefault(name, []).extend([value] * count)


class GANMonitor(Curves):
    """Watch `GAN.fit`: a live picture of the same latent points and the curves, and every few iterations a frame.

    Args:
        every: keep a frame at least every so many iterations, and the last.
        folder: where to save each frame's grid as a PNG; None saves nothing.
        log_dir: where to write each frame for TensorBoard, beside the losses of `keras.callbacks.TensorBoard`.
        noise: the latent points `(N, latent_dim)`; by default `watching.fixed_noise()`.

    Attributes:
        frames: list of `(iteration, images)`, iterations as the GAN counts them, for `watching.rows_of_frames` and
            `watching.animation`.
        history: as `Curves`.

    Raises:
        OSError: if a folder cannot be written.
        ImportError: if there is a `log_dir` and TensorBoard is not installed.
    """

    def __init__(self, every=200, folder=None, log_dir=None, noise=None):
        super().__init__()
        self.options, self.noise = {"every": check_number(every, "every"), "folder": folder}, noise
        self.writer = None if log_dir is None else summary_writer(log_dir)
        self.monitor, self.watched = None, None

    @property
    def frames(self):
        return [] if self.monitor is None else self.monitor.frames

    def on_train_begin(self, logs=None):
        if self.watched is not self.model:  # another GAN begins anew
            self.watched, self.history = self.model, {}
            noise = watching.fixed_noise(self.model.latent_dim) if self.noise is None else self.noise
            before = int(self.model.iteration.numpy())
            generator = self.model.unconditional_generator(len(noise))
            self.monitor = watching.Monitor(generator, noise=noise, before=before, **self.options)
            self.write()
        self.monitor.steps = None

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        if self.params["steps"]:  # with a checkpoint put back, the first epoch may be any
            self.monitor.steps = self.start + self.params["steps"] * (self.params["epochs"] - epoch)

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self.look()

    def on_train_end(self, logs=None):
        self.look(end=True)

    def look(self, end=False):
        """Let the monitor draw and, if it has kept a frame, write it."""
        count = len(self.frames)
        self.monitor(self.history, end)
        if len(self.frames) > count:
            self.write()

    def write(self):
        """The newest frame to TensorBoard."""
        if self.writer is not None:
            iteration, images = self.frames[-1]
            write_summaries(self.writer, iteration, watching.grid(images), {})


Watch = GANMonitor  # its name up to version 0.1


class AsPublished(Curves):
    """Watch a training as the source of its recipe does, from the first iteration on.

    Args:
        recipe: a `recipes.Recipe`, whose `watch` says how.
        every: iterations between two looks.
        folder: where grids go, as `iteration_00400.png`, or the events for TensorBoard.

    Attributes:
        history: as `Curves`.

    Raises:
        OSError: if the folder cannot be written.
        ImportError: if events are wanted and TensorBoard is not installed.
    """

    def __init__(self, recipe, every, folder):
        super().__init__()
        self.recipe, self.every, self.folder, self.iteration = recipe, every, watching.writable_folder(folder), 0
        self.noise = watching.fixed_noise(recipe.latent_dim, recipe.watch.images)
        self.writer = summary_writer(folder) if recipe.watch.to == "tensorboard" else None

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        before, self.iteration = self.iteration, len(self.history.get("d_loss", []))
        if self.iteration // self.every > before // self.every:
            if self.recipe.watch.lines:
                d_loss, g_loss = self.losses().values()
                print(f"epoch {self.iteration // self.every}: D's loss {d_loss:.3f}, G's loss {g_loss:.3f}")
            else:
                self.draw()

    def on_train_end(self, logs=None):
        if self.recipe.watch.lines:
            self.draw()

    def losses(self):
        """Both players' mean losses since the look before."""
        return {name: np.mean(self.history[name][-self.every :]) for name in ("d_loss", "g_loss")}

    def draw(self):
        """A grid to a file, and to the page where the source has it there; or grid and losses to TensorBoard."""
        images = np.asarray(self.model.generator(self.noise, training=False))
        sheet = watching.grid(2 * images - 1 if self.recipe.output == "sigmoid" else images)
        if self.writer is None:
            picture = watching.show(sheet, self.folder / f"iteration_{self.iteration:05d}.png")
            if self.recipe.watch.to == "page" and in_notebook():
                from IPython.display import display

                display(picture)
        else:
            write_summaries(self.writer, self.iteration, sheet, self.losses())


class Watchdog(WindowMeans):
    """Say once, as it happens, that the discriminator has won or that the generator has collapsed.

    It judges means over windows of iterations, the first of which it leaves out: a healthy training of the
    `counterfeiter` recipe passes through accuracies of 1.00 on both kinds of images before iteration 500.

    Args:
        images: real images `(N, height, width, channels)` in [-1, 1], to know how different images should be.
        window: how many iterations are judged together.

    Attributes:
        reports: list of `(iteration, message)`.

    Raises:
        ValueError: if an argument is wrong, or there is only one image.
    """

    def __init__(self, images, window=500):
        super().__init__()
        images = check_images(images)
        if len(images) < 2:
            raise ValueError("images: expected at least 2, to see how different they are, got 1")
        self.window = check_number(window, "window")
        self.apart = median_nearest_distance(images[:: max(1, len(images) // 64)][:64])
        self.image_shape, self.watched = images.shape[1:], None

    def on_train_begin(self, logs=None):
        if not fits(self.image_shape, self.model.image_shape):
            raise ValueError(f"images: the GAN draws {self.model.image_shape}, but the watchdog got {self.image_shape}")
        if self.watched is not self.model:  # another GAN has said nothing yet
            self.watched, self.reports, self.said = self.model, [], set()
        self.noise = sample_noise(64, self.model.latent_dim, seed=2014)
        self.right, self.steps = np.zeros(2), 0

    def on_train_batch_end(self, batch, logs=None):
        count, means = self.since_last(logs)
        if not count:
            return
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
        alike = median_nearest_distance(np.asarray(self.model.unconditional_generator(64)(self.noise, training=False)))
        if alike < 0.5 * self.apart:
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


def median_nearest_distance(images):
    """The median over images of the Euclidean distance to the most similar other one; NaN if a pixel is not finite."""
    flat = np.reshape(images, (len(images), -1)).astype("float64")
    if not np.isfinite(flat).all():
        return float("nan")
    return float(np.median(np.sqrt(neighbour_radii(flat, k=1))))

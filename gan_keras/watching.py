"""Pictures of what happens while the networks train."""

import io
import math
import os
import pathlib
import time

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from gan_keras._plumbing.checks import check_images, check_noise, check_number, ends_in_sigmoid
from gan_keras._plumbing.pictures import few_colours, in_notebook, to_png, writable_folder
from gan_keras.data import sample_noise, to_pixels

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"  # Okabe and Ito's colours, told apart by colour-blind readers


def fixed_noise(latent_dim=100, count=25):
    """The latent points that are drawn again and again, the same in every notebook: `(count, latent_dim)` float32."""
    return sample_noise(count, latent_dim, seed=2014)


def grid(images, columns=None, scale=2, gap=2):
    """Lay images out in a grid.

    Args:
        images: floats `(N, height, width, 1 or 3)` in [-1, 1].
        columns: how many side by side; by default as near to a square as can be.
        scale: how many screen pixels a pixel takes, each way.
        gap: white pixels between images.

    Returns:
        A uint8 array `(height, width)` for one channel, else `(height, width, 3)`.

    Raises:
        ValueError: if the images are not such an array, or have 2 or more than 3 channels.
    """
    images = check_images(images)
    count, height, width, channels = images.shape
    if channels not in (1, 3):
        raise ValueError(f"images: expected 1 or 3 channels to draw, got {channels}")
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, "uint8")
    for i, image in enumerate(to_pixels(images)):
        y, x = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[y : y + height, x : x + width] = image
    sheet = sheet.repeat(scale, axis=0).repeat(scale, axis=1)
    return sheet[..., 0] if channels == 1 else sheet


def show(picture, path=None, width=None):
    """Turn a picture into PNG, to show as the last line of a cell and, if a path is given, to keep.

    Args:
        picture: a uint8 array (from `grid`), a matplotlib figure, or a PIL image.
        path: file to write as well.
        width: on screen, in pixels.

    Returns:
        An `IPython.display.Image`.
    """
    from IPython.display import Image as Shown

    png = to_png(picture)
    if path is not None:
        pathlib.Path(path).write_bytes(png)
    return Shown(data=png, width=width)


class Live:
    """One picture in a cell's output that is drawn anew in place, seldom enough not to slow the training down."""

    def __init__(self):
        self.handle, self.next = None, 0.0

    def due(self):
        """Whether it is time to draw again."""
        return in_notebook() and time.monotonic() >= self.next

    def show(self, picture):
        """Draw a picture (see `to_png`) where the last one was."""
        if not in_notebook():
            return
        from IPython.display import Image as Shown
        from IPython.display import display

        start = time.monotonic()
        shown = Shown(data=to_png(picture))
        if self.handle is None:
            self.handle = display(shown, display_id=True)
        else:
            self.handle.update(shown)
        now = time.monotonic()
        self.next = now + max(0.5, 20 * (now - start))


class Monitor:
    """Watch a training: a live picture of the same latent points and the curves, and every few iterations a frame.

    Pass it to `training.train(..., watch=monitor)`. In a notebook the picture changes in place; elsewhere, and
    where the environment variable GAN_KERAS_PROGRESS is set, each frame also prints a line.

    Args:
        generator: the network to sample from, in inference mode.
        steps: how many iterations there will be, for the progress.
        every: keep a frame every so many iterations, and the last; `frames` is the list of `(iteration, images)`.
        folder: where to save each frame's grid as a PNG named by its iteration; None saves nothing.
        noise: the latent points `(N, latent_dim)`; by default `fixed_noise()`.
        before: how many iterations the generator has behind it, those in the history not counted.

    Raises:
        OSError: if the folder cannot be written.
    """

    def __init__(self, generator, steps=None, every=200, folder=None, noise=None, before=0):
        self.generator, self.steps, self.every, self.before = generator, steps, check_number(every, "every"), before
        latent_dim = generator.input_shape[-1]
        self.noise = fixed_noise(latent_dim) if noise is None else check_noise(noise, latent_dim)
        self.from_zero = ends_in_sigmoid(generator)  # it draws in [0, 1]
        self.folder = None if folder is None else writable_folder(folder)
        self.live, self.frames, self.started = Live(), [], None
        self.keep_frame(before)

    def sample(self):
        """Images of the fixed latent points, now, in [-1, 1]."""
        images = np.asarray(self.generator(self.noise, training=False))  # `predict` would have each device draw them
        return np.clip(2 * images - 1 if self.from_zero else images, -1, 1)  # a linear end knows no bounds

    def keep_frame(self, iteration):
        """Keep (and save) the samples of this iteration."""
        images = self.sample()
        self.frames.append((iteration, images))
        if self.folder is not None:
            show(grid(images), self.folder / f"iteration_{iteration:05d}.png")

    def __call__(self, history, end=False):
        iteration = self.before + len(history.get("d_loss", []))
        if self.started is None:
            self.started = (time.monotonic(), iteration - 1)
        newest = self.frames[-1][0]
        every = 1 if end else self.every
        if iteration // every > newest // every:
            self.keep_frame(iteration)
            self.report(history, iteration)
        if end or self.live.due():
            self.live.show(self.picture(history, iteration))
        if end:  # the next training draws in its own cell, with its own clock
            self.live, self.started = Live(), None

    def report(self, history, iteration):
        """Print a line of progress where no picture is seen."""
        if in_notebook() and not os.environ.get("GAN_KERAS_PROGRESS"):
            return
        start, first = self.started
        spent = time.monotonic() - start
        left = ""
        if self.steps and self.steps >= iteration:
            left = f", {spent / (iteration - first) * (self.steps - iteration):.0f} s left"
        of = f" of {self.steps:,}" if left else ""
        losses = ", ".join(f"{name} {history[name][-1]:.3f}" for name in ("d_loss", "g_loss") if history.get(name))
        print(f"iteration {iteration:,}{of}: {losses}, {spent:.0f} s{left}", flush=True)

    def picture(self, history, iteration):
        """The samples beside the curves, as a PIL image."""
        figure = Figure(figsize=(9.6, 4.2), dpi=90)
        left, right = figure.subfigures(1, 2, width_ratios=[4.2, 5.4])
        axes = left.add_axes((0.02, 0.02, 0.96, 0.88))
        axes.imshow(grid(self.sample(), scale=1), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.axis("off")
        of = f" of {self.steps:,}" if self.steps and self.steps >= iteration else ""
        axes.set_title(f"iteration {iteration:,}{of}", fontsize=10)
        plot_history(history, right, self.before)
        return Image.open(io.BytesIO(to_png(figure))).convert("RGB").quantize(64, method=Image.Quantize.FASTOCTREE)


def plot_history(history, figure=None, before=0):
    """Draw the losses, with ln 2 dotted, above D's accuracy on real and on generated images.

    The axis of the losses fits the second half of the training, so that ln 2 can be read beside the first peak of G's
    loss; what is cut off is named.

    Args:
        history: the dict of lists that `training.train` returns.
        figure: a matplotlib figure to draw into; by default a new one.
        before: how many iterations went before the first of the history.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(7, 4.2), dpi=90) if figure is None else figure
    above, below = figure.subplots(
        2, sharex=True, gridspec_kw={"top": 0.95, "bottom": 0.12, "left": 0.11, "right": 0.94}
    )
    curves = (
        (above, "d_loss", "D's loss", BLUE, "-"),
        (above, "g_loss", "G's loss", ORANGE, "--"),
        (below, "accuracy_real", "on real images", BLUE, "-"),
        (below, "accuracy_fake", "on generated images", ORANGE, "--"),
    )
    losses = [np.asarray(history.get(name, []), dtype=float) for name in ("d_loss", "g_loss")]
    late = np.concatenate([values[len(values) // 2 :] for values in losses])
    late = late[np.isfinite(late)]
    limit = min(max(2.0, 1.5 * np.quantile(late, 0.95)), 8) if len(late) else 2
    cut = []
    for axes, name, label, colour, line in curves:
        values = np.asarray(history.get(name, []), dtype=float)
        if len(values):
            window = max(1, min(50, len(values) // 4))
            thin = slice(None, None, -(-len(values) // 5000))  # more points than pixels only cost time and memory
            iterations = before + np.arange(1, len(values) + 1)
            axes.plot(iterations[thin], values[thin], color=colour, alpha=0.18, linewidth=0.5)
            smooth = np.convolve(values, np.ones(window) / window, mode="valid")
            axes.plot(iterations[window - 1 :][thin], smooth[thin], line, color=colour, label=label, linewidth=1.6)
            axes.legend(loc="upper right" if axes is above else "lower right", fontsize=9, framealpha=0.9)
            highest = smooth[np.isfinite(smooth)].max(initial=0)
            if axes is above and highest > limit:
                cut.append(f"{label} up to {highest:.1f}")
    above.axhline(math.log(2), color="black", linewidth=1, linestyle=":")
    above.annotate("ln 2", (1.01, math.log(2)), xycoords=("axes fraction", "data"), fontsize=9, va="center")
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    above.text(0.12, 0.96, "\n".join(cut), transform=above.transAxes, fontsize=9, va="top", bbox=box)
    above.set_ylim(0, limit)
    below.set_ylim(-0.03, 1.03)
    above.set_ylabel("loss (nats)")
    below.set_ylabel("D's accuracy")
    below.set_xlabel("iteration")
    return figure


def rows_of_frames(frames, iterations, columns=10, scale=2):
    """Draw one row of samples for each of some iterations: the same latent points down each column.

    Args:
        frames: list of `(iteration, images)`, as in `Monitor.frames`.
        iterations: which of them to draw, top to bottom; those that were not reached are left out.
        columns: how many samples a row.
        scale: how many screen pixels a pixel takes, each way.

    Returns:
        A PIL image, each row with its iteration on the left.
    """
    kept = dict(frames)
    rows = {f"{i:,}": kept[i] for i in iterations if i in kept}
    if not rows:
        raise ValueError(f"iterations: none of {list(iterations)} is among the frames {sorted(kept)}")
    return labelled_rows(rows, columns, scale)


def labelled_rows(rows, columns=10, scale=2):
    """Draw one row of images for each name.

    Args:
        rows: dict from names to images, as `grid` takes them, top to bottom.
        columns: how many images a row.
        scale: how many screen pixels a pixel takes, each way.

    Returns:
        A PIL image, each row with its name on the left.
    """
    left = 16 + 8 * max(len(name) for name in rows)
    sheets = [captioned(grid(images[:columns], columns, scale), name, left) for name, images in rows.items()]
    sheet = Image.new(sheets[0].mode, (sheets[0].width, sum(row.height for row in sheets)), "white")
    for i, row in enumerate(sheets):
        sheet.paste(row, (0, i * row.height))
    return few_colours(sheet)


def animation(frames, scale=1, seconds=8.0):
    """Make an animated PNG of the frames, each with its iteration written below.

    Args:
        frames: list of `(iteration, images)`, as in `Monitor.frames`.
        scale: how many pixels a pixel takes, each way.
        seconds: how long it runs before it starts again.

    Returns:
        The bytes of the APNG file; browsers play it, `show(..., width=...)` shows it larger.
    """
    if not frames:
        raise ValueError("frames: expected at least one (iteration, images)")
    pages = [few_colours(captioned(grid(images, scale=scale), f"iteration {i:,}", below=14)) for i, images in frames]
    file = io.BytesIO()
    times = [int(1000 * seconds / len(pages))] * len(pages)
    times[-1] += 1500
    pages[0].save(file, format="png", save_all=True, append_images=pages[1:], duration=times, loop=0)
    return file.getvalue()


def captioned(sheet, caption, left=0, below=0):
    """A PIL image of a grid, with a caption to its left or below it."""
    sheet = Image.fromarray(sheet)
    page = Image.new(sheet.mode, (sheet.width + left, sheet.height + below), "white")
    page.paste(sheet, (left, 0))
    corner, anchor = ((left - 8, sheet.height // 2), "rm") if left else ((4, sheet.height + below // 2), "lm")
    font = ImageFont.load_default(14 if left else 11)
    ImageDraw.Draw(page).text(corner, caption, fill="black", anchor=anchor, font=font)
    return page


def runs_folder(name):
    """`images/runs/<name>` of the project, or of the current folder where the project is only installed.

    Raises:
        OSError: if the folder cannot be written.
    """
    root = pathlib.Path(__file__).resolve().parent.parent
    home = root if (root / "notebooks").is_dir() else pathlib.Path.cwd()
    return writable_folder(home / "images" / "runs" / name)

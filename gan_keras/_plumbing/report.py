"""The page on which `python -m gan_keras FOLDER` reports."""

import base64
import html

import numpy as np
from matplotlib.figure import Figure

from gan_keras import watching
from gan_keras._plumbing.pictures import to_png
from gan_keras.judging import nearest_neighbours, neighbour_radii

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
          color: #1a1a1a; background: #fff; }}
  img {{ max-width: 100%; image-rendering: pixelated; background: #fff; }}
  img.curves {{ image-rendering: auto; }}
  @media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #1a1a1a; }} a {{ color: #8cf; }} }}
</style>
<h1>{title}</h1>
<p>{summary}</p>
<h2>What the generator draws now</h2>
{grid}
<p>Each image comes from a latent point of its own. Whether it is new is asked below.</p>
<h2>How it came about</h2>
{film}
<h2>Losses, and D's verdicts</h2>
{curves}
<p>{gap}</p>
<h2>Memory, or invention?</h2>
{neighbours}
<p>Above, images that the generator drew; below each, the picture of yours that is most like it, pixel by pixel.
{memory}</p>
<h2>What to try next</h2>
<ul>
{advice}
</ul>
"""


def embedded(png, alternative, kind="grid"):
    """An `img` element that holds its own picture."""
    data = base64.b64encode(png).decode()
    return f'<img class="{kind}" alt="{html.escape(alternative)}" src="data:image/png;base64,{data}">'


def plot_epochs(epochs):
    """Losses above; below, D's mean logits on pictures that it trains on and on those held out."""
    figure = Figure(figsize=(7.5, 5.5), dpi=100)
    above, below = figure.subplots(2, sharex=True)
    x = [epoch["iteration"] for epoch in epochs]
    lines = (
        (above, "d_loss", "D's loss", watching.BLUE, "-"),
        (above, "g_loss", "G's loss", watching.ORANGE, "--"),
        (below, "train", "on pictures it trains on", watching.BLUE, "-"),
        (below, "held_out", "on pictures held out", watching.ORANGE, "--"),
    )
    for axes, name, label, colour, line in lines:
        values = [np.nan if epoch[name] is None else epoch[name] for epoch in epochs]
        if not np.isnan(values).all():
            axes.plot(x, values, line, color=colour, label=label)
            axes.legend(loc="upper right")
    above.set_ylabel("loss")
    below.set_ylabel("D's mean answer (logit)")
    below.set_xlabel("iteration")
    return figure


def memory_of(epochs):
    """How often D finds a training picture more real than one held out, over the last quarter; None without any."""
    shares = [epoch["memory"] for epoch in epochs if epoch["memory"] is not None]
    return float(np.mean(shares[-max(1, len(shares) // 4) :])) if shares else None


def advise(count, seconds, memory, copies):
    """Sentences on what to try next."""
    if count < 300:
        yield f"More pictures: {count:,} are few. From a few hundred of one kind on, this helps more than all else."
    if memory is not None and memory > 0.7:
        yield (
            "D tells the pictures that it trains on from others of the kind: it learns them by heart. "
            "Stop earlier, or add pictures; longer training will not help."
        )
    else:
        yield f"More time: --minutes {max(10, round(4 * seconds / 60))} goes on from here."
    if copies > 0.25:
        yield "Many images are nearly copies of yours. A generator that repeats its data needs more of it."
    yield "Pictures of one kind, alike in size and place on a plain ground, are the easiest to learn."
    yield "On a GPU, --size 64 is within reach; on a CPU a picture of twice the edge takes four times as long."
    yield "Notebook 15_your_own_pictures shows each part of this program, and how to change it."


def write_report(out, drawn, images, progress):
    """Write `report.html`, which needs no other file.

    Args:
        out: folder to write to.
        drawn: images that G drew, `(64, height, width, channels)`.
        images: the pictures that it was trained on.
        progress: the `Progress` of the training.
    """
    epochs, seconds = progress.epochs, progress.seconds()
    iterations = epochs[-1]["iteration"] if epochs else 0
    index, distance = nearest_neighbours(drawn, images)
    some = images[:5000]  # of more, the distances between all pairs take minutes
    apart = np.median(np.sqrt(neighbour_radii(some.reshape(len(some), -1), k=1)))
    copies = float(np.mean(distance < 0.5 * apart))
    pairs = watching.grid(np.concatenate([drawn[:8], images[index[:8]]]), columns=8, scale=2)
    memory = memory_of(epochs)
    said = "There were too few pictures to hold some out."
    if memory is not None:
        said = (
            "One picture in ten was held out. Where the two lines in the figure part, D knows its pictures by heart "
            "and no longer what they have in common. Towards the end D finds a picture that it trains on more real "
            f"than one held out in {memory:.0%} of all pairs; 50% would be no memory, give or take some with few."
        )
    name = progress.settings.folder.resolve().name
    page = PAGE.format(
        title=html.escape(f"A GAN of {name}"),
        summary=f"{len(images):,} pictures of {images.shape[1]} x {images.shape[2]}, {iterations:,} iterations, "
        f"{seconds / 60:.1f} minutes of training.",
        grid=embedded(to_png(watching.grid(drawn)), "64 images that the generator draws"),
        film=embedded((out / "film.png").read_bytes(), "the same latent points from the first iteration to the last"),
        curves=embedded(to_png(plot_epochs(epochs)), "losses, and D's answers, over the iterations", "curves"),
        gap=said,
        neighbours=embedded(to_png(pairs), "eight drawn images above the pictures most like them"),
        memory=f"A copy is nearer to its picture than half of what usually lies between a picture of yours and the one "
        f"most like it: by this measure {copies:.0%} of {len(drawn)} images are copies.",
        advice="\n".join(f"<li>{html.escape(line)}</li>" for line in advise(len(images), seconds, memory, copies)),
    )
    (out / "report.html").write_text(page, encoding="utf-8")

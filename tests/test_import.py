"""What the first cell of every notebook does, in a Python of its own."""

import json
import os
import pathlib
import subprocess
import sys

import gan_keras

ROOT = pathlib.Path(gan_keras.__file__).resolve().parent.parent


def python(code, **environment):
    """Run code in a new Python with the package's folder as the current one."""
    kept = {k: v for k, v in os.environ.items() if k not in ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL", "PYTHONWARNINGS")}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=300
    )


def test_import_prints_nothing_and_leaves_stderr_working():
    code = "import gan_keras, os; os.write(1, b'out'); os.write(2, b'err')"
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "out"
    assert done.stderr == "err"


def test_every_public_name_is_a_module_that_is_imported():
    for name in gan_keras.__all__:
        assert getattr(gan_keras, name).__name__ == f"gan_keras.{name}"


def test_another_backend_in_the_environment_is_refused_with_the_way_out():
    done = python("import gan_keras", KERAS_BACKEND="jax")
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("ImportError: gan_keras needs Keras on TensorFlow")
    assert "'jax'" in last
    assert "KERAS_BACKEND=tensorflow" in last


def test_another_backend_in_the_configuration_file_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    done = python("import gan_keras", KERAS_HOME=str(tmp_path))
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("ImportError: gan_keras needs Keras on TensorFlow")
    assert "keras.json" in last
    assert "KERAS_BACKEND=tensorflow" in last

"""What the first cell of every notebook does, in a Python of its own."""

import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import tomllib

import numpy as np
import pytest

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


@pytest.mark.long
def test_a_notebook_full_of_models_prints_no_advice_about_retracing():
    code = """
        import keras, numpy as np, gan_keras
        for _ in range(6):
            network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            network.compile("sgd", "mse", jit_compile=False)
            network.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
    """
    done = python(textwrap.dedent(code))
    assert done.returncode == 0, done.stderr
    assert "retracing" not in done.stderr


@pytest.mark.long
def test_the_readmes_lines_for_your_own_images_run_as_printed(tmp_path):
    """In a folder with a small `my_images.npy`, in colour, and twice: the second time there is nothing left to do."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (lines,) = [code for code in blocks if "my_images" in code]
    np.save(tmp_path / "my_images.npy", np.random.default_rng(0).integers(0, 256, (64, 8, 10, 3), "uint8"))
    for _ in range(2):
        done = python(f"import os\nos.chdir({str(tmp_path)!r})\n{lines}", PYTHONPATH=str(ROOT))
        assert done.returncode == 0, done.stderr
    assert "Going on after epoch 20" in done.stdout
    assert (tmp_path / "my_generator.keras").stat().st_size > 10_000
    first, last = sorted((tmp_path / "my_grids").iterdir())
    assert (first.name, last.name) == ("iteration_00000.png", "iteration_00040.png")
    assert first.read_bytes() != last.read_bytes()


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


def test_pins_agree():
    """What pyproject.toml asks for stands in the files of requirements, with the same bounds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = project["optional-dependencies"]["pictures"]
    for file, asked in (("requirements.txt", project["dependencies"]), ("requirements-pictures.txt", extra)):
        required = [line.split("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
        assert set(asked) <= set(required)


@pytest.mark.long
def test_what_is_held_back_is_passed_on_if_an_error_is_raised():
    code = """
        import contextlib, os, sys
        from gan_keras._plumbing.quiet import held_back_stderr
        with held_back_stderr():
            os.write(2, b"hidden ")
        with contextlib.suppress(RuntimeError), held_back_stderr():
            os.write(2, b"shown ")
            raise RuntimeError
        with held_back_stderr() as pass_on:
            os.write(2, b"asked for ")
            pass_on()
        os.write(2, b"after")
    """
    assert python(textwrap.dedent(code)).stderr == "shown asked for after"

"""Train the generator of the website's page that draws: `python tools/web_generator.py [STEPS]`.

It runs notebook 14's own cells, from the builders to the averaged weights, and writes docs/static/generator.onnx, the
trained generator as Keras exports it, and tests/web_generator.npz, some latent points and class vectors with Keras's
images of them, which tests/test_site.py compares with the page's. Set PYTHONPATH to the project's folder and
GAN_KERAS_MNIST to all of MNIST. Keras exports with two packages that nothing else here needs:
`pip install "tf2onnx==1.17.*" "onnx==1.23.*"`. With STEPS, fewer than the notebook's, it is a trial.
"""

import json
import pathlib
import sys

import numpy as np

from gan_keras.callbacks import Resume

ROOT = pathlib.Path(__file__).resolve().parent.parent
NETWORK = ROOT / "docs" / "static" / "generator.onnx"
IMAGES = ROOT / "tests" / "web_generator.npz"
CELLS = ["imports", "class-vectors", "build-conditional-generator", "draw", "build-conditional-discriminator"]
CELLS += ["fixed-labels", "conditional-gan", "build", "obeys", "gan", "averages"]


def train(steps=None):
    """The names that notebook 14 has after its training."""
    notebook = json.loads((ROOT / "notebooks" / "14_ask_for_a_digit.ipynb").read_text(encoding="utf-8"))
    code = {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"}
    # Instead of the live picture: what lets a training go on that was stopped
    names = {"every": np.arange(10), "WatchRows": lambda: Resume(ROOT / "build" / "web_generator")}
    for cell in CELLS:
        exec(compile(code[cell], cell, "exec"), names)
        if cell == "build" and steps:
            names["STEPS"] = steps
    return names


def main(steps=None):
    names = train(steps)
    generator = names["generator"]
    generator.export(str(NETWORK), format="onnx", verbose=False)
    noise = np.random.default_rng(14).standard_normal((20, 100)).astype("float32")
    vectors = np.tile(np.eye(10, dtype="float32"), (2, 1))
    vectors[10:] = (vectors[10:] + np.roll(vectors[10:], 5, axis=1)) / 2  # half one digit, half another
    np.savez_compressed(IMAGES, noise=noise, vectors=vectors, images=generator([noise, vectors]).numpy())
    print({path.name: path.stat().st_size for path in (NETWORK, IMAGES)})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""The website: tools/website.py, and what docs/static computes in the browser, here run by Node."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest
import website

ROOT = pathlib.Path(__file__).resolve().parent.parent
STATIC = ROOT / "docs" / "static"
NODE = shutil.which("node", path=os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".venv-docs" / "bin")]))
RUNTIME = ROOT / "docs" / "node_modules" / "onnxruntime-web" / "dist"
needs_node = pytest.mark.skipif(NODE is None, reason="no Node here; `make site` brings one")


def in_node(task, **given):
    """What tests/site_in_node.mjs makes of it."""
    command = [NODE, "tests/site_in_node.mjs", task, RUNTIME.as_uri() + "/"]
    done = subprocess.run(command, input=json.dumps(given), cwd=ROOT, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
@pytest.mark.skipif(not RUNTIME.exists(), reason="no onnxruntime-web here; `make site` installs it")
def test_the_page_draws_as_keras_does():
    """Keras's own images, stored by tools/web_generator.py beside the exported network."""
    keras = np.load(ROOT / "tests" / "web_generator.npz")
    drawn = in_node("draw", noise=keras["noise"].ravel().tolist(), vectors=keras["vectors"].ravel().tolist())
    assert keras["images"].std() > 0.3, "digits, not grey"
    assert np.abs(np.reshape(drawn, keras["images"].shape) - keras["images"]).max() < 1e-4


@needs_node
def test_the_game_is_notebook_01s():
    """Its own cells play three rounds in Keras; the page's game gets the same weights and numbers."""
    notebook = json.loads((ROOT / "notebooks" / "01_the_game.ipynb").read_text(encoding="utf-8"))
    code = {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"}
    names = {}
    exec("import keras", names)
    for cell in ("imports", "both-players", "settings", "police-learn", "counterfeiter-learns"):
        exec(code[cell], names)
    generator, discriminator = names["generator"], names["discriminator"]
    rng = np.random.default_rng(5)
    before = [weights.ravel().tolist() for weights in discriminator.get_weights()]
    rounds = [
        {name: rng.normal(size=(128, 1)).astype("float32") for name in ("real", "first", "second")} for _ in "123"
    ]
    for numbers in rounds:
        numbers["real"] += 4
        names["police_learn"](numbers["real"], generator(numbers["first"]))
        names["counterfeiter_learns"](numbers["second"])
    x = np.linspace(-4, 9, 50, dtype="float32")[:, None]
    wanted = [*discriminator.get_weights(), *generator.get_weights(), discriminator(x).numpy()]
    given = [{name: array.ravel().tolist() for name, array in numbers.items()} for numbers in rounds]
    found = in_node("game", discriminator=before, rounds=given, x=x.ravel().tolist())
    assert len(found) == len(wanted) == 9
    for ours, theirs in zip(found, wanted, strict=True):
        assert np.abs(np.array(ours) - theirs.ravel()).max() < 1e-5
    assert abs(found[6][0] - 1) + abs(found[7][0]) > 1e-3, "G has moved"


@needs_node
def test_the_game_moves_alone_and_latent_points_keep_their_length():
    places = [[0, 0], [90, 0], [-180, 30], [17, -90]]
    found = in_node("play", seed=1, rounds=100, places=places, x=[-4, 4])
    spread, centre = found["weights"]
    assert centre > 0.1
    assert spread != 1
    assert 0 < found["answers"][0] < found["answers"][1] < 1
    assert all(8 < length < 12 for length in found["lengths"])  # of 100 numbers with a spread of 1: about 10


def test_the_page_is_small():
    files = [path for path in STATIC.iterdir() if path.is_file()]
    assert (STATIC / "generator.onnx").stat().st_size < 2_000_000
    assert sum(path.stat().st_size for path in files) < 5_000_000


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return np.dot(
        [0.2126, 0.7152, 0.0722], [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    )


def test_colours_stand_out_in_both_themes():
    css = (STATIC / "site.css").read_text(encoding="utf-8")
    themes = dict(re.findall(r'html\[data-theme="(\w+)"\] \{(.+?)\}', css.split("/* The row")[0], re.S))
    assert set(themes) == {"light", "dark"}
    for text in themes.values():
        colours = dict(re.findall(r"--toy-(\w+): (#\w{6});", text))
        assert len(colours) == 7
        paper = luminance(colours.pop("paper"))
        for name, colour in colours.items():
            low, high = sorted([paper, luminance(colour)])
            assert (high + 0.05) / (low + 0.05) >= 4.5, name
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgb", css.split("/* The row")[1].replace("#pst", "")), (
        "all colours are named"
    )


def text(source):
    return {"cell_type": "markdown", "id": "text", "metadata": {}, "source": source}


def code(source, *tags, picture=False):
    outputs = [{"output_type": "display_data", "metadata": {}, "data": {"image/png": "AA=="}}] * picture
    return {"cell_type": "code", "id": "code", "metadata": {"tags": list(tags)}, "source": source, "outputs": outputs}


def test_a_notebooks_page():
    page = json.loads(website.notebook_page(ROOT / "notebooks" / "01_the_game.ipynb"))["cells"]
    opening = "".join(page[0]["source"])
    assert opening.startswith("# 01 · The game\n")
    assert opening.count("download/") == 2
    assert "(solutions/01_the_game.ipynb)" in opening
    assert "(../try.md#the-game-of-the-bell-curve)" in opening
    hidden = [cell["metadata"]["tags"] for cell in page if cell["metadata"].get("mystnb", {}).get("code_prompt_show")]
    assert hidden[0] == ["hide-cell"]
    assert hidden[1:] == [["hide-input"]] * len(hidden[1:])
    assert not any("# @title" in "".join(cell["source"]) for cell in page)
    solution = json.loads(website.notebook_page(ROOT / "notebooks" / "solutions" / "01_the_game.ipynb"))["cells"]
    assert "(../01_the_game.ipynb)" in "".join(solution[0]["source"])


def test_a_picture_gets_its_words():
    cells = [
        text("## 3. `Grids`"),
        code("draw()", picture=True),
        code("assert True", "check"),
        text("See [x](y): *two*."),
    ]
    assert website.alternative(cells, 1) == "Picture in “Grids”. See x: two."
    assert website.alternative([*cells[:3], text("## 4. Else\n\nNot this.")], 1) == "Picture in “Grids”."
    long = website.alternative([*cells[:3], text("word " * 100)], 1)
    assert long.endswith(" word …")
    assert long.count("word") == 40


def test_readme_in_two():
    series, use = website.readme()
    assert "### " not in series
    assert "| [01 The game](notebooks/01_the_game.ipynb)" in series
    assert "## Two commands" in use
    assert "## The series" not in use
    assert use.startswith("# Set up and use\n")


def test_faults_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">x</a><a href="b.html#gone">x</a><a href="c.html">x</a><a href="https://x.org">x</a>'
        '<img src="d.png"><script src="https://x.org/y.js"></script><link rel="canonical" href="https://x.org/">'
    )
    (tmp_path / "b.html").write_text('<p id="here"><img alt="a" src="d.png"><a href="a.html?x#">x</a>')
    (tmp_path / "d.png").touch()
    assert website.faults(tmp_path) == [
        "a.html: a picture without a text: d.png",
        "a.html: loads https://x.org/y.js from elsewhere",
        "a.html: b.html#gone has no such place",
        "a.html: c.html leads nowhere",
    ]


def test_what_npm_installs_is_pinned():
    wanted = json.loads((ROOT / "docs" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    locked = json.loads((ROOT / "docs" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
        assert any(source.startswith(f"{name}/") for source in website.FROM_NPM)
    assert not any("resolved" in package for package in locked.values())  # any registry will do

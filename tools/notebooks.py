"""Bring notebooks into the form they are stored in: `notebooks.py [--check] [FILE ...]`, by default all of them.

Metadata that editors and kernels leave behind goes. Cells tagged `setup` or `check` are folded, all others unfolded.
A `setup` cell becomes what `tools/cells/setup.py` says, with the repository's address that it has.
Cell ids become slugs once, made of a cell's first words, and then stay. Pictures lose the text in which their library
notes its version. With --check nothing is written: the files that would change are named, and the exit code is 1.
"""

import argparse
import ast
import base64
import builtins
import copy
import itertools
import json
import pathlib
import re
import sys
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parent.parent
SETUP = ROOT / "tools" / "cells" / "setup.py"
TITLES = {"setup": "# @title Setup: run this cell first", "check": "# @title Check"}  # Colab shows it on a folded cell
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}}  # for Colab; for JupyterLab
PYTHON = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SLUG = re.compile(r"(?=.{3,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")
RANDOM = re.compile(r"[0-9a-f]{8,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # what editors call a new cell
VAGUE = {*dir(builtins), "np", "tf", "plt", "keras", "fig", "figure", "axes", "axis", "ax", "rng", "name"}
BARE = ("check", "draw", "code")  # not a name without another word


def tidy(notebook):
    """Change a notebook, as read from JSON, into the form it is stored in."""
    notebook["nbformat_minor"] = max(notebook["nbformat_minor"], 5)  # the first with cell ids
    notebook["metadata"] = copy.deepcopy(PYTHON)
    for cell in notebook["cells"]:
        cell["metadata"] = {"tags": tags(cell)} if tags(cell) else {}
        if "setup" in tags(cell):
            cell["source"] = setup(source(cell)).splitlines(keepends=True)
        if cell["cell_type"] == "code":
            fold(cell)
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output["data"]["image/png"] = without_text(output["data"]["image/png"])
    name_cells(notebook["cells"])


def tags(cell):
    return cell["metadata"].get("tags", [])


def source(cell):
    return "".join(cell["source"])  # a string or a list of lines


def setup(before):
    """The code that finds the helper; `make urls` may have written an address into the cell."""
    address = re.search(r'(?m)^URL = ".*?"', before)
    text = SETUP.read_text(encoding="utf-8").rstrip("\n")
    return text.replace('URL = ""', address[0]) if address else text


def fold(cell):
    """Hide the code of a cell behind its title if a tag asks for it, else show it."""
    title = next((title for tag, title in TITLES.items() if tag in tags(cell)), "")
    first, _, rest = source(cell).partition("\n")
    if title:
        cell["metadata"] |= copy.deepcopy(FOLDED)
        if not first.startswith(title):  # `# @title Check: ten digits` may stay
            cell["source"] = f"{title}\n{source(cell)}".splitlines(keepends=True)
    elif first in TITLES.values():
        cell["source"] = rest.splitlines(keepends=True)


def without_text(png):
    """A PNG in base64 without its chunks of text; pixels and frames of an animation stay as they are, to the byte."""
    data = base64.b64decode("".join(png))
    kept, start = [data[:8]], 8
    while start < len(data):  # a chunk: length, name, content, checksum
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        if data[start + 4 : start + 8] not in (b"tEXt", b"zTXt", b"iTXt"):
            kept.append(data[start:end])
        start = end
    return base64.b64encode(b"".join(kept)).decode()


def is_slug(name):
    return bool(SLUG.fullmatch(name)) and not RANDOM.fullmatch(name)


def name_cells(cells):
    """Give a slug to each cell that has none, or one that stands before it already."""
    taken, unnamed, section = set(), [], ""
    for cell in cells:
        section = heading(cell) or section
        name = cell.get("id", "")
        if is_slug(name) and name not in taken:
            taken.add(name)
        else:
            unnamed.append((cell, section))
    for cell, section in unnamed:
        cell["id"] = next(name for name in proposals(cell, section) if is_slug(name) and name not in taken)
        taken.add(cell["id"])


def proposals(cell, section):
    """Names for a cell, the best first: longer and longer ones, then numbered ones."""
    first, *more = about_code(cell) if cell["cell_type"] == "code" else about_text(cell)
    more = list(dict.fromkeys(more))
    names = [slug(first, *more[:count]) for count in range(len(more) + 1)] + [slug(first, section)]
    yield from (name for name in names if name not in BARE)
    stem = next((name for name in names if is_slug(name)), cell["cell_type"])[:36].rstrip("-")
    yield from (f"{stem}-{number}" for number in range(2, 1000))


def slug(*parts):
    """Lower-case words joined by hyphens, no number in front, at most 40 characters."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", " ".join(parts))  # CamelCase
    text = unicodedata.normalize("NFKD", re.sub(r"['’]s?\b", "", text)).encode("ascii", "ignore").decode()
    words = [word for word, _ in itertools.groupby(re.findall("[a-z0-9]+", text.lower()))]
    while words and words[0].isdigit():
        del words[0]
    while len("-".join(words)) > 40:
        del words[-1]
    return "-".join(words)


def heading(cell):
    found = re.search(r"(?m)^#+ (?:\d+\W+)?(.+)$", source(cell)) if cell["cell_type"] == "markdown" else None
    return found[1] if found else ""


def about_text(cell):
    """The heading of a cell of text, or else its first words, and what may be added to tell it from others."""
    if heading(cell):
        return [heading(cell)]
    text = re.sub(r"\]\([^)]*\)|\$[^$]*\$|<[^>]*>", " ", source(cell))  # links' targets, formulas, HTML
    clauses = [re.findall(r"[\w'’-]+", clause) for clause in re.split(r"[.,:](?!\d)|[;?!()\n]+", text)]
    words = [word for clause in clauses for word in clause]
    long = next((len(clause) for clause in clauses if clause), 0)  # "To watch" is enough; "Now" is not
    count = long if 2 <= long <= 5 else 4
    return [" ".join(words[:count]), *words[count : count + 4]]


def about_code(cell):
    """What a cell of code defines, checks, assigns or uses, whichever comes first, and what may be added."""
    try:
        body = ast.parse(re.sub(r"(?m)^[%!].*$", "", source(cell))).body
    except SyntaxError:
        body = []
    nodes = [node for statement in body for node in ast.walk(statement)]
    loops = [node.target for node in nodes if isinstance(node, ast.For | ast.comprehension)]
    vague = VAGUE | {node.id for target in loops for node in ast.walk(target) if isinstance(node, ast.Name)}
    names = [node for node in nodes if isinstance(node, ast.Name) and len(node.id) > 1 and node.id not in vague]
    used = [name.id for name in names if isinstance(name.ctx, ast.Load)]
    assigned = [name.id for name in names if isinstance(name.ctx, ast.Store)]
    defined = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    if "setup" in tags(cell):
        return ["setup"]
    if "check" in tags(cell):
        return [f"check {' '.join(used[:1])}", *used[1:]]
    if body and isinstance(body[0], ast.Import | ast.ImportFrom) and not defined + assigned:
        return ["imports"]
    if {node.attr for node in nodes if isinstance(node, ast.Attribute)} & {"show", "imshow"}:
        return [f"draw {' '.join((defined + assigned + used)[:1])}", *(defined + assigned + used)[1:]]
    return defined + assigned + used or ["code"]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file would change")
    parser.add_argument("files", nargs="*", type=pathlib.Path, help="notebooks (by default all)")
    asked = parser.parse_args(arguments)
    changed = []
    for path in asked.files or [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("notebooks/solutions/*.ipynb")]:
        before = path.read_text(encoding="utf-8")
        notebook = json.loads(before)
        tidy(notebook)
        after = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        if after != before:
            changed.append(path)
            if not asked.check:
                path.write_text(after, encoding="utf-8", newline="\n")
    for path in sorted(changed):
        print(f"{'not in stored form (make fold)' if asked.check else 'tidied'}: {path}")
    return int(asked.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())

"""Write the Colab edition of the notebooks, which need no other file: `colab.py [FOLDER]`, by default dist/colab.

The helper is packed into the setup cell, the entries of the glossary that a notebook links to stand at its end, and
links to files that an uploaded notebook does not have beside it are plain text, or lead to the repository if
`make urls` has written its address. Everything else, pictures included, is as stored. The same project gives the same
bytes.
"""

import base64
import io
import json
import pathlib
import re
import sys
import textwrap
import tomllib
import zipfile

from glossary import anchor
from glossary import entries as glossary_entries

ROOT = pathlib.Path(__file__).resolve().parent.parent
SETUP = ROOT / "tools" / "cells" / "colab.py"
LIMIT = 1_000_000  # bytes a file
HINT = "*This file needs no other: in Colab choose* File, Upload notebook, *then* Runtime, Run all."


def helper_files():
    """What `pip install` would put into the package: paths relative to the project, sorted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = {package: ["*.py", *project["package-data"].get(package, [])] for package in project["packages"]}
    folders = {package: ROOT.joinpath(*package.split(".")) for package in patterns}
    found = [path for package in patterns for pattern in patterns[package] for path in folders[package].glob(pattern)]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def packed():
    """The helper as a zip file in base64, in lines; no dates in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in helper_files():
            entry = zipfile.ZipInfo(name)  # 1 January 1980
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # the same on every system
            archive.writestr(entry, (ROOT / name).read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return "\n".join(textwrap.wrap(base64.b64encode(file.getvalue()).decode(), 1000))


def setup_cell(helper):
    """The code of the setup cell that brings the helper along."""
    before, empty, after = SETUP.read_text(encoding="utf-8").rstrip("\n").partition('HELPER = ""\n')
    assert empty, f"{SETUP} has no empty HELPER to fill"
    return f'{before}HELPER = """\n{helper}\n"""\n{after}'


def words(text, entries):
    """The glossary's entries that a text links to, and those that these link to, in the glossary's order."""
    entries = {anchor(title): f"### {title}\n{entry}" for title, entry in entries.items()}
    wanted, new = set(), set(re.findall(r"\]\((?:\.\./)?glossary\.md#([\w-]+)\)", text))
    while new:
        wanted |= new
        new = {link for name in new for link in re.findall(r"\]\(#([\w-]+)\)", entries[name])} - wanted
    return [f'<a name="{name}"></a>\n\n{entry}' for name, entry in entries.items() if name in wanted]


def relink(text, folder, url):
    """A text of a notebook in `folder` ("notebooks" or "notebooks/solutions") whose links work without other files."""

    def link(match):
        label, target = match.groups()
        if target.startswith(("http", "#", "attachment:")):
            return match[0]
        if re.fullmatch(r"(\.\./)?glossary\.md#[\w-]+", target):
            return f"[{label}](#{target.split('#')[1]})"
        path = (ROOT / folder / target.split("#")[0]).resolve().relative_to(ROOT).as_posix()
        if url:
            return f"[{label}]({url}/blob/main/{path})"
        if target.startswith("solutions/"):
            return f"{label}: the file `{target}`"
        return label

    assert not re.search(r"!\[[^\]]*\]\((?!http|attachment:)", text), f"a picture beside the notebook: {text}"
    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+\.(?:ipynb|md)(?:#[\w-]+)?)\)", link, text)


def edition(path, helper, entries):
    """The Colab edition of one notebook."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    folder = path.parent.relative_to(ROOT).as_posix()
    setup = next(cell for cell in notebook["cells"] if "setup" in cell["metadata"].get("tags", []))
    found = re.search(r'(?m)^URL = "(.*?)"', "".join(setup["source"]))
    url = found[1] if found else ""
    setup |= {"source": lines(setup_cell(helper)), "outputs": [], "execution_count": None}
    texts = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    used = words("".join("".join(cell["source"]) for cell in texts), entries)
    for cell in texts:
        cell["source"] = lines(relink("".join(cell["source"]), folder, url))
    title, _, rest = "".join(texts[0]["source"]).partition("\n")
    texts[0]["source"] = lines(f"{title}\n\n{HINT}\n{rest}")
    if used:
        source = lines(relink("\n\n".join(["## Glossary", *used]), "notebooks", url))
        notebook["cells"].append({"cell_type": "markdown", "id": "glossary", "metadata": {}, "source": source})
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def lines(text):
    return text.splitlines(keepends=True)


def build(target):
    """Write all editions into a folder, in place of those there; returns their paths."""
    text = (ROOT / "notebooks" / "glossary.md").read_text(encoding="utf-8")
    helper, entries, written = packed(), glossary_entries(text)[1], []
    for old in [*target.glob("*.ipynb"), *target.glob("solutions/*.ipynb")]:
        old.unlink()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")) + sorted((ROOT / "notebooks/solutions").glob("*.ipynb")):
        file = target / path.relative_to(ROOT / "notebooks")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(edition(path, helper, entries), encoding="utf-8", newline="\n")
        written.append(file)
    return written


def main(folder=ROOT / "dist" / "colab"):
    written = build(pathlib.Path(folder))
    sizes = {path: path.stat().st_size for path in written}
    largest = max(sizes, key=sizes.get)
    print(f"{len(written)} notebooks in {folder}; the largest, {largest.name}, has {sizes[largest] / 1000:.0f} kB")
    if sizes[largest] >= LIMIT:
        sys.exit(f"{largest}: more than {LIMIT / 1000:.0f} kB; store smaller pictures in it")


if __name__ == "__main__":
    main(*sys.argv[1:])

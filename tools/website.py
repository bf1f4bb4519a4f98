"""Build the website of the notebooks: `website.py`, from `make site`, to dist/site.

Pages are prepared in build/site, and Sphinx (docs/conf.py) makes HTML of them: the notebooks as they are stored, the
glossary, README in two pages, and what lies in docs. Nothing is executed. Then every link within the site is followed.
"""

import html.parser
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.parse

import colab

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "site"
PAGES, RUNTIME, DOWNLOADS = BUILD / "pages", BUILD / "runtime", BUILD / "extra"
SITE = ROOT / "dist" / "site"
NPM = ROOT / "docs" / "node_modules"
FROM_NPM = {  # what browsers get of the packages in docs/package.json
    "mathjax/es5/tex-svg-full.js": "mathjax.js",
    "mathjax/LICENSE": "mathjax.LICENSE",
    "onnxruntime-web/dist/ort.wasm.min.mjs": "ort/ort.wasm.min.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs": "ort/ort-wasm-simd-threaded.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm": "ort/ort-wasm-simd-threaded.wasm",
}
TRY = {  # notebooks with a toy on the page that draws
    "01_the_game": "[Play this game in your browser](../try.md#the-game-of-the-bell-curve)",
    "14_ask_for_a_digit": "[Draw with this generator in your browser](../try.md)",
}
BADGE = re.compile(r"(?m)^\[!\[Open in Colab\].*\n*")  # a picture from elsewhere; the row of links has the link


def urls():
    """What `make urls` has written: names to addresses."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})


def repository():
    return urls().get("Repository", "")


def address():
    return urls().get("Documentation", "")


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


# Pages


def links(path, solution):
    """The row below a notebook's title: its files and its solutions, or the notebook of a solution."""
    up, folder = ("../../", "solutions/") if solution else ("../", "")
    row = [
        f'<a href="{up}download/{folder}{path.name}" download>Notebook</a>',
        f'<a href="{up}download/colab/{folder}{path.name}" download>File for Colab</a>',
    ]
    if repository():
        name = urllib.parse.urlsplit(repository()).path
        place = path.relative_to(ROOT).as_posix()
        row.append(f'<a href="https://colab.research.google.com/github{name}/blob/main/{place}">Open in Colab</a>')
    more = [f"[The notebook](../{path.name})" if solution else f"[Solutions](solutions/{path.name})"]
    if path.stem in TRY and not solution:
        more.append(TRY[path.stem])
    return "\n".join([":::{container} files", *row, *more, ":::"])


def alternative(cells, number, words=40):
    """A text for the picture of a cell: where it stands, and the first words of what the notebook says about it."""
    texts = ["".join(cell["source"]) if cell["cell_type"] == "markdown" else "" for cell in cells]
    heads = re.findall(r"(?m)^#+ (?:\d+\. )?(.+)$", "\n".join(texts[:number]))
    after = next((text for text in texts[number:] if text), "")
    said = [] if after.startswith("#") else plain(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", after)).split()
    short = " ".join(said[:words]) + (" …" if len(said) > words else "")
    return " ".join(f"Picture in “{plain(heads[-1] if heads else 'this notebook')}”. {short}".split())


def plain(text):
    return re.sub(r"[*`$]", "", text)


def notebook_page(path):
    """A notebook as Sphinx shall read it."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells, solution = notebook["cells"], path.parent.name == "solutions"
    first = next(cell for cell in cells if cell["cell_type"] == "markdown")
    title, _, rest = BADGE.sub("", "".join(first["source"])).partition("\n")
    first["source"] = f"{title}\n\n{links(path, solution)}\n{rest}"
    for number, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        tags = cell["metadata"].get("tags", [])
        if "setup" in tags or "check" in tags:  # a click shows them; what a check prints is seen
            tag, what = ("hide-cell", "setup") if "setup" in tags else ("hide-input", "check")
            prompts = {f"code_prompt_{verb}": f"{verb.title()} the {what}" for verb in ("show", "hide")}
            cell["metadata"] = {"tags": [tag], "mystnb": prompts}
            cell["source"] = re.sub(r"\A# @title .*\n", "", "".join(cell["source"]))
        if any("image/png" in output.get("data", {}) for output in cell["outputs"]):
            about = {"image": {"alt": alternative(cells, number)}}
            cell["metadata"]["mystnb"] = cell["metadata"].get("mystnb", {}) | about
    return json.dumps(notebook, ensure_ascii=False)


def readme():
    """README in two: the series for the first page, and what else a reader of the site needs."""
    text = BADGE.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))
    parts = re.split(r"(?m)^(?=## )", text)
    (series,) = (part for part in parts if part.startswith("## The series"))
    return series, "# Set up and use\n\n" + "".join(
        part for part in parts[1:] if not part.startswith(("## The series", "## On the web"))
    )


def prepare():
    """Write what Sphinx reads."""
    shutil.rmtree(BUILD, ignore_errors=True)
    notebooks = sorted((ROOT / "notebooks").glob("**/[0-9]*.ipynb"))
    for path in notebooks:
        place = path.relative_to(ROOT)
        copy(path, DOWNLOADS / "download" / place.relative_to("notebooks"))
        (PAGES / place).parent.mkdir(parents=True, exist_ok=True)
        (PAGES / place).write_text(notebook_page(path), encoding="utf-8")
    colab.build(DOWNLOADS / "download" / "colab")
    (DOWNLOADS / ".nojekyll").touch()  # GitHub Pages would leave out _static
    for source, target in FROM_NPM.items():
        copy(NPM / source, RUNTIME / target)

    glossary = (ROOT / "notebooks" / "glossary.md").read_text(encoding="utf-8")
    (PAGES / "notebooks" / "glossary.md").write_text(re.sub("(?m)^### ", "## ", glossary), encoding="utf-8")
    files = ["CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"]
    for name in [*files, *(f"images/{path.name}" for path in (ROOT / "images").glob("*.png"))]:
        copy(ROOT / name, PAGES / name)
    series, use = readme()
    (PAGES / "README.md").write_text(use, encoding="utf-8")
    for path in (ROOT / "docs").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        (PAGES / path.name).write_text(text.replace("README_SERIES", series), encoding="utf-8")


def mended(text):
    """A page of Sphinx whose buttons are called as they are labelled, also for who hears them."""
    text = text.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    text = text.replace(
        '<summary><span class="toctree-toggle"', '<summary aria-label="More"><span class="toctree-toggle"'
    )
    return re.sub(r'(<button class="btn search-button-field[^>]*?) aria-label="Search"', r"\1", text)


# Links


class Page(html.parser.HTMLParser):
    """What a page links to, loads and names."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.names, self.nameless = [], [], {"", "top"}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.names |= {given.get("id"), given.get("name")}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in ("script", "img", "source", "iframe") and given.get("src"):
            self.loads.append(given["src"])
        if tag == "link" and not {"canonical", "prev", "next"} & set(given.get("rel", "").split()):
            self.loads.append(given["href"])
        if tag == "img" and not given.get("alt") and given.get("aria-hidden") != "true":
            self.nameless.append(given.get("src"))


def faults(folder):
    """What is wrong with a site's links and pictures, in words."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        where = path.relative_to(folder).as_posix()
        found += [f"{where}: a picture without a text: {name}" for name in page.nameless]
        found += [f"{where}: loads {x} from elsewhere" for x in page.loads if re.match(r"(https?:)?//", x)]
        for link in page.links + page.loads:
            if re.match(r"(https?|mailto|data|javascript):", link):
                continue
            name, _, anchor = link.partition("#")
            name = urllib.parse.unquote(name.split("?")[0])
            target = (path.parent / name).resolve() if name else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                found.append(f"{where}: {link} leads nowhere")
            elif anchor and target in pages and urllib.parse.unquote(anchor) not in pages[target].names:
                found.append(f"{where}: {link} has no such place")
    return found


def main():
    prepare()
    site = BUILD / "html"
    options = ["-b", "html", "-c", ROOT / "docs", "-d", BUILD / "doctrees", "-W", "--keep-going", "-q"]
    subprocess.run([sys.executable, "-m", "sphinx", *options, PAGES, site], check=True)
    for path in site.rglob("*.html"):
        path.write_text(mended(path.read_text(encoding="utf-8")), encoding="utf-8")
    for template in site.glob("_static/*macros.html"):  # the theme's, no pages
        template.unlink()
    wrong = faults(site)
    if wrong:
        sys.exit("\n".join(wrong))
    shutil.rmtree(SITE, ignore_errors=True)
    SITE.parent.mkdir(exist_ok=True)
    site.rename(SITE)
    size = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file())
    print(f"{SITE.relative_to(ROOT)}: {size / 1e6:.0f} MB; look at it with `python -m http.server -d dist/site`")


if __name__ == "__main__":
    main()

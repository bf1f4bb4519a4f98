"""Keep the glossary in step with the series: `glossary.py [--check]`.

Each entry of notebooks/glossary.md ends with a link to the first notebook that links to it; an entry that none links
to keeps the notebook that it names. Entries stand in the order of the alphabet. With --check nothing is written, and
the exit code is 1 if something would change.
"""

import json
import pathlib
import re
import sys
import unicodedata

NOTEBOOKS = pathlib.Path(__file__).resolve().parent.parent / "notebooks"
LAST = re.compile(r"\*(?:First in n|N)otebook \[?(\d\d)\]?(?:\([\w.]+\))?\.\*$")


def anchor(title):
    """What a link to a heading says behind its #."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def entries(text):
    """The text before the first entry, and the entries: titles to texts."""
    first, *rest = re.split(r"(?m)^### ", text)
    pairs = [entry.strip().split("\n", 1) for entry in rest]
    twice = {title for title, _ in pairs if [one for one, _ in pairs].count(title) > 1}
    if twice:
        raise ValueError(f"glossary.md: two entries for {sorted(twice)}")
    return first, dict(pairs)


def first_uses():
    """Anchors to the file name of the first notebook that links to each."""
    found = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                for name in re.findall(r"\]\(glossary\.md#([\w-]+)\)", "".join(cell["source"])):
                    found.setdefault(name, path.name)
    return found


def tidy(text):
    """The glossary as it should be."""
    before, terms = entries(text)
    uses, files = first_uses(), {path.name[:2]: path.name for path in NOTEBOOKS.glob("*.ipynb")}
    for title, entry in terms.items():
        named = LAST.search(entry)
        if not named:
            raise ValueError(f'glossary.md: the entry of "{title}" must end with its notebook, as in *Notebook 03.*')
        file = uses.get(anchor(title)) or files.get(named[1])
        if file:
            terms[title] = LAST.sub(f"*First in notebook [{file[:2]}]({file}).*", entry)

    def key(title):
        return unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()

    return before + "\n\n".join(f"### {title}\n{terms[title]}" for title in sorted(terms, key=key)) + "\n"


def main(arguments):
    path = NOTEBOOKS / "glossary.md"
    before = path.read_text(encoding="utf-8")
    after = tidy(before)
    if after != before and "--check" not in arguments:
        path.write_text(after, encoding="utf-8", newline="\n")
    if after != before:
        print(f"{'not in step with the notebooks (make fold)' if '--check' in arguments else 'tidied'}: {path}")
    return int(after != before and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

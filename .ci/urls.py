"""Write the addresses of the repository and of its website everywhere: `urls.py owner/name`.

They go into pyproject.toml, where the website finds them, CITATION.cff, the notebooks and the README.
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
COLAB = "https://colab.research.google.com/github"


def main(repo, root=ROOT):
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        sys.exit(f"usage: make urls REPO=owner/name (got {repo!r})")
    url = f"https://github.com/{repo}"
    owner, name = repo.lower().split("/")[0], repo.split("/")[1]
    site = f"https://{owner}.github.io/" + ("" if name.lower() == f"{owner}.github.io" else f"{name}/")
    project = root / "pyproject.toml"
    text = re.sub(r'\n(Repository|Documentation) = ".*"', "", project.read_text(encoding="utf-8"))
    text = text.replace("[project.urls]", f'[project.urls]\nRepository = "{url}"\nDocumentation = "{site}"')
    project.write_text(text, encoding="utf-8")
    citation = root / "CITATION.cff"
    text = re.sub(r"(?m)^(repository-code|url): .*\n", "", citation.read_text(encoding="utf-8"))
    citation.write_text(f'{text.rstrip()}\nrepository-code: "{url}"\nurl: "{site}"\n', encoding="utf-8")

    for path in sorted((root / "notebooks").glob("**/*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        badge = f"{BADGE}({COLAB}/{repo}/blob/main/{path.relative_to(root).as_posix()})"
        first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "markdown")
        lines = [line for line in "".join(first["source"]).split("\n") if not line.startswith(BADGE)]
        rest = "\n".join(lines[1:]).lstrip("\n")
        first["source"] = f"{lines[0]}\n\n{badge}\n\n{rest}".splitlines(keepends=True)
        for cell in notebook["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code" and "find_spec" in source:
                cell["source"] = re.sub(r'(?m)^URL = ".*?"', f'URL = "{url}"', source).splitlines(keepends=True)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    readme = root / "README.md"
    lines = [line for line in readme.read_text(encoding="utf-8").split("\n") if not line.startswith(BADGE)]
    badge = f"{BADGE}({COLAB}/{repo}/blob/main/notebooks/01_the_game.ipynb)"
    badge += f" [Read it on the web]({site}) · [Draw in your browser]({site}try.html)"
    rest = "\n".join(lines[1:]).lstrip("\n")
    text = re.sub(r"(?m)^git clone \S+ ", f"git clone {url} ", rest)
    readme.write_text(f"{lines[0]}\n\n{badge}\n\n{text}", encoding="utf-8")
    print(f"wrote {url}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")

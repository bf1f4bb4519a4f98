# @title Setup: run this cell first
# Find the helper, gan_keras: installed, in a folder above, or cloned
import importlib.util
import pathlib
import subprocess
import sys

URL = ""  # the repository's; `make urls` writes it
spec, how = importlib.util.find_spec("gan_keras"), "already on the path"
if spec is None or spec.origin is None:
    places = [pathlib.Path.cwd(), *pathlib.Path.cwd().parents, pathlib.Path("gan_keras_notebooks").absolute()]
    if URL and not any((place / "gan_keras" / "__init__.py").exists() for place in places):
        subprocess.run(["git", "clone", "--quiet", "--depth=1", URL, "gan_keras_notebooks"], check=False)
    found = [place for place in places if (place / "gan_keras" / "__init__.py").exists()]
    if not found:
        ways = "open this notebook in the project's folder, or take its Colab edition (dist/colab, by `make colab`)"
        raise ModuleNotFoundError(f"gan_keras is not here: {ways}, which needs no other file")
    sys.path.insert(0, str(found[0]))
    how = "cloned" if found[0].name == "gan_keras_notebooks" else "found in a folder above"
import gan_keras

print(f"gan_keras {gan_keras.__version__}, {how}")

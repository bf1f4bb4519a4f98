"""Make README's picture, images/ask_for_a_digit.png, of the pictures stored in notebook 14: `pictures.py`.

Above, ten rows of digits, each row with the digit that was asked for; below, a telephone number.
"""

import base64
import io
import json
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "14_ask_for_a_digit.ipynb"
ROWS, NUMBER = "gan", "write"  # the cells that draw them
WIDTH, GAP, LABEL = 824, 12, 26  # pixels


def picture(name):
    """The last picture that is stored with the cell of this id, in grey: `(height, width)` uint8."""
    found = None
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            if cell["id"] == name and "image/png" in output.get("data", {}):
                found = base64.b64decode("".join(output["data"]["image/png"]))
    if found is None:
        raise ValueError(f"{NOTEBOOK.name}: no picture is stored with a cell {name!r}; see {__file__}")
    return np.asarray(Image.open(io.BytesIO(found)).convert("L"))


def sheet(pixels):
    """The sheet of digits in a picture: where it is mostly black, without the curves and labels around it."""
    dark = pixels < 128
    (top, bottom), (left, right) = (longest(dark.mean(axis=axis) > 0.25) for axis in (1, 0))
    return Image.fromarray(pixels[top:bottom, left:right])


def longest(marked, gap=4):
    """Begin and end of the longest run of True, where up to `gap` False are no end."""
    places = np.flatnonzero(marked)
    runs = np.split(places, np.flatnonzero(np.diff(places) > gap + 1) + 1)
    run = max(runs, key=len)
    return run[0], run[-1] + 1


def compose(rows, number):
    """Rows 0 to 4 on the left, 5 to 9 on the right, the number below."""
    number = number.resize((WIDTH, round(WIDTH * number.height / number.width)), Image.Resampling.LANCZOS)
    width = (WIDTH - GAP) // 2 - LABEL
    rows = rows.resize((width, round(width * rows.height / rows.width)), Image.Resampling.LANCZOS)
    half = rows.height // 2
    page = Image.new("L", (WIDTH, half + GAP + number.height), "white")
    font = ImageFont.load_default(18)
    for part in (0, 1):
        left = part * (WIDTH - width - LABEL)
        page.paste(rows.crop((0, part * half, width, (part + 1) * half)), (left + LABEL, 0))
        for i in range(5):
            middle = (left + LABEL // 2, round((i + 0.5) * half / 5))
            ImageDraw.Draw(page).text(middle, str(5 * part + i), fill="black", font=font, anchor="mm")
    page.paste(number, (0, half + GAP))
    return page.quantize(16)


if __name__ == "__main__":
    compose(sheet(picture(ROWS)), sheet(picture(NUMBER))).save(ROOT / "images" / "ask_for_a_digit.png", optimize=True)

"""Notebooks in JupyterLab, in a real browser: folds are closed, Run All runs, pictures move, nothing is red."""

import json
import pathlib
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MINUTES = 20  # on a slow machine; a quiet one needs two

# What stands in the page, cell by cell. The folded input of a cell is a placeholder to click on.
STATE = """() => [...document.querySelectorAll(".jp-Notebook .jp-CodeCell")].map(cell => ({
    folded: !!cell.querySelector(".jp-InputPlaceholder, .jp-InputArea-placeholder, .jp-Placeholder"),
    prompt: (cell.querySelector(".jp-InputArea-prompt, .jp-InputPrompt") || {}).textContent || "",
    red: [...cell.querySelectorAll('[data-mime-type="application/vnd.jupyter.error"],' +
                                   '[data-mime-type="application/vnd.jupyter.stderr"]')].map(e => e.textContent),
    pictures: [...cell.querySelectorAll(".jp-OutputArea-output img, .jp-OutputArea-output svg")].map(
        e => { const s = e.src || e.outerHTML; return s.length + s.slice(-400, -300) + s.slice(2000, 2100) }),
}))"""


def code_cells(name):
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def run_all(page):
    """Run all cells; returns the last state of each, and how many different pictures each has shown."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    seen, started, deadline = {}, False, time.monotonic() + 60 * MINUTES
    while time.monotonic() < deadline:
        state = page.evaluate(STATE)
        waiting = any("*" in cell["prompt"] for cell in state)
        if started and not waiting:
            break
        started = started or waiting
        for number, cell in enumerate(state):
            seen.setdefault(number, set()).update(cell["pictures"])
        time.sleep(0.5)
    return state, seen


# `live` is how many cells draw a picture that moves.
@pytest.mark.parametrize(
    ("name", "live"),
    [("01_the_game", 2), ("05_the_combined_model", 0), ("06_train_the_gan", 1), ("15_your_own_pictures", 3)],
)
def test_run_all_in_jupyterlab(lab, open_page, name, live):
    page = open_page(f"{lab}/lab/tree/notebooks/{name}.ipynb?reset")
    expected = code_cells(name)
    page.wait_for_function(
        f"document.querySelectorAll('.jp-Notebook .jp-CodeCell').length == {len(expected)}", timeout=120_000
    )
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", timeout=120_000)
    for cell, shown in zip(expected, page.evaluate(STATE), strict=True):
        assert shown["folded"] == bool({"setup", "check"} & set(cell["metadata"].get("tags", []))), cell["id"]
    state, seen = run_all(page)
    for number, (cell, shown) in enumerate(zip(expected, state, strict=True), start=1):
        assert not shown["red"], (cell["id"], shown["red"])
        assert shown["folded"] or shown["prompt"].strip("[]: ") == str(number), (cell["id"], shown["prompt"])
    assert sum(len(pictures) >= 5 for pictures in seen.values()) >= live

"""The website in a real browser, from a plain file server: every link, the page that draws, light, dark, and narrow."""

import functools
import http.server
import pathlib
import threading
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SITE = ROOT / "dist" / "site"
AXE = ROOT / "docs" / "node_modules" / "axe-core" / "axe.min.js"  # judges accessibility
INK = """() => [...document.querySelectorAll("#written canvas")].map(canvas => {
    const seen = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const ink = Array.from({length: seen.length / 4}, (_, i) => seen[4 * i + 3] / 255);
    return [Math.max(...ink), ink.reduce((a, b) => a + b) / ink.length];
})"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site():
    """The address of a server of `dist/site`."""
    assert (SITE / "index.html").is_file(), "make site comes first"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def watched(page, site):
    """A list that will hold what goes wrong in a page: errors, and requests that leave the site or fail."""
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on(
        "request",
        lambda request: None if request.url.startswith((site, "data:", "blob:")) else faults.append(request.url),
    )
    page.on("response", lambda response: faults.append(response.url) if response.status >= 400 else None)
    return faults


def test_every_internal_link_leads_to_a_page_without_a_fault(site, open_page):
    page = open_page("about:blank")
    faults = watched(page, site)
    to_visit, seen = [f"{site}/index.html"], set()
    while to_visit:
        address = to_visit.pop()
        seen.add(address)
        page.goto(address)
        assert not faults, (address, faults)
        for link in page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)"):
            link = urllib.parse.urldefrag(link).url
            if link.startswith(site) and link.endswith(".html") and link not in seen and link not in to_visit:
                to_visit.append(link)
    assert len(seen) >= 30  # notebooks, solutions, glossary, and the pages about them


@pytest.mark.parametrize("width", [390, 820, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_number_is_written(site, open_page, width, scheme):
    page = open_page("about:blank", width=width, color_scheme=scheme)
    faults = watched(page, site)
    page.goto(f"{site}/try.html")
    page.get_by_label("Your number").fill("2026")
    page.get_by_text("Written: 2026.").wait_for(timeout=120_000)
    for darkest, mean in page.evaluate(INK):
        assert darkest > 0.8
        assert 0.03 < mean < 0.5  # strokes, neither an empty tile nor grey static
    assert len(page.evaluate(INK)) == 4
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not faults


def test_the_game_plays_by_keyboard(site, open_page):
    page = open_page(f"{site}/try.html")
    before = page.inner_text("main")
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("before => document.querySelector('main').innerText != before", arg=before)


@pytest.mark.parametrize("width", [390, 1400])
def test_checks_are_hidden_until_a_click(site, open_page, width):
    page = open_page(f"{site}/notebooks/02_the_digits.html", width=width)
    check = page.get_by_text("# @title Check").first
    assert not check.is_visible()
    page.locator("details:has(.highlight) summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "try", "README", "notebooks/01_the_game", "notebooks/06_train_the_gan"])
def test_accessibility(site, open_page, name, scheme):
    # Without motion, because a button that fades from the light to the dark scheme has a contrast that it never keeps.
    page = open_page(f"{site}/{name}.html", color_scheme=scheme, reduced_motion="reduce")
    page.add_script_tag(path=AXE)
    found = page.evaluate("() => axe.run(document).then(found => found.violations)")
    serious = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    assert not serious, [(fault["id"], fault["nodes"][0]["html"]) for fault in serious]

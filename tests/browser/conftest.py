"""A real browser for the tests here, which `make browser` runs: Chromium, driven by Playwright."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURES = ROOT / "images" / "runs" / "browser"  # of the pages that failed
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium():
    """A Chromium that this machine has, or else the one that `playwright install chromium` brings."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, request):
    """A function that opens an address in a page of its own; if the test fails, a picture of each page is kept."""
    pages = []

    def open_at(address, width=1400, height=1000, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        page = context.new_page()
        pages.append(page)
        page.goto(address)
        return page

    yield open_at
    failed = getattr(request.node, "failed", False)
    for number, page in enumerate(pages):
        if failed:
            PICTURES.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"\W+", "_", request.node.name).strip("_")
            page.screenshot(path=PICTURES / f"{name}_{number}.png")
        page.context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The address of a JupyterLab that serves a copy of the project, because JupyterLab saves what it opens."""
    folder = tmp_path_factory.mktemp("lab")
    copied = folder / "gan_keras"
    skipped = shutil.ignore_patterns(".*", "dist", "build", "runs", "__pycache__", "tests")
    shutil.copytree(ROOT, copied, ignore=skipped)
    settings = folder / "settings" / "@jupyterlab"
    (settings / "notebook-extension").mkdir(parents=True)
    # All cells are in the page, also those out of sight; nothing is asked and nothing is fetched at the start.
    (settings / "notebook-extension" / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    (settings / "apputils-extension").mkdir()
    (settings / "apputils-extension" / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    directories = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    environment = os.environ | directories | {"JUPYTERLAB_SETTINGS_DIR": str(settings.parent)}
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--port=0",
    ]
    command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={copied}"]
    log = folder / "lab.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        yield wait_for_address(log, server)
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_for_address(log, server, seconds=180):
    """The address that a server writes to its log, as soon as it answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(r"http://(?:localhost|127\.0\.0\.1):(\d+)/lab", log.read_text()):
            address = f"http://127.0.0.1:{found[1]}"
            try:
                urllib.request.urlopen(f"{address}/api", timeout=10).close()
                return address
            except OSError:
                pass
        time.sleep(0.5)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")

"""`python -m gan_keras FOLDER`: what it writes, that it goes on after a stop, and what it says to wrong input."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import types

import keras
import numpy as np
import pytest
from helpers import ROOT, assert_same
from PIL import Image

from gan_keras import __main__ as program
from gan_keras._plumbing import command, report

WRITTEN = {"checkpoint.npz", "film.png", "frames", "generator.keras", "grid.png", "report.html", "state.json"}


def fill(folder, count=24, seed=0):
    """Pictures as people have them: two colours and kinds, grey, transparent, wide and tall."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        size = (20, 12) if i % 2 else (9, 16)
        picture = Image.new("RGB", size, tuple(rng.integers(0, 256, 3).tolist()))
        picture = picture.convert(("RGB", "L", "RGBA", "P")[i % 4])
        picture.save(folder / f"{i:03d}.{'jpg' if i % 4 < 2 else 'png'}")
    return folder


def messy(place):
    folder = fill(place / "Bilder & mehr")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(autouse=True, scope="module")
def by_iterations():
    """A clock that an iteration moves on by a second, so that a minute is 60 iterations; an epoch has 20."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command.Progress, "seconds", lambda self: float(self.model.iteration.numpy()))
        patch.setattr(command, "STEPS", 20)
        yield


@pytest.fixture
def folder(tmp_path):
    return messy(tmp_path)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A minute of training: where its files are."""
    place = tmp_path_factory.mktemp("once")
    assert run(messy(place), place / "out", "--minutes", 1) == 0
    return place / "out"


@pytest.fixture
def out(once, tmp_path):
    """A copy of them."""
    return pathlib.Path(shutil.copytree(once, tmp_path / "out"))


def run(folder, out, *options):
    return program.main([str(folder), "--out", str(out), "--size", "8", *map(str, options)])


def generator(out):
    return keras.models.load_model(out / "generator.keras").get_weights()


@pytest.mark.long
def test_it_says_what_it_does(folder, tmp_path, capsys):
    out = tmp_path / "new"
    assert run(folder, out, "--minutes", 1) == 0
    said = capsys.readouterr()
    assert "24 pictures, now 8 x 8 in colour; left out: 1 no picture (notes.txt)" in said.out
    assert "1:00 of 1:00, iteration 60, D's loss" in said.out
    assert str(out / "report.html") in said.out
    assert said.err == ""


def test_all_is_written(out):
    assert {path.name for path in out.iterdir()} == WRITTEN
    images = keras.models.load_model(out / "generator.keras")(np.zeros((3, 100)))
    assert images.shape == (3, 8, 8, 3)
    assert Image.open(out / "grid.png").size == (2 * (8 * 10 + 2),) * 2
    film = Image.open(out / "film.png")
    assert film.n_frames == len(list((out / "frames").iterdir())) > 1


def test_the_report_stands_alone(out):
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<title>A GAN of Bilder &amp; mehr</title>" in page
    assert "22 pictures of 8 x 8, 60 iterations, 1.0 minutes of training" in page
    assert len(re.findall(r'<img class="\w+" alt="[^"]{10,}" src="data:image/png;base64,', page)) == 4
    assert "http" not in page
    assert re.search(r"held out in \d+% of all pairs", page)
    assert re.search(r"\d+% of 64 images are copies", page)
    assert page.count("<li>") >= 4
    assert "nan" not in re.sub(r"base64,[^\"]+", "", page)


@pytest.mark.long
def test_stopped_and_gone_on_is_as_if_never_stopped(folder, tmp_path, monkeypatch, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(folder, whole, "--minutes", 2) == 0
    assert run(folder, parts, "--minutes", 0.5) == 0  # in the middle of an epoch
    assert Image.open(parts / "film.png").n_frames < Image.open(whole / "film.png").n_frames
    draw = command.Progress.on_train_batch_end

    def stop(self, batch, logs=None):
        draw(self, batch, logs)
        if self.model.iteration.numpy() == 70:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.Progress, "on_train_batch_end", stop)
    assert run(folder, parts, "--minutes", 2) == 130
    assert {path.name for path in parts.iterdir()} == WRITTEN
    assert "The same command goes on from here" in capsys.readouterr().err
    monkeypatch.setattr(command.Progress, "on_train_batch_end", draw)
    assert run(folder, parts, "--minutes", 2) == 0
    assert_same(generator(whole), generator(parts))
    assert max(int(path.stem[10:]) for path in (parts / "frames").iterdir()) == 120
    before = generator(parts)
    assert run(folder, parts, "--minutes", 2) == 0  # nothing more to do
    assert "2 minutes are done; --minutes 4 would go on" in capsys.readouterr().out
    assert_same(before, generator(parts))


def test_what_is_noted_of_a_lost_epoch_is_dropped(folder, out):
    state = command.read_state(out, *pictures_of(folder))
    assert [epoch["iteration"] for epoch in state["epochs"]] == [20, 40, 60]
    state["epochs"].append(state["epochs"][-1] | {"iteration": 80})
    (out / "state.json").write_text(command.json.dumps(state))
    (out / "frames" / "iteration_0000080.png").write_bytes((out / "grid.png").read_bytes())
    run(folder, out, "--minutes", 1.5)
    state = command.read_state(out, *pictures_of(folder))
    assert [epoch["iteration"] for epoch in state["epochs"]] == [20, 40, 60, 80, 90]
    assert len({Image.open(path).size for path in (out / "frames").iterdir()}) == 1


def pictures_of(folder):
    return program.data.load_folder(folder, 8), 0


@pytest.mark.parametrize(("count", "size"), [(2, 9), (3, 20), (11, 8)])
@pytest.mark.long
def test_few_pictures_and_odd_sizes(tmp_path, count, size):
    out = tmp_path / "out"
    assert run(fill(tmp_path / "few", count), out, "--minutes", 0.4, "--size", size) == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert ("too few pictures to hold some out" in page) == (count < 10)
    assert f"{count - (count > 9)} are few" in page
    assert keras.models.load_model(out / "generator.keras").output_shape == (None, size, size, 3)


def a_minute(out, epochs):
    """What the report reads of a training: its film in the folder, and its `Progress`."""
    Image.new("L", (8, 8)).save(out / "film.png")
    settings = types.SimpleNamespace(folder=pathlib.Path("p"))
    return types.SimpleNamespace(seconds=lambda: 60.0, settings=settings, epochs=epochs)


def test_copies_are_counted(tmp_path, rng):
    """Where G draws the pictures themselves, all are copies; where it draws others of the kind, none."""
    epochs = [{"iteration": 1, "d_loss": 1.0, "g_loss": 1.0, "train": 0.5, "held_out": None, "memory": None}]
    progress = a_minute(tmp_path, epochs)
    pictures, others = rng.uniform(-0.9, 0.9, (2, 64, 8, 8, 3)).astype("float32")
    for drawn, share in ((pictures + 0.01, "100%"), (others, "0%")):
        report.write_report(tmp_path, drawn, pictures, progress)
        assert f"{share} of 64 images are copies" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("memory", "said"), [(0.9, "learns them by heart"), (0.55, "More time")])
def test_the_report_says_whether_d_learns_by_heart(tmp_path, rng, memory, said):
    epoch = {"iteration": 1, "d_loss": 1.0, "g_loss": 1.0, "train": 9.0, "held_out": 2.0, "memory": memory}
    progress = a_minute(tmp_path, [epoch])
    pictures = rng.uniform(-0.9, 0.9, (64, 8, 8, 3)).astype("float32")
    report.write_report(tmp_path, pictures, pictures, progress)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert said in page
    assert f"in {memory:.0%} of all pairs" in page


WRONG = {
    "no folder": (["nowhere"], "nowhere is missing"),
    "a file": (["file.zip"], "is a file"),
    "an empty folder": (["empty"], "it is empty"),
    "no picture": (["text"], "1 no picture (a.txt)"),
    "one picture": (["one"], "at least 2 pictures"),
    "size": (["good", "--size", "3"], "--size: expected 8 to 256"),
    "no size": (["good", "--size", "big"], "--size"),
    "minutes": (["good", "--minutes", "0"], "--minutes: expected more than 0"),
    "endless": (["good", "--minutes", "inf"], "less than 100,000"),
    "no minutes": (["good", "--minutes", "nan"], "--minutes"),
    "seed": (["good", "--seed", "-1"], "--seed: expected 0 to"),
    "an unknown option": (["good", "--epochs", "3"], "--epochs"),
    "nothing": ([], "folder"),
    "out in the folder": (["good", "--out", "good/gan"], "choose another place"),
    "out below a file": (["good", "--out", "file.zip/gan"], "choose another with --out"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named(tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "good", 3)
    fill(tmp_path / "one", 1)
    (tmp_path / "file.zip").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("x")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    arguments, words = WRONG[case]
    try:
        code = program.main(arguments)
    except SystemExit as left:  # as argparse does
        code = left.code
    assert code == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", 10), "holds a training on 24 pictures of 8 x 8"),
        (("--seed", 1), "this would be one on 24 pictures of 8 x 8"),
        ((), "this would be one on 25 pictures"),
    ],
)
def test_another_training_in_the_folder_is_not_lost(folder, out, capsys, options, words):
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    if not options:
        Image.new("RGB", (9, 9)).save(folder / "one_more.png")
    assert run(folder, out, "--minutes", 2, *options) == 2
    said = capsys.readouterr().err
    assert said.startswith("gan_keras: --out: ")
    assert words in said
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.long
def test_damaged_files(folder, out, capsys):
    """A checkpoint that is damaged is named and kept; without the notes it goes on with the checkpoint."""
    (out / "state.json").write_text("{")
    assert run(folder, out, "--minutes", 1.5) == 0
    assert command.read_state(out, *pictures_of(folder))["epochs"][-1]["iteration"] == 90
    (out / "checkpoint.npz").write_bytes(b"PK nothing")
    assert run(folder, out, "--minutes", 2) == 2
    assert "checkpoint.npz is damaged or no checkpoint" in capsys.readouterr().err
    assert (out / "checkpoint.npz").read_bytes() == b"PK nothing"


def test_where_it_writes_unless_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert program.parse(["some/cats"]).out == pathlib.Path("cats-gan")
    assert program.parse(["cats/"]).minutes == 5
    assert program.parse(["cats/"]).size == 32


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_killed_in_a_process_of_its_own(folder, tmp_path, sent, code):
    """Ctrl-C leaves all files; after a kill the same command goes on."""
    out = tmp_path / "out"
    command_line = [sys.executable, "-m", "gan_keras", str(folder), "--out", str(out), "--size", "8", "--minutes"]
    # A shell that started the tests in the background would have the process ignore Ctrl-C.
    how = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), "stdout": subprocess.PIPE}
    with subprocess.Popen([*command_line, "5"], cwd=ROOT, stderr=subprocess.PIPE, **how) as process:
        deadline = time.monotonic() + 120
        while not (out / "state.json").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(sent)
        process.communicate(timeout=120)
    assert process.returncode == code
    assert (out / "report.html").exists() == (sent == signal.SIGINT)
    done = subprocess.run([*command_line, "0.01"], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "Going on after epoch" in done.stdout
    assert {path.name for path in out.iterdir()} == WRITTEN


@pytest.mark.long
def test_exit_code_of_a_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gan_keras", str(tmp_path / "nowhere")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("gan_keras: path: expected a folder of pictures")
    assert "Traceback" not in done.stderr

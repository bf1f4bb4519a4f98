"""Pictures are decoded again and compared with the numbers they were drawn from."""

import base64
import io
import math
import os

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from gan_keras import data, training, watching

PNG = b"\x89PNG\r\n\x1a\n"


def decode(png, mode=None):
    """The pixels of a PNG file, given as bytes or as an IPython image."""
    image = Image.open(io.BytesIO(png if isinstance(png, bytes) else png.data))
    return np.asarray(image.convert(mode) if mode else image)


@pytest.fixture
def frames(rng):
    """Four frames of six grey images, each frame brighter than the last."""
    return [
        (i, np.clip(rng.normal(i / 200 - 0.8, 0.15, (6, 5, 4, 1)), -1, 1).astype("float32")) for i in (0, 100, 200, 300)
    ]


@pytest.fixture
def history():
    count = 120
    falling = np.linspace(1.0, 0.4, count).tolist()
    rising = np.linspace(0.5, 1.9, count).tolist()
    return {"d_loss": falling, "g_loss": rising, "accuracy_real": falling, "accuracy_fake": [0.9] * count}


# The latent points and the grid


def test_fixed_noise_is_the_same_every_time():
    noise = watching.fixed_noise()
    assert noise.shape == (25, 100)
    assert noise.dtype == np.float32
    np.testing.assert_array_equal(noise, watching.fixed_noise())
    assert watching.fixed_noise(7, 3).shape == (3, 7)


def test_grid_puts_each_pixel_where_it_belongs(make_images):
    images = make_images(5, (4, 3, 1))
    sheet = watching.grid(images, columns=3, scale=1, gap=2)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (2 * 4 + 3 * 2, 3 * 3 + 4 * 2)
    expected = np.full_like(sheet, 255)
    for i in range(5):
        y, x = 2 + (i // 3) * 6, 2 + (i % 3) * 5
        expected[y : y + 4, x : x + 3] = data.to_pixels(images[i, ..., 0])
    np.testing.assert_array_equal(sheet, expected)


def test_grid_keeps_three_channels_in_order():
    images = np.zeros((2, 2, 2, 3), "float32")
    images[0], images[1] = (-1, 0.2, 1), (1, 1, -1)
    sheet = watching.grid(images, columns=2, scale=1, gap=1)
    assert sheet.shape == (4, 7, 3)
    assert (sheet[1:3, 1:3] == [0, 153, 255]).all()
    assert (sheet[1:3, 4:6] == [255, 255, 0]).all()
    assert (sheet[0] == 255).all()
    assert (sheet[:, 3] == 255).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_scales_by_repeating_pixels(make_images, channels):
    images = make_images(4, (4, 3, channels))
    small, large = watching.grid(images, scale=1), watching.grid(images, scale=3)
    assert large.shape[:2] == (3 * small.shape[0], 3 * small.shape[1])
    for y in range(3):
        for x in range(3):
            np.testing.assert_array_equal(large[y::3, x::3], small)


@pytest.mark.parametrize(("count", "shape"), [(1, (6, 5)), (4, (10, 8)), (5, (10, 11)), (9, (14, 11)), (10, (14, 14))])
def test_grid_is_as_near_to_a_square_as_can_be(make_images, count, shape):
    assert watching.grid(make_images(count, (2, 1, 1)), scale=1).shape == shape


def test_grid_without_gap_is_the_images_side_by_side(make_images):
    images = make_images(3, (4, 3, 1))
    sheet = watching.grid(images, columns=3, scale=1, gap=0)
    np.testing.assert_array_equal(sheet, np.concatenate(list(data.to_pixels(images[..., 0])), axis=1))


@pytest.mark.parametrize("channels", [2, 4])
def test_grid_names_a_number_of_channels_that_cannot_be_drawn(make_images, channels):
    with pytest.raises(ValueError, match=rf"^images: expected 1 or 3 channels to draw, got {channels}"):
        watching.grid(make_images(2, (4, 3, channels)))


def test_grid_names_wrong_images(make_images):
    images = make_images(2)
    for wrong, message in (
        (images[..., 0], r"^images: expected 4 axes .*add the channel axis"),
        (images[:0], r"^images: expected at least one image"),
        (images * np.nan, r"^images: found NaN"),
        (data.to_pixels(images), r"^images: expected floats .*got uint8"),
    ):
        with pytest.raises(ValueError, match=message):
            watching.grid(wrong)


# Pictures


@pytest.mark.parametrize("channels", [1, 3])
def test_png_decodes_back_to_the_array(make_images, channels):
    sheet = watching.grid(make_images(4, (4, 3, channels)))
    png = watching.to_png(sheet)
    assert png.startswith(PNG)
    np.testing.assert_array_equal(decode(png), sheet)
    np.testing.assert_array_equal(decode(watching.to_png(Image.fromarray(sheet))), sheet)


def test_png_of_a_figure_has_its_size():
    assert decode(watching.to_png(Figure(figsize=(3, 2), dpi=50))).shape[:2] == (100, 150)


def test_png_of_a_png_is_itself():
    assert watching.to_png(PNG + b"rest") == PNG + b"rest"


def test_show_shows_the_array_and_keeps_the_same_bytes_in_the_file(make_images, tmp_path):
    sheet = watching.grid(make_images(4))
    shown = watching.show(sheet, tmp_path / "sheet.png", width=123)
    assert type(shown).__module__ == "IPython.core.display"
    assert shown.width == 123
    np.testing.assert_array_equal(decode(shown), sheet)
    assert (tmp_path / "sheet.png").read_bytes() == shown.data


# Live


@pytest.fixture
def outside_a_notebook(monkeypatch):
    monkeypatch.delenv("GAN_KERAS_PROGRESS", raising=False)
    monkeypatch.setattr(watching.time, "monotonic", lambda: 100.0)  # or a busy machine would show in "0 s left"
    assert not watching.in_notebook()


@pytest.fixture
def notebook(monkeypatch, tmp_path):
    """An IPython shell with a kernel, and the list of what it displays: (data, metadata, is an update, display id)."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.delenv("GAN_KERAS_PROGRESS", raising=False)
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    displayed = []

    class Publisher(DisplayPublisher):
        def publish(self, data, metadata=None, *, transient=None, update=False, **others):
            displayed.append((data, update, (transient or {}).get("display_id")))

    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(
        display_pub_class=Publisher,
        config=Config({"HistoryManager": {"enabled": False}, "HistoryAccessor": {"enabled": False}}),
    )
    shell.kernel = object()
    assert watching.in_notebook()
    yield displayed
    InteractiveShell.clear_instance()


def test_live_does_nothing_outside_a_notebook(outside_a_notebook, make_images, capsys):
    live = watching.Live()
    assert not live.due()
    live.show(watching.grid(make_images(4)))
    assert live.handle is None
    assert capsys.readouterr() == ("", "")


def test_live_shows_one_picture_and_then_changes_it_in_place(notebook, make_images):
    live = watching.Live()
    sheets = [watching.grid(make_images(4)) for _ in range(3)]
    for sheet in sheets:
        live.show(sheet)
    assert [update for _, update, _ in notebook] == [False, True, True]
    assert len({display_id for _, _, display_id in notebook}) == 1
    for (bundle, _, _), sheet in zip(notebook, sheets, strict=True):
        png = bundle["image/png"]
        np.testing.assert_array_equal(decode(base64.b64decode(png) if isinstance(png, str) else png), sheet)


def test_live_waits_between_two_pictures(notebook, make_images):
    live = watching.Live()
    assert live.due()
    live.show(watching.grid(make_images(4)))
    assert not live.due()


def test_in_a_notebook_the_watcher_draws_live_and_prints_nothing(notebook, pair, history, capsys):
    watcher = watching.Monitor(pair[0], steps=3, every=1)
    training.train(*pair, np.linspace(-1, 1, 60).reshape(5, 4, 3, 1), steps=3, batch_size=5, watch=watcher)
    updates = [update for _, update, _ in notebook]
    assert len(updates) >= 2  # the first, and the end's
    assert updates == [False] + [True] * (len(updates) - 1)
    assert capsys.readouterr().out == ""


def test_the_next_training_draws_a_new_picture(notebook, pair, history):
    watcher = watching.Monitor(pair[0], every=1000)
    watcher(history, end=True)
    watcher(history, end=True)
    assert [update for _, update, _ in notebook] == [False, False]


# The watcher


def feed(watcher, count, start=0):
    """Call the watcher as a training of `count` iterations does."""
    history = {"d_loss": [0.5] * start, "g_loss": [0.7] * start}
    for _ in range(count):
        history["d_loss"].append(0.25)
        history["g_loss"].append(1.5)
        watcher(history)
    watcher(history, end=True)


def test_watcher_keeps_a_frame_at_0_every_few_iterations_and_at_the_end(pair, outside_a_notebook):
    watcher = watching.Monitor(pair[0], every=3)
    feed(watcher, 10)
    assert [iteration for iteration, _ in watcher.frames] == [0, 3, 6, 9, 10]


def test_watcher_samples_the_same_points_in_inference_mode(make_pair, outside_a_notebook):
    generator, _, _ = make_pair(dropout=0.5)
    watcher = watching.Monitor(generator)
    np.testing.assert_array_equal(watcher.sample(), watcher.sample())
    expected = generator(watching.fixed_noise(5), training=False)
    np.testing.assert_allclose(watcher.frames[0][1], expected, atol=1e-6)


def test_watcher_takes_other_points(pair, rng, outside_a_notebook):
    noise = rng.normal(size=(3, 5)).astype("float32")
    watcher = watching.Monitor(pair[0], noise=noise)
    np.testing.assert_allclose(watcher.frames[0][1], pair[0](noise), atol=1e-6)


def test_frames_show_how_the_generator_changes(pair, make_images, outside_a_notebook):
    watcher = watching.Monitor(pair[0], steps=4, every=2)
    training.train(*pair, make_images(10), steps=4, batch_size=5, watch=watcher)
    first, second, last = (images for _, images in watcher.frames)
    assert np.abs(second - first).max() > 1e-3
    assert np.abs(last - second).max() > 1e-3
    np.testing.assert_array_equal(last, watcher.sample())


def test_frames_go_to_files_named_by_iteration_that_hold_the_grid(pair, tmp_path, outside_a_notebook):
    watcher = watching.Monitor(pair[0], every=100, folder=tmp_path / "new" / "frames")
    feed(watcher, 200)
    files = sorted((tmp_path / "new" / "frames").iterdir())
    assert [file.name for file in files] == ["iteration_00000.png", "iteration_00100.png", "iteration_00200.png"]
    for file, (_, images) in zip(files, watcher.frames, strict=True):
        pixels = decode(file.read_bytes())
        np.testing.assert_array_equal(pixels, watching.grid(images))
        assert pixels[pixels < 255].std() > 10  # a picture, not a black sheet


def test_watcher_going_on_with_a_history_keeps_counting(pair, outside_a_notebook):
    watcher = watching.Monitor(pair[0], every=5)
    feed(watcher, 5)
    feed(watcher, 5, start=5)
    assert [iteration for iteration, _ in watcher.frames] == [0, 5, 10]


def test_progress_is_a_line_for_each_frame(pair, outside_a_notebook, capsys):
    feed(watching.Monitor(pair[0], steps=2500, every=1000), 2500)
    assert capsys.readouterr().out.splitlines() == [
        "iteration 1,000 of 2,500: d_loss 0.250, g_loss 1.500, 0 s, 0 s left",
        "iteration 2,000 of 2,500: d_loss 0.250, g_loss 1.500, 0 s, 0 s left",
        "iteration 2,500 of 2,500: d_loss 0.250, g_loss 1.500, 0 s, 0 s left",
    ]


def test_progress_without_a_known_end_names_none(pair, outside_a_notebook, capsys):
    feed(watching.Monitor(pair[0], every=2), 2)
    assert capsys.readouterr().out == "iteration 2: d_loss 0.250, g_loss 1.500, 0 s\n"


def test_progress_beyond_the_end_names_none(pair, outside_a_notebook, capsys):
    feed(watching.Monitor(pair[0], steps=2, every=2), 4)
    assert capsys.readouterr().out.splitlines()[1] == "iteration 4: d_loss 0.250, g_loss 1.500, 0 s"


def test_progress_reckons_the_time_that_is_left(pair, outside_a_notebook, capsys, monkeypatch):
    """The first of 100 iterations ends at second 0; 40 of them take 80 seconds; 60 are left."""
    clock = iter([0.0, 78.0])
    monkeypatch.setattr(watching.time, "monotonic", lambda: next(clock))
    watcher = watching.Monitor(pair[0], steps=100, every=40)
    watcher({"d_loss": [1.0], "g_loss": [1.0]})
    watcher({"d_loss": [1.0] * 40, "g_loss": [1.0] * 40})
    left = capsys.readouterr().out.split(", ")[-1]
    assert 115 <= int(left.split()[0]) <= 121


def test_progress_is_printed_in_a_notebook_when_asked_for(notebook, pair, monkeypatch, capsys):
    monkeypatch.setenv("GAN_KERAS_PROGRESS", "1")
    feed(watching.Monitor(pair[0], every=2), 2)
    assert "iteration 2: d_loss 0.250" in capsys.readouterr().out


def test_the_live_picture_shows_samples_and_curves(pair, history, outside_a_notebook):
    pixels = np.asarray(watching.Monitor(pair[0]).picture(history, 120).convert("RGB")).astype(int)
    height, width, _ = pixels.shape
    assert width > 1.5 * height
    left, right = pixels[:, : width * 2 // 5], pixels[:, width // 2 :]
    assert (left.max(axis=2) - left.min(axis=2)).max() <= 10  # grey samples
    assert left.std() > 20
    for colour in (watching.BLUE, watching.ORANGE):  # as bright as they were chosen, also with few colours in the file
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(right - wanted).max(axis=2) < 20).sum() > 50


def test_watching_an_empty_history_draws_all_the_same(pair, outside_a_notebook):
    watching.Monitor(pair[0])({}, end=True)


@pytest.mark.parametrize("every", [0, -5, 2.5])
def test_watcher_names_a_wrong_interval(pair, every):
    with pytest.raises(ValueError, match=r"^every: expected "):
        watching.Monitor(pair[0], every=every)


def test_watcher_names_a_latent_size_that_does_not_match(pair):
    with pytest.raises(ValueError, match=r"^noise: the generator takes latent points of 5 numbers"):
        watching.Monitor(pair[0], noise=np.zeros((2, 7), "float32"))


# The curves


def lines(figure):
    """The labelled lines of a figure: label to y values."""
    return {
        line.get_label(): line for axes in figure.axes for line in axes.lines if not line.get_label().startswith("_")
    }


def test_curves_are_moving_means_that_end_at_the_last_iteration(history):
    figure = watching.plot_history(history)
    curve = lines(figure)["D's loss"]
    window = 30  # a quarter of 120, at most 50
    assert curve.get_xdata()[0] == window
    assert curve.get_xdata()[-1] == 120
    np.testing.assert_allclose(curve.get_ydata()[0], np.mean(history["d_loss"][:window]))
    np.testing.assert_allclose(curve.get_ydata()[-1], np.mean(history["d_loss"][-window:]))


def test_curves_have_names_different_dashes_and_colours(history):
    drawn = lines(watching.plot_history(history))
    assert set(drawn) == {"D's loss", "G's loss", "on real images", "on generated images"}
    losses = drawn["D's loss"], drawn["G's loss"]
    assert len({line.get_linestyle() for line in losses}) == 2
    assert len({line.get_color() for line in losses}) == 2


def test_the_ln_2_line_is_where_it_belongs(history):
    above = watching.plot_history(history).axes[0]
    dotted = [line for line in above.lines if line.get_linestyle() == ":"]
    assert [line.get_ydata()[0] for line in dotted] == [pytest.approx(math.log(2))]
    assert any(text.get_text() == "ln 2" for text in above.texts)


def test_ln_2_can_be_read_although_the_loss_of_g_began_high():
    g_loss = np.concatenate([np.full(300, 6.3), np.full(1700, 1.1)])
    above = watching.plot_history({"d_loss": [0.6] * 2000, "g_loss": g_loss}).axes[0]
    assert above.get_ylim() == (0, 2)
    assert "G's loss up to 6.3" in [text.get_text() for text in above.texts]


def test_a_loss_that_stays_high_is_not_cut():
    above = watching.plot_history({"d_loss": [0.01] * 200, "g_loss": [5.0] * 200}).axes[0]
    assert above.get_ylim() == (0, 7.5)
    assert not any("up to" in text.get_text() for text in above.texts)


def test_the_name_of_ln_2_stands_beside_the_frame(history):
    figure = watching.plot_history(history)
    figure.canvas.draw()
    (name,) = (text for text in figure.axes[0].texts if text.get_text() == "ln 2")
    extent, frame = name.get_window_extent(), figure.axes[0].get_window_extent()
    assert frame.x1 < extent.x0 < extent.x1 < figure.bbox.x1


def test_accuracy_runs_from_0_to_1(history):
    below = watching.plot_history(history).axes[1]
    low, high = below.get_ylim()
    assert -0.1 < low <= 0
    assert 1 <= high < 1.1


def test_a_loss_that_explodes_does_not_flatten_the_rest(history):
    history["g_loss"][-1] = 1e6
    assert watching.plot_history(history).axes[0].get_ylim()[1] <= 8


def test_the_curves_of_a_training_that_goes_on_begin_where_it_does():
    history = {"d_loss": [0.5] * 100, "g_loss": [0.9] * 100}
    drawn = lines(watching.plot_history(history, before=500))
    assert drawn["G's loss"].get_xdata()[-1] == 600
    assert drawn["G's loss"].get_xdata()[0] > 500


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_short_histories_are_drawn(count):
    figure = watching.plot_history({"d_loss": [0.5] * count, "g_loss": [0.9] * count})
    assert lines(figure)["G's loss"].get_xdata()[-1] == count
    assert decode(watching.to_png(figure)).std() > 5


def test_an_empty_history_gives_empty_axes():
    figure = watching.plot_history({})
    assert lines(figure) == {}
    assert figure.axes[0].get_ylim() == (0, 2)
    assert decode(watching.to_png(figure)).std() > 5


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_histories_with_nan_or_infinity_are_drawn(history, bad):
    history["d_loss"][60:] = [bad] * 60
    figure = watching.plot_history(history)
    assert np.isfinite(figure.axes[0].get_ylim()).all()
    assert decode(watching.to_png(figure)).std() > 5


def test_a_history_of_nothing_but_nan_is_drawn():
    figure = watching.plot_history({"d_loss": [math.nan] * 10, "g_loss": [math.nan] * 10})
    assert figure.axes[0].get_ylim() == (0, 2)
    assert decode(watching.to_png(figure)).std() > 5


def test_curves_can_be_drawn_into_a_given_figure(history):
    figure = Figure()
    assert watching.plot_history(history, figure) is figure
    assert len(figure.axes) == 2


# Rows and animation


def test_rows_are_the_frames_top_to_bottom_with_their_iterations_on_the_left(frames):
    picture = watching.rows_of_frames(frames, [0, 200, 300], columns=4, scale=1)
    pixels = np.asarray(picture.convert("L")).astype(int)
    rows = [watching.grid(dict(frames)[i][:4], 4, scale=1).astype(int) for i in (0, 200, 300)]
    height, width = rows[0].shape
    assert pixels.shape[0] == 3 * height
    for i, row in enumerate(rows):
        strip = pixels[i * height : (i + 1) * height]
        assert np.abs(strip[:, -width:] - row).max() <= 17  # one of 16 greys
        assert strip[:, :-width].min() < 128, f"row {i} has no caption"


def test_rows_that_were_not_reached_are_left_out(frames):
    one = watching.rows_of_frames(frames, [100], columns=4)
    two = watching.rows_of_frames(frames, [100, 250, 300, 9000], columns=4)
    assert two.height == 2 * one.height


def test_rows_have_their_names_on_the_left(frames):
    images = dict(frames)[0]
    short = watching.labelled_rows({"a": images, "b": images}, columns=4, scale=1)
    long = watching.labelled_rows({"a": images, "a longer name": images}, columns=4, scale=1)
    width = watching.grid(images[:4], 4, scale=1).shape[1]
    assert width < short.width < long.width
    names = np.asarray(long.convert("L"))[:, :-width]
    above, below = names[: long.height // 2], names[long.height // 2 :]
    assert 0 < (above < 128).sum() < (below < 128).sum()


def test_rows_in_colour(make_images):
    images = make_images(4, (5, 4, 3))
    pixels = np.asarray(watching.rows_of_frames([(0, images)], [0], columns=4, scale=1).convert("RGB")).astype(int)
    sheet = watching.grid(images, 4, scale=1).astype(int)
    assert np.abs(pixels[:, -sheet.shape[1] :] - sheet).mean() < 8


def test_rows_of_which_none_was_reached_say_so(frames):
    with pytest.raises(ValueError, match=r"^iterations: "):
        watching.rows_of_frames(frames, [50])


@pytest.mark.parametrize("channels", [1, 3])
def test_animation_is_an_apng_whose_pages_are_the_frames(frames, channels):
    frames = [(i, np.repeat(images, channels, axis=-1)) for i, images in frames]
    movie = Image.open(io.BytesIO(watching.animation(frames, scale=1, seconds=8)))
    assert movie.format == "PNG"
    assert movie.is_animated
    assert movie.n_frames == 4
    assert movie.info["loop"] == 0  # for ever
    durations = []
    for page, (_, images) in enumerate(frames):
        movie.seek(page)
        durations.append(movie.info["duration"])
        pixels = np.asarray(movie.convert("RGB")).astype(int)
        sheet = watching.grid(images, scale=1).astype(int)
        sheet = sheet if channels == 3 else sheet[..., None]
        assert np.abs(pixels[: sheet.shape[0]] - sheet).mean() < 8
        assert pixels[sheet.shape[0] :].min() < 128, f"page {page} has no caption"
    assert durations == [2000, 2000, 2000, 3500]


def test_animation_of_digits_is_small(rng):
    """Notebooks hold it: 40 frames of 25 digits."""
    images = np.tanh(4 * rng.normal(-0.6, 0.4, (25, 28, 28, 1))).astype("float32")
    frames = [(i, np.roll(images, i, axis=2)) for i in range(4)]
    plain = sum(len(watching.to_png(watching.grid(images, scale=1))) for _, images in frames)
    assert len(watching.animation(frames)) < 0.7 * plain


def test_animation_of_no_frames_says_so():
    with pytest.raises(ValueError, match=r"^frames: "):
        watching.animation([])


# Folders


def test_runs_go_to_the_projects_images_folder(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(watching, "__file__", str(tmp_path / "gan_keras" / "watching.py"))
    folder = watching.runs_folder("06")
    assert folder == tmp_path.resolve() / "images" / "runs" / "06"
    assert folder.is_dir()


def test_runs_of_an_installed_package_go_to_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(watching, "__file__", str(tmp_path / "site-packages" / "gan_keras" / "watching.py"))
    monkeypatch.chdir(tmp_path)
    folder = watching.runs_folder("06")
    assert folder == tmp_path / "images" / "runs" / "06"
    assert folder.is_dir()


def test_writable_folder_makes_what_is_missing_and_leaves_nothing_behind(tmp_path):
    folder = watching.writable_folder(tmp_path / "a" / "b")
    assert folder == tmp_path / "a" / "b"
    assert list(folder.iterdir()) == []
    assert watching.writable_folder(str(folder)) == folder


def test_writable_folder_leaves_what_is_there(tmp_path):
    (tmp_path / "kept.png").write_bytes(PNG)
    watching.writable_folder(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["kept.png"]


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path, below):
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(OSError, match=r"^cannot write to the folder .*images.* \(.+\); free it, or choose another"):
        watching.writable_folder(tmp_path / "images" / below)


def test_the_watcher_says_so_before_the_training(pair, tmp_path):
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(OSError, match="cannot write to the folder"):
        watching.Monitor(pair[0], folder=tmp_path / "images")


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OSError, match=r"^cannot write to the folder .*[Pp]ermission"):
            watching.writable_folder(tmp_path)
    finally:
        tmp_path.chmod(0o755)

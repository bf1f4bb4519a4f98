"""A folder of pictures as people have them becomes an array, and what was left out is said."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from gan_keras import data

RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(size=(40, 30), colour=RED, mode="RGB"):
    return Image.new("RGB", size, colour).convert(mode)


def halves(size=(64, 32), left=RED, right=BLUE):
    """Left half one colour, right half another."""
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def only(folder, **options):
    images = data.load_folder(folder, **options)
    assert images.shape[0] == 1
    return data.to_pixels(images[0])


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "JPG", "webp", "gif", "bmp", "tiff", "ppm"])
def test_formats(tmp_path, ending, capsys):
    picture().save(tmp_path / f"one.{ending}")
    pixels = only(tmp_path)
    assert pixels.shape == (32, 32, 3)
    assert np.abs(pixels.astype(int) - RED).max() < 10
    assert capsys.readouterr().out == f"{tmp_path.name}: 1 pictures, now 32 x 32 in colour\n"


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "I;16", "LA", "RGBA", "PA"])
def test_modes(tmp_path, mode):
    if mode == "I;16":
        image = Image.fromarray(np.full((30, 40), 65535, "uint16"))
    else:
        image = picture(colour=(255, 255, 255)).convert("L" if mode == "PA" else mode).convert(mode)
    image.save(tmp_path / ("one.tiff" if mode in ("CMYK", "YCbCr", "PA") else "one.png"))
    assert only(tmp_path).min() > 250


def test_sixteen_bits_keep_their_greys(tmp_path):
    Image.fromarray(np.full((30, 30), 257 * 100, "uint16")).save(tmp_path / "one.png")
    assert set(np.unique(only(tmp_path, channels=1))) == {100}


def test_transparent_parts_become_white(tmp_path):
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 16, 32))
    image.save(tmp_path / "alpha.png")
    image.convert("RGB").quantize(2).save(tmp_path / "palette.gif", transparency=0)
    pixels = only_of(tmp_path, "alpha.png")
    assert tuple(pixels[16, 4]) == RED
    assert tuple(pixels[16, 28]) == (255, 255, 255)


def only_of(folder, name):
    files = sorted(p.name for p in folder.iterdir())
    return data.to_pixels(data.load_folder(folder)[files.index(name)])


def test_half_transparent_edges_mix_with_white(tmp_path):
    Image.new("RGBA", (32, 32), (0, 0, 0, 128)).save(tmp_path / "one.png")
    assert abs(int(only(tmp_path).mean()) - 127) <= 1


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photos_are_turned_as_the_camera_noted(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {1: 0, 3: 180, 6: 90, 8: 270}[orientation]  # how the sensor saw it
    halves((64, 64)).rotate(turned, expand=True).save(tmp_path / "one.jpg", exif=exif, quality=95)
    pixels = only(tmp_path).astype(int)
    assert np.abs(pixels[:, :12] - RED).mean() < 12
    assert np.abs(pixels[:, 20:] - BLUE).mean() < 12


@pytest.mark.parametrize("size", [(90, 30), (30, 90), (31, 17), (5, 7), (1, 1), (640, 480)])
def test_the_middle_is_taken_whatever_the_size(tmp_path, size):
    width, height = size
    image, edge = Image.new("RGB", size, BLUE), min(size)
    left, top = (width - edge) // 2, (height - edge) // 2
    image.paste(RED, (left, top, left + edge, top + edge))
    image.save(tmp_path / "one.png")
    pixels = only(tmp_path).astype(int)
    np.testing.assert_array_equal(pixels, np.broadcast_to(RED, (32, 32, 3)))


def test_a_messy_folder(tmp_path, capsys):
    names = ["a.png", "b.jpeg", "ünïcødé 猫.webp", "sub/deeper/c.png", "no_ending", "wrong.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        with open(tmp_path / name, "wb") as file:
            halves().save(file, format="PNG")
    for name in (".hidden.png", "._a.png", ".git/d.png", "__MACOSX/e.png", "sub/.f/g.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        picture().save(tmp_path / name)
    for name in ("Thumbs.db", ".DS_Store", "notes.md", "film.mp4", "empty.png"):
        (tmp_path / name).write_bytes(b"" if "empty" in name else b"nothing to see")
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99, 3), "uint8")).save(file, format="JPEG")
    (tmp_path / "cut.jpg").write_bytes(file.getvalue()[:2000])
    Image.fromarray(np.zeros((8, 8), "float32")).save(tmp_path / "floats.tiff")
    images = data.load_folder(tmp_path)
    assert images.shape == (len(names), 32, 32, 3)
    assert images.dtype == np.float32
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert f"{len(names)} pictures, now 32 x 32 in colour; left out: " in said
    assert "1 broken (cut.jpg)" in said
    assert "1 floats of unknown range (floats.tiff)" in said
    assert "3 no picture (empty.png, film.mp4, notes.md)" in said
    assert "hidden" not in said
    assert "Thumbs" not in said


def test_order_is_that_of_the_names_and_the_same_each_time(tmp_path):
    for i in (2, 0, 1):
        picture(colour=(i * 100, 0, 0)).save(tmp_path / f"{i}.png")
    first, again = data.load_folder(tmp_path), data.load_folder(str(tmp_path))
    np.testing.assert_array_equal(first, again)
    assert list(data.to_pixels(first)[:, 0, 0, 0]) == [0, 100, 200]


def test_an_animation_counts_once(tmp_path):
    picture().save(tmp_path / "film.gif", save_all=True, append_images=[picture(colour=BLUE)] * 3)
    assert tuple(only(tmp_path)[16, 16]) == RED


def test_thousands_of_pictures(tmp_path):
    for i in range(1500):
        picture((8, 8), (i % 256, i // 256, 0)).save(tmp_path / f"{i:05d}.png", compress_level=0)
    pixels = data.to_pixels(data.load_folder(tmp_path, size=8))
    assert pixels.shape == (1500, 8, 8, 3)
    np.testing.assert_array_equal(pixels[:, 4, 4, 0], np.arange(1500) % 256)


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (28, 3), (65, 3), (4, 1)])
def test_size_and_channels(tmp_path, size, channels):
    halves().save(tmp_path / "one.png")
    images = data.load_folder(tmp_path, size=size, channels=channels)
    assert images.shape == (1, size, size, channels)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda p: p / "nowhere", "is missing"),
        (lambda p: (p / "f.zip").write_bytes(b"PK") and p / "f.zip", "is a file"),
        (lambda p: p, "it is empty"),
        (lambda p: ((p / "a.txt").write_text("x"), p)[1], r"1 no picture \(a.txt\)"),
    ],
)
def test_what_is_no_folder_of_pictures_is_named(tmp_path, prepare, words):
    with pytest.raises(ValueError, match=rf"^path: .*{words}"):
        data.load_folder(prepare(tmp_path))


@pytest.mark.parametrize("options", [{"size": 0}, {"size": 2.5}, {"size": "32"}, {"channels": 4}, {"channels": None}])
def test_wrong_arguments_are_named(tmp_path, options):
    picture().save(tmp_path / "one.png")
    with pytest.raises(ValueError, match=f"^{next(iter(options))}: "):
        data.load_folder(tmp_path, **options)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_left_out(tmp_path):
    picture().save(tmp_path / "one.png")
    picture().save(tmp_path / "two.png")
    (tmp_path / "two.png").chmod(0)
    assert len(data.load_folder(tmp_path)) == 1


def test_a_bomb_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    picture((8, 8)).save(tmp_path / "small.png")
    picture((40, 40)).save(tmp_path / "bomb.png")
    assert len(data.load_folder(tmp_path)) == 1
    assert "1 too large (bomb.png)" in capsys.readouterr().out


def test_a_phones_format_is_named_with_the_way_out(tmp_path, capsys):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    (tmp_path / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    data.load_folder(tmp_path)
    assert "1 HEIC: export as JPEG (IMG_0001.HEIC)" in capsys.readouterr().out

"""Reading a folder of pictures as people have them."""

import os
import pathlib
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageOps

HIDDEN = {"thumbs.db", "desktop.ini", "__macosx"}
# What a phone stores and Pillow does not read: said with the way out.
NOT_READ = dict.fromkeys((".heic", ".heif"), "HEIC: export as JPEG")


def find_files(folder):
    """The files of a folder and of its subfolders, in the order of their names, without those that are hidden."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        found += [pathlib.Path(place, name) for name in files if not is_hidden(name)]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def is_hidden(name):
    """Whether systems keep such a file from the user: `.DS_Store`, `._photo.jpg`, `Thumbs.db`."""
    return name.startswith(".") or name.lower() in HIDDEN


def read_picture(path, size, channels):
    """One picture, the largest square in its middle, made smaller (or larger).

    Args:
        path: the file.
        size: pixels along an edge.
        channels: 3 for colour, 1 for greys.

    Returns:
        `(pixels, None)`, uint8 `(size, size, channels)`, or `(None, reason)`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on odd metadata; what it cannot read, it raises
            with Image.open(path) as picture:
                if picture.mode == "F":
                    return None, "floats of unknown range"
                picture.draft("RGB", (2 * size, 2 * size))  # a JPEG need not be decoded at its full size
                picture.load()
                square = middle(flatten(picture)).resize((size, size), Image.Resampling.LANCZOS)
                mode = {1: "L", 3: "RGB"}[channels]
                return np.asarray(square.convert(mode)).reshape(size, size, channels), None
    except Image.UnidentifiedImageError:
        return None, NOT_READ.get(path.suffix.lower(), "no picture")
    except Image.DecompressionBombError:
        return None, "too large"
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, MemoryError):  # whatever decoders raise
        return None, "broken"


def middle(picture):
    """The largest square in the middle."""
    # `ImageOps.fit` would mix in, at the edges, what is cut off.
    edge = min(picture.size)
    left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
    return picture.crop((left, top, left + edge, top + edge))


def flatten(picture):
    """The picture upright, its transparent parts on white, with 8 bits a channel."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):  # greys of 16 bits
        return Image.fromarray((np.asarray(picture).clip(0, 65535) / 257).round().astype("uint8"))
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


def read_folder(path, size, channels):
    """All pictures of a folder.

    Args:
        path: the folder.
        size: as in `read_picture`.
        channels: as in `read_picture`.

    Returns:
        Pixels, uint8 `(N, size, size, channels)`, in the order of the files' names; the paths of those files; and a
        dict of reasons to lists of the paths that were left out.
    """
    files, taken, left_out = find_files(path), [], {}
    pixels = np.empty((len(files), size, size, channels), "uint8")
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda file: read_picture(file, size, channels), files)
        for file, (picture, reason) in zip(files, results, strict=True):
            if reason is None:
                pixels[len(taken)] = picture
                taken.append(file)
            else:
                left_out.setdefault(reason, []).append(file)
    return pixels[: len(taken)], taken, left_out


def describe(left_out, folder):
    """A phrase for what was left out: `3 broken (a.png, b/c.jpg, ...), 1 no picture (notes.txt)`."""
    parts = []
    for reason, files in left_out.items():
        names = ", ".join(file.relative_to(folder).as_posix() for file in files[:3])
        parts.append(f"{len(files):,} {reason} ({names}{', ...' if len(files) > 3 else ''})")
    return ", ".join(parts)

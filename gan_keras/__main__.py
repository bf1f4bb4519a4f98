"""`python -m gan_keras FOLDER`: a folder of pictures to a trained generator, grids and a report."""

import argparse
import pathlib
import sys

from gan_keras import data
from gan_keras._plumbing import command


def parse(arguments):
    """The settings of a call."""
    parser = argparse.ArgumentParser(
        prog="python -m gan_keras",
        description="Train a GAN on a folder of pictures. Stopped at any moment and started again, it goes on.",
    )
    parser.add_argument("folder", type=pathlib.Path, help="pictures of any kind and size, also in subfolders")
    parser.add_argument("--minutes", type=float, default=5, help="how long to train, all calls together (%(default)g)")
    parser.add_argument("--size", type=int, default=32, help="pixels along an edge (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, help="where to write (NAME-gan in the current folder)")
    parser.add_argument("--seed", type=int, default=0, help="another seed is another training (%(default)s)")
    settings = parser.parse_args(arguments)
    if settings.size < 8 or settings.size > 256:
        parser.error(f"--size: expected 8 to 256 pixels, got {settings.size}")
    if not 0 < settings.minutes < 100_000:
        parser.error(f"--minutes: expected more than 0 and less than 100,000, got {settings.minutes:g}")
    if not 0 <= settings.seed < 2**31:
        parser.error(f"--seed: expected 0 to {2**31 - 1}, got {settings.seed}")
    settings.out = settings.out or pathlib.Path(f"{settings.folder.resolve().name or 'pictures'}-gan")
    if settings.out.resolve().is_relative_to(settings.folder.resolve()):
        parser.error(f"--out: {settings.out} lies in the folder of pictures; choose another place")
    return settings


def main(arguments=None):
    """Do what the command line says; returns the exit code: 0, 2 for wrong input, 130 for a stop by Ctrl-C."""
    settings = parse(arguments)
    try:
        images = data.load_folder(settings.folder, settings.size)
        command.train(images, settings)
    except (ValueError, OSError) as error:
        print(f"gan_keras: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

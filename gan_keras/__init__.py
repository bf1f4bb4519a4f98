"""gan_keras: what the notebooks share. Small enough to read, and every GAN function was shown in a notebook first.

To read it, begin with `data`, `models`, `losses` and `training` (the loop of notebook 06), then `gan` (the same,
compiled); `conditional`, `recipes`, `judging` and `augment` go with notebooks 14, 10, 09 and 15; `watching` and
`callbacks` draw while a GAN trains; `doctor` says whether a pair of your own can train. `_plumbing` is what no notebook
shows.
"""

from gan_keras._plumbing import quiet

__version__ = "1.0.0"

quiet.require_packages()
quiet.import_keras_on_tensorflow()

from gan_keras import (  # noqa: E402
    augment,
    callbacks,
    conditional,
    data,
    doctor,
    gan,
    judging,
    losses,
    models,
    recipes,
    training,
    watching,
)

__all__ = [
    "augment",
    "callbacks",
    "conditional",
    "data",
    "doctor",
    "gan",
    "judging",
    "losses",
    "models",
    "recipes",
    "training",
    "watching",
]

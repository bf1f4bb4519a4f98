"""Training with a frozen discriminator, done right on Keras 3; notebook 05 shows what goes wrong otherwise."""

import numpy as np

from gan_keras._plumbing.checks import (
    check_accuracy,
    check_compiled,
    check_images,
    check_noise,
    check_trainable,
    check_training,
)
from gan_keras.data import sample_noise


def step_on_batch(model, x, y):
    """Train a model on one batch, through a train function that nobody else traces.

    Keras looks at `trainable` when a function is traced for a batch size, not later, so a function that was
    once traced with another flag would go on with it. A copy of one's own cannot be spoilt that way.

    Args:
        model: a compiled model.
        x: its inputs, `(batch, ...)`.
        y: its targets, `(batch, 1)`.

    Returns:
        A dict of this batch's own loss and metrics (up to Keras 3.14, `train_on_batch` alone reports a running mean).

    Raises:
        ValueError: if none of the model's weights is trainable.
    """
    check_trainable(model)
    state = [model.metrics[0], *model.trainable_weights]  # what the function was traced with
    own, public = getattr(model, "_own_train_function", None), model.train_function
    if own is None or list(map(id, own.state)) != list(map(id, state)):
        model.make_train_function(force=True)
        own = model._own_train_function = model.train_function
        own.state = state
    model.reset_metrics()
    try:
        model.train_function = own
        return model.train_on_batch(x, y, return_dict=True)
    finally:
        model.train_function = public


def train_discriminator(discriminator, real, fake):
    """Train D on one batch of real images (target 1), then on one of generated images (target 0).

    Args:
        discriminator: images to `(batch, 1)`, compiled with the metric accuracy; its flag `trainable` is set.
        real: float images `(batch, height, width, channels)` in [-1, 1].
        fake: generated images, likewise.

    Returns:
        A dict of this batch's `d_loss` (mean of the two halves), `d_loss_real`, `d_loss_fake`, `accuracy_real` and
        `accuracy_fake`.

    Raises:
        ValueError: if D is not compiled so, if all its layers are frozen, or if a batch is not what it takes.
    """
    check_compiled(discriminator, "discriminator")
    real = check_images(real, "real", discriminator.input_shape[1:])
    fake = check_images(fake, "fake", discriminator.input_shape[1:])
    discriminator.trainable = True
    on_real = step_on_batch(discriminator, real, np.ones((len(real), 1)))
    check_accuracy(on_real)
    on_fake = step_on_batch(discriminator, fake, np.zeros((len(fake), 1)))
    return {
        "d_loss": 0.5 * (on_real["loss"] + on_fake["loss"]),
        "d_loss_real": on_real["loss"],
        "d_loss_fake": on_fake["loss"],
        "accuracy_real": on_real["accuracy"],
        "accuracy_fake": on_fake["accuracy"],
    }


def train_generator(combined, noise):
    """Train G through the frozen D for one step: make D say "real" (the non-saturating loss of Goodfellow et al. 2014).

    Args:
        combined: a compiled model, latent points to D's verdict; its last layer is D, whose layers are all trainable
            afterwards, also when the step raises.
        noise: float latent points `(batch, latent_dim)`.

    Returns:
        A dict of this batch's `g_loss`.

    Raises:
        ValueError: if the combined model is not compiled, if G is frozen, or if the noise does not fit.
    """
    check_compiled(combined, "combined")
    noise = check_noise(noise, combined.input_shape[-1])
    discriminator = combined.layers[-1]
    discriminator.trainable = False
    try:
        logs = step_on_batch(combined, noise, np.ones((len(noise), 1)))
    finally:
        discriminator.trainable = True
    return {"g_loss": logs["loss"]}


def train(generator, discriminator, combined, images, steps=5000, batch_size=32, seed=0, watch=None, history=None):
    """Train the pair: Algorithm 1 of Goodfellow et al. 2014 with the `counterfeiter` recipe's order of updates.

    Interrupting it (Ctrl-C, or the square in Jupyter) keeps what was trained.

    Args:
        generator: `(batch, latent_dim)` to images.
        discriminator: compiled, images to `(batch, 1)`.
        combined: `models.build_combined(generator, discriminator)`.
        images: float `(N, height, width, channels)` in [-1, 1].
        steps: how many iterations.
        batch_size: how many real and how many generated images an iteration; at most N.
        seed: of the batches and the noise.
        watch: called with the history after each iteration and, with `end=True`, at the end (`watching.Monitor`).
        history: that of an earlier call, to go on from it.

    Returns:
        The history: a dict of lists, one number an iteration (`d_loss`, `g_loss`, `accuracy_real`, ...).

    Raises:
        ValueError: if an argument is wrong or two do not fit; it says which.
    """
    images = check_training(images, generator, discriminator, combined, steps, batch_size)
    latent_dim = generator.input_shape[-1]
    history = {} if history is None else history
    rng = np.random.default_rng([seed, len(history.get("d_loss", []))])
    try:
        for _ in range(steps):
            real = images[rng.integers(0, len(images), batch_size)]
            fake = generator.predict_on_batch(sample_noise(batch_size, latent_dim, rng))
            logs = train_discriminator(discriminator, real, fake)
            logs |= train_generator(combined, sample_noise(batch_size, latent_dim, rng))
            for name, value in logs.items():
                history.setdefault(name, []).append(float(value))
            if watch:
                watch(history)
    except KeyboardInterrupt:
        print(f"Interrupted after iteration {len(history.get('d_loss', [])):,}; what was trained is kept.")
    if watch:
        watch(history, end=True)
    return history

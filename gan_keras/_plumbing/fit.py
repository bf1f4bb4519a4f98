"""Checks of what `GAN.compile` and `GAN.fit` are given, before anything is trained."""

import functools
import inspect
import pathlib
import types
import warnings

import keras
import numpy as np
import tensorflow as tf

from gan_keras._plumbing.batches import CheckedBatches, shuffled_batches
from gan_keras._plumbing.checkpoints import Resume, StopOnNaN
from gan_keras._plumbing.checks import (
    check_channels_last,
    check_ending,
    check_images,
    check_labels,
    check_no_activity_regularizer,
    check_number,
    check_precision,
    check_range,
)
from gan_keras._plumbing.fast import FusedAdam
from gan_keras._plumbing.saving import has_lambda
from gan_keras.losses import Loss, PairLoss

LOGS = ("d_loss", "g_loss", "accuracy_real", "accuracy_fake")
EMPTY = "images: the Dataset is empty"
LAMBDA = "a lambda, but Keras does not load it again so that it works; give GAN.compile a function that has a name"


def check_optimizer(gan, player, optimizer):
    """Check one player's optimizer and return it; `FusedAdam` with the recipe's rates where none is given."""
    name, variables = f"{player[0]}_optimizer", getattr(gan, player).trainable_variables
    check_precision(getattr(gan, player), player)
    check_no_activity_regularizer(getattr(gan, player), player)
    if not variables:
        raise ValueError(f"{player}: has nothing to train; set its `trainable` to True before compile")
    with gan.distribute_strategy.scope():
        optimizer = FusedAdam(2e-4, beta_1=0.5) if optimizer is None else optimizer
        try:
            optimizer = keras.optimizers.get(optimizer)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name}: expected a Keras optimizer or its name, got {optimizer!r} ({error})") from None
        optimizer.build(variables)
    try:
        optimizer.apply([None] * len(variables), variables)  # without gradients Keras only looks at the variables
    except ValueError as error:
        if "Unknown variable" in str(error):
            raise ValueError(
                f"{name}: this optimizer already belongs to another network; make one for each player"
            ) from None
    return optimizer


def check_loss(loss, discriminator):
    """Check the losses of both players and return them as a `losses.Loss` or a `losses.PairLoss`."""
    kind = {4: Loss, 3: PairLoss}.get(len(loss)) if isinstance(loss, (tuple, list)) else None
    if kind is None or not all(map(callable, loss[:-1])) or not isinstance(loss[-1], bool):
        raise ValueError(f"loss: expected a gan_keras.losses.Loss, such as losses.NON_SATURATING, got {loss!r}")
    loss = kind(*loss)
    if loss.of_pairs and not loss.from_logits:
        raise ValueError("loss: a PairLoss compares logits, so its from_logits must be True")
    check_ending(discriminator, loss.from_logits)
    return loss


def check_compile(gan, d_optimizer, g_optimizer, loss, penalty, d_steps, options):
    """Check what `GAN.compile` is given; returns both optimizers and the loss."""
    if unknown := set(options) - {"steps_per_execution", "run_eagerly"}:
        raise ValueError(f"{min(unknown)}: not an argument of GAN.compile")
    check_number(options.get("steps_per_execution", 1), "steps_per_execution")
    if g_optimizer is not None and d_optimizer is g_optimizer and not isinstance(d_optimizer, (str, dict)):
        raise ValueError("g_optimizer: expected another object than d_optimizer; each player needs its own")
    optimizers = [
        check_optimizer(gan, player, optimizer)
        for player, optimizer in (("discriminator", d_optimizer), ("generator", g_optimizer))
    ]
    loss = check_loss(loss, gan.discriminator)
    if loss.of_pairs and "pairs" in gan.ignores:
        raise ValueError(f"loss: {type(gan).__name__} trains only with a losses.Loss, got {loss!r}")
    if penalty is not None and not callable(penalty):
        raise ValueError(f"penalty: expected a function of (discriminator, real, fake, seed), got {penalty!r}")
    if penalty is not None:
        check_arguments(penalty)
    check_number(d_steps, "d_steps")
    for name, value, only in (("penalty", penalty, None), ("d_steps", d_steps, 1)):
        if name in gan.ignores and value != only:
            raise ValueError(f"{name}: {type(gan).__name__} trains only with {name}={only}, got {value!r}")
    return *optimizers, loss


def check_arguments(penalty):
    """Check that a penalty can be called as `GAN` calls it, where Python knows its arguments."""
    try:
        inspect.signature(penalty).bind("discriminator", "real", "fake", seed=0)
    except (TypeError, ValueError) as error:  # the latter of something built in, or of a wrong partial
        if isinstance(error, TypeError) or isinstance(penalty, functools.partial):
            raise ValueError(f"penalty: called as penalty(discriminator, real, fake, seed=...): {error}") from None


def check_fit(gan, images, labels, batch_size, epochs, steps_per_epoch, callbacks, initial_epoch):
    """Check what `GAN.fit` is given, changing nothing yet; returns arrays of images and labels, or `CheckedBatches`."""
    if not gan.compiled:
        raise ValueError("compile: call gan.compile() before fit")
    check_channels_last()
    check_number(epochs, "epochs", low=0)
    check_number(initial_epoch, "initial_epoch", low=0, high=epochs, why=" (epochs)")
    if steps_per_epoch is not None:
        check_number(steps_per_epoch, "steps_per_epoch")
    check_callbacks(gan, callbacks)
    for player in ("generator", "discriminator"):
        update = getattr(gan, f"update_{player}")
        if getattr(gan, f"{player[0]}_optimizer") is not update.optimizer:
            raise ValueError(f"{player[0]}_optimizer: it is another than that of compile; call compile again")
        trained = update.variables
        if list(map(id, getattr(gan, player).trainable_variables)) != list(map(id, trained)):
            raise ValueError(
                f"{player}: which of its weights are trainable has changed since compile; call compile again, "
                "or set `trainable` back"
            )
    replicas = gan.distribute_strategy.num_replicas_in_sync
    if isinstance(images, tf.data.Dataset):
        if labels is not None:
            raise ValueError("labels: expected None beside a Dataset, whose elements are (images, labels)")
        if images.cardinality() == 0:
            raise ValueError(EMPTY)
        if steps_per_epoch is None and images.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError("steps_per_epoch: expected a whole number, because the Dataset has no end")
        return CheckedBatches(images, gan, some_drawings(gan)), None
    if labels is not None and not gan.num_classes:
        raise ValueError("labels: expected None; labels are for ConditionalGAN")
    hint = "" if gan.num_classes else "; labels are for ConditionalGAN"
    check_number(batch_size, "batch_size", hint=hint)
    if gan.num_classes and isinstance(images, (tuple, list)) and len(images) == 2:
        raise ValueError("images: expected one array of images; give the labels apart: fit(images, labels)")
    images = check_images(images, image_shape=gan.image_shape)
    if gan.num_classes:
        labels = check_labels(labels, gan.num_classes, count=len(images))
    check_range(images, some_drawings(gan))
    check_number(batch_size, "batch_size", high=len(images), why=" (the number of images)")
    if batch_size * gan.d_steps > len(images):
        need = f"{gan.d_steps} batches of {batch_size} images need more than the {len(images)} given"
        raise ValueError(f"d_steps: {need}")
    if batch_size % replicas:
        raise ValueError(
            f"batch_size: expected a multiple of the {replicas} devices that share a batch, got {batch_size}"
        )
    return images, labels


def some_drawings(gan):
    """Sixteen images of the generator, to see in which range it draws."""
    noise = np.random.default_rng(0).normal(size=(16, gan.latent_dim)).astype(gan.generator.compute_dtype)
    return np.asarray(gan.unconditional_generator(16)(noise, training=False))


def check_callbacks(gan, callbacks):
    """Refuse callbacks that would fail, or do nothing, only after an epoch."""
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(f"callbacks: expected Keras callbacks, got {callback!r}")
        name = type(callback).__name__
        if isinstance(callback, (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler)):
            raise ValueError(
                f"callbacks: {name} sets the learning rate of one optimizer, and a GAN has two; give each optimizer a "
                "schedule instead, such as keras.optimizers.schedules.CosineDecay"
            )
        if isinstance(callback, keras.callbacks.SwapEMAWeights):
            raise ValueError(
                f"callbacks: {name} needs one optimizer, and a GAN has two; give g_optimizer use_ema=True and call "
                "gan.g_optimizer.finalize_variable_values(gan.generator.trainable_variables) after fit"
            )
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ValueError(
                f"callbacks: {name} does not keep the optimizers and the order of a GAN's images; "
                "take gan_keras.callbacks.Resume"
            )
        check_monitor(gan, callback)
        if isinstance(callback, keras.callbacks.ModelCheckpoint):
            check_checkpoint(gan, callback)


def check_monitor(gan, callback):
    """Check that what a callback of Keras watches is there, and that it knows in which direction it is better."""
    monitor = getattr(callback, "monitor", None)
    if not isinstance(monitor, str) or not getattr(callback, "save_best_only", True):
        return
    own = type(gan).__module__.partition(".")[0] != "gan_keras"  # a subclass, which may have logs of its own
    if monitor.startswith("val_") or (monitor not in (*LOGS, "loss") and not own):
        raise ValueError(
            f"callbacks: {type(callback).__name__} watches {monitor!r}, but GAN.fit has no such number (and no "
            f"validation); watch one of {', '.join((*LOGS, 'loss'))}"
        )
    if monitor != "loss" and getattr(callback, "mode", None) == "auto":
        raise ValueError(f'callbacks: {type(callback).__name__} on {monitor!r} needs mode="min" or mode="max"')


def check_checkpoint(gan, callback):
    """Check that Keras can write the file that a `ModelCheckpoint` is asked for."""
    try:
        callback.filepath.format(epoch=1, batch=1, **dict.fromkeys((*LOGS, "loss"), 0.0))
    except (KeyError, IndexError, ValueError) as error:
        if type(gan).__module__.partition(".")[0] == "gan_keras":  # a subclass may have logs of its own
            raise ValueError(
                f"callbacks: ModelCheckpoint cannot fill in {callback.filepath!r} ({error}); GAN.fit knows epoch, "
                f"{', '.join((*LOGS, 'loss'))}"
            ) from None
    if callback.save_weights_only:
        return  # its own constructor checks the name
    if pathlib.Path(callback.filepath).suffix != ".keras":
        raise ValueError(f"callbacks: ModelCheckpoint can save a GAN to a .keras file only, not {callback.filepath!r}")
    try:
        gan.get_config()
        with_lambda = has_lambda(gan)
    except Exception as error:
        raise ValueError(f"callbacks: ModelCheckpoint cannot save this GAN ({error})") from None
    if with_lambda:
        raise ValueError(f"callbacks: ModelCheckpoint can save {LAMBDA}")


def check_no_lambda(gan):
    """Check that what is saved can be loaded again."""
    if has_lambda(gan):
        raise ValueError(f"filepath: a GAN can be saved with {LAMBDA}")


def restore(gan, callbacks, initial_epoch, images, batch_size, steps_per_epoch):
    """Put a checkpoint back if there is one; returns the epoch to start with.

    Args:
        gan: the GAN, to which nothing happens before everything has been checked.
        callbacks: among which may be a `Resume`.
        initial_epoch: where to start without a `Resume`.
        images: what `check_fit` returned. How many there are, and the next two, must be as in the checkpoint.
        batch_size: as in `fit`.
        steps_per_epoch: as in `fit`.
    """
    if isinstance(images, CheckedBatches):
        settings = {"steps_per_epoch": steps_per_epoch, "batch_size": None, "images": None}
    else:
        steps = steps_per_epoch or len(images) // (batch_size * gan.d_steps)
        settings = {"steps_per_epoch": steps, "batch_size": batch_size, "images": len(images), "seed": gan.seed}
    settings |= {
        "recipe": type(gan).__name__,
        "loss": [function_name(part) for part in gan.loss[:-1]],
        "penalty": function_name(gan.penalty),
        "d_steps": gan.d_steps,
        "d_optimizer": type(gan.d_optimizer).__name__,
        "g_optimizer": type(gan.g_optimizer).__name__,
        "keras": keras.__version__,
    }
    for callback in callbacks:
        if isinstance(callback, Resume):
            if initial_epoch:
                raise ValueError(f"initial_epoch: Resume knows where to go on, so leave it out, got {initial_epoch}")
            initial_epoch = callback.restore(gan, **settings)
    return initial_epoch


def function_name(function):
    """What a checkpoint notes of a function: its name, with the arguments that a `functools.partial` fixes."""
    if isinstance(function, functools.partial):
        fixed = ", ".join(f"{name}={value!r}" for name, value in sorted(function.keywords.items()))
        return f"{function_name(function.func)}({fixed})"
    return getattr(function, "__name__", None if function is None else type(function).__name__)


def make_batches(gan, images, labels, batch_size, steps_per_epoch):
    """What to train on, and how many iterations make an epoch (None: as many as a Dataset has).

    It also sets how many iterations Keras makes between two calls of callbacks: the most allowed that divides an epoch,
    because Keras would run on to the next multiple, and at the end of a Dataset might draw noise for no images; on
    several devices, and where nobody knows how many batches a Dataset has, one.
    """
    if isinstance(images, CheckedBatches):
        batches, steps = images, steps_per_epoch
        in_an_epoch = steps or max(1, int(images.dataset.cardinality()))
    else:
        rows = batch_size * gan.d_steps
        dataset = shuffled_batches(images, labels, rows, gan.seed, start=int(gan.iteration.numpy()))
        batches = types.SimpleNamespace(dataset=dataset, error=None, seen=0)
        steps = in_an_epoch = steps_per_epoch or len(images) // rows
    most = gan.max_steps_per_execution if gan.distribute_strategy.num_replicas_in_sync == 1 else 1
    count = max(n for n in range(1, most + 1) if in_an_epoch % n == 0)
    recorded = count, gan.loss, gan.penalty, gan.d_steps  # what a recorded step has built in
    gan.train_function = gan.train_function if recorded == getattr(gan, "recorded", recorded) else None
    gan.recorded, gan.steps_per_execution = recorded, count
    return batches, steps


def check_logs(gan, logs):
    """Check that a `train_step`, which may be a subclass's own, reports what callbacks need."""
    if missing := [name for name in LOGS if name not in logs]:
        raise ValueError(
            f"train_step: {type(gan).__name__}.train_step must return self.update_means(logs) with "
            f"{', '.join(LOGS)} in the logs; {', '.join(missing)} is missing"
        )


def with_guards(callbacks, batches, steps):
    """The callbacks of a training, first those that see to its health: `Guard`, and a `StopOnNaN` if there is none."""
    stops = [callback for callback in callbacks if isinstance(callback, StopOnNaN)]
    others = [callback for callback in callbacks if callback not in stops]
    return [Guard(batches, steps), *(stops or [StopOnNaN()]), *others]


class Guard(keras.callbacks.Callback):
    """Sees to it that what was asked for happens: iterations are counted, and the Dataset has as many as it should.

    Args:
        batches: what `make_batches` returned.
        steps: how many iterations make an epoch, or None.
    """

    def __init__(self, batches, steps):
        super().__init__()
        self.batches, self.steps, self.any = batches, steps, False

    def on_epoch_begin(self, epoch, logs=None):
        self.start = int(self.model.iteration.numpy())

    def on_train_batch_end(self, batch, logs=None):
        self.any = True
        finite = all(np.isfinite(value).all() for value in (logs or {}).values())
        check_logs(self.model, logs or {})
        if finite and int(self.model.iteration.numpy()) == self.start:
            raise ValueError(
                f"train_step: {type(self.model).__name__}.train_step must return self.update_means(logs), "
                "which counts the iteration"
            )

    def on_epoch_end(self, epoch, logs=None):
        if self.batches.error is not None:
            raise self.batches.error
        if not self.any:
            few = self.batches.seen > 0  # of an unknown number
            raise ValueError("images: the Dataset has too few batches for one iteration" if few else EMPTY)
        done = int(self.model.iteration.numpy()) - self.start
        if not self.model.stop_training and (done == 0 or (self.steps and done < self.steps)):
            of = f" of {self.steps:,}" if self.steps else ""
            warnings.warn(
                f"images: the Dataset ended after {done:,}{of} iterations of epoch {epoch + 1}, and training with it; "
                "let it .repeat(), or ask for fewer",
                stacklevel=2,
            )
            self.model.stop_training = True
            if done == 0:  # Keras would report zeros
                logs.update(dict.fromkeys(logs, float("nan")))

"""Plumbing of `GAN`: checks of its arguments, batches in an order that a seed decides, fast optimizer updates."""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from gan_keras.checkpoints import Resume
from gan_keras.checks import check_images, check_number
from gan_keras.losses import ends_in_sigmoid


def check_compile(gan, d_optimizer, g_optimizer, loss, penalty, options):
    """Check what `GAN.compile` is given; returns both optimizers, Adam where none is given."""
    if unknown := set(options) - {"steps_per_execution", "run_eagerly"}:
        raise ValueError(f"{min(unknown)}: not an argument of GAN.compile")
    check_number(options.get("steps_per_execution", 1), "steps_per_execution")
    optimizers = []
    for player, optimizer in (("discriminator", d_optimizer), ("generator", g_optimizer)):
        name, variables = f"{player[0]}_optimizer", getattr(gan, player).trainable_variables
        if (kind := getattr(gan, player).compute_dtype) not in ("float32", "float64"):
            raise ValueError(f"{player}: expected a network that computes in float32 or float64, got {kind}")
        if not variables:
            raise ValueError(f"{player}: has nothing to train; set its `trainable` to True before compile")
        with gan.distribute_strategy.scope():
            optimizer = optimizer or keras.optimizers.Adam(2e-4, beta_1=0.5)
        try:
            optimizers.append(keras.optimizers.get(optimizer))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name}: expected a Keras optimizer or its name, got {optimizer!r} ({error})") from None
        known = optimizers[-1].built and getattr(optimizers[-1], "_trainable_variables", variables)
        if known and {id(v) for v in known} != {id(v) for v in variables}:
            raise ValueError(f"{name}: this optimizer already belongs to another network; make one for each player")
    if optimizers[0] is optimizers[1]:
        raise ValueError("g_optimizer: expected another object than d_optimizer; each player needs its own")
    if not isinstance(loss, (tuple, list)) or len(loss) != 4 or not all(map(callable, loss[:3])):
        raise ValueError(f"loss: expected a gan_keras.losses.Loss, such as losses.NON_SATURATING, got {loss!r}")
    if ends_in_sigmoid(gan.discriminator) is bool(loss[3]):
        raise ValueError(
            "loss: it takes logits or scores, but the discriminator ends in a sigmoid"
            if loss[3]
            else "loss: it takes probabilities, but the discriminator ends without a sigmoid; take one from logits"
        )
    if penalty is not None and not callable(penalty):
        raise ValueError(f"penalty: expected a function of (discriminator, real, fake, seed), got {penalty!r}")
    return optimizers


def feed(gan, images, batch_size, epochs, steps_per_epoch, callbacks, initial_epoch):
    """Check what `GAN.fit` is given, put a checkpoint back, and say what Keras's `fit` shall take.

    Returns:
        `(batches, arguments)`: a `tf.data.Dataset`, and a dict with `steps_per_epoch` and `initial_epoch`.
    """
    check_number(epochs, "epochs", low=0)
    check_number(initial_epoch, "initial_epoch", low=0)
    if not all(isinstance(callback, keras.callbacks.Callback) for callback in callbacks):
        raise ValueError(f"callbacks: expected Keras callbacks, got {callbacks}")
    if steps_per_epoch is not None:
        check_number(steps_per_epoch, "steps_per_epoch")
    dataset = isinstance(images, tf.data.Dataset)
    if dataset:
        images, steps, settings = check_dataset(gan, images, steps_per_epoch), steps_per_epoch, {}
    else:
        images = check_images(images, image_shape=gan.discriminator.input_shape[1:])
        check_number(batch_size, "batch_size", high=len(images), why=" (the number of images)")
        rows = batch_size * gan.d_steps
        if rows > len(images):
            need = f"{gan.d_steps} batches of {batch_size} images need more than the {len(images)} given"
            raise ValueError(f"d_steps: {need}")
        steps = steps_per_epoch or len(images) // rows
        settings = {"batch_size": batch_size, "images": len(images), "seed": gan.seed}
    game = {"recipe": type(gan).__name__, "loss": [getattr(part, "__name__", "") for part in gan.loss[:3]]}
    settings |= game | {"d_steps": gan.d_steps}
    for callback in callbacks:
        if isinstance(callback, Resume):
            initial_epoch = callback.restore(gan, steps_per_epoch=steps, **settings)
    replicas = gan.distribute_strategy.num_replicas_in_sync
    if not dataset and batch_size % replicas:
        raise ValueError(
            f"batch_size: expected a multiple of the {replicas} devices that share a batch, got {batch_size}"
        )
    at_once = gan.at_most if replicas == 1 else 1  # on several devices Keras can do one at a time only
    if steps:  # ... and it would run on to the next multiple
        at_once = max(n for n in range(1, at_once + 1) if steps % n == 0)
    gan.train_function = gan.train_function if at_once == gan.steps_per_execution else None
    gan.steps_per_execution = at_once
    batches = images if dataset else shuffled_batches(images, rows, gan.seed, start=int(gan.iteration.numpy()))
    return batches, {"steps_per_epoch": steps, "initial_epoch": initial_epoch}


def check_dataset(gan, images, steps_per_epoch):
    """Check a Dataset by its first batch, and make its batches large enough for `d_steps`."""
    spec = images.element_spec
    if not isinstance(spec, tf.TensorSpec):
        raise ValueError(f"images: expected a Dataset of one tensor, a batch of images, got elements {spec}")
    if steps_per_epoch is None and images.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("steps_per_epoch: expected a whole number, because the Dataset has no end")
    for batch in images.take(1):
        check_images(batch.numpy(), image_shape=gan.discriminator.input_shape[1:])
        if gan.d_steps > 1:
            return images.unbatch().batch(len(batch) * gan.d_steps, drop_remainder=True)
    return images


def shuffled_batches(images, batch_size, seed, start=0):
    """Batches without end: pass after pass through the images, each in a new order. Seed and number decide a batch.

    Args:
        images: array `(N, ...)`.
        batch_size: at most N; images left over at the end of a pass are left out of that pass.
        seed: whole number.
        start: number of the first batch.

    Returns:
        A `tf.data.Dataset` of float tensors `(batch_size, ...)`.
    """
    with tf.device("CPU"):
        images = tf.convert_to_tensor(np.asarray(images), dtype=keras.config.floatx())
    in_a_pass = len(images) // batch_size

    def one_pass(number):
        order = tf.random.experimental.stateless_shuffle(tf.range(len(images)), seed=[seed, number])
        return tf.data.Dataset.from_tensor_slices(tf.reshape(order[: in_a_pass * batch_size], (in_a_pass, batch_size)))

    passes = tf.data.Dataset.counter(start // in_a_pass).flat_map(one_pass)
    batches = passes.skip(start % in_a_pass).map(lambda rows: tf.gather(images, rows))
    plainly = tf.data.Options()  # rewriting this little pipeline would take longer, images and all, than it saves
    plainly.experimental_optimization.apply_default_optimizations = False
    plainly.autotune.enabled = False
    return batches.with_options(plainly).prefetch(2)


def mover(network, optimizer, fast):
    """A function of a tape and a loss on it that moves the network's weights by one update of the optimizer.

    Keras's Adam is carried out by TensorFlow's fused kernel, other optimizers by XLA: the same arithmetic in a third
    of the time, because each number is read once. (XLA for the whole step would slow the matrix products of a CPU
    down.) Replicas and eager debugging take the plain way.
    """
    variables = network.trainable_variables
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    optimizer.build(variables)

    def apply(gradients):
        optimizer.apply(gradients, variables)

    if fast and replicas == 1:
        if type(optimizer) is keras.optimizers.Adam and not optimizer.amsgrad:
            apply = functools.partial(apply_fused_adam, optimizer, variables)
        elif xla_works():
            apply = tf.function(apply, jit_compile=True, autograph=False)

    def move(tape, loss):
        share = optimizer.scale_loss(tf.ones_like(loss) / replicas)  # replicas add up their gradients
        apply(tape.gradient(loss, variables, output_gradients=share))

    return move


def apply_fused_adam(adam, variables, gradients):
    """What `adam.apply` does, by TensorFlow's kernel for Adam, which goes through memory once (Kingma and Ba 2015)."""
    dtype = variables[0].dtype
    step = tf.cast(adam.iterations + 1, dtype)  # read once, not once for each variable
    power_1, power_2 = ops.cast(adam.beta_1, dtype) ** step, ops.cast(adam.beta_2, dtype) ** step

    def update_step(gradient, variable, learning_rate):
        index = adam._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=adam._momentums[index].value.handle,
            v=adam._velocities[index].value.handle,
            beta1_power=power_1,
            beta2_power=power_2,
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.constant(adam.beta_1, dtype),
            beta2=tf.constant(adam.beta_2, dtype),
            epsilon=tf.constant(adam.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )

    adam.update_step = update_step
    adam.apply(gradients, variables)
    del adam.update_step


@functools.cache
def xla_works():
    """Whether XLA can compile here, which not every installation for Windows or GPUs can."""
    try:
        tf.function(lambda x: tf.sqrt(x) ** x, jit_compile=True)(tf.constant(2.0))
    except (tf.errors.OpError, ValueError, RuntimeError):
        return False
    return True

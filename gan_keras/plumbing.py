"""Plumbing of `GAN`: checks of its arguments, batches in an order that a seed decides, fast optimizer updates."""

import contextlib
import functools

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from tensorflow.python.framework import ops as framework_ops

from gan_keras.checkpoints import Resume
from gan_keras.checks import check_features, check_images, check_noise, check_number
from gan_keras.losses import ends_in_sigmoid


def check_compile(gan, d_optimizer, g_optimizer, loss, penalty, d_steps, options):
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
    for name, value, only in (("penalty", penalty, None), ("d_steps", d_steps, 1)):
        if name in gan.ignores and value != only:
            raise ValueError(f"{name}: {type(gan).__name__} trains only with {name}={only}, got {value!r}")
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
        data, steps, settings = check_dataset(gan, images, steps_per_epoch), steps_per_epoch, {}
    else:
        images, *labels = images if isinstance(images, tuple) else (images,)
        images = check_images(images, image_shape=gan.generator.output_shape[1:])
        check_number(batch_size, "batch_size", high=len(images), why=" (the number of images)")
        rows = batch_size * gan.d_steps
        if rows > len(images):
            need = f"{gan.d_steps} batches of {batch_size} images need more than the {len(images)} given"
            raise ValueError(f"d_steps: {need}")
        steps = steps_per_epoch or len(images) // rows
        settings = {"batch_size": batch_size, "images": len(images), "seed": gan.seed}
        data = (images, *labels) if labels else images
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
    batches = data if dataset else shuffled_batches(data, rows, gan.seed, start=int(gan.iteration.numpy()))
    return batches, {"steps_per_epoch": steps, "initial_epoch": initial_epoch}


def check_dataset(gan, images, steps_per_epoch):
    """Check a Dataset by its first batch, and make its batches large enough for `d_steps`."""
    spec, num_classes = images.element_spec, getattr(gan, "num_classes", None)
    if num_classes is None and not isinstance(spec, tf.TensorSpec):
        raise ValueError(f"images: expected a Dataset of one tensor, a batch of images, got elements {spec}")
    if num_classes and not (isinstance(spec, tuple) and [type(part) for part in spec] == [tf.TensorSpec] * 2):
        raise ValueError(f"images: expected a Dataset of pairs (images, labels), got elements {spec}")
    if steps_per_epoch is None and images.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("steps_per_epoch: expected a whole number, because the Dataset has no end")
    for batch in images.take(1):
        some, *labels = batch if num_classes else (batch,)
        check_images(some.numpy(), image_shape=gan.generator.output_shape[1:])
        if num_classes:
            check_labels(labels[0].numpy(), num_classes, count=len(some))
        if gan.d_steps > 1:
            return images.unbatch().batch(len(some) * gan.d_steps, drop_remainder=True)
    return images


def check_labels(labels, num_classes, count=None):
    """Check labels, one whole number 0 to num_classes - 1 for each of `count` images; returns int32 `(N,)`."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels: expected whole numbers 0 to {num_classes - 1}, got {labels.dtype} {labels.shape}")
    if labels.ndim == 2 and labels.shape[1] == 1:  # as some data sets come
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) == 0 or len(labels) != (len(labels) if count is None else count):
        wanted = "(N,)" if count is None else f"({count},), one for each image"
        raise ValueError(f"labels: expected whole numbers of shape {wanted}, got {labels.shape}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels: expected classes 0 to {num_classes - 1}, got {labels.min()} to {labels.max()}")
    return labels.astype("int32")


def check_orders(labels, num_classes, noise, latent_dim):
    """Check what a conditional generator is asked for: labels `(N,)` or class vectors `(N, num_classes)`, and noise."""
    if np.ndim(labels) == 2 and np.shape(labels)[1] != 1:
        labels = check_features(labels, "labels").astype("float32")
        if labels.shape[1] != num_classes:
            raise ValueError(f"labels: expected class vectors (N, {num_classes}), got {labels.shape}")
    else:
        labels = check_labels(labels, num_classes)
    if noise is not None and len(noise := check_noise(noise, latent_dim)) != len(labels):
        raise ValueError(f"noise: expected {len(labels)} latent points, one for each label, got {len(noise)}")
    return labels, noise


def check_classes(generator, discriminator):
    """Check that both players take class vectors beside their input, of one length, and return it."""
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        shapes = network.input_shape
        if not isinstance(shapes, list) or len(shapes) != 2 or len(shapes[1]) != 2:
            own = "noise" if name == "generator" else "images"
            raise ValueError(f"{name}: expected two inputs, {own} and (batch, num_classes), got {shapes}")
    ours, theirs = generator.input_shape[1][1], discriminator.input_shape[1][1]
    if ours != theirs:
        raise ValueError(f"discriminator: expected {ours} classes (num_classes) as the generator has, got {theirs}")
    return ours


def shuffled_batches(images, batch_size, seed, start=0):
    """Batches without end: pass after pass through the images, each in a new order. Seed and number decide a batch.

    Args:
        images: array `(N, ...)`, or a tuple of such an array and labels, whole numbers `(N,)`.
        batch_size: at most N; images left over at the end of a pass are left out of that pass.
        seed: whole number.
        start: number of the first batch.

    Returns:
        A `tf.data.Dataset` of float tensors `(batch_size, ...)`, or of tuples of them and of labels `(batch_size,)`.
    """
    images, *labels = images if isinstance(images, tuple) else (images,)
    in_a_pass = len(images) // batch_size

    def one_pass(number):
        order = tf.random.experimental.stateless_shuffle(tf.range(len(images)), seed=[seed, number])
        return tf.data.Dataset.from_tensor_slices(tf.reshape(order[: in_a_pass * batch_size], (in_a_pass, batch_size)))

    passes = tf.data.Dataset.counter(start // in_a_pass).flat_map(one_pass)
    at_once = min(16, max(1, 2**22 // images[:batch_size].nbytes))  # a few MB
    return gathered(passes.skip(start % in_a_pass), images, *labels, at_once=at_once)


def published_batches(images, batch_size, seed, replace=False):
    """Batches without end as tutorials draw them.

    Args:
        images: array `(N, ...)`.
        batch_size: at most N.
        seed: whole number.
        replace: True: each image at random, whether it was there before or not (as with `np.random.randint`). False:
            pass after pass, each in a new order; the images left over are a smaller batch (as PyTorch's `DataLoader`).

    Returns:
        A `tf.data.Dataset` of float tensors `(batch, ...)`.
    """

    def one_pass(number):
        if replace:
            rows = tf.random.stateless_uniform((batch_size,), [seed, number], 0, len(images), "int64")
            return tf.data.Dataset.from_tensors(rows)
        order = tf.random.experimental.stateless_shuffle(tf.range(len(images)), seed=[seed, number])
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    return gathered(tf.data.Dataset.counter().flat_map(one_pass), images)


def gathered(batches, images, *labels, at_once=1):
    """The images (and labels) of which a Dataset holds the row numbers, batch by batch.

    NumPy gathers them: TensorFlow would first copy all images, which takes longer than hundreds of iterations. It does
    so for `at_once` batches (of one size) in a call, because a call costs as much as the copying of a few batches.
    """
    images = np.asarray(images, dtype=keras.config.floatx())
    parts = (images, *labels)

    def pick(rows):
        picked = tf.numpy_function(lambda n: [part[n] for part in parts], [rows], [p.dtype for p in parts], False)
        for part, batch in zip(parts, picked, strict=True):
            batch.set_shape((*rows.shape, *part.shape[1:]))
        return tuple(picked) if labels else picked[0]

    plainly = tf.data.Options()  # rewriting this little pipeline would take longer than it saves
    plainly.experimental_optimization.apply_default_optimizations = False
    plainly.autotune.enabled = False
    return batches.batch(at_once, drop_remainder=True).map(pick).with_options(plainly).prefetch(2).unbatch()


def mover(network, optimizer, fast):
    """A function of a tape and a loss on it that moves the network's weights by one update of the optimizer.

    Keras's Adam is carried out by TensorFlow's fused kernel, other optimizers by XLA: the same arithmetic in a third
    of the time, because each number is read once. (XLA for the whole step would slow the matrix products of a CPU
    down; see `quick_matmul_gradient` for those.) Replicas and eager debugging take the plain way.
    """
    variables = network.trainable_variables
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    optimizer.build(variables)
    on_one_cpu = fast and replicas == 1 and not tf.config.list_logical_devices("GPU")
    backwards = quick_matmul_gradient if on_one_cpu else contextlib.nullcontext

    def apply(gradients):
        optimizer.apply(gradients, variables)

    if fast and replicas == 1:
        if type(optimizer) is keras.optimizers.Adam and not optimizer.amsgrad:
            apply = functools.partial(apply_fused_adam, optimizer, variables)
        elif xla_works():
            apply = tf.function(apply, jit_compile=True, autograph=False)

    def move(tape, loss):
        share = optimizer.scale_loss(tf.ones_like(loss) / replicas)  # replicas add up their gradients
        with backwards():
            gradients = tape.gradient(loss, variables, output_gradients=share)
        with no_sum_over_replicas(optimizer) if replicas == 1 else contextlib.nullcontext():
            apply(gradients)

    return move


@contextlib.contextmanager
def quick_matmul_gradient():
    """Let a tape compute the gradient `g @ W.T` of a product by TensorFlow's kernel for stacks of matrices.

    The result is the same. With a batch of 32 and the counterfeiter's layers it takes up to a quarter of the time: the
    usual kernel first copies a large transposed matrix into another order, which takes longer than to multiply by it.
    There is no public way to choose a gradient; where TensorFlow's registry of them is not found, all stays as usual.
    """
    registry = getattr(getattr(framework_ops, "_gradient_registry", None), "_registry", {})
    usual = registry.get("MatMul")
    if not isinstance(usual, dict) or "type" not in usual:
        yield
        return

    def gradient(op, upstream):
        skipped = getattr(op, "skip_input_indices", None) or ()
        if 0 in skipped or op.get_attr("transpose_a") or op.get_attr("transpose_b") or not upstream.dtype.is_floating:
            return usual["type"](op, upstream)
        left, right = op.inputs
        to_left = tf.raw_ops.BatchMatMulV2(x=upstream, y=right, adj_y=True)
        return to_left, None if 1 in skipped else tf.matmul(left, upstream, transpose_a=True)

    registry["MatMul"] = usual | {"type": gradient}
    try:
        yield
    finally:
        registry["MatMul"] = usual


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


@contextlib.contextmanager
def no_sum_over_replicas(optimizer):
    """Let an optimizer leave out Keras's sum of gradients over replicas where there is one.

    The sum ties all gradients together in one operation, for the sake of which TensorFlow's graph optimizer drops the
    rule "update a bias only after the penalty has read it", and which it then takes apart. Now and then the penalty of
    a conditional D met the new bias.
    """
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs
    try:
        yield
    finally:
        del optimizer._all_reduce_sum_gradients


@contextlib.contextmanager
def no_remapper():
    """Let TensorFlow's graph optimizer be without its remapper, which logs an error at a penalty on convolutions.

    It cannot fuse convolution, bias and LeakyReLU where a gradient of a gradient needs what stands between. Elsewhere
    it can, but with batches of 32 on a CPU the fused products are no faster, rather slower.
    """
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"remapping": False})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"remapping": before.get("remapping", True)})


@functools.cache
def xla_works():
    """Whether XLA can compile here, which not every installation for Windows or GPUs can."""
    try:
        tf.function(lambda x: tf.sqrt(x) ** x, jit_compile=True)(tf.constant(2.0))
    except (tf.errors.OpError, ValueError, RuntimeError):
        return False
    return True

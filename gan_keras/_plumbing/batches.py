"""Batches for `GAN.fit`: of an array, in an order that a seed decides, or of a `tf.data.Dataset`, each checked."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from gan_keras._plumbing.checks import check_images, check_labels, check_range, fits


def shuffled_batches(images, labels, batch_size, seed, start=0):
    """Batches without end: pass after pass through the images, each in a new order. Seed and number decide a batch.

    Args:
        images: array `(N, ...)`.
        labels: None, or whole numbers `(N,)`.
        batch_size: at most N; images left over at the end of a pass are left out of that pass.
        seed: whole number.
        start: number of the first batch.

    Returns:
        A `tf.data.Dataset` of float tensors `(batch_size, ...)`, or of tuples of them and of labels `(batch_size,)`.
    """
    in_a_pass = len(images) // batch_size

    def one_pass(number):
        order = tf.random.experimental.stateless_shuffle(tf.range(len(images)), seed=[seed, number])
        return tf.data.Dataset.from_tensor_slices(tf.reshape(order[: in_a_pass * batch_size], (in_a_pass, batch_size)))

    passes = tf.data.Dataset.counter(start // in_a_pass).flat_map(one_pass)
    at_once = min(16, max(1, 2**22 // images[:batch_size].nbytes))  # a few MB
    return gather_rows(passes.skip(start % in_a_pass), images, labels, at_once)


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

    return gather_rows(tf.data.Dataset.counter().flat_map(one_pass), images)


def gather_rows(rows, images, labels=None, at_once=1):
    """The images (and labels) of which a Dataset holds the row numbers, batch by batch.

    NumPy gathers them: TensorFlow would first copy all images, which takes longer than hundreds of iterations. It does
    so for `at_once` batches (of one size) in a call, because a call costs as much as the copying of a few batches.
    """
    images = np.asarray(images, dtype=keras.config.floatx())
    parts = (images,) if labels is None else (images, labels)

    def pick(rows):
        picked = tf.numpy_function(lambda n: [part[n] for part in parts], [rows], [p.dtype for p in parts], False)
        picked = tf.nest.flatten(picked)  # in tf.data's debug mode one tensor comes alone
        for part, batch in zip(parts, picked, strict=True):
            batch.set_shape((*rows.shape, *part.shape[1:]))
        return picked[0] if labels is None else tuple(picked)

    plainly = tf.data.Options()  # rewriting this little pipeline would take longer than it saves
    plainly.experimental_optimization.apply_default_optimizations = False
    plainly.autotune.enabled = False
    plainly.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA  # a share a worker
    if at_once == 1:
        return rows.map(pick).with_options(plainly).prefetch(2)
    return rows.batch(at_once, drop_remainder=True).map(pick).with_options(plainly).prefetch(2).unbatch()


ENOUGH = 16  # images whose range tells that of all: one alone may have no dark pixel


class CheckedBatches:
    """A Dataset whose batches are checked one by one as they come, cast, and made large enough for `d_steps`.

    Args:
        dataset: a `tf.data.Dataset` of batches of images or, for `ConditionalGAN`, of pairs `(images, labels)`.
        gan: the `GAN` that will train on them.
        drawn: some images of its generator, whose range must be theirs.

    Attributes:
        dataset: what to train on.
        seen: how many of the given batches have been drawn.
        error: the `ValueError` of a wrong batch, before which the batches end; or None.

    Raises:
        ValueError: if the elements are not such batches, as far as their specification tells.
    """

    def __init__(self, dataset, gan, drawn):
        self.gan, self.drawn, self.seen, self.error = gan, drawn, 0, None
        self.first = []  # some images, to know their range
        self.num_classes = gan.num_classes
        self.image_shape, self.shapes = gan.image_shape, (gan.image_shape, ())
        spec = dataset.element_spec
        self.check_spec(spec)
        parts = spec if self.num_classes else (spec,)
        self.rows = parts[0].shape[0] if parts[0].shape.rank else None
        count = int(dataset.cardinality())  # below 0 if nobody knows
        checked = dataset.map(self.check_in_graph).take_while(lambda right, *_: right).map(self.without_flag)
        replicas = gan.distribute_strategy.num_replicas_in_sync
        if replicas > 1:  # which can share out only batches of one size
            rows = self.rows or batch_length(dataset)
            if rows % replicas:
                raise ValueError(
                    f"images: expected batches of a multiple of the {replicas} devices that share one, got {rows}"
                )
            checked = checked.unbatch().batch(rows * gan.d_steps, drop_remainder=True)
            if count > 0:
                images = (count - 1) * rows + (self.rows or batch_length(dataset.skip(count - 1)))
                count = images // rows
        elif gan.d_steps > 1:
            checked = checked.ragged_batch(gan.d_steps, drop_remainder=True).map(self.join)
        if 0 < count < gan.d_steps:
            raise ValueError(f"images: an iteration takes {gan.d_steps} batches (d_steps), but the Dataset has {count}")
        if count > 0:  # else Keras tries for one more an epoch, which costs some noise
            checked = checked.apply(tf.data.experimental.assert_cardinality(count // gan.d_steps))
        self.dataset = checked.prefetch(2)

    def check_spec(self, spec):
        """Check what the elements are said to be."""
        tensors = spec if isinstance(spec, tuple) else (spec,)
        dense = all(isinstance(part, tf.TensorSpec) for part in tensors)
        if not self.num_classes and not (dense and isinstance(spec, tf.TensorSpec)):
            hint = "; labels are for ConditionalGAN: .map(lambda images, labels: images) leaves them out"
            raise ValueError(f"images: expected a Dataset of one tensor, a batch of images, got elements {spec}{hint}")
        if self.num_classes and not (dense and isinstance(spec, tuple) and len(spec) == 2):
            raise ValueError(f"images: expected a Dataset of pairs (images, labels), got elements {spec}")
        rank = tensors[0].shape.rank
        if rank == 3 and fits(tensors[0].shape, self.image_shape):
            raise ValueError(
                f"images: expected a Dataset of batches (batch, height, width, channels), got single images "
                f"{tensors[0].shape}; call .batch(32) on it"
            )
        if rank not in (None, 4):
            raise ValueError(f"images: expected 4 axes (batch, height, width, channels), got shape {tensors[0].shape}")

    def check(self, images, labels=None):
        """Check a batch; returns it in the networks' precision."""
        images = check_images(images, image_shape=self.image_shape)
        if self.num_classes:
            labels = check_labels(labels, self.num_classes, count=len(images))
        if len(self.first) < ENOUGH:
            self.first = [*self.first, *images[: ENOUGH - len(self.first)]]
            if len(self.first) == ENOUGH or len(images) > 1:
                check_range(np.stack(self.first), self.drawn)
        self.seen += 1
        images = np.asarray(images, dtype=self.gan.discriminator.compute_dtype)
        return (images, labels) if self.num_classes else (images,)

    def check_in_graph(self, *batch):
        """`check` as a step of the Dataset: whether the batch is right, and what `check` returns.

        An error is kept for `Guard`, which raises it; raised here, TensorFlow would wrap it, and log it twice.
        """

        def check(*batch):
            try:
                return True, *self.check(*batch)
            except ValueError as error:
                self.error = error
                return False, *empty

        kinds = [self.gan.discriminator.compute_dtype, "int32"][: len(batch)]
        empty = [np.zeros((0, *shape), kind) for shape, kind in zip(self.shapes, kinds, strict=False)]
        right, *checked = tf.numpy_function(check, batch, ["bool", *kinds])
        right.set_shape(())
        for part, shape in zip(checked, self.shapes, strict=False):
            part.set_shape((None, *shape))
        return right, *checked

    def without_flag(self, right, *batch):
        """The batch alone, with as many rows as the Dataset promises."""
        for part, shape in zip(batch, self.shapes, strict=False):
            part.set_shape((self.rows, *shape))
        return batch if self.num_classes else batch[0]

    def join(self, *parts):
        """`d_steps` batches as one."""
        joined = []
        for part, shape in zip(parts, self.shapes, strict=False):
            if isinstance(part, tf.RaggedTensor):  # batches of a size that nobody promised
                joined.append(tf.ensure_shape(part.merge_dims(0, 1), (None, *shape)))
            else:
                joined.append(tf.reshape(part, (-1, *part.shape[2:])))
        return tuple(joined) if self.num_classes else joined[0]


def batch_length(dataset):
    """How many images the first batch of a Dataset has."""
    first = next(iter(dataset))
    return len(first[0] if isinstance(first, tuple) else first)


@contextlib.contextmanager
def named_errors(batches):
    """Raise the `ValueError` that a check of the batches raised, in place of TensorFlow's, that they end too early."""
    try:
        yield
    except tf.errors.OpError:
        if batches.error is not None:
            raise batches.error from None
        raise

"""Conditional networks: labels go where they belong, both players obey them, and wrong ones are named."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import weights
from keras import layers, ops
from tensorflow.python.eager import context

from gan_keras import callbacks, losses, watching
from gan_keras._plumbing import fast
from gan_keras.conditional import (
    ConditionalGAN,
    FixedLabels,
    build_conditional_discriminator,
    build_conditional_generator,
    class_vectors,
    draw,
    label_map,
)
from gan_keras.gan import FusedAdam

SHAPE, CLASSES, LATENT = (5, 6, 3), 4, 3


def r1(discriminator, real, fake, seed=None):
    return losses.r1(discriminator, real, fake, weight=0.5)


@pytest.fixture
def make():
    """A small compiled conditional GAN."""

    def make(seed=5, **options):
        keras.utils.set_random_seed(seed)
        pair = build_conditional_generator(LATENT, CLASSES, SHAPE), build_conditional_discriminator(SHAPE, CLASSES)
        gan = ConditionalGAN(*pair, seed=seed)
        options = {"loss": losses.NON_SATURATING_FROM_LOGITS, "penalty": r1} | options
        gan.compile(keras.optimizers.Adam(1e-3, 0.5), keras.optimizers.Adam(1e-3, 0.5), **options)
        return gan

    return make


@pytest.fixture
def labels(rng):
    return rng.integers(0, CLASSES, 20)


def test_class_c_is_channel_c_and_nowhere_else():
    labels = np.array([3, 0, 2])
    filled = np.array(label_map(labels, SHAPE, CLASSES))
    assert filled.shape == (3, 5, 6, 4)
    for image, label in zip(filled, labels, strict=True):
        for channel in range(CLASSES):
            assert (image[..., channel] == (channel == label)).all()


def test_labels_in_a_column_or_a_list_make_the_same_map():
    labels = np.array([3, 0, 2])
    for other in (labels[:, None], labels.tolist()):
        np.testing.assert_array_equal(label_map(other, SHAPE, CLASSES), label_map(labels, SHAPE, CLASSES))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        class_vectors(np.zeros((2, 3), int), CLASSES)


def test_the_map_of_a_mixture_holds_its_shares():
    mixture = np.array([[0.25, 0, 0.75, 0]], "float32")
    filled = np.array(label_map(mixture, (2, 3, 1), CLASSES))
    np.testing.assert_array_equal(filled, np.broadcast_to(mixture[:, None, None], (1, 2, 3, 4)))
    assert class_vectors(mixture, CLASSES) is mixture


@pytest.mark.parametrize(
    ("image_shape", "num_classes"), [((28, 28, 1), 10), ((32, 32, 3), 2), ((17, 9, 1), 100), ((1, 1, 2), 1)]
)
def test_any_image_shape_and_number_of_classes(image_shape, num_classes, make_images):
    generator = build_conditional_generator(LATENT, num_classes, image_shape)
    discriminator = build_conditional_discriminator(image_shape, num_classes)
    drawn = draw(generator, np.arange(num_classes))
    assert drawn.shape == (num_classes, *image_shape)
    assert np.abs(drawn).max() <= 1
    gan = ConditionalGAN(generator, discriminator)
    gan.compile(loss=losses.NON_SATURATING_FROM_LOGITS, penalty=r1)
    before = weights(gan)
    logs = gan.fit(make_images(8, image_shape), np.arange(8) % num_classes, batch_size=4, verbose=0).history
    assert np.isfinite(list(logs.values())).all()
    assert any(not np.array_equal(a, b) for a, b in zip(weights(gan), before, strict=True))


def test_the_label_changes_the_image_and_the_verdict(make, make_images):
    gan, noise = make(), np.zeros((CLASSES, LATENT), "float32")
    drawn = draw(gan.generator, np.arange(CLASSES), noise)
    assert np.abs(drawn[1:] - drawn[0]).max(axis=(1, 2, 3)).min() > 1e-4
    image = np.repeat(make_images(1, SHAPE), CLASSES, axis=0)
    verdicts = np.array(gan.discriminator([image, np.eye(CLASSES, dtype="float32")]))
    assert len(np.unique(verdicts)) == CLASSES
    by_hand = np.array(gan([noise, np.arange(CLASSES)]))
    np.testing.assert_allclose(by_hand, drawn, atol=1e-6)


@pytest.mark.long
def test_a_picture_and_its_label_stay_together(make):
    """Through shuffling, d_steps and passes."""
    seen = []

    class Spy(ConditionalGAN):
        def train_discriminator(self, real, fake):
            tf.py_function(lambda x, y: seen.append((x.numpy(), y.numpy())), [real[0][:, 0, 0, 0], real[1]], [])
            assert fake[1] is real[1]
            return super().train_discriminator(real, fake)

    labels = np.arange(24) % CLASSES
    images = np.broadcast_to((labels / CLASSES - 0.5).astype("float32")[:, None, None, None], (24, *SHAPE))
    plain = make()
    for d_steps in (1, 3):
        gan = Spy(plain.generator, plain.discriminator)
        gan.compile(loss=losses.NON_SATURATING_FROM_LOGITS, d_steps=d_steps)
        gan.fit(images, labels, batch_size=4, epochs=2, verbose=0)
        data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
        gan.fit(data, verbose=0)
    pixels, vectors = (np.concatenate(part) for part in zip(*seen, strict=True))
    assert len(pixels) == 2 * 72
    assert (vectors.sum(axis=1) == 1).all()
    np.testing.assert_array_equal((vectors.argmax(axis=1) / CLASSES - 0.5).astype("float32"), pixels)


def test_the_penalty_is_on_images_alone_at_the_given_labels(make, make_images, labels):
    gan, images = make(), make_images(20, SHAPE)
    vectors = class_vectors(labels, CLASSES)
    with tf.GradientTape() as tape:
        x = tf.constant(images)
        tape.watch(x)
        logits = gan.discriminator([x, vectors])
    by_hand = 0.25 * np.mean(np.sum(np.square(tape.gradient(logits, x)), axis=(1, 2, 3)))
    assert float(r1(FixedLabels(gan.discriminator, vectors), images, None)) == pytest.approx(by_hand, rel=1e-4)
    assert float(gan.penalty_on((images, vectors), (images, vectors))) == pytest.approx(by_hand, rel=1e-4)
    assert by_hand > 0


@pytest.mark.parametrize("penalty", [None, r1, losses.gradient_penalty])
def test_each_player_moves_in_its_own_step_only(make, make_images, labels, penalty):
    gan = make(penalty=penalty)
    order = class_vectors(labels, CLASSES)
    before = weights(gan)
    split = len(gan.generator.get_weights())
    real, fake = (tf.constant(make_images(20, SHAPE)) for _ in range(2))
    gan.train_discriminator([real, order], [fake, order])
    after_d = weights(gan)
    gan.train_generator([tf.zeros((20, LATENT)), order], [real, order])
    after_g = weights(gan)
    same = [
        [np.array_equal(a, b) for a, b in zip(*pair, strict=True)] for pair in ((before, after_d), (after_d, after_g))
    ]
    assert all(same[0][:split])
    assert not any(same[0][split:])
    assert not any(same[1][:split])
    assert all(same[1][split:])


@pytest.mark.long
def test_g_learns_what_is_asked_only_if_d_sees_the_label(make):
    """Class c is a grey level; with the labels shuffled there is nothing to obey."""
    labels = np.arange(64) % CLASSES
    levels = np.linspace(-0.9, 0.9, CLASSES)
    images = np.broadcast_to(levels[labels].astype("float32")[:, None, None, None], (64, *SHAPE))
    errors = []
    for given in (labels, np.random.default_rng(0).permutation(labels)):
        gan = make()
        gan.fit(images, given, batch_size=16, epochs=100, verbose=0)
        drawn = draw(gan.generator, np.repeat(np.arange(CLASSES), 20)).mean(axis=(1, 2, 3)).reshape(CLASSES, 20)
        errors.append(np.abs(drawn.mean(axis=1) - levels).max())
    assert errors[0] < 0.35 < errors[1]


@pytest.mark.long
def test_saving_and_loading_interrupts_nothing(make, make_images, labels, tmp_path):
    images, whole, part = make_images(20, SHAPE), make(penalty=losses.r1), make(penalty=losses.r1)
    whole.fit(images, labels, batch_size=4, epochs=4, verbose=0)
    part.fit(images, labels, batch_size=4, epochs=2, verbose=0)
    part.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert type(loaded) is ConditionalGAN
    loaded.fit(images, labels, batch_size=4, epochs=2, verbose=0)
    for a, b in zip(weights(loaded), weights(whole), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.long
def test_stopped_and_resumed_is_never_stopped(make, make_images, labels, tmp_path):
    images, whole = make_images(20, SHAPE), make()
    whole.fit(images, labels, batch_size=4, epochs=4, verbose=0)
    for epochs in (2, 4):
        part = make()
        part.fit(images, labels, batch_size=4, epochs=epochs, callbacks=[callbacks.Resume(tmp_path / "c")], verbose=0)
    for a, b in zip(weights(part), weights(whole), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("optimizer", "op"), [(FusedAdam, "ResourceApplyAdam"), (keras.optimizers.SGD, "AssignSubVariableOp")]
)
def test_no_weight_is_read_while_it_is_updated(make, make_images, labels, monkeypatch, optimizer, op):
    """In the graph that runs after TensorFlow's optimizations, an update comes before or after each read, always."""
    monkeypatch.setattr(fast, "xla_works", lambda: False)  # XLA would hide the updates in one node
    gan = make()
    gan.compile(optimizer(), optimizer(), gan.loss, gan.penalty)
    recorder = context.context()
    recorder.enable_run_metadata()
    try:
        gan.fit(make_images(20, SHAPE), labels, batch_size=4, steps_per_epoch=2, verbose=0)
        graphs = [one.post_optimization_graph.node for one in recorder.export_run_metadata().function_graphs]
    finally:
        recorder.disable_run_metadata()
    (nodes,) = [nodes for nodes in graphs if any(node.op == op for node in nodes)]
    in_a_round = [node for node in nodes if node.op != "NextIteration"]
    inputs = {node.name: [i.lstrip("^").split(":")[0] for i in node.input] for node in in_a_round}

    def earlier(name):
        """All nodes that are done before this one starts, in one iteration."""
        found, todo = set(), [name]
        while todo:
            new = set(inputs.get(todo.pop(), ())) - found
            found |= new
            todo += new
        return found

    reads = [node for node in nodes if node.op == "ReadVariableOp"]
    before = {node.name: earlier(node.name) for node in nodes if node.op in ("ReadVariableOp", op)}
    pairs = 0
    for update in (node for node in nodes if node.op == op):
        for read in (read for read in reads if read.input[0] == update.input[0]):
            assert read.name in before[update.name] or update.name in before[read.name], read.name
            pairs += 1
    assert pairs > 10


def test_the_average_of_the_weights_is_kept(make, make_images, labels):
    """Keras's moving average, although the updates go through another kernel."""
    gan = make()
    adam = keras.optimizers.Adam(1e-3, 0.5, use_ema=True, ema_momentum=0.5)
    gan.compile(keras.optimizers.Adam(1e-3), adam, loss=losses.NON_SATURATING_FROM_LOGITS, steps_per_execution=1)
    seen, variable = [], gan.generator.trainable_variables[0]
    spy = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(variable.numpy()))
    gan.fit(make_images(20, SHAPE), labels, batch_size=4, callbacks=[spy], verbose=0)
    average = seen[0]
    for one in seen[1:]:
        average = 0.5 * average + 0.5 * one
    adam.finalize_variable_values(gan.generator.trainable_variables)
    np.testing.assert_allclose(variable.numpy(), average, atol=1e-6)
    assert np.abs(average - seen[-1]).max() > 1e-5


def test_a_watcher_draws_what_is_asked(make):
    gan, noise = make(), np.zeros((CLASSES, LATENT), "float32")
    watcher = watching.Monitor(FixedLabels(gan.generator, np.eye(CLASSES, dtype="float32")), noise=noise)
    np.testing.assert_allclose(watcher.sample(), draw(gan.generator, np.arange(CLASSES), noise), atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, r"^labels: expected whole numbers 0 to 3, got object"),
        ([0, 1, 2], r"^labels: expected whole numbers of shape \(8,\), one for each image, got \(3,\)"),
        ([0] * 7 + [4], r"^labels: expected classes 0 to 3, got 0 to 4"),
        ([0] * 7 + [-1], r"^labels: expected classes 0 to 3, got -1 to 0"),
        ([0.0] * 8, r"^labels: expected whole numbers 0 to 3, got float64"),
        (["3"] * 8, r"^labels: expected whole numbers 0 to 3"),
        ([True] * 8, r"^labels: expected whole numbers 0 to 3, got bool"),
        (np.eye(8, dtype=int), r"^labels: expected whole numbers of shape \(8,\)"),
    ],
)
def test_wrong_labels_are_named(make, make_images, labels, message):
    with pytest.raises(ValueError, match=message):
        make().fit(make_images(8, SHAPE), labels, batch_size=4, verbose=0)


def test_labels_in_a_column_are_taken(make, make_images):
    make().fit(make_images(8, SHAPE), np.zeros((8, 1), "uint8"), batch_size=4, verbose=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": np.zeros((8, 4, 4, 3))}, r"^images: expected images of shape \(5, 6, 3\)"),
        ({"images": np.full((8, *SHAPE), np.nan)}, r"^images: found NaN"),
        ({"batch_size": 9}, r"^batch_size: expected at most 8"),
        ({"steps_per_epoch": 0}, r"^steps_per_epoch: expected at least 1"),
    ],
)
def test_the_other_arguments_of_fit_are_named_as_ever(make, options, message):
    wrong = {"images": np.zeros((8, *SHAPE)), "labels": np.zeros(8, int), "batch_size": 4, "verbose": 0} | options
    with pytest.raises(ValueError, match=message):
        make().fit(**wrong)


@pytest.mark.long
def test_wrong_datasets_are_named(make):
    images, labels = np.zeros((8, *SHAPE), "float32"), np.zeros(8, "int64")
    slices = tf.data.Dataset.from_tensor_slices
    for data, message in (
        (slices(images).batch(4), r"^images: expected a Dataset of pairs \(images, labels\)"),
        (slices((images, labels, labels)).batch(4), r"^images: expected a Dataset of pairs"),
        (slices((images, labels + 4)).batch(4), r"^labels: expected classes 0 to 3, got 4 to 4"),
        (slices((images + 5, labels)).batch(4), r"^images: expected pixels in \[-1, 1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            make().fit(data, verbose=0)
    with pytest.raises(ValueError, match=r"^labels: expected None beside a Dataset"):
        make().fit(slices((images, labels)).batch(4), labels)


def test_players_that_do_not_fit_are_named(make_pair):
    generator, discriminator = build_conditional_generator(LATENT, 4, SHAPE), build_conditional_discriminator(SHAPE, 4)
    plain = make_pair(image_shape=SHAPE)
    for pair, message in (
        ((plain[0], discriminator), r"^generator: expected two inputs, noise and \(batch, num_classes\)"),
        ((generator, plain[1]), r"^discriminator: expected two inputs, images and \(batch, num_classes\)"),
        ((generator, build_conditional_discriminator(SHAPE, 5)), r"^discriminator: expected 4 classes"),
        ((generator, build_conditional_discriminator((8, 8, 3), 4)), r"^generator: it draws images of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            ConditionalGAN(*pair)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": 0}, r"^latent_dim: expected at least 1"),
        ({"num_classes": 2.5}, r"^num_classes: expected a whole number"),
        ({"image_shape": (28, 28)}, r"^image_shape: expected \(height, width, channels\)"),
    ],
)
def test_wrong_arguments_of_the_builders_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build_conditional_generator(**options)
    if "latent_dim" not in options:
        with pytest.raises(ValueError, match=message):
            build_conditional_discriminator(**options)


def test_wrong_orders_are_named(make):
    generator = make().generator
    for labels, noise, message in (
        ([4], None, r"^labels: expected classes 0 to 3, got 4 to 4"),
        ([], None, r"^labels: expected whole numbers"),
        (np.ones((2, 3)), None, r"^labels: expected class vectors \(N, 4\), got \(2, 3\)"),
        ([1], np.zeros((1, 7), "float32"), r"^noise: the generator takes latent points of 3"),
        ([1, 2], np.zeros((1, 3), "float32"), r"^noise: expected 2 latent points, one for each label, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            draw(generator, labels, noise)
    alone = keras.Sequential([keras.Input((3,)), layers.Dense(4)])
    for wrong in (alone, keras.Sequential(alone.layers), None):
        with pytest.raises(ValueError, match=r"^generator: expected a conditional one"):
            draw(wrong, [1])


def test_probabilities_are_refused_for_logits(make):
    with pytest.raises(ValueError, match=r"^loss: it takes probabilities"):
        make(loss=losses.NON_SATURATING, penalty=None)


def test_means_and_gradients_reach_the_class_scores(make):
    """The logit is the general score plus the asked class's, for any class vector."""
    d = make().discriminator
    image = np.ones((1, *SHAPE), "float32")
    one_by_one = [float(d([image, row[None]])[0, 0]) for row in np.eye(CLASSES, dtype="float32")]
    mixture = np.full((1, CLASSES), 1 / CLASSES, "float32")
    assert float(d([image, mixture])[0, 0]) == pytest.approx(float(ops.mean(one_by_one)), abs=1e-5)


@pytest.mark.long
def test_the_callbacks_watch_one_class_after_the_other(make, make_images, labels):
    gan, images = make(), make_images(20, SHAPE)
    watch, watchdog = callbacks.GANMonitor(every=2), callbacks.Watchdog(images, window=2)
    gan.fit(images, labels, batch_size=5, epochs=3, callbacks=[watch, watchdog], verbose=0)
    drawn = draw(gan.generator, np.arange(25) % CLASSES, watching.fixed_noise(LATENT))
    np.testing.assert_allclose(watch.monitor.sample(), drawn, atol=1e-5)
    assert watch.frames[-1][1].shape == drawn.shape

"""The losses are the papers' formulas, for probabilities and for logits, also where D is very sure."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from gan_keras import losses
from gan_keras._plumbing.checks import ends_in_sigmoid
from gan_keras.gan import GAN

PAIRS = [
    (losses.NON_SATURATING, losses.NON_SATURATING_FROM_LOGITS),
    (losses.MINIMAX, losses.MINIMAX_FROM_LOGITS),
]
LOGITS = np.array([[-3.0], [-0.5], [0.0], [2.0]], "float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-np.float64(x)))


def test_the_discriminators_losses_are_its_binary_cross_entropy():
    p = sigmoid(LOGITS)
    for of_probabilities, from_logits in PAIRS:
        for loss, outputs in ((of_probabilities, p.astype("float32")), (from_logits, LOGITS)):
            np.testing.assert_allclose(loss.real(outputs), -np.log(p), rtol=1e-5)
            np.testing.assert_allclose(loss.fake(outputs), -np.log(1 - p), rtol=1e-5)


def test_the_generators_losses_are_the_papers():
    p = sigmoid(LOGITS)
    wanted = [-np.log(p), np.log(1 - p)]
    for (of_probabilities, from_logits), values in zip(PAIRS, wanted, strict=True):
        np.testing.assert_allclose(of_probabilities.generator(p.astype("float32")), values, rtol=1e-5)
        np.testing.assert_allclose(from_logits.generator(LOGITS), values, rtol=1e-5)


def test_wasserstein_losses_are_differences_of_means():
    for part, sign in zip(losses.WASSERSTEIN[:3], (-1, 1, -1), strict=True):
        np.testing.assert_array_equal(part(LOGITS), sign * LOGITS)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("logit", [-60.0, 60.0])
@pytest.mark.parametrize("sigmoid_in_layer", [True, False])
def test_losses_and_gradients_stay_exact_where_the_discriminator_is_sure(compiled, logit, sigmoid_in_layer):
    """A sigmoid is exactly 0 or 1 in float32 at +-60, but the losses still know by how much D is sure."""
    discriminator = keras.Sequential(
        [keras.Input((1,)), layers.Dense(1, "sigmoid" if sigmoid_in_layer else None, kernel_initializer="ones")]
    )
    pairs = [pair[0] if sigmoid_in_layer else pair[1] for pair in PAIRS]

    def values_and_slopes(x):
        results = []
        for loss in pairs:
            for part in loss[:3]:
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    value = part(discriminator(x, training=True))
                results += [value[0, 0], tape.gradient(value, x)[0, 0]]
        return results

    run = tf.function(values_and_slopes) if compiled else values_and_slopes
    got = np.array(run(tf.constant([[logit]])))
    real, fake = (max(-logit, 0.0), -sigmoid(-logit)), (max(logit, 0.0), sigmoid(logit))
    wanted = [*real, *fake, *real, *real, *fake, -fake[0], -fake[1]]
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_only_the_non_saturating_generator_learns_from_a_lost_position():
    slopes = {}
    for pair in (losses.NON_SATURATING_FROM_LOGITS, losses.MINIMAX_FROM_LOGITS):
        logit = tf.constant([[-10.0]])
        with tf.GradientTape() as tape:
            tape.watch(logit)
            loss = pair.generator(logit)
        slopes[pair] = abs(float(tape.gradient(loss, logit)[0, 0]))
    strong, weak = slopes.values()
    assert strong > 0.999
    assert weak < 1e-4


@pytest.mark.parametrize("name", ["NON_SATURATING", "MINIMAX"])
def test_what_counts_as_judged_right(name):
    probabilities, logits = np.array([0.4, 0.5, 0.6]), np.array([-1.0, 0.0, 1.0])
    for loss, answers in ((getattr(losses, name), probabilities), (getattr(losses, f"{name}_FROM_LOGITS"), logits)):
        right_on_real, right_on_fake = loss.judged_right(answers, answers)
        np.testing.assert_array_equal(right_on_real, [False, False, True])
        np.testing.assert_array_equal(right_on_fake, [True, True, False])


def linear(shape, slope, activation=None):
    """A discriminator whose gradient with respect to an image is the same everywhere."""
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(1, activation)])
    model.layers[-1].set_weights([np.full((int(np.prod(shape)), 1), slope, "float32"), np.zeros(1)])
    return model


@pytest.mark.parametrize("shape", [(4,), (2, 3), (4, 4, 1), (2, 2, 2, 3)])
@pytest.mark.parametrize("batch", [1, 5])
def test_penalties_of_a_linear_discriminator(rng, shape, batch):
    critic, length = linear(shape, 0.3), 0.3 * np.sqrt(np.prod(shape))
    real, fake = rng.normal(size=(2, batch, *shape)).astype("float32")
    for weight in (10.0, 2.0):
        value = float(losses.gradient_penalty(critic, real, fake, weight=weight))
        assert value == pytest.approx(weight * (length - 1) ** 2, rel=1e-4)
    assert float(losses.gradient_penalty(critic, real, fake)) == pytest.approx(10 * (length - 1) ** 2, rel=1e-4)
    for penalty in (losses.r1, losses.r2):
        assert float(penalty(critic, real, fake)) == pytest.approx(5 * length**2, rel=1e-4)
        assert float(penalty(critic, real, fake, weight=1.0)) == pytest.approx(length**2 / 2, rel=1e-4)


class Square(layers.Layer):
    """D(x) = |x|^2 / 2, whose gradient is x."""

    seen = None

    def call(self, x):
        self.seen = x
        return ops.sum(ops.square(x), axis=1, keepdims=True) / 2


def test_r1_is_on_real_and_r2_on_generated_images(rng):
    critic = keras.Sequential([keras.Input((6,)), Square()])
    real, fake = rng.normal(size=(2, 7, 6)).astype("float32")
    assert float(losses.r1(critic, real, fake)) == pytest.approx(5 * np.mean((real**2).sum(1)), rel=1e-5)
    assert float(losses.r2(critic, real, fake)) == pytest.approx(5 * np.mean((fake**2).sum(1)), rel=1e-5)


def test_gradient_penalty_draws_one_even_alpha_for_each_pair():
    critic = keras.Sequential([keras.Input((3, 2)), layers.Flatten(), Square()])
    real, fake = np.ones((4000, 3, 2), "float32"), np.zeros((4000, 3, 2), "float32")
    penalty = losses.gradient_penalty(critic, real, fake, seed=1)
    between = np.asarray(critic.layers[-1].seen)
    np.testing.assert_array_equal(between, between[:, :1].repeat(6, 1))  # not one for each pixel
    alpha = np.sort(between[:, 0])
    assert len(np.unique(alpha)) > 3900  # nor one for the batch
    np.testing.assert_allclose(alpha, np.linspace(0, 1, 4000), atol=0.03)  # Kolmogorov and Smirnov: 0.026 at 1%
    assert float(penalty) == pytest.approx(10 * np.mean((np.sqrt(6) * alpha - 1) ** 2), rel=1e-4)


def test_gradient_penalty_draws_new_alphas_from_a_seed_generator(rng):
    critic, seed = keras.Sequential([keras.Input((3,)), Square()]), keras.random.SeedGenerator(1)
    real, fake = rng.normal(size=(2, 4, 3)).astype("float32")
    once, again = (float(losses.gradient_penalty(critic, real, fake, seed=seed)) for _ in range(2))
    assert once != again
    assert once == float(losses.gradient_penalty(critic, real, fake, seed=1))


def curved(shape):
    """A smooth critic in float64, and batches for it."""
    rng = np.random.default_rng(11)
    hidden = layers.Dense(5, "tanh", dtype="float64", kernel_initializer=keras.initializers.RandomNormal(0.0, 1.0, 1))
    last = layers.Dense(1, dtype="float64", kernel_initializer=keras.initializers.RandomNormal(0.0, 2.0, 2))
    flat = layers.Flatten(dtype="float64")
    return keras.Sequential([keras.Input(shape, dtype="float64"), flat, hidden, last]), rng.normal(size=(2, 4, *shape))


@pytest.mark.parametrize("shape", [(3,), (2, 2, 1)])
def test_gradient_penalty_is_what_finite_differences_give(shape):
    """Its value, from differences of scores between images; and its gradient for D's weights, from its own values."""
    critic, (real, fake) = curved(shape)
    alpha = np.asarray(keras.random.uniform((4,) + (1,) * len(shape), dtype="float64", seed=3))
    between, squares = alpha * real + (1 - alpha) * fake, 0.0
    for pixel in np.ndindex(*shape):
        step = np.zeros((1, *shape))
        step[(0, *pixel)] = 1e-5
        squares += (np.asarray(critic(between + step) - critic(between - step))[:, 0] / 2e-5) ** 2
    wanted = 10 * np.mean((np.sqrt(squares) - 1) ** 2)
    with tf.GradientTape() as tape:
        value = losses.gradient_penalty(critic, real, fake, seed=3)
    assert float(value) == pytest.approx(wanted, rel=1e-8)
    *gradients, last_bias = tape.gradient(value, critic.trainable_variables)
    assert last_bias is None  # the height of the scores does not matter
    for variable, gradient in zip(critic.trainable_variables, gradients, strict=False):
        start = variable.numpy()
        for place in np.ndindex(*start.shape):
            values = []
            for h in (1e-6, -1e-6):
                moved = start.copy()
                moved[place] += h
                variable.assign(moved)
                values.append(float(losses.gradient_penalty(critic, real, fake, seed=3)))
            assert gradient.numpy()[place] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-6)
        variable.assign(start)


@pytest.mark.parametrize("batches", [(3, 5), (1, 4), (4, 1)])
def test_gradient_penalty_refuses_batches_of_different_size(rng, batches):
    real, fake = (rng.normal(size=(rows, 4)).astype("float32") for rows in batches)
    with pytest.raises(ValueError, match=r"^fake: expected images of shape"):
        losses.gradient_penalty(linear((4,), 0.3), real, fake)


class Hidden(layers.Layer):
    """A layer of one's own with a layer inside."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


@pytest.mark.parametrize("nest", [lambda layer: layer, lambda layer: keras.Sequential([layer]), Hidden])
def test_gradient_penalty_refuses_batch_normalisation_at_any_depth(rng, nest):
    real, fake = rng.normal(size=(2, 5, 4)).astype("float32")
    for norm in (layers.BatchNormalization, layers.LayerNormalization):
        critic = keras.Sequential([keras.Input((4,)), layers.Dense(3), nest(norm()), layers.Dense(1)])
        if norm is layers.BatchNormalization:
            with pytest.raises(ValueError, match=r"^penalty: .* BatchNormalization"):
                losses.gradient_penalty(critic, real, fake)
        else:
            assert np.isfinite(float(losses.gradient_penalty(critic, real, fake)))


def wasserstein_gan(discriminator=None, **options):
    """A small compiled WGAN-GP of images `(4, 4, 2)`."""
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(32, "tanh"), layers.Reshape((4, 4, 2))])
    gan = GAN(generator, discriminator or linear((4, 4, 2), 0.3), seed=2)
    gan.compile(loss=losses.WASSERSTEIN, penalty=losses.gradient_penalty, d_steps=2, **options)
    return gan


def test_a_saved_gan_finds_every_loss_and_penalty_of_the_module_again():
    kinds = losses.Loss, losses.PairLoss
    parts = {part for loss in vars(losses).values() if isinstance(loss, kinds) for part in loss[:-1]}
    functions = [value for value in vars(losses).values() if inspect.isfunction(value)]
    parts |= {function for function in functions if list(inspect.signature(function).parameters)[-1:] == ["seed"]}
    assert len(parts) > 10
    for part in parts:
        assert keras.saving.get_registered_name(part) == f"gan_keras>{part.__name__}"


def test_a_saved_wasserstein_gan_goes_on_where_it_was(make_images, tmp_path):
    images, gan = make_images(40, (4, 4, 2)), wasserstein_gan()
    gan.fit(images, batch_size=4, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert (loaded.loss, loaded.penalty) == (losses.WASSERSTEIN, losses.gradient_penalty)
    for player in (gan, loaded):
        player.fit(images, batch_size=4, verbose=0)
    for one, other in zip(gan.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_gan_reports_half_of_the_critics_loss(make_images):
    """`d_loss` is the mean of both halves without the penalty: -2 times it estimates the earth mover's distance."""
    gan = wasserstein_gan(d_optimizer=keras.optimizers.SGD(0.0), g_optimizer=keras.optimizers.SGD(0.0))
    images = make_images(8, (4, 4, 2))
    logs = gan.fit(images, batch_size=4, epochs=60, verbose=0).history
    noise = np.random.default_rng(0).normal(size=(4000, 3)).astype("float32")
    on_real, on_fake = (float(np.mean(gan.discriminator(x))) for x in (images, gan.generator(noise)))
    assert -2 * np.mean(logs["d_loss"]) == pytest.approx(on_real - on_fake, abs=0.1)


def test_a_gan_names_a_penalty_that_does_not_fit(make_images):
    images = make_images(8, (4, 4, 2))
    mixed = keras.Sequential([keras.Input((4, 4, 2)), layers.Flatten(), layers.BatchNormalization(), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"^penalty: .* BatchNormalization"):
        wasserstein_gan(mixed).fit(images, batch_size=4, verbose=0)
    with pytest.raises(ValueError, match=r"^loss: it takes logits or scores"):
        wasserstein_gan(linear((4, 4, 2), 0.3, "sigmoid"))


@pytest.mark.parametrize("penalty", [losses.gradient_penalty, losses.r1, losses.r2])
def test_penalties_teach_the_discriminator_and_are_finite_where_it_is_flat(rng, penalty):
    real, fake = rng.normal(size=(2, 5, 4)).astype("float32")
    for slope in (0.0, 0.9):
        critic = linear((4,), slope)
        with tf.GradientTape() as tape:
            value = penalty(critic, real, fake)
        gradient = tape.gradient(value, critic.trainable_variables[0])
        assert np.isfinite(np.asarray(gradient)).all()
    assert float(np.abs(gradient).min()) > 0.1


@pytest.mark.parametrize("loss", [losses.NON_SATURATING_FROM_LOGITS, losses.WASSERSTEIN, losses.RELATIVISTIC])
@pytest.mark.parametrize("penalty", [losses.r1, losses.r1_r2])
def test_the_penalty_has_its_whole_weight_in_ds_step(make_images, loss, penalty):
    """One step of `GAN` with SGD is the loss and all of the penalty, written out here with a tape."""
    critic = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(4, "tanh"), layers.Dense(1)])
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), layers.Reshape((2, 2, 1))])
    real, fake = make_images(4, (2, 2, 1)), make_images(4, (2, 2, 1))
    with tf.GradientTape() as tape:
        on_real, on_fake = critic(real), critic(fake)
        total = loss.discriminator_loss(on_real, on_fake) + penalty(critic, real, fake)
    gradients = tape.gradient(total, critic.trainable_variables)
    wanted = [w - 0.1 * g for w, g in zip(critic.get_weights(), gradients, strict=True)]
    gan = GAN(generator, critic)
    gan.compile(keras.optimizers.SGD(0.1), loss=loss, penalty=penalty)
    gan.train_discriminator(real, fake)
    for weights, right in zip(critic.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(weights, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("penalty", [losses.gradient_penalty, losses.r1, losses.r2])
def test_penalties_refuse_a_sigmoid(rng, penalty):
    real, fake = rng.normal(size=(2, 5, 4)).astype("float32")
    with pytest.raises(ValueError, match=r"^penalty: .* ends in a sigmoid"):
        penalty(linear((4,), 0.3, "sigmoid"), real, fake)


def test_what_a_discriminator_ends_in():
    assert ends_in_sigmoid(linear((4,), 0.3, "sigmoid")) is True
    assert ends_in_sigmoid(linear((4,), 0.3)) is False
    assert ends_in_sigmoid(linear((4,), 0.3, "tanh")) is None
    assert ends_in_sigmoid(keras.Sequential([keras.Input((4,)), Square()])) is None

"""The networks are those of the recipe, to the parameter."""

import keras
import numpy as np
import pytest
from keras import layers

from gan_keras import models

SHAPES = [(28, 28, 1), (8, 6, 3), (1, 1, 1)]


@pytest.fixture(scope="module")
def networks():
    keras.utils.set_random_seed(0)
    generator, discriminator = models.build_generator(), models.build_discriminator()
    return generator, discriminator, models.build_combined(generator, discriminator)


def settings(model):
    adam = model.optimizer
    return type(adam).__name__, round(float(adam.learning_rate), 9), adam.beta_1, adam.beta_2, model.loss


def test_discriminator_has_533505_parameters_all_trainable(networks):
    _, discriminator, _ = networks
    assert discriminator.count_params() == 533_505
    assert sum(w.shape.num_elements() for w in discriminator.trainable_weights) == 533_505


def test_generator_has_1493520_parameters_of_which_3584_are_statistics(networks):
    generator, _, _ = networks
    assert generator.count_params() == 1_493_520
    assert sum(int(np.prod(w.shape)) for w in generator.trainable_weights) == 1_489_936
    assert sum(int(np.prod(w.shape)) for w in generator.non_trainable_weights if "seed" not in w.path) == 3_584


def test_combined_has_the_parameters_of_both_and_no_more(networks):
    assert networks[2].count_params() == 533_505 + 1_493_520


@pytest.mark.parametrize("image_shape", SHAPES)
@pytest.mark.parametrize("latent_dim", [2, 100])
def test_shapes_for_other_images_and_latent_sizes(image_shape, latent_dim):
    generator = models.build_generator(latent_dim, image_shape)
    discriminator = models.build_discriminator(image_shape)
    assert generator.input_shape == (None, latent_dim)
    assert generator.output_shape == discriminator.input_shape == (None, *image_shape)
    combined = models.build_combined(generator, discriminator)
    assert combined(np.zeros((2, latent_dim))).shape == (2, 1)


def test_generator_draws_in_the_range_of_tanh_and_uses_both_halves(networks, rng):
    generator, _, _ = networks
    images = np.asarray(generator(50 * rng.normal(size=(64, 100)).astype("float32")))
    assert images.shape == (64, 28, 28, 1)
    assert -1 <= images.min() < -0.5
    assert 0.5 < images.max() <= 1


def test_discriminator_answers_with_a_probability(networks, rng):
    _, discriminator, _ = networks
    verdicts = np.asarray(discriminator(rng.uniform(-1, 1, (64, 28, 28, 1)).astype("float32")))
    assert verdicts.shape == (64, 1)
    assert 0 < verdicts.min() < verdicts.max() < 1


def test_discriminator_and_combined_are_compiled_as_the_recipe_says(networks):
    _, discriminator, combined = networks
    assert settings(discriminator) == settings(combined) == ("Adam", 2e-4, 0.5, 0.999, "binary_crossentropy")


def test_discriminator_and_combined_have_an_optimizer_each(networks):
    _, discriminator, combined = networks
    assert discriminator.optimizer is not combined.optimizer


def test_no_slow_xla_on_the_cpu(networks):
    _, discriminator, combined = networks
    assert discriminator.jit_compile is False
    assert combined.jit_compile is False


def test_generator_alone_is_not_compiled(networks):
    assert not networks[0].compiled


def test_discriminator_has_no_batch_normalization(networks):
    """Frozen, it would judge in inference mode, that is as another D than the one that trains."""
    kinds = [type(layer) for layer in networks[1].layers]
    assert layers.BatchNormalization not in kinds
    assert layers.Dropout not in kinds


def test_generator_layers_are_those_of_the_recipe(networks):
    generator, _, _ = networks
    block = ["Dense", "LeakyReLU", "Dropout", "BatchNormalization"]
    assert [type(layer).__name__ for layer in generator.layers] == 3 * block + ["Dense", "Reshape"]
    assert [layer.units for layer in generator.layers if isinstance(layer, layers.Dense)] == [256, 512, 1024, 784]
    assert {layer.rate for layer in generator.layers if isinstance(layer, layers.Dropout)} == {0.1}
    assert {layer.momentum for layer in generator.layers if isinstance(layer, layers.BatchNormalization)} == {0.8}
    assert {layer.negative_slope for layer in generator.layers if isinstance(layer, layers.LeakyReLU)} == {0.2}


def test_combined_holds_the_two_networks_themselves(networks):
    generator, discriminator, combined = networks
    assert combined.layers[-1] is discriminator
    assert any(layer is generator for layer in combined.layers)


def test_combined_is_the_discriminator_after_the_generator(pair, rng):
    generator, discriminator, combined = pair
    noise = rng.normal(size=(6, 5)).astype("float32")
    np.testing.assert_array_equal(combined(noise), discriminator(generator(noise)))


@pytest.mark.parametrize("changed", [0, 1], ids=["generator", "discriminator"])
def test_combined_shares_weights_and_does_not_copy_them(pair, rng, changed):
    noise = rng.normal(size=(6, 5)).astype("float32")
    before = np.asarray(pair[2](noise))
    pair[changed].set_weights([w + 0.5 for w in pair[changed].get_weights()])
    after = np.asarray(pair[2](noise))
    assert np.abs(after - before).min() > 1e-3
    np.testing.assert_array_equal(after, pair[1](pair[0](noise)))


def test_building_the_combined_model_changes_no_weight_and_freezes_nothing():
    generator, discriminator = models.build_generator(4, (4, 4, 1)), models.build_discriminator((4, 4, 1))
    before = generator.get_weights() + discriminator.get_weights()
    models.build_combined(generator, discriminator)
    after = generator.get_weights() + discriminator.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert discriminator.trainable
    assert all(layer.trainable for layer in discriminator.layers)


def test_the_same_seed_builds_the_same_networks():
    def build():
        keras.utils.set_random_seed(5)
        return models.build_generator(3, (4, 4, 1)).get_weights() + models.build_discriminator((4, 4, 1)).get_weights()

    assert all(np.array_equal(a, b) for a, b in zip(build(), build(), strict=True))


def test_combined_of_two_that_do_not_fit():
    with pytest.raises(ValueError, match=r"^generator: it draws images of shape \(6, 8, 1\), but .*\(8, 6, 1\)"):
        models.build_combined(models.build_generator(4, (6, 8, 1)), models.build_discriminator((8, 6, 1)))


@pytest.mark.parametrize("latent_dim", [0, -1, 2.0, True, "100"])
def test_wrong_latent_dim_is_named(latent_dim):
    with pytest.raises(ValueError, match=r"^latent_dim: expected "):
        models.build_generator(latent_dim)


@pytest.mark.parametrize("build", [models.build_discriminator, lambda shape: models.build_generator(10, shape)])
@pytest.mark.parametrize("shape", [(28, 28), 28, (28, 28, 0), (28, 28.0, 1)])
def test_wrong_image_shape_is_named(build, shape):
    with pytest.raises(ValueError, match=r"^image_shape: expected "):
        build(shape)


@pytest.mark.parametrize("image_shape", [*SHAPES, (17, 30, 3)])
@pytest.mark.parametrize("latent_dim", [1, 100])
def test_convolutional_shapes_for_other_images_and_latent_sizes(image_shape, latent_dim, rng):
    generator = models.build_dcgan_generator(latent_dim, image_shape)
    discriminator = models.build_dcgan_discriminator(image_shape)
    images = np.asarray(generator(50 * rng.normal(size=(4, latent_dim)).astype("float32")))
    assert images.shape == (4, *image_shape)
    assert -1 <= images.min() < images.max() <= 1
    assert discriminator(images).shape == (4, 1)


def test_convolutional_generator_is_continuous_in_every_number(rng, tmp_path):
    """Each number of a latent point counts, and a small step in it is a small step of the image."""
    generator = models.build_dcgan_generator(6, (8, 8, 1))
    noise = rng.normal(size=(20, 6)).astype("float32")
    images = np.asarray(generator(noise))
    for number in np.eye(6, dtype="float32"):
        far, near = (np.abs(images - generator(noise + step * number)).max(axis=(1, 2, 3)) for step in (1, 1e-3))
        assert (far > 1e-4).all()
        assert (near < 0.05 * far + 1e-3).all()
    generator.save(tmp_path / "generator.keras")
    assert np.array_equal(images, keras.models.load_model(tmp_path / "generator.keras")(noise))


def test_convolutional_generator_needs_a_number():
    with pytest.raises(ValueError, match="latent_dim"):
        models.build_dcgan_generator(0)
    assert models.build_dcgan_generator(1, (8, 8, 1)).input_shape == (None, 1)


def test_convolutional_discriminator_answers_with_a_logit():
    assert models.build_dcgan_discriminator().layers[-1].activation is keras.activations.linear
    kinds = {type(layer) for layer in models.build_dcgan_discriminator().layers}
    assert layers.BatchNormalization not in kinds


@pytest.mark.parametrize("build", [models.build_dcgan_generator, models.build_dcgan_discriminator])
@pytest.mark.parametrize("image_shape", [(28, 28), (28, 28, 0), 28, (28.0, 28, 1)])
def test_convolutional_wrong_shapes_are_named(build, image_shape):
    with pytest.raises(ValueError, match="image_shape"):
        build(image_shape=image_shape)

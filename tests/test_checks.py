"""Every mistake is named by the argument it was made in."""

import numpy as np
import pytest

from gan_keras._plumbing import checks


@pytest.fixture
def images(make_images):
    return make_images(3)


def test_good_images_come_back_as_the_same_array(images):
    assert checks.check_images(images) is images


def test_images_may_touch_both_ends_of_the_range():
    images = np.array([-1.0, 1.0], "float32").reshape(1, 1, 2, 1)
    np.testing.assert_array_equal(checks.check_images(images), images)


def test_images_may_be_a_nested_list_of_floats():
    checked = checks.check_images([[[[0.5], [-0.5]]]])
    assert checked.shape == (1, 1, 2, 1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x[..., 0], r"^images: expected 4 axes .*\(3, 4, 3\).*add the channel axis: images\[\.\.\., None\]"),
        (lambda x: x[0, 0], r"^images: expected 4 axes .*\(3, 1\)$"),
        (lambda x: x[:0], r"^images: expected at least one image .*\(0, 4, 3, 1\)"),
        (lambda x: x[:, :0], r"^images: expected at least one image with at least one pixel"),
        (lambda x: 127.5 * (x + 1), r"^images: expected pixels in \[-1, 1\], got \["),
        (lambda x: x - 1, r"^images: expected pixels in \[-1, 1\]"),
        (lambda x: (x > 0).astype("uint8"), r"^images: expected floats in \[-1, 1\], got uint8; .*to_tanh"),
        (lambda x: (x > 0).astype("int64"), r"^images: expected floats .*got int64"),
        (lambda x: x > 0, r"^images: expected floats .*got bool"),
        (lambda x: np.where(x == x.max(), np.nan, x), r"^images: found NaN or infinite"),
        (lambda x: np.where(x == x.max(), np.inf, x), r"^images: found NaN or infinite"),
        (lambda x: np.where(x == x.max(), -np.inf, x), r"^images: found NaN or infinite"),
        (lambda x: [x[0], x[1, :2]], r"^images: expected one array of images of equal size"),
        (lambda x: [], r"^images: expected 4 axes"),
        (lambda x: None, r"^images: expected one array of images, got a NoneType"),
    ],
    ids=[
        "3-axes",
        "2-axes",
        "none",
        "no-pixels",
        "0..255",
        "[-2,0]",
        "uint8",
        "int64",
        "bool",
        "nan",
        "inf",
        "-inf",
        "ragged",
        "[]",
        "None",
    ],
)
def test_wrong_images_are_named(images, spoil, message):
    with pytest.raises(ValueError, match=message):
        checks.check_images(spoil(images))


def test_images_are_called_what_the_caller_calls_them(images):
    with pytest.raises(ValueError, match=r"^real: expected 4 axes"):
        checks.check_images(images[0], name="real")


def test_images_of_another_shape_than_the_network_takes(images):
    with pytest.raises(ValueError, match=r"^images: expected images of shape \(28, 28, 1\), got \(4, 3, 1\)"):
        checks.check_images(images, image_shape=(28, 28, 1))


def test_good_noise_comes_back(rng):
    noise = rng.normal(size=(4, 5)).astype("float32")
    assert checks.check_noise(noise, 5) is noise


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (np.zeros((4, 7)), r"^noise: the generator takes latent points of 5 numbers.*, got 7 \(shape \(4, 7\)\)"),
        (np.zeros(5), r"^noise: expected floats of shape \(N, 5\)"),
        (np.zeros((0, 5)), r"^noise: expected floats of shape \(N, 5\) with N at least 1"),
        (np.zeros((4, 5), int), r"^noise: expected floats .*got int64"),
        (np.full((4, 5), np.nan), r"^noise: found NaN or infinite"),
        (np.full((4, 5), np.inf), r"^noise: found NaN or infinite"),
    ],
    ids=["latent-size", "1-axis", "none", "int", "nan", "inf"],
)
def test_wrong_noise_is_named(noise, message):
    with pytest.raises(ValueError, match=message):
        checks.check_noise(noise, 5)


def test_a_fitting_pair_passes(pair):
    generator, discriminator, _ = pair
    checks.check_networks(generator, discriminator)


def test_a_generator_that_draws_another_shape(make_pair):
    generator, _, _ = make_pair(image_shape=(6, 6, 3))
    _, discriminator, _ = make_pair(image_shape=(6, 6, 1))
    with pytest.raises(ValueError, match=r"^generator: it draws images of shape \(6, 6, 3\), but .* \(6, 6, 1\)"):
        checks.check_networks(generator, discriminator)


def test_a_generator_that_does_not_take_latent_points(pair):
    _, discriminator, _ = pair
    with pytest.raises(ValueError, match=r"^generator: expected input of shape \(batch, latent_dim\)"):
        checks.check_networks(discriminator, discriminator)


def test_a_model_that_was_not_compiled(pair):
    generator, discriminator, _ = pair
    checks.check_compiled(discriminator, "discriminator")
    with pytest.raises(ValueError, match=r"^generator: not compiled; call generator\.compile\("):
        checks.check_compiled(generator, "generator")


@pytest.mark.parametrize("value", [1, 7, np.int32(4), np.uint8(3)])
def test_whole_numbers_come_back_as_ints(value):
    number = checks.check_number(value, "steps")
    assert number == value
    assert type(number) is int


@pytest.mark.parametrize("value", [1.0, 2.5, True, False, "3", None, np.float32(2), np.array([1, 2])])
def test_what_is_no_whole_number_is_named(value):
    with pytest.raises(ValueError, match=r"^steps: expected a whole number, got "):
        checks.check_number(value, "steps")


def test_numbers_out_of_bounds_are_named():
    with pytest.raises(ValueError, match=r"^steps: expected at least 0, got -1$"):
        checks.check_number(-1, "steps", low=0)
    with pytest.raises(ValueError, match=r"^batch_size: expected at most 1,000 \(the number of images\), got 2,000$"):
        checks.check_number(2000, "batch_size", high=1000, why=" (the number of images)")


def test_bounds_themselves_are_allowed():
    assert checks.check_number(0, "steps", low=0) == 0
    assert checks.check_number(9, "steps", high=9) == 9


def test_an_image_shape_may_be_a_list():
    assert checks.check_shape([8, np.int64(6), 3]) == (8, 6, 3)


@pytest.mark.parametrize("shape", [28, None, (28, 28), (28, 28, 1, 1), (28, 28, 0), (28, -28, 1), (28.0, 28, 1), "abc"])
def test_wrong_image_shapes_are_named(shape):
    with pytest.raises(ValueError, match=r"^image_shape: expected "):
        checks.check_shape(shape)

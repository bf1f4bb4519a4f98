"""The five recipes against what their sources say, and what trains them."""

import itertools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from PIL import Image

from gan_keras import callbacks, losses, recipes, results
from gan_keras._plumbing.batches import published_batches
from gan_keras.recipes import RECIPES, build_recipe, published_steps, train_recipe
from gan_keras.watching import fixed_noise, grid
from tools import long_runs

# As the sources have them: widths of G and D, batch, published iterations, learning rate, beta_1, epsilon.
FACTS = {
    "counterfeiter": ((100, 256, 512, 1024, 784), (784, 512, 256, 1), 32, 5000, 2e-4, 0.5, 1e-7),
    "blogathon": ((100, 128, 512, 1024, 784), (784, 512, 256, 128, 1), 64, 18_760, 2e-4, 0.4, 1e-8),
    "from_scratch": ((100, 256, 512, 1024, 784), (784, 1024, 512, 256, 1), 100, 120_000, 2e-4, 0.9, 1e-8),
    "lecture_notes": ((100, 256, 512, 1024, 784), (784, 1024, 512, 256, 1), 64, 46_900, 2e-4, 0.9, 1e-8),
    "paper_walkthrough": ((100, 256, 512, 1024, 784), (784, 1024, 512, 256, 1), 32, 93_750, 1e-4, 0.9, 1e-8),
}
# What follows each hidden dense layer, in G and in D.
HIDDEN = {
    "counterfeiter": (3 * [["LeakyReLU", "Dropout", "BatchNormalization"]], 2 * [["LeakyReLU"]]),
    "blogathon": ([["LeakyReLU"]] + 2 * [["BatchNormalization", "LeakyReLU"]], 3 * [["LeakyReLU"]]),
    "from_scratch": (3 * [["LeakyReLU"]], 3 * [["LeakyReLU", "Dropout"]]),
    "lecture_notes": (3 * [["ReLU"]], 3 * [["LeakyReLU"]]),
    "paper_walkthrough": (3 * [["ReLU"]], 3 * [["ReLU", "Dropout"]]),
}
NAMES = list(FACTS)


def dense(network):
    return [layer for layer in network.layers if isinstance(layer, layers.Dense)]


def test_the_five_are_there():
    assert list(RECIPES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_widths_and_layers(name):
    generator, discriminator = build_recipe(name)
    for network, widths, after in zip((generator, discriminator), FACTS[name][:2], HIDDEN[name], strict=True):
        assert [layer.kernel.shape for layer in dense(network)] == list(itertools.pairwise(widths))
        kinds = [type(layer).__name__ for layer in network.layers if not isinstance(layer, layers.Flatten)]
        assert kinds[: kinds.index("Activation")] == [k for some in after for k in ("Dense", *some)] + ["Dense"]
        for layer in network.layers:
            if isinstance(layer, layers.LeakyReLU):
                assert layer.negative_slope == pytest.approx(0.2)
            if isinstance(layer, layers.Dropout):
                assert layer.rate == (0.1 if name == "counterfeiter" else 0.3)
            if isinstance(layer, layers.BatchNormalization):
                wanted = (0.8, 1e-3) if name == "counterfeiter" else (0.9, 1e-5)
                assert (layer.momentum, layer.epsilon) == wanted
    assert generator.output_shape == (None, 28, 28, 1)
    assert discriminator.output_shape == (None, 1)
    drawn = np.asarray(generator(np.random.default_rng(0).normal(size=(8, 100))))
    assert -1 <= drawn.min() < 0 < drawn.max() <= 1
    assert 0 < np.asarray(discriminator(drawn)).min() < np.asarray(discriminator(drawn)).max() < 1


def test_the_counterfeiters_parameters():
    generator, discriminator = build_recipe("counterfeiter")
    assert (generator.count_params(), discriminator.count_params()) == (1_493_520, 533_505)
    assert sum(int(np.prod(w.shape)) for w in generator.trainable_weights) == 1_489_936


@pytest.mark.parametrize("name", NAMES)
def test_first_weights(name):
    keras.utils.set_random_seed(0)
    for network in build_recipe(name):
        for layer in dense(network):
            kernel, bias = np.asarray(layer.kernel), np.asarray(layer.bias)
            if name == "counterfeiter":
                limit = np.sqrt(6 / sum(kernel.shape))
                assert not bias.any()
            else:
                limit = 1 / np.sqrt(len(kernel))
                assert abs(bias).max() <= limit
                assert len(bias) == 1 or abs(bias).max() > 0.9 * limit
                assert not np.allclose(kernel[0], bias)
            assert 0.95 * limit < abs(kernel).max() <= limit
            assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.07)  # an even distribution's


@pytest.mark.parametrize("name", NAMES)
def test_optimizer_batch_and_length(name):
    recipe, (_, _, batch, steps, rate, beta_1, epsilon) = RECIPES[name], FACTS[name]
    adam = keras.optimizers.get(recipe.optimizer)
    assert type(adam) is keras.optimizers.Adam
    assert float(adam.learning_rate) == pytest.approx(rate)
    assert (adam.beta_1, adam.beta_2, adam.epsilon) == (beta_1, 0.999, epsilon)
    assert recipe.batch_size == batch
    assert published_steps(recipe, 60_000) == steps
    assert recipe.latent_dim == 100


class Counted:
    """A network that counts its calls and keeps what it was given."""

    def __init__(self, network):
        self.network, self.calls = network, []

    def __call__(self, inputs, training=False):
        self.calls.append((np.asarray(inputs), training))
        return self.network(inputs, training=training)

    def __getattr__(self, name):
        return getattr(self.network, name)


@pytest.fixture
def one_step(make_images):
    """One iteration of a recipe, eagerly, with SGD; returns the networks, their calls, and D's first weights."""

    images = make_images(8)

    def run(name, game=None):
        recipe = RECIPES[name]._replace(generator=("6 leaky",), discriminator=("5 leaky",))
        keras.utils.set_random_seed(1)
        gan = (game or recipe.game)(*build_recipe(recipe, (4, 3, 1)), seed=1)
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
        start = gan.discriminator.get_weights()
        g, d = Counted(gan.generator), Counted(gan.discriminator)
        object.__setattr__(gan, "generator", g)
        object.__setattr__(gan, "discriminator", d)
        gan.train_step(tf.constant(images))
        moved = [a - b for a, b in zip(gan.discriminator.get_weights(), start, strict=True)]
        return g.calls, d.calls, moved, gan

    return run


def test_counterfeiter_two_updates_and_fakes_in_inference_mode(one_step):
    g, d, _, gan = one_step("counterfeiter")
    assert [training for _, training in g] == [False, True]
    assert [len(images) for images, _ in d] == [8, 8, 8]
    assert int(gan.d_optimizer.iterations) == 2
    assert not np.array_equal(g[0][0], g[1][0])


def test_blogathon_generator_first_and_the_same_fakes(one_step):
    g, d, _, gan = one_step("blogathon")
    assert [training for _, training in g] == [True]
    assert np.array_equal(d[0][0], d[2][0])  # what G was judged on is what D is shown after the real ones
    assert int(gan.d_optimizer.iterations) == int(gan.g_optimizer.iterations) == 1


@pytest.mark.parametrize("name", ["from_scratch", "lecture_notes"])
def test_sum_of_losses_and_fresh_noise(one_step, name):
    g, d, _, gan = one_step(name)
    assert [training for _, training in g] == [True, True]
    assert not np.array_equal(g[0][0], g[1][0])
    assert len(d) == 3
    assert int(gan.d_optimizer.iterations) == 1


def test_paper_walkthrough_one_shuffled_batch(one_step):
    g, d, _, gan = one_step("paper_walkthrough")
    assert [len(images) for images, _ in d] == [16, 8]
    fakes = np.asarray(gan.generator.network(g[0][0]))  # G has moved since, a little
    is_fake = [np.abs(fakes - image).max(axis=(1, 2, 3)).min() < 0.05 for image in d[0][0]]
    assert sum(is_fake) == 8
    assert is_fake not in (8 * [False] + 8 * [True], 8 * [True] + 8 * [False])
    assert int(gan.d_optimizer.iterations) == 1


def test_the_sum_moves_twice_as_far_as_the_mean(one_step):
    """Without momentum, on the same batches: the shuffled batch has the mean of both halves as its loss."""
    _, _, by_sum, _ = one_step("lecture_notes")
    _, _, by_mean, _ = one_step("lecture_notes", game=Shuffled)
    assert max(abs(move).max() for move in by_mean) > 1e-4
    for a, b in zip(by_sum, by_mean, strict=True):
        np.testing.assert_allclose(a, 2 * b, atol=1e-6)


class Shuffled(recipes.PaperWalkthrough):
    """Takes its noise before its order, so that the noise is that of other games."""

    def train_discriminator(self, real, fake):
        noise, self.noise_seed = self.noise_seed, keras.random.SeedGenerator(0)
        try:
            return super().train_discriminator(real, fake)
        finally:
            self.noise_seed = noise


def test_accuracies_belong_to_the_right_halves(make_images):
    """After the shuffling: a D that says "real" to bright images."""
    d = keras.Sequential(
        [keras.Input((4, 3, 1)), layers.Flatten(), layers.Dense(1, "sigmoid", kernel_initializer="ones")]
    )
    recipe = RECIPES["paper_walkthrough"]._replace(generator=("4 relu",))
    gan = recipes.PaperWalkthrough(build_recipe(recipe, (4, 3, 1))[0], d)
    gan.compile()
    logs = gan.train_discriminator(ops.ones((6, 4, 3, 1)), -ops.ones((6, 4, 3, 1)))
    assert float(logs["accuracy_real"]) == float(logs["accuracy_fake"]) == 1
    logs = gan.train_discriminator(-ops.ones((6, 4, 3, 1)), -ops.ones((6, 4, 3, 1)))
    assert (float(logs["accuracy_real"]), float(logs["accuracy_fake"])) == (0, 1)


def first(batches, count):
    return [batch.numpy() for batch in batches.take(count)]


def test_batches_in_passes():
    images = np.arange(10, dtype="float32").reshape(10, 1, 1, 1)
    found = first(published_batches(images, 4, seed=3), 6)
    assert [len(batch) for batch in found] == [4, 4, 2, 4, 4, 2]
    passes = [np.concatenate(found[:3]).ravel(), np.concatenate(found[3:]).ravel()]
    assert [sorted(one) for one in passes] == 2 * [list(range(10))]
    assert list(passes[0]) != list(passes[1])
    again = first(published_batches(images, 4, seed=3), 6)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))
    other = first(published_batches(images, 4, seed=4), 3)
    assert not np.array_equal(np.concatenate(other).ravel(), passes[0])


def test_batches_with_replacement():
    images = np.arange(10, dtype="float32").reshape(10, 1, 1, 1)
    found = np.stack(first(published_batches(images, 8, seed=3, replace=True), 200)).reshape(200, 8)
    assert min(len(set(batch)) for batch in found) < 7
    counts = np.bincount(found.ravel().astype(int))
    assert len(counts) == 10
    assert 100 < counts.min() < counts.max() < 230


SMALL = {"generator": ("6 leaky",), "discriminator": ("5 leaky",), "batch_size": 4}


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_trains_colour_images_of_any_size(name, make_images):
    recipe = RECIPES[name]._replace(batch_size=4)
    watch = callbacks.GANMonitor(every=2)
    generator, history = train_recipe(recipe, make_images(10, (5, 7, 3)), steps=4, callbacks=watch, verbose=0)
    assert generator.output_shape == (None, 5, 7, 3)
    assert {len(values) for values in history.values()} == {4}
    assert np.isfinite(list(history.values())).all()
    assert [iteration for iteration, _ in watch.frames] == [0, 4]  # one call of the graph
    keras.utils.set_random_seed(0)
    first_weights = build_recipe(recipe, (5, 7, 3))[0].get_weights()
    assert any((a != b).any() for a, b in zip(first_weights, generator.get_weights(), strict=True))


@pytest.mark.long
def test_the_seed_decides(make_images):
    images, recipe = make_images(10), RECIPES["from_scratch"]._replace(**SMALL)
    one, again, other = (train_recipe(recipe, images, 7, seed, verbose=0)[0].get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_published_length_scales_with_the_images(make_images):
    recipe = RECIPES["blogathon"]._replace(**SMALL, epochs=3)
    _, history = train_recipe(recipe, make_images(10), verbose=0)
    assert len(history["d_loss"]) == 9  # three passes of 4, 4 and 2 images


@pytest.mark.long
@pytest.mark.parametrize("steps", [1, 3, 997, 1500])
def test_any_number_of_steps(make_images, steps):
    _, history = train_recipe(RECIPES["blogathon"]._replace(**SMALL), make_images(10), steps, verbose=0)
    assert len(history["g_loss"]) == steps


def test_sigmoid_and_latent_size(make_images):
    recipe = RECIPES["paper_walkthrough"]._replace(**SMALL, output="sigmoid", latent_dim=3)
    generator, _ = train_recipe(recipe, (make_images(10) + 1) / 2, steps=3, verbose=0)
    assert generator.input_shape == (None, 3)
    assert generator.layers[-2].activation is keras.activations.sigmoid
    with pytest.raises(ValueError, match=r"^images: this recipe's output is sigmoid, but the pixels begin at -"):
        train_recipe(recipe, make_images(10), steps=3)
    with pytest.raises(ValueError, match=r"^images: this recipe's output is tanh, but the pixels begin at "):
        train_recipe("blogathon", (make_images(100) + 1) / 2, steps=3)


def small(name):
    return RECIPES[name]._replace(**SMALL)


def events(folder):
    """The tags and steps of all that was written for TensorBoard, and the values of the numbers."""
    files = [str(file) for file in folder.glob("*tfevents*")]
    found = [tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(files)]
    return {(value.tag, event.step): tf.make_ndarray(value.tensor) for event in found for value in event.summary.value}


def sheets(folder):
    """The pictures of a folder: their names and what they show."""
    return {file.name: np.asarray(Image.open(file)) for file in sorted(folder.glob("*.png"))}


@pytest.mark.parametrize(
    ("name", "steps", "looks", "images"),
    [
        ("blogathon", 1000, (400, 800), 25),
        ("counterfeiter", 500, (200, 400), 25),
        ("paper_walkthrough", 6, (3, 6), 25),  # an epoch of 10 images in fours
        ("lecture_notes", 7, (7,), 64),  # the end
    ],
)
def test_grids_come_when_the_source_has_them(name, steps, looks, images, make_images, tmp_path, capsys):
    generator, history = train_recipe(small(name), make_images(10), steps, watch=True, folder=tmp_path, verbose=0)
    found = sheets(tmp_path)
    assert list(found) == [f"iteration_{look:05d}.png" for look in looks]
    assert len(history["d_loss"]) == steps
    if looks[-1] == steps:
        drawn = np.asarray(generator(fixed_noise(count=images)))
        np.testing.assert_array_equal(found[f"iteration_{steps:05d}.png"], grid(drawn, columns=round(images**0.5)))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == (2 if name == "lecture_notes" else 0)
    if lines:
        d_loss, g_loss = (np.mean(history[key][3:6]) for key in ("d_loss", "g_loss"))
        assert lines[1] == f"epoch 2: D's loss {d_loss:.3f}, G's loss {g_loss:.3f}"


def test_from_scratch_logs_sixteen_images_and_both_losses_for_tensorboard(make_images, tmp_path):
    generator, history = train_recipe(
        small("from_scratch"), make_images(10), 200, watch=True, folder=tmp_path, verbose=0
    )
    found = events(tmp_path)
    assert set(found) == {(tag, step) for tag in ("samples", "d_loss", "g_loss") for step in (100, 200)}
    for step in (100, 200):
        for name in ("d_loss", "g_loss"):
            assert float(found[name, step]) == pytest.approx(np.mean(history[name][step - 100 : step]), rel=1e-5)
    sheet = tf.io.decode_png(found["samples", 200][2], channels=1).numpy()[..., 0]
    np.testing.assert_array_equal(sheet, grid(np.asarray(generator(fixed_noise(count=16))), columns=4))
    assert not list(tmp_path.glob("*.png"))


def test_lines_and_tensorboard_together_end_with_a_grid_and_losses(make_images, tmp_path, capsys):
    recipe = small("from_scratch")
    recipe = recipe._replace(watch=recipe.watch._replace(lines=True, every=2))
    train_recipe(recipe, make_images(10), 4, watch=True, folder=tmp_path, verbose=0)
    assert len(re.findall("^epoch ", capsys.readouterr().out, re.MULTILINE)) == 2
    assert set(events(tmp_path)) == {(tag, 4) for tag in ("samples", "d_loss", "g_loss")}


def test_without_tensorboard_it_is_said_before_the_training(make_images, tmp_path, monkeypatch):
    monkeypatch.delattr(tf.summary, "image")
    with pytest.raises(ImportError, match="TensorBoard is not installed: python -m pip install tensorboard"):
        train_recipe(small("from_scratch"), make_images(10), 200, watch=True, folder=tmp_path, verbose=0)
    with pytest.raises(ImportError, match="TensorBoard is not installed"):
        callbacks.GANMonitor(log_dir=tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_watching_changes_nothing_and_has_a_folder(name, make_images, tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, name, small(name)._replace(watch=RECIPES[name].watch._replace(every=3)))
    monkeypatch.setattr(recipes.watching, "runs_folder", lambda folder: tmp_path / folder)
    images = make_images(10)
    plain, watched = (train_recipe(name, images, 9, seed=2, watch=watch, verbose=0)[0] for watch in (False, True))
    for one, other in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert list((tmp_path / "recipes" / name).iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_says_how_its_source_watches(name):
    assert (
        RECIPES[name].watch
        == {
            "counterfeiter": (25, 200, "files", False),
            "blogathon": (25, 400, "files", False),
            "from_scratch": (16, 100, "tensorboard", False),
            "lecture_notes": (64, None, "page", True),
            "paper_walkthrough": (25, None, "page", False),
        }[name]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "blogaton"}, r"^recipe: expected one of counterfeiter, blogathon, .*got 'blogaton'"),
        ({"recipe": 3}, r"^recipe: expected a gan_keras.recipes.Recipe"),
        ({"recipe": RECIPES["blogathon"]._replace(generator=("12 leeky",))}, r"^recipe: generator: .*'leeky'"),
        ({"recipe": RECIPES["blogathon"]._replace(start="torch")}, r"^recipe: start: expected one of"),
        ({"recipe": RECIPES["blogathon"]._replace(output="relu")}, r"^recipe: output: expected one of"),
        ({"recipe": RECIPES["blogathon"]._replace(epochs=None)}, r"^recipe: expected epochs or steps"),
        ({"recipe": "blogathon"}, r"^batch_size: expected at most 10 \(the number of images\), got 64"),
        ({"images": np.zeros((4, 3))}, r"^images: expected 4 axes"),
        ({"steps": 0}, r"^steps: expected at least 1"),
        ({"seed": -1}, r"^seed: expected at least 0"),
    ],
)
def test_mistakes_are_named(change, message, make_images):
    arguments = {"recipe": RECIPES["blogathon"]._replace(**SMALL), "images": make_images(10), "steps": 2} | change
    with pytest.raises(ValueError, match=message):
        train_recipe(**arguments, verbose=0)


def test_large_dcgan_layers_and_parameters():
    generator, discriminator = build_recipe(recipes.DCGAN, (64, 64, 1))
    kernels = [4 * 4 * a * b for a, b in ((1024, 512), (512, 256), (256, 128), (128, 1))]
    assert generator.count_params() == 101 * 16_384 + sum(kernels) + 4 * (512 + 256 + 128) == 12_670_464
    assert discriminator.count_params() == sum(kernels) + 4 * (256 + 512 + 1024) + 16_385 == 11_035_649
    shapes = [layer.output.shape[1:] for layer in generator.layers if "Conv" in type(layer).__name__]
    assert shapes == [(8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 1)]
    shapes = [layer.output.shape[1:] for layer in discriminator.layers if "Conv" in type(layer).__name__]
    assert shapes == [(32, 32, 128), (16, 16, 256), (8, 8, 512), (4, 4, 1024)]
    for network in (generator, discriminator):
        for layer in network.layers:
            if "Conv" in type(layer).__name__:
                assert not layer.use_bias
                assert np.std(layer.kernel) == pytest.approx(0.02, rel=0.1)
            if isinstance(layer, layers.BatchNormalization):
                assert np.std(layer.gamma) == pytest.approx(0.02, rel=0.3)


@pytest.mark.long
def test_a_small_version_of_the_large_dcgan_trains(make_images):
    recipe = recipes.DCGAN._replace(generator=(8, 6, 4, 4), discriminator=(4, 4, 6, 8), batch_size=4)
    generator, history = train_recipe(recipe, make_images(8, (16, 32, 3)), steps=2, verbose=0)
    assert generator.output_shape == (None, 16, 32, 3)
    assert np.isfinite(history["g_loss"]).all()
    with pytest.raises(ValueError, match=r"^image_shape: expected height and width that 16 divides, got 28"):
        build_recipe(recipe)


def test_the_long_table_has_every_run():
    rows = {(r["recipe"], r["change"], r["seed"], r["steps"]): r for r in results.read()}
    assert set(rows) == set(long_runs.jobs())
    assert len(rows) == len(results.read())
    for row in rows.values():
        assert row["published_steps"] == FACTS[row["recipe"]][3]
        assert row["done"] <= row["steps"] <= row["published_steps"]
        assert row["frechet"] > 0
        assert 0 <= row["precision"] <= 1
        assert 0 <= row["present"] <= 10


def test_changes_change_something():
    for change, (base, _) in results.CHANGES.items():
        assert results.changed(change) != RECIPES[base]


@pytest.mark.long
def test_the_long_table_goes_on_where_it_was_stopped(tmp_path, monkeypatch, make_images, capsys):
    """With small recipes: what is there is not done again, and the rows can be read back."""
    small = {"one": RECIPES["blogathon"]._replace(**SMALL, epochs=None, steps=3)}
    for name, value in {
        "RECIPES": small,
        "CHANGES": {"sigmoid": ("one", {"output": "sigmoid"})},
        "SEEDS": (0,),
        "SHORT": 2,
        "load_mnist": lambda split="train": make_images(20, (28, 28, 1)),
    }.items():
        for module in (long_runs, results):
            monkeypatch.setattr(module, name, value, raising=False)
    long_runs.main(tmp_path)
    rows = results.read(tmp_path)
    assert [(r["change"], r["steps"]) for r in rows] == [("", 3), ("", 2), ("sigmoid", 2)]
    (tmp_path / "long_runs.csv").write_text(
        "".join((tmp_path / "long_runs.csv").read_text().splitlines(keepends=True)[:-1])
    )
    capsys.readouterr()
    long_runs.main(tmp_path, backwards=True)
    assert capsys.readouterr().out.count("frechet") == 1
    assert results.read(tmp_path)[:2] == rows[:2]
    assert (tmp_path / "long_runs_one.png").exists()


GAMES = (recipes.FromScratch, recipes.Blogathon, recipes.PaperWalkthrough)


@pytest.mark.parametrize("game", GAMES)
def test_games_are_saved_and_loaded(game, make_images, tmp_path):
    """Without `custom_objects`, and going on where they were."""
    images = make_images(12)
    keras.utils.set_random_seed(1)
    gan = game(*build_recipe(RECIPES["counterfeiter"]._replace(generator=("8 leaky",)), images.shape[1:]))
    gan.compile()
    gan.fit(images, batch_size=4, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert type(loaded) is game
    for one in (gan, loaded):
        one.fit(images, batch_size=4, verbose=0)
    for one, other in zip(loaded.get_weights(), gan.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize(("name", "value"), [("d_steps", 2), ("penalty", losses.r1), ("loss", losses.RELATIVISTIC)])
def test_games_refuse_what_they_would_ignore(game, name, value, make_images):
    """Each argument of `compile` either changes the training or is refused."""
    images = make_images(8)

    def trained(loss=losses.NON_SATURATING_FROM_LOGITS, **options):
        keras.utils.set_random_seed(1)
        g, _ = build_recipe(RECIPES["counterfeiter"]._replace(generator=("8 leaky",)), images.shape[1:])
        gan = game(g, keras.Sequential([keras.Input(images.shape[1:]), layers.Flatten(), layers.Dense(1)]))
        gan.compile(loss=loss, **options)
        gan.fit(images, batch_size=4, verbose=0)
        return gan.discriminator.get_weights()

    refused = "pairs" if name == "loss" else name
    if refused in game.ignores:
        with pytest.raises(ValueError, match=f"{name}: {game.__name__}"):
            trained(**{name: value})
    elif name == "loss":
        trained(loss=value)
    else:
        plain, other = trained(), trained(**{name: value})
        assert any(not np.array_equal(a, b) for a, b in zip(plain, other, strict=True))

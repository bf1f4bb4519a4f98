"""The doctor finds each fault, raises no false alarm, foretells what really happens, and leaves no trace."""

import inspect
import pathlib
import random
import re

import keras
import numpy as np
import pytest
from keras import layers

from gan_keras import doctor, models, training
from gan_keras._plumbing import trial

pytestmark = pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
SHAPE, LATENT = (4, 3, 1), 5


def array(variable):
    return np.copy(keras.ops.convert_to_numpy(variable))


def momentum():
    return keras.optimizers.SGD(1e-2, momentum=0.5)  # makes variables, as Adam does


def generator(*hidden, shape=SHAPE):
    keras.utils.set_random_seed(3)
    stack = [keras.Input((LATENT,)), layers.Dense(8), layers.LeakyReLU(), *hidden]
    stack += [layers.Dense(int(np.prod(shape)), activation="tanh"), layers.Reshape(shape)]
    return keras.Sequential(stack, name="generator")


def discriminator(*hidden, shape=SHAPE, end="sigmoid", loss="binary_crossentropy", units=1):
    stack = [keras.Input(shape), layers.Flatten(), layers.Dense(8), layers.LeakyReLU(), *hidden]
    d = keras.Sequential([*stack, layers.Dense(units, activation=end)], name="discriminator")
    compile_it(d, loss=loss)
    return d


def compile_it(model, optimizer=None, loss="binary_crossentropy", **more):
    model.compile(optimizer or keras.optimizers.SGD(1e-2), loss=loss, jit_compile=False, **more)


def combine(g, d, loss="binary_crossentropy", optimizer=None):
    noise = keras.Input((LATENT,))
    c = keras.Model(noise, d(g(noise)), name="combined")
    compile_it(c, optimizer, loss)
    return c


def images(size, shape=SHAPE):
    return np.random.default_rng(size).uniform(-1, 1, (size, *shape)).astype("float32")


def noise(size):
    return np.random.default_rng(size).normal(size=(size, LATENT)).astype("float32")


def ones(size):
    return np.ones((size, 1))


def flip(d, c, size=8, free_again=True):
    """One iteration of a loop that sets the flag around each step."""
    d.trainable = True
    d.train_on_batch(images(size), ones(size))
    d.trainable = False
    c.train_on_batch(noise(size), ones(size))
    d.trainable = free_again


def fresh():
    d = discriminator()
    return d, combine(generator(), d)


# Pairs: without a fault


def of_the_package():
    keras.utils.set_random_seed(3)
    g, d = models.build_generator(LATENT, SHAPE), models.build_discriminator(SHAPE)
    return d, models.build_combined(g, d)


def trained_by_the_package():
    """With everything that has a state: dropout, batch normalization in G, Adam, a metric."""
    d = discriminator(layers.Dropout(0.3))
    compile_it(d, keras.optimizers.Adam(), metrics=["accuracy"])
    c = combine(generator(layers.Dropout(0.3), layers.BatchNormalization()), d, optimizer=keras.optimizers.Adam())
    training.train_discriminator(d, images(8), images(8))
    training.train_generator(c, noise(8))
    return d, c


def flipping_loop():
    d, c = fresh()
    for size in (8, 8, 5):
        flip(d, c, size)
    return d, c


def flipping_loop_left_frozen():
    d, c = fresh()
    for _ in range(2):
        flip(d, c, 6, free_again=False)
    return d, c


def d_has_won():
    """Its verdicts are so sure that no gradient is left; the wiring is right."""
    d, c = fresh()
    *_, kernel, bias = d.weights
    kernel.assign(0 * kernel)
    bias.assign([60.0])
    return d, c


def colour_not_square_functional():
    shape = (3, 5, 2)
    image = keras.Input(shape)
    x = layers.LeakyReLU()(layers.Conv2D(4, 3, strides=2, padding="same")(image))
    d = keras.Model(image, layers.Dense(1, activation="sigmoid")(layers.Flatten()(x)))
    compile_it(d)
    return d, combine(generator(shape=shape), d)


def logits():
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    d = discriminator(layers.Dropout(0.3), end=None, loss=loss)
    return d, combine(generator(), d, loss)


def spectral_normalization():
    d = discriminator(layers.SpectralNormalization(layers.Dense(8)))
    return d, combine(generator(), d)


class Police(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.last = layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        return self.last(self.hidden(keras.ops.reshape(inputs, (-1, 12))))


def subclassed_d():
    g = generator()
    d = Police()
    d(images(2))
    compile_it(d)
    return d, combine(g, d)


def conditional():
    label, seed, image = keras.Input((1,), dtype="int32"), keras.Input((LATENT,)), keras.Input(SHAPE)
    keras.utils.set_random_seed(3)
    embed = layers.Flatten()(layers.Embedding(10, 4)(label))
    g = keras.Model([seed, label], layers.Reshape(SHAPE)(layers.Dense(12)(layers.Concatenate()([seed, embed]))))
    both = layers.Concatenate()([layers.Flatten()(image), layers.Flatten()(layers.Embedding(10, 4)(label))])
    d = keras.Model([image, label], layers.Dense(1, activation="sigmoid")(both))
    compile_it(d)
    c = keras.Model([seed, label], d([g([seed, label]), label]))
    compile_it(c)
    return d, c


def two_outputs():
    image = keras.Input(SHAPE)
    x = layers.Dense(8, activation="relu")(layers.Flatten()(image))
    d = keras.Model(image, [layers.Dense(1, activation="sigmoid")(x), layers.Dense(10, activation="softmax")(x)])
    losses = ["binary_crossentropy", "sparse_categorical_crossentropy"]
    compile_it(d, loss=losses)
    return d, combine(generator(), d, losses)


# Pairs: with a fault


def classic():
    d = discriminator()
    d.trainable = False
    return d, combine(generator(), d)


def frozen_layer_by_layer():
    d = discriminator()
    for layer in d.layers:
        layer.trainable = False
    return d, combine(generator(), d)


def classic_in_use():
    """The classic loop, three iterations in; D was dead from the first."""
    d, c = classic()
    compile_it(d, momentum())
    for _ in range(2):
        d.train_on_batch(images(8), ones(8))
        c.train_on_batch(noise(8), ones(8))
    return d, c


def traced_frozen_then_free():
    d, c = fresh()
    compile_it(d, momentum())
    d.trainable = False
    d.train_on_batch(images(6), np.ones((6, 1), "float32"))  # another dtype than that of the other steps here
    d.trainable = True
    return d, c


def traced_frozen_in_a_flipping_loop():
    """A loop that is right but for one frozen step at the last, smaller batch."""
    d, c = fresh()
    compile_it(d, momentum())
    flip(d, c)
    d.trainable = False
    d.train_on_batch(images(7), ones(7))
    d.trainable = True
    return d, c


def traced_free_then_frozen():
    d = discriminator()
    d.train_on_batch(images(6), ones(6))
    d.trainable = False
    return d, combine(generator(), d)


def warmed_up_by_fit_then_frozen():
    d = discriminator()
    d.fit(images(8), ones(8), batch_size=8, verbose=0)
    d.trainable = False
    return d, combine(generator(), d)


def combined_trained_with_d_free():
    d, c = fresh()
    d.train_on_batch(images(8), ones(8))
    c.train_on_batch(noise(8), ones(8))
    return d, c


def one_optimizer():
    d = discriminator()
    return d, combine(generator(), d, optimizer=d.optimizer)


def a_copy_of_d():
    d = discriminator()
    return d, combine(generator(), keras.models.clone_model(d))


def g_frozen():
    g, d = generator(), discriminator()
    g.trainable = False
    return d, combine(g, d)


def combined_frozen():
    d, c = fresh()
    c.trainable = False
    return d, c


def g_without_gradient():
    d = discriminator()
    seed = keras.Input((LATENT,))
    c = keras.Model(seed, d(layers.Lambda(keras.ops.stop_gradient)(generator()(seed))))
    compile_it(c)
    return d, c


def g_with_rate_zero():
    d = discriminator()
    d.trainable = False
    c = combine(generator(), d, optimizer=keras.optimizers.SGD(0.0))
    d.trainable = True
    return d, c


def d_not_compiled():
    d = keras.Sequential([keras.Input(SHAPE), *discriminator().layers])
    return d, combine(generator(), d)


def combined_not_compiled():
    d, c = fresh()
    return d, keras.Model(c.inputs, c.outputs)


def logits_taken_for_probabilities():
    d = discriminator(end=None)
    return d, combine(generator(), d)


def probabilities_taken_for_logits():
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    d = discriminator(loss=loss)
    return d, combine(generator(), d, loss)


def loss_for_several_classes():
    loss = keras.losses.CategoricalCrossentropy()
    d = discriminator(loss=loss)
    return d, combine(generator(), d)


def logits_by_another_name():
    d = discriminator(end=None, loss="bce")
    return d, combine(generator(), d)


def batch_normalization():
    d = discriminator(layers.BatchNormalization(momentum=0.5), layers.Dropout(0.3))
    c = combine(generator(), d)
    flip(d, c)
    return d, c


FREE = {"freeze_first"}
HEALTHY = {
    of_the_package: FREE,
    trained_by_the_package: FREE,
    flipping_loop: set(),
    flipping_loop_left_frozen: {"frozen_now"},
    d_has_won: FREE,
    colour_not_square_functional: FREE,
    logits: FREE,
    spectral_normalization: FREE,
    subclassed_d: FREE,
    conditional: FREE,
    two_outputs: FREE,
    batch_normalization: FREE | {"batch_normalization"},
}
FAULTY = {
    classic: ({"discriminator_dead"}, set()),
    frozen_layer_by_layer: ({"layers_frozen"}, set()),
    warmed_up_by_fit_then_frozen: ({"discriminator_dead"}, set()),
    classic_in_use: ({"recorded_frozen"}, set()),
    traced_frozen_then_free: ({"recorded_frozen"}, FREE),
    traced_frozen_in_a_flipping_loop: ({"recorded_frozen"}, FREE),
    traced_free_then_frozen: ({"one_batch_size"}, set()),
    combined_trained_with_d_free: ({"not_frozen"}, set()),
    one_optimizer: ({"shared_optimizer"}, set()),
    a_copy_of_d: ({"other_discriminator"}, set()),
    g_frozen: ({"generator_frozen"}, set()),
    combined_frozen: ({"generator_frozen", "discriminator_dead"}, set()),
    g_without_gradient: ({"step_fails"}, set()),
    g_with_rate_zero: ({"generator_frozen"}, set()),
    d_not_compiled: ({"not_compiled"}, FREE),
    combined_not_compiled: ({"not_compiled"}, set()),
    logits_taken_for_probabilities: ({"loss_does_not_fit"}, FREE),
    probabilities_taken_for_logits: ({"loss_does_not_fit"}, FREE),
    logits_by_another_name: ({"loss_does_not_fit"}, FREE),
    loss_for_several_classes: ({"categorical"}, FREE),
}
FORETOLD = (classic, traced_frozen_in_a_flipping_loop, traced_free_then_frozen)
CURED = (frozen_layer_by_layer, classic_in_use, combined_trained_with_d_free, g_frozen, one_optimizer)


def by_name(pairs):
    return [pytest.param(pair, expected, id=pair.__name__) for pair, expected in pairs.items()]


def state(d, c):
    """Everything of a pair that training uses or changes, in comparable form."""
    found = [random.getstate(), np.random.get_state()[1].tolist()]
    for model in (d, c):
        optimizer = getattr(model, "optimizer", None)
        found += [model.compiled, model.metrics_names, id(optimizer), id(model.train_function)]
        found += [id(model.predict_function), id(model.test_function), sorted(vars(model))]
        found += [[layer.trainable for layer in model._flatten_layers()], [v.trainable for v in model.variables]]
        owners = [model, *model.metrics] + ([optimizer] if optimizer else [])
        found += [(v.path, array(v).tobytes()) for owner in owners for v in owner.variables]
        found += [(id(v), optimizer.built) for v in (optimizer.variables if optimizer else [])]
        near = inspect.getclosurevars(model.train_function).nonlocals.values() if model.train_function else []
        near = [getattr(f, "__wrapped__", f) for f in near]
        counts = [f for f in near if hasattr(f, "experimental_get_tracing_count")]
        found += [f.experimental_get_tracing_count() for f in counts]
        found += [[len(layer._inbound_nodes) for layer in model._flatten_layers()]]
    return found


@pytest.mark.parametrize(("pair", "notes"), by_name(HEALTHY))
def test_no_false_alarm_and_nothing_changed(pair, notes):
    d, c = pair()
    before = state(d, c)
    report = doctor.examine(d, c, verbose=False)
    assert state(d, c) == before
    assert report.healthy
    assert report.findings == {}
    assert str(report).startswith("Nothing is wrong")
    assert "Write" not in str(report)
    assert ("D*" in str(report)) == (("D", 8) in report.recorded or ("D", 6) in report.recorded)
    assert set(report.notes) == notes
    for size in trial.SIZES:
        assert report.moved["flag set", "D", size] == "D"
        assert report.moved["flag set", "G", size] == "G"


# What the report says is what happens


def really(d, c, flag, sizes):
    """Take the steps of a report in earnest, as users do, and tell who moved."""
    own = {id(v) for v in d.weights}
    groups = {"D": d.weights, "G": [v for v in c.weights if id(v) not in own]}
    moved = {}
    for size in sizes:
        for step, model, x in (("D", d, images(size)), ("G", c, noise(size))):
            if flag == "flag set":
                d.trainable = step == "D"
            before = {name: [array(v) for v in group] for name, group in groups.items()}
            try:
                model.train_on_batch(x, ones(size))
            except ValueError:
                moved[flag, step, size] = "error"
                continue
            who = [
                n for n, g in groups.items() if any((array(v) != b).any() for v, b in zip(g, before[n], strict=True))
            ]
            moved[flag, step, size] = " and ".join(who) or "nothing"
    return moved


def words(report, flag):
    return {key: who.split(":")[0] for key, who in report.moved.items() if key[0] == flag}


def sizes_of(report):
    return list(dict.fromkeys(size for _, _, size in report.moved))


@pytest.mark.parametrize(("pair", "expected"), by_name(FAULTY))
def test_each_fault_is_found_and_no_other_and_nothing_changed(pair, expected):
    """Also: with the flag set, those move who the report says would, and the advice can be pasted and cures."""
    d, c = pair()
    before = state(d, c)
    report = doctor.examine(d, c, verbose=False)
    assert state(d, c) == before
    assert not report.healthy
    assert (set(report.findings), set(report.notes)) == expected
    assert "{" not in str(report)
    assert set(sizes_of(report)) >= set(trial.SIZES)
    if pair is traced_free_then_frozen:  # at the recorded size alone nothing would be found
        assert [report.moved["as it is", "D", size] for size in (6, 8, 5)] == ["D", "nothing", "nothing"]
        assert report.recorded == {("D", 6)}
        assert "batch size 6 only" in report.findings["one_batch_size"]
    if pair in FORETOLD:
        assert really(d, c, "flag set", sizes_of(report)) == words(report, "flag set")
    if pair in CURED:
        exec(report.advice, {"discriminator": d, "combined": c, "keras": keras, "images": images(8), "labels": ones(8),
                             "noise": noise(8), "ones": ones(8)})  # fmt: skip
        report = doctor.examine(d, c, sets_flag=True, verbose=False)
        assert report.healthy, report


@pytest.mark.parametrize("pair", [batch_normalization, classic_in_use], ids=lambda pair: pair.__name__)
def test_an_examined_pair_trains_on_as_foretold_and_to_the_bit_as_its_twin(pair):
    examined, twin = pair(), pair()
    report = doctor.examine(*examined, verbose=False)
    moved = really(*examined, "as it is", sizes_of(report))
    assert moved == words(report, "as it is")
    assert really(*twin, "as it is", sizes_of(report)) == moved
    for mine, other in zip(examined, twin, strict=True):
        mine, other = mine.variables + mine.optimizer.variables, other.variables + other.optimizer.variables
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_array_equal(array(a), array(b), err_msg=a.path)


def test_every_finding_and_note_is_met_in_a_test():
    met = set().union(*(findings | notes for findings, notes in FAULTY.values()), *HEALTHY.values())
    assert met == set(doctor.FINDINGS) | set(doctor.NOTES)


# What is printed


def test_the_report_is_printed_once_and_reads_well(capsys):
    d, c = classic()
    report = doctor.examine(d, c)
    printed = capsys.readouterr().out
    assert printed == f"{report}\n"
    assert printed.startswith("This discriminator never learns: it is frozen")
    assert "If your loop sets the flag before each step, as below, this does not matter." in printed
    assert "discriminator.train_on_batch            nothing      nothing      D\n" in printed
    assert "  after discriminator.trainable = True  D            D            D\n" in printed
    assert printed.endswith(f"Write instead:\n{doctor.LOOP}\n")
    assert len([line for line in printed.splitlines() if line]) == 12
    assert "\n" not in repr(report)
    report = doctor.examine(d, c, sets_flag=True, verbose=False)  # who sets the flag himself is not alarmed
    assert report.healthy
    assert report.notes == {}
    assert "  after discriminator.trainable" not in str(report)  # nor does he meet the steps that his loop never takes
    assert "discriminator.train_on_batch            D            D            D\n" in str(report)
    assert capsys.readouterr().out == ""


def test_the_readmes_three_lines(capsys):
    readme = (pathlib.Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (lines,) = [code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "examine" in code]
    assert len(lines.split("\n\n")) == 2
    assert len(lines.replace("\n\n", "\n").splitlines()) == 3
    d, c = of_the_package()
    exec(lines, {"discriminator": d, "combined": c})
    d, c = classic()
    with pytest.raises(AssertionError, match=r"discriminator\.trainable = True"):
        exec(lines, {"discriminator": d, "combined": c})
    assert "This discriminator never learns" in capsys.readouterr().out


def test_two_models_that_are_not_compiled_are_told_in_words():
    d, c = fresh()
    d, c = keras.Model(d.inputs, d.outputs), keras.Model(c.inputs, c.outputs)
    printed = str(doctor.examine(d, c, verbose=False))
    assert printed.startswith("discriminator cannot train: it has no optimizer or no loss.\ncombined cannot train: ")
    assert printed.count("discriminator.compile(") == printed.count("combined.compile(") == 1
    assert "who moves" not in printed


# Arguments, and what Keras keeps to itself


def test_wrong_arguments_are_named():
    d, c = fresh()
    unbuilt = keras.Sequential([layers.Dense(1)])

    class Combined(keras.Model):
        def call(self, inputs):
            return c(inputs)

    subclassed = Combined()
    subclassed.inside = c
    subclassed(noise(2))
    for wrong, message in (
        ((None, c), "discriminator: expected a keras.Model, got NoneType"),
        ((d, "combined"), "combined: expected a keras.Model, got str"),
        ((unbuilt, c), "discriminator: it has no weights yet"),
        ((d, d), "combined: expected the model of G and D, got the discriminator itself"),
        ((d, subclassed), "combined: it must declare its inputs"),
    ):
        with pytest.raises(ValueError, match=message):
            doctor.examine(*wrong)


def test_records_are_found_where_keras_and_tensorflow_keep_them():
    """If this fails after an update: `find_records` has to learn where Keras keeps its tf.function."""
    d = discriminator()
    assert trial.find_records(d) == []
    for size in (6, 7):
        d.train_on_batch(images(size), ones(size))
    assert sorted(str(size) for _, _, size in trial.find_records(d)) == ["6", "None"]


def test_a_private_name_that_is_gone_is_told_and_nothing_is_touched(monkeypatch):
    d, c = flipping_loop()
    before = state(d, c)
    own, trained = d.train_function, d.optimizer._trainable_variables
    with monkeypatch.context() as patch:
        patch.delattr(keras.Layer, "_flatten_layers")
        with pytest.raises(RuntimeError, match=r"Sequential\._flatten_layers; nothing was tried"):
            doctor.examine(d, c)
    del vars(d.optimizer)["_trainable_variables"]  # past the tracking of attributes by Keras
    with pytest.raises(RuntimeError, match=r"hides SGD\._trainable_variables"):
        doctor.examine(d, c)
    vars(d.optimizer)["_trainable_variables"] = trained
    d.train_function = lambda data: None
    with pytest.raises(RuntimeError, match="what Keras has recorded of discriminator's training"):
        doctor.examine(d, c)
    d.train_function = own
    assert state(d, c) == before


def test_models_are_put_back_when_the_examination_stops(monkeypatch):
    d, c = batch_normalization()
    before = state(d, c)
    monkeypatch.setattr(trial, "who_moves", lambda players, run: run() or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        doctor.examine(d, c)
    assert state(d, c) == before

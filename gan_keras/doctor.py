"""Is your GAN dead? Try a step of each player on anyone's compiled pair, and put everything back.

Where Keras has recorded a step for a batch size, that record itself is run and undone: one made while D was frozen
stays dead whatever the flag says. Elsewhere a stand-in, with copies of the optimizers, takes the step anew.
"""

import contextlib
import inspect
import re
import warnings
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
from keras import ops, tree

SIZES = (8, 5)  # batch sizes that are tried beside those that Keras has recorded
AS_IT_IS, FLAG_SET = "as it is", "flag set"
NAMES = {"D": "discriminator", "G": "combined"}
LATE = "error: a first real step comes too late"

STEPS = """\
discriminator.trainable = True
discriminator.train_on_batch(images, labels)
discriminator.trainable = False
combined.train_on_batch(noise, ones)
discriminator.trainable = True  # so that a later fit trains D"""
FREE = """\
{0}.trainable = False
{0}.trainable = True  # in two steps: True set on True does nothing, though layers within be frozen"""
FORGET = FREE + "\n{0}.make_train_function(force=True)  # Keras forgets its records"
COMPILE = '{}.compile(keras.optimizers.Adam(2e-4, beta_1=0.5), loss="binary_crossentropy")'
JOIN = "combined = keras.Model(noise, discriminator(generator(noise)))  # this D itself; then compile it"
LOGITS = "loss = keras.losses.BinaryCrossentropy(from_logits=...)  # False after a sigmoid, else True"
FINDINGS = {  # what is wrong, and code to write instead
    "discriminator_not_compiled": (
        "D has no optimizer or no loss, so it cannot train.",
        COMPILE.format("discriminator"),
    ),
    "combined_not_compiled": ("combined has no optimizer or no loss, so G cannot train.", COMPILE.format("combined")),
    "shared_optimizer": (
        "Both models have one optimizer object. It keeps averages for the weights of the first player that moves, and "
        'stops with "Unknown variable" at the other.',
        COMPILE.format("combined") + "  # an optimizer of its own",
    ),
    "other_discriminator": (
        "combined holds a copy or another network, not this D: G never meets the D that trains.",
        JOIN,
    ),
    "not_the_verdict": ("combined does not end with this D's verdict. Or are the two arguments swapped?", JOIN),
    "step_fails": ("A step stops with an error: {}", ""),
    "recorded_frozen": (
        "Keras recorded a step while D was frozen. Whatever the flag says, nothing moves at batch size {}, or "
        "TensorFlow stops with an error, because it makes an optimizer's averages in the first step only.",
        f"{FORGET.format('discriminator')}\n{STEPS}",
    ),
    "discriminator_still": ("D's step moves nothing, even when D is free. Look at its learning rate and its loss.", ""),
    "layers_frozen": (
        "D's layers are frozen but D itself is not, and discriminator.trainable = True does nothing where it is True.",
        f"{FREE.format('discriminator')}\n{STEPS}",
    ),
    "one_batch_size": (
        "Keras recorded D's step at batch size {} while D was free, then D was frozen. At other sizes, such as {}, "
        "nothing moves; the last batch of an epoch is often such a one.",
        STEPS,
    ),
    "discriminator_dead": (
        "D is frozen, and Keras looks at that when it records a step, not at compile: D.train_on_batch moves nothing. "
        "Only if your loop frees D right before its step is all well; then call examine(..., sets_flag=True).",
        STEPS,
    ),
    "not_frozen": (
        "At batch size {} G's step moves D, too, and teaches it to call fakes real: Keras recorded it while D was "
        "free, and repeats it whatever the flag says.",
        f"{FORGET.format('combined')}\n{STEPS}",
    ),
    "generator_frozen": (
        "At batch size {} G's step moves nothing: G is frozen, or was when that was recorded.",
        f"{FORGET.format('combined')}\n{STEPS}",
    ),
    "generator_still": ("At batch size {} G's step moves nothing, though G is free. Look at its learning rate.", ""),
    "loss_does_not_fit": (
        "D answers {:.2g} to {:.2g}, and {}'s loss has from_logits={}: probabilities want False, logits True.",
        LOGITS,
    ),
    "not_a_number": ("Some weights are NaN or infinite, and no step mends them: build new networks.", ""),
}
NOTES = {  # what is good to know
    "freeze_first": (
        "D is free now, as it should be before its own step; gan_keras.training freezes it while G trains. If you call "
        "combined.train_on_batch yourself, freeze it first, or that step moves D, too, or stops with an error.",
        STEPS,
    ),
    "frozen_now": (
        "D is frozen now, and at a batch size that is new to it nothing moves unless you free it first.",
        STEPS,
    ),
    "batch_normalization": (
        "D has BatchNormalization, which a frozen D runs with its averages in place of the batch's: G trains against "
        "another D than the one that judges. Here their answers differ by up to {:.2g}.",
        "",
    ),
    "stand_in_loss": ("D does not answer one number an image, so squared error stood in for the loss.", ""),
    "own_train_step": ("{} has a `train_step` of its own; Keras's was tried in its place.", ""),
    "undetermined": ("Keras keeps its records otherwise than expected: one made with another flag is not seen.", ""),
}


@dataclass(frozen=True, repr=False)
class Report:
    """What `examine` found: `print` shows it in words."""

    findings: dict  # what is wrong: short names to sentences
    notes: dict  # what is good to know: likewise
    moved: dict  # ("as it is" or "flag set", step "D" or "G", batch size): "D", "G", "D and G", "nothing", "error: ..."
    recorded: frozenset  # (step, batch size) where it was Keras's own record that moved them

    @property
    def healthy(self):
        """Whether nothing is wrong; notes do not count."""
        return not self.findings

    @property
    def advice(self):
        """Code to write instead, or an empty string."""
        codes = dict.fromkeys((FINDINGS | NOTES)[name][1] for name in self.findings | self.notes)
        steps = STEPS if any(code.endswith(STEPS) for code in codes) else ""
        return "\n".join(filter(None, [*(code.removesuffix(STEPS).strip() for code in codes), steps]))

    def __repr__(self):
        """One line, so that a notebook does not show the printed report twice."""
        return f"Report(healthy={self.healthy}, findings={list(self.findings)}, notes={list(self.notes)})"

    def __str__(self):
        lines = ["Nothing is wrong with this pair." if self.healthy else "Something is wrong with this pair."]
        lines += [f"- {name}: {sentence}" for name, sentence in (self.findings | self.notes).items()]
        lines += ["", f"Who moves{'':5}batch   in the step of D{'':26}in the step of G"]
        for flag, size in dict.fromkeys((flag, size) for flag, _, size in self.moved):
            d, g = (
                self.moved[flag, step, size][:40] + " (recorded)" * ((step, size) in self.recorded) for step in "DG"
            )
            lines.append(f"{flag:9}{size:10}   {d:42}{g}")
        lines.append("(flag set: discriminator.trainable is True before D's step, False before G's)")
        return "\n".join([*lines, "", "Write:", self.advice] if self.advice else lines)


class _StandIn(keras.Model):
    """Takes the step of another model, with an optimizer, metrics and a train function of its own."""

    def __init__(self, model, optimizer=None, loss=None):
        super().__init__()
        self.inside = model
        self.compile(optimizer, loss, run_eagerly=True, jit_compile=False)  # eagerly: flags count as they are now

    @property
    def trainable_weights(self):
        """Those of the model inside, whose own flag hides even a layer that is free."""
        return self.inside.trainable_weights

    def build(self, input_shape):
        """Nothing is to be built; without this, Keras would try the model out."""

    def call(self, inputs, training=None):
        """Run the model inside; Keras hands `training` down."""
        return self.inside(inputs)


def _values(variables):
    return [np.copy(ops.convert_to_numpy(variable)) for variable in variables]


@contextlib.contextmanager
def _put_back(models):
    """Yield a function that puts weights, seeds, optimizers, metrics and flags back; it is called at the end, too."""
    owners = [
        *models,
        *(m.optimizer for m in models if getattr(m, "optimizer", None)),
        *(metric for m in models for metric in m.metrics),
    ]
    variables = list({id(v): v for owner in owners for v in owner.variables}.values())
    values = _values(variables)
    # private, because `.layers` does not list what a wrapper such as SpectralNormalization holds
    layers = {id(layer): layer for model in models for layer in model._flatten_layers()}.values()
    outer_first = sorted(layers, key=lambda layer: -len(layer._flatten_layers()))  # the flag of an outer one sets inner
    flags = [(thing, thing.trainable) for thing in (*outer_first, *(v for model in models for v in model.variables))]

    def restore():
        for thing, flag in flags:
            thing.trainable = flag
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    try:
        yield restore
    finally:
        restore()


@contextlib.contextmanager
def _shadow(model, call):
    """Put `call` before the model's own for a while, past Keras's tracking of attributes."""
    own = {name: value for name, value in vars(model).items() if name == "call"}
    vars(model)["call"] = call
    try:
        yield
    finally:
        del vars(model)["call"]
        vars(model).update(own)


def _records(model):
    """List what Keras has recorded of a model's training: for each record the shapes and dtypes of its inputs.

    They are read from what TensorFlow prints of its functions, because its list of them is private; None if that fails.
    """
    if model.train_function is None or model.run_eagerly:
        return []
    nearby = inspect.getclosurevars(inspect.unwrap(model.train_function)).nonlocals.values()
    nearby = [getattr(thing, "__wrapped__", thing) for thing in nearby]
    functions = [thing for thing in nearby if hasattr(thing, "pretty_printed_concrete_signatures")]
    signatures = []
    for function in functions:
        for line in function.pretty_printed_concrete_signatures(verbose=False).splitlines():
            specs = re.findall(r"TensorSpec\(shape=\(([^)]*)\), dtype=tf\.(\w+)", line.split(" -> ")[0])
            shapes = [[None if n == "None" else int(n) for n in re.findall(r"\w+", shape)] for shape, _ in specs]
            signatures.append([(shape, dtype) for shape, (_, dtype) in zip(shapes, specs, strict=True) if shape])
    if not functions or any(len(signature) < 2 for signature in signatures):
        return None
    return [signature for i, signature in enumerate(signatures) if signature not in signatures[:i]]


def _replay(model, x, signature):
    """Run a record of the model's own train function; returns False, and records nothing, if Keras has none for x."""
    flat, outputs = tree.flatten(x), len(getattr(model, "outputs", [None]))
    size, dtypes = len(flat[0]), [dtype for _, dtype in signature]
    if signature[0][0][0] not in (size, None) or len(signature) < len(flat) + outputs:
        return False
    x = tree.pack_sequence_as(x, [leaf.astype(dtype) for leaf, dtype in zip(flat, dtypes, strict=False)])
    rest = [np.resize([1, 0], (size, *(n or 1 for n in shape[1:]))).astype(d) for shape, d in signature[len(flat) :]]
    y, weights = rest[:outputs] if outputs > 1 else rest[0], (rest[outputs:] or [None])[0]
    missing = []

    def tripwire(*args, **kwargs):
        missing.append(True)  # only recording runs Python; it is stopped here, before it leaves anything behind
        raise RuntimeError("not recorded")

    with _shadow(model, tripwire):
        try:
            model.train_on_batch(x, y, weights, return_dict=True)
        except Exception:
            if not missing:
                raise
    return not missing


def _who_moves(step, groups):
    """Take a step; returns who moved, in words, or None where the step returns False."""
    before = {name: _values(weights) for name, weights in groups.items()}
    try:
        if step() is False:
            return None
    except Exception as error:
        return "error: " + (str(error).strip() or type(error).__name__).splitlines()[0]
    pairs = {name: zip(before[name], _values(weights), strict=True) for name, weights in groups.items()}
    moved = [name for name, arrays in pairs.items() if any((old != new).any() for old, new in arrays)]
    return " and ".join(moved) or "nothing"


def _copy_of(optimizer):
    """Copy an optimizer: its settings, and for which weights it was built, because it refuses all others.

    Its averages are not copied: they do not decide who moves.
    """
    copy = type(optimizer).from_config(optimizer.get_config())
    known = getattr(optimizer, "_trainable_variables", None)  # private: a built optimizer names them nowhere else
    if optimizer.built and known:
        copy.build(known)
    copy.iterations.assign(optimizer.iterations)
    return copy


def _random_inputs(model, size, rng):
    """Inputs as the model declares them: normal numbers, or zeros where it may want a label."""

    def draw(tensor):
        shape = (size, *(n or 8 for n in tensor.shape[1:]))
        label = "float" not in tensor.dtype or (len(model.inputs) > 1 and np.prod(shape[1:]) == 1)
        return (np.zeros(shape) if label else rng.normal(size=shape)).astype(tensor.dtype)

    drawn = [draw(tensor) for tensor in model.inputs]
    return drawn if len(drawn) > 1 else drawn[0]


def _try_inputs(discriminator, combined, size):
    """Returns inputs for both steps, and whether the combined model ends with this discriminator's verdict."""
    rng = np.random.default_rng(0)
    noise, own, seen = _random_inputs(combined, size, rng), discriminator.call, []

    def watch(inputs, *args, **kwargs):
        seen.append((inputs, own(inputs, *args, **kwargs)))
        return seen[-1][1]

    with _shadow(discriminator, watch):
        answer = tree.flatten(combined(noise))
    x, verdict = seen[-1] if seen else (_random_inputs(discriminator, size, rng), None)
    x = tree.map_structure(lambda leaf: np.copy(ops.convert_to_numpy(leaf)), x)
    images = tree.flatten(x)[0]
    images[::2] = rng.uniform(images.min(), images.max(), images.shape)[::2]  # every second one, for real ones
    ends = all(
        one is other or np.array_equal(one, other) for one, other in zip(tree.flatten(verdict), answer, strict=False)
    )
    return {"D": x, "G": noise}, ends


def _from_logits(loss):
    """Whether a binary cross-entropy takes logits; None for another loss."""
    loss = loss[0] if isinstance(loss, list) and len(loss) == 1 else loss
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    if isinstance(loss, keras.losses.BinaryCrossentropy):
        return loss.from_logits
    return False if loss is keras.losses.binary_crossentropy else None


class _Trial:
    """Steps of a pair whose state `restore` puts back."""

    def __init__(self, discriminator, combined, records, restore):
        self.players, self.records, self.restore = {"D": discriminator, "G": combined}, records, restore
        self.sizes = {signature[0][0][0] for known in records.values() for signature in known} - {None}
        self.sizes = [*sorted(self.sizes), *(size for size in SIZES if size not in self.sizes)]
        self.inputs, self.ends = _try_inputs(discriminator, combined, max(self.sizes))
        discriminator.trainable = combined.trainable = False  # in two steps: TensorFlow ignores True set on True
        discriminator.trainable = combined.trainable = True
        own = {id(v) for v in discriminator.trainable_weights}
        rest = [v for v in combined.trainable_weights if id(v) not in own]
        self.groups = {"D": discriminator.trainable_weights, "G": rest}
        self.held = any(id(v) in own for v in combined.weights)
        rng = np.random.default_rng(1)
        self.start = [
            (v, rng.normal(0, np.prod(v.shape[:-1]) ** -0.5 if len(v.shape) > 1 else 0.5, v.shape))
            for v in self.groups["D"] + rest
        ]
        self.answers = {}
        for step, model in self.players.items():
            self.begin(step, AS_IT_IS)
            before = {name: _values(weights) for name, weights in self.groups.items()}
            self.answers[step] = _values(tree.flatten(_StandIn(model)(self.inputs[step], training=True)))
            for name, weights in self.groups.items():  # SpectralNormalization moves kernels by just being called
                pairs = zip(weights, before[name], _values(weights), strict=True)
                self.groups[name] = [v for v, old, new in pairs if np.array_equal(old, new)]

    def begin(self, step, flag):
        """Put everything back, set the flag, and give every network ordinary weights: a D that has won moves nobody."""
        self.restore()
        if flag == FLAG_SET:
            self.players["D"].trainable = step == "D"
        for variable, value in self.start:
            variable.assign(value)

    def fits_one_number(self, step):
        """Whether the model answers one number an image (or a map of them), so that its own loss can be used."""
        answers, loss = self.answers[step], self.players[step].loss
        return len(answers) == 1 and answers[0].shape[-1] == 1 and not isinstance(loss, dict)

    def replay(self, step, size):
        """Run Keras's records for a batch size; returns who moved, or None if there are none."""
        seen = []
        for signature in self.records[step]:
            self.begin(step, AS_IT_IS)
            run = partial(_replay, self.players[step], self.cut(step, size), signature)
            seen.append(_who_moves(run, self.groups))
        return next((who for who in seen if who not in (None, step)), step if step in seen else None)

    def take(self, step, flag, size, copies):
        """Take a step that Keras has not recorded, with copies of the optimizers; returns who moved."""
        self.begin(step, flag)
        model = self.players[step]
        if self.records[step] and model.trainable_weights and not model.optimizer.built:
            copy = _copy_of(model.optimizer)
            count = len(copy.variables)
            copy.build(model.trainable_weights)
            if len(copy.variables) > count:  # TensorFlow allows new variables in the first record only
                return LATE

        def run():
            if id(model.optimizer) not in copies:  # one copy for both models if they share their optimizer
                copies[id(model.optimizer)] = _copy_of(model.optimizer)
            if step not in copies:
                loss = model.loss if self.fits_one_number(step) else "mse"
                copies[step] = _StandIn(model, copies[id(model.optimizer)], loss)
            y = [np.resize([1.0, 0.0], answer[:size].shape) for answer in self.answers[step]]
            copies[step].train_on_batch(self.cut(step, size), y if len(y) > 1 else y[0])

        return _who_moves(run, self.groups)

    def cut(self, step, size):
        """The inputs of a step, so many of them."""
        return tree.map_structure(lambda leaf: leaf[:size], self.inputs[step])

    def batch_normalization(self):
        """Measure by how much D's answers differ with its batch normalization frozen and free; None without any."""
        discriminator = self.players["D"]
        if not any(isinstance(layer, keras.layers.BatchNormalization) for layer in discriminator._flatten_layers()):
            return None
        answers = []
        for free in (True, False):
            self.restore()
            discriminator.trainable = free
            answers.append(_values(tree.flatten(_StandIn(discriminator)(self.inputs["D"], training=True)))[0])
        return float(abs(answers[0] - answers[1]).max())


def _judge(trial, moved, recorded, sets_flag):
    """Yield what is wrong or good to know: names, and what their sentences tell."""
    d, combined = trial.players["D"], trial.players["G"]

    def at(flag, step, test, known=(True, False)):
        sizes = [n for n in trial.sizes if test(moved[flag, step, n]) and ((step, n) in recorded) in known]
        return " and ".join(map(str, sizes))

    shared = d.compiled and combined.compiled and d.optimizer is combined.optimizer is not None
    if shared:
        yield "shared_optimizer", []
    if not trial.held:
        yield "other_discriminator", []
    elif not trial.ends:
        yield "not_the_verdict", []
    errors = {who for key, who in moved.items() if key[0] == FLAG_SET and who.startswith("error") and who != LATE}
    if errors and not shared:
        yield "step_fails", [" ".join(sorted(errors))]

    frozen = at(AS_IT_IS, "D", lambda who: who == "nothing", [False])
    alive = at(AS_IT_IS, "D", lambda who: who == "D", [True])
    if dead := at(FLAG_SET, "D", lambda who: who == "nothing", [True]) or at(FLAG_SET, "D", lambda who: who == LATE):
        yield "recorded_frozen", [dead]
    elif at(FLAG_SET, "D", lambda who: who == "nothing"):
        yield "layers_frozen" if d.trainable and not d.trainable_weights else "discriminator_still", []
    elif frozen and not sets_flag:
        if alive and trial.records["G"]:
            yield "frozen_now", []
        else:
            yield ("one_batch_size", [alive, frozen]) if alive else ("discriminator_dead", [])

    if both := at(FLAG_SET, "G", lambda who: who in ("D", "D and G")):
        yield "not_frozen", [both]
    elif nothing := at(FLAG_SET, "G", lambda who: who == "nothing"):
        free = not at(FLAG_SET, "G", lambda who: who == "nothing", [True]) and any(
            v.trainable for v in trial.groups["G"]
        )
        yield "generator_still" if free else "generator_frozen", [nothing]
    elif not (sets_flag or shared or errors) and at(AS_IT_IS, "G", lambda who: who[0] in "De", [False]):
        yield "freeze_first", []


def examine(discriminator, combined, sets_flag=False, verbose=True):
    """Try a step of D and a step of G of a compiled pair, as it is and with D's flag set, and say what is wrong.

    The pair is healthy if, with `discriminator.trainable` set right before each step, D's step moves D only and G's
    moves G only, and if nothing shows that it is used otherwise. A D that is handed over frozen shows it, unless the
    two have trained already; so does a recorded step that moves the wrong player.
    Weights, seeds, optimizers, metrics, flags and Keras's records are afterwards what they were.

    Args:
        discriminator: a compiled `keras.Model`, images `(batch, height, width, channels)` to a verdict.
        combined: a compiled `keras.Model` with declared inputs: G, then this discriminator.
        sets_flag: True if your own loop sets `discriminator.trainable` right before each step.
        verbose: whether to print the report.

    Returns:
        A `Report`; its `healthy`, `findings` and `advice` say what was printed.

    Raises:
        ValueError: if an argument is not a built Keras model, or if the combined model does not declare its inputs.
    """
    for name, model in (("discriminator", discriminator), ("combined", combined)):
        if not isinstance(model, keras.Model):
            raise ValueError(f"{name}: expected a keras.Model, got {type(model).__name__}")
        if not model.built or not model.weights:
            raise ValueError(f"{name}: it has no weights yet; begin it with keras.Input, or call it on a batch")
    if discriminator is combined:
        raise ValueError("combined: expected the model of G and D, got the discriminator itself")
    if not hasattr(combined, "inputs") or not (hasattr(discriminator, "inputs") or discriminator in combined.layers):
        raise ValueError(
            "combined: it does not declare its inputs; examine "
            "keras.Model(noise, discriminator(generator(noise))), compiled in the same way, in its place"
        )
    told, records, moved = {}, {}, {}
    for step, model in (("D", discriminator), ("G", combined)):
        if not (model.compiled and model.optimizer and model.loss):
            told[f"{NAMES[step]}_not_compiled"] = []
        if type(model).train_step is not keras.Model.train_step:
            told["own_train_step"] = [NAMES[step]]
        records[step] = _records(model)
        if records[step] is None:
            records[step] = []
            told["undetermined"] = []
    with warnings.catch_warnings(), _put_back([discriminator, combined]) as restore:
        warnings.simplefilter("ignore")  # the report says it better than "does not have any trainable weights"
        if not all(np.isfinite(value).all() for value in _values(discriminator.weights + combined.weights)):
            told["not_a_number"] = []
        trial = _Trial(discriminator, combined, records, restore)
        compiled = [step for step in NAMES if f"{NAMES[step]}_not_compiled" not in told]
        known = {(step, size): trial.replay(step, size) for size in trial.sizes for step in compiled}
        for flag in (AS_IT_IS, FLAG_SET):
            copies = {}
            for size, step in ((size, step) for size in trial.sizes for step in NAMES):
                moved[flag, step, size] = "not tried"
                if step in compiled:
                    moved[flag, step, size] = known[step, size] or trial.take(step, flag, size, copies)
        difference = trial.batch_normalization()
    recorded = frozenset(key for key, who in known.items() if who)
    told |= dict(_judge(trial, moved, recorded, sets_flag))
    for step, model in trial.players.items():
        low, high = trial.answers[step][0].min(), trial.answers[step][0].max()
        logits = _from_logits(model.loss) if model.compiled else None
        if not trial.fits_one_number(step):
            told["stand_in_loss"] = []
        elif logits is not None and logits != bool(low < 0 or high > 1):
            told["loss_does_not_fit"] = [low, high, NAMES[step], logits]
    if difference is not None:
        told["batch_normalization"] = [difference]
    findings, notes = (
        {name: table[name][0].format(*what) for name, what in told.items() if name in table}
        for table in (FINDINGS, NOTES)
    )
    report = Report(findings, notes, moved, recorded)
    if verbose:
        print(report)
    return report

"""Trying a step of each player without leaving a trace, for `doctor`.

Where Keras has recorded a step for a batch size, that record itself is run; elsewhere a step is taken anew, with a copy
of the optimizer. Before each step, and at the end, everything is put back.
"""

import contextlib
import inspect
import itertools
import warnings
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from keras import ops, tree

SIZES = (8, 5)  # batch sizes that are tried beside those that Keras has recorded
AS_IT_IS, FLAG_SET = "as it is", "flag set"
TOO_LATE = "a first real step comes too late"


def try_steps(discriminator, combined, steps):
    """Try steps, "D" and "G" or fewer, at several batch sizes, with D's flag as it is and set right before each.

    Returns:
        `{(AS_IT_IS or FLAG_SET, step, batch size): who moved}`, the set of (step, batch size) that Keras has recorded,
        and `{step: (lowest, highest)}` of the models' answers.
    """
    models, rng = {"D": discriminator, "G": combined}, np.random.default_rng(0)
    records = {step: find_records(model) for step, model in models.items()}
    seen = {size for step in steps for *_, size in records[step]} - {None}
    sizes = [*sorted(seen), *(size for size in SIZES if size not in seen)]
    inputs = {step: draw_inputs(model, max(sizes), rng) for step, model in models.items()}
    moved, recorded, answers = {}, set(), {}
    with warnings.catch_warnings(), put_back(discriminator, combined) as restore:
        warnings.simplefilter("ignore")  # the report says it better than "does not have any trainable weights"
        discriminator.trainable = combined.trainable = False  # in two steps: True set on True reaches no frozen layer
        discriminator.trainable = combined.trainable = True
        players = {"D": discriminator.trainable_weights}
        own = {id(weight) for weight in players["D"]}
        players["G"] = [weight for weight in combined.trainable_weights if id(weight) not in own]
        widths = [(w, max(1, np.prod(w.shape[:-1]))) for w in players["D"] + players["G"]]
        fresh = [(weight, rng.normal(0, width**-0.5, weight.shape)) for weight, width in widths]

        def begin(step, flag):
            restore()
            if flag == FLAG_SET:
                discriminator.trainable = step == "D"
            for weight, value in fresh:  # because a D that has won leaves no gradient, and moves nobody
                weight.assign(value)

        for step, model in models.items():
            begin(step, AS_IT_IS)
            before = {player: values_of(weights) for player, weights in players.items()}
            answer = ops.convert_to_numpy(tree.flatten(model(inputs[step], training=True))[0])
            answers[step] = float(answer.min()), float(answer.max())
            for player, weights in players.items():  # SpectralNormalization moves its kernels without any step
                by_themselves = {id(weight) for weight in which_moved(weights, before[player])}
                players[player] = [weight for weight in weights if id(weight) not in by_themselves]

        for flag in (AS_IT_IS, FLAG_SET):
            copies = {}  # of optimizers: one for both models if they share theirs
            for size, step in itertools.product(sizes, steps):
                x = tree.map_structure(lambda leaf, size=size: leaf[:size], inputs[step])
                known = [
                    (batch, partial(replay, *record, x)) for *record, batch in records[step] if len(record[1]) == 3
                ]
                runs = [run for batch, run in known if batch == size]
                runs = runs or [run for batch, run in known if batch is None]  # TensorFlow takes the special one first
                recorded |= {(step, size)} if runs else set()
                found = []
                for run in runs or [partial(take_step, models[step], x, copies, records[step])]:
                    begin(step, flag)
                    found.append(who_moves(players, run))
                moved[flag, step, size] = next((who for who in found if who != step), step)
    return moved, recorded, answers


def who_moves(players, run):
    """Take a step; returns "D", "G", "D and G", "nothing" or "error: ..."."""
    before = {player: values_of(weights) for player, weights in players.items()}
    try:
        run()
    except Exception as error:
        return "error: " + (str(error).strip() or type(error).__name__).splitlines()[0]
    return " and ".join(p for p, weights in players.items() if which_moved(weights, before[p])) or "nothing"


def take_step(model, x, copies, records):
    """Take a step as Keras would record it now, with a copy of the model's optimizer."""
    if id(model.optimizer) not in copies:
        copies[id(model.optimizer)] = copy_of(model.optimizer)
    optimizer, weights = copies[id(model.optimizer)], model.trainable_weights
    with tf.GradientTape() as tape:
        answers = [ops.cast(answer, "float32") for answer in tree.flatten(model(x, training=True))]
        targets = [np.resize([1.0, 0.0], answer.shape).astype("float32") for answer in answers]
        # who moves does not hang on the loss, but a probability clipped, or class numbers, may leave no gradient
        loss = sum(ops.mean(ops.square(target - answer)) for target, answer in zip(targets, answers, strict=True))
        if len(answers) == 1 and answers[0].shape[-1] == 1 and not isinstance(model.loss, (list, dict)):
            loss += ops.mean(keras.losses.get(model.loss)(targets[0], answers[0]))  # it may stop with an error
    if not weights:
        return  # Keras warns, and goes on
    known = len(optimizer.variables)
    if not optimizer.built:
        optimizer.build(weights)
    if records and len(optimizer.variables) > known:
        del copies[id(model.optimizer)]
        raise RuntimeError(TOO_LATE)  # TensorFlow allows new variables, such as Adam's averages, the first time only
    optimizer.apply(tape.gradient(loss, weights), weights)


def copy_of(optimizer):
    """Copy an optimizer's settings, and for which weights it was built, because it refuses others."""
    copy = type(optimizer).from_config(optimizer.get_config())
    if optimizer.built:
        copy.build(optimizer._trainable_variables)  # which a built optimizer names nowhere else
    copy.iterations.assign(optimizer.iterations)
    return copy


def find_records(model):
    """What Keras has recorded of a model's training: the records, shapes and dtypes of the batch, its size or None.

    `train_on_batch` hands over inputs, targets and sample weights; a record of two of these is one of `fit`.
    """
    if model.train_function is None or model.run_eagerly:
        return []
    nearby = inspect.getclosurevars(inspect.unwrap(model.train_function)).nonlocals.values()
    functions = [getattr(thing, "__wrapped__", thing) for thing in nearby]
    functions = [function for function in functions if hasattr(function, "_list_all_concrete_functions")]
    if not functions:
        raise_gone(f"what Keras has recorded of {model.name}'s training (_list_all_concrete_functions)")
    found = [record for function in functions for record in function._list_all_concrete_functions()]
    found = [(record, record.structured_input_signature[0][0]) for record in found]
    return [(record, specs, tree.flatten(specs)[0].shape[0]) for record, specs in found if isinstance(specs, tuple)]


def replay(record, specs, x):
    """Run a recorded step on inputs x."""
    values = tree.flatten(x)
    for spec in tf.nest.flatten(specs)[len(values) :]:  # targets, and sample weights or None
        values.append(None if spec is None else np.resize([1, 0], (len(values[0]), *spec.shape[1:])))
    data = tf.nest.pack_sequence_as(specs, values)
    record(tf.nest.map_structure(lambda spec, value: spec and tf.cast(value, spec.dtype), specs, data))


def draw_inputs(model, size, rng):
    """Inputs as a model takes them: normal numbers, or zeros where it may want a label."""
    drawn = []
    for tensor in (inputs := tree.flatten(getattr(model, "inputs", None) or model.input)):
        shape = (size, *(n or 32 for n in tensor.shape[1:]))
        label = "float" not in tensor.dtype or (len(inputs) > 1 and np.prod(shape[1:]) == 1)
        drawn.append((np.zeros(shape) if label else rng.normal(size=shape)).astype(tensor.dtype))
    return drawn if len(drawn) > 1 else drawn[0]


def values_of(variables):
    """Copies of the values of variables."""
    return [np.copy(ops.convert_to_numpy(variable)) for variable in variables]


def which_moved(variables, values):
    """Those of the variables that differ from what they were."""
    return [v for v, value in zip(variables, values, strict=True) if not np.array_equal(ops.convert_to_numpy(v), value)]


def raise_gone(what):
    """Stop, before anything is touched, where Keras has moved something that it never promised to keep."""
    raise RuntimeError(
        f"doctor: Keras {keras.__version__} or a train function of your own hides {what}; nothing was tried"
    )


@contextlib.contextmanager
def put_back(*models):
    """Yield a function that puts weights, seeds, optimizers, metrics and flags back; it is called at the end, too."""
    optimizers = [model.optimizer for model in models if getattr(model, "optimizer", None) is not None]
    private = ["_flatten_layers"] * len(models) + ["_trainable_variables"] * len(optimizers)  # see where they are used
    for thing, name in zip([*models, *optimizers], private, strict=True):
        if not hasattr(thing, name):
            raise_gone(f"{type(thing).__name__}.{name}")
    owners = [*models, *optimizers, *(metric for model in models for metric in model.metrics)]
    variables = list({id(v): v for owner in owners for v in owner.variables}.values())
    values = values_of(variables)
    # `.layers` would leave out what wrappers hold
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

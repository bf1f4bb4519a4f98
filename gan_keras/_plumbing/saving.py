"""What a saved GAN needs beside weights."""

import functools


def resume_state(gan):
    """What a saved GAN needs beside weights to go on where it was: the iteration, and the states of all seeds."""
    weights = {id(variable) for variable in gan.weights}
    return [gan.iteration, *(v for v in gan.variables if id(v) not in weights)]


def has_lambda(gan):
    """Whether a compiled GAN's loss or penalty is a lambda, which Keras writes and does not load again."""
    return "__lambda__" in str(gan.get_compile_config())


def pack(function):
    """A function as what Keras can serialise: a `functools.partial` as its function and the arguments it fixes."""
    if not isinstance(function, functools.partial):
        return function
    if function.args:
        raise ValueError(f"penalty: fix its arguments by name in functools.partial, got {function.args}")
    return {"function": pack(function.func), "fixed": dict(function.keywords)}


def unpack(packed):
    """The function that `pack` was given."""
    if isinstance(packed, dict):
        return functools.partial(unpack(packed["function"]), **packed["fixed"])
    return packed


def training_state(gan):
    """All variables that training changes: both networks with their seeds, the noise's seed, both optimizers."""
    return gan.variables + gan.d_optimizer.variables + gan.g_optimizer.variables

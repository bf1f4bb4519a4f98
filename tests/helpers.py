"""What several test modules use."""

import os
import subprocess
import sys
import textwrap

import numpy as np

ROOT = os.path.dirname(os.path.dirname(__file__))


def weights(gan):
    """Copies of all weights of both networks."""
    return [np.array(w) for w in gan.generator.get_weights() + gan.discriminator.get_weights()]


def assert_same(some, others):
    """Two lists of arrays are the same, bit by bit."""
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other)


def run_python(code, *arguments, options=()):
    """Run a program in a process of its own, from the project's root; returns what it printed."""
    command = [sys.executable, *options, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5000:]
    return done.stdout

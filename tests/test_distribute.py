"""`GAN.fit` on several devices, and in several processes that know of each other: the losses of one."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import textwrap
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

GAME = """
    import os, sys
    import gan_keras, keras, numpy as np, tensorflow as tf
    from keras import layers
    from gan_keras import callbacks, losses
    from gan_keras.conditional import ConditionalGAN
    from gan_keras.gan import GAN

    images = np.random.default_rng(0).uniform(-1, 1, (64, 6, 6, 1)).astype("float32")
    labels = np.random.default_rng(1).integers(0, 3, 64)

    def network(inputs, *rest):
        x = layers.Flatten()(inputs[0])
        x = layers.Concatenate()([x, inputs[1]]) if len(inputs) > 1 else x
        for layer in rest:
            x = layer(x)
        return keras.Model(inputs if len(inputs) > 1 else inputs[0], x)

    def train(strategy, kind=GAN, epochs=4, callbacks=(), data=images, **options):
        with strategy.scope():
            keras.utils.set_random_seed(1)
            vectors = [keras.Input((3,))] if kind is ConditionalGAN else []
            generator = network(
                [keras.Input((5,)), *vectors],
                layers.Dense(32, "relu"), layers.Dense(36, "tanh"), layers.Reshape((6, 6, 1)),
            )
            discriminator = network(
                [keras.Input((6, 6, 1)), *vectors], layers.Dense(32, "relu"), layers.Dense(1),
            )
            gan = kind(generator, discriminator, seed=2)
            # Adam would blow the rounding of gradients that are nearly zero up to full steps: a larger epsilon.
            adam = [keras.optimizers.Adam(1e-2, epsilon=1e-3) for _ in range(2)]
            gan.compile(*adam, loss=losses.NON_SATURATING_FROM_LOGITS, **options)
        how = {"labels": labels} if kind is ConditionalGAN else {}
        return gan.fit(data, batch_size=8, epochs=epochs, callbacks=callbacks, verbose=0, **how).history

    def compare(strategy, **options):
        one, two = train(tf.distribute.get_strategy(), **options), train(strategy, **options)
        for name in one:  # an accuracy is a count: rounding may tip one of the 64 images that is on the fence
            at_most = 2e-4 if "loss" in name else 1.01 / 64
            np.testing.assert_allclose(two[name], one[name], rtol=2e-4, atol=at_most, err_msg=f"{name} {options}")
        assert abs(one["g_loss"][0] - one["g_loss"][-1]) > 1e-2
"""

TWO_DEVICES = """
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert mirrored.num_replicas_in_sync == 2
    for options in ({}, {"d_steps": 2}, {"kind": ConditionalGAN, "penalty": losses.r1}):
        compare(mirrored, **options)
    watch = callbacks.GANMonitor(every=8)
    train(mirrored, epochs=1, callbacks=[watch])
    assert [(iteration, len(drawn)) for iteration, drawn in watch.frames] == [(0, 25), (8, 25)]
"""

TWO_WORKERS = """
    assert strategy.num_replicas_in_sync == 2
    assert gan.iteration.numpy() == 20
    given = tf.data.Dataset.from_tensor_slices(images).shuffle(64, seed=3, reshuffle_each_iteration=False).batch(8)
    for options in ({"d_steps": 2}, {"kind": ConditionalGAN, "penalty": losses.r1}, {"data": given}):
        compare(strategy, **options)
"""

RESUME = """
    workers = tf.distribute.MultiWorkerMirroredStrategy()
    path, number = sys.argv[1], workers.cluster_resolver.task_id
    if number:
        callbacks.Resume.save = None  # so that a call of it is an error
    watch = [] if number else [callbacks.GANMonitor(every=8)]  # the first worker alone may have more callbacks
    wanted = train(workers, callbacks=watch)
    assert all(len(drawn) == 25 for one in watch for _, drawn in one.frames)
    train(workers, epochs=2, callbacks=[callbacks.Resume(path)])
    assert train(workers, callbacks=[callbacks.Resume(path)]) == wanted
    try:
        train(workers, epochs=5, callbacks=[callbacks.Resume(path if number == 0 else path + "_that_is_not_there")])
    except ValueError as error:
        assert "initial_epoch: expected the same on all workers, got [4, 0]" in str(error), error
    else:
        raise AssertionError("one worker began with epoch 4, the other with epoch 0")
"""


def run(folder, code, *arguments, workers=0):
    """Run a program in a process of its own or in several, which know each other's port, from the project's root."""
    command = [sys.executable, "-c", textwrap.dedent(GAME) + code, *map(str, arguments)]
    for _ in range(3):
        settings = [{"TF_CONFIG": json.dumps(config)} for config in cluster(workers)] or [{}]
        outputs = [folder / f"output_{i}.txt" for i in range(len(settings))]
        codes = wait_for(
            [
                subprocess.Popen(command, cwd=ROOT, env=os.environ | own, stdout=file, stderr=subprocess.STDOUT)
                for own, file in zip(settings, [path.open("wb") for path in outputs], strict=True)
            ]
        )
        told = "\n".join(path.read_text(errors="replace")[-5000:] for path in outputs)
        if set(codes) == {0}:
            return
        if "Could not start gRPC server" not in told:  # else somebody has taken a port meanwhile
            break
    pytest.fail(f"the processes ended with {codes}:\n{told}")


def cluster(workers):
    """A TF_CONFIG for each of so many workers on this machine, on ports that are free."""
    sockets = [socket.socket() for _ in range(workers)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}} for i in range(workers)]


def wait_for(processes, seconds=600):
    """Wait until all have ended, or one has failed, or the time is over; returns their exit codes, None if killed."""
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            codes = [process.poll() for process in processes]
            if None not in codes:
                break
            if any(codes):
                end = min(end, time.monotonic() + 5)  # the others wait for it in vain
            time.sleep(0.1)
        return codes
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.long
def test_two_devices_give_the_losses_of_one(tmp_path):
    run(tmp_path, textwrap.dedent(TWO_DEVICES))


@pytest.mark.long
def test_two_workers_give_the_losses_of_one_process(tmp_path):
    """After the README's lines, as printed."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (lines,) = [code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "strategy" in code]
    run(tmp_path, lines + textwrap.dedent(TWO_WORKERS), workers=2)


@pytest.mark.long
def test_two_workers_go_on_from_a_checkpoint_that_the_first_one_writes(tmp_path):
    (tmp_path / "training").mkdir()
    run(tmp_path, textwrap.dedent(RESUME), tmp_path / "training" / "checkpoint.npz", workers=2)
    assert os.listdir(tmp_path / "training") == ["checkpoint.npz"]

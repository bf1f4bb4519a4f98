"""What makes `GAN.fit` fast on a CPU. With the environment variable GAN_KERAS_PLAIN=1 none of these tricks is used;
`graph_options`, which keeps TensorFlow from a mistake, always is.

The results agree up to rounding. Notebook 07 measures what it gains.
"""

import contextlib
import functools
import os

import keras
import tensorflow as tf
from keras import ops


def plain():
    """Whether the user wants Keras's own updates and no trick at all."""
    return os.environ.get("GAN_KERAS_PLAIN", "") not in ("", "0")


@keras.saving.register_keras_serializable("gan_keras")
class FusedAdam(keras.optimizers.Adam):
    """Keras's Adam (Kingma and Ba 2015), its update carried out by TensorFlow's kernel for Adam.

    Keras writes the update as a dozen operations, each of which goes through all weights in memory; the kernel goes
    through them once: a third of the time on a CPU. Arguments and results are Adam's, up to rounding. On several
    devices, and with `amsgrad`, which the kernel does not know, it does what Adam does.
    """

    def apply(self, grads, trainable_variables=None):
        self._powers = None  # of this step, made at the first variable and shared by all
        return super().apply(grads, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        if plain() or self.amsgrad or tf.distribute.get_strategy().num_replicas_in_sync > 1:
            return super().update_step(gradient, variable, learning_rate)
        dtype = variable.dtype
        if self._powers is None:
            step = ops.cast(self.iterations + 1, dtype)
            self._powers = [ops.power(ops.cast(beta, dtype), step) for beta in (self.beta_1, self.beta_2)]  # as Adam's
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self._powers[0],
            beta2_power=self._powers[1],
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.constant(self.beta_1, dtype),
            beta2=tf.constant(self.beta_2, dtype),
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
        )


def make_update(network, optimizer, fast):
    """A function of a tape and a loss on it that moves the network's weights by one update of the optimizer.

    Args:
        network: whose trainable weights, as they are now, shall move.
        optimizer: of Keras. `FusedAdam` brings its own kernel; the updates of the others are compiled by XLA, which
            also goes through memory once. (XLA for the whole step would slow a CPU's matrix products down.)
        fast: False for Keras's own update, as eager debugging needs it.
    """
    variables = network.trainable_variables
    regularized = [variable for variable in variables if getattr(variable, "regularizer", None) is not None]
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    optimizer.build(variables)

    def apply(gradients):
        optimizer.apply(gradients, variables)

    if fast and replicas == 1 and not plain() and not isinstance(optimizer, FusedAdam) and xla_works():
        apply = tf.function(apply, jit_compile=True, autograph=False)

    def update(tape, loss):
        if loss.shape.rank != 0:
            raise ValueError(f"penalty: {network.name}'s loss with its penalty must be one number, got {loss.shape}")
        share = optimizer.scale_loss(tf.ones_like(loss) / replicas)  # replicas add up their gradients
        gradients = tape.gradient(loss, variables, output_gradients=share)
        if all(gradient is None for gradient in gradients):
            raise ValueError(f"{network.name}: no gradient of its loss reaches its weights; something between cuts it")
        if regularized:  # as Keras's own training would add to the loss
            with tf.GradientTape() as own:
                costs = sum(variable.regularizer(variable) for variable in regularized)
            added = own.gradient(costs, variables, output_gradients=share)
            pairs = zip(gradients, added, strict=True)
            gradients = [more if one is None else one if more is None else one + more for one, more in pairs]
        apply(gradients)

    update.variables, update.optimizer = variables, optimizer
    return update


@contextlib.contextmanager
def graph_options():
    """Let TensorFlow's graph optimizer leave out two of its passes while a GAN trains.

    - Its remapper logs an error at a penalty on convolutions: it cannot fuse convolution, bias and LeakyReLU where a
      gradient of a gradient needs what stands between. Elsewhere it can, and gains nothing with batches of 32.
    - Its dependency optimizer drops the rule "update a bias only after the penalty has read it" where Keras adds up
      gradients over one device: now and then the penalty of a conditional D met the new bias.
    """
    before = tf.config.optimizer.get_experimental_options()
    passes = ("remapping", "dependency_optimization")
    tf.config.optimizer.set_experimental_options(dict.fromkeys(passes, False))
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before.get(name, True) for name in passes})


@functools.cache
def xla_works():
    """Whether XLA can compile here, which not every installation for Windows or GPUs can."""
    try:
        tf.function(lambda x: tf.sqrt(x) ** x, jit_compile=True)(tf.constant(2.0))
    except (tf.errors.OpError, ValueError, RuntimeError):
        return False
    return True

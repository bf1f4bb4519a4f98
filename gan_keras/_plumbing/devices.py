"""`GAN.fit` on several devices, of one machine or of several (`tf.distribute`)."""

import keras
import tensorflow as tf
from keras import ops


def noise_beside(batch, latent_dim, seed):
    """Normal noise, as many points as a device's batch has images; all devices draw what one would draw for all.

    It is drawn only once the batch is there: at the end of a Dataset TensorFlow would draw noise for no images.

    Args:
        batch: a tensor of images `(count, ...)`.
        latent_dim: how many numbers make a point.
        seed: a `keras.random.SeedGenerator`.

    Returns:
        A tensor `(count, latent_dim)`.
    """
    replica, count = tf.distribute.get_replica_context(), ops.shape(batch)[0]
    with tf.control_dependencies([batch]):
        noise = keras.random.normal((replica.num_replicas_in_sync * count, latent_dim), seed=seed)
    return noise[replica.replica_id_in_sync_group * count :][:count]


def on_several_devices(gan):
    """A function of an iterator that takes one step on all devices, of this machine or of several: means of the logs.

    Keras's own averages logs over machines along an axis that they do not have, and fails (tensorflow#72388).
    """

    def step(batch):
        return tf.distribute.get_replica_context().all_reduce("MEAN", gan.train_step(batch))

    def one_iteration(iterator):
        logs = gan.distribute_strategy.run(step, args=(next(iterator),))
        return {name: gan.distribute_strategy.experimental_local_results(log)[0] for name, log in logs.items()}

    return one_iteration if gan.run_eagerly else tf.function(one_iteration, autograph=False, reduce_retracing=True)


def check_start(gan, initial_epoch, steps):
    """Check that all workers of a `tf.distribute` strategy begin at the same point; else they would wait for ever."""
    if gan.distribute_strategy.num_replicas_in_sync == 1:
        return
    mine = tf.constant([[initial_epoch, gan.iteration.numpy(), steps or 0]], "int64")
    starts = gan.distribute_strategy.gather(mine, axis=0).numpy()
    for name, column in zip(("initial_epoch", "iteration", "steps_per_epoch"), starts.T, strict=True):
        if len(set(column)) > 1:
            raise ValueError(
                f"{name}: expected the same on all workers, got {column.tolist()}. "
                "Give all the same arguments, and a checkpoint of `Resume` that all can read"
            )

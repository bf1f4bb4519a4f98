"""The GAN to use: both players in one compiled step, trained through `fit`."""

import keras
import tensorflow as tf
from keras import ops

from gan_keras.checkpoints import StopOnNaN
from gan_keras.checks import check_number, check_pair
from gan_keras.losses import NON_SATURATING, Loss
from gan_keras.plumbing import check_compile, feed, mover, no_remapper


@keras.saving.register_keras_serializable("gan_keras")
class GAN(keras.Model):
    """A generator and a discriminator that train each other; with `compile()` alone, the `counterfeiter` recipe.

    Under a `tf.distribute` strategy it trains as on one device, except that batch normalisation and the random points
    of a gradient penalty look at each device's images apart. Build and compile it in the strategy's scope.

    A recipe with another order, shared fakes or a concatenated batch is a subclass that overrides `train_step`,
    `train_discriminator` or `train_generator`.

    Args:
        generator: `(batch, latent_dim)` to images.
        discriminator: images of the same shape to `(batch, 1)`.
        seed: of the noise and of the order of the images, 0 to 2^31 - 1.

    Raises:
        ValueError: if the generator does not draw what the discriminator looks at.
    """

    ignores = ()  # arguments of `compile` that a subclass has no use for, and so refuses: "d_steps", "penalty"

    def __init__(self, generator, discriminator, seed=0, **kwargs):
        super().__init__(**kwargs)
        check_pair(generator, discriminator)
        self.seed = check_number(seed, "seed", low=0, high=2**31 - 1)
        self.generator, self.discriminator = generator, discriminator
        self.latent_dim = generator.input_shape[-1]
        self.noise_seed = keras.random.SeedGenerator(self.seed)
        self.iteration = self.add_weight((), dtype="int64", trainable=False, aggregation="only_first_replica")
        self.means = [keras.metrics.Mean(n) for n in ("d_loss", "g_loss", "accuracy_real", "accuracy_fake")]
        self.built = True

    def compile(self, d_optimizer=None, g_optimizer=None, loss=NON_SATURATING, penalty=None, d_steps=1, **options):
        """Choose how to train.

        Args:
            d_optimizer: D's; by default Adam with learning rate 2e-4 and beta_1 0.5.
            g_optimizer: G's; by default another like it.
            loss: a `losses.Loss`, such as `losses.MINIMAX`.
            penalty: None, or a function such as `losses.r1`: `(discriminator, real, fake, seed=...)` to a scalar. It
                needs both batches, so with it D makes one update on the sum of everything instead of two. (A
                `functools.partial` trains, but a GAN with one cannot be saved: write a function.)
            d_steps: how often D trains, each time on new images, before G does once (k in Goodfellow et al. 2014).
            options: `steps_per_execution`, the most iterations between two calls of callbacks (50; where an epoch
                is no multiple, the largest number that divides it), `run_eagerly`.

        Raises:
            ValueError: if an argument is wrong or does not fit the networks.
        """
        optimizers = check_compile(self, d_optimizer, g_optimizer, loss, penalty, d_steps, options)
        self.at_most = options.setdefault("steps_per_execution", 50)
        super().compile(None, jit_compile=False, **options)
        self.loss, self.penalty, self.d_steps = Loss(*loss), penalty, check_number(d_steps, "d_steps")
        self.d_optimizer, self.g_optimizer = optimizers
        with self.distribute_strategy.scope():
            self.move_discriminator = mover(self.discriminator, self.d_optimizer, fast=not self.run_eagerly)
            self.move_generator = mover(self.generator, self.g_optimizer, fast=not self.run_eagerly)

    def train_step(self, real):
        """One iteration on real images `(d_steps * batch, height, width, channels)`: D's turn, then G's."""
        for turn in range(self.d_steps):
            batch = real[turn :: self.d_steps]
            fake = self.generator(self.sample_noise(batch), training=False)
            logs = self.train_discriminator(batch, fake)
        return self.report(logs | self.train_generator(self.sample_noise(batch)))

    def train_discriminator(self, real, fake):
        """Train D on a real and a generated batch: an update on each or, with a penalty, one on both."""
        if self.penalty:
            return self.train_discriminator_at_once(real, fake)
        with tf.GradientTape() as tape:
            on_real = self.discriminator(real, training=True)
            loss_real = ops.mean(self.loss.real(on_real))
        self.move_discriminator(tape, loss_real)
        with tf.GradientTape() as tape:
            on_fake = self.discriminator(fake, training=True)
            loss_fake = ops.mean(self.loss.fake(on_fake))
        self.move_discriminator(tape, loss_fake)
        return self.judged((loss_real + loss_fake) / 2, on_real, on_fake)

    def train_discriminator_at_once(self, real, fake):
        """Train D with one update on the sum of its losses on both batches and of the penalty; report their mean."""
        with tf.GradientTape() as tape:
            on_real = self.discriminator(real, training=True)
            on_fake = self.discriminator(fake, training=True)
            loss = ops.mean(self.loss.real(on_real)) + ops.mean(self.loss.fake(on_fake))
            extra = self.penalty(self.discriminator, real, fake, seed=self.noise_seed) if self.penalty else 0.0
            total = loss + extra
        self.move_discriminator(tape, total)
        return self.judged(loss / 2, on_real, on_fake)

    def train_generator(self, noise):
        """Train G with one update through D, whose weights stay as they are."""
        with tf.GradientTape() as tape:
            on_fake = self.discriminator(self.generator(noise, training=True), training=True)
            g_loss = ops.mean(self.loss.generator(on_fake))
        self.move_generator(tape, g_loss)
        return {"g_loss": g_loss}

    def sample_noise(self, batch):
        """As many new latent points as there are images in the batch; replicas share what one device would draw."""
        replica, count = tf.distribute.get_replica_context(), ops.shape(batch)[0]
        noise = keras.random.normal((replica.num_replicas_in_sync * count, self.latent_dim), seed=self.noise_seed)
        return noise[replica.replica_id_in_sync_group * count :][:count]

    def judged(self, d_loss, on_real, on_fake):
        """D's loss, and the shares of real and of generated images that it judged right."""
        right_on_real = ops.mean(ops.cast(on_real > self.loss.threshold, d_loss.dtype))
        right_on_fake = ops.mean(ops.cast(on_fake <= self.loss.threshold, d_loss.dtype))
        return {"d_loss": d_loss, "accuracy_real": right_on_real, "accuracy_fake": right_on_fake}

    def report(self, logs):
        """Return the epoch's means (`loss` is for callbacks), and count the iteration if they are finite."""
        for mean in self.means:
            mean.update_state(logs[mean.name])
        means = {mean.name: mean.result() for mean in self.means}
        means["loss"] = means["d_loss"] + means["g_loss"]
        self.iteration.assign_add(tf.cast(tf.math.is_finite(means["loss"]), "int64"))
        return means

    @property
    def metrics(self):
        return self.means

    def call(self, noise, training=False):
        """Images `(batch, height, width, channels)` of latent points `(batch, latent_dim)`."""
        return self.generator(noise, training=training)

    def sampler(self, count):
        """What draws an image of each of `count` latent points alone, for callbacks: here the generator itself."""
        return self.generator

    def fit(self, images, batch_size=32, epochs=1, steps_per_epoch=None, callbacks=(), initial_epoch=0, verbose="auto"):
        """Train.

        Args:
            images: floats `(N, height, width, channels)` in [-1, 1], gone through in a new order each time; or a
                `tf.data.Dataset` of batches of such images.
            batch_size: how many real images a D update takes, at most N; a Dataset has its own.
            epochs: at which epoch to stop.
            steps_per_epoch: how many iterations make an epoch; by default as many as go through all images once.
            callbacks: those of Keras (but for those that set a learning rate: give the optimizer a schedule),
                `callbacks.Resume`, `callbacks.Watch`, `callbacks.Watchdog`.
            initial_epoch: at which epoch to start.
            verbose: 0 silent, 1 a progress bar, 2 a line an epoch; "auto" is 1.

        Returns:
            A `keras.callbacks.History`: epoch's means of `d_loss`, `g_loss`, `accuracy_real`, `accuracy_fake`, and
            of `loss`, the sum of both, for callbacks that watch it.

        Raises:
            ValueError: if an argument is wrong; it says which.
        """
        self._assert_compile_called("fit")
        callbacks = [StopOnNaN(), *keras.tree.flatten(callbacks or ())]
        batches, how = feed(self, images, batch_size, epochs, steps_per_epoch, callbacks, initial_epoch)
        with no_remapper():
            return super().fit(batches, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=verbose, **how)

    def counters(self):
        """What a saved GAN needs beside weights to go on where it was: the iteration, and the states of all seeds."""
        weights = {id(variable) for variable in self.weights}
        return [self.iteration, *(v for v in self.variables if id(v) not in weights)]

    def save_own_variables(self, store):
        for i, variable in enumerate(self.counters()):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        for i, variable in enumerate(self.counters()):
            variable.assign(store[str(i)])

    def get_config(self):
        players = {"generator": self.generator, "discriminator": self.discriminator}
        players = {name: keras.saving.serialize_keras_object(network) for name, network in players.items()}
        for network in players.values():  # how it was compiled to train alone is no business of the pair
            network.pop("compile_config", None)
        return super().get_config() | {"seed": self.seed} | players

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))

    def get_compile_config(self):
        settings = {"loss": list(self.loss), "d_steps": self.d_steps, "steps_per_execution": self.at_most}
        players = {"d_optimizer": self.d_optimizer, "g_optimizer": self.g_optimizer, "penalty": self.penalty}
        return keras.saving.serialize_keras_object(settings | players)

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

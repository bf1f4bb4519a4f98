"""The GAN to use: both players in one compiled step, trained through `fit`."""

import keras
import tensorflow as tf
from keras import ops

from gan_keras._plumbing.batches import named_errors
from gan_keras._plumbing.checks import check_keras_format, check_networks, check_number
from gan_keras._plumbing.devices import check_start, noise_beside, on_several_devices
from gan_keras._plumbing.fast import FusedAdam, graph_options, make_update
from gan_keras._plumbing.fit import (
    check_compile,
    check_fit,
    check_logs,
    check_no_lambda,
    make_batches,
    restore,
    with_guards,
)
from gan_keras._plumbing.saving import pack, resume_state, unpack
from gan_keras.losses import NON_SATURATING

__all__ = ["GAN", "FusedAdam"]


@keras.saving.register_keras_serializable("gan_keras")
class GAN(keras.Model):
    """A generator and a discriminator that train each other; `compile()` alone sets the `counterfeiter` recipe's rules.

    Under a `tf.distribute` strategy, on several devices of one machine or on several machines, it trains as on one
    device, except that batch normalisation and the random points of a gradient penalty look at each device's images
    apart. Build and compile it in the strategy's scope.

    A recipe with another order of updates, shared fakes or a concatenated batch is a subclass that overrides
    `train_step`, `train_discriminator` or `train_generator`.

    Args:
        generator: `(batch, latent_dim)` to images.
        discriminator: images of the same shape to `(batch, 1)`.
        seed: of the noise and of the order of the images, 0 to 2^31 - 1.

    Raises:
        ValueError: if the generator does not draw what the discriminator looks at.
    """

    inputs_of_a_player = 1
    num_classes = None  # those of a ConditionalGAN
    ignores = ()  # what a subclass has no use for, so that `compile` refuses it: "d_steps", "penalty", "pairs"

    def __init__(self, generator, discriminator, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.latent_dim, self.image_shape = check_networks(generator, discriminator, self.inputs_of_a_player)
        self.seed = check_number(seed, "seed", low=0, high=2**31 - 1)
        self.generator, self.discriminator = generator, discriminator
        self.noise_seed = keras.random.SeedGenerator(self.seed)
        self.iteration = self.add_weight((), dtype="int64", trainable=False, aggregation="only_first_replica")
        self.means = [keras.metrics.Mean(n) for n in ("d_loss", "g_loss", "accuracy_real", "accuracy_fake")]
        self.built = True

    def compile(self, d_optimizer=None, g_optimizer=None, loss=NON_SATURATING, penalty=None, d_steps=1, **options):
        """Choose how to train.

        Args:
            d_optimizer: D's; by default `FusedAdam` with learning rate 2e-4 and beta_1 0.5.
            g_optimizer: G's; by default another like it.
            loss: a `losses.Loss` or `losses.PairLoss`, such as `losses.MINIMAX`.
            penalty: None, or a function such as `losses.r1`: `(discriminator, real, fake, seed=...)` to a scalar; a
                `functools.partial` sets its weight. It needs both batches, so with it (and with a `PairLoss`) D makes
                one update on the sum of everything instead of two.
            d_steps: how often D trains, each time on new images, before G does once (k in Goodfellow et al. 2014).
            options: `steps_per_execution`, the most iterations between two calls of callbacks (50, or the largest
                number below that divides an epoch), `run_eagerly`.

        Raises:
            ValueError: if an argument is wrong or does not fit the networks.
        """
        d_optimizer, g_optimizer, loss = check_compile(self, d_optimizer, g_optimizer, loss, penalty, d_steps, options)
        self.max_steps_per_execution = options.setdefault("steps_per_execution", 50)
        super().compile(None, jit_compile=False, **options)
        self.loss, self.penalty, self.d_steps = loss, penalty, d_steps
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
        with self.distribute_strategy.scope():
            self.update_discriminator = make_update(self.discriminator, d_optimizer, fast=not self.run_eagerly)
            self.update_generator = make_update(self.generator, g_optimizer, fast=not self.run_eagerly)

    def train_step(self, real):
        """One iteration on real images `(d_steps * batch, height, width, channels)`: D's turn, then G's."""
        for turn in range(self.d_steps):
            batch = real[turn :: self.d_steps]
            fake = self.generator(self.sample_noise(batch), training=False)
            logs = self.train_discriminator(batch, fake)
        return self.update_means(logs | self.train_generator(self.sample_noise(batch), batch))

    def train_discriminator(self, real, fake):
        """Train D on a real and a generated batch: one update on each or, with a penalty or pairs, one on both.

        With an update on each, D judges the generated batch after it has learned from the real one.
        """
        if self.penalty or self.loss.of_pairs:
            return self.train_discriminator_at_once(real, fake)
        with tf.GradientTape() as tape:
            on_real = self.discriminator(real, training=True)
            loss_real = ops.mean(self.loss.real(on_real))
        self.update_discriminator(tape, loss_real)
        with tf.GradientTape() as tape:
            on_fake = self.discriminator(fake, training=True)
            loss_fake = ops.mean(self.loss.fake(on_fake))
        self.update_discriminator(tape, loss_fake)
        return self.discriminator_logs((loss_real + loss_fake) / 2, on_real, on_fake)

    def train_discriminator_at_once(self, real, fake):
        """Train D with one update on the sum of its losses on both batches and of the penalty; report their mean."""
        with tf.GradientTape() as tape:
            on_real = self.discriminator(real, training=True)
            on_fake = self.discriminator(fake, training=True)
            loss = self.loss.discriminator_loss(on_real, on_fake)
            total = loss + self.penalty_on(real, fake) if self.penalty else loss
        self.update_discriminator(tape, total)
        return self.discriminator_logs(loss / self.loss.parts, on_real, on_fake)

    def penalty_on(self, real, fake):
        """The penalty on D's gradients at these images."""
        return self.penalty(self.discriminator, real, fake, seed=self.noise_seed)

    def train_generator(self, noise, real):
        """Train G with one update through D, whose weights stay as they are; pairs need real images, too."""
        with tf.GradientTape() as tape:
            on_fake = self.discriminator(self.generator(noise, training=True), training=True)
            on_real = self.discriminator(real, training=True) if self.loss.of_pairs else None
            g_loss = self.loss.generator_loss(on_real, on_fake)
        self.update_generator(tape, g_loss)
        return {"g_loss": g_loss}

    def sample_noise(self, batch):
        """As many new latent points as there are images in the batch."""
        return noise_beside(batch, self.latent_dim, self.noise_seed)

    def discriminator_logs(self, d_loss, on_real, on_fake):
        """D's loss, and the shares of real and of generated images that it judged right."""
        right_on_real, right_on_fake = self.loss.judged_right(on_real, on_fake)
        accuracies = {"accuracy_real": right_on_real, "accuracy_fake": right_on_fake}
        return {"d_loss": d_loss} | {name: ops.mean(ops.cast(x, d_loss.dtype)) for name, x in accuracies.items()}

    def update_means(self, logs):
        """Return the epoch's means (`loss` is for callbacks), and count the iteration if they are finite."""
        check_logs(self, logs)
        for mean in self.means:
            mean.update_state(logs[mean.name])
        means = {mean.name: mean.result() for mean in self.means}
        means["loss"] = means["d_loss"] + means["g_loss"]
        self.iteration.assign_add(ops.cast(ops.isfinite(means["loss"]), "int64"))
        return means

    @property
    def metrics(self):
        return self.means

    def make_train_function(self, force=False):
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = on_several_devices(self)
        return self.train_function

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Leave out what Keras does for networks that are not built yet; it fails with labels and several machines."""

    def call(self, noise, training=False):
        """Images `(batch, height, width, channels)` of latent points `(batch, latent_dim)`."""
        return self.generator(noise, training=training)

    def unconditional_generator(self, count):
        """The network that draws an image of each of `count` latent points alone, for callbacks: here G itself."""
        return self.generator

    def fit(
        self,
        images,
        batch_size=32,
        epochs=1,
        steps_per_epoch=None,
        callbacks=(),
        initial_epoch=0,
        verbose="auto",
        labels=None,
    ):
        """Train.

        Args:
            images: floats `(N, height, width, channels)` in [-1, 1] ([0, 1] if G ends in a sigmoid), gone through in a
                new order each time; or a `tf.data.Dataset` of batches of such images.
            batch_size: how many real images a D update takes, at most N; a Dataset has its own.
            epochs: at which epoch to stop.
            steps_per_epoch: how many iterations make an epoch; by default as many as go through all images once.
            callbacks: those of Keras (but for those that set a learning rate: give the optimizer a schedule),
                `callbacks.Resume`, `callbacks.GANMonitor`, `callbacks.Watchdog`.
            initial_epoch: at which epoch to start; not together with `Resume`, which knows.
            verbose: 0 silent, 1 a progress bar, 2 a line an epoch; "auto" is 1.
            labels: for `ConditionalGAN` only.

        Returns:
            A `keras.callbacks.History`: epoch's means of `d_loss`, `g_loss`, `accuracy_real`, `accuracy_fake`, and
            of `loss`, the sum of both, for callbacks that watch it.

        Raises:
            ValueError: if an argument is wrong; it says which. A Dataset's batches are checked as they come.
        """
        callbacks = keras.tree.flatten(callbacks or ())
        images, labels = check_fit(self, images, labels, batch_size, epochs, steps_per_epoch, callbacks, initial_epoch)
        initial_epoch = restore(self, callbacks, initial_epoch, images, batch_size, steps_per_epoch)
        batches, steps = make_batches(self, images, labels, batch_size, steps_per_epoch)
        check_start(self, initial_epoch, steps)
        with graph_options(), named_errors(batches):
            return super().fit(
                batches.dataset,
                epochs=epochs,
                steps_per_epoch=steps,
                callbacks=with_guards(callbacks, batches, steps),
                initial_epoch=initial_epoch,
                shuffle=False,
                verbose=verbose,
            )

    def save(self, filepath, *args, **options):
        """As `keras.Model.save`, to a `.keras` file."""
        check_keras_format(filepath)
        check_no_lambda(self)
        super().save(filepath, *args, **options)

    def save_own_variables(self, store):
        for i, variable in enumerate(resume_state(self)):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        for i, variable in enumerate(resume_state(self)):
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
        if not self.compiled:
            return None
        settings = {
            "d_optimizer": self.d_optimizer,
            "g_optimizer": self.g_optimizer,
            "loss": list(self.loss),
            "penalty": pack(self.penalty),
            "d_steps": self.d_steps,
            "steps_per_execution": self.max_steps_per_execution,
        }
        return keras.saving.serialize_keras_object(settings)

    def compile_from_config(self, config):
        settings = keras.saving.deserialize_keras_object(config)
        self.compile(**settings | {"penalty": unpack(settings["penalty"])})

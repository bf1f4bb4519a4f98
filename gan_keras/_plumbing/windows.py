"""Means over the iterations between two calls of a callback."""

import keras


class WindowMeans(keras.callbacks.Callback):
    """Turns Keras's running means over an epoch into means over the iterations since the last call."""

    def on_epoch_begin(self, epoch, logs=None):
        self.start, self.seen, self.sums = int(self.model.iteration.numpy()), 0, {}

    def since_last(self, logs):
        """`(count, means)`: how many iterations, and each log's mean; `(0, {})` where a loss is not finite."""
        done = int(self.model.iteration.numpy()) - self.start  # Keras's own count leaves out that a Dataset may end
        if done <= self.seen:
            return 0, {}
        sums = {name: done * float(value) for name, value in logs.items()}
        count = done - self.seen
        means = {name: (total - self.sums.get(name, 0.0)) / count for name, total in sums.items()}
        self.seen, self.sums = done, sums
        return count, means

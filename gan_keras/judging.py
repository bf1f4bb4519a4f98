"""How good is it: a frozen digit judge, and numbers that compare generated examples with real ones."""

import functools
import importlib.resources
import math

import keras
import numpy as np
from keras import layers
from scipy.stats import entropy
from sklearn.neighbors import NearestNeighbors

from gan_keras._plumbing.checks import (
    check_channels_last,
    check_digits,
    check_flat,
    check_images,
    check_judged,
    check_mixture,
    check_number,
    check_probabilities,
    check_same_width,
    check_shares,
)


def build_judge(seed=0):
    """Build the digit judge, untrained: two convolutions and two dense layers.

    Args:
        seed: of the first weights and of the dropout.

    Returns:
        A `keras.Model`, images `(batch, 28, 28, 1)` in [-1, 1] to 10 class probabilities.

    Raises:
        ValueError: if the seed is no whole number of at least 0.
    """
    check_number(seed, "seed", low=0)
    check_channels_last()
    seeds = [10 * seed + i for i in range(5)]
    start = [keras.initializers.HeUniform(seed=s) for s in seeds]
    judge = keras.Sequential([keras.Input((28, 28, 1))], name="judge")
    for filters, first in ((16, start[0]), (32, start[1])):
        judge.add(layers.Conv2D(filters, 5, activation="relu", kernel_initializer=first))
        judge.add(layers.MaxPooling2D())
        judge.add(layers.BatchNormalization(momentum=0.9))
    judge.add(layers.Flatten())
    judge.add(layers.Dropout(0.3, seed=seeds[4]))
    judge.add(layers.Dense(64, activation="relu", kernel_initializer=start[2]))
    judge.add(layers.Dense(10, activation="softmax", kernel_initializer=start[3]))
    return judge


def train_judge(images, labels, epochs=5, batch_size=128, seed=0):
    """Train a new judge. The frozen one came from the 60,000 training images of MNIST with the defaults.

    Args:
        images: real digits `(N, 28, 28, 1)` in [-1, 1].
        labels: the digit of each, whole numbers 0 to 9, `(N,)`.
        epochs: passes over the images.
        batch_size: how many images an update takes.
        seed: of the first weights, the dropout and the order of the images.

    Returns:
        The judge, a compiled `keras.Model` whose metric is the accuracy.

    Raises:
        ValueError: if an argument is wrong; it says which.
    """
    images = check_images(images, image_shape=(28, 28, 1))
    labels = check_digits(labels, images)
    judge, rng = build_judge(seed), np.random.default_rng(seed)
    check_number(epochs, "epochs")
    check_number(batch_size, "batch_size")
    steps = epochs * math.ceil(len(images) / batch_size)
    adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps))
    judge.compile(adam, loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    for _ in range(epochs):
        order = rng.permutation(len(images))
        judge.fit(images[order], labels[order], batch_size=batch_size, shuffle=False, verbose=0)
    return judge


@functools.cache
def load_judge():
    """The frozen digit judge, right about more than 99% of MNIST's test images.

    Returns:
        A `keras.Model`, images `(batch, 28, 28, 1)` in [-1, 1] to 10 class probabilities; the same object each time.
    """
    judge = build_judge()
    with importlib.resources.files("gan_keras.results").joinpath("judge.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        judge.set_weights([arrays[f"arr_{i}"] for i in range(len(arrays.files))])
    judge.trainable = False
    return judge


def features(images, judge=None, batch_size=500):
    """What a classifier sees in images: the outputs of the layer before its last.

    Args:
        images: floats `(N, height, width, channels)` in [-1, 1].
        judge: a `keras.Model` for such images, by default the digit judge.
        batch_size: how many images it looks at together.

    Returns:
        A float32 array `(N, F)`; F is 64 for the digit judge.

    Raises:
        ValueError: if the images do not fit the judge.
    """
    judge = load_judge() if judge is None else judge
    images = check_judged(images, judge)
    check_number(batch_size, "batch_size")
    steps = range(0, len(images), batch_size)
    eye = keras.Model(judge.inputs[0], judge.layers[-2].output)
    return np.concatenate([np.asarray(eye(images[i : i + batch_size], training=False)) for i in steps])


def frechet_distance(a, b):
    """Squared Fréchet distance of two normal distributions with the means and covariances of two sets of features.

    `|m_a - m_b|^2 + tr(A + B - 2 (A B)^(1/2))` (Dowson and Landau 1982; Heusel et al. 2017, equation 6). With
    A = R^T R and B = S^T S, the trace of the root is the sum of the singular values of R S^T.

    Args:
        a: features `(N, F)`.
        b: features `(M, F)`.

    Returns:
        A float in squared units of the features: 0 for equal sets (up to rounding), and larger the fewer the rows.

    Raises:
        ValueError: if an argument is no such array of at least 2 rows, or they differ in F.
    """
    check_same_width(a, b, ("a", "b"), rows=(2, 2))
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    means = a.mean(axis=0), b.mean(axis=0)
    r, s = (np.linalg.qr((x - mean) / math.sqrt(len(x) - 1), mode="r") for x, mean in zip((a, b), means, strict=True))
    spread = (r**2).sum() + (s**2).sum() - 2 * np.linalg.norm(r @ s.T, "nuc")
    return float(((means[0] - means[1]) ** 2).sum() + spread)


def kernel_distance(a, b):
    """Kernel distance (KID): the squared maximum mean discrepancy of two sets of features, without bias.

    The kernel is `(x . y / F + 1)^3` (Bińkowski et al. 2018, section 4; Gretton et al. 2012, equation 3). How like
    the examples of one set are to each other, on average, plus the same of the other set, minus twice how like those
    of one are to those of the other. No example is compared with itself, so the mean over many draws does not depend
    on how many examples a draw has. (The paper takes the mean over some subsets; this takes all pairs at once.)

    Args:
        a: features `(N, F)`.
        b: features `(M, F)`.

    Returns:
        A float, near 0 for two sets from one source, also a little below.

    Raises:
        ValueError: if an argument is no such array of at least 2 rows, or they differ in F.
    """
    check_same_width(a, b, ("a", "b"), rows=(2, 2))
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")

    def kernel(dots):
        x = dots / a.shape[1] + 1
        return x * x * x

    def total(x, y):
        blocks = np.array_split(x, 1 + len(x) * len(y) // 4_000_000)
        return sum(kernel(block @ y.T).sum() for block in blocks)

    def alike(x):
        itself = kernel((x**2).sum(axis=1)).sum()
        return (total(x, x) - itself) / (len(x) * (len(x) - 1))

    return float(alike(a) + alike(b) - 2 * total(a, b) / (len(a) * len(b)))


def distance_blocks(a, b):
    """Squared Euclidean distances from the rows of a to those of b, a few rows at a time to save memory.

    Args:
        a: array `(N, F)`.
        b: array `(M, F)`.

    Yields:
        The number of the block's first row, and distances `(rows, M)`; exactly 0 between equal rows.
    """
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    middle = b.mean(axis=0)  # near the middle |x|^2 + |y|^2 - 2 xy loses the fewest digits
    b = b - middle
    squares = (b**2).sum(axis=1)
    rows = max(1, 4_000_000 // len(b))
    for first in range(0, len(a), rows):
        block = a[first : first + rows] - middle
        distances = block @ b.T
        distances *= -2
        distances += squares
        distances += (block**2).sum(axis=1)[:, None]
        distances[distances < 1e-12 * squares.mean()] = 0  # rounding, also below 0
        yield first, distances


def neighbour_radii(x, k):
    """Squared distance from each row of x, `(N, F)`, to its k-th nearest other row: `(N,)`."""
    x = x - np.mean(x, axis=0, dtype="float64")
    radii = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x).kneighbors()[0][:, -1] ** 2
    radii[radii < 1e-12 * (x**2).sum(axis=1).mean()] = 0  # as in `distance_blocks`
    return radii


def precision_recall(real, fake, k=5):
    """How much of the generated lies among the real, and of the real among the generated.

    Around each example a ball reaches to its k-th nearest neighbour of the same set, border included (Kynkäänniemi
    et al. 2019, equations 1 and 2). Precision is the share of generated examples in any ball of a real one, recall
    the share of real examples in any ball of a generated one.

    Args:
        real: features of real examples `(N, F)`.
        fake: features of generated examples `(M, F)`.
        k: which neighbour, less than N and M.

    Returns:
        `(precision, recall)`, floats in [0, 1].

    Raises:
        ValueError: if an argument is wrong; it says which.
    """
    check_number(k, "k")
    check_same_width(real, fake, ("real", "fake"), rows=(k + 1, k + 1))
    of_real, of_fake = ((1 + 1e-9) * neighbour_radii(x, k) for x in (real, fake))  # equal up to rounding is inside
    precise, recalled = 0, np.zeros(len(real), bool)
    for first, distances in distance_blocks(fake, real):
        precise += (distances <= of_real).any(axis=1).sum()
        recalled |= (distances <= of_fake[first : first + len(distances), None]).any(axis=0)
    return float(precise / len(fake)), float(recalled.mean())


def density_coverage(real, fake, k=5):
    """How densely the generated lie where the real do, and how many real ones have a generated one near.

    Both look only at the balls around real examples, border excluded (Naeem et al. 2020, equations 3 and 4). Density
    is the mean number of balls that a generated example lies in, divided by k; coverage the share of balls that hold
    a generated example. Two halves of one set have density 1 and coverage about 1 - 2^-k.

    Args:
        real: features of real examples `(N, F)`.
        fake: features of generated examples `(M, F)`.
        k: which neighbour, less than N.

    Returns:
        `(density, coverage)`, floats: density at least 0 and perhaps above 1, coverage in [0, 1].

    Raises:
        ValueError: if an argument is wrong; it says which.
    """
    check_number(k, "k")
    check_same_width(real, fake, ("real", "fake"), rows=(k + 1, 1))
    radii = (1 - 1e-9) * neighbour_radii(real, k)  # equal up to rounding is outside
    count, covered = 0, np.zeros(len(real), bool)
    for _, distances in distance_blocks(fake, real):
        inside = distances < radii
        count += inside.sum()
        covered |= inside.any(axis=0)
    return float(count / (k * len(fake))), float(covered.mean())


def nearest_neighbours(samples, reference):
    """For each sample the most similar example of a reference set: is it memory or invention?

    Goodfellow et al. (2014, figure 2) show such pairs.

    Args:
        samples: numbers `(N, ...)`, such as images or features.
        reference: numbers `(M, ...)` of the same shape.

    Returns:
        `(index, distance)`: which example, ints `(N,)`, the first of equally near ones; and its Euclidean distance,
        float64 `(N,)`, exactly 0 for a copy.

    Raises:
        ValueError: if an argument is no such array, or the shapes differ.
    """
    check_flat(samples, reference, ("samples", "reference"))
    samples, reference = (np.reshape(x, (len(x), -1)).astype("float64") for x in (samples, reference))
    index = np.empty(len(samples), int)
    for first, distances in distance_blocks(samples, reference):
        least = distances.min(axis=1, keepdims=True)
        index[first : first + len(distances)] = (distances <= (1 + 1e-9) * least).argmax(axis=1)
    return index, np.linalg.norm(samples - reference[index], axis=1)


def digit_histogram(digits):
    """Which digits are there, as the judge reads them.

    How many classes there are, and the divergence, as Metz et al. (2017, Unrolled GANs) count modes.

    Args:
        digits: images `(N, 28, 28, 1)` in [-1, 1], or class probabilities `(N, classes)`.

    Returns:
        A dict: `shares` of the classes, an array that adds up to 1; `present`, how many classes there are at all;
        `kl`, the Kullback-Leibler divergence of the shares from equal ones, in nats.

    Raises:
        ValueError: if it is neither.
    """
    if np.ndim(digits) == 4:
        digits = check_images(digits, "digits", (28, 28, 1))
        digits = load_judge().predict(digits, verbose=0)
    digits = check_probabilities(digits, "digits")
    counts = np.bincount(digits.argmax(axis=1), minlength=digits.shape[1])
    kl = kl_divergence(counts, np.ones(len(counts)))
    return {"shares": counts / counts.sum(), "present": int((counts > 0).sum()), "kl": kl}


def kl_divergence(counts, shares):
    """The Kullback-Leibler divergence of counted shares from expected ones, in nats.

    Args:
        counts: how often each of n things came, `(n,)`, or their shares.
        shares: expected shares `(n,)`, all above 0; they are made to add up to 1.

    Returns:
        `sum_i p_i log(p_i / q_i)`, at least 0, where 0 log 0 = 0; NaN if nothing was counted.

    Raises:
        ValueError: if an argument is no such list, or they differ in length.
    """
    check_shares(counts, shares)
    return float(entropy(counts, shares)) if np.any(counts) else math.nan


def mode_report(points, means, std):
    """How a generator serves a mixture of equal round normal distributions in the plane (rings, grids).

    A point is of high quality if it lies within 3 standard deviations of the nearest mean; a mode is captured if at
    least one such point belongs to it (Srivastava et al. 2017, VEEGAN; Lin et al. 2018, PacGAN).

    Args:
        points: generated points `(N, 2)`.
        means: the modes `(M, 2)`.
        std: their standard deviation in each coordinate.

    Returns:
        A dict: `captured`, how many of the M modes; `high_quality`, share of the points in [0, 1] (a perfect
        generator's is 1 - exp(-4.5) = 0.989); `reverse_kl`, the divergence of the high-quality points' shares among
        the modes from equal ones, in nats, NaN where there are no such points.

    Raises:
        ValueError: if an argument is no such array or number.
    """
    points, means = check_mixture(points, means, std)
    distances = np.stack([np.linalg.norm(points - mean, axis=1) for mean in means], axis=1)
    good = distances.min(axis=1) <= 3 * std
    counts = np.bincount(distances.argmin(axis=1)[good], minlength=len(means))
    return {
        "captured": int((counts > 0).sum()),
        "high_quality": float(good.mean()),
        "reverse_kl": kl_divergence(counts, np.ones(len(means))),
    }

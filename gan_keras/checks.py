"""Plumbing: checks of arguments, so that a mistake is named where it is made and not ten layers deeper."""

import numpy as np

HIDDEN = ("leaky", "relu", "dropout", "norm")  # what may follow a dense layer in a recipe


def check_images(images, name="images", image_shape=None):
    """Check an array of images and return it as an array.

    Args:
        images: floats `(N, height, width, channels)` in [-1, 1].
        name: what the caller calls them, for the message.
        image_shape: `(height, width, channels)` that they must have, if known.

    Returns:
        The images as a NumPy array, unchanged where they already were one.

    Raises:
        ValueError: wrong rank, shape, dtype or range, NaN, or no image at all.
    """
    try:
        images = np.asarray(images)
    except ValueError as error:
        raise ValueError(f"{name}: expected one array of images of equal size; {error}") from None
    if images.ndim != 4:
        hint = "; add the channel axis: images[..., None]" if images.ndim == 3 else ""
        raise ValueError(f"{name}: expected 4 axes (N, height, width, channels), got shape {images.shape}{hint}")
    if 0 in images.shape:
        raise ValueError(f"{name}: expected at least one image with at least one pixel, got shape {images.shape}")
    if image_shape is not None and images.shape[1:] != tuple(image_shape):
        raise ValueError(
            f"{name}: expected images of shape {tuple(image_shape)}, got {images.shape[1:]}; "
            "the images and the two networks must agree"
        )
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            f"{name}: expected floats in [-1, 1], got {images.dtype}; "
            "gan_keras.data.to_tanh(pixels) scales uint8 pixels"
        )
    low, high = float(images.min()), float(images.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(f"{name}: found NaN or infinite pixels; images must be finite numbers in [-1, 1]")
    if low < -1.0001 or high > 1.0001:
        raise ValueError(f"{name}: expected pixels in [-1, 1], got [{low:.3g}, {high:.3g}]")
    return images


def check_noise(noise, latent_dim):
    """Check latent points and return them as an array `(N, latent_dim)`."""
    noise = np.asarray(noise)
    if noise.ndim != 2 or len(noise) == 0 or not np.issubdtype(noise.dtype, np.floating):
        raise ValueError(
            f"noise: expected floats of shape (N, {latent_dim}) with N at least 1, got {noise.dtype} {noise.shape}"
        )
    if noise.shape[1] != latent_dim:
        raise ValueError(
            f"noise: the generator takes latent points of {latent_dim} numbers (its latent_dim), "
            f"got {noise.shape[1]} (shape {noise.shape})"
        )
    if not np.isfinite(noise).all():
        raise ValueError("noise: found NaN or infinite numbers")
    return noise


def check_pair(generator, discriminator):
    """Check that the generator draws what the discriminator looks at."""
    if len(generator.input_shape) != 2:
        raise ValueError(f"generator: expected input of shape (batch, latent_dim), got {generator.input_shape}")
    drawn, seen = generator.output_shape[1:], discriminator.input_shape[1:]
    if drawn != seen:
        raise ValueError(
            f"generator: it draws images of shape {drawn}, but the discriminator looks at {seen}; "
            "build both with the same image_shape"
        )


def check_compiled(model, name):
    """Check that `compile` was called."""
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise ValueError(f"{name}: not compiled; call {name}.compile(optimizer=..., loss=...) first")


def check_trainable(model):
    """Check that a step of training will move something; Keras only warns."""
    if not model.trainable_weights:
        raise ValueError(
            f"{model.name}: none of its weights is trainable, so it would learn nothing; "
            "set trainable = True on it and on the layers that shall learn"
        )


def check_accuracy(logs):
    """Check that D reports its accuracy."""
    if "accuracy" not in logs:
        raise ValueError('discriminator: expected one compiled with metrics=["accuracy"]')


def check_number(value, name, low=1, high=None, why=""):
    """Check a whole number, such as a batch size, and return it as an int."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name}: expected a whole number, got {value!r}")
    if value < low:
        raise ValueError(f"{name}: expected at least {low}, got {value}")
    if high is not None and value > high:
        raise ValueError(f"{name}: expected at most {high:,}{why}, got {value:,}")
    return int(value)


def check_shape(image_shape):
    """Check `(height, width, channels)` and return it as a tuple of ints."""
    try:
        shape = tuple(image_shape)
    except TypeError:
        shape = ()
    if len(shape) != 3:
        raise ValueError(f"image_shape: expected (height, width, channels), got {image_shape!r}")
    return tuple(check_number(side, "image_shape", low=1) for side in shape)


def check_training(generator, discriminator, combined, images, steps, batch_size):
    """Check everything `training.train` is given, before the first step."""
    check_pair(generator, discriminator)
    if generator not in combined.layers or combined.layers[-1] is not discriminator:
        raise ValueError(
            "combined: expected build_combined(generator, discriminator) of these two networks; "
            "this one holds other networks, so the discriminator that trains would not be the one that judges"
        )
    check_compiled(discriminator, "discriminator")
    check_compiled(combined, "combined")
    images = check_images(images, image_shape=discriminator.input_shape[1:])
    check_number(steps, "steps", low=0)
    check_number(batch_size, "batch_size", high=len(images), why=" (the number of images)")
    drawn = generator.predict_on_batch(np.random.default_rng(0).normal(size=(16, generator.input_shape[1])))
    if (images.min() >= 0) != (drawn.min() >= 0):
        raise ValueError(
            f"images: their pixels lie in [{images.min():.3g}, {images.max():.3g}], but the generator draws in "
            f"[{drawn.min():.3g}, {drawn.max():.3g}]; tanh wants images in [-1, 1] (gan_keras.data.to_tanh), "
            "sigmoid wants [0, 1]"
        )
    return images


def check_features(features, name="features", rows=1):
    """Check a table of numbers `(N, F)`, one row an example, and return it as float64."""
    try:
        features = np.asarray(features)
    except ValueError as error:
        raise ValueError(f"{name}: expected one array of rows of equal length; {error}") from None
    if features.ndim != 2 or 0 in features.shape or features.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected numbers of shape (N, F), got {features.dtype} {features.shape}")
    if len(features) < rows:
        raise ValueError(f"{name}: expected at least {rows:,} rows, got {len(features):,}")
    features = features.astype("float64")
    if not np.isfinite(features).all():
        raise ValueError(f"{name}: found NaN or infinite numbers")
    return features


def check_same_width(a, b, names, rows=(1, 1)):
    """Check two tables of numbers whose rows are of the same length; returns both as float64."""
    a, b = check_features(a, names[0], rows[0]), check_features(b, names[1], rows[1])
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{names[1]}: expected {a.shape[1]} numbers a row like {names[0]}, got {b.shape[1]}")
    return a, b


def check_flat(a, b, names):
    """Check two sets of examples of the same shape `(N, ...)`; returns both as float64 tables `(N, F)`."""
    a, b = np.asarray(a), np.asarray(b)
    for name, examples in zip(names, (a, b), strict=True):
        if examples.ndim < 2 or examples.size == 0:
            raise ValueError(f"{name}: expected numbers of shape (N, ...), got {examples.dtype} {examples.shape}")
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(f"{names[1]}: expected examples of shape {a.shape[1:]} like {names[0]}, got {b.shape[1:]}")
    return check_same_width(a.reshape(len(a), -1), b.reshape(len(b), -1), names)


def check_probabilities(probabilities, name="probabilities"):
    """Check class probabilities `(N, classes)`, each row of which adds up to 1, and return them as float64."""
    probabilities = check_features(probabilities, name)
    if probabilities.min() < 0 or abs(probabilities.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError(f"{name}: expected class probabilities, rows of numbers in [0, 1] that add up to 1")
    return probabilities


def check_shares(counts, shares):
    """Check counts and the shares expected of them; returns both as float64."""
    counts, shares = np.asarray(counts, "float64"), np.asarray(shares, "float64")
    for name, values, least in (("counts", counts, 0), ("shares", shares, np.nextafter(0, 1))):
        if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all() or values.min() < least:
            raise ValueError(f"{name}: expected a list of finite numbers {'above' if least else 'of at least'} 0")
    if len(counts) != len(shares):
        raise ValueError(f"shares: expected {len(counts)} numbers, as many as counts, got {len(shares)}")
    return counts, shares


def check_mixture(points, means, std):
    """Check points and modes in the plane; returns both as float64."""
    points, means = check_same_width(points, means, ("points", "means"))
    if points.shape[1] != 2:
        raise ValueError(f"points: expected points in the plane, (N, 2), got {points.shape}")
    if isinstance(std, bool) or not isinstance(std, (int, float, np.number)) or not 0 < std < np.inf:
        raise ValueError(f"std: expected a number above 0, got {std!r}")
    return points, means


def check_digits(labels, images, name="labels"):
    """Check labels, one whole number 0 to 9 for each image, and return them as an array."""
    labels = np.asarray(labels)
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected whole numbers of shape ({len(images)},), one an image, got {labels.dtype} {labels.shape}"
        )
    if labels.min() < 0 or labels.max() > 9:
        raise ValueError(f"{name}: expected digits 0 to 9, got {labels.min()} to {labels.max()}")
    return labels


def check_recipe(recipe, known):
    """Look a recipe's name up in a dict, or return a recipe as it is."""
    if isinstance(recipe, str):
        if recipe not in known:
            raise ValueError(f"recipe: expected one of {', '.join(known)}, got {recipe!r}")
        return known[recipe]
    if not isinstance(recipe, type(next(iter(known.values())))):
        raise ValueError(f"recipe: expected a gan_keras.recipes.Recipe or the name of one, got {recipe!r}")
    for player in ("generator", "discriminator"):
        wrong = [w for words in getattr(recipe, player) for w in str(words).split()[1:] if w not in HIDDEN]
        if wrong:
            raise ValueError(f"recipe: {player}: expected the words {', '.join(HIDDEN)} after the units, got {wrong}")
    for field, allowed in (("start", ("pytorch", "keras")), ("output", ("tanh", "sigmoid"))):
        if getattr(recipe, field) not in allowed:
            raise ValueError(f"recipe: {field}: expected one of {allowed}, got {getattr(recipe, field)!r}")
    if recipe.steps is None and recipe.epochs is None:
        raise ValueError("recipe: expected epochs or steps")
    return recipe


def check_halving(side, times):
    """Check that a side of an image can be halved so often, and return what is left."""
    if side % 2**times:
        raise ValueError(f"image_shape: expected height and width that {2**times} divides, got {side}")
    return side // 2**times

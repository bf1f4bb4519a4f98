"""Checks of arguments, so that a mistake is named where it is made and not ten layers deeper.

Each raises a `ValueError` that begins with the name of the argument; many return what they were given, made ready.
"""

import re
import types

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

HIDDEN = ("leaky", "relu", "dropout", "norm")  # what may follow a dense layer in a recipe


def check_pixels(pixels):
    """Check that pixels are uint8: scaling floats a second time is the commonest mistake."""
    dtype = getattr(pixels, "dtype", type(pixels).__name__)
    if dtype != np.uint8:
        raise ValueError(f"pixels: expected a uint8 array with values 0..255, got {dtype}; are they scaled already?")
    if tf.is_tensor(pixels):  # which has no method `astype`, unlike arrays
        return types.SimpleNamespace(astype=lambda dtype: tf.cast(pixels, dtype))
    return pixels


def fits(shape, wanted):
    """Whether a shape is the wanted one; a None on either side fits any size."""
    return len(shape) == len(wanted) and all(a == b or None in (a, b) for a, b in zip(shape, wanted, strict=True))


def check_images(images, name="images", image_shape=None):
    """Check an array of images and return it as an array.

    Args:
        images: floats `(N, height, width, channels)` in [-1, 1].
        name: what the caller calls them, for the message.
        image_shape: `(height, width, channels)` that they must have, if known; None in it is any size.

    Returns:
        The images as a NumPy array, unchanged where they already were one.

    Raises:
        ValueError: wrong kind, rank, shape, dtype or range, NaN, or no image at all.
    """
    several = isinstance(images, (tuple, dict)) and len(images) > 1
    if not (isinstance(images, list) or hasattr(images, "__array__")):
        kind = f"a {type(images).__name__}" + (f" of {len(images)}" if several else "")
        hint = "; labels are for ConditionalGAN" if several else ""
        raise ValueError(f"{name}: expected one array of images, got {kind}{hint}")
    try:
        images = np.asarray(images)
    except Exception as error:  # whatever a class of somebody's own raises
        raise ValueError(f"{name}: expected one array of images of equal size; {error}") from None
    if images.ndim != 4:
        hint = "; add the channel axis: images[..., None]" if images.ndim == 3 else ""
        if image_shape is not None and fits(images.shape, image_shape):
            hint = "; this is one image: images[None] makes a batch of it, .batch(32) batches of those of a Dataset"
        raise ValueError(f"{name}: expected 4 axes (N, height, width, channels), got shape {images.shape}{hint}")
    if 0 in images.shape:
        raise ValueError(f"{name}: expected at least one image with at least one pixel, got shape {images.shape}")
    if image_shape is not None and not fits(images.shape[1:], image_shape):
        raise ValueError(
            f"{name}: expected images of shape {tuple(image_shape)}, got {images.shape[1:]}; "
            "the images and the two networks must agree"
        )
    if images.dtype != tf.bfloat16 and not np.issubdtype(images.dtype, np.floating):
        hint = "; gan_keras.data.to_tanh(pixels) scales uint8 pixels" if images.dtype.kind in "iu" else ""
        raise ValueError(f"{name}: expected floats in [-1, 1], got {images.dtype}{hint}")
    if images.dtype.itemsize > 8:  # TensorFlow knows no longer ones
        images = images.astype("float64")
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


def network_shapes(network, name, inputs=1):
    """The shapes of a network's inputs and of its output, as Keras gives them: `((None, ...), ...), (None, ...)`."""
    if not isinstance(network, keras.Model):
        raise ValueError(f"{name}: expected a keras.Model, got {network!r}")
    try:
        taken, given = network.input_shape, network.output_shape
    except (AttributeError, ValueError):
        raise ValueError(
            f"{name}: the shapes that it takes and gives are not known; begin a Sequential with keras.Input(...), "
            "and write a subclass as a functional model, keras.Model(inputs, outputs)"
        ) from None
    takes, gives = getattr(network, "input", None), getattr(network, "output", None)  # a Sequential has none
    if isinstance(gives, (list, tuple, dict)) or isinstance(takes, dict):
        got = "a dict of inputs" if isinstance(takes, dict) else f"a {type(gives).__name__} of outputs"
        raise ValueError(f"{name}: expected one output, and inputs that are no dict, got {got}")
    taken = taken if isinstance(taken, list) else [taken]
    if len(taken) != inputs:
        own = "noise" if name == "generator" else "images"
        wanted = "one input" if inputs == 1 else f"two inputs, {own} and (batch, num_classes),"
        hint = "; labels beside noise or images are for ConditionalGAN" if inputs == 1 and len(taken) == 2 else ""
        raise ValueError(f"{name}: expected {wanted} and one output, got {len(taken)} inputs{hint}")
    return tuple(map(tuple, taken)), tuple(given)


def check_networks(generator, discriminator, inputs=1):
    """Check that the generator draws what the discriminator looks at.

    Args:
        generator: takes latent points `(batch, latent_dim)` and, with two inputs, class vectors after them.
        discriminator: takes images `(batch, height, width, channels)` and, with two inputs, class vectors after them.
        inputs: how many inputs each has.

    Returns:
        `latent_dim`, and the images' shape `(height, width, channels)`; a None in it fits any size.
    """
    check_channels_last()
    (points, *_), drawn = network_shapes(generator, "generator", inputs)
    (seen, *_), verdict = network_shapes(discriminator, "discriminator", inputs)
    if len(points) != 2 or points[1] is None:
        raise ValueError(f"generator: expected input of shape (batch, latent_dim), got {points}")
    if not fits(drawn[1:], seen[1:]):
        raise ValueError(
            f"generator: it draws images of shape {drawn[1:]}, but the discriminator looks at {seen[1:]}; "
            "build both with the same image_shape"
        )
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        for taken in getattr(network, "inputs", None) or []:
            if keras.backend.standardize_dtype(taken.dtype) not in ("float32", "float64"):
                raise ValueError(f"{name}: expected keras.Input of floats, not of {taken.dtype}, which round")
    if {id(weight) for weight in generator.weights} & {id(weight) for weight in discriminator.weights}:
        raise ValueError("discriminator: it shares a layer with the generator, which D's step would train, too")
    end = next(steps_back(discriminator), None)
    if (len(verdict) > 1 and verdict[-1] != 1) or activation(end) in (keras.activations.softmax, tf.nn.softmax):
        raise ValueError(
            f"discriminator: expected one output an image, (batch, 1) and no softmax, got {verdict} from "
            f"{getattr(end, 'name', end)}; end it in Dense(1), the probability (sigmoid) or the logit of being real"
        )
    return points[1], tuple(b if a is None else a for a, b in zip(drawn[1:], seen[1:], strict=True))


def check_channels_last():
    """Check Keras's global image format: all images here are `(N, height, width, channels)`."""
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "image_data_format: expected 'channels_last', but Keras is set to 'channels_first' (in keras.json or by "
            "keras.config.set_image_data_format); set it back before the networks are built"
        )


def layers_inside(layer):
    """A layer and all those inside it, at whatever depth."""
    yield layer
    for inner in [*getattr(layer, "layers", []), *filter(None, [getattr(layer, "layer", None)])]:
        yield from layers_inside(inner)


def check_no_activity_regularizer(network, name):
    """Check that no layer has a cost that `GAN` would leave out."""
    for layer in layers_inside(network):
        if getattr(layer, "activity_regularizer", None) is not None:
            raise ValueError(
                f"{name}: the layer {layer.name} has an activity_regularizer, which GAN leaves out; "
                "make it a part of the loss or of the penalty"
            )


def check_precision(network, name):
    """Check that a network computes in single or double precision, in which these losses do not overflow."""
    if network.compute_dtype not in ("float32", "float64"):
        raise ValueError(
            f"{name}: expected a network that computes in float32 or float64, got {network.compute_dtype}; "
            'build it under keras.config.set_dtype_policy("float32")'
        )
    halves = [layer.name for layer in layers_inside(network) if "16" in str(layer.compute_dtype)]
    if halves:
        raise ValueError(f"{name}: expected layers that compute in float32 or float64, but {halves[0]} does in 16 bits")


def check_range(images, drawn):
    """Check that images and what an untrained generator draws lie on the same side of zero: both in [0, 1], or not."""
    if drawn.dtype.kind != "f":
        raise ValueError(
            f"generator: expected it to draw floats, got {drawn.dtype}; through whole numbers nothing can be learned. "
            "Let it draw in [-1, 1] (tanh), and gan_keras.data.to_pixels make pixels"
        )
    if not np.isfinite(drawn).all():
        raise ValueError("generator: it draws NaN or infinite pixels before it has learned anything")
    if images.any() and drawn.any() and (images.min() >= 0) != (drawn.min() >= 0):
        raise ValueError(
            f"images: their pixels lie in [{images.min():.3g}, {images.max():.3g}], but the generator draws in "
            f"[{drawn.min():.3g}, {drawn.max():.3g}]; tanh wants images in [-1, 1] (gan_keras.data.to_tanh), "
            "sigmoid wants [0, 1]"
        )


def steps_back(network):
    """The layers and operations of a network from its end on, those inside nested models and wrappers, too.

    Those that only reshape, pick or average what came before are left out.
    """
    passes_on = (layers.Flatten, layers.Reshape, layers.Dropout, layers.Identity, layers.Permute, layers.Cropping2D)
    passes_on += (layers.InputLayer, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
    for step in reversed(network.operations if hasattr(network, "operations") else network.layers):
        step = step.layer if isinstance(step, layers.Wrapper) else step
        if isinstance(step, keras.Model):
            yield from steps_back(step)
        elif not isinstance(step, passes_on) and type(step).__name__ not in ("Reshape", "Squeeze", "GetItem"):
            yield step


def activation(step):
    """The function that a layer applies last, where it says so."""
    if isinstance(step, layers.Softmax):
        return keras.activations.softmax
    return getattr(step, "activation", getattr(step, "function", None))


def ends_in_sigmoid(network):
    """Whether a network's outputs are probabilities: True, False, or None where its end does not tell."""
    step = next(steps_back(network), None)
    if type(step).__name__ == "Sigmoid":  # keras.ops.sigmoid in a functional model
        return True
    sigmoids = keras.activations.sigmoid, ops.sigmoid, tf.sigmoid
    return {**dict.fromkeys(sigmoids, True), keras.activations.linear: False}.get(activation(step))


def check_ending(discriminator, from_logits):
    """Check that a loss takes what the discriminator ends in: probabilities, or logits.

    Where its layers do not tell, its answers to noise of every size do: one outside [0, 1] is no probability, and
    hardly logits all lie inside.

    Args:
        discriminator: the network.
        from_logits: whether the loss takes logits or scores.
    """
    ending = ends_in_sigmoid(discriminator)
    if ending is None:
        shapes, _ = network_shapes(discriminator, "discriminator", inputs=len(discriminator.inputs))
        rng, sizes = np.random.default_rng(0), np.array([0.1, 1, 10, 100]).repeat(16)
        noise = [rng.normal(size=(64, *(side or 16 for side in shape[1:]))) for shape in shapes]
        noise = [x * sizes.reshape(-1, *[1] * (x.ndim - 1)) for x in noise]
        answers = ops.convert_to_numpy(discriminator(noise if len(noise) > 1 else noise[0], training=False))
        if answers.min() < -1e-6 or answers.max() > 1 + 1e-6:
            ending = False
        elif np.ptp(answers) > 0:
            ending = True
    if ending is bool(from_logits):
        raise ValueError(
            "loss: it takes logits or scores, but the discriminator ends in a sigmoid"
            if from_logits
            else "loss: it takes probabilities, but the discriminator ends without a sigmoid; take one from logits"
        )
    if ending is None:
        print(f"Note: whether {discriminator.name} ends in a sigmoid cannot be seen. See that the loss fits it.")


def check_logits(discriminator):
    """Check that a penalty's discriminator does not end in a sigmoid."""
    if ends_in_sigmoid(discriminator):
        raise ValueError(
            "penalty: these penalties are defined on D's logits or scores, but this discriminator ends in a sigmoid; "
            "build it without, and train it with a loss from logits"
        )


def check_single_images(discriminator, real, fake):
    """Check that what D says of an image does not hang on its batch, and that there are as many real as generated."""
    if not ops.convert_to_tensor(real).shape.is_compatible_with(ops.convert_to_tensor(fake).shape):
        raise ValueError(f"fake: expected images of shape {real.shape} like real, got {fake.shape}")
    if any(variable.path.endswith("moving_mean") for variable in discriminator.non_trainable_variables):
        raise ValueError(
            "penalty: the gradient penalty is about one image at a time, but this discriminator holds a "
            "BatchNormalization, which mixes the images of a batch; take LayerNormalization, or none"
        )


def check_keras_format(filepath):
    """Check that a GAN is saved to a file that can hold it."""
    if not str(filepath).endswith(".keras"):
        raise ValueError(
            f"filepath: a GAN can be saved to a .keras file only, got {str(filepath)!r}; "
            "its networks, gan.generator and gan.discriminator, can be saved and exported to other formats"
        )


BINARY = keras.losses.BinaryCrossentropy, keras.losses.BinaryFocalCrossentropy
CATEGORICAL = keras.losses.CategoricalCrossentropy, keras.losses.CategoricalFocalCrossentropy
CATEGORICAL += (keras.losses.SparseCategoricalCrossentropy,)


def named_loss(loss):
    """A loss as `compile` was given it; the cross-entropies as objects of `keras.losses`, whatever they were called."""
    if isinstance(loss, (list, tuple)) and len(loss) == 1:
        loss = loss[0]
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:  # Keras will say so itself
            return loss
    for kind in BINARY + CATEGORICAL:
        name = re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
        if loss is getattr(keras.losses, name) or loss is kind:
            return kind()
    return loss


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


def check_number(value, name, low=1, high=None, why="", hint=""):
    """Check a whole number, such as a batch size, and return it as an int."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        kind = f"an array of shape {np.shape(value)}" if hasattr(value, "shape") and len(value.shape) else repr(value)
        raise ValueError(f"{name}: expected a whole number, got {kind}{hint}")
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
    check_channels_last()
    return tuple(check_number(side, "image_shape", low=1) for side in shape)


def check_training(images, generator, discriminator, combined, steps, batch_size):
    """Check everything `training.train` is given, before the first step; returns the images as an array."""
    check_networks(generator, discriminator)
    if not isinstance(combined, keras.Model):
        raise ValueError(f"combined: expected a keras.Model, got {combined!r}")
    if generator not in combined.layers or combined.layers[-1] is not discriminator:
        raise ValueError(
            "combined: expected build_combined(generator, discriminator) of these two networks; "
            "this one holds other networks, so the discriminator that trains would not be the one that judges"
        )
    if len(discriminator.output_shape) > 2:
        raise ValueError(f"discriminator: expected one output an image, (batch, 1), got {discriminator.output_shape}")
    check_compiled(discriminator, "discriminator")
    check_compiled(combined, "combined")
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        check_precision(network, name)
    for model in (discriminator, combined):
        loss = named_loss(model.loss)
        if isinstance(loss, CATEGORICAL):
            raise ValueError(
                f"{model.name}: {type(loss).__name__} of one output teaches nothing; take binary_crossentropy"
            )
        if isinstance(loss, BINARY):
            check_ending(discriminator, loss.from_logits)
    images = check_images(images, image_shape=discriminator.input_shape[1:])
    check_number(steps, "steps", low=0)
    check_number(batch_size, "batch_size", high=len(images), why=" (the number of images)")
    noise = np.random.default_rng(0).normal(size=(16, generator.input_shape[1]))
    drawn = generator.predict_on_batch(noise)
    check_range(images, drawn)
    if abs(drawn).max() > 1.0001:
        raise ValueError(
            f"generator: expected it to draw pixels in [-1, 1], got [{drawn.min():.3g}, {drawn.max():.3g}]; "
            "end it in tanh"
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
    """Check a `Recipe`; a string here is an unknown name."""
    if isinstance(recipe, str):
        raise ValueError(f"recipe: expected one of {', '.join(known)}, got {recipe!r}")
    if not isinstance(recipe, type(next(iter(known.values())))):
        raise ValueError(f"recipe: expected a gan_keras.recipes.Recipe or the name of one, got {recipe!r}")
    if not (isinstance(recipe.game, type) and issubclass(recipe.game, keras.Model)):
        raise ValueError(f"recipe: game: expected a class such as gan_keras.gan.GAN, got {recipe.game!r}")
    for field in ("batch_size", "latent_dim", "epochs", "steps"):
        if getattr(recipe, field) is not None:
            check_number(getattr(recipe, field), f"recipe: {field}")
    for player in ("generator", "discriminator"):
        hidden = getattr(recipe, player)
        listed = isinstance(hidden, (tuple, list)) and all(re.match(r"[1-9]\d*( |$)", str(words)) for words in hidden)
        if recipe.build is None and not listed:
            raise ValueError(f'recipe: {player}: expected layers such as ("512 leaky",), got {hidden!r}')
        wrong = [w for words in getattr(recipe, player) for w in str(words).split()[1:] if w not in HIDDEN]
        if wrong:
            raise ValueError(f"recipe: {player}: expected the words {', '.join(HIDDEN)} after the units, got {wrong}")
    for field, allowed in (("start", ("pytorch", "keras")), ("output", ("tanh", "sigmoid"))):
        if getattr(recipe, field) not in allowed:
            raise ValueError(f"recipe: {field}: expected one of {allowed}, got {getattr(recipe, field)!r}")
    if recipe.steps is None and recipe.epochs is None:
        raise ValueError("recipe: expected epochs or steps")
    return recipe


def check_recipe_training(images, recipe, known, steps, seed):
    """Check everything `recipes.train_recipe` is given; returns the images as an array."""
    check_recipe(recipe, known)
    images = check_images(images)
    check_number(recipe.batch_size, "batch_size", high=len(images), why=" (the number of images)")
    if (recipe.output == "sigmoid") != (images.min() >= 0):
        raise ValueError(f"images: this recipe's output is {recipe.output}, but the pixels begin at {images.min():.3g}")
    if steps is not None:
        check_number(steps, "steps")
    check_number(seed, "seed", low=0, high=2**31 - 1)
    return images


def check_halving(image_shape, times):
    """Check that height and width of an image can be halved so often."""
    for side in image_shape[:2]:
        if side % 2**times:
            raise ValueError(f"image_shape: expected height and width that {2**times} divides, got {side}")


def check_labels(labels, num_classes, count=None):
    """Check labels, one whole number 0 to num_classes - 1 for each of `count` images; returns int32 `(N,)`."""
    try:
        labels = np.asarray(labels)
    except (ValueError, TypeError) as error:
        raise ValueError(f"labels: expected one array of whole numbers; {error}") from None
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels: expected whole numbers 0 to {num_classes - 1}, got {labels.dtype} {labels.shape}")
    if labels.ndim == 2 and labels.shape[1] == 1:  # as some data sets come
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) == 0 or len(labels) != (len(labels) if count is None else count):
        wanted = "(N,)" if count is None else f"({count},), one for each image"
        raise ValueError(f"labels: expected whole numbers of shape {wanted}, got {labels.shape}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels: expected classes 0 to {num_classes - 1}, got {labels.min()} to {labels.max()}")
    return labels.astype("int32")


def check_conditional(generator):
    """Check that a generator can be asked for a class."""
    shapes = getattr(generator, "input_shape", None)
    if not isinstance(shapes, (list, tuple)) or [np.ndim(shape) for shape in shapes] != [1, 1]:
        raise ValueError(
            "generator: expected a conditional one, which takes latent points (batch, latent_dim) and class vectors "
            f"(batch, num_classes), got inputs {shapes}"
        )


def check_vectors(labels, noise, num_classes, latent_dim):
    """Check what a conditional generator is asked for: labels `(N,)` or class vectors `(N, num_classes)`, and noise."""
    if np.ndim(labels) == 2 and np.shape(labels)[1] != 1:
        labels = check_features(labels, "labels").astype("float32")
        if labels.shape[1] != num_classes:
            raise ValueError(f"labels: expected class vectors (N, {num_classes}), got {labels.shape}")
    else:
        labels = check_labels(labels, num_classes)
    if noise is not None and len(noise := check_noise(noise, latent_dim)) != len(labels):
        raise ValueError(f"noise: expected {len(labels)} latent points, one for each label, got {len(noise)}")
    return labels, noise


def check_classes(generator, discriminator):
    """Check that both networks take class vectors of the same size as their second input, and return that size."""
    sizes = []
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        (_, vectors), _ = network_shapes(network, name, inputs=2)
        label = vectors[-1] == 1 and any(isinstance(step, layers.Embedding) for step in steps_back(network))
        if len(vectors) != 2 or vectors[1] is None or label:
            raise ValueError(
                f"{name}: expected class vectors (batch, num_classes) as its second input, got {vectors}; in place "
                "of a label that goes through Embedding(num_classes, units), let the vector go through "
                "Dense(units, use_bias=False), which is the same"
            )
        sizes.append(vectors[1])
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"discriminator: expected {sizes[0]} classes (num_classes) as the generator has, got {sizes[1]}; "
            "class vectors are the second input of both, after noise or images"
        )
    return sizes[0]


def check_judged(images, judge):
    """Check that a judge can look at images and has a layer before its last; returns the images as an array."""
    check_channels_last()
    (seen,), _ = network_shapes(judge, "judge")
    if len(judge.layers) < 2:
        raise ValueError("judge: expected at least two layers; the features are what the last but one gives")
    return check_images(images, image_shape=seen[1:])


def check_policy(policy, known):
    """Check the names of alterations; returns those of `known` that are asked for, in its order."""
    names = [policy] if isinstance(policy, str) else list(policy)
    if wrong := [name for name in names if name not in known]:
        raise ValueError(f"policy: expected some of {', '.join(known)}, got {wrong[0]!r}")
    return [name for name in known if name in names]


def check_seed(seed):
    """A generator of seeds for several draws: with one number, `keras.random` would draw the same each time."""
    return keras.random.SeedGenerator(int(seed)) if isinstance(seed, (int, np.integer)) else seed

"""What the notebooks say in a sentence and cannot establish in a cell: over seeds, against controls, in long runs.

The quick claims belong to `make test`; those marked `slow` run with `make claims`, and every week.
"""

import numpy as np
import pytest

from gan_keras.data import load_mnist, sample_noise
from gan_keras.models import build_combined, build_discriminator, build_generator
from gan_keras.training import step_on_batch, train, train_generator


@pytest.mark.slow
def test_both_accuracies_read_low():
    """06: "Both accuracies read low, because each is taken right after an update that pulled D the other way"."""
    images, test = load_mnist(), load_mnist("test")[:500]
    generator, discriminator = build_generator(), build_discriminator()
    combined = build_combined(generator, discriminator)
    train(generator, discriminator, combined, images, steps=1500, seed=1)
    rng, seen = np.random.default_rng(0), []

    def look(fresh):
        on_real, on_fake = (discriminator.predict_on_batch(batch) > 0.5 for batch in (test, fresh))
        return on_real.mean(), 1 - on_fake.mean()

    for _ in range(50):
        real = images[rng.integers(0, len(images), 32)]
        fake, fresh = (generator.predict_on_batch(sample_noise(n, seed=rng)) for n in (32, 500))
        looks = [look(fresh)]
        for batch, target in ((real, np.ones), (fake, np.zeros)):
            step_on_batch(discriminator, batch, target((32, 1)))
            looks.append(look(fresh))
        train_generator(combined, sample_noise(32, seed=rng))
        seen.append(looks)
    before, between, after = np.mean(seen, axis=0)
    assert before[0] < between[0] - 0.05, "real images are judged right after D's step on fakes, and G's"
    assert between[1] < min(before[1], after[1]) - 0.05, "fakes are judged right after D's step on real images"

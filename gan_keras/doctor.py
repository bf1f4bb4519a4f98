"""Is your GAN dead? Try a step of each player on anyone's compiled pair, and put everything back."""

from dataclasses import dataclass

import keras

from gan_keras._plumbing.checks import BINARY, CATEGORICAL, named_loss
from gan_keras._plumbing.trial import AS_IT_IS, FLAG_SET, TOO_LATE, try_steps

NAMES = {"D": "discriminator", "G": "combined"}
LOOP = """\
discriminator.trainable = True
discriminator.train_on_batch(images, labels)
discriminator.trainable = False
combined.train_on_batch(noise, ones)
discriminator.trainable = True  # so that a later fit trains D, too"""
COMPILE = '{0}.compile(keras.optimizers.Adam(2e-4, beta_1=0.5), loss="binary_crossentropy")'
FORGET = "{0}.make_train_function(force=True)  # once: Keras forgets what it has recorded\n"
UNFREEZE = "{0}.trainable = False  # once: True set on True reaches no frozen layer\n{0}.trainable = True\n"

FINDINGS = {  # what is wrong, worst first
    "not_compiled": "{0} cannot train: it has no optimizer or no loss.",
    "shared_optimizer": "The models share one optimizer, which knows only the weights of the player that moves first, "
    'and stops with "Unknown variable" at the other. Give each its own.',
    "other_discriminator": "This discriminator is not the one in the combined model: G meets one that never trains.",
    "step_fails": "A step stops with an error: {0}",
    "recorded_frozen": "This discriminator never learns at batch size {1}: its step was recorded while it was frozen.",
    "layers_frozen": "This discriminator never learns, even with its flag set: its layers are frozen one by one, or "
    "its learning rate is 0.",
    "one_batch_size": "This discriminator learns at batch size {0} only, where its step was recorded before it was "
    "frozen, and at no other, such as that of an epoch's last batch.",
    "discriminator_dead": "This discriminator never learns: it is frozen, and Keras 3 looks at that when a step first "
    "runs, not at compile.\nIf your loop sets the flag before each step, as below, this does not matter.",
    "not_frozen": "This discriminator is trained by G's step, too, to call fakes real, at batch size {1}: that step "
    "was recorded while D was free.",
    "generator_frozen": "This generator never learns at batch size {1}: it is frozen, or was when its step was "
    "recorded, or its learning rate is 0.",
    "categorical": "The loss of {0} is one for several classes: of D's one output it learns nothing.",
    "loss_does_not_fit": "The loss expects {0}, but D answers {1:.2g} to {2:.2g}: "
    "from_logits is False after a sigmoid, else True.",
}
WRITE = {  # instead
    "not_compiled": COMPILE,
    "shared_optimizer": COMPILE,
    "other_discriminator": "combined = keras.Model(noise, discriminator(generator(noise)))  # then compile it",
    "recorded_frozen": FORGET + LOOP,
    "layers_frozen": UNFREEZE + LOOP,
    "one_batch_size": LOOP,
    "discriminator_dead": LOOP,
    "not_frozen": FORGET + LOOP,
    "generator_frozen": UNFREEZE + FORGET + LOOP,
    "categorical": COMPILE,
    "loss_does_not_fit": "loss = keras.losses.BinaryCrossentropy(from_logits=...)",
}
NOTES = {  # what is good to know
    "freeze_first": "D is free now. Before you call combined.train_on_batch yourself, set discriminator.trainable = "
    "False, or G's step moves D, too.",
    "frozen_now": "D is frozen now. Set discriminator.trainable = True before its next step.",
    "batch_normalization": "D has BatchNormalization, which works differently in a frozen D: G trains against another "
    "D than the one that judges.",
}


@dataclass(frozen=True, repr=False)
class Report:
    """What `examine` found: `print` shows it in words."""

    findings: dict  # what is wrong: short names to sentences
    notes: dict  # what is good to know: likewise
    advice: str  # what to write instead
    moved: dict  # ("as it is" or "flag set", step "D" or "G", batch size): "D", "G", "D and G", "nothing", "error: ..."
    recorded: set  # (step, batch size) where Keras had recorded the step
    sets_flag: bool = False  # whether only the steps after setting the flag are shown, because the loop takes no other

    @property
    def healthy(self):
        """Whether nothing is wrong; notes do not count."""
        return not self.findings

    def __repr__(self):
        """One line, so that a notebook does not show the printed report twice."""
        return f"Report(healthy={self.healthy}, findings={list(self.findings)}, notes={list(self.notes)})"

    def __str__(self):
        lines = list(self.findings.values()) or ["Nothing is wrong with this pair: each player learns in its own step."]
        lines += [f"Note: {note}" for note in self.notes.values()]
        sizes = dict.fromkeys(size for _, _, size in self.moved)

        def row(setting, step):
            who = [self.moved[setting, step, n].split(":")[0] + "*" * ((step, n) in self.recorded) for n in sizes]
            return "".join(cell.replace("error", "stops").ljust(13) for cell in who) + step

        if sizes:
            head = "".join(f"batch of {size}".ljust(13) for size in sizes)
            lines += ["", "who moves in".ljust(40) + head + "should be"]
        first = FLAG_SET if self.sets_flag else AS_IT_IS
        for step in dict.fromkeys(step for _, step, _ in self.moved):
            lines.append(f"{NAMES[step]}.train_on_batch".ljust(40) + row(first, step))
            if row(FLAG_SET, step) != row(first, step):
                lines.append(f"  after discriminator.trainable = {step == 'D'}".ljust(40) + row(FLAG_SET, step))
        if self.recorded:
            lines.append("* recorded at the first batch of that size, and repeated whatever the flag says")
        return "\n".join(lines) + (f"\n\nWrite instead:\n{self.advice}" if self.advice else "")


def _judge(discriminator, combined, moved, recorded, answers, sets_flag):
    """Yield what is wrong or good to know: names, and what their sentences tell."""

    def sizes(setting, step, *wanted, records=(True, False)):
        """At which batch sizes it was one of these who moved, in words; an empty string if at none."""
        found = [n for (*key, n), who in moved.items() if key == [setting, step] and who.split(":")[0] in wanted]
        return " and ".join(str(n) for n in found if ((step, n) in recorded) in records)

    tried = {step for _, step, _ in moved}
    for step, model in (("D", discriminator), ("G", combined)):
        loss = model.loss if step in tried else None
        if step not in tried:
            yield "not_compiled", [NAMES[step]]
        loss = named_loss(loss)
        if isinstance(loss, CATEGORICAL) and combined.output_shape[-1] == 1:
            yield "categorical", [NAMES[step]]
        low, high = answers[step]
        if isinstance(loss, BINARY) and loss.from_logits != (low < 0 or high > 1):
            yield "loss_does_not_fit", ["logits" if loss.from_logits else "probabilities", low, high]
    shared = len(tried) == 2 and discriminator.optimizer is combined.optimizer
    if shared:
        yield "shared_optimizer", ["combined"]
    if not {id(weight) for weight in discriminator.weights} <= {id(weight) for weight in combined.weights}:
        yield "other_discriminator", []
    errors = {who for (setting, *_), who in moved.items() if setting == FLAG_SET and who.startswith("error")}
    late = any(who.endswith(TOO_LATE) for who in errors)
    errors = sorted(who.removeprefix("error: ") for who in errors if not who.endswith(TOO_LATE))
    if errors and not shared:
        yield "step_fails", [" ".join(errors)]

    frozen = sizes(AS_IT_IS, "D", "nothing", records=[False])
    alive = sizes(AS_IT_IS, "D", "D", records=[True])
    dead = sizes(FLAG_SET, "D", "nothing", records=[True]) or (late and sizes(FLAG_SET, "D", "error"))
    if dead:
        yield "recorded_frozen", ["discriminator", dead]
    elif sizes(FLAG_SET, "D", "nothing"):
        yield "layers_frozen", ["discriminator"]
    elif sets_flag or not frozen:
        pass
    elif alive and any(step == "G" for step, _ in recorded):  # the two have trained, so a loop sets the flag
        yield "frozen_now", []
    else:
        yield ("one_batch_size", [alive]) if alive else ("discriminator_dead", [])

    if both := sizes(FLAG_SET, "G", "D", "D and G"):
        yield "not_frozen", ["combined", both]
    elif still := sizes(FLAG_SET, "G", "nothing"):
        yield "generator_frozen", ["combined", still]
    elif sizes(AS_IT_IS, "G", "D", "D and G", "error", records=[False]) and not (sets_flag or shared or errors):
        yield "freeze_first", []

    if any(v.path.endswith("moving_mean") for v in discriminator.non_trainable_variables):
        yield "batch_normalization", []


def examine(discriminator, combined, sets_flag=False, verbose=True):
    """Try a step of D and a step of G of a compiled pair, as it is and with D's flag set, and say what is wrong.

    The pair is healthy if, with `discriminator.trainable` set right before each step, D's step moves D only and G's
    moves G only. A D that is handed over frozen counts as dead, unless the two have trained already. Weights, seeds,
    optimizers, metrics, flags and what Keras has recorded are afterwards what they were.

    Args:
        discriminator: a compiled `keras.Model`, images `(batch, height, width, channels)` to a verdict.
        combined: a compiled `keras.Model` with declared inputs: G, then this discriminator.
        sets_flag: True if your own loop sets `discriminator.trainable` right before each step.
        verbose: whether to print the report.

    Returns:
        A `Report`; its `healthy`, `findings` and `advice` say what was printed.

    Raises:
        ValueError: if an argument is not a built Keras model, or if the combined model does not declare its inputs.
        RuntimeError: if this version of Keras hides what is needed to put everything back.
    """
    for name, model in (("discriminator", discriminator), ("combined", combined)):
        if not isinstance(model, keras.Model):
            raise ValueError(f"{name}: expected a keras.Model, got {type(model).__name__}")
        if not model.built or not model.weights:
            raise ValueError(f"{name}: it has no weights yet; begin it with keras.Input, or call it on a batch")
    if discriminator is combined:
        raise ValueError("combined: expected the model of G and D, got the discriminator itself")
    if not hasattr(combined, "inputs") or not (hasattr(discriminator, "inputs") or discriminator in combined.layers):
        raise ValueError("combined: it must declare its inputs, as keras.Model(noise, discriminator(generator(noise)))")
    models = {"D": discriminator, "G": combined}
    steps = [step for step, model in models.items() if model.compiled and model.optimizer and model.loss]
    moved, recorded, answers = try_steps(discriminator, combined, steps)
    told = {}  # names to what their sentences tell; of both models, if both have the same fault
    for name, words in _judge(discriminator, combined, moved, recorded, answers, sets_flag):
        told.setdefault(name, []).append(words)

    def sentences(name, sentence):
        return dict.fromkeys(sentence.format(*words) for words in told[name])

    findings = {name: "\n".join(sentences(name, sentence)) for name, sentence in FINDINGS.items() if name in told}
    notes = {name: NOTES[name] for name in NOTES if name in told}
    codes = [code for name in findings if name in WRITE for code in sentences(name, WRITE[name])]
    once = [code.removesuffix(LOOP).strip() for code in codes if code != LOOP]
    advice = "\n".join(once + [LOOP] * any(code.endswith(LOOP) for code in codes))
    report = Report(findings, notes, advice, moved, recorded, sets_flag)
    if verbose:
        print(report)
    return report

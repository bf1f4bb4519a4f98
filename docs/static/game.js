// Notebook 01's smallest GAN: a bell curve walks onto another. The same four layers, losses and optimizer as there,
// without a library; tests/test_site.py compares it with Keras. Nothing here knows of the page.

export const REAL = { centre: 4, spread: 1 };
const UNITS = 32;
const BATCH = 128; // numbers of each kind in a round

/** Random numbers that a seed repeats: `uniform()` in [0, 1), `normal()` from a bell around 0 with a spread of 1. */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0; // mulberry32
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

/** Keras's Adam for a list of arrays of weights. */
class Adam {
  constructor(rate) {
    Object.assign(this, { rate, beta1: 0.5, beta2: 0.999, epsilon: 1e-7, step: 0, moments: null });
  }

  apply(gradients, weights) {
    this.moments ??= weights.map((w) => [new Float64Array(w.length), new Float64Array(w.length)]);
    this.step += 1;
    const rate = (this.rate * Math.sqrt(1 - this.beta2 ** this.step)) / (1 - this.beta1 ** this.step);
    weights.forEach((w, n) => {
      const [mean, square] = this.moments[n];
      for (let i = 0; i < w.length; i++) {
        const g = gradients[n][i];
        mean[i] += (1 - this.beta1) * (g - mean[i]);
        square[i] += (1 - this.beta2) * (g * g - square[i]);
        w[i] -= (rate * mean[i]) / (Math.sqrt(square[i]) + this.epsilon);
      }
    });
  }
}

export class Game {
  constructor(seed = 1) {
    this.random = randomNumbers(seed);
    const glorot = (inputs, outputs) => {
      const limit = Math.sqrt(6 / (inputs + outputs));
      return Float64Array.from({ length: inputs * outputs }, () => limit * (2 * this.random.uniform() - 1));
    };
    const zeros = (count) => new Float64Array(count);
    this.generator = [Float64Array.of(1), zeros(1)]; // G(z) = a z + b: the spread and the centre of the forged bell
    this.discriminator = [
      ...[glorot(1, UNITS), zeros(UNITS)],
      ...[glorot(UNITS, UNITS), zeros(UNITS)],
      ...[glorot(UNITS, 1), zeros(1)],
    ]; // kernels and biases, in the order of Keras's get_weights()
    this.dAdam = new Adam(5e-3);
    this.gAdam = new Adam(3e-3);
    this.rounds = 0;
  }

  /** G(z): forged numbers. */
  forge(z) {
    const [[a], [b]] = this.generator;
    return Float64Array.from(z, (one) => a * one + b);
  }

  /** D(x): the probability that a number is real. */
  answer(x) {
    const [first, second] = [new Float64Array(UNITS), new Float64Array(UNITS)];
    return Float64Array.from(x, (one) => this.#forward(one, first, second));
  }

  #forward(x, first, second) {
    const [w1, b1, w2, b2, w3, b3] = this.discriminator;
    second.set(b2);
    for (let i = 0; i < UNITS; i++) {
      first[i] = Math.tanh(w1[i] * x + b1[i]);
      for (let j = 0; j < UNITS; j++) second[j] += first[i] * w2[i * UNITS + j];
    }
    let sum = b3[0];
    for (let j = 0; j < UNITS; j++) {
      second[j] = Math.tanh(second[j]);
      sum += second[j] * w3[j];
    }
    return 1 / (1 + Math.exp(-sum));
  }

  /** Back through D from the mean binary cross-entropy of answers to x with one label: adds to the gradients of D's
   * weights, times `scale`, and returns the gradient of each x. */
  #backward(x, label, scale, gradients) {
    const [w1, , w2, , w3] = this.discriminator;
    const [d1, e1, d2, e2, d3, e3] = gradients;
    const [first, second] = [new Float64Array(UNITS), new Float64Array(UNITS)];
    const [back, onSecond] = [new Float64Array(UNITS), new Float64Array(UNITS)];
    return Float64Array.from(x, (one) => {
      const p = this.#forward(one, first, second);
      const clipped = p < 1e-7 || p > 1 - 1e-7; // as Keras does, so that no logarithm is infinite
      const slope = clipped ? 0 : (scale * (p - label)) / x.length;
      e3[0] += slope;
      for (let j = 0; j < UNITS; j++) {
        d3[j] += slope * second[j];
        onSecond[j] = slope * w3[j] * (1 - second[j] * second[j]);
        e2[j] += onSecond[j];
      }
      let onX = 0;
      for (let i = 0; i < UNITS; i++) {
        let s = 0;
        for (let j = 0; j < UNITS; j++) {
          d2[i * UNITS + j] += first[i] * onSecond[j];
          s += w2[i * UNITS + j] * onSecond[j];
        }
        back[i] = s * (1 - first[i] * first[i]);
        d1[i] += back[i] * one;
        e1[i] += back[i];
        onX += back[i] * w1[i];
      }
      return onX;
    });
  }

  #noGradients() {
    return this.discriminator.map((w) => new Float64Array(w.length));
  }

  /** D's move: say 1 to real numbers and 0 to forged ones. */
  policeLearn(real, fake) {
    const gradients = this.#noGradients();
    this.#backward(real, 1, 0.5, gradients);
    this.#backward(fake, 0, 0.5, gradients);
    this.dAdam.apply(gradients, this.discriminator);
  }

  /** G's move: make numbers to which D says 1. D stays as it is. */
  counterfeiterLearns(z) {
    const onX = this.#backward(this.forge(z), 1, 1, this.#noGradients());
    const onA = onX.reduce((sum, g, i) => sum + g * z[i], 0);
    const onB = onX.reduce((sum, g) => sum + g, 0);
    this.gAdam.apply([[onA], [onB]], this.generator);
  }

  /** One round: both move, D first. */
  round() {
    const noise = () => Float64Array.from({ length: BATCH }, this.random.normal);
    const real = noise().map((one) => REAL.centre + REAL.spread * one);
    this.policeLearn(real, this.forge(noise()));
    this.counterfeiterLearns(noise());
    this.rounds += 1;
  }
}

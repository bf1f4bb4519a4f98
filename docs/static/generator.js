// Notebook 14's generator, run by onnxruntime-web. Nothing here knows of the page; tests/test_site.py runs it, too.
import { randomNumbers } from "./game.js";

export const SIDE = 28; // pixels
const LATENT = 100;
const DIGITS = 10;

/** A network from the bytes of an ONNX file. `ort` is onnxruntime-web; its .wasm lies in the folder `runtime`. */
export async function load(ort, runtime, bytes) {
  ort.env.wasm.wasmPaths = runtime;
  ort.env.wasm.numThreads = 1; // more need headers that a plain file server does not send
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  return { ort, session, last: Promise.resolve() };
}

/** Class vectors: 1 at the digit, 0 elsewhere. */
export function classVectors(digits) {
  return Float32Array.from({ length: DIGITS * digits.length }, (_, i) => +(digits[Math.floor(i / DIGITS)] === i % DIGITS));
}

/** Images for latent points and class vectors, one after the other: values in [-1, 1], 784 for each image. */
export function draw(network, noise, vectors) {
  const { ort, session } = network;
  const count = noise.length / LATENT;
  const inputs = {
    noise: new ort.Tensor("float32", noise, [count, LATENT]),
    vectors: new ort.Tensor("float32", vectors, [count, DIGITS]),
  };
  // The runtime draws one batch at a time.
  const images = network.last.then(() => session.run(inputs)).then((outputs) => outputs[session.outputNames[0]].data);
  network.last = images.catch(() => {});
  return images;
}

/** A latent point, the same for the same seed. */
export function latentPoint(seed, scale = 1) {
  const { normal } = randomNumbers(seed);
  return Float32Array.from({ length: LATENT }, () => scale * normal());
}

/** A place on the globe that three latent points span; both angles in degrees.
 *
 * All places are as far from the middle as latent points usually are. */
export function place(globe, east, north) {
  const [x, y] = [(east * Math.PI) / 180, (north * Math.PI) / 180];
  const shares = [Math.cos(y) * Math.cos(x), Math.cos(y) * Math.sin(x), Math.sin(y)];
  return Float32Array.from(globe[0], (_, i) => shares.reduce((sum, share, n) => sum + share * globe[n][i], 0));
}

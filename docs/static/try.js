// The page that draws: connects docs/try.md with generator.js and game.js.
import { Game, REAL, randomNumbers } from "./game.js";
import { SIDE, classVectors, draw, latentPoint, load, place } from "./generator.js";

const find = (id) => document.getElementById(id);
const here = (name) => new URL(name, import.meta.url).href;

// Tiles. White ink with the image as its transparency; site.css turns it black on light pages.

function tile(width, ink) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, SIDE];
  const pixels = new ImageData(width, SIDE);
  for (let i = 0; i < width * SIDE; i++) pixels.data.set([255, 255, 255, 255 * ink(i % width, Math.floor(i / width))], 4 * i);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  canvas.style.setProperty("--width", width / SIDE);
  return canvas;
}

const imageTile = (images, n) => tile(SIDE, (x, y) => (images[(n * SIDE + y) * SIDE + x] + 1) / 2);
const across = (x, y) => y >= 13 && y < 15 && x >= 6 && x < 18;
const upright = (x, y) => x >= 11 && x < 13 && y >= 8 && y < 20;
const SIGNS = {
  " ": () => tile(16, () => 0),
  "-": () => tile(24, (x, y) => +across(x, y)),
  "+": () => tile(24, (x, y) => +(across(x, y) || upright(x, y))),
};

// Write a number

let hands = 1; // a seed
let orders = 0;

async function write(network) {
  const order = ++orders;
  const text = [...find("number").value.replace(/[−–]/g, "-")];
  const known = text.filter((sign) => sign in SIGNS || /[0-9]/.test(sign));
  const digits = known.filter((sign) => !(sign in SIGNS)).map(Number);
  const scale = Number(find("variety").value);
  const noise = digits.map((_, i) => latentPoint(1000 * hands + i, scale)); // a digit stays while more are typed
  const images = digits.length ? await draw(network, joined(noise), classVectors(digits)) : [];
  if (order !== orders) return; // there is a newer one
  let n = 0;
  find("written").replaceChildren(...known.map((sign) => (SIGNS[sign] ?? (() => imageTile(images, n++)))()));
  const name = known.join("").trim();
  find("written").setAttribute("aria-label", name ? `${name}, written by the generator` : "No number yet");
  const rest = known.length < text.length ? " It writes digits, spaces, + and − only." : "";
  find("write-status").textContent = (name ? `Written: ${name}.` : "Type a number.") + rest;
}

function joined(points) {
  const all = new Float32Array(100 * points.length);
  points.forEach((point, i) => all.set(point, 100 * i));
  return all;
}

// Walk through latent space

let globe = 1; // a seed
let steps = 0;

async function walk(network) {
  const step = ++steps;
  const [east, north] = [Number(find("east").value), Number(find("north").value)];
  const point = place([0, 1, 2].map((n) => latentPoint(3e6 + 3 * globe + n)), east, north);
  const images = await draw(network, joined(Array(10).fill(point)), classVectors([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  if (step !== steps) return;
  find("hand").replaceChildren(...Array.from({ length: 10 }, (_, n) => imageTile(images, n)));
  find("hand").setAttribute("aria-label", `The digits 0 to 9 by one hand, at ${east}° east and ${north}° north`);
}

/** Show a slider's value beside it, in words that a screen reader says, too. */
function slider(id, words, changed) {
  const show = () => {
    find(`${id}-is`).textContent = words(Number(find(id).value));
    find(id).setAttribute("aria-valuetext", words(Number(find(id).value)));
  };
  find(id).addEventListener("input", () => {
    show();
    changed();
  });
  show();
}

async function startDrawing() {
  const model = fetch(here("generator.onnx")).then((answer) => {
    if (!answer.ok) throw new Error(`generator.onnx: ${answer.status}`);
    return answer.arrayBuffer();
  });
  const [ort, bytes] = await Promise.all([import(here("ort/ort.wasm.min.mjs")), model]);
  const network = await load(ort, here("ort/"), new Uint8Array(bytes));
  const [writeNow, walkNow] = [() => write(network), () => walk(network)];
  find("number").addEventListener("input", writeNow);
  find("other-hands").addEventListener("click", () => (hands++, writeNow()));
  find("other-globe").addEventListener("click", () => (globe++, walkNow()));
  slider("variety", (value) => value.toFixed(1), writeNow);
  slider("east", (value) => `${value}°`, walkNow);
  slider("north", (value) => `${value}°`, walkNow);
  await writeNow();
  await walkNow();
}

// The game of the bell curve

const RATES = [0.0001, 0.0003, 0.001, 0.003, 0.005, 0.01, 0.03, 0.1];
const [LOW, HIGH, BINS, TOP] = [-4, 9, 65, 1.05];
const LATENT = Float64Array.from({ length: 5000 }, randomNumbers(7).normal);
const AXIS = Array.from({ length: 131 }, (_, i) => LOW + i / 10);
const right = (x) => 40 + (430 * (x - LOW)) / (HIGH - LOW);
const up = (y) => 250 - (240 * Math.min(y, TOP)) / TOP;
const line = (xs, ys) => "M" + Array.from(xs, (x, i) => `${right(x).toFixed(1)} ${up(ys[i]).toFixed(1)}`).join("L");

let game;
let playing = false;

function heap(numbers) {
  const [width, heights] = [(HIGH - LOW) / BINS, new Float64Array(BINS)];
  for (const x of numbers) {
    const bin = Math.floor((x - LOW) / width);
    if (bin >= 0 && bin < BINS) heights[bin] += 1 / (numbers.length * width);
  }
  const tops = Array.from(heights, (h, i) => `V${up(h).toFixed(1)}H${right(LOW + (i + 1) * width).toFixed(1)}`);
  return `M${right(LOW)} ${up(0)}${tops.join("")}V${up(0)}Z`;
}

function showGame() {
  const forged = game.forge(LATENT);
  find("forged").setAttribute("d", heap(forged));
  find("answers").setAttribute("d", line(AXIS, game.answer(AXIS)));
  const centre = forged.reduce((sum, x) => sum + x, 0) / forged.length;
  const spread = Math.sqrt(forged.reduce((sum, x) => sum + (x - centre) ** 2, 0) / forged.length);
  const middle = game.answer(AXIS.filter((x) => Math.abs(x - REAL.centre) < 2));
  const [least, most] = [Math.min(...middle), Math.max(...middle)].map((x) => x.toFixed(2));
  find("score").textContent =
    `After ${game.rounds.toLocaleString("en")} rounds the forged numbers have the centre ${centre.toFixed(2)} and the spread ` +
    `${spread.toFixed(2)} (the real ones 4 and 1). Between 2 and 6, D answers ${least} to ${most}.`;
}

function setPlaying(now) {
  playing = now;
  find("play").textContent = now ? "Pause" : "Play";
  if (now) requestAnimationFrame(frame);
  else find("game-status").textContent = find("score").textContent; // a screen reader hears it at each stop
}

function frame() {
  if (!playing) return;
  const end = performance.now() + 12;
  for (let n = 0; n < 5 && performance.now() < end; n++) game.round();
  showGame();
  requestAnimationFrame(frame);
}

function setRates() {
  game.dAdam.rate = RATES[find("d-rate").value];
  game.gAdam.rate = RATES[find("g-rate").value];
}

function startAgain() {
  game = new Game(1); // the same start, so that only the learning rates make a difference
  setRates();
  showGame();
}

function drawAxes() {
  const bell = AXIS.map((x) => Math.exp(-((x - REAL.centre) ** 2) / 2) / Math.sqrt(2 * Math.PI));
  find("real").setAttribute("d", line(AXIS, bell));
  const text = (x, y, words, anchor) => `<text x="${x}" y="${y}" text-anchor="${anchor}">${words}</text>`;
  const below = [-4, -2, 0, 2, 4, 6, 8].map((x) => text(right(x), 268, String(x).replace("-", "−"), "middle"));
  const left = [0, 0.5, 1].map((y) => text(34, up(y) + 5, y, "end"));
  const edges = `<path d="M40 ${up(1.05)}V250H470"></path>`;
  find("axes").innerHTML = [edges, ...below, ...left, text(255, 286, "x, a number", "middle")].join("");
}

function startGame() {
  drawAxes();
  slider("d-rate", (value) => String(RATES[value]), setRates);
  slider("g-rate", (value) => String(RATES[value]), setRates);
}

startGame();
startAgain();
find("play").addEventListener("click", () => setPlaying(!playing));
find("one-round").addEventListener("click", () => {
  game.round();
  showGame();
  setPlaying(false);
});
find("start-again").addEventListener("click", () => {
  startAgain();
  setPlaying(false);
});
startDrawing().catch((error) => {
  find("write-status").textContent = `Your browser could not start the network (${error.message}).`;
});

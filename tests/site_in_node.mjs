// What the website's page computes, for tests/test_site.py: `node site_in_node.mjs draw|game|play RUNTIME`, JSON in and out.
import { readFileSync } from "node:fs";
import { Game } from "../docs/static/game.js";
import { draw, latentPoint, load, place } from "../docs/static/generator.js";

const [what, runtime] = process.argv.slice(2);
const given = JSON.parse(readFileSync(0, "utf8"));

const tasks = {
  /** Images of latent points and class vectors, by the runtime that the page uses. */
  async draw() {
    const ort = await import(new URL("ort.wasm.min.mjs", runtime));
    const model = readFileSync(new URL("../docs/static/generator.onnx", import.meta.url));
    const network = await load(ort, runtime, new Uint8Array(model));
    return Array.from(await draw(network, Float32Array.from(given.noise), Float32Array.from(given.vectors)));
  },
  /** Weights and answers after the rounds whose numbers are given. */
  game() {
    const game = new Game();
    game.discriminator = given.discriminator.map((weights) => Float64Array.from(weights));
    for (const { real, first, second } of given.rounds) {
      game.policeLearn(real, game.forge(first));
      game.counterfeiterLearns(second);
    }
    return [...game.discriminator, ...game.generator, game.answer(given.x)].map((numbers) => Array.from(numbers));
  },
  /** A game that plays alone, and places on a globe. */
  play() {
    const game = new Game(given.seed);
    for (let n = 0; n < given.rounds; n++) game.round();
    const globe = [1, 2, 3].map((seed) => latentPoint(seed));
    const lengths = given.places.map(([east, north]) => Math.hypot(...place(globe, east, north)));
    return { weights: game.generator.map(([one]) => one), lengths, answers: Array.from(game.answer(given.x)) };
  },
};
console.log(JSON.stringify(await tasks[what]()));

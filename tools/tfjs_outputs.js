// Prints what TensorFlow.js itself gives for a graph model and a fixed input, as JSON.
// node tfjs_outputs.js TF_JS MODEL_JSON WEIGHTS OUTPUT...     (input: see tfjs_parity.py)
"use strict";
const fs = require("node:fs");

const [library, description, weights, ...outputs] = process.argv.slice(2);
const tf = require(library);

function fixedInput(shape) {
  const count = shape.reduce((a, b) => a * b, 1);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    values[i] = (Math.imul(i + 1, 2654435761) >>> 8) / 2 ** 23 - 1;
  }
  return tf.tensor(values, shape);
}

async function main() {
  await tf.setBackend("cpu");
  const model = JSON.parse(fs.readFileSync(description));
  const bytes = fs.readFileSync(weights);
  const graph = await tf.loadGraphModel({
    load: async () => ({
      modelTopology: model.modelTopology,
      format: model.format,
      weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
      weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
    }),
  });
  const input = fixedInput(graph.inputs[0].shape);
  const tensors = graph.execute({ [graph.inputs[0].name]: input }, outputs);
  const answer = {};
  [tensors].flat().forEach((tensor, i) => {
    answer[outputs[i]] = { shape: tensor.shape, values: Array.from(tensor.dataSync()) };
  });
  process.stdout.write(JSON.stringify({ version: tf.version_core, outputs: answer }));
}

main();

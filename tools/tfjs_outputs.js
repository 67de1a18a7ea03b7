// Prints what TensorFlow.js itself gives for a graph model, as JSON: one object an input.
// node tfjs_outputs.js TF_JS MODEL_JSON WEIGHTS INPUTS OUTPUT...
// INPUTS holds float32 tensors of the model's input shape, one after another.
"use strict";
const fs = require("node:fs");

const [library, description, weights, inputs, ...outputs] = process.argv.slice(2);
const tf = require(library);

function bytesOf(path) {
  const bytes = fs.readFileSync(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}

async function main() {
  await tf.setBackend("cpu");
  const model = JSON.parse(fs.readFileSync(description));
  const graph = await tf.loadGraphModel({
    load: async () => ({
      modelTopology: model.modelTopology,
      format: model.format,
      weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
      weightData: bytesOf(weights),
    }),
  });
  const { name, shape } = graph.inputs[0];
  const values = new Float32Array(bytesOf(inputs));
  const size = shape.reduce((a, b) => a * b, 1);
  const answers = [];
  for (let start = 0; start < values.length; start += size) {
    const input = tf.tensor(values.subarray(start, start + size), shape);
    const tensors = [graph.execute({ [name]: input }, outputs)].flat();
    const answer = {};
    tensors.forEach((tensor, i) => {
      answer[outputs[i]] = { shape: tensor.shape, values: Array.from(tensor.dataSync()) };
    });
    answers.push(answer);
  }
  process.stdout.write(JSON.stringify(answers));
}

main();

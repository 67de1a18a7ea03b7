// The scripted deliveries: each fills its cell and returns the bytes that the page received.
"use strict";

const group = document.body.dataset.set;

function part(cell) {
  const [delivery, copy] = cell.id.split("/");
  const url = (transport, more = "") => `/m/${transport}/${group}/${copy}?for=${delivery}${more}`;
  return { delivery, copy, url, size: Number(cell.dataset.size), type: cell.dataset.type };
}

async function shown(cell, source) {
  const image = new Image();
  image.src = source;
  cell.append(image);
  await image.decode();
}

async function blobbed(cell, buffer, type) {
  await shown(cell, URL.createObjectURL(new Blob([buffer], { type })));
  return buffer;
}

function drawn(cell, bitmap) {
  const canvas = document.createElement("canvas");
  canvas.width = 40;
  canvas.height = 30;
  cell.append(canvas);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, 40, 30);
}

const buffered = async (url, options) => (await fetch(url, options)).arrayBuffer();

function joined(parts) {
  return new Blob(parts).arrayBuffer();
}

function decoded(text) {
  const clear = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(clear), (letter) => letter.charCodeAt(0)).buffer;
}

async function inlined(cell, url) {
  await shown(cell, url);
  return decoded(url.slice(url.indexOf(",") + 1));
}

async function fromJson(cell, style) {
  const { url, type } = part(cell);
  const answer = await (await fetch(url("json", `&style=${style}`))).json();
  if (answer.file) return inlined(cell, answer.file);
  return blobbed(cell, decoded(answer.content), type);
}

async function ranges(cell) {
  const { url, type } = part(cell);
  const first = await fetch(url("ranged"), { headers: { Range: "bytes=0-2999" } });
  const start = await first.arrayBuffer();
  if (first.status === 200) return blobbed(cell, start, type);
  const rest = await buffered(url("ranged"), { headers: { Range: "bytes=3000-" } });
  return blobbed(cell, await joined([start, rest]), type);
}

async function pieces(cell, transport) {
  const { url, size, type } = part(cell);
  const start = await buffered(url(transport, "&first=0&last=2999"));
  const rest = await buffered(url(transport, `&first=3000&last=${size - 1}`));
  return blobbed(cell, await joined([start, rest]), type);
}

function messages(mode, cell) {
  const { copy } = part(cell);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${location.host}/ws/${mode}/${group}/${copy}`);
    const received = [];
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => {
      if (event.data === "end") {
        socket.close();
        resolve(received);
      } else received.push(event.data);
    };
    socket.onerror = () => reject(new Error("socket"));
    socket.onclose = () => reject(new Error("closed"));
  });
}

function events(cell) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(part(cell).url("server-sent"));
    source.addEventListener("file", (event) => {
      source.close();
      resolve(event.data);
    });
    source.onerror = () => {
      source.close();
      reject(new Error("events"));
    };
  });
}

function inWorker(cell) {
  return new Promise((resolve, reject) => {
    const worker = new Worker("/worker.js");
    worker.onmessage = ({ data }) => {
      if (data.error) return reject(new Error(data.error));
      drawn(cell, data.bitmap);
      resolve(data.buffer);
    };
    worker.postMessage(new URL(part(cell).url("octet"), location).href);
  });
}

const DELIVERIES = {
  blob: async (cell) => blobbed(cell, await buffered(part(cell).url("plain")), ""),
  "blob-octet": async (cell) => blobbed(cell, await buffered(part(cell).url("octet")), part(cell).type),
  bitmap: async (cell) => {
    const buffer = await buffered(part(cell).url("octet"));
    drawn(cell, await createImageBitmap(new Blob([buffer])));
    return buffer;
  },
  xhr: async (cell) => {
    const request = new XMLHttpRequest();
    request.open("GET", part(cell).url("octet"));
    request.responseType = "arraybuffer";
    await new Promise((resolve, reject) => {
      request.onload = resolve;
      request.onerror = reject;
      request.send();
    });
    return blobbed(cell, request.response, part(cell).type);
  },
  stream: async (cell) => {
    const reader = (await fetch(part(cell).url("chunked"))).body.getReader();
    const parts = [];
    for (let step = await reader.read(); !step.done; step = await reader.read()) parts.push(step.value);
    return blobbed(cell, await joined(parts), part(cell).type);
  },
  "file-reader": async (cell) => {
    const blob = await (await fetch(part(cell).url("plain"))).blob();
    const reader = new FileReader();
    await new Promise((resolve) => {
      reader.onload = resolve;
      reader.readAsDataURL(blob);
    });
    await shown(cell, reader.result);
    return blob.arrayBuffer();
  },
  "form-data": async (cell) => {
    const fields = await (await fetch(part(cell).url("form"))).formData();
    return blobbed(cell, await fields.get("file").arrayBuffer(), part(cell).type);
  },
  "cache-api": async (cell) => {
    const cache = await caches.open("wall");
    await cache.add(part(cell).url("plain"));
    return blobbed(cell, await (await cache.match(part(cell).url("plain"))).arrayBuffer(), "");
  },
  "worker-bitmap": inWorker,
  "image-decoder": async (cell) => {
    const answer = await fetch(part(cell).url("plain"));
    const buffer = await answer.arrayBuffer();
    const decoder = new ImageDecoder({ data: buffer, type: answer.headers.get("content-type") });
    drawn(cell, (await decoder.decode()).image);
    return buffer;
  },
  "json-hesitant": async (cell) =>
    inlined(cell, (await (await fetch(part(cell).url("hesitant"))).json()).file),
  "text-lines": async (cell) =>
    blobbed(cell, decoded(await (await fetch(part(cell).url("lines"))).text()), part(cell).type),
  range: ranges,
  "range-insistent": (cell) => pieces(cell, "insistent"),
  "range-disguised": (cell) => pieces(cell, "disguised"),
  socket: async (cell) => blobbed(cell, (await messages("binary", cell))[0], part(cell).type),
  "socket-text": async (cell) => inlined(cell, (await messages("text", cell))[0]),
  "socket-bare": async (cell) =>
    blobbed(cell, decoded((await messages("bare", cell))[0]), part(cell).type),
  "socket-split": async (cell) =>
    blobbed(cell, await joined(await messages("split", cell)), part(cell).type),
  "server-sent": async (cell) => blobbed(cell, decoded(await events(cell)), part(cell).type),
  "json-data": (cell) => fromJson(cell, "data"),
  "json-slash": (cell) => fromJson(cell, "slash"),
  "json-unicode": (cell) => fromJson(cell, "unicode"),
  "json-bare": (cell) => fromJson(cell, "bare"),
  "json-bare-slash": (cell) => fromJson(cell, "bare-slash"),
  "json-urlsafe": (cell) => fromJson(cell, "urlsafe"),
  "script-data": (cell) => inlined(cell, window.brought[part(cell).copy]),
};

async function sum(buffer) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", buffer));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function run(cell) {
  const limit = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 20000));
  try {
    const buffer = await Promise.race([DELIVERIES[part(cell).delivery](cell), limit]);
    return [cell.id, await sum(buffer)];
  } catch (error) {
    return [cell.id, `failed: ${error}`];
  }
}

// Eight at a time, as a page with a queue would; the order is that of the cells.
async function runAll(cells) {
  const waiting = [...cells];
  const results = [];
  const lane = async () => {
    for (let cell = waiting.shift(); cell; cell = waiting.shift()) results.push(await run(cell));
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return Object.fromEntries(results);
}

const loaded = new Promise((resolve) => addEventListener("load", resolve));
window.finished = runAll(document.querySelectorAll(".scripted")).then(async (results) => {
  await loaded;
  return results;
});

// What a fetch of each address gives, for comparison with what the origin sent.
window.sums = async (addresses) => {
  const pairs = addresses.map(async (address) => [address, await sum(await buffered(address))]);
  return Object.fromEntries(await Promise.all(pairs));
};

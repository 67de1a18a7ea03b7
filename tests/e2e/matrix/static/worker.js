"use strict";
onmessage = async ({ data }) => {
  try {
    const buffer = await (await fetch(data)).arrayBuffer();
    const bitmap = await createImageBitmap(new Blob([buffer]));
    postMessage({ buffer, bitmap }, [bitmap]);
  } catch (error) {
    postMessage({ error: String(error) });
  }
};

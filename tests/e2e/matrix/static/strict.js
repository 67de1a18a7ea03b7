// Runs under default-src 'self': paints each picture of the page again, from fetch to canvas.
"use strict";

window.violations = [];
addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(event.violatedDirective);
});

async function paint(image, canvas) {
  const blob = await (await fetch(`${image.src}-again`)).blob();
  canvas.getContext("2d").drawImage(await createImageBitmap(blob), 0, 0, 40, 30);
}

window.finished = new Promise((resolve) => {
  addEventListener("load", async () => {
    const canvases = document.querySelectorAll("canvas");
    const painted = [...document.images].map((image, place) => paint(image, canvases[place]));
    await Promise.allSettled(painted);
    resolve();
  });
});

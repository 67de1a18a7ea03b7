// Shows what the script with an integrity digest brought, if the browser let it run.
"use strict";

window.finished = (async () => {
  const wall = document.getElementById("wall");
  for (const [copy, url] of Object.entries(window.brought || {})) {
    const cell = document.createElement("div");
    cell.className = "cell";
    cell.id = `integrity/${copy}`;
    const image = new Image();
    image.src = url;
    cell.append(image);
    wall.append(cell);
    await image.decode().catch(() => {});
  }
  return Boolean(window.brought);
})();

"use strict";
window.finished = (async () => {
  await navigator.serviceWorker.register("/keep.js");
  await navigator.serviceWorker.ready;
  return Boolean(navigator.serviceWorker.controller);
})();

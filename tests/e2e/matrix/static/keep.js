// A service worker that keeps every picture and serves it from its cache ever after.
"use strict";
addEventListener("install", (event) => event.waitUntil(skipWaiting()));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

async function kept(request) {
  const cache = await caches.open("kept");
  const found = await cache.match(request);
  if (found) return found;
  const answer = await fetch(request);
  await cache.put(request, answer.clone());
  return answer;
}

addEventListener("fetch", (event) => {
  if (new URL(event.request.url).pathname.startsWith("/m/")) event.respondWith(kept(event.request));
});

// Keeps a page left open true: asks every few seconds whether the log has grown, and swaps the
// parts marked data-live that changed. Without this script the page is the same; reload it.
const EVERY_MS = 2000;
const BEHIND_MS = 100; // while the program is still reading a long log
const button = document.getElementById("live");
const seen = document.getElementById("seen");
const title = document.title;
let isPaused = false;
let version = "";
let highest = newest();

function newest() {
  const places = [...document.querySelectorAll("#alert-list [data-index]")];
  return Math.max(-1, ...places.map((one) => Number(one.dataset.index)));
}

function markNew() {
  let count = 0;
  for (const one of document.querySelectorAll("#alert-list [data-index]")) {
    const isNew = Number(one.dataset.index) > highest;
    one.classList.toggle("fresh", isNew);
    one.querySelector(".new").hidden = !isNew;
    count += isNew;
  }
  seen.hidden = count === 0;
  document.title = count ? `(${count}) ${title}` : title;
}

// What had the focus gets it again: it is known by its id, or by where it leads.
function nameOf(element) {
  if (element?.id) return `#${CSS.escape(element.id)}`;
  const address = element?.getAttribute("href");
  if (address) return `a[href="${CSS.escape(address)}"]`;
  return element?.matches("summary") ? "summary" : null;
}

function swap(old, fresh) {
  const open = new Set([...old.querySelectorAll("details[open]")].map((one) => one.id));
  const scrolls = [...old.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
  const regions = [...old.querySelectorAll(".scroll")];
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const name = nameOf(focused);
  const region = regions.indexOf(focused);
  for (const one of fresh.querySelectorAll("details")) one.open = open.has(one.id);
  old.replaceWith(fresh);
  fresh.querySelectorAll(".scroll").forEach((one, i) => {
    [one.scrollLeft, one.scrollTop] = scrolls[i] ?? [0, 0];
    if (i === region) one.focus({ preventScroll: true });
  });
  if (name) fresh.querySelector(name)?.focus({ preventScroll: true });
}

function show(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const old = document.getElementById(part.id);
    // What was compared is the server's text, not the page's, in which "new" and "open" change.
    if (old && served.get(part.id) !== part.outerHTML) {
      served.set(part.id, part.outerHTML);
      swap(old, document.importNode(part, true));
    }
  }
  const said = fresh.getElementById("announce").textContent;
  const announce = document.getElementById("announce");
  if (announce && announce.textContent !== said) announce.textContent = said;
  if (seen) markNew();
}

const served = new Map(
  [...document.querySelectorAll("[data-live]")].map((one) => [one.id, one.outerHTML]),
);

async function look() {
  try {
    const headers = version ? { "If-None-Match": version } : {};
    const answer = await fetch(location.pathname + location.search, { headers, cache: "no-store" });
    if (answer.status === 200) {
      version = answer.headers.get("ETag");
      show(await answer.text());
    }
    document.getElementById("lost").hidden = answer.ok || answer.status === 304;
  } catch {
    document.getElementById("lost").hidden = false;
  }
}

async function follow() {
  if (!isPaused) await look();
  setTimeout(follow, document.querySelector("[data-behind]") ? BEHIND_MS : EVERY_MS);
}

// On a narrow screen the map begins where there is something to see.
function centre() {
  const tile = document.querySelector(".map .chosen, .map a rect, .map .inside");
  const region = tile?.closest(".scroll");
  if (!region) return;
  const [a, b] = [tile.getBoundingClientRect(), region.getBoundingClientRect()];
  region.scrollLeft += a.left + a.width / 2 - b.left - b.width / 2;
}

centre();
button.hidden = false;
button.addEventListener("click", () => {
  isPaused = !isPaused;
  button.setAttribute("aria-pressed", String(isPaused));
});
seen?.addEventListener("click", () => {
  highest = newest();
  markNew();
  document.getElementById("alerts-title").focus();
});
follow();

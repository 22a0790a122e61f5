// Search, copying, arrow keys and a closer look. The pages can be read without it.
"use strict";

const MOST = 120; // results that are shown
const root = document.body.dataset.root;
const dialog = document.querySelector("dialog");

function cell(address, text, sheet, number, words) {
  const link = document.createElement("a");
  const [network] = address.split("/");
  link.className = "cell";
  link.href = "#";
  link.title = link.dataset.address = address;
  if (words) link.dataset.words = words;
  const picture = document.createElement("span");
  picture.className = "picture";
  picture.style.backgroundImage = `url("${root}${network}/${sheet}.webp")`;
  picture.style.setProperty("--x", number % ATLAS.across);
  picture.style.setProperty("--y", Math.floor(number / ATLAS.across));
  const name = document.createElement("b");
  name.textContent = text;
  link.append(picture, name);
  return link;
}

// Kinds by their names and classes first, then layers, then channels.
function* everything() {
  for (const network of ATLAS.networks) {
    for (const [number, [name, classes]] of network.kinds.entries())
      yield [`${network.name}/kind:${name}`, name, "kinds", number, classes];
  }
  for (const network of ATLAS.networks) {
    for (const [number, layer] of network.layers.entries())
      yield [`${network.name}/${layer.name}`, layer.name, "layers", number, ""];
  }
  for (const network of ATLAS.networks) {
    for (const layer of network.layers) {
      for (const number of layer.channels) {
        const address = `${network.name}/${layer.name}/${number}`;
        yield [address, `${layer.name}/${number}`, layer.name, number, layer.kinds[number] || ""];
      }
    }
  }
}

function search(text) {
  const results = document.getElementById("results");
  const found = document.getElementById("found");
  const wanted = text.trim().toLowerCase();
  results.replaceChildren();
  found.textContent = "";
  if (!wanted) return;
  let count = 0;
  for (const row of everything()) {
    const inside = `${row[0]}, ${row[4]}`.toLowerCase();
    const ends = /^\d+$/.test(wanted) ? row[0].endsWith("/" + wanted) : inside.includes(wanted);
    if (!ends) continue;
    if (++count <= MOST) results.append(cell(...row));
  }
  const shown = count > MOST ? `, the first ${MOST} of them here` : "";
  found.textContent = count ? `${count} found${shown}` : "Nothing found.";
}

function look(link) {
  const { address, words } = link.dataset;
  const picture = dialog.querySelector(".picture");
  picture.style.cssText = link.querySelector(".picture").style.cssText;
  document.getElementById("chosen").textContent = address.split("/").slice(1).join("/");
  document.getElementById("about").textContent = words || "";
  document.getElementById("address").textContent = address;
  const quoted = address.includes(" ") ? `"${address}"` : address;
  document.getElementById("command").textContent = `dreamlayer dream PICTURE --layer ${quoted}`;
  dialog.showModal();
}

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // Browsers that give pages on disk no clipboard.
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

// The cell above or below: the one in that direction whose left edge is nearest.
function move(from, key) {
  const cells = [...from.parentElement.children];
  const place = cells.indexOf(from);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (step) return cells[place + step];
  const across = cells.filter((each) => each.offsetTop === cells[0].offsetTop).length;
  return cells[place + { ArrowDown: across, ArrowUp: -across }[key]];
}

document.addEventListener("click", (event) => {
  const link = event.target.closest(".cell");
  if (link) {
    event.preventDefault();
    look(link);
  } else if (event.target.matches(".copy")) {
    copy(event.target);
  } else if (event.target === dialog) {
    dialog.close();
  }
});

document.addEventListener("keydown", (event) => {
  if (!event.key.startsWith("Arrow") || !event.target.matches(".cell")) return;
  const next = move(event.target, event.key);
  if (next) next.focus();
  event.preventDefault();
});

for (const hidden of document.querySelectorAll("search, .copy")) hidden.hidden = false;
const field = document.querySelector("search input");
field.addEventListener("input", () => search(field.value));
if (field.value) search(field.value);

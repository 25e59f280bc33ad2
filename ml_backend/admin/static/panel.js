// The panel works without this. It keeps a double click from sending a form twice, follows a run, and closes menus.
"use strict";

document.querySelectorAll("form[data-once]").forEach((form) => {
  form.addEventListener("submit", () => {
    // After the browser has collected the form: a disabled button would not be part of it.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }), 0);
  });
});
// A page that comes back out of the browser's memory has its buttons again.
addEventListener("pageshow", () => document.querySelectorAll("form[data-once] button").forEach((button) => {
  button.disabled = false;
}));

const ask = async (address) => {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
};

const every = (milliseconds, step) => {
  const again = async () => {
    let more = true;
    try { more = document.hidden || (await step()); } catch { /* the backend may be starting again: ask later */ }
    if (more) setTimeout(again, milliseconds);
  };
  setTimeout(again, milliseconds);
};

document.querySelectorAll("[data-poll]").forEach((outcome) => every(1500, async () => {
  if ((await ask(outcome.dataset.poll)).state === "running") return true;
  location.reload();
  return false;
}));

document.querySelectorAll("[data-progress]").forEach((section) => {
  let active = section.dataset.active === "yes";
  every(2000, async () => {
    const run = await ask(section.dataset.progress);
    if (active && !run.active) { location.reload(); return false; }
    active = run.active;
    section.hidden = !active;
    if (active) {
      section.querySelector("progress").value = run.share;
      section.querySelectorAll("[data-of]").forEach((place) => { place.textContent = run[place.dataset.of] ?? ""; });
    }
    return true;
  });
});

// On a phone the menu of pages is wider than the screen.
document.querySelector(".pages [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

document.addEventListener("click", (event) => document.querySelectorAll("details.menu[open]").forEach((menu) => {
  if (!menu.contains(event.target)) menu.open = false;
}));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => { menu.open = false; });
});

// The button that changes between light and dark, and remembers it. A choice of what the system has anyway is none: the
// page follows the system again. Must never: leave the button saying the wrong thing.

const system = matchMedia("(prefers-color-scheme: dark)");
const dark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
};

function choose(next) {
  const own = (next === "dark") !== system.matches;
  if (own) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
  try {
    if (own) localStorage.setItem("theme", next);
    else localStorage.removeItem("theme");
  } catch { /* It lasts as long as the page. */ }
}

export function theme() {
  const button = document.getElementById("theme");
  if (!button) return;
  const say = () => button.setAttribute("aria-pressed", String(dark()));
  button.hidden = false;
  say();
  system.addEventListener("change", say);
  button.addEventListener("click", () => {
    choose(dark() ? "light" : "dark");
    say();
    document.dispatchEvent(new CustomEvent("theme"));
  });
}

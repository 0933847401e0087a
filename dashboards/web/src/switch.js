// The button that changes between light and dark, and remembers it. Must never: leave the button saying the wrong thing.

const dark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

export function theme() {
  const button = document.getElementById("theme");
  if (!button) return;
  const say = () => button.setAttribute("aria-pressed", String(dark()));
  button.hidden = false;
  say();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", say);
  button.addEventListener("click", () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem("theme", next); } catch { /* It lasts as long as the page. */ }
    say();
    document.dispatchEvent(new CustomEvent("theme"));
  });
}

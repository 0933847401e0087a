// In the guided submission, brings what somebody has just written into sight in the preview of its section.
//
// Must never: move the page itself, or move anything when nothing was written.

const ABOVE_PX = 24;

function show() {
  const box = document.querySelector("#preview .desk-preview");
  const said = [...(box?.querySelectorAll(".desk-said") ?? [])].at(-1);
  if (!said) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const top = box.scrollTop + said.getBoundingClientRect().top - box.getBoundingClientRect().top - ABOVE_PX;
  box.scrollTo({ top, behavior: still ? "instant" : "smooth" });
}

export function followComment() {
  if (!document.getElementById("preview")) return;
  // Nothing else of that page is swapped.
  document.addEventListener("htmx:after:swap", show);
  // After what was written has been kept, the page comes anew.
  if (new URLSearchParams(location.search).get("done") === "comment") show();
}

// The wall display: values from the event stream, and the page itself anew every quarter of an hour, so that nothing grows
// in a browser that is left alone for months.
//
// Must never: show an old value as a fresh one.

import { connect, digits } from "./live.js";

const RELOAD_MS = 15 * 60_000;
const box = document.querySelector("[data-building]");
const language = document.documentElement.lang || "it";
// Days before months, as the pages write them.
const dates = language === "en" ? "en-GB" : language;

function show(building) {
  if (building.project !== box.dataset.project || building.building !== box.dataset.building) return;
  const one = digits(1);
  const kilowatts = (watts) => (watts === null ? box.dataset.missing : one.format(watts / 1000));
  const write = (name, text) => {
    const element = document.querySelector(`[data-field="${name}"]`);
    if (element && element.textContent !== text) element.textContent = text;
  };
  write("power", kilowatts(building.power_w));
  write("production", kilowatts(building.production_w));
  write("at", new Intl.DateTimeFormat(dates, { dateStyle: "full", timeStyle: "short", timeZone: box.dataset.zone }).format(new Date(building.at)));
}

if (box) {
  connect({
    path: box.dataset.stream,
    snapshot: (all) => all.forEach(show),
    building: show,
    alive: () => document.body.classList.remove("stale"),
    lost: () => document.body.classList.add("stale"),
  });
  const wait = Number(box.dataset.reload) || RELOAD_MS;
  // A reload while the server is away would leave the browser's own error page for good.
  const again = () => fetch(location.href, { method: "HEAD" }).then(
    (answer) => (answer.ok ? location.reload() : setTimeout(again, wait)), () => setTimeout(again, wait));
  setTimeout(again, wait);
}

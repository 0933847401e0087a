// Keeps power and today's energy of each building current from the server's event stream, and says so when the
// link is lost. Must never: leave an old value looking fresh, or put text from the stream in as markup.
"use strict";

(() => {
  const status = document.getElementById("live-status");
  const list = document.getElementById("live");
  if (!status || !list || !window.EventSource) return;

  // Three beats of the server (15 s each): after this much silence the link is dead even if nobody closed it.
  const SILENCE_MS = 45_000;
  const RETRY_FIRST_MS = 3_000;
  const RETRY_LAST_MS = 60_000;

  const language = document.documentElement.lang || "it";
  const digits = (count) => new Intl.NumberFormat(language, {
    minimumFractionDigits: count, maximumFractionDigits: count, useGrouping: "always",
  });
  const power = digits(2);
  const energy = digits(1);
  const clock = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium", timeZone: "Europe/Rome" });
  const missing = status.dataset.missing;

  const write = (element, text) => {
    if (element && element.textContent !== text) element.textContent = text;
  };
  const kilowatts = (watts) => (watts === null ? missing : power.format(watts / 1000));

  function show(building) {
    const card = [...list.children].find(
      (c) => c.dataset.project === building.project && c.dataset.building === building.building);
    if (!card) return;
    const field = (name) => card.querySelector(`[data-field="${name}"]`);
    write(field("power"), kilowatts(building.power_w));
    write(field("production"), kilowatts(building.production_w));
    // Once a building has produced, its line stays: a lost reading is "not available", not gone.
    if (building.production_w !== null) field("production-line").hidden = false;
    field("at").dateTime = building.at;
    write(field("at"), clock.format(new Date(building.at)));
    today(field("today"), building.today);
  }

  function today(lines, meters) {
    const wanted = meters.length === 0 ? [[status.dataset.noneToday, ""]]
      : meters.map((m) => [m.meter, m.value === null ? missing : `${energy.format(m.value)} ${m.unit}`]);
    while (lines.children.length > wanted.length) lines.lastElementChild.remove();
    wanted.forEach(([name, value], i) => {
      let line = lines.children[i];
      if (!line || line.children.length !== 2) {
        const fresh = document.createElement("li");
        fresh.append(document.createElement("span"), " ", document.createElement("b"));
        if (line) line.replaceWith(fresh); else lines.append(fresh);
        line = fresh;
      }
      write(line.children[0], name);
      write(line.children[1], value);
    });
  }

  let source = null;
  let watchdog = 0;
  let retry = 0;
  let wait = RETRY_FIRST_MS;

  function alive() {
    clearTimeout(watchdog);
    watchdog = setTimeout(lost, SILENCE_MS);
    wait = RETRY_FIRST_MS;
    status.className = "status open";
    list.classList.remove("stale");
    write(status, status.dataset.open);
  }

  // A browser gives up for good when the server answers with an error; so the link is always built anew here.
  function lost() {
    clearTimeout(watchdog);
    if (source) source.close();
    source = null;
    status.className = "status lost";
    list.classList.add("stale");
    write(status, status.dataset.lost);
    clearTimeout(retry);
    retry = setTimeout(open, wait);
    wait = Math.min(wait * 2, RETRY_LAST_MS);
  }

  function open() {
    source = new EventSource("/live");
    source.addEventListener("snapshot", (e) => { alive(); JSON.parse(e.data).forEach(show); });
    source.addEventListener("building", (e) => { alive(); show(JSON.parse(e.data)); });
    source.addEventListener("beat", alive);
    source.onerror = lost;
  }

  // Leaving the page closes the link without telling the reader that it was lost.
  window.addEventListener("pagehide", () => {
    clearTimeout(watchdog);
    clearTimeout(retry);
    if (source) { source.onerror = null; source.close(); source = null; }
  });
  window.addEventListener("pageshow", (e) => { if (e.persisted) open(); });
  open();
})();

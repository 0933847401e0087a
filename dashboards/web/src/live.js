// Keeps power and today's energy of each building current from the server's event stream, and says so when the link is
// lost. Must never: leave an old value looking fresh, or put text from the stream in as markup.

// Three beats of the server (15 s each): after this much silence the link is dead even if nobody closed it.
const SILENCE_MS = 45_000;
const RETRY_FIRST_MS = 3_000;
const RETRY_LAST_MS = 60_000;

const language = document.documentElement.lang || "it";
// Days before months, as the pages write them.
const dates = language === "en" ? "en-GB" : language;
export const digits = (count) => new Intl.NumberFormat(language, {
  minimumFractionDigits: count, maximumFractionDigits: count, useGrouping: "always",
});

const write = (element, text) => {
  if (element && element.textContent !== text) element.textContent = text;
};

export function follow() {
  const status = document.getElementById("live-status");
  if (!status || !window.EventSource) return;

  const power = digits(2);
  const energy = digits(1);
  const zone = status.dataset.zone || "Europe/Rome";
  const clock = new Intl.DateTimeFormat(dates, { dateStyle: "medium", timeStyle: "medium", timeZone: zone });
  const missing = status.dataset.missing;
  const kilowatts = (watts) => (watts === null || watts === undefined ? missing : power.format(watts / 1000));
  const scopes = (building) => [...document.querySelectorAll("[data-building]")].filter(
    (e) => e.dataset.project === building.project && e.dataset.building === building.building);

  function show(building) {
    for (const scope of scopes(building)) {
      const field = (name) => scope.querySelector(`[data-field="${name}"]`);
      for (const [name, watts] of [["power", building.power_w], ["production", building.production_w]]) {
        write(field(name), kilowatts(watts));
        const unit = field(`${name}-unit`);
        if (unit) unit.hidden = watts === null || watts === undefined;
      }
      // Once a building has produced, its line stays: a lost reading is "not available", not gone.
      const line = field("production-line");
      if (line && building.production_w !== null) line.hidden = false;
      const at = field("at");
      if (at) {
        at.dateTime = building.at;
        write(at, clock.format(new Date(building.at)));
      }
      if (field("today")) today(field("today"), building.today);
      for (const meter of building.meters ?? []) {
        const row = [...scope.querySelectorAll("[data-meter]")].find((r) => r.dataset.meter === meter.meter);
        write(row?.querySelector('[data-field="meter-power"]'), kilowatts(meter.power_w));
      }
    }
    document.dispatchEvent(new CustomEvent("building", { detail: building }));
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

  const mark = (stale) => document.querySelectorAll("[data-building]").forEach((e) => e.classList.toggle("stale", stale));
  connect({
    path: status.dataset.stream || "/live",
    snapshot: (all) => all.forEach(show),
    building: show,
    alive() {
      status.className = "status open";
      mark(false);
      write(status, status.dataset.open);
    },
    lost() {
      status.className = "status lost";
      mark(true);
      write(status, status.dataset.lost);
    },
  });
}

/** An event stream that is always built anew: a browser gives up for good when the server answers with an error. */
export function connect({ path, snapshot, building, alive, lost }) {
  let source = null;
  let watchdog = 0;
  let retry = 0;
  let wait = RETRY_FIRST_MS;

  function heard() {
    clearTimeout(watchdog);
    watchdog = setTimeout(gone, SILENCE_MS);
    wait = RETRY_FIRST_MS;
    alive();
  }

  function gone() {
    clearTimeout(watchdog);
    if (source) source.close();
    source = null;
    lost();
    clearTimeout(retry);
    retry = setTimeout(open, wait);
    wait = Math.min(wait * 2, RETRY_LAST_MS);
  }

  function open() {
    source = new EventSource(path);
    source.addEventListener("snapshot", (e) => { heard(); snapshot(JSON.parse(e.data)); });
    source.addEventListener("building", (e) => { heard(); building(JSON.parse(e.data)); });
    source.addEventListener("beat", heard);
    source.onerror = gone;
  }

  // Leaving the page closes the link without telling the reader that it was lost.
  window.addEventListener("pagehide", () => {
    clearTimeout(watchdog);
    clearTimeout(retry);
    if (source) { source.onerror = null; source.close(); source = null; }
  });
  window.addEventListener("pageshow", (e) => { if (e.persisted) open(); });
  open();
}

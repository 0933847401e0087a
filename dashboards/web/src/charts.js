// Zoomable and live charts: every element with `data-plot` asks its address for columns and draws them with uPlot.
//
// Must never: be the only place where a figure can be read; each chart has a table beside it.

import uPlot from "uplot";
import { digits } from "./live.js";

const language = document.documentElement.lang || "it";
// Days before months, as the pages write them.
const dates = language === "en" ? "en-GB" : language;
const number = (decimals) => digits(decimals);
// Points of a live chart: a day of quarters and six hours of live ones at a second's step.
const POINTS_MAX = 22_000;
const HEIGHT = 260;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
/** `light-dark()` is resolved by the browser only where it is used. */
function resolved(name) {
  const probe = document.createElement("i");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value || colour(name);
}

function axes(unit, zone) {
  const ink = resolved("--quiet");
  const line = resolved("--line");
  const format = (options) => {
    const f = new Intl.DateTimeFormat(dates, { timeZone: zone, ...options });
    return (seconds) => f.format(new Date(seconds * 1000));
  };
  const [time, day] = [format({ hour: "2-digit", minute: "2-digit" }), format({ day: "2-digit", month: "2-digit" })];
  const common = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: '13px "Titillium Web", sans-serif' };
  return [
    { ...common, values: (_, splits, __, ___, step) => splits.map((s) => (step >= 86_400 ? day(s) : time(s))) },
    { ...common, size: 64, values: (_, splits) => splits.map((v) => number(Math.abs(v) < 10 && v % 1 !== 0 ? 1 : 0).format(v)), label: unit, labelSize: 22, labelFont: '13px "Titillium Web", sans-serif' },
  ];
}

function options(box, body) {
  const names = ["--series-1", "--series-2", "--series-4", "--series-3"];
  const stamp = new Intl.DateTimeFormat(dates, { timeZone: body.zone, dateStyle: "medium", timeStyle: "short" });
  // Without a cursor the legend says the newest value that any of the series has, and its time.
  const newest = ({ data }) => data[0].findLastIndex((_, i) => data.slice(1).some((column) => column[i] != null));
  const shown = (plot, series, index) => plot.data[series][index ?? newest(plot)];
  const value = (plot, _, series, index) => {
    if (plot.data[0].length === 0) return "";
    const v = shown(plot, series, index);
    return v === null || v === undefined ? body.missing : `${number(2).format(v)} ${body.unit}`;
  };
  const time = (plot, _, series, index) => {
    const at = shown(plot, series, index);
    return at === null || at === undefined ? "" : stamp.format(new Date(at * 1000));
  };
  const series = body.series.map(({ name, dashed }, i) => ({
    label: name, value, stroke: resolved(names[i % names.length]), width: 2, spanGaps: false,
    dash: dashed ? [6, 4] : undefined, points: { show: false },
  }));
  return {
    width: Math.max(box.clientWidth, 260),
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), body.zone),
    series: [{ value: time, label: body.time }, ...series],
    axes: axes(body.unit, body.zone),
    cursor: { drag: { x: true, y: false } },
    legend: { live: true },
  };
}

const columns = (body) => [body.at, ...body.series.map((s) => s.values)];

async function draw(box) {
  const answer = await fetch(box.dataset.plot, { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const body = await answer.json();
  if (body.at.length === 0 && !box.dataset.live) return;
  let data = columns(body);
  let plot = null;
  const make = () => {
    plot?.destroy();
    plot = new uPlot(options(box, body), data, box);
  };
  make();
  const resize = new ResizeObserver(() => {
    if (!box.isConnected) { resize.disconnect(); plot?.destroy(); return; }
    plot.setSize({ width: Math.max(box.clientWidth, 260), height: HEIGHT });
  });
  resize.observe(box);
  document.addEventListener("theme", make);
  if (box.dataset.live) {
    const [project, building] = box.dataset.live.split(" ");
    document.addEventListener("building", ({ detail }) => {
      if (detail.project !== project || detail.building !== building) return;
      const at = Math.floor(Date.parse(detail.at) / 1000);
      if (data[0].length > 0 && at <= data[0][data[0].length - 1]) return;
      const power = (id) => detail.meters?.find((m) => m.meter === id)?.power_w ?? null;
      data[0].push(at);
      body.series.forEach((s, i) => data[i + 1].push(power(s.meter) === null ? null : power(s.meter) / 1000));
      if (data[0].length > POINTS_MAX) data = data.map((column) => column.slice(-POINTS_MAX / 2));
      plot.setData(data);
    });
  }
}

const all = (root) => root.querySelectorAll("[data-plot]").forEach((box) => {
  if (box.dataset.drawn) return;
  box.dataset.drawn = "yes";
  draw(box);
});
all(document);
// After a partial update.
document.addEventListener("htmx:after:swap", () => all(document));

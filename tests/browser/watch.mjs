// The facility manager's journeys in headless Chromium: overview, building, meter, alarms, the display for users; at the
// width of a telephone and of a desk, light and dark. Run with BASE_URL=http://127.0.0.1:8480 node --test watch.mjs
//
// Must never: change anything in the daemon, or ask another host for anything.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { sound } from "./sound.mjs";

const BASE = (process.env.BASE_URL ?? "http://127.0.0.1:8480").replace(/\/$/, "");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
// When set, a screenshot of every page of a journey is written there.
const SCREENSHOTS = process.env.SCREENSHOTS;
const LOOKS = [[360, "light"], [360, "dark"], [1280, "light"], [1280, "dark"]];
// The first round over all buildings, and the first live value.
const WAIT_MS = 120_000;
const REFRESHES = 60;
// Screens that hang on walls: nobody scrolls there.
const WALLS = [[1920, 1080], [1366, 768], [1280, 720]];
const CARDS_MANY = 5;
// What a display may grow in so many refreshes, after the browser has tidied up.
const GROWTH_BYTES_MAX = 3_000_000;

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--js-flags=--expose-gc"] });
  if (SCREENSHOTS) mkdirSync(SCREENSHOTS, { recursive: true });
});
after(async () => { await browser?.close(); });

/** A page that keeps everything that goes wrong on it. */
async function open(width, scheme, language = "it") {
  const context = await browser.newContext({
    locale: language === "it" ? "it-IT" : "en-GB", viewport: { width, height: 900 }, colorScheme: scheme,
    acceptDownloads: false,
  });
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) wrong.push(`console: ${m.text()}`); });
  page.on("pageerror", (e) => wrong.push(`page error: ${e.message}`));
  page.on("requestfailed", (r) => {
    // Leaving a page cuts what it still loads; that is no fault. What the server breaks off has another name.
    const why = r.failure()?.errorText;
    if (why !== "net::ERR_ABORTED") wrong.push(`failed: ${r.url()} ${why}`);
  });
  page.on("response", (r) => { if (r.status() >= 400) wrong.push(`${r.status()}: ${r.url()}`); });
  page.on("request", (r) => { if (!r.url().startsWith(`${BASE}/`)) wrong.push(`foreign request: ${r.url()}`); });
  return { context, page, wrong };
}

/** Reloads until the daemon has looked at every building. */
async function settled(page) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const all = await (await page.request.get(`${BASE}/api/v1/buildings`)).json();
    if (all.length > 0 && all.some((b) => b.today.some((t) => t.expected_day !== null))) return all;
    assert.ok(Date.now() < end, `no building has a model: ${JSON.stringify(all.map((b) => b.today))}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

for (const [width, scheme] of LOOKS) {
  test(`the facility manager's morning at ${width} px, ${scheme}`, async () => {
    const { context, page, wrong } = await open(width, scheme);
    const all = await settled(page);
    await page.goto(`${BASE}/buildings`);
    assert.equal(await page.locator(".overview > li").count(), all.length);
    await page.waitForFunction(() => document.querySelector("#live-status").classList.contains("open"), null, { timeout: WAIT_MS });
    await sound(page, "edifici", width, scheme);

    // To the building with production, its charts and its spans.
    const own = all.find((b) => b.live.production_w !== null) ?? all[0];
    await page.locator(".overview h2 a", { hasText: own.name }).first().click();
    await page.waitForURL(`**/buildings/${own.project}/${own.building}`);
    await page.waitForSelector("[data-live] .uplot", { timeout: WAIT_MS });
    // Without a cursor the legend says the newest value and its time, and nothing that reads as "not measured".
    const legend = await page.innerText("[data-live] .u-legend");
    assert.match(legend, /\d{4}, \d{2}:\d{2}/, legend);
    assert.match(legend, /\d kW/, legend);
    assert.match(legend, /Istante/, legend);
    await sound(page, "edificio", width, scheme);
    for (const span of ["day", "month", "year", "week"]) {
      const link = page.locator(`#span .segments a[href*="span=${span}"][hx-get]`);
      await link.click();
      await page.waitForURL(`**span=${span}**`);
      await page.waitForFunction((s) => document.querySelector(`#span .segments a[aria-current][href*="span=${s}"][hx-get]`), span);
      assert.equal(await page.evaluate(() => performance.getEntriesByType("navigation").length), 1);
      // What was produced is of the span that is shown, though it stands outside of what is swapped.
      const heading = await page.innerText("#span h2");
      const shown = heading.slice(heading.indexOf(": ") + 2);
      if (own.live.production_w !== null) {
        await page.waitForFunction((title) => document.querySelector("#own-energy .quiet").textContent.includes(title), shown);
      }
    }
    await page.locator("#span .stepper a").first().click();
    await page.waitForFunction(() => document.querySelectorAll("#span .stepper a").length === 2);
    await page.locator("#span details summary").click();
    assert.ok(await page.locator("#span table tbody tr").count() >= 7, "the chart has its table");
    await sound(page, "edificio-settimana", width, scheme);

    await page.locator(".meters-now a").first().click();
    await page.waitForURL("**/meters/*");
    assert.ok(await page.locator("h1").count() === 1);
    await sound(page, "contatore", width, scheme);

    await page.locator('nav a[href="/alarms"]').click();
    await page.waitForURL("**/alarms");
    assert.ok(await page.locator(".alarm").count() > 0, "the dead meter of the demonstration is an alarm");
    await sound(page, "allarmi", width, scheme);
    await context.close();
    assert.deepEqual(wrong, []);
  });
}

test("the choice of light or dark stays", async () => {
  const { context, page, wrong } = await open(1280, "light");
  await page.goto(`${BASE}/buildings`);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.locator("#theme").click();
  const dark = await ground();
  assert.notEqual(dark, light);
  assert.equal(await page.getAttribute("#theme", "aria-pressed"), "true");
  await page.reload();
  assert.equal(await ground(), dark);
  // What the system has anyway is no choice: the page follows the system again.
  await page.locator("#theme").click();
  assert.equal(await ground(), light);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await ground(), dark);
  await page.reload();
  assert.equal(await ground(), dark);
  await context.close();
  assert.deepEqual(wrong, []);
});

test("everything can be read without JavaScript", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false, locale: "it-IT" });
  const page = await context.newPage();
  await page.goto(`${BASE}/buildings`);
  await page.locator(".overview h2 a").first().click();
  assert.match(await page.innerText(".tiles"), /kW/);
  await page.locator('#span .segments a[href*="span=month"]').click();
  await page.waitForURL("**span=month**");
  await page.locator("#span details summary").click();
  assert.ok(await page.locator("#span table tbody tr").count() >= 28);
  // What only a script draws leaves no empty box; a table beside it has the values.
  assert.equal(await page.locator(".plot").count(), 2);
  for (const [section, rows] of [["now", 24], ["zoom", 90]]) {
    const card = page.locator(`section[aria-labelledby="${section}"]`);
    assert.equal(await card.locator(".plot").isVisible(), false, `${section} shows an empty box`);
    await card.locator("details summary").click();
    const table = card.locator("table.plotted");
    assert.ok(await table.locator("tbody tr").count() >= rows, `${section} has its table`);
    assert.match(await table.innerText(), /\d,\d\d/);
  }
  await context.close();
});

test("pages are reached by keyboard alone", async () => {
  const { context, page, wrong } = await open(1280, "light");
  await page.goto(`${BASE}/buildings`);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "content");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/buildings/*/*");
  await context.close();
  assert.deepEqual(wrong, []);
});

async function kiosks(page) {
  await page.goto(`${BASE}/buildings`);
  const found = [];
  for (const href of await page.$$eval(".overview h2 a", (all) => all.map((a) => a.getAttribute("href")))) {
    const address = href.replace(/^\/buildings/, "/kiosk");
    if ((await page.request.get(BASE + address)).ok()) found.push(address);
  }
  assert.ok(found.length > 0, "no building of the demonstration has a display");
  return found;
}

const kiosk = async (page) => (await kiosks(page))[0];

test("the display shows live values on a wall and on a telephone", async () => {
  for (const [width, scheme] of [...LOOKS, [1920, "dark"]]) {
    const { context, page, wrong } = await open(width, scheme);
    await settled(page);
    const address = await kiosk(page);
    await page.goto(BASE + address);
    const power = () => page.innerText('[data-field="power"]');
    const first = await power();
    await page.waitForFunction((old) => document.querySelector('[data-field="power"]').textContent !== old, first, { timeout: WAIT_MS });
    await sound(page, "schermo", width, scheme);
    await context.close();
    assert.deepEqual(wrong, []);
  }
});

test("a display on a wall shows all of it without scrolling", async () => {
  const { context, page, wrong } = await open(1280, "light");
  await settled(page);
  let most = 0;
  for (const address of await kiosks(page)) {
    for (const [width, height] of WALLS) {
      await page.setViewportSize({ width, height });
      await page.goto(BASE + address);
      most = Math.max(most, await page.locator(".kiosk .tile").count());
      const whole = await page.evaluate(() => document.documentElement.scrollHeight);
      assert.ok(whole <= height, `${address}: ${whole} px at ${width} × ${height}`);
      const foot = await page.locator(".kiosk .foot").boundingBox();
      assert.ok(foot.y + foot.height <= height, `${address}: the foot is cut off at ${width} × ${height}`);
      const cut = await page.$$eval(".kiosk .tile", (all) => all.filter(
        (tile) => tile.scrollHeight > tile.clientHeight + 1 || tile.scrollWidth > tile.clientWidth + 1).length);
      assert.equal(cut, 0, `${address}: cards are too small for what they say at ${width} × ${height}`);
    }
  }
  assert.ok(most >= CARDS_MANY, `the fullest display of the demonstration has ${most} cards`);
  await context.close();
  assert.deepEqual(wrong, []);
});

test("the display does not grow over many refreshes", async () => {
  const { context, page, wrong } = await open(1280, "light");
  const address = await kiosk(page);
  const session = await context.newCDPSession(page);
  await session.send("HeapProfiler.enable");
  const used = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { jsHeapSizeUsed } = Object.fromEntries(
      (await (await session.send("Performance.enable"), session.send("Performance.getMetrics"))).metrics
        .map(({ name, value }) => [name === "JSHeapUsedSize" ? "jsHeapSizeUsed" : name, value]));
    const { nodes } = await session.send("Memory.getDOMCounters");
    return { bytes: jsHeapSizeUsed, nodes };
  };
  const refresh = async (times) => {
    for (let i = 0; i < times; i += 1) {
      await page.goto(BASE + address);
      await page.waitForSelector("body:not(.stale)");
    }
  };
  await refresh(REFRESHES / 3);
  const before = await used();
  await refresh(REFRESHES);
  const after = await used();
  assert.ok(after.bytes - before.bytes < GROWTH_BYTES_MAX, `${before.bytes} then ${after.bytes} bytes`);
  assert.ok(after.nodes - before.nodes < 2_000, `${before.nodes} then ${after.nodes} nodes`);
  await context.close();
  assert.deepEqual(wrong, []);
});

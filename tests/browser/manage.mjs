// The facility manager's acts in headless Chromium: an alarm acknowledged, a reading corrected and the correction taken
// back, a meter exchanged, a decision of the counter overruled; wrong input first, each time. They change the daemon: run
// them after the journeys that only look. Run with BASE_URL and the one-time link that the demonstration prints for the
// role in LINK_FACILITY_MANAGER: node --test manage.mjs
//
// Must never: say anything that the page does not offer, or ask another host for anything.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { soundAtBothWidths } from "./sound.mjs";

const BASE = (process.env.BASE_URL ?? "http://127.0.0.1:8480").replace(/\/$/, "");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const SCREENSHOTS = process.env.SCREENSHOTS;
const METER = process.env.METER ?? "scuola-elettricita";

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  if (SCREENSHOTS) mkdirSync(SCREENSHOTS, { recursive: true });
});
after(async () => { await browser?.close(); });

/** A page of somebody who has come in, what went wrong on it, and what was refused (422). */
async function open() {
  const context = await browser.newContext({ locale: "it-IT", viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const [wrong, refusals] = [[], []];
  page.on("console", (m) => { if (m.type() === "error" && !/status of 422/.test(m.text())) wrong.push(`console: ${m.text()}`); });
  page.on("pageerror", (e) => wrong.push(`page error: ${e.message}`));
  page.on("response", (r) => {
    if (r.status() === 422) refusals.push(new URL(r.url()).pathname);
    else if (r.status() >= 400) wrong.push(`${r.status()}: ${r.url()}`);
  });
  page.on("request", (r) => { if (!r.url().startsWith(`${BASE}/`)) wrong.push(`foreign request: ${r.url()}`); });
  return { context, page, wrong, refusals };
}

async function signIn(page) {
  const link = process.env.LINK_FACILITY_MANAGER;
  assert.ok(link, "LINK_FACILITY_MANAGER names the one-time link");
  await page.goto(BASE + new URL(link, BASE).pathname);
  await page.locator("main form button[type=submit]").first().click();
}

/** The refusal, which is in the reader's words. */
async function refused(page, pattern) {
  const says = await page.locator("p.alert.bad").first().innerText();
  assert.match(says, pattern);
  assert.doesNotMatch(says, /\bwrite\b|--[a-z]/, "a refusal in the program's words");
}

/** Fills the form of a section and sends it. */
async function say(page, section, fields) {
  const form = page.locator(`section[aria-labelledby="${section}"] form`).first();
  for (const [name, value] of Object.entries(fields)) await form.locator(`[name="${name}"]`).fill(value);
  await form.locator("button[type=submit]").click();
  await page.waitForLoadState();
}

test("the facility manager's acts: alarm, correction, exchange, each with its reason", async () => {
  const { context, page, wrong, refusals } = await open();
  await signIn(page);

  // An alarm is taken note of, and stays open.
  await page.goto(`${BASE}/alarms`);
  await soundAtBothWidths(page, "allarmi-da-prendere-in-carico");
  const alarm = page.locator(".alarm:has(form)").first();
  const id = await alarm.getAttribute("id");
  await alarm.locator('[name="note"]').fill("Sopralluogo fissato per domani mattina");
  await alarm.locator("button[type=submit]").click();
  await page.waitForURL("**/alarms**");
  assert.match(await page.locator(`#${id}`).innerText(), /Sopralluogo fissato per domani mattina/);
  assert.equal(await page.locator(`#${id} form`).count(), 0, "an acknowledged alarm asks no more");
  await soundAtBothWidths(page, "allarme-preso-in-carico");

  // A reading of the meter, corrected.
  await page.goto(`${BASE}/meters/${METER}`);
  const row = page.locator('section[aria-labelledby="readings"] tbody tr').last();
  const total = (await row.locator("td.num").innerText()).trim();
  await say(page, "correct", { at: "ieri", total, reason: "prova" });
  await refused(page, /istante non si legge/);
  await soundAtBothWidths(page, "correzione-rifiutata");
  await page.goto(`${BASE}/meters/${METER}`);
  // A slip of the pen is asked about, and what was typed is still there.
  await say(page, "correct", { at: await row.locator("time").innerText(), total: "1 kWh", reason: "prova" });
  await refused(page, /il conteggio si spezzerebbe/);
  assert.equal(await page.locator('form:has([name="what"][value="correct"]) [name="total"]').inputValue(), "1 kWh");
  assert.equal(await page.locator('form:has([name="what"][value="correct"]) [name="sure"]').count(), 1);
  await soundAtBothWidths(page, "correzione-da-confermare");
  await page.goto(`${BASE}/meters/${METER}`);
  // The total as the page prints it, and the instant as a person types it.
  const local = await row.locator("time").innerText();
  await say(page, "correct", { at: local, total, reason: "Letta dal display con il manutentore" });
  assert.equal(await page.locator("p.alert.bad").count(), 0, await page.locator("main p.alert").allInnerTexts());
  const acts = page.locator('section[aria-labelledby="acts"]');
  assert.match(await acts.innerText(), /Letta dal display con il manutentore/);
  await soundAtBothWidths(page, "lettura-corretta");

  // And taken back.
  const withdraw = acts.locator("form").first();
  await withdraw.locator('[name="reason"]').fill("Era la lettura di un altro contatore");
  await withdraw.locator("button[type=submit]").click();
  await page.waitForLoadState();
  assert.doesNotMatch(await page.locator("main").innerText(), /Letta dal display con il manutentore/);
  await soundAtBothWidths(page, "correzione-ritirata");

  // An exchange that the readings do not bear out is refused, and so is one that has not happened.
  await say(page, "exchange", { at: "10/01/2026 10:00", closing: "1 kWh", opening: "0 kWh", reason: "prova" });
  await refused(page, /non lo confermano/);
  await soundAtBothWidths(page, "sostituzione-non-confermata");
  await page.goto(`${BASE}/meters/${METER}`);
  await say(page, "exchange", { at: "2099-01-10 10:00", closing: "1 kWh", opening: "0 kWh", reason: "prova" });
  await refused(page, /non è ancora venuto/);
  await soundAtBothWidths(page, "sostituzione-rifiutata");
  await context.close();
  assert.deepEqual(wrong, []);
  assert.equal(refusals.length, 4, `each wrong input is refused, and nothing else: ${refusals}`);
});

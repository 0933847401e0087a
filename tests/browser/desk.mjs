// The journeys of the beneficiary (the whole guided submission) and of the regional officer, in headless Chromium, at the
// width of a telephone and of a desk. They change the daemon: run them last. Run with BASE_URL, and the one-time links
// that the demonstration prints in LINK_LEGAL_REPRESENTATIVE, LINK_REGIONAL_OFFICER and LINK_ADMINISTRATOR: node --test desk.mjs
//
// Must never: take a step that the page does not offer, or ask another host for anything.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const BASE = (process.env.BASE_URL ?? "http://127.0.0.1:8480").replace(/\/$/, "");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const SCREENSHOTS = process.env.SCREENSHOTS;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PROJECT = process.env.PROJECT ?? "scuola-primaria";
// A report of the demonstration for which values are still to be declared.
const BLOCKED = "casa-della-salute/submit/scheda-indicatori/2025";
// The highest row of the region's table at the width of a telephone: its tallest attainment and two lines of a title.
const ROW_PX_MAX = 260;
// Somebody who has never seen the product must come through in this time.
const JOURNEY_MS_MAX = 10 * 60_000;

let browser;
let folder;
before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  folder = mkdtempSync(join(tmpdir(), "consuntivo-desk-"));
  if (SCREENSHOTS) mkdirSync(SCREENSHOTS, { recursive: true });
});
after(async () => {
  await browser?.close();
  if (folder) rmSync(folder, { recursive: true });
});

/** A page that keeps everything that goes wrong on it, and what was refused (422); without JavaScript unless asked for. */
async function open(javaScriptEnabled = true) {
  const context = await browser.newContext({ locale: "it-IT", viewport: { width: 1280, height: 900 }, javaScriptEnabled });
  const page = await context.newPage();
  const [wrong, refused] = [[], []];
  page.on("console", (m) => { if (m.type() === "error" && !/status of 422/.test(m.text())) wrong.push(`console: ${m.text()}`); });
  page.on("pageerror", (e) => wrong.push(`page error: ${e.message}`));
  page.on("response", (r) => {
    if (r.status() === 422) refused.push(new URL(r.url()).pathname);
    else if (r.status() >= 400) wrong.push(`${r.status()}: ${r.url()}`);
  });
  page.on("requestfailed", (r) => {
    // Leaving a page, and a download, cut what is still being loaded; what the server breaks off has another name.
    const why = r.failure()?.errorText;
    if (why !== "net::ERR_ABORTED") wrong.push(`failed: ${r.url()} ${why}`);
  });
  page.on("request", (r) => { if (!r.url().startsWith(`${BASE}/`)) wrong.push(`foreign request: ${r.url()}`); });
  return { context, page, wrong, refused };
}

/** Comes in by the one-time link of a role. */
async function signIn(page, role) {
  const link = process.env[`LINK_${role}`];
  assert.ok(link, `LINK_${role} names the one-time link`);
  await page.goto(BASE + new URL(link, BASE).pathname);
  await page.locator("main form button[type=submit]").first().click();
}

/** The page as it stands is sound at both widths, light and dark. */
async function sound(page, name) {
  const text = await page.innerText("body");
  assert.doesNotMatch(text, /\b(page|report|finding|kpi|obligation)\.[a-z_]+\.[a-z_.]+/, `${name} shows the key of a missing text`);
  assert.doesNotMatch(text, /\bNaN\b|\bundefined\b/, `${name} shows what is no number`);
  for (const width of [360, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name}-${width}.png`, fullPage: true });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(overflow <= 0, `${name} is ${overflow} px wider than ${width} px`);
    for (const colorScheme of ["dark", "light"]) {
      await page.emulateMedia({ colorScheme });
      // Colours change by a transition.
      await page.waitForFunction(() => !document.getAnimations().some((a) => a instanceof CSSTransition && a.playState === "running"));
      await page.evaluate(AXE);
      const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const found = result.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary}`));
      assert.deepEqual(found, [], `axe-core on ${name} at ${width} px, ${colorScheme}`);
    }
  }
}

const primary = (page) => page.locator(".desk-step form .btn:not(.btn-outline)").first();
const here = (page) => page.locator(".desk-steps li[aria-current=step]").innerText();

/** What was written is not only in the preview but in the part of it that is seen, however much comes before it. */
async function inSight(page, text) {
  await page.waitForFunction((wanted) => {
    const box = document.querySelector(".desk-preview");
    const said = [...box.querySelectorAll(".desk-said")].find((e) => e.innerText.includes(wanted));
    if (!said) return false;
    const [outer, inner] = [box.getBoundingClientRect(), said.getBoundingClientRect()];
    return outer.top <= inner.top && inner.bottom <= outer.bottom;
  }, text, { timeout: 5_000 });
}

/** Signs a file as a person would with a device: a certificate made for this journey, and OpenSSL. */
function signed(file) {
  const [key, certificate, out] = ["key.pem", "certificate.pem", "signed.p7m"].map((n) => join(folder, n));
  const run = (...args) => execFileSync("openssl", args, { stdio: "pipe" });
  run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "30",
    "-subj", "/CN=Firma di prova/serialNumber=TINIT-RSSMRA80A01H501U");
  run("cms", "-sign", "-binary", "-nodetach", "-md", "sha256", "-in", file, "-signer", certificate, "-inkey", key,
    "-outform", "DER", "-out", out);
  return out;
}

test("the beneficiary sends the annual report, from the list of obligations to the authority's answer", async () => {
  const begun = Date.now();
  const { context, page, wrong, refused } = await open();
  await signIn(page, "LEGAL_REPRESENTATIVE");
  await page.goto(`${BASE}/desk/${PROJECT}`);
  await page.locator("main a", { hasText: "Gestisci gli accessi" }).click();
  await sound(page, "subjects");
  for (const tab of ["", "/economics", "/savings", "/history", "/duties"]) {
    await page.goto(`${BASE}/desk/${PROJECT}${tab}`);
    await sound(page, `desk${tab.replace("/", "-")}`);
  }
  // The first obligation with a report of a year that is over.
  await page.locator(".desk-duty", { hasText: /[Rr]elazione annuale|monitoraggio annuale/ }).first().locator("a").click();
  assert.match(await here(page), /Inizio/);
  await sound(page, "guide-begin");
  await primary(page).click();
  assert.match(await here(page), /Controllo/);
  await sound(page, "guide-check");
  // Whatever stands in the way is taken on with a reason.
  for (let left = 20; await page.locator(".desk-obstacles details").count() > 0; left -= 1) {
    assert.ok(left > 0, "obstacles do not go away");
    const first = page.locator(".desk-obstacles details").first();
    await first.locator("summary").click();
    await first.locator("input[name=reason]").fill("Verificato con il tecnico; il dato resta segnalato");
    await first.locator("button").click();
  }
  await primary(page).click();
  assert.match(await here(page), /Commenti/);
  const text = "L’inverno è stato più mite della media: il risparmio è già depurato dal clima.";
  // The report follows the typing, and nothing is kept by it.
  await page.locator("#comment").pressSequentially("Prova di anteprima");
  await page.waitForFunction(() => document.querySelector(".desk-preview").innerText.includes("Prova di anteprima"));
  await inSight(page, "Prova di anteprima");
  await page.reload();
  assert.equal(await page.inputValue("#comment"), "", "a preview keeps nothing");
  assert.doesNotMatch(await page.innerText(".desk-preview"), /Prova di anteprima/);
  await page.fill("#comment", text);
  await page.locator("button[name=stay]").click();
  assert.match(await page.innerText(".desk-preview"), /più mite della media/);
  await inSight(page, "più mite della media");
  await sound(page, "guide-comments");
  await page.locator("main a", { hasText: "Vai alla generazione" }).click();
  await sound(page, "guide-freeze");
  await primary(page).click();
  assert.match(await here(page), /Firma/);
  await sound(page, "guide-sign");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.locator("a[download]", { hasText: /\.pdf$/ }).first().click(),
  ]);
  const pdf = join(folder, "relazione.pdf");
  await download.saveAs(pdf);
  assert.ok(readFileSync(pdf).subarray(0, 5).equals(Buffer.from("%PDF-")), "the report is a PDF");
  // A file that was changed before signing is refused with what is wrong.
  const other = join(folder, "altro.pdf");
  writeFileSync(other, Buffer.concat([readFileSync(pdf), Buffer.from("\n% saved anew\n")]));
  await page.setInputFiles("#signed", signed(other));
  await primary(page).click();
  assert.match(await page.innerText(".alert.bad"), /altri byte in coda/);
  // No authority stands behind a certificate of this journey: that is taken with a reason only, and said.
  await page.setInputFiles("#signed", signed(pdf));
  await primary(page).click();
  assert.match(await page.innerText(".alert.bad"), /motivo/i);
  await page.setInputFiles("#signed", signed(pdf));
  await page.fill("#sign-reason", "Certificato di prova, autorità non in elenco");
  await primary(page).click();
  assert.match(await here(page), /Invio/);
  await sound(page, "guide-send");
  const receipt = join(folder, "ricevuta.pdf");
  writeFileSync(receipt, "%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n");
  await page.fill("#to", "protocollo@regione.example");
  await page.setInputFiles("#receipt", receipt);
  await primary(page).click();
  assert.match(await here(page), /Esito/);
  await sound(page, "guide-outcome");
  await page.fill("#says", "Protocollo di prova 123");
  await page.locator(".desk-step form .btn:not(.btn-outline)").first().click();
  assert.match(await page.innerText(".desk-step"), /adempimento è concluso/);
  assert.ok(Date.now() - begun < JOURNEY_MS_MAX, "the journey takes too long");
  // Where something stands in the way of a report, each of it says what to do.
  await page.goto(`${BASE}/desk/${BLOCKED}`);
  await primary(page).click();
  assert.match(await here(page), /Controllo/);
  const obstacles = await page.locator(".desk-obstacles > li").allInnerTexts();
  assert.ok(obstacles.length > 0, `nothing stands in the way of ${BLOCKED}`);
  for (const says of obstacles) assert.match(says, /Che cosa fare: \S/);
  await sound(page, "guide-obstacles");
  assert.deepEqual(wrong, []);
  assert.deepEqual(refused.map((path) => path.split("/").at(-1)), ["sign", "sign"], "only the two wrong signatures are refused");
  await context.close();
});

test("accounts, tokens and the audit log are sound", async () => {
  const { context, page, wrong, refused } = await open();
  await signIn(page, "ADMINISTRATOR");
  for (const path of ["/account", "/accounts", "/tokens", "/audit", "/api"]) {
    await page.goto(BASE + path);
    await sound(page, path.slice(1));
  }
  assert.deepEqual([...wrong, ...refused], []);
  await context.close();
});

test("the officer finds, groups, keeps a view, exports, and looks at letters before they go", async () => {
  const { context, page, wrong, refused } = await open();
  await signIn(page, "REGIONAL_OFFICER");
  await page.goto(`${BASE}/region`);
  await sound(page, "region");
  // A row of the telephone is not made long by what is scrolled out of its sight.
  await page.setViewportSize({ width: 360, height: 900 });
  const rows = await page.$$eval(".region-table tbody tr:has(.region-kpis)", (all) => all.map((row) => row.offsetHeight));
  assert.ok(rows.length > 0 && Math.max(...rows) <= ROW_PX_MAX, `rows of ${rows.join(", ")} px`);
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.selectOption("#f-verdict", "missed");
  await page.locator(".region-filter button[type=submit]").click();
  assert.ok(await page.locator(".region-table tbody tr").count() > 0, "there are missed targets");
  await page.fill("#view", "Mancati");
  await page.locator("form[action='/region/views'] button", { hasText: "Salva" }).click();
  assert.match(await page.innerText(".region-views"), /Mancati/);
  await page.goto(`${BASE}/region?group=intervention`);
  await sound(page, "region-interventions");
  for (const ending of ["csv", "xlsx"]) {
    const answer = await context.request.get(`${BASE}/region/table.${ending}?year=2025`);
    assert.equal(answer.status(), 200);
    assert.match(answer.headers()["content-disposition"], /^attachment/);
  }
  await page.goto(`${BASE}/region`);
  await page.locator(".region-table input[type=checkbox]").first().check();
  await page.locator("button", { hasText: "Prepara un promemoria" }).click();
  await sound(page, "region-memos");
  // An officer reads a project and changes nothing in it.
  await page.goto(`${BASE}/desk/${PROJECT}/savings`);
  assert.equal(await page.locator("form[action$='/kpi']").count(), 0);
  assert.deepEqual([...wrong, ...refused], []);
  await context.close();
});

test("the pages read without JavaScript", async () => {
  const { context, page } = await open(false);
  await page.goto(`${BASE}/region`);
  assert.ok(await page.locator(".region-table tbody tr").count() > 0);
  await page.goto(`${BASE}/desk/${PROJECT}/duties`);
  assert.ok(await page.locator(".desk-duty").count() > 0);
  await context.close();
});

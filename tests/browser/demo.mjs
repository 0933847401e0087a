// Reads every page of a running daemon in headless Chromium, at the width of a telephone and of a desk, in both
// languages. Run with BASE_URL=http://127.0.0.1:8480 node --test demo.mjs
//
// Must never: change anything in the daemon, or ask another host for anything.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { violations } from "./sound.mjs";

const BASE = (process.env.BASE_URL ?? "http://127.0.0.1:8480").replace(/\/$/, "");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
// When set, a screenshot of every page is written there.
const SCREENSHOTS = process.env.SCREENSHOTS;
const WIDTHS = [360, 1280];
const LANGUAGES = ["it", "en"];
const PAGES_MAX = 200;
// How many orders and filters of one page are looked at.
const VARIANTS_MAX = 3;
const LIVE_WAIT_MS = 60_000;

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  if (SCREENSHOTS) mkdirSync(SCREENSHOTS, { recursive: true });
});
after(async () => { await browser?.close(); });

/** A page that keeps everything that goes wrong on it. */
async function open(language, width, scheme = "light") {
  const context = await browser.newContext({
    locale: language === "it" ? "it-IT" : "en-GB", viewport: { width, height: 900 }, colorScheme: scheme,
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

const isPage = (path) => !/^\/(api|reports|schema|metrics|assets|live|health)\b/.test(path);

/** Whether an address answers with a page, not with a file to save. */
async function isHtml(page, path) {
  const answer = await page.request.head(BASE + path);
  return /^text\/html/.test(answer.headers()["content-type"] ?? "");
}

/** Every page that can be reached by links from the portfolio, without its language. */
async function allPages() {
  const { context, page, wrong } = await open("it", 1280);
  const found = new Set(["/"]);
  for (const path of found) {
    assert.ok(found.size <= PAGES_MAX, `more than ${PAGES_MAX} pages are linked`);
    if (!await isHtml(page, path)) { found.delete(path); continue; }
    await page.goto(BASE + path);
    const links = await page.$$eval("a[href]", (all) => all.map((a) => a.href));
    for (const link of links) {
      const url = new URL(link);
      assert.equal(url.origin, new URL(BASE).origin, `${path} links to ${link}`);
      url.searchParams.delete("lang");
      // A building has a page for every span of its past; watch.mjs looks at them.
      if (!isPage(url.pathname) || url.searchParams.has("on")) continue;
      // A table has an address for every order and filter: a few of each page stand for all.
      const known = [...found].filter((p) => p.split("?")[0] === url.pathname).length;
      if (!url.search || known < VARIANTS_MAX) found.add(url.pathname + url.search);
    }
  }
  await context.close();
  assert.deepEqual(wrong, []);
  return [...found];
}

async function check(page, path, language, width) {
  const response = await page.goto(BASE + path);
  assert.equal(response.status(), 200, path);
  assert.equal(await page.getAttribute("html", "lang"), language, `language of ${path}`);
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 0, `${path} is ${overflow} px wider than ${width} px`);
  const text = await page.innerText("body");
  assert.doesNotMatch(text, /\b(page|report|finding|kpi)\.[a-z_]+\.[a-z_.]+/, `${path} shows the key of a missing text`);
  assert.doesNotMatch(text, /\bNaN\b|\bundefined\b|\binf\b/, `${path} shows what is no number`);
  assert.deepEqual(await violations(page), [], `axe-core on ${path} at ${width} px`);
}

test("every linked page is sound at both widths and in both languages", async (t) => {
  const pages = await allPages();
  assert.ok(pages.some((p) => p.startsWith("/projects/")), "the portfolio links to projects");
  for (const width of WIDTHS) {
    for (const language of LANGUAGES) {
      await t.test(`${width} px, ${language}: ${pages.length} pages`, async () => {
        const { context, page, wrong } = await open(language, width);
        for (const path of pages) {
          await check(page, path, language, width);
          if (SCREENSHOTS) {
            const name = `${path.replace(/[^a-z0-9]+/gi, "_")}-${language}-${width}.png`;
            await page.screenshot({ path: `${SCREENSHOTS}/${name}`, fullPage: true });
          }
        }
        await context.close();
        assert.deepEqual(wrong, []);
      });
    }
  }
});

test("the dark look is sound too", async () => {
  const { context, page, wrong } = await open("it", 1280, "dark");
  for (const path of ["/", "/meters", "/findings", ...(await allPages()).filter((p) => p.startsWith("/projects/")).slice(0, 1)]) {
    await check(page, path, "it", 1280);
    if (SCREENSHOTS) {
      await page.screenshot({ path: `${SCREENSHOTS}/${path.replace(/[^a-z0-9]+/gi, "_")}-dark.png`, fullPage: true });
    }
  }
  await context.close();
  assert.deepEqual(wrong, []);
});

test("a live power changes by itself", async () => {
  const { context, page, wrong } = await open("it", 1280);
  await page.goto(`${BASE}/`);
  const powers = () => page.$$eval("[data-field=power]", (all) => all.map((e) => e.textContent).join("|"));
  const first = await powers();
  assert.ok(first.length > 0, "the portfolio shows buildings");
  await page.waitForFunction(
    (old) => [...document.querySelectorAll("[data-field=power]")].map((e) => e.textContent).join("|") !== old,
    first, { timeout: LIVE_WAIT_MS });
  assert.match(await page.getAttribute("#live-status", "class"), /\bopen\b/);
  assert.equal(await page.evaluate(() => performance.getEntriesByType("navigation").length), 1);
  await context.close();
  assert.deepEqual(wrong, []);
});

test("a lost link is said, not hidden", async () => {
  const { context, page } = await open("it", 1280);
  await page.route("**/live", (route) => route.abort());
  await page.goto(`${BASE}/`);
  await page.waitForFunction(() => document.querySelector("#live-status")?.classList.contains("lost"));
  assert.match(await page.innerText("#live-status"), /interrotto/);
  await context.close();
});

test("pages read without JavaScript", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false, locale: "it-IT" });
  const page = await context.newPage();
  await page.goto(`${BASE}/`);
  assert.match(await page.innerText("main"), /kW/);
  assert.ok(await page.locator("article h3 a").count() > 0, "projects are listed");
  await context.close();
});

test("reports can be saved, and are what the page says", async () => {
  const { context, page } = await open("it", 1280);
  const seen = new Set();
  for (const path of (await allPages()).filter((p) => /^\/projects\/[^?]+$/.test(p))) {
    await page.goto(BASE + path);
    const files = await page.$$eval("a[download]", (all) => all.map((a) => ({
      href: a.href, sha256: a.closest("tr").lastElementChild.textContent.trim(),
    })));
    for (const { href, sha256 } of files) {
      const response = await context.request.get(href);
      assert.equal(response.status(), 200, href);
      assert.match(response.headers()["content-disposition"], /^attachment/);
      const digest = await crypto.subtle.digest("SHA-256", await response.body());
      assert.equal(Buffer.from(digest).toString("hex"), sha256, href);
      seen.add(href);
    }
  }
  assert.ok(seen.size > 0, "there are reports to save");
  await context.close();
});

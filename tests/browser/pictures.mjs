// Takes the pictures of the README and the user manual anew from a fresh demonstration, as the people who use those pages
// see them. Run with BASE_URL and the one-time links that the demonstration prints in LINK_LEGAL_REPRESENTATIVE,
// LINK_FACILITY_MANAGER and LINK_REGIONAL_OFFICER: node pictures.mjs
//
// Must never: show another installation than the demonstration, or change what it shows beyond beginning a draft.

import { chromium } from "playwright-core";

const BASE = (process.env.BASE_URL ?? "http://127.0.0.1:8480").replace(/\/$/, "");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FOLDER = new URL("../../docs/images/", import.meta.url).pathname;
const GUIDE = "/desk/scuola-primaria/submit/relazione-annuale/2025";
const WIDTH = 1280;

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });

async function signedIn(role) {
  const context = await browser.newContext({ locale: "it-IT", viewport: { width: WIDTH, height: 900 } });
  const page = await context.newPage();
  const link = process.env[`LINK_${role}`];
  if (!link) throw new Error(`LINK_${role} names the one-time link`);
  await page.goto(BASE + new URL(link, BASE).pathname);
  await page.locator("main form button[type=submit]").first().click();
  await page.waitForLoadState();
  return page;
}

async function picture(page, name, path, height) {
  await page.setViewportSize({ width: WIDTH, height });
  if (path) await page.goto(BASE + path);
  // Live values and charts have come.
  await page.waitForLoadState("load");
  await page.waitForFunction(() => [...document.querySelectorAll("[data-plot]")].every((e) => e.querySelector("canvas") || !e.offsetParent));
  await page.screenshot({ path: `${FOLDER}${name}.png` });
}

const manager = await signedIn("FACILITY_MANAGER");
await picture(manager, "edifici", "/buildings", 900);
await picture(manager, "edificio", "/buildings/scuola-primaria/scuola-primaria", 1500);
await picture(manager, "allarmi", "/alarms", 800);
await picture(manager, "schermo", "/kiosk/palestra-uffici/palestra-uffici", 720);

const officer = await signedIn("REGIONAL_OFFICER");
await picture(officer, "regione", "/region", 1100);

const representative = await signedIn("LEGAL_REPRESENTATIVE");
await picture(representative, "scheda", "/desk/scuola-primaria", 1000);
await picture(representative, "kpi", "/desk/scuola-primaria/savings", 1200);
await representative.goto(BASE + GUIDE);
await representative.locator("main form button[type=submit]").first().click();
await representative.waitForLoadState();
await picture(representative, "invio", `${GUIDE}?step=comments&section=savings`, 900);
await browser.close();

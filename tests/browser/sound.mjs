// What every page must be, whoever looks at it: no wider than the screen, every text there, nothing that axe-core finds.
//
// Must never: leave out a finding because it is a small one.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// When set, a screenshot of every page of a journey is written there.
const SCREENSHOTS = process.env.SCREENSHOTS;

/** Everything that axe-core finds, of whatever impact. */
export async function violations(page) {
  await page.evaluate(AXE);
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return result.violations.flatMap((v) => v.nodes.map((n) => `${v.id} (${v.impact}): ${n.target.join(" ")}: ${n.failureSummary}`));
}

export async function sound(page, name, width, scheme) {
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 0, `${name} is ${overflow} px wider than ${width} px`);
  const text = await page.innerText("body");
  assert.doesNotMatch(text, /\b(page|report|finding|kpi|alarm)\.[a-z_]+\.[a-z_.]+/, `${name} shows the key of a missing text`);
  assert.doesNotMatch(text, /\bNaN\b|\bundefined\b|\binf\b/, `${name} shows what is no number`);
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name}-${width}-${scheme}.png`, fullPage: true });
  assert.deepEqual(await violations(page), [], `axe-core on ${name} at ${width} px, ${scheme}`);
}

/** The page as it stands at the width of a telephone and of a desk. */
export async function soundAtBothWidths(page, name) {
  const { height } = page.viewportSize();
  for (const width of [360, 1280]) {
    await page.setViewportSize({ width, height });
    await sound(page, name, width, "light");
  }
}

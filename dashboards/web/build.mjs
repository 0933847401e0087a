// Bundles what the pages load: node build.mjs TEMPLATES OUT. Every file is named by its content, has a gzip and a brotli
// twin, and stands in OUT/manifest.txt: role, name, media type, separated by tabs.
//
// Must never: fetch anything, or write outside OUT.

import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { PurgeCSS } from "purgecss";

const HERE = dirname(fileURLToPath(import.meta.url));
const [templates, out] = process.argv.slice(2).map((p) => resolve(p));
if (!templates || !out) throw new Error("usage: node build.mjs TEMPLATES OUT");

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".woff2": "font/woff2",
};

/** Of the kit only what templates and scripts name; nothing that a strict content policy would refuse. */
async function kit(path) {
  const css = readFileSync(path, "utf8").replace(/@font-face\s*\{[^}]*\}/g, "");
  const files = [
    ...readdirSync(templates).map((name) => join(templates, name)),
    ...readdirSync(join(HERE, "src")).map((name) => join(HERE, "src", name)),
  ].filter((name) => /\.(html|js)$/.test(name));
  const [purged] = await new PurgeCSS().purge({
    content: files.map((name) => ({ raw: readFileSync(name, "utf8"), extension: extname(name).slice(1) })),
    css: [{ raw: css }],
    fontFace: true,
    keyframes: true,
    variables: true,
  });
  // Pictures inside the style sheet would need `img-src data:`.
  return purged.css.replace(/[\w-]+:[^;{}]*url\(\s*["']?data:(?:"[^"]*"|'[^']*'|[^;{}])*?\)[^;}]*;?/g, "")
    .replace(/\/\*# sourceMappingURL=.*?\*\//g, "");
}

const onlyWhatIsUsed = {
  name: "only-what-is-used",
  setup(b) {
    b.onLoad({ filter: /bootstrap-italia\.min\.css$/ }, async ({ path }) => ({ contents: await kit(path), loader: "css" }));
  },
};

const entries = { app: "app.js", charts: "charts.js", kiosk: "kiosk.js", theme: "theme.js", style: "app.css", icon: "icon.svg" };

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const result = await build({
  absWorkingDir: HERE,
  entryPoints: Object.fromEntries(Object.entries(entries).map(([role, file]) => [role, `src/${file}`])),
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome123", "firefox121", "safari17.5"],
  entryNames: "[name].[hash]",
  assetNames: "[name].[hash]",
  loader: { ".woff2": "file", ".svg": "copy" },
  legalComments: "none",
  outdir: out,
  metafile: true,
  logLevel: "warning",
  plugins: [onlyWhatIsUsed],
});

// The licences of everything that was bundled go along with it.
const packages = new Set(Object.keys(result.metafile.inputs).flatMap((input) =>
  input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? []));
const licences = [...packages].sort().map((name) => {
  const folder = join(HERE, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
  return `${name} ${version} (${license})\n\n${file ? readFileSync(join(folder, file), "utf8").trim() : ""}\n`;
}).join("\n----\n\n");
const digest = createHash("sha256").update(licences).digest("hex").slice(0, 8).toUpperCase();
writeFileSync(join(out, `licences.${digest}.txt`), licences);

const roles = new Map(Object.entries(result.metafile.outputs).flatMap(([output, { entryPoint }]) => {
  const role = Object.keys(entries).find((r) => entryPoint === `src/${entries[r]}`);
  return role ? [[basename(output), role]] : [];
}));
roles.set(`licences.${digest}.txt`, "licences");
const lines = [];
for (const name of readdirSync(out).sort()) {
  const type = TYPES[extname(name)];
  if (!type) throw new Error(`no media type for ${name}`);
  const body = readFileSync(join(out, name));
  // A font is compressed already: its twins are empty and never sent.
  const packed = extname(name) === ".woff2";
  writeFileSync(join(out, `${name}.gz`), packed ? "" : gzipSync(body, { level: 9 }));
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  writeFileSync(join(out, `${name}.br`), packed ? "" : brotliCompressSync(body, quality));
  lines.push(`${roles.get(name) ?? "-"}\t${name}\t${type}\n`);
}
writeFileSync(join(out, "manifest.txt"), lines.join(""));

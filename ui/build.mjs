// Bundles ui/src into the folder given and writes manifest.json (logical name -> file name with content hash).
// Run by ui/build.py, which also provides Node.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { PurgeCSS } from "purgecss";

const out = process.argv[2];
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const manifest = { files: {}, icons: [] };
const hashOf = (content) => createHash("sha256").update(content).digest("hex").slice(0, 10);

const result = await build({
  entryPoints: { app: "src/app.js", theme: "src/theme.js", style: "src/style.css" },
  bundle: true,
  minify: true,
  format: "esm",
  // What only some pages need is a file of its own.
  splitting: true,
  chunkNames: "[name]-[hash]",
  target: ["chrome123", "firefox121", "safari17.5"],
  outdir: out,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file" },
  metafile: true,
  legalComments: "linked",
  logLevel: "warning",
});

for (const [path, info] of Object.entries(result.metafile.outputs)) {
  if (!info.entryPoint) continue;
  manifest.files[basename(info.entryPoint)] = basename(path);
}

// Tabler's stylesheet is large; keep what the templates and the scripts mention.
const stylesheet = join(out, manifest.files["style.css"]);
const [purged] = await new PurgeCSS().purge({
  content: ["templates/**/*.html", "src/**/*.js"],
  css: [stylesheet],
  defaultExtractor: (text) => text.match(/[\w-]+/g) ?? [],
  variables: false,
  // Our own families whose last part the templates compute.
  safelist: { greedy: [/data-bs-theme/], standard: [/^(state|step|log|notes?|flash|meter|setup|map)-/, /^(uplot|u-)/] },
});
await rm(stylesheet);
manifest.files["style.css"] = `style-${hashOf(purged.css)}.css`;
await writeFile(join(out, manifest.files["style.css"]), purged.css);

// One sprite with only the icons the product uses.
manifest.icons = JSON.parse(await readFile("src/icons.json", "utf8"));
const symbols = [];
for (const name of manifest.icons) {
  const svg = await readFile(`node_modules/@tabler/icons/icons/outline/${name}.svg`, "utf8");
  const inner = svg.replace(/<!--[\s\S]*?-->/g, "").match(/<svg[^>]*>([\s\S]*)<\/svg>/)[1];
  symbols.push(`<symbol id="${name}" viewBox="0 0 24 24">${inner.trim().replace(/\s*\n\s*/g, "")}</symbol>`);
}
const sprite = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
manifest.files["icons.svg"] = `icons-${hashOf(sprite)}.svg`;
await writeFile(join(out, manifest.files["icons.svg"]), sprite);

const favicon = await readFile("src/favicon.svg", "utf8");
manifest.files["favicon.svg"] = `favicon-${hashOf(favicon)}.svg`;
await writeFile(join(out, manifest.files["favicon.svg"]), favicon);

await writeFile(join(out, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n");
console.log(`ui: ${(await readdir(out)).length} files`);

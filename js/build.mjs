// Builds fuse_widgets/static/widget.js, widget.css and cytoscape.js; with --dev also build/dev.js for test/dev.html.
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "fuse_widgets", "static");
mkdirSync(out, { recursive: true });

const common = {
  bundle: true,
  minify: true,
  target: "es2022",
  legalComments: "none",
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
};

for (const name of ["widget", "cytoscape"]) {
  await build({
    ...common,
    entryPoints: [join(here, "src", `${name}.ts`)],
    outfile: join(out, `${name}.js`),
    format: "esm",
  });
}
await build({
  ...common,
  entryPoints: [join(here, "src", "view", "style.css")],
  outfile: join(out, "widget.css"),
});
if (process.argv.includes("--dev")) {
  await build({
    ...common,
    minify: false,
    entryPoints: [join(here, "test", "dev", "dev.ts")],
    outfile: join(here, "build", "dev.js"),
    format: "esm",
  });
}
// The script travels with every model, so its size counts.
const MOST = 150;
let whole = 0;
for (const name of ["widget.js", "widget.css"]) {
  const bytes = readFileSync(join(out, name));
  const packed = gzipSync(bytes).length / 1024;
  whole += packed;
  console.log(`${name} ${(bytes.length / 1024).toFixed(1)} kB, ${packed.toFixed(1)} kB gzipped`);
}
if (whole > MOST) {
  console.error(
    `error: ${whole.toFixed(0)} kB gzipped, and ${MOST} kB is the most; see what came in`,
  );
  process.exit(1);
}

// Bundles the page into a folder: `node build.js [FOLDER]`, dist by default. The same sources and the same lock
// file give the same bytes; the tests hold dist to that.
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "dist");

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
/** Of the stretcher's package only the compiled library: its node plays one buffer, the page's own all stems. */
const library = {
  name: "stretch-library",
  setup(build) {
    build.onLoad({ filter: /SignalsmithStretch\.mjs$/ }, ({ path }) => {
      const [compiled, node] = readFileSync(path, "utf8").split("if (typeof exports === 'object' && typeof module === 'object')");
      if (node === undefined) throw new Error(`${path} has another form`);
      return { contents: `${compiled}\nexport default SignalsmithStretch;\n` };
    });
  },
};

const built = await build({
  absWorkingDir: here,
  // The stretcher runs in the audio thread, and is loaded on first use.
  entryPoints: { app: "src/main.tsx", stretch: "src/stretch/processor.ts" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome110", "firefox115", "safari16.4"],
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  metafile: true,
  plugins: [library],
  logLevel: "warning",
});
await build({
  absWorkingDir: here,
  entryPoints: { app: "src/style/app.css" },
  outdir: out,
  bundle: true,
  minify: true,
  target: ["chrome110", "firefox115", "safari16.4"],
  logLevel: "warning",
});
for (const name of ["index.html", "icon.svg"]) cpSync(join(here, "src", name), join(out, name));
writeFileSync(join(out, "licences.txt"), licences(Object.keys(built.metafile.inputs)));

/** The licences of the packages that are in the bundle. */
function licences(inputs) {
  // Packages without a file of their licence. The terms of MIT are the same everywhere.
  const [, terms] = readFileSync(join(here, "../../LICENSE-MIT"), "utf8").split(/^Copyright .*$/m);
  const unpacked = { "signalsmith-stretch": `MIT License\n\nCopyright (c) Geraint Luff / Signalsmith Audio Ltd.\n\n${terms.trim()}` };
  const folders = new Set(inputs.map((path) => path.match(/^node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]));
  folders.delete(undefined);
  const one = (folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(here, folder, "package.json"), "utf8"));
    const file = readdirSync(join(here, folder)).find((name) => /^licen[sc]e/i.test(name));
    const text = file ? readFileSync(join(here, folder, file), "utf8").trim() : (unpacked[name] ?? "");
    return `${name} ${version} (${license})\n\n${text}`.trim();
  };
  // Some name Apache-2.0 and leave its text out.
  const apache = readFileSync(join(here, "../../LICENSE-APACHE"), "utf8").trim();
  return [...[...folders].sort().map(one), apache].join(`\n\n${"-".repeat(72)}\n\n`) + "\n";
}

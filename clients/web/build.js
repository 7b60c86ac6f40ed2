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
  // The client's sources, as they are in the repository.
  conditions: ["module", "stemwire-source"],
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
writeFileSync(join(out, "licences.json"), `${JSON.stringify(licences(Object.keys(built.metafile.inputs)), null, 1)}\n`);

/** The packages that are in the bundle, with their licences; `src/licences/generate.py` makes them part of the list of all. */
function licences(inputs) {
  // Owners of packages without a file of their licence, as their sources name them.
  const owners = {
    "@bufbuild/protobuf": ["Copyright 2021-2026 Buf Technologies, Inc.", "Copyright 2008 Google Inc. All rights reserved."],
    "@connectrpc/connect": ["Copyright 2021-2026 The Connect Authors"],
    "@connectrpc/connect-web": ["Copyright 2021-2026 The Connect Authors"],
    "signalsmith-stretch": ["Copyright (c) Geraint Luff / Signalsmith Audio Ltd."],
  };
  const folders = new Set(inputs.map((path) => path.match(/^\.\.\/node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]));
  folders.delete(undefined);
  return [...folders].sort().map((folder) => {
    const { name, version, license, repository } = JSON.parse(readFileSync(join(here, folder, "package.json"), "utf8"));
    const file = readdirSync(join(here, folder)).find((name) => /^licen[sc]e/i.test(name));
    const text = file ? readFileSync(join(here, folder, file), "utf8").trim() : "";
    if (!file && !(name in owners)) throw new Error(`${name} has no file of its licence: name its owners`);
    const address = typeof repository === "string" ? repository : repository?.url;
    const source = (address ?? "").replace(/^git\+/, "").replace(/^git@github.com:/, "https://github.com/").replace(/\.git$/, "");
    return { name, version, licence: license.replace(/^\((.*)\)$/, "$1"), source, notices: owners[name] ?? [], text };
  });
}

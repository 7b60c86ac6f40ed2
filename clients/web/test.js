// Runs the tests of the page's logic: bundled by esbuild as the page is, run by Node's own test runner.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const tests = readdirSync(join(here, "tests")).filter((name) => name.endsWith(".test.ts"));
// Below node_modules, so that packages are found from there.
const out = mkdtempSync(join(here, "../node_modules", ".tests-"));
try {
  await build({
    absWorkingDir: here,
    entryPoints: tests.map((name) => join("tests", name)),
    inject: ["tests/browser.ts"],
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    conditions: ["module", "stemwire-source"],
    external: ["@bufbuild/*", "@connectrpc/*", "@preact/*", "preact"],
    format: "esm",
    platform: "node",
    sourcemap: "inline",
    logLevel: "warning",
  });
  const bundles = tests.map((name) => join(out, name.replace(/ts$/, "mjs")));
  const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-reporter=spec", "--test-timeout=60000", ...bundles], { stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}

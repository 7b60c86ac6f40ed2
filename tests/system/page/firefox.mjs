// Opens a page in Firefox by WebDriver BiDi, then evaluates the expressions that stdin has, one a line as JSON:
// `node firefox.mjs PUPPETEER FIREFOX ADDRESS SCRIPT`. Answers one line each; the first one when the page is open.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [puppeteer, executablePath, address, script] = process.argv.slice(2);
const browser = await createRequire(import.meta.url)(puppeteer).launch({
  browser: "firefox",
  executablePath,
  headless: true,
  // As after a click.
  extraPrefsFirefox: { "media.autoplay.default": 0 },
});
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
try {
  const page = await browser.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(`exception: ${error}`));
  page.on("console", (message) => ["error", "warn"].includes(message.type()) && faults.push(`${message.type()}: ${message.text()}`));
  await page.evaluateOnNewDocument(script);
  await page.goto(address);
  answer(await browser.version());
  for await (const line of createInterface({ input: process.stdin })) answer((await page.evaluate(JSON.parse(line))) ?? null);
  answer(faults);
} finally {
  await browser.close();
}

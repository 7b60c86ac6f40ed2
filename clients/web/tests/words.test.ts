import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { ChangeReasonSchema, ErrorReasonSchema, SourceNoteKind, SourceNoteKindSchema } from "stemwire/proto";
import { ownProblem } from "../src/calls/problem";
import { language } from "../src/preferences";
import { en } from "../src/words/en";
import { bytes, clock, list, secondsOf, time } from "../src/words/forms";
import { describe, words } from "../src/words/index";
import { REASONS } from "../src/words/reasons";
import { zh } from "../src/words/zh";

afterEach(() => void (language.value = "en"));

type Leaf = [path: string, value: unknown];

function leaves(value: unknown, path = ""): Leaf[] {
  if (typeof value !== "object" || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([name, part]) => leaves(part, `${path}.${name}`));
}

/** The texts of an entry; functions are called with numbers of every size, dates or names. */
function texts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  const ask = value as (...of: unknown[]) => unknown;
  const samples = [0, 1, 2, 45, 75, 3600, 7322.4];
  return samples.map((sample) => {
    for (const form of [sample, new Date(sample * 1000), `no_${sample}`]) {
      try {
        return String(ask(form, form, form, form));
      } catch {
        // It is called with something else.
      }
    }
    throw new Error("no call succeeds");
  });
}

test("both languages have the same texts, none of them empty", () => {
  const shape = (words: object) => leaves(words).map(([path, value]) => `${path} ${typeof value === "function" ? value.length : typeof value}`);
  assert.deepEqual(shape(zh), shape(en));
  assert.ok(shape(en).length > 80);
  for (const [path, value] of [...leaves(en), ...leaves(zh)]) {
    for (const text of texts(value)) assert.ok(text.trim() !== "" && !/undefined|NaN|\[object/.test(text), `${path}: ${text}`);
  }
});

test("Chinese texts are Chinese, and English texts are not", () => {
  const han = /\p{Script=Han}/u;
  // Names, numbers and keys are the same everywhere; each language offers the other in that one's own words.
  const neutral = /^\.(otherLanguage|stem|formats|percent|bytes|bytesOf|when|formatName|keyList\.[1-7]\.0)$/;
  for (const [path, value] of leaves(zh)) if (!neutral.test(path)) assert.ok(texts(value).some((text) => han.test(text)), `${path}: ${texts(value)}`);
  for (const [path, value] of leaves(en)) if (path !== ".otherLanguage") assert.ok(!texts(value).some((text) => han.test(text)), path);
  for (const stem of ["vocals", "drums", "bass", "guitar", "piano", "other", "accompaniment"]) {
    assert.match(zh.stem(stem), han);
    assert.equal(en.stem(stem).toLowerCase(), stem);
  }
  assert.equal(zh.stem("choir"), "choir", "an unknown stem has its own name");
});

test("every reason of the protocol has texts", () => {
  // From 80 on they occur over plain HTTP only, which the page does not use for its calls.
  const reasons = ErrorReasonSchema.values.filter(({ number }) => number > 0 && number < 80);
  assert.ok(reasons.length > 50);
  assert.deepEqual(reasons.map(({ name }) => name.replace(/^ERROR_REASON_/, "")).filter((reason) => !(reason in REASONS)), []);
  const changes = ChangeReasonSchema.values.filter(({ number }) => number > 0).map(({ name }) => name.replace(/^CHANGE_REASON_/, ""));
  for (const words of [en, zh]) assert.deepEqual(Object.keys(words.changeReason).sort(), changes.sort());
});

test("every reason has a cause and a remedy in both languages, with the same numbers in them", () => {
  const numbers = (texts: readonly string[]) => texts.join(" ").match(/\{\w+(:\w+)?\}/g)?.sort() ?? [];
  for (const [reason, texts] of Object.entries(REASONS)) {
    for (const text of [...texts.en, ...texts.zh]) assert.ok(text.trim() !== "" && !/\{[^}]*[^\w:}]/.test(text), `${reason}: ${text}`);
    assert.deepEqual(numbers(texts.zh), numbers(texts.en), reason);
    for (const number of numbers(texts.en)) assert.match(number, /^\{\w+(:bytes)?\}$/);
    assert.match(texts.en[1], /[.!?]$/, reason);
    assert.match(texts.zh[1], /[。！？]$/, reason);
  }
});

test("a problem is described in the chosen language, with its numbers", () => {
  const problem = { reason: "UPLOAD_TOO_LARGE", message: "in the server's words", numbers: { limit_bytes: "2147483648" }, passing: false, waitMs: 0, requestId: "" };
  const english = describe(problem);
  assert.match(`${english.cause} ${english.remedy}`, /2\.1 GB/);
  assert.equal(english.original, "in the server's words");
  language.value = "zh";
  const chinese = describe(problem);
  assert.match(`${chinese.cause} ${chinese.remedy}`, /2\.1/);
  assert.notEqual(chinese.cause, english.cause);
  assert.equal(words.value, zh);
});

test("a missing number does not break the sentence", () => {
  const { cause, remedy } = describe(ownProblem("CONNECTION_LOST"));
  assert.ok(cause && remedy);
  const without = describe({ reason: "UPLOAD_TOO_LARGE", message: "", numbers: {}, passing: false, waitMs: 0, requestId: "" });
  assert.ok(!/undefined|NaN/.test(without.cause + without.remedy));
});

test("an unknown reason is shown by name, with a remedy", () => {
  const { cause, remedy, original } = describe({ reason: "FROM_LATER", message: "quite new", numbers: {}, passing: false, waitMs: 0, requestId: "" });
  assert.deepEqual([cause, remedy], [...en.unknownProblem]);
  assert.match(original, /FROM_LATER.*quite new/);
});

test("times are read as they are written", () => {
  const check = (text: string, seconds: number | null, written = "") => {
    assert.equal(secondsOf(text), seconds, text);
    if (seconds !== null) assert.equal(time(seconds), written);
  };
  check("90", 90, "1:30");
  check(" 1:30 ", 90, "1:30");
  check("1：30", 90, "1:30");
  check("0:05.25", 5.25, "0:05.25");
  check("1:00:05.5", 3605.5, "1:00:05.5");
  check("59.9996", 59.9996, "1:00");
  for (const text of ["", "x", "-1", "1:", ":30", "1:2:3:4", "1e3", "NaN", "1,5"]) check(text, null);
});

test("clocks", () => {
  const check = (seconds: number, expected: string) => assert.equal(clock(seconds), expected);
  check(0, "0:00");
  check(-3, "0:00");
  check(59.99, "0:59");
  check(60, "1:00");
  check(65, "1:05");
  check(3599, "59:59");
  check(3600, "1:00:00");
  check(11_338, "3:08:58");
});

test("every kind of note on an upload has a text", () => {
  const kinds = SourceNoteKindSchema.values.map(({ number }) => number).filter((number) => number > 0);
  for (const words of [en, zh]) {
    const found = [...Object.keys(words.conversion), ...Object.keys(words.damage)].map(Number);
    assert.deepEqual(found.sort((one, other) => one - other), kinds);
  }
  assert.match(en.conversion[SourceNoteKind.DOWNMIXED]!(6, 2, "ITU-R BS.775", 0), /6 channels to 2 by ITU-R BS.775$/);
  assert.match(en.conversion[SourceNoteKind.DOWNMIXED]!(6, 2, "", 0), /6 channels to 2$/);
  assert.match(en.damage[SourceNoteKind.FRAMES_MISSING]!(1000 / 44_100), /^0\.023 s /);
  assert.match(en.damage[SourceNoteKind.FRAMES_SILENCED]!(75), /^1:15 /);
});

test("sizes in powers of a thousand", () => {
  const check = (count: number, expected: string) => assert.equal(bytes(count, "en"), expected);
  check(999, "999 byte");
  check(1_000, "1 kB");
  check(1_250, "1.3 kB");
  check(999_499, "999 kB");
  check(999_500, "1 MB");
  check(12_345_678, "12 MB");
  check(2_000_000_000, "2 GB");
  check(3e15, "3,000 TB");
  assert.match(bytes(2_100_000, "zh"), /2\.1/);
});

test("times left and durations", () => {
  const check = (seconds: number, expected: string) => assert.equal(en.timeLeft(seconds), `${expected} left`);
  check(3, "a few seconds");
  check(10, "about 10 seconds");
  check(41, "about 50 seconds");
  check(61, "about a minute");
  check(89, "about a minute");
  check(90, "about 2 minutes");
  check(3_000, "about 50 minutes");
  check(7_300, "about 2 hours");
  assert.equal(en.duration(0.4), "0 seconds");
  assert.equal(en.duration(61), "1 minute 1 second");
  assert.equal(en.duration(7_322), "2 hours 2 minutes 2 seconds");
  assert.equal(list(["a", "", "b"], ", "), "a, b");
});

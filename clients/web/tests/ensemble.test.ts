import assert from "node:assert/strict";
import { test } from "node:test";
import type { Model } from "stemwire/proto";
import { ensembleOf, modelsFor, stemsToChoose } from "../src/session/ensemble";

const models = [
  { name: "four", stems: ["drums", "bass", "other", "vocals"] },
  { name: "voice", stems: ["vocals", "accompaniment"] },
  { name: "karaoke", stems: ["lead_vocals", "no_lead_vocals"] },
] as unknown as Model[];

test("a model can be chosen for every stem that is not the rest of the mixture", () => {
  assert.deepEqual(stemsToChoose(models), ["drums", "bass", "vocals", "lead_vocals"]);
  assert.deepEqual(modelsFor("vocals", models).map(({ name }) => name), ["four", "voice"]);
});

test("the text of an ensemble names the stems with a model", () => {
  assert.equal(ensembleOf({ vocals: "voice", drums: "", bass: "four" }), "vocals=voice,bass=four");
  assert.equal(ensembleOf({ vocals: "" }), "");
});

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Cluster } from "stemwire/proto";
import { language } from "../src/preferences";
import { factsOf } from "../src/view/clusterFacts";

afterEach(() => void (language.value = "en"));

const engines = [{ model: "mini" }, { model: "htdemucs" }];
const faults = [{ model: "mini", health: { failures: 2, message: "not enough memory" } }];
const worker = { name: "a", lanes: 2, engines, faults: [], missingModels: [] };
const clusterOf = (...workers: object[]) => ({ workers, queuedSegments: 7n }) as unknown as Cluster;

test("workers that fail are counted and named with the model and the cause", () => {
  const cluster = clusterOf(worker, { ...worker, name: "b", lanes: 1, faults });
  const { summary, failing, workers } = factsOf(cluster);
  assert.equal(summary, "2 workers, 3 at a time, 7 queued");
  assert.equal(failing, "1 worker fails");
  assert.deepEqual(workers, ["a (2): mini, htdemucs", "b (1): mini, htdemucs; mini failed 2 times in a row: not enough memory"]);
  language.value = "zh";
  assert.match(factsOf(cluster).failing, /1 台/);
  assert.match(factsOf(cluster).workers[1] ?? "", /mini 连续失败 2 次/);
});

test("workers that lack models are counted and named with the models", () => {
  const cluster = clusterOf(worker, { ...worker, name: "b", missingModels: ["scnet", "own"] });
  assert.equal(factsOf(cluster).lacking, "1 worker lacks models");
  assert.equal(factsOf(cluster).workers[1], "b (2): mini, htdemucs; lacks scnet, own");
  language.value = "zh";
  assert.equal(factsOf(cluster).lacking, "1 台缺少模型");
  assert.match(factsOf(cluster).workers[1] ?? "", /缺少 scnet, own$/);
});

test("nothing is said of failures and missing models where there are none", () => {
  const { failing, lacking } = factsOf(clusterOf(worker));
  assert.deepEqual([failing, lacking], ["", ""]);
});

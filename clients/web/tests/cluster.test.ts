import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Cluster } from "stemwire/proto";
import { language } from "../src/preferences";
import { factsOf } from "../src/view/clusterFacts";

afterEach(() => void (language.value = "en"));

const engines = [{ model: "mini" }, { model: "htdemucs" }];
const faults = [{ model: "mini", health: { failures: 2, message: "not enough memory" } }];
const clusterOf = (...workers: object[]) => ({ workers, queuedSegments: 7n }) as unknown as Cluster;

test("workers that fail are counted and named with the model and the cause", () => {
  const cluster = clusterOf({ name: "a", lanes: 2, engines, faults: [] }, { name: "b", lanes: 1, engines, faults });
  const { summary, failing, workers } = factsOf(cluster);
  assert.equal(summary, "2 workers, 3 at a time, 7 queued");
  assert.equal(failing, "1 worker fails");
  assert.deepEqual(workers, ["a (2): mini, htdemucs", "b (1): mini, htdemucs; mini failed 2 times in a row: not enough memory"]);
  language.value = "zh";
  assert.match(factsOf(cluster).failing, /1 台/);
  assert.match(factsOf(cluster).workers[1] ?? "", /mini 连续失败 2 次/);
});

test("nothing is said of failures where there are none", () => {
  assert.equal(factsOf(clusterOf({ name: "a", lanes: 2, engines, faults: [] })).failing, "");
});

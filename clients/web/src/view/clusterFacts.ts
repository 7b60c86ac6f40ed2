/** What is known of the workers of a cluster, in the language of the page. */
import type { Cluster, Worker, WorkerFault } from "stemwire/proto";
import { words } from "../words";

export interface ClusterFacts {
  readonly summary: string;
  /** How many workers fail; empty if none does. */
  readonly failing: string;
  /** How many workers lack models; empty if none does. */
  readonly lacking: string;
  /** A line for each worker. */
  readonly workers: readonly string[];
}

export function factsOf({ workers, queuedSegments }: Cluster): ClusterFacts {
  const of = words.value;
  const lanes = workers.reduce((sum, worker) => sum + worker.lanes, 0);
  const failing = workers.filter((worker) => worker.faults.length > 0).length;
  const lacking = workers.filter((worker) => worker.missingModels.length > 0).length;
  return {
    summary: of.workers(workers.length, lanes, Number(queuedSegments)),
    failing: failing > 0 ? of.failingWorkers(failing) : "",
    lacking: lacking > 0 ? of.lackingWorkers(lacking) : "",
    workers: workers.map(lineOf),
  };
}

function lineOf({ name, lanes, engines, faults, missingModels }: Worker): string {
  const models = engines.map((engine) => engine.model).join(", ");
  const missing = missingModels.length > 0 ? [words.value.missingModels(missingModels.join(", "))] : [];
  return [`${name} (${lanes}): ${models}`, ...missing, ...faults.map(faultOf)].join("; ");
}

/** The cause is in the server's own words. */
function faultOf({ model, health }: WorkerFault): string {
  const fault = words.value.workerFault(model, health?.failures ?? 0);
  return health?.message ? `${fault}: ${health.message}` : fault;
}

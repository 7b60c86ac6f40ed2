/** The server's version, the workers that compute for it, and the licences of all that the server and the page consist of. */
import type { Cluster } from "stemwire/proto";
import { cluster, version } from "../calls/server";
import { words } from "../words";

export function Footer() {
  return (
    <footer>
      <span>Stemwire {version.value}</span>
      {cluster.value && <Workers cluster={cluster.value} />}
      <a href="licences">{words.value.licences}</a>
    </footer>
  );
}

function Workers({ cluster }: { cluster: Cluster }) {
  const { workers, queuedSegments } = cluster;
  const lanes = workers.reduce((sum, worker) => sum + worker.lanes, 0);
  const lines = workers.map((worker) => {
    const models = worker.engines.map((engine) => engine.model).join(", ");
    return `${worker.name} (${worker.lanes}): ${models}`;
  });
  return (
    <span title={lines.join("\n")}>
      {words.value.workers(workers.length, lanes, Number(queuedSegments))}
    </span>
  );
}

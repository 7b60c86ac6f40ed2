/** The server's version, the workers that compute for it, and the licences of all that the server and the page consist of. */
import type { Cluster } from "stemwire/proto";
import { cluster, version } from "../calls/server";
import { words } from "../words";
import { factsOf } from "./clusterFacts";

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
  const { summary, failing, lacking, workers } = factsOf(cluster);
  return (
    <span title={workers.join("\n")}>
      {summary}
      {failing && <b>; {failing}</b>}
      {lacking && `; ${lacking}`}
    </span>
  );
}

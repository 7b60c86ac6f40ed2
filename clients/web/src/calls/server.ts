/** What the server is and offers. */
import { signal } from "@preact/signals";
import type { Cluster } from "stemwire/proto";
import { client } from "./client";

export const version = signal("");

/** Names of the file formats of downloads, in the server's order; empty until they are known. */
export const downloadFormats = signal<readonly string[]>([]);

/** The workers that compute, unless the server does; as of when the page was opened. */
export const cluster = signal<Cluster | undefined>(undefined);

export async function loadServer(): Promise<void> {
  try {
    const health = await client.health({});
    version.value = health.version;
    downloadFormats.value = health.downloadFormats;
    cluster.value = health.cluster;
  } catch {
    // An unreachable server is reported elsewhere.
  }
}

/** What the server is and offers. */
import { signal } from "@preact/signals";
import { client } from "./client";

export const version = signal("");

/** Names of the file formats of downloads, in the server's order; empty until they are known. */
export const downloadFormats = signal<readonly string[]>([]);

export async function loadServer(): Promise<void> {
  try {
    const health = await client.health({});
    version.value = health.version;
    downloadFormats.value = health.downloadFormats;
  } catch {
    // An unreachable server is reported elsewhere.
  }
}

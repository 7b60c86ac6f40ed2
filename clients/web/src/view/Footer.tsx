/** The server's version, and the licences of the page's dependencies. */
import { signal } from "@preact/signals";
import { client } from "../calls/client";
import { words } from "../words";

const version = signal("");

export async function loadVersion(): Promise<void> {
  try {
    version.value = (await client.health({})).version;
  } catch {
    // An unreachable server is reported elsewhere.
  }
}

export function Footer() {
  return (
    <footer>
      <span>Stemwire {version.value}</span>
      <a href="/static/licences.txt">{words.value.licences}</a>
    </footer>
  );
}

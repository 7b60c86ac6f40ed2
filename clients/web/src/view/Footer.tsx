/** What made the page: the server's version, told by itself, and the licences of what it is built with. */
import { signal } from "@preact/signals";
import { client } from "../calls/client";
import { words } from "../words";

const version = signal("");

export async function loadVersion(): Promise<void> {
  try {
    version.value = (await client.health({})).version;
  } catch {
    // Whatever keeps the server from answering is told where it matters.
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

/** The server's version, and the licences of the page's dependencies. */
import { version } from "../calls/server";
import { words } from "../words";

export function Footer() {
  return (
    <footer>
      <span>Stemwire {version.value}</span>
      <a href="/static/licences.txt">{words.value.licences}</a>
    </footer>
  );
}

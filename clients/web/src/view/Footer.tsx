/** The server's version, and the licences of all that the server and the page consist of. */
import { version } from "../calls/server";
import { words } from "../words";

export function Footer() {
  return (
    <footer>
      <span>Stemwire {version.value}</span>
      <a href="licences">{words.value.licences}</a>
    </footer>
  );
}

/** Entry point of the page. */
import { render } from "preact";
import { keepForDownloads } from "./calls/token";
import * as sound from "./player/current";
import * as preferences from "./preferences";
import * as opened from "./session/opened";
import { learn, refresh } from "./session/sessions";
import { isSending, onCreated } from "./upload/queue";
import { App } from "./view/App";

preferences.start();
keepForDownloads();
opened.start();
sound.start();
onCreated((session, upload) => {
  learn(session);
  // Playback continues.
  const isListening = sound.player.peek()?.state.peek() === "playing";
  if (upload.first && !isListening) opened.open(session.sessionId);
});
addEventListener("beforeunload", (event) => {
  if (isSending()) event.preventDefault();
});
void refresh();

const place = document.getElementById("app");
if (place) render(<App />, place);

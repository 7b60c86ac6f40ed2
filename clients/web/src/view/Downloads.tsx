/** Downloads of finished files over plain HTTP, written to disk by the browser. */
import { computed, signal } from "@preact/signals";
import { type Session, SessionState } from "stemwire/proto";
import { type Channels, mixAddress, stemAddress, zipAddress } from "../calls/addresses";
import { downloadFormats } from "../calls/server";
import { player } from "../player/current";
import { mixGains } from "../player/mix";
import { hasEnded } from "../session/follow";
import { format } from "../preferences";
import { words } from "../words";
import { Icon } from "./icons";

/** The chosen format if the server has it, which may be another one than last time; else its first. */
const chosen = computed(() => {
  const known = downloadFormats.value;
  return known.length === 0 || known.includes(format.value) ? format.value : known[0]!;
});

/** The formats to choose from. */
const formats = computed(() => (downloadFormats.value.length === 0 ? [chosen.value] : downloadFormats.value));

/** Only a song of one channel offers the choice; for others both are the same. */
const channels = signal<Channels>("stereo");

export function Downloads({ session }: { readonly session: Session }) {
  if (session.state !== SessionState.DONE) {
    // A failed or cancelled session has no files.
    return hasEnded(session.state) ? null : <p class="downloads muted">{words.value.downloadsLater}</p>;
  }
  return (
    <section class="downloads" aria-label={words.value.downloads}>
      <label>
        <span>{words.value.format}</span>
        <select value={chosen.value} onChange={(event) => (format.value = event.currentTarget.value)}>
          {formats.value.map((name) => <option key={name} value={name}>{words.value.formatName(name)}</option>)}
        </select>
      </label>
      {session.source?.channels === 1 && (
        <label>
          <span>{words.value.channelsOfFiles}</span>
          <select value={channels.value} onChange={(event) => (channels.value = event.currentTarget.value as Channels)}>
            <option value="stereo">{words.value.channels(2)}</option>
            <option value="source">{words.value.channels(1)}</option>
          </select>
        </label>
      )}
      <MixDownload session={session} />
      <a class="button button-primary" href={zipAddress(session.sessionId, chosen.value, channels.value)} download>
        <Icon name="download" />
        {words.value.downloadAll}
      </a>
    </section>
  );
}

/** The link to the mix as it is heard; disabled while the server would refuse it. */
function MixDownload({ session }: { readonly session: Session }) {
  const faders = player.value?.faders;
  if (!faders) return null;
  const mix = mixGains(faders);
  const content = <><Icon name="download" />{words.value.downloadMix}</>;
  if ("refused" in mix) {
    return <a class="button" role="link" aria-disabled="true" title={words.value.mixRefused[mix.refused]}>{content}</a>;
  }
  const address = mixAddress(session.sessionId, mix.gains, chosen.value, channels.value);
  return <a class="button" href={address} download title={words.value.mixHint}>{content}</a>;
}

/** The link to a stem's file; a placeholder until the file exists. */
export function StemDownload({ session, stem }: { readonly session: Session; readonly stem: string }) {
  if (session.state !== SessionState.DONE) return <span class="stem-download" />;
  const label = words.value.downloadStem(words.value.stem(stem));
  return (
    <a class="stem-download button button-quiet button-icon" download aria-label={label} title={label}
      href={stemAddress(session.sessionId, stem, chosen.value, channels.value)}>
      <Icon name="download" />
    </a>
  );
}

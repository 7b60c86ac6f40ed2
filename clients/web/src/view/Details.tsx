/** Details of a separation: upload, model, provider, engine changes. */
import { type Engine, type Session, type Source, SourceNoteKind } from "stemwire/proto";
import { models, measurementOf } from "../session/models";
import { rateOf } from "../session/timeline";
import { clock, words } from "../words";
import { list } from "../words/forms";

export function Details({ session }: { readonly session: Session }) {
  const { engine, source, engineChanges } = session;
  const rate = rateOf(session);
  const hash = engine ? shortened(engine.weightsSha256) : "";
  return (
    <>
      {engineChanges.map((change) => (
        <p class="note" key={`${change.frame}/${change.to?.model}`}>
          {words.value.engineChanged(change.from?.model ?? "?", change.to?.model ?? "?", clock(Number(change.frame) / rate),
            words.value.changeReason[change.reason] ?? change.message)}
        </p>
      ))}
      {source && damage(source).map((text) => <p class="note" key={text}>{text}</p>)}
      {unverified(session).map((model) => <p class="note" key={model}>{words.value.unverifiedModel(model)}</p>)}
      {engine && (
        <details class="details">
          <summary>{words.value.details}</summary>
          <dl>
            <div>
              <dt>{words.value.engine}</dt>
              <dd>
                {list([engine.model, engine.executionProvider, engine.precision, engine.runtime], " · ")}
                <Measurement engine={engine} />
                {engine.members.map((one) => (
                  <div class="muted" key={one.model}>
                    {list([one.model, one.executionProvider, one.precision], " · ")} · <code>{shortened(one.weightsSha256)}…</code>
                    {!one.verified && ` (${words.value.unverified})`}
                  </div>
                ))}
                {session.modelChoice && <div class="muted" lang="en">{session.modelChoice}</div>}
              </dd>
            </div>
            <div>
              <dt>{words.value.weights}</dt>
              <dd><code>{hash}…</code>{!engine.verified && ` (${words.value.unverified})`}</dd>
            </div>
            {source && (
              <div>
                <dt>{words.value.source}</dt>
                <dd><Upload source={source} /></dd>
              </div>
            )}
          </dl>
        </details>
      )}
    </>
  );
}

/** The beginning of a hash, in hexadecimal. */
function shortened(hash: Uint8Array): string {
  return Array.from(hash.slice(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What was repaired, skipped or cut of an upload. */
function damage({ notes, sampleRate }: Source): string[] {
  const inFrames = [SourceNoteKind.FRAMES_SILENCED, SourceNoteKind.FRAMES_MISSING];
  const texts = notes.map(({ kind, count }) =>
    words.value.damage[kind]?.(inFrames.includes(kind) ? Number(count) / sampleRate : Number(count)) ?? "");
  return texts.filter((text) => text !== "");
}

/** The models that computed, and whose weights are not known to be those of their authors; of an ensemble, its members. */
function unverified({ engine, engineChanges }: Session): string[] {
  const engines = [...engineChanges.map((change) => change.from), engine].filter((one) => one !== undefined);
  const members = engines.flatMap((one) => one.members);
  const all = [...engines.filter((one) => one.members.length === 0), ...members];
  return [...new Set(all.filter(({ verified }) => !verified).map(({ model }) => model))];
}

/** What the upload is, its tags, and what was converted or downmixed. */
function Upload({ source }: { readonly source: Source }) {
  const { container, codec, sampleRate, channels, durationSeconds, decoder, tags, notes } = source;
  const length = durationSeconds > 0 ? clock(durationSeconds) : "";
  const format = [...new Set([container, codec]), `${sampleRate / 1000} kHz`, words.value.channels(channels), length, decoder];
  const texts = notes.map(({ kind, from, to, method, count }) =>
    words.value.conversion[kind]?.(Number(from), Number(to), method, Number(count)) ?? "");
  const converted = list(texts, " · ");
  const number = tags && tags.trackNumber > 0 ? `#${tags.trackNumber}` : "";
  const song = tags ? list([tags.artist, tags.title, tags.album, number, tags.date, tags.genre], " · ") : "";
  return (
    <>
      {list(format, " · ")}
      {song && <div class="muted" dir="auto">{song}</div>}
      {converted && <div class="muted">{converted}</div>}
    </>
  );
}

/** The measurement behind the selected provider. */
function Measurement({ engine }: { readonly engine: Engine }) {
  const measurement = measurementOf(engine, models.value);
  if (measurement === null) return null;
  const { isReference, comparison } = words.value;
  return <div class="muted">{measurement === "reference" ? isReference : comparison(measurement.speed, measurement.snrDb)}</div>;
}

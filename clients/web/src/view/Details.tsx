/** Details of a separation: upload, model, provider, engine changes. */
import type { Engine } from "../generated/stemwire/v1/engine_pb";
import type { Session } from "../generated/stemwire/v1/session_pb";
import { models, measurementOf } from "../session/models";
import { rateOf } from "../session/timeline";
import { clock, words } from "../words";
import { list } from "../words/forms";

export function Details({ session }: { readonly session: Session }) {
  const { engine, source, engineChanges } = session;
  const rate = rateOf(session);
  const hash = engine ? Array.from(engine.weightsSha256.slice(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("") : "";
  return (
    <>
      {engineChanges.map((change) => (
        <p class="note" key={`${change.frame}/${change.to?.model}`}>
          {words.value.engineChanged(change.from?.model ?? "?", change.to?.model ?? "?", clock(Number(change.frame) / rate),
            words.value.changeReason[change.reason] ?? change.message)}
        </p>
      ))}
      {source && source.damagedFrames > 0n && (
        <p class="note">{words.value.damaged(Number(source.damagedFrames) / source.sampleRate)}</p>
      )}
      {session.notices.map((notice) => <p class="note" lang="en" key={notice}>{notice}</p>)}
      {engine && (
        <details class="details">
          <summary>{words.value.details}</summary>
          <dl>
            <div>
              <dt>{words.value.engine}</dt>
              <dd>
                {list([engine.model, engine.executionProvider, engine.precision, engine.runtime], " · ")}
                <Measurement engine={engine} />
              </dd>
            </div>
            <div>
              <dt>{words.value.weights}</dt>
              <dd><code>{hash}…</code>{!engine.verified && ` (${words.value.unverified})`}</dd>
            </div>
            {source && (
              <div>
                <dt>{words.value.source}</dt>
                <dd>{list([...new Set([source.container, source.codec]), `${source.sampleRate / 1000} kHz`, source.decoder], " · ")}</dd>
              </div>
            )}
          </dl>
        </details>
      )}
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

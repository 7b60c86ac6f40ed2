/** A progress bar with a label. */
import { words } from "../words";

interface Properties {
  readonly label: string;
  /** Progress, 0 to 1; `null` if unknown. */
  readonly share: number | null;
  readonly detail?: string | undefined;
  readonly paused?: boolean;
}

export function Bar({ label, share, detail, paused = false }: Properties) {
  const percent = share === null ? "" : words.value.percent(share);
  return (
    <div class={paused ? "bar bar-paused" : "bar"}>
      <div class="bar-text">
        <span>{label}{percent && ` · ${percent}`}</span>
        {detail && <span class="muted">{detail}</span>}
      </div>
      <Track label={label} share={share} />
    </div>
  );
}

/** The bar alone. */
export function Track({ label, share }: { readonly label: string; readonly share: number | null }) {
  const now = share === null ? {} : { "aria-valuenow": Math.floor(share * 100) };
  return (
    <div class={share === null ? "track track-unknown" : "track"} role="progressbar" aria-label={label}
      aria-valuemin={0} aria-valuemax={100} {...now}>
      <div class="track-done" style={{ "--share": String(share ?? 0) }} />
    </div>
  );
}

/** The keyboard shortcuts. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { words } from "../words";

/** Whether the dialog is open. */
export const helps = signal(false);

export function HelpDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (helps.value = false)}>
      <div class="dialog-form">
        <h2 id="help-title">{words.value.keys}</h2>
        <dl>
          {words.value.keyList.map(([key, meaning]) => (
            <div key={key}>
              <dt>{key.split(" ").map((cap) => (cap === "…" ? <span key={cap}>{cap}</span> : <kbd key={cap}>{cap}</kbd>))}</dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={() => dialog.current?.close()}>{words.value.close}</button>
        </div>
      </div>
    </dialog>
  );
}

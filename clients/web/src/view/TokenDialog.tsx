/** Asks for the server's token. */
import { useEffect, useRef } from "preact/hooks";
import { enterToken, token } from "../calls/token";
import { describe, words } from "../words";

export function TokenDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    input.current?.focus();
  }, []);
  const send = (event: Event) => {
    event.preventDefault();
    const text = input.current?.value.trim() ?? "";
    if (text !== "") enterToken(text);
  };
  return (
    <dialog ref={dialog} aria-labelledby="token-title" onCancel={(event) => event.preventDefault()}>
      <form class="dialog-form" onSubmit={send}>
        <h2 id="token-title">{words.value.tokenTitle}</h2>
        <p>{token === "" ? words.value.tokenLead : describe({ reason: "TOKEN_MISSING", message: "", numbers: {}, passing: false, waitMs: 0, requestId: "" }).remedy}</p>
        <label>
          <span>{words.value.tokenLabel}</span>
          <input ref={input} type="password" autocomplete="current-password" required />
        </label>
        <div class="dialog-actions">
          <button type="submit" class="button button-primary">{words.value.tokenSend}</button>
        </div>
      </form>
    </dialog>
  );
}

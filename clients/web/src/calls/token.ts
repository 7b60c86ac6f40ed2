/** The bearer token, stored until the tab is closed. */
import { signal } from "@preact/signals";

const KEY = "stemwire.token";

export const token = sessionStorage.getItem(KEY) ?? "";

/** Whether the server has refused a call without a valid token. */
export const tokenWanted = signal(false);

/** Stores the token and reloads the page. */
export function enterToken(text: string): void {
  sessionStorage.setItem(KEY, text.trim());
  location.reload();
}

/** Stores the token for downloads as a cookie, because links cannot carry a header. Other sites do not send it. */
export function keepForDownloads(): void {
  if (token === "") return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  const digits = Array.from(new TextEncoder().encode(token), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const { pathname } = new URL("download", location.href);
  document.cookie = `stemwire_token=${digits}; Path=${pathname}; SameSite=Strict${secure}`;
}

/** The bearer token, where the server asks for one. It is kept as long as the tab is. */
import { signal } from "@preact/signals";

const KEY = "stemwire.token";

export const token = sessionStorage.getItem(KEY) ?? "";

/** Whether the server has refused a call for want of the right token. */
export const tokenWanted = signal(false);

/** Keeps the token and begins anew with it. */
export function enterToken(text: string): void {
  sessionStorage.setItem(KEY, text.trim());
  location.reload();
}

/** A link carries no header: downloads carry the token as a cookie, which no other site makes a browser send. */
export function keepForDownloads(): void {
  if (token === "") return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  const digits = Array.from(new TextEncoder().encode(token), (byte) => byte.toString(16).padStart(2, "0")).join("");
  document.cookie = `stemwire_token=${digits}; Path=/download; SameSite=Strict${secure}`;
}

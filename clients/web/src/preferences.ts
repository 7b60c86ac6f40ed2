/** Preferences, stored in the browser and never sent. */
import { computed, effect, signal, type Signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";
export type Language = "en" | "zh";

export const theme = kept<Theme>("theme", "auto", oneOf("auto", "light", "dark"));
export const language = kept<Language>("language", spoken(), oneOf("en", "zh"));
/** The file format of downloads, a name of the server's. */
export const format = kept<string>("format", "wav-s16", (text): text is string => /^[a-z0-9-]{1,32}$/.test(text));
/** Whether four beats are heard before playback, and how many a minute. */
export const countsIn = kept<"off" | "on">("count-in", "off", oneOf("off", "on"));
export const tempo = kept<string>("tempo", "120", (text): text is string => /^\d{2,3}$/.test(text));
/** The volume of all stems together, 0 to 1. */
export const volume = signal(1);

const prefersDark = signal(false);

/** Whether the page is dark now. */
export const darkNow = computed(() => theme.value === "dark" || (theme.value === "auto" && prefersDark.value));

/** Applies the preferences to the document. */
export function start(): void {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const read = () => (prefersDark.value = query.matches);
  read();
  query.addEventListener("change", read);
  effect(() => {
    document.documentElement.dataset["theme"] = darkNow.value ? "dark" : "light";
    document.documentElement.lang = language.value === "zh" ? "zh-Hans" : "en";
  });
}

function spoken(): Language {
  const first = navigator.languages.find((tag) => /^(en|zh)\b/i.test(tag));
  return first?.toLowerCase().startsWith("zh") ? "zh" : "en";
}

function oneOf<T extends string>(...allowed: readonly T[]): (text: string) => text is T {
  return (text): text is T => allowed.some((one) => one === text);
}

/** A value that is stored in the browser if possible. */
function kept<T extends string>(name: string, usual: T, isAllowed: (text: string) => text is T): Signal<T> {
  const key = `stemwire.${name}`;
  let held: string | null = null;
  try {
    held = localStorage.getItem(key);
  } catch {
    // Storage is disabled.
  }
  const value = signal<T>(held !== null && isAllowed(held) ? held : usual);
  let first = true;
  effect(() => {
    const now = value.value;
    if (first) {
      // Without a choice of the user, the browser's setting applies.
      first = false;
      return;
    }
    try {
      localStorage.setItem(key, now);
    } catch {
      // Storage is disabled.
    }
  });
  return value;
}

/** Name and size of each session's file, so that the page can ask for it after a reload. */

const KEY = "stemwire.uploads";
const MOST = 50;

export interface Remembered {
  readonly sessionId: string;
  readonly name: string;
  readonly bytes: number;
}

export function remember(upload: Remembered): void {
  const others = all().filter((other) => other.sessionId !== upload.sessionId);
  try {
    localStorage.setItem(KEY, JSON.stringify([upload, ...others].slice(0, MOST)));
  } catch {
    // Without storage the page asks for the file without its size.
  }
}

export function remembered(sessionId: string): Remembered | undefined {
  return all().find((upload) => upload.sessionId === sessionId);
}

function all(): Remembered[] {
  try {
    const held: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(held) ? held.filter(isRemembered) : [];
  } catch {
    return [];
  }
}

function isRemembered(value: unknown): value is Remembered {
  const upload = value as Partial<Remembered> | null;
  return typeof upload?.sessionId === "string" && typeof upload.name === "string" && typeof upload.bytes === "number";
}

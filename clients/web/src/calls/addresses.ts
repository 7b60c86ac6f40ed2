/** URLs of the server's plain HTTP routes. */

/** File format of a download. */
export const FORMATS = ["wav-s16", "wav-s24", "wav-f32", "flac"] as const;
export type Format = (typeof FORMATS)[number];

export function stemAddress(sessionId: string, stem: string, format: Format): string {
  return `/download/${sessionId}/${stem}?format=${format}`;
}

export function zipAddress(sessionId: string, format: Format): string {
  return `/download/${sessionId}.zip?format=${format}`;
}

export function peaksAddress(sessionId: string, stem: string, from: number): string {
  return `/api/sessions/${sessionId}/peaks/${stem}?from=${from}`;
}

/** URLs of the server's plain HTTP routes. */

export function stemAddress(sessionId: string, stem: string, format: string): string {
  return `/download/${sessionId}/${stem}?format=${format}`;
}

export function zipAddress(sessionId: string, format: string): string {
  return `/download/${sessionId}.zip?format=${format}`;
}

export function peaksAddress(sessionId: string, stem: string, from: number): string {
  return `/api/sessions/${sessionId}/peaks/${stem}?from=${from}`;
}

/** URLs of the server's plain HTTP routes, relative to the page: a proxy may offer both below a path. */

/** Channels of a download: two, or as many as the song has. */
export type Channels = "stereo" | "source";

export function stemAddress(sessionId: string, stem: string, format: string, channels: Channels): string {
  return `download/${sessionId}/${stem}?${options(format, channels)}`;
}

export function mixAddress(sessionId: string, gains: string, format: string, channels: Channels): string {
  return `download/${sessionId}/mix?gains=${gains}&${options(format, channels)}`;
}

export function zipAddress(sessionId: string, format: string, channels: Channels): string {
  return `download/${sessionId}.zip?${options(format, channels)}`;
}

function options(format: string, channels: Channels): string {
  return `format=${format}${channels === "source" ? "&channels=source" : ""}`;
}

export function peaksAddress(sessionId: string, stem: string, from: number): string {
  return `api/sessions/${sessionId}/peaks/${stem}?from=${from}`;
}

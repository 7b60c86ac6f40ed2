/** A SHA-256 that is computed while bytes arrive; the platform has it. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** The hash of all bytes so far. */
  digest(): Uint8Array;
}

export type NewSha256 = () => Sha256;

export function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

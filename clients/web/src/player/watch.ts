/** Watches the clock of the sound output: without a device, browsers let it stand still or never start. */

/** A clock that stands still for this long has no sound output. */
export const SILENT_MS = 4_000;

/** Another output is opened this often, in case there is a device now. */
export const AGAIN_MS = 5_000;

/** Limit of the time that one look counts: the computer may have slept. */
const LONGEST_MS = 1_000;

export class Watch {
  #clock = -1;
  #lookedAt = 0;
  #silentMs = 0;
  #sinceMs = 0;

  /** The clock should start now. */
  begin(now: number): void {
    this.#clock = -1;
    this.#lookedAt = now;
    this.#silentMs = this.#sinceMs = 0;
  }

  /**
   * Looks at the clock: `none` while it runs or may start, `silent` once it has stood still too long, `again` if another
   * output, with another clock, should be opened.
   */
  look(clock: number, now: number): "none" | "silent" | "again" {
    const passed = Math.min(LONGEST_MS, Math.max(0, now - this.#lookedAt));
    this.#lookedAt = now;
    const runs = this.#clock >= 0 && clock > this.#clock;
    this.#clock = Math.max(clock, 0);
    if (runs) {
      this.#silentMs = this.#sinceMs = 0;
      return "none";
    }
    this.#silentMs += passed;
    this.#sinceMs += passed;
    if (this.#silentMs < SILENT_MS) return "none";
    if (this.#sinceMs < AGAIN_MS) return "silent";
    this.#clock = -1;
    this.#sinceMs = 0;
    return "again";
  }
}

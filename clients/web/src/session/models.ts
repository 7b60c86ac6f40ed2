/** The models of the server and their measurements. */
import { signal } from "@preact/signals";
import { type Engine, type Model, ModelState, Quality } from "stemwire/proto";
import { client } from "../calls/client";

/** Choices of a model by what counts. */
export const QUALITIES = { fast: Quality.FAST, balanced: Quality.BALANCED, best: Quality.BEST } as const;

export type QualityName = keyof typeof QUALITIES;

/** Usable models. */
export const models = signal<readonly Model[]>([]);

export async function loadModels(): Promise<void> {
  try {
    models.value = (await client.listModels({})).models.filter(({ state }) => state !== ModelState.BROKEN);
  } catch {
    // Without the list only the server's default is offered.
  }
}

/** Comparison of a provider with the CPU in float32. */
export interface Comparison {
  readonly speed: number;
  readonly snrDb: number;
}

/**
 * The measurement of an engine: its comparison with the CPU in float32, or `"reference"` if it is that and no other
 * provider was better. `null` without measurements, or if the session ran on another provider.
 */
export function measurementOf(engine: Engine, known: readonly Model[]): Comparison | "reference" | null {
  const execution = known.find(({ name }) => name === engine.model)?.execution;
  const isIt = (of: { executionProvider: string; precision: string }) =>
    of.executionProvider === engine.executionProvider && of.precision === engine.precision;
  if (!execution || !isIt(execution) || execution.trials.length === 0) return null;
  if (engine.executionProvider === "cpu" && engine.precision === "f32") return "reference";
  const { speed, snrDb } = execution.trials.find(isIt) ?? {};
  return speed === undefined || snrDb === undefined ? null : { speed, snrDb };
}

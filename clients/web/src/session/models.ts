/** The models that the server has, and what it has found out about computing them. */
import { signal } from "@preact/signals";
import { client } from "../calls/client";
import { type Engine, type Model, ModelState } from "../generated/stemwire/v1/engine_pb";

/** Those that can be used. */
export const models = signal<readonly Model[]>([]);

export async function loadModels(): Promise<void> {
  try {
    models.value = (await client.listModels({})).models.filter(({ state }) => state !== ModelState.BROKEN);
  } catch {
    // Without the list there is the server's own choice, which is offered first anyway.
  }
}

/** How a way to compute compares with the CPU in 32-bit floats. */
export interface Comparison {
  readonly speed: number;
  readonly snrDb: number;
}

/**
 * The server's measurement of this engine: how it compares with the CPU in 32-bit floats, or `"reference"` where it is
 * that and nothing else was better. `null` where nothing was tried, or where the session was computed in another way.
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

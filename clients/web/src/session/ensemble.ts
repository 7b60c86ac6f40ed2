/** The choice of a model for each stem, as the text of an ensemble. */
import { signal } from "@preact/signals";
import type { Model } from "stemwire/proto";

/** The name of the model of each stem; stems without one are left to `other`. */
export const membersByStem = signal<Readonly<Record<string, string>>>({});

/** What the other stems leave of the mixture is no model's. */
const isRest = (stem: string) => stem === "other" || stem === "accompaniment" || stem.startsWith("no_");

/** The stems for which a model can be chosen, as the models have them. */
export function stemsToChoose(models: readonly Model[]): string[] {
  return [...new Set(models.flatMap(({ stems }) => stems))].filter((stem) => !isRest(stem));
}

/** The models that yield a stem. */
export function modelsFor(stem: string, models: readonly Model[]): Model[] {
  return models.filter(({ stems }) => stems.includes(stem));
}

/** The text of the chosen ensemble, such as `vocals=a,drums=b`; empty if no model is chosen. */
export function ensembleOf(members: Readonly<Record<string, string>>): string {
  const chosen = Object.entries(members).filter(([, model]) => model !== "");
  return chosen.map(([stem, model]) => `${stem}=${model}`).join(",");
}

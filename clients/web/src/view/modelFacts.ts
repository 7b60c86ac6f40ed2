/** What is known of a model: the rows of `stemwire models list`, in the language of the page. */
import type { Model } from "stemwire/proto";
import { words } from "../words";
import { list } from "../words/forms";

export function factsOf({ stems, licence, commercialUse, storedBytes, quality, speed }: Model): string[] {
  const of = words.value;
  const figures = quality.map(({ data, source, sdrDb }) => {
    const each = Object.entries(sdrDb).map(([stem, sdr]) => `${of.stem(stem)} ${sdr.toFixed(2)} dB`);
    return of.modelFigures(each.join(", "), data, source);
  });
  const said = speed?.slowerThanRealTime ? of.modelSlow : of.modelSpeed;
  return [
    of.modelStems(list(stems.map(of.stem), ", ")),
    of.modelLicence(licence, commercialUse),
    of.modelSize(of.bytes(Number(storedBytes))),
    ...figures,
    speed ? said(speed.realTimeFactor, speed.execution) : of.modelUnmeasured,
  ];
}

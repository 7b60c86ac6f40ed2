/** A model for each stem. */
import { membersByStem, modelsFor, stemsToChoose } from "../session/ensemble";
import { models } from "../session/models";
import { words } from "../words";

export function EnsembleOptions() {
  const known = models.value;
  return (
    <div class="options-ensemble" role="group" aria-label={words.value.perStem}>
      {stemsToChoose(known).map((stem) => (
        <label key={stem}>
          <span>{words.value.stem(stem)}</span>
          <select
            value={membersByStem.value[stem] ?? ""}
            onChange={(event) => (membersByStem.value = { ...membersByStem.value, [stem]: event.currentTarget.value })}
          >
            <option value="">{words.value.noModel}</option>
            {modelsFor(stem, known).map((of) => <option key={of.name} value={of.name}>{of.title || of.name}</option>)}
          </select>
        </label>
      ))}
      <p class="muted">{words.value.perStemRule}</p>
    </div>
  );
}

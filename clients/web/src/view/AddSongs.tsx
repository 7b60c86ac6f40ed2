/** Adds songs: a button, a drop target, and the settings of the separation. */
import { signal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Model } from "stemwire/proto";
import { ensembleOf, membersByStem } from "../session/ensemble";
import { models, QUALITIES, type QualityName } from "../session/models";
import { enqueue, type UploadSettings } from "../upload/queue";
import { secondsOf, time, words } from "../words";
import { list } from "../words/forms";
import { EnsembleOptions } from "./EnsembleOptions";
import { Icon } from "./icons";
import { factsOf } from "./modelFacts";

const PAIR = ["vocals", "accompaniment"];

/** File extensions offered in the dialog; the server recognises formats by content. */
const ACCEPTED = 
  "audio/*,.wav,.aif,.aiff,.flac,.mp3,.mp2,.ogg,.oga,.opus,.m4a,.m4b,.mp4,.m4v,.mov,.aac,.mkv,.mka,.webm,.w64,.rf64";

/** The choice of a model for each stem. */
const PER_STEM = "per-stem:";

/** Name of the model, `quality:` and what counts in the choice of one, or `PER_STEM`; empty for the server's default. */
const model = signal("");
const pair = signal(false);
/** Start and end of the part that is wanted, in seconds. */
const partStart = signal<number | null>(null);
const partEnd = signal<number | null>(null);

/** Whether files are being dragged over the page. */
export const dragging = signal(false);

/** Adds songs with the current settings. A part is that of these songs only. */
export function take(files: Iterable<File>): void {
  const [start, end] = [partStart.value ?? 0, partEnd.value];
  enqueue(files, start > 0 || end !== null ? { ...settings(), part: { start, end } } : settings());
  partStart.value = partEnd.value = null;
}

function settings(): UploadSettings {
  const wanted = qualityOf(model.value);
  const ensemble = model.value === PER_STEM ? ensembleOf(membersByStem.value) : "";
  if (ensemble) return { model: "", ensemble, stems: pair.value ? PAIR : [] };
  // The stems are those that the server's default yields.
  if (wanted) return { model: "", quality: QUALITIES[wanted], stems: pair.value ? PAIR : stemsOf(models.value[0]) };
  // Without a model for any stem, the server's default is taken.
  const chosen = model.value === PER_STEM ? "" : model.value;
  if (pair.value) return { model: chosen, stems: PAIR };
  const known = models.value.find(({ name }) => name === chosen) ?? (chosen === "" ? models.value[0] : undefined);
  // With the default model, the stems are those of the first working model.
  return { model: chosen, stems: stemsOf(known) };
}

/** All stems of a model, and common pairs; none for all that it has. */
function stemsOf(known: Model | undefined): string[] {
  return known?.stems.includes("vocals") ? [...new Set([...known.stems, "accompaniment"])] : [];
}

/** What counts, if the choice names no model. */
function qualityOf(choice: string): QualityName | undefined {
  return qualityNames.find((name) => choice === `quality:${name}`);
}

const qualityNames = Object.keys(QUALITIES) as QualityName[];

/** Accepts files dropped anywhere on the page. */
export function useDrop(): void {
  useEffect(() => {
    const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const over = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      dragging.value = true;
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) dragging.value = false;
    };
    const drop = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      dragging.value = false;
      take(event.dataTransfer?.files ?? []);
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  }, []);
}

export function AddSongs({ large }: { readonly large: boolean }) {
  return (
    <section class={large ? "add add-large" : "add"} aria-label={words.value.choose}>
      {large && <h1>{words.value.headline}</h1>}
      {large && <p class="lead">{words.value.lead}</p>}
      <div class="add-drop">
        <Chooser label={large ? words.value.choose : words.value.chooseMore} multiple chosen={take} primary={large} />
        <p class="muted or-drop">{words.value.orDrop}</p>
        {large && <p class="muted formats">{words.value.formats}</p>}
        <Options />
      </div>
    </section>
  );
}

function Options() {
  return (
    <div class="options">
      <label>
        <span>{words.value.stemsWanted}</span>
        <select value={pair.value ? "pair" : "all"} onChange={(event) => (pair.value = event.currentTarget.value === "pair")}>
          <option value="all">{words.value.allStems}</option>
          <option value="pair">{words.value.pair}</option>
        </select>
      </label>
      <label>
        <span>{words.value.model}</span>
        <select value={model.value} onChange={(event) => (model.value = event.currentTarget.value)}>
          <option value="">{words.value.anyModel}</option>
          <optgroup label={words.value.byQuality}>
            {qualityNames.map((name) => <option key={name} value={`quality:${name}`}>{words.value.quality[name]}</option>)}
          </optgroup>
          <optgroup label={words.value.model}>
            {models.value.map((of) => (
              <option key={of.name} value={of.name}>
                {list([of.title || of.name, of.speed?.slowerThanRealTime ? words.value.slow : ""], ", ")}
              </option>
            ))}
          </optgroup>
          {models.value.length > 1 && <option value={PER_STEM}>{words.value.perStem}</option>}
        </select>
      </label>
      {model.value === PER_STEM ? <EnsembleOptions /> : <Facts />}
      <div class="options-part" role="group" aria-label={words.value.part}>
        <span>{words.value.part}</span>
        <Time at={partStart} label={words.value.partStart} shown="0:00" />
        <span aria-hidden="true">–</span>
        <Time at={partEnd} label={words.value.partEnd} shown="…" />
      </div>
    </div>
  );
}

/** What is known of the chosen model, in the words of `stemwire models list`. */
function Facts() {
  const wanted = qualityOf(model.value);
  const known = models.value.find(({ name }) => name === model.value);
  const facts = wanted ? [words.value.qualityRule[wanted]] : known ? factsOf(known) : [];
  if (facts.length === 0) return null;
  return <ul class="model-facts muted" aria-live="polite">{facts.map((fact) => <li key={fact}>{fact}</li>)}</ul>;
}

interface TimeProperties {
  readonly at: Signal<number | null>;
  readonly label: string;
  /** What is shown while it is empty. */
  readonly shown: string;
}

/** A time in the song. What is no time is removed, and so is an end that is not behind the start. */
function Time({ at, label, shown }: TimeProperties) {
  return (
    <input class="part-time" type="text" inputMode="text" maxLength={12} autocomplete="off" placeholder={shown}
      aria-label={label} title={words.value.partHint} value={at.value === null ? "" : time(at.value)}
      onChange={(event) => {
        at.value = secondsOf(event.currentTarget.value);
        if (partEnd.value !== null && partEnd.value <= (partStart.value ?? 0)) partEnd.value = null;
        event.currentTarget.value = at.value === null ? "" : time(at.value);
      }} />
  );
}

interface ChooserProperties {
  readonly label: string;
  readonly multiple?: boolean;
  readonly primary?: boolean;
  chosen(files: FileList): void;
}

/** A button that opens the file dialog. */
export function Chooser({ label, multiple = false, primary = true, chosen }: ChooserProperties) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class={primary ? "button button-primary" : "button"} onClick={() => input.current?.click()}>
        <Icon name="upload" />
        {label}
      </button>
      <input ref={input} class="hidden" type="file" accept={ACCEPTED} multiple={multiple} tabIndex={-1} aria-hidden="true"
        onChange={(event) => {
          const { files } = event.currentTarget;
          if (files && files.length > 0) chosen(files);
          // Allows the same file to be chosen again.
          event.currentTarget.value = "";
        }} />
    </>
  );
}

/** Formats numbers. */
import type { Language } from "../preferences";

/** `1:05`, or `1:00:05` from an hour on. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (count: number) => String(count).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** `1:05.3`. */
export function tenths(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds * 10 + 1e-6));
  return `${clock(Math.floor(whole / 10))}.${whole % 10}`;
}

/** The seconds of `90`, `1:30` or `1:00:05.5`; `null` of anything else. */
export function secondsOf(text: string): number | null {
  const trimmed = text.trim().replace("：", ":");
  if (!/^(?:\d{1,2}:)?(?:\d{1,4}:)?\d{1,5}(?:\.\d{1,6})?$/.test(trimmed)) return null;
  return trimmed.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
}

/** `1:05`, with up to three decimals where there are any. */
export function time(seconds: number): string {
  const thousandths = Math.round(seconds * 1000);
  const rest = String(thousandths % 1000).padStart(3, "0").replace(/0+$/, "");
  return clock(Math.floor(thousandths / 1000)) + (rest === "" ? "" : `.${rest}`);
}

/** `0.026 s`, or `1:05` from a minute on. */
export function span(seconds: number): string {
  return seconds < 59.95 ? `${Number(seconds.toPrecision(2))} s` : clock(seconds);
}

/** `3.4 MB`: decimal units, at least two significant figures. */
export function bytes(count: number, language: Language): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 10 ? 1 : 0;
  const style = { style: "unit", unit: units[unit]!, unitDisplay: "short", maximumFractionDigits: digits } as const;
  return value.toLocaleString(language === "zh" ? "zh-CN" : "en-GB", style);
}

/** `0.25`, `3.1` or `14`: about two significant figures. */
export function figure(value: number): string {
  return value.toFixed(value < 1 ? 2 : value < 10 ? 1 : 0);
}

/** Joins the parts that are not empty. */
export function list(parts: readonly string[], between: string): string {
  return parts.filter((part) => part !== "").join(between);
}

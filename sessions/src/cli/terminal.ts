/** Text on a terminal. Everything from uploads must be printed through this module. */

/** Characters that could control a terminal or reorder its text, and unpaired surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
const COMBINING = /[\p{Mn}\p{Me}]/u;

export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

/** Estimates how many columns a terminal uses for this text, well enough to align a table. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) if (!COMBINING.test(character)) width += WIDE.test(character) ? 2 : 1;
  return width;
}

/** Lays out columns by their titles. Numbers are right-aligned, and the last column isn't padded. */
export function table<Row>(
  rows: readonly Row[],
  columns: Record<string, (row: Row) => string | number | null>,
): string {
  const titles = Object.keys(columns);
  const values = rows.map((row) => Object.values(columns).map((cell) => cell(row)));
  const lines = [titles, ...values.map((row) => row.map((value) => (value === null ? '–' : printable(String(value)))))];
  const widths = titles.map((_, at) => Math.max(...lines.map((line) => widthOf(line[at] as string))));
  const isNumber = titles.map((_, at) => values.some((row) => typeof row[at] === 'number'));
  return lines
    .map((line) =>
      line
        .map((cell, at) => {
          const gap = ' '.repeat((widths[at] as number) - widthOf(cell));
          return isNumber[at] ? gap + cell : cell + gap;
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export const count = (number: number, thing: string): string =>
  `${number.toLocaleString('en')} ${thing}${number === 1 ? '' : 's'}`;

export function duration(ms: number | null): string | null {
  if (ms === null) return null;
  if (ms < 1000) return `${ms} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

'use strict';

// All output to the terminal goes through this file. It makes text harmless, lays out tables and waits for slow
// readers.

// Characters that could control a terminal or reorder its text: control characters, formatting characters such as the
// bidirectional overrides, line separators, and unpaired surrogates.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const SHORT_ESCAPES = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
const COMBINING = /[\p{Mn}\p{Me}]/u;

/** The width of the page if the output isn't a terminal. */
const COLUMNS_OF_A_PIPE = 120;

/** Makes text from an upload safe for a terminal by escaping unprintable characters. */
function printable(text) {
  return text.replace(
    UNPRINTABLE,
    (character) => SHORT_ESCAPES[character] ?? `\\u{${character.codePointAt(0).toString(16).padStart(4, '0')}}`,
  );
}

/** Makes a line of JSON safe for a terminal. The escapes are JSON's own, so its value doesn't change. */
function printableJson(json) {
  return json.replace(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, at) => {
      const unit = character.charCodeAt(at);
      return `\\u${unit.toString(16).padStart(4, '0')}`;
    }).join(''),
  );
}

/** Estimates how many columns a terminal uses for this text, well enough to align a table. */
function displayWidth(text) {
  let width = 0;
  for (const character of text) {
    if (!COMBINING.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

/** Wraps text between words into lines of at most `width` columns. Breaks a word only if it is longer than a line. */
function wrap(text, width) {
  const lines = [''];
  let used = 0;
  for (const word of text.split(' ')) {
    const needed = displayWidth(word);
    if (used > 0 && used + 1 + needed <= width) {
      lines[lines.length - 1] += ` ${word}`;
      used += 1 + needed;
      continue;
    }
    if (used > 0) {
      lines.push('');
      used = 0;
    }
    for (const character of word) {
      const step = displayWidth(character);
      if (used + step > width) {
        lines.push('');
        used = 0;
      }
      lines[lines.length - 1] += character;
      used += step;
    }
  }
  return lines;
}

const BETWEEN_PARTS = ' · ';

/** Fills lines with parts. Breaks a part only if it is longer than a line. */
function wrapParts(parts, width) {
  const lines = [];
  for (const part of parts) {
    const longer = lines.length > 0 ? lines.at(-1) + BETWEEN_PARTS + part : part;
    if (lines.length > 0 && displayWidth(longer) <= width) lines[lines.length - 1] = longer;
    else for (const line of wrap(part, width)) lines.push(line);
  }
  return lines;
}

const GAP = '  ';
const NARROWEST_LAST_COLUMN = 30;
const INDENT_BELOW = '      ';

/**
 * Lays out a table. Each column is as wide as its widest cell, except the last, which wraps within the rest of the
 * terminal. Text is made printable here, so no caller can forget it.
 *
 * @param {readonly string[]} headings
 * @param {readonly { cells: readonly string[], below?: readonly string[] }[]} rows each row has one cell per heading; the
 *   parts in `below` are laid out under the row, over the whole width
 * @param {number} columns the terminal's width
 */
function tableLines(headings, rows, columns) {
  const table = [headings, ...rows.map(({ cells }) => cells)].map((cells) => cells.map(printable));
  const last = headings.length - 1;
  const widths = headings
    .slice(0, last)
    .map((_, at) => table.reduce((widest, cells) => Math.max(widest, displayWidth(cells[at])), 0));
  const before = widths.reduce((sum, width) => sum + width + GAP.length, 0);
  const lastWidth = Math.max(columns - before, NARROWEST_LAST_COLUMN);
  const pad = (text, width) => text + ' '.repeat(width - displayWidth(text));
  const rowLines = (cells) => {
    const start = widths.map((width, at) => pad(cells[at], width) + GAP).join('');
    return wrap(cells[last], lastWidth).map((part, at) => ((at === 0 ? start : ' '.repeat(before)) + part).trimEnd());
  };
  const lines = [...rowLines(table[0]), [...widths, lastWidth].map((width) => '─'.repeat(width)).join(GAP)];
  const widthBelow = Math.max(columns - INDENT_BELOW.length, NARROWEST_LAST_COLUMN);
  for (const [at, { below = [] }] of rows.entries()) {
    for (const line of rowLines(table[at + 1])) lines.push(line);
    for (const line of wrapParts(below.map(printable), widthBelow)) lines.push(INDENT_BELOW + line);
  }
  return lines;
}

/** Shortens a text to at most `longest` characters. */
function shorten(text, longest) {
  // Cut first, so a long text isn't split in full. A character has at most two UTF-16 units.
  const characters = Array.from(text.slice(0, 2 * longest + 2));
  return characters.length > longest ? `${characters.slice(0, longest - 1).join('')}…` : text;
}

/** Returns how many columns a table may use. */
const columnsOfOutput = () => process.stdout.columns ?? COLUMNS_OF_A_PIPE;

/** Writes to standard output. Waits for a slow reader, so unread output doesn't fill the memory. */
function print(text) {
  if (process.stdout.write(text)) return undefined;
  return new Promise((resolve) => process.stdout.once('drain', resolve));
}

/** Writes one line to standard error. */
function complain(text) {
  process.stderr.write(`${printable(text)}\n`);
}

module.exports = { columnsOfOutput, complain, print, printable, printableJson, shorten, tableLines };

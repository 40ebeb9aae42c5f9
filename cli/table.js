// Everything that could steer a terminal or reorder its text: control characters, formatting characters such as the
// bidirectional overrides, line separators, and halves of surrogate pairs, which are no characters at all.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const SHORT_ESCAPES = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
const COMBINING = /[\p{Mn}\p{Me}]/u;

/** Text from an upload, safe to show on a terminal: what is not plain text stands as an escape. */
function printable(text) {
  return text.replace(
    UNPRINTABLE,
    (character) => SHORT_ESCAPES[character] ?? `\\u{${character.codePointAt(0).toString(16).padStart(4, '0')}}`,
  );
}

/** How many columns a terminal gives this text, near enough to align a table by. */
function displayWidth(text) {
  let width = 0;
  for (const character of text) {
    if (!COMBINING.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

/** Breaks text between words into lines of at most `width` columns; a word that is longer is broken where it must be. */
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

const GAP = '  ';
const NARROWEST_LAST_COLUMN = 30;

/**
 * Lines of a table whose columns are as wide as their widest cell, but for the last, which takes what is left of the
 * terminal and wraps. Cells are made printable here, so that no caller can forget to.
 *
 * @param {readonly string[]} headings
 * @param {readonly (readonly string[])[]} rows as many cells each as there are headings
 * @param {number} columns the terminal's width
 */
function tableLines(headings, rows, columns) {
  const cells = [headings, ...rows].map((row) => row.map(printable));
  const last = headings.length - 1;
  const widths = headings.slice(0, last).map((_, at) => Math.max(...cells.map((row) => displayWidth(row[at]))));
  const before = widths.reduce((sum, width) => sum + width + GAP.length, 0);
  const lastWidth = Math.max(columns - before, NARROWEST_LAST_COLUMN);
  const pad = (text, width) => text + ' '.repeat(width - displayWidth(text));
  const line = (row) => {
    const start = widths.map((width, at) => pad(row[at], width) + GAP).join('');
    return wrap(row[last], lastWidth).map((part, at) => ((at === 0 ? start : ' '.repeat(before)) + part).trimEnd());
  };
  const [heading, ...body] = cells.map(line);
  const rule = [...widths, Math.min(lastWidth, columns)].map((width) => '─'.repeat(width)).join(GAP);
  return [...heading, rule, ...body.flat()];
}

module.exports = { printable, tableLines };

'use strict';

// Edits JSON with comments and changes no other byte. Removing an inserted value restores the original text. (`modify`
// of jsonc-parser reformats the neighbours.)

const { findNodeAtLocation, parseTree } = require('jsonc-parser');

const COMMENT = /\/\/[^\r\n]*|\/\*[\s\S]*?\*\//y;
/** Matches the rest of a line if it holds only a comma and a comment. */
const REST_OF_LINE = /[ \t]*,?[ \t]*(?:\/\/[^\r\n]*|\/\*(?:(?!\*\/)[^\r\n])*\*\/)(?=[ \t]*(?:\r?\n|$))/y;

/**
 * Adds a value at the end of an array, or a member of this name at the end of an object.
 *
 * @param {string} text
 * @param {(string | number)[]} path of the array or object
 * @param {unknown} value
 * @param {string} [name]
 */
function insertInto(text, path, value, name) {
  const container = nodeAt(text, path);
  const unit = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  ';
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const last = container.children.at(-1);
  const outer = indentOfLine(text, container.offset);
  const indent = last !== undefined && beginsLine(text, last.offset) ? indentOfLine(text, last.offset) : outer + unit;
  const json = JSON.stringify(value, null, unit).replaceAll('\n', newline + indent);
  const block = newline + indent + (name === undefined ? '' : `${JSON.stringify(name)}: `) + json;
  if (last === undefined) {
    const end = container.offset + container.length - 1;
    const at = endOfComments(text, container.offset + 1, end);
    return splice(text, at, at, block + (/[\r\n]/.test(text.slice(at, end)) ? '' : newline + outer));
  }
  const lastEnd = last.offset + last.length;
  const comma = commaAfter(text, lastEnd);
  REST_OF_LINE.lastIndex = lastEnd;
  const rest = REST_OF_LINE.exec(text)?.[0].length ?? 0;
  // Keep a trailing comma if the list has one.
  const at = Math.max(lastEnd + rest, comma + 1);
  const added = splice(text, at, at, comma < 0 ? block : `${block},`);
  return comma < 0 ? splice(added, lastEnd, lastEnd, ',') : added;
}

/**
 * Removes an item of an array or a member of an object, with its comma.
 *
 * @param {string} text
 * @param {(string | number)[]} path of the array or object
 * @param {string | number} key
 */
function removeFrom(text, path, key) {
  const container = nodeAt(text, path);
  const at = container.children.findIndex((child, n) =>
    typeof key === 'number' ? n === key : child.children[0].value === key,
  );
  const child = container.children[at];
  const end = child.offset + child.length;
  const start = text.slice(0, child.offset).trimEnd().length;
  const comma = commaAfter(text, end);
  if (comma >= 0) return splice(splice(text, comma, comma + 1, ''), start, end, '');
  const without = splice(text, start, end, '');
  if (at > 0) {
    const before = container.children[at - 1];
    const separator = commaAfter(text, before.offset + before.length);
    return splice(without, separator, separator + 1, '');
  }
  const close = without.slice(start).search(/\S/);
  const isEmpty =
    start === container.offset + 1 &&
    close >= 0 &&
    start + close === container.offset + container.length - 1 - (end - start);
  return isEmpty ? splice(without, start, start + close, '') : without;
}

/**
 * Whether an array or an object holds nothing, not even a comment.
 *
 * @param {string} text
 * @param {(string | number)[]} path
 */
function isBlank(text, path) {
  const { offset, length } = nodeAt(text, path);
  return text.slice(offset + 1, offset + length - 1).trim() === '';
}

/** @returns {any} the node; callers know that it exists */
const nodeAt = (text, path) => {
  const tree = parseTree(text, [], { allowTrailingComma: true });
  return tree && findNodeAtLocation(tree, path);
};

const splice = (text, start, end, more) => text.slice(0, start) + more + text.slice(end);

const indentOfLine = (text, at) => /[ \t]*/.exec(text.slice(text.lastIndexOf('\n', at - 1) + 1))?.[0] ?? '';

const beginsLine = (text, at) => /(?:^|\n)[ \t]*$/.test(text.slice(0, at));

/** Returns the place of the next comma if only space and comments precede it, else -1. */
function commaAfter(text, at) {
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at += 1;
    COMMENT.lastIndex = at;
    const comment = COMMENT.exec(text);
    if (comment === null) return text[at] === ',' ? at : -1;
    at += comment[0].length;
  }
}

/** Returns where the last comment between two places ends, or the first place if there is none. */
function endOfComments(text, start, end) {
  return start + text.slice(start, end).trimEnd().length;
}

module.exports = { insertInto, isBlank, removeFrom };

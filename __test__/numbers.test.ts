import { readFileSync } from 'node:fs';
import { join } from 'node:path';

// Comments and pages for users name some of the code's limits. Each number there must be the code's own.

const ROOT = join(__dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** Returns the value of a Rust constant, which is a number or a shifted one. */
function constant(path: string, name: string): number {
  const [, text] = new RegExp(`const ${name}: \\w+ = ([^;]+);`).exec(read(path)) ?? [];
  const [, base, shift = '0'] = /^(\d+)(?: << (\d+))?$/.exec(text?.replaceAll('_', '') ?? '') ?? [];
  expect({ name, base }).toEqual({ name, base: expect.any(String) });
  return Number(base) * 2 ** Number(shift);
}

const plain = (value: number) => value.toLocaleString('en-US');
const mebibytes = (value: number) => `${value / 2 ** 20} MiB`;

test.each([
  ['index.d.ts', 'Most events a body may hold; default #.', 'src/wire/mod.rs', 'DEFAULT_MAX_EVENTS', plain],
  ['index.d.ts', 'Default #: real uploads', 'src/wire/mod.rs', 'DEFAULT_MAX_BYTES', mebibytes],
  ['index.d.ts', 'more than # unknown fields', 'src/wire/mod.rs', 'MAX_UNKNOWN_FIELDS', plain],
  ['index.d.ts', 'Default: #, or', 'src/capture/source/lines.rs', 'EVENTS_A_READ', plain],
  ['docs/capture.md', 'returns at most # events, or', 'src/capture/source/lines.rs', 'EVENTS_A_READ', plain],
  ['index.d.ts', ', or # while over', 'src/capture/source/lines.rs', 'EVENTS_A_READ_OF_A_LONG_REST', plain],
  ['docs/capture.md', ', or # while more than', 'src/capture/source/lines.rs', 'EVENTS_A_READ_OF_A_LONG_REST', plain],
  ['index.d.ts', 'while over # are left to read', 'src/capture/source/lines.rs', 'LONG_REST', mebibytes],
  ['docs/capture.md', 'while more than #', 'src/capture/source/lines.rs', 'LONG_REST', mebibytes],
  ['index.d.ts', 'one longer than #.', 'src/capture/source/lines.rs', 'LONGEST_LINE_BYTES', mebibytes],
  ['docs/capture.md', 'or is larger than #', 'src/capture/store.rs', 'LARGEST_STATE', mebibytes],
  ['index.d.ts', 'regular file of at most #', 'src/capture/skill.rs', 'LARGEST_FILE', mebibytes],
  ['docs/capture.md', 'files over #', 'src/capture/skill.rs', 'LARGEST_FILE', mebibytes],
  ['index.d.ts', 'of more than # sessions', 'src/session/tracker.rs', 'MOST_SESSIONS', plain],
  ['index.d.ts', 'longer than # bytes, is passed over', 'src/session/tracker.rs', 'LONGEST_ID_BYTES', plain],
  ['index.d.ts', 'the first # bytes of UTF-8 count', 'src/identity.rs', 'LONGEST_CONTENT_BYTES', plain],
  ['index.d.ts', 'at most # bytes of UTF-8', 'src/identity.rs', 'LONGEST_INPUT_TEXT_BYTES', plain],
  ['docs/fields.md', 'at most # bytes of UTF-8', 'src/identity.rs', 'LONGEST_INPUT_TEXT_BYTES', plain],
  ['cli/capture.js', 'with at most # events each', 'src/wire/mod.rs', 'MAX_EVENTS_PER_UPLOAD', plain],
  ['ARCHITECTURE.md', 'at most # events a body', 'src/wire/mod.rs', 'MAX_EVENTS_PER_UPLOAD', plain],
])('%s: %s', (page, sentence, path, name, format) => {
  const unwrapped = read(page).replace(/\s*\n\s*\*?\s*/g, ' ');
  expect(unwrapped).toContain(sentence.replace('#', format(constant(path, name))));
});

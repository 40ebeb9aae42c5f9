import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './support';

const page = readFileSync(join(ROOT, 'docs', 'protocol.md'), 'utf8');

/** The only block of this language on the page. */
function block(language: string): string {
  const found = [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))];
  expect(found).toHaveLength(1);
  return found[0]?.[1] ?? '';
}

test('the worked example of docs/protocol.md crosses exactly so', () => {
  const { BatchDecoder } = require('../lib/native.js');
  const { REQUEST_MAX_EVENTS, REQUEST_MAX_BYTES } = require('../generated/protocol.js');
  const expected = block('cells')
    .trim()
    .split('\n')
    .flatMap((line) => line.split(/ {2,}/, 1)[0]?.split(' ').map(Number) ?? []);
  const cells = new Uint32Array(expected.length);
  cells[REQUEST_MAX_EVENTS] = 1000;
  cells[REQUEST_MAX_BYTES] = 1 << 20;
  const strings: string[] = [];
  const collect = (...more: string[]) => strings.push(...more);
  const waiting = new BatchDecoder().decodeFunction()(Buffer.from(block('json')), cells, collect);
  expect(waiting).toBe(0);
  expect([...cells]).toEqual(expected);
  expect(strings).toEqual(block('strings').trim().split('\n'));
});

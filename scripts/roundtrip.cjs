'use strict';

// Decodes, encodes and decodes again through the public entry, and compares the results. Works in any runtime that loads
// Node addons. Prints one line, and exits with status 1 if anything differs.

const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { encodeMetricsBatch, parseMetricsBatch, PromptEventBuilder } = require('../index.js');

const attributes = { gitAiVersion: '1.1.23', author: 'Zoë → 佐江 🎉', tool: null };
const documents = [
  JSON.parse(readFileSync(join(__dirname, '../examples/upload.json'), 'utf8')),
  {
    v: 1,
    events: [
      {
        t: 0,
        e: 5,
        v: { 0: 'HumanMessage', 2: null, 3: false, 7: 2 ** 53 - 1, 11: 'ß€\u{1f389}\u0000"\\\n' },
        a: { 2: 'é' },
      },
      { t: 2 ** 32 - 1, e: 1, v: { 3: ['all', 'ü'], 4: [0, 2 ** 32 - 1], 9: [], 12: '' }, a: {} },
      { t: 1, e: 5, v: { 0: { nested: [1, null] }, 99: [], __proto__x: 'ü' }, a: { 0: 7, '': true } },
      { t: 1, e: 65535, v: { 0: 1 }, a: { 30: '{"team":"ingest"}' } },
    ],
  },
];

let events = 0;
for (const document of documents) {
  const text = JSON.stringify(document);
  const decoded = parseMetricsBatch(Buffer.from(text));
  assert.deepStrictEqual(decoded.errors, []);
  assert.deepStrictEqual(parseMetricsBatch(text), decoded, 'bytes and text decode to the same');
  const encoded = encodeMetricsBatch(decoded.events);
  assert.deepStrictEqual(JSON.parse(encoded.toString('utf8')), document, 'encoding gives back the document');
  assert.deepStrictEqual(parseMetricsBatch(encoded), decoded, 'and decoding that gives back the events');
  events += decoded.events.length;
}

const built = new PromptEventBuilder().kind('ToolCall').parentId(null).error(true).build(attributes, 1_775_587_555);
const { events: again } = parseMetricsBatch(encodeMetricsBatch([built]));
assert.deepStrictEqual(again, [built], 'a built event survives the wire');
assert.ok(!('model' in again[0].values), 'what is not set is absent');
assert.throws(
  () => parseMetricsBatch('{'),
  ({ code }) => code === 'ERR_INVALID_JSON',
);

console.log(`${events + 1} events survived the round trip`);

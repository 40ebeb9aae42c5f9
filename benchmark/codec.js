'use strict';

const { encodeMetricsBatch, parseMetricsBatch } = require('..');
const { compare } = require('./harness.js');
const { makeUpload } = require('./inputs.js');
const { hand, handWithUnknown, stringifyByHand, zod } = require('./contestants.js');

/** @returns {Promise<import('./harness.js').Ratio[]>} */
async function codec() {
  const ratios = [];

  const body = makeUpload(250);
  const parse = await compare(
    `Decode 250 prompt events of 3 sessions, ${body.length} bytes`,
    {
      parseMetricsBatch: () => parseMetricsBatch(body),
      hand: () => hand(body),
      'zod + map': () => zod(body),
      'JSON.parse alone': () => JSON.parse(body.toString()),
    },
    { unchecked: ['JSON.parse alone'] },
  );
  ratios.push(
    { what: 'parseMetricsBatch against hand', ratio: parse.hand / parse.parseMetricsBatch, target: 3 },
    { what: 'parseMetricsBatch against zod + map', ratio: parse['zod + map'] / parse.parseMetricsBatch, target: 5 },
    {
      what: 'parseMetricsBatch against JSON.parse alone',
      ratio: parse['JSON.parse alone'] / parse.parseMetricsBatch,
      target: 2,
    },
  );

  /** @typedef {(body: Buffer) => object} Rival */
  /** @type {[what: string, options: object, rival: Rival, target: number | undefined][]} */
  const variants = [
    ['non-ASCII text in every message', { ascii: false }, hand, 2],
    ['two unknown positions in every event', { unknown: true }, handWithUnknown, 1.5],
    ['every event of another session', { sessions: 250 }, hand, undefined],
  ];
  for (const [what, options, rival, target] of variants) {
    const body = makeUpload(250, options);
    const times = await compare(`Decode 250 prompt events, ${what}, ${body.length} bytes`, {
      parseMetricsBatch: () => parseMetricsBatch(body),
      hand: () => rival(body),
    });
    ratios.push({
      what: `parseMetricsBatch against hand, ${what}`,
      ratio: times.hand / times.parseMetricsBatch,
      target,
    });
  }

  const perEvent = [parse.parseMetricsBatch / 250];
  for (const count of [25, 1000]) {
    const body = makeUpload(count);
    const times = await compare(`Decode ${count} prompt events, ${body.length} bytes`, {
      parseMetricsBatch: () => parseMetricsBatch(body),
      hand: () => hand(body),
    });
    perEvent.push(times.parseMetricsBatch / count);
    ratios.push({
      what: `parseMetricsBatch against hand, ${count} events`,
      ratio: times.hand / times.parseMetricsBatch,
    });
  }
  ratios.push({
    what: 'time per event at 25, 250 and 1,000 events, slowest against fastest',
    ratio: Math.max(...perEvent) / Math.min(...perEvent),
    atMost: 1.5,
  });

  for (const { what, options } of [
    { what: '', options: {} },
    { what: ', non-ASCII text in every message', options: { ascii: false } },
  ]) {
    const { events } = parseMetricsBatch(makeUpload(250, options));
    const times = await compare(
      `Encode 250 prompt events${what}`,
      {
        encodeMetricsBatch: () => encodeMetricsBatch(events),
        'map + JSON.stringify': () => stringifyByHand(events),
      },
      { answers: (bytes) => JSON.parse(String(bytes)) },
    );
    ratios.push({
      what: `encodeMetricsBatch against map + JSON.stringify${what}`,
      ratio: times['map + JSON.stringify'] / times.encodeMetricsBatch,
      target: 1,
    });
  }
  return ratios;
}

module.exports = codec;

'use strict';

const { encodeMetricsBatch, parseMetricsBatch } = require('..');
const { compare } = require('./harness.js');
const { makeSessionUpload, makeUpload } = require('./inputs.js');
const { builderOf, hand, handForSessions, handWithUnknown, stringifyByHand, zod } = require('./contestants.js');

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
      'objects from ready values': builderOf(parseMetricsBatch(body).events),
    },
    { unchecked: ['JSON.parse alone'] },
  );
  ratios.push(
    { what: 'parseMetricsBatch against hand', ratio: parse.hand / parse.parseMetricsBatch, target: 4 },
    { what: 'parseMetricsBatch against zod + map', ratio: parse['zod + map'] / parse.parseMetricsBatch, target: 10 },
    {
      what: 'parseMetricsBatch against JSON.parse alone',
      ratio: parse['JSON.parse alone'] / parse.parseMetricsBatch,
      target: 3,
    },
    {
      what: 'parseMetricsBatch against building its objects from ready values',
      ratio: parse.parseMetricsBatch / parse['objects from ready values'],
      page: 'limits',
    },
  );

  /** @typedef {(body: Buffer) => object} Rival */
  /** @type {[what: string, body: Buffer, rival: Rival, target: number][]} */
  const variants = [
    ['non-ASCII text in every message', makeUpload(250, { ascii: false }), hand, 4],
    ['two unknown positions in every event', makeUpload(250, { unknown: true }), handWithUnknown, 3],
    ['every event of another session', makeUpload(250, { sessions: 250 }), hand, 3],
    ['session records of 1 to 20 kB', makeSessionUpload(250), handForSessions, 4],
  ];
  for (const [what, body, rival, target] of variants) {
    const times = await compare(`Decode 250 events, ${what}, ${body.length} bytes`, {
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
  /** @type {[count: number, target: number | undefined][]} */
  const counts = [
    [1, 1.2],
    [25, 3],
    [1000, undefined],
  ];
  for (const [count, target] of counts) {
    const body = makeUpload(count);
    const times = await compare(`Decode ${count} prompt events, ${body.length} bytes`, {
      parseMetricsBatch: () => parseMetricsBatch(body),
      hand: () => hand(body),
    });
    if (count > 1) perEvent.push(times.parseMetricsBatch / count);
    ratios.push({
      what: `parseMetricsBatch against hand, ${count} event${count === 1 ? '' : 's'}`,
      ratio: times.hand / times.parseMetricsBatch,
      target,
    });
  }
  ratios.push({
    what: 'time per event at 25, 250 and 1,000 events, slowest against fastest',
    ratio: Math.max(...perEvent) / Math.min(...perEvent),
    atMost: 1.2,
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
      target: 3,
    });
  }
  return ratios;
}

module.exports = codec;

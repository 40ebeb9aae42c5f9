'use strict';

const { parseMetricsBatch } = require('../index.js');
const { readBodies } = require('./input.js');
const { printable } = require('./table.js');

async function run(files) {
  let exitCode = 0;
  for await (const { name, body } of readBodies(files)) {
    const { wrong, lines } = check(name, body);
    process.stdout.write(`${lines.map(printable).join('\n')}\n`);
    if (wrong) exitCode = 1;
  }
  return exitCode;
}

function check(name, body) {
  let batch;
  try {
    batch = parseMetricsBatch(body);
  } catch (error) {
    return { wrong: true, lines: [`${name}: ${error.code}: ${error.message}`] };
  }
  const { events, errors } = batch;
  const faults = errors.map(({ index, code, error }) => `${name}: event ${index}: ${code}: ${error}`);
  const count = events.length + errors.length;
  const total = `${count} ${count === 1 ? 'event' : 'events'}`;
  const kept = events.reduce((sum, { unknown }) => sum + (unknown?.length ?? 0), 0);
  const notes =
    kept > 0 ? `; ${kept} ${kept === 1 ? 'value' : 'values'} kept under positions unknown to this version` : '';
  const verdict = errors.length === 0 ? 'nothing wrong' : `${errors.length} wrong`;
  return { wrong: errors.length > 0, lines: [...faults, `${name}: ${total}, ${verdict}${notes}`] };
}

module.exports = {
  usage: 'check [file|-]…',
  summary: 'Lists what is wrong with uploads, and exits with 1 if anything is',
  details: [
    'A fault of a whole upload is one line with its code; a fault of one event names the event by its index, from 0, too.',
    'Values that this version cannot name are counted, but no fault: they survive decoding and encoding.',
    '',
    'Options:',
    '  -h, --help  this help',
  ],
  options: {},
  run,
};

'use strict';

const { LIMITS, LIMITS_HELP, readUploads } = require('./input.js');
const { printable } = require('./table.js');

function run(files, options) {
  return readUploads(files, options, { decoded: check, refused: say });
}

function check(name, { events, errors }) {
  for (const { index, code, error } of errors) say(`${name}: event ${index}: ${code}: ${error}`);
  const count = events.length + errors.length;
  const total = `${count} ${count === 1 ? 'event' : 'events'}`;
  const kept = events.reduce((sum, { unknown }) => sum + (unknown?.length ?? 0), 0);
  const notes =
    kept > 0 ? `; ${kept} ${kept === 1 ? 'value' : 'values'} kept under positions unknown to this version` : '';
  const verdict = errors.length === 0 ? 'nothing wrong' : `${errors.length} wrong`;
  say(`${name}: ${total}, ${verdict}${notes}`);
  return errors.length > 0 ? 1 : 0;
}

function say(text) {
  process.stdout.write(`${printable(text)}\n`);
}

module.exports = {
  usage: 'check [options] [file|-]…',
  summary: 'Lists what is wrong with uploads, and exits with 1 if anything is',
  details: [
    'A fault of a whole upload is one line with its code; a fault of one event names the event by its index, from 0, too.',
    'Values that this version cannot name are counted, but no fault: they survive decoding and encoding.',
    '',
    'Options:',
    ...LIMITS_HELP,
    '  -h, --help        this help',
  ],
  options: LIMITS,
  run,
};

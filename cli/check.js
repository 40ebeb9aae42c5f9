'use strict';

const { DONE, WRONG } = require('./failures.js');
const { INPUT_HELP, LIMITS, LIMITS_HELP, readUploads } = require('./input.js');
const { printable } = require('./terminal.js');

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
  return errors.length > 0 ? WRONG : DONE;
}

function say(text) {
  process.stdout.write(`${printable(text)}\n`);
}

module.exports = {
  usage: 'check [options] [file|-]…',
  summary: 'Lists what is wrong with uploads, and exits with 1 if anything is',
  details: [
    'What is wrong with a whole upload is one line with its code. What is wrong with one event names its index too, from 0.',
    'Values that this version cannot name are counted, but they are not wrong: they survive decoding and encoding.',
    ...INPUT_HELP,
    '',
    'Options:',
    ...LIMITS_HELP,
    '  -h, --help        this help',
  ],
  options: LIMITS,
  run,
};

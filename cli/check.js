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
    'Each error is one line with its code. An error of a single event also names its index, counted from 0. Fields that this',
    'version does not know are counted but are no errors: decoding and encoding keep them.',
    ...INPUT_HELP,
    '',
    'Options:',
    ...LIMITS_HELP,
    '  -h, --help        this help',
  ],
  options: LIMITS,
  run,
};

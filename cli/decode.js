'use strict';

const { DONE, WRONG } = require('./failures.js');
const { INPUT_HELP, LIMITS, LIMITS_HELP, readUploads } = require('./input.js');
const { columnsOfOutput, complain, print, printable, printableJson, shorten, tableLines } = require('./terminal.js');

const LONGEST_VALUE = 100;
/** One upload can hold a million unknown fields. Showing them all would bury the rest. */
const MOST_UNNAMED = 100;
const SEPARATOR = ' · ';
const JSON_WORDS = ['true', 'false', 'null'];

/** The fields that summarise an event. They are shown without their names. */
const HEADLINES = {
  committed: ['commitSubject'],
  install_hooks: ['toolId', 'status'],
  checkpoint: ['kind', 'filePath'],
  prompt_event: ['kind', 'toolCallName', 'inputText'],
  session_event: ['rawJson'],
  otel_trace: ['rawJson'],
  rewrite_committed: ['operationKind', 'commitSubject'],
};

function run(files, { json, ...limits }) {
  let first = true;
  return readUploads(files, limits, {
    async decoded(name, batch) {
      if (json) {
        for (const event of batch.events) await print(`${printableJson(JSON.stringify(event))}\n`);
      } else {
        await print(`${first ? '' : '\n'}${describe(name, batch).join('\n')}\n`);
        first = false;
      }
      for (const { index, code, error } of batch.errors) complain(`${name}: event ${index} refused: ${code}: ${error}`);
      return batch.errors.length > 0 ? WRONG : DONE;
    },
    refused: complain,
  });
}

function describe(name, { events, errors }) {
  const title = `${name}: ${count(events.length)}${errors.length > 0 ? `, ${errors.length} refused` : ''}`;
  if (events.length === 0) return [printable(title)];

  const columns = columnsOfOutput();
  const shared = sharedAttributes(events);
  const sets = new Map();
  const refused = new Set(errors.map(({ index }) => index));
  let index = -1;
  const rows = events.map((event) => {
    // Decoded events keep the upload's order. Skipping the refused indexes gives the index of each.
    do index += 1;
    while (refused.has(index));
    const { headline, rest } = describeEvent(event);
    const cells = [`${index}`, utc(event.timestamp), metricName(event), labelOf(event, shared, sets), headline];
    return { cells, below: rest };
  });
  const common = { all: Object.entries(shared).map(pair).join(SEPARATOR), ...invert(sets) };
  const attributes = Object.entries(common).flatMap((cells) => (cells[1] === '' ? [] : { cells }));
  return [
    printable(title),
    '',
    ...tableLines(['#', 'time (UTC)', 'metric', 'with', 'event'], rows, columns),
    ...(attributes.length > 0 ? ['', ...tableLines(['with', 'attributes'], attributes, columns)] : []),
  ];
}

const count = (events) => `${events} ${events === 1 ? 'event' : 'events'}`;

const invert = (map) => Object.fromEntries(Array.from(map, ([key, value]) => [value, key]));

/** Returns the attributes with the same value in every event. They are shown once, above the others. */
function sharedAttributes(events) {
  const [first, ...others] = events.map(({ attributes }) => attributes);
  return Object.fromEntries(
    Object.entries(first).filter(([field, value]) =>
      others.every((attributes) => Object.hasOwn(attributes, field) && attributes[field] === value),
    ),
  );
}

/**
 * Returns a short label for an event's attributes beyond the shared ones. A batch has few such sets, but each is long.
 */
function labelOf({ attributes }, shared, sets) {
  const own = Object.entries(attributes).filter(([field]) => !Object.hasOwn(shared, field));
  if (own.length === 0) return '';
  const text = own.map(pair).join(SEPARATOR);
  if (!sets.has(text)) sets.set(text, `a${sets.size + 1}`);
  return sets.get(text);
}

const utc = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');

const metricName = (event) => (event.metric === 'unknown' ? `unknown (${event.metricId})` : event.metric);

function describeEvent({ metric, values, unknown = [] }) {
  const shown = (HEADLINES[metric] ?? []).filter((field) => typeof values[field] === 'string');
  const others = Object.entries(values).filter(([field]) => !shown.includes(field));
  // This version has no name for these fields, so they are shown as raw JSON.
  const unnamed = unknown
    .slice(0, MOST_UNNAMED)
    .map(
      ({ section, position, json }) =>
        `${section}[${shorten(position, LONGEST_VALUE)}] ${shorten(json, LONGEST_VALUE)}`,
    );
  const left = unknown.length - unnamed.length;
  if (left > 0) unnamed.push(`… and ${left.toLocaleString('en')} more`);
  return {
    headline: shown.map((field) => show(values[field])).join(' '),
    rest: [...others.map(pair), ...unnamed],
  };
}

const pair = ([field, value]) => `${field} ${show(value)}`;

/** Shows a plain word as it is. Quotes mark a text that could be taken for something else, such as a number. */
function show(value) {
  if (typeof value !== 'string') return shorten(JSON.stringify(value), LONGEST_VALUE);
  const short = shorten(value, LONGEST_VALUE);
  const plain = /^[\p{L}\p{N}_./:@~-]+$/u.test(short) && Number.isNaN(Number(short)) && !JSON_WORDS.includes(short);
  return plain ? short : `“${short}”`;
}

module.exports = {
  usage: 'decode [options] [file|-]…',
  summary: 'Shows the events of uploads as a table',
  details: [
    'Options:',
    '  --json            print one event a line as JSON, as parseMetricsBatch returns it',
    ...LIMITS_HELP,
    '  -h, --help        this help',
    '',
    ...INPUT_HELP,
    '',
    'Refused events are reported on standard error, and the command then exits with status 1. A field that this version does',
    'not know is shown under its position. The table shortens long values and lists; JSON has them in full.',
  ],
  options: { json: { type: 'boolean' }, ...LIMITS },
  run,
};

const { parseMetricsBatch } = require('../index.js');
const { readBodies } = require('./input.js');
const { printable, tableLines } = require('./table.js');

const COLUMNS_OF_A_PIPE = 120;
const LONGEST_VALUE = 80;

/** The fields that tell at a glance what happened, in a column of their own. */
const HEADLINES = {
  committed: ['commitSubject'],
  install_hooks: ['toolId', 'status'],
  checkpoint: ['kind', 'filePath'],
  prompt_event: ['kind', 'toolCallName'],
};
const LONGEST_HEADLINE = 40;

async function run(files, { json }) {
  let exitCode = 0;
  let first = true;
  for await (const { name, body } of readBodies(files)) {
    let batch;
    try {
      batch = parseMetricsBatch(body);
    } catch (error) {
      process.stderr.write(`${printable(`${name}: ${error.code}: ${error.message}`)}\n`);
      exitCode = 1;
      continue;
    }
    const lines = json ? batch.events.map((event) => JSON.stringify(event)) : describe(name, batch);
    if (!json && !first) lines.unshift('');
    first = false;
    if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
    for (const { index, code, error } of batch.errors) {
      process.stderr.write(`${printable(`${name}: event ${index} refused: ${code}: ${error}`)}\n`);
    }
  }
  return exitCode;
}

function describe(name, { events, errors }) {
  const shared = sharedAttributes(events);
  const refused = new Set(errors.map(({ index }) => index));
  let index = -1;
  const rows = events.map((event) => {
    // The events that decoded keep the request's order, so the refused ones tell at which place each stood.
    do index += 1;
    while (refused.has(index));
    return [`${index}`, utc(event.timestamp), metricName(event), headline(event), rest(event, shared)];
  });
  const count = `${events.length} ${events.length === 1 ? 'event' : 'events'}`;
  const title = `${name}: ${count}${errors.length > 0 ? `, ${errors.length} refused` : ''}`;
  if (events.length === 0) return [printable(title)];
  const common = Object.entries(shared).map(([field, value]) => `  ${field} ${show(value)}`);
  return [
    printable(title),
    ...(common.length > 0 ? ['In every event:', ...common.map(printable)] : []),
    '',
    ...tableLines(['#', 'time (UTC)', 'metric', 'event', 'fields'], rows, process.stdout.columns ?? COLUMNS_OF_A_PIPE),
  ];
}

/** Attributes with the same value in every event: said once, they leave the rows to what differs. */
function sharedAttributes(events) {
  if (events.length < 2) return {};
  const [first, ...others] = events.map(({ attributes }) => attributes);
  return Object.fromEntries(
    Object.entries(first).filter(([field, value]) =>
      others.every((attributes) => Object.hasOwn(attributes, field) && attributes[field] === value),
    ),
  );
}

const utc = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');

const metricName = (event) => (event.metric === 'unknown' ? `unknown (${event.metricId})` : event.metric);

const headlineFields = (event) => HEADLINES[event.metric] ?? [];

function headline(event) {
  const words = headlineFields(event).flatMap((field) => event.values[field] ?? []);
  return shorten(words.join(' '), LONGEST_HEADLINE);
}

function rest(event, shared) {
  const inHeadline = headlineFields(event);
  const values = Object.entries(event.values).filter(
    ([field, value]) => !(inHeadline.includes(field) && value !== null && value.length <= LONGEST_HEADLINE / 2),
  );
  const attributes = Object.entries(event.attributes).filter(([field]) => !Object.hasOwn(shared, field));
  const unknown = (event.unknown ?? []).map(({ section, position, json }) => [`${section}[${position}]`, json]);
  return [
    ...values.map(([field, value]) => `${field} ${show(value)}`),
    ...attributes.map(([field, value]) => `${field} ${show(value)}`),
    // Not named by this version: shown as it came, which is raw JSON text.
    ...unknown.map(([place, json]) => `${place} ${shorten(json, LONGEST_VALUE)}`),
  ].join(' · ');
}

/** Plain words stand as they are; quotes set off what could be taken for something else. */
function show(value) {
  if (typeof value !== 'string') return shorten(JSON.stringify(value), LONGEST_VALUE);
  const short = shorten(value, LONGEST_VALUE);
  return /^[\p{L}_/~][\p{L}\p{N}_./:@~-]*$/u.test(short) && short !== 'null' ? short : `“${short}”`;
}

function shorten(text, most) {
  const characters = Array.from(text.slice(0, 2 * most + 2));
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : text;
}

module.exports = {
  usage: 'decode [--json] [file|-]…',
  summary: 'Shows the events of uploads as a table',
  details: [
    'Options:',
    '  --json      one event a line as JSON, in the form that parseMetricsBatch gives it',
    '  -h, --help  this help',
    '',
    'Events that were refused are named on standard error. A value that this version cannot name stands under the position',
    'that it had. Long values are cut short in the table, never in JSON.',
  ],
  options: { json: { type: 'boolean' } },
  run,
};

#!/usr/bin/env node
// The main job of `npm start`, once all is built: uploads into embedded ClickHouse, and out of it what the Sessions
// dashboard shows.

import { createRequire } from 'node:module';
import { relative } from 'node:path';
import { parseCommandLine } from './command-line.mjs';
import { ingest, uploadsIn } from './ingest.mjs';
import { CannotOpen, Store } from './store.mjs';

const { printable, tableLines } = createRequire(import.meta.url)('../cli/terminal.js');

function main({ data, org, limit, paths }) {
  const store = new Store(data);
  const shown = (path) => relative('', path) || '.';
  console.log(`Storing the uploads of ${paths.map(shown).join(', ')} in ${shown(data)} …`);
  const refused = storeUploads(store, org, paths);
  show(store, org, limit);
  store.close();
  process.exitCode = refused > 0 ? 1 : 0;
}

/** Stores them with a line of progress each second, and returns how many uploads or events were refused. */
function storeUploads(store, orgId, paths) {
  const began = Date.now();
  let told = began;
  let stored = 0;
  let storedBytes = 0;
  let refused = 0;
  const total = ingest(store, uploadsIn(paths), {
    orgId,
    onStored(names, bytes) {
      stored += names.length;
      storedBytes += bytes;
      if (Date.now() - told < 1000) return;
      told = Date.now();
      console.log(`  ${count(stored, 'upload')}, ${Math.round(storedBytes / 1e6).toLocaleString('en')} MB …`);
    },
    onRefused(name, problem) {
      refused += 1;
      if (refused <= 10) console.error(printable(`✗ ${name}: ${problem}`));
    },
  });
  if (refused > 10) console.error(`✗ … and ${refused - 10} more`);
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  console.log(
    `Stored ${count(total.uploads, 'upload')} in ${seconds} s: ${count(total.rows, 'row')} of prompt events; ` +
      `${count(total.skipped, 'event')} of other metrics ${total.skipped === 1 ? 'was' : 'were'} left out.`,
  );
  return refused;
}

function show(store, org, limit) {
  const org_id = org;
  const always = { org_id, from: '2020-01-01 00:00:00.000', to: '2299-12-31 00:00:00.000' };
  const sessions = store.ask('sessions', {
    ...always,
    now: new Date().toISOString().replace('T', ' ').replace('Z', ''),
    before: '2299-12-31 23:59:59.999',
    before_prompt_id: '',
    limit,
  });
  print('Sessions, newest first', sessions, {
    start: ({ start }) => start.slice(0, 16),
    state: ({ state, reason }) => (reason === null ? state : `${state} (${reason})`),
    turns: ({ turns }) => turns,
    tools: ({ tool_calls }) => tool_calls,
    errors: ({ errors }) => errors,
    duration: ({ duration_ms }) => duration(duration_ms),
    active: ({ active_ms }) => duration(active_ms),
    author: ({ author }) => author?.replace(/ <.*/, ''),
    title: ({ title }) => title,
  });
  print('Tools', store.ask('tools', always), {
    calls: ({ calls }) => calls,
    errors: ({ errors }) => errors,
    'error rate': ({ error_rate }) => (error_rate === null ? null : `${(100 * error_rate).toFixed(1)} %`),
    p50: ({ observed_p50_ms }) => duration(observed_p50_ms),
    p95: ({ observed_p95_ms }) => duration(observed_p95_ms),
    'reported p50': ({ reported_p50_ms }) => duration(reported_p50_ms),
    'reported p95': ({ reported_p95_ms }) => duration(reported_p95_ms),
    tool: ({ tool }) => tool,
  });
  print('Skills', store.ask('skills', { org_id }), {
    invocations: ({ invocations }) => invocations,
    sessions: ({ sessions }) => sessions,
    users: ({ distinct_users }) => distinct_users,
    versions: ({ distinct_versions }) => distinct_versions,
    'last edited': ({ last_edited }) => day(last_edited),
    skill: ({ path }) => path,
  });
}

const UNKNOWN = '–';

function print(title, rows, columns) {
  console.log(`\n${title}`);
  if (rows.length === 0) return console.log('  none');
  const cells = rows.map((row) => ({ cells: Object.values(columns).map((cell) => String(cell(row) ?? UNKNOWN)) }));
  console.log(tableLines(Object.keys(columns), cells, process.stdout.columns ?? 120).join('\n'));
}

const count = (number, what) => `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;

/** The last time that a JavaScript date can hold; an upload can say any up to 2^53 - 1. */
const LAST_DATE_MS = 8.64e15;

function day(ms) {
  if (ms === null) return null;
  return ms <= LAST_DATE_MS ? new Date(ms).toISOString().split('T', 1)[0] : `${ms} ms`;
}

function duration(ms) {
  if (ms === null) return null;
  if (ms < 1000) return `${ms} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

try {
  main(parseCommandLine(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof CannotOpen)) throw error;
  console.error(printable(`✗ ${error.message}`));
  process.exitCode = 1;
}

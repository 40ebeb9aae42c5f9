#!/usr/bin/env node
// How long the dashboard takes from the request to the first list on the screen, in Chromium, on 5 million events or on as
// many as you name: `node sessions/bench/first-list.mjs 1000000`. Takes minutes, and a gigabyte of disk. Build first:
// npm run build -w sessions.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { fill } from './fill.mjs';

const require = createRequire(import.meta.url);
const { findChromium } = require('../../scripts/chromium.cjs');
const { ClickHouseStore } = require('../dist/store/clickhouse.js');
const { EmbeddedClickHouse } = require('../dist/store/embedded.js');

const BIN = join(fileURLToPath(new URL('.', import.meta.url)), '..', 'bin', 'git-ai-sessions.js');
const DAY_MS = 86_400_000;
const VISITS = 7;

/** The pages whose first list counts, and what it consists of. */
const LISTS = {
  '/sessions': 'table.sessions tbody tr',
  '/sessions?range=all': 'table.sessions tbody tr',
  '/': '.cards .value',
};

const size = Number(process.argv[2] ?? 5_000_000);
const executablePath = findChromium();
if (executablePath === undefined) {
  console.error('Chromium was not found: install it, or name one in CHROMIUM');
  process.exit(1);
}
const folder = mkdtempSync(join(tmpdir(), 'git-ai-sessions-bench-'));
console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.versions.node}, data in ${folder}`);
try {
  // It sets up the tables as it wants them while they are empty.
  await withServer(async () => {});
  const embedded = await EmbeddedClickHouse.start({ folder: join(folder, 'clickhouse') });
  const store = new ClickHouseStore({ url: embedded.url, timeoutMs: 600_000 });
  const from = new Date(Date.now() - 90 * DAY_MS).toISOString().slice(0, 19).replace('T', ' ');
  await fill(store, { org: 'local', size, from });
  await store.close();
  await embedded.stop();
  await withServer(measure);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function withServer(use) {
  const args = [BIN, 'serve', '--port', '0', '--data', folder, '--log-level', 'error'];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  try {
    for await (const line of createInterface({ input: server.stdout })) {
      const url = /listens on (\S+)/.exec(line)?.[1];
      if (url === undefined) continue;
      await use(url);
      return;
    }
    throw new Error('the server did not start');
  } finally {
    server.kill('SIGTERM');
    await ended;
  }
}

async function measure(url) {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });
  console.log(
    `\n${size.toLocaleString('en')} events, load ${loadavg()[0].toFixed(1)}: from the request to the first list`,
  );
  for (const [path, selector] of Object.entries(LISTS)) {
    const visits = [];
    for (let n = 0; n < VISITS; n++) visits.push(await visit(browser, url + path, selector));
    visits.sort((a, b) => a.painted - b.painted);
    const [best, median] = [visits[0], visits[VISITS >> 1]].map(
      ({ painted, answer }) => `${painted.toFixed(0)} ms (of which the answer ${answer.toFixed(0)} ms)`,
    );
    console.log(`  ${path.padEnd(22)}${best} at best, ${median} median`);
  }
  await browser.close();
}

/** One visit with an empty cache: when the first list was painted, and how long the API took for it. */
async function visit(browser, address, selector) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.addInitScript((wanted) => {
    globalThis.painted = new Promise((resolve) => {
      const look = () => {
        if (document.querySelector(wanted) === null) requestAnimationFrame(look);
        // The next frame begins after this one was painted.
        else requestAnimationFrame(() => resolve(performance.now()));
      };
      requestAnimationFrame(look);
    });
  }, selector);
  await page.goto(address);
  const painted = await page.evaluate(() => globalThis.painted);
  const answer = await page.evaluate(() =>
    Math.max(
      ...performance
        .getEntriesByType('resource')
        .filter(({ name }) => /\/api\/(sessions|overview)/.test(name))
        .map(({ duration }) => duration),
    ),
  );
  await context.close();
  return { painted, answer };
}

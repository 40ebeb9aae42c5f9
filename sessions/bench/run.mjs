#!/usr/bin/env node
// npm run bench:sessions: what an upload costs beside rivals, how many events a CPU second stores in embedded ClickHouse,
// and how long a thousand installations wait. The load comes from this process, over loopback; figures are of the servers
// alone. With names (`-- cost stored installations`) only those parts.

import { fork, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(import.meta.url);
const { makeUpload } = require('../../benchmark/inputs.js');

/** Each client has a connection of its own. */
const agent = new Agent({ keepAlive: true });

/** Sends an upload, and resolves with how long its answer took. */
function send(port, body, headers = {}) {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        method: 'POST',
        path: '/worker/metrics/upload',
        headers: { 'content-type': 'application/json', 'content-length': body.length, ...headers },
      },
      (answer) => {
        answer.resume().once('end', () => {
          if (answer.statusCode === 200) resolve(performance.now() - began);
          else reject(new Error(`answered ${answer.statusCode}`));
        });
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

/** Sends so many uploads, some at a time. */
async function sendMany(port, count, bodyOf, atOnce = 8) {
  let next = 0;
  const client = async () => {
    while (next < count) await send(port, bodyOf(next++));
  };
  await Promise.all(Array.from({ length: atOnce }, client));
}

/** A server of servers.cjs. */
async function startRival(name) {
  const child = fork(new URL('servers.cjs', import.meta.url), [name], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const message = () => new Promise((resolve) => child.once('message', resolve));
  const { port } = await message();
  const cpuMs = async () => {
    const answer = message();
    child.send('cpu');
    const { user, system } = (await answer).cpu;
    return (user + system) / 1000;
  };
  return { port, cpuMs, stop: () => child.disconnect() };
}

/** CPU per upload of each server: the least of several rounds, which take turns. */
async function cost() {
  const names = ['bare', 'ours', 'fastify'];
  for (const events of [250, 5]) {
    const servers = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await startRival(name)])));
    const bodies = Array.from({ length: 20 }, (_, n) => Buffer.from(makeUpload(events, { seed: n + 1 })));
    const uploads = events === 250 ? 800 : 5000;
    const least = Object.fromEntries(names.map((name) => [name, Number.POSITIVE_INFINITY]));
    for (let round = 0; round < 8; round++) {
      for (const name of names) {
        const { port, cpuMs } = servers[name];
        const before = await cpuMs();
        await sendMany(port, uploads, (n) => bodies[n % bodies.length]);
        const perUpload = ((await cpuMs()) - before) / uploads;
        // The first rounds are for the compiler, which takes thousands of uploads until it is done.
        if (round >= 4) least[name] = Math.min(least[name], perUpload);
      }
    }
    for (const { stop } of Object.values(servers)) stop();
    const { bare, ours, fastify } = least;
    console.log(`\nCPU of an upload of ${events} events (${Math.round(bodies[0].length / 1000)} kB), nothing stored`);
    for (const name of names) console.log(`  ${name.padEnd(40)} ${least[name].toFixed(3).padStart(8)} ms`);
    console.log(
      `  ${'fastify + zod + JSON.stringify ÷ ours'.padEnd(40)} ${(fastify / ours).toFixed(2).padStart(8)}   reach ${events === 250 ? 8 : 2}`,
    );
    console.log(
      `  ${'ours ÷ bare node:http'.padEnd(40)} ${(ours / bare).toFixed(2).padStart(8)}   ${events === 250 ? 'at most 2.5' : ''}`,
    );
  }
}

/** The whole backend with embedded ClickHouse. */
async function startBackend() {
  const folder = mkdtempSync(join(tmpdir(), 'git-ai-sessions-bench-'));
  const bin = require.resolve('../bin/git-ai-sessions.js');
  const limits = ['--rate-per-second', '1000000', '--rate-burst', '1000000'];
  const child = spawn(
    process.execPath,
    [bin, 'serve', '--data', folder, '--port', '0', '--log-level', 'warn', ...limits],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let port;
  for await (const line of createInterface({ input: child.stdout })) {
    port = /listens on http:\/\/[^:]+:(\d+)/.exec(line)?.[1];
    if (port !== undefined) break;
  }
  const store = childrenOf(child.pid).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('embedded-clickhouse'),
  );
  const processes = { node: child.pid, clickhouse: store };
  return {
    port: Number(port),
    cpuMs: () => Object.fromEntries(Object.entries(processes).map(([name, pid]) => [name, cpuMsOf(pid)])),
    rssMb: () => Object.fromEntries(Object.entries(processes).map(([name, pid]) => [name, rssMbOf(pid)])),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const statOf = (pid) =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
const childrenOf = (parent) =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return Number(statOf(pid)[1]) === parent;
      } catch {
        return false;
      }
    });
/** User and system time in ticks of 10 ms, of all threads. */
const cpuMsOf = (pid) =>
  statOf(pid)
    .slice(11, 13)
    .reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
const rssMbOf = (pid) =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024);

const difference = (after, before) =>
  Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));

/** Waits until a process uses hardly any CPU: its merges are done. */
async function quiet(backend) {
  for (let before = backend.cpuMs().clickhouse; ; ) {
    await sleep(1500);
    const after = backend.cpuMs().clickhouse;
    if (after - before < 60) return;
    before = after;
  }
}

/** Uploads of 250 events until they are stored and merged. */
async function stored() {
  const backend = await startBackend();
  const uploads = 1600;
  const bodies = Array.from({ length: 100 }, (_, n) => makeUpload(250, { seed: n + 1 }).toString());
  // The same events again would be merged away: each round has sessions of its own.
  const bodyOf = (n) =>
    Buffer.from(
      bodies[n % bodies.length].replace(
        /"[0-9a-f]{2}(?=[0-9a-f]{14}[:"])/g,
        `"${Math.floor(n / bodies.length)
          .toString(16)
          .padStart(2, '0')}`,
      ),
    );
  await sendMany(backend.port, 50, (n) => bodyOf(uploads + n));
  await quiet(backend);
  const before = backend.cpuMs();
  const began = performance.now();
  await sendMany(backend.port, uploads, bodyOf, 64);
  const seconds = (performance.now() - began) / 1000;
  await quiet(backend);
  const cpu = difference(backend.cpuMs(), before);
  const events = uploads * 250;
  console.log(`\n${events.toLocaleString('en')} events in uploads of 250 into embedded ClickHouse, merges included`);
  console.log(
    `  events per CPU second  ${Math.round(events / ((cpu.node + cpu.clickhouse) / 1000)).toLocaleString('en')}   reach 90,000`,
  );
  console.log(`  events per second      ${Math.round(events / seconds).toLocaleString('en')}`);
  console.log(`  CPU                    server ${cpu.node} ms, ClickHouse ${cpu.clickhouse} ms`);
  await backend.stop();
}

/** Each of a thousand installations sends 5 events every 3 s. */
async function installations() {
  const backend = await startBackend();
  const count = 1000;
  const periodMs = 3000;
  const rounds = 10;
  const bodies = Array.from({ length: 200 }, (_, n) => Buffer.from(makeUpload(5, { seed: n + 1 })));
  await sendMany(backend.port, 200, (n) => bodies[n % bodies.length]);
  const before = backend.cpuMs();
  const rss = [backend.rssMb()];
  const latencies = [];
  const began = performance.now();
  const installation = async (number) => {
    const headers = { 'x-distinct-id': `installation ${number}` };
    for (let round = 0; round < rounds; round++) {
      const due = began + (round + number / count) * periodMs;
      await sleep(Math.max(0, due - performance.now()));
      latencies.push(await send(backend.port, bodies[(number + round) % bodies.length], headers));
      if (number === 0) rss.push(backend.rssMb());
    }
  };
  await Promise.all(Array.from({ length: count }, (_, number) => installation(number)));
  const seconds = (performance.now() - began) / 1000;
  const cpu = difference(backend.cpuMs(), before);
  latencies.sort((a, b) => a - b);
  const percentile = (p) => `${latencies[Math.ceil(latencies.length * p) - 1].toFixed(0)} ms`;
  console.log(
    `\n${count.toLocaleString('en')} installations that send 5 events every 3 s, for ${seconds.toFixed(0)} s: ${Math.round(latencies.length / seconds)} uploads/s`,
  );
  console.log(`  latency  p50 ${percentile(0.5)}, p99 ${percentile(0.99)}, most ${percentile(1)}   reach p99 < 1 s`);
  console.log(
    `  CPU      server ${(cpu.node / seconds / 10).toFixed(0)} %, ClickHouse ${(cpu.clickhouse / seconds / 10).toFixed(0)} % of a core`,
  );
  console.log(
    `  memory   server ${rss[1].node} → ${rss.at(-1).node} MB, ClickHouse ${rss[1].clickhouse} → ${rss.at(-1).clickhouse} MB`,
  );
  await backend.stop();
}

const PARTS = { cost, stored, installations };

console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.versions.node}`);
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !Object.hasOwn(PARTS, name));
if (unknown === undefined) {
  for (const name of wanted.length > 0 ? wanted : Object.keys(PARTS)) await PARTS[name]();
  agent.destroy();
} else {
  console.error(`expected ${Object.keys(PARTS).join(', ')}, found ${JSON.stringify(unknown)}`);
  process.exitCode = 2;
}

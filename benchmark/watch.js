'use strict';

// What the watcher takes with 2,000 sessions of 50 MB in all: memory and CPU of a first start, and CPU of polls that find
// nothing. `node benchmark/watch.js [sessions]`, on Linux, which has /proc.

const { spawn } = require('node:child_process');
const { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { gunzipSync } = require('node:zlib');

const SESSIONS = Number(process.argv[2] ?? 2000);
const BYTES_A_SESSION = 25_000;
const EVERY_S = 0.3;
const IDLE_S = 10;
const MS_A_TICK = 10;
const QUIET_LOOKS = 10;

const TEXT = 'lorem ipsum dolor sit amet '.repeat(30);

/** Prompts, and calls with their results, as Claude Code writes them. */
function transcript(sessionId) {
  let text = '';
  for (let n = 0; text.length < BYTES_A_SESSION; n++) {
    const head = { sessionId, timestamp: new Date(Date.now() - 60_000 + n).toISOString(), cwd: '/home/dev/app' };
    const id = `toolu_${sessionId}_${n}`;
    for (const [type, content] of [
      ['user', `prompt ${n} ${TEXT.slice(0, 200)}`],
      ['assistant', [{ type: 'tool_use', id, name: 'Bash', input: { command: 'ls' } }]],
      ['user', [{ type: 'tool_result', tool_use_id: id, content: TEXT }]],
    ]) {
      text += `${JSON.stringify({ ...head, uuid: `${id}-${type}-${text.length}`, type, message: { model: 'm', content } })}\n`;
    }
  }
  return text;
}

async function main() {
  const home = mkdtempSync(join(tmpdir(), 'git-ai-metrics-watch-'));
  let bytes = 0;
  for (let n = 0; n < SESSIONS; n++) {
    const folder = join(home, '.claude/projects', `-project-${n % 50}`);
    mkdirSync(folder, { recursive: true });
    const id = `${String(n).padStart(8, '0')}-0c1d-4f7a-9a1e-2f6d1c0b7e55`;
    const text = transcript(id);
    bytes += text.length;
    writeFileSync(join(folder, `${id}.jsonl`), text);
  }
  let [events, bodies] = [0, 0];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      bodies += 1;
      events += JSON.parse(gunzipSync(Buffer.concat(chunks)).toString()).events.length;
      response.end('{"errors":[]}');
    });
  });
  await new Promise((resolve) => void server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const options = ['--server', `http://127.0.0.1:${port}`, '--every', String(EVERY_S), '--home', home, '--poll'];
  const child = spawn(process.execPath, [join(__dirname, '../cli/main.js'), 'watch', ...options], { stdio: 'inherit' });
  const megabytes = () => {
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) / 1000;
  };
  const cpuMs = () => {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_A_TICK;
  };
  let [peak, quiet, before] = [0, 0, 0];
  while (quiet < QUIET_LOOKS) {
    await pause(500);
    peak = Math.max(peak, megabytes());
    quiet = events === before && events > 0 ? quiet + 1 : 0;
    before = events;
  }
  console.log(`${SESSIONS} sessions, ${(bytes / 1e6).toFixed(0)} MB: ${events} events in ${bodies} bodies`);
  console.log(`first start: ${cpuMs()} ms of CPU, at most ${peak.toFixed(0)} MB of memory`);
  const start = cpuMs();
  await pause(IDLE_S * 1000);
  console.log(`a poll that finds nothing: ${((cpuMs() - start) / (IDLE_S / EVERY_S)).toFixed(1)} ms of CPU`);
  child.kill();
  server.close();
  rmSync(home, { recursive: true });
}

main();

import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PromptEvent, parseClaudeTranscript } from '../../index.js';
import { environment, Home, MAIN, transcript } from './client';
import { Backend, FAULTS } from './server';

// Kills the watcher at random moments while agents write and the server misbehaves. The suite runs few rounds; set
// GIT_AI_METRICS_KILL_ROUNDS=100 for more.

const ROUNDS = Number(process.env.GIT_AI_METRICS_KILL_ROUNDS ?? 6);
const SESSIONS = 8;
const PROJECT = '.claude/projects/-home-dev-app';

let seed = Number(process.env.GIT_AI_METRICS_SEED ?? Date.now() % 1_000_000);
/** A number from 0 to below 1. */
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
}
const oneOf = <T>(list: T[]): T => list[Math.floor(random() * list.length)];

const session = (n: number) => `${String(n).padStart(8, '0')}-0c1d-4f7a-9a1e-2f6d1c0b7e55`;

/** Lines of a tool call, whose result may come much later. */
function call(n: number, id: string): [string, string] {
  const line = (type: string, content: unknown) =>
    `${JSON.stringify({ type, sessionId: session(n), timestamp: new Date().toISOString(), message: { role: type, content } })}\n`;
  return [
    line('assistant', [{ type: 'tool_use', id, name: 'Bash', input: { command: 'ls' } }]),
    line('user', [{ type: 'tool_result', tool_use_id: id, is_error: n % 2 === 0 }]),
  ];
}

test(`nothing lost, nothing invented, nothing twice: ${ROUNDS} kills (seed ${seed})`, async () => {
  const home = new Home();
  const backend = await Backend.start();
  // Waiting for one that never answers takes a whole round.
  const names = Object.keys(FAULTS).filter((name) => name !== 'no answer' || random() < 0.3);
  backend.fault = () => (random() < 0.3 ? { name: oneOf(names), store: random() < 0.5 } : undefined);
  const open = new Map<number, string>();
  let calls = 0;

  const write = () => {
    const n = Math.floor(random() * SESSIONS);
    const path = join(home.path, PROJECT, `${session(n)}.jsonl`);
    const result = open.get(n);
    if (result !== undefined && random() < 0.5) {
      appendFileSync(path, result);
      open.delete(n);
    } else if (random() < 0.5 && result === undefined) {
      const [start, end] = call(n, `toolu_${calls++}`);
      appendFileSync(path, start);
      open.set(n, end);
    } else {
      const texts = Array.from({ length: 1 + Math.floor(random() * 40) }, (_, k) => `text ${calls++} ${k}`);
      const lines = transcript(session(n), texts, Date.now() - 60_000);
      // Write half a line now and the rest later, as a slow writer does.
      const cut = Math.floor(random() * lines.length);
      appendFileSync(path, lines.slice(0, cut));
      appendFileSync(path, lines.slice(cut));
    }
  };

  const start = (...args: string[]) => {
    const child = spawn(process.execPath, [MAIN, 'watch', '--server', backend.url, '--every', '0.01', ...args], {
      env: environment(home.path),
      stdio: 'ignore',
    });
    return { child, ended: new Promise<number | null>((resolve) => void child.on('close', resolve)) };
  };

  home.write(`${PROJECT}/${session(0)}.jsonl`, '');
  for (let round = 0; round < ROUNDS; round++) {
    const { child, ended } = start(...(random() < 0.5 ? ['--poll'] : []));
    // From before its first read to well into its uploads.
    const until = Date.now() + 50 + random() * 700;
    while (Date.now() < until) {
      write();
      await new Promise((resolve) => setTimeout(resolve, random() * 30));
    }
    child.kill('SIGKILL');
    await ended;
  }
  for (const [n, result] of open) appendFileSync(join(home.path, PROJECT, `${session(n)}.jsonl`), result);
  backend.fault = () => undefined;
  expect(await start('--once').ended).toBe(0);
  backend.close();

  const expected = Array.from({ length: SESSIONS }, (_, n) => n).flatMap((n) => {
    const path = join(PROJECT, `${session(n)}.jsonl`);
    try {
      return parseClaudeTranscript(home.read(path), {
        sessionId: session(n),
        gitAiVersion: '0.1.0',
        homeDir: home.path,
      });
    } catch {
      return [];
    }
  });
  // Merges like the server: a field is set if any delivery sets it, and deliveries never disagree.
  const merged = new Map<string, PromptEvent>();
  for (const event of backend.events) {
    const id = event.values.eventId as string;
    const before = merged.get(id);
    for (const [field, value] of Object.entries(event.values)) {
      const known = before?.values[field as keyof PromptEvent['values']];
      if (known !== undefined) expect([id, field, value]).toEqual([id, field, known]);
    }
    merged.set(id, { ...event, values: { ...before?.values, ...event.values } });
  }
  const byId = (a: PromptEvent, b: PromptEvent) => ((a.values.eventId ?? '') < (b.values.eventId ?? '') ? -1 : 1);
  expect(expected.length).toBeGreaterThan(0);
  expect([...merged.values()].sort(byId)).toEqual(expected.sort(byId));
}, 600_000);

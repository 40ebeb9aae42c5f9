import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type MetricEvent, type PromptEvent, parseMetricsBatch } from '../../index.js';

// A developer's machine: a home directory with an agent's sessions in it, and the command.

export const MAIN = join(__dirname, '../../cli/main.js');

/** Without the command itself, which npm adds for the tests. */
const PATH = process.env.PATH?.split(delimiter)
  .filter((folder) => !folder.endsWith(join('node_modules', '.bin')))
  .join(delimiter);

/** The command's environment, without anything of the machine that runs the tests. */
export const environment = (home: string, more: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  PATH,
  HOME: home,
  USERPROFILE: home,
  ...more,
});

const homes: string[] = [];
afterAll(() => {
  for (const home of homes) rmSync(home, { recursive: true, force: true });
});

export class Home {
  readonly path = mkdtempSync(join(tmpdir(), 'git-ai-metrics-home-'));

  constructor() {
    homes.push(this.path);
  }

  write(file: string, text: string | Buffer): string {
    const path = join(this.path, file);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  read(file: string): string {
    return readFileSync(join(this.path, file), 'utf8');
  }

  run(args: string[], { input = '', env = {} as Record<string, string> } = {}): SpawnSyncReturns<string> {
    return spawnSync(process.execPath, [MAIN, ...args], {
      encoding: 'utf8',
      input,
      env: environment(this.path, env),
      maxBuffer: 1 << 28,
    });
  }

  /** The events that hooks and the wrapper have stored for the watcher. */
  outbox(): PromptEvent[] {
    const folder = join(this.path, '.git-ai/internal/client/outbox');
    let names: string[] = [];
    try {
      names = readdirSync(folder).sort();
    } catch {
      return [];
    }
    return names.flatMap((name) =>
      decoded(readFileSync(join(folder, name), 'utf8').split('\n', 1)[0]),
    ) as PromptEvent[];
  }
}

export function decoded(body: Uint8Array | string): MetricEvent[] {
  const { events, errors } = parseMetricsBatch(body);
  expect(errors).toEqual([]);
  return events;
}

/** Lines of a session like those of Claude Code, with a prompt and an answer for each text. */
export function transcript(session: string, texts: string[], start = Date.UTC(2026, 4, 1, 12)): string {
  return texts
    .flatMap((text, n) => {
      const time = (ms: number) => new Date(start + n * 1000 + ms).toISOString();
      const head = { sessionId: session, cwd: '/home/dev/app' };
      return [
        {
          ...head,
          type: 'user',
          timestamp: time(0),
          uuid: `${session}-u${n}`,
          message: { role: 'user', content: text },
        },
        {
          ...head,
          type: 'assistant',
          timestamp: time(500),
          uuid: `${session}-a${n}`,
          message: {
            id: `m${n}`,
            role: 'assistant',
            model: 'claude-opus-4-6',
            content: [{ type: 'text', text: `re: ${text}` }],
          },
        },
      ];
    })
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');
}

/** The command in a process of its own, as users run it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const BIN = join(__dirname, '..', '..', 'bin', 'git-ai-sessions.js');

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end. Paths are meant from `cwd`. */
export const command = (cwd: string, ...args: string[]): Outcome => commandWith('', cwd, ...args);

/** The same, with this on stdin. */
export function commandWith(input: string | Buffer, cwd: string, ...args: string[]): Outcome {
  const env = { ...process.env, INIT_CWD: cwd };
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], { cwd, env, input, encoding: 'utf8' });
  return { status, stdout, stderr };
}

export interface Server {
  child: ChildProcess;
  url: string;
  /** Its exit code, or the signal that ended it. */
  ended: Promise<number | string>;
  log(): string;
  stop(): Promise<number | string>;
}

/** Starts `serve` on a free port, and resolves once it listens. */
export async function startServer(...args: string[]): Promise<Server> {
  const child = spawn(process.execPath, [BIN, 'serve', '--port', '0', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const ended = new Promise<number | string>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'nothing')),
  );
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /listens on (\S+)/.exec(line)?.[1];
    if (url === undefined) continue;
    const stop = () => {
      child.kill('SIGTERM');
      return ended;
    };
    return { child, url, ended, log: () => log, stop };
  }
  throw new Error(`the server did not start: ${log}`);
}

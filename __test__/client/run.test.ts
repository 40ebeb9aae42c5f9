import { spawnSync } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { eventId, parseClaudeTranscript } from '../../index.js';
import { onUnix } from '../support';
import { environment, Home, MAIN, transcript } from './client';

const SESSION = '5b2f6c1e-0c1d-4f7a-9a1e-2f6d1c0b7e55';

const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0;
const withTerminal = hasPython ? test : test.skip;
if (!hasPython) test.skip('a terminal: needs python3 with its module pty', () => undefined);

interface Step {
  see?: string;
  type?: string;
  size?: [number, number];
  signal?: string;
  continue?: boolean;
  hangup?: boolean;
}

interface Outcome {
  output: string;
  changes: string[];
}

/** Runs a script of Node on a terminal, in the wrapper or bare. */
function onTerminal(home: Home, script: string, steps: Step[], { bare = false, args = [] as string[] } = {}): Outcome {
  const agent = [process.execPath, '-e', script];
  const argv = bare ? agent : [process.execPath, MAIN, 'run', ...args, '--', ...agent];
  const input = JSON.stringify({ argv, env: environment(home.path), cwd: home.path, steps });
  const { stdout, stderr } = spawnSync('python3', [join(__dirname, 'terminal.py')], { input, encoding: 'utf8' });
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout) as Outcome;
}

/** The report of a program on a terminal. It must be the same with and without the wrapper. */
const SCENARIOS: [string, string, Step[], string[]][] = [
  [
    'is a terminal, and the exit code passes',
    `console.log([0, 1, 2].map((fd) => require('tty').isatty(fd)).join()); process.exit(7)`,
    [],
    ['exited 7'],
  ],
  [
    'changes of size',
    `process.stdout.on('resize', () => { console.log(process.stdout.getWindowSize().join()); process.exit() });
     console.log('ready'); setInterval(() => {}, 1000)`,
    [{ see: 'ready', size: [51, 133] }],
    ['exited 0'],
  ],
  [
    'Ctrl-C comes once, and does not end what goes on',
    `let n = 0; process.on('SIGINT', () => { console.log('interrupt ' + ++n); if (n === 2) setTimeout(() => process.exit(3), 200) });
     console.log('ready'); setInterval(() => {}, 1000)`,
    [
      { see: 'ready', type: '\u0003' },
      { see: 'interrupt 1', type: '\u0003' },
    ],
    ['exited 3'],
  ],
  [
    'Ctrl-C ends what does not handle it',
    `console.log('ready'); setInterval(() => {}, 1000)`,
    [{ see: 'ready', type: '\u0003' }],
    ['killed SIGINT'],
  ],
  [
    'Ctrl-\\ too',
    `console.log('ready'); setInterval(() => {}, 1000)`,
    [{ see: 'ready', type: '\u001c' }],
    ['killed SIGQUIT'],
  ],
  [
    'Ctrl-Z stops it, and fg continues it',
    `process.on('SIGCONT', () => { console.log('continued'); process.exit(4) });
     console.log('ready'); setInterval(() => {}, 1000)`,
    [{ see: 'ready', type: '\u001a' }, { continue: true }],
    ['stopped SIGTSTP', 'exited 4'],
  ],
  [
    'one that reads keys as they come gets every byte',
    `process.stdin.setRawMode(true); process.stdin.on('data', (keys) => { console.log(keys.toString('hex')); process.exit(5) });
     console.log('ready')`,
    [{ see: 'ready', type: '\u0003\u001a\u001b[A\u0000é' }],
    ['exited 5'],
  ],
  [
    'SIGTERM',
    `process.on('SIGTERM', () => { console.log('terminated'); process.exit(6) }); console.log('ready'); setInterval(() => {}, 1000)`,
    [{ see: 'ready', signal: 'SIGTERM' }],
    ['exited 6'],
  ],
  [
    'SIGUSR1 and SIGUSR2',
    `process.on('SIGUSR1', () => console.log('one')); process.on('SIGUSR2', () => process.exit(8));
     console.log('ready'); setInterval(() => {}, 1000)`,
    [
      { see: 'ready', signal: 'SIGUSR1' },
      { see: 'one', signal: 'SIGUSR2' },
    ],
    ['exited 8'],
  ],
  [
    'a signal that it dies of',
    `process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)`,
    [],
    ['killed SIGKILL'],
  ],
];

describe('on a terminal it behaves as without the wrapper', () => {
  withTerminal.each(SCENARIOS)('%s', (_, script, steps, changes) => {
    const home = new Home();
    const bare = onTerminal(home, script, steps, { bare: true });
    const wrapped = onTerminal(home, script, steps);
    expect({ output: wrapped.output, changes: wrapped.changes }).toEqual({
      output: bare.output,
      changes: bare.changes,
    });
    expect(wrapped.changes).toEqual(changes);
  });

  withTerminal('an agent that stops itself alone gives the terminal back', () => {
    const script = `process.on('SIGCONT', () => { console.log('continued'); process.exit(4) });
      console.log('ready'); process.kill(process.pid, 'SIGSTOP'); setInterval(() => {}, 1000)`;
    const { output, changes } = onTerminal(new Home(), script, [{ continue: true }]);
    expect(output).toBe('ready\r\ncontinued\r\n');
    expect(changes).toEqual(['stopped SIGTSTP', 'exited 4']);
  });
});

describe('pipes', () => {
  test('passes bytes and arguments through unchanged', () => {
    const script = `process.stdin.on('data', (d) => { process.stdout.write(d); process.stderr.write(JSON.stringify(process.argv.slice(1))) })`;
    const input = '\u0000\r\n\u001b[31mé\n';
    const words = ['--help', '', 'a b', '$HOME', '-x', '--', '*'];
    const { stdout, stderr, status } = new Home().run(['run', process.execPath, '-e', script, '--', ...words], {
      input,
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: input, stderr: JSON.stringify(words), status: 0 });
  });

  onUnix('passes on the files that arguments name, as those of zsh’s <(command) do', () => {
    const home = new Home();
    const show =
      'for (const path of process.argv.slice(1)) console.log(fs.readFileSync(path.split("=").at(-1), "utf8"))';
    const node = JSON.stringify(process.execPath);
    const words = `run -- ${node} -e '${show}' /dev/fd/11 --config=/dev/fd/12`;
    const command = `${node} ${JSON.stringify(MAIN)} ${words} 11< <(printf one) 12< <(printf two)`;
    const options = { encoding: 'utf8', env: environment(home.path), timeout: 20_000 } as const;
    const { stdout, stderr } = spawnSync('bash', ['-c', command], options);
    expect({ stdout, stderr }).toEqual({ stdout: 'one\ntwo\n', stderr: '' });
  });

  test.each([
    [['run'], 2, 'give the command of the agent'],
    [['run', '--', 'no-such-program-anywhere'], 127, 'no-such-program-anywhere: there is no such program'],
    [['run', '--', __filename], 126, 'permission denied'],
    [['run', '--server', 'x', '--', 'true'], 2, '--server: expected'],
  ])('%j', (args, status, message) => {
    const result = new Home().run(args);
    expect({ status: result.status, stderr: result.stderr }).toEqual({
      status,
      stderr: expect.stringContaining(message),
    });
  });
});

const projectOf = (folder: string) => folder.replace(/[^A-Za-z0-9]/g, '-');

/** A program that writes a session like Claude Code, and then runs the test's code. */
function agent(home: Home, then: string, { cwd = home.path, project = projectOf(cwd) } = {}): string {
  const folder = join(home.path, '.claude/projects', project);
  const text = transcript(SESSION, ['hello'], Date.now() - 5000).replaceAll('/home/dev/app', cwd);
  return `const fs = require('fs'); fs.mkdirSync(${JSON.stringify(folder)}, { recursive: true });
    fs.writeFileSync(${JSON.stringify(join(folder, `${SESSION}.jsonl`))}, ${JSON.stringify(text)});
    ${then}`;
}

function runAgent(home: Home, script: string, ...args: string[]) {
  const words = [MAIN, 'run', ...args, '--', process.execPath, '-e', script];
  return spawnSync(process.execPath, words, { cwd: home.path, env: environment(home.path), timeout: 20_000 });
}

const sessionEvents = (home: Home, project: string) =>
  parseClaudeTranscript(home.read(`.claude/projects/${project}/${SESSION}.jsonl`), { sessionId: SESSION, homeDir: '' });

describe('ends of its sessions', () => {
  const cases: [string, string, Step[]][] = [
    ['when it exits', 'process.exit(1)', []],
    ['when it dies of a signal', `process.kill(process.pid, 'SIGKILL')`, []],
    ['at Ctrl-C', `console.log('ready'); setInterval(() => {}, 1000)`, [{ see: 'ready', type: '\u0003' }]],
    ['at SIGTERM', `console.log('ready'); setInterval(() => {}, 1000)`, [{ see: 'ready', signal: 'SIGTERM' }]],
    [
      'at the end of the terminal',
      `console.log('ready'); setInterval(() => {}, 1000)`,
      [{ see: 'ready', hangup: true }],
    ],
    [
      'at SIGTERM, though the agent ignores it',
      `process.on('SIGTERM', () => {}); console.log('ready'); setTimeout(() => {}, 10000)`,
      [{ see: 'ready', signal: 'SIGTERM' }],
    ],
  ];

  withTerminal.each(cases)('%s', (_, then, steps) => {
    const home = new Home();
    const before = Date.now();
    onTerminal(home, agent(home, then), steps);
    const [end, ...more] = home.outbox();
    const project = projectOf(home.path);
    const last = sessionEvents(home, project).at(-1);
    expect(more).toEqual([]);
    expect(end.values).toEqual({
      kind: 'SessionEnd',
      eventId: eventId(last?.attributes.promptId as string, 'SessionEnd', `user_quit:${last?.values.eventId}`, 0),
      parentId: last?.values.eventId,
      parentIdEstimated: false,
      startTs: expect.any(Number),
      endReason: 'user_quit',
    });
    expect(end.values.startTs).toBeGreaterThanOrEqual(before);
    expect(end.attributes).toMatchObject({ tool: 'claude', externalPromptId: SESSION });
  });

  test('the end follows the last event of the session’s own file, as a hook’s does', () => {
    const home = new Home();
    const subagent = {
      type: 'assistant',
      isSidechain: true,
      agentId: 'a1',
      uuid: 'u1',
      sessionId: SESSION,
      timestamp: '2026-05-01T12:00:00.250Z',
      message: { model: 'claude-opus-4-6', content: [{ type: 'text', text: 'Found.' }] },
    };
    const project = projectOf(home.path);
    home.write(`.claude/projects/${project}/${SESSION}/subagents/agent-a1.jsonl`, `${JSON.stringify(subagent)}\n`);
    runAgent(home, agent(home, ''));
    const [end] = home.outbox();
    expect(end.values.parentId).toBe(sessionEvents(home, project).at(-1)?.values.eventId);
  });

  test('sessions of other folders and unchanged sessions get no end', () => {
    const home = new Home();
    home.write('.claude/projects/-elsewhere/11111111-0c1d-4f7a-9a1e-2f6d1c0b7e55.jsonl', transcript('1', ['x']));
    expect(runAgent(home, agent(home, '', { cwd: '/elsewhere' })).status).toBe(0);
    expect(home.outbox()).toEqual([]);
  });

  test("finds the project by its sessions' content if the folder's name is ambiguous", () => {
    const home = new Home();
    runAgent(home, agent(home, '', { project: '-a-name-cut-short' }));
    expect(home.outbox()).toHaveLength(1);
  });

  test('waits at most three seconds for a server that hangs, and leaves the end to the watcher', async () => {
    const home = new Home();
    const key = home.write('key', 'secret-key');
    spawnSync('chmod', ['600', key]);
    const server = await new Promise<Server>((resolve) => {
      const server = createServer(() => undefined).listen(0, '127.0.0.1', () => resolve(server));
    });
    const { port } = server.address() as { port: number };
    const delivery = ['--server', `http://127.0.0.1:${port}`, '--key-file', key];
    const { status, signal } = runAgent(home, agent(home, 'process.exit(9)'), ...delivery);
    server.close();
    expect({ status, signal }).toEqual({ status: 9, signal: null });
    expect(home.outbox()).toHaveLength(1);
  });
});

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'jsonc-parser';
import { onUnix } from '../support';
import { Home, MAIN, transcript } from './client';

const SETTINGS = '.claude/settings.json';
const EVENTS = [
  'PostToolUse',
  'PostToolUseFailure',
  'SessionEnd',
  'Stop',
  'StopFailure',
  'SubagentStop',
  'UserPromptSubmit',
];

// Uses the command's modules directly, because a process for each of thousands of settings would take minutes.
const { hooksFileOf } = require('../../cli/client/settings.js') as {
  hooksFileOf(agent: string): {
    edit: { install(text: string, command: string): string; remove(text: string): string };
  };
};
const { edit } = hooksFileOf('claude');
const install = (text: string, command: string) => edit.install(text, command);
const remove = (text: string) => edit.remove(text);
const COMMAND = 'git-ai-metrics hook --agent claude';

interface Hooks {
  hooks?: Record<string, { matcher?: string; hooks: { type: string; command: string; timeout?: number }[] }[]>;
}

describe('install', () => {
  test('creates settings if there are none', () => {
    const home = new Home();
    expect(home.run(['hooks', 'install'])).toMatchObject({ status: 0, stderr: '' });
    const { hooks = {} } = JSON.parse(home.read(SETTINGS)) as Hooks;
    expect(Object.keys(hooks).sort()).toEqual(EVENTS);
    for (const [event, groups] of Object.entries(hooks)) {
      expect(groups).toHaveLength(1);
      expect(groups[0].matcher).toBe(event.startsWith('PostTool') ? '*' : undefined);
      expect(groups[0].hooks).toEqual([{ type: 'command', command: expect.stringContaining(MAIN), timeout: 10 }]);
    }
    expect(home.run(['hooks', 'status'])).toMatchObject({ status: 0 });
  });

  test('installing twice changes nothing more', () => {
    const home = new Home();
    home.run(['hooks', 'install']);
    const text = home.read(SETTINGS);
    expect(home.run(['hooks', 'install']).stdout).toContain('installed already');
    expect(home.read(SETTINGS)).toBe(text);
  });

  test('--dry-run shows the change without making it', () => {
    const home = new Home();
    const { stdout, status } = home.run(['hooks', 'install', '--dry-run']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\+ .*"SessionEnd"/m);
    expect(existsSync(join(home.path, '.claude'))).toBe(false);
  });

  test('follows $CLAUDE_CONFIG_DIR', () => {
    const home = new Home();
    const folder = join(home.path, 'elsewhere');
    home.run(['hooks', 'install'], { env: { CLAUDE_CONFIG_DIR: folder } });
    expect(existsSync(join(folder, 'settings.json'))).toBe(true);
    expect(existsSync(join(home.path, '.claude'))).toBe(false);
  });

  test('replaces our own hook from another path, and no other hook', () => {
    const old = '"/old/node" "/old/cli/main.js" hook --agent claude';
    const others = ['git-ai hook --agent claude', 'echo git-ai-metrics hook', 'x main.js hook --agent claude'];
    const settings = {
      hooks: { Stop: [{ hooks: [old, ...others].map((command) => ({ type: 'command', command })) }] },
    };
    const { hooks = {} } = parse(install(JSON.stringify(settings), COMMAND)) as Hooks;
    expect(hooks.Stop.flatMap((group) => group.hooks.map(({ command }) => command))).toEqual([...others, COMMAND]);
  });

  onUnix('keeps the file’s mode, and a link that leads to it', () => {
    const home = new Home();
    const target = home.write('dotfiles/claude.json', '{}');
    chmodSync(target, 0o640);
    mkdirSync(join(home.path, '.claude'));
    symlinkSync(target, join(home.path, SETTINGS));
    home.run(['hooks', 'install']);
    expect(lstatSync(join(home.path, SETTINGS)).isSymbolicLink()).toBe(true);
    expect(statSync(target).mode & 0o777).toBe(0o640);
    expect(home.read('dotfiles/claude.json')).toContain('SessionEnd');
  });

  onUnix('makes the file that a link leads to, if it is not there yet', () => {
    const home = new Home();
    mkdirSync(join(home.path, '.claude'));
    symlinkSync('../dotfiles/claude.json', join(home.path, SETTINGS));
    home.run(['hooks', 'install']);
    expect(lstatSync(join(home.path, SETTINGS)).isSymbolicLink()).toBe(true);
    expect(home.read('dotfiles/claude.json')).toContain('SessionEnd');
  });

  test.each(['', ' \n', '\ufeff'])('takes a file with nothing but %j for no settings', (text) => {
    const home = new Home();
    home.write(SETTINGS, text);
    expect(home.run(['hooks', 'status']).stdout).toContain('missing');
    expect(home.run(['hooks', 'install'])).toMatchObject({ status: 0, stderr: '' });
    expect(home.read(SETTINGS)).toContain('SessionEnd');
  });

  test('keeps a BOM and CRLF', () => {
    const home = new Home();
    const text = '\ufeff{\r\n\t"model": "opus"\r\n}\r\n';
    home.write(SETTINGS, text);
    home.run(['hooks', 'install']);
    expect(home.read(SETTINGS)).toMatch(/^\ufeff/);
    expect(home.read(SETTINGS).replaceAll('\r\n', '')).not.toContain('\n');
    home.run(['hooks', 'remove']);
    expect(home.read(SETTINGS)).toBe(text);
  });
});

describe('refused settings stay unchanged', () => {
  test.each([
    ['{"a": 1', 'not JSON: close brace expected at line 1 column 8'],
    ['{\n  "a" 1\n}', 'not JSON: colon expected at line 2 column 7'],
    ['[]', 'the file: expected an object, found array'],
    ['{"hooks": []}', 'hooks: expected an object, found array'],
    ['{"hooks": {"Stop": {}}}', 'hooks.Stop: expected an array, found object'],
    ['{"hooks": {"Stop": [1]}}', 'hooks.Stop.0: expected an object, found number'],
    ['{"hooks": {"Stop": [{}]}}', 'hooks.Stop.0.hooks: expected an array, found none'],
    ['{"hooks": {}, "hooks": {}}', 'the key "hooks" stands twice'],
  ])('%j', (text, message) => {
    const home = new Home();
    const path = home.write(SETTINGS, text);
    for (const action of ['install', 'remove', 'status']) {
      expect(home.run(['hooks', action])).toMatchObject({
        status: 1,
        stdout: '',
        stderr: `git-ai-metrics: ${path}: ${message}; nothing was changed\n`,
      });
    }
    expect(home.read(SETTINGS)).toBe(text);
    expect(readdirSync(join(home.path, '.claude'))).toEqual(['settings.json']);
  });
});

test.each(['install', 'remove'])('a file that is read-only stays unchanged by %s', (action) => {
  const home = new Home();
  const text = action === 'install' ? '{}\n' : install('{}\n', COMMAND);
  const path = home.write(SETTINGS, text);
  chmodSync(path, 0o444);
  const stderr = `git-ai-metrics: ${path}: the file is read-only; nothing was changed\n`;
  expect(home.run(['hooks', action])).toMatchObject({ status: 1, stdout: '', stderr });
  expect(home.read(SETTINGS)).toBe(text);
});

onUnix('something other than a file is not opened', () => {
  const home = new Home();
  mkdirSync(join(home.path, '.claude'));
  const path = join(home.path, SETTINGS);
  spawnSync('mkfifo', [path]);
  const stderr = `git-ai-metrics: ${path}: expected a regular file; nothing was changed\n`;
  expect(home.run(['hooks', 'install'])).toMatchObject({ status: 1, stdout: '', stderr });
});

describe('remove', () => {
  test.each(['{"hooks": {"Stop": [ /* mine */ ]}}', '{"hooks": { // mine\n }}'])('keeps the comment in %s', (text) => {
    expect(remove(install(text, COMMAND)).replaceAll(/\s/g, '')).toBe(text.replaceAll(/\s/g, ''));
  });

  test('does nothing without settings', () => {
    const home = new Home();
    expect(home.run(['hooks', 'remove'])).toMatchObject({ status: 0, stdout: expect.stringContaining('no such file') });
    expect(existsSync(join(home.path, '.claude'))).toBe(false);
  });

  test('removes everything that install added to an empty file', () =>
    expect(remove(install('{}\n', COMMAND))).toBe('{}\n'));

  const space = fc.constantFrom('', ' ', '\n', '\n  ', '\t', ' /* a */ ', ' // b\n', '\n\n    // c, d ] }\n  ');
  const word = fc.constantFrom('"x"', '1', 'null', '"a\\"b"', '[]', '[1, 2]', '{ "k": [ ] }');
  const commented = (open: string, close: string, item: fc.Arbitrary<string>) =>
    fc
      .tuple(fc.array(fc.tuple(space, item, space), { minLength: 1, maxLength: 3 }), fc.boolean(), space)
      .map(([items, trailing, end]) => {
        const inner = items.map(([before, text, after]) => before + text + after).join(',');
        return open + inner + (trailing ? `,${end}` : '') + close;
      });
  const group = fc
    .tuple(space, space)
    .map(([a, b]) => `{${a}"hooks":${b}[ {"type": "command", "command": "tput bel"} ]}`);
  const event = fc
    .tuple(fc.constantFrom('Stop', 'PreToolUse', 'SessionEnd'), space, commented('[', ']', group))
    .map(([name, between, groups]) => [name, `"${name}":${between}${groups}`]);
  const hooks = fc
    .uniqueArray(event, { minLength: 1, maxLength: 3, selector: ([name]) => name })
    .chain((events) =>
      commented('{', '}', fc.constant('')).map(() => `{${events.map(([, text]) => text).join(', // e\n')}}`),
    );
  const settings = fc
    .tuple(space, fc.array(fc.tuple(space, word, space), { minLength: 1, maxLength: 3 }), fc.option(hooks), space)
    .map(([start, members, hooks, end]) => {
      const all = members.map(([a, value, b], n) => `${a}"k${n}":${b}${value}`);
      if (hooks !== null) all.splice(1, 0, `"hooks": ${hooks}`);
      return `${start}{${all.join(`${end},`)}${end}}${end}`;
    });

  test('restores the exact bytes after install and remove', () => {
    fc.assert(
      fc.property(settings, (text) => {
        const installed = install(text, COMMAND);
        const value = parse(installed) as Hooks;
        for (const name of EVENTS) {
          const own = value.hooks?.[name].flatMap((group) => group.hooks).filter(({ command }) => command === COMMAND);
          expect(own).toHaveLength(1);
        }
        expect(install(installed, COMMAND)).toBe(installed);
        expect(remove(installed)).toBe(text);
      }),
      { numRuns: 300 },
    );
  });
});

test.each([
  [['hooks'], 'hooks: give one of install, remove, status'],
  [['hooks', 'instal'], 'hooks: give one of install, remove, status'],
  [['hooks', 'install', '--agent', 'pi'], 'hooks: expected --agent to be one of claude'],
  [['hooks', 'install', '--server', 'ftp://x'], '--server: expected an http or https URL'],
  [['hooks', 'install', '--server', 'http://key@host'], '--server: put the key into a file'],
  [['hooks', 'install', '--key-file', 'x'], '--key-file: give the --server'],
])('%j is misuse', (args, message) => {
  const { status, stderr } = new Home().run(args);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) });
});

describe('the hook that is installed', () => {
  const SESSION = '5b2f6c1e-0c1d-4f7a-9a1e-2f6d1c0b7e55';

  test("leaves the session's events for the watcher once, with secrets masked", () => {
    const home = new Home();
    home.run(['hooks', 'install']);
    const { hooks = {} } = JSON.parse(home.read(SETTINGS)) as Hooks;
    const path = home.write(`t/${SESSION}.jsonl`, transcript(SESSION, ['password="Tr0ub4dor&3"', 'again']));
    const payload = { session_id: SESSION, transcript_path: path, cwd: home.path, hook_event_name: 'Stop' };
    const [{ command }] = hooks.Stop[0].hooks;
    const words = command.match(/"[^"]*"|\S+/g)?.map((word) => word.replaceAll('"', '')) ?? [];
    expect(words[0]).toBe(process.execPath);
    for (let n = 0; n < 2; n++) {
      expect(home.run(words.slice(2), { input: JSON.stringify(payload) })).toMatchObject({
        status: 0,
        stdout: '',
        stderr: '',
      });
    }
    expect(home.outbox().map(({ values }) => values.inputText)).toEqual([
      'password="********"',
      're: password="********"',
      'again',
      're: again',
    ]);
  });

  test.each([
    ['no JSON', ['hook'], 'x'],
    ['no payload', ['hook'], ''],
    ['a payload without a session', ['hook'], '{}'],
    ['an option that is unknown', ['hook', '--nonsense'], '{}'],
    ['a key that is not there', ['hook', '--server', 'http://127.0.0.1:9', '--key-file', '/nowhere'], '{}'],
  ])('never stops the agent: %s', (_, args, input) => {
    const { status, stdout, stderr } = new Home().run(args, { input });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toMatch(/^git-ai-metrics: .*\n$/);
  });

  test("without a watcher, the waiting bodies stay bounded and the session's state waits", () => {
    const home = new Home();
    for (let n = 0; n < 2000; n++) {
      home.write(`.git-ai/internal/client/outbox/${1777636800000 + n}-1-0000abcd.json`, '{"v":1,"events":[]}');
    }
    const input = JSON.stringify({ session_id: 's', hook_event_name: 'UserPromptSubmit', prompt: 'hello' });
    const args = ['hook', '--agent', 'cursor'];
    expect(home.run(args, { input })).toMatchObject({ status: 0, stderr: expect.stringContaining('no watcher') });
    home.run(['hook'], { input: '' });
    const folder = join(home.path, '.git-ai/internal/client/outbox');
    expect(readdirSync(folder)).toHaveLength(2000);
  });
});

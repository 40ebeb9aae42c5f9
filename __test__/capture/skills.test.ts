import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { isAbsolute, join, normalize, relative } from 'node:path';
import { inputHash, PromptEventBuilder, parseClaudeTranscript, resolveSkillFile } from '../../index.js';
import { asNobody, each, onUnix, thrown } from '../support';
import { SESSION, SKILL_TIME, temporaryFolder, writeSkill } from './transcripts';

const isWindows = process.platform === 'win32';

const folder = temporaryFolder();
const project = join(folder.path, 'project');
const home = join(folder.path, 'home');
const write = (base: string, file: string, text = file) => writeSkill(folder, base, file, text);
const resolve = (name: string) => resolveSkillFile(name, project, home);

beforeEach(() => {
  for (const base of [project, home]) rmSync(base, { recursive: true, force: true });
});

describe('the four places', () => {
  const PLACES = [
    ['project', 'x/SKILL.md'],
    ['project', 'x.md'],
    ['home', 'x/SKILL.md'],
    ['home', 'x.md'],
  ] as const;

  test.each(PLACES)('%s/.claude/skills/%s', (base, file) => {
    const path = write(base, file, 'Be — careful.');
    expect(resolve('x')).toEqual({ path, mtimeMs: SKILL_TIME.getTime(), hash: inputHash('Be — careful.') });
  });

  test('the first that exists counts', () => {
    for (const [base, file] of [...PLACES].reverse()) {
      const path = write(base, file);
      expect(resolve('x')?.path).toBe(path);
    }
  });

  test('what can’t be read in one place doesn’t hide the next', () => {
    mkdirSync(join(project, '.claude/skills/x/SKILL.md'), { recursive: true });
    mkdirSync(join(project, '.claude/skills/x.md'), { recursive: true });
    mkdirSync(join(home, '.claude/skills'), { recursive: true });
    folder.write('home/.claude/skills/x', 'a file, where a folder is looked for');
    const path = write('home', 'x.md');
    expect(resolve('x')?.path).toBe(path);
  });

  test('none', () => expect(resolve('x')).toBeNull());

  test('without a home directory the project’s are found', () => {
    const path = write('project', 'x.md');
    expect(resolveSkillFile('x', project, '')?.path).toBe(path);
    write('home', 'y.md');
    expect(resolveSkillFile('y', project, '')).toBeNull();
  });

  test('without a project the user’s own are found', () => {
    const path = write('home', 'x.md');
    expect(resolveSkillFile('x', '', home)?.path).toBe(path);
  });

  test('the home directory is the user’s, where none is said', () => {
    const path = write('home', 'x.md');
    const script = `console.log(require(${JSON.stringify(join(__dirname, '../..'))}).resolveSkillFile('x', '').path)`;
    const env = { ...process.env, HOME: home, USERPROFILE: home };
    const { stdout } = spawnSync(process.execPath, ['-e', script], { env, encoding: 'utf8' });
    // Windows asks the system, not the environment.
    if (!isWindows) expect(stdout.trim()).toBe(path);
  });

  test('the path is absolute where the folder is not', () => {
    const path = write('project', 'x.md');
    const found = resolveSkillFile('x', relative(process.cwd(), project), '')?.path ?? '';
    expect(isAbsolute(found)).toBe(true);
    expect(normalize(found)).toBe(path);
  });
});

describe('hostile names', () => {
  beforeEach(() => {
    folder.write('outside.md', 'outside');
    folder.write('project/.claude/SKILL.md', 'outside');
    folder.write('project/.claude/skills/SKILL.md', 'outside');
    folder.write('project/.claude/skills.md', 'outside');
    write('project', 'a/b/SKILL.md');
    write('project', 'a/SKILL.md');
    if (!isWindows) write('project', 'plugin:a/SKILL.md');
  });

  test.each(
    each(
      '',
      '.',
      '..',
      '../x',
      '../../../outside',
      '..\\x',
      'a/b',
      'a/',
      '/a',
      './a',
      'a/../a',
      'a/../../b',
      'a/..',
      '/etc/passwd',
      `${project}/.claude/skills/a`,
      'C:\\a',
      'C:a',
      '\\\\server\\share',
      'plugin:a',
      'a..',
      'a\0',
      '\0',
      'a\0/../../outside',
      'a\n',
      '\u001b[2J',
      '\ud800',
      'x'.repeat(10_000),
      'é'.repeat(5_000),
      '~',
      '$HOME',
      '*',
      '__proto__',
      'constructor',
    ),
  )('%j has no file', (name) => {
    expect(resolve(name)).toBeNull();
  });

  test.each(each('con', 'NUL', 'aux', 'COM1', 'lpt9', 'nul.txt', 'a.', 'a '))(
    '%j, which Windows reserves or changes',
    (name) => {
      expect(resolve(name)).toBeNull();
    },
  );

  test('odd names that are plain have their file', () => {
    for (const name of ['Größe', 'two words', '日本語', "quote'd", '-rf', 'a.b', 'x'.repeat(200)]) {
      expect(resolveSkillFile(name, project, home)).toBeNull();
      const path = write('project', `${name}.md`);
      expect(resolve(name)?.path).toBe(path);
    }
  });

  test('in a transcript they leave the fields unset, and the event goes out', () => {
    const names = ['../x', '/etc/passwd', 'a/../../b', 'a\0', 'x'.repeat(10_000), 'con'];
    const lines = names.map((skill, n) => ({
      type: 'assistant',
      message: { content: [{ type: 'tool_use', name: 'Skill', id: `t${n}`, input: { skill } }] },
    }));
    const jsonl = lines.map((line) => JSON.stringify(line)).join('\n');
    const events = parseClaudeTranscript(jsonl, { sessionId: SESSION, cwd: project, homeDir: home });
    expect(events).toHaveLength(names.length);
    for (const { values } of events) {
      expect(Object.keys(values).filter((field) => field.startsWith('skillFile'))).toEqual([]);
    }
  });
});

describe('links', () => {
  const link = (target: string, path: string) => {
    mkdirSync(join(path, '..'), { recursive: true });
    symlinkSync(target, path);
  };

  onUnix('that stay in the skills folder are followed', () => {
    write('project', 'real/SKILL.md', 'text');
    link('real', join(project, '.claude/skills/alias'));
    link('real/SKILL.md', join(project, '.claude/skills/other.md'));
    link(join(project, '.claude/skills/real/SKILL.md'), join(project, '.claude/skills/absolute.md'));
    for (const name of ['alias', 'other', 'absolute']) expect(resolve(name)?.hash).toBe(inputHash('text'));
    expect(resolve('alias')?.path).toBe(join(project, '.claude/skills/alias/SKILL.md'));
  });

  onUnix('that lead out are not', () => {
    folder.write('secret/SKILL.md', 'secret');
    folder.write('project/.claude/settings.md', 'secret');
    link(join(folder.path, 'secret'), join(project, '.claude/skills/folder'));
    link(join(folder.path, 'secret/SKILL.md'), join(project, '.claude/skills/file.md'));
    link('../settings.md', join(project, '.claude/skills/up.md'));
    link('/etc/passwd', join(project, '.claude/skills/passwd.md'));
    link('..', join(project, '.claude/skills/parent'));
    link('gone.md', join(project, '.claude/skills/dangling.md'));
    link('round.md', join(project, '.claude/skills/round.md'));
    for (const name of ['folder', 'file', 'up', 'passwd', 'parent', 'dangling', 'round']) {
      expect([name, resolve(name)]).toEqual([name, null]);
    }
  });

  onUnix('the skills folder itself may be one: many keep it with their other settings', () => {
    folder.write('dotfiles/skills/x.md', 'text');
    link(join(folder.path, 'dotfiles/skills'), join(home, '.claude/skills'));
    expect(resolve('x')).toMatchObject({ path: join(home, '.claude/skills/x.md'), hash: inputHash('text') });
  });
});

describe('while others write', () => {
  let writer: ChildProcess;
  /** Runs `change` of a loop variable `n` in another process for ever. */
  const meanwhile = async (change: string) => {
    const script = `
      const { renameSync, utimesSync, writeFileSync } = require('node:fs');
      process.chdir(${JSON.stringify(join(project, '.claude/skills'))});
      process.send('ready');
      for (let n = 0; ; n++) { ${change} }`;
    writer = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await new Promise((ready) => writer.once('message', ready));
  };

  afterEach(() => {
    writer.kill('SIGKILL');
  });

  onUnix(
    'a folder that becomes a link and back leads nowhere else',
    async () => {
      write('project', 'x/SKILL.md', 'inside');
      folder.write('outside/SKILL.md', 'outside');
      symlinkSync(join(folder.path, 'outside'), join(project, '.claude/skills/link'));
      await meanwhile(`
      renameSync('x', 'x.old'); renameSync('link', 'x'); renameSync('x', 'link'); renameSync('x.old', 'x');`);
      for (let found = 0; found < 3000; ) {
        const file = resolve('x');
        if (file === null) continue;
        expect(file.hash).toBe(inputHash('inside'));
        found++;
      }
    },
    60_000,
  );

  test('the hash is of the bytes of that time', async () => {
    write('project', 'x.md', 'x');
    await meanwhile(`writeFileSync('x.md', String(n).repeat(10_000)); utimesSync('x.md', n, n);`);
    for (let found = 0; found < 1000; ) {
      const file = resolve('x');
      // Times from 1970 on are those that the bytes tell; the others are of the moment in which it was written.
      if (file === null || file.mtimeMs >= SKILL_TIME.getTime()) continue;
      expect(file.hash).toBe(inputHash(`${file.mtimeMs / 1000}`.repeat(10_000)));
      found++;
    }
  }, 60_000);
});

describe('what is no plain file', () => {
  onUnix('a FIFO does not block', () => {
    mkdirSync(join(project, '.claude/skills/x'), { recursive: true });
    for (const path of ['x/SKILL.md', 'x.md']) {
      expect(spawnSync('mkfifo', [join(project, '.claude/skills', path)]).status).toBe(0);
    }
    expect(resolve('x')).toBeNull();
  });

  onUnix('a device does not either', () => {
    if (process.getuid?.() !== 0) return;
    mkdirSync(join(project, '.claude/skills'), { recursive: true });
    // /dev/zero, which never ends.
    if (spawnSync('mknod', [join(project, '.claude/skills/x.md'), 'c', '1', '5']).status !== 0) return;
    expect(resolve('x')).toBeNull();
  });

  test('a folder named SKILL.md', () => {
    mkdirSync(join(project, '.claude/skills/x/SKILL.md'), { recursive: true });
    expect(resolve('x')).toBeNull();
  });

  test('a file of 1 MiB is read, a larger one is not', () => {
    const text = 'x'.repeat(1 << 20);
    write('project', 'x.md', text);
    expect(resolve('x')?.hash).toBe(inputHash(text));
    write('project', 'x.md', `${text}x`);
    expect(resolve('x')).toBeNull();
  });

  test('an empty file is one', () => {
    const path = write('project', 'x.md', '');
    expect(resolve('x')).toEqual({ path, mtimeMs: SKILL_TIME.getTime(), hash: inputHash('') });
  });

  test('a file from before 1970, whose time can’t be told', () => {
    const path = write('project', 'x.md');
    utimesSync(path, -86_400, -86_400);
    // Some file systems can't hold such a time either.
    if (statSync(path).mtimeMs < 0) expect(resolve('x')).toBeNull();
  });

  onUnix('a file that may not be read: the next of the four is', () => {
    chmodSync(write('project', 'x.md'), 0);
    expect(asNobody(() => resolve('x'))).toBeNull();
    const path = write('home', 'x.md');
    expect(asNobody(() => resolve('x'))).toMatchObject({ path });
  });
});

test('what it gives is what the builder takes', () => {
  const path = write('project', 'x.md', 'text');
  const file = resolve('x');
  const { values } = new PromptEventBuilder().skillFile(file).build({});
  expect(values).toEqual({
    skillFilePath: path,
    skillFileMtime: SKILL_TIME.getTime(),
    skillFileHash: inputHash(readFileSync(path, 'utf8')),
  });
});

test.each([
  ['name', () => resolveSkillFile(7 as never, ''), 'name: expected a string, found 7'],
  ['cwd', () => resolveSkillFile('x', undefined as never), 'cwd: expected a string, found undefined'],
  ['homeDir', () => resolveSkillFile('x', '', null as never), 'homeDir: expected a string, found null'],
])('%s must be a string', (_, call, message) => {
  expect(thrown(call)).toEqual({ code: 'ERR_INVALID_ARGUMENT', message });
});

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { isAbsolute, join, normalize, relative } from 'node:path';
import {
  ClaudeTranscriptReader,
  captureHook,
  inputHash,
  PromptEventBuilder,
  parseClaudeTranscript,
  resolveSkillFile,
} from '../../index.js';
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

  test('an unreadable file doesn’t hide the next place', () => {
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

  test('the home directory defaults to the user’s', () => {
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

describe('the folders above', () => {
  const sub = join(project, 'packages', 'parser');
  const resolveIn = (cwd: string) => resolveSkillFile('x', cwd, home)?.path;

  test('up to the git root are searched, the nearest first', () => {
    mkdirSync(join(project, '.git'), { recursive: true });
    mkdirSync(sub, { recursive: true });
    const root = write('project', 'x.md');
    expect(resolveIn(sub)).toBe(root);
    const between = write('project/packages', 'x/SKILL.md');
    expect(resolveIn(sub)).toBe(between);
    const own = write('project/packages/parser', 'x.md');
    expect(resolveIn(sub)).toBe(own);
    expect(resolveIn(join(sub, '..'))).toBe(between);
  });

  test('also in a worktree, whose .git is a file', () => {
    folder.write('project/.git', 'gitdir: elsewhere');
    mkdirSync(sub, { recursive: true });
    expect(resolveIn(sub)).toBe(undefined);
    const root = write('project', 'x.md');
    expect(resolveIn(sub)).toBe(root);
  });

  test('above the git root are not searched', () => {
    mkdirSync(join(project, 'packages', '.git'), { recursive: true });
    mkdirSync(sub, { recursive: true });
    write('project', 'x.md');
    expect(resolveIn(sub)).toBe(undefined);
  });

  test('outside of a repository are not searched', () => {
    mkdirSync(sub, { recursive: true });
    write('project', 'x.md');
    expect(resolveIn(sub)).toBe(undefined);
  });

  test('above the home directory are not searched', () => {
    const inHome = join(home, 'work');
    mkdirSync(inHome, { recursive: true });
    mkdirSync(join(folder.path, '.git'), { recursive: true });
    writeSkill(folder, '.', 'x.md', 'above');
    expect(resolveIn(inHome)).toBe(undefined);
    rmSync(join(folder.path, '.git'), { recursive: true });
    rmSync(join(folder.path, '.claude'), { recursive: true });
  });
});

describe('the config folder', () => {
  const config = join(folder.path, 'config');
  const before = process.env.CLAUDE_CONFIG_DIR;
  const put = (file: string) => folder.write(join('config', file), file);

  beforeEach(() => {
    rmSync(config, { recursive: true, force: true });
    process.env.CLAUDE_CONFIG_DIR = config;
  });
  afterEach(() => {
    if (before === undefined) delete process.env.CLAUDE_CONFIG_DIR;
    else process.env.CLAUDE_CONFIG_DIR = before;
  });

  test('comes before the one in the home directory, and after the project', () => {
    const inHome = write('home', 'x.md');
    expect(resolve('x')?.path).toBe(inHome);
    const inConfig = put('skills/x.md');
    expect(resolve('x')?.path).toBe(inConfig);
    const inProject = write('project', 'x.md');
    expect(resolve('x')?.path).toBe(inProject);
  });

  test('is used by transcripts and hooks', () => {
    const path = put('skills/x/SKILL.md');
    const line = {
      type: 'assistant',
      message: { content: [{ type: 'tool_use', name: 'Skill', id: 't', input: { skill: 'x' } }] },
    };
    const options = { sessionId: SESSION, cwd: project, homeDir: home };
    expect(parseClaudeTranscript(JSON.stringify(line), options)[0]?.values.skillFilePath).toBe(path);
    const hook = {
      session_id: SESSION,
      hook_event_name: 'PreToolUse',
      tool_name: 'Skill',
      tool_use_id: 't',
      tool_input: { skill: 'x' },
    };
    expect(captureHook('claude', JSON.stringify(hook), { homeDir: home }).events[0]?.values.skillFilePath).toBe(path);
  });
});

describe('plugins', () => {
  const plugin = (version: string, skill = 'plug', market = 'shop') =>
    folder.write(`home/.claude/plugins/cache/${market}/demo/${version}/skills/${skill}/SKILL.md`, version);

  test('have their skill in the newest version', () => {
    for (const version of ['1.9.0', '1.10.0-beta', '1.2.0', 'a1b2c3d']) plugin(version);
    const newest = plugin('1.10.0');
    expect(resolve('demo:plug')?.path).toBe(newest);
    expect(resolve('plug')).toBeNull();
    expect(resolve('other:plug')).toBeNull();
  });

  test('have it in an older version if the newest one lacks it', () => {
    plugin('2.0.0', 'another');
    const older = plugin('1.0.0');
    expect(resolve('demo:plug')?.path).toBe(older);
  });

  test('have commands too, after their skills', () => {
    const command = folder.write('home/.claude/plugins/cache/shop/demo/1.0.0/commands/deploy.md', 'Deploy.');
    expect(resolve('demo:deploy')?.path).toBe(command);
    expect(resolve('deploy')).toBeNull();
    const skill = plugin('1.0.0', 'deploy');
    expect(resolve('demo:deploy')?.path).toBe(skill);
  });

  test('come from any marketplace', () => {
    const path = plugin('1.0.0', 'plug', 'another-shop');
    expect(resolve('demo:plug')?.path).toBe(path);
  });

  test.each(each('demo:../plug', '..:plug', 'demo:', ':plug', 'demo:plug:x', 'demo:a/b', '*:plug'))(
    '%j has none',
    (name) => {
      plugin('1.0.0');
      expect(resolve(name as string)).toBeNull();
    },
  );
});

describe('commands', () => {
  test('of the project and of the user, after all skills', () => {
    const inHome = folder.write('home/.claude/commands/x.md', 'x');
    expect(resolve('x')?.path).toBe(inHome);
    const inProject = folder.write('project/.claude/commands/x.md', 'x');
    expect(resolve('x')?.path).toBe(inProject);
    const skill = write('home', 'x.md');
    expect(resolve('x')?.path).toBe(skill);
  });

  test('in a folder are typed with its name', () => {
    const path = folder.write('project/.claude/commands/dir/x.md', 'x');
    expect(resolve('dir:x')?.path).toBe(path);
    expect(resolve('x')).toBeNull();
  });
});

describe('the folder that the harness names', () => {
  const base = (dir: string, rest: object = {}) => {
    const content = [{ type: 'text', text: `Base directory for this skill: ${dir}\n\nDo it.` }];
    return JSON.stringify({ type: 'user', isMeta: true, message: { content }, ...rest });
  };
  const call = JSON.stringify({
    type: 'assistant',
    message: { content: [{ type: 'tool_use', name: 'Skill', id: 't', input: { skill: 'x' } }] },
  });
  const typed = JSON.stringify({
    type: 'user',
    message: { content: '<command-message>x</command-message>\n<command-name>/x</command-name>' },
  });
  const options = { sessionId: SESSION, cwd: project, homeDir: home };
  const skillOf = (...lines: string[]) => {
    const events = parseClaudeTranscript(lines.join('\n'), options);
    const invocations = events.filter(({ values }) => values.kind === 'SkillInvocation');
    expect(invocations).toHaveLength(1);
    return invocations[0]?.values;
  };

  test('is the first source, for calls and typed commands', () => {
    const byName = write('project', 'x.md');
    const path = folder.write('elsewhere/skill-of-x/SKILL.md', 'text');
    const dir = join(folder.path, 'elsewhere/skill-of-x');
    expect(skillOf(call)?.skillFilePath).toBe(byName);
    expect(skillOf(call, base(dir, { sourceToolUseID: 't' }))).toMatchObject({
      skillFilePath: path,
      skillFileHash: inputHash('text'),
    });
    expect(skillOf(typed)?.skillFilePath).toBe(byName);
    expect(skillOf(typed, base(dir))).toMatchObject({ skillFilePath: path, skillFileHash: inputHash('text') });
  });

  test('is learnt later as a result is: the same event, now with the file', () => {
    const path = folder.write('elsewhere/skill-of-x/SKILL.md', 'text');
    const dir = join(folder.path, 'elsewhere/skill-of-x');
    for (const [first, second] of [
      [call, base(dir, { sourceToolUseID: 't' })],
      [typed, base(dir)],
    ] as const) {
      const transcript = folder.write('transcript.jsonl', `${first}\n`);
      const reader = new ClaudeTranscriptReader(transcript, options);
      const invoked = reader.read().at(-1);
      const state = reader.state();
      appendFileSync(transcript, `${second}\n`);
      for (const next of [reader, ClaudeTranscriptReader.resume(transcript, options, state)]) {
        const [again, ...others] = next.read();
        expect(others).toEqual([]);
        expect(again?.values).toMatchObject({
          eventId: invoked?.values.eventId,
          parentId: invoked?.values.parentId,
          skillFilePath: path,
        });
        expect(next.read()).toEqual([]);
      }
    }
  });

  test('a skill that runs in a subagent stands in the file as it was typed', () => {
    const plain = (content: string) => JSON.stringify({ type: 'user', message: { content } });
    const skillsOf = (text: string) =>
      parseClaudeTranscript(plain(text), options).filter(({ values }) => values.kind === 'SkillInvocation');
    expect(skillsOf('/x go')).toEqual([]);
    const path = write('project', 'x.md');
    expect(skillsOf('/x go')).toMatchObject([{ values: { toolCallName: 'SlashCommand', skillFilePath: path } }]);
    for (const text of ['/', '/ x', 'x go', '/y go', '/tmp/x is slow']) expect(skillsOf(text)).toEqual([]);
  });

  test('makes a skill of a built-in command’s name', () => {
    folder.write('elsewhere/help/SKILL.md', 'text');
    const help = typed.replaceAll('x<', 'help<').replaceAll('/x', '/help');
    expect(skillOf(help, base(join(folder.path, 'elsewhere/help')))?.skillFileHash).toBe(inputHash('text'));
  });

  test.each(
    each(
      'elsewhere',
      '../elsewhere',
      '/nowhere/at/all',
      `${folder.path}/gone/../elsewhere/x`,
      `${folder.path}/elsewhere\0`,
      '',
    ),
  )('%j gives nothing', (dir) => {
    folder.write('elsewhere/SKILL.md', 'text');
    folder.write('elsewhere/x/SKILL.md', 'text');
    expect(skillOf(call, base(dir as string, { sourceToolUseID: 't' }))).not.toHaveProperty('skillFilePath');
  });

  onUnix('may be a link, but not to a file of another name', () => {
    folder.write('agents/skills/x/SKILL.md', 'text');
    mkdirSync(join(home, '.claude/skills/other'), { recursive: true });
    symlinkSync(join(folder.path, 'agents/skills/x'), join(home, '.claude/skills/linked'));
    symlinkSync('/etc/passwd', join(home, '.claude/skills/other/SKILL.md'));
    const of = (name: string) => skillOf(call, base(join(home, '.claude/skills', name), { sourceToolUseID: 't' }));
    expect(of('linked')?.skillFileHash).toBe(inputHash('text'));
    expect(of('other')).not.toHaveProperty('skillFilePath');
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

  test('in a transcript their fields stay unset, and the event is returned', () => {
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

  onUnix('are followed to a file that is named like a skill’s, wherever it is', () => {
    folder.write('agents/skills/x/SKILL.md', 'text');
    folder.write('agents/notes.md', 'text');
    const skills = join(project, '.claude/skills');
    link(join(folder.path, 'agents/skills/x'), join(skills, 'folder'));
    link('folder/SKILL.md', join(skills, 'file.md'));
    link(join(folder.path, 'agents/notes.md'), join(skills, 'notes.md'));
    link('file.md', join(skills, 'twice.md'));
    for (const name of ['folder', 'file', 'notes', 'twice']) expect(resolve(name)?.hash).toBe(inputHash('text'));
    expect(resolve('folder')?.path).toBe(join(skills, 'folder/SKILL.md'));
  });

  onUnix('are not followed to any other file', () => {
    const skills = join(project, '.claude/skills');
    folder.write('secret/id_rsa', 'secret');
    folder.write('secret/SKILL.md/key', 'secret');
    link(join(folder.path, 'secret/id_rsa'), join(skills, 'key.md'));
    link(join(folder.path, 'secret/id_rsa'), join(skills, 'key/SKILL.md'));
    link(join(folder.path, 'secret'), join(skills, 'folder'));
    link('/etc/passwd', join(skills, 'passwd.md'));
    link('/dev/zero', join(skills, 'zero.md'));
    link('..', join(skills, 'parent'));
    link('gone.md', join(skills, 'dangling.md'));
    link('round.md', join(skills, 'round.md'));
    for (const name of ['key', 'folder', 'passwd', 'zero', 'parent', 'dangling', 'round']) {
      expect([name, resolve(name)]).toEqual([name, null]);
    }
  });

  onUnix('the skills folder itself may be one: many keep it with their other settings', () => {
    folder.write('dotfiles/skills/x.md', 'text');
    link(join(folder.path, 'dotfiles/skills'), join(home, '.claude/skills'));
    expect(resolve('x')).toMatchObject({ path: join(home, '.claude/skills/x.md'), hash: inputHash('text') });
  });
});

/** How often a link that others exchange is followed. Set GIT_AI_METRICS_LINK_TRIES=200000 for more. */
const LINK_TRIES = Number(process.env.GIT_AI_METRICS_LINK_TRIES ?? 10_000);

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
    'a link that is exchanged for another one leads nowhere else',
    async () => {
      write('project', 'real.md', 'inside');
      folder.write('outside/id_rsa', 'outside');
      const skills = join(project, '.claude/skills');
      symlinkSync('real.md', join(skills, 'right'));
      symlinkSync(join(folder.path, 'outside/id_rsa'), join(skills, 'wrong'));
      await meanwhile(`
      renameSync('right', 'x.md'); renameSync('x.md', 'right'); renameSync('wrong', 'x.md'); renameSync('x.md', 'wrong');`);
      let found = 0;
      for (let tries = 0; tries < LINK_TRIES; tries++) {
        const file = resolve('x');
        if (file === null) continue;
        if (file.hash !== inputHash('inside')) throw new Error(`a link was followed to ${file.path}`);
        found++;
      }
      expect(found).toBeGreaterThan(0);
    },
    60_000 + LINK_TRIES,
  );

  test('the hash matches the returned mtime', async () => {
    write('project', 'x.md', 'x');
    await meanwhile(`writeFileSync('x.md', String(n).repeat(10_000)); utimesSync('x.md', n, n);`);
    for (let found = 0; found < 20; ) {
      const file = resolve('x');
      // Times from 1970 on are those that the bytes tell; the others are of the moment in which it was written.
      if (file === null || file.mtimeMs >= SKILL_TIME.getTime()) continue;
      expect(file.hash).toBe(inputHash(`${file.mtimeMs / 1000}`.repeat(10_000)));
      found++;
    }
  });
});

describe('anything but a plain file', () => {
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

  test('a file from before 1970', () => {
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

test('the builder accepts the result', () => {
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

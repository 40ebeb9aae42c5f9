'use strict';

const { mkdirSync, readFileSync, readlinkSync, realpathSync, rmSync, statSync } = require('node:fs');
const { delimiter, dirname, join, resolve } = require('node:path');
const { replaceFile } = require('./client/files.js');
const { homeOf } = require('./client/folders.js');
const { AGENTS_WITH_HOOKS, SettingsError, hooksFileOf } = require('./client/settings.js');
const { UPLOAD_OPTIONS, serverOf } = require('./client/upload.js');
const { DONE, Misuse, WRONG, reasonOf } = require('./failures.js');
const { complain, print, printable } = require('./terminal.js');

const MAIN = join(__dirname, 'main.js');
const TEMPORARY_BIN = join('node_modules', '.bin');
const NEW_FILE = 0o600;
const ANY_MAY_WRITE = 0o222;

const ACTIONS = { install: apply, remove: apply, status: show };

async function run([action, ...more], options) {
  if (!Object.hasOwn(ACTIONS, action ?? '') || more.length > 0) {
    throw new Misuse('hooks: give one of install, remove, status');
  }
  const { agent = 'claude' } = options;
  if (!AGENTS_WITH_HOOKS.includes(agent)) {
    throw new Misuse(`hooks: expected --agent to be one of ${AGENTS_WITH_HOOKS.join(', ')}, found ${agent}`);
  }
  const { path: pathOf, edit } = hooksFileOf(agent);
  const path = pathOf(options);
  try {
    return await ACTIONS[action]({
      action,
      path,
      edit,
      command: commandFor(agent, options),
      dryRun: options['dry-run'],
    });
  } catch (error) {
    const isKnown = error instanceof SettingsError || (error.syscall !== undefined && error.syscall !== 'write');
    if (!isKnown) throw error;
    complain(
      `git-ai-metrics: ${path}: ${error instanceof SettingsError ? error.message : reasonOf(error)}; nothing was changed`,
    );
    return WRONG;
  }
}

async function apply({ action, path, edit, command, dryRun }) {
  const { text, target, mode } = read(path);
  if (text === undefined && action === 'remove') return report(`${path}: there is no such file, so no hook of ours`);
  const bom = text?.startsWith('\ufeff') ? '\ufeff' : '';
  const before = settingsIn(text) ?? edit.empty;
  const after = action === 'install' ? edit.install(before, command) : edit.remove(before);
  if (after === before && text !== undefined) {
    return report(`${path}: ${action === 'install' ? 'the hooks are installed already' : 'holds no hook of ours'}`);
  }
  if (dryRun)
    return report(
      `${path}: this would change\n${difference(text === undefined ? '' : before, after ?? '').join('\n')}`,
    );
  if ((mode & ANY_MAY_WRITE) === 0) throw new SettingsError('the file is read-only');
  mkdirSync(dirname(target), { recursive: true });
  if (after === undefined) rmSync(target);
  else replaceFile(target, bom + after, { mode });
  return report(`${path}: ${action === 'install' ? 'hooks installed' : 'hooks removed'}`);
}

async function show({ path, edit, command }) {
  const states = edit.status(settingsIn(read(path).text) ?? edit.empty, command);
  const width = Math.max(...states.map(({ event }) => event.length));
  await report([`${path}:`, ...states.map(({ event, state }) => `  ${event.padEnd(width)}  ${state}`)].join('\n'));
  return states.every(({ state }) => state === 'installed') ? DONE : WRONG;
}

/** Returns a file's settings without a byte order mark, or `undefined` if the file is blank. */
const settingsIn = (text) => text?.replace(/^\ufeff/, '').replace(/^\s*$/, '') || undefined;

/** Reads the settings' text. Resolves a link, as dotfiles use them, so that the link itself stays. */
function read(path) {
  const target = targetOf(path);
  const stat = statSync(target, { throwIfNoEntry: false });
  if (stat === undefined) return { text: undefined, target, mode: NEW_FILE };
  if (!stat.isFile()) throw new SettingsError('expected a regular file');
  return { text: readFileSync(target, 'utf8'), target, mode: stat.mode & 0o777 };
}

/** Returns where a path leads. The file needn't exist there yet. */
function targetOf(path) {
  try {
    return realpathSync(path);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const next = linkAt(path);
  return next === undefined ? path : targetOf(resolve(dirname(path), next));
}

function linkAt(path) {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'EINVAL') return undefined;
    throw error;
  }
}

/** Returns the command for the agent: its name if PATH leads to this package, else Node and this file. */
function commandFor(agent, options) {
  serverOf(options, homeOf(options));
  const program = isOnPath() ? 'git-ai-metrics' : `${quoted(process.execPath)} ${quoted(MAIN)}`;
  const { server, 'key-file': keyFile, 'no-redact': unmasked } = options;
  const words = [program, `hook --agent ${agent}`];
  if (server !== undefined) words.push(`--server ${quoted(server)}`);
  if (keyFile !== undefined) words.push(`--key-file ${quoted(resolve(keyFile))}`);
  if (unmasked) words.push('--no-redact');
  return words.join(' ');
}

function quoted(word) {
  if (/["$`\n]/.test(word)) throw new Misuse(`hooks: ${JSON.stringify(word)} cannot stand in a command of the shell`);
  return `"${word}"`;
}

function isOnPath() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => {
    // npm and npx add these for as long as they run: the agent won't have them.
    if (folder.endsWith(TEMPORARY_BIN)) return false;
    try {
      return realpathSync(join(folder, 'git-ai-metrics')) === realpathSync(MAIN);
    } catch {
      // This folder of PATH doesn't have it.
      return false;
    }
  });
}

/** Returns the lines that differ, without the equal lines before and after them. */
function difference(before, after) {
  const [old, young] = [before, after].map((text) => text.split('\n'));
  let start = 0;
  while (start < old.length && start < young.length && old[start] === young[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < young.length - start && old.at(-1 - end) === young.at(-1 - end)) end += 1;
  return [
    ...old.slice(start, old.length - end).map((line) => `- ${line}`),
    ...young.slice(start, young.length - end).map((line) => `+ ${line}`),
  ];
}

async function report(text) {
  await print(`${text.split('\n').map(printable).join('\n')}\n`);
  return DONE;
}

module.exports = {
  usage: 'hooks install|remove|status [options]',
  summary: 'Adds our hooks to an agent’s settings, or removes them',
  details: [
    'The agent then runs `git-ai-metrics hook` after each prompt, tool call and turn, and at the end of a session. Hooks',
    'know how long a tool ran and when the session ended; transcripts don’t. Everything else in the settings file stays as',
    'it is, including comments. A file that doesn’t have the agent’s form is not changed.',
    '',
    'Options:',
    `  --agent <name>      the agent: ${AGENTS_WITH_HOOKS.join(', ')}; default: claude`,
    '  --dry-run           show the changes without making them',
    '  --server <url>      let the hooks upload by themselves; without it the watcher uploads their events',
    '  --key-file <file>   the file that holds the key for the server; only its owner may read it',
    '  --no-redact         let the hooks keep secrets in texts',
    '  --home <folder>     use the settings in this home directory; default: what the agent’s variable names, such as',
    '                      $CLAUDE_CONFIG_DIR or $CODEX_HOME, else your own',
    '  -h, --help          this help',
    '',
    'Exit codes of status: 0 if all hooks are installed, else 1.',
  ],
  options: {
    agent: { type: 'string' },
    'dry-run': { type: 'boolean' },
    'no-redact': { type: 'boolean' },
    home: { type: 'string' },
    ...UPLOAD_OPTIONS,
  },
  run,
};

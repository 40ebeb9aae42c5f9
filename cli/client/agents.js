'use strict';

// The places where each agent stores its sessions. A session is one file; some agents put the files of its subagents
// beside it.

const { closeSync, constants, openSync, readdirSync, readSync, statSync } = require('node:fs');
const { homedir } = require('node:os');
const { basename, dirname, join, resolve } = require('node:path');
const { claudeFolder, homeOf } = require('./folders.js');

/**
 * @typedef {object} Place a folder, and the names of the folders in it that lead to sessions; `*` is any name
 * @property {string} path
 * @property {string[]} levels
 */

/**
 * @typedef {object} Session
 * @property {string} agent the agent's name on the wire
 * @property {string | undefined} sessionId the agent's own id, as soon as the file names it
 * @property {string} path the transcript
 */

/**
 * @typedef {object} Agent
 * @property {(options: { home?: string | undefined }) => Place[]} places where sessions are, from the options and the environment
 * @property {(path: string) => string | undefined} nameOf the session's id by the path of its file, if it is one
 * @property {boolean} [namesSession] whether only the file's first lines name the session
 * @property {(path: string, sessionId: string) => string} [subagentFolder] where the files of a session's subagents are
 * @property {string} [subagentGroups] the folder in it that has a folder with such files for each group of subagents
 * @property {(name: string) => string | undefined} [subagentFile] a subagent's file, by the name of an entry of that folder
 * @property {(options: { home?: string | undefined }) => string} [database] the database that holds all sessions
 * @property {boolean} [packs] whether it compresses the files of old sessions
 * @property {(cwd: string) => string} [projectOf] the name of the folder that holds a project's sessions
 */

/** @type {Record<string, Agent>} */
const AGENTS = {
  claude: {
    // `<place>/<project>/<session id>.jsonl`, and below `<place>/<project>/<session id>/subagents` the files
    // `agent-<id>.jsonl` and `workflows/<run>/agent-<id>.jsonl`.
    places: (options) => [{ path: join(claudeFolder(options), 'projects'), levels: ['*'] }],
    nameOf: (path) => nameWithout(path, '.jsonl'),
    subagentFolder: (path) => join(path.slice(0, -'.jsonl'.length), 'subagents'),
    subagentGroups: 'workflows',
    subagentFile: (name) => (name.startsWith('agent-') && name.endsWith('.jsonl') ? name : undefined),
    projectOf: (cwd) => cwd.replace(/[^A-Za-z0-9]/g, '-'),
  },
  codex: {
    // `<place>/<year>/<month>/<day>/rollout-<time>-<id>.jsonl`. A subagent's file names the session that it belongs to.
    places: (options) => {
      const folder = folderOf(options, 'CODEX_HOME', '.codex');
      return [
        { path: join(folder, 'sessions'), levels: ['*', '*', '*'] },
        { path: join(folder, 'archived_sessions'), levels: [] },
      ];
    },
    nameOf: (path) => /^rollout-.*?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.jsonl$/.exec(basename(path))?.[1],
    namesSession: true,
    packs: true,
  },
  'github-copilot-cli': {
    // `<place>/<session id>/events.jsonl`.
    places: (options) => {
      const folder = folderOf(options, 'COPILOT_HOME', '.copilot');
      return [{ path: join(folder, 'session-state'), levels: ['*'] }];
    },
    nameOf: (path) => (basename(path) === 'events.jsonl' ? basename(dirname(path)) : undefined),
  },
  'github-copilot': {
    // `<place>/<workspace>/GitHub.copilot-chat/transcripts/<session id>.jsonl`.
    places: (options) =>
      editorFolders(options).map((folder) => ({
        path: join(folder, 'User', 'workspaceStorage'),
        levels: ['*', 'GitHub.copilot-chat', 'transcripts'],
      })),
    nameOf: (path) => nameWithout(path, '.jsonl'),
  },
  gemini: {
    // `<place>/<project>/chats/session-<time>-<start of the id>.jsonl`, earlier `.json`, and `chats/<session id>/<id>.jsonl`.
    places: (options) => [
      { path: join(parentOf(options, 'GEMINI_CLI_HOME'), '.gemini', 'tmp'), levels: ['*', 'chats'] },
    ],
    nameOf: (path) => /^(session-.+)\.jsonl?$/.exec(basename(path))?.[1],
    namesSession: true,
    subagentFolder: (path, sessionId) => join(dirname(path), sessionId),
    subagentFile: (name) => (name.endsWith('.jsonl') ? name : undefined),
  },
  qwen: {
    // `<place>/<project>/chats/<session id>.jsonl`, and `<place>/<project>/subagents/<session id>/agent-<id>.jsonl`.
    places: (options) => {
      const folder = named(options, 'QWEN_RUNTIME_DIR') ?? folderOf(options, 'QWEN_HOME', '.qwen');
      return [{ path: join(folder, 'projects'), levels: ['*', 'chats'] }];
    },
    nameOf: (path) => nameWithout(path, '.jsonl'),
    subagentFolder: (path, sessionId) => join(dirname(path), '..', 'subagents', sessionId),
    subagentFile: (name) => (name.startsWith('agent-') && name.endsWith('.jsonl') ? name : undefined),
  },
  opencode: {
    // A database. What `opencode export` prints is read as any other file.
    places: () => [],
    nameOf: () => undefined,
    database: (options) => {
      const folder = folderOf(options, 'XDG_DATA_HOME', join('.local', 'share'));
      return join(folder, 'opencode', 'opencode.db');
    },
  },
  kimi: {
    // `<place>/<project>/<session id>/agents/main/wire.jsonl`, and `agents/agent-<n>/wire.jsonl`.
    places: (options) => [
      {
        path: join(folderOf(options, 'KIMI_CODE_HOME', '.kimi-code'), 'sessions'),
        levels: ['*', '*', 'agents', 'main'],
      },
    ],
    nameOf: (path) => (basename(path) === 'wire.jsonl' ? basename(join(path, '..', '..', '..')) : undefined),
    subagentFolder: (path) => join(path, '..', '..'),
    subagentFile: (name) => (name.startsWith('agent-') ? join(name, 'wire.jsonl') : undefined),
  },
  droid: {
    // `<place>/<project>/<session id>.jsonl`, earlier without a project.
    places: (options) => {
      const path = join(homeOf(options), '.factory', 'sessions');
      return [
        { path, levels: ['*'] },
        { path, levels: [] },
      ];
    },
    nameOf: (path) => nameWithout(path, '.jsonl'),
  },
  pi: {
    // `<place>/<project>/<time>_<session id>.jsonl`, without a project in a folder of the user's choice.
    places: (options) => {
      const chosen = named(options, 'PI_CODING_AGENT_SESSION_DIR');
      const folder = folderOf(options, 'PI_CODING_AGENT_DIR', join('.pi', 'agent'));
      return [
        { path: join(folder, 'sessions'), levels: ['*'] },
        ...(chosen === undefined ? [] : [{ path: chosen, levels: [] }]),
      ];
    },
    nameOf: (path) => /_([^_]+)\.jsonl$/.exec(basename(path))?.[1],
  },
};

/** How the name of a compressed file ends. Its session keeps the path of the plain file, which the reader finds as either. */
const PACKED = '.zst';

/** Returns the name of a file before it was compressed. */
const plainName = (name) => (name.endsWith(PACKED) ? name.slice(0, -PACKED.length) : name);

/** Returns the path of a session's file as it is now: plain, or compressed. */
const currentPath = (path) => (look(path) === undefined && look(path + PACKED) !== undefined ? path + PACKED : path);

const nameWithout = (path, extension) => (path.endsWith(extension) ? basename(path, extension) : undefined);

/**
 * Returns an agent's own folder. `--home` takes precedence over the environment.
 *
 * @param {{ home?: string | undefined }} options
 */
const folderOf = (options, variable, name) => named(options, variable) ?? join(homeOf(options), name);

/**
 * Returns the folder that an agent's own folder is in, which is the home directory unless the environment names another.
 *
 * @param {{ home?: string | undefined }} options
 */
const parentOf = (options, variable) => named(options, variable) ?? homeOf(options);

/**
 * Returns the folder that the environment names, unless `--home` takes precedence.
 *
 * @param {{ home?: string | undefined }} options
 */
function named({ home }, variable) {
  const folder = process.env[variable];
  return home === undefined && folder ? resolve(folder) : undefined;
}

/**
 * Returns the folders of Visual Studio Code and its kin.
 *
 * @param {{ home?: string | undefined }} options
 */
function editorFolders({ home }) {
  const user = home === undefined ? homedir() : homeOf({ home });
  const folders = {
    darwin: join(user, 'Library', 'Application Support'),
    win32: join(user, 'AppData', 'Roaming'),
  };
  const folder = folders[process.platform] ?? join(user, '.config');
  return ['Code', 'Code - Insiders', 'VSCodium'].map((editor) => join(folder, editor));
}

/** How much of a file is read to find its session. A first line with the agent's instructions can be long. */
const HEAD_BYTES = 1 << 16;
const MOST_HEAD_BYTES = 1 << 25;

/**
 * Returns whose file it is, from its first lines: the agent, and the session if the lines name it. `undefined` if no line
 * shows it, and `null` if a later one still may.
 *
 * @returns {{ agent: string, sessionId?: string } | null | undefined}
 */
function identify(path) {
  const { identifyTranscript } = require('../../index.js');
  const current = currentPath(path);
  for (let length = HEAD_BYTES; ; length *= 2) {
    const head = headOf(current, length);
    const found = identifyTranscript(head);
    if (found !== null) return found;
    if (head.length < length) return null;
    if (length >= MOST_HEAD_BYTES) return undefined;
  }
}

/** Reads up to `length` bytes from a file's start. Doesn't block if the path has become a FIFO. */
function headOf(path, length) {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const head = Buffer.alloc(length);
    return head.subarray(0, readSync(file, head));
  } finally {
    closeSync(file);
  }
}

/** Returns the id of the session that a file belongs to, or `undefined` while the file doesn't name it. */
function sessionIdOf(agent, path) {
  const { nameOf, namesSession } = AGENTS[agent];
  if (!namesSession) return nameOf(path);
  try {
    const found = identify(path);
    return found === null ? undefined : (found?.sessionId ?? nameOf(path));
  } catch {
    // It has been deleted, or can't be read now.
    return undefined;
  }
}

/** Opens a reader of the session's events. */
function openReader(session, options, state) {
  if (session.database !== undefined) {
    const { RowsReader } = require('./opencode.js');
    return new RowsReader(session, options, state);
  }
  const { TranscriptReader } = require('../../index.js');
  const { agent, path, sessionId } = session;
  const all = { sessionId, ...options };
  return state === undefined
    ? new TranscriptReader(agent, path, all)
    : TranscriptReader.resume(agent, path, all, state);
}

/**
 * Lists a folder. Returns nothing if it doesn't exist or can't be read. Leaves out links, which could lead out of the
 * agent's folder.
 */
function entries(folder) {
  // Most sessions have no folder of subagents, and an exception costs more than the rest of a poll.
  if (look(folder) === undefined) return [];
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Returns the folders that a folder of a place leads to. Skips links, which could lead out of the agent's folder. */
function foldersIn(path, [level]) {
  const folders = entries(path).filter((entry) => entry.isDirectory() && (level === '*' || entry.name === level));
  return folders.map(({ name }) => join(path, name));
}

/** Returns size and time of a file, or `undefined` if it doesn't exist. */
function look(path) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

module.exports = {
  AGENTS,
  currentPath,
  entries,
  folderOf,
  foldersIn,
  headOf,
  identify,
  look,
  openReader,
  parentOf,
  plainName,
  sessionIdOf,
};

'use strict';

// Where each agent keeps its sessions. A session is one file, and the files of its subagents beside it.

const { readdirSync, statSync } = require('node:fs');
const { basename, join } = require('node:path');
const { claudeFolder } = require('./folders.js');

/**
 * @typedef {object} Session
 * @property {string} agent as the wire names it
 * @property {string} sessionId the agent's own id
 * @property {string} path the transcript
 */

const AGENTS = {
  claude: {
    /** The folders below which sessions are, as the options and the environment say. */
    roots: (options) => [join(claudeFolder(options), 'projects')],
    /** `<root>/<project>/<session id>.jsonl`, and `<root>/<project>/<session id>/subagents/agent-<id>.jsonl`. */
    sessionOf: (path) => (path.endsWith('.jsonl') ? basename(path, '.jsonl') : undefined),
    subagentFolder: (path) => join(path.slice(0, -'.jsonl'.length), 'subagents'),
    isSubagent: (name) => name.startsWith('agent-') && name.endsWith('.jsonl'),
    /** The name of a project's folder. */
    projectOf: (cwd) => cwd.replace(/[^A-Za-z0-9]/g, '-'),
  },
};

/** A reader of the session's events. */
function openReader({ agent, path, sessionId }, options, state) {
  const { TranscriptReader } = require('../../index.js');
  const all = { sessionId, ...options };
  return state === undefined
    ? new TranscriptReader(agent, path, all)
    : TranscriptReader.resume(agent, path, all, state);
}

/** What a folder holds; nothing if it isn't there or can't be read. Links are neither files nor folders here: they lead out. */
function entries(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Size and time of a file; `undefined` if it isn't there. */
function look(path) {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

module.exports = { AGENTS, entries, look, openReader };

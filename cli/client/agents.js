'use strict';

// The places where each agent stores its sessions. A session is one file, with the files of its subagents beside it.

const { readdirSync, statSync } = require('node:fs');
const { basename, join } = require('node:path');
const { claudeFolder } = require('./folders.js');

/**
 * @typedef {object} Session
 * @property {string} agent the agent's name on the wire
 * @property {string} sessionId the agent's own id
 * @property {string} path the transcript
 */

const AGENTS = {
  claude: {
    /** Returns the root folders of sessions, from the options and the environment. */
    roots: (options) => [join(claudeFolder(options), 'projects')],
    /** `<root>/<project>/<session id>.jsonl`, and `<root>/<project>/<session id>/subagents/agent-<id>.jsonl`. */
    sessionOf: (path) => (path.endsWith('.jsonl') ? basename(path, '.jsonl') : undefined),
    subagentFolder: (path) => join(path.slice(0, -'.jsonl'.length), 'subagents'),
    isSubagent: (name) => name.startsWith('agent-') && name.endsWith('.jsonl'),
    /** Returns the name of a project's folder. */
    projectOf: (cwd) => cwd.replace(/[^A-Za-z0-9]/g, '-'),
  },
};

/** Opens a reader of the session's events. */
function openReader({ agent, path, sessionId }, options, state) {
  const { TranscriptReader } = require('../../index.js');
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
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Returns size and time of a file, or `undefined` if it doesn't exist. */
function look(path) {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

module.exports = { AGENTS, entries, look, openReader };

'use strict';

// The folders of the agent and of the client on a developer's machine.

const { mkdirSync } = require('node:fs');
const { homedir } = require('node:os');
const { join, resolve } = require('node:path');

/** These folders hold names of sessions and events, so only the user may read them. */
const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;

/**
 * Returns the home directory from `--home`, else the user's.
 *
 * @param {{ home?: string | undefined }} options
 */
const homeOf = ({ home }) => resolve(home ?? homedir());

/**
 * Returns Claude Code's own folder. `--home` takes precedence over the environment.
 *
 * @param {{ home?: string | undefined }} options
 */
function claudeFolder({ home }) {
  if (home === undefined && process.env.CLAUDE_CONFIG_DIR) return resolve(process.env.CLAUDE_CONFIG_DIR);
  return join(homeOf({ home }), '.claude');
}

/** Returns the folder where the client stores its states. */
const clientFolder = (home) => join(home, '.git-ai', 'internal', 'client');

function makeFolder(path) {
  mkdirSync(path, { recursive: true, mode: PRIVATE_FOLDER });
  return path;
}

module.exports = { PRIVATE_FILE, claudeFolder, clientFolder, homeOf, makeFolder };

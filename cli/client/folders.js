'use strict';

// Where things are on a developer's machine.

const { mkdirSync } = require('node:fs');
const { homedir } = require('node:os');
const { join, resolve } = require('node:path');

/** Names of sessions stand in these folders, and events in their files, so they are the user's alone. */
const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;

/** The home directory that `--home` names, else the user's. */
const homeOf = ({ home }) => resolve(home ?? homedir());

/** Claude Code's own folder. A home that the user names counts for more than the environment. */
function claudeFolder({ home }) {
  if (home === undefined && process.env.CLAUDE_CONFIG_DIR) return resolve(process.env.CLAUDE_CONFIG_DIR);
  return join(homeOf({ home }), '.claude');
}

/** The folder in which the client keeps what it must remember. */
const clientFolder = (home) => join(home, '.git-ai', 'internal', 'client');

function makeFolder(path) {
  mkdirSync(path, { recursive: true, mode: PRIVATE_FOLDER });
  return path;
}

module.exports = { PRIVATE_FILE, claudeFolder, clientFolder, homeOf, makeFolder };

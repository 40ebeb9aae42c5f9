'use strict';

// Edits the file with an agent's hooks as text. Everything that isn't ours keeps its place, format and comments.

const { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode } = require('jsonc-parser');
const { join } = require('node:path');
const { folderOf, parentOf } = require('./agents.js');
const { claudeFolder, homeOf } = require('./folders.js');
const { insertInto, isBlank, removeFrom } = require('./jsonc.js');

/** How long the agent waits for a hook, in seconds. A hook takes about 0.1 s. */
const TIMEOUT = 10;

/** The hooks of Claude Code, which others have taken over. */
const EVENTS = {
  UserPromptSubmit: {},
  PostToolUse: { matcher: '*' },
  PostToolUseFailure: { matcher: '*' },
  Stop: {},
  StopFailure: {},
  SubagentStop: {},
  SessionEnd: {},
};

/**
 * @typedef {object} Form the file with an agent's hooks
 * @property {(options: { home?: string | undefined }) => string} path
 * @property {Record<string, { matcher?: string }>} [events] the hooks that know more than the transcript, and those after
 *   which a session may become idle, in a file of Claude Code's form
 * @property {number} [timeout] `TIMEOUT` in the agent's unit of time, if that isn't the second
 * @property {boolean} [isFlat] whether the file lists the hooks of an event without groups, and names its version
 * @property {string[]} [ownFile] the same events, for an agent that reads each of its hooks from a file of their own
 * @property {string[]} [tables] the same events, for an agent whose settings are TOML
 */

/** @type {Record<string, Form>} */
const FORMS = {
  claude: {
    path: (options) => join(claudeFolder(options), 'settings.json'),
    events: EVENTS,
  },
  codex: {
    path: (options) => join(folderOf(options, 'CODEX_HOME', '.codex'), 'hooks.json'),
    events: { UserPromptSubmit: {}, PostToolUse: {}, Stop: {}, SubagentStop: {}, SessionEnd: {} },
  },
  'github-copilot-cli': {
    path: (options) => join(folderOf(options, 'COPILOT_HOME', '.copilot'), 'hooks', 'git-ai-metrics.json'),
    ownFile: ['userPromptSubmitted', 'postToolUse', 'postToolUseFailure', 'agentStop', 'sessionEnd'],
  },
  gemini: {
    path: (options) => join(parentOf(options, 'GEMINI_CLI_HOME'), '.gemini', 'settings.json'),
    events: { BeforeAgent: {}, AfterTool: { matcher: '*' }, AfterAgent: {}, SessionEnd: {} },
    timeout: TIMEOUT * 1000,
  },
  qwen: {
    path: (options) => join(folderOf(options, 'QWEN_HOME', '.qwen'), 'settings.json'),
    events: EVENTS,
  },
  kimi: {
    path: (options) => join(folderOf(options, 'KIMI_CODE_HOME', '.kimi-code'), 'config.toml'),
    tables: Object.keys(EVENTS),
  },
  cursor: {
    path: (options) => join(homeOf(options), '.cursor', 'hooks.json'),
    // Its transcripts aren't read, so these are all there is.
    events: {
      beforeSubmitPrompt: {},
      postToolUse: {},
      postToolUseFailure: {},
      afterAgentThought: {},
      afterAgentResponse: {},
      sessionEnd: {},
    },
    isFlat: true,
  },
};

/** Matches a hook of ours for the agent, from any installation. */
const oursFor = (agent) =>
  new RegExp(`(?:^|[\\\\/" ])(?:git-ai-metrics(?:\\.cmd)?|cli[\\\\/]main\\.js)"? hook --agent ${agent}(?: |$)`);

/** The file doesn't have the form of settings with hooks. `message` names the place. */
class SettingsError extends Error {}

/** Parses the settings and checks that hooks can be added to them. */
function parse(text, isFlat) {
  const errors = [];
  const tree = /** @type {import('jsonc-parser').Node} */ (parseTree(text, errors, { allowTrailingComma: true }));
  if (errors.length > 0) {
    const [{ error, offset }] = errors;
    const before = text.slice(0, offset).split('\n');
    const problem = printParseErrorCode(error)
      .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
      .toLowerCase();
    throw new SettingsError(`not JSON: ${problem} at line ${before.length} column ${before.at(-1).length + 1}`);
  }
  const expect = (path, type) => {
    const node = findNodeAtLocation(tree, path);
    if (node === undefined || node.type === type) return node;
    const place = path.length > 0 ? path.join('.') : 'the file';
    throw new SettingsError(`${place}: expected ${type === 'array' ? 'an array' : 'an object'}, found ${node.type}`);
  };
  expect([], 'object');
  for (const node of [tree, expect(['hooks'], 'object')]) checkKeys(node);
  const settings = getNodeValue(tree);
  for (const [event, groups] of Object.entries(settings.hooks ?? {})) {
    expect(['hooks', event], 'array');
    for (const at of groups.keys()) {
      expect(['hooks', event, at], 'object');
      if (isFlat) continue;
      if (expect(['hooks', event, at, 'hooks'], 'array') === undefined) {
        throw new SettingsError(`hooks.${event}.${at}.hooks: expected an array, found none`);
      }
    }
  }
  return settings;
}

/** Refuses a duplicate key, because programs differ in whether they read the first or the last. */
function checkKeys(node) {
  const keys = (node?.children ?? []).map(({ children: [key] }) => key.value);
  const twice = keys.find((key, at) => keys.indexOf(key) !== at);
  if (twice !== undefined) throw new SettingsError(`the key ${JSON.stringify(twice)} stands twice`);
}

/** The hooks of one agent in a file of Claude Code's form, or in one without groups. */
class SharedFile {
  empty = '{}\n';

  #events;
  #timeout;
  #isFlat;
  #ours;

  /**
   * @param {string} agent
   * @param {Form} form
   */
  constructor(agent, { events = {}, timeout = TIMEOUT, isFlat = false }) {
    this.#events = events;
    this.#timeout = timeout;
    this.#isFlat = isFlat;
    this.#ours = oursFor(agent);
  }

  /** Returns the settings with each of our hooks exactly once, with this command. */
  install(text, command) {
    const own = { command, timeout: this.#timeout };
    let settings = parse(text, this.#isFlat);
    const isCurrent = ({ event, hook: found }, _, all) =>
      Object.hasOwn(this.#events, event) &&
      found.command === command &&
      found.timeout === this.#timeout &&
      all.filter((other) => other.event === event).length === 1;
    const stale = this.#find(settings).filter((...args) => !isCurrent(...args));
    if (stale.length > 0) {
      text = removeHooks(text, stale, this.#isFlat);
      settings = parse(text, this.#isFlat);
    }
    if (this.#isFlat && settings.version === undefined) text = insertInto(text, [], 1, 'version');
    for (const [event, extra] of Object.entries(this.#events)) {
      if (this.#find(settings).some((found) => found.event === event)) continue;
      const entry = this.#isFlat ? { ...extra, ...own } : { ...extra, hooks: [{ type: 'command', ...own }] };
      if (settings.hooks === undefined) text = insertInto(text, [], { [event]: [entry] }, 'hooks');
      else if (settings.hooks[event] === undefined) text = insertInto(text, ['hooks'], [entry], event);
      else text = insertInto(text, ['hooks', event], entry);
      settings = parse(text, this.#isFlat);
    }
    return text;
  }

  /**
   * Returns the settings without our hooks, and without lists that held nothing else.
   *
   * @returns {string | undefined}
   */
  remove(text) {
    return removeHooks(text, this.#find(parse(text, this.#isFlat)), this.#isFlat);
  }

  /** Returns the state of each of our hooks: `installed`, `outdated` (it has another command) or `missing`. */
  status(text, command) {
    const found = this.#find(parse(text, this.#isFlat));
    return Object.keys(this.#events).map((event) => {
      const own = found.filter((path) => path.event === event);
      return {
        event,
        state: stateOf(
          own,
          own.every(({ hook }) => hook.command === command),
        ),
      };
    });
  }

  /** Returns the paths of our hooks, last one first, so that removing one doesn't move the others. */
  #find(settings) {
    const paths = [];
    for (const [event, entries] of Object.entries(settings.hooks ?? {})) {
      for (const [group, entry] of entries.entries()) {
        const hooks = this.#isFlat ? [entry] : entry.hooks;
        for (const [at, hook] of hooks.entries()) if (this.#isOurs(hook)) paths.unshift({ event, group, at, hook });
      }
    }
    return paths;
  }

  #isOurs(hook) {
    return typeof hook?.command === 'string' && this.#ours.test(hook.command);
  }
}

const stateOf = (found, areCurrent) => (found.length === 0 ? 'missing' : areCurrent ? 'installed' : 'outdated');

function removeHooks(text, paths, isFlat) {
  for (const { event, group, at } of paths) {
    const { hooks } = parse(text, isFlat);
    const isOneOfMany = !isFlat && hooks[event][group].hooks.length > 1;
    text = isOneOfMany
      ? removeFrom(text, ['hooks', event, group, 'hooks'], at)
      : removeFrom(text, ['hooks', event], group);
    // A list or an object that still holds a comment stays.
    if (isBlank(text, ['hooks', event])) text = removeFrom(text, ['hooks'], event);
    if (isBlank(text, ['hooks'])) text = removeFrom(text, [], 'hooks');
  }
  return text;
}

/** The file that holds nothing but our hooks, in the form of Copilot. Each command names its event. */
class OwnFile {
  empty = '{}\n';

  #events;

  constructor(events) {
    this.#events = events;
  }

  install(_, command) {
    const hooks = Object.fromEntries(this.#events.map((event) => [event, [hookOf(event, command)]]));
    return `${JSON.stringify({ version: 1, hooks }, undefined, 2)}\n`;
  }

  /**
   * @returns {string | undefined} nothing: the file goes
   */
  remove() {
    return undefined;
  }

  status(text, command) {
    let hooks;
    try {
      ({ hooks } = JSON.parse(text));
    } catch {
      throw new SettingsError('not JSON');
    }
    return this.#events.map((event) => {
      const found = [hooks?.[event] ?? []].flat();
      const expected = JSON.stringify([hookOf(event, command)]);
      return { event, state: stateOf(found, JSON.stringify(found) === expected) };
    });
  }
}

/** The hooks of one agent in settings that are TOML: a table for each, after everything else. */
class Tables {
  empty = '';

  #events;
  #ours;

  constructor(agent, events) {
    this.#events = events;
    this.#ours = oursFor(agent);
  }

  install(text, command) {
    const others = this.#without(text);
    if (/^[ \t]*hooks[ \t]*=/m.test(others)) throw new SettingsError('hooks: expected tables [[hooks]], found a value');
    const body = others.trimEnd();
    const tables = this.#events.map((event) => tableOf(event, command)).join(BETWEEN_TABLES);
    return `${body}${body === '' ? '' : BETWEEN_TABLES}${tables}${others.slice(body.length) || (body === '' ? '\n' : '')}`;
  }

  /**
   * Returns the settings without our tables.
   *
   * @returns {string | undefined}
   */
  remove(text) {
    return this.#without(text);
  }

  /** @returns {string} */
  #without(text) {
    const without = text.replaceAll(TABLE, (table, _, command) => (this.#isOurs(command) ? '' : table));
    return without.trim() === '' ? this.empty : without;
  }

  status(text, command) {
    const found = [...text.matchAll(TABLE)].filter(([, , own]) => this.#isOurs(own));
    return this.#events.map((event) => {
      const own = found.filter(([, name]) => name === event);
      return {
        event,
        state: stateOf(
          own,
          own.every(([table]) => table.trimStart() === tableOf(event, command)),
        ),
      };
    });
  }

  #isOurs(command) {
    return this.#ours.test(JSON.parse(command));
  }
}

const BETWEEN_TABLES = '\n\n';

/** A table as we write it: JSON's strings are TOML's, too. */
const tableOf = (event, command) =>
  `[[hooks]]\nevent = "${event}"\ncommand = ${JSON.stringify(command)}\ntimeout = ${TIMEOUT}`;
/** Such a table, unless someone has added keys to it: these would become the table's before it if it were removed. */
const TABLE =
  /(?:\n\n)?\[\[hooks\]\]\nevent = "(\w+)"\ncommand = ("(?:[^"\\\n]|\\["\\])*")\ntimeout = \d+(?=\s*(?:[[#]|$))/g;

function hookOf(event, command) {
  const named = `${command} --event ${event}`;
  // To PowerShell, a quoted path alone is a text.
  const powershell = named.startsWith('"') ? `& ${named}` : named;
  return { type: 'command', bash: named, powershell, timeoutSec: TIMEOUT };
}

/**
 * Returns the file with the agent's hooks, and how to edit it.
 *
 * @param {string} agent one of `AGENTS_WITH_HOOKS`
 */
function hooksFileOf(agent) {
  const form = FORMS[agent];
  const { path, ownFile, tables } = form;
  if (ownFile !== undefined) return { path, edit: new OwnFile(ownFile) };
  return { path, edit: tables === undefined ? new SharedFile(agent, form) : new Tables(agent, tables) };
}

module.exports = { AGENTS_WITH_HOOKS: Object.keys(FORMS), SettingsError, hooksFileOf };

'use strict';

// Edits Claude Code's settings file as text. Everything that isn't ours keeps its place, format and comments.

const { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode } = require('jsonc-parser');
const { insertInto, removeFrom } = require('./jsonc.js');

/** The hooks that know more than the transcript, and those after which a session may become idle. */
const EVENTS = {
  UserPromptSubmit: {},
  PostToolUse: { matcher: '*' },
  PostToolUseFailure: { matcher: '*' },
  Stop: {},
  StopFailure: {},
  SubagentStop: {},
  SessionEnd: {},
};

/** How long the agent waits for a hook, in seconds. A hook takes about 0.1 s. */
const TIMEOUT = 10;

/** Matches a hook of ours, from any installation. */
const OURS = /(?:^|[\\/" ])(?:git-ai-metrics(?:\.cmd)?|cli[\\/]main\.js)"? hook --agent claude(?: |$)/;

/** The file doesn't have the form of Claude Code's settings. `message` names the place. */
class SettingsError extends Error {}

const isOurs = (hook) => typeof hook?.command === 'string' && OURS.test(hook.command);

/** Parses the settings and checks that hooks can be added to them. */
function parse(text) {
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

/** Returns the paths of our hooks, last one first, so that removing one doesn't move the others. */
function ours(settings) {
  const paths = [];
  for (const [event, groups] of Object.entries(settings.hooks ?? {})) {
    for (const [group, { hooks }] of groups.entries()) {
      for (const [at, hook] of hooks.entries()) if (isOurs(hook)) paths.unshift({ event, group, at, hook });
    }
  }
  return paths;
}

/** Returns the settings with each of our hooks exactly once, with this command. */
function install(text, command) {
  const hook = { type: 'command', command, timeout: TIMEOUT };
  let settings = parse(text);
  const isCurrent = ({ event, hook: found }, _, all) =>
    Object.hasOwn(EVENTS, event) &&
    found.command === command &&
    found.timeout === TIMEOUT &&
    all.filter((other) => other.event === event).length === 1;
  const stale = ours(settings).filter((...args) => !isCurrent(...args));
  if (stale.length > 0) {
    text = removeHooks(text, stale);
    settings = parse(text);
  }
  for (const [event, extra] of Object.entries(EVENTS)) {
    const groups = settings.hooks?.[event];
    if (groups?.some(({ hooks }) => hooks.some(isOurs))) continue;
    const group = { ...extra, hooks: [hook] };
    if (settings.hooks === undefined) text = insertInto(text, [], { [event]: [group] }, 'hooks');
    else if (groups === undefined) text = insertInto(text, ['hooks'], [group], event);
    else text = insertInto(text, ['hooks', event], group);
    settings = parse(text);
  }
  return text;
}

/** Returns the settings without our hooks, and without lists that held nothing else. */
function remove(text) {
  return removeHooks(text, ours(parse(text)));
}

function removeHooks(text, paths) {
  for (const { event, group, at } of paths) {
    const { hooks } = parse(text);
    const groups = hooks[event];
    if (groups[group].hooks.length > 1) text = removeFrom(text, ['hooks', event, group, 'hooks'], at);
    else if (groups.length > 1) text = removeFrom(text, ['hooks', event], group);
    else if (Object.keys(hooks).length > 1) text = removeFrom(text, ['hooks'], event);
    else text = removeFrom(text, [], 'hooks');
  }
  return text;
}

/** Returns the state of each of our hooks: `installed`, `outdated` (it has another command) or `missing`. */
function status(text, command) {
  const found = ours(parse(text));
  return Object.keys(EVENTS).map((event) => {
    const own = found.filter((path) => path.event === event);
    const state =
      own.length === 0 ? 'missing' : own.every(({ hook }) => hook.command === command) ? 'installed' : 'outdated';
    return { event, state };
  });
}

module.exports = { SettingsError, install, remove, status };

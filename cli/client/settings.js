'use strict';

// Claude Code's settings file, changed as text: what is not ours keeps its place, its form and its comments.

const { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode } = require('jsonc-parser');
const { insertInto, removeFrom } = require('./jsonc.js');

/** The hooks that tell more than the transcript does, and those that come before a session is left alone. */
const EVENTS = {
  UserPromptSubmit: {},
  PostToolUse: { matcher: '*' },
  PostToolUseFailure: { matcher: '*' },
  Stop: {},
  StopFailure: {},
  SubagentStop: {},
  SessionEnd: {},
};

/** The agent waits this long at most, in seconds. A hook takes about a tenth of one. */
const TIMEOUT = 10;

/** A hook of ours, wherever it was installed from. */
const OURS = /(?:^|[\\/" ])(?:git-ai-metrics(?:\.cmd)?|cli[\\/]main\.js)"? hook --agent claude(?: |$)/;

/** The file is not what Claude Code writes; `message` says where. */
class SettingsError extends Error {}

const isOurs = (hook) => typeof hook?.command === 'string' && OURS.test(hook.command);

/** The settings as a value, once they have the form in which hooks can be added. */
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

/** Of a key that stands twice, one part of a program reads the first and another the last. */
function checkKeys(node) {
  const keys = (node?.children ?? []).map(({ children: [key] }) => key.value);
  const twice = keys.find((key, at) => keys.indexOf(key) !== at);
  if (twice !== undefined) throw new SettingsError(`the key ${JSON.stringify(twice)} stands twice`);
}

/** Where our hooks stand: a path for each, the last one first, so that removing one moves none of the others. */
function ours(settings) {
  const paths = [];
  for (const [event, groups] of Object.entries(settings.hooks ?? {})) {
    for (const [group, { hooks }] of groups.entries()) {
      for (const [at, hook] of hooks.entries()) if (isOurs(hook)) paths.unshift({ event, group, at, hook });
    }
  }
  return paths;
}

/** The settings with our hooks in them, each once and with this command. */
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

/** The settings without our hooks, and without the lists that only held them. */
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

/** What each of our hooks is: `installed`, `outdated` where its command is another, `missing`. */
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

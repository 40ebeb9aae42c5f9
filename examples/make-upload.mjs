#!/usr/bin/env node
// Writes examples/upload.json: one upload as a git-ai client sends it, of an invented session that reviews a parser.
//
// Every metric is in it with every field set at least once; so are explicit nulls, a position that this version does not
// know and a metric that it does not know. Ids and hashes are computed here by node:crypto alone, from the rules of the
// wire format, so that a test can hold the addon's own identities against them.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const sha256 = (text) => createHash('sha256').update(text, 'utf8').digest('hex');
const TOOL = 'claude';
const SESSION = '5f0c6d9e-61c3-4a7b-9d35-2f0b7f3c9a41';
const PROMPT_ID = sha256(`${TOOL}:${SESSION}`).slice(0, 16);
const MODEL = 'claude-opus-4-7';
const START_MS = Date.UTC(2026, 3, 7, 18, 45, 55, 210);

const machine = {
  0: '1.1.23',
  2: 'Zoë Nowak <zoe@example.com>',
  20: TOOL,
};
const repository = {
  ...machine,
  1: 'https://github.com/example/parser',
  4: '9f2d61f0c8a5b7e3d4c1a09b8e7f6d5c4b3a2910',
  5: 'nulls-in-values',
  30: JSON.stringify({ team: 'ingest', editor: 'zed' }),
};
const session = { ...repository, 21: MODEL, 22: PROMPT_ID, 23: SESSION };
const commit = { ...session, 3: '1c7a5f3e9b8d2046a1f0c3e5d7b9884466220a1e' };

const events = [];
const record = (metric, atMs, values, attributes) =>
  events.push({ t: Math.floor(atMs / 1000), e: metric, v: values, a: attributes });

// The hook installer, an hour before the session: one event per tool that it tried.
const INSTALL_MS = START_MS - 3_600_000;
record(3, INSTALL_MS, { 0: 'claude', 1: 'installed', 2: null }, machine);
record(3, INSTALL_MS, { 0: 'cursor', 1: 'already_installed', 2: null }, machine);
record(3, INSTALL_MS, { 0: 'opencode', 1: 'not_found', 2: null }, machine);
record(3, INSTALL_MS, { 0: 'codex', 1: 'failed', 2: '~/.codex/config.toml: permission denied' }, machine);

let parent = null;
let lastStart = 0;

/** One prompt event at its place in the flattened transcript, chained to the one before. */
function prompt(kind, index, seconds, content, values = {}, parentIdEstimated = false) {
  const startMs = START_MS + Math.round(seconds * 1000);
  // A message's id is taken from its first 256 bytes; every message here is shorter.
  const eventId = `${PROMPT_ID}:${sha256(`${PROMPT_ID}:${kind}:${content}:${index}`).slice(0, 12)}`;
  const inputHash = sha256(content).slice(0, 16);
  record(
    5,
    startMs,
    { 0: kind, 1: eventId, 2: parent, 3: parentIdEstimated, ...values, 7: startMs, 10: inputHash },
    session,
  );
  parent = eventId;
  lastStart = startMs;
}

const byAssistant = (values = {}) => ({ 5: MODEL, ...values });
const message = (text) => ({ 11: text });
const call = (name, { failed = false, observed, reported = null }) =>
  byAssistant({ 4: name, 6: failed, 8: reported, 9: observed });

const request = 'Please review the parser — it crashes on “nulls”';
prompt('HumanMessage', 0, 0, request, message(request));
const thought = 'The crash is likely where a position is present but null. I should read the parser first.';
prompt('ThinkingMessage', 1, 2.4, thought, byAssistant());
const plan = "I'll read the parser, then look at how values are taken apart.";
prompt('AiMessage', 2, 4.1, plan, byAssistant(message(plan)));
prompt('ToolCall', 3, 4.6, 'Read:toolu_01Read', call('Read', { observed: 38, reported: 31 }));
prompt('SkillInvocation', 4, 7.9, 'Skill:toolu_02Skill', {
  ...call('Skill', { observed: 120 }),
  12: '/home/zoe/parser/.claude/skills/review/SKILL.md',
  13: START_MS - 86_400_000,
  14: sha256('---\nname: review\n---\nRead before you write.\n').slice(0, 16),
});
prompt(
  'McpCall',
  5,
  11.2,
  'mcp__tracker__search:toolu_03Mcp',
  call('mcp__tracker__search', { observed: 812, reported: 790 }),
);
prompt('ToolCall', 6, 13.0, 'Bash:toolu_04Bash', call('Bash', { failed: true, observed: 2_214 }));

// A position of a later client, and the checkpoint that a file write makes.
prompt('FileWrite', 7, 21.5, 'Edit:toolu_05Edit', {
  ...call('Edit', { observed: 64, reported: 52 }),
  40: { hunks: 2 },
});
const CHECKPOINT_MS = START_MS + 21_600;
record(
  4,
  CHECKPOINT_MS,
  { 0: Math.floor(CHECKPOINT_MS / 1000), 1: 'ai_agent', 2: 'src/values.rs', 3: 14, 4: 6, 5: 11, 6: 5 },
  session,
);
record(2, CHECKPOINT_MS, {}, session);

const fixed = 'A null is now a value of its own: “explicitly nothing”. The tests pass. 🎉';
prompt('AiMessage', 8, 31.7, fixed, byAssistant(message(fixed)));
const thanks = '谢谢! Please commit it.';
// The transcript could not be read at this moment, so the chain to the message before is an estimate.
prompt('HumanMessage', 9, 58.3, thanks, message(thanks), true);

const COMMIT_MS = START_MS + 64_000;
record(
  1,
  COMMIT_MS,
  {
    0: 3,
    1: 6,
    2: 17,
    3: ['all', `${TOOL}::${MODEL}`],
    4: [1, 1],
    5: [14, 14],
    6: [13, 13],
    7: [19, 19],
    8: [6, 6],
    9: [57_412, 57_412],
    10: Math.floor(CHECKPOINT_MS / 1000),
    11: 'Keep explicit nulls apart from absent values',
    12: 'A peer that sends null says that there is nothing;\none that sends no key says nothing.',
  },
  commit,
);
record(
  1,
  COMMIT_MS + 90_000,
  {
    0: 2,
    1: 0,
    2: 2,
    3: ['all'],
    4: [0],
    5: [0],
    6: [0],
    7: [0],
    8: [0],
    9: [0],
    10: null,
    11: 'Fix a typo',
    12: null,
  },
  { ...commit, 3: 'e4d909c290d0fb1ca068ffaddf22cbd0a1b2c3d4', 4: commit[3], 20: null, 21: null, 22: null, 23: null },
);
record(
  4,
  COMMIT_MS + 80_000,
  { 0: Math.floor(COMMIT_MS / 1000) + 80, 1: 'human', 2: 'README.md', 3: 2, 4: 0, 5: 2, 6: 0 },
  {
    ...repository,
  },
);

// The end is tied to the event that it follows: content and time are that event's.
const endReason = 'user_quit';
const endContent = `${endReason}:${parent}`;
record(
  5,
  COMMIT_MS + 120_000,
  {
    0: 'SessionEnd',
    1: `${PROMPT_ID}:${sha256(`${PROMPT_ID}:SessionEnd:${endContent}:0`).slice(0, 12)}`,
    2: parent,
    3: false,
    7: lastStart,
    15: endReason,
  },
  session,
);

// A metric of a later client.
record(9, COMMIT_MS + 121_000, { 0: 'diff_view', 1: 12 }, machine);

const lines = events.map((event) => `    ${JSON.stringify(event)}`);
writeFileSync(new URL('upload.json', import.meta.url), `{\n  "v": 1,\n  "events": [\n${lines.join(',\n')}\n  ]\n}\n`);

#!/usr/bin/env node
// Writes examples/sessions/: uploads of invented sessions of a small team, as clients send them over a week. A tool call
// comes when it begins and again when its result is known; the last upload is a retry of the first. The last three sessions
// still run at the end. Whoever shows them moves them in time: see sessions/src/cli/demo.ts.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import metrics from '../index.js';

const { encodeMetricsBatch, EventAttributesBuilder, eventId, inputHash, kindForTool, promptId, PromptEventBuilder } =
  metrics;

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'sessions');
const START_MS = Date.UTC(2026, 2, 28, 9);
const HOUR_MS = 3_600_000;
const EVENTS_PER_UPLOAD = 200;

const AUTHORS = ['Zoë Nowak <zoe@example.com>', 'Ibrahim Khan <ibrahim@example.com>', 'Mei Lin <mei@example.com>'];
const REPOSITORIES = ['https://github.com/example/parser', 'https://github.com/example/shop'];
const REQUESTS = [
  'Please review the parser — it crashes on “nulls”\nThe trace is below.',
  'Add a dark mode to the settings page',
  'Why is the nightly build red?',
  'Speed up the search: it takes 3 s for “münchen”',
  '日付の表示を直してください',
  'Write a test for the empty cart 🛒',
  'Rename the column “qty” to “quantity” everywhere',
  'Update the dependencies and see what breaks',
  'Explain how the payment retries work',
  'The login page flickers on phones: find out why',
  'Move the parser to a package of its own',
  'Draft the release notes for 2.4',
  'Make the import resumable after a crash',
  'Find out why the price of a gift card is rounded twice',
  'Let the export stream instead of building it in memory',
  'Add a health check to the worker and document it',
];
const CORRECTIONS = [
  "no, that's the wrong file",
  'still broken',
  'try again',
  'thanks, commit it',
  'wtf, the same error again',
  'why did you delete the test?',
  'good, now the docs',
  'looks right to me',
  'and the same for the other module, please',
  'can you explain the last change?',
  'make the message shorter',
  'use the helper we already have',
  'add a case for an empty list',
  'great, what is left?',
];
const ANSWERS = [
  'I found it: the offset was counted in characters, not bytes.',
  'All tests pass now. I also removed the unused helper.',
  'The cause is a missing index on `orders.created_at`.',
  'Done. The change is in `src/cart/total.ts`, with a test for the empty cart.',
];
const TOOLS = ['Bash', 'Read', 'Edit', 'Grep', 'mcp__github__search_issues', 'Skill'];
/** What is true of each tool: how often it fails, and how long it takes. */
const NATURE = {
  Bash: { failures: 0.2, ms: 4000 },
  Read: { failures: 0.02, ms: 40 },
  Edit: { failures: 0.08, ms: 60 },
  Grep: { failures: 0.01, ms: 90 },
  mcp__github__search_issues: { failures: 0.1, ms: 1500 },
  Skill: { failures: 0, ms: 300 },
};
const SKILLS = ['/home/zoe/.claude/skills/release/SKILL.md', '/home/zoe/.claude/skills/review/SKILL.md', null];
/** Who works with what. */
const AGENTS = [
  { name: 'claude', models: ['claude-opus-4-7', 'claude-haiku-4-5'] },
  { name: 'claude', models: ['claude-opus-4-7'] },
  { name: 'codex', models: ['gpt-6-codex'] },
  { name: 'claude', models: ['claude-opus-4-7', 'claude-haiku-4-5'] },
  { name: 'gemini', models: ['gemini-3-pro'] },
];
const SESSIONS = 16;
/** So many sessions run at the end, and began so many minutes before. */
const RUNNING_MIN = [4, 9, 17];
/** The longest session, of the day before the end: its build runs for so long. */
const LONGEST = 12;
const LONG_BUILD_MS = 96 * 60_000;

// The same numbers each time (mulberry32), so that the files only change when this one does.
let state = 2026;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
const oneOf = (list) => list[Math.floor(random() * list.length)];

/** Events with the times at which they are sent. */
const outbox = [];

const END_MS = START_MS + SESSIONS * 10 * HOUR_MS;
for (let n = 0; n < SESSIONS; n++) {
  const minutes = n === LONGEST ? 24 * 60 : RUNNING_MIN[SESSIONS - 1 - n];
  session(n, minutes === undefined ? START_MS + n * 10 * HOUR_MS : END_MS - minutes * 60_000);
}

outbox.sort((a, b) => a.sentMs - b.sentMs);
mkdirSync(FOLDER, { recursive: true });
const uploads = [];
for (let n = 0; n < outbox.length; n += EVENTS_PER_UPLOAD) {
  uploads.push(encodeMetricsBatch(outbox.slice(n, n + EVENTS_PER_UPLOAD).map(({ event }) => event)));
}
uploads.push(uploads[0]);
for (const [n, body] of uploads.entries()) writeFileSync(join(FOLDER, `upload-${n + 1}.json`), `${body}\n`);

function session(n, startMs) {
  const id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  const agent = AGENTS[n % AGENTS.length];
  const session = promptId(agent.name, id);
  const model = oneOf(agent.models);
  const runs = startMs > END_MS - HOUR_MS;
  const attributes = new EventAttributesBuilder()
    .gitAiVersion('1.1.23')
    .repoUrl(oneOf(REPOSITORIES))
    .author(AUTHORS[n % AUTHORS.length])
    .branch(n % 2 ? 'main' : `work-${n}`)
    .tool(agent.name)
    .model(model)
    .promptId(session)
    .externalPromptId(id)
    .build();
  let index = 0;
  let parent = null;
  let atMs = startMs;

  /** An event at the next place of the session; `fill` sets what only its kind has. */
  const emit = (kind, content, sentMs, fill) => {
    const identity = eventId(session, kind, content, index);
    const builder = new PromptEventBuilder().kind(kind).eventId(identity).parentId(parent).parentIdEstimated(false);
    fill(builder.startTs(atMs).inputHash(inputHash(content)));
    outbox.push({ event: builder.build(attributes, Math.floor(sentMs / 1000)), sentMs });
    return identity;
  };
  const next = (identity, tookMs) => {
    parent = identity;
    index++;
    atMs += tookMs;
  };

  for (let turn = 0, turns = 2 + Math.floor(random() * 5); turn < turns && !isOver(); turn++) {
    const text = turn === 0 ? REQUESTS[n % REQUESTS.length] : oneOf(CORRECTIONS);
    next(
      emit('HumanMessage', text, atMs + 2000, (event) => event.inputText(text)),
      3000,
    );
    for (let calls = 1 + Math.floor(random() * 8); calls > 0 && !isOver(); calls--) toolCall();
    if (isOver()) break;
    if (n === LONGEST && turn === 1) call('Bash', LONG_BUILD_MS, true);
    const answer = oneOf(ANSWERS);
    const identity = emit('AiMessage', answer, atMs + 2000, (event) => event.model(model).inputText(answer));
    // Now and then the human is away for a while.
    next(identity, random() < 0.2 ? 20 * 60_000 : 30_000 + Math.round(random() * 90_000));
  }
  if (runs) {
    atMs = END_MS;
    call('Bash', null, null);
    return;
  }
  // Half of the sessions end in good order, the others are found dead later.
  const [reason, later] = n % 2 ? ['user_quit', 1000] : ['signal', 10 * 60_000];
  emit('SessionEnd', `${reason}:${parent}`, atMs + later, (event) => event.inputHash(null).endReason(reason));

  /** Whether what a running session does next would come after the end. */
  function isOver() {
    return runs && atMs > END_MS - 90_000;
  }

  function toolCall() {
    const name = oneOf(TOOLS);
    const { failures, ms } = NATURE[name];
    call(name, Math.round(ms * (0.3 + 3 * random() ** 3)), random() < failures);
  }

  /** A call that took so long; null: it still runs. */
  function call(name, tookMs, error) {
    const content = `${name}:toolu_${n}_${index}`;
    const path = name === 'Skill' ? oneOf(SKILLS) : null;
    const describe = (event) => {
      event.toolCallName(name).model(model);
      if (path === null) return;
      // The skill for releases was changed within the week.
      const isNew = path === SKILLS[0] && n > 9;
      const mtimeMs = START_MS - (path === SKILLS[0] ? 0 : 40 * 24 * HOUR_MS) + (isNew ? 90 * HOUR_MS : 0);
      event.skillFile({ path, mtimeMs, hash: inputHash(`${path}${isNew}`) });
    };
    const kind = kindForTool(name);
    const identity = emit(kind, content, atMs + 1000, describe);
    if (tookMs !== null) {
      emit(kind, content, atMs + tookMs + 1000, (event) => {
        describe(event);
        event.error(error).observedDurationMs(tookMs);
        if (agent.name !== 'gemini' && random() < 0.5) event.reportedDurationMs(Math.max(0, tookMs - 12));
      });
    }
    next(identity, (tookMs ?? 0) + 500);
  }
}

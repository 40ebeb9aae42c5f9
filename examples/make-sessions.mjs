#!/usr/bin/env node
// Writes examples/sessions/: uploads of a dozen invented sessions, as clients send them over a week. A tool call comes
// when it begins and again when its result is known; the last upload is a retry of the first.

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
];
const CORRECTIONS = ["no, that's the wrong file", 'still broken', 'try again', 'thanks, commit it'];
const ANSWERS = ['I found it.', 'All tests pass now.', 'The cause is a missing index.'];
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
const MODELS = ['claude-opus-4-7', 'claude-haiku-4-5'];

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

for (let n = 0; n < 12; n++) session(n, START_MS + n * 13 * HOUR_MS);

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
  const session = promptId('claude', id);
  const model = oneOf(MODELS);
  const attributes = new EventAttributesBuilder()
    .gitAiVersion('1.1.23')
    .repoUrl(oneOf(REPOSITORIES))
    .author(AUTHORS[n % AUTHORS.length])
    .branch(n % 2 ? 'main' : `work-${n}`)
    .tool('claude')
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

  for (let turn = 0, turns = 2 + Math.floor(random() * 5); turn < turns; turn++) {
    const text = turn === 0 ? REQUESTS[n % REQUESTS.length] : oneOf(CORRECTIONS);
    next(
      emit('HumanMessage', text, atMs + 2000, (event) => event.inputText(text)),
      3000,
    );
    for (let calls = 1 + Math.floor(random() * 8); calls > 0; calls--) toolCall();
    const answer = oneOf(ANSWERS);
    const identity = emit('AiMessage', answer, atMs + 2000, (event) => event.model(model).inputText(answer));
    // Now and then the human is away for a while.
    next(identity, random() < 0.2 ? 20 * 60_000 : 30_000 + Math.round(random() * 90_000));
  }
  // Half of the sessions end in good order, the others are found dead later.
  const [reason, later] = n % 2 ? ['user_quit', 1000] : ['signal', 10 * 60_000];
  emit('SessionEnd', `${reason}:${parent}`, atMs + later, (event) => event.inputHash(null).endReason(reason));

  function toolCall() {
    const name = oneOf(TOOLS);
    const { failures, ms } = NATURE[name];
    const content = `${name}:toolu_${n}_${index}`;
    const tookMs = Math.round(ms * (0.3 + 3 * random() ** 3));
    const path = name === 'Skill' ? oneOf(SKILLS) : null;
    const describe = (event) => {
      event.toolCallName(name).model(model);
      if (path)
        event.skillFile({ path, mtimeMs: START_MS + (n > 6 ? HOUR_MS : 0), hash: inputHash(`${path}${n > 6}`) });
    };
    const kind = kindForTool(name);
    emit(kind, content, atMs + 1000, describe);
    const identity = emit(kind, content, atMs + tookMs + 1000, (event) => {
      describe(event);
      event.error(random() < failures).observedDurationMs(tookMs);
      if (random() < 0.5) event.reportedDurationMs(Math.max(0, tookMs - 12));
    });
    next(identity, tookMs + 500);
  }
}

/**
 * Random sessions, and what the dashboard has to show of them. The figures are computed in plain TypeScript from what
 * docs/dashboard.md and docs/sessions-api.md say, and not from the SQL.
 */
import { type EncodableEvent, encodeMetricsBatch, encodePromptEventRows, inputHash, joinRows } from 'git-ai-metrics';
import type { ClickHouse } from './clickhouse.ts';
import { DAY, MINUTE, NOW, SECOND } from './dashboard.ts';
import { type Random, random, shuffle } from './deliveries.ts';
import { stateOf, type Delivery as ToldDelivery } from './liveness-model.ts';

const CALLS = ['ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall'];
const LONGEST_GAP = 5 * MINUTE;

/** Messages, with the rules whose words they match. */
const TEXTS: readonly [string, string[]][] = [
  ['Please add a retry to the uploader', []],
  ['Thank you, that looks good', []],
  ['Run the tests again', []],
  ['no problem, go on', []],
  ['Rename `wtf` to something kinder', []],
  ['> wtf is this\nA colleague wrote that, please answer', []],
  [`${'A long explanation of it. '.repeat(12)} wtf`, []],
  ['wtf', ['anger']],
  ['it is still failing on my machine', ['still in trouble']],
  ['no, use the other one', ['starts with no']],
  ['that is wrong', ['that is wrong']],
  ['revert the last change', ['take it back']],
];
const WEIGHTS: Record<string, number> = { anger: 2, 'still in trouble': 2, 'that is wrong': 2, 'take it back': 2 };

const TOOLS = ['Bash', 'Read', 'Write', 'mcp__github__search', 'mcp__github__comment', 'mcp__browser__click'];
const SKILLS = ['/skills/review/SKILL.md', '/skills/deploy/SKILL.md', null];

/** An event with all that any of its deliveries says of it. */
interface Known {
  session: string;
  id: string;
  ms: number;
  kind: string;
  tool: string | null;
  model: string | null;
  error: boolean | null;
  observed: number | null;
  reported: number | null;
  text: string | null;
  path: string | null;
  mtime: number | null;
  hash: string | null;
  endReason: 'user_quit' | 'idle_timeout' | 'signal' | null;
  repo: string | null;
  author: string | null;
  agent: string | null;
}

interface Delivered {
  event: EncodableEvent;
  receivedAtMs: number;
  known: Known;
}

const below = (next: Random, limit: number): number => Math.floor(next() * limit);
const pick = <T>(next: Random, from: readonly T[]): T => from[below(next, from.length)] as T;

/** What was delivered, in the order in which it arrived: each event one to four times, each time a part of it. */
export function deliveriesOf(seed: number, sessions: number): Delivered[] {
  const next = random(seed);
  const all: Delivered[] = [];
  for (let n = 0; n < sessions; n++) all.push(...session(next, `${seed}s${n}`));
  return shuffle(next, all);
}

function session(next: Random, session: string): Delivered[] {
  const repo = pick(next, ['https://github.com/example/one', 'https://github.com/example/two', null]);
  const author = pick(next, ['Ann <ann@example.com>', 'Ben <ben@example.com>', null]);
  const agent = pick(next, ['claude', 'gemini', 'an agent of tomorrow', null]);
  // Now and then a session names no model at all.
  const models = pick(next, [['opus'], ['opus', 'haiku'], []]);
  // Some run now; most are of the days before.
  let ms = next() < 0.2 ? NOW - below(next, 40) * MINUTE : NOW - DAY - below(next, 12 * DAY);
  const delivered: Delivered[] = [];
  const length = 1 + below(next, 14);
  for (let n = 0; n < length; n++) {
    const kind = pick(next, ['HumanMessage', 'AiMessage', 'ThinkingMessage', ...CALLS, 'ToolCall', 'HumanMessage']);
    const isCall = CALLS.includes(kind);
    const [text] = pick(next, TEXTS);
    const path = kind === 'SkillInvocation' ? pick(next, SKILLS) : null;
    const whole: Known = {
      session,
      id: `${session}:${n}`,
      ms,
      kind,
      tool: isCall ? pick(next, TOOLS) : null,
      model: kind === 'HumanMessage' || models.length === 0 ? null : pick(next, [...models, null]),
      error: isCall ? pick(next, [true, false, false, null]) : null,
      observed: isCall && next() < 0.7 ? below(next, 100_000) : null,
      reported: isCall && next() < 0.5 ? below(next, 100_000) : null,
      text: kind === 'HumanMessage' || kind === 'AiMessage' ? text : null,
      path,
      mtime: path === null ? null : NOW - below(next, 30) * DAY,
      hash: path === null ? null : `${below(next, 3)}`.repeat(16),
      endReason: null,
      repo,
      author,
      agent,
    };
    delivered.push(...deliver(next, whole));
    ms +=
      1 +
      pick(next, [below(next, 20 * SECOND), below(next, 4 * MINUTE), LONGEST_GAP - 1, below(next, 3 * 60 * MINUTE)]);
    if (ms > NOW) break;
  }
  const last = delivered.at(-1)?.known as Known;
  if (next() < 0.4) {
    const endReason = pick(next, ['user_quit', 'idle_timeout'] as const);
    const nothing = { tool: null, model: null, error: null, observed: null, reported: null, text: null };
    const end = { ...last, ...nothing, path: null, mtime: null, hash: null, kind: 'SessionEnd', endReason };
    delivered.push(...deliver(next, { ...end, id: `${session}:end`, ms: Math.min(NOW, last.ms + SECOND) }));
  }
  return delivered;
}

/** The fields that a delivery may lack. */
const OPTIONAL = [
  'tool',
  'model',
  'error',
  'observed',
  'reported',
  'text',
  'path',
  'mtime',
  'hash',
  'repo',
  'author',
] as const;

function deliver(next: Random, whole: Known): Delivered[] {
  return Array.from({ length: 1 + below(next, 4) }, (_, n) => {
    const known = { ...whole };
    const share = n === 0 ? 0.9 : next();
    for (const field of OPTIONAL) if (next() > share) known[field] = null;
    const receivedAtMs = Math.min(NOW, whole.ms + pick(next, [SECOND, SECOND, 3 * MINUTE, 20 * 60 * MINUTE]));
    return { known, receivedAtMs, event: eventOf(known) };
  });
}

function eventOf(known: Known): EncodableEvent {
  const given = <T>(name: string, value: T | null) => (value === null ? {} : { [name]: value });
  return {
    metric: 'prompt_event',
    timestamp: Math.floor(known.ms / 1000),
    values: {
      kind: known.kind as 'AiMessage',
      eventId: known.id,
      startTs: known.ms,
      ...given('toolCallName', known.tool),
      ...given('model', known.model),
      ...given('error', known.error),
      ...given('observedDurationMs', known.observed),
      ...given('reportedDurationMs', known.reported),
      ...given('inputText', known.text),
      ...given('inputHash', known.text === null ? null : inputHash(known.text)),
      ...given('skillFilePath', known.path),
      ...given('skillFileMtime', known.mtime),
      ...given('skillFileHash', known.hash),
      ...given('endReason', known.endReason),
    },
    attributes: {
      gitAiVersion: '1.6.12',
      branch: 'main',
      promptId: known.session,
      ...given('repoUrl', known.repo),
      ...given('author', known.author),
      ...given('tool', known.agent),
    },
  };
}

export async function storeDeliveries(clickHouse: ClickHouse, orgId: string, delivered: readonly Delivered[]) {
  // Two inserts, so that one event can be in both.
  const half = delivered.length >> 1;
  for (const part of [delivered.slice(0, half), delivered.slice(half)]) {
    const rows = part.map(({ event, receivedAtMs }) =>
      encodePromptEventRows(encodeMetricsBatch([event]), { orgId, receivedAtMs }),
    );
    await clickHouse.insert(joinRows(rows));
  }
}

// ---- what is known in the end ---------------------------------------------------------------------------------------

export interface SessionFigures {
  id: string;
  events: Known[];
  repo: string | null;
  agent: string | null;
  authors: Set<string>;
  models: Set<string>;
  state: 'live' | 'quiet' | 'ended';
  signals: { rule: string; weight: number; toolBefore: string | null }[];
}

/** Each event once, with each field that any of its deliveries has. */
export function sessionsOf(delivered: readonly Delivered[]): SessionFigures[] {
  const events = new Map<string, Known>();
  for (const { known } of delivered) {
    const before = events.get(known.id);
    const merged = { ...known };
    if (before !== undefined)
      for (const field of OPTIONAL) Object.assign(merged, { [field]: before[field] ?? known[field] });
    events.set(known.id, merged);
  }
  const sessions = new Map<string, Known[]>();
  for (const event of events.values()) sessions.set(event.session, [...(sessions.get(event.session) ?? []), event]);
  return [...sessions].map(([id, unsorted]) => {
    const own = unsorted.sort((a, b) => a.ms - b.ms);
    const repos = own.map(({ repo }) => repo).filter((repo) => repo !== null);
    return {
      id,
      events: own,
      repo: repos[0] ?? null,
      agent: own[0]?.agent ?? null,
      authors: new Set(own.map(({ author }) => author).filter((author) => author !== null)),
      models: new Set(own.map(({ model }) => model).filter((model) => model !== null)),
      state: stateOf(told(delivered.filter(({ known }) => known.session === id)), NOW).state,
      signals: signalsOf(own),
    };
  });
}

const told = (delivered: readonly Delivered[]): ToldDelivery[] =>
  delivered.map(({ known: { id, kind, ms, endReason }, receivedAtMs }) => ({
    receivedAtMs,
    skewMs: 0,
    events: [
      {
        id,
        kind: kind === 'SessionEnd' ? 'SessionEnd' : 'HumanMessage',
        startMs: ms,
        t: Math.floor(ms / 1000),
        ...(endReason !== null && { reason: endReason }),
      },
    ],
  }));

export const isCall = ({ kind }: Known): boolean => CALLS.includes(kind);

/** The MCP server that a call is one of, if its kind says so and its name says which. */
export const serverOf = ({ kind, tool }: Known): string | undefined =>
  kind === 'McpCall' && tool?.startsWith('mcp__') ? tool.split('__')[1] : undefined;

function signalsOf(events: readonly Known[]): SessionFigures['signals'] {
  const steps = events.filter((event) => isCall(event) || event.kind === 'HumanMessage');
  const signals: SessionFigures['signals'] = [];
  let toolBefore: string | null = null;
  let before: Known | undefined;
  let failures = 0;
  let messages = 0;
  const texts = new Set<string>();
  for (const step of steps) {
    const add = (rule: string, weight = 1) => signals.push({ rule, weight, toolBefore });
    if (isCall(step)) {
      if (step.error === true) failures += 1;
      else if (step.error === false) failures = 0;
      if (step.error === true && failures === 3) add('failed calls in a row');
      if (step === steps.at(-1) && step.error === true && step.ms < NOW - 10 * MINUTE) add('ends on a failed call');
    } else {
      messages += 1;
      if (before?.error === true && step.ms - before.ms <= MINUTE) add('message after a failed call');
      if (step.text !== null) {
        if (texts.has(step.text)) add('same message again');
        texts.add(step.text);
        const [, rules] = TEXTS.find(([text]) => text === step.text) as [string, string[]];
        if (messages > 1) for (const rule of rules) add(rule, WEIGHTS[rule] ?? 1);
      }
    }
    if (isCall(step)) toolBefore = step.tool ?? toolBefore;
    before = step;
  }
  return signals;
}

// ---- figures --------------------------------------------------------------------------------------------------------

export interface Figures {
  sessions: number;
  activeMs: number;
  turns: number;
  calls: number;
  errors: number;
  unknown: number;
}

/** The times between events that are no break, each with when it begins. */
function spans(events: readonly Known[]): { from: number; ms: number }[] {
  return events.slice(1).flatMap((event, n) => {
    const from = (events[n] as Known).ms;
    return event.ms - from <= LONGEST_GAP ? [{ from, ms: event.ms - from }] : [];
  });
}

const within = (ms: number, day?: string): boolean => day === undefined || dayOf(ms) === day;

/** Of all, or of one day of the reader's. */
export function figuresOf(sessions: readonly SessionFigures[], day?: string): Figures {
  const events = sessions.flatMap(({ events }) => events.filter(({ ms }) => within(ms, day)));
  const calls = events.filter(isCall);
  return {
    sessions: new Set(events.map(({ session }) => session)).size,
    activeMs: sessions
      .flatMap(({ events }) => spans(events))
      .reduce((sum, { from, ms }) => sum + (within(from, day) ? ms : 0), 0),
    turns: events.filter(({ kind }) => kind === 'HumanMessage').length,
    calls: calls.length,
    errors: calls.filter(({ error }) => error === true).length,
    unknown: calls.filter(({ error }) => error === null).length,
  };
}

const zoned = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Zurich', dateStyle: 'short' });
/** 2026-11-25 in the reader's zone. */
export const dayOf = (ms: number): string => zoned.format(ms);

/** The value that so many hundredths of all don't exceed, by nearest rank. */
export function percentile(values: readonly (number | null)[], hundredths: number): number | null {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  return known.length === 0 ? null : (known[Math.ceil((known.length * hundredths) / 100) - 1] as number);
}

export function groupBy<T, Key>(items: readonly T[], keyOf: (item: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

/** Each event with the model that it counts for: a human's message for the model that answered it. */
export function attributed({ events }: SessionFigures): { model: string | null; event: Known }[] {
  return events
    .filter(({ kind }) => kind !== 'SessionEnd')
    .map((event) => ({
      event,
      model:
        event.kind === 'HumanMessage'
          ? (events.find(({ ms, model }) => ms > event.ms && model !== null)?.model ?? null)
          : event.model,
    }));
}

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { encodePromptEventRows, joinRows, type PromptEventKind } from 'git-ai-metrics';
import { dateTime64 } from '../../__test__/rows-model';
import { defaultFriction, frictionParameters } from '../src/api/friction.ts';
import { Merger } from '../src/merge/merger.ts';
import { namedQuery, queryFor, SQL_FOLDER } from '../src/store/sql.ts';
import { ClickHouse, describeWithClickHouse, type Row, sqlFile } from './support/clickhouse.ts';
import { converged, random, rowsOf, session, shuffle } from './support/deliveries.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const WINDOW = { from: dateTime64(NOW - 7 * DAY), to: dateTime64(NOW + DAY), now: dateTime64(NOW), filters: {} };
/** All events of a session. */
const WHOLE = { offset: 0, limit: 1000 };
const FIRST_PAGE = { before: '2299-12-31 23:59:59.999', before_prompt_id: '', limit: 10 };

interface Fields {
  session: string;
  id: string;
  kind?: PromptEventKind;
  /** Time of the event, in ms before NOW. */
  ago: number;
  /** How long after it the upload arrived. */
  after?: number;
  /** How long after it this was recorded. */
  recorded?: number;
  values?: Record<number, unknown>;
  attributes?: Record<number, unknown>;
}

const queriesFrom = (source: 'deliveries' | 'merged events') => (): void => {
  let clickHouse: ClickHouse;
  let merger: Merger;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
    merger = new Merger({ store: clickHouse.store, quietMs: 0 });
  });
  afterAll(() => clickHouse.stop());

  /** Stores events, each in an upload of its own and in this order. */
  async function store(org: string, ...events: Fields[]): Promise<void> {
    const uploads = events.map(({ session, id, kind, ago, after = 2 * SECOND, recorded = 0, values, attributes }) => {
      const startTs = NOW - ago;
      const v = { 0: kind, 1: `${session}:${id}`, 3: false, 7: startTs, ...values };
      const a = { 0: '1.1.23', 1: 'git@host:repo', 2: 'ann', 5: 'main', 20: 'claude', 22: session, ...attributes };
      const body = JSON.stringify({ v: 1, events: [{ t: Math.floor((startTs + recorded) / 1000), e: 5, v, a }] });
      return encodePromptEventRows(body, { orgId: org, receivedAtMs: startTs + after });
    });
    await clickHouse.insert(joinRows(uploads));
    if (source === 'merged events') expect(await merger.run()).toBeGreaterThan(0);
  }

  const ask = (name: string, org: string, params: Row = {}) => clickHouse.ask(name, { org_id: org, ...params });
  const sessions = (org: string, params: Row = {}) => ask('sessions', org, { ...WINDOW, ...FIRST_PAGE, ...params });

  test('sessions: a session with all there is to say of it', async () => {
    const event = { session: 'full' };
    await store(
      'sessions',
      { ...event, id: '3', kind: 'AiMessage', ago: 7 * MINUTE, values: { 5: 'opus', 11: 'Done.' } },
      {
        ...event,
        id: '0',
        kind: 'HumanMessage',
        ago: 30 * MINUTE,
        values: { 11: '\n  Fix the tests, 請\nthe first line is a title' },
      },
      { ...event, id: '1', kind: 'ToolCall', ago: 29 * MINUTE, values: { 4: 'Bash', 5: 'opus' } },
      // Its result comes later, and the call again after that, knowing less.
      { ...event, id: '1', kind: 'ToolCall', ago: 29 * MINUTE, values: { 6: true, 9: 1500 } },
      { ...event, id: '1', kind: 'ToolCall', ago: 29 * MINUTE, values: { 6: null } },
      { ...event, id: '2', kind: 'McpCall', ago: 28 * MINUTE, values: { 4: 'mcp__gh__issues', 5: 'haiku', 6: false } },
      {
        ...event,
        id: '4',
        kind: 'HumanMessage',
        ago: 5 * MINUTE,
        values: { 11: 'thanks' },
        attributes: { 5: 'feature' },
      },
      { ...event, id: '5', kind: 'SessionEnd', ago: 5 * MINUTE, values: { 15: 'signal' }, attributes: { 5: null } },
      { ...event, id: '6', kind: 'SessionEnd', ago: 5 * MINUTE, values: { 15: 'user_quit' }, attributes: { 5: null } },
    );
    expect(await sessions('sessions')).toEqual([
      {
        prompt_id: 'full',
        title: 'Fix the tests, 請',
        agent: 'claude',
        models: ['haiku', 'opus'],
        author: 'ann',
        repo: 'git@host:repo',
        branch: 'feature',
        state: 'ended',
        reason: 'user_quit',
        start: dateTime64(NOW - 30 * MINUTE),
        duration_ms: 25 * MINUTE,
        // 30 to 28 and 7 to 5 minutes ago; the 21 minutes in between are a break.
        active_ms: 4 * MINUTE,
        turns: 2,
        tool_calls: 2,
        errors: 1,
        filed: dateTime64(NOW - 30 * MINUTE),
        end: dateTime64(NOW - 5 * MINUTE),
        external_prompt_id: null,
        heard_at: dateTime64(NOW - 5 * MINUTE + 2 * SECOND),
        last_output: 'Done.',
      },
    ]);
  });

  test('sessions: live, quiet, ended, and open again after an end', async () => {
    await store(
      'states',
      { session: 'live', id: '0', kind: 'HumanMessage', ago: 40 * SECOND },
      { session: 'quiet', id: '0', kind: 'HumanMessage', ago: 70 * SECOND },
      { session: 'retried', id: '0', kind: 'HumanMessage', ago: 60 * MINUTE, after: 60 * MINUTE - SECOND },
      // A call that comes again with its result, soon or late; a mere retry is no sign of life.
      { session: 'at work', id: '0', kind: 'ToolCall', ago: 3 * MINUTE },
      { session: 'at work', id: '0', kind: 'ToolCall', ago: 3 * MINUTE, after: 3 * MINUTE - 5 * SECOND },
      { session: 'long at work', id: '0', kind: 'ToolCall', ago: 20 * MINUTE },
      {
        session: 'long at work',
        id: '0',
        kind: 'ToolCall',
        ago: 20 * MINUTE,
        recorded: 20 * MINUTE - 7 * SECOND,
        after: 20 * MINUTE - 5 * SECOND,
      },
      { session: 'sent again', id: '0', kind: 'ToolCall', ago: 20 * MINUTE },
      { session: 'sent again', id: '0', kind: 'ToolCall', ago: 20 * MINUTE, after: 20 * MINUTE - 5 * SECOND },
      { session: 'ended', id: '0', kind: 'HumanMessage', ago: 20 * SECOND },
      { session: 'ended', id: '1', kind: 'SessionEnd', ago: 20 * SECOND, values: { 15: 'idle_timeout' } },
      { session: 'reopened', id: '0', kind: 'HumanMessage', ago: 9 * MINUTE },
      { session: 'reopened', id: '1', kind: 'SessionEnd', ago: 9 * MINUTE, values: { 15: 'signal' } },
      { session: 'reopened', id: '2', kind: 'HumanMessage', ago: 10 * SECOND },
    );
    const states = (await sessions('states')).map(({ prompt_id, state, reason }) => [prompt_id, state, reason]);
    expect(Object.fromEntries(states.map(([id, ...rest]) => [id, rest]))).toEqual({
      live: ['live', null],
      quiet: ['quiet', null],
      retried: ['quiet', null],
      'at work': ['live', null],
      'long at work': ['live', null],
      'sent again': ['quiet', null],
      ended: ['ended', 'idle_timeout'],
      reopened: ['live', null],
    });
  });

  test('sessions: what is not known is null, not empty', async () => {
    await store('bare', { session: 'bare', id: '0', ago: MINUTE, attributes: { 1: null, 2: null, 5: null, 20: null } });
    expect(await sessions('bare')).toEqual([
      expect.objectContaining({
        title: null,
        agent: null,
        models: [],
        author: null,
        repo: null,
        branch: null,
        turns: 0,
      }),
    ]);
  });

  test('sessions: an attribute’s model, where no event tells one', async () => {
    await store('told', { session: 'told', id: '0', kind: 'HumanMessage', ago: MINUTE, attributes: { 21: 'sonnet' } });
    expect(await sessions('told')).toEqual([expect.objectContaining({ models: ['sonnet'] })]);
  });

  test('sessions: page by page, each once, newest first, equal starts too', async () => {
    const starts = [5, 3, 3, 3, 9, 1].map((hours) => hours * 60 * MINUTE);
    await store('pages', ...starts.map((ago, n): Fields => ({ session: `s${n}`, id: '0', kind: 'HumanMessage', ago })));
    // A retry that says less, and says it of another day.
    await store('pages', { session: 's1', id: '0', ago: 2 * DAY, values: { 7: null } });
    const seen: unknown[] = [];
    let after: Row = {};
    for (;;) {
      const page = await sessions('pages', { limit: 2, ...after });
      if (page.length === 0) break;
      seen.push(...page.map(({ prompt_id }) => prompt_id));
      const last = page[page.length - 1];
      after = { before: last.filed, before_prompt_id: last.prompt_id };
    }
    expect(seen).toEqual(['s5', 's3', 's2', 's0', 's4', 's1']);
  });

  test('sessions: none of another org, none outside the window', async () => {
    await store(
      'window',
      { session: 'old', id: '0', kind: 'HumanMessage', ago: 8 * DAY },
      { session: 'long', id: '0', kind: 'HumanMessage', ago: 8 * DAY },
      { session: 'long', id: '1', kind: 'HumanMessage', ago: DAY },
    );
    await store('window of another org', { session: 'other', id: '0', kind: 'HumanMessage', ago: MINUTE });
    expect(await sessions('window')).toEqual([
      expect.objectContaining({ prompt_id: 'long', start: dateTime64(NOW - 8 * DAY), turns: 2 }),
    ]);
  });

  test('one session: its chain, with unknown durations as unknown', async () => {
    await store(
      'session',
      { session: 's', id: '2', kind: 'SessionEnd', ago: MINUTE, values: { 2: 's:lost', 15: 'signal' } },
      { session: 's', id: '1', kind: 'ToolCall', ago: MINUTE, values: { 2: 's:0', 3: true, 4: 'Bash', 8: 0 } },
      { session: 's', id: '0', kind: 'HumanMessage', ago: 2 * MINUTE, values: { 2: null, 11: 'hi' } },
      { session: 'another', id: '0', kind: 'HumanMessage', ago: 2 * MINUTE },
    );
    const chain = await ask('session', 'session', { prompt_id: 's', ...WHOLE });
    expect(
      chain.map((row) => [
        row.event_id,
        row.parent_id,
        row.parent_id_estimated,
        row.parent_known,
        row.reported_duration_ms,
        row.observed_duration_ms,
      ]),
    ).toEqual([
      ['s:0', null, false, null, null, null],
      ['s:1', 's:0', true, 1, 0, null],
      ['s:2', 's:lost', false, 0, null, null],
    ]);
  });

  test('tools: rates of the outcomes that are known, percentiles of the durations that are known', async () => {
    const bash = (n: number, values: Record<number, unknown>): Fields => ({
      session: 's',
      id: `b${n}`,
      kind: 'ToolCall',
      ago: DAY,
      values: { 4: 'Bash', ...values },
    });
    await store(
      'tools',
      ...Array.from({ length: 20 }, (_, n) => bash(n, { 6: n < 5, 9: (n + 1) * 100 })),
      // The same calls again, poorer.
      ...Array.from({ length: 20 }, (_, n) => bash(n, { 4: null })),
      bash(20, {}),
      { session: 't', id: '0', kind: 'McpCall', ago: DAY, values: { 4: 'mcp__gh__issue_read', 8: 7 } },
      { session: 't', id: '1', kind: 'HumanMessage', ago: DAY, values: { 4: 'not a tool' } },
      { session: 't', id: '2', kind: 'ToolCall', ago: 9 * DAY, values: { 4: 'long ago' } },
    );
    expect(await ask('tools', 'tools', WINDOW)).toEqual([
      {
        tool: 'Bash',
        mcp_server: null,
        calls: 21,
        errors: 5,
        unknown_outcome: 1,
        error_rate: 0.25,
        sessions: 1,
        observed_p50_ms: 1000,
        observed_p95_ms: 1900,
        reported_p50_ms: null,
        reported_p95_ms: null,
      },
      {
        tool: 'mcp__gh__issue_read',
        mcp_server: 'gh',
        calls: 1,
        errors: 0,
        unknown_outcome: 1,
        error_rate: null,
        sessions: 1,
        observed_p50_ms: null,
        observed_p95_ms: null,
        reported_p50_ms: 7,
        reported_p95_ms: 7,
      },
    ]);
  });

  test('longest: by the time from the first event to the last', async () => {
    const at = (session: string, id: string, ago: number): Fields => ({ session, id, kind: 'ToolCall', ago });
    await store(
      'longest',
      at('a', '0', 9 * MINUTE),
      at('a', '1', 8 * MINUTE),
      at('b', '0', 30 * MINUTE),
      at('b', '1', 20 * MINUTE),
      at('c', '0', 2 * MINUTE),
    );
    const longest = async (limit: number) =>
      (await ask('longest', 'longest', { ...WINDOW, limit })).map(({ prompt_id }) => ({ prompt_id }));
    expect(await longest(10)).toEqual([{ prompt_id: 'b' }, { prompt_id: 'a' }, { prompt_id: 'c' }]);
    expect(await longest(1)).toEqual([{ prompt_id: 'b' }]);
  });

  describe('friction', () => {
    const RULES = { rules: ['no', 'still'], weights: [1, 2], patterns: ['^no,', 'still broken'], most_signals: 20 };
    const friction = (name: string, org: string, parameters: Row = {}) =>
      ask(name, org, { ...WINDOW, ...RULES, threshold: 2, only_rules: [], only_tools: [], ...parameters });
    const says = (session: string, id: string, ago: number, text: string, hash = `${session} ${id}`): Fields => ({
      session,
      id,
      kind: 'HumanMessage',
      ago,
      values: { 10: hash, 11: text },
    });
    const calls = (session: string, id: string, ago: number, error: boolean | undefined, tool = 'Bash'): Fields => ({
      session,
      id,
      kind: 'ToolCall',
      ago,
      values: { 4: tool, 6: error },
    });
    const rulesOf = ([row]: Row[]) =>
      (row?.signals as Row[] | undefined)?.map(({ rule, event_id }) => [rule, event_id]) ?? [];

    test('words, by session and by the tool before', async () => {
      await store(
        'friction',
        says('a', '0', 9 * MINUTE, 'no, the first message never counts'),
        calls('a', '1', 8 * MINUTE, false),
        says('a', '2', 7 * MINUTE, 'No, not so'),
        says('a', '3', 6 * MINUTE, 'it is STILL BROKEN'),
        calls('a', '4', 5 * MINUTE, false, 'Edit'),
        says('a', '5', 4 * MINUTE, 'no, try again'),
        says('b', '0', 4 * MINUTE, 'do it'),
        says('b', '1', 3 * MINUTE, 'no, alone it is too little'),
      );
      const signal = (rule: string, weight: number, id: string, ago: number, tool_before: string, text: string) => ({
        rule,
        weight,
        event_id: `a:${id}`,
        event_ts: dateTime64(NOW - ago),
        tool_before,
        text,
      });
      const signals = [
        signal('no', 1, '2', 7 * MINUTE, 'Bash', 'No, not so'),
        signal('still', 2, '3', 6 * MINUTE, 'Bash', 'it is STILL BROKEN'),
        signal('no', 1, '5', 4 * MINUTE, 'Edit', 'no, try again'),
      ];
      const session = { prompt_id: 'a', repo_url: 'git@host:repo', score: 4, signal_count: 3 };
      expect(await friction('friction', 'friction', { limit: 10 })).toEqual([{ ...session, signals }]);
      const only = (parameters: Row) => friction('friction', 'friction', { limit: 10, ...parameters });
      expect(await only({ only_rules: ['still'] })).toEqual([{ ...session, signal_count: 1, signals: [signals[1]] }]);
      expect(await only({ only_tools: ['Edit', 'Read'] })).toEqual([
        { ...session, signal_count: 1, signals: [signals[2]] },
      ]);
      expect(await only({ only_rules: ['still'], only_tools: ['Edit'] })).toEqual([]);
      expect(await only({ only_tools: [''] })).toEqual([]);
      expect(await friction('friction_by', 'friction')).toEqual([
        { dimension: 'repo', value: 'git@host:repo', signals: 3, score: 4, sessions: 1 },
        { dimension: 'rule', value: 'no', signals: 2, score: 2, sessions: 1 },
        { dimension: 'rule', value: 'still', signals: 1, score: 2, sessions: 1 },
        { dimension: 'tool_before', value: 'Bash', signals: 2, score: 3, sessions: 1 },
        { dimension: 'tool_before', value: 'Edit', signals: 1, score: 1, sessions: 1 },
      ]);
      expect(await friction('friction_by', 'friction', { threshold: 1 })).toContainEqual({
        dimension: 'tool_before',
        value: null,
        signals: 1,
        score: 1,
        sessions: 1,
      });
    });

    test('code, quotes, tags and what stands far behind are not the human’s words', async () => {
      await store(
        'quoted',
        says('a', '0', 9 * MINUTE, 'do it'),
        says('a', '1', 8 * MINUTE, '```\nstill broken\n```'),
        says('a', '2', 7 * MINUTE, 'the log says `still broken` here'),
        says('a', '3', 6 * MINUTE, '> still broken\nis what he said'),
        says('a', '4', 5 * MINUTE, `${'x '.repeat(150)}still broken`),
        says('a', '5', 4 * MINUTE, '<b>still broken</b>'),
      );
      expect(rulesOf(await friction('friction', 'quoted', { threshold: 1, limit: 10 }))).toEqual([['still', 'a:5']]);
    });

    test('without words: failed calls in a row, a message after one, the same message again, an end on one', async () => {
      await store(
        'wordless',
        says('a', '0', 20 * MINUTE, 'same', 'same'),
        calls('a', '1', 19 * MINUTE, true),
        calls('a', '2', 18 * MINUTE, undefined),
        calls('a', '3', 17 * MINUTE, true),
        calls('a', '4', 16 * MINUTE, true),
        says('a', '5', 15.5 * MINUTE, 'same', 'same'),
        calls('a', '6', 14 * MINUTE, true),
        calls('a', '7', 13 * MINUTE, false),
        calls('a', '8', 12 * MINUTE, true),
      );
      expect(rulesOf(await friction('friction', 'wordless', { threshold: 1, limit: 10 }))).toEqual([
        ['failed calls in a row', 'a:4'],
        ['message after a failed call', 'a:5'],
        ['same message again', 'a:5'],
        ['ends on a failed call', 'a:8'],
      ]);
    });
  });

  test('events at one time stand in the order of their parents', async () => {
    const at = { session: 'chain', ago: MINUTE };
    // By their ids they would stand the other way round: a typed command and its skill, then a long chain.
    const chain = ['z', 'y', 'x', 'w', 'v', 'u', 't', 's', 'r'];
    await store(
      'chain',
      ...chain.map(
        (id, n): Fields => ({
          ...at,
          id,
          kind: n === 0 ? 'HumanMessage' : n === 1 ? 'SkillInvocation' : 'ToolCall',
          values: { 2: n === 0 ? null : `chain:${chain[n - 1]}` },
        }),
      ),
      // Two that name each other as parents, and one that names itself, are shown all the same.
      { ...at, id: 'b', kind: 'AiMessage', values: { 2: 'chain:a' } },
      { ...at, id: 'a', kind: 'AiMessage', values: { 2: 'chain:b' } },
      { ...at, id: 'c', kind: 'AiMessage', values: { 2: 'chain:c' } },
      { ...at, id: '0', kind: 'SessionEnd', values: { 2: 'chain:r', 15: 'signal' } },
    );
    const rows = await ask('session', 'chain', { prompt_id: 'chain', ...WHOLE });
    const ids = rows.map(({ event_id }) => String(event_id).split(':')[1]);
    expect(ids.filter((id) => chain.includes(id as string))).toEqual(chain);
    expect(ids).toHaveLength(chain.length + 4);
    expect(ids.at(-1)).toBe('0');
    expect(rows.map(({ gap_ms }) => gap_ms)).toEqual([null, ...Array(12).fill(0)]);
    const [page] = await ask('session', 'chain', { prompt_id: 'chain', offset: 2, limit: 1 });
    expect(page?.event_id).toBe(rows[2]?.event_id);

    // However long the chain: what copies all events for each of them would run out of memory or time.
    const long = Array.from({ length: 20_000 }, (_, n) => String(99_999 - n));
    await store(
      'long',
      ...long.map(
        (id, n): Fields => ({ ...at, id, kind: 'AiMessage', values: { 2: n === 0 ? null : `chain:${long[n - 1]}` } }),
      ),
    );
    const found = await ask('session', 'long', { prompt_id: 'chain', offset: 0, limit: 100_000 });
    expect(found.map(({ event_id }) => String(event_id).split(':')[1])).toEqual(long);
    expect(found.at(-1)).toMatchObject({ event_count: 20_000, parent_known: 1 });
  });

  test('p50 and p95 are by nearest rank: 100 and 200 ms give 100 and 200', async () => {
    const call = (id: string, ms: number): Fields => ({
      session: 's',
      id,
      kind: 'ToolCall',
      ago: MINUTE,
      values: { 4: 'Bash', 9: ms },
    });
    await store('ranks', call('0', 200), call('1', 100));
    expect(await ask('tools', 'ranks', WINDOW)).toEqual([
      expect.objectContaining({ observed_p50_ms: 100, observed_p95_ms: 200 }),
    ]);
  });

  test('a blank first message gives the next one’s title', async () => {
    const says = (session: string, id: string, text: string): Fields => ({
      session,
      id,
      kind: 'HumanMessage',
      ago: MINUTE - Number(id) * SECOND,
      values: { 11: text },
    });
    const titles: Record<string, [string, ...string[]]> = {
      'Please fix the parser': ['Please fix the parser', ' \n\t ', 'Please fix the parser', 'And then something else'],
      'Explain this function': ['Explain this function', '/clear', '/model opus', 'Explain this function'],
      'Why is the selection empty?': [
        'Why is the selection empty?',
        '<ide_opened_file>The user opened a.ts</ide_opened_file>\nWhy is the selection empty?',
      ],
      'The real question is this one here': [
        'The real question is this one here',
        '\u200b'.repeat(14),
        '\u2066\ufeff \u2069',
        'The real question is this one here',
      ],
      'Make the tests pass again': ['Make the tests pass again', 'hi', 'ok', 'Make the tests pass again'],
      'Summarise what I have pasted': [
        'Summarise what I have pasted',
        '[Pasted text #1 +200 lines]\n```\nlots of code that is no title\n```\nSummarise what I have pasted',
      ],
      '/home/ann/notes.md is out of date': ['/home/ann/notes.md is out of date', '/home/ann/notes.md is out of date'],
      hi: ['hi', 'hi'],
      '/compact': ['/compact', '/compact'],
    };
    for (const [session, [, ...texts]] of Object.entries(titles)) {
      await store('titles', ...texts.map((text, n) => says(session, String(n), text)));
    }
    await store('titles', says('cut off', '0', `<ide_selection>${'x'.repeat(900)}`));
    const found = Object.fromEntries((await sessions('titles')).map(({ prompt_id, title }) => [prompt_id, title]));
    expect(found).toEqual({
      ...Object.fromEntries(Object.entries(titles).map(([session, [title]]) => [session, title])),
      'cut off': null,
    });
  });

  test('a skill whose path is literally `unresolved` is not the unresolved row', async () => {
    const skill = (id: string, path: string | undefined): Fields => ({
      session: 's',
      id,
      kind: 'SkillInvocation',
      ago: MINUTE,
      values: { 4: 'Skill', 12: path },
    });
    await store('literally', skill('0', 'unresolved'), skill('1', undefined), skill('2', undefined));
    const rows = await ask('skills', 'literally', WINDOW);
    expect(rows.map(({ path, invocations }) => [path, invocations])).toEqual([
      [null, 2],
      ['unresolved', 1],
    ]);
  });

  test('a session in the future of a broken clock is found while it is live, and files nothing years away', async () => {
    await store('ahead', {
      session: 's',
      id: '0',
      kind: 'HumanMessage',
      ago: -20 * 60 * MINUTE,
      after: -20 * 60 * MINUTE - 5 * SECOND,
    });
    const now = { from: dateTime64(NOW - 60 * MINUTE), to: dateTime64(NOW + SECOND) };
    expect(await sessions('ahead', now)).toEqual([expect.objectContaining({ prompt_id: 's', state: 'live' })]);
  });

  test.each([
    ['0', 0],
    ['in seconds', Math.floor((NOW - MINUTE) / 1000)],
  ])('a start_ts that is %s falls back to t', async (name, startTs) => {
    await store(
      `start_ts ${name}`,
      { session: 's', id: '0', kind: 'HumanMessage', ago: 2 * MINUTE },
      { session: 's', id: '1', kind: 'AiMessage', ago: MINUTE, values: { 7: startTs } },
    );
    expect(await sessions(`start_ts ${name}`)).toEqual([expect.objectContaining({ duration_ms: MINUTE })]);
  });

  test('filters: one of several values, none of others, what is not reported, text, state', async () => {
    const event = (
      session: string,
      attributes: Record<number, unknown>,
      values: Record<number, unknown> = {},
    ): Fields => ({
      session,
      id: '0',
      kind: 'HumanMessage',
      ago: 2 * MINUTE,
      attributes,
      values,
    });
    await store(
      'filters',
      event('a', { 1: 'r1', 2: 'ann', 21: 'opus' }, { 11: 'An ÜMLAUT' }),
      event('b', { 1: 'r2', 2: null, 21: 'haiku' }),
      event('c', { 1: null, 2: 'bob', 21: null }),
      {
        session: 'c',
        id: '1',
        kind: 'ToolCall',
        ago: 10 * SECOND,
        values: { 4: 'Bash' },
        attributes: { 1: null, 2: 'bob' },
      },
    );
    const found = async (filters: Record<string, string[]>) =>
      (await sessions('filters', { filters })).map(({ prompt_id }) => prompt_id).sort();
    expect(await found({})).toEqual(['a', 'b', 'c']);
    expect(await found({ repo: ['r1', 'r2'] })).toEqual(['a', 'b']);
    expect(await found({ repo: ['r1', ''] })).toEqual(['a', 'c']);
    expect(await found({ 'not repo': [''] })).toEqual(['a', 'b']);
    expect(await found({ author: [''], repo: ['r1'] })).toEqual([]);
    expect(await found({ model: ['haiku'] })).toEqual(['b']);
    expect(await found({ tool: ['Bash'] })).toEqual(['c']);
    expect(await found({ state: ['live'] })).toEqual(['c']);
    expect(await found({ 'not state': ['live'] })).toEqual(['a', 'b']);
    expect(await found({ text: ['ümlaut'] })).toEqual(['a']);
    expect(await found({ session: ["b' OR 1=1 --"] })).toEqual([]);
  });

  test('overview: by day of a zone, a gap on the day on which it begins', async () => {
    const midnight = Date.UTC(2026, 10, 21);
    const at = (id: string, ms: number, kind: PromptEventKind, values: Record<number, unknown> = {}): Fields => ({
      session: 's',
      id,
      kind,
      ago: NOW - ms,
      values,
    });
    await store(
      'days',
      at('0', midnight - MINUTE, 'HumanMessage'),
      at('1', midnight + MINUTE, 'ToolCall', { 4: 'Bash', 6: true }),
      at('2', midnight + 2 * MINUTE, 'ToolCall', { 4: 'Bash' }),
      at('3', midnight + 60 * MINUTE, 'AiMessage'),
    );
    const day = { sessions: 1, active_ms: 0, turns: 0, tool_calls: 0, errors: 0, unknown_outcome: 0 };
    expect(await ask('overview', 'days', { ...WINDOW, timezone: 'UTC' })).toEqual([
      { ...day, day: '2026-11-20', active_ms: 2 * MINUTE, turns: 1 },
      { ...day, day: '2026-11-21', active_ms: MINUTE, tool_calls: 2, errors: 1, unknown_outcome: 1 },
    ]);
    expect(await ask('overview', 'days', { ...WINDOW, timezone: 'America/New_York' })).toEqual([
      { ...day, day: '2026-11-20', active_ms: 3 * MINUTE, turns: 1, tool_calls: 2, errors: 1, unknown_outcome: 1 },
    ]);
    expect(await ask('totals', 'days', WINDOW)).toEqual([
      {
        sessions: 1,
        live: 0,
        quiet: 1,
        ended: 0,
        newest_arrival: dateTime64(midnight + 60 * MINUTE + 2 * SECOND),
        newest_event: dateTime64(midnight + 60 * MINUTE),
      },
    ]);
  });

  describe('events that an agent copied into another session count once', () => {
    const asked = { session: 'original', ago: 60 * MINUTE, kind: 'HumanMessage', values: { 10: 'h0' } } as const;
    const called = {
      session: 'original',
      ago: 59 * MINUTE,
      kind: 'ToolCall',
      values: { 4: 'Bash', 5: 'opus', 6: true, 9: 100, 10: 'h1' },
    } as const;
    const skill = {
      session: 'original',
      ago: 58 * MINUTE,
      kind: 'SkillInvocation',
      values: { 4: 'tdd', 5: 'opus', 6: false, 10: 'h2', 12: '/skills/tdd/SKILL.md' },
    } as const;
    const history = [asked, called, skill].map((event, n) => ({ ...event, id: String(n) }));
    const copies = (session: string, count: number, after: number) =>
      history.slice(0, count).map((event) => ({ ...event, session, after: event.ago - after }));
    /** A resumed session has all of the original's events, a forked one the first two. Each has one call of its own. */
    const more = (session: string, ago: number) => ({
      session,
      id: 'more',
      kind: 'ToolCall' as const,
      ago,
      values: { 4: 'Bash', 5: 'opus', 6: false, 9: 300, 10: 'h3' },
    });
    const all = [
      ...history,
      ...copies('resumed', 3, 30 * MINUTE),
      more('resumed', 29 * MINUTE),
      ...copies('forked', 2, 20 * MINUTE),
      more('forked', 19 * MINUTE),
    ];

    async function check(org: string, from = 'original'): Promise<void> {
      const others = ['original', 'resumed', 'forked'].filter((session) => session !== from);
      const counts = (await sessions(org)).map((row) => [row.prompt_id, [row.turns, row.tool_calls, row.errors]]);
      expect(Object.fromEntries(counts)[from]).toEqual(from === 'original' ? [1, 2, 1] : [1, 3, 1]);
      for (const other of others) {
        expect(Object.fromEntries(counts)[other]).toEqual([0, other === 'original' ? 0 : 1, 0]);
      }
      const [day] = await ask('overview', org, { ...WINDOW, timezone: 'UTC' });
      expect(day).toMatchObject({ sessions: from === 'original' ? 3 : 2, turns: 1, tool_calls: 4, errors: 1 });
      expect(await ask('tools', org, WINDOW)).toMatchObject([
        { tool: 'Bash', calls: 3, errors: 1, observed_p50_ms: 300 },
        { tool: 'tdd', calls: 1 },
      ]);
      expect(await ask('models', org, WINDOW)).toMatchObject([{ turns: 1, tool_calls: 4, errors: 1 }]);
      expect(await ask('skills', org, WINDOW)).toMatchObject([{ invocations: 1, sessions: 1 }]);
      expect(await ask('agents', org, WINDOW)).toMatchObject([{ turns: 1, calls: 4, errors: 1 }]);
      for (const filters of [
        { failed: ['*'] },
        { failed: ['Bash'] },
        { skill: ['/skills/tdd/SKILL.md'] },
        { tool: ['tdd'] },
      ]) {
        const found = (await sessions(org, { filters })).map((row) => row.prompt_id);
        expect([filters, found]).toEqual([filters, [from]]);
      }
      const without = (await sessions(org, { filters: { 'not tool': ['tdd'] } })).map((row) => row.prompt_id);
      expect(without.sort()).toEqual(others.sort());
      const values = await ask('filter_values', org, { ...WINDOW, limit: 10 });
      expect(values.filter(({ filter }) => filter === 'tool')).toEqual([
        { filter: 'tool', value: 'Bash', sessions: from === 'original' ? 3 : 2 },
        { filter: 'tool', value: 'tdd', sessions: 1 },
      ]);
      const marks = (session: string) =>
        ask('session', org, { prompt_id: session, ...WHOLE }).then((rows) => rows.map((row) => row.copied_from));
      expect(await marks(from)).toEqual(from === 'original' ? [null, null, null] : [null, null, null, null]);
      expect(await marks('forked')).toEqual([from, from, null]);
    }

    test('resumed and forked, as they happen', async () => {
      await store('copies', ...all);
      await check('copies');
    });

    test('a filter for an MCP server finds no copies of its calls', async () => {
      const search = { ...called, id: 'mcp', kind: 'McpCall' as const, values: { 4: 'mcp__github__search', 10: 'h9' } };
      const copied = [asked, search].map((event) => ({ ...event, session: 'resumed', after: event.ago - 30 * MINUTE }));
      await store(
        'mcp copies',
        { ...asked, id: '0' },
        search,
        { id: '0', ...copied[0] } as Fields,
        copied[1] as Fields,
      );
      const found = await sessions('mcp copies', { filters: { mcp_server: ['github'] } });
      expect(found.map((row) => row.prompt_id)).toEqual(['original']);
    });

    test('in another order, partly again, a copy from another upload', async () => {
      await store('copies in disorder', ...shuffle(random(7), [...all, ...all.slice(2, 7)]));
      await check('copies in disorder');
    });

    test('the session that arrived first is the original, whatever the sessions’ names', async () => {
      const early = history.map((event) => ({ ...event, session: 'resumed', after: SECOND }));
      const late = history.map((event) => ({ ...event, after: event.ago - 25 * MINUTE }));
      await store('copies first', ...late, ...early, more('resumed', 29 * MINUTE), ...all.slice(-3));
      await check('copies first', 'resumed');
    });

    test('a filter on the copy’s session does not bring the copies back', async () => {
      const filters = { session: ['forked'] };
      expect(await ask('tools', 'copies', { ...WINDOW, filters })).toMatchObject([
        { tool: 'Bash', calls: 1, errors: 0 },
      ]);
    });

    test('the same words at another time, by another author, or twice in one session are no copies', async () => {
      await store(
        'not copies',
        { ...asked, id: '0' },
        { ...asked, id: '1' },
        { ...asked, id: '0', session: 'a second later', ago: asked.ago - SECOND },
        { ...asked, id: '0', session: 'bob’s', attributes: { 2: 'bob' } },
        { ...asked, id: '0', session: 'without a hash', values: { 10: null } },
      );
      const [day] = await ask('overview', 'not copies', { ...WINDOW, timezone: 'UTC' });
      expect(day).toMatchObject({ sessions: 4, turns: 5 });
    });

    test('a session of copies alone is still listed, with their times', async () => {
      await store('only copies', ...history, ...copies('resumed', 3, 30 * MINUTE));
      const found = await sessions('only copies', { filters: { session: ['resumed'] } });
      expect(found).toMatchObject([{ turns: 0, tool_calls: 0, start: dateTime64(NOW - 60 * MINUTE) }]);
    });
  });

  test('recurring failures, by tool and repository; MCP servers', async () => {
    const call = (id: string, error: boolean, repo: string): Fields => ({
      session: repo,
      id,
      kind: 'McpCall',
      ago: MINUTE,
      values: { 4: `mcp__gh__${id}`, 6: error },
      attributes: { 1: repo },
    });
    const edit = (id: string, repo: string): Fields => ({
      session: repo,
      id,
      kind: 'FileWrite',
      ago: MINUTE,
      values: { 4: 'Edit', 6: true },
      attributes: { 1: repo },
    });
    await store(
      'failures',
      call('0', true, 'r1'),
      call('1', false, 'r1'),
      edit('2', 'r1'),
      edit('3', 'r1'),
      edit('4', 'r2'),
    );
    expect(await ask('failures', 'failures', { ...WINDOW, limit: 5 })).toEqual([
      expect.objectContaining({
        tool: 'Edit',
        repo: 'r1',
        errors: 2,
        known_outcomes: 2,
        sessions: 1,
        last_prompt_id: 'r1',
      }),
    ]);
    expect(await ask('mcp_servers', 'failures', WINDOW)).toEqual([
      expect.objectContaining({ mcp_server: 'gh', tools: 2, calls: 2, errors: 1, error_rate: 0.5 }),
    ]);
  });

  test('MCP servers of every agent’s names, and of no tool that only looks alike', async () => {
    const call = (id: string, kind: PromptEventKind, tool: string): Fields => ({
      session: id,
      id: '0',
      kind,
      ago: MINUTE,
      values: { 4: tool },
    });
    await store(
      'mcp',
      call('claude', 'McpCall', 'mcp__gh__issue__read'),
      call('droid', 'McpCall', 'my_tracker___find'),
      call('gemini', 'McpCall', 'mcp_gh_issue_read'),
      call('earlier gemini', 'McpCall', 'my_tracker__find'),
      call('opencode', 'McpCall', 'gh_issue_read'),
      call('cursor', 'McpCall', 'MCP:issue_read'),
      call('shell', 'ToolCall', 'run_shell_command'),
      call('patch', 'FileWrite', 'apply_patch'),
    );
    expect(await ask('mcp_servers', 'mcp', WINDOW)).toEqual([
      expect.objectContaining({ mcp_server: 'gh', tools: 3, calls: 3, sessions: 3 }),
      expect.objectContaining({ mcp_server: 'my_tracker', tools: 2, calls: 2, sessions: 2 }),
    ]);
    const tools = await ask('tools', 'mcp', WINDOW);
    expect(Object.fromEntries(tools.map(({ tool, mcp_server }) => [tool, mcp_server]))).toEqual({
      mcp__gh__issue__read: 'gh',
      my_tracker___find: 'my_tracker',
      mcp_gh_issue_read: 'gh',
      my_tracker__find: 'my_tracker',
      gh_issue_read: 'gh',
      'MCP:issue_read': null,
      run_shell_command: null,
      apply_patch: null,
    });
    const found = await sessions('mcp', { filters: { mcp_server: ['gh'] } });
    expect(found.map(({ prompt_id }) => prompt_id).sort()).toEqual(['claude', 'gemini', 'opencode']);
  });

  test('models: turns for the model that answers, errors for the one that acted', async () => {
    await store(
      'models',
      { session: 's', id: '0', kind: 'HumanMessage', ago: 9 * MINUTE },
      { session: 's', id: '1', kind: 'AiMessage', ago: 8 * MINUTE, values: { 5: 'opus' } },
      { session: 's', id: '2', kind: 'ToolCall', ago: 7 * MINUTE, values: { 4: 'Bash', 5: 'opus', 6: true } },
      { session: 's', id: '3', kind: 'HumanMessage', ago: 6 * MINUTE },
      { session: 's', id: '4', kind: 'AiMessage', ago: 5 * MINUTE, values: { 5: 'haiku' } },
      { session: 's', id: '5', kind: 'HumanMessage', ago: 4 * MINUTE },
    );
    expect(await ask('models', 'models', WINDOW)).toEqual([
      { used_model: 'haiku', turns: 1, tool_calls: 0, errors: 0, sessions: 1 },
      { used_model: 'opus', turns: 1, tool_calls: 1, errors: 1, sessions: 1 },
      // Nobody has answered the last message.
      { used_model: null, turns: 1, tool_calls: 0, errors: 0, sessions: 1 },
    ]);
  });

  test('models: an attribute’s model, in a session where no event tells one', async () => {
    const told = (
      session: string,
      id: string,
      kind: PromptEventKind,
      values: Record<number, unknown> = {},
    ): Fields => ({
      session,
      id,
      kind,
      ago: MINUTE,
      values,
      attributes: { 21: 'told' },
    });
    await store(
      'told models',
      told('a', '0', 'HumanMessage'),
      told('a', '1', 'ToolCall', { 4: 'Bash', 6: true }),
      told('b', '0', 'HumanMessage'),
      told('b', '1', 'AiMessage', { 5: 'opus' }),
    );
    expect(await ask('models', 'told models', WINDOW)).toEqual([
      { used_model: 'opus', turns: 1, tool_calls: 0, errors: 0, sessions: 1 },
      { used_model: 'told', turns: 1, tool_calls: 1, errors: 1, sessions: 1 },
    ]);
  });

  test('skills: unresolved ones are one row', async () => {
    const skill = (session: string, id: string, values: Record<number, unknown>): Fields => ({
      session,
      id,
      kind: 'SkillInvocation',
      ago: MINUTE,
      values: { 4: 'Skill', ...values },
    });
    await store(
      'skills',
      skill('a', '0', { 12: '/s/SKILL.md', 13: 5, 14: 'x' }),
      skill('a', '0', {}),
      skill('b', '0', { 12: '/s/SKILL.md', 13: 9, 14: 'y' }),
      skill('b', '1', { 4: 'one' }),
      skill('b', '2', { 4: 'two' }),
      skill('b', '3', { 4: 'two' }),
    );
    const rows = await ask('skills', 'skills', WINDOW);
    expect(rows).toEqual([
      expect.objectContaining({ path: null, invocations: 3, last_edited: null, distinct_versions: 0 }),
      {
        path: '/s/SKILL.md',
        name: 'Skill',
        invocations: 2,
        first_seen: NOW - MINUTE,
        last_edited: 9,
        sessions: 2,
        distinct_users: 1,
        distinct_versions: 2,
      },
    ]);
  });

  // It reads deliveries, whatever is merged.
  if (source === 'deliveries') {
    test('the leaderboard, as it stands but for its `?`, is right however often and in whatever order events came', async () => {
      const orgId = "an org's";
      const uploads = Array.from({ length: 60 }, (_, n) => session(n, { fields: 'any', contradictions: false }));
      for (const { deliveries } of uploads.flat()) {
        for (const { v } of deliveries) {
          // Of few skills, so that they have something to be grouped by; of two kinds, so that some aren't skills'.
          if (v[0] != null) v[0] = Number.parseInt(String(v[1]).slice(-1), 16) % 2 ? 'ToolCall' : 'SkillInvocation';
          if (v[12] != null) v[12] = `/skills/${Number.parseInt(String(v[1]).slice(14, 16), 16) % 3}/SKILL.md`;
        }
      }
      const deliveries = shuffle(random(1), uploads.flat()).map((upload) => rowsOf(upload, orgId));
      for (let n = 0; n < deliveries.length; n += 50) await clickHouse.insert(joinRows(deliveries.slice(n, n + 50)));

      const expected = new Map<unknown, Row[]>();
      for (const event of uploads.flatMap((each) => converged(each, orgId))) {
        if (event.kind !== 'SkillInvocation') continue;
        expected.set(event.skill_file_path, [...(expected.get(event.skill_file_path) ?? []), event]);
      }
      const known = (events: Row[], column: string) =>
        events.map((event) => event[column]).filter((each) => each !== null);
      const distinct = (events: Row[], column: string) => new Set(known(events, column)).size;
      const leaderboard = sqlFile('queries', 'leaderboard.sql');
      expect(leaderboard.match(/\?/g)).toHaveLength(1);
      const rows = await clickHouse.rows(leaderboard.replace('?', '{org:String}'), { org: orgId });
      expect(rows).toHaveLength(expected.size);
      expect(expected.size).toBe(4);
      for (const { name, ...row } of rows) {
        const events = expected.get(row.path) as Row[];
        const most = (column: string) => (known(events, column) as number[]).sort((a, b) => b - a);
        expect(row).toEqual({
          path: row.path,
          first_seen: most('start_ts').pop() ?? null,
          last_edited: most('skill_file_mtime')[0] ?? null,
          sessions: distinct(events, 'prompt_id'),
          distinct_users: distinct(events, 'human_author'),
          distinct_versions: distinct(events, 'skill_file_hash'),
        });
        expect(known(events, 'tool_call_name')).toContain(name);
      }

      // skills.sql comes to the same by a shorter way.
      const figures = ({ path, first_seen, last_edited, sessions, distinct_users, distinct_versions }: Row) =>
        JSON.stringify([path, first_seen, last_edited, sessions, distinct_users, distinct_versions]);
      const skills = await ask('skills', orgId, { ...WINDOW, from: dateTime64(Date.UTC(2020)) });
      expect(skills.map(figures).sort()).toEqual(rows.map(figures).sort());
      expect(skills.map(({ invocations }) => invocations)).toEqual(
        [...expected.values()].map(({ length }) => length).sort((a, b) => b - a),
      );
    });
  }

  // With sessions of both kinds, and all that makes a query longest.
  if (source === 'merged events') {
    test('what filters don’t need is left out, and no answer changes', async () => {
      const event = { session: 'filtered', kind: 'ToolCall' as const, ago: MINUTE };
      await store(
        'shortened',
        { ...event, id: '0', kind: 'HumanMessage', values: { 11: 'still broken' } },
        { ...event, id: '1', values: { 4: 'mcp__gh__issues', 5: 'opus', 6: true } },
        { ...event, id: '2', kind: 'SkillInvocation', values: { 4: 'check', 12: '/SKILL.md' } },
        {
          ...event,
          session: 'other',
          id: '0',
          kind: 'HumanMessage',
          values: { 11: 'hello' },
          attributes: { 1: 'else' },
        },
      );
      const unmerged = {
        v: 1,
        events: [{ t: NOW / SECOND, e: 5, v: { 0: 'ToolCall', 1: 'new:0', 4: 'Edit' }, a: { 1: 'else', 22: 'new' } }],
      };
      await clickHouse.upload(JSON.stringify(unmerged), { orgId: 'shortened', receivedAtMs: NOW });
      const others = { timezone: 'UTC', threshold: 1, only_rules: [], only_tools: [], ...FIRST_PAGE };
      const parameters = { org_id: 'shortened', ...WINDOW, ...others, ...frictionParameters(defaultFriction) };
      const names = readdirSync(join(SQL_FOLDER, 'queries')).map((name) => name.replace('.sql', ''));
      const selecting = names.filter((name) => namedQuery(name).includes('{filters:'));
      expect(selecting.length).toBeGreaterThan(10);
      for (const filters of [{}, { session: ['filtered'] }, { session: ['filtered', 'other'], repo: ['else'] }]) {
        for (const name of selecting) {
          const [whole, short] = [namedQuery(name), queryFor(name, filters as Record<string, string[]>)];
          expect(short.length).toBeLessThan(whole.length);
          const bound = Object.entries({ ...parameters, filters }).filter(([each]) => whole.includes(`{${each}:`));
          const answer = (sql: string) => clickHouse.rows(sql, Object.fromEntries(bound));
          expect([name, filters, await answer(short)]).toEqual([name, filters, await answer(whole)]);
        }
      }
      for (const filter of ['text', 'failed', 'unknown', 'skill', 'without_model']) {
        expect(queryFor('tools', { [filter]: ['one'], tool: ['Edit'] })).toBe(namedQuery('tools'));
      }
    });
  }

  test('which sessions go on and which events are copies is asked once for all queries, and no answer changes', async () => {
    const message = { kind: 'HumanMessage' as const, values: { 10: 'hash', 11: 'still broken, 修理' } };
    const call = { kind: 'ToolCall' as const, values: { 4: 'Bash', 6: true } };
    await store(
      'told',
      { session: 'first', id: '0', ago: 20 * MINUTE, ...message },
      { session: 'first', id: '1', ago: 19 * MINUTE, ...call },
      { session: 'first', id: '2', ago: 18 * MINUTE, kind: 'HumanMessage', values: { 11: 'No, undo that' } },
      // It was resumed as another session.
      { session: 'second', id: '0', ago: 20 * MINUTE, after: 10 * MINUTE, ...message },
      { session: 'second', id: '1', ago: 19 * MINUTE, after: 9 * MINUTE, ...call },
      { session: 'second', id: '2', ago: 5 * MINUTE, ...call },
      { session: "third's", id: '0', ago: 4 * MINUTE, ...call },
    );
    // Since the last run.
    const body = {
      v: 1,
      events: [
        {
          t: NOW / SECOND,
          e: 5,
          v: { 0: 'ToolCall', 1: 'x', 4: 'Edit', 6: false },
          a: { 20: 'claude', 22: "third's" },
        },
      ],
    };
    await clickHouse.upload(JSON.stringify(body), { orgId: 'told', receivedAtMs: NOW });
    const others = { timezone: 'UTC', threshold: 1, only_rules: [], only_tools: [], ...FIRST_PAGE };
    const names = readdirSync(join(SQL_FOLDER, 'queries')).map((name) => name.replace('.sql', ''));
    const told = names.filter((name) => namedQuery(name).includes('-- known: '));
    expect(told).toEqual(expect.arrayContaining(['agents', 'friction', 'overview', 'skills', 'tools']));
    for (const filters of [{}, { failed: ['Bash'] }]) {
      const parameters = { org_id: 'told', ...WINDOW, ...others, ...frictionParameters(defaultFriction), filters };
      // All queries name the same parts.
      for (const name of ['tools', 'friction']) {
        const whole = namedQuery(name);
        const bound = Object.entries(parameters).filter(([each]) => whole.includes(`{${each}:`));
        const expected = await clickHouse.rows(whole, Object.fromEntries(bound));
        expect([name, filters, await clickHouse.ask(name, parameters)]).toEqual([name, filters, expected]);
      }
    }
  });

  test('more copies than a query’s parameters hold', async () => {
    for (const [session, receivedAtMs] of [
      ['first', NOW - 2 * MINUTE],
      ['second', NOW - MINUTE],
    ] as const) {
      const events = Array.from({ length: 6_000 }, (_, n) => ({
        t: Math.floor((NOW - 60 * MINUTE) / SECOND),
        e: 5,
        v: {
          0: n % 50 ? 'ToolCall' : 'HumanMessage',
          1: `${session}:${n}`,
          4: 'Bash',
          7: NOW - 60 * MINUTE + n,
          10: `hash ${n}`,
        },
        a: { 20: 'claude', 22: session },
      }));
      const uploads = [0, 1, 2, 3, 4, 5].map((n) => {
        const body = JSON.stringify({ v: 1, events: events.slice(n * 1000, (n + 1) * 1000) });
        return encodePromptEventRows(body, { orgId: 'many copies', receivedAtMs });
      });
      await clickHouse.insert(joinRows(uploads));
    }
    if (source === 'merged events') await merger.run();
    expect(await ask('tools', 'many copies', WINDOW)).toMatchObject([{ tool: 'Bash', calls: 5_880, sessions: 1 }]);
    expect(await sessions('many copies')).toMatchObject([
      { prompt_id: 'second', tool_calls: 0 },
      { prompt_id: 'first', tool_calls: 5_880 },
    ]);
  });
};

describeWithClickHouse('the dashboard’s queries, from deliveries', queriesFrom('deliveries'));
describeWithClickHouse('the dashboard’s queries, from merged events', queriesFrom('merged events'));

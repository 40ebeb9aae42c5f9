import { encodePromptEventRows, joinRows, type PromptEventKind } from 'git-ai-metrics';
import { dateTime64 } from '../../__test__/rows-model';
import { ClickHouse, describeWithClickHouse, type Row, sqlFile } from './support/clickhouse.ts';
import { converged, random, rowsOf, session, shuffle } from './support/deliveries.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const WINDOW = { from: dateTime64(NOW - 7 * DAY), to: dateTime64(NOW + DAY) };
const FIRST_PAGE = { now: dateTime64(NOW), before: '2299-12-31 23:59:59.999', before_prompt_id: '', limit: 10 };

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

describeWithClickHouse('the dashboard’s queries', () => {
  let clickHouse: ClickHouse;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
  }, 60_000);
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
    const chain = await ask('session', 'session', { prompt_id: 's' });
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
        observed_p50_ms: 1100,
        observed_p95_ms: 2000,
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
        observed_p50_ms: null,
        observed_p95_ms: null,
        reported_p50_ms: 7,
        reported_p95_ms: 7,
      },
    ]);
  });

  test('friction: by session and by the tool before', async () => {
    const says = (session: string, id: string, ago: number, text: string): Fields => ({
      session,
      id,
      kind: 'HumanMessage',
      ago,
      values: { 11: text },
    });
    await store(
      'friction',
      says('a', '0', 9 * MINUTE, 'please do it'),
      { session: 'a', id: '1', kind: 'ToolCall', ago: 8 * MINUTE, values: { 4: 'Bash' } },
      says('a', '2', 7 * MINUTE, 'No, not so'),
      says('a', '3', 6 * MINUTE, 'STILL BROKEN'),
      { session: 'a', id: '4', kind: 'FileWrite', ago: 5 * MINUTE, values: { 4: 'Edit' } },
      says('a', '5', 4 * MINUTE, 'try again'),
      says('b', '0', 4 * MINUTE, 'against nothing'),
    );
    const patterns = ['^no,', 'that.s wrong', '\\bagain\\b', 'still broken'];
    expect(await ask('friction', 'friction', { ...WINDOW, patterns })).toEqual([
      { prompt_id: 'a', tool_before: 'Bash', messages: 2, friction: 2, examples: ['No, not so', 'STILL BROKEN'] },
      { prompt_id: 'a', tool_before: 'Edit', messages: 1, friction: 1, examples: ['try again'] },
    ]);
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
    const rows = await ask('skills', 'skills');
    expect(rows).toEqual([
      expect.objectContaining({ path: 'unresolved', invocations: 3, last_edited: null, distinct_versions: 0 }),
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
    for (const upload of shuffle(random(1), uploads.flat())) await clickHouse.insert(rowsOf(upload, orgId).rows);

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
      JSON.stringify([path ?? 'unresolved', first_seen, last_edited, sessions, distinct_users, distinct_versions]);
    const skills = await ask('skills', orgId);
    expect(skills.map(figures).sort()).toEqual(rows.map(figures).sort());
    expect(skills.map(({ invocations }) => invocations)).toEqual(
      [...expected.values()].map(({ length }) => length).sort((a, b) => b - a),
    );
  }, 60_000);
});

import {
  encodeMetricsBatch,
  encodeRows,
  joinRows,
  type PromptEvent,
  parseTranscript,
  promptId,
  type Rows,
} from 'git-ai-metrics';
import { ClickHouse, describeWithClickHouse, type Row } from './support/clickhouse.ts';
import { random } from './support/deliveries.ts';
import {
  claudeSession,
  type RecordedSession,
  schedule,
  transcriptOf,
  type WireEvent,
  wireEvent,
} from './support/records.ts';

const ORG = 'acme';
const DAY = 86_400_000;

const bodyOf = (events: readonly WireEvent[]): string => JSON.stringify({ v: 1, events });

/** What an event says, whichever client told of it. Ids and parents differ, and only the file itself leads to skills. */
const facts = ({ values }: PromptEvent) => ({
  kind: values.kind,
  start_ts: values.startTs ?? null,
  tool_call_name: values.toolCallName ?? null,
  model: values.model ?? null,
  error: values.error ?? null,
  reported_duration_ms: values.reportedDurationMs ?? null,
  observed_duration_ms: values.observedDurationMs ?? null,
  // A call's content is its name and id, also where no number is part of its event's id.
  input_hash: values.inputHash,
  input_text: values.inputText ?? null,
});

/** The events of a whole transcript, in the order of time. Of one record they keep their order. */
const parsed = ({ tool, sessionId, ...session }: RecordedSession): Row[] =>
  parseTranscript(tool, transcriptOf({ tool, sessionId, ...session }), { sessionId, homeDir: '' })
    .map(facts)
    .sort((a, b) => Number(a.start_ts) - Number(b.start_ts));

describeWithClickHouse('records in any order and pieces are the whole transcript', () => {
  const SESSIONS = 1000;
  const seed = Date.now() % 2 ** 31;
  const sessions = Array.from({ length: SESSIONS }, (_, n) => claudeSession(random(seed + n), `session-${seed + n}`));

  let clickHouse: ClickHouse;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
    const schedules = sessions.map((session, n) =>
      schedule(
        random(seed - n),
        session.records.map((record) => wireEvent(session, record)),
      ),
    );
    const longest = Math.max(...schedules.map(({ length }) => length));
    for (let step = 0; step < longest; step++) {
      const byTable = new Map<string, Rows[]>();
      for (const [n, pieces] of schedules.entries()) {
        const piece = pieces[step];
        if (piece === undefined) continue;
        const receivedAtMs = Date.UTC(2026, 10, 6) + step * 3_600_000 + n;
        for (const rows of encodeRows(bodyOf(piece), { orgId: ORG, receivedAtMs }).tables) {
          byTable.set(rows.table, [...(byTable.get(rows.table) ?? []), rows]);
        }
      }
      for (const [table, parts] of byTable) await clickHouse.insert(joinRows(parts), { table });
    }
  }, 300_000);
  afterAll(() => clickHouse?.stop());

  test(`${SESSIONS} random schedules`, async () => {
    const rows = await clickHouse.rows<Row & { prompt_id: string }>(
      `SELECT prompt_id, kind, start_ts, tool_call_name, model, error, reported_duration_ms, observed_duration_ms,
              input_hash, input_text, event_id, parent_id
       FROM prompt_events WHERE org_id = {org:String} ORDER BY prompt_id, start_ts`,
      { org: ORG },
    );
    const found = new Map<string, Row[]>();
    for (const row of rows) found.set(row.prompt_id, [...(found.get(row.prompt_id) ?? []), row]);
    for (const session of sessions) {
      const events = inOrder(found.get(promptId(session.tool, session.sessionId)) ?? []);
      expect({ seed, session: session.sessionId, events }).toEqual({
        seed,
        session: session.sessionId,
        events: parsed(session),
      });
    }
  }, 120_000);

  test('the page of a session has them in order', async () => {
    const session = sessions.reduce((a, b) => (a.records.length > b.records.length ? a : b));
    const page = await clickHouse.ask('session', {
      org_id: ORG,
      prompt_id: promptId(session.tool, session.sessionId),
      offset: 0,
      limit: 10_000,
    });
    expect(page.map(({ kind, input_hash }) => ({ kind, input_hash }))).toEqual(
      parsed(session).map(({ kind, input_hash }) => ({ kind, input_hash })),
    );
  });

  test('every session is listed once, with its calls and errors', async () => {
    const listed = await clickHouse.ask('sessions', {
      org_id: ORG,
      from: '2026-11-01 00:00:00.000',
      to: '2026-11-10 00:00:00.000',
      now: '2026-11-10 00:00:00.000',
      filters: {},
      before: '2299-12-31 23:59:59.999',
      before_prompt_id: '',
      limit: 10_000,
    });
    const counted = Object.fromEntries(
      listed.map(({ prompt_id, turns, tool_calls, errors }) => [prompt_id, { turns, tool_calls, errors }]),
    );
    const isCall = ({ kind }: Row) => ['ToolCall', 'FileWrite', 'SkillInvocation', 'McpCall'].includes(String(kind));
    const expected = sessions.flatMap((session) => {
      const events = parsed(session);
      const count = {
        turns: events.filter(({ kind }) => kind === 'HumanMessage').length,
        tool_calls: events.filter(isCall).length,
        errors: events.filter((event) => isCall(event) && event.error === true).length,
      };
      return events.length === 0 ? [] : [[promptId(session.tool, session.sessionId), count] as const];
    });
    expect(counted).toEqual(Object.fromEntries(expected));
  });

  /** Events of one record have one time; each but the first names the one before it as its parent. */
  function inOrder(rows: Row[]): Row[] {
    const ordered: Row[] = [];
    for (const group of byTime(rows)) {
      let next = group.find(({ parent_id }) => !group.some(({ event_id }) => event_id === parent_id));
      for (let n = group.length; n > 0 && next !== undefined; n--) {
        const { event_id, parent_id: _, prompt_id: __, ...event } = next;
        ordered.push(event);
        next = group.find(({ parent_id }) => parent_id === event_id);
      }
    }
    return ordered;
  }

  function byTime(rows: Row[]): Iterable<Row[]> {
    const groups = new Map<unknown, Row[]>();
    for (const row of rows) groups.set(row.start_ts, [...(groups.get(row.start_ts) ?? []), row]);
    return groups.values();
  }
});

describeWithClickHouse('a session that two clients told of', () => {
  let clickHouse: ClickHouse;
  const session = claudeSession(random(5), 'told-twice');
  const page = {
    org_id: ORG,
    from: '2026-11-01 00:00:00.000',
    to: '2026-11-10 00:00:00.000',
    now: '2026-11-10 00:00:00.000',
    filters: {},
  };
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
  });
  afterAll(() => clickHouse?.stop());

  test('counts once, whichever came first', async () => {
    const records = bodyOf(session.records.map((record) => wireEvent(session, record)));
    const own = parseTranscript(session.tool, transcriptOf(session), { sessionId: session.sessionId, homeDir: '' });
    const receivedAtMs = Date.UTC(2026, 10, 2) + 3 * DAY;
    await clickHouse.upload(records, { orgId: ORG, receivedAtMs });
    await clickHouse.upload(encodeMetricsBatch(own), { orgId: ORG, receivedAtMs });
    const events = await clickHouse.rows('SELECT event_id, derived FROM prompt_events ORDER BY event_id');
    expect(events).toEqual(
      own
        .map(({ values }) => ({ event_id: values.eventId, derived: false }))
        .sort((a, b) => (String(a.event_id) < String(b.event_id) ? -1 : 1)),
    );
    const [listed] = await clickHouse.ask('sessions', {
      ...page,
      before: '2299-12-31 23:59:59.999',
      before_prompt_id: '',
      limit: 10,
    });
    expect(listed.turns).toBe(own.filter(({ values }) => values.kind === 'HumanMessage').length);
    const models = await clickHouse.ask('tools', page);
    expect(models.reduce((sum, { calls }) => sum + Number(calls), 0)).toBe(
      own.filter(({ values }) => values.toolCallName !== undefined && values.kind !== undefined).length,
    );
  });
});

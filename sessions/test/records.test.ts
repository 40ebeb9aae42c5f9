import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  captureHook,
  encodeMetricsBatch,
  encodeRows,
  joinRows,
  type PromptEvent,
  parseTranscript,
  promptId,
  ROW_COLUMNS,
  type Rows,
} from 'git-ai-metrics';
import { Deriver } from '../src/derive/deriver.ts';
import { ClickHouse, describeWithClickHouse, type Row } from './support/clickhouse.ts';
import { random, shuffle } from './support/deliveries.ts';
import {
  claudeSession,
  codexSession,
  type RecordedSession,
  schedule,
  transcriptOf,
  type WireEvent,
  wireEvent,
} from './support/records.ts';

const ORG = 'acme';

const fail = (error: unknown): never => {
  throw error;
};
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
  input_hash: values.inputHash,
  input_text: values.inputText ?? null,
});

const EVENTS = `
  SELECT prompt_id, kind, start_ts, tool_call_name, model, error, reported_duration_ms, observed_duration_ms, input_hash,
         input_text, event_id, parent_id
  FROM prompt_events WHERE org_id = {org:String} ORDER BY prompt_id, start_ts`;

/** All but the version of the rules, which an older package's rows don't have. */
const RECORD_COLUMNS = ROW_COLUMNS.session_records
  .map(({ name }) => name)
  .filter((name) => name !== 'deriver_version')
  .join(', ');

/** The events of a whole transcript, in the order of time. Of one record they keep their order. */
const parsed = ({ tool, sessionId, ...session }: RecordedSession): Row[] =>
  parseTranscript(tool, transcriptOf({ tool, sessionId, ...session }), { sessionId, homeDir: '' })
    .map(facts)
    .sort((a, b) => Number(a.start_ts) - Number(b.start_ts));

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

describeWithClickHouse('records in any order and pieces are the whole transcript', () => {
  const SESSIONS = Number(process.env.SCHEDULES ?? 1000);
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
        // Everyone has a session, or two that say the same at the same time would count as original and copy.
        for (const rows of encodeRows(bodyOf(piece), { orgId: ORG, receivedAtMs, author: `author ${n}` }).tables) {
          byTable.set(rows.table, [...(byTable.get(rows.table) ?? []), rows]);
        }
      }
      for (const [table, parts] of byTable) await clickHouse.insert(joinRows(parts), { table });
    }
  });
  afterAll(() => clickHouse?.stop());

  const expectConverged = async () => {
    const rows = await clickHouse.rows<Row & { prompt_id: string }>(EVENTS, { org: ORG });
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
  };

  test(`${SESSIONS} random schedules`, expectConverged);

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

  test('settling changes nothing of them, and is done once', async () => {
    const deriver = new Deriver({ store: clickHouse.store, now: () => Date.UTC(2027, 0), onError: fail });
    let settled = 0;
    for (let some = await deriver.run(); some > 0; some = await deriver.run()) settled += some;
    expect(settled).toBe(SESSIONS);
    await expectConverged();
  });

  test('records that an older version stored are found, and events derived from them', async () => {
    await clickHouse.run('TRUNCATE TABLE prompt_event_deliveries');
    await clickHouse.run('TRUNCATE TABLE session_days');
    await clickHouse.run('TRUNCATE TABLE record_sessions');
    await clickHouse.run('CREATE TABLE older AS session_records');
    await clickHouse.run(`INSERT INTO older (${RECORD_COLUMNS}) SELECT ${RECORD_COLUMNS} FROM session_records`);
    await clickHouse.run('TRUNCATE TABLE session_records');
    await clickHouse.run(`INSERT INTO session_records (${RECORD_COLUMNS}) SELECT ${RECORD_COLUMNS} FROM older`);
    const deriver = new Deriver({ store: clickHouse.store, now: () => Date.UTC(2027, 0), onError: fail });
    while ((await deriver.run()) > 0);
    await expectConverged();
    await clickHouse.run('OPTIMIZE TABLE prompt_event_deliveries FINAL');
    await expectConverged();
  });
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

describeWithClickHouse('a session of which hooks told besides its records', () => {
  let clickHouse: ClickHouse;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
  });
  afterAll(() => clickHouse?.stop());

  test('a lone hook hides nothing that records say, and its event counts once', async () => {
    const timestamp = '2026-11-02T09:00:00.000Z';
    const session: RecordedSession = {
      tool: 'opencode',
      sessionId: 'ses_1',
      records: ['Fix the parser', 'And the tests'].map((text, n) => ({
        timestamp,
        message: {
          id: `msg_${n}`,
          session_id: 'ses_1',
          data: { role: 'user', time: { created: Date.parse(timestamp) + n } },
        },
        parts: [{ id: `prt_${n}`, message_id: `msg_${n}`, data: { type: 'text', text } }],
      })),
    };
    const payload = { hook_event_name: 'UserPromptSubmit', session_id: 'ses_1', prompt: 'Fix the parser' };
    const hook = captureHook('opencode', JSON.stringify(payload), { receivedAtMs: Date.parse(timestamp) + 20 });
    const quit = { hook_event_name: 'SessionEnd', session_id: 'ses_1' };
    const endedAtMs = Date.parse(timestamp) + 5000;
    const end = captureHook('opencode', JSON.stringify(quit), { receivedAtMs: endedAtMs }, hook.state);
    const receivedAtMs = Date.parse(timestamp) + 6000;
    await clickHouse.upload(encodeMetricsBatch(hook.events), { orgId: ORG, receivedAtMs });
    const texts = async () =>
      (await clickHouse.rows(EVENTS, { org: ORG })).map(({ kind, input_text }) => input_text ?? kind);
    expect(await texts()).toEqual(['Fix the parser']);
    const records = bodyOf(session.records.map((record) => wireEvent(session, record)));
    await clickHouse.upload(records, { orgId: ORG, receivedAtMs });
    await clickHouse.upload(encodeMetricsBatch(end.events), { orgId: ORG, receivedAtMs });
    expect(end.events.map(({ values }) => values.kind)).toEqual(['SessionEnd']);
    const all = ['Fix the parser', 'And the tests', 'SessionEnd'];
    expect(await texts()).toEqual(all);
    const window = {
      org_id: ORG,
      from: '2026-11-01 00:00:00.000',
      to: '2026-11-10 00:00:00.000',
      now: '2026-11-10 00:00:00.000',
      filters: {},
    };
    const prompt_id = promptId('opencode', 'ses_1');
    const page = await clickHouse.ask('session', { org_id: ORG, prompt_id, offset: 0, limit: 10 });
    expect(page.map(({ kind, input_text }) => input_text ?? kind)).toEqual(all);
    const before = { before: '2299-12-31 23:59:59.999', before_prompt_id: '', limit: 10 };
    expect(await clickHouse.ask('sessions', { ...window, ...before })).toMatchObject([
      { prompt_id, turns: 2, state: 'ended', title: 'Fix the parser' },
    ]);
    expect(await clickHouse.ask('overview', { ...window, timezone: 'UTC' })).toMatchObject([{ sessions: 1, turns: 2 }]);
  });
});

describeWithClickHouse('what only the whole session says', () => {
  const SESSIONS = 100;
  const seed = Date.now() % 2 ** 31;
  let clickHouse: ClickHouse;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
  });
  afterAll(() => clickHouse?.stop());

  const upload = async (orgId: string, events: readonly WireEvent[]) => {
    if (events.length > 0)
      await clickHouse.upload(bodyOf(events), { orgId, receivedAtMs: Date.UTC(2026, 10, 6), maxEvents: 100_000 });
  };
  let clock = Date.UTC(2027, 0);
  const settle = async () => {
    clock += 3_600_000;
    const deriver = new Deriver({ store: clickHouse.store, now: () => clock, onError: fail });
    while ((await deriver.run()) > 0);
  };
  const eventsOf = async (orgId: string, session: RecordedSession): Promise<Row[]> => {
    const rows = await clickHouse.rows<Row & { prompt_id: string }>(EVENTS, { org: orgId });
    return inOrder(rows.filter(({ prompt_id }) => prompt_id === promptId(session.tool, session.sessionId)));
  };

  test('models of Codex, settled early, late and often, whatever came first', async () => {
    const sessions = Array.from({ length: SESSIONS }, (_, n) => codexSession(random(seed + n), `codex-${seed + n}`));
    const schedules = sessions.map((session, n) =>
      schedule(
        random(seed - n),
        session.records.map((record) => wireEvent(session, record)),
      ),
    );
    const longest = Math.max(...schedules.map(({ length }) => length));
    for (let step = 0; step < longest; step++) {
      await upload(
        ORG,
        schedules.flatMap((pieces) => pieces[step] ?? []),
      );
      if (step < 3) await forgetArrivals();
      if (step < 3) await settle();
    }
    await forgetArrivals();
    await settle();
    for (const session of sessions) {
      expect({ seed, events: await eventsOf(ORG, session) }).toEqual({ seed, events: parsed(session) });
    }
  });

  /** All arrive at one time here, so the deriver must be made to look again. */
  const forgetArrivals = () =>
    clickHouse.run('ALTER TABLE record_sessions UPDATE settled_to = NULL WHERE 1 SETTINGS mutations_sync = 2');

  test('a prompt of the queue counts once, and one that was never inserted counts too', async () => {
    const at = (second: number) => new Date(Date.UTC(2026, 10, 5, 9, 0, second)).toISOString();
    const queue = (second: number, operation: string, content: string) => ({
      type: 'queue-operation',
      operation,
      timestamp: at(second),
      content,
    });
    const session: RecordedSession = {
      tool: 'claude',
      sessionId: 'queue',
      records: [
        { type: 'user', uuid: 'u1', timestamp: at(0), message: { content: 'Start' } },
        queue(5, 'enqueue', 'No, the other file'),
        queue(8, 'remove', 'No, the other file'),
        // Written last, with the time of the prompt.
        {
          type: 'attachment',
          uuid: 'u2',
          timestamp: at(4),
          attachment: { type: 'queued_command', commandMode: 'prompt', prompt: 'No, the other file' },
        },
        queue(10, 'enqueue', 'And then push'),
        queue(11, 'remove', 'And then push'),
        { type: 'assistant', uuid: 'u3', timestamp: at(12), message: { content: [{ type: 'text', text: 'Done' }] } },
        queue(13, 'enqueue', 'Never mind'),
        queue(14, 'popAll', ''),
      ],
    };
    const texts = async () => (await eventsOf('queue', session)).map(({ input_text }) => input_text);
    const [last, ...others] = session.records.map((record) => wireEvent(session, record)).reverse();
    await upload('queue', others);
    await settle();
    // Without the record that takes it back, the last prompt seems to wait still.
    expect(await texts()).toEqual(['Start', 'No, the other file', 'And then push', 'Done', 'Never mind']);
    await upload('queue', [last as WireEvent]);
    await forgetArrivals();
    await settle();
    expect(await texts()).toEqual(['Start', 'No, the other file', 'And then push', 'Done']);
  });

  test('a long session waits longer to be read again', async () => {
    const receivedAtMs = Date.UTC(2026, 10, 6);
    const record = (n: number, text: string) => ({
      type: 'user',
      uuid: `u${n}`,
      timestamp: new Date(Date.UTC(2026, 10, 5, 9, 0, n)).toISOString(),
      message: { content: text },
    });
    for (const [org, text] of [
      ['brief', 'Fix the parser'],
      ['long', 'x'.repeat(6_000_000)],
    ] as const) {
      const session: RecordedSession = {
        tool: 'claude',
        sessionId: org,
        records: [record(1, text), record(2, 'Thanks')],
      };
      const body = bodyOf(session.records.map((one) => wireEvent(session, one)));
      await clickHouse.upload(body, { orgId: org, receivedAtMs });
    }
    const settledAfter = (seconds: number) =>
      new Deriver({ store: clickHouse.store, now: () => receivedAtMs + seconds * 1000, onError: fail }).run();
    expect(await settledAfter(59)).toBe(0);
    expect(await settledAfter(61)).toBe(1);
    // Ten seconds for each megabyte.
    expect(await settledAfter(119)).toBe(0);
    expect(await settledAfter(121)).toBe(1);
    expect(await settledAfter(1000)).toBe(0);
  });

  test('the folder of a typed skill, named at the same time by a record whose id sorts first', async () => {
    const timestamp = '2026-11-05T09:00:00.000Z';
    const typed = '<command-message>ship</command-message>\n<command-name>/ship</command-name>';
    const folder = 'Base directory for this skill: /home/dev/.claude/skills/ship\n\nShip it';
    const session: RecordedSession = {
      tool: 'claude',
      sessionId: 'typed',
      records: [
        { type: 'user', uuid: 'z', parentUuid: null, timestamp, message: { content: typed } },
        {
          type: 'user',
          uuid: 'a',
          parentUuid: 'z',
          isMeta: true,
          timestamp,
          message: { content: [{ type: 'text', text: folder }] },
        },
      ],
    };
    await upload('typed', session.records.map((record) => wireEvent(session, record)).reverse());
    await settle();
    expect(
      await clickHouse.rows(
        "SELECT kind, skill_file_path, skill_file_mtime, skill_file_hash FROM prompt_events WHERE org_id = 'typed' ORDER BY kind",
      ),
    ).toEqual([
      { kind: 'HumanMessage', skill_file_path: null, skill_file_mtime: null, skill_file_hash: null },
      {
        kind: 'SkillInvocation',
        skill_file_path: '/home/dev/.claude/skills/ship/SKILL.md',
        skill_file_mtime: null,
        skill_file_hash: null,
      },
    ]);
  });
});

describeWithClickHouse('every dialect: its fixtures, uploaded record by record', () => {
  const FIXTURES = join(__dirname, '..', '..', '__test__', 'fixtures', 'transcripts');
  const fixtures = readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' })
    // One file is two sessions, whose calls have the same ids.
    .filter((path) => path.endsWith('.jsonl') && path !== join('opencode', 'tables.jsonl'))
    .map((path) => ({ path, tool: dirname(path) === '.' ? 'claude' : dirname(path) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  let clickHouse: ClickHouse;
  /** The events of each order and session. */
  const found = new Map<string, string[]>();
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
    const byTable = new Map<string, Rows[]>();
    for (const { path, tool } of fixtures) {
      const events = linesOf(path).map((line) => wireText(line, tool, path));
      const orders = [events, [...events, ...events].reverse(), shuffle(random(1), events)];
      for (const [n, order] of orders.entries()) {
        const options = { orgId: `order ${n}`, receivedAtMs: Date.UTC(2026, 11, 1) };
        for (const rows of encodeRows(`{"v":1,"events":[${order}]}`, options).tables) {
          byTable.set(rows.table, [...(byTable.get(rows.table) ?? []), rows]);
        }
      }
    }
    for (const [table, parts] of byTable) await clickHouse.insert(joinRows(parts), { table });
    const deriver = new Deriver({ store: clickHouse.store, now: () => Date.UTC(2027, 0), onError: fail });
    while ((await deriver.run()) > 0);
    for (const { org_id, prompt_id, ...event } of await clickHouse.rows(
      `SELECT org_id, prompt_id, kind, start_ts, tool_call_name, model, error, reported_duration_ms, observed_duration_ms,
              input_hash, input_text
       FROM prompt_events`,
    )) {
      const session = `${org_id} ${prompt_id}`;
      found.set(session, [...(found.get(session) ?? []), JSON.stringify(event)].sort());
    }
  });
  afterAll(() => clickHouse?.stop());

  const linesOf = (path: string): string[] => readFileSync(join(FIXTURES, path), 'utf8').split('\n').filter(isObject);
  const isObject = (line: string): boolean => {
    try {
      return /^\s*\{/.test(line) && JSON.parse(line) !== null;
    } catch {
      return false;
    }
  };
  const wireText = (line: string, tool: string, path: string): string => {
    const { uuid, id, timestamp, time } = JSON.parse(line);
    const ms = typeof time === 'number' ? time : Date.parse(timestamp);
    const key = tool === 'claude' ? uuid : tool.startsWith('github') ? id : undefined;
    const values = `"0":${line}${typeof key === 'string' ? `,"1":${JSON.stringify(key)}` : ''}`;
    const attributes = JSON.stringify({ 20: tool, 23: path, 24: `s_${path}` });
    return `{"t":${Math.max(0, Math.floor(ms / 1000)) || 1_760_000_000},"e":5,"v":{${values}},"a":${attributes}}`;
  };

  test.each(fixtures)('$path', ({ path, tool }) => {
    const whole = parseTranscript(tool, linesOf(path).join('\n'), { sessionId: path, homeDir: '' });
    const events = whole.map((event) => JSON.stringify(facts(event))).sort();
    for (const n of [0, 1, 2]) {
      expect({ n, events: found.get(`order ${n} ${promptId(tool, path)}`) ?? [] }).toEqual({ n, events });
    }
  });
});

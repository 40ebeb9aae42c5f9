import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { encodePromptEventRows, encodeRows } from 'git-ai-metrics';
import { dateTime64 } from '../../__test__/rows-model';
import { defaultFriction, frictionParameters } from '../src/api/friction.ts';
import { askAbout } from '../src/api/selected.ts';
import { pageOfSessions } from '../src/api/sessions.ts';
import { Reaper } from '../src/liveness/reaper.ts';
import { Merger } from '../src/merge/merger.ts';
import { ClickHouseStore } from '../src/store/clickhouse.ts';
import { EmbeddedClickHouse } from '../src/store/embedded.ts';
import { migrate } from '../src/store/migrate.ts';
import { namedQuery, SQL_FOLDER } from '../src/store/sql.ts';
import type { Store } from '../src/store/store.ts';
import { startApp } from './support/app.ts';
import { ClickHouse, describeWithClickHouse, type Row, withoutKeeper } from './support/clickhouse.ts';
import { DATA_FOLDER } from './support/folders.ts';
import { MINUTE, SECOND } from './support/liveness-model.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const PASSWORD = 'known to all three';

interface Node {
  start(): Promise<void>;
  kill(): Promise<void>;
  remove(): Promise<void>;
  readonly store: ClickHouseStore;
}

/** Three nodes of today's ClickHouse, each a shard, in processes of their own. */
async function threeNodes(): Promise<Node[]> {
  const ports = await Promise.all([1, 2, 3].map(freePort));
  const shards = ports.map(
    (port) =>
      `<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>${port}</port>
      <user>sessions</user><password>${PASSWORD}</password></replica></shard>`,
  );
  const nodes = ports.map((tcpPort, n): Node => {
    const folder = mkdtempSync(join(DATA_FOLDER, `git-ai-sessions-node-${n}-`));
    const config = `<remote_servers><three>${shards.join('')}</three></remote_servers>
      <macros><cluster>three</cluster><shard>${n}</shard><replica>r</replica></macros>`;
    let embedded: EmbeddedClickHouse;
    let store: ClickHouseStore;
    const kill = async () => {
      await store.close();
      await embedded.stop();
    };
    return {
      start: async () => {
        embedded = await EmbeddedClickHouse.start({ folder, tcpPort, password: PASSWORD, config });
        store = new ClickHouseStore({ url: embedded.url });
      },
      kill,
      remove: async () => {
        await kill();
        rmSync(folder, { recursive: true, force: true });
      },
      get store() {
        return store;
      },
    };
  });
  for (const node of nodes) await node.start();
  // No Keeper runs here, so there is no ON CLUSTER: every node gets the statements itself.
  for (const { store } of nodes) await migrate(store, 'cluster', { rewrite: withoutKeeper });
  return nodes;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** An upload of some events of a session. */
function uploadOf(session: number, from: number, to: number): string {
  const id = session.toString(16).padStart(16, '0');
  const kinds = ['HumanMessage', 'AiMessage', 'ToolCall', 'ToolCall', 'SkillInvocation', 'McpCall'];
  const events = Array.from({ length: to - from }, (_, n) => {
    const place = from + n;
    const startMs = NOW - 2 * 60 * MINUTE + session * 7 * SECOND + place * 20 * SECOND;
    const kind = kinds[place % kinds.length];
    return {
      t: Math.floor(startMs / 1000),
      e: 5,
      v: {
        0: kind,
        1: `${id}:${place}`,
        2: place === 0 ? null : `${id}:${place - 1}`,
        4: kind?.endsWith('Message') ? null : ['Bash', 'Read', 'mcp__gh__issues'][place % 3],
        5: kind === 'HumanMessage' ? null : ['opus', 'haiku'][session % 2],
        6: kind?.endsWith('Message') ? undefined : place % 4 === 2,
        7: startMs,
        9: place * 10,
        10: `hash ${place % 7}`,
        11: kind === 'HumanMessage' ? 'no, that is still broken, do it again' : null,
        12: kind === 'SkillInvocation' ? `/skills/${session % 3}/SKILL.md` : undefined,
      },
      a: { 0: '1.6.12', 1: `https://host/repo${session % 4}`, 2: `user ${session % 5}`, 20: 'claude', 22: id },
    };
  });
  return JSON.stringify({ v: 1, events });
}

async function store(into: Store, body: string, orgId = 'acme'): Promise<void> {
  for (const { table, rows, rowCount } of encodeRows(body, { orgId, receivedAtMs: NOW - 60 * MINUTE }).tables) {
    await into.insert(table, rows, rowCount);
  }
}

const PARAMETERS = {
  org_id: 'acme',
  from: dateTime64(NOW - 24 * 60 * MINUTE),
  to: dateTime64(NOW + MINUTE),
  now: dateTime64(NOW),
  filters: {},
  before: '2299-12-31 23:59:59.999',
  before_prompt_id: '',
  limit: 100,
  offset: 0,
  threshold: 1,
  only_rules: [],
  only_tools: [],
  timezone: 'UTC',
  since: '2020-01-01 00:00:00.000',
  prompt_id: (3).toString(16).padStart(16, '0'),
  ...frictionParameters(defaultFriction),
};

/** These are parts of other answers: of the list of sessions, and of what is known of a selection. */
const PARTS = [
  'sessions_page',
  'merged_sessions',
  'session_rows',
  'sessions_with_copies',
  'shared_messages',
  'copied_events',
  'unmerged_sessions',
];

const QUERIES = readdirSync(join(SQL_FOLDER, 'queries'))
  .map((name) => name.replace('.sql', ''))
  .filter((name) => !PARTS.includes(name));

/** The answers of all queries; rows of equal rank in any order. */
async function answers(from: Store): Promise<Record<string, string[]>> {
  const { sessions } = await pageOfSessions(from, PARAMETERS, PARAMETERS.limit);
  const all: Record<string, string[]> = { sessions: sessions.map((row) => JSON.stringify(row)) };
  for (const name of QUERIES) {
    // Elsewhere a question mark is part of a regular expression.
    const rows =
      name === 'leaderboard'
        ? await from.query<Row>(namedQuery(name).replace('?', '{org_id:String}'), { org_id: PARAMETERS.org_id })
        : await askAbout(from, name, { ...PARAMETERS, filters: {} });
    // Any name of the skill's will do for the leaderboard.
    all[name] = rows.map(({ name: _, ...row }) => JSON.stringify(row)).sort();
  }
  return all;
}

describeWithClickHouse('a cluster of three nodes of today’s ClickHouse', () => {
  let nodes: Node[];
  let single: ClickHouse;
  const [SESSIONS, EVENTS] = [24, 18];

  beforeAll(async () => {
    [nodes, single] = await Promise.all([threeNodes(), ClickHouse.start()]);
  });
  afterAll(async () => {
    await Promise.all([...nodes.map((node) => node.remove()), single.stop()]);
  });

  const node = (n: number) => nodes[n % 3] as Node;

  test('answers every query as one node does, whichever node is asked', async () => {
    for (let session = 0; session < SESSIONS; session++) {
      // Whole through one node, and a part again through another.
      const whole = uploadOf(session, 0, EVENTS);
      await store(node(session).store, whole);
      await store(node(session + 1).store, uploadOf(session, 3, 9));
      await store(single.store, whole);
    }
    const expected = await answers(single.store);
    for (const name of ['sessions', ...QUERIES]) expect([name, expected[name]?.length]).not.toEqual([name, 0]);
    expect(await answers(node(0).store)).toEqual(expected);
    // The same from merged events.
    expect(await new Merger({ store: node(1).store, quietMs: 0 }).run()).toBe(SESSIONS);
    expect(await answers(node(2).store)).toEqual(expected);
    const spread = await Promise.all(
      nodes.map((each) =>
        each.store.query<{ n: number }>('SELECT uniqExact(prompt_id) AS n FROM prompt_event_deliveries_local'),
      ),
    );
    const sessions = spread.map(([row]) => row?.n ?? 0);
    expect(Math.min(...sessions)).toBeGreaterThan(0);
    expect(sessions.reduce((sum, each) => sum + each, 0)).toBe(SESSIONS);
  });

  test('a node killed in the middle of an insert: no answer says that it is stored, and the retry completes it', async () => {
    const body = JSON.stringify({
      v: 1,
      events: Array.from({ length: 900 }, (_, n) => ({
        t: Math.floor(NOW / 1000),
        e: 5,
        v: { 0: 'AiMessage', 1: `s${n % 90}:${n}`, 11: 'x'.repeat(900) },
        a: { 22: `s${n % 90}` },
      })),
    });
    const inserting = Promise.allSettled(Array.from({ length: 8 }, () => store(node(0).store, body, 'killed')));
    await node(1).kill();
    const outcomes = await inserting;
    const stored = async () =>
      (await node(0).store.query<{ n: number }>("SELECT count() AS n FROM prompt_events WHERE org_id = 'killed'"))[0]
        ?.n;
    // With a shard gone nothing can be stored, and the error says that it may be later.
    await expect(store(node(0).store, body, 'killed')).rejects.toMatchObject({ name: 'StoreError', transient: true });
    await node(1).start();
    if (outcomes.some(({ status }) => status === 'fulfilled')) expect(await stored()).toBe(900);
    await store(node(2).store, body, 'killed');
    expect(await stored()).toBe(900);
  });

  test('two servers on two nodes, and two reapers: each sees what the other took, and a session ends once', async () => {
    const servers = await Promise.all([0, 1].map((n) => startApp(node(n).store)));
    try {
      for (const [n, { url }] of servers.entries()) {
        const answer = await fetch(`${url}/worker/metrics/upload`, { method: 'POST', body: uploadOf(100 + n, 0, 6) });
        expect([answer.status, await answer.json()]).toEqual([200, { errors: [] }]);
      }
      for (const { url } of servers) {
        const { sessions } = (await (await fetch(`${url}/api/sessions?from=2026-11-01&to=2026-12-31`)).json()) as {
          sessions: Row[];
        };
        expect(sessions.map(({ prompt_id }) => prompt_id).sort()).toEqual(
          [100, 101].map((session) => session.toString(16).padStart(16, '0')),
        );
      }
      // Long after the reapers' own start.
      let nowMs = Date.now();
      const reapers = [0, 1].map(
        (n) =>
          new Reaper({
            store: node(n).store,
            now: () => nowMs,
            upload: async (orgId, body, receivedAtMs) => {
              const { rows, rowCount } = encodePromptEventRows(body, { orgId, receivedAtMs });
              await node(n).store.insert('prompt_event_deliveries', rows, rowCount);
            },
          }),
      );
      nowMs += 2 * 60 * MINUTE;
      await Promise.all(reapers.map((reaper) => reaper.run()));
      await Promise.all(reapers.map((reaper) => reaper.run()));
      const ends = await node(2).store.query<Row>(
        "SELECT prompt_id, count() AS ends FROM prompt_events WHERE org_id = 'local' AND kind = 'SessionEnd' GROUP BY prompt_id",
      );
      expect(ends.map(({ ends }) => ends)).toEqual([1, 1]);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  });
});

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Quarantine } from '../src/ingest/quarantine.ts';
import { Merger } from '../src/merge/merger.ts';
import { countOrg, deleteOrg, keepFor } from '../src/store/retention.ts';
import { ClickHouse, describeWithClickHouse, withoutKeeper } from './support/clickhouse.ts';
import { random } from './support/deliveries.ts';
import { claudeSession, wireEvent } from './support/records.ts';

const DAY = 86_400_000;
const TABLES = [
  'session_records',
  'record_sessions',
  'prompt_event_deliveries',
  'metric_events',
  'session_days',
  'merged_events',
  'merged_signs',
  'merged_sessions',
] as const;

/** An upload with rows for every table: records, a prompt event, and another metric. */
function upload(atMs: number): string {
  const t = Math.floor(atMs / 1000);
  const session = claudeSession(random(1), `session of ${atMs}`);
  const records = session.records.map((record) => ({
    ...wireEvent(session, { ...record, timestamp: new Date(atMs).toISOString() }),
  }));
  const others = [
    { t, e: 5, v: { 0: 'HumanMessage', 1: `p${atMs}:1`, 7: atMs, 11: 'Hi' }, a: { 22: `p${atMs}` } },
    { t, e: 5, v: { 0: 'HumanMessage', 1: `p${atMs}:2`, 7: atMs, 11: 'Hello?' }, a: { 22: `p${atMs}` } },
    { t, e: 1, v: { 0: 1 }, a: {} },
  ];
  return JSON.stringify({ v: 1, events: [...records, ...others] });
}

describeWithClickHouse('how long rows are kept', () => {
  let clickHouse: ClickHouse;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
  });
  afterAll(() => clickHouse?.stop());

  const ages = async (table: string): Promise<number[]> => {
    const time = { session_days: 'arrived_at', record_sessions: 'arrived_at' }[table] ?? 'received_at';
    const rows = await clickHouse.rows<{ age: number }>(
      `SELECT DISTINCT dateDiff('day', toDate(${time}), today()) AS age FROM ${table} ORDER BY age`,
    );
    return rows.map(({ age }) => age);
  };
  const merge = async () => {
    // While a part is rewritten for a new limit, OPTIMIZE leaves it out without a word.
    while ((await clickHouse.rows('SELECT 1 FROM system.mutations WHERE NOT is_done')).length > 0) await sleep(20);
    for (const table of TABLES) await clickHouse.run(`OPTIMIZE TABLE ${table} FINAL`);
  };

  test('rows go when parts merge, so many days after they arrived: records after their days, all else after the others', async () => {
    const now = Date.now();
    for (const days of [0, 10, 50]) {
      const atMs = now - days * DAY;
      await clickHouse.upload(upload(atMs), { orgId: 'acme', receivedAtMs: atMs });
    }
    // Their events are of long ago.
    const longAgo = Date.UTC(2019, 5);
    await clickHouse.upload(upload(longAgo), { orgId: 'late', receivedAtMs: now });
    await clickHouse.upload(upload(longAgo + DAY), { orgId: 'later', receivedAtMs: now - 50 * DAY });
    await new Merger({ store: clickHouse.store, quietMs: 0 }).run();
    await merge();
    const late = await countOrg(clickHouse.store, 'late');
    await keepFor(clickHouse.store, { recordDays: 5, eventDays: 20 });
    await merge();
    for (const table of TABLES) expect([table, late[table] === 0]).toEqual([table, false]);
    expect(await countOrg(clickHouse.store, 'late')).toEqual(late);
    expect(Object.values(await countOrg(clickHouse.store, 'later'))).toEqual(Object.keys(late).map(() => 0));
    expect(await ages('session_records')).toEqual([0]);
    for (const table of TABLES.slice(1)) expect([table, await ages(table)]).toEqual([table, [0, 10]]);
  });

  test('other days take their place; the same ones change nothing', async () => {
    await keepFor(clickHouse.store, { recordDays: 5, eventDays: 3 });
    await merge();
    for (const table of TABLES) expect([table, await ages(table)]).toEqual([table, [0]]);
    const mutations = () => clickHouse.rows('SELECT count() AS n FROM system.mutations');
    const before = await mutations();
    await keepFor(clickHouse.store, { recordDays: 5, eventDays: 3 });
    expect(await mutations()).toEqual(before);
  });

  test('the tables of a cluster', async () => {
    const cluster = await ClickHouse.start({
      set: 'cluster',
      rewrite: withoutKeeper,
      config: `<remote_servers><one><shard><replica><host>127.0.0.1</host><port>1</port></replica></shard></one></remote_servers>
        <macros><cluster>one</cluster></macros>`,
    });
    try {
      await keepFor(cluster.store, { recordDays: 5, eventDays: 20 }, { set: 'cluster', rewrite: withoutKeeper });
      const tables = await cluster.rows<{ name: string; days: string }>(
        `SELECT name, extract(engine_full, 'toIntervalDay\\\\((\\\\d+)\\\\)') AS days FROM system.tables
         WHERE database = currentDatabase() AND name LIKE '%_local' AND days != '' ORDER BY name`,
      );
      expect(Object.fromEntries(tables.map(({ name, days }) => [name, Number(days)]))).toMatchObject({
        session_records_local: 5,
        prompt_event_deliveries_local: 20,
        metric_events_local: 20,
        session_days_local: 20,
        record_sessions_local: 20,
      });
    } finally {
      await cluster.stop();
    }
  });

  test('an org is deleted whole, and no other', async () => {
    const atMs = Date.now();
    await clickHouse.upload(upload(atMs), { orgId: "o'ther", receivedAtMs: atMs });
    await new Merger({ store: clickHouse.store, quietMs: 0 }).run();
    const others = await countOrg(clickHouse.store, 'acme');
    const deleted = await deleteOrg(clickHouse.store, "o'ther");
    for (const table of TABLES) expect([table, deleted[table] ?? 0]).toEqual([table, expect.any(Number)]);
    expect(Object.values(deleted).filter((rows) => rows > 0).length).toBe(TABLES.length);
    expect(Object.values(await countOrg(clickHouse.store, "o'ther"))).toEqual(Object.values(deleted).map(() => 0));
    expect(await countOrg(clickHouse.store, 'acme')).toEqual(others);
  });
});

test('uploads in quarantine are found by their org', async () => {
  const place = mkdtempSync(join(tmpdir(), 'git-ai-sessions-quarantine-'));
  const folder = join(place, 'quarantine');
  const quarantine = new Quarantine(folder);
  expect(await quarantine.of('acme')).toEqual([]);
  mkdirSync(folder);
  const kept = { table: 'session_records', reason: 'why', body: Buffer.from('{}') };
  await quarantine.keep({ ...kept, requestId: '1', orgId: 'acme' });
  await quarantine.keep({ ...kept, requestId: '2', orgId: 'other' });
  writeFileSync(join(folder, 'a stranger'), '');
  await quarantine.remove(await quarantine.of('acme'));
  expect(await quarantine.of('acme')).toEqual([]);
  expect(readdirSync(folder)).toHaveLength(3);
  rmSync(place, { recursive: true });
});

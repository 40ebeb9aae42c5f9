import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { encodePromptEventRows, PROMPT_EVENT_COLUMNS, parseMetricsBatch } from 'git-ai-metrics';
import { isPromptEvent, rowOf } from '../../__test__/rows-model';
import { inChild, ROOT } from '../../__test__/support';
import { describeWithClickHouse, type Row } from './support/clickhouse.ts';

const CONTEXT = { orgId: 'acme', receivedAtMs: Date.UTC(2026, 10, 22, 12) };
const UPLOAD = readFileSync(join(ROOT, 'examples', 'sessions', 'upload-1.json'));

// Debian's package clickhouse-server is from 2018: enough of a server to see rows go over HTTP, too old for the tables.
const SERVER = 'clickhouse-server';
const hasServer = spawnSync('which', [SERVER]).status === 0;
const describeWithServer: (name: string, tests: () => void) => void = hasServer
  ? describe
  : (name, tests) => describe.skip(`${name} (left out: there is no ${SERVER} on this machine)`, tests);

describeWithServer('@clickhouse/client and a server over HTTP', () => {
  const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-server-'));
  let server: ChildProcess;
  let client: ClickHouseClient;

  beforeAll(async () => {
    const port = await freePort();
    const users = join(folder, 'users.xml');
    const config = join(folder, 'config.xml');
    writeFileSync(
      users,
      `<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password>
      <networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>`,
    );
    writeFileSync(
      config,
      `<yandex><logger><level>error</level><console>1</console></logger><http_port>${port}</http_port>
      <listen_host>127.0.0.1</listen_host><path>${folder}/data/</path><tmp_path>${folder}/tmp/</tmp_path>
      <users_config>${users}</users_config><default_profile>default</default_profile>
      <default_database>default</default_database><mark_cache_size>1048576</mark_cache_size></yandex>`,
    );
    server = spawn(SERVER, [`--config-file=${config}`], { stdio: 'ignore' });
    client = createClient({ url: `http://127.0.0.1:${port}`, log: { level: ClickHouseLogLevel.OFF } });
    while (!(await client.ping()).success) await new Promise((resolve) => setTimeout(resolve, 50));
    await client.command({
      query: `CREATE TABLE rows (${oldColumns().join(', ')}) ENGINE = MergeTree ORDER BY event_id`,
    });
  }, 30_000);

  afterAll(async () => {
    await client.close();
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill();
    await ended;
    rmSync(folder, { recursive: true });
  });

  test('takes the rows of an upload as a stream of RowBinaryWithNames', async () => {
    const { rows, rowCount, headerLength } = encodePromptEventRows(UPLOAD, CONTEXT);
    // In pieces that end in the middle of values, as a network's do.
    // That server takes no names before the rows.
    const bare = rows.subarray(headerLength);
    const pieces = Array.from({ length: Math.ceil(bare.length / 1000) }, (_, n) =>
      bare.subarray(n * 1000, (n + 1) * 1000),
    );
    const { stream } = await client.exec({
      query: `INSERT INTO rows (${PROMPT_EVENT_COLUMNS.join(', ')}) FORMAT RowBinary`,
      values: Readable.from(pieces, { objectMode: false }),
    });
    stream.resume();
    const answer = await client.query({ query: 'SELECT * FROM rows', format: 'JSONEachRow' });
    const found = await answer.json<Row>();
    expect(found).toHaveLength(rowCount);
    const expected = parseMetricsBatch(UPLOAD)
      .events.filter(isPromptEvent)
      .map((event) => rowOf(event, CONTEXT));
    const sorted = (list: Row[]) => list.map((row) => JSON.stringify(row)).sort();
    expect(sorted(found.map(asWritten))).toEqual(sorted(expected));
  });

  /** Types of the same bytes that the server of 2018 knows. */
  function oldColumns(): string[] {
    return PROMPT_EVENT_COLUMNS.map((column) => {
      if (['org_id', 'prompt_id', 'event_id'].includes(column)) return `${column} String`;
      if (['event_ts', 'received_at'].includes(column)) return `${column} Int64`;
      if (column === 'heard_at') return 'heard_at Nullable(Int64)';
      if (column === 'emitted_at') return "emitted_at DateTime('UTC')";
      if (/^error$|_estimated$/.test(column)) return `${column} Nullable(UInt8)`;
      if (/_ms$|^start_ts$|_mtime$/.test(column)) return `${column} Nullable(UInt64)`;
      return `${column} Nullable(String)`;
    });
  }

  function asWritten(row: Row): Row {
    return Object.fromEntries(
      Object.entries(row).map(([column, value]) => {
        if (value !== null && ['event_ts', 'received_at', 'heard_at'].includes(column)) {
          return [column, new Date(Number(value)).toISOString().replace('T', ' ').replace('Z', '')];
        }
        if (value !== null && /^error$|_estimated$/.test(column)) return [column, value === 1];
        // Large integers come as text.
        if (value !== null && /_ms$|^start_ts$|_mtime$/.test(column)) return [column, Number(value)];
        return [column, value];
      }),
    );
  }
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

describeWithClickHouse('@clickhouse/client and chDB’s connection for it', () => {
  test('takes rows as JSONEachRow by sql/insert.sql, and answers the leaderboard', () => {
    // The connection hands on an insert’s rows as text, so that no binary format can go this way.
    const found = inChild(`
      const { readdirSync, readFileSync } = require('node:fs');
      const { dirname } = require('node:path');
      const { Readable } = require('node:stream');
      const { createClient } = require('@clickhouse/client');
      const { createChdbConnection } = require('chdb/connection');
      const sql = (path) => readFileSync(require.resolve('git-ai-metrics/sql/' + path), 'utf8');
      (async () => {
        const client = createClient({ connection: createChdbConnection({ path: ':memory:' }) });
        for (const name of readdirSync(dirname(require.resolve('git-ai-metrics/sql/single/views.sql'))).sort()) {
          for (const statement of sql('single/' + name).split(/;\\s*$/m)) {
            if (statement.trim()) await client.command({ query: statement });
          }
        }
        const upload = readFileSync(${JSON.stringify(join(ROOT, 'examples', 'sessions', 'upload-1.json'))});
        const { rows, rowCount } = api.encodePromptEventRows(upload, { orgId: 'acme', format: 'JSONEachRow' });
        const { stream } = await client.exec({
          query: sql('insert.sql').replace(/RowBinaryWithNames$/, 'JSONEachRow'),
          values: Readable.from([rows], { objectMode: false }),
        });
        stream.resume();
        const ask = async (query) =>
          (await client.query({ query, query_params: { org: 'acme' }, format: 'JSONEachRow' })).json();
        answer({
          rowCount,
          ids: await ask('SELECT event_id FROM prompt_events WHERE org_id = {org:String} ORDER BY event_id'),
          leaderboard: await ask(sql('queries/leaderboard.sql').replace('?', '{org:String}')),
        });
        await client.close();
      })();
    `) as { rowCount: number; ids: Row[]; leaderboard: Row[] };
    expect(found.rowCount).toBe(200);
    const ids = parseMetricsBatch(UPLOAD)
      .events.filter(isPromptEvent)
      .map(({ values }) => values.eventId);
    expect(found.ids.map(({ event_id }) => event_id)).toEqual([...new Set(ids)].sort());
    expect(found.leaderboard.map(({ path }) => path)).toContain('/home/zoe/.claude/skills/release/SKILL.md');
  });
});

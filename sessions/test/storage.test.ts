import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { encodePromptEventRows, PROMPT_EVENT_COLUMNS, parseMetricsBatch } from 'git-ai-metrics';
import { batchText } from '../../__test__/random';
import { dateTime64, isPromptEvent, rowOf } from '../../__test__/rows-model';
import { bodyOf, ROOT } from '../../__test__/support';
import { statements } from '../src/store/sql.ts';
import { ClickHouse, describeWithClickHouse, type Row, sqlFile } from './support/clickhouse.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const DAY = 86_400_000;

/** A cluster's statements, for where there is no Keeper. */
const withoutKeeper = (sql: string): string =>
  sql.replaceAll(" ON CLUSTER '{cluster}'", '').replaceAll(/Replicated(\w*MergeTree)\([^)]*\)/g, '$1');

describeWithClickHouse('rows in ClickHouse', () => {
  let clickHouse: ClickHouse;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
    // What was inserted, row by row: the real table would merge rows of one event.
    await clickHouse.run('CREATE TABLE loaded AS prompt_event_deliveries ENGINE = MergeTree ORDER BY tuple()');
  }, 60_000);
  afterAll(() => clickHouse.stop());

  const COLUMNS = PROMPT_EVENT_COLUMNS.join(', ');
  const sorted = (rows: Row[]) => rows.map((row) => JSON.stringify(row)).sort();

  test('RowBinary, JSONEachRow and a plain mapping of parsed events are the same rows, for random uploads', async () => {
    const seed = Date.now() % 2 ** 31;
    const bodies = fc.sample(batchText(12), { numRuns: 400, seed });
    const expected: Row[] = [];
    const binary: Uint8Array[] = [];
    const json: Uint8Array[] = [];
    bodies.forEach((body, n) => {
      const context = { orgId: `org ${n}`, receivedAtMs: NOW - n * 7 * DAY };
      binary.push(encodePromptEventRows(body, context).rows);
      const jsonRows = encodePromptEventRows(body, { ...context, format: 'JSONEachRow' }).rows;
      json.push(jsonRows);
      const ids = jsonRows.toString().split('\n').filter(Boolean);
      parseMetricsBatch(body)
        .events.filter(isPromptEvent)
        .forEach((event, place) => {
          const { event_id, prompt_id } = JSON.parse(ids[place]);
          const row = rowOf(event, context);
          expected.push({ ...row, event_id: row.event_id ?? event_id, prompt_id: row.prompt_id ?? prompt_id });
        });
    });
    await clickHouse.insert(Buffer.concat(binary), { table: 'loaded' });
    const fromBinary = await clickHouse.rows(`SELECT ${COLUMNS} FROM loaded`);
    await clickHouse.run('TRUNCATE TABLE loaded');
    await clickHouse.insert(Buffer.concat(json), { table: 'loaded', format: 'JSONEachRow' });
    const fromJson = await clickHouse.rows(`SELECT ${COLUMNS} FROM loaded`);

    expect(expected.length).toBeGreaterThan(300);
    // The seed is there to be read, should they differ.
    expect({ seed, rows: sorted(fromBinary) }).toEqual({ seed, rows: sorted(expected) });
    expect({ seed, rows: sorted(fromJson) }).toEqual({ seed, rows: sorted(expected) });
  }, 120_000);

  describe('nothing that an upload can hold breaks an insert, or arrives changed', () => {
    const textFields = { 0: 'kind', 4: 'tool_call_name', 5: 'model', 10: 'input_hash', 11: 'input_text' } as const;
    const TEXTS = {
      'a NUL': 'a\0b',
      newlines: 'a\nb\r\nc\n',
      tabs: '\ta\t',
      quotes: `"double" 'single' \`back\``,
      backslashes: 'C:\\new\\table \\N \\',
      'what looks like another format': '\\N\t{"x":1},(NULL)\n',
      '4-byte characters': '😀👩‍👩‍👧‍👦𝄞',
      'the last code point': '\u{10ffff}',
      'the empty string': '',
      'a space': ' ',
      '1 kB': 'é'.repeat(512),
      '100 kB': 'x'.repeat(100_000),
    };

    test.each(['RowBinary', 'JSONEachRow'] as const)('texts in %s', async (format) => {
      const orgId = `texts ${format}`;
      const events = Object.values(TEXTS).map((text, n) => {
        const values = Object.keys(textFields).map((position) => `"${position}":${JSON.stringify(text)}`);
        const attributes = `"2":${JSON.stringify(text)},"30":${JSON.stringify(text)}`;
        return `{"t":1,"e":5,"v":{"1":"p:${n}",${values}},"a":{${attributes}}}`;
      });
      // Escapes that no encoder would choose, and those that stand for nothing.
      events.push('{"t":1,"e":5,"v":{"1":"p:escapes","11":"\\u0041\\/\\ud83d\\ude00\\ud800"},"a":{}}');
      const { rows, rowCount } = encodePromptEventRows(bodyOf(...events), { orgId, receivedAtMs: NOW, format });
      expect(rowCount).toBe(events.length);
      await clickHouse.insert(rows, { format });
      const found = await clickHouse.rows('SELECT * FROM prompt_events WHERE org_id = {orgId:String}', { orgId });
      const byId = new Map(found.map((row) => [row.event_id, row]));
      Object.values(TEXTS).forEach((text, n) => {
        const row = byId.get(`p:${n}`) as Row;
        for (const column of [...Object.values(textFields), 'human_author', 'custom_attributes']) {
          expect(row[column]).toBe(text);
        }
        expect(row.branch).toBeNull();
      });
      expect(byId.get('p:escapes')).toMatchObject({ input_text: 'A/😀\ufffd' });
      expect(found).toHaveLength(events.length);
    });

    test('an empty string is not null', async () => {
      const events = ['"11":""', '"11":null', ''].map(
        (v, n) => `{"t":1,"e":5,"v":{"1":"p:${n}"${v && `,${v}`}},"a":{}}`,
      );
      await clickHouse.insert(encodePromptEventRows(bodyOf(...events), { orgId: 'empty', receivedAtMs: NOW }).rows);
      expect(
        await clickHouse.rows("SELECT input_text FROM prompt_events WHERE org_id = 'empty' ORDER BY event_id"),
      ).toEqual([{ input_text: '' }, { input_text: null }, { input_text: null }]);
    });

    test.each(['RowBinary', 'JSONEachRow'] as const)('times of any century in %s', async (format) => {
      const orgId = `times ${format}`;
      const times = [0, 1, Date.UTC(2020) - 1, Date.UTC(2106), Date.UTC(2262, 3, 12), Date.UTC(9999), 2 ** 53 - 1];
      const events = times.map((ms, n) => `{"t":4294967295,"e":5,"v":{"1":"p:${n}","7":${ms},"13":${ms}},"a":{}}`);
      await clickHouse.insert(encodePromptEventRows(bodyOf(...events), { orgId, receivedAtMs: NOW, format }).rows, {
        format,
      });
      const rows = await clickHouse.rows(
        'SELECT start_ts, skill_file_mtime, emitted_at, event_ts FROM prompt_events WHERE org_id = {orgId:String} ORDER BY event_id',
        { orgId },
      );
      expect(rows).toEqual(
        times.map((ms) => ({
          start_ts: ms,
          skill_file_mtime: ms,
          emitted_at: '2106-02-07 06:28:15',
          event_ts: dateTime64(Math.min(Math.max(ms, Date.UTC(2020)), NOW + DAY)),
        })),
      );
    });

    test.each([
      ['1970', 0],
      ['2299', Date.UTC(2299, 11, 30)],
    ])('an upload that arrived in %s', async (year, receivedAtMs) => {
      const orgId = `arrived in ${year}`;
      for (const format of ['RowBinary', 'JSONEachRow'] as const) {
        const body = bodyOf(`{"t":1,"e":5,"v":{"1":"p:${format}","7":9007199254740991},"a":{}}`);
        await clickHouse.insert(encodePromptEventRows(body, { orgId, receivedAtMs, format }).rows, { format });
      }
      const rows = await clickHouse.rows(
        'SELECT event_ts, received_at FROM prompt_events WHERE org_id = {orgId:String}',
        { orgId },
      );
      const filed = dateTime64(Math.max(receivedAtMs + DAY, Date.UTC(2020)));
      expect(rows).toEqual(Array(2).fill({ event_ts: filed, received_at: dateTime64(receivedAtMs) }));
    });

    test('an upload spread over 200 months', async () => {
      const month = (n: number) => Date.UTC(2020, n, 15);
      const events = Array.from({ length: 200 }, (_, n) => `{"t":1,"e":5,"v":{"1":"p:${n}","7":${month(n)}},"a":{}}`);
      await clickHouse.insert(
        encodePromptEventRows(bodyOf(...events), { orgId: 'months', receivedAtMs: Date.UTC(2040) }).rows,
      );
      const [{ months, events: count }] = await clickHouse.rows(
        "SELECT uniqExact(toYYYYMM(event_ts)) AS months, count() AS events FROM prompt_events WHERE org_id = 'months'",
      );
      expect([months, count]).toEqual([200, 200]);
    });

    test('an upload of the most events there may be, all of them odd', async () => {
      const orgId = 'odd';
      const event = (n: number) =>
        `{"t":${n},"e":5,"v":{"0":${n},"1":"p:${n}","2":[],"6":"no","7":-1,"99":{}},"a":{"5":5}}`;
      const body = bodyOf(...Array.from({ length: 1000 }, (_, n) => event(n)));
      await clickHouse.insert(encodePromptEventRows(body, { orgId, receivedAtMs: NOW }).rows);
      const rows = await clickHouse.rows(
        'SELECT count() AS count, countIf(kind IS NULL AND error IS NULL AND branch IS NULL) AS nulls FROM prompt_events WHERE org_id = {orgId:String}',
        { orgId },
      );
      expect(rows).toEqual([{ count: 1000, nulls: 1000 }]);
    });
  });

  describe('sql/', () => {
    const described = async (table: string) =>
      (await clickHouse.rows(`DESCRIBE TABLE ${table}`)).map(
        ({ name, type }) => ({ name, type }) as Record<string, string>,
      );

    test.each(['prompt_event_deliveries', 'prompt_events'])('%s has the columns of the rows', async (table) => {
      const names = (await described(table)).map(({ name }) => name);
      expect([...names].sort()).toEqual([...PROMPT_EVENT_COLUMNS].sort());
    });

    test('every column but the keys merges, and takes NULL where a field can be unset', async () => {
      const KEYS = ['org_id', 'prompt_id', 'event_id'];
      const OWN = ['event_ts', 'emitted_at', 'received_at'];
      for (const { name, type } of await described('prompt_event_deliveries')) {
        if (KEYS.includes(name)) expect(type).not.toMatch(/Aggregate|Nullable/);
        else expect(type).toMatch(OWN.includes(name) ? /^SimpleAggregateFunction\(min, / : /^Simple.*Nullable/);
      }
    });

    test.each(['insert.sql', 'insert-file.sql'])('%s names the columns in the order of the rows', (name) => {
      const [, list] = /INSERT INTO prompt_event_deliveries\n\(([^)]*)\)/.exec(sqlFile(name)) ?? [];
      expect(list.split(',').map((name) => name.trim())).toEqual([...PROMPT_EVENT_COLUMNS]);
    });

    test('insert.sql takes rows that follow it', async () => {
      const body = bodyOf('{"t":1,"e":5,"v":{"1":"p:1"},"a":{}}');
      const { rows } = encodePromptEventRows(body, { orgId: 'inline', receivedAtMs: NOW, format: 'JSONEachRow' });
      await clickHouse.run(sqlFile('insert.sql').replace('RowBinary\n', 'JSONEachRow\n') + rows.toString());
      expect(await clickHouse.rows("SELECT event_id FROM prompt_events WHERE org_id = 'inline'")).toEqual([
        { event_id: 'p:1' },
      ]);
    });

    test('migrations are numbered without a gap, the same for one node and for a cluster', () => {
      const single = readdirSync(`${ROOT}/sql/single`).sort();
      expect(readdirSync(`${ROOT}/sql/cluster`).sort()).toEqual(single);
      expect(single.map((name) => Number(name.slice(0, 4)))).toEqual(single.map((_, n) => n + 1));
    });

    test('migrations may be applied twice', async () => {
      for (const name of readdirSync(`${ROOT}/sql/single`).sort()) {
        for (const statement of statements(sqlFile('single', name))) await clickHouse.run(statement);
      }
    });

    test('the cluster’s tables are those of one node, replicated and distributed', async () => {
      // No Keeper runs here, so its statements are applied as those of a node that is its own cluster: what is left out
      // is just what needs Keeper.
      await clickHouse.run('CREATE DATABASE cluster');
      for (const name of readdirSync(`${ROOT}/sql/cluster`).sort()) {
        for (const statement of statements(sqlFile('cluster', name))) {
          await clickHouse.run(`EXPLAIN AST ${statement.replace(/^(--.*\n|\n)+/, '')}`);
          if (/Distributed\(/.test(statement)) continue;
          await clickHouse.run(withoutKeeper(statement).replaceAll(/prompt_event\w+_local/g, 'cluster.$&'));
        }
      }
      expect(await described('cluster.prompt_event_deliveries_local')).toEqual(
        await described('prompt_event_deliveries'),
      );
      expect(await described('cluster.prompt_events_local')).toEqual(await described('prompt_events'));
      const createdAs = async (table: string) => {
        const [{ sorting_key, partition_key, engine }] = await clickHouse.rows(
          `SELECT sorting_key, partition_key, engine FROM system.tables WHERE concat(database, '.', name) = '${table}'`,
        );
        return { sorting_key, partition_key, engine };
      };
      const local = await createdAs('cluster.prompt_event_deliveries_local');
      expect(local).toEqual(await createdAs('default.prompt_event_deliveries'));
      expect(local).toEqual({
        sorting_key: 'org_id, toDate(event_ts), prompt_id, event_id',
        partition_key: 'toYYYYMM(event_ts)',
        engine: 'AggregatingMergeTree',
      });
    });

    test('a cluster of two shards plans every query', async () => {
      // Nothing listens there: a plan goes as far as to ask the shards, or is refused before.
      const shard = '<shard><replica><host>127.0.0.1</host><port>1</port></replica></shard>';
      const cluster = await ClickHouse.start({
        set: 'cluster',
        rewrite: withoutKeeper,
        config: `<macros><cluster>two</cluster></macros><remote_servers><two>${shard}${shard}</two></remote_servers>`,
      });
      const plan = (query: string) =>
        cluster.run(`EXPLAIN ${query}`).then(
          () => 'planned',
          ({ message }) => (/Code: 279.*All connection tries failed/.test(message) ? 'planned' : message),
        );
      const outcomes: Row = {};
      for (const name of readdirSync(`${ROOT}/sql/queries`)) {
        const literals: Row = {
          String: "''",
          UInt32: '1',
          "DateTime64(3, 'UTC')": "'2026-11-22'",
          'Array(String)': '[]',
        };
        outcomes[name] = await plan(
          sqlFile('queries', name)
            .replace(/^--.*$/gm, '')
            .replace('?', "''")
            .replace(/\{\w+:([^}]+)\}/g, (_, type) => `CAST(${literals[type]}, $$${type}$$)`),
        );
      }
      const denied = 'SELECT 1 FROM prompt_events WHERE event_id IN (SELECT event_id FROM prompt_events)';
      const refusal = await plan(denied);
      await cluster.stop();
      expect(outcomes).toEqual(Object.fromEntries(Object.keys(outcomes).map((name) => [name, 'planned'])));
      expect(refusal).toMatch(/Double-distributed/);
    }, 60_000);

    test('each file of queries says which parameters it takes, and no others', () => {
      for (const name of readdirSync(`${ROOT}/sql/queries`)) {
        const text = sqlFile('queries', name);
        const [comments, code] = [/^--.*$/gm, /^(?!--).*$/gm].map((lines) => (text.match(lines) ?? []).join('\n'));
        const parameters = (part: string) =>
          [...new Set([...part.matchAll(/\{(\w+):/g)].map(([, each]) => each))].sort();
        expect([name, parameters(code)]).toEqual([name, parameters(comments)]);
      }
    });
  });
});

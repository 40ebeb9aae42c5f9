import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  encodePromptEventRows,
  encodeRows,
  joinRows,
  parseMetricsBatch,
  ROW_COLUMNS,
  type Rows,
  type RowTable,
} from 'git-ai-metrics';
import { batchText } from '../../__test__/random';
import { dateTime64, rowOf, tableOf } from '../../__test__/rows-model';
import { bodyOf, ROOT } from '../../__test__/support';
import { insertStatement, statements } from '../src/store/sql.ts';
import { ClickHouse, describeWithClickHouse, type Row, sqlFile, withoutKeeper } from './support/clickhouse.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const DAY = 86_400_000;

const TABLES = Object.keys(ROW_COLUMNS) as RowTable[];

describeWithClickHouse('rows in ClickHouse', () => {
  let clickHouse: ClickHouse;
  beforeAll(async () => {
    clickHouse = await ClickHouse.start();
    // What was inserted, row by row: the real tables would merge rows of one event.
    for (const table of TABLES) {
      await clickHouse.run(`CREATE TABLE loaded_${table} AS ${table} ENGINE = MergeTree ORDER BY tuple()`);
    }
  });
  afterAll(() => clickHouse.stop());

  const sorted = (rows: Row[]) => rows.map((row) => JSON.stringify(row)).sort();

  test('both formats and a plain mapping of parsed events are the same rows, for random uploads', async () => {
    const seed = Date.now() % 2 ** 31;
    const bodies = fc.sample(batchText(12), { numRuns: 200, seed });
    const expected: Record<RowTable, Row[]> = { prompt_event_deliveries: [], session_records: [], metric_events: [] };
    const formats = ['RowBinaryWithNames', 'JSONEachRow'] as const;
    const nothing = (): Record<RowTable, Rows[]> => ({
      prompt_event_deliveries: [],
      session_records: [],
      metric_events: [],
    });
    const encoded = [nothing(), nothing()];
    bodies.forEach((body, n) => {
      const named = n % 2 === 0 ? { author: `author ${n}`, installation: `installation ${n}` } : {};
      const context = { orgId: `org ${n}`, receivedAtMs: NOW - n * 7 * DAY, ...named };
      for (const event of parseMetricsBatch(body).events) expected[tableOf(event)].push(rowOf(event, context));
      formats.forEach((format, place) => {
        for (const table of encodeRows(body, { ...context, format }).tables) encoded[place][table.table].push(table);
      });
    });
    for (const table of TABLES) {
      const columns = ROW_COLUMNS[table].map(({ name }) => name).join(', ');
      expect(expected[table].length).toBeGreaterThan(40);
      for (const [place, format] of formats.entries()) {
        await clickHouse.insert(joinRows(encoded[place][table]), { table, into: `loaded_${table}`, format });
        const found = await clickHouse.rows(`SELECT ${columns} FROM loaded_${table}`);
        // A few at a time, with the seed: a diff of thousands would take minutes.
        const [stored, mapped] = [sorted(found), sorted(expected[table])];
        const differ = (some: string[], others: string[]) => {
          const known = new Set(others);
          return some.filter((row) => !known.has(row)).slice(0, 2);
        };
        const outcome = {
          seed,
          format,
          count: stored.length,
          extra: differ(stored, mapped),
          missing: differ(mapped, stored),
        };
        expect(outcome).toEqual({ seed, format, count: mapped.length, extra: [], missing: [] });
        await clickHouse.run(`TRUNCATE TABLE loaded_${table}`);
      }
    }
  });

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

    test.each(['RowBinaryWithNames', 'JSONEachRow'] as const)('texts in %s', async (format) => {
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

    test.each(['RowBinaryWithNames', 'JSONEachRow'] as const)('times of any century in %s', async (format) => {
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
          event_ts: dateTime64(NOW + DAY),
        })),
      );
    });

    test.each([
      ['2001', Date.UTC(2001)],
      ['2299', Date.UTC(2299, 11, 30)],
    ])('an upload that arrived in %s', async (year, receivedAtMs) => {
      const orgId = `arrived in ${year}`;
      for (const format of ['RowBinaryWithNames', 'JSONEachRow'] as const) {
        const body = bodyOf(`{"t":4294967295,"e":5,"v":{"1":"p:${format}","7":9007199254740991},"a":{}}`);
        await clickHouse.insert(encodePromptEventRows(body, { orgId, receivedAtMs, format }).rows, { format });
      }
      const rows = await clickHouse.rows(
        'SELECT event_ts, received_at FROM prompt_events WHERE org_id = {orgId:String}',
        { orgId },
      );
      const filed = dateTime64(Math.max(Math.min(receivedAtMs + DAY, 4_294_967_295_000), Date.UTC(2020)));
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

  describe('deliveries of one thing are one row, whatever their order', () => {
    interface Delivery {
      json: string;
      attributes?: string;
      author?: string;
      after?: number;
    }
    const [poor, rich] = ['{"text":"Hel","n":9}', '{"text":"Hello there","n":10}'];
    const event = (id: number, { json, attributes = '' }: Delivery) =>
      bodyOf(`{"t":1795348000,"e":${id},"v":{"0":${json},"1":"r1"},"a":{"24":"s_1"${attributes}}}`);

    /** Delivers in each order, to an org each, and gives what FINAL then says, before and after merging. */
    async function outcomes(table: RowTable, id: number, columns: string, deliveries: Delivery[]): Promise<Row[][]> {
      const orders = deliveries.flatMap((_, n) => {
        const turned = [...deliveries.slice(n), ...deliveries.slice(0, n)];
        return [turned, [...turned].reverse()];
      });
      const orgs = orders.map((_, n) => `order ${n} of ${table} ${columns} ${deliveries.length}`);
      for (const [n, order] of orders.entries()) {
        for (const delivery of order) {
          const { author = '', after = 0 } = delivery;
          await clickHouse.upload(event(id, delivery), { orgId: orgs[n], receivedAtMs: NOW + after, author });
        }
      }
      const read = () =>
        Promise.all(
          orgs.map((org) =>
            clickHouse.rows(`SELECT ${columns} FROM ${table} FINAL WHERE org_id = {org:String}`, { org }),
          ),
        );
      const before = await read();
      await clickHouse.run(`OPTIMIZE TABLE ${table} FINAL`);
      expect(await read()).toEqual(before);
      return before;
    }

    test('of a record the longest wins, then the first to arrive', async () => {
      const deliveries = [
        { json: poor, after: 5 },
        { json: rich, after: 7 },
        { json: rich, after: 9 },
        { json: poor, after: 20 },
      ];
      for (const rows of await outcomes('session_records', 5, 'raw_json, received_at', deliveries)) {
        expect(rows).toEqual([{ raw_json: rich, received_at: dateTime64(NOW + 7) }]);
      }
    });

    test('of equally long records always the same one', async () => {
      const deliveries = ['1', '2', '3'].map((n, after) => ({ json: `{"n":${n}}`, after }));
      const found = await outcomes('session_records', 5, 'raw_json', deliveries);
      expect(found[0]).toHaveLength(1);
      for (const rows of found) expect(rows).toEqual(found[0]);
    });

    test('of a record an author that the event names comes before who uploaded', async () => {
      const deliveries = [
        { json: rich, author: 'zz' },
        { json: rich, author: 'zz', attributes: ',"2":"Ann"', after: 9 },
        { json: rich, author: '!' },
      ];
      for (const rows of await outcomes('session_records', 5, 'human_author', deliveries)) {
        expect(rows).toEqual([{ human_author: 'Ann' }]);
      }
    });

    test('a metric that comes again is one row', async () => {
      const deliveries = [
        { json: '1', after: 9, author: 'b' },
        { json: '1', after: 5, author: 'a' },
        { json: '1', after: 7, attributes: ',"25":"t_2"' },
      ];
      for (const rows of await outcomes('metric_events', 1, 'values_json, received_at, human_author', deliveries)) {
        expect(rows).toEqual([
          { values_json: '{"0":1,"1":"r1"}', received_at: dateTime64(NOW + 5), human_author: 'b' },
        ]);
      }
    });
  });

  describe('sql/', () => {
    const described = async (table: string) =>
      (await clickHouse.rows(`DESCRIBE TABLE ${table}`)).map(
        ({ name, type }) => ({ name, type }) as Record<string, string>,
      );

    const columnsOf = async (table: string) => (await described(table)).map(({ name }) => name);

    test.each(TABLES)('%s has the columns of the rows', async (table) => {
      expect((await columnsOf(table)).filter((name) => name !== 'rank')).toEqual(
        ROW_COLUMNS[table].map(({ name }) => name),
      );
    });

    test('prompt_events has the columns of its deliveries', async () => {
      expect(await columnsOf('prompt_events')).toEqual(await columnsOf('prompt_event_deliveries'));
    });

    test('every column but the keys merges, and takes NULL where a field can be unset', async () => {
      const KEYS = ['org_id', 'prompt_id', 'event_id', 'metric_id', 'emitted_at', 'event_key'];
      const LEAST = ['event_ts', 'emitted_at', 'received_at', 'start_ts', 'result'];
      for (const table of ['prompt_event_deliveries', 'metric_events'] as const) {
        const [{ sorting_key }] = await clickHouse.rows(
          `SELECT sorting_key FROM system.tables WHERE name = '${table}'`,
        );
        for (const { name, type } of await described(table)) {
          const isKey = KEYS.includes(name) && String(sorting_key).includes(name);
          expect([name, /Aggregate/.test(type)]).toEqual([name, !isKey]);
          if (!isKey) expect([name, /min/.test(type)]).toEqual([name, LEAST.includes(name)]);
          const nullable = ROW_COLUMNS[table].find((column) => column.name === name)?.type.startsWith('Nullable');
          expect([name, /Nullable/.test(type)]).toEqual([name, nullable]);
        }
      }
    });

    describe('the statements take rows as they stand', () => {
      const BODY = bodyOf(
        '{"t":1,"e":5,"v":{"1":"p:1"},"a":{}}',
        '{"t":1,"e":5,"v":{"0":{},"1":"r1"},"a":{"24":"s_1"}}',
        '{"t":1,"e":1,"v":{"0":1},"a":{}}',
      );
      const WAYS: Record<string, (statement: string, rows: Buffer) => [query: string, body: Buffer]> = {
        'as a parameter, the rows as the body': (statement, rows) => [statement, rows],
        'at the start of the body, the rows right after it': (statement, rows) => [
          '',
          Buffer.concat([Buffer.from(statement), rows]),
        ],
        'at the start of the body, a newline between': (statement, rows) => [
          '',
          Buffer.concat([Buffer.from(`${statement}\n`), rows]),
        ],
      };

      test.each(Object.keys(WAYS))('%s', async (way) => {
        for (const format of ['RowBinaryWithNames', 'JSONEachRow'] as const) {
          const { tables } = encodeRows(BODY, { orgId: `${way}, ${format}`, receivedAtMs: NOW, format });
          expect(tables).toHaveLength(3);
          for (const { table, rows } of tables) {
            const statement = insertStatement(table).replace(/RowBinaryWithNames$/, format);
            await clickHouse.post(...WAYS[way](statement, rows));
            const [{ found }] = await clickHouse.rows(
              `SELECT count() AS found FROM ${table} WHERE org_id = {org:String}`,
              { org: `${way}, ${format}` },
            );
            expect([table, found]).toEqual([table, 1]);
          }
        }
      });

      test('by curl', async () => {
        const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-curl-'));
        const { tables } = encodeRows(BODY, { orgId: 'curl', receivedAtMs: NOW });
        for (const { table, rows } of tables) {
          writeFileSync(join(folder, 'body'), Buffer.concat([Buffer.from(insertStatement(table)), rows]));
          const { status, stdout } = spawnSync(
            'curl',
            [
              '--silent',
              '--fail-with-body',
              '--data-binary',
              `@${join(folder, 'body')}`,
              clickHouse.embedded.url.replace('/default', '/'),
            ],
            { encoding: 'utf8' },
          );
          expect([status, stdout]).toEqual([0, '']);
          const [{ found }] = await clickHouse.rows(`SELECT count() AS found FROM ${table} WHERE org_id = 'curl'`);
          expect([table, found]).toEqual([table, 1]);
        }
        rmSync(folder, { recursive: true });
      });

      test('an upload without prompt events, as any other', async () => {
        const { rows } = encodePromptEventRows(bodyOf(), { orgId: 'none', receivedAtMs: NOW });
        await clickHouse.post(insertStatement('prompt_event_deliveries'), rows);
      });

      test('from a file', async () => {
        const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-rows-'));
        for (const format of ['RowBinaryWithNames', 'JSONEachRow'] as const) {
          for (const { table, rows } of encodeRows(BODY, { orgId: `file ${format}`, receivedAtMs: NOW, format })
            .tables) {
            // chDB as a server reads files below a folder of its own alone; in a process it reads any.
            const name = table === 'prompt_event_deliveries' ? 'insert-file.sql' : `insert-file-${table}.sql`;
            const file = join(folder, `${table}.${format}`);
            writeFileSync(file, rows);
            await clickHouse.store.command(sqlFile(name), { file, format });
            const [{ found }] = await clickHouse.rows(
              `SELECT count() AS found FROM ${table} WHERE org_id = {org:String}`,
              { org: `file ${format}` },
            );
            expect([table, found]).toEqual([table, 1]);
          }
        }
        rmSync(folder, { recursive: true });
      });
    });

    describe('rows of another version', () => {
      // A store of its own: changing a table takes long where other tests have left hundreds of partitions.
      let clickHouse: ClickHouse;
      beforeAll(async () => {
        clickHouse = await ClickHouse.start();
      });
      afterAll(() => clickHouse.stop());

      const FORMATS = ['RowBinaryWithNames', 'JSONEachRow'] as const;
      const STATEMENT = insertStatement('prompt_event_deliveries');
      const { rows, headerLength } = encodePromptEventRows(
        bodyOf('{"t":1,"e":5,"v":{"0":"ToolCall","1":"p:1","4":"Bash","5":"opus"},"a":{"5":"main","20":"claude"}}'),
        { orgId: 'versions', receivedAtMs: NOW },
      );
      /** A statement of a version without these columns. */
      const without = (...names: string[]) =>
        names.reduce((sql, name) => sql.replaceAll(new RegExp(`^ *${name}\\b.*\\n`, 'gm'), ''), STATEMENT);
      /** The same row by a version that has other columns before, between and after ours. */
      const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
      const names = ROW_COLUMNS.prompt_event_deliveries.map(({ name }) => name);
      const newer = Buffer.concat([
        Buffer.from([(names.length + 1) | 0x80, 0]),
        ...[...names, 'of_tomorrow'].map(text),
        rows.subarray(headerLength),
        Buffer.from([0]),
        text('new'),
      ]);
      const stored = () =>
        clickHouse.rows(
          "SELECT event_id, kind, tool_call_name, model, branch, tool, end_reason FROM prompt_event_deliveries WHERE org_id = 'versions'",
        );
      afterEach(() => clickHouse.run("DELETE FROM prompt_event_deliveries WHERE org_id = 'versions'"));

      test('older rows: what they lack is NULL, all else is where it belongs', async () => {
        // The newer version has a column between others, as a new field has.
        const [, afterKind] = names.slice(names.indexOf('kind'));
        const statement = STATEMENT.replaceAll(/^( *)parent_id( Nullable\(String\))?,$/gm, '$1of_tomorrow$2,\n$&');
        expect([afterKind, statement]).not.toEqual(['parent_id', STATEMENT]);
        await clickHouse.run(
          'ALTER TABLE prompt_event_deliveries ADD COLUMN of_tomorrow SimpleAggregateFunction(max, Nullable(String)) AFTER kind',
        );
        await clickHouse.post(statement, rows);
        expect(await stored()).toEqual([
          {
            event_id: 'p:1',
            kind: 'ToolCall',
            tool_call_name: 'Bash',
            model: 'opus',
            branch: 'main',
            tool: 'claude',
            end_reason: null,
          },
        ]);
        await clickHouse.run('ALTER TABLE prompt_event_deliveries DROP COLUMN of_tomorrow');
      });

      test('newer rows: refused, not stored in part', async () => {
        await expect(clickHouse.post(STATEMENT, newer)).rejects.toThrow(/Unknown field found in format header/);
        await expect(clickHouse.post(without('branch', 'kind'), rows)).rejects.toThrow(
          /Unknown field found in format header/,
        );
        expect(await stored()).toEqual([]);
      });

      test('newer rows in JSON: refused too', async () => {
        const json = encodePromptEventRows(bodyOf('{"t":1,"e":5,"v":{"1":"p:1"},"a":{}}'), {
          orgId: 'versions',
          receivedAtMs: NOW,
          format: 'JSONEachRow',
        }).rows;
        const statement = without('branch').replace(/RowBinaryWithNames$/, FORMATS[1]);
        await expect(clickHouse.post(statement, json)).rejects.toThrow(/Unknown field/i);
        expect(await stored()).toEqual([]);
      });

      test('a newer statement and an older table: refused', async () => {
        const statement = STATEMENT.replaceAll(/^( *)parent_id( Nullable\(String\))?,$/gm, '$1of_tomorrow$2,\n$&');
        await expect(clickHouse.post(statement, newer)).rejects.toThrow(/of_tomorrow/);
        expect(await stored()).toEqual([]);
      });
    });

    test('migrations are numbered without a gap, the same for one node and for a cluster', () => {
      const single = readdirSync(`${ROOT}/sql/single`).sort();
      expect(readdirSync(`${ROOT}/sql/cluster`).sort()).toEqual(single);
      expect(single.pop()).toBe('views.sql');
      expect(single.map((name) => Number(name.slice(0, 4)))).toEqual(single.map((_, n) => n + 1));
    });

    test('migrations may be applied twice, without a view losing a column', async () => {
      const before = await described('prompt_events');
      for (const name of readdirSync(`${ROOT}/sql/single`).sort()) {
        for (const statement of statements(sqlFile('single', name))) {
          expect([name, /\bOR REPLACE\b/.test(statement)]).toEqual([name, name === 'views.sql']);
          await clickHouse.run(statement);
          expect(await described('prompt_events')).toEqual(before);
        }
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
          await clickHouse.run(withoutKeeper(statement).replaceAll(/\w+_local/g, 'cluster.$&'));
        }
      }
      const createdAs = async (table: string) => {
        const [{ sorting_key, partition_key, engine_full }] = await clickHouse.rows(
          `SELECT sorting_key, partition_key, engine_full FROM system.tables WHERE concat(database, '.', name) = '${table}'`,
        );
        return { sorting_key, partition_key, engine: String(engine_full).split(' ')[0] };
      };
      for (const table of [...TABLES, 'prompt_events']) {
        expect(await described(`cluster.${table}_local`)).toEqual(await described(table));
        expect(await createdAs(`cluster.${table}_local`)).toEqual(await createdAs(`default.${table}`));
      }
      const partition_key = 'toYYYYMM(event_ts)';
      expect(await createdAs('cluster.prompt_event_deliveries_local')).toEqual({
        sorting_key: 'org_id, toDate(event_ts), prompt_id, event_id',
        partition_key,
        engine: 'AggregatingMergeTree',
      });
      expect(await createdAs('cluster.session_records_local')).toEqual({
        sorting_key: 'org_id, session_id, record_key',
        partition_key,
        engine: 'ReplacingMergeTree(rank)',
      });
      expect(await createdAs('cluster.metric_events_local')).toEqual({
        sorting_key: 'org_id, metric_id, emitted_at, event_key',
        partition_key,
        engine: 'AggregatingMergeTree',
      });
    });

    test('each file of queries says which parameters it takes, and no others', () => {
      for (const name of readdirSync(`${ROOT}/sql/queries`)) {
        const text = sqlFile('queries', name);
        // Comments within the statement are for the backend: see sessions/src/store/sql.ts.
        const code = text.replace(/--.*$/gm, '');
        const comments = (text.match(/^--.*$/gm) ?? []).join('\n');
        const parameters = (part: string) =>
          [...new Set([...part.matchAll(/\{(\w+):/g)].map(([, each]) => each))].sort();
        expect([name, parameters(code)]).toEqual([name, parameters(comments)]);
      }
    });
  });

  test('a port that another process has taken is what a failed start names', async () => {
    const other = createServer((_request, response) => response.end('Ok.\n'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      const start = ClickHouse.start({ httpPort: port });
      await expect(start).rejects.toThrow(
        new RegExp(`^cannot open .*(port ${port} is not ours|Address already in use)`),
      );
    } finally {
      other.close();
    }
  });
});

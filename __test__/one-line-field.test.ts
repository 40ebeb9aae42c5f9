import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { parseMetricsBatch } from '../index.js';
import { statements } from '../sessions/src/store/sql.ts';
import { ClickHouse, hasChdb } from '../sessions/test/support/clickhouse.ts';

const ROOT = join(__dirname, '..');
const TABLE = join('src', 'wire', 'metrics.rs');
const TYPES = join('src', 'wire', 'table.rs');
const LAST_LINE = /^ *15 end_reason: .*\n/m;
// The first migration's comments contain the name as a word, which must not pass for the column.
const NEW_LINE = '        16 delivery: u64, "How often the event was sent.";\n';

/** A metric is one table. This one has a field of a new type. */
const LAST_METRIC = /^ {4}8 daemon_ingest_anomaly [\s\S]*?^ {4}\}\n/m;
const NEW_METRIC = `
    /// Recorded when a delivery is done.
    9 delivery_report DeliveryReportValues {
        0 attempts: u16, "How often it was tried.";
    }
`;

/** A field type is a line in the list of types, with an impl for its Rust type. */
const A_TYPE = /^ {4}U32, "u32".*\n/m;
const NEW_TYPE = `    /// A JSON integer of at most 2^16 − 1.
    U16, "u16", Form::Uint { largest: u16::MAX as u64 }, "a u16";
`;
const A_VALUE = /^impl FieldValue for u32 \{\n/m;
const NEW_VALUE = `impl FieldValue for u16 {
    const TYPE: FieldType = FieldType::U16;
    fn to_slot<'a>(&'a self, _: &'a Bump) -> Slot<'a> {
        Slot::Uint(u64::from(*self))
    }
    fn from_slot(slot: &Slot<'_>) -> Option<u16> {
        match *slot {
            Slot::Uint(value) => u16::try_from(value).ok(),
            _ => None,
        }
    }
}

`;

const REPORT = '{"v":1,"events":[{"t":1,"e":9,"v":{"0":65535},"a":{}},{"t":1,"e":9,"v":{"0":65536},"a":{}}]}';

const WIRE = '{"v":1,"events":[{"t":1,"e":5,"v":{"0":"ToolCall","16":3},"a":{}}]}';

/** User code that compiles only if the types have the new field. */
const CONSUMER = `
  import {
    type DeliveryReportEvent, DeliveryReportBuilder, encodeMetricsBatch, encodePromptEventRows, parseMetricsBatch,
    type PromptEvent, PromptEventBuilder,
  } from './index.js';

  const [decoded] = parseMetricsBatch(${JSON.stringify(WIRE)}).events as PromptEvent[];
  const deliveries: number | null | undefined = decoded?.values.delivery;
  const built: PromptEvent = new PromptEventBuilder().kind('ToolCall').delivery(3).build({}, 1);
  const literal: PromptEvent = { ...built, values: { kind: 'ToolCall', delivery: null } };
  // @ts-expect-error the field is a number
  export const wrong = () => new PromptEventBuilder().delivery('3');

  const encoded = [decoded!, built, literal].map((event) => encodeMetricsBatch([event]).toString());
  const rows = encodePromptEventRows(${JSON.stringify(WIRE)}, { orgId: 'acme' }).rows.toString('base64');

  const reports = parseMetricsBatch(${JSON.stringify(REPORT)}).events as DeliveryReportEvent[];
  const attempts: number | null | undefined = reports[0]?.values.attempts;
  const report: DeliveryReportEvent = new DeliveryReportBuilder().attempts(7).build({}, 1);
  let refused = '';
  try {
    new DeliveryReportBuilder().attempts(65536);
  } catch (error) {
    refused = (error as Error).message;
  }
  const reencoded = encodeMetricsBatch(reports).toString();
  const { metric, values } = report;
  console.log(JSON.stringify({ decoded, deliveries, encoded, rows, reports, attempts, metric, values, refused, reencoded }));
`;

// Always at the same place, so that what cargo keeps of it doesn't grow with each run.
const copy = join(ROOT, 'target', 'one-line-field');
beforeAll(() => rmSync(copy, { recursive: true, force: true }));
afterAll(() => rmSync(copy, { recursive: true }));

function run(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    // On Windows, npm and the commands that it installs are scripts, which only a shell can start. Node isn't a script.
    shell: process.platform === 'win32' && command !== process.execPath,
    // The dependencies are those that `cargo test` has built. Nobody reads a backtrace of this code.
    env: { ...process.env, CARGO_BUILD_BUILD_DIR: join(ROOT, 'target'), CARGO_PROFILE_DEV_DEBUG: 'false' },
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? `exit ${status}`}\n${stdout}${stderr}`);
  return stdout;
}

function copyTree(): void {
  const files = run(ROOT, 'git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0');
  for (const file of files.filter((file) => file !== '' && existsSync(join(ROOT, file)))) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    copyFileSync(join(ROOT, file), join(copy, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'), 'junction');
}

/** Inserts `text` after the match of `place` in a file of the copy, or before it. */
function insert(file: string, place: RegExp, text: string, where: 'behind' | 'before'): void {
  const before = readFileSync(join(copy, file), 'utf8');
  expect(before).toMatch(place);
  const after = before.replace(place, (found) => (where === 'behind' ? found + text : text + found));
  writeFileSync(join(copy, file), after);
}

test('a line is a field everywhere: decoded, encoded, built, typed, stored. So is a table a metric, and a row a type', async () => {
  // Before that, the position is unknown.
  expect(parseMetricsBatch(WIRE).events[0]?.unknown).toEqual([{ section: 'values', position: '16', json: '3' }]);

  copyTree();
  // After a release, its columns are recorded and their migration never changes.
  run(copy, 'npm', 'run', 'release:columns');
  const tables = readFileSync(join(copy, 'sql', 'single', '0001_tables.sql'), 'utf8');
  // The field first has another name. Since its migration isn't released, that leaves no trace.
  insert(TABLE, LAST_LINE, NEW_LINE.replace(' delivery: ', ' deliveries: '), 'behind');
  run(copy, 'npm', 'run', 'generate');
  for (const set of ['single', 'cluster']) expect(readdirSync(join(copy, 'sql', set))).toContain('0002_deliveries.sql');
  writeFileSync(join(copy, TABLE), readFileSync(join(copy, TABLE), 'utf8').replace(' deliveries: ', ' delivery: '));
  insert(TABLE, LAST_METRIC, NEW_METRIC, 'behind');
  insert(TYPES, A_TYPE, NEW_TYPE, 'behind');
  insert(TYPES, A_VALUE, NEW_VALUE, 'before');
  run(copy, 'npm', 'run', 'generate');
  const migration = '0002_delivery.sql';
  for (const set of ['single', 'cluster']) {
    expect(readdirSync(join(copy, 'sql', set)).sort()).toEqual(['0001_tables.sql', migration, 'views.sql']);
  }
  expect(readFileSync(join(copy, 'sql', 'single', '0001_tables.sql'), 'utf8')).toBe(tables);
  run(copy, 'npx', 'napi', 'build', '--platform', '--no-js', '--dts', 'binding.d.ts');

  writeFileSync(join(copy, 'consumer.ts'), CONSUMER);
  run(
    copy,
    'npx',
    'tsc',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--types',
    'node',
    '--ignoreConfig',
    'consumer.ts',
  );
  const event = { metric: 'prompt_event', timestamp: 1, values: { kind: 'ToolCall', delivery: 3 }, attributes: {} };
  const { rows, ...consumed } = JSON.parse(run(copy, process.execPath, 'consumer.js'));
  expect(consumed).toEqual({
    decoded: event,
    deliveries: 3,
    encoded: [WIRE, WIRE, WIRE.replace('"16":3', '"16":null')],
    reports: [
      { metric: 'delivery_report', timestamp: 1, values: { attempts: 65_535 }, attributes: {} },
      {
        metric: 'delivery_report',
        timestamp: 1,
        values: {},
        attributes: {},
        unknown: [{ section: 'values', position: '0', json: '65536' }],
      },
    ],
    attempts: 65_535,
    metric: 'delivery_report',
    values: { attempts: 7 },
    refused: 'attempts: expected a u16, found 65536',
    reencoded: REPORT,
  });

  expect(
    readFileSync(join(copy, 'index.d.ts'), 'utf8') + readFileSync(join(copy, 'generated', 'types.d.ts'), 'utf8'),
  ).toMatch(/How often the event was sent\..*\n\s*delivery\?: number \| null;/);
  expect(readFileSync(join(copy, 'docs', 'fields.md'), 'utf8')).toMatch(/\| 16 \| .*delivery/);

  if (!hasChdb) return;
  const clickHouse = await ClickHouse.start({ folder: join(copy, 'sql') });
  // Applying the first migration again after the second one doesn't change the view.
  for (const statement of statements(tables)) await clickHouse.run(statement);
  await clickHouse.insert(Buffer.from(rows, 'base64'), { sql: join(copy, 'sql') });
  expect(await clickHouse.rows('SELECT kind, delivery FROM prompt_events')).toEqual([
    { kind: 'ToolCall', delivery: 3 },
  ]);
  await clickHouse.stop();
}, 600_000);

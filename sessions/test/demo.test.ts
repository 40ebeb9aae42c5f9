import { join } from 'node:path';
import { encodeMetricsBatch, parseMetricsBatch } from 'git-ai-metrics';
import { storeDemo } from '../src/cli/demo.ts';
import type { OpenStore } from '../src/store/open.ts';
import { FakeStore } from './support/app.ts';

const SAMPLES = join(__dirname, '..', '..', 'examples', 'sessions');
const NOW = Date.UTC(2031, 4, 6, 7);
const MINUTE = 60_000;

class Commands extends FakeStore {
  readonly commands: string[] = [];
  /** The time of the newest message that is stored. */
  newest: number | null = null;

  override async query<Row>(): Promise<Row[]> {
    return [{ at: this.newest, n: 1 }] as Row[];
  }
  override async command(sql?: string): Promise<void> {
    this.commands.push(sql ?? '');
  }
}

describe('the sample sessions', () => {
  let store: Commands;
  const show = () =>
    storeDemo(Object.assign(store, { concurrentInserts: 1 }) as unknown as OpenStore, SAMPLES, {
      maxBytes: 2 ** 20,
      quarantine: '/nowhere',
    });
  beforeEach(() => {
    jest.useFakeTimers({ now: NOW, doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    store = new Commands();
  });
  afterEach(() => jest.useRealTimers());
  const shown = async () => {
    const done = show();
    await jest.advanceTimersByTimeAsync(1000);
    return done;
  };

  test('those of an earlier start are replaced once they are old', async () => {
    await shown();
    const rows = store.rowCount;
    expect(rows).toBeGreaterThan(500);
    expect(store.commands).toEqual([]);

    store.newest = NOW - 30 * MINUTE;
    await shown();
    expect([store.rowCount, store.commands]).toEqual([rows, []]);

    store.newest = NOW - 13 * 60 * MINUTE;
    await shown();
    expect(store.rowCount).toBe(2 * rows);
    expect(store.commands.length).toBeGreaterThan(2);
    for (const command of store.commands) expect(command).toMatch(/^ALTER TABLE \w+ DELETE WHERE org_id = /);
  });

  test('those without an end go on for an hour, with calls of their own', async () => {
    const { keepRunning } = await shown();
    const sent: Buffer[] = [];
    const stop = keepRunning(async (body) => sent.push(body));
    await jest.advanceTimersByTimeAsync(MINUTE);
    expect(sent).toHaveLength(2);
    const events = sent.flatMap((body) => parseMetricsBatch(body).events);
    expect(encodeMetricsBatch(events.slice(0, 3))).toEqual(sent[0]);
    expect(new Set(events.map(({ attributes }) => attributes.promptId)).size).toBe(3);
    expect(new Set(events.map(({ values }) => (values as { eventId: string }).eventId)).size).toBe(6);
    await jest.advanceTimersByTimeAsync(120 * MINUTE);
    const all = sent.length;
    expect(all).toBeLessThan(150);
    await jest.advanceTimersByTimeAsync(10 * MINUTE);
    expect(sent).toHaveLength(all);
    stop();
  });

  test('they stop with the server', async () => {
    const { keepRunning } = await shown();
    const sent: Buffer[] = [];
    keepRunning(async (body) => sent.push(body))();
    await jest.advanceTimersByTimeAsync(10 * MINUTE);
    expect(sent).toEqual([]);
  });
});

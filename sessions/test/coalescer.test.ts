import { setTimeout as sleep } from 'node:timers/promises';
import { Coalescer, type CoalescerOptions, NotStored, type RefusedRows } from '../src/ingest/coalescer.ts';
import { FakeStore, permanent, transient } from './support/app.ts';

const HEADER = Buffer.from('header;');

let store: FakeStore;
beforeEach(() => {
  store = new FakeStore();
});

const coalescer = (options: Partial<CoalescerOptions> = {}) =>
  new Coalescer(store, { concurrentInserts: 1, maxDelayMs: 20, giveUpMs: 2000, ...options });

const rowsOf = (name: string, { rowCount = 1, table = 'events', header = HEADER } = {}) => ({
  table,
  header,
  rows: Buffer.from(`${name};`),
  rowCount,
});
const uploadOf = (name: string) => ({ requestId: name, orgId: 'acme', body: Buffer.from(name) });

const send = (to: Coalescer, name: string, options = {}) => to.store([rowsOf(name, options)], uploadOf(name));

/** Settles every promise, and says how. */
const outcomes = async (promises: Promise<void>[]) =>
  (await Promise.allSettled(promises)).map((each) => (each.status === 'fulfilled' ? 'stored' : each.reason.name));

/** A store whose inserts end when the test says so. */
function gate(): { open: () => void; waiting: () => number } {
  const waiting: (() => void)[] = [];
  store.onInsert = () => new Promise((resolve) => waiting.push(resolve));
  return { open: () => waiting.shift()?.(), waiting: () => waiting.length };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await sleep(1);
};

test('a single upload is stored at once', async () => {
  await send(coalescer({ maxDelayMs: 100_000 }), 'a');
  expect(store.inserts).toEqual([{ table: 'events', rows: Buffer.from('header;a;'), rowCount: 1 }]);
});

test('uploads that arrive during an insert share the next one, under one header', async () => {
  const to = coalescer();
  const { open, waiting } = gate();
  const first = send(to, 'a');
  await until(() => waiting() === 1);
  const others = ['b', 'c', 'd'].map((name) => send(to, name));
  open();
  await first;
  await until(() => waiting() === 1);
  open();
  await Promise.all(others);
  expect(store.inserts.map(({ rows }) => rows.toString())).toEqual(['header;a;', 'header;b;c;d;']);
});

// Seen in a prototype: the timer fired while an insert was under way, nothing armed it again, and every client hung.
test('a flush that is due during an insert happens after it', async () => {
  const to = coalescer({ maxDelayMs: 5 });
  const { open, waiting } = gate();
  const first = send(to, 'a');
  await until(() => waiting() === 1);
  const second = send(to, 'b');
  await sleep(50);
  open();
  await first;
  await until(() => waiting() === 1);
  open();
  await second;
  expect(store.inserts).toHaveLength(2);
});

test("a full buffer doesn't wait for the delay, and inserts stay within their limits", async () => {
  const to = coalescer({ dueRows: 10, maxRows: 10, maxDelayMs: 100_000, concurrentInserts: 2 });
  const { open, waiting } = gate();
  const all = [send(to, 'a', { rowCount: 4 }), send(to, 'b', { rowCount: 5 }), send(to, 'c', { rowCount: 5 })];
  await until(() => waiting() === 2);
  open();
  open();
  const huge = send(to, 'huge', { rowCount: 1000 });
  await until(() => waiting() === 1);
  open();
  await Promise.all([...all, huge]);
  expect(store.inserts.map(({ rowCount }) => rowCount)).toEqual([4, 10, 1000]);
});

test('an insert takes all that has waited for the one before', async () => {
  const to = coalescer({ dueRows: 10, maxRows: 30, maxDelayMs: 100_000 });
  const { open, waiting } = gate();
  const first = send(to, 'first', { rowCount: 10 });
  await until(() => waiting() === 1);
  const all = ['a', 'b', 'c', 'd'].map((name) => send(to, name, { rowCount: 9 }));
  open();
  await first;
  await until(() => waiting() === 1);
  open();
  await Promise.all([...all.slice(0, 3), to.drain(), until(() => waiting() === 1).then(open)]);
  expect(store.inserts.map(({ rowCount }) => rowCount)).toEqual([10, 27, 9]);
});

test.each([1, 2])('at most %d inserts are under way', async (concurrentInserts) => {
  const to = coalescer({ concurrentInserts, maxRows: 1, maxDelayMs: 0 });
  let now = 0;
  let most = 0;
  store.onInsert = async () => {
    now += 1;
    most = Math.max(most, now);
    await sleep(1);
    now -= 1;
  };
  await Promise.all(Array.from({ length: 30 }, (_, at) => send(to, `${at}`)));
  expect(most).toBe(concurrentInserts);
  expect(store.inserts).toHaveLength(30);
});

test('rows with other columns, from another version, get their own insert', async () => {
  const to = coalescer();
  const { open, waiting } = gate();
  const first = send(to, 'a');
  await until(() => waiting() === 1);
  const rest = [send(to, 'b'), send(to, 'c', { header: Buffer.from('other;') }), send(to, 'd')];
  const opened = setInterval(open, 1);
  await Promise.all([first, ...rest]);
  clearInterval(opened);
  expect(store.inserts.map(({ rows }) => rows.toString())).toEqual(['header;a;', 'header;b;', 'other;c;', 'header;d;']);
});

test('an upload is stored once all its tables are', async () => {
  const to = coalescer();
  store.onInsert = async ({ table }) => {
    if (table === 'records') throw permanent();
  };
  const both = to.store([rowsOf('a'), rowsOf('a', { table: 'records' })], uploadOf('a'));
  await expect(both).rejects.toMatchObject({ name: 'StoreError', code: 27 });
  await send(to, 'b');
});

test('an upload without rows is stored', async () => {
  await coalescer().store([], uploadOf('empty'));
  expect(store.inserts).toEqual([]);
});

test('after a transient fault, the same bytes are sent until they are stored', async () => {
  let failures = 3;
  const tried: string[] = [];
  store.onInsert = async ({ rows }) => {
    tried.push(rows.toString());
    if (failures-- > 0) throw transient();
  };
  await send(coalescer(), 'a');
  expect(tried).toEqual(Array(4).fill('header;a;'));
});

test('during a long outage clients are refused; later ones are served', async () => {
  const to = coalescer({ giveUpMs: 300 });
  store.onInsert = async () => {
    throw transient();
  };
  expect(await outcomes([send(to, 'a'), send(to, 'b')])).toEqual(['NotStored', 'NotStored']);
  store.onInsert = async () => {};
  await send(to, 'c');
});

test('if an insert never ends, its clients and those behind it are refused', async () => {
  const to = coalescer({ giveUpMs: 100 });
  gate();
  expect(await outcomes([send(to, 'a'), send(to, 'b')])).toEqual(['NotStored', 'NotStored']);
  expect(to.load).toMatchObject({ rows: 0, bytes: 0, inserts: 1 });
});

test.each([0, 7, 31, 49])('one poison upload among 50, at place %d, fails alone', async (place) => {
  const refused: RefusedRows[] = [];
  const to = coalescer({ onRefused: (rows) => refused.push(rows) });
  store.onInsert = async ({ rows }) => {
    if (rows.includes('poison')) throw permanent();
  };
  const names = Array.from({ length: 50 }, (_, at) => (at === place ? 'poison' : `upload ${at}`));
  expect(await outcomes(names.map((name) => send(to, name)))).toEqual(
    names.map((name) => (name === 'poison' ? 'StoreError' : 'stored')),
  );
  expect(refused.map(({ upload }) => upload.requestId)).toEqual(['poison']);
  const stored = store.inserts.flatMap(({ rows }) => rows.toString().split(';').slice(1, -1));
  expect(stored.sort()).toEqual(names.filter((name) => name !== 'poison').sort());
});

test('waiting memory is bounded: uploads beyond it are refused at once', async () => {
  const to = coalescer({ maxWaitingBytes: 100 });
  const { open, waiting } = gate();
  const first = send(to, 'x'.repeat(40));
  await until(() => waiting() === 1);
  await expect(send(to, 'y'.repeat(40))).rejects.toBeInstanceOf(NotStored);
  open();
  await first;
  expect(to.load.bytes).toBe(0);
});

test('drain waits for present uploads only', async () => {
  const to = coalescer({ maxDelayMs: 100_000 });
  await to.drain();
  const all = ['a', 'b', 'c'].map((name) => send(to, name));
  await to.drain();
  expect(await outcomes(all)).toEqual(['stored', 'stored', 'stored']);
});

test('giveUp settles every upload, even if the store never answers', async () => {
  const to = coalescer({ giveUpMs: 100_000 });
  gate();
  const all = ['a', 'b'].map((name) => send(to, name));
  await sleep(5);
  to.giveUp('closing');
  expect(await outcomes(all)).toEqual(['NotStored', 'NotStored']);
});

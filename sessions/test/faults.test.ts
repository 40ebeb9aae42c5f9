/** What happens when ClickHouse, a client, the disk or the process fails. Rounds of kill -9 are in kill-rounds.mjs. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClickHouseStore } from '../src/store/clickhouse.ts';
import { openStore } from '../src/store/open.ts';
import { FakeStore, startApp, upload, uploadOf } from './support/app.ts';
import { ClickHouse, describeWithClickHouse, hasChdb } from './support/clickhouse.ts';
import { DATA_FOLDER } from './support/folders.ts';
import { type Server, startServer } from './support/server.ts';

const newFolder = () => mkdtempSync(join(DATA_FOLDER, 'git-ai-sessions-faults-'));
const remove = (folder: string) => rmSync(folder, { recursive: true, force: true });

let folder: string;
beforeEach(() => {
  folder = newFolder();
});
afterEach(() => remove(folder));

/** For tests that run side by side, for which Jest calls neither of these two. */
async function inFolder(run: (own: string) => Promise<void>): Promise<void> {
  const own = newFolder();
  try {
    await run(own);
  } finally {
    remove(own);
  }
}

/** What takes the place of ClickHouse, and a store that takes it for that. */
class Impostor {
  private constructor(
    private readonly server: HttpServer,
    readonly store: ClickHouseStore,
  ) {}

  static async start(answer: RequestListener): Promise<Impostor> {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const url = `http://user:secret@127.0.0.1:${port}/default`;
    return new Impostor(server, new ClickHouseStore({ url, timeoutMs: 500 }));
  }

  async stop(): Promise<void> {
    await this.store.close();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const eventsIn = async (data: string) => {
  const store = await openStore({ data });
  const [found] = await store.query<{ events: number; rows: number }>(
    'SELECT uniqExact(event_id) AS events, count() AS rows FROM prompt_events',
  );
  await store.close();
  return found;
};

describe('a ClickHouse that lies or dies', () => {
  let impostor: Impostor;
  let store: ClickHouseStore;
  /** How the next requests are answered; each is read first. */
  let answer: RequestListener;

  beforeEach(async () => {
    impostor = await Impostor.start((request, response) => {
      request.resume().once('end', () => answer(request, response));
    });
    store = impostor.store;
  });
  afterEach(() => impostor.stop());

  const insert = () => store.insert('prompt_event_deliveries', Buffer.from('rows'), 1).then(() => 'stored');

  test('an empty 200 is success', async () => {
    answer = (_, response) => response.end();
    expect(await insert()).toBe('stored');
  });

  test.each<[string, RequestListener, object]>([
    [
      '200 with an exception in its headers',
      (_, response) => response.writeHead(200, { 'x-clickhouse-exception-code': '241' }).end(),
      { transient: true },
    ],
    [
      '200 with an exception as its text',
      (_, response) =>
        response.end('Code: 27. DB::Exception: Cannot parse input. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)'),
      { transient: false, code: 27 },
    ],
    ['200 with a text that is no exception', (_, response) => response.end('hello'), { transient: true }],
    [
      'a reply that breaks off',
      (_, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('x');
        setTimeout(() => response.destroy(), 20);
      },
      { transient: true },
    ],
    [
      'a chunked reply that breaks off before its first byte',
      (_, response) => {
        response.writeHead(200, { 'transfer-encoding': 'chunked' });
        response.flushHeaders();
        setTimeout(() => response.destroy(), 20);
      },
      { transient: true },
    ],
    ['a connection that ends without a reply', (_, response) => void response.destroy(), { transient: true }],
    ['no reply at all', () => {}, { transient: true }],
    [
      'a full disk',
      (_, response) =>
        response
          .writeHead(500)
          .end('Code: 243. DB::Exception: Cannot reserve 1.00 MiB. (NOT_ENOUGH_SPACE) (version 26.7)'),
      { transient: true, code: 243 },
    ],
    [
      'rows that it cannot parse',
      (_, response) =>
        response.writeHead(400).end('Code: 33. DB::Exception: Cannot read all data. (CANNOT_READ_ALL_DATA)'),
      { transient: false, code: 33 },
    ],
    [
      'a proxy’s own error page',
      (_, response) => response.writeHead(502).end('<h1>Bad Gateway</h1>'),
      { transient: true },
    ],
    [
      'fewer rows stored than sent',
      (_, response) => response.writeHead(200, { 'x-clickhouse-summary': '{"written_rows":"0"}' }).end(),
      { transient: false },
    ],
  ])('%s is a failure', async (_, listener, error) => {
    answer = listener;
    await expect(insert()).rejects.toMatchObject({ name: 'StoreError', ...error });
  });

  test.each<[string, RequestListener]>([
    ['breaks off in a row', (_, response) => response.end('{"a":1}\n{"a":')],
    ['ends in an exception', (_, response) => response.end('{"a":1}\nCode: 241. DB::Exception: Memory limit')],
  ])('a query’s answer that %s is a failure, not fewer rows', async (_, listener) => {
    answer = listener;
    await expect(store.query('SELECT 1 AS a')).rejects.toMatchObject({ name: 'StoreError' });
  });

  test('no failure quotes the password', async () => {
    answer = (_, response) => response.writeHead(500).end('Code: 516. DB::Exception: Authentication failed');
    const error = await insert().catch((each) => each);
    expect(`${error} ${error.stack} ${JSON.stringify(error)}`).not.toContain('secret');
  });
});

describe('clients that are strangers', () => {
  test("many requests with wrong keys from new installations don't grow memory", async () => {
    const app = await startApp(new FakeStore(), { keyless: false });
    app.keys.add('acme', 'ingest');
    const body = uploadOf(50);
    const storm = async (count: number) => {
      const client = async (from: number) => {
        for (let n = from; n < count; n += 20) {
          const headers = { 'x-api-key': `gas_${n}`, 'x-distinct-id': `${n}` };
          expect((await upload(app.url, body, headers)).status).toBe(401);
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, from) => client(from)));
    };
    await storm(500);
    const before = process.memoryUsage().heapUsed;
    await storm(1500);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 2 ** 20);
    expect(app.log).toEqual(app.log.filter((line) => !line.includes('"level":50')));
    await app.stop();
  });
});

describeWithClickHouse('a process that ends', () => {
  let server: Server;
  // Also when a test failed in the middle.
  afterEach(() => {
    server?.child.kill('SIGKILL');
  });
  test('after SIGTERM, an upload whose last byte is late is still stored and answered', async () => {
    server = await startServer('--data', join(folder, 'data'));
    const body = uploadOf(3);
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(
      `POST /worker/metrics/upload HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, -1)}`,
    );
    await sleep(300);
    server.child.kill('SIGTERM');
    await sleep(300);
    // It takes nothing new, and says so.
    expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
    expect(await upload(server.url, uploadOf(1))).toMatchObject({ status: 503 });
    socket.write(body.slice(-1));
    await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toMatch(/^connection: close\r$/im);
    expect(await server.ended).toBe(0);
    expect(await eventsIn(join(folder, 'data'))).toEqual({ events: 3, rows: 3 });
  });

  test('the server exits with one line when its ClickHouse dies', async () => {
    const data = join(folder, 'data');
    server = await startServer('--data', data);
    spawnSync('pkill', ['-KILL', '-f', join(data, 'clickhouse', '.settings-')]);
    expect(await server.ended).toBe(1);
    expect(server.log()).toContain('ClickHouse is gone');
  });

  test('two clients that send the same upload at once are both acknowledged; it is stored once', async () => {
    server = await startServer('--data', join(folder, 'data'));
    const body = uploadOf(100);
    const answers = await Promise.all([upload(server.url, body), upload(server.url, body), upload(server.url, body)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    await server.stop();
    expect(await eventsIn(join(folder, 'data'))).toEqual({ events: 100, rows: 100 });
  });
});

describeWithClickHouse('the store', () => {
  test('a second process on the same folder is refused in one line', async () => {
    const data = join(folder, 'data');
    const first = await openStore({ data });
    await expect(openStore({ data })).rejects.toMatchObject({
      name: 'CannotOpen',
      message: `cannot open ${join(data, 'clickhouse')}: another process is using it`,
    });
    await first.ping();
    await first.close();
  });

  test('no other process on this machine can query it', async () => {
    const clickHouse = await ClickHouse.start({ set: 'none' });
    const { origin, username } = new URL(clickHouse.embedded.url);
    const ask = async (user: string, sql: string) =>
      (await fetch(`${origin}/?user=${user}`, { method: 'POST', body: sql })).status;
    expect(await ask('default', 'SELECT * FROM system.tables')).not.toBe(200);
    expect(await ask('default', 'SELECT count() FROM numbers(10)')).not.toBe(200);
    for (const user of [username, '']) expect([user, await ask(user, 'SELECT 1')]).not.toEqual([user, 200]);
    await clickHouse.stop();
  });

  test("parameters are bound, so their content can't change the query", async () => {
    const clickHouse = await ClickHouse.start({ set: 'none' });
    const hostile = "'; DROP TABLE x; -- \\ \0 \n\t {a:String} 😀";
    expect(await clickHouse.store.query('SELECT {text:String} AS text', { text: hostile })).toEqual([
      { text: hostile },
    ]);
    await clickHouse.stop();
  });
});

// The last group: while tests run side by side, Jest loads no modules, and by now all are loaded.
describe('limits of time, which pass side by side', () => {
  // CI also runs this with a minute, which is longer than a client is kept waiting.
  const OUTAGE_S = Number(process.env.OUTAGE_S ?? 10);

  test.concurrent(
    `a store that is down for ${OUTAGE_S} s delays clients that retry, but loses no events`,
    async () => {
      let down = true;
      const stored: Buffer[] = [];
      const statuses = new Set<number>();
      const impostor = await Impostor.start(async (request, response) => {
        if (down) return void response.destroy();
        stored.push(Buffer.concat(await request.toArray()));
        response.end();
      });
      const app = await startApp(impostor.store);
      const bodies = Array.from({ length: 5 }, () => uploadOf(2));
      const acknowledged = bodies.map(async (body) => {
        for (;;) {
          const { status } = await upload(app.url, body);
          statuses.add(status);
          if (status === 200) return;
          await sleep(500);
        }
      });
      await sleep(OUTAGE_S * 1000);
      expect(stored).toEqual([]);
      down = false;
      await Promise.all(acknowledged);
      expect(statuses).toEqual(new Set(OUTAGE_S > 20 ? [503, 200] : [200]));
      const rows = Buffer.concat(stored);
      for (const [, id] of bodies.join().matchAll(/"1":"(u\d+:\d+)"/g)) expect(rows.includes(id as string)).toBe(true);
      await app.stop();
      await impostor.stop();
    },
    (OUTAGE_S + 40) * 1000,
  );

  test.concurrent('a store that stays down gives 503 with Retry-After before the client stops waiting', async () => {
    const impostor = await Impostor.start((request, response) => {
      request.resume().once('end', () => void response.destroy());
    });
    const app = await startApp(impostor.store);
    const refused = await upload(app.url, uploadOf(2));
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('30');
    await app.stop();
    await impostor.stop();
  });

  test.concurrent('1,000 idle connections and slow bodies get 408 and delay nobody', async () => {
    const app = await startApp(new FakeStore());
    const { port } = new URL(app.url);
    const sockets: Socket[] = [];
    /** Sends this, and resolves with all that comes back. */
    const hold = (text: string) =>
      new Promise<string>((resolve) => {
        let received = '';
        const socket = connect(Number(port), '127.0.0.1');
        sockets.push(socket);
        socket.on('data', (chunk) => {
          received += chunk;
        });
        socket.on('error', () => {});
        socket.on('close', () => resolve(received));
        socket.write(text);
      });
    const head = 'POST /worker/metrics/upload HTTP/1.1\r\nhost: x\r\n';
    const slowHead = hold(head);
    const slowBody = hold(`${head}content-length: 1000\r\n\r\n{"v":1`);
    for (let n = 0; n < 500; n++) {
      void hold(head);
      void hold(`${head}content-length: 1000\r\n\r\n{"v":1`);
    }
    while (sockets.some((socket) => socket.connecting)) await sleep(10);
    expect(await upload(app.url, uploadOf(1))).toMatchObject({ status: 200 });
    expect(await slowHead).toMatch(/^HTTP\/1\.1 408 /);
    expect(await upload(app.url, uploadOf(1))).toMatchObject({ status: 200 });
    expect(await slowBody).toMatch(/^HTTP\/1\.1 408 /);
    for (const socket of sockets) socket.destroy();
    await app.stop();
  });

  (hasChdb ? test.concurrent : test.skip)(
    "after SIGTERM, a client that never finishes its body doesn't keep the server alive",
    () =>
      inFolder(async (folder) => {
        const server = await startServer('--data', join(folder, 'data'));
        try {
          const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
          socket.on('error', () => {});
          socket.write('POST /worker/metrics/upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
          await sleep(300);
          expect(await server.stop()).toBe(0);
          socket.destroy();
        } finally {
          server.child.kill('SIGKILL');
        }
      }),
  );

  const canMount = hasChdb && process.platform === 'linux' && process.getuid?.() === 0;
  (canMount ? test.concurrent : test.skip)('a full disk: 503, and nothing acknowledged is lost', () =>
    inFolder(async (folder) => {
      const data = join(folder, 'small');
      mkdirSync(data);
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', data]).status !== 0) return;
      let server: Server | undefined;
      try {
        server = await startServer('--data', data, '--min-free-mb', '0', '--rate-burst', '100000');
        let acknowledged = 0;
        let refused: number | undefined;
        // Texts that don't compress.
        const noise = () => randomBytes(3000).toString('base64');
        for (let n = 0; n < 200 && refused === undefined; n++) {
          const event = (at: number) =>
            `{"t":1775587555,"e":5,"v":{"0":"HumanMessage","1":"full${n}:${at}","11":"${noise()}"},"a":{"22":"full${n}"}}`;
          const body = `{"v":1,"events":[${Array.from({ length: 250 }, (_, at) => event(at)).join(',')}]}`;
          const { status } = await upload(server.url, body);
          if (status === 200) acknowledged += 250;
          else refused = status;
        }
        expect(refused).toBe(503);
        expect(acknowledged).toBeGreaterThan(0);
        server.child.kill('SIGKILL');
        await server.ended;
        spawnSync('mount', ['-o', 'remount,size=256m', data]);
        await sleep(500);
        expect((await eventsIn(data))?.events).toBeGreaterThanOrEqual(acknowledged);
      } finally {
        server?.child.kill('SIGKILL');
        spawnSync('umount', ['-l', data]);
      }
    }),
  );
});

/** What the endpoint answers, rule by rule. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { KeyFile } from '../src/server/keys.ts';
import { FakeStore, permanent, type RunningApp, startApp, transient, upload, uploadOf } from './support/app.ts';

let store: FakeStore;
let app: RunningApp;
const start = async (...[options]: [Parameters<typeof startApp>[1]?]) => {
  store = new FakeStore();
  app = await startApp(store, options);
};
afterEach(() => app.stop());

/** The raw answer to these bytes, sent as they are. */
function raw(text: string | Buffer, { end = false } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.write(text);
    if (end) socket.end();
  });
}

test('200 with the list of errors, once stored', async () => {
  await start();
  const body = `{"v":1,"events":[{"t":1,"e":5,"v":{"1":"p:1"},"a":{}},{"t":-1,"e":5,"v":{},"a":{}}]}`;
  const answer = await upload(app.url, body, { 'content-type': 'application/json' });
  expect(answer).toMatchObject({
    status: 200,
    body: { errors: [{ index: 1, error: expect.stringMatching(/^events\[1\]\.t: /) }] },
  });
  expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  expect(store.rowCount).toBe(1);
});

test.each([
  ['no content type', {}],
  ['another content type', { 'content-type': 'text/plain' }],
])('the body is taken with %s', async (_, headers) => {
  await start();
  expect(await upload(app.url, uploadOf(1), headers)).toMatchObject({ status: 200 });
});

test.each([
  ['{"v":1,', 'ERR_INVALID_JSON'],
  ['{"v":1}', 'ERR_INVALID_BATCH'],
  ['{"v":2,"events":[]}', 'ERR_UNSUPPORTED_VERSION'],
  ['', 'ERR_INVALID_JSON'],
])('400 for %j, with the code', async (body, code) => {
  await start();
  expect(await upload(app.url, body)).toMatchObject({
    status: 400,
    body: { error: expect.any(String), details: { code } },
  });
});

describe('keys', () => {
  test('401 for none and for an unknown one, before the body is read', async () => {
    await start({ keyless: false });
    app.keys.add('acme', 'ingest');
    expect(await upload(app.url, uploadOf(1))).toMatchObject({ status: 401, body: { error: expect.any(String) } });
    expect(await upload(app.url, uploadOf(1), { 'x-api-key': 'gas_no' })).toMatchObject({ status: 401 });
    // No byte of the body is sent, and the answer comes all the same.
    const answer = await raw(
      'POST /worker/metrics/upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  test("a client with Expect: 100-continue isn't asked for a body that will be refused", async () => {
    await start({ keyless: false });
    const ask = (key: string) =>
      raw(
        `POST /worker/metrics/upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ${key}\r\nexpect: 100-continue\r\ncontent-length: 21\r\n\r\n{"v":1,"events":[]}  `,
      );
    expect(await ask('wrong')).toMatch(/^HTTP\/1\.1 401 /);
    expect(await ask(app.keys.add('acme', 'ingest').key)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  test.each(['x-api-key', 'authorization'])('a key in %s decides the org of the events', async (header) => {
    await start({ keyless: false });
    const { key } = app.keys.add('acme', 'ingest');
    const headers = { [header]: header === 'authorization' ? `Bearer ${key}` : key };
    expect(await upload(app.url, uploadOf(1), headers)).toMatchObject({ status: 200 });
    expect(store.inserts[0]?.rows.includes('\x04acme')).toBe(true);
  });

  test('neither a view key nor a cookie may upload', async () => {
    await start({ keyless: false });
    const { key } = app.keys.add('acme', 'view');
    expect(await upload(app.url, uploadOf(1), { 'x-api-key': key })).toMatchObject({ status: 403 });
    const { key: ingest } = app.keys.add('acme', 'ingest');
    expect(await upload(app.url, uploadOf(1), { cookie: `sessions_key=${ingest}` })).toMatchObject({ status: 401 });
  });

  test('a revoked key is refused; keys are stored as hashes and never logged', async () => {
    await start({ keyless: false });
    const { key, id } = app.keys.add('acme', 'ingest');
    expect(await upload(app.url, uploadOf(1), { 'x-api-key': key })).toMatchObject({ status: 200 });
    expect(app.keys.revoke(id)).toBe(true);
    expect(await upload(app.url, uploadOf(1), { 'x-api-key': key })).toMatchObject({ status: 401 });
    const { key: another } = app.keys.add('acme', 'ingest');
    const file = readFileSync(join(app.folder, 'keys.json'), 'utf8');
    for (const secret of [key, another]) {
      expect(file).not.toContain(secret);
      expect(app.log.join()).not.toContain(secret);
    }
  });

  test('everyone is org local until the first key is added', async () => {
    await start();
    expect(await upload(app.url, uploadOf(1))).toMatchObject({ status: 200 });
    expect(store.inserts[0]?.rows.includes('\x05local')).toBe(true);
    const { id } = app.keys.add('acme', 'ingest');
    expect(await upload(app.url, uploadOf(1))).toMatchObject({ status: 401 });
    app.keys.revoke(id);
    expect(await upload(app.url, uploadOf(1))).toMatchObject({ status: 401 });
  });

  test('while keys.json is broken, the keys read before stay valid', async () => {
    const problems: string[] = [];
    const folder = mkdtempSync(join(tmpdir(), 'git-ai-sessions-keys-'));
    const file = new KeyFile(join(folder, 'keys.json'), (error) => problems.push(error.message));
    const { key, id } = file.add('acme', 'ingest');
    expect(file.identify(key)).toMatchObject({ org: 'acme' });
    writeFileSync(file.path, '{"keys":');
    await sleep(1100);
    expect(file.identify(key)).toMatchObject({ org: 'acme' });
    expect(file.identify(key)).toMatchObject({ org: 'acme' });
    expect(problems).toEqual([`cannot open ${file.path}: it is not JSON`]);
    writeFileSync(file.path, '{"keys":[]}');
    await sleep(1100);
    expect(file.identify(key)).toBeUndefined();
    expect(file.revoke(id)).toBe(false);
    rmSync(folder, { recursive: true });
  });
});

describe('who uploaded', () => {
  const AUTHOR = 'Müller <m@x.y>';

  test('X-Author-Identity and X-Distinct-ID go into rows of events that name none', async () => {
    await start();
    const headers = { 'x-author-identity': encodeURIComponent(AUTHOR), 'x-distinct-id': 'machine-1' };
    expect(await upload(app.url, uploadOf(1), headers)).toMatchObject({ status: 200 });
    const rows = String(store.inserts[0]?.rows);
    expect(rows).toContain(AUTHOR);
    expect(rows).toContain('machine-1');
  });

  test('as bytes of UTF-8 and with an invalid percent sign, too', async () => {
    await start();
    for (const [sent, stored] of [
      [Buffer.from(AUTHOR).toString('latin1'), AUTHOR],
      ['100 % me', '100 % me'],
    ] as const) {
      store.inserts.length = 0;
      expect(await upload(app.url, uploadOf(1), { 'x-author-identity': sent })).toMatchObject({ status: 200 });
      expect(String(store.inserts[0]?.rows)).toContain(stored);
    }
  });
});

describe('bodies', () => {
  test('gzip is unpacked', async () => {
    await start();
    const body = gzipSync(uploadOf(3));
    expect(await upload(app.url, body, { 'content-encoding': 'gzip' })).toMatchObject({ status: 200 });
    expect(store.rowCount).toBe(3);
  });

  test.each(['br', 'deflate', 'gzip, gzip', 'zstd'])('415 for %s', async (encoding) => {
    await start();
    expect(await upload(app.url, uploadOf(1), { 'content-encoding': encoding })).toMatchObject({ status: 415 });
  });

  test.each([
    ['no gzip at all', Buffer.from('{"v":1,"events":[]}')],
    ['half of it', gzipSync(uploadOf(50)).subarray(0, 60)],
  ])('400 for %s as gzip', async (_, body) => {
    await start();
    expect(await upload(app.url, body, { 'content-encoding': 'gzip' })).toMatchObject({ status: 400 });
  });

  test('413 for the declared length, the received bytes and the unpacked bytes', async () => {
    await start({ maxBodyBytes: 100_000 });
    const long = `${uploadOf(1)}${' '.repeat(100_000)}`;
    expect(await upload(app.url, long)).toMatchObject({
      status: 413,
      body: { error: expect.stringContaining('100000') },
    });
    const chunk = `${(50_000).toString(16)}\r\n${' '.repeat(50_000)}\r\n`;
    const head =
      'POST /worker/metrics/upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n';
    expect(await raw(`${head}${chunk.repeat(3)}0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
    expect(await upload(app.url, gzipSync(long), { 'content-encoding': 'gzip' })).toMatchObject({ status: 413 });
  });

  test('a gzip bomb takes no more memory than the limit', async () => {
    await start({ maxBodyBytes: 2 ** 20 });
    const bomb = gzipSync(Buffer.alloc(128 * 2 ** 20), { level: 9 });
    const before = process.memoryUsage().rss;
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => upload(app.url, bomb, { 'content-encoding': 'gzip' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(413));
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
  });

  test('a client that disconnects in the middle leaves nothing behind', async () => {
    await start();
    const body = gzipSync(uploadOf(1));
    for (const encoding of ['gzip', 'identity']) {
      await new Promise<void>((resolve) => {
        const half = request(`${app.url}/worker/metrics/upload`, {
          method: 'POST',
          headers: { 'content-length': body.length, 'content-encoding': encoding },
        });
        half.on('error', () => resolve());
        half.write(body.subarray(0, 10));
        setTimeout(() => half.destroy(new Error('gone')), 50);
      });
    }
    expect(await upload(app.url, uploadOf(1))).toMatchObject({ status: 200 });
    expect(store.rowCount).toBe(1);
  });
});

describe('refusals after which clients retry', () => {
  test('429 with Retry-After limits one installation and not the others', async () => {
    await start({ uploadsPerSecond: 1, uploadBurst: 3 });
    const from = (installation: string) => upload(app.url, uploadOf(1), { 'x-distinct-id': installation });
    const statuses = [];
    for (let n = 0; n < 5; n++) statuses.push((await from('one')).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    expect((await from('one')).headers.get('retry-after')).toBe('1');
    expect(await from('another')).toMatchObject({ status: 200 });
  });

  test('503 with Retry-After when the disk is nearly full', async () => {
    await start({ minFreeBytes: Number.MAX_SAFE_INTEGER });
    const answer = await upload(app.url, uploadOf(1));
    expect(answer).toMatchObject({ status: 503, body: { error: expect.stringContaining('disk is nearly full') } });
    expect(answer.headers.get('retry-after')).toBe('30');
    expect((await fetch(`${app.url}/readyz`)).status).toBe(503);
  });

  test('a short outage of the store only delays the answer', async () => {
    await start();
    let failures = 2;
    store.onInsert = async () => {
      if (failures-- > 0) throw transient();
    };
    expect(await upload(app.url, uploadOf(2))).toMatchObject({ status: 200 });
    expect(store.rowCount).toBe(2);
  });

  test('rows that ClickHouse refuses get 500; their bytes and the reason go to quarantine', async () => {
    await start();
    store.onInsert = async ({ rows }) => {
      if (rows.includes('poison')) throw permanent();
    };
    const poison = uploadOf(1, 'poison');
    const [bad, good] = await Promise.all([upload(app.url, poison), upload(app.url, uploadOf(1))]);
    expect([bad.status, good.status]).toEqual([500, 200]);
    await sleep(100);
    const folder = join(app.folder, 'quarantine');
    const [body, reason] = readdirSync(folder).sort();
    expect(readFileSync(join(folder, body as string), 'utf8')).toBe(poison);
    expect(JSON.parse(readFileSync(join(folder, reason as string), 'utf8'))).toMatchObject({
      orgId: 'local',
      code: 27,
    });
    expect(app.log.join()).not.toContain('poison');
  });

  test('403 for uploads from web pages', async () => {
    await start();
    expect(await upload(app.url, uploadOf(1), { origin: 'http://evil.example' })).toMatchObject({ status: 403 });
  });
});

describe('the rest', () => {
  test('log uploads are counted and dropped', async () => {
    await start();
    const answer = await fetch(`${app.url}/worker/logs/upload`, {
      method: 'POST',
      body: '{"version":1,"events":[{},{}]}',
    });
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { accepted: 2, dropped: 0, enqueued: true, errors: [] },
    ]);
    expect(await (await fetch(`${app.url}/metrics`)).text()).toContain('sessions_log_events_total 2');
    expect((await fetch(`${app.url}/worker/logs/upload`, { method: 'POST', body: 'x' })).status).toBe(400);
  });

  test('/healthz and /readyz answer, with each probe', async () => {
    await start();
    expect(await (await fetch(`${app.url}/healthz`)).json()).toEqual({ status: 'alive' });
    const ready = await fetch(`${app.url}/readyz`);
    expect(ready.status).toBe(200);
    const { probes } = (await ready.json()) as { probes: Record<string, unknown> };
    expect(Object.keys(probes)).toEqual(['store', 'queue', 'disk', 'event_loop', 'closing']);
  });

  test("/readyz is 503 while the store doesn't answer", async () => {
    await start();
    store.ping = async () => {
      throw transient();
    };
    const ready = await fetch(`${app.url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ probes: { store: { ok: false, found: 'no memory' } } });
  });

  test('/metrics answers loopback, but no request through a proxy', async () => {
    await start();
    const get = (headers: Record<string, string>) =>
      fetch(`${app.url}/metrics`, { headers }).then(({ status }) => status);
    expect(await get({})).toBe(200);
    expect(await get({ 'x-forwarded-for': '10.0.0.1' })).toBe(404);
    const rebound = await raw('GET /metrics HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n');
    expect(rebound).toMatch(/^HTTP\/1\.1 404 /);
  });

  test('a foreign Host name that resolves to this server gets 421', async () => {
    await start({ allowedHosts: ['Sessions.Example'] });
    const page = (host: string) => raw(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    for (const host of ['evil.example', 'evil.example:7423', '127.0.0.1.evil.example', '']) {
      expect(await page(host)).toMatch(/^HTTP\/1\.1 421 /);
    }
    for (const host of ['localhost', '127.0.0.1:7423', '[::1]:7423', 'sessions.example']) {
      expect(await page(host)).toMatch(/^HTTP\/1\.1 200 /);
    }
  });

  test("bytes that aren't HTTP are answered with 400", async () => {
    await start();
    expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await upload(app.url, uploadOf(1))).toMatchObject({ status: 200 });
  });
});

/** How the dashboard is served: headers, caching, the Host check, signing in. The tests in web/ have what people see. */
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { FakeStore, type RunningApp, startApp } from './support/app.ts';

const ASSETS = join(__dirname, '..', 'dist', 'web', 'assets');
const PAGES = [
  '/',
  '/sessions',
  '/sessions/a386ade188cc4043',
  `/sessions/${'%F0%9F%98%80'.repeat(128)}`,
  '/tools',
  '/skills',
  '/models',
  '/agents',
  '/friction',
];

/** A GET with headers that `fetch` doesn't let one set. */
function get(url: string, headers: Record<string, string>): Promise<{ status: number; headers: object; body: Buffer }> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    })
      .on('error', reject)
      .end();
  });
}

describe('the dashboard, as it is served', () => {
  let app: RunningApp;
  beforeEach(async () => {
    app = await startApp(new FakeStore());
  });
  afterEach(() => app.stop());

  test.each([...PAGES, '/api/overview', '/nowhere'])(
    '%s has the headers that keep other sites and scripts out',
    async (path) => {
      const { headers } = await fetch(app.url + path);
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
          "require-trusted-types-for 'script'; frame-ancestors 'none'",
      );
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
    },
  );

  test.each(PAGES)('%s is the document, which is asked for again each time', async (path) => {
    const answer = await fetch(app.url + path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-cache');
    expect(await answer.text()).toContain('<div id="app">');
    const again = await fetch(app.url + path, { headers: { 'if-none-match': answer.headers.get('etag') as string } });
    expect(again.status).toBe(304);
  });

  test('the document names its files by their hashes, and has neither script nor style of its own', async () => {
    const page = await (await fetch(app.url)).text();
    const files = [...page.matchAll(/(?:href|src)="(.*?)"/g)].map(([, file]) => file);
    expect(files).toHaveLength(4);
    for (const file of files) {
      expect(file).toMatch(/^\/assets\/(early|main|icon)-[0-9A-Z]{8}\.(js|css|svg)$/);
      const answer = await fetch(`${app.url}${file}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(answer.headers.get('vary')).toBe('accept-encoding');
    }
    expect(page).not.toMatch(/<style|style=|<script(?!( type="module")? src="\/assets\/)|\son\w+=/);
  });

  test.each([
    ['br', 'br', brotliDecompressSync],
    ['gzip, deflate, br;q=0', 'gzip', gunzipSync],
    ['gzip;q=0.5', 'gzip', gunzipSync],
    ['identity', undefined, (body: Buffer) => body],
    ['', undefined, (body: Buffer) => body],
  ])('accept-encoding %p', async (accepted, encoding, unpack) => {
    const name = readdirSync(ASSETS).find((file) => file.endsWith('.js')) as string;
    const { headers, body } = await get(`${app.url}/assets/${name}`, { 'accept-encoding': accepted });
    expect(headers).toMatchObject({ 'content-type': 'text/javascript; charset=utf-8' });
    expect((headers as Record<string, string>)['content-encoding']).toBe(encoding);
    expect(unpack(body)).toEqual(readFileSync(join(ASSETS, name)));
  });

  test.each(['/assets/none.js', '/assets/..%2findex.html', '/assets/%2e%2e%2f%2e%2e%2fpackage.json'])(
    'no file: %s',
    async (path) => {
      expect((await get(app.url + path, {})).status).toBe(404);
    },
  );

  test('an unknown address is a page for people and JSON for programs', async () => {
    const page = await fetch(`${app.url}/nowhere`, { headers: { accept: 'text/html,*/*' } });
    expect([page.status, page.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
    const json = await fetch(`${app.url}/nowhere`);
    expect([json.status, await json.json()]).toEqual([404, { error: 'there is nothing here' }]);
  });

  test.each(['/sessions/%ff', '/sessions/%', '/%c3%28?x=%ff', '/api/sessions/%ff', `/tools/${'x'.repeat(9_000)}`])(
    'an address that isn’t one, %s, is answered like any other',
    async (path) => {
      const page = await get(app.url + path, { accept: 'text/html' });
      expect(page).toMatchObject({
        status: 404,
        headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': expect.any(String) },
      });
      expect(JSON.parse((await get(app.url + path, {})).body.toString())).toEqual({ error: 'there is nothing here' });
      expect((await get(app.url + path, { host: 'evil.example' })).status).toBe(421);
    },
  );

  test.each(['/', '/sessions', '/assets/none.js', '/api/status', '/nowhere'])(
    'a name that was pointed at this machine reads nothing: %s',
    async (path) => {
      expect((await get(app.url + path, { host: 'evil.example' })).status).toBe(421);
      expect((await get(app.url + path, { host: 'localhost:7423' })).status).not.toBe(421);
    },
  );
});

describe('signing in', () => {
  let app: RunningApp;
  let key: string;
  beforeEach(async () => {
    app = await startApp(new FakeStore(), { keyless: false });
    ({ key } = app.keys.add('acme', 'view'));
  });
  afterEach(() => app.stop());

  const signIn = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${app.url}/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  test('a key becomes a cookie that scripts can’t read, and the cookie opens the API of its org', async () => {
    expect((await fetch(`${app.url}/api/status`)).status).toBe(401);
    const answer = await signIn({ key });
    expect([answer.status, await answer.json()]).toEqual([200, { org: 'acme' }]);
    const cookie = answer.headers.get('set-cookie') as string;
    expect(cookie).toBe(`sessions_key=${key}; Path=/; Max-Age=7776000; HttpOnly; SameSite=Strict`);
    const status = await fetch(`${app.url}/api/status`, { headers: { cookie: cookie.split(';', 1)[0] as string } });
    expect(await status.json()).toMatchObject({
      org: 'acme',
      key_id: expect.stringMatching(/^[0-9a-f]{8}$/),
      demo: false,
    });
  });

  test('the cookie is for TLS only if the page came by TLS', async () => {
    const page = { origin: 'https://sessions.example', 'sec-fetch-site': 'same-origin' };
    const answer = await signIn({ key }, page);
    expect(answer.headers.get('set-cookie')).toMatch(/; Secure$/);
  });

  test('signing out takes the cookie away', async () => {
    const answer = await fetch(`${app.url}/sign-out`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(answer.headers.get('set-cookie')).toBe('sessions_key=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict');
  });

  test('401 for an unknown key, 403 for one that only sends; neither sets a cookie', async () => {
    const unknown = await signIn({ key: 'gas_unknown' });
    const ingest = await signIn({ key: app.keys.add('acme', 'ingest').key });
    expect([unknown.status, unknown.headers.get('set-cookie')]).toEqual([401, null]);
    expect([ingest.status, ingest.headers.get('set-cookie')]).toEqual([403, null]);
  });

  test.each([
    ['{'],
    [{}],
    [{ key: 1 }],
    [null],
    [{ key: 'a; Path=/x' }],
    [{ key: 'a\r\nb' }],
    [{ key: 'a'.repeat(600) }],
  ])('400 for %j', async (body) => {
    expect((await signIn(body)).status).toBe(400);
  });

  test('another site can sign nobody in or out', async () => {
    expect((await signIn({ key }, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await signIn({ key }, { 'sec-fetch-site': 'same-site' })).status).toBe(403);
    expect((await signIn({ key }, { 'content-type': 'text/plain' })).status).toBe(415);
    const out = await fetch(`${app.url}/sign-out`, { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } });
    expect(out.status).toBe(403);
  });

  test('a browser that names only the origin is believed that', async () => {
    for (const origin of [
      'http://evil.example',
      'null',
      app.url.replace(/\d+$/, '1'),
      'http://localhost.evil.example',
    ]) {
      expect([origin, (await signIn({ key }, { origin })).status]).toEqual([origin, 403]);
    }
    expect((await signIn({ key }, { origin: app.url })).status).toBe(200);
    const named = await startApp(new FakeStore(), { keyless: false, allowedHosts: ['Sessions.example'] });
    try {
      const answer = await fetch(`${named.url}/sign-in`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: 'https://sessions.example' },
        body: JSON.stringify({ key: named.keys.add('acme', 'view').key }),
      });
      expect([answer.status, answer.headers.get('set-cookie')]).toEqual([200, expect.stringMatching(/; Secure$/)]);
    } finally {
      await named.stop();
    }
  });

  test('a key in the header of the sample sessions opens no other org', async () => {
    const answer = await fetch(`${app.url}/api/status`, { headers: { 'x-api-key': key, 'x-sessions-org': 'demo' } });
    expect(await answer.json()).toMatchObject({ org: 'acme' });
  });
});

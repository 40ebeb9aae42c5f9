/** The dashboard: its pages and files, the headers that protect them, and signing in with a cookie. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Authenticator } from './auth.ts';
import { type ByteBudget, readBody } from './body.ts';
import { accepts } from './encoding.ts';
import { HttpError } from './errors.ts';

/** Where the build puts the dashboard, seen from `src/server` and from `dist/server` alike. */
const FOLDER: string = join(__dirname, '..', '..', 'dist', 'web');

/** The pages. All are one document, which shows what the address says. */
const PAGES = ['/', '/sessions', '/sessions/:id', '/tools', '/skills', '/models', '/agents', '/friction'];

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "require-trusted-types-for 'script'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const ENCODINGS = [
  { name: 'br', suffix: '.br' },
  { name: 'gzip', suffix: '.gz' },
] as const;

const COOKIE = 'sessions_key';
const COOKIE_DAYS = 90;
const MAX_SIGN_IN_BYTES = 4_096;

interface Asset {
  type: string;
  plain: Buffer;
  /** The same, compressed at build time, by the name of the encoding. */
  compressed: Partial<Record<string, Buffer>>;
}

export interface DashboardOptions {
  authenticate: Authenticator;
  budget: ByteBudget;
  /** Names of this server, besides localhost and addresses. */
  allowedHosts: ReadonlySet<string>;
}

export function registerDashboard(server: FastifyInstance, options: DashboardOptions): void {
  const { authenticate, budget, allowedHosts } = options;
  const { page, assets } = load();
  const etag = `"${createHash('sha256').update(page).digest('base64url').slice(0, 22)}"`;

  // On every answer: what a browser does with JSON or with an error matters as well.
  server.addHook('onRequest', async (_request, reply) => {
    reply.headers({
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
  });

  const sendPage = async (request: FastifyRequest, reply: FastifyReply) => {
    reply.headers({ 'cache-control': 'no-cache', etag });
    if (reply.statusCode === 200 && request.headers['if-none-match'] === etag) return reply.code(304).send();
    return reply.type('text/html; charset=utf-8').send(page);
  };
  for (const path of PAGES) server.get(path, sendPage);

  server.get('/assets/:name', async (request, reply) => {
    const asset = assets.get((request.params as { name: string }).name);
    if (asset === undefined) throw new HttpError(404, 'there is nothing here');
    // A name contains a hash of the content, so what it stands for never changes.
    reply.headers({ 'cache-control': 'public, max-age=31536000, immutable', vary: 'accept-encoding' });
    reply.type(asset.type);
    for (const { name } of ENCODINGS) {
      const body = asset.compressed[name];
      if (body === undefined || !accepts(request.headers['accept-encoding'], name)) continue;
      return reply.header('content-encoding', name).send(body);
    }
    return reply.send(asset.plain);
  });

  // A person who follows a broken link gets a page that says so. A program gets JSON.
  server.setNotFoundHandler(async (request, reply) => {
    if (request.method !== 'GET' || !/\btext\/html\b/.test(request.headers.accept ?? '')) {
      throw new HttpError(404, 'there is nothing here');
    }
    reply.code(404);
    return sendPage(request, reply);
  });

  server.post('/sign-in', async (request, reply) => {
    fromOurPages(request, allowedHosts);
    const key = keyIn(await readBody(request.raw, { maxBytes: MAX_SIGN_IN_BYTES, budget }));
    const { org } = authenticate({ 'x-api-key': key }, 'view');
    reply.headers({ 'set-cookie': cookie(request, key, COOKIE_DAYS * 86_400), 'cache-control': 'no-store' });
    return { org };
  });

  server.post('/sign-out', async (request, reply) => {
    fromOurPages(request, allowedHosts);
    reply.headers({ 'set-cookie': cookie(request, '', 0), 'cache-control': 'no-store' });
    return {};
  });
}

function load(): { page: Buffer; assets: Map<string, Asset> } {
  const assets = new Map<string, Asset>();
  try {
    const folder = join(FOLDER, 'assets');
    const names = new Set(readdirSync(folder));
    for (const name of names) {
      const type = TYPES[extname(name)];
      if (type === undefined) continue;
      const compressed: Asset['compressed'] = {};
      for (const { name: encoding, suffix } of ENCODINGS) {
        if (names.has(name + suffix)) compressed[encoding] = readFileSync(join(folder, name + suffix));
      }
      assets.set(name, { type, plain: readFileSync(join(folder, name)), compressed });
    }
    return { page: readFileSync(join(FOLDER, 'index.html')), assets };
  } catch (cause) {
    throw new Error(`the dashboard is not built: expected its files in ${FOLDER}`, { cause });
  }
}

/**
 * Another site must not sign its visitors in or out. A form can't send JSON, and browsers say where a request is from:
 * in Sec-Fetch-Site if this server is on loopback or speaks TLS, and in Origin in any case. Behind a proxy the Host may be
 * another than the page's, so that of `--allow-host` counts as well.
 */
function fromOurPages({ headers }: FastifyRequest, allowedHosts: ReadonlySet<string>): void {
  const { origin, host, 'sec-fetch-site': site } = headers;
  const isOurs =
    site === undefined ? origin === undefined || originIsOurs(origin, host, allowedHosts) : site === 'same-origin';
  if (!isOurs) throw new HttpError(403, 'expected a request of this site’s pages');
  if (!/^application\/json\b/i.test(headers['content-type'] ?? '')) {
    throw new HttpError(415, 'expected a body of type application/json');
  }
}

function originIsOurs(origin: string, host: string | undefined, allowedHosts: ReadonlySet<string>): boolean {
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  return page.host === host?.toLowerCase() || allowedHosts.has(page.hostname);
}

function keyIn(body: Buffer): string {
  let key: unknown;
  try {
    key = (JSON.parse(body.toString()) as { key?: unknown } | null)?.key;
  } catch {
    // No JSON, no key: the same answer.
  }
  // These are the characters that a cookie can hold.
  if (typeof key !== 'string' || !/^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,512}$/.test(key)) {
    throw new HttpError(400, 'expected {"key": "…"} with a key of role view');
  }
  return key;
}

function cookie({ headers }: FastifyRequest, key: string, maxAgeS: number): string {
  // Behind a proxy only the page's own origin says that the browser speaks TLS.
  const secure = headers.origin?.startsWith('https:') ? '; Secure' : '';
  return `${COOKIE}=${key}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Strict${secure}`;
}

/** The HTTP server: receives uploads and serves health and metrics. The API and the dashboard register their own routes. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyBaseLogger, type FastifyError, type FastifyInstance, LogController } from 'fastify';
import type { FrictionRules } from '../api/friction.ts';
import { registerApi } from '../api/routes.ts';
import { Deriver } from '../derive/deriver.ts';
import { Coalescer, NotStored, type RefusedRows } from '../ingest/coalescer.ts';
import { Quarantine } from '../ingest/quarantine.ts';
import { encodeUpload } from '../ingest/rows.ts';
import { Reaper } from '../liveness/reaper.ts';
import { ClockSkews } from '../liveness/skew.ts';
import { Merger } from '../merge/merger.ts';
import type { Store, StoreError } from '../store/store.ts';
import { type Authenticator, hostIsOurs, isLoopback } from './auth.ts';
import { ByteBudget, continueLater, readBody } from './body.ts';
import { registerDashboard } from './dashboard.ts';
import { answerTo, HttpError, restIsTooMuch, safeError } from './errors.ts';
import { HealthProbes } from './health.ts';
import type { Identity } from './keys.ts';
import { observeQueue, type ServerMetrics, serverMetrics } from './metrics.ts';
import { RateLimit } from './rate-limit.ts';
import { isUpload, Uploads } from './uploads.ts';

export interface AppOptions {
  store: Store;
  authenticate: Authenticator;
  log: FastifyBaseLogger;
  /** Where refused uploads are kept, and whose disk is watched. */
  folder: string;
  quarantine: string;
  concurrentInserts: number;
  maxBodyBytes: number;
  minFreeBytes: number;
  uploadsPerSecond: number;
  uploadBurst: number;
  /** Names that a Host header may contain, besides localhost and addresses. */
  allowedHosts: readonly string[];
  /** The rules for signs of friction. Default: the built-in ones. */
  friction?: FrictionRules | undefined;
  /** Whether the store has sample sessions, as org `demo`. */
  demo?: boolean;
  /** Whether loopback may read /metrics here; not if they have a port of their own. */
  serveMetrics: boolean;
  /** Unix milliseconds: by which uploads arrive, sessions are live, and silent ones are ended. Default: `Date.now`. */
  now?: () => number;
}

export interface App {
  server: FastifyInstance;
  coalescer: Coalescer;
  health: HealthProbes;
  metrics: ServerMetrics;
  /** Runs once a minute until `close`. */
  reaper: Reaper;
  /** The same. */
  deriver: Deriver;
  /** Refuses new uploads, stores those already received, and closes all connections; by force after `withinMs`. */
  close(withinMs: number): Promise<void>;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The owner of the request's key, on all routes of uploads and of the API. */
    identity: Identity;
  }
}

/** How long the last answers may take to be sent at a shutdown. */
const LAST_ANSWERS_MS = 500;
/** How often observations of clocks are stored. */
const CLOCKS_MS = 5_000;
const MAX_LOG_BYTES = 4 * 2 ** 20;
const BODIES_IN_MEMORY_BYTES = 512 * 2 ** 20;

export function createApp(options: AppOptions): App {
  const { store, authenticate, log, maxBodyBytes, now = Date.now } = options;
  const metrics = serverMetrics();
  const quarantine = new Quarantine(options.quarantine);
  const coalescer = new Coalescer(store, {
    concurrentInserts: options.concurrentInserts,
    onRefused: (refused, reason) => keepRefused(quarantine, metrics, log, refused, reason),
    onInsert: ({ table, rows, ms, failed }) => {
      metrics.insertSeconds.observe(ms / 1000);
      if (failed) {
        metrics.insertFailures.inc();
        // Silence that this may have caused must not end a session.
        reaper.wasDeaf();
      } else metrics.rows.inc({ table }, rows);
    },
  });
  observeQueue(metrics, coalescer);
  const health = new HealthProbes({ store, coalescer, folder: options.folder, minFreeBytes: options.minFreeBytes });
  const skews = new ClockSkews(store);
  const reaper = new Reaper({
    store,
    now,
    upload: async (orgId, body, receivedAtMs) => {
      const { tables } = encodeUpload(body, { orgId, receivedAtMs, maxBytes: maxBodyBytes });
      await coalescer.store(tables, { requestId: 'reaper', orgId, body });
    },
    onError: (error) => log.warn({ err: safeError(error as Error) }, 'the reaper could not run'),
    onReaped: (sessions) => log.info({ sessions }, 'ended silent sessions'),
  });
  const deriver = new Deriver({
    store,
    onError: (error) => log.warn({ err: safeError(error as Error) }, 'a session could not be settled'),
    onSettled: (sessions) => log.debug({ sessions }, 'settled sessions of released clients'),
  });
  const merger = new Merger({
    store,
    onError: (error) => log.warn({ err: safeError(error as Error) }, 'sessions could not be merged'),
  });
  const budget = new ByteBudget(BODIES_IN_MEMORY_BYTES);
  const uploads = new Uploads({
    authenticate,
    coalescer,
    health,
    metrics,
    skews,
    budget,
    log,
    now,
    maxBodyBytes,
    limit: new RateLimit(options.uploadsPerSecond, options.uploadBurst),
  });
  const allowedHosts = new Set(options.allowedHosts.map((name) => name.toLowerCase()));

  const server = Fastify({
    // Addresses that Fastify would refuse by itself would get an answer without the headers and checks of all others.
    // Node refuses longer ones.
    routerOptions: { maxParamLength: 16_384 },
    rewriteUrl: ({ url = '/' }) => (isDecodable(url) ? url : NO_ADDRESS),
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // Request ids are our own. A client's id could be anything, and ids go into logs and file names.
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    forceCloseConnections: 'idle',
    // Closing is answered here, with Retry-After.
    return503OnClosing: false,
    // Most requests are uploads, and half of what a small one costs would be Fastify.
    serverFactory: (others) =>
      createServer(
        {
          requestTimeout: 30_000,
          keepAliveTimeout: 72_000,
          headersTimeout: 10_000,
          connectionsCheckingInterval: 1000,
        },
        (request, response) => {
          if (isUpload(request)) void uploads.take(request, response);
          else others(request, response);
        },
      ),
  });
  server.server.maxConnections = 10_000;

  server.decorateRequest('identity', null as unknown as Identity);
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  server.addHook('onSend', async (_request, reply) => {
    if (health.closing) reply.header('connection', 'close');
  });
  // Only routes read bodies. A parser would read the body before the key is checked.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));
  server.server.on('checkContinue', (request, response) => {
    continueLater(request, response);
    server.server.emit('request', request, response);
  });

  server.setErrorHandler<FastifyError>(async (error, request, reply) => {
    const answer = answerTo(error);
    if (answer.statusCode >= 500 && !(error instanceof NotStored))
      request.log.error({ err: safeError(error) }, 'failed');
    if (answer.retryAfter !== undefined) reply.header('retry-after', Math.ceil(answer.retryAfter));
    if (restIsTooMuch(request.raw)) reply.header('connection', 'close');
    reply.code(answer.statusCode);
    return { error: answer.message, ...(answer.details !== undefined && { details: answer.details }) };
  });

  // The client's own diagnostics are counted and dropped, because nobody reads them and they contain names of folders.
  server.post('/worker/logs/upload', {
    onRequest: async (request, reply) => {
      request.identity = await uploads.admit(request.raw, reply.raw);
    },
    handler: async (request) => {
      const body = await readBody(request.raw, { maxBytes: MAX_LOG_BYTES, budget });
      const accepted = countLogEvents(body);
      metrics.logUploads.inc();
      metrics.logEvents.inc(accepted);
      return { accepted, dropped: 0, enqueued: true, errors: [] };
    },
  });

  server.get('/healthz', async () => ({ status: 'alive' }));
  server.get('/readyz', async (_request, reply) => {
    const probes = await health.all();
    const ready = Object.values(probes).every(({ ok }) => ok);
    reply.code(ready ? 200 : 503);
    return { status: ready ? 'ready' : 'not ready', probes };
  });
  server.get('/metrics', async (request, reply) => {
    // A request through a proxy on this machine came from elsewhere.
    const { forwarded, via, 'x-forwarded-for': forwardedFor } = request.headers;
    const proxied = forwarded !== undefined || via !== undefined || forwardedFor !== undefined;
    const local = isLoopback(request.socket.remoteAddress ?? '') && hostIsOurs(request.headers.host, new Set());
    if (!options.serveMetrics || !local || proxied) throw new HttpError(404, 'there is nothing here');
    reply.type(metrics.registry.contentType);
    return metrics.registry.metrics();
  });

  registerApi(server, {
    store,
    authenticate,
    demo: options.demo ?? false,
    now,
    ...(options.friction && { friction: options.friction }),
  });
  registerDashboard(server, { authenticate, budget, allowedHosts });

  // All other routes are for browsers.
  const forMachines = /^\/(worker\/|healthz$|readyz$|metrics$)/;
  server.addHook('onRequest', async (request) => {
    if (!forMachines.test(request.url) && !hostIsOurs(request.headers.host, allowedHosts)) {
      throw new HttpError(421, 'the Host header names another server: start this one with --allow-host');
    }
  });

  reaper.start();
  deriver.start();
  merger.start();
  const rememberClocks = () =>
    skews.flush().catch((error) => log.warn({ err: safeError(error) }, 'clocks are not stored'));
  const remembering = setInterval(rememberClocks, CLOCKS_MS);
  remembering.unref();

  return {
    server,
    coalescer,
    health,
    metrics,
    reaper,
    deriver,
    close: async (withinMs) => {
      health.closing = true;
      clearInterval(remembering);
      reaper.stop();
      const derived = Promise.all([deriver.stop(), merger.stop()]);
      // Keep listening until the last upload is answered, so that a load balancer gets 503 from /readyz.
      await Promise.race([uploads.finished(), sleep(withinMs, undefined, { ref: false })]);
      coalescer.giveUp('the server is shutting down');
      const closed = server.close();
      // Clients that are still sending have had their time. The others get time to read their answer.
      const timer = setTimeout(() => server.server.closeAllConnections(), LAST_ANSWERS_MS);
      await closed;
      clearTimeout(timer);
      await rememberClocks();
      // What it leaves undone, the next process finds.
      await Promise.race([derived, sleep(LAST_ANSWERS_MS, undefined, { ref: false })]);
      health.close();
    },
  };
}

/** An address that no route has. */
const NO_ADDRESS = '/-';

/** Whether all of an address but its query is percent-encoded UTF-8. `/sessions/%ff` isn't. */
function isDecodable(url: string): boolean {
  try {
    decodeURI(url.split('?', 1)[0] as string);
    return true;
  } catch {
    return false;
  }
}

function keepRefused(
  quarantine: Quarantine,
  metrics: ServerMetrics,
  log: FastifyBaseLogger,
  { table, upload }: RefusedRows,
  reason: StoreError,
): void {
  metrics.quarantined.inc();
  quarantine.keep({ ...upload, table, reason: reason.message, code: reason.code }).then(
    (path) =>
      log.error(
        { reqId: upload.requestId, org: upload.orgId, table, code: reason.code, quarantine: path ?? 'full' },
        'ClickHouse refuses an upload',
      ),
    (error) => log.error({ reqId: upload.requestId, err: error }, 'an upload could not be put into quarantine'),
  );
}

function countLogEvents(body: Buffer): number {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch (error) {
    throw new HttpError(400, 'the body is not JSON', { details: (error as Error).message });
  }
  const { events } = (parsed ?? {}) as { events?: unknown };
  if (!Array.isArray(events)) throw new HttpError(400, 'expected an object with a list of events');
  return events.length;
}

/**
 * Takes uploads of metric events, as Node's own server hands them over. They are nearly all requests, and many are small, so
 * a framework's share of the work would be as large as the rest.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger } from 'fastify';
import { type Coalescer, NotStored } from '../ingest/coalescer.ts';
import { type EncodedUpload, encodeUpload, type UploadContext } from '../ingest/rows.ts';
import type { ClockSkews } from '../liveness/skew.ts';
import { type Authenticator, refuseBrowsers } from './auth.ts';
import { type ByteBudget, readBody } from './body.ts';
import { answerTo, HttpError, RETRY_AFTER_S, restIsTooMuch, safeError } from './errors.ts';
import type { HealthProbes } from './health.ts';
import type { Identity } from './keys.ts';
import type { ServerMetrics } from './metrics.ts';
import type { RateLimit } from './rate-limit.ts';
import { YoungMemory } from './young-memory.ts';

const PATH = '/worker/metrics/upload';

export const isUpload = ({ method, url }: IncomingMessage): boolean =>
  method === 'POST' && (url === PATH || (url?.startsWith(`${PATH}?`) ?? false));

export interface UploadsOptions {
  authenticate: Authenticator;
  coalescer: Coalescer;
  health: HealthProbes;
  metrics: ServerMetrics;
  skews: ClockSkews;
  budget: ByteBudget;
  log: FastifyBaseLogger;
  now: () => number;
  maxBodyBytes: number;
  limit: RateLimit;
}

export class Uploads {
  /** Those that were admitted but not answered yet. */
  #underWay = 0;
  #waiting: (() => void)[] = [];
  readonly #young = new YoungMemory();

  constructor(private readonly options: UploadsOptions) {}

  /**
   * The checks of every upload before its body is read.
   * @throws {HttpError}
   */
  async admit(request: IncomingMessage, response: ServerResponse): Promise<Identity> {
    const { authenticate, health, limit } = this.options;
    if (health.closing) throw new HttpError(503, 'the server is shutting down', { retryAfter: RETRY_AFTER_S });
    refuseBrowsers(request.headers);
    const identity = authenticate(request.headers, 'ingest');
    const waitS = limit.take(`${identity.org} ${installationOf(request) ?? `key ${identity.keyId}`}`);
    if (waitS > 0) throw new HttpError(429, 'too many uploads of this installation', { retryAfter: waitS });
    const disk = await health.disk();
    if (!disk.ok) throw new HttpError(503, `the disk is nearly full: ${disk.found}`, { retryAfter: RETRY_AFTER_S });
    this.#underWay += 1;
    // In either case: the answer was sent, or the connection was closed.
    response.once('close', () => {
      this.#underWay -= 1;
      if (this.#underWay === 0) for (const resolve of this.#waiting.splice(0)) resolve();
    });
    return identity;
  }

  /** Resolves once none is under way. */
  finished(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#underWay === 0) resolve();
      else this.#waiting.push(resolve);
    });
  }

  /** Stores an upload and answers it. Never rejects. */
  async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { health, log, metrics } = this.options;
    const began = performance.now();
    // Request ids are our own. A client's id could be anything, and ids go into logs and file names.
    const requestId = randomUUID();
    const headers: Record<string, string | number> = {
      'content-type': 'application/json; charset=utf-8',
      'x-request-id': requestId,
    };
    let status = 200;
    let answer: string;
    try {
      answer = await this.#store(request, response, requestId);
    } catch (error) {
      const { statusCode, message, details, retryAfter } = answerTo(error as Error);
      if (statusCode >= 500 && !(error instanceof NotStored)) {
        log.error({ reqId: requestId, err: safeError(error as Error) }, 'failed');
      }
      if (retryAfter !== undefined) headers['retry-after'] = Math.ceil(retryAfter);
      if (restIsTooMuch(request)) headers.connection = 'close';
      status = statusCode;
      answer = JSON.stringify({ error: message, details });
    }
    if (health.closing) headers.connection = 'close';
    headers['content-length'] = Buffer.byteLength(answer);
    response.writeHead(status, headers).end(answer);
    const ms = performance.now() - began;
    metrics.uploads.inc({ status });
    metrics.uploadSeconds.observe(ms / 1000);
    log.debug({ reqId: requestId, status, ms: Math.round(ms) }, 'upload');
  }

  /** @returns the answer, as JSON */
  async #store(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<string> {
    const { budget, coalescer, maxBodyBytes, metrics, now } = this.options;
    const { org: orgId } = await this.admit(request, response);
    const body = await readBody(request, { maxBytes: maxBodyBytes, budget });
    metrics.uploadBytes.inc(body.length);
    this.#young.took(body.length);
    const { tables, errors } = await this.#encode(body, {
      orgId,
      receivedAtMs: now(),
      author: authorOf(request),
      installation: installationOf(request),
      maxBytes: maxBodyBytes,
    });
    await coalescer.store(tables, { requestId, orgId, body });
    if (errors.length === 0) return '{"errors":[]}';
    metrics.refusedEvents.inc(errors.length);
    return JSON.stringify({ errors });
  }

  /** Encodes an upload by its installation's clock. Few clocks are off, so few uploads are encoded twice. */
  async #encode(body: Buffer, context: UploadContext): Promise<EncodedUpload> {
    const encoded = encodeUpload(body, context);
    const { orgId, installation, receivedAtMs } = context;
    if (installation === undefined || encoded.newestMs === null) return encoded;
    const arrival = { receivedAtMs, newestMs: encoded.newestMs };
    const clockSkewMs = await this.options.skews.skewOf(orgId, installation, arrival);
    return clockSkewMs === 0 ? encoded : encodeUpload(body, { ...context, clockSkewMs });
  }
}

const LONGEST_HEADER_VALUE = 512;

function headerText(value: string | string[] | undefined): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  // Node reads headers as Latin-1; clients send UTF-8.
  const bytes = Buffer.from(value, 'latin1');
  const text = bytes.toString('utf8');
  return (text.includes('\ufffd') ? value : text).slice(0, LONGEST_HEADER_VALUE);
}

const installationOf = ({ headers }: IncomingMessage): string | undefined => headerText(headers['x-distinct-id']);

/** Decodes percent-encoding. A text with an invalid `%` is returned unchanged. */
function authorOf({ headers }: IncomingMessage): string | undefined {
  const text = headerText(headers['x-author-identity']);
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

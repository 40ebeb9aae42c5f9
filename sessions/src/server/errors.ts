/** Errors, and the answers that they become. */
import type { IncomingMessage } from 'node:http';
import { NotStored } from '../ingest/coalescer.ts';
import { StoreError } from '../store/store.ts';

export interface ErrorDetails {
  details?: unknown;
  /** Seconds, for the header. */
  retryAfter?: number;
}

/** An error that becomes the answer to a request. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly details: unknown;
  readonly retryAfter: number | undefined;

  constructor(
    readonly statusCode: number,
    message: string,
    { details, retryAfter }: ErrorDetails = {},
  ) {
    super(message);
    this.details = details;
    this.retryAfter = retryAfter;
  }
}

/** The deployed client retries after 5 minutes at the earliest and ignores this. Other clients may use it. */
export const RETRY_AFTER_S = 30;

export interface Answer {
  statusCode: number;
  message: string;
  details?: unknown;
  retryAfter?: number | undefined;
}

export function answerTo(error: Error & { code?: unknown; statusCode?: number }): Answer {
  if (error instanceof HttpError) return error;
  if (error instanceof NotStored) return { statusCode: 503, message: error.message, retryAfter: RETRY_AFTER_S };
  if (error instanceof StoreError) {
    if (error.transient) return { statusCode: 503, message: 'the store does not answer', retryAfter: RETRY_AFTER_S };
    return { statusCode: 500, message: 'the store refused this' };
  }
  switch (error.code) {
    case 'ERR_BODY_TOO_LARGE':
      return { statusCode: 413, message: error.message, details: { code: error.code } };
    case 'ERR_INVALID_JSON':
    case 'ERR_INVALID_BATCH':
    case 'ERR_UNSUPPORTED_VERSION':
    case 'ERR_TOO_MANY_EVENTS':
      return { statusCode: 400, message: error.message, details: { code: error.code } };
  }
  // Fastify's own: a header that isn't one, a method that isn't.
  if (error.statusCode !== undefined && error.statusCode < 500)
    return { statusCode: error.statusCode, message: error.message };
  return { statusCode: 500, message: 'internal error' };
}

/** An error for the log. ClickHouse's messages can quote values, so only its code is logged. */
export function safeError(error: Error): object {
  if (error instanceof StoreError) return { name: error.name, code: error.code, transient: error.transient };
  return { name: error.name, message: error.message, stack: error.stack };
}

/** The rest of an unwanted body is read and dropped if it is short. Otherwise the connection is closed. */
export const restIsTooMuch = ({ complete, headers }: IncomingMessage): boolean =>
  !complete && Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) > 2 ** 20;

/** Reads the whole body of a request, in bounded memory. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { HttpError } from './errors.ts';

export interface BodyLimits {
  /** The limit for one body, both compressed and uncompressed. */
  maxBytes: number;
  /** The limit for all bodies that are being received. */
  budget: ByteBudget;
}

/** Memory that all requests share. */
export class ByteBudget {
  #taken = 0;

  constructor(readonly bytes: number) {}

  take(bytes: number): boolean {
    if (this.#taken + bytes > this.bytes) return false;
    this.#taken += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }

  get taken(): number {
    return this.#taken;
  }
}

/** Requests whose client waits to be asked for the body, with a function that asks. */
const askFor = new WeakMap<IncomingMessage, () => void>();

/** `Expect: 100-continue`: the client is asked for the body only after its key was checked. */
export function continueLater(request: IncomingMessage, response: ServerResponse): void {
  askFor.set(request, () => response.writeContinue());
}

/** @throws {HttpError} 413, 415, 400 for gzip that isn't, 503 if all memory for bodies is taken */
export async function readBody(request: IncomingMessage, { maxBytes, budget }: BodyLimits): Promise<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new HttpError(415, `expected a body in gzip or as it is, found content-encoding ${JSON.stringify(encoding)}`);
  }
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes, `${declared}`);

  askFor.get(request)?.();
  let source: Readable = request;
  if (encoding === 'gzip') {
    const gunzip = createGunzip();
    // Not pipeline(): the response is still to be written to the request's socket.
    request
      .on('error', (error) => gunzip.destroy(error))
      .on('close', () => request.complete || gunzip.destroy(aborted()));
    source = request.pipe(gunzip);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // By default the iterator would destroy the request, and with it the socket for the answer.
    for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (!budget.take(chunk.length))
        throw new HttpError(503, 'too many bodies are being received', { retryAfter: 30 });
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes, 'more');
      chunks.push(chunk);
    }
  } catch (error) {
    if (source !== request) {
      request.unpipe();
      source.destroy();
    }
    if (error instanceof HttpError) throw error;
    if (/^Z_/.test((error as NodeJS.ErrnoException).code ?? '')) {
      throw new HttpError(400, 'the body is not gzip', { details: (error as Error).message });
    }
    throw new HttpError(400, 'the body broke off', { details: (error as Error).message });
  } finally {
    budget.give(bytes);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes);
}

const tooLarge = (maxBytes: number, found: string): HttpError =>
  new HttpError(413, `expected a body of at most ${maxBytes} bytes, found ${found}`);

const aborted = (): Error => new Error('the client went away');

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
  try {
    return await gather(source, { maxBytes, budget });
  } catch (error) {
    if (source !== request) {
      request.unpipe();
      source.destroy();
    }
    // The rest is read and dropped, so that the client gets to read the answer.
    request.resume();
    if (error instanceof HttpError) throw error;
    if (/^Z_/.test((error as NodeJS.ErrnoException).code ?? '')) {
      throw new HttpError(400, 'the body is not gzip', { details: (error as Error).message });
    }
    throw new HttpError(400, 'the body broke off', { details: (error as Error).message });
  }
}

/** All that comes from a stream. With listeners: an asynchronous iterator costs as much as decoding a small body. */
function gather(source: Readable, { maxBytes, budget }: BodyLimits): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (error?: Error) => {
      source.off('data', take).off('end', end).off('error', end).off('close', breakOff);
      budget.give(bytes);
      if (error !== undefined) reject(error);
      else resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes));
    };
    const take = (chunk: Buffer) => {
      if (!budget.take(chunk.length)) {
        end(new HttpError(503, 'too many bodies are being received', { retryAfter: 30 }));
        return;
      }
      bytes += chunk.length;
      if (bytes > maxBytes) end(tooLarge(maxBytes, 'more'));
      else chunks.push(chunk);
    };
    const breakOff = () => end(aborted());
    source.on('data', take).on('end', end).on('error', end).on('close', breakOff);
  });
}

const tooLarge = (maxBytes: number, found: string): HttpError =>
  new HttpError(413, `expected a body of at most ${maxBytes} bytes, found ${found}`);

const aborted = (): Error => new Error('the client went away');

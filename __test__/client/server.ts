import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { PromptEvent } from '../../index.js';
import { decoded } from './client';

/** Answers of a server. Those that store first and then fail make clients send twice. */
export const FAULTS: Record<string, (response: ServerResponse, count: number) => void> = {
  '500': (response) => void response.writeHead(500).end('{"error":"no"}'),
  '401': (response) => void response.writeHead(401).end('{"error":"no"}'),
  '429': (response) => void response.writeHead(429, { 'retry-after': '1' }).end(),
  '202 with errors': (response) => void response.writeHead(202).end('{"errors":[]}'),
  'a redirect': (response) => void response.writeHead(307, { location: '/elsewhere' }).end(),
  '200 without errors': (response) => void response.end('{"ok":true}'),
  '200 with null': (response) => void response.end('null'),
  '200 with no JSON': (response) => void response.end('<html>'),
  '200 with nothing': (response) => void response.end(),
  'an index out of range': (response, count) => void response.end(`{"errors":[{"index":${count},"error":"no"}]}`),
  'an index that is no number': (response) => void response.end('{"errors":[{"index":"0","error":"no"}]}'),
  'a reset': (response) => void response.socket?.resetAndDestroy(),
  'no answer': () => undefined,
  'a cut answer': (response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"errors":[');
    setTimeout(() => response.socket?.destroy(), 5);
  },
};

/** A server of the wire format on loopback. It keeps the stored events and can be made to fail. */
export class Backend {
  readonly bodies: PromptEvent[][] = [];
  readonly requests: IncomingMessage[] = [];
  /** What to answer instead of 200 with no errors; `store` says whether the body is kept all the same. */
  fault: (events: PromptEvent[]) => { name: string; store: boolean } | undefined = () => undefined;
  /** Indexes that are refused permanently. */
  refuses: (events: PromptEvent[]) => { index: number; error: string }[] = () => [];
  #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => this.#take(request, response));
  }

  static async start(): Promise<Backend> {
    const backend = new Backend();
    await new Promise<void>((resolve) => void backend.#server.listen(0, '127.0.0.1', resolve));
    return backend;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get events(): PromptEvent[] {
    return this.bodies.flat();
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      this.requests.push(request);
      const body = Buffer.concat(chunks);
      const events = decoded(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body) as PromptEvent[];
      const fault = this.fault(events);
      if (fault === undefined || fault.store) this.bodies.push(events);
      if (fault !== undefined) return FAULTS[fault.name](response, events.length);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ errors: this.refuses(events) }));
    });
  }
}

/** Waits until a condition holds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Compression of answers. Dashboard files are compressed when they are built, answers of the API as they are sent. */
import { promisify } from 'node:util';
import { gzip as gzipOf } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A shorter answer fits into few packets as it is. */
const SHORTEST_COMPRESSED = 4_096;
/** Half the time of the default level, and a tenth more bytes. */
const LEVEL = 4;

const gzip = promisify(gzipOf);

/** Compresses a text if the client takes that. A hook `onSend`. */
export async function compressed(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  if (typeof payload !== 'string' || payload.length < SHORTEST_COMPRESSED) return payload;
  reply.header('vary', 'accept-encoding');
  if (!accepts(request.headers['accept-encoding'], 'gzip')) return payload;
  const body = await gzip(payload, { level: LEVEL });
  reply.headers({ 'content-encoding': 'gzip', 'content-length': body.length });
  return body;
}

/** Whether a client takes an encoding: named, and not with a quality of 0. */
export function accepts(header: string | string[] | undefined, encoding: string): boolean {
  return String(header ?? '')
    .split(',')
    .some((each) => {
      const [name, ...parameters] = each.split(';').map((part) => part.trim().toLowerCase());
      return name === encoding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    });
}

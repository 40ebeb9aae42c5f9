/** Authentication, and protection against requests that another site makes a browser send. */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { HttpError } from './errors.ts';
import type { Identity, KeyFile, Role } from './keys.ts';

/** The org of a server without keys, and the one of the sample sessions that it may show beside it. */
export const LOCAL_ORG = 'local';
export const DEMO_ORG = 'demo';

/** The key that a client sent, in any of the places where clients put it. */
function keyOf({ authorization, cookie, 'x-api-key': apiKey }: IncomingHttpHeaders, role: Role): string | undefined {
  if (typeof apiKey === 'string' && apiKey !== '') return apiKey;
  const bearer = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  // A browser sends a cookie with requests of any site, so a cookie may only read.
  if (role !== 'view') return undefined;
  return /(?:^|;\s*)sessions_key=([^;\s]+)/.exec(cookie ?? '')?.[1];
}

/** @throws {HttpError} 401 for no or an unknown key, 403 for one of another role */
export type Authenticator = (headers: IncomingHttpHeaders, role: Role) => Identity;

export interface Keyless {
  /** Whether a request needs no key as long as there is none. */
  keyless: boolean;
  /** Whether such a request may ask for the sample sessions, with the header `X-Sessions-Org: demo`. */
  demo?: boolean;
}

/** On loopback, everyone is the org `local` until the first key is added. */
export function authenticator(keys: KeyFile, { keyless, demo = false }: Keyless): Authenticator {
  return (headers, role) => {
    if (keyless && !keys.inUse) {
      const sample = demo && role === 'view' && headers['x-sessions-org'] === DEMO_ORG;
      return { org: sample ? DEMO_ORG : LOCAL_ORG, role, keyId: null };
    }
    const key = keyOf(headers, role);
    if (key === undefined) throw new HttpError(401, 'expected a key as X-API-Key or Authorization: Bearer, found none');
    const identity = keys.identify(key);
    if (identity === undefined) throw new HttpError(401, 'the key is not known');
    if (identity.role !== role)
      throw new HttpError(403, `expected a key of role ${role}, found one of ${identity.role}`);
    return identity;
  };
}

export const isLoopback = (address: string): boolean =>
  /^127\.\d+\.\d+\.\d+$/.test(address) || address === '::1' || address.startsWith('::ffff:127.');

/**
 * Whether the Host header names this server, so that a page whose own name was pointed at 127.0.0.1 can't read from it.
 * An address can't be such a name.
 */
export function hostIsOurs(host: string | undefined, allowed: ReadonlySet<string>): boolean {
  if (host === undefined) return false;
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  return name === 'localhost' || isIP(name) !== 0 || allowed.has(name);
}

/** git-ai clients aren't browsers. A page of another site must not be able to send events in its visitor's name. */
export function refuseBrowsers(headers: IncomingHttpHeaders): void {
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) {
    throw new HttpError(403, 'uploads are not taken from web pages');
  }
}

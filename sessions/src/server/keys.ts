/** API keys: who may send or read, and for which org. Only their hashes are kept. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../store/folder.ts';
import { CannotOpen } from '../store/store.ts';

/** `ingest` sends uploads, `view` reads the API. */
export type Role = 'ingest' | 'view';
export const ROLES: readonly Role[] = ['ingest', 'view'];

export interface StoredKey {
  /** A name for people. It reveals nothing of the key. */
  id: string;
  org: string;
  role: Role;
  /** SHA-256 of the key, in hex. */
  sha256: string;
  createdAt: string;
}

export interface Identity {
  org: string;
  role: Role;
  /** Null for a request that needed no key. */
  keyId: string | null;
}

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest();

/** How often the file is checked for keys that were added or revoked. */
const RELOAD_MS = 1000;

/** The keys of one file. Other processes may change it: a running server sees that within a second. */
export class KeyFile {
  #keys: (StoredKey & { digest: Buffer })[] = [];
  /** The version of the file that was looked at last; '' if there was none, undefined before the first look. */
  #version: string | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param onBroken is told when the file becomes unreadable while it is in use. The keys that were read last stay valid.
   */
  constructor(
    readonly path: string,
    private readonly onBroken?: (error: CannotOpen) => void,
  ) {}

  /** Returns the owner of a key. */
  identify(key: string): Identity | undefined {
    const digest = hashOf(key);
    let found: Identity | undefined;
    // Compare all of them, so that the time doesn't reveal which one matched.
    for (const { digest: stored, org, role, id } of this.#current()) {
      if (timingSafeEqual(stored, digest)) found = { org, role, keyId: id };
    }
    return found;
  }

  get size(): number {
    return this.#current().length;
  }

  /** Whether a key was ever added. Revoking the last one must not open the server to everyone. */
  get inUse(): boolean {
    return this.#current().length > 0 || this.#version !== '';
  }

  list(): StoredKey[] {
    return this.#read();
  }

  /** Makes a key and returns it. Only its hash is stored, so the key can't be shown again. */
  add(org: string, role: Role): { key: string; id: string } {
    const key = `gas_${randomBytes(32).toString('base64url')}`;
    const id = randomBytes(4).toString('hex');
    const stored = { id, org, role, sha256: hashOf(key).toString('hex'), createdAt: new Date().toISOString() };
    this.#change((keys) => [...keys, stored]);
    return { key, id };
  }

  /** Returns whether there was such a key. */
  revoke(id: string): boolean {
    let found = false;
    this.#change((keys) => {
      const rest = keys.filter((key) => key.id !== id);
      found = rest.length < keys.length;
      return rest;
    });
    return found;
  }

  #current() {
    if (performance.now() - this.#lookedAt < RELOAD_MS) return this.#keys;
    this.#lookedAt = performance.now();
    const before = this.#version;
    try {
      const version = this.#versionOnDisk();
      if (version === before) return this.#keys;
      this.#version = version;
      this.#keys = this.#read().map((key) => ({ ...key, digest: Buffer.from(key.sha256, 'hex') }));
    } catch (error) {
      if (before === undefined || this.onBroken === undefined || !(error instanceof CannotOpen)) {
        this.#version = undefined;
        this.#lookedAt = Number.NEGATIVE_INFINITY;
        throw error;
      }
      this.onBroken(error);
    }
    return this.#keys;
  }

  #versionOnDisk(): string {
    try {
      const stat = statSync(this.path, { throwIfNoEntry: false });
      return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
    } catch (error) {
      throw this.#cannotOpen((error as Error).message, error);
    }
  }

  /** @throws {CannotOpen} if the file can't be read or isn't as `#change` writes it */
  #read(): StoredKey[] {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw this.#cannotOpen((error as Error).message, error);
    }
    let keys: unknown;
    try {
      keys = (JSON.parse(text) as { keys?: unknown } | null)?.keys;
    } catch (error) {
      // The parser's message would quote the file.
      throw this.#cannotOpen('it is not JSON', error);
    }
    if (!Array.isArray(keys)) throw this.#cannotOpen('expected an object with a list of keys');
    keys.forEach((key, index) => {
      const problem = problemOf(key);
      if (problem !== undefined) throw this.#cannotOpen(`keys[${index}]: ${problem}`);
    });
    return keys as StoredKey[];
  }

  #cannotOpen(why: string, cause?: unknown): CannotOpen {
    return new CannotOpen(`cannot open ${this.path}: ${why}`, { cause });
  }

  /** Replaces the file atomically, so that a reader never sees half of it. Only one process at a time changes it. */
  #change(change: (keys: StoredKey[]) => StoredKey[]): void {
    makeFolder(dirname(this.path));
    const draft = `${this.path}.new`;
    let lock: number;
    try {
      lock = openSync(draft, 'wx', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw this.#cannotOpen((error as Error).message, error);
      throw new CannotOpen(`${draft} exists: another process changes the keys. If none does, delete it`);
    }
    try {
      writeFileSync(lock, `${JSON.stringify({ keys: change(this.#read()) }, undefined, 2)}\n`);
      closeSync(lock);
      renameSync(draft, this.path);
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    }
    this.#lookedAt = Number.NEGATIVE_INFINITY;
  }
}

function problemOf(key: unknown): string | undefined {
  const { id, org, role, sha256, createdAt } = (key ?? {}) as Record<keyof StoredKey, unknown>;
  if (typeof id !== 'string' || typeof createdAt !== 'string') return 'expected texts as id and createdAt';
  if (typeof org !== 'string' || org === '') return 'expected a text that is not empty as org';
  if (!ROLES.includes(role as Role)) return `expected ${ROLES.join(' or ')} as role`;
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return 'expected 64 hex digits as sha256';
  return undefined;
}

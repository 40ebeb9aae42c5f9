/** Keeps uploads whose rows ClickHouse refuses, so that an operator can see why. */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../store/folder.ts';

export interface QuarantinedUpload {
  requestId: string;
  orgId: string;
  table: string;
  reason: string;
  code?: number | undefined;
  body: Uint8Array;
}

/** Ends the name of the file that says why an upload is here. */
const REASON = '.reason.txt';

/** A folder of bounded size, because a client sends a refused upload again and again. */
export class Quarantine {
  constructor(
    private readonly folder: string,
    private readonly limits = { files: 200, bytes: 256 * 2 ** 20 },
  ) {}

  /**
   * Writes the body as it came, and beside it why it is here. Returns the path, or `undefined` if the folder is full.
   */
  async keep({ body, ...about }: QuarantinedUpload): Promise<string | undefined> {
    makeFolder(this.folder, 0o700);
    if ((await this.#size()) + body.length > this.limits.bytes) return undefined;
    const path = join(this.folder, `${new Date().toISOString().replaceAll(':', '-')}-${about.requestId}`);
    await writeFile(`${path}.json`, body, { mode: 0o600 });
    await writeFile(`${path}${REASON}`, `${JSON.stringify(about, undefined, 2)}\n`, { mode: 0o600 });
    return `${path}.json`;
  }

  /** The paths of an org's uploads. */
  async of(orgId: string): Promise<string[]> {
    const names = await readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    const found: string[] = [];
    for (const name of names.filter((name) => name.endsWith(REASON))) {
      const about = JSON.parse(await readFile(join(this.folder, name), 'utf8')) as { orgId?: string };
      if (about.orgId === orgId) found.push(join(this.folder, name.slice(0, -REASON.length)));
    }
    return found;
  }

  /** Removes uploads that `of` has found. */
  async remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      await rm(`${path}.json`, { force: true });
      await rm(`${path}${REASON}`, { force: true });
    }
  }

  async #size(): Promise<number> {
    const names = await readdir(this.folder);
    if (names.length >= 2 * this.limits.files) return Number.POSITIVE_INFINITY;
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(this.folder, name))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  }
}

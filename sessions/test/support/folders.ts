/** Where tests keep ClickHouse's data. */
import { statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';

const ROOM = 4 * 2 ** 30;

/**
 * Memory, where Linux has enough of it for files: an insert makes dozens of small files, and merges remove them soon. On a
 * disk that takes more time than the rest of the insert.
 */
export const DATA_FOLDER: string = hasRoom('/dev/shm') ? '/dev/shm' : tmpdir();

function hasRoom(folder: string): boolean {
  if (process.platform !== 'linux' || process.env.TMPDIR !== undefined) return false;
  try {
    const { bavail, bsize } = statfsSync(folder);
    return Math.min(bavail * bsize, freemem()) > ROOM;
  } catch {
    return false;
  }
}

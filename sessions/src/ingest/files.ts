/** Reads uploads from files for `git-ai-sessions ingest`. */
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** One upload, or why there is none: either doesn't affect the others. */
export type FileUpload =
  | { name: string; body: Buffer }
  | { name: string; problem: string }
  /** A file in a folder that isn't taken for uploads. */
  | { name: string; passedOver: string };

/** In place of a path. */
export const STDIN = '-';

/** Node can't read a longer file at once either. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * The uploads in these files, and in all .json and .jsonl files below these folders. A .json file holds one upload, a
 * .jsonl file one a line. Each may be gzipped, whatever its name.
 *
 * @param input what came on stdin, for the path `-`: one upload, or one a line
 */
export function* uploadsIn(paths: readonly string[], input: Buffer = Buffer.of()): Generator<FileUpload> {
  for (const path of paths) {
    try {
      if (path === STDIN) yield* uploadsOfInput(input);
      else if (statSync(path).isDirectory()) yield* uploadsBelow(path);
      else yield* uploadsOf(path);
    } catch (error) {
      yield problemAt(path, error);
    }
  }
}

function* uploadsBelow(folder: string): Generator<FileUpload> {
  const byName = (a: Dirent, b: Dirent) => (a.name < b.name ? -1 : 1);
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort(byName)) {
    const path = join(folder, entry.name);
    try {
      // A link to a folder is not followed: it may lead back to where it is.
      if (entry.isDirectory()) yield* uploadsBelow(path);
      else if (/\.jsonl?(\.gz)?$/.test(entry.name)) yield* uploadsOf(path);
      else yield { name: path, passedOver: 'its name ends in neither .json nor .jsonl, nor in these and .gz' };
    } catch (error) {
      yield problemAt(path, error);
    }
  }
}

function problemAt(name: string, error: unknown): FileUpload {
  // Those of the file system have a code; any other is a mistake in here.
  if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  return { name, problem: (error as Error).message };
}

function* uploadsOf(path: string): Generator<FileUpload> {
  // Reading a pipe would wait for whoever might write to it.
  if (!statSync(path).isFile()) yield { name: path, problem: 'not a regular file' };
  else {
    const bytes = unpacked(readFileSync(path));
    if (/\.jsonl(\.gz)?$/.test(path)) yield* linesOf(path, bytes);
    else yield { name: path, body: bytes };
  }
}

function* uploadsOfInput(input: Buffer): Generator<FileUpload> {
  const name = 'stdin';
  const bytes = unpacked(input);
  if (bytes.length === 0) yield { name, problem: 'it is empty' };
  // An upload may stand on several lines, but none ends on the first of them.
  else if (isJson(bytes.subarray(0, bytes.indexOf(0x0a) + 1).toString())) yield* linesOf(name, bytes);
  else yield { name, body: bytes };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** @throws an error with a code if it is gzip that breaks off, or is too long */
const unpacked = (bytes: Buffer): Buffer =>
  bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes, { maxOutputLength: MOST_BYTES }) : bytes;

function* linesOf(path: string, bytes: Buffer): Generator<FileUpload> {
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    if (end > start) yield { name: `${path}:${line}`, body: bytes.subarray(start, end) };
    start = end + 1;
  }
}

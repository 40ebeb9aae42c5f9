/** Reads uploads from files for `git-ai-sessions ingest`. */
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** One upload, or the reason why it can't be read, which doesn't affect the others. */
export type FileUpload = { name: string; body: Buffer } | { name: string; problem: string };

/**
 * The uploads in these files, and in all .json and .jsonl files below these folders. A .json file holds one upload, a
 * .jsonl file one a line.
 */
export function* uploadsIn(paths: readonly string[]): Generator<FileUpload> {
  for (const path of paths) {
    try {
      if (statSync(path).isDirectory()) yield* uploadsBelow(path);
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
      else if (/\.jsonl?$/.test(entry.name)) yield* uploadsOf(path);
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
    const bytes = readFileSync(path);
    if (bytes[0] === 0x1f && bytes[1] === 0x8b)
      yield { name: path, problem: 'it is gzipped: unpack it with gunzip first' };
    else if (path.endsWith('.jsonl')) yield* linesOf(path, bytes);
    else yield { name: path, body: bytes };
  }
}

function* linesOf(path: string, bytes: Buffer): Generator<FileUpload> {
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    if (end > start) yield { name: `${path}:${line}`, body: bytes.subarray(start, end) };
    start = end + 1;
  }
}

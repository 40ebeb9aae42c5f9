import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

// Transcripts to capture from: the fixtures, each named for the quirk that it shows, and folders to work in.

export const SESSION = '0c1d';
export const MODEL = 'claude-opus-4-1-20250805';

export const FOLDER = join(__dirname, '..', 'fixtures', 'transcripts');

/** Those of Claude Code. The fixtures of another agent are in a folder with its name. */
export const FIXTURES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.jsonl'))
  .map((name) => name.replace(/\.jsonl$/, ''));

export const fixture = (name: string): string => readFileSync(join(FOLDER, `${name}.jsonl`), 'utf8');

/** When line n of a fixture was written, in unix milliseconds. */
export const timeOfLine = (n: number): number => Date.UTC(2026, 0, 5, 9) + n * 1000;

/** A folder for one test file, removed when its tests are done. */
export function temporaryFolder(): { path: string; write(file: string, text: string | Buffer): string } {
  const path = mkdtempSync(join(tmpdir(), 'git-ai-metrics-'));
  // Open to other users: what is forbidden in it, a test says.
  chmodSync(path, 0o755);
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return {
    path,
    write(file, text) {
      const target = join(path, file);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text);
      return target;
    },
  };
}

export const SKILL_TIME = new Date('2026-01-02T03:04:05.500Z');

/** Writes a skill's file into a folder's skills, last changed at `SKILL_TIME`. */
export function writeSkill(
  folder: ReturnType<typeof temporaryFolder>,
  base: string,
  file: string,
  text: string,
): string {
  const path = folder.write(join(base, '.claude', 'skills', file), text);
  utimesSync(path, SKILL_TIME, SKILL_TIME);
  return path;
}

import { appendFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { captureHook, identifyTranscript, type PromptEvent, parseTranscript, TranscriptReader } from '../../index.js';
import { onUnix, thrown } from '../support';
import { fixtureOf } from './agents';
import { FOLDER, temporaryFolder } from './transcripts';
import { compressed, frame, rawBlock, runBlock } from './zstd';

// Codex compresses the files of old sessions, and decompresses them when somebody goes on with one.

const OPTIONS = { sessionId: '019a0000-0000-7000-8000-000000000010', cwd: '/nowhere', homeDir: '' };
const folder = temporaryFolder();
const plain = join(folder.path, `rollout-2026-01-05T09-00-00-${OPTIONS.sessionId}.jsonl`);
const packed = `${plain}.zst`;
const TEXT = fixtureOf('codex', 'newest');
const EVENTS = parseTranscript('codex', TEXT, OPTIONS);

beforeEach(() => {
  rmSync(plain, { force: true });
  rmSync(packed, { force: true });
});

function become(path: string, text: string): void {
  rmSync(path === plain ? packed : plain, { force: true });
  writeFileSync(path, path === plain ? text : compressed(text));
}

function readToEnd(reader: TranscriptReader, most?: number): PromptEvent[] {
  const all: PromptEvent[] = [];
  for (let events = reader.read(most); events.length > 0; events = reader.read(most)) all.push(...events);
  return all;
}
const open = (path = plain) => new TranscriptReader('codex', path, OPTIONS);
const settled = (events: PromptEvent[]) => new Map(events.map(({ values }) => [values.eventId, values]));

describe('a compressed file', () => {
  test('as zstd writes it has the events of the plain one', () => {
    const bytes = readFileSync(join(FOLDER, 'codex/newest.jsonl.zst'));
    writeFileSync(packed, bytes);
    expect(readToEnd(open(packed))).toEqual(EVENTS);
    expect(readToEnd(open(plain))).toEqual(EVENTS);
    expect(identifyTranscript(bytes)).toEqual({ agent: 'codex', sessionId: OPTIONS.sessionId });
  });

  test.each([1, 2, 7])('gives %i events a read, and the offset counts what was decompressed', (most) => {
    become(packed, TEXT);
    const reader = open();
    const reads: PromptEvent[][] = [];
    do reads.push(reader.read(most));
    while (reads.at(-1)?.length);
    expect(settled(reads.flat())).toEqual(settled(EVENTS));
    for (const events of reads.slice(0, -2)) expect(events.length).toBeGreaterThanOrEqual(most);
    expect(reader.offset).toBe(Buffer.byteLength(TEXT));
  });

  test('may be several frames, and hold some to skip', () => {
    const bytes = Buffer.from(TEXT);
    const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const parts = [skipped, compressed(bytes.subarray(0, 777)), skipped, compressed(bytes.subarray(777))];
    writeFileSync(packed, Buffer.concat(parts));
    expect(readToEnd(open())).toEqual(EVENTS);
  });

  test('is read where a hook names the plain one, and as the subagent’s that its name says', () => {
    become(packed, TEXT);
    const payload = { session_id: OPTIONS.sessionId, hook_event_name: 'Stop', cwd: '/nowhere' };
    const hook = (path: string) => captureHook('codex', JSON.stringify({ ...payload, transcript_path: path }));
    expect(settled(hook(plain).events)).toEqual(settled(EVENTS));
    expect(hook(packed).events).toEqual(hook(plain).events);
  });

  test('of another session in its place is read from its start', () => {
    become(packed, TEXT);
    const reader = open();
    readToEnd(reader);
    const other = fixtureOf('codex', 'older');
    become(packed, other);
    const expected = settled(parseTranscript('codex', other, OPTIONS));
    const all = settled([...EVENTS, ...readToEnd(reader)]);
    expect([...expected.keys()].filter((id) => !all.has(id))).toEqual([]);
    expect(reader.offset).toBe(Buffer.byteLength(other));
  });

  test('is found under its own name once it is plain again, and the plain one wins if both are there', () => {
    become(plain, TEXT);
    expect(readToEnd(open(packed))).toEqual(EVENTS);
    writeFileSync(packed, compressed('{}\n'));
    expect(readToEnd(open(plain))).toEqual(EVENTS);
  });

  onUnix('that is a link is refused where links are', () => {
    const target = join(folder.path, 'elsewhere');
    writeFileSync(target, compressed(TEXT));
    symlinkSync(target, packed);
    const refusing = new TranscriptReader('codex', plain, { ...OPTIONS, followLinks: false });
    expect(thrown(() => refusing.read()).message).toMatch(`${packed}: ELOOP`);
    expect(readToEnd(open())).toEqual(EVENTS);
  });

  test('that is missing in both forms is missing under the name that was asked for', () => {
    expect(thrown(() => open(plain).read()).message).toMatch(`${plain}: ENOENT`);
    expect(thrown(() => open(packed).read()).message).toMatch(`${packed}: ENOENT`);
  });
});

describe('a file that is compressed and decompressed while it is read', () => {
  const lines = TEXT.trimEnd().split('\n');

  test('goes on from its offset, without a lost or doubled event', () => {
    const reader = open();
    const texts = [10, 20, 30].map((count) => `${lines.slice(0, count).join('\n')}\n`);
    become(plain, texts[0] as string);
    const reads = [readToEnd(reader)];
    become(packed, texts[0] as string);
    reads.push(readToEnd(reader));
    become(plain, texts[1] as string);
    reads.push(readToEnd(reader));
    become(packed, texts[2] as string);
    reads.push(readToEnd(reader));
    become(plain, TEXT);
    reads.push(readToEnd(reader));
    expect(reads[1]).toEqual([]);
    expect(reads.slice(2).every((events) => events.length > 0)).toBe(true);
    expect(settled(reads.flat())).toEqual(settled(EVENTS));
    const known = new Set<unknown>();
    for (const events of reads) {
      for (const { values } of events) {
        // It comes again only with its result.
        if (known.has(values.eventId)) expect(values.error ?? values.observedDurationMs).toBeDefined();
        known.add(values.eventId);
      }
    }
  });

  test('in any steps, cut within lines, in any number of processes, with any number of events a read', () => {
    const step = fc.record({
      to: fc.integer({ min: 0, max: TEXT.length }),
      isPacked: fc.boolean(),
      isNewProcess: fc.boolean(),
      most: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
      isCutShort: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        const sorted = steps.map(({ to }) => to).sort((a, b) => a - b);
        let reader = open();
        const all: PromptEvent[] = [];
        for (const [n, { isPacked, isNewProcess, most, isCutShort }] of steps.entries()) {
          become(isPacked ? packed : plain, TEXT.slice(0, sorted[n]));
          if (isNewProcess) reader = TranscriptReader.resume('codex', plain, OPTIONS, reader.state());
          all.push(...(isCutShort ? reader.read(most) : readToEnd(reader, most)));
        }
        become(steps[0]?.isPacked ? packed : plain, TEXT);
        all.push(...readToEnd(reader));
        expect(settled(all)).toEqual(settled(EVENTS));
      }),
      { numRuns: 60 },
    );
  });

  test('an earlier part that has changed meanwhile makes it a new file', () => {
    become(plain, TEXT);
    const reader = open();
    readToEnd(reader);
    become(packed, TEXT.replace('2026', '2025'));
    reader.read();
    expect(readToEnd(open()).length).toBeGreaterThan(0);
    expect(reader.offset).toBe(Buffer.byteLength(TEXT));
    // A shorter one can't be the same either.
    become(packed, `${lines.slice(0, 5).join('\n')}\n`);
    readToEnd(reader);
    expect(reader.offset).toBe(Buffer.byteLength(`${lines.slice(0, 5).join('\n')}\n`));
  });
});

describe('hostile data', () => {
  const failure = (bytes: Uint8Array) => {
    writeFileSync(packed, bytes);
    const reader = open();
    try {
      readToEnd(reader);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  const isRefused = (bytes: Uint8Array, problem: RegExp) =>
    expect(failure(bytes)).toMatchObject({ code: 'ERR_IO', path: packed, message: expect.stringMatching(problem) });

  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', Buffer.alloc(0), /: the zstd data is cut off$/],
    ['a plain text', Buffer.from(TEXT), /: damaged zstd data: /],
    ['another compression', Buffer.from('1f8b0800', 'hex'), /: damaged zstd data: /],
    ['half a frame’s header', compressed(TEXT).subarray(0, 5), /: the zstd data is cut off$/],
    ['half a block', compressed(TEXT).subarray(0, 300), /: the zstd data is cut off$/],
    ['no last block', frame(rawBlock('{}\n', false)), /: the zstd data is cut off$/],
    [
      'something behind the frame',
      Buffer.concat([compressed('{}\n'), Buffer.from('{}\n{}\n')]),
      /: damaged zstd data: /,
    ],
    ['half a frame to skip', Buffer.from('502a4d1809000000ff', 'hex'), /: the zstd data is cut off$/],
    ['a block of the reserved type', frame(Buffer.from([7, 0, 0])), /: damaged zstd data: /],
    ['a block that is too long', frame(runBlock(0x20001, true)), /: damaged zstd data: /],
    ['a dictionary', Buffer.from('28b52ffd0158070100000a', 'hex'), /: damaged zstd data: /],
    ['a wrong checksum', frame(rawBlock('{}\n', true), { checksum: 1 }), /: damaged zstd data: its checksum/],
  ])('%s is an error that names file and cause', (_, bytes, problem) => isRefused(bytes, problem));

  test('a window over 8 MiB is refused before memory is taken for it', () => {
    isRefused(
      frame(rawBlock('{}\n', true), { windowLog: 41 }),
      /window of 2199023255552 bytes, expected at most 8388608/,
    );
    expect(failure(frame(rawBlock('{}\n', true), { windowLog: 23 }))).toBeUndefined();
  });

  test('a few bytes that grow to gigabytes are given up', () => {
    const bomb = Buffer.concat([...Array(50_000).fill(runBlock(0x20000, false)), rawBlock('', true)]);
    const before = process.memoryUsage().rss;
    isRefused(frame(bomb), /grows to more than 1,000 times its length$/);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
  });

  test('events before the damage are returned first', () => {
    const blocks = Array<Buffer>(40).fill(runBlock(0x20000, false));
    writeFileSync(packed, frame(Buffer.concat([rawBlock(TEXT, false), ...blocks, Buffer.from([7, 0, 0])])));
    const reader = open();
    expect(settled(reader.read())).toEqual(settled(EVENTS));
    expect(thrown(() => reader.read())).toMatchObject({ code: 'ERR_IO' });
    expect(thrown(() => reader.read())).toMatchObject({ code: 'ERR_IO' });
    // It is repaired.
    writeFileSync(packed, compressed(`${TEXT}{}\n`));
    expect(readToEnd(reader)).toEqual([]);
    expect(reader.offset).toBe(Buffer.byteLength(TEXT) + 3);
  });

  test('bytes that were changed, lost or added never do more than fail', () => {
    const original = readFileSync(join(FOLDER, 'codex/newest.jsonl.zst'));
    const change = fc.record({ at: fc.nat(original.length), lost: fc.nat(3), added: fc.uint8Array({ maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        let bytes: Uint8Array = original;
        for (const { at, lost, added } of changes) {
          bytes = Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + lost)]);
        }
        const error = failure(bytes);
        if (error !== undefined) expect(error).toMatchObject({ code: 'ERR_IO' });
        expect(() => identifyTranscript(bytes)).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });
});

test('a line that comes after the file was decompressed is read', () => {
  become(packed, TEXT);
  const reader = open();
  readToEnd(reader);
  become(plain, TEXT);
  const at = '2026-01-05T12:00:00.000Z';
  const payload = { type: 'user_message', message: 'And now?' };
  appendFileSync(plain, `${JSON.stringify({ timestamp: at, type: 'event_msg', payload })}\n`);
  expect(reader.read().map(({ values }) => values.inputText)).toEqual(['And now?']);
});

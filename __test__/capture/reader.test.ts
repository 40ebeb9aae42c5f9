import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  ClaudeTranscriptReader,
  type PromptEvent,
  type PromptEventValues,
  parseClaudeTranscript,
} from '../../index.js';
import { asNobody, each, onUnix, thrown } from '../support';
import { expectedValues } from './flatten';
import { CLOSING, transcriptLines } from './random';
import { FIXTURES, fixture, SESSION, temporaryFolder, writeSkill } from './transcripts';

const OPTIONS = { sessionId: SESSION, cwd: '/nowhere', homeDir: '' };
const folder = temporaryFolder();
const path = join(folder.path, 'transcript.jsonl');

const open = () => new ClaudeTranscriptReader(path, OPTIONS);
const write = (text: string | Uint8Array) => writeFileSync(path, text);
const append = (text: string | Uint8Array) => appendFileSync(path, text);

let written = 0;
const user = (text: string) => {
  written++;
  const timestamp = new Date(Date.UTC(2026, 0, 7) + written * 1000).toISOString();
  return `${JSON.stringify({ type: 'user', timestamp, message: { content: text } })}\n`;
};
const toolUse = (id: string) =>
  `${JSON.stringify({ type: 'assistant', timestamp: '2026-01-07T00:00:00.000Z', message: { content: [{ type: 'tool_use', name: 'Bash', id }] } })}\n`;
const toolResult = (id: string) =>
  `${JSON.stringify({ type: 'user', timestamp: '2026-01-07T00:00:02.500Z', message: { content: [{ type: 'tool_result', tool_use_id: id, content: 'x' }] } })}\n`;

const texts = (events: PromptEvent[]) => events.map(({ values }) => values.inputText ?? values.toolCallName);
/** One read gives no more than so many events. */
function readToEnd(reader: ClaudeTranscriptReader): PromptEvent[] {
  const all: PromptEvent[] = [];
  for (let events = reader.read(); events.length > 0; events = reader.read()) all.push(...events);
  return all;
}
const ids = (events: PromptEvent[]) => events.map(({ values }) => values.eventId);

/** What a store holds in the end: of each event what was said last. */
function settled(deliveries: PromptEvent[][]): PromptEventValues[] {
  const events = new Map<unknown, PromptEventValues>();
  for (const { values } of deliveries.flat()) events.set(values.eventId, values);
  return [...events.values()];
}

beforeEach(() => rmSync(path, { recursive: true, force: true }));

test.each(FIXTURES)('%s reads as it parses', (name) => {
  const jsonl = name.startsWith('queued') ? `${fixture(name)}${CLOSING.join('\n')}\n` : fixture(name);
  write(jsonl);
  expect(open().read()).toEqual(
    // An event without a time is recorded when it is captured.
    parseClaudeTranscript(jsonl, OPTIONS).map((event) => ({ ...event, timestamp: expect.any(Number) })),
  );
});

describe('a transcript that grows', () => {
  test('returns appended events', () => {
    write(user('one'));
    const reader = open();
    expect(texts(reader.read())).toEqual(['one']);
    expect(reader.read()).toEqual([]);
    append(user('two') + user('three'));
    expect(texts(reader.read())).toEqual(['two', 'three']);
    expect(reader.read()).toEqual([]);
    expect(reader.offset).toBe(statSync(path).size);
  });

  test('half a line waits for its rest', () => {
    const line = Buffer.from(user('half — a line'));
    write(user('one'));
    const reader = open();
    reader.read();
    const { offset } = reader;
    for (const byte of line.subarray(0, -2)) {
      append(Buffer.of(byte));
      expect(reader.read()).toEqual([]);
      expect(reader.offset).toBe(offset);
    }
    append(line.subarray(-2));
    expect(texts(reader.read())).toEqual(['half — a line']);
  });

  test('a last line that is whole counts without its newline, once', () => {
    write(user('one').trimEnd());
    const reader = open();
    expect(texts(reader.read())).toEqual(['one']);
    append(`\n${user('two')}`);
    expect(texts(reader.read())).toEqual(['two']);
  });

  test('an incomplete line waits, even if it ends with a brace', () => {
    const lines = ['{"type":"system","inner":{"a":1}', `}\n${user('one')}`];
    write(lines[0] ?? '');
    const reader = open();
    expect(reader.read()).toEqual([]);
    expect(reader.offset).toBe(0);
    append(lines[1] ?? '');
    expect(texts(reader.read())).toEqual(['one']);
  });

  test('a call comes again when its result is known', () => {
    write(user('go') + toolUse('toolu_1') + toolUse('toolu_2'));
    const reader = open();
    const [, first, second] = reader.read();
    expect(first?.values).not.toHaveProperty('error');
    append(toolResult('toolu_2'));
    const again = reader.read();
    expect(again).toEqual([{ ...second, values: { ...second?.values, error: false, observedDurationMs: 2500 } }]);
    append(toolResult('toolu_2') + toolUse('toolu_2'));
    expect(reader.read()).toEqual([]);
  });

  test('a call comes once where its result is there at the same reading', () => {
    write(toolUse('toolu_1') + user('x') + toolResult('toolu_1'));
    expect(texts(open().read())).toEqual(['Bash', 'x']);
  });

  test('the first of two results counts: the other is a fork’s copy', () => {
    const later = toolResult('toolu_1').replace('02.500Z', '09.000Z').replace('"content":"x"', '"is_error":true');
    write(toolUse('toolu_1') + toolResult('toolu_1') + later);
    const reader = open();
    expect(reader.read().map(({ values }) => [values.error, values.observedDurationMs])).toEqual([[false, 2500]]);
    append(later);
    expect(reader.read()).toEqual([]);
  });

  test('a call is returned once, in order, however far its result is', () => {
    const between = Array.from({ length: 5000 }, (_, n) => user(`${n}`)).join('');
    write(toolUse('toolu_1') + between + toolResult('toolu_1') + toolUse('toolu_2'));
    expect(open().read(6000)).toEqual(parseClaudeTranscript(readFileSync(path), OPTIONS));
  });

  test('at most so many events at a time', () => {
    write(Array.from({ length: 10 }, (_, n) => user(`${n}`)).join(''));
    const reader = open();
    const reads = [];
    for (let events = reader.read(3); events.length > 0; events = reader.read(3)) reads.push(texts(events));
    expect(reads).toEqual([['0', '1', '2'], ['3', '4', '5'], ['6', '7', '8'], ['9']]);
  });

  test('1,000 events at a time, where none is said, and no event is left out', () => {
    write(Array.from({ length: 2100 }, (_, n) => user(`${n}`)).join(''));
    const reader = open();
    const reads = [reader.read(), reader.read(), reader.read(), reader.read()];
    expect(reads.map((events) => events.length)).toEqual([1000, 1000, 100, 0]);
    expect(reads.flat()).toEqual(parseClaudeTranscript(readFileSync(path), OPTIONS));
  });

  test('fewer where more than 4 MiB are left to read, and no event is left out', () => {
    const line = user('x'.repeat(30_000));
    const short = Math.floor(2 ** 22 / line.length);
    write(line.repeat(short + 150));
    const reader = open();
    const reads = [reader.read(), reader.read(), reader.read(), reader.read()];
    expect(reads.map((events) => events.length)).toEqual([100, 100, short - 50, 0]);
    expect(reads.flat()).toEqual(parseClaudeTranscript(readFileSync(path), OPTIONS));
  });

  test('as many as are asked for, however much is left to read', () => {
    write(user('x'.repeat(30_000)).repeat(300));
    expect(open().read(250)).toHaveLength(250);
    expect(open().read(Number.MAX_SAFE_INTEGER)).toHaveLength(300);
  });

  test('all of them, however long the lines between are', () => {
    const progress = `${JSON.stringify({ type: 'progress', data: { output: 'x'.repeat(100_000) } })}\n`;
    write(user('one') + progress.repeat(50) + user('two'));
    expect(texts(open().read())).toEqual(['one', 'two']);
  });

  test('a line of 20 MB', () => {
    const long = 'é"'.repeat(6_000_000);
    write(user('one') + user(long) + user('two'));
    const events = open().read();
    expect(events).toHaveLength(3);
    // The next é would be two bytes too many.
    expect(texts(events)).toEqual(['one', 'é"'.repeat(341), 'two']);
  });

  test('a line of 20 MB that comes in pieces', () => {
    const line = Buffer.from(user('x'.repeat(20_000_000)));
    write(user('one'));
    const reader = open();
    reader.read();
    for (let at = 0; at < line.length; at += 4_000_000) {
      expect(reader.read()).toEqual([]);
      append(line.subarray(at, at + 4_000_000));
    }
    expect(reader.read()).toHaveLength(1);
  });
});

describe('a line of over 32 MiB is not held in memory', () => {
  const long = () => user('x'.repeat(33 << 20));

  test('is skipped, in a whole transcript too', () => {
    write(user('one') + long() + user('two'));
    const events = open().read();
    expect(texts(events)).toEqual(['one', 'two']);
    expect(events).toEqual(parseClaudeTranscript(readFileSync(path), OPTIONS));
  });

  test('also where it comes in pieces, to several processes', () => {
    write(user('one'));
    let reader = open();
    reader.read();
    const line = Buffer.from(`${long()}${user('two')}`);
    for (let at = 0; at < line.length; at += 10_000_000) {
      expect(reader.read()).toEqual([]);
      reader = ClaudeTranscriptReader.resume(path, OPTIONS, reader.state());
      append(line.subarray(at, at + 10_000_000));
    }
    expect(texts(reader.read())).toEqual(['two']);
  });

  test('has no end yet: it is not read again', () => {
    write(`${user('one')}${long().slice(0, -1)}`);
    const reader = open();
    expect(texts(reader.read())).toEqual(['one']);
    expect(reader.offset).toBe(statSync(path).size);
    // What comes to it looks like a line, and is the end of one.
    append(user('its end') + user('two'));
    expect(texts(reader.read())).toEqual(['two']);
  });
});

describe('a changed transcript', () => {
  const firstThree = () => user('one') + user('two') + user('three');

  test('cut short: read from the start, nothing twice', () => {
    write(firstThree());
    const reader = open();
    const [one, two] = reader.read();
    const length = Buffer.byteLength(readFileSync(path, 'utf8').split('\n').slice(0, 2).join('\n')) + 1;
    truncateSync(path, length);
    expect(reader.read()).toEqual([]);
    append(user('another third'));
    const [third] = reader.read();
    expect(third?.values).toMatchObject({ inputText: 'another third', parentId: two?.values.eventId });
    expect(one?.values.parentId).toBeNull();
  });

  test('emptied and written anew', () => {
    write(firstThree());
    const reader = open();
    reader.read();
    write('');
    expect(reader.read()).toEqual([]);
    write(user('a new one'));
    expect(reader.read()).toMatchObject([{ values: { inputText: 'a new one', parentId: null } }]);
  });

  test.each([
    ['longer', user('ONE') + user('two') + user('three') + user('four'), ['ONE', 'four']],
    ['of the same length', user('ONE') + user('two') + user('three'), ['ONE']],
  ])('another head, %s: read from the start', (_, text, news) => {
    write(firstThree());
    const reader = open();
    expect(reader.read()).toHaveLength(3);
    write(text);
    expect(texts(reader.read())).toEqual(news);
    expect(reader.read()).toEqual([]);
  });

  test('the end before the offset is another', () => {
    const head = user('x'.repeat(2000));
    write(head + user('one'));
    const reader = open();
    reader.read();
    write(head + user('ONE') + user('two'));
    expect(texts(reader.read())).toEqual(['ONE', 'two']);
  });

  test('another file in its place', () => {
    write(firstThree());
    const reader = open();
    reader.read();
    const other = folder.write('other.jsonl', readFileSync(path, 'utf8') + user('four'));
    renameSync(other, path);
    expect(texts(reader.read())).toEqual(['four']);
  });

  test('nothing is said twice unless more is known', () => {
    write(toolUse('toolu_1') + toolUse('toolu_2') + toolResult('toolu_1'));
    const reader = open();
    expect(reader.read()).toHaveLength(2);
    // Copied to another file, one result lost and one come.
    writeFileSync(`${path}.copy`, toolUse('toolu_1') + toolUse('toolu_2') + toolResult('toolu_2'));
    renameSync(`${path}.copy`, path);
    expect(reader.read()).toMatchObject([{ values: { error: false, observedDurationMs: 2500 } }]);
    expect(reader.read()).toEqual([]);
  });

  test('half a line that was replaced', () => {
    write('{"type":"user","message":{"content":"ha');
    const reader = open();
    expect(reader.read()).toEqual([]);
    write(user('a whole line that is longer than the half one was'));
    expect(reader.read()).toHaveLength(1);
  });

  test('a long half line that was replaced by one that begins alike', () => {
    const half = `{"type":"user","timestamp":"2026-01-07T00:00:00.000Z","message":{"content":"${'a'.repeat(600)}`;
    const first = user('one');
    write(`${first}${half}${'OLD'.repeat(200)}`);
    const reader = open();
    const given = [reader.read()];
    write(`${first}${half}NEW"}}\n`);
    given.push(reader.read());
    append(user('three'));
    given.push(reader.read());
    expect(given.map((events) => events.length)).toEqual([1, 1, 1]);
    expect(ids(given.flat())).toEqual(ids(open().read()));
  });

  test('a long incomplete line replaced by another of equal length and start', () => {
    const half = (end: string) => `{"type":"user","message":{"content":"${'a'.repeat(600)}${end}`;
    write(half('OLD'));
    const reader = open();
    expect(reader.read()).toEqual([]);
    write(half('NEW'));
    append('"}}\n');
    expect(texts(reader.read())).toEqual([`${'a'.repeat(600)}NEW`]);
  });

  describe('a call that is in another file too', () => {
    const resultAt = (ms: number, isError: boolean) => {
      const block = { tool_use_id: 'toolu_1', type: 'tool_result', content: '', is_error: isError };
      const timestamp = new Date(Date.parse('2026-01-07T00:00:00.000Z') + ms).toISOString();
      return `${JSON.stringify({ type: 'user', timestamp, message: { content: [block] } })}\n`;
    };
    const callsAfter = (...files: string[]) => {
      const reader = open();
      let calls: PromptEvent[] = [];
      for (const file of files) {
        write(file);
        calls = reader.read().filter(({ values }) => values.toolCallName === 'Bash');
      }
      return calls;
    };
    const call = toolUse('toolu_1');

    test('has that file’s facts', () => {
      const other = user('x') + call + resultAt(9000, true);
      const [event] = callsAfter(call + resultAt(2000, false), other);
      expect(event?.values).toMatchObject({ error: true, observedDurationMs: 9000 });
      expect([event]).toEqual(parseClaudeTranscript(other, OPTIONS).slice(1));
    });

    test('and has no result if that file has none', () => {
      const [event] = callsAfter(call + resultAt(2000, false), user('x') + call);
      expect(event?.values).not.toHaveProperty('error');
      expect(event?.values).not.toHaveProperty('observedDurationMs');
    });

    test('is returned again if that file knows more', () => {
      const result = toolResult('toolu_1');
      const more = result.replace('"message"', '"toolUseResult":{"durationMs":5},"message"');
      expect(more).not.toBe(result);
      expect(callsAfter(call + result, ` ${call}${more}`)).toMatchObject([{ values: { reportedDurationMs: 5 } }]);
    });

    test('but not if it doesn’t', () => {
      expect(callsAfter(call + resultAt(2000, false), ` ${call}${resultAt(3000, true)}`)).toEqual([]);
    });
  });

  describe('a file of the same length', () => {
    const lines = (changed: number) => {
      const texts = Array.from({ length: 40 }, (_, n) => `${n === changed ? 'NEW' : 'old'} ${n}`.padEnd(60, '.'));
      return texts.map(user).join('');
    };
    const newsAfter = (change: () => void) => {
      write(lines(-1));
      const reader = open();
      readToEnd(reader);
      change();
      return texts(readToEnd(reader)).map((text) => text?.slice(0, 6).trimEnd());
    };

    test('with another head', () => expect(newsAfter(() => write(lines(0)))).toEqual(['NEW 0.']));

    test('with another end', () => expect(newsAfter(() => write(lines(39)))).toEqual(['NEW 39']));

    // Elsewhere neither a file's identity nor its change time can be had.
    onUnix('that took its place, with another middle', () => {
      const news = newsAfter(() => {
        writeFileSync(`${path}.new`, lines(20));
        renameSync(`${path}.new`, path);
      });
      expect(news).toEqual(['NEW 20']);
    });

    onUnix('whose time was set back', async () => {
      const time = new Date(1_700_000_000_000);
      write(user('old'));
      utimesSync(path, time, time);
      await new Promise((settled) => setTimeout(settled, 100));
      const reader = open();
      expect([texts(reader.read()), reader.read()]).toEqual([['old'], []]);
      write(user('new'));
      utimesSync(path, time, time);
      expect(texts(reader.read())).toEqual(['new']);
    });

    test('within one tick of the file system’s clock', () => {
      write(user('000'));
      const reader = open();
      reader.read();
      for (let n = 1; n < 500; n++) {
        const text = `${n}`.padStart(3, '0');
        write(user(text));
        expect(texts(reader.read())).toEqual([text]);
        expect(reader.read()).toEqual([]);
      }
    });
  });

  test('very many calls, and all of them again: in a file written anew, after a rewind, in another process', () => {
    const calls = Array.from({ length: 5000 }, (_, n) => toolUse(`t${n}`) + toolResult(`t${n}`)).join('');
    write(calls);
    const reader = open();
    expect(new Set(ids(readToEnd(reader))).size).toBe(5000);
    const again = [reader, ClaudeTranscriptReader.resume(path, OPTIONS, reader.state())];
    write(`{"type":"summary"}\n${calls}${calls}${user('last')}`);
    for (const reader of again) expect(texts(readToEnd(reader))).toEqual(['last']);
  });

  test('gone, and there again', () => {
    write(user('one'));
    const reader = open();
    reader.read();
    unlinkSync(path);
    expect(thrown(() => reader.read())).toMatchObject({ code: 'ERR_IO', message: expect.stringContaining('ENOENT') });
    write(user('one').replace('one', 'ONE') + user('two'));
    expect(texts(reader.read())).toEqual(['ONE', 'two']);
  });
});

describe('a file that can’t be read', () => {
  const notThere = () => thrown(() => open().read());
  const ioError = (...parts: string[]) => ({
    code: 'ERR_IO',
    message: expect.stringMatching(new RegExp(parts.map((part) => part.replace(/\W/g, '\\$&')).join('.*'))),
  });

  test('is not there', () => expect(notThere()).toEqual(ioError(path, 'ENOENT')));

  test('is a folder', () => {
    mkdirSync(path);
    expect(notThere()).toEqual(ioError(path, 'EISDIR'));
  });

  test('is below a file', () => {
    const below = join(folder.write('file', ''), 'x.jsonl');
    expect(thrown(() => new ClaudeTranscriptReader(below, OPTIONS).read())).toEqual(ioError(below, 'ENOTDIR'));
  });

  onUnix('is a link to itself', () => {
    symlinkSync(path, path);
    expect(notThere()).toEqual(ioError(path, 'ELOOP'));
  });

  onUnix('is a FIFO, which must not block', () => {
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    expect(notThere()).toEqual(ioError(path, 'EINVAL', 'not a regular file'));
  });

  test('has a NUL in its name', () => {
    expect(thrown(() => new ClaudeTranscriptReader('a\0b', OPTIONS).read())).toEqual(ioError('EINVAL'));
  });

  test('may become readable: the reader goes on', () => {
    const reader = open();
    expect(thrown(() => reader.read()).code).toBe('ERR_IO');
    write(user('one'));
    expect(reader.read()).toHaveLength(1);
    rmSync(path);
    mkdirSync(path);
    expect(thrown(() => reader.read()).code).toBe('ERR_IO');
    rmSync(path, { recursive: true });
    write(`${user('one')}${user('two')}`);
    expect(texts(reader.read())).toContain('two');
  });

  describe('is forbidden', () => {
    onUnix('itself: the reader goes on when it is allowed', () => {
      write(user('one'));
      const reader = open();
      expect(reader.read()).toHaveLength(1);
      append(user('two'));
      chmodSync(path, 0);
      expect(asNobody(() => thrown(() => reader.read()))).toEqual(ioError(path, 'EACCES'));
      chmodSync(path, 0o644);
      expect(asNobody(() => texts(reader.read()))).toEqual(['two']);
    });

    onUnix('with its folder', () => {
      const below = join(folder.path, 'closed');
      mkdirSync(below);
      const file = join(below, 'x.jsonl');
      writeFileSync(file, user('one'));
      chmodSync(below, 0);
      const read = () => new ClaudeTranscriptReader(file, OPTIONS).read();
      expect(asNobody(() => thrown(read))).toEqual(ioError(file, 'EACCES'));
      chmodSync(below, 0o755);
      expect(read()).toHaveLength(1);
    });
  });
});

describe('a poll', () => {
  const readBytes = () => Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  /** Bytes that the process reads in `run`, looking at the figure itself aside. */
  const bytesReadBy = (run: () => void) => {
    const empty = readBytes();
    const before = readBytes();
    run();
    return readBytes() - before - (before - empty);
  };
  const onLinux = existsSync('/proc/self/io') ? test : test.skip;

  onLinux('with nothing new reads nothing', async () => {
    write(user('one'));
    // A file that was changed just now may change again within one tick of its clock.
    await new Promise((settled) => setTimeout(settled, 100));
    const reader = open();
    reader.read();
    expect(bytesReadBy(() => expect(reader.read()).toEqual([]))).toBe(0);
  });

  onLinux('with one new line reads as much from a long file as from a short one', () => {
    const polled = (lines: number) => {
      rmSync(path, { force: true });
      write(Array.from({ length: lines }, (_, n) => user(`${n}`.padStart(1000, '0'))).join(''));
      const reader = open();
      readToEnd(reader);
      append(user('new'));
      return bytesReadBy(() => expect(texts(reader.read())).toEqual(['new']));
    };
    const short = polled(10);
    expect(short).toBeLessThan(5000);
    expect(polled(5000)).toBe(short);
  });
});

describe('in another process', () => {
  const resume = (state: string) => ClaudeTranscriptReader.resume(path, OPTIONS, state);

  test('a resumed reader continues where the state was taken', () => {
    write(user('one') + toolUse('toolu_1'));
    const reader = open();
    reader.read();
    append(user('two'));
    const resumed = resume(reader.state());
    expect(texts(resumed.read())).toEqual(['two']);
    append(toolResult('toolu_1'));
    const [again] = resume(resumed.state()).read();
    expect(again?.values).toMatchObject({ toolCallName: 'Bash', error: false, observedDurationMs: 2500 });
  });

  test('a state from before the first read, and of an empty file', () => {
    const state = open().state();
    write('');
    const reader = resume(state);
    expect(reader.read()).toEqual([]);
    write(user('one'));
    expect(resume(reader.state()).read()).toHaveLength(1);
  });

  test('where the agent worked first is still known, to look for its project’s skills', () => {
    const file = writeSkill(folder, 'first', 'review.md', 'text');
    const at = (cwd: string, content: unknown) =>
      `${JSON.stringify({ type: 'assistant', cwd: join(folder.path, cwd), message: { content } })}\n`;
    write(at('first', 'x') + at('second', 'x'));
    const options = { sessionId: SESSION, homeDir: '' };
    const reader = new ClaudeTranscriptReader(path, options);
    reader.read();
    append(at('second', [{ type: 'tool_use', id: 't', name: 'Skill', input: { skill: 'review' } }]));
    const [event] = ClaudeTranscriptReader.resume(path, options, reader.state()).read();
    expect(event?.values.skillFilePath).toBe(file);
  });

  test('a call that came twice is still known', () => {
    write(toolUse('toolu_1') + toolResult('toolu_1'));
    const reader = open();
    reader.read();
    append(toolUse('toolu_1') + user('x'));
    const [event] = resume(reader.state()).read();
    const whole = parseClaudeTranscript(readFileSync(path), OPTIONS);
    expect(event).toEqual(whole[1]);
  });

  test.each([...each('', '{}', 'null', '[]', '"x"', '{"version":1}', 'x'.repeat(1000))])('%j is no state', (state) => {
    expect(thrown(() => resume(state))).toEqual({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'state: expected a state as an earlier call returned it',
    });
  });

  test('neither is one of a later version, or one that was tampered with', () => {
    write(toolUse('toolu_1'));
    const reader = open();
    const [call] = reader.read();
    const state = reader.state();
    const changed = (change: (state: ReturnType<typeof JSON.parse>) => void) => {
      const copy = JSON.parse(state);
      change(copy);
      return JSON.stringify(copy);
    };
    const broken = [
      changed((state) => {
        state.version += 1;
      }),
      changed((state) => {
        state.ledger.emitted += 'AAAA';
      }),
      changed((state) => {
        state.ledger.met = '!';
      }),
      changed((state) => {
        state.ledger.calls = [];
      }),
      changed((state) => {
        state.ledger.events = { v: 1, events: [{}] };
      }),
      changed((state) => {
        state.file.chain.next_index = 2 ** 60;
      }),
      ...[
        { reported: { source: 'Hook', ms: 2 ** 64 } },
        { ended_at: 2 ** 60 },
        { skill: { path: 'x', mtime_ms: 0, hash: '' } },
      ].map((facts) =>
        changed((state) => {
          Object.assign(state.ledger.calls[0].facts, facts);
        }),
      ),
      changed((state) => {
        state.ledger.early = [['t', { is_result: false, reported: { source: 'Hook', ms: 2 ** 60 } }]];
      }),
      changed((state) => {
        state.ledger.early = Array.from({ length: 10_000 }, (_, n) => [`t${n}`, { is_result: false }]);
      }),
      changed((state) => {
        state.companions = [['../../x', state.file]];
      }),
      changed((state) => {
        state.file.dialect.command = { name: 'x', index: 2 ** 60, time: null, parent: null, source: null };
      }),
      changed((state) => {
        state.file.position.offset = -1;
      }),
      changed((state) => {
        state.file.position.head.from = state.file.position.offset + 1;
      }),
      // Beyond what a system's call takes; no number of JavaScript's writes itself so.
      state.replace('"from":0', '"from":9223372036854775808'),
      changed((state) => {
        state.ledger.events.events[0].e = 1;
      }),
      changed((state) => {
        state.ledger.events.events[0].v = {};
      }),
      ...['kind', 'eventId'].map((name) =>
        changed((state) => {
          const { v } = state.ledger.events.events[0];
          const said = call?.values[name as 'kind' | 'eventId'];
          for (const position of Object.keys(v)) if (v[position] === said) delete v[position];
        }),
      ),
    ];
    for (const text of broken) expect(thrown(() => resume(text)).code).toBe('ERR_INVALID_ARGUMENT');
    const harmless = [
      changed((state) => {
        state.file.position.offset = 2 ** 53;
      }),
      changed((state) => {
        state.file.position.head = { from: 0, length: 2 ** 53, hash: '' };
      }),
    ];
    for (const text of harmless) expect(resume(text).read()).toEqual([]);
  });

  test('a state of another session is refused', () => {
    const state = new ClaudeTranscriptReader(path, { ...OPTIONS, sessionId: 'other' }).state();
    expect(thrown(() => resume(state))).toEqual({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'state: expected a state of this session, found one of another',
    });
  });

  test('killed at any moment, it loses no event', async () => {
    const [delivered, stateFile] = ['delivered', 'state'].map((name) => join(folder.path, name)) as [string, string];
    write('');
    writeFileSync(delivered, '');
    const deliveredBytes = () => statSync(delivered).size;
    const script = `
      const { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
      const { ClaudeTranscriptReader } = require(${JSON.stringify(join(__dirname, '../..'))});
      const [path, options, delivered, stateFile] = ${JSON.stringify([path, OPTIONS, delivered, stateFile])};
      const reader = existsSync(stateFile)
        ? ClaudeTranscriptReader.resume(path, options, readFileSync(stateFile, 'utf8'))
        : new ClaudeTranscriptReader(path, options);
      for (;;) {
        const events = reader.read(7);
        if (events.length === 0) continue;
        // A kill can cut a delivery within its first line, which the next one must not go on.
        appendFileSync(delivered, '\\n' + events.map(({ values }) => JSON.stringify(values) + '\\n').join(''));
        writeFileSync(stateFile + '.new', reader.state());
        renameSync(stateFile + '.new', stateFile);
      }`;
    const lines = Array.from({ length: 3000 }, (_, n) => toolUse(`t${n}`) + user(`${n}`) + toolResult(`t${n}`));
    for (let round = 0; round < 10; round++) {
      append(lines.slice(round * 300, round * 300 + 150).join(''));
      const reading = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
      // Killed at some moment after it has begun to deliver.
      const before = deliveredBytes();
      while (deliveredBytes() === before) await new Promise((wait) => setTimeout(wait, 1));
      append(lines.slice(round * 300 + 150, (round + 1) * 300).join(''));
      await new Promise((wait) => setTimeout(wait, 3 * round));
      const gone = new Promise((done) => reading.on('exit', done));
      reading.kill('SIGKILL');
      await gone;
    }
    const last = existsSync(stateFile) ? resume(readFileSync(stateFile, 'utf8')) : open();
    // A process may have been killed in the middle of a delivery, whose events then come again.
    const said = readFileSync(delivered, 'utf8')
      .split('\n')
      .flatMap((text) => {
        try {
          return JSON.parse(text) as PromptEventValues;
        } catch {
          return [];
        }
      });
    const given = new Map(
      [...said, ...readToEnd(last).map(({ values }) => values)].map((values) => [values.eventId, values]),
    );
    const whole = parseClaudeTranscript(readFileSync(path), OPTIONS).map(({ values }) => values);
    expect(given).toEqual(new Map(whole.map((values) => [values.eventId, values])));
  });

  test('the state grows with open calls and a few bytes an event, not with the text', () => {
    const sizeAfter = (lines: string[]) => {
      write(lines.join(''));
      const reader = open();
      readToEnd(reader);
      return reader.state().length;
    };
    const messages = (count: number, length: number) =>
      Array.from({ length: count }, (_, n) => user(`${n}`.padEnd(length)));
    const empty = sizeAfter([]);
    expect(sizeAfter(messages(2000, 10)) - empty).toBeLessThan(2000 * 12);
    expect(sizeAfter(messages(2000, 3000)) - sizeAfter(messages(2000, 10))).toBeLessThan(50);
    const closed = Array.from({ length: 2000 }, (_, n) => toolUse(`t${n}`) + toolResult(`t${n}`));
    expect(sizeAfter(closed) - empty).toBeLessThan(2000 * 22 + 20_000);
    const hostile = ['x'.repeat(1_000_000), 'y'.repeat(1_000_000)].flatMap((id) => [toolResult(id), toolUse(id)]);
    expect(sizeAfter(hostile) - empty).toBeLessThan(1000);
    const [longName, longModel, longCwd] = ['n', 'm', 'c'].map((letter) => letter.repeat(3_000_000));
    const openCall = JSON.parse(toolUse('t'));
    openCall.message.content[0].name = longName;
    openCall.message.model = longModel;
    openCall.cwd = longCwd;
    expect(sizeAfter([JSON.stringify(openCall)]) - empty).toBeLessThan(2000);
    const unclosed = Array.from({ length: 100 }, (_, n) => toolUse(`t${n}`));
    expect(sizeAfter(unclosed) - empty).toBeGreaterThan(100 * 100);
  });
});

describe('at random', () => {
  test('a whole transcript equals the model', () => {
    fc.assert(
      fc.property(transcriptLines(400), (lines) => {
        const jsonl = lines.join('\n');
        expect(parseClaudeTranscript(jsonl, OPTIONS).map(({ values }) => values)).toEqual(
          expectedValues(jsonl, SESSION),
        );
      }),
    );
  });

  /** Where a file is cut into appends, and what becomes of the reader after each. */
  const steps = fc.array(
    fc.record({
      cut: fc.double({ min: 0, max: 1, noNaN: true }),
      fate: fc.constantFrom('read', 'save', 'kill', 'limit'),
    }),
    {
      minLength: 1,
      maxLength: 12,
    },
  );

  test('however it grows and whenever the reader is killed, nothing is lost and only equal ids come again', () => {
    fc.assert(
      fc.property(transcriptLines(60), steps, (lines, plan) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const cuts = plan.map(({ cut }) => Math.floor(cut * bytes.length)).sort((a, b) => a - b);
        rmSync(path, { force: true });
        write('');
        let reader = open();
        let saved = reader.state();
        const deliveries: PromptEvent[][] = [];
        let at = 0;
        for (const [n, { fate }] of plan.entries()) {
          append(bytes.subarray(at, cuts[n]));
          at = cuts[n] ?? at;
          deliveries.push(reader.read(fate === 'limit' ? 2 : undefined));
          if (fate === 'save') saved = reader.state();
          if (fate === 'kill') reader = ClaudeTranscriptReader.resume(path, OPTIONS, saved);
        }
        append(bytes.subarray(at));
        deliveries.push(reader.read());
        const whole = parseClaudeTranscript(bytes, OPTIONS);
        const byId = (events: PromptEventValues[]) => new Map(events.map((values) => [values.eventId, values]));
        expect(byId(settled(deliveries))).toEqual(byId(whole.map(({ values }) => values)));
        // Undisturbed, an event comes again only if it says more.
        if (plan.every(({ fate }) => fate !== 'kill')) {
          const said = new Map<unknown, number>();
          for (const { values } of deliveries.flat()) {
            const before = said.get(values.eventId);
            if (before !== undefined) expect(Object.keys(values).length).toBeGreaterThan(before);
            said.set(values.eventId, Object.keys(values).length);
          }
        }
      }),
    );
  });

  test('a file overwritten at random: all of its events are returned', () => {
    fc.assert(
      fc.property(fc.array(transcriptLines(15), { minLength: 2, maxLength: 4 }), (versions) => {
        rmSync(path, { force: true });
        const deliveries: PromptEvent[][] = [];
        let reader: ClaudeTranscriptReader | undefined;
        for (const lines of versions) {
          write(lines.map((line) => `${line}\n`).join(''));
          reader ??= open();
          deliveries.push(reader.read());
        }
        const given = new Set(deliveries.flatMap(ids));
        const last = parseClaudeTranscript(readFileSync(path), OPTIONS);
        expect(ids(last).filter((id) => !given.has(id))).toEqual([]);
      }),
    );
  });
});

describe('arguments', () => {
  test.each([
    ['path', () => new ClaudeTranscriptReader(7 as never, OPTIONS), 'path: expected a string, found 7'],
    [
      'options',
      () => new ClaudeTranscriptReader(path, undefined as never),
      'options: expected a plain object, found undefined',
    ],
    [
      'sessionId',
      () => new ClaudeTranscriptReader(path, {} as never),
      'options.sessionId: expected a string, found undefined',
    ],
    ['path', () => new ClaudeTranscriptReader('', OPTIONS), 'path: expected a string that is not empty, found ""'],
    [
      'sessionId',
      () => parseClaudeTranscript('', { sessionId: '' }),
      'options.sessionId: expected a string that is not empty, found ""',
    ],
    [
      'an option’s name',
      () => new ClaudeTranscriptReader(path, { ...OPTIONS, homedir: '' } as never),
      'options.homedir: expected no property of that name, found ""',
    ],
    [
      'an attribute',
      () => parseClaudeTranscript('', { ...OPTIONS, attributes: { author: 7 as never } }),
      'options.attributes.author: expected a string, found 7',
    ],
    [
      'an attribute’s name',
      () => parseClaudeTranscript('', { ...OPTIONS, attributes: { auther: 'x' } as never }),
      'options.attributes.auther: expected no property of that name, found "x"',
    ],
    [
      'jsonl',
      () => parseClaudeTranscript(null as never, OPTIONS),
      'jsonl: expected a Uint8Array or a string, found null',
    ],
    ['state', () => ClaudeTranscriptReader.resume(path, OPTIONS, 7 as never), 'state: expected a string, found 7'],
    ['maxEvents', () => open().read(0), 'maxEvents: expected at least 1, found 0'],
    ['maxEvents', () => open().read(1.5), 'maxEvents: expected a safe non-negative integer, found 1.5'],
  ])('%s', (_, call, message) => {
    expect(thrown(call)).toEqual({ code: 'ERR_INVALID_ARGUMENT', message });
  });
});

onUnix('a link to the transcript is followed', () => {
  const target = folder.write('target.jsonl', user('one'));
  symlinkSync(target, path);
  expect(open().read()).toHaveLength(1);
  rmSync(path);
  linkSync(target, path);
  expect(open().read()).toHaveLength(1);
});

test('a closed reader does nothing more', () => {
  const reader = new ClaudeTranscriptReader(folder.write('closed.jsonl', fixture('known-answers')), {
    sessionId: SESSION,
  });
  expect(reader.read()).not.toEqual([]);
  reader.close();
  reader.close();
  for (const call of [() => reader.read(), () => reader.state(), () => reader.offset]) {
    expect(thrown(call)).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'reader: expected an open one, found one that was closed',
    });
  }
});

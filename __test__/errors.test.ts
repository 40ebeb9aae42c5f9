import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ClaudeTranscriptReader,
  captureHook,
  captureStoredHook,
  encodePromptEventRows,
  GitAiMetricsError,
  parseMetricsBatch,
  promptId,
} from '../index.js';
import { wellFormed } from './model';
import { bodyOf, each, encode, inChild, thrown, withoutSeparators } from './support';

/** Matches `line 3, column 14` with any punctuation. */
function place(body: Uint8Array | string): [line: number, column: number] {
  const { code, message } = thrown(() => parseMetricsBatch(body));
  expect(code).toBe('ERR_INVALID_JSON');
  const found = /line (\d+)\W+column (\d+)/.exec(message);
  if (!found) throw new Error(`no line and column in: ${message}`);
  return [Number(found[1]), Number(found[2])];
}

const codeOf = (body: Uint8Array | string, options?: object) => thrown(() => parseMetricsBatch(body, options)).code;

/** The error of a body's only event. */
function eventError(event: string): { index: number; code: string; error: string } {
  const { version, events, errors } = parseMetricsBatch(bodyOf(event));
  expect(version).toBe(1);
  expect(events).toEqual([]);
  expect(errors).toHaveLength(1);
  expect(Object.keys(errors[0]).sort()).toEqual(['code', 'error', 'index']);
  return errors[0];
}

describe('ERR_INVALID_JSON gives line and column', () => {
  test.each([
    ['an empty body', '', 1, 1],
    ['a letter at the start', 'x', 1, 1],
    ['an empty line first', '\nx', 2, 1],
    ['a letter for a value', '{"v":x}', 1, 6],
    ['on the second line', '{"v":1,\n "events":[x]}', 2, 12],
    ['after a carriage return and a line feed', '{"v":1,\r\n"events":[x]}', 2, 11],
    ['after empty lines', '{"v":1,\n\n\n   x}', 4, 4],
    ['after tabs, which are one column each', '{"v":1,\t\tx}', 1, 10],
    ['a comma too much', '{"v":1,"events":[],}', 1, 20],
    ['trailing garbage', '{"v":1,"events":[]} x', 1, 21],
    ['trailing garbage on a line of its own', '{"v":1,"events":[]}\n\n  ]', 3, 3],
    ['a body cut short', '{"v":1,"events":[', 1, 18],
    ['a body cut short after a line feed', '{"v":1,\n', 2, 1],
    ['after é, which is two bytes and one column', '{"é":"é","v":x}', 1, 14],
    ['after 漢, which is three bytes and one column', '{"漢":"漢","v":x}', 1, 14],
    ['within an event', '{"v":1,"events":[{"t":1,"e":5,"v":{"0":x}}]}', 1, 40],
    ['within what has no meaning', '{"v":1,"zzz":[{"a":x}],"events":[]}', 1, 20],
    ['a line feed within a text', '{"v":1,"x":"ab\n"}', 1, 15],
  ])('%s', (_, body, line, column) => {
    expect(place(body)).toEqual([line, column]);
    expect(place(Buffer.from(body))).toEqual([line, column]);
  });

  test.each([
    ['in a text', '{"v":1,\n"x":"é', 2, 7],
    ['in a key', '{"v":1,\n"é', 2, 3],
    ['outside of texts', '{"v":1,\n  ', 2, 3],
  ])('bytes that are not UTF-8, %s', (_, before, line, column) => {
    const body = Buffer.concat([Buffer.from(before), Buffer.from([0xff]), Buffer.from('":1,"events":[]}')]);
    expect(place(body)).toEqual([line, column]);
  });

  test('far into a long body', () => {
    const lines = `${' '.repeat(50)}\n`.repeat(20_000);
    expect(place(`{"v":1,${lines}"events":[x]}`)).toEqual([20_001, 11]);
  });
});

describe('ERR_INVALID_BATCH', () => {
  test.each(each('null', 'true', '1', '"x"', '[]', '[{"v":1,"events":[]}]'))('a body that is no object: %s', (body) => {
    expect(codeOf(body)).toBe('ERR_INVALID_BATCH');
  });

  test.each(each('{}', '{"events":[]}', '{"V":1,"events":[]}', '{"event":{"v":1,"events":[]}}'))('no v: %s', (body) => {
    const { code, message } = thrown(() => parseMetricsBatch(body));
    expect(code).toBe('ERR_INVALID_BATCH');
    expect(message).toMatch(/\bv\b/);
  });

  test.each(each('"1"', 'null', 'true', '[1]', '{}'))('a v that is no number: %s', (v) => {
    const { code, message } = thrown(() => parseMetricsBatch(`{"v":${v},"events":[]}`));
    expect(code).toBe('ERR_INVALID_BATCH');
    expect(message).toMatch(/\bv\b/);
  });

  test.each(each('{"v":1}', '{"v":1,"Events":[]}', '{"v":1,"event":[]}'))('no events: %s', (body) => {
    const { code, message } = thrown(() => parseMetricsBatch(body));
    expect(code).toBe('ERR_INVALID_BATCH');
    expect(message).toMatch(/\bevents\b/);
  });

  test.each(each('null', '{}', '"[]"', '5', 'false', '{"0":{},"length":1}'))(
    'events that are no list: %s',
    (events) => {
      const { code, message } = thrown(() => parseMetricsBatch(`{"v":1,"events":${events}}`));
      expect(code).toBe('ERR_INVALID_BATCH');
      expect(message).toMatch(/\bevents\b/);
    },
  );
});

describe('ERR_UNSUPPORTED_VERSION', () => {
  test.each(each('0', '2', '255', '256', '-1', '1.0', '1e0', '10', '11', '18446744073709551617', '-0', '1e400'))(
    'v is %s',
    (v) => {
      const { code, message } = thrown(() => parseMetricsBatch(`{"v":${v},"events":[]}`));
      expect(code).toBe('ERR_UNSUPPORTED_VERSION');
      expect(message).toContain(v);
    },
  );
});

describe('limits: the message has both numbers', () => {
  const batchOf = (count: number) => bodyOf(...Array.from({ length: count }, () => '{"t":1,"e":2,"v":{},"a":{}}'));

  test('ERR_TOO_MANY_EVENTS: 1,000 by default', () => {
    expect(parseMetricsBatch(batchOf(1_000)).events).toHaveLength(1_000);
    const { code, message } = thrown(() => parseMetricsBatch(batchOf(1_001)));
    expect(code).toBe('ERR_TOO_MANY_EVENTS');
    expect(withoutSeparators(message)).toMatch(/\b1001\b/);
    expect(withoutSeparators(message)).toMatch(/\b1000\b/);
  });

  test('ERR_TOO_MANY_EVENTS: maxEvents', () => {
    expect(parseMetricsBatch(batchOf(3), { maxEvents: 3 }).events).toHaveLength(3);
    expect(parseMetricsBatch(batchOf(3_000), { maxEvents: 3_000 }).events).toHaveLength(3_000);
    expect(parseMetricsBatch(batchOf(0), { maxEvents: 0 }).events).toEqual([]);
    for (const [count, maxEvents] of [
      [1, 0],
      [4, 3],
      [5_432, 250],
    ]) {
      const { code, message } = thrown(() => parseMetricsBatch(batchOf(count), { maxEvents }));
      expect(code).toBe('ERR_TOO_MANY_EVENTS');
      expect(withoutSeparators(message)).toMatch(new RegExp(`\\b${count}\\b`));
      expect(withoutSeparators(message)).toMatch(new RegExp(`\\b${maxEvents}\\b`));
    }
  });

  test('events that do not decode count', () => {
    expect(codeOf(bodyOf('1', '{}', 'null'), { maxEvents: 2 })).toBe('ERR_TOO_MANY_EVENTS');
    expect(parseMetricsBatch(bodyOf('1', '{}', 'null'), { maxEvents: 3 }).errors).toHaveLength(3);
  });

  test('ERR_BODY_TOO_LARGE: 64 MiB by default', () => {
    const body = Buffer.alloc(64 * 1024 * 1024 + 1, ' ');
    body.write('{"v":1,"events":[]}');
    expect(parseMetricsBatch(body.subarray(0, -1)).events).toEqual([]);
    for (const large of [body, body.toString()]) {
      const { code, message } = thrown(() => parseMetricsBatch(large));
      expect(code).toBe('ERR_BODY_TOO_LARGE');
      expect(withoutSeparators(message)).toContain('67108865');
      expect(withoutSeparators(message)).toMatch(/67108864|64 MiB/);
    }
  });

  test('ERR_BODY_TOO_LARGE: maxBytes', () => {
    const body = batchOf(2);
    expect(parseMetricsBatch(body, { maxBytes: body.length }).events).toHaveLength(2);
    const { code, message } = thrown(() => parseMetricsBatch(body, { maxBytes: body.length - 1 }));
    expect(code).toBe('ERR_BODY_TOO_LARGE');
    expect(message).toMatch(new RegExp(`\\b${body.length}\\b`));
    expect(message).toMatch(new RegExp(`\\b${body.length - 1}\\b`));
    expect(codeOf(body, { maxBytes: 0 })).toBe('ERR_BODY_TOO_LARGE');
  });

  test('ERR_BODY_TOO_LARGE: more than 64 MiB where they are allowed', () => {
    const body = Buffer.alloc(65 * 1024 * 1024, ' ');
    body.write(batchOf(1));
    expect(parseMetricsBatch(body, { maxBytes: body.length }).events).toHaveLength(1);
    expect(parseMetricsBatch(body, { maxBytes: Number.MAX_SAFE_INTEGER }).events).toHaveLength(1);
  });

  test('ERR_BODY_TOO_LARGE: a text is measured in bytes of UTF-8', () => {
    const body = `{"v":1,"events":[],"x":"é漢😀"}`;
    const bytes = Buffer.byteLength(body);
    expect(bytes).toBeGreaterThan(body.length);
    expect(parseMetricsBatch(body, { maxBytes: bytes }).events).toEqual([]);
    const { code, message } = thrown(() => parseMetricsBatch(body, { maxBytes: bytes - 1 }));
    expect(code).toBe('ERR_BODY_TOO_LARGE');
    expect(message).toMatch(new RegExp(`\\b${bytes}\\b`));
  });
});

describe('ERR_INVALID_ARGUMENT', () => {
  test.each(['maxEvents', 'maxBytes'])('%s must be a safe non-negative integer', (name) => {
    for (const wrong of [
      -1,
      1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      '5',
      true,
      null,
      [],
      {},
      5n,
      Symbol('s'),
    ]) {
      const { code, message } = thrown(() => parseMetricsBatch('{"v":1,"events":[]}', { [name]: wrong } as object));
      expect(code).toBe('ERR_INVALID_ARGUMENT');
      expect(message).toContain(name);
    }
  });

  test('options that are no object', () => {
    for (const wrong of [5, 'x', true, Symbol('s'), 5n]) {
      expect(codeOf('{"v":1,"events":[]}', wrong as unknown as object)).toBe('ERR_INVALID_ARGUMENT');
    }
  });

  test('options that are left out, or undefined in whole or in part, are the defaults', () => {
    const body = '{"v":1,"events":[]}';
    for (const options of [undefined, {}, { maxEvents: undefined }, { maxBytes: undefined, maxEvents: undefined }]) {
      expect(parseMetricsBatch(body, options as object | undefined).events).toEqual([]);
    }
  });
});

describe('several errors of a call: the first in this order is thrown', () => {
  const bad = 'x';
  test.each([
    ['ERR_INVALID_ARGUMENT', 'before a body too large', bad, { maxBytes: 0, maxEvents: -1 }],
    ['ERR_INVALID_ARGUMENT', 'before JSON', bad, { maxEvents: 1.5 }],
    ['ERR_BODY_TOO_LARGE', 'before JSON', bad, { maxBytes: 0 }],
    ['ERR_BODY_TOO_LARGE', 'before the version', '{"v":2}', { maxBytes: 3 }],
    ['ERR_INVALID_JSON', 'at the end, before no object', '[] x', {}],
    ['ERR_INVALID_JSON', 'at the end, before the version', '{"v":2,"events":[]} x', {}],
    ['ERR_INVALID_JSON', 'in an event, before the version', '{"v":2,"events":[01]}', {}],
    ['ERR_INVALID_JSON', 'at the end, before a v that is no number', '{"v":"1","events":[]', {}],
    ['ERR_INVALID_JSON', 'at the end, before no list of events', '{"v":1,"events":5', {}],
    ['ERR_INVALID_JSON', 'at the end, before too many events', '{"v":1,"events":[1,2,3]', { maxEvents: 2 }],
    ['ERR_INVALID_JSON', 'in an event beyond the limit', '{"v":1,"events":[1,2,x]}', { maxEvents: 1 }],
    ['ERR_INVALID_BATCH', 'no v, before no list of events', '{"events":5}', {}],
    ['ERR_INVALID_BATCH', 'no v, before too many events', '{"events":[1,2]}', { maxEvents: 1 }],
    ['ERR_UNSUPPORTED_VERSION', 'before no events', '{"v":2}', {}],
    ['ERR_UNSUPPORTED_VERSION', 'before no list of events', '{"events":5,"v":2}', {}],
    ['ERR_UNSUPPORTED_VERSION', 'before too many events', '{"events":[1,2],"v":2}', { maxEvents: 1 }],
  ])('%s %s', (code, _, body, options) => {
    expect(codeOf(body, options)).toBe(code);
  });

  test('ERR_INVALID_JSON for bytes at the very end that are not UTF-8', () => {
    const body = Buffer.concat([Buffer.from('{"v":2,"events":5}'), Buffer.from([0xc3])]);
    expect(codeOf(body)).toBe('ERR_INVALID_JSON');
  });
});

describe('the errors of single events', () => {
  test.each([
    ['t', '{"e":5,"v":{},"a":{}}'],
    ['e', '{"t":5,"v":{},"a":{}}'],
    ['v', '{"t":5,"e":5,"a":{}}'],
    ['a', '{"t":5,"e":5,"v":{}}'],
    ['t', '{}'],
    ['t', '{"T":1,"e":5,"v":{},"a":{}}'],
  ])('ERR_MISSING_KEY: %s of %s', (key, event) => {
    const { code, error, index } = eventError(event);
    expect([code, index]).toEqual(['ERR_MISSING_KEY', 0]);
    expect(error).toMatch(/^events\[0\]/);
    expect(error).toMatch(new RegExp(`\\b${key}\\b`));
  });

  test.each(each('null', '5', '"x"', 'true', '[]', '[1,5,{},{}]'))('ERR_WRONG_TYPE: the event is %s', (event) => {
    const { code, error } = eventError(event);
    expect(code).toBe('ERR_WRONG_TYPE');
    expect(error).toMatch(/^events\[0\]/);
  });

  test.each(['t', 'e'])('ERR_WRONG_TYPE: %s', (key) => {
    for (const wrong of [
      '"yesterday"',
      'null',
      'true',
      '[]',
      '{}',
      '1.0',
      '1e3',
      '-0',
      '1.5',
      '0.0',
      '1E0',
      '-1.5',
      '1e400',
    ]) {
      const event = `{"t":5,"e":5,"v":{},"a":{}}`.replace(`"${key}":5`, `"${key}":${wrong}`);
      const { code, error } = eventError(event);
      expect([wrong, code]).toEqual([wrong, 'ERR_WRONG_TYPE']);
      expect(error.startsWith(`events[0].${key}: `)).toBe(true);
    }
  });

  test.each(['v', 'a'])('ERR_WRONG_TYPE: %s', (key) => {
    for (const wrong of ['"x"', 'null', 'false', '5', '[]', '[{}]']) {
      const { code, error } = eventError(`{"t":5,"e":5,"v":{},"a":{},"${key}":${wrong}}`);
      expect([wrong, code]).toEqual([wrong, 'ERR_WRONG_TYPE']);
      expect(error.startsWith(`events[0].${key}: `)).toBe(true);
    }
  });

  test.each([
    ['t', '4294967296'],
    ['t', '9007199254740993'],
    ['t', '18446744073709551616'],
    ['t', '-1'],
    ['t', '-4294967296'],
    ['t', '123456789012345678901234567890'],
    ['e', '65536'],
    ['e', '65541'],
    ['e', '4294967301'],
    ['e', '-1'],
    ['e', '18446744073709551621'],
  ])('ERR_OUT_OF_RANGE: %s is %s', (key, number) => {
    const { code, error } = eventError(`{"t":5,"e":5,"v":{},"a":{},"${key}":${number}}`);
    expect(code).toBe('ERR_OUT_OF_RANGE');
    expect(error.startsWith(`events[0].${key}: `)).toBe(true);
    expect(error).toContain(number);
  });

  test('the text says what was expected, what was found and where', () => {
    const { errors } = parseMetricsBatch(bodyOf('1', '2', '3', '{"t":"yesterday","e":5,"v":{},"a":{}}'));
    expect(errors[3]).toEqual({
      index: 3,
      code: 'ERR_WRONG_TYPE',
      error: 'events[3].t: expected a u32 of unix seconds, found "yesterday"',
    });
  });

  test('the keys are judged in the order t, e, v, a, whatever their order on the wire', () => {
    expect(eventError('{"a":1,"v":2,"e":"x","t":-1}').code).toBe('ERR_OUT_OF_RANGE');
    expect(eventError('{"a":1,"v":2,"e":"x","t":1}').error).toMatch(/^events\[0\]\.e: /);
    expect(eventError('{"a":1,"v":2,"e":5}').code).toBe('ERR_MISSING_KEY');
    expect(eventError('{"v":2,"e":5,"t":1}').error).toMatch(/^events\[0\]\.v: /);
    expect(eventError('{"v":{},"e":99999,"t":1}').code).toBe('ERR_OUT_OF_RANGE');
  });

  test('the others of the batch decode, and each error has its own index', () => {
    const good = '{"t":1,"e":5,"v":{"0":"x"},"a":{}}';
    const batch = parseMetricsBatch(bodyOf('null', good, '{"t":1}', good, good, '{"t":-1,"e":5,"v":{},"a":{}}'));
    expect(batch.events).toHaveLength(3);
    for (const event of batch.events) {
      expect(event).toEqual({ metric: 'prompt_event', timestamp: 1, values: { kind: 'x' }, attributes: {} });
    }
    expect(batch.errors.map(({ index, code }) => [index, code])).toEqual([
      [0, 'ERR_WRONG_TYPE'],
      [2, 'ERR_MISSING_KEY'],
      [5, 'ERR_OUT_OF_RANGE'],
    ]);
    expect(batch.errors[2].error).toMatch(/^events\[5\]\.t: /);
  });

  test('a batch of nothing but errors', () => {
    const { events, errors } = parseMetricsBatch(bodyOf(...Array.from({ length: 1_000 }, () => '{}')));
    expect(events).toEqual([]);
    expect(errors.map(({ index }) => index)).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
  });

  test('the found value is one short line, however large it is', () => {
    const founds = [
      `"${'x'.repeat(1_000_000)}"`,
      `"${'\\n'.repeat(1_000)}"`,
      `[${'1,\n'.repeat(100_000)}1]`,
      '9'.repeat(100_000),
      `"${'😀'.repeat(5_000)}"`,
    ];
    for (const found of founds) {
      for (const key of ['t', 'e', 'v', 'a']) {
        const { error } = eventError(`{"t":5,"e":5,"v":{},"a":{},"${key}":${found}}`);
        expect(error).not.toContain('\n');
        expect(error.length).toBeLessThan(500);
        // Shortened, but not within a character.
        expect(error).toBe(wellFormed(error));
      }
    }
  });

  /** How messages show a text: one from the wire, and one from a caller. */
  const shownOf = (text: string): string[] => [
    eventError(`{"t":"${text}","e":5,"v":{},"a":{}}`).error.replace(
      'events[0].t: expected a u32 of unix seconds, found ',
      '',
    ),
    thrown(() => encode([{ metric: text }])).message.replace('events[0].metric: expected a metric, found ', ''),
  ];

  test('the found value is cut after 40 characters', () => {
    for (const character of ['x', 'é', '漢', '😀']) {
      // The quotes add two characters.
      const whole = character.repeat(38);
      const cut = `"${character.repeat(39)}…`;
      expect(shownOf(whole)).toEqual([`"${whole}"`, `"${whole}"`]);
      expect(shownOf(`${whole}${character}`)).toEqual([cut, cut]);
      expect(shownOf(character.repeat(500))).toEqual([cut, cut]);
    }
  });

  test('no character of it breaks the line, turns the direction of the text, or hides', () => {
    const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
    // JSON doesn't allow unescaped control characters.
    for (let code = 0x20; code <= 0x10ffff; code++) {
      const character = String.fromCodePoint(code);
      if (!hidden.test(character)) continue;
      expect(shownOf(`a${character}b`)).toEqual(['"a b"', '"a b"']);
    }
    for (const character of ['é', '漢', '😀', '\u00a0', '\u2003', '\ufffd', '\u{10ffff}']) {
      expect(shownOf(character)).toEqual([`"${character}"`, `"${character}"`]);
    }
  });

  test('they form the answer of an upload unchanged', () => {
    const { errors } = parseMetricsBatch(bodyOf('5'));
    expect(JSON.parse(JSON.stringify({ errors }))).toEqual({ errors });
  });
});

describe('GitAiMetricsError', () => {
  const unreadable = join(tmpdir(), 'git-ai-metrics-none', 'transcript.jsonl');
  const CALLS: [what: string, code: string, call: () => unknown][] = [
    ['a body that the addon refuses', 'ERR_INVALID_JSON', () => parseMetricsBatch('x')],
    ['an argument that JavaScript refuses', 'ERR_INVALID_ARGUMENT', () => promptId(5 as never, '')],
    ['an argument that the addon refuses', 'ERR_INVALID_ARGUMENT', () => captureHook('claude', '[]')],
    ['rows', 'ERR_INVALID_BATCH', () => encodePromptEventRows('{}', { orgId: 'acme' })],
    ['a native class', 'ERR_IO', () => new ClaudeTranscriptReader(unreadable, { sessionId: 'x' }).read()],
  ];

  test.each(CALLS)('is thrown by %s, in the caller’s realm', (_, code, call) => {
    expect(call).toThrow(Error);
    expect(call).toThrow(GitAiMetricsError);
    expect(call).toThrow(expect.objectContaining({ name: 'GitAiMetricsError', code }));
  });

  test('is an Error where nothing but Node runs', () => {
    const found = inChild(`
      try { api.parseMetricsBatch('x'); } catch (error) {
        answer([error instanceof Error, error instanceof api.GitAiMetricsError, String(error).slice(0, 19), Object.keys(error)]);
      }
    `);
    expect(found).toEqual([true, true, 'GitAiMetricsError: ', ['code']]);
  });

  test('has the path of an argument', () => {
    const event = { metric: 'prompt_event', timestamp: 1, values: {}, attributes: {} };
    const paths = [
      { ...event, values: { startTs: -1 } },
      { ...event, unknown: [{ section: 'values', position: '77', json: 'x' }] },
    ].map((wrong) => {
      try {
        return encode([event, event, event, wrong]);
      } catch (error) {
        return (error as GitAiMetricsError).path;
      }
    });
    expect(paths).toEqual(['events[3].values.startTs', 'events[3].unknown[0].json']);
  });

  test('has path, syscall and errno of a file, like Node’s errors', () => {
    const ours = () => new ClaudeTranscriptReader(unreadable, { sessionId: 'x' }).read();
    let nodes = {};
    try {
      openSync(unreadable, 'r');
    } catch (error) {
      const { path, syscall, errno } = error as NodeJS.ErrnoException;
      nodes = { path, syscall, errno };
    }
    expect(ours).toThrow(expect.objectContaining({ ...nodes, code: 'ERR_IO' }));
    expect(ours).toThrow('ENOENT');
  });

  test('of a folder that cannot be made', () => {
    const homeDir = join(__filename, 'home');
    const capture = () => captureStoredHook('claude', '{"session_id":"x"}', { homeDir });
    expect(capture).toThrow(
      expect.objectContaining({
        code: 'ERR_IO',
        path: join(homeDir, '.git-ai', 'internal', 'prompt-events'),
        syscall: 'mkdir',
        errno: expect.any(Number),
      }),
    );
  });

  test('other errors pass through unchanged', () => {
    const deliver = () => {
      throw new RangeError('the caller’s');
    };
    const homeDir = mkdtempSync(join(tmpdir(), 'git-ai-metrics-errors-'));
    const prompt = '{"session_id":"x","hook_event_name":"UserPromptSubmit","prompt":"Hi"}';
    expect(() => captureStoredHook('claude', prompt, { homeDir }, deliver)).toThrow(RangeError);
    rmSync(homeDir, { recursive: true });
  });
});

test('an error has a stack that begins where the caller called', () => {
  let stack = '';
  try {
    parseMetricsBatch('x');
  } catch (error) {
    stack = (error as Error).stack ?? '';
  }
  expect(stack).toContain('errors.test');
});

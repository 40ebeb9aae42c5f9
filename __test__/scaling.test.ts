import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as api from '../index.js';
import { fixture } from './capture/transcripts';
import { Baseline, costRatio, expectLinear } from './cost';
import { bodyOf, promptBody } from './support';

// Work must grow linearly with any input. Each input grows by a factor of 8, and its work may grow by 12.
// `__test__/cost.ts` explains the measurement.

/** Large enough that work which isn't linear outweighs the rest, small enough for hundreds of measurements. */
const BYTES = 1 << 15;
/** The highest ratio to what the same input costs V8 itself: in `JSON.parse`, or where a caller's object is listed. */
const MOST = 12;

const LIMITS = { maxEvents: 1 << 24, maxBytes: 1 << 30 };
const ROWS = { orgId: 'acme', receivedAtMs: 1_775_587_555_123 };

type Make = (bytes: number) => string;

const repeated =
  (text: string): Make =>
  (bytes) =>
    text.repeat(Math.ceil(bytes / text.length));

const listed =
  (item: (n: number) => string): Make =>
  (bytes) => {
    const items: string[] = [];
    for (let length = 0; length < bytes; length += items[items.length - 1].length + 1) items.push(item(items.length));
    return items.join();
  };

/** Escapes a text for JSON, without quotes. */
const TEXTS: Record<string, Make> = {
  'plain text': repeated('x'),
  'plain text of two bytes': repeated('é'),
  'plain text of four bytes': repeated('🙂'),
  'a mix of plain texts': repeated('plain é 漢 🙂 '),
  'short escapes': repeated('\\n'),
  'escaped quotes': repeated('\\"'),
  'escaped ASCII': repeated('\\u0041'),
  'escaped NULs': repeated('\\u0000'),
  'surrogate pairs': repeated('\\ud83d\\ude42'),
  'lone high surrogates': repeated('\\ud800'),
  'lone low surrogates': repeated('\\udc00'),
  'pairs the wrong way round': repeated('\\udc00\\ud800'),
  'lone surrogates among plain text': repeated('\\ud800 plain é '),
  'lone surrogates among pairs and escapes': repeated('\\ud83d\\ude42\\ud800\\n'),
  'a lone surrogate after plain text': (bytes) => `${'x'.repeat(bytes)}\\ud800`,
  'plain text after a lone surrogate': (bytes) => `\\ud800${'x'.repeat(bytes)}`,
};

/** Every place where a sender can put a text. */
const PLACES: Record<string, (text: string) => string> = {
  'a value': (text) => promptBody(`"0":"HumanMessage","11":"${text}"`),
  'an unknown key': (text) => promptBody(`"${text}":1`),
  'an unknown value': (text) => promptBody(`"99":["${text}"]`),
  'a list': (text) => bodyOf(`{"t":1,"e":1,"v":{"3":["all","${text}"]},"a":{}}`),
  'a session’s record': (text) => promptBody(`"0":{"type":"user","text":"${text}"}`, '"24":"s_1"'),
  'custom attributes': (text) => promptBody('', `"30":"${text}"`),
  'a custom attribute': (text) => promptBody('', `"30":${JSON.stringify(`{"key":"${text}"}`)}`),
  'a metric nobody knows': (text) => bodyOf(`{"t":1,"e":99,"v":{"0":"${text}"},"a":{"0":"${text}"}}`),
  'what is skipped': (text) => `{"v":1,"events":[],"${text}":"${text}"}`,
  'what is refused': (text) => bodyOf(`{"t":"${text}","e":5,"v":{},"a":{}}`),
};

const events = (event: (n: number) => string): Make => {
  const list = listed(event);
  return (bytes) => `{"v":1,"events":[${list(bytes)}]}`;
};
const values = (members: Make, metric = 5): Make => {
  return (bytes) => bodyOf(`{"t":1,"e":${metric},"v":{${members(bytes)}},"a":{}}`);
};
const attributes = (members: Make): Make => {
  return (bytes) => bodyOf(`{"t":1,"e":5,"v":{"0":"ToolCall"},"a":{${members(bytes)}}}`);
};
const list = (position: number, items: Make): Make => values((bytes) => `"${position}":[${items(bytes)}]`, 1);
const nested = (open: string, close: string): Make => {
  return (bytes) => {
    const depth = bytes / (open.length + close.length);
    return `${open.repeat(depth)}1${close.repeat(depth)}`;
  };
};
const customAttributes = (members: Make): Make => {
  return (bytes) => promptBody('"0":"ToolCall"', `"30":${JSON.stringify(`{${members(bytes)}}`)}`);
};
/** Fields of a prompt event, two bits of `n` each: the first sets the field, the second makes it null. */
const someFields = (n: number): string => {
  const fields: string[] = [];
  for (let position = 0; n >> position > 0; position++) {
    if ((n >> position) & 1) fields.push(`"${position % 16}":${(n >> (position + 1)) & 1 ? 'null' : '"x"'}`);
  }
  return fields.join();
};

const STRUCTURES: Record<string, Make> = {
  'many small events': events(() => '{"t":1,"e":2,"v":{},"a":{}}'),
  'many sets of fields': events((n) => `{"t":1,"e":5,"v":{${someFields(n)}},"a":{}}`),
  'many sets of attributes': events((n) => `{"t":1,"e":2,"v":{},"a":{${someFields(n)}}}`),
  'many sets of fields, in every order': events((n) => {
    const positions = Array.from({ length: 16 }, (_, at) => (at * (2 * (n % 8) + 1) + n) % 16);
    return `{"t":1,"e":5,"v":{${positions.map((position) => `"${position}":null`)}},"a":{}}`;
  }),
  'many metrics nobody knows': events((n) => `{"t":1,"e":${100 + (n % 60_000)},"v":{"0":${n}},"a":{}}`),
  'many attribute objects': events((n) => `{"t":1,"e":5,"v":{"0":"ToolCall"},"a":{"0":"${n}","20":"claude"}}`),
  'one attribute object many times': events(() => '{"t":1,"e":5,"v":{"0":"ToolCall"},"a":{"0":"1","20":"claude"}}'),
  'attribute objects that differ in white space': events((n) => `{"t":1,"e":2,"v":{},"a":{${' '.repeat(n % 97)}}}`),
  'many errors': events(() => '5'),
  'errors of every kind': events(
    (n) => ['{"t":-1}', '{"t":1,"e":70000}', '{"t":1,"e":5,"v":{}}', 'null', '{"t":1,"e":5,"v":5,"a":{}}'][n % 5],
  ),
  'refused events with long texts': events((n) => `{"t":"${'yesterday'.repeat(40)}","e":${n},"v":{},"a":{}}`),
  'a list of strings': list(
    3,
    listed((n) => `"model ${n}"`),
  ),
  'a list of equal strings': list(
    3,
    listed(() => '"claude"'),
  ),
  'a list of empty strings': list(
    3,
    listed(() => '""'),
  ),
  'a list of lone surrogates': list(
    3,
    listed(() => '"\\ud800"'),
  ),
  'a list of u32': list(
    4,
    listed((n) => String(n)),
  ),
  'a list of u64': list(
    9,
    listed((n) => String(2 ** 40 + n)),
  ),
  'a list whose last item is of another type': list(4, (bytes) => `${listed((n) => String(n))(bytes)},"x"`),
  'a list whose last item is out of range': list(9, (bytes) => `${listed((n) => String(n))(bytes)},1e400`),
  'a list of lists': list(
    3,
    listed(() => '[]'),
  ),
  'lists of one item': events(() => '{"t":1,"e":1,"v":{"3":["all"],"4":[1],"5":[1],"6":[1]},"a":{}}'),
  'a list again and again': values(
    listed((n) => `"4":[${n},1,2,3,4,5,6,7,8]`),
    1,
  ),
  'a field again and again': values(listed(() => '"11":"text"')),
  'a field again and again, by an escape': values(listed(() => '"\\u0031\\u0031":"text"')),
  'fields of another type, again and again': values(listed((n) => `"${n % 16}":[]`)),
  'an unknown field again and again': values(listed((n) => `"99":${n}`)),
  'a thousand unknown fields again and again': values(listed((n) => `"${100 + (n % 1000)}":${n}`)),
  'a thousand unknown fields in each event': events((n) => {
    const fields = Array.from({ length: 1000 }, (_, at) => `"${100 + at}":${n}`);
    return `{"t":1,"e":5,"v":{${fields}},"a":{}}`;
  }),
  'unknown fields that are too many': values(listed((n) => `"${n + 100}":1`)),
  'unknown fields that are too many, backwards': values((bytes) =>
    listed((n) => `"${n + 100}":1`)(bytes)
      .split(',')
      .reverse()
      .join(),
  ),
  'unknown attributes that are too many': attributes(listed((n) => `"${n + 100}":1`)),
  'unknown keys with escapes that are too many': values(listed((n) => `"\\u0078${n}":1`)),
  'sections again and again': (bytes) =>
    bodyOf(`{"t":1,"e":5,${listed((n) => `"v":{"99":${n}},"a":{"0":"${n}"}`)(bytes)}}`),
  'events again and again': (bytes) => `{"v":1,${listed(() => '"events":[{"t":1,"e":2,"v":{},"a":{}}]')(bytes)}}`,
  'skipped keys': (bytes) => `{"v":1,"events":[],${listed((n) => `"x${n}":1`)(bytes)}}`,
  'skipped keys of an event': (bytes) => bodyOf(`{"t":1,"e":2,"v":{},"a":{},${listed((n) => `"x${n}":1`)(bytes)}}`),
  'a deep nest of lists': values((bytes) => `"99":${nested('[', ']')(bytes)}`),
  'a deep nest of objects': values((bytes) => `"99":${nested('{"a":', '}')(bytes)}`),
  'a deep nest that is skipped': (bytes) => `{"v":1,"events":[],"x":${nested('[{"a":', '}]')(bytes)}}`,
  'a deep nest as a session’s record': values((bytes) => `"0":${nested('{"a":[', ']}')(bytes)}`),
  'a deep nest that never closes': (bytes) => promptBody(`"99":${'['.repeat(bytes)}`),
  'nests of events': events(() => `{"t":1,"e":5,"v":{"99":${'['.repeat(50)}${']'.repeat(50)}},"a":{}}`),
  'a number of many digits': values((bytes) => `"7":${'9'.repeat(bytes)}`),
  'a fraction of many digits': values((bytes) => `"99":0.${'9'.repeat(bytes)}e-${'9'.repeat(9)}`),
  'many numbers': values((bytes) => `"99":[${listed((n) => `${n}.5e${n % 300}`)(bytes)}]`),
  'white space': (bytes) => ` ${' \n\t\r'.repeat(bytes / 4)}{"v":1,${' '.repeat(bytes)}"events":[]}`,
  'white space between all': events(() => ' { "t" : 1 , "e" : 5 ,\n"v" : { "0" : "ToolCall" } , "a" : { } } '),
  'lines, and an error at the end': (bytes) => `{"v":1,"events":[${'\n'.repeat(bytes)}?]}`,
  'a text that never ends': (bytes) => `{"v":1,"events":[{"t":1,"e":5,"v":{"11":"${'\\ud800'.repeat(bytes / 6)}`,
  'many custom attributes': customAttributes(listed((n) => `"key ${n}":"x"`)),
  'many custom attributes, backwards': customAttributes((bytes) => {
    return listed((n) => `"key ${String(n).padStart(6, '0')}":"x"`)(bytes)
      .split(',')
      .reverse()
      .join();
  }),
  'a custom attribute again and again': customAttributes(listed((n) => `"key":"${n}"`)),
  'custom attributes with escapes': customAttributes(listed((n) => `"\\ud800${n}":"\\n\\u0041"`)),
  'custom attributes in a deep nest': customAttributes((bytes) => `"a":${nested('[', ']')(bytes)}`),
  'messages without an id': events(
    (n) => `{"t":1,"e":5,"v":{"0":"HumanMessage","11":"message ${n}"},"a":{"20":"claude"}}`,
  ),
  'ids of colons': values((bytes) => `"0":"ToolCall","1":"${':'.repeat(bytes)}"`),
};

const BODIES: Record<string, Make> = { ...STRUCTURES };
for (const [place, within] of Object.entries(PLACES)) {
  for (const [name, text] of Object.entries(TEXTS)) BODIES[`${name} as ${place}`] = (bytes) => within(text(bytes));
}

/** Runs it, and returns the error's code if it failed. */
function attempt(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as { code: string }).code ?? String(error);
  }
}

type Takers<T> = Record<string, (input: T) => unknown>;

/** Fails unless the cost of each of `takers` grows like its input. */
function expectToScale<T>(make: (bytes: number) => T, takers: Takers<T>): void {
  expectLinear((bytes) => {
    const input = make(bytes);
    const runs: Record<string, () => unknown> = {};
    for (const [name, take] of Object.entries(takers)) {
      const outcome = attempt(() => take(input));
      expect(outcome ?? 'taken').toMatch(/^(taken$|ERR_(?!INTERNAL))/);
      runs[name] = () => attempt(() => take(input));
    }
    return runs;
  }, BYTES);
}

const namesOf = (cases: object): string[] => Object.keys(cases);

// ---- uploads --------------------------------------------------------------------------------------------------------

/** Every function that reads an upload. */
const readers = (limits: api.ParseOptions): Takers<Buffer> => ({
  parseMetricsBatch: (body) => api.parseMetricsBatch(body, limits),
  'encodePromptEventRows, RowBinary': (body) => api.encodePromptEventRows(body, { ...ROWS, ...limits }),
  'encodePromptEventRows, JSON': (body) => {
    return api.encodePromptEventRows(body, { ...ROWS, ...limits, format: 'JSONEachRow' });
  },
  'encodeRows, RowBinary': (body) => api.encodeRows(body, { ...ROWS, ...limits }),
  'encodeRows, JSON': (body) => api.encodeRows(body, { ...ROWS, ...limits, format: 'JSONEachRow' }),
});

describe('an upload', () => {
  test.each(namesOf(BODIES))('%s', (name) => {
    const make = (bytes: number) => {
      const text = BODIES[name](bytes);
      let events: api.MetricEvent[] = [];
      attempt(() => {
        events = api.parseMetricsBatch(text, LIMITS).events;
      });
      return { text, body: Buffer.from(text), events };
    };
    const takers: Takers<ReturnType<typeof make>> = {
      'parseMetricsBatch of a string': ({ text }) => api.parseMetricsBatch(text, LIMITS),
      encodeMetricsBatch: ({ events }) => api.encodeMetricsBatch(events),
    };
    for (const [reader, read] of Object.entries(readers(LIMITS))) takers[reader] = ({ body }) => read(body);
    expectToScale(make, takers);
  });
});

/** A text as a JavaScript string. */
const said = (make: Make): Make => {
  return (bytes) => JSON.parse(`"${make(bytes)}"`);
};

describe('encodeMetricsBatch, of what a caller makes', () => {
  const encode = (event: (bytes: number) => object): ((bytes: number) => api.MetricEvent[]) => {
    return (bytes) => [event(bytes) as api.MetricEvent];
  };
  const prompt = { metric: 'prompt_event', timestamp: 1, values: {}, attributes: {} };
  const EVENTS: Record<string, (bytes: number) => api.MetricEvent[]> = {
    'an unknown value that is no JSON': encode((bytes) => {
      return { ...prompt, unknown: [{ section: 'values', position: '99', json: '['.repeat(bytes) }] };
    }),
    'an event at the end that is none': (bytes) => {
      const valid = Array.from({ length: bytes / 64 }, () => ({ ...prompt }) as api.MetricEvent);
      return [...valid, { ...prompt, timestamp: -1 } as api.MetricEvent];
    },
    'a property of a long name': encode((bytes) => ({ ...prompt, values: { ['x'.repeat(bytes)]: 1 } })),
    'a metric of a long name': encode((bytes) => ({ ...prompt, metric: 'x'.repeat(bytes) })),
    'a value of another type': encode((bytes) => ({ ...prompt, values: { startTs: 'x'.repeat(bytes) } })),
    'a sparse list': encode((bytes) => ({ ...prompt, metric: 'committed', values: { aiAdditions: new Array(bytes) } })),
  };
  for (const [name, text] of Object.entries(TEXTS)) {
    EVENTS[`${name} in an unknown field`] = encode((bytes) => {
      return { ...prompt, unknown: [{ section: 'values', position: said(text)(bytes), json: `"${text(bytes)}"` }] };
    });
  }
  test.each(namesOf(EVENTS))('%s', (name) =>
    expectToScale(EVENTS[name], { encodeMetricsBatch: api.encodeMetricsBatch }),
  );

  // V8 lists the names of a large object in more than linear time, so growth says nothing here.
  test('many properties cost little more than to list them', () => {
    const values = Object.fromEntries(Array.from({ length: BYTES / 16 }, (_, n) => [`x${n}`, 1]));
    const events = [{ ...prompt, values }] as unknown as api.MetricEvent[];
    expect(attempt(() => api.encodeMetricsBatch(events))).toBe('ERR_INVALID_ARGUMENT');
    const ratio = costRatio(
      () => attempt(() => api.encodeMetricsBatch(events)),
      () => Object.keys(values),
      MOST,
    );
    expect(ratio).toBeLessThan(MOST);
  });
});

const TEXT_TAKERS: Takers<string> = {
  'a field of a builder': (text) => new api.PromptEventBuilder().inputText(text).build({ repoUrl: text }),
  'a field of the attributes’ builder': (text) => new api.EventAttributesBuilder().repoUrl(text).build(),
  'a list of a builder': (text) => new api.CommittedBuilder().toolModelPairs(text.split('')).build({}),
  'a custom attribute': (text) => new api.EventAttributesBuilder().customAttributes({ [text]: text }).build(),
  promptId: (text) => api.promptId(text, text),
  'eventId of a long content': (text) => api.eventId(text, 'ToolCall', text, 0),
  inputHash: api.inputHash,
  truncateInputText: api.truncateInputText,
  kindForTool: api.kindForTool,
  'kindForTool of MCP': (text) => api.kindForTool(`mcp__${text}`),
  'resolveSkillFile, a name': (text) => api.resolveSkillFile(text, '/nowhere', '/nowhere'),
  'resolveSkillFile, a folder': (text) => api.resolveSkillFile('x', text, text),
  'parseClaudeTranscript, a session': (text) => api.parseClaudeTranscript('', { sessionId: text, homeDir: text }),
};

test.each(namesOf(TEXTS))('%s, in every place of a text', (name) => expectToScale(said(TEXTS[name]), TEXT_TAKERS));

test.each<[string, (length: number) => unknown[]]>([
  ['of numbers', (length) => Array.from({ length }, (_, n) => n)],
  ['that is sparse', (length) => new Array(length)],
])('a builder takes a list %s', (_, make) => {
  expectToScale(make, {
    builder: (items) => new api.CommittedBuilder().aiAdditions(items as number[]).build({}),
  });
});

test('custom attributes of many keys', () => {
  const make = (bytes: number) => Object.fromEntries(Array.from({ length: bytes / 32 }, (_, n) => [`key ${n}`, 'x']));
  expectToScale(make, { builder: (map) => new api.EventAttributesBuilder().customAttributes(map).build() });
});

// ---- transcripts and hooks ------------------------------------------------------------------------------------------

const SESSION = { sessionId: '0c1d', homeDir: '' };

const line = (rest: object): string =>
  JSON.stringify({
    parentUuid: null,
    sessionId: '0c1d',
    cwd: '/nowhere',
    timestamp: '2026-01-05T09:00:00.000Z',
    ...rest,
  });
const user = (content: unknown, rest: object = {}): string =>
  line({ type: 'user', message: { role: 'user', content }, ...rest });
const assistant = (content: unknown, rest: object = {}): string =>
  line({ type: 'assistant', message: { model: 'm', id: 'msg_1', role: 'assistant', content, ...rest } });
const call = (id: string, name = 'Bash'): object => ({ type: 'tool_use', id, name, input: { command: 'ls' } });
const result = (id: string): object => ({ type: 'tool_result', tool_use_id: id, content: 'done' });

const lines = (make: (n: number) => string): Make => {
  return (bytes) => {
    const all: string[] = [];
    for (let length = 0; length < bytes; length += all[all.length - 1].length + 1) all.push(make(all.length));
    return `${all.join('\n')}\n`;
  };
};
/** Calls, and then their results in an order. */
const calls = (order: (all: number[]) => number[]): Make => {
  return (bytes) => {
    const all = Array.from({ length: bytes / 512 }, (_, n) => n);
    const results = order([...all]);
    return [
      ...all.map((n) => assistant([call(`toolu_${n}`)])),
      ...results.map((n) => user([result(`toolu_${n}`)], { uuid: `r${n}` })),
      '',
    ].join('\n');
  };
};

const TRANSCRIPTS: Record<string, Make> = {
  'the lines of every day': lines((n) => fixture('known-answers').split('\n')[n % 5]),
  messages: lines((n) => user(`message ${n}`, { uuid: `u${n}` })),
  'equal messages': lines(() => user('go on', { uuid: 'u' })),
  'messages one after the other': lines((n) => user(`message ${n}`, { uuid: `u${n}`, parentUuid: `u${n - 1}` })),
  'answers of one response': lines((n) => assistant([{ type: 'text', text: `answer ${n}` }])),
  'a response that grows': lines(() => assistant([{ type: 'text', text: 'answer' }], { usage: { output_tokens: 7 } })),
  'a line of many blocks': (bytes) => {
    return `${assistant(Array.from({ length: bytes / 32 }, (_, n) => ({ type: 'text', text: `${n}` })))}\n`;
  },
  'a line of many calls': (bytes) => {
    return `${assistant(Array.from({ length: bytes / 64 }, (_, n) => call(`toolu_${n}`)))}\n`;
  },
  'a line of many results': (bytes) => {
    return `${user(Array.from({ length: bytes / 64 }, (_, n) => result(`toolu_${n}`)))}\n`;
  },
  'calls without results': lines((n) => assistant([call(`toolu_${n}`)])),
  'results without calls': lines((n) => user([result(`toolu_${n}`)])),
  'one call again and again': lines(() => assistant([call('toolu_1')])),
  'one result again and again': lines((n) => (n === 0 ? assistant([call('toolu_1')]) : user([result('toolu_1')]))),
  'calls, then results in their order': calls((all) => all),
  'calls, then results backwards': calls((all) => all.reverse()),
  'results, then their calls': (bytes) => {
    return calls((all) => all)(bytes)
      .split('\n')
      .reverse()
      .join('\n');
  },
  'MCP calls': lines((n) => assistant([call(`toolu_${n}`, `mcp__server__tool_${n}`)])),
  'skills nobody has': lines((n) => assistant([{ ...call(`toolu_${n}`, 'Skill'), input: { skill: `skill-${n}` } }])),
  progress: lines((n) =>
    line({ type: 'progress', toolUseID: `toolu_${n}`, data: { type: 'mcp_progress', elapsedTimeMs: n } }),
  ),
  'folders that change': lines((n) => user('x', { cwd: `/nowhere/${n}` })),
  'blank lines': repeated('\n'),
  'broken lines': lines(() => '{"type":"user","message":{'),
  'lines of white space': repeated('   \t \n'),
  'one line that never ends': (bytes) => `{"type":"user","message":{"content":"${'x'.repeat(bytes)}`,
  'a deep nest': (bytes) => `{"type":"user","message":{"content":${nested('[', ']')(bytes)}}}\n`,
  'keys nobody knows': lines((n) => `{"type":"user",${listed((at) => `"x${at}":${n}`)(1000)}}`),
  'one key again and again': (bytes) => `{${listed(() => '"type":"user"')(bytes)}}\n`,
  reminders: (bytes) => `${user('<system-reminder>x</system-reminder>'.repeat(bytes / 40))}\n`,
  'reminders that never end': (bytes) => `${user('<system-reminder>'.repeat(bytes / 16))}\n`,
  'reminders within reminders': (bytes) => {
    return `${user('<system-reminder>'.repeat(bytes / 40) + '</system-reminder>'.repeat(bytes / 40))}\n`;
  },
  commands: (bytes) => `${user('<command-name>x</command-name>'.repeat(bytes / 32))}\n`,
};
for (const [name, text] of Object.entries(TEXTS)) {
  TRANSCRIPTS[`${name} as a message`] = (bytes) => `${user('TEXT').replace('TEXT', () => text(bytes))}\n`;
  TRANSCRIPTS[`${name} as a call’s name`] = (bytes) =>
    `${assistant([call('toolu_1', 'TEXT')]).replace('TEXT', () => text(bytes))}\n`;
}

describe('a transcript', () => {
  const folder = mkdtempSync(join(tmpdir(), 'git-ai-metrics-scaling-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const readAll = (reader: api.ClaudeTranscriptReader, maxEvents?: number) => {
    while (reader.read(maxEvents).length > 0);
    return reader.state();
  };

  test.each(namesOf(TRANSCRIPTS))('%s', (name) => {
    const make = (bytes: number) => {
      const text = Buffer.from(TRANSCRIPTS[name](bytes));
      const path = join(folder, `${bytes}.jsonl`);
      writeFileSync(path, text);
      const state = readAll(new api.ClaudeTranscriptReader(path, SESSION));
      const payload = {
        session_id: SESSION.sessionId,
        transcript_path: path,
        cwd: '/nowhere',
        hook_event_name: 'Stop',
      };
      const hook = JSON.stringify(payload);
      return { text, path, state, hook, hookState: api.captureHook('claude', hook, { homeDir: '' }).state };
    };
    expectToScale(make, {
      parseClaudeTranscript: ({ text }) => api.parseClaudeTranscript(text, SESSION),
      'ClaudeTranscriptReader.read()': ({ path }) => readAll(new api.ClaudeTranscriptReader(path, SESSION)),
      'ClaudeTranscriptReader.read(3)': ({ path }) => readAll(new api.ClaudeTranscriptReader(path, SESSION), 3),
      'ClaudeTranscriptReader.resume()': ({ path, state }) => {
        return readAll(api.ClaudeTranscriptReader.resume(path, SESSION, state));
      },
      'captureHook, the first time': ({ hook }) => api.captureHook('claude', hook, { homeDir: '' }),
      'captureHook, the second time': ({ hook, hookState }) => {
        return api.captureHook('claude', hook, { homeDir: '' }, hookState);
      },
    });
  });
});

// ---- hooks and states -----------------------------------------------------------------------------------------------

describe('captureHook', () => {
  const payload = (rest: object) =>
    JSON.stringify({ session_id: 's', cwd: '/nowhere', hook_event_name: 'PreToolUse', ...rest });
  const PAYLOADS: Record<string, Make> = {
    'keys nobody knows': (bytes) =>
      payload({ tool_name: 'Bash' }).replace('{', () => `{${listed((n) => `"x${n}":1`)(bytes)},`),
    'one key again and again': (bytes) => payload({}).replace('{', () => `{${listed(() => '"tool_name":"x"')(bytes)},`),
    'a deep nest': (bytes) => payload({ tool_input: 'NEST' }).replace('"NEST"', () => nested('[', ']')(bytes)),
    'a deep nest that never closes': (bytes) => `{"session_id":"s","tool_input":${'{"a":'.repeat(bytes / 5)}`,
    'white space': (bytes) => ' '.repeat(bytes) + payload({ tool_name: 'Bash' }),
    'no session, and many keys that could name it': (bytes) => `{${listed((n) => `"session${n}_id":1`)(bytes)}}`,
  };
  for (const [name, text] of Object.entries(TEXTS)) {
    for (const key of [
      'session_id',
      'prompt',
      'tool_name',
      'tool_use_id',
      'cwd',
      'hook_event_name',
      'transcript_path',
    ]) {
      PAYLOADS[`${name} as ${key}`] = (bytes) => payload({ [key]: 'TEXT' }).replace('TEXT', () => text(bytes));
    }
  }
  const options = { homeDir: '', receivedAtMs: 1_775_587_555_123 };

  test.each(namesOf(PAYLOADS))('a payload: %s', (name) => {
    const capture = (agent: string) => (input: string) => {
      const { state } = api.captureHook(agent, input, options);
      api.captureHook(agent, input, options, state);
    };
    expectToScale(PAYLOADS[name], { claude: capture('claude'), cursor: capture('cursor') });
  });

  const input = payload({ tool_name: 'Bash', tool_use_id: 't' });
  const genuine = api.captureHook('cursor', input, options).state;
  const STATES: Record<string, Make> = {
    'what is no JSON': repeated('x'),
    'a nest': nested('[', ']'),
    'a nest that never closes': repeated('{"a":'),
    'many keys': (bytes) => `{${listed((n) => `"x${n}":1`)(bytes)}}`,
    'a genuine one with more at its end': (bytes) => genuine + ' '.repeat(bytes),
    'a genuine one with more keys': (bytes) => genuine.replace('{', () => `{${listed((n) => `"x${n}":1`)(bytes)},`),
    'a genuine one again and again': (bytes) => genuine.repeat(bytes / genuine.length + 1),
  };
  for (const [name, text] of Object.entries(TEXTS)) STATES[name] = (bytes) => `"${text(bytes)}"`;

  test.each(namesOf(STATES))('a state: %s', (name) => {
    expectToScale(STATES[name], {
      captureHook: (state) => api.captureHook('cursor', input, options, state),
      'ClaudeTranscriptReader.resume': (state) => api.ClaudeTranscriptReader.resume('/nowhere', SESSION, state),
      'SessionTracker.resume': (state) => api.SessionTracker.resume(state),
    });
  });
});

describe('SessionTracker', () => {
  const event = (session: string, n: number): api.PromptEvent => ({
    metric: 'prompt_event',
    timestamp: 1_775_587_555 + n,
    values: { kind: 'HumanMessage', eventId: `${session}:${n}`, startTs: (1_775_587_555 + n) * 1000 },
    attributes: { promptId: session, tool: 'claude' },
  });
  test.each<[string, (n: number) => api.PromptEvent]>([
    ['many sessions', (n) => event(`session ${n}`, 0)],
    ['many events of one session', (n) => event('session', n)],
    ['many events of one session, backwards', (n) => event('session', 1_000_000 - n)],
    ['one event again and again', () => event('session', 0)],
  ])('%s', (_, make) => {
    const makeAll = (bytes: number) => Array.from({ length: bytes / 128 }, (_, n) => make(n));
    expectToScale(makeAll, {
      SessionTracker: (events) => {
        const tracker = new api.SessionTracker();
        for (const one of events) tracker.observe(one, one.timestamp * 1000);
        const resumed = api.SessionTracker.resume(tracker.state());
        for (const one of events) resumed.status(one.attributes.promptId ?? '', one.timestamp * 1000);
        resumed.sweep(1_775_600_000_000);
      },
    });
  });
});

// ---- beside JSON.parse ----------------------------------------------------------------------------------------------

// Only an optimised build is fast enough to show this. Full runs of the tests have one.
const withReleaseBuild = 'provokePanic' in require('../lib/native.js') ? describe.skip : describe;

withReleaseBuild('a body costs at most 12 times what JSON.parse takes for it', () => {
  describe.each([
    ['10 kB', 10_000],
    ['300 kB', 300_000],
  ])('%s', (_, bytes) => {
    test.each(namesOf(BODIES))('%s', (name) => {
      const body = Buffer.from(BODIES[name](bytes));
      const parse = new Baseline(() => attempt(() => JSON.parse(body.toString())));
      const ratios = Object.entries(readers({})).map(([reader, read]) => {
        return { reader, ratio: parse.ratioOf(() => attempt(() => read(body)), MOST) };
      });
      expect(ratios.filter(({ ratio }) => ratio > MOST)).toEqual([]);
    });
  });
});

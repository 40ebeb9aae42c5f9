import { runInNewContext } from 'node:vm';
import {
  AgentUsageBuilder,
  CheckpointBuilder,
  CommittedBuilder,
  DaemonIngestAnomalyBuilder,
  EventAttributesBuilder,
  encodeMetricsBatch,
  InstallHooksBuilder,
  OtelTraceBuilder,
  PromptEventBuilder,
  parseClaudeTranscript,
  parseMetricsBatch,
  RewriteCommittedBuilder,
  SessionEventBuilder,
} from '../index.js';
import { ATTRIBUTES, type FieldType, METRICS, type ModelEvent } from './model';
import { dialectAttributes, each, encode, expectNoUndefined, thrown } from './support';

/** A builder whose setters are called by name, for tests of all setters. */
type Setters = Record<string, (value: unknown) => Setters> & {
  build: (attributes: unknown, timestamp?: unknown) => ModelEvent;
};
const BUILDERS: Record<string, new () => unknown> = {
  committed: CommittedBuilder,
  agent_usage: AgentUsageBuilder,
  install_hooks: InstallHooksBuilder,
  checkpoint: CheckpointBuilder,
  session_event: SessionEventBuilder,
  prompt_event: PromptEventBuilder,
  otel_trace: OtelTraceBuilder,
  rewrite_committed: RewriteCommittedBuilder,
  daemon_ingest_anomaly: DaemonIngestAnomalyBuilder,
};
const builderOf = (metric: string) => new BUILDERS[metric]() as Setters;
const attributesBuilder = () => new EventAttributesBuilder() as unknown as Record<string, (value?: unknown) => never>;

const VALUES: Record<FieldType, unknown> = {
  u32: 4_294_967_295,
  u64: 9_007_199_254_740_991,
  bool: false,
  string: 'é "😀"\ud800',
  'u32[]': [0, 4_294_967_295],
  'u64[]': [9_007_199_254_740_991, 0],
  'string[]': ['all', ''],
  json: '{"a" : [1.0, null]}',
};
const WRONG: Record<string, unknown[]> = {
  u32: ['1', true, -1, 1.5, 4_294_967_296, Number.NaN, Number.POSITIVE_INFINITY, 5n, [1], {}, Object(1), Symbol('s')],
  u64: ['1', true, -1, 1.5, 2 ** 53, Number.NaN, Number.NEGATIVE_INFINITY, 5n, [1], {}, new Date(0), Symbol('s')],
  bool: [0, 1, '', 'true', [], {}],
  string: [0, true, [], {}, Object('x'), Symbol('s'), 5n],
  'u32[]': [
    0,
    'x',
    {},
    ['1'],
    [-1],
    [1.5],
    [4_294_967_296],
    [null],
    [undefined],
    [Number.NaN],
    [[1]],
    [5n],
    [Symbol('s')],
  ],
  'u64[]': [0, 'x', {}, ['1'], [-1], [1.5], [2 ** 53], [null], [undefined], [Number.NaN], [[1]], [5n], [Symbol('s')]],
  'string[]': ['x', {}, [0], [null], [undefined], [['x']], [Symbol('s')]],
  json: [0, true, [], {}, Object('{}'), Symbol('s'), 5n, '', ' {}', '{}\n', '{', '1,2', 'undefined', '"\ud800"'],
};
const TABLE = METRICS.flatMap((metric) => metric.fields.map((field) => ({ ...field, metric: metric.name })));

/** A builder may refuse a value at once or in `build`. In both cases the failing call reports the error. */
const expectRefused = (run: () => unknown, name: string) => {
  const { code, message } = thrown(run);
  expect(code).toBe('ERR_INVALID_ARGUMENT');
  expect(message).toContain(name);
};

const expectBackAgain = (event: ModelEvent) => {
  expect(parseMetricsBatch(encode([event]))).toEqual({ version: 1, events: [event], errors: [] });
  expectNoUndefined(event);
};

test('a prompt event, as one writes it', () => {
  const attributes = new EventAttributesBuilder()
    .gitAiVersion('1.1.23')
    .tool('claude')
    .branch(null)
    .customAttributes({ team: 'compilers' })
    .build();
  const event = new PromptEventBuilder()
    .kind('ToolCall')
    .parentId(null)
    .toolCallName('Read')
    .error(false)
    .startTs(1_775_587_505_123)
    .build(attributes, 1_775_587_555);
  expect(event).toStrictEqual({
    metric: 'prompt_event',
    timestamp: 1_775_587_555,
    values: { kind: 'ToolCall', parentId: null, toolCallName: 'Read', error: false, startTs: 1_775_587_505_123 },
    attributes: { gitAiVersion: '1.1.23', tool: 'claude', branch: null, customAttributes: '{"team":"compilers"}' },
  });
  expect(encodeMetricsBatch([event]).toString()).toBe(
    '{"v":1,"events":[{"t":1775587555,"e":5,"v":{"0":"ToolCall","2":null,"4":"Read","6":false,"7":1775587505123},"a":{"0":"1.1.23","5":null,"20":"claude","30":"{\\"team\\":\\"compilers\\"}"}}]}',
  );
});

describe('every setter', () => {
  test.each(TABLE)('$metric, $name', ({ metric, name, type }) => {
    for (const value of [VALUES[type], null]) {
      const builder = builderOf(metric);
      expect(builder[name](value)).toBe(builder);
      const { attributes } = dialectAttributes(metric);
      const event = builder.build(attributes, 7);
      expect(event).toStrictEqual({ metric, timestamp: 7, values: { [name]: value }, attributes });
      expectBackAgain(event);
    }
  });

  test.each(TABLE)('$metric, $name with a value of a wrong type', ({ metric, name, type }) => {
    for (const wrong of WRONG[type]) expectRefused(() => builderOf(metric)[name](wrong).build({}, 7), name);
  });

  test.each(TABLE)('$metric, $name twice: the last one counts', ({ metric, name, type }) => {
    const { attributes } = dialectAttributes(metric);
    const value = VALUES[type];
    expect(builderOf(metric)[name](null)[name](value).build(attributes, 7).values).toEqual({ [name]: value });
    expect(builderOf(metric)[name](value)[name](null).build(attributes, 7).values).toEqual({ [name]: null });
  });

  test.each(METRICS)('all of $name at once, and none', ({ name, fields }) => {
    const builder = builderOf(name);
    for (const field of [...fields].reverse()) builder[field.name](VALUES[field.type]);
    const event = builder.build({ tool: 'x' }, 0);
    expect(event).toStrictEqual({
      metric: name,
      timestamp: 0,
      values: Object.fromEntries(fields.map((field) => [field.name, VALUES[field.type]])),
      attributes: { tool: 'x' },
    });
    expectBackAgain(event);
    const { attributes } = dialectAttributes(name);
    const empty = builderOf(name).build(attributes, 4_294_967_295);
    expect(empty).toStrictEqual({ metric: name, timestamp: 4_294_967_295, values: {}, attributes });
    expectBackAgain(empty);
  });

  test('zero, false, an empty text and an empty list are values', () => {
    const prompt = new PromptEventBuilder().error(false).startTs(0).inputText('').build({}, 1);
    expect(prompt.values).toStrictEqual({ error: false, startTs: 0, inputText: '' });
    expect(new CommittedBuilder().humanAdditions(0).aiAdditions([]).build({}, 1).values).toStrictEqual({
      humanAdditions: 0,
      aiAdditions: [],
    });
  });

  test('there is one for each field, and no other', () => {
    const settersOf = (builder: object): string[] => {
      const prototype = Object.getPrototypeOf(builder);
      if (prototype === Object.prototype) return [];
      const own = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');
      return [...new Set([...own, ...settersOf(prototype)])].sort();
    };
    for (const { name, fields } of METRICS) {
      const extra = name === 'prompt_event' ? ['skillFile'] : [];
      const names = [...fields.map((field) => field.name), ...extra, 'build'];
      expect(settersOf(builderOf(name))).toEqual(names.sort());
    }
    expect(settersOf(new EventAttributesBuilder())).toEqual([...ATTRIBUTES.map(({ name }) => name), 'build'].sort());
  });
});

describe('lists with holes', () => {
  test.each(TABLE.filter(({ type }) => type.endsWith('[]')))(
    '$metric, $name: refused, and named',
    ({ metric, name, type }) => {
      const value = (VALUES[type] as unknown[])[0];
      const inside = [value, value, value];
      delete inside[1];
      const atEnd = [value];
      atEnd.length = 2;
      for (const list of [inside, atEnd, Array(2)]) {
        const { code, message } = thrown(() => builderOf(metric)[name](list));
        expect(code).toBe('ERR_INVALID_ARGUMENT');
        expect(message).toMatch(
          new RegExp(`^${name}\\[${list.length === 2 && !(0 in list) ? 0 : 1}\\]: .* found undefined$`),
        );
      }
    },
  );
});

describe('the dialects of metric 5', () => {
  const messageOf = (run: () => unknown) => {
    const { code, message } = thrown(run);
    expect(code).toBe('ERR_INVALID_ARGUMENT');
    return message;
  };

  test('a prompt event with a session id is refused, be it null', () => {
    for (const sessionId of ['s_1', '', null]) {
      expect(messageOf(() => new PromptEventBuilder().kind('ToolCall').build({ sessionId }, 1))).toMatch(
        /^attributes\.sessionId: /,
      );
    }
    expect(new PromptEventBuilder().build({ sessionId: undefined } as object, 1).metric).toBe('prompt_event');
  });

  test('captured events are prompt events, so capture refuses a session id too', () => {
    for (const sessionId of ['s_1', null]) {
      expect(messageOf(() => parseClaudeTranscript('', { sessionId: '0c1d', attributes: { sessionId } }))).toMatch(
        /^options\.attributes\.sessionId: /,
      );
    }
  });

  test('a session event needs a session id, or a record that is an object or an array', () => {
    const build = (rawJson: string | null, attributes = {}) =>
      new SessionEventBuilder().rawJson(rawJson).build(attributes, 1);
    for (const rawJson of ['5', '"{}"', 'null', null]) {
      expect(messageOf(() => build(rawJson))).toMatch(/^rawJson: /);
      expect(build(rawJson, { sessionId: 's_1' }).values).toEqual({ rawJson });
    }
    expect(messageOf(() => new SessionEventBuilder().build({}, 1))).toMatch(/^rawJson: /);
    for (const rawJson of ['{}', '[1, 2]']) {
      const event = build(rawJson);
      expect(event).toEqual({ metric: 'session_event', timestamp: 1, values: { rawJson }, attributes: {} });
      expectBackAgain(event as unknown as ModelEvent);
    }
  });
});

describe('skillFile', () => {
  const file = {
    path: '/home/zoe/.claude/skills/review/SKILL.md',
    mtimeMs: 1_770_000_000_000,
    hash: '0123456789abcdef',
  };
  const three = { skillFilePath: file.path, skillFileMtime: file.mtimeMs, skillFileHash: file.hash };

  test('sets the three fields at once', () => {
    const event = new PromptEventBuilder().skillFile(file).build({}, 1);
    expect(event.values).toStrictEqual(three);
    expectBackAgain(event as unknown as ModelEvent);
  });

  test('null sets three explicit nulls', () => {
    const { values } = new PromptEventBuilder().skillFile(null).build({}, 1);
    expect(values).toStrictEqual({ skillFilePath: null, skillFileMtime: null, skillFileHash: null });
  });

  test('the last of several setters counts, including skillFile', () => {
    expect(new PromptEventBuilder().skillFile(file).skillFileHash('x').build({}, 1).values).toStrictEqual({
      ...three,
      skillFileHash: 'x',
    });
    expect(new PromptEventBuilder().skillFilePath('/x').skillFile(file).build({}, 1).values).toStrictEqual(three);
  });

  test('later changes to the file’s object have no effect', () => {
    const own = { ...file };
    const builder = new PromptEventBuilder().skillFile(own);
    own.path = 'changed';
    expect(builder.build({}, 1).values).toStrictEqual(three);
  });

  test.each(
    each(
      5,
      'x',
      true,
      [],
      {},
      { path: '/x', mtimeMs: 1 },
      { path: '/x', hash: 'h' },
      { mtimeMs: 1, hash: 'h' },
      { ...file, path: 5 },
      { ...file, path: null },
      { ...file, mtimeMs: '1' },
      { ...file, mtimeMs: -1 },
      { ...file, mtimeMs: 1.5 },
      { ...file, mtimeMs: 2 ** 53 },
      { ...file, hash: 5 },
    ),
  )('%p is no skill file', (wrong) => {
    const { code } = thrown(() => new PromptEventBuilder().skillFile(wrong as typeof file).build({}, 1));
    expect(code).toBe('ERR_INVALID_ARGUMENT');
  });
});

describe('attributes', () => {
  test.each(ATTRIBUTES.filter(({ name }) => name !== 'customAttributes'))('$name', ({ name }) => {
    for (const value of ['x', '', 'é\ud800', null]) {
      const builder = attributesBuilder();
      expect(builder[name](value)).toBe(builder);
      expect(builder.build()).toStrictEqual({ [name]: value });
    }
    for (const wrong of WRONG.string) {
      expectRefused(() => (attributesBuilder()[name](wrong) as unknown as EventAttributesBuilder).build(), name);
    }
  });

  test('none', () => {
    expect(new EventAttributesBuilder().build()).toStrictEqual({});
  });

  describe('customAttributes', () => {
    const custom = (map: Record<string, string> | null) =>
      new EventAttributesBuilder().customAttributes(map).build().customAttributes;

    test('is a JSON object of strings', () => {
      expect(custom({})).toBe('{}');
      expect(custom(null)).toBeNull();
      const map = { team: 'compilers', 'é "quoted"': 'line\nfeed', '': '', '1': 'one', '\ud800': '\udc00' };
      expect(JSON.parse(custom(map) as string)).toEqual(map);
    });

    test('__proto__ is a key like any other', () => {
      const map = JSON.parse('{"__proto__":"x","constructor":"y"}');
      expect(JSON.parse(custom(map) as string)).toEqual(map);
    });

    test('later changes to the map have no effect', () => {
      const map = { a: 'b' };
      const builder = new EventAttributesBuilder().customAttributes(map);
      map.a = 'changed';
      expect(builder.build().customAttributes).toBe('{"a":"b"}');
    });

    test.each(each(5, 'x', '{}', true, [], ['x'], { a: 1 }, { a: null }, { a: {} }, { a: ['x'] }, { a: true }))(
      '%p is no map of text to text',
      (wrong) => {
        expectRefused(() => custom(wrong as Record<string, string>), 'customAttributes');
      },
    );

    test('survives the wire', () => {
      const attributes = new EventAttributesBuilder().gitAiVersion('1').customAttributes({ a: 'é', b: '"' }).build();
      expectBackAgain(new AgentUsageBuilder().build(attributes, 1) as unknown as ModelEvent);
    });
  });
});

describe('build', () => {
  test('without a timestamp it is now, in unix seconds', () => {
    for (const build of [
      () => new PromptEventBuilder().build({}),
      () => new CommittedBuilder().build({}, undefined),
      () => new AgentUsageBuilder().build({}),
      () => new InstallHooksBuilder().build({}),
      () => new CheckpointBuilder().build({}),
    ]) {
      const before = Math.floor(Date.now() / 1_000);
      const { timestamp } = build();
      const after = Math.floor(Date.now() / 1_000);
      expect(Number.isInteger(timestamp)).toBe(true);
      // Rounding may make the two clocks differ by less than a second.
      expect(timestamp).toBeGreaterThanOrEqual(before - 1);
      expect(timestamp).toBeLessThanOrEqual(after + 1);
    }
  });

  test.each(each(null, '1', -1, 1.5, 4_294_967_296, Number.NaN, Number.POSITIVE_INFINITY, 5n, {}, new Date(0)))(
    'the timestamp %p is refused',
    (wrong) => {
      expectRefused(() => new PromptEventBuilder().build({}, wrong as number), 'timestamp');
    },
  );

  test.each(each(undefined, null, 5, 'x', true, []))('the attributes %p are refused', (wrong) => {
    expectRefused(() => new PromptEventBuilder().build(wrong as object, 1), 'attributes');
  });

  test('attributes that have an unknown name or a wrong type are refused by the time they are encoded', () => {
    for (const wrong of [{ nothing: 'x' }, { tool: 5 }, { tool: ['x'] }]) {
      const run = () => encodeMetricsBatch([new PromptEventBuilder().build(wrong as object, 1)]);
      expectRefused(run, `attributes.${Object.keys(wrong)[0]}`);
    }
  });

  test('an undefined attribute is an absent one', () => {
    const event = new PromptEventBuilder().build({ tool: 'x', model: undefined } as object, 1);
    expect(encodeMetricsBatch([event]).toString()).toContain('"a":{"20":"x"}');
  });

  test('a builder can be used again, and earlier events don’t change', () => {
    const builder = new CommittedBuilder().humanAdditions(1).aiAdditions([1]);
    const first = builder.build({ tool: 'x' }, 1);
    const second = builder.humanAdditions(2).commitBody(null).build({ tool: 'y' }, 2);
    expect(first).toStrictEqual({
      metric: 'committed',
      timestamp: 1,
      values: { humanAdditions: 1, aiAdditions: [1] },
      attributes: { tool: 'x' },
    });
    expect(second.values).toStrictEqual({ humanAdditions: 2, aiAdditions: [1], commitBody: null });
    second.values.aiAdditions?.push(2);
    expect(first.values.aiAdditions).toEqual([1]);
    expect(builder.build({}, 3).values.aiAdditions).toEqual([1]);
  });

  test('lists are copied', () => {
    const list = [1, 2];
    const builder = new CommittedBuilder().aiAdditions(list);
    list.push(3);
    expect(builder.build({}, 1).values.aiAdditions).toEqual([1, 2]);
  });

  test('events built with one attributes object do not share it', () => {
    const attributes = new EventAttributesBuilder().tool('x').build();
    const first = new PromptEventBuilder().build(attributes, 1);
    const second = new PromptEventBuilder().build(attributes, 1);
    first.attributes.tool = 'changed';
    expect(second.attributes.tool).toBe('x');
    expect(attributes.tool).toBe('x');
  });

  test('builders do not share their fields', () => {
    new PromptEventBuilder().kind('ToolCall');
    expect(new PromptEventBuilder().build({}, 1).values).toStrictEqual({});
  });

  test('built events survive encoding and decoding', () => {
    const attributes = new EventAttributesBuilder().gitAiVersion('1.1.23').promptId('a386ade188cc4043').build();
    const events = [
      new CommittedBuilder().toolModelPairs(['all']).timeWaitingForAi([5]).commitBody(null).build(attributes, 1),
      new AgentUsageBuilder().build(attributes, 2),
      new InstallHooksBuilder().toolId('cursor').status('failed').message('“no”').build(attributes, 3),
      new CheckpointBuilder().kind('ai_tab').filePath('a b').linesAdded(0).build(attributes, 4),
      new PromptEventBuilder().kind('SessionEnd').endReason('signal').build(attributes, 5),
    ];
    expect(parseMetricsBatch(encodeMetricsBatch(events))).toEqual({ version: 1, events, errors: [] });
  });
});

test('a builder is a class: calling it without new is a mistake', () => {
  for (const builder of [...Object.values(BUILDERS), EventAttributesBuilder]) {
    expect(() => (builder as unknown as () => void)()).toThrow();
  }
});

describe('an object without own properties doesn’t pass for an empty one', () => {
  class Getters {
    get kind() {
      return 'ToolCall';
    }
  }

  test.each(
    each(
      new EventAttributesBuilder().tool('claude'),
      new Map([['tool', 'claude']]),
      new Date(0),
      Object.create({ tool: 'x' }),
    ),
  )('attributes to build with: %s', (attributes) => {
    const { code, message } = thrown(() => builderOf('prompt_event').build(attributes));
    expect({ code, message: message.slice(0, 11) }).toEqual({ code: 'ERR_INVALID_ARGUMENT', message: 'attributes:' });
  });

  test.each(each(new Map([['kind', 'x']]), new Getters(), Object.create({ kind: 'x' })))(
    'values to encode: %s',
    (values) => {
      const event = { metric: 'prompt_event', timestamp: 1, values, attributes: {} };
      expect(thrown(() => encode([event])).message).toContain('events[0].values: expected a plain object');
    },
  );

  test.each(each(new Map(), new Date(0), new String('ab')))('custom attributes: %s', (map) => {
    expect(thrown(() => new EventAttributesBuilder().customAttributes(map as never)).code).toBe('ERR_INVALID_ARGUMENT');
  });

  test('attributes that are none are refused by build', () => {
    for (const [attributes, path] of [
      [{ nope: 1 }, 'attributes.nope'],
      [{ tool: 5 }, 'attributes.tool'],
    ] as const) {
      expect(thrown(() => builderOf('prompt_event').build(attributes)).message).toContain(`${path}: expected`);
    }
  });

  test('an object of another realm, or without a prototype, is as plain as any', () => {
    const other = runInNewContext("({ tool: 'claude' })");
    const bare = Object.assign(Object.create(null), { tool: 'claude' });
    for (const attributes of [other, bare]) {
      expect(builderOf('agent_usage').build(attributes, 1).attributes).toEqual({ tool: 'claude' });
    }
  });
});

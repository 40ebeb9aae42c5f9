import fc from 'fast-check';
import {
  eventId,
  inputHash,
  kindForTool,
  MAX_EVENTS_PER_UPLOAD,
  type PromptEventKind,
  promptId,
  truncateInputText,
  WIRE_VERSION,
} from '../index.js';
import * as model from './model';
import { text } from './random';
import { each, thrown } from './support';

const KINDS: PromptEventKind[] = [
  'HumanMessage',
  'AiMessage',
  'ThinkingMessage',
  'ToolCall',
  'FileWrite',
  'SkillInvocation',
  'McpCall',
  'SessionEnd',
];
const MESSAGES: PromptEventKind[] = ['HumanMessage', 'AiMessage', 'ThinkingMessage'];

test('the constants', () => {
  expect(WIRE_VERSION).toBe(1);
  expect(MAX_EVENTS_PER_UPLOAD).toBe(250);
});

describe('the session 0c1d of claude', () => {
  const prompt = 'a386ade188cc4043';
  const human = 'Please review the parser — it crashes on “nulls”';

  test('its prompt id', () => {
    expect(promptId('claude', '0c1d')).toBe(prompt);
  });

  test.each([
    ['its human message', 'HumanMessage', human, 0, 'a386ade188cc4043:69a00476559c', '44d1d6cc3d42ff5d'],
    ['its thinking block', 'ThinkingMessage', 'Let me think', 1, 'a386ade188cc4043:9c47df6afacd', '7067800ede2a6775'],
    ['its tool use', 'ToolCall', 'Read:toolu_1', 3, 'a386ade188cc4043:03c055a02774', '778cd101256facb9'],
  ] as const)('%s', (_, kind, content, index, id, hash) => {
    expect(eventId(prompt, kind, content, index)).toBe(id);
    expect(inputHash(content)).toBe(hash);
  });
});

describe('hashes', () => {
  test('also of the empty text', () => {
    // The start of the well-known SHA-256 of an empty text.
    expect(inputHash('')).toBe('e3b0c44298fc1c14');
  });

  test('equal the model for any text', () => {
    fc.assert(
      fc.property(text(), text(), fc.constantFrom(...KINDS), fc.maxSafeNat(), (a, b, kind, index) => {
        expect(promptId(a, b)).toBe(model.promptId(a, b));
        expect(inputHash(a)).toBe(model.inputHash(a));
        // A lone surrogate in the prompt id may be returned unchanged or as U+FFFD.
        expect(model.wellFormed(eventId(a, kind, b, index))).toBe(model.wellFormed(model.eventId(a, kind, b, index)));
      }),
      { numRuns: 1_000 },
    );
  });

  test('take a lone surrogate for U+FFFD, since it has no UTF-8 of its own', () => {
    expect(inputHash('a\ud800b')).toBe(inputHash('a\ufffdb'));
    expect(promptId('\udc00', '\ud800')).toBe(promptId('\ufffd', '\ufffd'));
  });

  test('take a NUL as any other character', () => {
    expect(inputHash('a\0b')).toBe(model.inputHash('a\0b'));
    expect(inputHash('a\0b')).not.toBe(inputHash('a'));
  });
});

describe('the content of an event id', () => {
  test.each(MESSAGES)('of %s is cut to 256 bytes', (kind) => {
    const id = eventId('p', kind, 'a'.repeat(256), 0);
    expect(eventId('p', kind, `${'a'.repeat(256)}b`, 0)).toBe(id);
    expect(eventId('p', kind, 'a'.repeat(100_000), 0)).toBe(id);
    expect(eventId('p', kind, 'a'.repeat(255), 0)).not.toBe(id);
  });

  test.each(KINDS.filter((kind) => !MESSAGES.includes(kind)))('of %s is hashed whole', (kind) => {
    const id = eventId('p', kind, 'a'.repeat(256), 0);
    expect(eventId('p', kind, 'a'.repeat(257), 0)).not.toBe(id);
    expect(eventId('p', kind, 'a'.repeat(10_000), 7)).toBe(model.eventId('p', kind, 'a'.repeat(10_000), 7));
  });

  test.each([
    ['2 bytes', 'é', 2],
    ['3 bytes', '漢', 3],
    ['4 bytes', '😀', 4],
    ['a lone surrogate', '\ud800', 3],
  ])('is never cut within a character of %s', (_, character, size) => {
    for (let lead = 256 - size; lead <= 256; lead++) {
      const start = 'a'.repeat(lead);
      // A character fits only as a whole. If it doesn't fit, no later one is used instead.
      const kept = lead + size <= 256 ? start + character : start;
      const content = `${start}${character}zzz`;
      const id = eventId('p', 'HumanMessage', content, 0);
      expect(id).toBe(model.eventId('p', 'HumanMessage', content, 0));
      if (!(lead + size < 256)) expect(id).toBe(eventId('p', 'HumanMessage', kept, 0));
    }
  });

  test('is not cut for the input hash', () => {
    const long = 'a'.repeat(256);
    expect(inputHash(`${long}b`)).not.toBe(inputHash(long));
    expect(inputHash('漢'.repeat(5_000))).toBe(model.inputHash('漢'.repeat(5_000)));
  });

  test('differs by kind, by index and by prompt id', () => {
    const ids = [
      eventId('p', 'HumanMessage', 'x', 0),
      eventId('p', 'AiMessage', 'x', 0),
      eventId('p', 'HumanMessage', 'x', 1),
      eventId('q', 'HumanMessage', 'x', 0),
    ];
    expect(new Set(ids.map((id) => id.slice(2))).size).toBe(4);
  });

  test('accepts every safe integer as index', () => {
    for (const index of [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
      expect(eventId('p', 'ToolCall', 'x', index)).toBe(model.eventId('p', 'ToolCall', 'x', index));
    }
  });
});

describe('wrong arguments of the identities', () => {
  const wrongTexts = [undefined, null, 5, true, {}, [], Symbol('s'), 5n, new Uint8Array(2)] as unknown as string[];

  test.each(wrongTexts.map((wrong) => [typeof wrong, wrong]))('a text that is a %s (%p)', (_, wrong) => {
    const calls = [
      () => promptId(wrong, 'x'),
      () => promptId('x', wrong),
      () => eventId(wrong, 'ToolCall', 'x', 0),
      () => eventId('x', wrong as PromptEventKind, 'x', 0),
      () => eventId('x', 'ToolCall', wrong, 0),
      () => inputHash(wrong),
      () => truncateInputText(wrong),
      () => kindForTool(wrong),
    ];
    for (const call of calls) expect(thrown(call).code).toBe('ERR_INVALID_ARGUMENT');
  });

  test.each(each(-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '0', null, undefined, 5n, {}))(
    'the index %p',
    (index) => {
      const error = thrown(() => eventId('p', 'ToolCall', 'x', index as number));
      expect(error.code).toBe('ERR_INVALID_ARGUMENT');
      expect(error.message).toContain('index');
    },
  );
});

describe('truncateInputText', () => {
  const bytes = (value: string) => Buffer.byteLength(value, 'utf8');

  test('doesn’t change texts of at most 1,024 bytes', () => {
    for (const short of ['', 'a', 'é漢😀\0"\\', 'a'.repeat(1_024), 'é'.repeat(512), '😀'.repeat(256)]) {
      expect(truncateInputText(short)).toBe(short);
    }
  });

  test('counts bytes of UTF-8, not characters', () => {
    expect(truncateInputText('a'.repeat(1_025))).toBe('a'.repeat(1_024));
    expect(truncateInputText('é'.repeat(1_024))).toBe('é'.repeat(512));
    expect(truncateInputText('漢'.repeat(1_024))).toBe('漢'.repeat(341));
    expect(truncateInputText('😀'.repeat(1_024))).toBe('😀'.repeat(256));
  });

  test.each([
    ['2 bytes', 'é', 2],
    ['3 bytes', '漢', 3],
    ['4 bytes', '😀', 4],
  ])('never leaves part of a character of %s', (_, character, size) => {
    for (let lead = 1_024 - size; lead <= 1_024; lead++) {
      const start = 'a'.repeat(lead);
      expect(truncateInputText(start + character)).toBe(lead + size <= 1_024 ? start + character : start);
    }
  });

  test('stops at the first character that doesn’t fit', () => {
    expect(truncateInputText(`${'a'.repeat(1_023)}😀b`)).toBe('a'.repeat(1_023));
  });

  test('counts a lone surrogate as the three bytes of U+FFFD', () => {
    for (const lone of ['\ud800', '\udc00']) {
      // A lone surrogate may be returned unchanged or as U+FFFD, since both have the same UTF-8.
      expect(model.wellFormed(truncateInputText(`a${lone}b`))).toBe('a\ufffdb');
      expect(model.wellFormed(truncateInputText('a'.repeat(1_021) + lone))).toBe(`${'a'.repeat(1_021)}\ufffd`);
      expect(truncateInputText('a'.repeat(1_022) + lone)).toBe('a'.repeat(1_022));
    }
  });

  test('equals the model for any text', () => {
    const long = fc.array(text(), { maxLength: 40 }).map((parts) => parts.join(''));
    const border = fc.tuple(fc.nat(8), long).map(([lead, rest]) => 'a'.repeat(1_020 + lead) + rest);
    fc.assert(
      fc.property(fc.oneof(long, border), (value) => {
        const truncated = truncateInputText(value);
        expect(bytes(truncated)).toBeLessThanOrEqual(1_024);
        expect(model.wellFormed(truncated)).toBe(model.cut(value, 1_024));
      }),
      { numRuns: 1_000 },
    );
  });

  test('accepts 20 MB of text', () => {
    expect(truncateInputText('漢'.repeat(7_000_000))).toBe('漢'.repeat(341));
  });
});

describe('kindForTool', () => {
  test.each([
    ['Read', 'ToolCall'],
    ['Bash', 'ToolCall'],
    ['Write', 'FileWrite'],
    ['Edit', 'FileWrite'],
    ['MultiEdit', 'FileWrite'],
    ['Skill', 'SkillInvocation'],
    ['SlashCommand', 'SkillInvocation'],
    ['mcp__github__list', 'McpCall'],
    ['mcp__', 'McpCall'],
    ['mcp__Write', 'McpCall'],
    ['', 'ToolCall'],
    ['__proto__', 'ToolCall'],
    ['constructor', 'ToolCall'],
  ])('%s is a %s', (name, kind) => {
    expect(kindForTool(name)).toBe(kind);
  });

  test('NotebookEdit stays a ToolCall, as in the ids of deployed clients', () => {
    expect(kindForTool('NotebookEdit')).toBe('ToolCall');
  });

  test.each(['write', 'EDIT', 'Write ', ' Write', 'Write\0', 'skill', 'MCP__x', 'mcp_x', 'xmcp__y', 'Multiedit'])(
    'compares exactly: %p is a ToolCall',
    (name) => {
      expect(kindForTool(name)).toBe('ToolCall');
    },
  );
});

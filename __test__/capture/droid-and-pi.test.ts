import { parseTranscript } from '../../index.js';
import { describeProperties, fixtureOf } from './agents';
import { ai, call, golden, human, thinking, took } from './golden';

// Droid and Pi: lines of messages, with the blocks of Anthropic's API and of Pi's own.

const parsed = (agent: string, sessionId: string, name = 'known-answers') =>
  parseTranscript(agent, fixtureOf(agent, name), { sessionId, homeDir: '' }).map(({ values }) => values);

test('Droid: several results on one line, notices and added files that are no human’s, and no model', () => {
  const made = (n: number, name: string, kind: Parameters<typeof call>[3]) => call(6, `${name}:k_${n}`, {}, kind);
  expect(parsed('droid', 'd-1')).toEqual(
    golden('droid', 'd-1', [
      human(0, 'm1', 'fix the parser'),
      thinking(1, 'm2:0', 'Hm.'),
      ai(1, 'm2:1', 'I look.'),
      call(1, 'Execute:call_1', took(2, { error: true })),
      call(1, 'ApplyPatch:call_2', took(2), 'FileWrite'),
      human(5, 'm5', 'see @a.rs'),
      made(0, 'Edit', 'FileWrite'),
      made(1, 'MultiEdit', 'FileWrite'),
      made(2, 'Write', 'FileWrite'),
      made(3, 'Create', 'FileWrite'),
      made(4, 'echo___say', 'McpCall'),
      made(5, 'Skill', 'SkillInvocation'),
      made(6, 'Read', 'ToolCall'),
      ai(7, 'm7', 'A plain string.'),
    ]),
  );
});

test('Pi: times are those of writing, and messages that name no model have the one chosen last', () => {
  const model = { model: 'claude-opus-4-7' };
  expect(parsed('pi', 'p-1')).toEqual(
    golden('pi', 'p-1', [
      human(1, 'a1', 'add a folder'),
      thinking(3, 'a2:0', 'Hm.', model),
      ai(3, 'a2:1', 'I add it.', model),
      call(3, 'bash:toolu_1', took(1, model)),
      call(3, 'edit:toolu_2', took(2, { ...model, error: true }), 'FileWrite'),
      human(6, 'a5', 'a plain string'),
      ai(7, 'a6:0', 'Without a model of its own.', model),
    ]),
  );
});

test.each(['droid', 'pi'])('%s: damaged lines are passed over, and the rest of the file counts', (agent) => {
  const lines = fixtureOf(agent, 'known-answers').trimEnd().split('\n');
  const damage = ['not json', '[]', 'null', '{}', '{"type":"message"}', '{"type":"message","id":"x","message":7}'];
  damage.push(
    '{"type":"message","id":"x","message":{"role":"assistant","content":[7,null,{"type":"tool_use"},{"type":"toolCall"}]}}',
  );
  damage.push('{"type":"message","id":"x","message":{"role":"user","content":{}}}', lines[3]?.slice(0, 40) ?? '');
  const options = { sessionId: 's', homeDir: '' };
  const damaged = parseTranscript(agent, lines.flatMap((line, n) => [line, damage[n] ?? '']).join('\n'), options);
  expect(damaged).toEqual(parseTranscript(agent, lines.join('\n'), options));
});

describe('droid, whatever the fixture', () => describeProperties('droid'));
describe('pi, whatever the fixture', () => describeProperties('pi'));

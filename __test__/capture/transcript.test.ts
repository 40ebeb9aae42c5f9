import { eventId, inputHash, parseClaudeTranscript, promptId } from '../../index.js';
import { expectedValues } from './flatten';
import { FIXTURES, fixture, MODEL, SESSION, SKILL_TIME, temporaryFolder, timeOfLine, writeSkill } from './transcripts';

const PROMPT = promptId('claude', SESSION);
const NOWHERE = { sessionId: SESSION, cwd: '/nowhere', homeDir: '' };

/** What an event says beyond its line, number, kind and content. `null` for what is usual and missing here. */
type Rest = Record<string, unknown>;
type Expected = [line: number, index: number, kind: string, content: string, rest?: Rest];

const human = (line: number, index: number, text: string, rest: Rest = {}): Expected => {
  return [line, index, 'HumanMessage', text, { inputText: text, model: null, ...rest }];
};
const ai = (line: number, index: number, text: string, rest: Rest = {}): Expected => {
  return [line, index, 'AiMessage', text, { inputText: text, ...rest }];
};
const thinking = (line: number, index: number, text: string): Expected => [line, index, 'ThinkingMessage', text];
const call = (line: number, index: number, content: string, rest: Rest = {}): Expected => {
  return [line, index, 'ToolCall', content, { toolCallName: content.split(':')[0], ...rest }];
};
const done = (observedDurationMs: number, rest: Rest = {}): Rest => ({ error: false, observedDurationMs, ...rest });

/** An item with a key of its own, which takes no number. */
const own = (line: number, kind: string, key: string, text: string, rest: Rest = {}): Expected => {
  const inputText = kind === 'ThinkingMessage' ? {} : { inputText: text };
  return [line, 0, kind, key, { inputHash: inputHash(text), ...inputText, ...rest }];
};
const typedAhead = (line: number, key: string, text: string): Expected =>
  own(line, 'HumanMessage', `queued:${key}:${text}`, text, { model: null });
const slashCommand = (line: number, index: number, name: string): Expected => {
  return [line, index, 'SkillInvocation', name, { toolCallName: 'SlashCommand', model: null }];
};
const uuid = (n: number) => `00000000-0000-4000-8000-${`${n}`.padStart(12, '0')}`;

const typedX = (name: string, args = '') =>
  `<command-message>${name}</command-message>\n<command-name>/${name}</command-name>${args}`;

const GOAL = (args: string) =>
  `<command-name>/goal</command-name>\n            <command-message>goal</command-message>\n            <command-args>${args}</command-args>`;

/** The events of each fixture, by hand. */
const EVENTS: Record<string, Expected[]> = {
  'known-answers': [
    human(0, 0, 'Please review the parser — it crashes on “nulls”', { eventId: 'a386ade188cc4043:69a00476559c' }),
    [
      1,
      1,
      'ThinkingMessage',
      'Let me think',
      { eventId: 'a386ade188cc4043:9c47df6afacd', inputHash: '7067800ede2a6775' },
    ],
    ai(2, 2, 'I will read it.'),
    call(3, 3, 'Read:toolu_1', done(1000, { eventId: 'a386ade188cc4043:03c055a02774', inputHash: '778cd101256facb9' })),
  ],
  'first-lines-are-no-message': [human(3, 0, 'Hello'), ai(4, 1, 'Hi')],
  'user-text-in-blocks': [human(0, 0, 'Look at this\nand that'), human(1, 1, 'one block'), human(2, 2, 'only this')],
  // U+FEFF is no white space to Unicode, though to JavaScript it is.
  'blank-texts-take-no-number': [human(4, 0, '\ufeff'), ai(5, 1, 'said')],
  'blank-and-broken-lines': [human(0, 0, 'one'), human(10, 1, 'two')],
  'half-written-last-line': [human(0, 0, 'one'), ai(1, 1, 'answer')],
  'last-line-without-newline': [human(0, 0, 'one'), ai(1, 1, 'answer')],
  'windows-line-ends': [human(0, 0, 'one'), ai(1, 1, 'answer')],
  'response-spread-over-lines': [
    human(0, 0, 'go'),
    thinking(1, 1, 'first'),
    human(2, 2, 'meanwhile'),
    ai(3, 3, 'second'),
    call(5, 4, 'Bash:toolu_1', done(1000)),
  ],
  'several-blocks-in-one-line': [
    human(0, 0, 'go'),
    thinking(1, 1, 'hm'),
    ai(1, 2, 'So:'),
    call(1, 3, 'Bash:toolu_1', done(1000)),
    call(1, 4, 'Read:toolu_2', done(2000)),
  ],
  'empty-thinking': [human(0, 0, 'go'), thinking(4, 1, 'really'), ai(5, 2, 'done')],
  'synthetic-model': [
    human(0, 0, 'go'),
    ai(1, 1, 'API Error: 529 overloaded', { model: null, error: true }),
    call(2, 2, 'Bash:toolu_1', done(1000, { model: null })),
  ],
  'no-model': [human(0, 0, 'go'), ai(1, 1, 'who am I', { model: null }), ai(2, 2, 'a number', { model: null })],
  'same-call-twice': [
    human(0, 0, 'go'),
    call(1, 1, 'Bash:toolu_1', done(1000)),
    human(3, 2, 'go back'),
    // The second call took number 3.
    ai(6, 4, 'done'),
  ],
  'results-out-of-order': [
    human(0, 0, 'go'),
    call(1, 1, 'Bash:toolu_1', { error: true, observedDurationMs: 4000 }),
    call(2, 2, 'Read:toolu_2', done(4000)),
    call(3, 3, 'Grep:toolu_3', done(1000)),
  ],
  'result-before-its-call': [
    human(0, 0, 'go'),
    call(0.5, 1, 'Glob:toolu_1', { error: true, observedDurationMs: 500, reportedDurationMs: 20 }),
  ],
  'result-earlier-than-its-call': [call(0, 0, 'Bash:toolu_1', { error: false })],
  'call-without-result': [human(0, 0, 'go'), call(1, 1, 'Bash:toolu_1'), ai(2, 2, 'killed')],
  'results-of-every-form': [
    call(0, 0, 'Bash:toolu_1', done(5000)),
    call(1, 1, 'Bash:toolu_2', done(5000)),
    call(2, 2, 'Bash:toolu_3', done(5000)),
    call(3, 3, 'Bash:toolu_4', done(5000)),
    call(4, 4, 'Bash:toolu_5', { error: true, observedDurationMs: 5000 }),
  ],
  'result-beside-text': [call(0, 0, 'Bash:toolu_1', done(1000)), human(1, 1, 'and here is what I want')],
  'results-together-on-one-line': [
    call(0, 0, 'Bash:toolu_1', done(2000)),
    call(1, 1, 'Bash:toolu_2', { error: true, observedDurationMs: 1000 }),
  ],
  'malformed-messages': [call(8, 0, 'unknown:'), call(9, 1, 'Bash:'), ai(12, 2, 'still here')],
  'durations-in-the-result': [
    call(0, 0, 'Glob:toolu_1', done(6000, { reportedDurationMs: 37 })),
    call(1, 1, 'Task:toolu_2', done(6000, { reportedDurationMs: 61234 })),
    call(2, 2, 'WebSearch:toolu_3', done(6000, { reportedDurationMs: 6484 })),
    call(3, 3, 'Bash:toolu_4', done(6000)),
    call(4, 4, 'Odd:toolu_5', done(6000, { reportedDurationMs: 8 })),
    call(5, 5, 'Odd:toolu_6', done(6000)),
  ],
  'mcp-progress': [
    [0, 0, 'McpCall', 'mcp__github__get_issue:toolu_1', mcp(done(4000, { reportedDurationMs: 812 }))],
    [
      5,
      1,
      'McpCall',
      'mcp__github__get_issue:toolu_2',
      mcp({ error: true, observedDurationMs: 1000, reportedDurationMs: 93 }),
    ],
    [8, 2, 'McpCall', 'mcp__github__get_issue:toolu_3', mcp(done(2000, { reportedDurationMs: 66 }))],
    [11, 3, 'McpCall', 'mcp__github__get_issue:toolu_4', mcp({})],
    // Its server is done, and yet there is no result.
    [14, 4, 'McpCall', 'mcp__github__get_issue:toolu_5', mcp({})],
  ],
  'progress-holds-a-subagents-messages': [
    human(0, 0, 'go'),
    call(1, 1, 'Task:toolu_1', done(3000, { reportedDurationMs: 3000 })),
  ],
  'not-a-human': [
    human(13, 13, '[Request interrupted by user] no, go on'),
    human(14, 14, 'typed'),
    human(15, 15, 'no kind'),
    human(16, 16, 'no origin'),
    ai(17, 17, 'noted'),
  ],
  'slash-command': [
    human(
      0,
      0,
      '<command-message>review is running…</command-message>\n<command-name>/review</command-name>\n<command-args>the parser, please</command-args>',
      { inputText: '/review the parser, please' },
    ),
    human(1, 1, typedX('review'), { inputText: '/review' }),
    human(2, 2, typedX('nothing-there', '\n<command-args></command-args>'), { inputText: '/nothing-there' }),
    slashCommand(2, 2, '/nothing-there'),
    human(3, 3, '<command-message>no name follows'),
    ai(4, 4, 'ok'),
  ],
  'bash-input': [
    human(0, 0, '<bash-input>git status</bash-input>', { inputText: '!git status' }),
    human(2, 2, '<bash-input>cut', { inputText: '!cut' }),
  ],
  'system-reminder': [
    human(0, 0, 'Fix it\n<system-reminder>\nPlan mode is on.\n</system-reminder>', { inputText: 'Fix it' }),
    human(1, 1, '<system-reminder>a</system-reminder>\nboth\n<system-reminder>b</system-reminder>', {
      inputText: 'both',
    }),
    human(2, 2, 'why <system-reminder> is odd'),
    human(4, 4, 'after the one that nobody typed'),
    human(
      6,
      6,
      '<system-reminder>q</system-reminder>\n<command-message>deploy</command-message>\n<command-name>/deploy</command-name>\n<command-args>a <system-reminder>q</system-reminder>b</command-args>',
      { inputText: '/deploy a b' },
    ),
    slashCommand(6, 6, '/deploy'),
    human(7, 7, '<bash-input>ls<system-reminder>q</system-reminder></bash-input>', { inputText: '!ls' }),
  ],
  'lines-without-time': [
    human(0, 0, 'go', { startTs: null }),
    call(1, 1, 'Bash:toolu_1', { error: false }),
    call(3, 2, 'Bash:toolu_2', { error: false, startTs: null }),
    human(5, 3, 'now', { startTs: null }),
    human(6, 4, 'and', { startTs: null }),
    human(8.25, 5, 'in another zone'),
    human(8, 6, 'before 1970', { startTs: null }),
  ],
  // Nothing in a subagent's file takes a number: ids rest on the agent's, the line's and the place of the block.
  subagent: [
    own(1, 'AiMessage', `a1b2:${uuid(2)}:0`, 'Searching'),
    call(2, 0, 'Grep:toolu_1', done(1000)),
    own(4, 'AiMessage', `a1b2:${uuid(5)}:0`, 'Found 3'),
  ],
  'subagents-prompts-alike': [
    own(1, 'AiMessage', `a1:${uuid(2)}:0`, 'Searching'),
    own(2, 'ThinkingMessage', `a1:${uuid(3)}:0`, 'Hm'),
    call(3, 0, 'Grep:toolu_1', done(1000)),
    own(6, 'AiMessage', `a2:${uuid(7)}:0`, 'Searching'),
    own(7, 'ThinkingMessage', `a2:${uuid(8)}:0`, 'Hm'),
    call(8, 0, 'Grep:toolu_2', done(1000)),
  ],
  'queued-prompts': [
    human(0, 0, 'Fix the parser'),
    call(1, 1, 'Bash:toolu_1', done(3000)),
    typedAhead(6, '00000000-0000-4000-8000-0000000000a1', 'No, use the other file instead'),
    ai(7, 2, 'Done.'),
    human(9, 3, 'and run the tests'),
    ai(10, 4, 'They pass.'),
    typedAhead(16, uuid(17), 'Look at this'),
    ai(17, 5, 'I see.'),
  ],
  'queued-prompts-of-older-versions': [
    human(0, 0, 'Fix the parser'),
    call(1, 1, 'Bash:toolu_1', done(3000)),
    typedAhead(2, '2026-01-05T09:00:02.000Z', 'use tabs'),
    ai(5, 2, 'Done.'),
    human(10, 3, 'one\ntwo'),
    ai(11, 4, 'Both.'),
    human(14, 5, typedX('review', '\n<command-args>it</command-args>'), { inputText: '/review it' }),
    ai(15, 6, 'Reviewed.'),
    typedAhead(16, '2026-01-05T09:00:16.000Z', 'left behind'),
    human(17, 7, 'something else'),
    ai(18, 8, 'Yes.'),
    typedAhead(19, '2026-01-05T09:00:19.000Z', 'and at the end'),
  ],
  // The agent works on a goal as on a prompt, though it is written as a built-in command.
  goals: [human(0, 0, GOAL('finish the parser'), { inputText: '/goal finish the parser' }), ai(3, 3, 'On it.')],
  // The fork's own prompt waits while older lines are copied.
  'queue-of-a-fork': [
    human(0, 0, 'Fix the parser'),
    ai(1, 1, 'Fixed.'),
    human(2, 2, 'Thanks'),
    ai(3, 3, 'Welcome.'),
    human(12, 4, 'And now the tests'),
    ai(13, 5, 'They pass.'),
  ],
  // The queue doesn't tell the text of a prompt with an image.
  'queue-without-texts': [
    human(3, 0, 'Look at this'),
    ai(4, 1, 'A square.'),
    human(6, 2, 'And this'),
    ai(7, 3, 'A text.'),
  ],
  'queue-with-messages-of-the-harness': [
    human(0, 0, 'go'),
    ai(5, 2, 'It has ended.'),
    human(7, 3, 'use tabs'),
    ai(8, 4, 'Tabs.'),
    // Nobody typed what the agent has scheduled.
    ai(12, 6, 'It is green.'),
  ],
  'queued-shell-command': [
    human(0, 0, 'go'),
    ai(2, 1, 'Gone.'),
    human(4, 2, '<bash-input>git status</bash-input>', { inputText: '!git status' }),
    ai(6, 4, 'It is clean.'),
  ],
  'pasted-content-closed-by-its-id': [
    human(0, 0, '\n\n<pasted_content id="f15d">\na log\n</pasted_content id="f15d">\n\n What is wrong?', {
      inputText: 'What is wrong?',
    }),
    human(1, 1, '\n\n<pasted_content id="f15d">\nonly a paste\n</pasted_content id="f15d">\n', {
      inputText: 'only a paste',
    }),
    ai(2, 2, 'ok'),
  ],
  'editor-tags': [
    human(
      0,
      0,
      '<ide_opened_file>The user opened /home/dev/parser/a.rs in the IDE.</ide_opened_file>\nWhy is this slow?',
      { inputText: 'Why is this slow?' },
    ),
    human(1, 1, `<ide_selection>The user selected lines 1 to 9:\n${'x'.repeat(1200)}\n</ide_selection>\nExplain`, {
      inputText: 'Explain',
    }),
    human(
      2,
      2,
      '<ide_diagnostics>[]</ide_diagnostics><system-reminder>r</system-reminder> both <ci-monitor-event>e</ci-monitor-event>',
      { inputText: 'both' },
    ),
    human(4, 4, 'what does <ide_selection> mean?'),
    ai(5, 5, 'ok'),
  ],
  'pasted-content': [
    human(0, 0, '\n\n<pasted_content id="ec26">\npasted line 1\npasted line 2\n</pasted_content>', {
      inputText: 'pasted line 1\npasted line 2',
    }),
    human(1, 1, 'Look:\n<pasted_content id="ec27">\na log\n</pasted_content>\nWhat is wrong?', {
      inputText: 'Look:\n\nWhat is wrong?',
    }),
    human(2, 2, '<pasted_content id="ec28">\nwithout an end', { inputText: 'without an end' }),
    human(3, 3, 'a <pasted_content tag'),
    ai(4, 4, 'ok'),
  ],
  'skill-base-directory': [
    [0, 0, 'SkillInvocation', 'Skill:toolu_1', { toolCallName: 'Skill', ...done(1000) }],
    human(3, 2, typedX('linked-skill', '\n<command-args>now</command-args>'), { inputText: '/linked-skill now' }),
    slashCommand(3, 2, '/linked-skill'),
    human(5, 4, 'Base directory for this skill: /etc'),
    ai(7, 6, 'ok'),
  ],
  'background-agents': [
    call(0, 0, 'Agent:toolu_1', done(1000, { reportedDurationMs: 61234 })),
    call(2, 1, 'Bash:toolu_2', done(1000)),
    ai(4, 2, 'Waiting.'),
    call(7, 5, 'Agent:toolu_3', done(1000)),
    call(9, 6, 'Agent:toolu_4', done(1000, { reportedDurationMs: 777 })),
  ],
  'denials-and-cancellations': [
    // None of the first six ran: their calls have an end, but neither success nor failure.
    ...[1, 2, 3, 4, 5, 6].map((n) => call(n - 1, n - 1, `Bash:toolu_${n}`, { observedDurationMs: 8000 })),
    call(6, 6, 'Bash:toolu_7', { error: true, observedDurationMs: 8000 }),
    call(7, 7, 'Bash:toolu_8', { error: true, observedDurationMs: 8000 }),
    own(9, 'HumanMessage', 'rejected:toolu_2', 'Use the other file — please', { model: null }),
    own(10, 'HumanMessage', 'rejected:toolu_3', 'no', { model: null }),
    ai(16, 8, 'I see.'),
  ],
  'denials-in-other-words': [
    ...[1, 2, 3].map((n) => call(n - 1, n - 1, `Bash:toolu_${n}`, { observedDurationMs: 3000 })),
    // The first result's words are the harness's, which speaks for a human who wants to talk about the questions.
    own(5, 'HumanMessage', 'rejected:toolu_3', 'Not in this folder', { model: null }),
    ai(6, 3, 'I see.'),
  ],
  'harness-flags': [human(4, 4, 'typed'), human(5, 5, 'by a program'), ai(6, 6, 'ok')],
  'api-errors': [
    human(0, 0, 'go'),
    ai(1, 1, 'API Error: 500 the server says no', { model: null, error: true }),
    ai(2, 2, 'API Error is what I talk about'),
  ],
  'byte-order-mark': [human(0, 0, 'first'), ai(1, 1, 'ok')],
  'thinking-durations': [
    human(0, 0, 'go'),
    [1, 1, 'ThinkingMessage', 'Slow tool.', { reportedDurationMs: 1234 }],
    thinking(2, 2, 'No figure.'),
    thinking(3, 3, 'No duration.'),
    ai(4, 4, 'ok'),
  ],
  'built-in-commands': [
    human(0, 0, typedX('compact'), { inputText: '/compact' }),
    human(1, 1, typedX('help', '\n<command-args>me</command-args>'), { inputText: '/help me' }),
    human(3, 3, typedX('demo:plug', '\n<command-args>please</command-args>'), { inputText: '/demo:plug please' }),
    slashCommand(3, 3, '/demo:plug'),
    human(4, 4, typedX('x', '\n<command-args>three</command-args>'), { inputText: '/x three' }),
    slashCommand(4, 4, '/x'),
    ai(6, 6, 'ok'),
  ],
  'skills-that-run-in-a-subagent': [
    human(1, 1, '/code-review the parser'),
    slashCommand(1, 1, '/code-review'),
    human(4, 3, '/demo:plug'),
    slashCommand(4, 3, '/demo:plug'),
    // Without the harness's notice before it, this is a text.
    human(6, 4, '/code-review is what I typed'),
    human(9, 7, '/code-review once more'),
    human(11, 9, '/help me'),
    human(13, 11, '/etc/hosts is wrong'),
    human(15, 13, GOAL('finish the parser'), { inputText: '/goal finish the parser' }),
    ai(16, 14, 'ok'),
  ],
  'kinds-of-tools': [
    [0, 0, 'FileWrite', 'Write:t1', { toolCallName: 'Write' }],
    [1, 1, 'FileWrite', 'Edit:t2', { toolCallName: 'Edit' }],
    [2, 2, 'FileWrite', 'MultiEdit:t3', { toolCallName: 'MultiEdit' }],
    call(3, 3, 'NotebookEdit:t4'),
    [4, 4, 'McpCall', 'mcp__github__get_issue:t5', { toolCallName: 'mcp__github__get_issue' }],
    [5, 5, 'SkillInvocation', 'Skill:t6', { toolCallName: 'Skill' }],
    [6, 6, 'SkillInvocation', 'SlashCommand:t7', { toolCallName: 'SlashCommand' }],
    call(7, 7, 'skill:t8'),
    call(8, 8, 'mcp_not:t9'),
    call(9, 9, 'Écrire:été:t10', { toolCallName: 'Écrire:été' }),
  ],
  'skill-invocations': Array.from({ length: 11 }, (_, n): Expected => {
    const tool = n === 1 ? 'SlashCommand' : 'Skill';
    return [n, n, 'SkillInvocation', `${tool}:t${n + 1}`, { toolCallName: tool }];
  }),
  'escapes-and-lone-surrogates': [
    human(0, 0, 'quote " slash / tab \t é🙂'),
    // The client in the field skips lines with half a pair. That a call has its result is known all the same.
    ai(2, 1, 'é — 日本語 🙂'),
    call(3, 2, 'Bash:toolu_1', { error: true, observedDurationMs: 1000 }),
    human(6, 3, 'go on'),
  ],
  'types-and-keys-nobody-knows': [human(3, 0, 'go'), ai(7, 1, 'ok')],
  'messages-of-any-length': [
    human(0, 0, `${'ä'.repeat(127)}xyz${'ö'.repeat(600)}`, { inputText: `${'ä'.repeat(127)}xyz${'ö'.repeat(383)}` }),
    ai(1, 1, `${'x'.repeat(1023)}étail`, { inputText: 'x'.repeat(1023) }),
    thinking(2, 2, '日'.repeat(86)),
    human(3, 3, 'a'.repeat(257)),
  ],
};

function mcp(rest: Rest): Rest {
  return { toolCallName: 'mcp__github__get_issue', ...rest };
}

/** The ids are made by the package's own functions, which the known answers check. */
function valuesOf(events: Expected[]): object[] {
  let parentId: string | null = null;
  return events.map(([line, index, kind, content, rest = {}]) => {
    const values: Rest = {
      kind,
      eventId: eventId(PROMPT, kind as never, content, index),
      parentId,
      parentIdEstimated: false,
      model: MODEL,
      startTs: timeOfLine(line),
      inputHash: inputHash(content),
      ...rest,
    };
    parentId = values.eventId as string;
    return Object.fromEntries(
      Object.entries(values).filter(([field, value]) => value !== null || field === 'parentId'),
    );
  });
}

test('every fixture has its events', () => {
  expect(Object.keys(EVENTS).sort()).toEqual([...FIXTURES].sort());
});

describe.each(FIXTURES)('%s', (name) => {
  const jsonl = fixture(name);
  const valuesFrom = (transcript: string | Uint8Array) =>
    parseClaudeTranscript(transcript, NOWHERE).map(({ values }) => values);

  test('has the expected events', () => {
    expect(valuesFrom(jsonl)).toEqual(valuesOf(EVENTS[name] ?? []));
  });

  test('has the same events from bytes', () => {
    expect(valuesFrom(Buffer.from(jsonl))).toEqual(valuesFrom(jsonl));
  });

  test('is flattened as the model flattens it', () => {
    expect(valuesFrom(jsonl)).toEqual(expectedValues(jsonl, SESSION));
  });
});

describe('skill files', () => {
  const folder = temporaryFolder();
  const project = (file: string, text: string) => writeSkill(folder, 'project', file, text);
  const review = project('review/SKILL.md', 'Review with care.');
  const flat = project('flat.md', 'Flat.');
  const personal = writeSkill(folder, 'home', 'personal/SKILL.md', 'Mine.');
  const options = { sessionId: SESSION, cwd: `${folder.path}/project`, homeDir: `${folder.path}/home` };

  const fieldsOf = (path: string, text: string) => ({
    skillFilePath: path,
    skillFileMtime: SKILL_TIME.getTime(),
    skillFileHash: inputHash(text),
  });

  test('for every key that names a skill', () => {
    const events = parseClaudeTranscript(fixture('skill-invocations'), options);
    const found = events.map(({ values: { skillFilePath, skillFileMtime, skillFileHash } }) =>
      skillFilePath ? { skillFilePath, skillFileMtime, skillFileHash } : undefined,
    );
    const reviewed = fieldsOf(review, 'Review with care.');
    expect(found).toEqual([
      reviewed,
      reviewed,
      reviewed,
      reviewed,
      reviewed,
      fieldsOf(flat, 'Flat.'),
      fieldsOf(personal, 'Mine.'),
      undefined,
      undefined,
      undefined,
      reviewed,
    ]);
  });

  test('of a command that a human typed: an invocation of its own follows, with the same index', () => {
    const events = parseClaudeTranscript(fixture('slash-command'), options);
    expect(events.map(({ values }) => values.kind)).toEqual([
      'HumanMessage',
      'SkillInvocation',
      'HumanMessage',
      'SkillInvocation',
      'HumanMessage',
      'SkillInvocation',
      'HumanMessage',
      'AiMessage',
    ]);
    const [typed, invoked, next] = events.map(({ values }) => values);
    expect(invoked).toEqual({
      kind: 'SkillInvocation',
      eventId: eventId(PROMPT, 'SkillInvocation', '/review', 0),
      parentId: typed?.eventId,
      parentIdEstimated: false,
      toolCallName: 'SlashCommand',
      startTs: timeOfLine(0),
      inputHash: inputHash('/review'),
      ...fieldsOf(review, 'Review with care.'),
    });
    expect(next?.parentId).toBe(invoked?.eventId);
  });

  test('from the transcript’s folder, if the caller names none', () => {
    const jsonl = fixture('skill-invocations').replaceAll('/home/dev/parser', `${folder.path}/project`);
    const [event] = parseClaudeTranscript(jsonl, { sessionId: SESSION, homeDir: '' });
    expect(event?.values).toMatchObject(fieldsOf(review, 'Review with care.'));
  });

  test('the user’s own are found where the project is unknown', () => {
    const jsonl = fixture('skill-invocations').replaceAll('"cwd":"/home/dev/parser",', '');
    const events = parseClaudeTranscript(jsonl, { sessionId: SESSION, homeDir: options.homeDir });
    expect(events.map(({ values }) => values.skillFilePath)).toContain(personal);
  });
});

describe('attributes', () => {
  const jsonl = fixture('known-answers');
  const attributesWith = (options: object) =>
    parseClaudeTranscript(jsonl, { ...NOWHERE, ...options }).map(({ attributes }) => attributes);

  const session = { tool: 'claude', promptId: PROMPT, externalPromptId: SESSION, branch: 'main' };

  test('are the session’s', () => {
    expect(attributesWith({})).toEqual([session, session, session, session]);
  });

  test('and the caller’s own, an explicit null among them', () => {
    const own = { author: 'Zoë', branch: null, customAttributes: '{"a":"b"}', gitAiVersion: '1.1.23' };
    expect(attributesWith({ attributes: own })[0]).toEqual({ ...session, ...own });
    expect(attributesWith({ attributes: { tool: 'x', promptId: null, model: undefined } })[0]).toEqual(session);
  });

  test('gitAiVersion by its own option', () => {
    const options = { gitAiVersion: '1.2.0', attributes: { gitAiVersion: '1.1.23' } };
    expect(attributesWith(options)[0]).toEqual({ gitAiVersion: '1.2.0', ...session });
  });

  test('each event has an object of its own', () => {
    const [first, second] = attributesWith({});
    expect(first).not.toBe(second);
  });
});

test('an event was recorded when its line was written', () => {
  const events = parseClaudeTranscript(fixture('lines-without-time'), NOWHERE);
  const before = Math.floor(Date.now() / 1000);
  const times = events.map(({ timestamp }) => timestamp);
  // The first line has no time, and none before it has.
  expect(times.shift()).toBeGreaterThanOrEqual(before - 60);
  expect(times).toEqual([1, 1, 4, 4, 8.25, 0].map((line, n) => (n === 5 ? 0 : Math.floor(timeOfLine(line) / 1000))));
});

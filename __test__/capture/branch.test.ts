import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClaudeTranscriptReader, captureHook, type PromptEvent, parseTranscript } from '../../index.js';
import { fixture, temporaryFolder } from './transcripts';

// The branch is a session's: the first one that its records name.

const folder = temporaryFolder();
const SESSION = 's-1';

const line = (text: string, gitBranch?: unknown) =>
  `${JSON.stringify({ type: 'user', sessionId: SESSION, gitBranch, message: { content: text } })}\n`;
const branches = (events: PromptEvent[]) => events.map(({ attributes }) => attributes.branch);
const parse = (agent: string, text: string, attributes = {}) =>
  parseTranscript(agent, text, { sessionId: SESSION, attributes });

test.each([
  ['claude', fixture('known-answers'), 'main'],
  ['github-copilot-cli', fixture('github-copilot-cli/newest'), 'main'],
  ['qwen', fixture('qwen/known-answers'), 'master'],
  ['codex', fixture('codex/newest').replace('"cwd":', '"git":{"commit_hash":"c6448797","branch":"dev"},"cwd":'), 'dev'],
])('%s', (agent, text, branch) => {
  const events = parse(agent, text);
  expect(events.length).toBeGreaterThan(0);
  expect(new Set(branches(events))).toEqual(new Set([branch]));
});

test('the first one counts, since a session may change it', () =>
  expect(branches(parse('claude', line('a', 'main') + line('b', 'other')))).toEqual(['main', 'main']));

test.each([undefined, '', 'HEAD', null, 7, 'x'.repeat(257)])('%p is none', (none) =>
  expect(branches(parse('claude', line('a', none)))).toEqual([undefined]),
);

test('the caller’s own comes before it, an explicit null too', () => {
  expect(branches(parse('claude', line('a', 'main'), { branch: 'mine' }))).toEqual(['mine']);
  expect(branches(parse('claude', line('a', 'main'), { branch: null }))).toEqual([null]);
});

test('a reader in another process and hooks say the same', () => {
  const path = join(folder.path, `${SESSION}.jsonl`);
  writeFileSync(path, line('a', 'main'));
  const options = { sessionId: SESSION };
  const reader = new ClaudeTranscriptReader(path, options);
  const hook = JSON.stringify({ session_id: SESSION, transcript_path: path, hook_event_name: 'Stop' });
  const first = captureHook('claude', hook);
  expect(branches([...reader.read(), ...first.events])).toEqual(['main', 'main']);
  appendFileSync(path, line('b', 'other'));
  const resumed = ClaudeTranscriptReader.resume(path, options, reader.state());
  const second = captureHook('claude', hook, {}, first.state);
  expect(branches([...resumed.read(), ...second.events])).toEqual(['main', 'main']);
});

test('a file in the place of another has its own', () => {
  const path = join(folder.path, 'replaced.jsonl');
  writeFileSync(path, line('a long first line', 'main'));
  const reader = new ClaudeTranscriptReader(path, { sessionId: SESSION });
  reader.read();
  writeFileSync(path, line('b', 'other'));
  expect(branches(reader.read())).toEqual(['other']);
});

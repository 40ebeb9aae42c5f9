import { appendFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { captureHook, type PromptEvent, type PromptEventValues, TranscriptReader } from '../../index.js';
import { SESSION, temporaryFolder } from './transcripts';

// Sessions as Claude Code writes them, with the hooks that it fires meanwhile, each at a moment when some of the lines aren't
// in the file yet. Whatever hooks a user has installed, and whenever the session breaks off, they give only events of the
// whole session; all hooks together give all of them.

const folder = temporaryFolder();
const path = join(folder.path, `${SESSION}.jsonl`);
const subagents = join(folder.path, SESSION, 'subagents');

type Json = Record<string, unknown>;

/** A line that will be written to a file, or a hook that fires when all but the last `late` lines before it are there. */
type Step = { file: string; line: Json } | { hook: Json; late: number };

interface Call {
  tool: string;
  outcome: 'ok' | 'failed' | 'rejected' | 'never';
  isLate: boolean;
}

interface Turn {
  prompt: string;
  thinks: boolean;
  says: boolean;
  calls: Call[];
  correction: string | undefined;
  subagent: number | undefined;
  answer: string | undefined;
  isAnswerLate: boolean;
  isNotified: boolean;
}

const call: fc.Arbitrary<Call> = fc.record({
  tool: fc.constantFrom('Bash', 'Edit', 'mcp__github__get_issue', 'Skill'),
  outcome: fc.constantFrom('ok', 'ok', 'failed', 'rejected', 'never'),
  isLate: fc.boolean(),
});

const turn: fc.Arbitrary<Turn> = fc.record({
  prompt: fc.constantFrom(
    'Fix it',
    'Fix it',
    'again',
    '<command-message>x</command-message>\n<command-name>/x</command-name>',
  ),
  thinks: fc.boolean(),
  says: fc.boolean(),
  calls: fc.array(call, { maxLength: 3 }),
  correction: fc.option(fc.constantFrom('No, the other one', 'Fix it'), { nil: undefined }),
  subagent: fc.option(fc.nat(3), { nil: undefined }),
  answer: fc.option(fc.constantFrom('Done.', 'Done.', 'All done — “finished”.'), { nil: undefined }),
  isAnswerLate: fc.boolean(),
  isNotified: fc.boolean(),
});

/** What happens in a session, in order. */
function stepsOf(turns: Turn[]): Step[] {
  const steps: Step[] = [];
  let written = 0;
  let calls = 0;
  const common = () => {
    written++;
    return { uuid: `u${written}`, timestamp: new Date(Date.UTC(2026, 0, 8) + written * 1000).toISOString() };
  };
  const write = (line: Json, file = path) => steps.push({ file, line: { ...line, ...common(), sessionId: SESSION } });
  const user = (content: unknown, rest: Json = {}) => ({ type: 'user', message: { content }, ...rest });
  const assistant = (block: Json, rest: Json = {}) => {
    return { type: 'assistant', message: { model: 'claude-opus-4-6', content: [block] }, ...rest };
  };
  const fire = (name: string, rest: Json = {}, late = 0) => {
    steps.push({ hook: { session_id: SESSION, transcript_path: path, hook_event_name: name, ...rest }, late });
  };
  const use = ({ tool, outcome, isLate }: Call, rest: Json = {}, file = path) => {
    calls++;
    const id = `toolu_${calls}`;
    const about = {
      tool_name: tool,
      tool_use_id: id,
      tool_input: {},
      ...(rest.agentId ? { agent_id: rest.agentId } : {}),
    };
    write(assistant({ type: 'tool_use', id, name: tool, input: {} }, rest), file);
    fire('PreToolUse', about, isLate ? 1 : 0);
    if (outcome === 'never') return;
    const isError = outcome !== 'ok';
    const said = "The user doesn't want to proceed with this tool use. To tell you how to proceed, the user said:\nno";
    const content = outcome === 'rejected' ? said : 'x';
    write(user([{ type: 'tool_result', tool_use_id: id, content, is_error: isError }], rest), file);
    // The result's line comes after its hook.
    if (outcome === 'ok') fire('PostToolUse', about, 1);
    if (outcome === 'failed') fire('PostToolUseFailure', { ...about, error: 'x', is_interrupt: false }, 1);
    fire('PostToolBatch', { tool_calls: [about] }, isLate ? 1 : 0);
  };

  fire('SessionStart', { source: 'startup' });
  for (const [n, { prompt, thinks, says, answer, isAnswerLate, isNotified, ...turn }] of turns.entries()) {
    const asked = isNotified && n > 0 ? '<task-notification>\n<task-id>1</task-id>\n</task-notification>' : prompt;
    fire('UserPromptSubmit', { prompt: asked });
    write(user(asked));
    if (thinks) write(assistant({ type: 'thinking', thinking: 'Hm' }));
    if (says) write(assistant({ type: 'text', text: 'Done.' }));
    for (const call of turn.calls) use(call);
    if (turn.subagent !== undefined) {
      calls++;
      const [id, agentId] = [`toolu_${calls}`, `agent${n}`];
      write(assistant({ type: 'tool_use', id, name: 'Agent', input: { prompt: 'Find it' } }));
      fire('PreToolUse', { tool_name: 'Agent', tool_use_id: id, tool_input: {} });
      fire('SubagentStart', { agent_id: agentId, agent_type: 'general-purpose' });
      const own = { isSidechain: true, agentId };
      const file = join(subagents, `agent-${agentId}.jsonl`);
      steps.push({ file: join(subagents, `agent-${agentId}.meta.json`), line: { toolUseId: id } });
      write(user('Find it', own), file);
      for (let n = 0; n < turn.subagent; n++) use({ tool: 'Bash', outcome: 'ok', isLate: n % 2 === 0 }, own, file);
      write(assistant({ type: 'text', text: 'Found.' }, own), file);
      fire('SubagentStop', { agent_id: agentId, last_assistant_message: 'Found.' });
      write(user([{ type: 'tool_result', tool_use_id: id, content: 'Found.' }], { toolUseResult: { agentId } }));
      fire('PostToolUse', { tool_name: 'Agent', tool_use_id: id, tool_input: {} }, 1);
    }
    if (turn.correction !== undefined) {
      const attachment = {
        type: 'queued_command',
        prompt: turn.correction,
        commandMode: 'prompt',
        source_uuid: `q${n}`,
      };
      write({ type: 'attachment', attachment });
      write(assistant({ type: 'thinking', thinking: 'I see' }));
    }
    if (answer === undefined) {
      write(assistant({ type: 'text', text: 'API Error: 500' }, { isApiErrorMessage: true }));
      fire('StopFailure', { error: 'server_error', last_assistant_message: 'API Error: 500' }, 1);
    } else {
      if (thinks) write(assistant({ type: 'thinking', thinking: 'So' }));
      write(assistant({ type: 'text', text: answer }));
      // Thoughts before it can be late too.
      fire('Stop', { last_assistant_message: answer }, isAnswerLate ? (thinks ? 2 : 1) : 0);
      if (isAnswerLate) fire('Notification', {}, 1);
    }
  }
  fire('SessionEnd', { reason: 'prompt_input_exit' });
  return steps;
}

/** Plays the steps, and fires the hooks that are installed. Returns what they gave, by event. */
function replay(steps: Step[], isInstalled: (name: unknown, n: number) => boolean): Map<unknown, PromptEventValues> {
  rmSync(path, { force: true });
  rmSync(dirname(subagents), { recursive: true, force: true });
  const waiting: { file: string; line: Json }[] = [];
  const given = new Map<unknown, PromptEventValues>();
  let state: string | undefined;
  let hooks = 0;
  for (const step of steps) {
    if ('file' in step) {
      waiting.push(step);
      continue;
    }
    for (const { file, line } of waiting.splice(0, waiting.length - step.late)) {
      mkdirSync(dirname(file), { recursive: true });
      appendFileSync(file, `${JSON.stringify(line)}\n`);
    }
    hooks++;
    if (!isInstalled(step.hook.hook_event_name, hooks)) continue;
    const options = { homeDir: '', receivedAtMs: Date.UTC(2026, 0, 9) + hooks };
    const result = captureHook('claude', JSON.stringify(step.hook), options, state);
    state = result.state;
    for (const { values } of result.events) given.set(values.eventId, values);
  }
  return given;
}

function wholeSession(): Map<unknown, PromptEventValues> {
  const options = { sessionId: SESSION, homeDir: '' };
  const events: PromptEvent[] = [];
  if (!existsSync(path)) writeFileSync(path, '');
  const reader = new TranscriptReader('claude', path, options);
  for (let read = reader.read(); read.length > 0; read = reader.read()) events.push(...read);
  return new Map(events.map(({ values }) => [values.eventId, values]));
}

const withoutEnds = (events: Map<unknown, PromptEventValues>) =>
  new Map([...events].filter(([, { kind }]) => kind !== 'SessionEnd'));

const turns = fc.array(turn, { minLength: 1, maxLength: 4 });

test('all hooks of a session return exactly the events of its files, and its end', () => {
  fc.assert(
    fc.property(turns, (turns) => {
      const given = replay(stepsOf(turns), () => true);
      expect(withoutEnds(given)).toEqual(wholeSession());
      const ends = [...given.values()].filter(({ kind }) => kind === 'SessionEnd');
      expect(ends).toMatchObject([{ endReason: 'user_quit' }]);
    }),
    { numRuns: 60 },
  );
});

const NAMES = [
  'SessionStart',
  'UserPromptSubmit',
  'PreToolUse',
  'PostToolUse',
  'PostToolUseFailure',
  'PostToolBatch',
  'SubagentStart',
  'SubagentStop',
  'Notification',
  'Stop',
  'StopFailure',
  'SessionEnd',
];

test('any subset of the hooks returns a subset of these events', () => {
  fc.assert(
    fc.property(turns, fc.subarray(NAMES), fc.integer({ min: 1, max: 60 }), (turns, installed, last) => {
      const steps = stepsOf(turns);
      const given = replay(steps, (name, n) => installed.includes(String(name)) && n <= last);
      // The rest of the session is written all the same.
      const whole = wholeSession();
      const others = [...withoutEnds(given).keys()].filter((id) => !whole.has(id));
      expect(others).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

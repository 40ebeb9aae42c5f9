/** Transcripts as released clients upload them: one record an event, in any order and pieces. */
import { type Random, shuffle } from './deliveries.ts';

export type TranscriptRecord = Record<string, unknown>;

/** An event of an upload. */
export interface WireEvent {
  t: number;
  e: number;
  v: Record<string, unknown>;
  a: Record<string, unknown>;
}

export interface RecordedSession {
  tool: string;
  /** The agent's own id of it. */
  sessionId: string;
  records: TranscriptRecord[];
}

export const transcriptOf = ({ records }: RecordedSession): string =>
  records.map((record) => JSON.stringify(record)).join('\n');

/** The event that a client makes of a record. */
export function wireEvent({ tool, sessionId }: RecordedSession, record: TranscriptRecord): WireEvent {
  const { uuid, parentUuid, timestamp } = record;
  return {
    t: Math.floor(Date.parse(String(timestamp)) / 1000),
    e: 5,
    v: {
      0: record,
      ...(typeof uuid === 'string' && { 1: uuid }),
      ...(typeof parentUuid === 'string' && { 2: parentUuid }),
    },
    a: { 0: '1.6.9', 20: tool, 23: sessionId, 24: `s_${sessionId}`, 25: `t_${Math.random()}` },
  };
}

/** The events in pieces: split anywhere, shuffled, some of them twice or late. */
export function schedule(next: Random, events: readonly WireEvent[]): WireEvent[][] {
  const pieces: WireEvent[][] = [];
  for (let rest = shuffle(next, events); rest.length > 0; ) {
    const size = 1 + Math.floor(next() * rest.length);
    pieces.push(rest.slice(0, size));
    // The next piece repeats some of this one, now and then.
    rest = rest.slice(next() < 0.3 ? Math.max(1, size - 3) : size);
  }
  return [...pieces, ...pieces.filter(() => next() < 0.3)];
}

const START = Date.UTC(2026, 10, 2, 9);

/** A random session of Claude Code. */
export function claudeSession(next: Random, sessionId: string): RecordedSession {
  const records: TranscriptRecord[] = [];
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T;
  let now = START + Math.floor(next() * 40) * 3_600_000;
  let parentUuid: string | null = null;
  const add = (type: string, more: TranscriptRecord) => {
    now += 1 + Math.floor(next() * 60_000);
    const uuid = `${sessionId}-${records.length}`;
    const timestamp = new Date(now).toISOString();
    records.push({ parentUuid, isSidechain: false, type, ...more, uuid, timestamp, sessionId, cwd: '/nowhere' });
    parentUuid = uuid;
  };
  const words = () =>
    pick(['Please fix the parser', 'No, not like that', 'ja, bitte — “genau”', 'x'.repeat(3000), 'go on']);
  const user = (content: unknown, more: TranscriptRecord = {}) =>
    add('user', { message: { role: 'user', content }, ...more });
  const assistant = (content: unknown[], more: TranscriptRecord = {}) =>
    add('assistant', {
      message: { role: 'assistant', model: pick(['claude-opus-5', 'claude-haiku-5']), content },
      ...more,
    });

  const prompt = () =>
    pick([
      () => user(words()),
      () => user([{ type: 'text', text: `<ide_opened_file>a.ts</ide_opened_file>${words()}` }]),
      () =>
        user(
          '<command-message>ship</command-message>\n<command-name>/ship</command-name>\n<command-args>now</command-args>',
        ),
      () => user('<command-message>clear</command-message>\n<command-name>/clear</command-name>'),
      () => user('<bash-input>ls</bash-input>'),
      () => user('This session is being continued', { isCompactSummary: true }),
      () => user('Continue', { isMeta: true }),
      () => user('[Request interrupted by user]'),
      () =>
        add('attachment', {
          attachment: { type: 'queued_command', commandMode: 'prompt', prompt: `${words()} ${now}` },
        }),
      () => add('system', { subtype: 'turn_duration', durationMs: 5 }),
    ])();

  const say = () =>
    assistant(
      [
        { type: 'thinking', thinking: pick(['', 'Let me think', 'Hm']) },
        { type: 'text', text: words() },
      ].slice(Math.floor(next() * 3)),
      pick([{}, { thinkingDurationMs: 1200 }]),
    );

  const finish = (id: string) => {
    const isError = next() < 0.3;
    pick([
      () => user([{ type: 'tool_result', tool_use_id: id, content: 'out', ...(isError && { is_error: true }) }]),
      () => user([{ type: 'tool_result', tool_use_id: id, content: 'out' }], { toolUseResult: { durationMs: 40 } }),
      () =>
        user([{ type: 'tool_result', tool_use_id: id, content: 'out' }], { toolUseResult: { durationSeconds: 1.5 } }),
      () =>
        user(
          [
            {
              type: 'tool_result',
              tool_use_id: id,
              is_error: true,
              content:
                "The user doesn't want to proceed with this tool use. To tell you, the user said:\nuse the other file",
            },
          ],
          { toolDenialKind: 'user-rejected' },
        ),
      () => {
        user([{ type: 'tool_result', tool_use_id: id, content: 'started' }], {
          toolUseResult: { isAsync: true, status: 'async_launched', totalDurationMs: 3 },
        });
        if (next() < 0.5) {
          user(
            `<task-notification>\n<tool-use-id>${id}</tool-use-id>\n<duration_ms>90000</duration_ms>\n</task-notification>`,
            { origin: { kind: 'task-notification' } },
          );
        }
      },
      () => {
        add('progress', {
          data: { type: 'mcp_progress', status: 'completed', elapsedTimeMs: 70 },
          parentToolUseID: id,
        });
        if (next() < 0.7) user([{ type: 'tool_result', tool_use_id: id, content: 'out' }]);
      },
      // Killed, or still running.
      () => {},
    ])();
  };

  const call = () => {
    const ids = Array.from(
      { length: 1 + Math.floor(next() * 3) },
      (_, n) => `toolu_${sessionId}_${records.length}_${n}`,
    );
    const name = () => pick(['Bash', 'Read', 'Edit', 'Write', 'mcp__github__find', 'Skill', 'Task']);
    assistant([
      ...(next() < 0.3 ? [{ type: 'text', text: words() }] : []),
      ...ids.map((id) => ({ type: 'tool_use', id, name: name(), input: { skill: 'ship', command: 'ls' } })),
    ]);
    // Results come in any order.
    for (const id of shuffle(next, ids)) finish(id);
  };

  for (let turns = 1 + Math.floor(next() * 5); turns > 0; turns--) {
    prompt();
    for (let steps = Math.floor(next() * 4); steps > 0; steps--) pick([say, call])();
  }
  return { tool: 'claude', sessionId, records };
}

/** A random session of Codex, whose turns have models that only a record before them names. */
export function codexSession(next: Random, sessionId: string): RecordedSession {
  const records: TranscriptRecord[] = [];
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T;
  let now = START + Math.floor(next() * 40) * 3_600_000;
  const add = (type: string, payload: TranscriptRecord) => {
    now += 1 + Math.floor(next() * 20_000);
    records.push({ timestamp: new Date(now).toISOString(), type, payload });
  };
  const message = (role: string, text: string) =>
    add('response_item', {
      type: 'message',
      role,
      content: [{ type: role === 'user' ? 'input_text' : 'output_text', text }],
    });
  add('session_meta', {
    id: sessionId,
    cwd: '/nowhere',
    cli_version: '0.142.0',
    source: pick(['cli', { subagent: 'review' }, 'cli']),
  });
  for (let turn = 1 + Math.floor(next() * 4); turn > 0; turn--) {
    const turnId = `turn-${now}`;
    add('event_msg', { type: 'task_started', turn_id: turnId });
    add('turn_context', { turn_id: turnId, model: pick(['gpt-5.5', 'gpt-5.4-mini', 'o9']) });
    const words = pick(['fix the bug', 'go on', `look at ${now}`]);
    message('user', words);
    add('event_msg', { type: 'user_message', message: words });
    for (let steps = Math.floor(next() * 4); steps > 0; steps--) {
      const id = `call_${records.length}`;
      pick([
        () => message('assistant', 'I look.'),
        () =>
          add('response_item', {
            type: 'reasoning',
            id: `rs_${records.length}`,
            summary: [{ type: 'summary_text', text: 'Hm' }],
          }),
        () => {
          add('response_item', { type: 'function_call', name: 'exec_command', arguments: '{"cmd":"ls"}', call_id: id });
          if (next() < 0.2) return;
          const output = `Wall time: 0.2100 seconds\nProcess exited with code ${pick([0, 1])}\nOutput:\nno\n`;
          add('response_item', { type: 'function_call_output', call_id: id, output });
        },
        () => {
          add('response_item', {
            type: 'custom_tool_call',
            name: 'apply_patch',
            input: '*** Begin Patch',
            call_id: id,
          });
          add('event_msg', { type: 'patch_apply_end', call_id: id, success: pick([true, false]), status: 'completed' });
          add('response_item', {
            type: 'custom_tool_call_output',
            call_id: id,
            output: 'Exit code: 0\nWall time: 0.1 seconds\nOutput:\n',
          });
        },
      ])();
    }
  }
  return { tool: 'codex', sessionId, records };
}

'use strict';

// Makes uploads of session records, as released clients send them: each event holds one record of an agent's transcript.
// Kinds and sizes are in realistic proportions; most bytes are results and messages. The same in every run.

const { randomFrom } = require('./inputs.js');
const { transcriptLines } = require('./transcripts.js');

const RECORDS = 250;

/** Longer records are left out: one of them would outweigh all others. */
const LONGEST_BYTES = 100_000;

const WORDS =
  'the parser crashes when "null" is read\nso I added\ta check and a test that covers C:\\src\\main.rs let me look — at “it” first'.split(
    ' ',
  );

/**
 * What a dialect's records are made of: an id of their own, texts, and the time that goes on.
 *
 * @typedef {object} Pen
 * @property {() => string} id
 * @property {(longest: number) => string} text short ones are more frequent than long ones
 * @property {() => number} ms
 * @property {() => string} time the same as text
 * @property {(list: string[]) => string} pick
 */

/** @returns {Pen & { random: () => number }} */
function newPen() {
  const random = randomFrom(7);
  let now = Date.UTC(2026, 0, 5, 9);
  const ms = () => {
    now += 1 + Math.floor(random() * 2500);
    return now;
  };
  const pick = (/** @type {string[]} */ list) => list[Math.floor(random() * list.length)];
  return {
    random,
    id: () =>
      Math.floor(random() * 2 ** 48)
        .toString(16)
        .padStart(12, '0'),
    text: (longest) => {
      const length = longest * random() * random();
      let text = pick(WORDS);
      while (text.length < length) text += ` ${pick(WORDS)}`;
      return text;
    },
    ms,
    time: () => new Date(ms()).toISOString(),
    pick,
  };
}

/**
 * Each agent's records: how often a kind comes, and how it is made.
 *
 * @type {Record<string, [number, (pen: Pen) => object][]>}
 */
const KINDS = {
  codex: [
    [
      4,
      (pen) =>
        codexItem(pen, {
          type: 'function_call',
          name: 'exec_command',
          arguments: JSON.stringify({ cmd: pen.text(600) }),
        }),
    ],
    [1, (pen) => codexItem(pen, { type: 'custom_tool_call', name: 'apply_patch', input: pen.text(4000) })],
    [5, (pen) => codexItem(pen, { type: 'function_call_output', output: codexOutput(pen) })],
    [
      3,
      (pen) =>
        codexItem(pen, {
          type: 'reasoning',
          summary: [{ type: 'summary_text', text: pen.text(600) }],
          encrypted_content: pen.id().repeat(150),
        }),
    ],
    [
      2,
      (pen) =>
        codexItem(pen, {
          type: 'message',
          role: 'assistant',
          content: [{ type: 'output_text', text: pen.text(2000) }],
        }),
    ],
    [
      2,
      (pen) =>
        codexReport(pen, {
          type: 'CommandExecution',
          command: ['/bin/bash', '-lc', pen.text(600)],
          source: 'agent',
          status: 'completed',
          aggregated_output: pen.text(12_000),
          exit_code: 0,
          duration: { secs: 1, nanos: 26830 },
        }),
    ],
    [1, (pen) => codexReport(pen, { type: 'AgentMessage', content: [{ type: 'Text', text: pen.text(2000) }] })],
    [
      1,
      (pen) =>
        codexReport(pen, { type: 'UserMessage', content: [{ type: 'text', text: pen.text(800), text_elements: [] }] }),
    ],
    [
      2,
      (pen) =>
        codexLine(pen, 'event_msg', {
          type: 'token_count',
          info: { total_token_usage: { input_tokens: 100, output_tokens: 20 }, model_context_window: 258400 },
        }),
    ],
    [
      1,
      (pen) =>
        codexLine(pen, 'turn_context', {
          turn_id: pen.id(),
          cwd: '/home/dev/parser',
          model: 'gpt-6.1-sol',
          summary: 'none',
        }),
    ],
  ],
  gemini: [
    [6, (pen) => geminiMessage(pen, { content: '', thoughts: [geminiThought(pen)], toolCalls: [geminiCall(pen)] })],
    [2, (pen) => geminiMessage(pen, { content: pen.text(2000), thoughts: [geminiThought(pen), geminiThought(pen)] })],
    [1, (pen) => ({ id: pen.id(), timestamp: pen.time(), type: 'user', content: [{ text: pen.text(800) }] })],
    [1, (pen) => ({ $set: { lastUpdated: pen.time() } })],
  ],
  'github-copilot-cli': [
    [
      2,
      (pen) =>
        copilotLine(pen, 'hook.start', {
          hookType: 'postToolUse',
          input: { toolName: 'bash', toolResult: { textResultForLlm: pen.text(6000) } },
        }),
    ],
    [2, (pen) => copilotLine(pen, 'hook.end', { hookType: 'postToolUse', success: true })],
    [
      3,
      (pen) =>
        copilotLine(pen, 'assistant.message', {
          messageId: pen.id(),
          model: 'claude-opus-4.8',
          content: pen.text(2000),
          reasoningText: pen.text(800),
          toolRequests: [{ toolCallId: pen.id(), name: 'bash', arguments: { command: pen.text(600) } }],
        }),
    ],
    [
      3,
      (pen) =>
        copilotLine(pen, 'tool.execution_start', {
          toolCallId: pen.id(),
          toolName: pen.pick(['bash', 'view', 'edit', 'grep']),
          arguments: { command: pen.text(2000) },
          model: 'claude-opus-4.8',
        }),
    ],
    [
      3,
      (pen) =>
        copilotLine(pen, 'tool.execution_complete', {
          toolCallId: pen.id(),
          success: true,
          shellExecution: { exitCode: 0 },
          result: copilotResult(pen),
          toolTelemetry: { properties: { detached: 'false' }, metrics: { result_token_count: 15 } },
        }),
    ],
    [1, (pen) => copilotLine(pen, 'user.message', copilotPrompt(pen))],
  ],
  opencode: [
    [
      4,
      (pen) =>
        opencodePart(pen, {
          type: 'tool',
          tool: pen.pick(['bash', 'read', 'edit', 'grep']),
          callID: pen.id(),
          state: opencodeState(pen),
        }),
    ],
    [
      2,
      (pen) => opencodePart(pen, { type: 'reasoning', text: pen.text(800), time: { start: pen.ms(), end: pen.ms() } }),
    ],
    [2, (pen) => opencodePart(pen, { type: 'text', text: pen.text(2000), time: { start: pen.ms(), end: pen.ms() } })],
    [
      2,
      (pen) =>
        opencodePart(pen, {
          type: 'step-finish',
          reason: 'tool-calls',
          snapshot: pen.id(),
          cost: 0,
          tokens: { input: 100, output: 20 },
        }),
    ],
    [3, (pen) => opencodeMessage(pen)],
  ],
};

function codexLine(pen, type, payload) {
  return { timestamp: pen.time(), ordinal: 12, type, payload };
}

function codexItem(pen, item) {
  const metadata = { history_sequence: 8, sampled_through_sequence: 7, client_authored: false };
  return { ...codexLine(pen, 'response_item', { ...item, id: pen.id(), call_id: pen.id() }), metadata };
}

function codexReport(pen, item) {
  const span = { started_at_ms: pen.ms(), completed_at_ms: pen.ms() };
  return codexLine(pen, 'event_msg', {
    type: 'item_completed',
    thread_id: pen.id(),
    item: { id: pen.id(), ...item },
    ...span,
  });
}

function codexOutput(pen) {
  return `Chunk ID: 0a1b2c\nWall time: 0.2100 seconds\nProcess exited with code 0\nOriginal token count: 3\nOutput:\n${pen.text(12_000)}`;
}

function geminiMessage(pen, more) {
  return { id: pen.id(), timestamp: pen.time(), type: 'gemini', ...more, model: 'gemini-2.5-pro' };
}

function geminiThought(pen) {
  return { subject: 'Reading the parser', description: pen.text(600), timestamp: pen.time() };
}

function geminiCall(pen) {
  const [id, name, output] = [pen.id(), 'run_shell_command', pen.text(10_000)];
  const response = { output: `<untrusted_context>\nOutput: ${output}\nProcess Group PGID: 6898\n</untrusted_context>` };
  return {
    id,
    name,
    args: { command: pen.text(300), description: 'Run a command' },
    result: [{ functionResponse: { id, name, response } }],
    status: 'success',
    timestamp: pen.time(),
    resultDisplay: output,
    displayName: 'Shell',
  };
}

function copilotLine(pen, type, data) {
  return { type, data, id: pen.id(), timestamp: pen.time(), parentId: pen.id() };
}

function copilotResult(pen) {
  const output = pen.text(12_000);
  return { content: `${output}\n<shellId: 0 completed with exit code 0>`, detailedContent: output };
}

function copilotPrompt(pen) {
  const content = pen.text(800);
  return { content, transformedContent: `<current_datetime>now</current_datetime>\n\n${content}`, attachments: [] };
}

const OPENCODE_SESSION = 'ses_debeea698ffe9Tz0stJ8vzqljm';

function opencodeRow(pen, row) {
  return { ...row, session_id: OPENCODE_SESSION, time_created: pen.ms(), time_updated: pen.ms() };
}

function opencodePart(pen, data) {
  return { table: 'part', ...opencodeRow(pen, { id: `prt_${pen.id()}`, message_id: `msg_${pen.id()}` }), data };
}

function opencodeMessage(pen) {
  const data = {
    role: 'assistant',
    mode: 'build',
    path: { cwd: '/home/dev/parser', root: '/home/dev/parser' },
    cost: 0,
    modelID: 'gpt-5.4',
    providerID: 'openai',
    time: { created: pen.ms(), completed: pen.ms() },
    finish: 'tool-calls',
  };
  return { table: 'message', ...opencodeRow(pen, { id: `msg_${pen.id()}` }), data };
}

function opencodeState(pen) {
  const output = pen.text(10_000);
  return {
    status: 'completed',
    input: { command: pen.text(600), description: 'Run a command' },
    output,
    metadata: { output, exit: 0, truncated: false },
    title: 'cargo test',
    time: { start: pen.ms(), end: pen.ms() },
  };
}

/** Yields records of a table of kinds, without end. */
function* recordsOfKinds(kinds) {
  const pen = newPen();
  const bag = kinds.flatMap(([often, make]) => Array.from({ length: often }, () => make));
  for (;;) yield JSON.stringify(bag[Math.floor(pen.random() * bag.length)](pen));
}

/** The agents whose records can be made. */
const AGENTS = ['claude', ...Object.keys(KINDS)];

/**
 * An upload of 250 records of `agent`. `tool` is the agent that it names: nothing is derived for one that isn't known.
 *
 * @param {string} agent
 * @param {string} [tool]
 */
function makeRecordUpload(agent, tool = agent) {
  const lines = agent === 'claude' ? transcriptLines() : recordsOfKinds(KINDS[agent]);
  const attributes = { 0: '1.6.9', 20: tool, 23: '6d9a3c1e', 24: 's_0123456789abcd', 25: 't_1' };
  const events = [];
  for (const line of lines) {
    if (line.length > LONGEST_BYTES) continue;
    const { uuid, id = uuid ?? null, parentUuid, parentId = parentUuid ?? null, timestamp } = JSON.parse(line);
    const t = Math.floor(Date.parse(timestamp) / 1000) || 1;
    const others = `"1":${JSON.stringify(id)},"2":${JSON.stringify(parentId)}`;
    events.push(`{"t":${t},"e":5,"v":{"0":${line},${others}},"a":${JSON.stringify(attributes)}}`);
    if (events.length === RECORDS) break;
  }
  return Buffer.from(`{"v":1,"events":[${events}]}`);
}

module.exports = { AGENTS, RECORDS, makeRecordUpload };

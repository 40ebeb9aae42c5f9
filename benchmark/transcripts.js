'use strict';

// Makes long transcripts like real ones, the same in every run: 30 % progress lines, 39 % assistant lines, 23 % user
// lines, the rest of other types. A few lines have over 1 MB.

const { createHash } = require('node:crypto');
const { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync, writeSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { randomFrom } = require('./inputs.js');

const FOLDER = join(__dirname, '..', 'target', 'transcripts');

const WORDS =
  'the parser crashes when "null" is read\nso I added\ta check and a test that covers C:\\src\\main.rs let me look — at “it” first'.split(
    ' ',
  );
const TOOLS = ['Bash', 'Read', 'Grep', 'Edit', 'Write', 'Task', 'WebFetch', 'TodoWrite', 'mcp__github__get_issue'];

/** Yields lines without end. */
function* transcriptLines(seed = 1) {
  const random = randomFrom(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const id = () => createHash('sha256').update(String(random())).digest('hex').slice(0, 24);
  const text = (length) => {
    const parts = [];
    for (let at = 0; at < length; ) {
      const word = pick(WORDS);
      parts.push(word);
      at += word.length + 1;
    }
    return parts.join(' ');
  };
  let now = Date.UTC(2026, 0, 5, 9);
  const open = [];
  const envelope = (type) => {
    now += Math.floor(random() * 2500);
    return {
      parentUuid: id(),
      isSidechain: false,
      userType: 'external',
      cwd: '/home/dev/parser',
      sessionId: '6d9a3c1e-58f0-4a55-9f7e-0d5a9ce41b11',
      version: '2.1.119',
      gitBranch: 'main',
      type,
    };
  };
  const closing = () => ({ uuid: id(), timestamp: new Date(now).toISOString() });
  const assistant = (block) => ({
    ...envelope('assistant'),
    message: {
      model: 'claude-opus-4-1-20250805',
      id: `msg_${id()}`,
      type: 'message',
      role: 'assistant',
      content: [block],
      stop_reason: null,
      usage: { input_tokens: 4, cache_creation_input_tokens: 1201, cache_read_input_tokens: 40211, output_tokens: 77 },
    },
    requestId: `req_${id()}`,
    ...closing(),
  });
  const call = () => {
    const block = { type: 'tool_use', id: `toolu_${id()}`, name: pick(TOOLS), input: { description: text(300) } };
    open.push(block);
    return assistant(block);
  };
  const result = () => {
    const { id: called, name } = open.splice(Math.floor(random() * open.length), 1)[0];
    const output = text(random() < 0.002 ? 700_000 : 400 + 3000 * random() * random());
    const block = { tool_use_id: called, type: 'tool_result', content: output };
    if (random() < 0.05) block.is_error = true;
    const report = name === 'WebFetch' ? { bytes: 1, durationMs: Math.floor(random() * 4000) } : { stdout: output };
    const message = { role: 'user', content: [block] };
    return { ...envelope('user'), message, toolUseResult: report, ...closing() };
  };
  const progress = () => {
    const called = open.length > 0 ? open[open.length - 1] : { id: `toolu_${id()}`, name: 'Bash' };
    const isMcp = called.name.startsWith('mcp__') && random() < 0.3;
    const nested = {
      type: 'user',
      message: { role: 'user', content: [{ type: 'text', text: text(900) }] },
      uuid: id(),
    };
    const data = isMcp
      ? { type: 'mcp_progress', status: 'completed', serverName: 'github', elapsedTimeMs: Math.floor(random() * 900) }
      : random() < 0.4
        ? { type: 'agent_progress', prompt: '', agentId: id(), message: nested, normalizedMessages: [] }
        : { type: 'bash_progress', output: text(300), fullOutput: text(700), elapsedTimeSeconds: 3, totalLines: 12 };
    return {
      ...envelope('progress'),
      data,
      toolUseID: `bash-progress-${id()}`,
      parentToolUseID: called.id,
      ...closing(),
    };
  };
  for (;;) {
    const dice = random();
    if (dice < 0.3) yield JSON.stringify(progress());
    else if (dice < 0.69) {
      const kind = random();
      if (kind < 0.55) yield JSON.stringify(call());
      else if (kind < 0.85) yield JSON.stringify(assistant({ type: 'text', text: text(random() * 1500) }));
      else yield JSON.stringify(assistant({ type: 'thinking', thinking: text(600), signature: id().repeat(15) }));
    } else if (dice < 0.92 && open.length > 0 && random() < 0.97) yield JSON.stringify(result());
    else if (dice < 0.92) {
      const message = { role: 'user', content: text(random() * 600) };
      yield JSON.stringify({ ...envelope('user'), message, ...closing() });
    } else {
      const snapshot = { messageId: id(), trackedFileBackups: { 'src/main.rs': { backupFileName: id(), version: 2 } } };
      yield JSON.stringify({ type: 'file-history-snapshot', messageId: id(), snapshot, isSnapshotUpdate: false });
    }
  }
}

/** Yields, without end, the shortest calls that an agent can write, each with its result. */
function* shortLines() {
  const time = '2026-01-05T09:00:00.000Z';
  for (let n = 0; ; n++) {
    const block = { type: 'tool_use', id: `toolu_${n}`, name: 'Bash', input: {} };
    yield JSON.stringify({ type: 'assistant', timestamp: time, message: { content: [block] } });
    const result = { type: 'tool_result', tool_use_id: block.id, content: '' };
    yield JSON.stringify({ type: 'user', timestamp: time, message: { content: [result] } });
  }
}

/** Returns a transcript of this many megabytes. Makes it if it doesn't exist yet. */
function transcriptFile(megabytes, lines = transcriptLines) {
  const path = join(FOLDER, `${megabytes}-mb-of-${lines.name}.jsonl`);
  if (existsSync(path)) return { path, bytes: statSync(path).size };
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(`${path}.new`, 'w');
  let bytes = 0;
  for (const line of lines()) {
    if (bytes >= megabytes * 1_000_000) break;
    bytes += writeSync(file, `${line}\n`);
  }
  closeSync(file);
  renameSync(`${path}.new`, path);
  return { path, bytes };
}

module.exports = { shortLines, transcriptFile, transcriptLines };

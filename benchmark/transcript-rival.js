'use strict';

// The code that a TypeScript engineer would write to get the same events from a transcript: split, JSON.parse, and
// check each line. It leaves out skill files and rewound transcripts, which the benchmark's transcript doesn't have.

const crypto = require('node:crypto');

const sha256 = crypto.hash
  ? (text) => crypto.hash('sha256', text)
  : (text) => crypto.createHash('sha256').update(text).digest('hex');

const FILE_WRITERS = new Set(['Write', 'Edit', 'MultiEdit']);
const NOT_HUMAN =
  /^(<command-name>|<local-command-stdout>|<local-command-stderr>|<local-command-caveat>|<bash-stdout>|<task-notification>|\[Request interrupted by user(?: for tool use)?\]$)/;

function cut(text, longest) {
  if (text.length * 3 <= longest) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= longest) return text;
  let end = longest;
  while ((bytes[end] & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

function kindOf(tool) {
  if (tool.startsWith('mcp__')) return 'McpCall';
  if (FILE_WRITERS.has(tool)) return 'FileWrite';
  return tool === 'Skill' || tool === 'SlashCommand' ? 'SkillInvocation' : 'ToolCall';
}

function parseTranscript(jsonl, sessionId) {
  const promptId = sha256(`claude:${sessionId}`).slice(0, 16);
  const events = [];
  const calls = new Map();
  /** The first duration that progress has reported of each call. It counts once the result is there. */
  const reports = new Map();
  let index = 0;
  let parentId = null;
  let branch;
  const event = (line, kind, content, idContent) => {
    const startTs = Date.parse(line.timestamp);
    const values = {
      kind,
      eventId: `${promptId}:${sha256(`${promptId}:${kind}:${idContent}:${index++}`).slice(0, 12)}`,
    };
    Object.assign(values, { parentId, parentIdEstimated: false, startTs, inputHash: sha256(content).slice(0, 16) });
    return {
      metric: 'prompt_event',
      timestamp: Math.floor(startTs / 1000),
      values,
      attributes: { tool: 'claude', promptId, externalPromptId: sessionId, branch },
    };
  };
  const emit = (made) => {
    parentId = made.values.eventId;
    events.push(made);
  };
  const reportedBy = (result) => {
    if (typeof result !== 'object' || result === null) return undefined;
    const ms = result.durationMs ?? result.totalDurationMs ?? result.durationSeconds * 1000;
    return Number.isFinite(ms) ? Math.round(ms) : undefined;
  };
  for (const text of jsonl.toString().split('\n')) {
    let line;
    try {
      line = JSON.parse(text);
    } catch {
      continue;
    }
    branch ??= line.gitBranch;
    const content = line.message?.content;
    if (line.type === 'user') {
      if (Array.isArray(content)) {
        for (const block of content) {
          const made = block.type === 'tool_result' && calls.get(block.tool_use_id);
          if (!made) continue;
          made.values.error = block.is_error === true;
          made.values.observedDurationMs = Date.parse(line.timestamp) - made.values.startTs;
          const reported = reportedBy(line.toolUseResult) ?? reports.get(block.tool_use_id);
          if (reported !== undefined) made.values.reportedDurationMs = reported;
        }
      }
      const typed = Array.isArray(content)
        ? content
            .filter((block) => block.type === 'text')
            .map((block) => block.text)
            .join('\n')
        : (content ?? '');
      if (typed.trim() === '') continue;
      const made = event(line, 'HumanMessage', typed, cut(typed, 256));
      if (line.isMeta || line.isCompactSummary || line.isSidechain || line.planContent) continue;
      if (NOT_HUMAN.test(typed) || (line.origin && line.origin.kind !== 'human')) continue;
      made.values.inputText = cut(typed, 1024);
      emit(made);
    } else if (line.type === 'assistant' && Array.isArray(content)) {
      const { model } = line.message;
      for (const block of content) {
        let made;
        if (block.type === 'tool_use') {
          const kind = kindOf(block.name);
          const named = `${block.name}:${block.id}`;
          made = event(line, kind, named, named);
          made.values.toolCallName = block.name;
          calls.set(block.id, made);
        } else if (block.type === 'text' && block.text.trim() !== '') {
          made = event(line, 'AiMessage', block.text, cut(block.text, 256));
          made.values.inputText = cut(block.text, 1024);
        } else if (block.type === 'thinking' && block.thinking.trim() !== '') {
          made = event(line, 'ThinkingMessage', block.thinking, cut(block.thinking, 256));
        } else continue;
        if (model !== '<synthetic>') made.values.model = model;
        emit(made);
      }
    } else if (line.type === 'progress' && line.data?.type === 'mcp_progress') {
      const { status, elapsedTimeMs } = line.data;
      if ((status === 'completed' || status === 'failed') && !reports.has(line.parentToolUseID)) {
        reports.set(line.parentToolUseID, Math.round(elapsedTimeMs));
      }
    }
  }
  return events;
}

module.exports = { parseTranscript };

import { createHash } from 'node:crypto';

// The flattening of a transcript once more, as slow and plain as can be: what takes a number, what is emitted, and what is
// known of a call at the transcript's end. Skill files aside.

/** Whatever JSON holds. */
type Json = ReturnType<typeof JSON.parse>;

export interface Item {
  index: number;
  kind: string;
  content: string;
  eventId: string;
  emitted: boolean;
  startTs?: number;
  inputText?: string;
  toolCallName?: string;
  model?: string;
  callId?: string;
  error?: boolean;
  reportedDurationMs?: number;
  observedDurationMs?: number;
}

const hex = (text: string, length: number) => createHash('sha256').update(text).digest('hex').slice(0, length);

/** As Rust trims, which is by Unicode's White_Space and not by JavaScript's idea of it. */
const isBlank = (text: string) => /^\p{White_Space}*$/u.test(text);

function cutTo(text: string, bytes: number): string {
  // Not by code unit: half a pair is no character.
  const characters = Array.from(text);
  while (Buffer.byteLength(characters.join('')) > bytes) characters.pop();
  return characters.join('');
}

export function parsedLines(jsonl: string): Json[] {
  const lines: Json[] = [];
  for (const text of jsonl.split('\n')) {
    try {
      const line = JSON.parse(text);
      if (typeof line === 'object' && line !== null && !Array.isArray(line)) lines.push(line);
    } catch {}
  }
  return lines;
}

/** The client in the field skips lines with half a pair of surrogates, as UTF-8 can't hold one. */
const isWellFormed = (line: Json): boolean => {
  let isSound = true;
  const look = (text: string) => {
    if (Buffer.from(text).toString() !== text) isSound = false;
  };
  JSON.stringify(line, (key, value) => {
    look(key);
    if (typeof value === 'string') look(value);
    return value;
  });
  return isSound;
};

const blocksOf = (line: Json): Json[] => {
  const content = line.message?.content;
  return Array.isArray(content) ? content.filter((block) => typeof block === 'object' && block !== null) : [];
};

function userText(line: Json): string {
  const content = line.message?.content;
  if (typeof content === 'string') return content;
  const texts = blocksOf(line).filter((block) => block.type === 'text' && typeof block.text === 'string');
  return texts.map((block) => block.text).join('\n');
}

function timeOf(line: Json): number | undefined {
  if (typeof line.timestamp !== 'string') return undefined;
  const time = Date.parse(line.timestamp);
  return Number.isNaN(time) ? undefined : time;
}

function isHuman(line: Json, text: string): boolean {
  if (line.isMeta === true || line.isCompactSummary === true || line.isSidechain === true) return false;
  if (line.planContent !== undefined && line.planContent !== null) return false;
  if (typeof line.origin?.kind === 'string' && line.origin.kind !== 'human') return false;
  if (text === '[Request interrupted by user]' || text === '[Request interrupted by user for tool use]') return false;
  const tag =
    /^<(command-name|local-command-stdout|local-command-stderr|local-command-caveat|bash-stdout|task-notification)>/;
  return text !== '' && !tag.test(text);
}

const trim = (text: string) => text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '');

/** A text without what the harness slipped into it. */
const withoutReminders = (text: string) => {
  const without = text.replace(/<system-reminder>[\s\S]*?<\/system-reminder>/g, '');
  return without === text ? text : trim(without);
};

/** What was typed of a text without reminders. */
function clean(text: string): string {
  const trimmed = text.replace(/^\p{White_Space}+/u, '');
  const command = /^<command-message>[\s\S]*?<command-name>\s*\/?([\s\S]*?)\s*<\/command-name>/.exec(trimmed);
  if (command) {
    const args = trim(/<command-args>([\s\S]*?)<\/command-args>/.exec(trimmed)?.[1] ?? '');
    return args === '' ? `/${command[1]}` : `/${command[1]} ${args}`;
  }
  const bash = /^<bash-input>([\s\S]*)$/.exec(trimmed);
  return bash ? `!${bash[1]?.split('</bash-input>')[0]}` : text;
}

function kindOf(tool: string): string {
  if (tool.startsWith('mcp__')) return 'McpCall';
  if (['Write', 'Edit', 'MultiEdit'].includes(tool)) return 'FileWrite';
  return ['Skill', 'SlashCommand'].includes(tool) ? 'SkillInvocation' : 'ToolCall';
}

export function flatten(jsonl: string, sessionId: string): Item[] {
  const promptId = hex(`claude:${sessionId}`, 16);
  const lines = parsedLines(jsonl);
  const items: Item[] = [];
  const add = (line: Json, kind: string, content: string, rest: Partial<Item>) => {
    const index = items.length;
    const isMessage = /Message$/.test(kind);
    const idContent = isMessage ? cutTo(content, 256) : content;
    const eventId = `${promptId}:${hex(`${promptId}:${kind}:${idContent}:${index}`, 12)}`;
    const time = timeOf(line);
    items.push({
      index,
      kind,
      content,
      eventId,
      emitted: true,
      ...(time === undefined || time < 0 ? {} : { startTs: time }),
      ...rest,
    });
  };
  const met = new Set<string>();
  for (const line of lines.filter(isWellFormed)) {
    if (line.type === 'user') {
      const text = userText(line);
      if (isBlank(text)) continue;
      const said = withoutReminders(text);
      const emitted = isHuman(line, trim(said));
      add(line, 'HumanMessage', text, { emitted, inputText: cutTo(clean(said), 1024) });
    }
    if (line.type !== 'assistant') continue;
    const said = line.message?.model;
    const model = typeof said === 'string' && said !== '<synthetic>' ? { model: said } : {};
    for (const block of blocksOf(line)) {
      if (block.type === 'thinking' && typeof block.thinking === 'string' && !isBlank(block.thinking)) {
        add(line, 'ThinkingMessage', block.thinking, model);
      }
      if (block.type === 'text' && typeof block.text === 'string' && !isBlank(block.text)) {
        add(line, 'AiMessage', block.text, { ...model, inputText: cutTo(block.text, 1024) });
      }
      if (block.type === 'tool_use') {
        const name = typeof block.name === 'string' ? block.name : 'unknown';
        const callId = typeof block.id === 'string' ? block.id : '';
        const emitted = callId === '' || !met.has(callId);
        met.add(callId);
        add(line, kindOf(name), `${name}:${callId}`, { ...model, emitted, callId, toolCallName: name });
      }
    }
  }
  for (const item of items) {
    if (!item.emitted || item.callId === undefined || item.callId === '') continue;
    addResult(item, lines);
  }
  return items;
}

/** Looks through the whole transcript for what became of one call. */
function addResult(item: Item, lines: Json[]) {
  const reports = (value: Json) => typeof value === 'number' && value >= 0;
  for (const line of lines) {
    const results = line.type === 'user' ? blocksOf(line).filter((block) => block.type === 'tool_result') : [];
    const result = results.find((block) => block.tool_use_id === item.callId);
    if (!result) continue;
    item.error = result.is_error === true;
    const time = timeOf(line);
    if (time !== undefined && item.startTs !== undefined && time >= item.startTs) {
      item.observedDurationMs = time - item.startTs;
    }
    const report = line.toolUseResult;
    if (results.length === 1 && typeof report === 'object' && report !== null && !Array.isArray(report)) {
      const { durationMs, totalDurationMs, durationSeconds } = report;
      if (reports(durationMs)) item.reportedDurationMs = Math.round(durationMs);
      else if (reports(totalDurationMs)) item.reportedDurationMs = Math.round(totalDurationMs);
      else if (reports(durationSeconds)) item.reportedDurationMs = Math.round(durationSeconds * 1000);
    }
    break;
  }
  if (item.reportedDurationMs !== undefined || item.error === undefined) return;
  const progress = lines.find(
    ({ type, data, parentToolUseID }) =>
      type === 'progress' &&
      data?.type === 'mcp_progress' &&
      ['completed', 'failed'].includes(data.status) &&
      reports(data.elapsedTimeMs) &&
      parentToolUseID === item.callId,
  );
  if (progress) item.reportedDurationMs = Math.round(progress.data.elapsedTimeMs);
}

/** The values of the events that a transcript gives, in order. */
export function expectedValues(jsonl: string, sessionId: string): object[] {
  let parentId: string | null = null;
  return flatten(jsonl, sessionId)
    .filter(({ emitted }) => emitted)
    .map(({ index, content, emitted, callId, ...values }) => {
      const event = { ...values, parentId, parentIdEstimated: false, inputHash: hex(content, 16) };
      parentId = values.eventId;
      return event;
    });
}

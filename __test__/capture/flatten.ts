import { createHash } from 'node:crypto';

// The flattening of a transcript once more, as slow and plain as can be: which items take a number, which are emitted, and
// what is known about a call at the transcript's end. Skill files aside.

/** Whatever JSON holds. */
type Json = ReturnType<typeof JSON.parse>;

export interface Item {
  index: number;
  kind: string;
  /** What the hash is made of. */
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
  for (const text of jsonl.replace(/^\ufeff/, '').split('\n')) {
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

const HARNESS =
  /^(<(command-name|local-command-stdout|local-command-stderr|local-command-caveat|bash-stdout|task-notification)>|Implement the following plan:|Another Claude session sent a message:)/;

/** Whether a human may have written this cleaned text. */
function isHumanText(text: string): boolean {
  if (text === '[Request interrupted by user]' || text === '[Request interrupted by user for tool use]') return false;
  return text !== '' && (!HARNESS.test(text) || goalOf(text) !== undefined);
}

/** What the human set as a goal. */
const goalOf = (text: string) =>
  /^\p{White_Space}*<command-name>\/goal<\/command-name>[\s\S]*?<command-args>\p{White_Space}*(?!clear\p{White_Space}*<\/|<\/)([\s\S]*?)\p{White_Space}*<\/command-args>/u.exec(
    text,
  )?.[1];

function isHuman(line: Json, text: string): boolean {
  if (line.isMeta === true || line.isCompactSummary === true || line.isSidechain === true) return false;
  if (line.planContent !== undefined && line.planContent !== null) return false;
  if (typeof line.origin?.kind === 'string' && line.origin.kind !== 'human') return false;
  if (typeof line.turnOrigin === 'string' && !['human', 'sdk'].includes(line.turnOrigin)) return false;
  return line.promptSource !== 'system' && isHumanText(text);
}

const trim = (text: string) => text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '');

/** A text without what the harness and editors slipped into it. */
const withoutAdditions = (text: string) => {
  let without = text;
  for (const tag of ['system-reminder', 'ide_opened_file', 'ide_selection', 'ide_diagnostics', 'ci-monitor-event']) {
    without = without.replace(new RegExp(`<${tag}>[\\s\\S]*?</${tag}>`, 'g'), '');
  }
  return without === text ? text : trim(without);
};

/** The command that was typed, and its arguments. */
function commandOf(text: string): { name: string; args: string } | undefined {
  const trimmed = text.replace(/^\p{White_Space}+/u, '');
  const command = /^<command-message>[\s\S]*?<command-name>\s*\/?([\s\S]*?)\s*<\/command-name>/.exec(trimmed);
  if (!command) return undefined;
  return { name: command[1] ?? '', args: trim(/<command-args>([\s\S]*?)<\/command-args>/.exec(trimmed)?.[1] ?? '') };
}

/** The words that were typed in a text without additions. */
function clean(text: string): string {
  if (goalOf(text) !== undefined) return `/goal ${goalOf(text)}`;
  const command = commandOf(text);
  if (command) return command.args === '' ? `/${command.name}` : `/${command.name} ${command.args}`;
  const trimmed = text.replace(/^\p{White_Space}+/u, '');
  const bash = /^<bash-input>([\s\S]*)$/.exec(trimmed);
  if (bash) return `!${bash[1]?.split('</bash-input>')[0]}`;
  const paste = /<pasted_content[^>]*>([\s\S]*?)(<\/pasted_content[^>]*>|$)/g;
  const words = text.replace(paste, '');
  if (words === text) return text;
  return trim(isBlank(words) ? Array.from(text.matchAll(paste), ([, pasted]) => pasted).join('') : words);
}

/** Those that the fixtures type. */
const BUILT_IN = ['clear', 'compact', 'help', 'review'];

function kindOf(tool: string): string {
  if (tool.startsWith('mcp__')) return 'McpCall';
  if (['Write', 'Edit', 'MultiEdit'].includes(tool)) return 'FileWrite';
  return ['Skill', 'SlashCommand'].includes(tool) ? 'SkillInvocation' : 'ToolCall';
}

interface Queued {
  text: string;
  key: string;
  time: number | undefined;
  hasLeft: boolean;
  /** Whether a human typed it, and the text is known. Others only hold their place. */
  isHuman: boolean;
}

const isOfSubagent = (line: Json) => line.isSidechain === true && typeof line.agentId === 'string';

export function flatten(jsonl: string, sessionId: string): Item[] {
  const promptId = hex(`claude:${sessionId}`, 16);
  const lines = parsedLines(jsonl);
  const items: Item[] = [];
  const given = new Set<string>();
  let numbered = 0;
  let queue: Queued[] = [];

  const add = (
    time: number | undefined,
    kind: string,
    content: string,
    key: string,
    index: number,
    rest: Partial<Item>,
  ) => {
    const idContent = /Message$/.test(kind) ? cutTo(key, 256) : key;
    const eventId = `${promptId}:${hex(`${promptId}:${kind}:${idContent}:${index}`, 12)}`;
    const start = time === undefined || time < 0 ? {} : { startTs: time };
    const item = { index, kind, content, eventId, emitted: true, ...start, ...rest };
    items.push(item);
    if (item.emitted && given.has(eventId)) item.emitted = false;
    if (item.emitted) given.add(eventId);
    return item;
  };
  /** An item that takes a number, or a subagent's, which has a key of its own. */
  const addItem = (line: Json, kind: string, content: string, place: number, rest: Partial<Item>) => {
    if (!isOfSubagent(line)) return add(timeOf(line), kind, content, content, numbered++, rest);
    const key = `${line.agentId}:${line.uuid}:${place}`;
    return add(timeOf(line), kind, content, 'callId' in rest ? content : key, 0, rest);
  };
  const giveQueued = (isReady: (queued: Queued) => boolean) => {
    const ready = queue.filter(isReady);
    queue = queue.filter((queued) => !isReady(queued));
    for (const { text, key, time, isHuman } of ready) {
      if (!isHuman) continue;
      const inputText = cutTo(clean(withoutAdditions(text)), 1024);
      if (isHumanText(trim(withoutAdditions(text)))) add(time, 'HumanMessage', text, key, 0, { inputText });
    }
  };
  const leaveQueue = (forms: string[]): boolean => {
    const before = queue.length;
    const place = queue.findIndex(({ text }) => forms.some((form) => trim(form) === trim(text)));
    const isJoined = ({ text, isHuman }: Queued) =>
      isHuman && forms.some((form) => form.includes('\n') && form.includes(trim(text)));
    queue = queue.filter((queued, n) => (place < 0 ? !isJoined(queued) : n !== place));
    if (queue.length < before) return true;
    const unknown = queue.findIndex(({ text }) => text === '');
    if (unknown >= 0) queue.splice(unknown, 1);
    return unknown >= 0;
  };
  const isNoLater = (line: Json) => (queued: Queued) =>
    queued.time === undefined || (timeOf(line) !== undefined && queued.time <= (timeOf(line) as number));

  const met = new Set<string>();
  let isAnnounced = false;
  for (const line of lines) {
    if (line.type === 'queue-operation') {
      const { operation, content: text } = line;
      const isIt = (queued: Queued) =>
        !queued.hasLeft && (typeof text !== 'string' || trim(queued.text) === trim(text));
      if (operation === 'popAll') queue = queue.filter(({ hasLeft }) => hasLeft);
      if (operation === 'dequeue' || operation === 'remove') {
        const queued = queue.find(isIt);
        if (queued) queued.hasLeft = true;
      }
      const isCommand = typeof text === 'string' && BUILT_IN.includes(/^\s*\/(\S*)/.exec(text)?.[1] ?? '');
      if (operation === 'enqueue') {
        const said = typeof text === 'string' ? text : '';
        const isHuman = !isCommand && isHumanText(trim(withoutAdditions(said)));
        const key = `queued:${line.timestamp}:${said}`;
        if (!isHuman || typeof line.timestamp === 'string') {
          queue.push({ text: said, key, time: timeOf(line), hasLeft: false, isHuman });
        }
      }
    }
    if (line.type === 'attachment') {
      const { type, commandMode, prompt, origin, source_uuid } = line.attachment ?? {};
      const isHumans = typeof origin?.kind !== 'string' || origin.kind === 'human';
      const text = userText({ message: { content: prompt } });
      if (type !== 'queued_command' || commandMode !== 'prompt' || !isHumans || isBlank(text)) continue;
      leaveQueue([text]);
      const key = `queued:${source_uuid ?? line.uuid ?? line.timestamp}:${text}`;
      queue.push({ text, key, time: timeOf(line), hasLeft: true, isHuman: true });
    }
    if (line.type === 'user') for (const result of resultsOf(line)) addRejection(line, result);
    if (line.type === 'assistant') giveQueued((queued) => queued.hasLeft && isNoLater(line)(queued));
    if (!isWellFormed(line)) continue;
    if (line.type === 'user') {
      const text = userText(line);
      if (isBlank(text) || isOfSubagent(line)) continue;
      const said = withoutAdditions(text);
      const emitted = isHuman(line, trim(said));
      const bare = clean(said).startsWith('!') ? clean(said).slice(1) : text;
      const place = queue.findIndex((queued) => queued.text !== '' && trim(queued.text) === trim(text));
      if (!emitted && place >= 0) queue.splice(place, 1);
      if (emitted && !leaveQueue([text, clean(said), bare])) {
        giveQueued((queued) => timeOf(line) === undefined || isNoLater(line)(queued));
      }
      const { index } = addItem(line, 'HumanMessage', text, 0, { emitted, inputText: cutTo(clean(said), 1024) });
      const bareCommand = isAnnounced ? /^\/([^\s/]+)(?:\s|$)/.exec(said)?.[1] : undefined;
      isAnnounced = line.isMeta === true && text.startsWith('<local-command-caveat>');
      const command = commandOf(said) ?? (bareCommand === undefined ? undefined : { name: bareCommand });
      if (!emitted || !command || BUILT_IN.includes(command.name)) continue;
      const content = `/${command.name}`;
      add(timeOf(line), 'SkillInvocation', content, content, index, { toolCallName: 'SlashCommand' });
    }
    if (line.type !== 'assistant') continue;
    const said = line.message?.model;
    const model = typeof said === 'string' && said !== '<synthetic>' ? { model: said } : {};
    const content = Array.isArray(line.message?.content) ? line.message.content : [];
    for (const [place, block] of content.entries()) {
      if (typeof block !== 'object' || block === null) continue;
      if (block.type === 'thinking' && typeof block.thinking === 'string' && !isBlank(block.thinking)) {
        const ms = line.thinkingDurationMs;
        const duration = typeof ms === 'number' && ms >= 0 ? { reportedDurationMs: Math.round(ms) } : {};
        addItem(line, 'ThinkingMessage', block.thinking, place, { ...model, ...duration });
      }
      if (block.type === 'text' && typeof block.text === 'string' && !isBlank(block.text)) {
        const error = line.isApiErrorMessage === true ? { error: true } : {};
        addItem(line, 'AiMessage', block.text, place, { ...model, ...error, inputText: cutTo(block.text, 1024) });
      }
      if (block.type === 'tool_use') {
        const name = typeof block.name === 'string' ? block.name : 'unknown';
        const callId = typeof block.id === 'string' ? block.id : '';
        const emitted = callId === '' || !met.has(callId);
        met.add(callId);
        addItem(line, kindOf(name), `${name}:${callId}`, place, { ...model, emitted, callId, toolCallName: name });
      }
    }
  }
  giveQueued(() => true);
  for (const item of items) {
    if (!item.emitted || item.callId === undefined || item.callId === '') continue;
    addResult(item, lines);
  }
  return items;

  /** The human's words in the result of a call that he rejected. */
  function addRejection(line: Json, result: Json) {
    if (typeof result.tool_use_id !== 'string' || !neverRan(line, result)) return;
    const [, said] = /[Tt]he user said:([\s\S]*)/.exec(resultText(result)) ?? [];
    const words = trim(said?.split("\n\nNote: The user's next message")[0] ?? '');
    const key = `rejected:${result.tool_use_id}`;
    if (words !== '' && !words.startsWith('The user wants to clarify these questions.'))
      add(timeOf(line), 'HumanMessage', words, key, 0, { inputText: cutTo(words, 1024) });
  }
}

const resultsOf = (line: Json): Json[] => blocksOf(line).filter((block) => block.type === 'tool_result');

const resultText = ({ content }: Json): string => userText({ message: { content } });

const NEVER_RAN =
  /^(The user doesn't want to|User rejected|\[Request interrupted by user|Permission to use [\s\S]*denied|Permission for this tool use was denied|Cancelled: parallel tool call|Sibling tool call errored)/;

function neverRan(line: Json, result: Json): boolean {
  if (result.is_error !== true) return false;
  if (typeof line.toolDenialKind === 'string') return true;
  const permission = line.permissionDecision?.decision ?? line.permissionDecision;
  return ['deny', 'reject'].includes(permission) || NEVER_RAN.test(resultText(result).replace('<tool_use_error>', ''));
}

/** Looks through the whole transcript for what became of one call. */
function addResult(item: Item, lines: Json[]) {
  const reports = (value: Json) => typeof value === 'number' && value >= 0;
  let isLaunched = false;
  for (const line of lines) {
    const results = line.type === 'user' ? resultsOf(line) : [];
    const result = results.find((block) => block.tool_use_id === item.callId);
    if (!result) continue;
    const time = timeOf(line);
    if (time !== undefined && item.startTs !== undefined && time >= item.startTs) {
      item.observedDurationMs = time - item.startTs;
    }
    if (neverRan(line, result)) return;
    item.error = result.is_error === true;
    const report = line.toolUseResult;
    if (typeof report === 'object' && report !== null && !Array.isArray(report)) {
      isLaunched = report.isAsync === true || report.status === 'async_launched';
      const { durationMs, totalDurationMs, durationSeconds } = report;
      if (results.length > 1) break;
      if (reports(durationMs)) item.reportedDurationMs = Math.round(durationMs);
      else if (reports(totalDurationMs)) item.reportedDurationMs = Math.round(totalDurationMs);
      else if (reports(durationSeconds)) item.reportedDurationMs = Math.round(durationSeconds * 1000);
    }
    break;
  }
  if (item.error === undefined) return;
  const notifications = lines.flatMap((line) => {
    const texts = [
      line.type === 'user' && isWellFormed(line) && userText(line),
      line.type === 'queue-operation' && line.operation === 'enqueue' && line.content,
    ];
    if (line.type === 'attachment') texts.push(userText({ message: { content: line.attachment?.prompt } }));
    return texts.filter((text) => typeof text === 'string' && trim(text).startsWith('<task-notification>'));
  });
  const durations = notifications.flatMap((text: string) => {
    const ms = /<duration_ms>\s*(\d+)\s*<\/duration_ms>/.exec(text)?.[1];
    return text.includes(`<tool-use-id>${item.callId}</tool-use-id>`) && ms !== undefined ? [Number(ms)] : [];
  });
  if (isLaunched) delete item.reportedDurationMs;
  if (durations[0] !== undefined) item.reportedDurationMs = durations[0];
  if (item.reportedDurationMs !== undefined || isLaunched) return;
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
  const events = [];
  for (const { index, content, emitted, callId, ...values } of flatten(jsonl, sessionId)) {
    if (emitted) events.push({ ...values, parentId, parentIdEstimated: false, inputHash: hex(content, 16) });
    // What was given before is the one before the next all the same; a call that was met before isn't.
    if (emitted || (callId === undefined && events.some((event) => event.eventId === values.eventId))) {
      parentId = values.eventId;
    }
  }
  return events;
}

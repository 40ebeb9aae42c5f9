'use strict';

// The code that a TypeScript backend would have without this package.

const { z } = require('zod');

/** Returns a string or null unchanged, and `undefined` for anything else. */
const string = (value) => (typeof value === 'string' || value === null ? value : undefined);
const bool = (value) => (typeof value === 'boolean' || value === null ? value : undefined);
const uint = (value) => ((Number.isSafeInteger(value) && value >= 0) || value === null ? value : undefined);

/** Written by hand: one literal per event, one type check per field. Unset fields are present as `undefined`. */
function mapEvent({ t, v, a }) {
  return {
    metric: 'prompt_event',
    timestamp: t,
    values: {
      kind: string(v[0]),
      eventId: string(v[1]),
      parentId: string(v[2]),
      parentIdEstimated: bool(v[3]),
      toolCallName: string(v[4]),
      model: string(v[5]),
      error: bool(v[6]),
      startTs: uint(v[7]),
      reportedDurationMs: uint(v[8]),
      observedDurationMs: uint(v[9]),
      inputHash: string(v[10]),
      inputText: string(v[11]),
      skillFilePath: string(v[12]),
      skillFileMtime: uint(v[13]),
      skillFileHash: string(v[14]),
      endReason: string(v[15]),
    },
    attributes: {
      gitAiVersion: string(a[0]),
      repoUrl: string(a[1]),
      author: string(a[2]),
      commitSha: string(a[3]),
      baseCommitSha: string(a[4]),
      branch: string(a[5]),
      tool: string(a[20]),
      model: string(a[21]),
      promptId: string(a[22]),
      externalPromptId: string(a[23]),
      customAttributes: string(a[30]),
    },
  };
}

function hand(body) {
  const batch = JSON.parse(body.toString());
  return { version: 1, events: batch.events.map(mapEvent), errors: [] };
}

/** The same, but keeps unknown positions, for uploads that have some. */
function handWithUnknown(body) {
  const batch = JSON.parse(body.toString());
  const events = batch.events.map((event) => {
    const mapped = mapEvent(event);
    const unknown = [];
    for (const position in event.v) {
      if (Number(position) > 15) unknown.push({ section: 'values', position, json: JSON.stringify(event.v[position]) });
    }
    if (unknown.length > 0) mapped.unknown = unknown;
    return mapped;
  });
  return { version: 1, events, errors: [] };
}

/** The same for session records, whose JSON is kept as text. */
function handForSessions(body) {
  const batch = JSON.parse(body.toString());
  const events = batch.events.map(({ t, v, a }) => ({
    metric: 'session_event',
    timestamp: t,
    values: {
      rawJson: JSON.stringify(v[0]),
      externalEventId: string(v[1]),
      externalParentEventId: string(v[2]),
      externalToolUseId: string(v[3]),
    },
    attributes: {
      gitAiVersion: string(a[0]),
      repoUrl: string(a[1]),
      author: string(a[2]),
      branch: string(a[5]),
      tool: string(a[20]),
      model: string(a[21]),
      externalPromptId: string(a[23]),
      sessionId: string(a[24]),
      traceId: string(a[25]),
      parentSessionId: string(a[26]),
    },
  }));
  return { version: 1, events, errors: [] };
}

/**
 * The limit of decoding: builds the same objects, each as one literal, from values that JavaScript has already. What is
 * beyond this time, parsing and the crossing take.
 */
function builderOf(events) {
  const values = [];
  const literal = (object) => {
    const properties = Object.entries(object).map(([name, value]) => {
      const place = values.length - start;
      if (typeof value === 'object' && value !== null) return `${name}: ${literal(value)}`;
      values.push(value);
      return `${name}: v[at + ${place}]`;
    });
    return `{ ${properties.join(', ')} }`;
  };
  let start = 0;
  const builders = new Map();
  const steps = events.map((event) => {
    start = values.length;
    const source = literal(event);
    if (!builders.has(source)) builders.set(source, new Function('v', 'at', `return ${source};`));
    return { build: builders.get(source), at: start };
  });
  return () => {
    const built = new Array(steps.length);
    for (let n = 0; n < built.length; n++) built[n] = steps[n].build(values, steps[n].at);
    return { version: 1, events: built, errors: [] };
  };
}

const text = z.string().nullable().optional();
const flag = z.boolean().nullable().optional();
const integer = z.number().int().nonnegative().nullable().optional();
const batchSchema = z.object({
  v: z.literal(1),
  events: z.array(
    z.object({
      t: z.number().int().nonnegative(),
      e: z.number().int().nonnegative(),
      v: z.object({
        0: text,
        1: text,
        2: text,
        3: flag,
        4: text,
        5: text,
        6: flag,
        7: integer,
        8: integer,
        9: integer,
        10: text,
        11: text,
        12: text,
        13: integer,
        14: text,
        15: text,
      }),
      a: z.object({
        0: text,
        1: text,
        2: text,
        3: text,
        4: text,
        5: text,
        20: text,
        21: text,
        22: text,
        23: text,
        30: text,
      }),
    }),
  ),
});

function zod(body) {
  return zodBatch(JSON.parse(body.toString()));
}

/** The same for a body that is parsed already. */
function zodBatch(batch) {
  const { events } = batchSchema.parse(batch);
  return { version: 1, events: events.map(mapEvent), errors: [] };
}

/** Encodes: fills positions by hand, then calls `JSON.stringify` once, which omits `undefined`. */
function stringifyByHand(events) {
  const wire = events.map(({ timestamp, values: v, attributes: a }) => ({
    t: timestamp,
    e: 5,
    v: {
      0: v.kind,
      1: v.eventId,
      2: v.parentId,
      3: v.parentIdEstimated,
      4: v.toolCallName,
      5: v.model,
      6: v.error,
      7: v.startTs,
      8: v.reportedDurationMs,
      9: v.observedDurationMs,
      10: v.inputHash,
      11: v.inputText,
      12: v.skillFilePath,
      13: v.skillFileMtime,
      14: v.skillFileHash,
      15: v.endReason,
    },
    a: {
      0: a.gitAiVersion,
      1: a.repoUrl,
      2: a.author,
      3: a.commitSha,
      4: a.baseCommitSha,
      5: a.branch,
      20: a.tool,
      21: a.model,
      22: a.promptId,
      23: a.externalPromptId,
      30: a.customAttributes,
    },
  }));
  return Buffer.from(JSON.stringify({ v: 1, events: wire }));
}

const EARLIEST_MS = Date.UTC(2020);
const DAY_MS = 86_400_000;
const FRESH_MS = 600_000;

/** Makes rows for @clickhouse/client: one object and one `JSON.stringify` per row, joined to one text. */
function rowsInJs(body, options) {
  const lines = hand(body).events.map((event) => JSON.stringify(rowObject(event, options)));
  return lines.join('\n');
}

function rowObject({ timestamp, values, attributes }, { orgId, receivedAtMs }) {
  return {
    org_id: orgId,
    prompt_id: attributes.promptId,
    event_id: values.eventId,
    // Times as numbers, which ClickHouse accepts. Formatting a date would cost more than the rest of the row.
    event_ts: Math.max(Math.min(values.startTs ?? timestamp * 1000, receivedAtMs + DAY_MS), EARLIEST_MS) / 1000,
    emitted_at: timestamp,
    received_at: receivedAtMs / 1000,
    heard_at: receivedAtMs <= Math.max(values.startTs ?? 0, timestamp * 1000) + FRESH_MS ? receivedAtMs / 1000 : null,
    derived: false,
    kind: values.kind,
    parent_id: values.parentId,
    parent_id_estimated: values.parentIdEstimated,
    tool_call_name: values.toolCallName,
    model: values.model,
    error: values.error,
    start_ts: values.startTs,
    reported_duration_ms: values.reportedDurationMs,
    observed_duration_ms: values.observedDurationMs,
    input_hash: values.inputHash,
    input_text: values.inputText,
    skill_file_path: values.skillFilePath,
    skill_file_mtime: values.skillFileMtime,
    skill_file_hash: values.skillFileHash,
    end_reason: values.endReason,
    git_ai_version: attributes.gitAiVersion,
    repo_url: attributes.repoUrl,
    human_author: attributes.author,
    commit_sha: attributes.commitSha,
    base_commit_sha: attributes.baseCommitSha,
    branch: attributes.branch,
    tool: attributes.tool,
    attr_model: attributes.model,
    external_prompt_id: attributes.externalPromptId,
    trace_id: attributes.traceId,
    parent_session_id: attributes.parentSessionId,
    external_parent_session_id: attributes.externalParentSessionId,
    custom_attributes: attributes.customAttributes,
    named_author: attributes.author,
  };
}

module.exports = {
  builderOf,
  hand,
  handForSessions,
  handWithUnknown,
  rowObject,
  rowsInJs,
  stringifyByHand,
  zod,
  zodBatch,
};

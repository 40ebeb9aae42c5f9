// User code that the compiler must accept, and code that it must refuse. Nothing here runs.

import {
  ClaudeTranscriptReader,
  CommittedBuilder,
  type CommittedEvent,
  captureHook,
  captureStoredHook,
  type ErrorCode,
  type EventAttributes,
  EventAttributesBuilder,
  type EventError,
  type EventErrorCode,
  encodeMetricsBatch,
  eventId,
  GitAiMetricsError,
  type InstallHooksEvent,
  inputHash,
  type kindForTool,
  type MAX_EVENTS_PER_UPLOAD,
  type MetricEvent,
  type MetricsBatch,
  type PromptEvent,
  PromptEventBuilder,
  type PromptEventKind,
  parseClaudeTranscript,
  parseMetricsBatch,
  promptId,
  resolveSkillFile,
  type SessionEndReason,
  type SessionEvent,
  SessionEventBuilder,
  type SkillFile,
  truncateInputText,
  type UnknownField,
  type WIRE_VERSION,
} from 'git-ai-metrics';

/** Compiles only if the two types are one and the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
const same = <A, B>(_same: Same<A, B>): void => undefined;

// Decoding: bytes or text in, events and errors out.
const batch: MetricsBatch = parseMetricsBatch(new Uint8Array(), { maxEvents: 250, maxBytes: 1 << 20 });
parseMetricsBatch('{"v":1,"events":[]}');
parseMetricsBatch(Buffer.from(''));
same<typeof batch.version, 1>(true);
same<(typeof batch.errors)[number], EventError>(true);
same<EventErrorCode, 'ERR_MISSING_KEY' | 'ERR_WRONG_TYPE' | 'ERR_OUT_OF_RANGE' | 'ERR_TOO_MANY_FIELDS'>(true);
// @ts-expect-error a parsed document isn't a body
parseMetricsBatch({ v: 1, events: [] });
// @ts-expect-error there is no such option
parseMetricsBatch('', { maxEvent: 1 });
// @ts-expect-error a body is needed
parseMetricsBatch();

same<typeof WIRE_VERSION, 1>(true);
same<typeof MAX_EVENTS_PER_UPLOAD, 250>(true);

// `metric` discriminates events, and a switch over it can be exhaustive.
function describe(event: MetricEvent): string | number | null | undefined {
  switch (event.metric) {
    case 'committed':
      same<typeof event, CommittedEvent>(true);
      return event.values.toolModelPairs?.[0];
    case 'agent_usage':
      // This metric has no values.
      same<typeof event.values.kind, never>(true);
      return undefined;
    case 'install_hooks':
      same<typeof event, InstallHooksEvent>(true);
      return event.values.toolId;
    case 'checkpoint':
      return event.values.linesAddedSloc;
    case 'prompt_event':
      // @ts-expect-error the field belongs to another metric
      event.values.toolId;
      return event.values.startTs;
    case 'session_event':
      same<typeof event, SessionEvent>(true);
      same<typeof event.values.rawJson, string | null | undefined>(true);
      return event.values.externalEventId;
    case 'otel_trace':
      return event.values.rawJson;
    case 'rewrite_committed':
      return event.values.operationKind;
    case 'daemon_ingest_anomaly':
      return event.values.checkpointsDropped;
    case 'unknown':
      return event.metricId;
    default:
      return event satisfies never;
  }
}
batch.events.map(describe);

// Three states: absent, null, a value.
function threeStates({ values, attributes, unknown }: PromptEvent): void {
  same<typeof values.startTs, number | null | undefined>(true);
  same<typeof values.error, boolean | null | undefined>(true);
  same<typeof values.eventId, string | null | undefined>(true);
  same<typeof attributes.gitAiVersion, string | null | undefined>(true);
  same<typeof unknown, UnknownField[] | undefined>(true);
  // A newer client's kind is allowed too.
  const kind: string | null | undefined = values.kind;
  // @ts-expect-error it may be absent or null
  const certain: string = values.kind;
  void [kind, certain];
}
void threeStates;

// Encoding accepts decoded events and literals.
encodeMetricsBatch(batch.events);
const bytes: Buffer = encodeMetricsBatch([
  { metric: 'prompt_event', timestamp: 1, values: { kind: 'ToolCall', parentId: null }, attributes: {} },
  { metric: 'unknown', metricId: 9, timestamp: 1, values: {}, attributes: { gitAiVersion: '1.1.23' } },
]);
void bytes;
const frozen: readonly MetricEvent[] = Object.freeze([]);
encodeMetricsBatch(frozen);
const pairs: readonly string[] = ['all'];
encodeMetricsBatch([{ metric: 'committed', timestamp: 1, values: { toolModelPairs: pairs }, attributes: {} }]);
// @ts-expect-error no metric has this name
encodeMetricsBatch([{ metric: 'prompt', timestamp: 1, values: {}, attributes: {} }]);
// @ts-expect-error a prompt event has no such field
encodeMetricsBatch([{ metric: 'prompt_event', timestamp: 1, values: { startTS: 1 }, attributes: {} }]);
// @ts-expect-error this metric has no fields
encodeMetricsBatch([{ metric: 'agent_usage', timestamp: 1, values: { kind: 'human' }, attributes: {} }]);
// @ts-expect-error an unknown metric has no fields either
encodeMetricsBatch([{ metric: 'unknown', metricId: 9, timestamp: 1, values: { kind: 'human' }, attributes: {} }]);
// @ts-expect-error a value can't be an object
encodeMetricsBatch([{ metric: 'agent_usage', timestamp: 1, values: 5, attributes: {} }]);
// @ts-expect-error a time is a number
encodeMetricsBatch([{ metric: 'prompt_event', timestamp: '1', values: {}, attributes: {} }]);
// @ts-expect-error attributes are needed
encodeMetricsBatch([{ metric: 'prompt_event', timestamp: 1, values: {} }]);

// Builders: setters chain and accept their field's type or null. `build` returns the event's type.
const attributes: EventAttributes = new EventAttributesBuilder()
  .gitAiVersion('1.1.23')
  .author(null)
  .customAttributes({ team: 'ingest' })
  .build();
const prompt: PromptEvent = new PromptEventBuilder()
  .kind('SkillInvocation')
  .parentId(null)
  .startTs(1_775_587_555_210)
  .skillFile({ path: '/skills/review/SKILL.md', mtimeMs: 1, hash: '0123456789abcdef' })
  .skillFile(null)
  .build(attributes, 1_775_587_555);
const committed: CommittedEvent = new CommittedBuilder().aiAdditions([1, 2]).build(attributes);
void [prompt, committed];
const record: SessionEvent = new SessionEventBuilder().rawJson('{}').externalEventId(null).build(attributes);
// Setters and functions accept decoded values: a kind that this version doesn't know, a read-only list.
const { kind = null } = prompt.values;
new PromptEventBuilder().kind(kind).kind('Telepathy');
if (kind !== null) eventId('a386ade188cc4043', kind, 'Read:toolu_1', 3);
const counts: readonly number[] = Object.freeze([1, 2]);
const named = ['all'] as const;
new CommittedBuilder().aiAdditions(counts).toolModelPairs(named);
encodeMetricsBatch([record, { ...committed, values: { aiAdditions: counts, toolModelPairs: named } }]);
// The caller may change decoded events.
committed.values.toolModelPairs?.push('claude');
// @ts-expect-error a kind is a text
new PromptEventBuilder().kind(5);
// @ts-expect-error a list, not one number
new CommittedBuilder().aiAdditions(1);
// @ts-expect-error attributes are needed
new PromptEventBuilder().build();
// @ts-expect-error another metric's setter
new CommittedBuilder().startTs(1);
// @ts-expect-error values are strings
new EventAttributesBuilder().customAttributes({ team: 1 });

// Identities.
same<PromptEventKind, ReturnType<typeof kindForTool>>(true);
same<SessionEndReason, 'user_quit' | 'idle_timeout' | 'signal'>(true);
const ids: string[] = [promptId('claude', '0c1d'), eventId('a386ade188cc4043', 'ToolCall', 'Read:toolu_1', 3)];
const texts: string[] = [inputHash('text'), truncateInputText('text')];
void [ids, texts];
// @ts-expect-error the index is missing
eventId('a386ade188cc4043', 'ToolCall', 'Read:toolu_1');
// @ts-expect-error a kind is a text
eventId('a386ade188cc4043', 5, 'Read:toolu_1', 3);

// Capture: prompt events, from files and hooks.
const options = { sessionId: 's', cwd: '/', homeDir: '', gitAiVersion: '1', attributes: { author: 'x', branch: null } };
same<ReturnType<typeof parseClaudeTranscript>, PromptEvent[]>(true);
parseClaudeTranscript(new Uint8Array(), options);
// Optional values may be passed on as undefined.
const unknown: { maxEvents: number | undefined; cwd: string | undefined } = { maxEvents: undefined, cwd: undefined };
parseMetricsBatch('', { maxEvents: unknown.maxEvents });
parseClaudeTranscript('', { sessionId: 's', cwd: unknown.cwd, attributes: undefined });
captureHook('claude', '{}', { homeDir: unknown.cwd, receivedAtMs: undefined });
// @ts-expect-error a session is needed
parseClaudeTranscript('', {});
const reader: ClaudeTranscriptReader = ClaudeTranscriptReader.resume(
  'x',
  options,
  new ClaudeTranscriptReader('x', options).state(),
);
same<typeof reader.offset, number>(true);
const captured: PromptEvent[] = [...reader.read(), ...reader.read(250)];
const first = captureHook('claude', '{}');
captureHook('claude', '{}', { receivedAtMs: 1 }, first.state).events.concat(captured);
captureStoredHook('claude', '{}', {}, (events) => same<typeof events, PromptEvent[]>(true));
// @ts-expect-error the payload is a string, not an object
captureHook('claude', {});
const skill: SkillFile | null = resolveSkillFile('x', '/');
new PromptEventBuilder().skillFile(skill);

// Errors: a class for `instanceof`, whose `code` narrows.
try {
  parseMetricsBatch('');
} catch (error) {
  if (error instanceof GitAiMetricsError) {
    const { code, path, syscall, errno }: { code: ErrorCode; path?: string; syscall?: string; errno?: number } = error;
    if (code === 'ERR_IO') console.error(path, syscall, errno);
    // @ts-expect-error there is no such code
    if (code === 'ERR_NONE') throw error;
  }
}

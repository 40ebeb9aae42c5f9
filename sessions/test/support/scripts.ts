/** Sessions as scripts: what happens in them, one event after the other, stored as if it had been uploaded at once. */
import {
  type EncodableEvent,
  type EventAttributes,
  encodeMetricsBatch,
  encodePromptEventRows,
  eventId,
  inputHash,
  joinRows,
  kindForTool,
  type PromptEvent,
} from 'git-ai-metrics';
import type { ClickHouse } from './clickhouse.ts';

export interface About {
  id: string;
  agent?: string;
  /** Null: no event names its model. */
  model?: string | null;
  author?: string | null;
  repo?: string | null;
  branch?: string | null;
}

type Values = PromptEvent['values'];

interface Call {
  /** How long it ran; null: not measured. */
  ms?: number | null;
  reportedMs?: number;
  /** Null: its outcome isn't known. */
  error?: boolean | null;
}

/** How long after an event its upload arrives. */
const ARRIVES_AFTER_MS = 500;

export class Script {
  readonly events: PromptEvent[] = [];
  readonly id: string;
  private readonly attributes: EventAttributes;
  private readonly model: string | null;
  private parent: string | null = null;

  constructor(
    { id, agent = 'claude', model = 'claude-opus-4-7', author = 'Ann <ann@example.com>', ...about }: About,
    public atMs: number,
  ) {
    const { repo = 'https://github.com/example/parser', branch = 'main' } = about;
    this.id = id;
    this.model = model;
    this.attributes = {
      gitAiVersion: '1.6.12',
      tool: agent,
      promptId: id,
      ...(repo !== null && { repoUrl: repo }),
      ...(branch !== null && { branch }),
      ...(author !== null && { author }),
    };
  }

  /** Lets time pass. */
  after(ms: number): this {
    this.atMs += ms;
    return this;
  }

  human(text: string): this {
    return this.tell('HumanMessage', { inputText: text, inputHash: inputHash(text) });
  }

  agent(text: string): this {
    return this.tell('AiMessage', { inputText: text, model: this.model });
  }

  thinks(): this {
    return this.tell('ThinkingMessage', { model: this.model });
  }

  /** A call, during which time passes. */
  call(tool: string, { ms = 1_000, reportedMs, error = false }: Call = {}): this {
    this.tell(kindForTool(tool), {
      toolCallName: tool,
      model: this.model,
      ...(error !== null && { error }),
      ...(ms !== null && { observedDurationMs: ms }),
      ...(reportedMs !== undefined && { reportedDurationMs: reportedMs }),
    });
    return this.after(ms ?? 0);
  }

  skill(name: string, file: { path: string; mtime: number; hash: string } | null): this {
    return this.tell('SkillInvocation', {
      toolCallName: name,
      model: this.model,
      error: false,
      ...(file !== null && { skillFilePath: file.path, skillFileMtime: file.mtime, skillFileHash: file.hash }),
    });
  }

  end(endReason: 'user_quit' | 'idle_timeout' | 'signal'): this {
    return this.tell('SessionEnd', { endReason });
  }

  private tell(kind: string, values: Values): this {
    const id = eventId(this.id, kind as 'AiMessage', String(this.events.length), 0);
    this.events.push({
      metric: 'prompt_event',
      timestamp: Math.floor(this.atMs / 1000),
      values: {
        kind: kind as 'AiMessage',
        eventId: id,
        parentId: this.parent,
        parentIdEstimated: false,
        startTs: this.atMs,
        ...values,
      },
      attributes: this.attributes,
    });
    this.parent = id;
    return this;
  }
}

/** Stores all events of all scripts. Each arrives just after it happened. */
export async function store(clickHouse: ClickHouse, orgId: string, scripts: readonly Script[]): Promise<void> {
  const rows = scripts.flatMap(({ events }) =>
    events.map((event) =>
      encodePromptEventRows(encodeMetricsBatch([event as EncodableEvent]), {
        orgId,
        receivedAtMs: (event.values.startTs ?? 0) + ARRIVES_AFTER_MS,
      }),
    ),
  );
  for (const { errors } of rows) if (errors.length > 0) throw new Error(JSON.stringify(errors));
  await clickHouse.insert(joinRows(rows));
}

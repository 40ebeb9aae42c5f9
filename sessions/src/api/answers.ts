/** The shapes of the API's answers, for the server and the dashboard. docs/sessions-api.md describes them. */

import type { Reports } from './agents.ts';

export type { Reports };

/** What sessions can be chosen by. `not_<name>` excludes. */
export const FILTERS = ['repo', 'branch', 'agent', 'author', 'model', 'tool', 'state'] as const;
export type Filter = (typeof FILTERS)[number];

/** What happened in a session. These only include. */
export const CONTENT_FILTERS = ['mcp_server', 'failed', 'unknown', 'skill', 'without_model'] as const;
export type ContentFilter = (typeof CONTENT_FILTERS)[number];

export const STATES = ['live', 'quiet', 'ended'] as const;
export type State = (typeof STATES)[number];

/** ISO 8601 in UTC. */
export type Time = string;

export interface Range {
  from: Time;
  to: Time;
  now: Time;
}

export interface Status {
  org: string;
  /** The id of the key that was sent, or null where none is needed. */
  key_id: string | null;
  /** Whether the server also shows the sample sessions, as org `demo`. */
  demo: boolean;
  /** When the org's newest event arrived, or null if nothing ever has. */
  newest_arrival: Time | null;
  /** The newest event by its own time. */
  newest_event: Time | null;
  now: Time;
}

export interface Figures {
  sessions: number;
  active_ms: number;
  turns: number;
  tool_calls: number;
  errors: number;
  unknown_outcome: number;
  error_rate: number | null;
}

export interface Overview extends Range {
  totals: Figures & Record<State, number>;
  days: (Figures & { day: string })[];
  newest_arrival: Time | null;
  newest_event: Time | null;
}

export interface Session {
  prompt_id: string;
  external_prompt_id: string | null;
  title: string | null;
  agent: string | null;
  models: string[];
  author: string | null;
  repo: string | null;
  branch: string | null;
  state: State;
  reason: 'user_quit' | 'idle_timeout' | 'signal' | null;
  heard_at: Time | null;
  start: Time;
  end: Time;
  duration_ms: number;
  active_ms: number;
  turns: number;
  tool_calls: number;
  errors: number;
  last_output: string | null;
}

export interface SessionPage extends Range {
  sessions: Session[];
  next: string | null;
}

export interface Event {
  event_id: string;
  parent_id: string | null;
  parent_id_estimated: boolean | null;
  parent_known: boolean | null;
  kind: string | null;
  at: Time;
  gap_ms: number | null;
  start_ts: number | null;
  model: string | null;
  attr_model: string | null;
  tool_call_name: string | null;
  error: boolean | null;
  reported_duration_ms: number | null;
  observed_duration_ms: number | null;
  input_hash: string | null;
  input_text: string | null;
  skill_file_path: string | null;
  skill_file_mtime: number | null;
  skill_file_hash: string | null;
  end_reason: string | null;
  commit_sha: string | null;
  received_at: Time;
  /** The session that an agent copied this event from, when a user resumed or forked it. Copies count nowhere. */
  copied_from: string | null;
}

export interface Signal {
  rule: string;
  weight: number;
  event_id: string;
  at: Time;
  tool_before: string | null;
  /** What the rule matched, or null for a rule without words. */
  words: string | null;
  text: string;
}

export interface SessionDetails {
  session: Session;
  events: Event[];
  /** How many the session has, or null on a page behind them all. */
  event_count: number | null;
  next_offset: number | null;
  tools: Tool[];
  skills: Skill[];
}

/** The most signals that an answer names of one session. */
export const MOST_SIGNALS = 20;
/** So many sessions at most, those with the most friction, unless a question says otherwise. */
export const MOST_WITH_FRICTION = 100;

export interface SessionFriction {
  version: string;
  score: number;
  /** How many there are. */
  signal_count: number;
  /** In order, the first `MOST_SIGNALS`. */
  signals: Signal[];
}

export interface Calls {
  calls: number;
  errors: number;
  unknown_outcome: number;
  error_rate: number | null;
  sessions: number;
  observed_p50_ms: number | null;
  observed_p95_ms: number | null;
  reported_p50_ms: number | null;
  reported_p95_ms: number | null;
}

export interface Tool extends Calls {
  tool: string | null;
  mcp_server: string | null;
}

export interface McpServer extends Calls {
  mcp_server: string;
  tools: number;
}

export interface Failure {
  tool: string | null;
  repo: string | null;
  errors: number;
  known_outcomes: number;
  error_rate: number;
  sessions: number;
  first_seen: Time;
  last_seen: Time;
  last_prompt_id: string;
}

export interface Tools extends Range {
  tools: Tool[];
  mcp_servers: McpServer[];
  failures: Failure[];
}

export interface Skill {
  /** Null: no file was found. */
  path: string | null;
  name: string | null;
  invocations: number;
  first_seen: Time | null;
  last_edited: Time | null;
  sessions: number;
  distinct_users: number;
  distinct_versions: number;
}

export interface Skills extends Range {
  skills: Skill[];
}

export interface Model {
  model: string | null;
  turns: number;
  tool_calls: number;
  errors: number;
  sessions: number;
}

export interface Models extends Range {
  models: Model[];
}

export interface Agent extends Calls {
  agent: string | null;
  turns: number;
  /** What it can report, and how; null in it: it can't. Null for an agent that isn't known. */
  reports: Reports | null;
}

export interface Agents extends Range {
  agents: Agent[];
}

export interface Friction extends Range {
  version: string;
  rules: { name: string; weight: number; signals: number; sessions: number }[];
  sessions: {
    prompt_id: string;
    title: string | null;
    repo: string | null;
    score: number;
    signal_count: number;
    signals: Signal[];
  }[];
  repos: {
    repo: string | null;
    signals: number;
    score: number;
    sessions: number;
    all_sessions: number | null;
    /** Null below 5 sessions. */
    rate: number | null;
  }[];
  tools: { tool_before: string | null; signals: number; score: number; sessions: number }[];
}

export interface Filters extends Range {
  filters: Record<Filter, { value: string; sessions: number }[]>;
}

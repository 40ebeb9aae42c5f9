/** `GET /api/…`: what sessions say, as JSON. docs/sessions-api.md describes shapes, units and filters. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Authenticator } from '../server/auth.ts';
import { compressed } from '../server/encoding.ts';
import { HttpError } from '../server/errors.ts';
import type { Queries, Store } from '../store/store.ts';
import { REPORTS } from './agents.ts';
import { MOST_WITH_FRICTION, type Status } from './answers.ts';
import {
  cursorOf,
  iso,
  numberOf,
  placeOf,
  type Query,
  type Selection,
  selectionOf,
  single,
  valuesOf,
} from './filters.ts';
import { defaultFriction, type FrictionRules, frictionParameters, matchedWords, WORDLESS_RULES } from './friction.ts';
import { askAbout } from './selected.ts';
import { pageOfSessions, type SessionRow } from './sessions.ts';

export interface ApiOptions {
  store: Store;
  authenticate: Authenticator;
  friction?: FrictionRules;
  /** Whether the store has sample sessions, as org `demo`. */
  demo?: boolean;
  now?: () => number;
}

type Row = Record<string, unknown>;

/** A rate needs at least this many sessions. */
const SESSIONS_FOR_A_RATE = 5;
/** A session has friction from this score on. */
const FRICTION = 2;
const MOST_ROWS = 1_000;

export function registerApi(server: FastifyInstance, options: ApiOptions): void {
  const { store, authenticate, friction = defaultFriction, demo = false, now = Date.now } = options;

  /** Adds a route that answers a selection. `others` are the parameters that only this route has. */
  function route(
    path: string,
    others: readonly string[],
    answer: (store: Queries, selection: Selection, query: Query, request: FastifyRequest) => Promise<object>,
  ): void {
    server.get(`/api/${path}`, {
      onRequest: async (request) => {
        request.identity = authenticate(request.headers, 'view');
      },
      onSend: compressed,
      handler: async (request, reply) => {
        const query = request.query as Query;
        const selection = selectionOf(query, request.identity.org, now(), others);
        reply.header('cache-control', 'no-store');
        const { signal, ended } = closingOf(reply);
        try {
          return await answer({ query: (sql, values) => store.query(sql, values, signal) }, selection, query, request);
        } catch (error) {
          if (!signal.aborted) throw error;
          // Nobody is left to answer.
          return reply.hijack();
        } finally {
          ended();
        }
      },
    });
  }

  route('status', [], async (store, { org_id, now: time }, _query, request): Promise<Status> => {
    const [newest] = await askAbout<Newest>(store, 'newest', { org_id });
    const { keyId } = request.identity;
    return {
      org: org_id,
      key_id: keyId,
      demo: demo && keyId === null,
      ...freshness(newest ?? { newest_arrival: null, newest_event: null }),
      now: iso(time) as string,
    };
  });

  route('overview', ['timezone'], async (store, selection, query) => {
    const timezone = zoneOf(single('timezone', query.timezone));
    const [days, [sessions]] = await Promise.all([
      askAbout<Day>(store, 'overview', { ...selection, timezone }),
      askAbout<Totals>(store, 'totals', selection),
    ]);
    const sum = (name: Exclude<keyof Day, 'day'>) => days.reduce((total, day) => total + day[name], 0);
    const totals = {
      active_ms: sum('active_ms'),
      turns: sum('turns'),
      tool_calls: sum('tool_calls'),
      errors: sum('errors'),
      unknown_outcome: sum('unknown_outcome'),
    };
    const { newest_arrival, newest_event, ...states } = sessions as Totals;
    return {
      ...range(selection),
      totals: { ...states, ...totals, error_rate: rate(totals) },
      days: days.map((day) => ({ ...day, error_rate: rate(day) })),
      ...freshness({ newest_arrival, newest_event }),
    };
  });

  route('sessions', ['cursor', 'limit', 'order'], async (store, selection, query) => {
    const limit = numberOf(query, 'limit', { min: 1, max: 200, fallback: 50 });
    const order = single('order', query.order);
    if (order === 'longest') {
      if (single('cursor', query.cursor) !== '') {
        throw new HttpError(400, 'cursor: order=longest has no further pages, so it takes none');
      }
      const sessions = await longestSessions(store, selection, limit);
      return { ...range(selection), sessions: sessions.map(sessionOf), next: null };
    }
    if (order !== '' && order !== 'newest') throw new HttpError(400, 'order: expected newest or longest');
    const place = placeOf(single('cursor', query.cursor));
    const { sessions, next } = await pageOfSessions(store, selection, limit, place);
    return { ...range(selection), sessions: sessions.map(sessionOf), next: next && cursorOf(next) };
  });

  /** Selects the session that a path names. */
  async function oneSession(
    store: Queries,
    { org_id, now: time }: Selection,
    request: FastifyRequest,
  ): Promise<Selection> {
    const { id } = request.params as { id: string };
    if (id.length > 256) throw new HttpError(400, 'expected a session’s id');
    const [found] = await askAbout<SessionRange>(store, 'session_range', { org_id, prompt_id: id });
    // The answer is the same for another org's session and for one that doesn't exist.
    if (found === undefined) throw new HttpError(404, 'no such session');
    return { org_id, from: found.first_ts, to: found.after_last, now: time, filters: { session: [id] } };
  }

  route('sessions/:id', ['offset', 'limit'], async (store, given, query, request) => {
    const limit = numberOf(query, 'limit', { min: 1, max: 10_000, fallback: 5_000 });
    const offset = numberOf(query, 'offset', { min: 0, max: 100_000_000, fallback: 0 });
    const selection = await oneSession(store, given, request);
    const { org_id, filters } = selection;
    const [[session], events, tools, skills] = await Promise.all([
      sessionsOf(store, filters.session ?? [], selection),
      askAbout<EventRow>(store, 'session', { org_id, prompt_id: filters.session?.[0], offset, limit: limit + 1 }),
      askAbout(store, 'tools', selection),
      askAbout<SkillRow>(store, 'skills', selection),
    ]);
    if (session === undefined) throw new HttpError(404, 'no such session');
    return {
      session: sessionOf(session),
      events: events.slice(0, limit).map(eventOf),
      event_count: events[0]?.event_count ?? null,
      next_offset: events.length > limit ? offset + limit : null,
      tools,
      skills: skills.map(skillOf),
    };
  });

  // A route of its own, because it costs more than all of the session's events.
  route('sessions/:id/friction', [], async (store, given, _query, request) => {
    const parameters = { ...(await oneSession(store, given, request)), ...frictionParameters(friction) };
    const any = { threshold: 1, only_rules: [], only_tools: [], limit: 1 };
    const [found] = await askAbout<FrictionRow>(store, 'friction', { ...parameters, ...any });
    return {
      version: friction.version,
      score: found?.score ?? 0,
      signal_count: found?.signal_count ?? 0,
      signals: (found?.signals ?? []).map(signalOf),
    };
  });

  route('tools', [], async (store, selection) => {
    const [tools, mcpServers, failures] = await Promise.all([
      askAbout(store, 'tools', selection),
      askAbout(store, 'mcp_servers', selection),
      askAbout<FailureRow>(store, 'failures', { ...selection, limit: 50 }),
    ]);
    return {
      ...range(selection),
      tools,
      mcp_servers: mcpServers,
      failures: failures.map((row) => ({ ...row, first_seen: iso(row.first_seen), last_seen: iso(row.last_seen) })),
    };
  });

  route('skills', [], async (store, selection) => ({
    ...range(selection),
    skills: (await askAbout<SkillRow>(store, 'skills', selection)).map(skillOf),
  }));

  route('models', [], async (store, selection) => ({
    ...range(selection),
    models: (await askAbout(store, 'models', selection)).map(({ used_model, ...row }) => ({
      model: used_model,
      ...row,
    })),
  }));

  route('agents', [], async (store, selection) => ({
    ...range(selection),
    agents: (await askAbout<{ agent: string | null }>(store, 'agents', selection)).map((row) => ({
      ...row,
      reports: (row.agent !== null && Object.hasOwn(REPORTS, row.agent) && REPORTS[row.agent]) || null,
    })),
  }));

  route('friction', ['limit', 'rule', 'tool_before'], async (store, selection, query) => {
    const limit = numberOf(query, 'limit', { min: 1, max: MOST_ROWS, fallback: MOST_WITH_FRICTION });
    const parameters = { ...selection, ...frictionParameters(friction), threshold: FRICTION };
    const [sessions, by, values] = await Promise.all([
      askAbout<FrictionRow>(store, 'friction', {
        ...parameters,
        only_rules: valuesOf('rule', query.rule),
        only_tools: valuesOf('tool_before', query.tool_before),
        limit,
      }),
      askAbout<ByRow>(store, 'friction_by', parameters),
      askAbout<ValueRow>(store, 'filter_values', { ...selection, limit: MOST_ROWS }),
    ]);
    const ids = sessions.map(({ prompt_id }) => prompt_id);
    const titles = new Map((await sessionsOf(store, ids, selection)).map(({ prompt_id, title }) => [prompt_id, title]));
    const inRepo = new Map(values.filter(({ filter }) => filter === 'repo').map((row) => [row.value, row.sessions]));
    return {
      ...range(selection),
      version: friction.version,
      rules: [...friction.rules, ...WORDLESS_RULES].map(({ name, weight }) => {
        const { signals = 0, sessions = 0 } = by.find((row) => row.dimension === 'rule' && row.value === name) ?? {};
        return { name, weight, signals, sessions };
      }),
      sessions: sessions.map((row) => ({
        prompt_id: row.prompt_id,
        title: titles.get(row.prompt_id) ?? null,
        repo: row.repo_url,
        score: row.score,
        signal_count: row.signal_count,
        signals: row.signals.map(signalOf),
      })),
      repos: by
        .filter(({ dimension }) => dimension === 'repo')
        .map(({ dimension: _, value: repo, ...row }) => {
          const all = inRepo.get(repo ?? '') ?? null;
          return {
            repo,
            ...row,
            all_sessions: all,
            rate: all === null || all < SESSIONS_FOR_A_RATE ? null : row.sessions / all,
          };
        }),
      tools: by
        .filter(({ dimension }) => dimension === 'tool_before')
        .map(({ dimension: _, value, ...row }) => ({ tool_before: value, ...row })),
    };
  });

  route('filters', [], async (store, selection) => {
    const values = await askAbout<ValueRow>(store, 'filter_values', { ...selection, limit: 200 });
    const filters: Record<string, object[]> = {
      repo: [],
      branch: [],
      agent: [],
      author: [],
      model: [],
      tool: [],
      state: [],
    };
    for (const { filter, value, sessions } of values) filters[filter]?.push({ value, sessions });
    return { ...range(selection), filters };
  });

  /** Returns the sessions with the longest duration. More are looked at as long as one of them might be longer. */
  async function longestSessions(store: Queries, selection: Selection, limit: number): Promise<SessionRow[]> {
    for (let asked = limit; ; asked = Math.min(4 * asked, MOST_ROWS)) {
      const found = await askAbout<Spanned>(store, 'longest', { ...selection, limit: asked });
      const ids = found.map(({ prompt_id }) => prompt_id);
      const rows = (await sessionsOf(store, ids, selection)).sort((a, b) => b.duration_ms - a.duration_ms);
      const shortest = rows[limit - 1]?.duration_ms ?? -1;
      const isAll = found.length < asked || asked === MOST_ROWS;
      if (isAll || shortest >= (found.at(-1)?.span_ms ?? 0)) return rows.slice(0, limit);
    }
  }

  /** Returns sessions by their ids, newest first. */
  async function sessionsOf(store: Queries, ids: readonly string[], selection: Selection): Promise<SessionRow[]> {
    if (ids.length === 0) return [];
    const named = { ...selection, filters: { session: [...ids] } };
    return (await pageOfSessions(store, named, ids.length)).sessions;
  }

  function signalOf({ rule, weight, event_id, event_ts, tool_before, text }: SignalRow) {
    return { rule, weight, event_id, at: iso(event_ts), tool_before, words: matchedWords(friction, rule, text), text };
  }
}

/** Aborts its signal if the connection is closed before the answer was sent. */
function closingOf({ raw }: FastifyReply): { signal: AbortSignal; ended: () => void } {
  const controller = new AbortController();
  const onClose = () => controller.abort();
  raw.once('close', onClose);
  return { signal: controller.signal, ended: () => raw.off('close', onClose) };
}

const range = ({ from, to, now }: Selection) => ({ from: iso(from), to: iso(to), now: iso(now) });

/** The error rate of the calls with a known outcome. Without any it is unknown, not 0. */
function rate({ tool_calls, unknown_outcome, errors }: Pick<Day, 'tool_calls' | 'unknown_outcome' | 'errors'>) {
  return tool_calls === unknown_outcome ? null : errors / (tool_calls - unknown_outcome);
}

function zoneOf(zone: string): string {
  if (zone === '') return 'UTC';
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    throw new HttpError(
      400,
      `timezone: expected one such as Europe/Zurich, found ${JSON.stringify(zone.slice(0, 80))}`,
    );
  }
}

interface Day {
  day: string;
  sessions: number;
  active_ms: number;
  turns: number;
  tool_calls: number;
  errors: number;
  unknown_outcome: number;
}

interface Newest {
  newest_arrival: string | null;
  newest_event: string | null;
}

interface Totals extends Newest {
  sessions: number;
  live: number;
  quiet: number;
  ended: number;
}

/** No event is newer than the newest arrival: one that says so was written by a clock that is ahead. */
function freshness({ newest_arrival: arrival, newest_event: event }: Newest) {
  const newest = event !== null && arrival !== null && event > arrival ? arrival : event;
  return { newest_arrival: iso(arrival), newest_event: iso(newest) };
}

interface SessionRange {
  first_ts: string;
  after_last: string;
}

const sessionOf = ({ filed: _, ...row }: SessionRow) => ({
  ...row,
  heard_at: iso(row.heard_at),
  start: iso(row.start),
  end: iso(row.end),
});

interface EventRow extends Row {
  event_ts: string;
  received_at: string;
  parent_known: number | boolean | null;
  event_count: number;
}

const eventOf = ({ event_ts, received_at, parent_known, event_count: _, ...row }: EventRow) => ({
  ...row,
  at: iso(event_ts),
  received_at: iso(received_at),
  parent_known: parent_known === null ? null : Boolean(parent_known),
});

interface SkillRow extends Row {
  first_seen: number | null;
  last_edited: number | null;
}

const skillOf = ({ first_seen, last_edited, ...row }: SkillRow) => ({
  ...row,
  first_seen: isoOfMs(first_seen),
  last_edited: isoOfMs(last_edited),
});

/** The last time that a JavaScript date can hold. An upload can contain any time up to 2^53 - 1. */
const LAST_DATE_MS = 8.64e15;
const isoOfMs = (ms: number | null): string | null =>
  ms === null || ms > LAST_DATE_MS ? null : new Date(ms).toISOString();

interface FailureRow extends Row {
  first_seen: string;
  last_seen: string;
}

interface SignalRow {
  rule: string;
  weight: number;
  event_id: string;
  event_ts: string;
  tool_before: string | null;
  text: string;
}

interface Spanned {
  prompt_id: string;
  span_ms: number;
}

interface FrictionRow {
  signal_count: number;
  prompt_id: string;
  repo_url: string | null;
  score: number;
  signals: SignalRow[];
}

interface ByRow extends Row {
  dimension: 'repo' | 'tool_before' | 'rule';
  value: string | null;
  signals: number;
  score: number;
  sessions: number;
}

interface ValueRow {
  filter: string;
  value: string;
  sessions: number;
}

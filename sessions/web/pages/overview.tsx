/** What happens now and what happened: totals, days, running sessions. */
import type { ComponentChildren, JSX } from 'preact';
import type { Figures, Overview, SessionPage } from '../../src/api/answers.ts';
import { ask, useAnswer } from '../api.ts';
import { count, dayOf, duration, percent, shortCount } from '../format.ts';
import { Answer } from '../parts/answer.tsx';
import { Duration, Figure, Rate, StateIcon, When } from '../parts/bits.tsx';
import { type Bar, DayBars } from '../parts/day-bars.tsx';
import { Nothing } from '../parts/nothing.tsx';
import { SessionTable } from '../parts/session-table.tsx';
import { Page } from '../parts/shell.tsx';
import { Table } from '../parts/table.tsx';
import { place, sessionsOf } from '../place.ts';
import { overviewOf, rangeOf, runningFilters, runningOf } from '../questions.ts';

const EVERY_MS = 10_000;
const LIVE_EVERY_MS = 5_000;

export function OverviewPage(): JSX.Element {
  const { query } = place.value;
  const overview = useAnswer(`overview ${query}`, (signal) => ask<Overview>(overviewOf(query), { signal }), EVERY_MS);
  return (
    <Page title="Overview">
      <RunningNow />
      <Answer of={overview}>
        {(answer) =>
          answer.totals.sessions === 0 ? (
            <Nothing />
          ) : (
            <>
              <Totals of={answer} />
              <Days of={answer} />
            </>
          )
        }
      </Answer>
    </Page>
  );
}

function RunningNow(): JSX.Element {
  const { query } = place.value;
  const running = useAnswer(
    `running ${runningFilters(query)}`,
    (signal) => ask<SessionPage>(runningOf(query), { signal }),
    LIVE_EVERY_MS,
  );
  return (
    <section aria-labelledby="running">
      <h2 id="running">Running now</h2>
      <Answer of={running}>
        {({ sessions }) =>
          sessions.length === 0 ? (
            <p class="note">No session was heard of within the last minute.</p>
          ) : (
            <SessionTable caption="Sessions that run now" captionHidden sessions={sessions} />
          )
        }
      </Answer>
    </section>
  );
}

const hours = (ms: number): string => duration(ms);

function Totals({ of: { totals, days, from, to, newest_event, newest_arrival } }: { of: Overview }): JSX.Element {
  const bars = barsOf(days, from, to);
  const by = (value: (day: Figures) => number | null, bad?: (day: Figures) => number): Bar[] =>
    bars.map(({ from, to, figures }) => ({
      from,
      to,
      value: figures === null ? 0 : value(figures),
      ...(bad !== undefined && figures !== null && { bad: bad(figures) }),
    }));
  const rates = bars.map(({ from, to, figures }) => ({ from, to, value: figures === null ? 0 : figures.error_rate }));
  return (
    <section aria-labelledby="totals">
      <h2 id="totals">In this time</h2>
      <div class="cards">
        <Card
          label="Sessions"
          value={<Figure of={totals.sessions} href={sessionsOf()} as={shortCount} />}
          note={
            <span class="states">
              {(['live', 'quiet', 'ended'] as const).map((state) => (
                <a
                  key={state}
                  class={totals[state] === 0 ? 'state none' : `state ${state}`}
                  href={sessionsOf({ state, not_state: null })}
                >
                  <StateIcon state={state} /> {count(totals[state])} {state}
                </a>
              ))}
            </span>
          }
          bars={<DayBars bars={by((day) => day.sessions)} as={shortCount} />}
        />
        <Card
          label="Active time"
          value={<Figure of={totals.active_ms} href={sessionsOf()} as={hours} />}
          note={
            <>
              without gaps of over 5 minutes · <a href={sessionsOf({ order: 'longest' })}>longest sessions</a>
            </>
          }
          bars={<DayBars bars={by((day) => day.active_ms)} as={hours} />}
        />
        <Card
          label="Turns"
          value={<Figure of={totals.turns} href={sessionsOf()} as={shortCount} />}
          note="messages of a human"
          bars={<DayBars bars={by((day) => day.turns)} as={shortCount} />}
        />
        <Card
          label="Tool calls"
          value={<Figure of={totals.tool_calls} href={sessionsOf()} as={shortCount} />}
          note={
            totals.unknown_outcome === 0 ? (
              'every outcome is known'
            ) : (
              <>
                <Figure of={totals.unknown_outcome} href={sessionsOf({ unknown: '*' })} /> of unknown outcome
              </>
            )
          }
          bars={
            <DayBars
              bars={by(
                (day) => day.tool_calls,
                (day) => day.errors,
              )}
              as={shortCount}
            />
          }
        />
        <Card
          label="Error rate"
          value={<Rate of={totals.error_rate} href={sessionsOf({ failed: '*' })} />}
          note={
            <>
              <Figure of={totals.errors} href={sessionsOf({ failed: '*' })} /> of{' '}
              <Figure of={totals.tool_calls - totals.unknown_outcome} href={sessionsOf()} /> calls whose outcome is
              known
            </>
          }
          bars={<DayBars bars={rates} as={percent} bad />}
        />
      </div>
      <p class="note">
        Newest event <When at={newest_event} />, newest arrival <When at={newest_arrival} />.
      </p>
    </section>
  );
}

interface CardProps {
  label: string;
  value: JSX.Element;
  note: ComponentChildren;
  bars: JSX.Element;
}

const Card = ({ label, value, note, bars }: CardProps): JSX.Element => (
  <div class="card">
    <h3>{label}</h3>
    <p class="value">{value}</p>
    <p class="note">{note}</p>
    {bars}
  </div>
);

function Days({ of: { days } }: { of: Overview }): JSX.Element {
  const to = (day: string, failed?: string) => sessionsOf({ from: day, to: day, range: null, failed });
  return (
    <details class="days">
      <summary>The days as a table</summary>
      <Table
        caption="By day"
        rows={days}
        keyOf={({ day }) => day}
        order="-day"
        columns={[
          { key: 'day', label: 'Day', by: ({ day }) => day, cell: ({ day }) => <a href={to(day)}>{dayOf(day)}</a> },
          {
            key: 'sessions',
            label: 'Sessions',
            numeric: true,
            by: ({ sessions }) => sessions,
            cell: ({ day, sessions }) => <Figure of={sessions} href={to(day)} />,
          },
          {
            key: 'active',
            label: 'Active',
            numeric: true,
            from: 'narrow',
            by: ({ active_ms }) => active_ms,
            cell: ({ day, active_ms }) => <Duration ms={active_ms} href={to(day)} />,
          },
          {
            key: 'turns',
            label: 'Turns',
            numeric: true,
            from: 'narrow',
            by: ({ turns }) => turns,
            cell: ({ day, turns }) => <Figure of={turns} href={to(day)} />,
          },
          {
            key: 'calls',
            label: 'Tool calls',
            numeric: true,
            by: ({ tool_calls }) => tool_calls,
            cell: ({ day, tool_calls }) => <Figure of={tool_calls} href={to(day)} />,
          },
          {
            key: 'errors',
            label: 'Errors',
            numeric: true,
            by: ({ errors }) => errors,
            cell: ({ day, errors }) => <Figure of={errors} href={to(day, '*')} />,
          },
          {
            key: 'rate',
            label: 'Error rate',
            numeric: true,
            by: ({ error_rate }) => error_rate,
            cell: ({ day, error_rate }) => <Rate of={error_rate} href={to(day, '*')} />,
          },
        ]}
      />
    </details>
  );
}

const MOST_BARS = 62;

interface Bucket {
  from: string;
  to: string;
  figures: Figures | null;
}

/** A bar for each day of the range, also those without events; for each few days if they are many. */
function barsOf(days: Overview['days'], from: string, to: string): Bucket[] {
  const first = days[0]?.day;
  const last = days.at(-1)?.day;
  if (first === undefined || last === undefined) return [];
  const { query } = place.value;
  const all = query.get('range') === 'all';
  const today = localDay(Date.now());
  const start = all ? first : min(localDay(rangeOf(query, Date.now()).from), first);
  const end = all ? last : max(last, min(today, localDay(Date.parse(to) - 1)));
  const names: string[] = [];
  const at = new Date(`${max(start, localDay(Date.parse(from)))}T12:00`);
  for (; localDay(at.getTime()) <= end && names.length < 4000; at.setDate(at.getDate() + 1))
    names.push(localDay(at.getTime()));
  const size = Math.ceil(names.length / MOST_BARS);
  const byDay = new Map(days.map((day) => [day.day, day]));
  const buckets: Bucket[] = [];
  for (let n = 0; n < names.length; n += size) {
    const own = names.slice(n, n + size);
    buckets.push({
      from: own[0] as string,
      to: own.at(-1) as string,
      figures: average(
        own.flatMap((name) => byDay.get(name) ?? []),
        own.length,
      ),
    });
  }
  return buckets;
}

const min = (a: string, b: string): string => (a < b ? a : b);
const max = (a: string, b: string): string => (a > b ? a : b);

function localDay(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')}`;
}

/** A day of a bar that stands for several: the average. */
function average(days: readonly Figures[], size: number): Figures | null {
  if (days.length === 0) return null;
  const total = { sessions: 0, active_ms: 0, turns: 0, tool_calls: 0, errors: 0, unknown_outcome: 0 };
  const names = Object.keys(total) as (keyof typeof total)[];
  for (const day of days) for (const name of names) total[name] += day[name];
  const known = total.tool_calls - total.unknown_outcome;
  const error_rate = known === 0 ? null : total.errors / known;
  for (const name of names) total[name] /= size;
  return { ...total, error_rate };
}

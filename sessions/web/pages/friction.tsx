/** Where people get stuck: signs of friction, each with the words that matched. Signs, not verdicts. */
import type { JSX } from 'preact';
import { type Friction, MOST_WITH_FRICTION, type Signal } from '../../src/api/answers.ts';
import { ask, useAnswer } from '../api.ts';
import { count, plural, repoName } from '../format.ts';
import { Answer } from '../parts/answer.tsx';
import { Empty, Figure, Name, Rate, Repo, Unknown, When } from '../parts/bits.tsx';
import { Nothing, status } from '../parts/nothing.tsx';
import { titleOf } from '../parts/session-table.tsx';
import { Page } from '../parts/shell.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { here, isFiltered, only, type Patch, place, sessionAt, to } from '../place.ts';
import { frictionOf, ownFrictionFilters } from '../questions.ts';
import { SignalMark, strength } from '../session/marks.tsx';

export function FrictionPage(): JSX.Element {
  const { query } = place.value;
  const own = ownFrictionFilters(query);
  const answer = useAnswer(`friction ${query}`, (signal) => ask<Friction>(frictionOf(query), { signal }), 30_000);
  return (
    <Page title="Friction">
      <Answer of={answer}>
        {(friction) =>
          friction.sessions.length === 0 && own.size === 0 ? (
            <NoFriction of={friction} />
          ) : (
            <>
              {own.size > 0 && <Signals of={friction} own={own} />}
              <div class="side-by-side">
                <Table
                  caption={`Rules, version ${friction.version}. Strong signs weigh 2, medium ones 1`}
                  rows={friction.rules}
                  keyOf={({ name }) => name}
                  parameter="rules"
                  order="-signals"
                  columns={RULES}
                />
                <Table
                  caption="The tool that was used just before"
                  rows={friction.tools}
                  keyOf={({ tool_before: tool }) => tool ?? ''}
                  parameter="tools"
                  order="-score"
                  most={20}
                  columns={TOOLS}
                />
              </div>
              <Table
                caption="Repositories. The rate is of all their sessions, from 5 sessions on"
                rows={friction.repos}
                keyOf={({ repo }) => repo ?? ''}
                parameter="repos"
                order="-score"
                most={50}
                columns={REPOS}
              />
              {own.size === 0 && <Signals of={friction} own={own} />}
            </>
          )
        }
      </Answer>
    </Page>
  );
}

function NoFriction({ of: { rules, version } }: { of: Friction }): JSX.Element {
  if (isFiltered(place.value.query) || status.value?.newest_arrival === null) return <Nothing />;
  return (
    <Empty title="No signs of friction in this time">
      <p>
        A session has friction when its signals weigh 2 or more. {plural(rules.length, 'rule')} looked, version{' '}
        <code>{version}</code>.
      </p>
    </Empty>
  );
}

/** How many signals of a session are in the list. The others are on its page. */
const MOST_SHOWN = 5;

function Signals({ of: { sessions }, own }: { of: Friction; own: URLSearchParams }): JSX.Element {
  return (
    <section aria-labelledby="signals">
      <h2 id="signals">
        {sessions.length < MOST_WITH_FRICTION
          ? `${plural(sessions.length, 'session')} with friction`
          : `The ${count(MOST_WITH_FRICTION)} sessions with the most friction`}
        {own.size > 0 && (
          <span class="own-filter">
            {[...own].map(([name, value]) => (
              <span key={name}>
                {name === 'rule' ? 'rule' : 'after'} <Name of={value === '' ? 'no tool' : value} />
              </span>
            ))}
            <a href={here({ rule: null, tool_before: null })}>Show all signals</a>
          </span>
        )}
      </h2>
      {sessions.length === 0 && <p class="note">No session has such signals.</p>}
      <ol class="friction-list">
        {sessions.map(({ prompt_id: id, title, repo, score, signal_count, signals }) => (
          <li key={id}>
            <div class="friction-head">
              <a href={sessionAt(id, { at: 'friction' })} data-row>
                <Name of={titleOf({ prompt_id: id, title })} class="strong" />
              </a>
              <Repo url={repo} />
              <span class="note">
                <a href={sessionAt(id, { only: 'signals', view: 'details' })}>{plural(signal_count, 'signal')}</a>,
                weight <a href={sessionAt(id, { only: 'signals', view: 'details' })}>{count(score)}</a>
                {own.size > 0 && ' in all'}
              </span>
            </div>
            <ul>
              {signals.slice(0, MOST_SHOWN).map((signal) => (
                <SignalLine key={`${signal.event_id} ${signal.rule}`} id={id} signal={signal} />
              ))}
            </ul>
            {signal_count > MOST_SHOWN && (
              <a href={sessionAt(id, { only: 'signals', view: 'details' })}>
                and {count(signal_count - MOST_SHOWN)} more
              </a>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

function SignalLine({ id, signal }: { id: string; signal: Signal }): JSX.Element {
  const key = signal.event_id.startsWith(`${id}:`) ? signal.event_id.slice(id.length + 1) : signal.event_id;
  return (
    <li>
      <SignalMark signal={signal} />
      <bdi class="quote">
        {signal.text === '' ? <Unknown why="no text" /> : <Name of={signal.text.replace(/\s+/g, ' ')} />}
      </bdi>
      <span class="note name">
        {signal.tool_before !== null && (
          <>
            after <Name of={signal.tool_before} />
          </>
        )}
      </span>
      <a href={sessionAt(id, { at: key })}>
        <When at={signal.at} />
      </a>
    </li>
  );
}

const figures = <Row extends { signals: number; sessions: number }>(patch: (row: Row) => Patch): Column<Row>[] => [
  {
    key: 'signals',
    label: 'Signals',
    numeric: true,
    by: ({ signals }) => signals,
    cell: (row) => <Figure of={row.signals} href={to('/friction', patch(row))} />,
  },
  {
    key: 'sessions',
    label: 'Sessions',
    numeric: true,
    by: ({ sessions }) => sessions,
    cell: (row) => <Figure of={row.sessions} href={to('/friction', patch(row))} />,
  },
];

const score = <Row extends { score: number }>(patch: (row: Row) => Patch): Column<Row> => ({
  key: 'score',
  label: 'Weight',
  numeric: true,
  from: 'narrow',
  by: (row) => row.score,
  cell: (row) => <Figure of={row.score} href={to('/friction', patch(row))} />,
});

type Rule = Friction['rules'][number];
const RULES: Column<Rule>[] = [
  { key: 'rule', label: 'Rule', by: ({ name }) => name, cell: ({ name }) => <Name of={name} class="strong" /> },
  {
    key: 'weight',
    label: 'Weight',
    numeric: true,
    from: 'narrow',
    by: ({ weight }) => weight,
    cell: ({ weight }) => <span title={`weight ${weight}`}>{strength(weight)}</span>,
  },
  ...figures<Rule>(({ name }) => ({ rule: name })),
];

type Before = Friction['tools'][number];
const before = ({ tool_before: tool }: Before): Patch => ({ tool_before: tool ?? '' });
const TOOLS: Column<Before>[] = [
  {
    key: 'tool',
    label: 'Tool before',
    by: ({ tool_before: tool }) => tool,
    cell: ({ tool_before: tool }) =>
      tool === null ? <span class="unknown">no tool</span> : <Name of={tool} class="strong" />,
  },
  ...figures<Before>(before),
  score<Before>(before),
];

type InRepo = Friction['repos'][number];
const inRepo = ({ repo }: InRepo): Patch => only('repo', repo);
const REPOS: Column<InRepo>[] = [
  {
    key: 'repo',
    label: 'Repository',
    by: ({ repo }) => (repo === null ? null : repoName(repo)),
    cell: ({ repo }) => <Repo url={repo} />,
  },
  ...figures<InRepo>(inRepo),
  {
    key: 'rate',
    label: 'Of its sessions',
    numeric: true,
    from: 'narrow',
    by: ({ rate }) => rate,
    cell: ({ repo, rate, all_sessions: all }) =>
      rate === null ? (
        <Unknown why="fewer than 5 sessions" />
      ) : (
        <>
          <Rate of={rate} href={to('/sessions', only('repo', repo))} />{' '}
          <span class="note">
            of <a href={to('/sessions', only('repo', repo))}>{count(all ?? 0)}</a>
          </span>
        </>
      ),
  },
  score<InRepo>(inRepo),
];

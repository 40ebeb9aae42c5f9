/** The agents side by side: what each did, and what it can report at all. */
import type { JSX } from 'preact';
import type { Agent, Agents, Reports } from '../../src/api/answers.ts';
import { ask, useAnswer } from '../api.ts';
import { Answer } from '../parts/answer.tsx';
import { Figure, Name, Unknown, UnknownName } from '../parts/bits.tsx';
import { Nothing } from '../parts/nothing.tsx';
import { Page } from '../parts/shell.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { only, place, sessionsOf } from '../place.ts';
import { agentsOf } from '../questions.ts';
import { calls } from './tools.tsx';

export function AgentsPage(): JSX.Element {
  const { query } = place.value;
  const answer = useAnswer(`agents ${query}`, (signal) => ask<Agents>(agentsOf(query), { signal }), 15_000);
  return (
    <Page title="Agents">
      <Answer of={answer}>
        {({ agents }) =>
          agents.length === 0 ? (
            <Nothing what="agent" />
          ) : (
            <>
              <Table
                caption="Agents. What an agent can’t report is “–”, and counts in no rate"
                rows={agents}
                keyOf={({ agent }) => agent ?? ''}
                order="-sessions"
                most={50}
                columns={COLUMNS}
              />
              <section aria-labelledby="reports">
                <h2 id="reports">What each can report</h2>
                <Table
                  caption="“–” is what an agent has no way to report, whatever happens"
                  rows={agents.filter(({ agent }) => agent !== null)}
                  keyOf={({ agent }) => agent ?? ''}
                  parameter="reports"
                  order="agent"
                  most={50}
                  columns={REPORTS}
                />
              </section>
            </>
          )
        }
      </Answer>
    </Page>
  );
}

const sessionsOfAgent = ({ agent }: Agent) => only('agent', agent);

const name: Column<Agent> = {
  key: 'agent',
  label: 'Agent',
  by: ({ agent }) => agent,
  cell: ({ agent }) =>
    agent === null ? <UnknownName why="the sessions name no agent" /> : <Name of={agent} class="strong" />,
};

const CALLS = calls<Agent>(
  sessionsOfAgent,
  (row) => ({ ...sessionsOfAgent(row), failed: '*' }),
  ({ reports }, what) => (reports !== null && reports[what] === null ? 'this agent can’t report it' : undefined),
);

const COLUMNS: Column<Agent>[] = [
  name,
  {
    key: 'turns',
    label: 'Turns',
    numeric: true,
    by: ({ turns }) => turns,
    cell: (row) => <Figure of={row.turns} href={sessionsOf(sessionsOfAgent(row))} />,
  },
  // There are few columns, so those of durations find room earlier than on other pages.
  ...CALLS.map((column) => ({ ...column, ...(column.from === 'medium' && { from: 'narrow' as const }) })),
];

const report = (key: keyof Reports, label: string, from?: Column<Agent>['from']): Column<Agent> => ({
  key,
  label,
  ...(from !== undefined && { from }),
  cell: ({ reports }) => {
    if (reports === null) return <UnknownName why="what this agent can report is not known" />;
    const how = reports[key];
    return how === null ? <Unknown why="can’t be reported" /> : <span class="how">{how}</span>;
  },
});

const REPORTS: Column<Agent>[] = [
  name,
  report('error', 'Errors'),
  report('observed', 'Observed'),
  report('reported', 'Reported'),
  report('model', 'Model', 'narrow'),
  report('thoughts', 'Thoughts', 'medium'),
  report('skill_file', 'Skill file', 'medium'),
  report('subagents', 'Subagents', 'wide'),
];

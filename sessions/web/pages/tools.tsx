/** Which tools are used, which fail, and how long they take. */
import type { JSX } from 'preact';
import type { Calls, Failure, McpServer, Tool, Tools } from '../../src/api/answers.ts';
import { ask, useAnswer } from '../api.ts';
import { repoName } from '../format.ts';
import { Answer } from '../parts/answer.tsx';
import { Duration, Figure, Name, Rate, Repo, UnknownName, When } from '../parts/bits.tsx';
import { Nothing } from '../parts/nothing.tsx';
import { Page } from '../parts/shell.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { only, type Patch, place, sessionAt, sessionsOf } from '../place.ts';
import { toolsOf } from '../questions.ts';

export function ToolsPage(): JSX.Element {
  const { query } = place.value;
  const answer = useAnswer(`tools ${query}`, (signal) => ask<Tools>(toolsOf(query), { signal }), 15_000);
  return (
    <Page title="Tools">
      <Answer of={answer}>
        {({ tools, mcp_servers: servers, failures }) =>
          tools.length === 0 ? (
            <Nothing what="tool call" />
          ) : (
            <>
              <Table
                caption="Tools. The error rate is of the calls whose outcome is known; durations are as seen in transcripts, and as agents report them"
                rows={tools}
                keyOf={({ tool }) => tool ?? ''}
                order="-calls"
                most={100}
                columns={TOOLS}
              />
              {servers.length > 0 && (
                <section aria-labelledby="servers">
                  <h2 id="servers">MCP servers</h2>
                  <Table
                    caption="MCP servers, by the names of their tools"
                    rows={servers}
                    keyOf={({ mcp_server: server }) => server}
                    parameter="servers"
                    order="-calls"
                    most={50}
                    columns={SERVERS}
                  />
                </section>
              )}
              <section aria-labelledby="failures">
                <h2 id="failures">Recurring failures</h2>
                {failures.length === 0 ? (
                  <p class="note">No tool failed twice in one repository.</p>
                ) : (
                  <Table
                    caption="Tools that failed at least twice in one repository"
                    rows={failures}
                    keyOf={({ tool, repo }) => `${tool} ${repo}`}
                    parameter="failures"
                    order="-errors"
                    columns={FAILURES}
                  />
                )}
              </section>
            </>
          )
        }
      </Answer>
    </Page>
  );
}

/**
 * The columns that tools, servers and agents share. `patch` are the filters for the sessions of a row, null where none are;
 * `unable` says why a row can't have a value, where it can't.
 */
export function calls<Row extends Calls>(
  patch: (row: Row) => Patch | null,
  failed: (row: Row) => Patch,
  unable: (row: Row, what: 'error' | 'observed' | 'reported') => string | undefined = () => undefined,
): Column<Row>[] {
  const all = (row: Row): string | undefined => {
    const filters = patch(row);
    return filters === null ? undefined : sessionsOf(filters);
  };
  const unknown = (row: Row): string => {
    const { failed: which, ...others } = failed(row);
    return sessionsOf({ ...others, unknown: which });
  };
  const duration = (key: keyof Calls, label: string, about: string): Column<Row> => ({
    key,
    label,
    about,
    numeric: true,
    from: key.includes('p50') ? 'medium' : 'wide',
    by: (row) => row[key],
    cell: (row) => (
      <Duration
        ms={row[key]}
        href={all(row)}
        why={
          key.startsWith('observed')
            ? (unable(row, 'observed') ?? 'not observed')
            : (unable(row, 'reported') ?? 'not reported')
        }
      />
    ),
  });
  return [
    {
      key: 'calls',
      label: 'Calls',
      numeric: true,
      by: ({ calls }) => calls,
      cell: (row) => <Figure of={row.calls} href={all(row)} />,
    },
    {
      key: 'errors',
      label: 'Errors',
      numeric: true,
      by: ({ errors }) => errors,
      cell: (row) => <Figure of={row.errors} href={sessionsOf(failed(row))} />,
    },
    {
      key: 'rate',
      label: 'Error rate',
      numeric: true,
      by: ({ error_rate }) => error_rate,
      cell: (row) => <Rate of={row.error_rate} href={sessionsOf(failed(row))} why={unable(row, 'error')} />,
    },
    {
      key: 'unknown',
      label: 'Unknown',
      about: 'Calls whose outcome nobody reported',
      numeric: true,
      from: 'narrow',
      by: ({ unknown_outcome }) => unknown_outcome,
      cell: (row) => <Figure of={row.unknown_outcome} href={unknown(row)} />,
    },
    {
      key: 'sessions',
      label: 'Sessions',
      numeric: true,
      from: 'narrow',
      by: ({ sessions }) => sessions,
      cell: (row) => <Figure of={row.sessions} href={all(row)} />,
    },
    duration(
      'observed_p50_ms',
      'Observed p50',
      'From the call to its result: half of the calls took at most this long',
    ),
    duration(
      'observed_p95_ms',
      'Observed p95',
      'From the call to its result: 95 % of the calls took at most this long',
    ),
    duration('reported_p50_ms', 'Reported p50', 'As the agent reported it: half of the calls took at most this long'),
    duration('reported_p95_ms', 'Reported p95', 'As the agent reported it: 95 % of the calls took at most this long'),
  ];
}

const toolName = ({ tool }: { tool: string | null }): JSX.Element =>
  tool === null || tool === '' ? <UnknownName why="the calls name no tool" /> : <Name of={tool} class="strong" />;

const TOOLS: Column<Tool>[] = [
  { key: 'tool', label: 'Tool', by: ({ tool }) => tool, cell: toolName },
  ...calls<Tool>(
    // The filter for no tool finds sessions without any, not those with a call whose name nobody reported.
    ({ tool }) => (tool === null ? null : only('tool', tool)),
    failedCalls,
  ),
];

const SERVERS: Column<McpServer>[] = [
  {
    key: 'server',
    label: 'Server',
    by: ({ mcp_server: server }) => server,
    cell: ({ mcp_server: server }) => <Name of={server} class="strong" />,
  },
  {
    key: 'tools',
    label: 'Tools',
    numeric: true,
    from: 'narrow',
    by: ({ tools }) => tools,
    cell: ({ tools, mcp_server: server }) => <Figure of={tools} href={sessionsOf({ mcp_server: server })} />,
  },
  ...calls<McpServer>(
    ({ mcp_server: server }) => ({ mcp_server: server }),
    ({ mcp_server: server }) => ({ mcp_server: server, failed: '*' }),
  ),
];

const FAILURES: Column<Failure>[] = [
  { key: 'tool', label: 'Tool', by: ({ tool }) => tool, cell: toolName },
  {
    key: 'repo',
    label: 'Repository',
    by: ({ repo }) => (repo === null ? null : repoName(repo)),
    cell: ({ repo }) => <Repo url={repo} />,
  },
  {
    key: 'errors',
    label: 'Errors',
    numeric: true,
    by: ({ errors }) => errors,
    cell: (row) => <Figure of={row.errors} href={sessionsOf(failedIn(row))} />,
  },
  {
    key: 'rate',
    label: 'Error rate',
    numeric: true,
    from: 'narrow',
    by: ({ error_rate }) => error_rate,
    cell: (row) => <Rate of={row.error_rate} href={sessionsOf(failedIn(row))} />,
  },
  {
    key: 'sessions',
    label: 'Sessions',
    numeric: true,
    from: 'narrow',
    by: ({ sessions }) => sessions,
    cell: (row) => <Figure of={row.sessions} href={sessionsOf(failedIn(row))} />,
  },
  {
    key: 'first',
    label: 'First',
    from: 'medium',
    by: ({ first_seen }) => first_seen,
    cell: ({ first_seen }) => <When at={first_seen} />,
  },
  {
    key: 'last',
    label: 'Last',
    by: ({ last_seen }) => last_seen,
    cell: ({ last_seen, last_prompt_id: id }) => (
      <a href={sessionAt(id, { view: 'details', at: 'error' })}>
        <When at={last_seen} />
      </a>
    ),
  },
];

function failedCalls({ tool }: Pick<Tool, 'tool'>): Patch {
  return { ...(tool !== null && only('tool', tool)), failed: tool ?? '' };
}

function failedIn({ tool, repo }: Failure): Patch {
  return { ...failedCalls({ tool }), ...only('repo', repo) };
}

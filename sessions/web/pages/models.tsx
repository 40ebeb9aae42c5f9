/** What each model did. */
import type { JSX } from 'preact';
import type { Model, Models } from '../../src/api/answers.ts';
import { ask, useAnswer } from '../api.ts';
import { Answer } from '../parts/answer.tsx';
import { Figure, Name, UnknownName } from '../parts/bits.tsx';
import { Nothing } from '../parts/nothing.tsx';
import { Page } from '../parts/shell.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { only, place, sessionsOf } from '../place.ts';
import { modelsOf } from '../questions.ts';

export function ModelsPage(): JSX.Element {
  const { query } = place.value;
  const answer = useAnswer(`models ${query}`, (signal) => ask<Models>(modelsOf(query), { signal }), 15_000);
  return (
    <Page title="Models">
      <Answer of={answer}>
        {({ models }) =>
          models.length === 0 ? (
            <Nothing what="model" />
          ) : (
            <Table
              caption="Models. A turn counts for the model that answered it"
              rows={models}
              keyOf={({ model }) => model ?? ''}
              order="-turns"
              most={100}
              columns={COLUMNS}
            />
          )
        }
      </Answer>
    </Page>
  );
}

const number = (key: 'turns' | 'tool_calls' | 'errors' | 'sessions', label: string): Column<Model> => ({
  key,
  label,
  numeric: true,
  by: (row) => row[key],
  cell: (row) => <Figure of={row[key]} href={sessionsBehind(row, key)} />,
});

/** The filter for no model finds sessions that name none at all. Those of which some events name none have another. */
const sessionsBehind = ({ model }: Model, key: string): string =>
  sessionsOf({
    ...(model === null ? { without_model: '*' } : only('model', model)),
    ...(key === 'errors' && { failed: '*' }),
  });

const COLUMNS: Column<Model>[] = [
  {
    key: 'model',
    label: 'Model',
    by: ({ model }) => model,
    cell: ({ model }) =>
      model === null ? <UnknownName why="no event names a model" /> : <Name of={model} class="strong" />,
  },
  number('turns', 'Turns'),
  number('tool_calls', 'Tool calls'),
  number('errors', 'Errors'),
  number('sessions', 'Sessions'),
];

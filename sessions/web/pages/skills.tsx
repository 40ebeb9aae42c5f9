/** Which skills are used, by how many, and whether they changed. */
import type { JSX } from 'preact';
import type { Skill, Skills } from '../../src/api/answers.ts';
import { ask, useAnswer } from '../api.ts';
import { skillName } from '../format.ts';
import { Answer } from '../parts/answer.tsx';
import { Figure, Name, When } from '../parts/bits.tsx';
import { Nothing } from '../parts/nothing.tsx';
import { Page } from '../parts/shell.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { type Patch, place, sessionsOf } from '../place.ts';
import { skillsOf } from '../questions.ts';

export function SkillsPage(): JSX.Element {
  const { query } = place.value;
  const answer = useAnswer(`skills ${query}`, (signal) => ask<Skills>(skillsOf(query), { signal }), 15_000);
  return (
    <Page title="Skills">
      <Answer of={answer}>
        {({ skills }) =>
          skills.length === 0 ? (
            <Nothing what="skill" />
          ) : (
            <Table
              caption="Skills by the file that was used. A version is a content of that file"
              rows={skills}
              keyOf={({ path }) => path ?? ''}
              order="-uses"
              most={100}
              columns={COLUMNS}
            />
          )
        }
      </Answer>
    </Page>
  );
}

const of = ({ path }: Skill): Patch => ({ skill: path ?? '' });
const number = (key: string, label: string, value: (skill: Skill) => number, about?: string): Column<Skill> => ({
  key,
  label,
  numeric: true,
  by: value,
  cell: (skill) => <Figure of={value(skill)} href={sessionsOf(of(skill))} />,
  ...(about !== undefined && { about }),
});

const COLUMNS: Column<Skill>[] = [
  {
    key: 'skill',
    label: 'Skill',
    by: ({ path }) => (path === null ? null : skillName(path)),
    class: 'title-cell',
    cell: ({ path }) =>
      path === null ? (
        <>
          <span class="strong">Unresolved</span>
          <p class="second">Used, but no file was found for it</p>
        </>
      ) : (
        <>
          <Name of={skillName(path)} title={path} class="strong" />
          <p class="second">
            <Name of={path} class="path" />
          </p>
        </>
      ),
  },
  number('uses', 'Uses', ({ invocations }) => invocations),
  number('sessions', 'Sessions', ({ sessions }) => sessions),
  {
    ...number('users', 'Users', ({ distinct_users: users }) => users, 'People whose sessions used it'),
    from: 'narrow',
  },
  {
    key: 'versions',
    label: 'Versions',
    about: 'Different contents of the file',
    numeric: true,
    from: 'narrow',
    by: ({ path, distinct_versions: versions }) => (path === null ? null : versions),
    // Without a file there is no version to know.
    cell: (skill) => <Figure of={skill.path === null ? null : skill.distinct_versions} href={sessionsOf(of(skill))} />,
  },
  {
    key: 'first',
    label: 'First seen',
    from: 'medium',
    by: ({ first_seen }) => first_seen,
    cell: ({ first_seen }) => <When at={first_seen} />,
  },
  {
    key: 'edited',
    label: 'Last edited',
    by: ({ last_edited }) => last_edited,
    cell: ({ last_edited }) => <When at={last_edited} />,
  },
];

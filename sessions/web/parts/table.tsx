/** A table that can be sorted. Its order is in the address, like all state. */
import type { ComponentChildren, JSX } from 'preact';
import { go, here, place } from '../place.ts';
import { TableFrame } from './table-frame.tsx';

export interface Column<Row> {
  /** Names the column in the address. */
  key: string;
  label: string;
  /** What the heading's title explains. */
  about?: string;
  numeric?: boolean;
  /** A column that small screens leave out: from which width it shows. */
  from?: 'narrow' | 'medium' | 'wide';
  /** What the column is sorted by; without it, it can't be. Null comes last either way. */
  by?: (row: Row) => number | string | null;
  cell: (row: Row) => ComponentChildren;
  class?: string;
}

interface Props<Row> {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** The parameter of the address that holds the order. */
  parameter?: string;
  /** The order at first: a key, with `-` for descending. */
  order: string;
  /** At most so many rows at first, with a button for the rest. */
  most?: number;
}

export function Table<Row>({
  caption,
  columns,
  rows,
  keyOf,
  parameter = 'sort',
  order,
  most,
}: Props<Row>): JSX.Element {
  const given = place.value.query.get(parameter) ?? order;
  const descending = given.startsWith('-');
  const key = given.replace(/^-/, '');
  const by = columns.find((column) => column.key === key)?.by;
  const sorted = by === undefined ? rows : [...rows].sort((a, b) => compare(by(a), by(b), descending));
  const all = place.value.query.get(`${parameter}_all`) !== null;
  const shown = most === undefined || all ? sorted : sorted.slice(0, most);
  return (
    <TableFrame label={caption}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Heading
                key={column.key}
                {...{ column, parameter, order }}
                sorted={column.key === key ? descending : null}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((column, index) => {
                const className = classOf(column);
                return index === 0 ? (
                  <th key={column.key} scope="row" class={className}>
                    {column.cell(row)}
                  </th>
                ) : (
                  <td key={column.key} class={className}>
                    {column.cell(row)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length < sorted.length && (
        <p class="more">
          <a href={here({ [`${parameter}_all`]: '1' })}>Show all {sorted.length}</a>
        </p>
      )}
    </TableFrame>
  );
}

interface HeadingProps<Row> {
  column: Column<Row>;
  parameter: string;
  order: string;
  /** Whether the table is sorted by it, descending or not. */
  sorted: boolean | null;
}

function Heading<Row>({ column, parameter, order, sorted }: HeadingProps<Row>): JSX.Element {
  const { key, label, about, by, numeric } = column;
  if (by === undefined) {
    return (
      <th scope="col" class={classOf(column)} title={about}>
        {label}
      </th>
    );
  }
  // Numbers are read from the largest, names from A.
  const next = sorted === null ? (numeric ? `-${key}` : key) : sorted ? key : `-${key}`;
  return (
    <th
      scope="col"
      class={classOf(column)}
      title={about}
      aria-sort={sorted === null ? undefined : sorted ? 'descending' : 'ascending'}
    >
      <button type="button" onClick={() => go(here({ [parameter]: next === order ? null : next }))}>
        {label}
        <span class="arrow" aria-hidden="true">
          {sorted === null ? '' : sorted ? '↓' : '↑'}
        </span>
      </button>
    </th>
  );
}

function classOf<Row>({ numeric, from, class: own }: Column<Row>): string {
  return [numeric ? 'number' : '', from === undefined ? '' : `from-${from}`, own ?? ''].join(' ').trim();
}

function compare(a: number | string | null, b: number | string | null, descending: boolean): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const order = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
  return descending ? -order : order;
}

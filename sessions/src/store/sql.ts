/** The SQL that ships with the addon's package, which generates it from its table of fields. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const SQL_FOLDER: string = join(dirname(require.resolve('git-ai-metrics/package.json')), 'sql');

/** The statements of a file. Each ends with a semicolon at the end of a line. */
export const statements = (text: string): string[] =>
  text.split(/;\s*$/m).filter((statement) => /^(?!\s*--)\s*\S/m.test(statement));

const texts = new Map<string, string>();

/** One of sql/queries, by its name without `.sql`. */
export function namedQuery(name: string): string {
  let text = texts.get(name);
  if (text === undefined) {
    text = readFileSync(join(SQL_FOLDER, 'queries', `${name}.sql`), 'utf8');
    texts.set(name, text);
  }
  return text;
}

const shortened = new Map<string, string>();

/** What a query needs besides the conditions of its filters. */
export interface Needs {
  /** Leaves copied events out. A selection may have none. */
  copies?: boolean;
  /** Reads the deliveries of sessions that aren't merged. A selection may have none. */
  unmerged?: boolean;
  /** Which they are is told by parameters: see api/selected.ts. Else the query finds that out. */
  known?: boolean;
}

/**
 * The same, without the parts that these filters don't need: ClickHouse takes longer to understand them than to find the
 * sessions. Each stands in the file between the lines `-- [<part>` and `-- <part>]`:
 *
 * - `selection`, which finds sessions by filters;
 * - `filters`, the conditions of all filters;
 * - `contents` in it, those that look into events;
 * - `page`, which takes a page before filters are looked at;
 * - `tools`, which leaves out tools that occur in copied events only;
 * - `copies` and `unmerged`;
 * - `unknown`, what the query finds out itself.
 *
 * Some lines are comments in the file, and apply in certain cases:
 *
 * - `-- all: …` instead of `selection`;
 * - `-- known: …` instead of `unknown`;
 * - `-- named: …` where a filter names sessions.
 */
export function queryFor(
  name: string,
  filters: Record<string, readonly string[]> = {},
  { copies = true, unmerged = true, known = false }: Needs = {},
): string {
  const given = Object.keys(filters).filter((each) => filters[each]?.length);
  const isNamed = given.includes('session');
  const isAll = given.length === (isNamed ? 1 : 0);
  const looksAtTools = name === 'filter_values' || given.includes('tool') || given.includes('not tool');
  const unneeded = [...(copies ? [] : ['copies']), ...(unmerged ? [] : ['unmerged']), ...(known ? ['unknown'] : [])];
  if (!copies || !looksAtTools) unneeded.push('tools');
  if (given.length > 0) unneeded.push('page');
  if (isAll) unneeded.push('selection', 'filters');
  else {
    const contents = /-- \[contents\n.*?-- contents\]/s.exec(namedQuery(name))?.[0] ?? '';
    if (!given.some((each) => contents.includes(`filters['${each}']`))) unneeded.push('contents');
  }
  const applying = [...(isAll ? ['all'] : []), ...(known ? ['known'] : []), ...(isNamed ? ['named'] : [])];
  const key = [name, ...unneeded, ...applying].join(' ');
  let text = shortened.get(key);
  if (text === undefined) {
    text = namedQuery(name);
    for (const part of unneeded)
      text = text.replace(new RegExp(`^ *-- \\[${part}\\n.*?^ *-- ${part}\\]\\n`, 'gms'), '');
    for (const lines of applying) text = text.replaceAll(`-- ${lines}: `, '');
    shortened.set(key, text);
  }
  return text;
}

/** The insert statement of a table. */
export function insertStatement(table: string, folder: string = SQL_FOLDER): string {
  const name = table === 'prompt_event_deliveries' ? 'insert.sql' : `insert-${table}.sql`;
  return readFileSync(join(folder, name), 'utf8');
}

export interface Migration {
  name: string;
  statements: string[];
}

/** The migrations of one node or of a cluster, in order. The views come last; they aren't a migration. */
export function migrations(set: 'single' | 'cluster', folder: string = SQL_FOLDER): Migration[] {
  return readdirSync(join(folder, set))
    .sort()
    .map((name) => ({ name, statements: statements(readFileSync(join(folder, set, name), 'utf8')) }));
}

/** A time in unix milliseconds, as a parameter of type `DateTime64(3)`. */
export const dateTime64 = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', '');

// Prompt events in embedded ClickHouse: a data directory with the tables of sql/single, rows in, answers out.

import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const SQL = join(dirname(fileURLToPath(import.meta.url)), '..', 'sql');

const readSql = (...path) => readFileSync(join(SQL, ...path), 'utf8');

/** A text of statements as a list of them; every statement ends a line with its semicolon. */
const statements = (text) => text.split(/;\s*$/m).filter((statement) => /^(?!\s*--)\s*\S/m.test(statement));

const INSERT = readSql('insert-file.sql');

export class Store {
  #session;
  #directory;

  /** Opens a data directory, made if missing. One process at a time can have it open, and no worker thread. */
  constructor(directory) {
    // ClickHouse takes the path of a file to insert for a pattern, and a pattern that nothing matches for an empty file.
    if (/[*?{}]/.test(directory)) throw new CannotOpen(`cannot open ${directory}: its path may not hold *, ?, { or }`);
    this.#directory = directory;
    this.#session = open(join(directory, 'clickhouse'));
    // What a process that was killed left behind. It is none of a living one's: the directory is ours now.
    for (const name of readdirSync(directory)) {
      if (/^insert-\d+\.rows$/.test(name)) rmSync(join(directory, name));
    }
    // Numbers, not strings: no count here comes near 2^53, and times are milliseconds.
    this.#session.query('SET output_format_json_quote_64bit_integers = 0');
    this.#migrate();
  }

  /** Applies the migrations that this directory has not seen, in their order. Each may be applied again after a crash. */
  #migrate() {
    this.#session.query(
      'CREATE TABLE IF NOT EXISTS schema_migrations (name String, applied_at DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY name',
    );
    const applied = new Set(this.rows('SELECT name FROM schema_migrations').map(({ name }) => name));
    for (const name of readdirSync(join(SQL, 'single')).sort()) {
      if (applied.has(name)) continue;
      for (const statement of statements(readSql('single', name))) this.#session.query(statement);
      this.#session.queryBind('INSERT INTO schema_migrations (name) SELECT {name:String}', { name });
    }
  }

  /** Stores rows of encodePromptEventRows, so many of them. Once this returns, they survive the death of the process. */
  insert(rows, rowCount, format = 'RowBinary') {
    if (rowCount === 0) return;
    const before = this.#insertedRows();
    const file = join(this.#directory, `insert-${process.pid}.rows`);
    writeFileSync(file, rows);
    try {
      this.#session.queryBind(INSERT, { file, format });
    } finally {
      rmSync(file, { force: true });
    }
    const inserted = this.#insertedRows() - before;
    if (inserted !== rowCount) throw new Error(`ClickHouse stored ${inserted} rows of the ${rowCount} in ${file}`);
  }

  /** How many rows ClickHouse has inserted since it was opened, by its own count. */
  #insertedRows() {
    return this.rows("SELECT value FROM system.events WHERE event = 'InsertedRows'")[0]?.value ?? 0;
  }

  /** The rows that one of sql/queries gives. Of a query whose one parameter is a `?`, `params` is its value. */
  ask(name, params) {
    const sql = readSql('queries', `${name}.sql`);
    if (typeof params === 'string') return this.rows(sql.replace('?', '{value:String}'), { value: params });
    return this.rows(sql, params);
  }

  rows(sql, params) {
    const answer = params
      ? this.#session.queryBind(sql, params, 'JSONEachRow')
      : this.#session.query(sql, 'JSONEachRow');
    return answer.split('\n').filter(Boolean).map(JSON.parse);
  }

  /** chDB's own session, for what there is no method for here. */
  get session() {
    return this.#session;
  }

  close() {
    this.#session.close();
  }
}

/** What keeps embedded ClickHouse from opening, in one line. */
export class CannotOpen extends Error {}

function open(directory) {
  let chdb;
  try {
    chdb = require('chdb');
  } catch (cause) {
    throw new CannotOpen('embedded ClickHouse (chDB) does not run here: it is for macOS, and Linux with glibc', {
      cause,
    });
  }
  try {
    // Tried here first, since chDB tells its reasons to nobody but stderr.
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return new chdb.Session(directory);
  } catch (cause) {
    const reason = cause.message.startsWith('Failed to create connection')
      ? 'is another process using it?'
      : cause.message;
    throw new CannotOpen(`cannot open ${directory}: ${reason}`, { cause });
  }
}

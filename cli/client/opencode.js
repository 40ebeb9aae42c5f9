'use strict';

// OpenCode stores all sessions of a user in one SQLite database, which Node can read since version 22.13. The core takes
// its rows as JSON.

const { headOf, look } = require('./agents.js');

/** A database is busy while OpenCode writes to it, for some milliseconds. */
const BUSY_MS = 5000;

/** A second change within this time may leave size and time of the files unchanged. */
const CLOCK_STEP_MS = 50;

/** How many events one read returns by default. */
const EVENTS_A_READ = 1000;

/** The types of Node 20 don't have it. @type {string} */
const MODULE = 'node:sqlite';

const MAGIC = 'SQLite format 3\0';

/** Node warns of its SQLite while that is experimental. Users of this command can do nothing about it. */
function sqlite() {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return require(MODULE);
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Returns why OpenCode's database can't be read by this version of Node, or `undefined` if it can. */
const obstacle = () =>
  sqlite() === undefined ? `OpenCode’s sessions need Node 22.13 or later, found ${process.versions.node}` : undefined;

/** Whether a file is a SQLite database. */
function isDatabase(path) {
  try {
    return look(path)?.isFile() === true && headOf(path, MAGIC.length).toString('latin1') === MAGIC;
  } catch {
    // Whoever reads it will say why it can't be read.
    return false;
  }
}

/** The database as it is now. Errors are those of a file that can't be read. */
class Database {
  #path;
  #database;

  constructor(path) {
    this.#path = path;
  }

  /** Returns the rows of a query. */
  all(query, ...values) {
    try {
      this.#database ??= this.#open();
      return this.#database.prepare(query).all(...values);
    } catch (error) {
      this.close();
      throw Object.assign(new Error(`${this.#path}: ${error.message}`), { code: 'ERR_IO' });
    }
  }

  close() {
    this.#database?.close();
    this.#database = undefined;
  }

  #open() {
    const module = sqlite();
    if (module === undefined) throw new Error(obstacle());
    const database = new module.DatabaseSync(this.#path, { readOnly: true });
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    return database;
  }
}

const ROWS = 'SELECT id, session_id, time_created, time_updated, data FROM';

/** What shows that a session has changed: the times and the number of its rows. Two rows can have the same time. */
const LOOKS = `
  SELECT session_id AS id, max(time_updated) AS newest, CAST(sum(time_updated) AS text) || ' ' || count(*) AS look FROM (
    SELECT session_id, time_updated FROM message UNION ALL SELECT session_id, time_updated FROM part
  )`;

/**
 * Reads one session's events, as a `TranscriptReader` does. Rows are updated in place, so each pass takes all messages
 * with a row as new as the newest one of the pass before. Events that they repeat aren't returned again.
 */
class RowsReader {
  offset = 0;
  #database;
  #sessionId;
  #reader;
  /** The newest row of the last complete pass, and what the session looked like then. */
  #newest = 0;
  #look = '';
  /** The messages that the current pass hasn't taken yet, and what ends it. */
  #messages = [];
  #end;
  #sources = [];

  /** @param {{ path: string, database: string, sessionId: string }} session */
  constructor({ path, database, sessionId }, options, state) {
    const { TranscriptReader } = require('../../index.js');
    const all = { sessionId, ...options };
    const saved = state === undefined ? undefined : savedIn(state);
    this.#database = new Database(database);
    this.#sessionId = sessionId;
    this.#newest = saved?.newest ?? 0;
    this.#reader =
      saved === undefined
        ? new TranscriptReader('opencode', path, all)
        : TranscriptReader.resume('opencode', path, all, saved.reader);
  }

  read(maxEvents = EVENTS_A_READ) {
    const events = [];
    this.#sources = [];
    if (this.#end === undefined) this.#begin();
    while (events.length < maxEvents && this.#messages.length > 0) {
      const [{ id }] = this.#messages;
      const [message] = this.#database.all(`${ROWS} message WHERE id = ?`, id);
      const parts = this.#database.all(`${ROWS} part WHERE message_id = ? ORDER BY id`, id);
      events.push(...this.#reader.take(JSON.stringify({ message, parts })));
      this.#sources.push(...this.#reader.sources());
      this.#messages.shift();
    }
    if (this.#end !== undefined && this.#messages.length === 0) {
      ({ newest: this.#newest, look: this.#look } = this.#end);
      this.#end = undefined;
    }
    return events;
  }

  sources() {
    return this.#sources;
  }

  state() {
    return JSON.stringify({ newest: this.#newest, reader: this.#reader.state() });
  }

  close() {
    this.#reader.close();
    this.#database.close();
  }

  #begin() {
    const [found] = this.#database.all(`${LOOKS} WHERE session_id = ? GROUP BY session_id`, this.#sessionId);
    if (found === undefined || found.look === this.#look) return;
    this.#end = found;
    const [session] = this.#database.all('SELECT id, parent_id FROM session WHERE id = ?', this.#sessionId);
    this.#reader.take(JSON.stringify({ session }));
    this.#messages = this.#database.all(
      `SELECT id FROM message WHERE session_id = ?1 AND (
        time_updated >= ?2 OR id IN (SELECT message_id FROM part WHERE session_id = ?1 AND time_updated >= ?2)
      ) ORDER BY id`,
      this.#sessionId,
      this.#newest,
    );
  }
}

/** Reads a state that `RowsReader` wrote. */
function savedIn(state) {
  try {
    const { newest, reader } = JSON.parse(state);
    if (Number.isSafeInteger(newest) && typeof reader === 'string') return { newest, reader };
  } catch {
    // Not JSON.
  }
  throw Object.assign(new TypeError('state: expected a state as an earlier call returned it'), {
    code: 'ERR_INVALID_ARGUMENT',
  });
}

/** The sessions of one database. */
class DatabaseSessions {
  #path;
  #database;
  #seen = '';
  /** By id. */
  #sessions = new Map();

  constructor(path) {
    this.#path = path;
    this.#database = new Database(path);
  }

  /** Why the sessions can't be read, if there may be some. */
  get obstacle() {
    return look(this.#path) === undefined ? undefined : obstacle();
  }

  /** Returns the sessions that are new or have changed since the last call. */
  changed() {
    const { seen, isSettled } = this.#lookOfFiles();
    if (seen === this.#seen || sqlite() === undefined) return [];
    let found;
    try {
      found = this.#database.all(`${LOOKS} GROUP BY session_id`);
    } catch {
      // It is being made, or isn't OpenCode's. The next look may find it whole.
      return [];
    }
    this.#seen = isSettled ? seen : '';
    return found.flatMap((row) => {
      const session = this.#sessions.get(row.id) ?? sessionOf(this.#path, row.id);
      this.#sessions.set(row.id, session);
      if (session.look === row.look) return [];
      Object.assign(session, { look: row.look, writtenAt: row.newest, madeAt: row.newest });
      return [session];
    });
  }

  *all() {
    yield* this.#sessions.values();
  }

  close() {
    this.#database.close();
  }

  /** New rows are in the log beside the database until OpenCode moves them into it. */
  #lookOfFiles() {
    const files = [this.#path, `${this.#path}-wal`].flatMap((path) => look(path) ?? []);
    return {
      seen: files.map(({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`).join(', '),
      isSettled: files.every(({ mtimeMs }) => Date.now() - mtimeMs > CLOCK_STEP_MS),
    };
  }
}

/** A session of a database. Its path stands for the file that other agents' sessions have. */
const sessionOf = (database, sessionId) => ({
  agent: 'opencode',
  sessionId,
  database,
  path: `${database}#${sessionId}`,
  size: 0,
  writtenAt: 0,
  madeAt: 0,
  look: '',
});

/** Returns all sessions of a database, oldest first. */
function sessionsIn(path) {
  const database = new Database(path);
  try {
    const rows = database.all('SELECT id FROM session ORDER BY time_created, id');
    return rows.map(({ id }) => sessionOf(path, id));
  } finally {
    database.close();
  }
}

module.exports = { DatabaseSessions, RowsReader, isDatabase, sessionsIn };

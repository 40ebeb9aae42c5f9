'use strict';

const { statSync } = require('node:fs');
const { basename, extname } = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { MAX_EVENTS_PER_UPLOAD } = require('../generated/fields.js');
const { AGENTS, currentPath, identify, openReader, plainName } = require('./client/agents.js');
const { DONE, FAILED, Misuse, reasonOf } = require('./failures.js');
const { problemOf } = require('./input.js');
const { columnsOfOutput, complain, print, printable, printableJson, shorten, tableLines } = require('./terminal.js');

// Loaded on first use, so that help works without the addon.
const api = () => require('../index.js');

const LONGEST_TOOL = 26;
const HEADINGS = [
  'time (UTC)',
  'kind'.padEnd('SkillInvocation'.length),
  'tool'.padEnd(LONGEST_TOOL),
  'outcome'.padEnd(14),
  'text or skill',
];
const LINES_OF_A_HEADING = 2;

const POLL_MS = 250;
/** How many bytes are read between two progress messages. */
const PROGRESS_BYTES = 16_000_000;

/** Transcripts that no line shows to be an agent's are read as this one's. */
const DEFAULT_AGENT = 'claude';

async function run(files, { agent, json, follow, session, home, redact, 'git-ai-version': gitAiVersion }) {
  if (files.length === 0) throw new Misuse('capture: give the transcript to read');
  if (files.includes('-')) throw new Misuse('capture: give files, it does not read standard input');
  if (agent !== undefined && !Object.hasOwn(AGENTS, agent))
    throw new Misuse(`capture: expected --agent to be one of ${Object.keys(AGENTS).join(', ')}, found ${agent}`);
  if (session === '') throw new Misuse('capture: give a --session that is not empty');
  if (session !== undefined && files.length > 1)
    throw new Misuse('capture: one --session is not that of several transcripts');
  const options = { sessionId: session, homeDir: home, redact, gitAiVersion };
  const found = files.map((path) => sessionsAt(path, session));
  const transcripts = found.flatMap((sessions) =>
    (sessions ?? []).map((session) => new Transcript(session, agent, options, follow)),
  );
  const output = json ? new Uploads() : new Table(transcripts.length > 1);
  let exitCode = found.includes(undefined) ? FAILED : DONE;
  for (const transcript of transcripts) if (!(await transcript.readTo(output))) exitCode = FAILED;
  await output.flush();
  // Until a signal ends the process.
  while (follow) {
    await pause(POLL_MS);
    for (const transcript of transcripts) await transcript.readTo(output);
    await output.flush();
  }
  for (const [n, sessions] of found.entries()) if (sessions?.length === 0) say(`${files[n]}: no prompt events`);
  for (const { path, count, trouble } of transcripts) if (count === 0 && !trouble) say(`${path}: no prompt events`);
  return exitCode;
}

/** Returns the sessions of a database, or a file as one session. `undefined` for a database that can't be read. */
function sessionsAt(path, only) {
  const { isDatabase, sessionsIn } = require('./client/opencode.js');
  if (!isDatabase(path)) return [{ path }];
  try {
    return sessionsIn(path).filter(({ sessionId }) => only === undefined || sessionId === only);
  } catch (error) {
    if (error.code !== 'ERR_IO') throw error;
    say(`cannot read ${error.message}`);
    return undefined;
  }
}

/** No transcript, but one that was compressed, for instance. */
class Unreadable extends Error {}

/** A transcript that is read to its end again and again. The file may vanish, for a moment or for good. */
class Transcript {
  path;
  count = 0;
  /** Why the transcript can't be read at the moment. */
  trouble;
  #session;
  #agent;
  #options;
  #grows;
  #reader;
  /** Whose session the reader reads. */
  #origin;
  /** The file that the session's id was taken from. */
  #file;
  #reported = 0;

  constructor(session, agent, options, grows) {
    this.path = session.path;
    this.#session = session;
    this.#agent = agent;
    this.#options = options;
    this.#grows = grows;
  }

  /** @returns {Promise<boolean>} whether it could be read; each failure is reported once */
  async readTo(output) {
    for (;;) {
      let events;
      try {
        events = this.#currentReader()?.read() ?? [];
        this.trouble = undefined;
      } catch (error) {
        this.#complain(error);
        return false;
      }
      this.count += events.length;
      await output.take(this.path, events);
      this.#reportProgress();
      if (events.length === 0) return true;
    }
  }

  /** Returns the reader of the file's session, or `undefined` while the file doesn't name its session yet. */
  #currentReader() {
    if (this.#session.database !== undefined) {
      const { sessionId } = this.#session;
      this.#reader ??= openReader(this.#session, { ...this.#options, sessionId });
      return this.#reader;
    }
    const stat = statSync(currentPath(this.path));
    // A new file at this path may belong to another session. Inode numbers are reused, so compare the birth time too.
    // If the path isn't a file, the reader reports that.
    const file = `${stat.ino}, made at ${stat.birthtimeMs}`;
    if (file === this.#file || (this.#reader && !stat.isFile())) return this.#reader;
    const origin = stat.isFile() ? this.#identify() : this.#originOf({ agent: DEFAULT_AGENT });
    if (origin === undefined) return undefined;
    const { agent, sessionId } = origin;
    if (agent !== this.#origin?.agent || sessionId !== this.#origin.sessionId) {
      this.#reader = new (api().TranscriptReader)(agent, this.path, { ...this.#options, sessionId });
    }
    this.#origin = origin;
    this.#file = file;
    return this.#reader;
  }

  /** Returns the agent and the session that the transcript shows, or `undefined` if it may still be written. */
  #identify() {
    const problem = problemOf(currentPath(this.path));
    if (problem !== undefined) throw new Unreadable(problem);
    const found = identify(this.path);
    if (found === null && this.#grows) return undefined;
    return this.#originOf(found ?? { agent: DEFAULT_AGENT });
  }

  /** Options come first, the file's name last. */
  #originOf(found) {
    const agent = this.#agent ?? found.agent;
    const named = agent === found.agent ? found.sessionId : undefined;
    return { agent, sessionId: this.#options.sessionId ?? named ?? nameOf(agent, this.path) };
  }

  #complain(error) {
    // ERR_IO comes from the addon, an error with a syscall from the system.
    const named = error.syscall || error instanceof Unreadable;
    const trouble = error.code === 'ERR_IO' ? error.message : named && `${this.path}: ${reasonOf(error)}`;
    if (!trouble) throw error;
    if (trouble !== this.trouble) say(`cannot read ${trouble}`);
    this.trouble = trouble;
  }

  #reportProgress() {
    const offset = this.#reader?.offset ?? 0;
    if (offset - this.#reported < PROGRESS_BYTES) return;
    this.#reported = offset;
    const size = statSync(this.path, { throwIfNoEntry: false })?.size ?? offset;
    // That of a compressed file says nothing.
    const all = size < offset ? '' : ` of ${megabytes(size)}`;
    say(`${this.path}: ${megabytes(offset)}${all} MB read, ${this.count} events`);
  }
}

/** The session's id by the file's name. */
function nameOf(agent, path) {
  const plain = plainName(path);
  return AGENTS[agent]?.nameOf(plain) || basename(plain, extname(plain));
}

/** Writes upload bodies, one per line, each with as many events as allowed. */
class Uploads {
  #waiting = [];

  async take(_, events) {
    for (const event of events) this.#waiting.push(event);
    while (this.#waiting.length >= MAX_EVENTS_PER_UPLOAD) await this.#write();
  }

  async flush() {
    if (this.#waiting.length > 0) await this.#write();
  }

  #write() {
    const body = api().encodeMetricsBatch(this.#waiting.splice(0, MAX_EVENTS_PER_UPLOAD));
    return print(`${printableJson(body.toString())}\n`);
  }
}

/** Writes rows as they come, in columns of fixed width. */
class Table {
  #titled;
  #path;

  constructor(titled) {
    this.#titled = titled;
  }

  async take(path, events) {
    if (events.length === 0) return;
    const isNew = this.#path !== path;
    const title = isNew && this.#titled ? [...(this.#path === undefined ? [] : ['']), printable(path), ''] : [];
    const lines = tableLines(HEADINGS, events.map(row), columnsOfOutput());
    // All rows of one transcript form one table, so later pieces have no heading.
    const rows = isNew ? lines : lines.slice(LINES_OF_A_HEADING);
    this.#path = path;
    await print(`${[...title, ...rows].join('\n')}\n`);
  }

  async flush() {}
}

function row({ timestamp, values }) {
  const { kind, toolCallName = '', inputText = '', skillFilePath = '', startTs = timestamp * 1000 } = values;
  const time = new Date(startTs).toISOString().slice(0, 19).replace('T', ' ');
  const said = shorten(inputText.trim().split(/\r?\n/, 1)[0], 100);
  return {
    cells: [time, kind, shorten(printable(toolCallName), LONGEST_TOOL), outcome(values), said || skillFilePath],
  };
}

function outcome({ error, observedDurationMs, reportedDurationMs }) {
  const ms = reportedDurationMs ?? observedDurationMs;
  const took = ms === undefined ? '' : `${(ms / 1000).toFixed(1)} s`;
  const became = error === undefined ? '' : error ? 'failed' : 'ok';
  return [became, took].filter((part) => part !== '').join(', ');
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(0);

const say = (text) => complain(`git-ai-metrics: ${text}`);

module.exports = {
  usage: 'capture [options] <transcript>…',
  summary: 'Shows the prompt events of agents’ transcripts as a table',
  details: [
    'Options:',
    '  --json                  print upload bodies, one a line, with at most 250 events each; decode and check read them',
    '  --git-ai-version <v>    set the attribute git_ai_version of the events; default: unset',
    '  --redact                mask secrets in texts, as watch does',
    '  --follow                keep reading as the transcripts grow; a call is shown again when its result is known',
    '  --agent <name>          the agent that wrote them; default: the one that their first lines show, else claude',
    '  --session <id>          the session’s id; default: the id in the transcript, else its file name',
    '  --home <folder>         look for the user’s skills in this home directory; default: your own',
    '  -h, --help              this help',
    '',
    'A transcript is a file that an agent writes, or OpenCode’s database with all of its sessions.',
    'One that can’t be read is reported on standard error, and the others are still read. Standard error also shows',
    'the progress of a long one.',
  ],
  options: {
    agent: { type: 'string' },
    json: { type: 'boolean' },
    redact: { type: 'boolean' },
    follow: { type: 'boolean' },
    session: { type: 'string' },
    home: { type: 'string' },
    'git-ai-version': { type: 'string' },
  },
  run,
};

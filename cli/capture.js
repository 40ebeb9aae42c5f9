'use strict';

const { closeSync, openSync, readSync, statSync } = require('node:fs');
const { basename, extname } = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { ClaudeTranscriptReader, encodeMetricsBatch, MAX_EVENTS_PER_UPLOAD } = require('../index.js');
const { Misuse, reasonOf } = require('./failures.js');
const { print } = require('./output.js');
const { printable, tableLines } = require('./table.js');

const COLUMNS_OF_A_PIPE = 120;
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
/** How much of a transcript is read between two words about it. */
const PROGRESS_BYTES = 16_000_000;
/** Where the session's id is looked for: it stands on nearly every line. */
const HEAD_BYTES = 1_000_000;

const DONE = 0;
const CANNOT_READ = 2;

async function run(files, { json, follow, session, home, 'git-ai-version': gitAiVersion }) {
  if (files.length === 0) throw new Misuse('capture: give the transcript to read');
  if (session !== undefined && files.length > 1)
    throw new Misuse('capture: one --session is not that of several transcripts');
  const transcripts = files.map((path) => new Transcript(path, { sessionId: session, homeDir: home, gitAiVersion }));
  const output = json ? new Uploads() : new Table(files.length > 1);
  let exitCode = DONE;
  for (const transcript of transcripts) if (!(await transcript.readTo(output))) exitCode = CANNOT_READ;
  await output.flush();
  // Ends when the process is told to.
  while (follow) {
    await pause(POLL_MS);
    for (const transcript of transcripts) await transcript.readTo(output);
    await output.flush();
  }
  for (const { path, count, trouble } of transcripts) if (count === 0 && !trouble) say(`${path}: no prompt events`);
  return exitCode;
}

/** A transcript that is read as far as it goes, again and again; it may be gone for a moment or for good. */
class Transcript {
  path;
  count = 0;
  /** Why it can't be read, while it can't. */
  trouble;
  #options;
  #reader;
  #told = 0;

  constructor(path, options) {
    this.path = path;
    this.#options = options;
  }

  /** @returns {Promise<boolean>} whether it could be read; if not, that is said, once */
  async readTo(output) {
    for (;;) {
      let events;
      try {
        this.#reader ??= this.#open();
        events = this.#reader?.read() ?? [];
        this.trouble = undefined;
      } catch (error) {
        this.#complain(error);
        return false;
      }
      this.count += events.length;
      await output.take(this.path, events);
      this.#tell();
      if (events.length === 0) return true;
    }
  }

  #open() {
    const head = headOf(this.path);
    // One that was just made doesn't say its session's id yet.
    if (head === '') return undefined;
    const sessionId = this.#options.sessionId ?? sessionIdIn(head) ?? basename(this.path, extname(this.path));
    return new ClaudeTranscriptReader(this.path, { ...this.#options, sessionId });
  }

  #complain(error) {
    // Of the addon, or of the system.
    const trouble = error.code === 'ERR_IO' ? error.message : error.syscall && `${this.path}: ${reasonOf(error)}`;
    if (!trouble) throw error;
    if (trouble !== this.trouble) say(`cannot read ${trouble}`);
    this.trouble = trouble;
  }

  #tell() {
    const offset = this.#reader?.offset ?? 0;
    if (offset - this.#told < PROGRESS_BYTES) return;
    this.#told = offset;
    const size = statSync(this.path, { throwIfNoEntry: false })?.size ?? offset;
    say(`${this.path}: ${megabytes(offset)} of ${megabytes(size)} MB read, ${this.count} events`);
  }
}

/** The session's id as a transcript's first lines say it. For a main session it is the file's name too. */
function sessionIdIn(head = '') {
  for (const text of head.split('\n')) {
    try {
      const { sessionId } = JSON.parse(text);
      if (typeof sessionId === 'string' && sessionId !== '') return sessionId;
    } catch {
      // No JSON, or null: the next line may be better.
    }
  }
  return undefined;
}

/** A file's first lines; of what is none, which may block, nothing: the reader says what it is. */
function headOf(path) {
  const stat = statSync(path);
  if (!stat.isFile()) return undefined;
  const file = openSync(path);
  try {
    const head = Buffer.alloc(Math.min(HEAD_BYTES, stat.size));
    return head.toString('utf8', 0, readSync(file, head));
  } finally {
    closeSync(file);
  }
}

/** Writes upload bodies, one a line, each as full as it may be. */
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
    const body = encodeMetricsBatch(this.#waiting.splice(0, MAX_EVENTS_PER_UPLOAD));
    return print(`${body}\n`);
  }
}

/** Writes rows as they come, in columns that stay as wide as they are. */
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
    const columns = process.stdout.columns ?? COLUMNS_OF_A_PIPE;
    const lines = tableLines(HEADINGS, events.map(row), columns);
    // The rows of one transcript are one table, in however many pieces they come.
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
  return { cells: [time, kind, shorten(toolCallName, LONGEST_TOOL), outcome(values), said || skillFilePath] };
}

function outcome({ error, observedDurationMs, reportedDurationMs }) {
  const ms = reportedDurationMs ?? observedDurationMs;
  const took = ms === undefined ? '' : `${(ms / 1000).toFixed(1)} s`;
  const became = error === undefined ? '' : error ? 'failed' : 'ok';
  return [became, took].filter((part) => part !== '').join(', ');
}

function shorten(text, longest) {
  const characters = Array.from(text.slice(0, 2 * longest + 2));
  return characters.length > longest ? `${characters.slice(0, longest - 1).join('')}…` : text;
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(0);

function say(text) {
  process.stderr.write(`git-ai-metrics: ${printable(text)}\n`);
}

module.exports = {
  usage: 'capture [options] <transcript.jsonl>…',
  summary: 'Shows the prompt events of Claude Code transcripts as a table',
  details: [
    'Options:',
    '  --json                  the bodies to upload, of at most 250 events each, one a line',
    '  --git-ai-version <v>    attribute git_ai_version of the events, which --json shows; default: unset',
    '  --follow                go on as the transcripts grow; a call is shown again when its result is known',
    '  --session <id>          the session’s id; default: what the transcript says, else its name',
    '  --home <folder>         where the user’s own skills are found; default: the home directory',
    '  -h, --help              this help',
    '',
    'One that can’t be read is named on standard error, and the others still have their turn. Of a long one standard error',
    'tells how much has been read.',
  ],
  options: {
    json: { type: 'boolean' },
    follow: { type: 'boolean' },
    session: { type: 'string' },
    home: { type: 'string' },
    'git-ai-version': { type: 'string' },
  },
  run,
};

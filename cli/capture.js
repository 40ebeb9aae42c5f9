'use strict';

const { closeSync, constants, openSync, readSync, statSync } = require('node:fs');
const { basename, extname } = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { MAX_EVENTS_PER_UPLOAD } = require('../generated/fields.js');
const { DONE, FAILED, Misuse, reasonOf } = require('./failures.js');
const { columnsOfOutput, complain, print, printable, printableJson, shorten, tableLines } = require('./terminal.js');

// The addon is loaded only to work, so that help needs none.
const api = () => require('../index.js');

const { O_NONBLOCK, O_RDONLY } = constants;
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
/** Where the session's id is looked for: it stands on nearly every line. Only if none ends there, further on. */
const HEAD_BYTES = 1 << 16;
const MOST_HEAD_BYTES = 1 << 25;

async function run(files, { json, follow, session, home, 'git-ai-version': gitAiVersion }) {
  if (files.length === 0) throw new Misuse('capture: give the transcript to read');
  if (files.includes('-')) throw new Misuse('capture: give files, it does not read standard input');
  if (session === '') throw new Misuse('capture: give a --session that is not empty');
  if (session !== undefined && files.length > 1)
    throw new Misuse('capture: one --session is not that of several transcripts');
  const options = { sessionId: session, homeDir: home, gitAiVersion };
  const transcripts = files.map((path) => new Transcript(path, options, follow));
  const output = json ? new Uploads() : new Table(files.length > 1);
  let exitCode = DONE;
  for (const transcript of transcripts) if (!(await transcript.readTo(output))) exitCode = FAILED;
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
  #grows;
  #reader;
  #sessionId;
  /** The file that the session's id was taken from. */
  #file;
  #told = 0;

  constructor(path, options, grows) {
    this.path = path;
    this.#options = options;
    this.#grows = grows;
  }

  /** @returns {Promise<boolean>} whether it could be read; if not, that is said, once */
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
      this.#tell();
      if (events.length === 0) return true;
    }
  }

  /** The reader of the file's session; none while the file doesn't tell which that is. */
  #currentReader() {
    const stat = statSync(this.path);
    // Another file in its place may be another session's; what is no file, the reader says. Numbers of files are used again.
    const file = `${stat.ino}, made at ${stat.birthtimeMs}`;
    if (file === this.#file || (this.#reader && !stat.isFile())) return this.#reader;
    const sessionId = this.#options.sessionId ?? (stat.isFile() ? this.#findSessionId() : nameOf(this.path));
    if (sessionId === undefined) return undefined;
    if (sessionId !== this.#sessionId) {
      this.#reader = new (api().ClaudeTranscriptReader)(this.path, { ...this.#options, sessionId });
    }
    this.#sessionId = sessionId;
    this.#file = file;
    return this.#reader;
  }

  /** The session's id as the transcript tells it, else its name; `undefined` while it may yet tell it. */
  #findSessionId() {
    for (let length = HEAD_BYTES; ; length *= 2) {
      const head = headOf(this.path, length);
      const told = sessionIdIn(head);
      if (told !== undefined) return told === '' ? nameOf(this.path) : told;
      const isAll = head.length < length;
      if (isAll && this.#grows) return undefined;
      if (isAll || length >= MOST_HEAD_BYTES) return nameOf(this.path);
    }
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

/**
 * The session's id as lines of a transcript tell it: '' where one that makes events tells none, `undefined` where there is
 * no such line. One that is cut off tells nothing.
 */
function sessionIdIn(lines) {
  for (const line of lines.toString().split('\n')) {
    try {
      const { type, sessionId } = JSON.parse(line);
      if (typeof sessionId === 'string' && sessionId !== '') return sessionId;
      if (type === 'user' || type === 'assistant') return '';
    } catch {
      // No JSON, or null: the next line may be better.
    }
  }
  return undefined;
}

/** A session's main transcript is called after it. */
const nameOf = (path) => basename(path, extname(path));

/** At most so many bytes of a file's start. What has become a FIFO meanwhile doesn't block. */
function headOf(path, length) {
  const file = openSync(path, O_RDONLY | (O_NONBLOCK ?? 0));
  try {
    const head = Buffer.alloc(length);
    return head.subarray(0, readSync(file, head));
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
    const body = api().encodeMetricsBatch(this.#waiting.splice(0, MAX_EVENTS_PER_UPLOAD));
    return print(`${printableJson(body.toString())}\n`);
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
    const lines = tableLines(HEADINGS, events.map(row), columnsOfOutput());
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
  usage: 'capture [options] <transcript.jsonl>…',
  summary: 'Shows the prompt events of Claude Code transcripts as a table',
  details: [
    'Options:',
    '  --json                  the bodies to upload, of at most 250 events each, one a line; decode and check read them',
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

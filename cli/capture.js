'use strict';

const { closeSync, openSync, readSync, statSync } = require('node:fs');
const { basename, extname } = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { ClaudeTranscriptReader, encodeMetricsBatch, MAX_EVENTS_PER_UPLOAD } = require('../index.js');
const { Misuse, Unreadable } = require('./failures.js');
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

async function run(files, { json, follow, session, home, 'git-ai-version': gitAiVersion }) {
  if (files.length === 0) throw new Misuse('capture: give the transcript to read');
  if (session !== undefined && files.length > 1)
    throw new Misuse('capture: one --session is not that of several transcripts');
  const transcripts = files.map((path) => open(path, session, home, gitAiVersion));
  const output = json ? new Uploads() : new Table(files.length > 1);
  for (const transcript of transcripts) await readToEnd(transcript, output);
  await output.flush();
  // Ends when the process is told to.
  while (follow) {
    await pause(POLL_MS);
    for (const transcript of transcripts) await poll(transcript, output);
    await output.flush();
  }
  return 0;
}

function open(path, session, homeDir, gitAiVersion) {
  const options = { sessionId: session ?? sessionIdOf(path), homeDir, gitAiVersion };
  return { path, reader: new ClaudeTranscriptReader(path, options), trouble: undefined };
}

async function readToEnd({ path, reader }, output) {
  const size = statSync(path).size;
  let count = 0;
  let told = 0;
  for (;;) {
    const events = read(reader);
    count += events.length;
    await output.take(path, events);
    if (reader.offset - told >= PROGRESS_BYTES) {
      told = reader.offset;
      say(`${path}: ${megabytes(told)} of ${megabytes(size)} MB read, ${count} events`);
    }
    if (events.length === 0) return;
  }
}

/** While it is followed, a transcript may be gone for a moment or for good; the others go on. */
async function poll(transcript, output) {
  const { path, reader } = transcript;
  try {
    let events;
    do {
      events = reader.read();
      await output.take(path, events);
    } while (events.length > 0);
    transcript.trouble = undefined;
  } catch (error) {
    if (error.code !== 'ERR_IO') throw error;
    if (transcript.trouble !== error.message) say(`cannot read ${error.message}`);
    transcript.trouble = error.message;
  }
}

function read(reader) {
  try {
    return reader.read();
  } catch (error) {
    throw error.code === 'ERR_IO' ? new Unreadable(`cannot read ${error.message}`) : error;
  }
}

/** The session's id as the transcript's first lines say it, else the file's name, which is the same for a main session. */
function sessionIdOf(path) {
  for (const text of headOf(path).split('\n')) {
    try {
      const { sessionId } = JSON.parse(text);
      if (typeof sessionId === 'string' && sessionId !== '') return sessionId;
    } catch {
      // No JSON, or null: the next line may be better.
    }
  }
  return basename(path, extname(path));
}

function headOf(path) {
  try {
    // A FIFO would block; that it is one is for the reader to say.
    if (!statSync(path).isFile()) return '';
    const file = openSync(path);
    try {
      const head = Buffer.alloc(Math.min(HEAD_BYTES, statSync(path).size));
      return head.toString('utf8', 0, readSync(file, head));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new Unreadable(`cannot read ${path}: ${error.code ?? error.message}`);
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
  process.stderr.write(`${printable(text)}\n`);
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
    'Of a long transcript standard error tells how much has been read.',
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

'use strict';

const { closeSync, fstatSync, openSync, readSync, realpathSync } = require('node:fs');
const { basename, join, sep } = require('node:path');
const { version } = require('../../package.json');
const { AGENTS, entries, foldersIn, look, openReader, sessionIdOf } = require('./agents.js');
const { flushOutbox } = require('./flush.js');
const { homeOf } = require('./folders.js');
const outbox = require('./outbox.js');
const { serverOf } = require('./upload.js');

/** File systems round times to steps of up to 10 ms, and the agent may write as soon as it runs. */
const CLOCK_STEP_MS = 20;

/** How much of a session's start and end is read to find the folder where the agent works. */
const TAIL_BYTES = 1 << 18;

/** The time reserved for delivery. Reading stops when only this much is left. */
const DELIVERY_MS = 800;

/** Throws a usage error for options that can't work, before the agent runs. */
function checkDelivery(options) {
  serverOf(options, homeOf(options));
}

/**
 * Ends the sessions that an agent wrote in this folder since `startedAt`, and delivers the ends before `deadline`.
 *
 * Transcripts don't name the process that wrote them. So a session counts as the agent's if it was written while the
 * agent ran and its lines name this folder. If two agents run in one folder, the other's session gets an end too; its
 * next event reopens it.
 */
async function endSessions(options, startedAt, deadline) {
  const home = homeOf(options);
  const server = serverOf(options, home);
  const ends = [];
  for (const session of writtenSince(options, startedAt)) {
    if (Date.now() > deadline - DELIVERY_MS) break;
    const end = endOf(session, options, deadline - DELIVERY_MS);
    if (end !== undefined) ends.push(end);
  }
  outbox.put(home, ends);
  const left = deadline - Date.now();
  if (server !== undefined && ends.length > 0 && left > 0) await flushOutbox(server, home, left);
}

function writtenSince(options, startedAt) {
  const folders = foldersOfWork();
  return Object.entries(AGENTS).flatMap(([agent, { places, nameOf, projectOf }]) => {
    const projects = projectOf === undefined ? [] : folders.map(projectOf);
    return places(options)
      .flatMap(({ path, levels }) => foldersAt(path, levels))
      .flatMap((folder) =>
        entries(folder).flatMap((file) => {
          const path = join(folder, file.name);
          const name = file.isFile() ? nameOf(path) : undefined;
          if (!name || !((look(path)?.mtimeMs ?? 0) >= startedAt - CLOCK_STEP_MS)) return [];
          if (!projects.includes(basename(folder)) && !worksIn(path, folders)) return [];
          // A subagent's file ends no session.
          const sessionId = sessionIdOf(agent, path);
          return sessionId === name ? [{ agent, sessionId, path }] : [];
        }),
      );
  });
}

/** Returns the folders of sessions in a place. */
function foldersAt(path, levels) {
  if (levels.length === 0) return [path];
  return foldersIn(path, levels).flatMap((folder) => foldersAt(folder, levels.slice(1)));
}

/**
 * Returns all names of this folder.
 *
 * @returns {string[]}
 */
function foldersOfWork() {
  const cwd = process.cwd();
  const names = [cwd, realpathSync(cwd), process.env.PWD];
  return [...new Set(names.flatMap((name) => name || []))];
}

/** Whether a session's first or last lines say that it worked in one of these folders, or below. */
function worksIn(path, folders) {
  const lines = bothEndsOf(path);
  return folders.some((folder) => {
    const start = JSON.stringify(folder).slice(0, -1);
    return lines.includes(`"cwd":${start}"`) || lines.includes(`"cwd":${start}${JSON.stringify(sep).slice(1, -1)}`);
  });
}

function bothEndsOf(path) {
  try {
    const file = openSync(path, 'r');
    try {
      const { size } = fstatSync(file);
      const length = Math.min(size, TAIL_BYTES);
      const piece = Buffer.alloc(length);
      const pieceAt = (at) => piece.subarray(0, readSync(file, piece, 0, length, at)).toString();
      return `${pieceAt(0)}\n${pieceAt(size - length)}`;
    } finally {
      closeSync(file);
    }
  } catch {
    // The file has been deleted.
    return '';
  }
}

/**
 * Finds the last event of a session's main file, which the end follows. The events of subagents come after those of the
 * main file, in any order, and a hook that reports the same end must mean the same event.
 */
class MainEvents {
  /** @type {import('../../index.js').PromptEvent | undefined} */
  last;
  #hasSubagents;
  #seen = new Set();
  #isOver = false;

  constructor({ agent }) {
    this.#hasSubagents = AGENTS[agent].subagentFolder !== undefined;
  }

  take(event) {
    const { eventId, parentId } = event.values;
    // A call comes again when its result is known.
    if (this.#isOver || this.#seen.has(eventId)) return;
    this.#seen.add(eventId);
    this.#isOver = this.#hasSubagents && this.last !== undefined && parentId !== this.last.values.eventId;
    if (!this.#isOver) this.last = event;
  }
}

/** Makes a session's end event, which follows its last event. Returns `undefined` for a session without events. */
function endOf(session, options, deadline) {
  const { eventId } = require('../../index.js');
  const capture = {
    homeDir: homeOf(options),
    gitAiVersion: version,
    redact: !options['no-redact'],
    followLinks: false,
  };
  const reader = openReader(session, capture);
  const events = new MainEvents(session);
  let isAll = false;
  do {
    const read = reader.read();
    for (const event of read) events.take(event);
    isAll = read.length === 0;
  } while (!isAll && Date.now() < deadline);
  const { last } = events;
  if (last === undefined) return undefined;
  const now = Date.now();
  const promptId = /** @type {string} */ (last.attributes.promptId);
  return {
    metric: 'prompt_event',
    timestamp: Math.floor(now / 1000),
    values: {
      kind: 'SessionEnd',
      eventId: eventId(promptId, 'SessionEnd', `user_quit:${last.values.eventId}`, 0),
      parentId: last.values.eventId,
      // If time ran out before the transcript's end, later events exist that this end doesn't follow.
      parentIdEstimated: !isAll,
      startTs: now,
      endReason: 'user_quit',
    },
    attributes: last.attributes,
  };
}

module.exports = { checkDelivery, endSessions };

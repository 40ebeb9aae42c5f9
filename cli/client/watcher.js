'use strict';

const { setTimeout: pause } = require('node:timers/promises');
const { MAX_EVENTS_PER_UPLOAD, USER_FACING_KINDS } = require('../../generated/fields.js');
const { currentPath, look, openReader } = require('./agents.js');
const { hasPassed } = require('./clock.js');
const outbox = require('./outbox.js');
const { Seen } = require('./seen.js');
const { UploadError } = require('./upload.js');

/** @typedef {import('../../index.js').PromptEvent} PromptEvent */

/** A session without events of these kinds is idle. */
const ACTS = new Set(USER_FACING_KINDS);

/** The tracker has forgotten sessions that ended this long ago. */
const REMEMBERED_MS = 24 * 3600_000;

/** A transcript that has been missing for this long won't come back. */
const FORGOTTEN_MS = 30 * 24 * 3600_000;

/** How many readers stay open. The readers of other sessions are resumed from their stored state. */
const MOST_READERS = 16;

/** How often the state of a long transcript is stored while it is uploaded. */
const SAVE_EACH_MS = 1000;

/** How many refused events of one body are logged. */
const MOST_NAMED = 10;

/** Statuses that one session's events may have caused, while other sessions could still be uploaded. */
const FAULTS_OF_A_BODY = new Set([400, 413, 500]);

/** If this many sessions fail in a row, the server is the cause. */
const MOST_FAULTS_IN_A_ROW = 3;

/**
 * Follows the sessions of a machine and uploads their events.
 *
 * There is no spool. The stored state of a session's reader covers exactly the acknowledged events, and all others are
 * still in the transcript. So the process can be killed at any moment.
 */
class Watcher {
  #sessions;
  #states;
  #server;
  #home;
  #seen;
  #capture;
  #timing;
  #log;
  #tracker;
  /** By path. */
  #known;
  /** Sessions with new events, in the order in which they are read. */
  #queue = new Set();
  /** Open readers by session, the most recently used one last. */
  #readers = new Map();
  /** Sessions that failed alone, with the time of the last try, how long to wait since, and the number of tries. */
  #suspects = new Map();
  /** Sessions whose last acknowledgement isn't stored yet. */
  #unsaved = new Map();
  /** Ends of idle sessions that wait to be uploaded. */
  #ends = [];
  /** Sessions whose events have been read but not acknowledged. */
  #onTheirWay = [];
  #foundAt = 0;
  #sweptAt = 0;
  #uploadedAt = 0;
  #failures = 0;
  #faultsInARow = 0;
  #failedAt = 0;
  #waitMs = 0;
  /** The current problem with uploads, if any. */
  #trouble;
  #troubleSince;
  #unreadable = new Map();
  /** Bodies of hooks and wrappers that were printed. A watcher that only prints leaves them for one that uploads. */
  #printed = new Set();

  /**
   * @param {object} parts
   * @param {InstanceType<typeof import('./sessions.js').Sessions>} parts.sessions
   * @param {InstanceType<typeof import('./states.js').States> | undefined} parts.states without it nothing is stored
   * @param {{ name: string, upload(body: Uint8Array, count: number): Promise<{ index: number, error: string }[]> }} parts.server
   * @param {string} parts.home
   * @param {object} parts.capture options of the readers
   * @param {{ everyMs: number, gapMs: number, sweepMs: number, backOffMs: number[] }} parts.timing
   * @param {(text: string) => void} parts.log
   */
  constructor({ sessions, states, server, home, capture, timing, log }) {
    const { SessionTracker } = require('../../index.js');
    this.#sessions = sessions;
    this.#states = states;
    this.#server = server;
    this.#home = home;
    this.#seen = new Seen(home);
    this.#capture = capture;
    this.#timing = timing;
    this.#log = log;
    this.#tracker = new SessionTracker();
    this.#known = states?.all() ?? new Map();
    const now = Date.now();
    for (const known of this.#known.values()) this.#recall(known, now);
  }

  /** Whether something could not be uploaded. */
  get isFailing() {
    return this.#trouble !== undefined || this.#suspects.size > 0;
  }

  /** Looks for new events and uploads as many as possible. */
  async flush() {
    this.#find();
    if (!hasPassed(this.#failedAt, this.#waitMs)) return;
    try {
      await this.#flushOutbox();
      while (await this.#uploadSome()) this.#find();
      if (this.#queue.size === this.#suspects.size) await this.#sweep();
    } catch (error) {
      if (!(error instanceof UploadError)) throw error;
      this.#failed(error);
    }
    this.#save(0);
  }

  /** Moves sessions that have just changed to the front, because on the first day years of old sessions may wait. */
  #find() {
    const now = Date.now();
    if (!hasPassed(this.#foundAt, this.#timing.everyMs, now)) return;
    this.#foundAt = now;
    // Sessions that an earlier process uploaded to their end haven't changed.
    const changed = this.#sessions.changed().filter(({ path, look }) => this.#known.get(path)?.look !== look);
    if (changed.length > 0) this.#queue = new Set([...changed, ...this.#queue]);
  }

  /** Stores all acknowledgements that aren't stored yet. */
  close() {
    // Readers with unacknowledged events are ahead of the acknowledged state, so theirs must not be stored.
    for (const session of this.#onTheirWay) this.#unsaved.delete(session);
    this.#save(0);
    this.#sessions.close();
  }

  /** Continues where an earlier process stopped. */
  #recall({ acknowledgedAt, act, end, path }, now) {
    const age = now - acknowledgedAt;
    if (age > FORGOTTEN_MS && look(currentPath(path)) === undefined) return this.#states.forget(path);
    if (end !== undefined && age > REMEMBERED_MS) return;
    try {
      for (const event of [act, end]) if (event !== undefined) this.#tracker.observe(event, acknowledgedAt);
    } catch {
      // Not an event of ours. Without it, only the end of an idle session is lost.
    }
  }

  async #flushOutbox() {
    const { parseMetricsBatch } = require('../../index.js');
    const paths = outbox.list(this.#home);
    if (paths.length === 0) return;
    const followed = new Map();
    for (const session of this.#sessions.all()) followed.set(`${session.agent} ${session.sessionId}`, session);
    const sessionOf = ({ attributes }) => followed.get(`${attributes.tool} ${attributes.externalPromptId}`);
    for (const path of paths) {
      if (this.#printed.has(path)) continue;
      const found = outbox.read(path);
      if (found === undefined) continue;
      let events;
      try {
        ({ events } = parseMetricsBatch(found.body));
      } catch (error) {
        this.#log(`${path}: ${error.message}; it is dropped`);
        this.#dropOutbox(path);
        continue;
      }
      const own = this.#withoutRepeated(this.#withoutCopies(events, found.sources, sessionOf), sessionOf);
      if (own.length > 0) await this.#upload(own);
      this.#dropOutbox(path);
      this.#observe(own);
    }
  }

  /** Leaves out what a hook has read in a session that was resumed or forked from one whose records are known. */
  #withoutCopies(events, sources, sessionOf) {
    return events.filter((event, n) => {
      const session = sessionOf(event);
      const record = recordOf(event, sources[n] ?? null);
      return session === undefined || record === undefined || !this.#seen.isOfOther(session, record);
    });
  }

  /**
   * Leaves out what a hook has told of before the transcript held it: the transcript's own event for it comes with the
   * session. An end is in no transcript, and after it no line needs to come any more. So what comes with an end is left
   * out only if the transcript holds it.
   */
  #withoutRepeated(events, sessionOf) {
    const isEnd = ({ values }) => values.kind === 'SessionEnd';
    const ended = new Set(events.filter(isEnd).map(sessionOf));
    const written = new Map();
    return events.filter((event) => {
      if (event.metric !== 'prompt_event' || event.values.parentIdEstimated !== true || isEnd(event)) return true;
      const session = sessionOf(event);
      if (session === undefined || this.#unreadable.has(session)) return true;
      if (!ended.has(session)) return false;
      if (!written.has(session)) written.set(session, this.#messagesIn(session));
      return !written.get(session).has(messageOf(event));
    });
  }

  /** Returns all messages that a session's transcript holds now. */
  #messagesIn(session) {
    const messages = new Set();
    try {
      const reader = openReader(session, this.#capture);
      for (let events = reader.read(); events.length > 0; events = reader.read()) {
        for (const event of events) messages.add(messageOf(event));
      }
      reader.close();
    } catch (error) {
      // What the transcript can't give, only the hook can.
      if (error.code !== 'ERR_IO') throw error;
    }
    return messages;
  }

  #dropOutbox(path) {
    if (this.#states === undefined) this.#printed.add(path);
    else outbox.drop(path);
  }

  /** Uploads one body with events of as many sessions as fit. Returns false if there is nothing to upload. */
  async #uploadSome() {
    const parts = this.#fill();
    const events = parts.flatMap((part) => part.events);
    this.#onTheirWay = parts.map(({ session }) => session);
    try {
      for (let at = 0; at < events.length; at += MAX_EVENTS_PER_UPLOAD) {
        await this.#upload(events.slice(at, at + MAX_EVENTS_PER_UPLOAD));
      }
    } catch (error) {
      if (!this.#takeBack(parts, error)) throw error;
      return true;
    }
    this.#onTheirWay = [];
    for (const part of parts) this.#acknowledge(part);
    this.#closeReaders();
    return parts.length > 0;
  }

  /** Reads new events of the sessions in the queue until a body is full. */
  #fill() {
    const parts = [];
    let room = MAX_EVENTS_PER_UPLOAD;
    const now = Date.now();
    for (const session of this.#queue) {
      const suspect = this.#suspects.get(session);
      const mustWait = suspect !== undefined && !hasPassed(suspect.triedAt, suspect.waitMs, now);
      if (mustWait || (suspect !== undefined && parts.length > 0)) continue;
      const part = {
        session,
        events: /** @type {PromptEvent[]} */ ([]),
        records: /** @type {string[]} */ ([]),
        isDrained: false,
      };
      parts.push(part);
      while (room > 0 && !part.isDrained) {
        const { events, records, isAll } = this.#read(session, room);
        part.events.push(...events);
        part.records.push(...records);
        room -= events.length;
        part.isDrained = isAll;
      }
      // If its look has changed since, the session is queued again.
      if (part.isDrained) this.#queue.delete(session);
      if (room <= 0 || suspect !== undefined) break;
    }
    return parts;
  }

  #read(session, most) {
    // Its next line may name it.
    if (session.sessionId === undefined) return { events: [], records: [], isAll: true };
    let reader = this.#readers.get(session);
    try {
      reader ??= this.#open(session);
      this.#readers.delete(session);
      this.#readers.set(session, reader);
      const events = reader.read(most);
      const sources = reader.sources();
      this.#unreadable.delete(session);
      const records = events.map((event, n) => recordOf(event, sources[n]));
      const own = [...events.keys()].filter((n) => records[n] === undefined || !this.#seen.isCopy(session, records[n]));
      return {
        events: own.map((n) => events[n]),
        records: own.flatMap((n) => records[n] ?? []),
        isAll: events.length === 0,
      };
    } catch (error) {
      if (error.code !== 'ERR_IO') throw error;
      if (error.message !== this.#unreadable.get(session)) this.#log(`cannot read ${error.message}`);
      this.#unreadable.set(session, error.message);
      return { events: [], records: [], isAll: true };
    }
  }

  #open(session) {
    const state = this.#states?.state(session.path);
    try {
      return openReader(session, this.#capture, state);
    } catch (error) {
      // This version can't resume the state. The session's events are uploaded again, with equal ids.
      if (state === undefined || error.code !== 'ERR_INVALID_ARGUMENT') throw error;
      return openReader(session, this.#capture);
    }
  }

  async #upload(events) {
    const { encodeMetricsBatch } = require('../../index.js');
    const { gapMs } = this.#timing;
    if (!hasPassed(this.#uploadedAt, gapMs)) await pause(this.#uploadedAt + gapMs - Date.now());
    this.#uploadedAt = Date.now();
    const errors = await this.#server.upload(encodeMetricsBatch(events), events.length);
    this.#succeeded();
    for (const { index, error } of errors.slice(0, MOST_NAMED)) {
      const { attributes, values } = events[index];
      this.#log(
        `${this.#server.name} refused event ${values.eventId} of session ${attributes.externalPromptId}: ${error}`,
      );
    }
    if (errors.length > MOST_NAMED) this.#log(`${this.#server.name} refused ${errors.length - MOST_NAMED} more events`);
  }

  #acknowledge({ session, events, records, isDrained }) {
    this.#suspects.delete(session);
    if (session.sessionId === undefined) return;
    // Before the session's state. If the process dies in between, the events are read again and still belong to it.
    if (this.#states !== undefined) this.#seen.store(session, records);
    const known = this.#known.get(session.path) ?? {};
    const { agent, sessionId, path } = session;
    const act = lastAct(known.act, events);
    const next = {
      agent,
      sessionId,
      path,
      look: isDrained && !this.#unreadable.has(session) ? session.look : '',
      offset: this.#readers.get(session)?.offset ?? known.offset ?? 0,
      acknowledgedAt: Date.now(),
      act,
      // An act after the end reopens the session.
      end: act === known.act ? known.end : undefined,
    };
    this.#known.set(path, next);
    // The last act is known only once the session has been read to its end.
    if (isDrained) this.#observe([...(act === undefined ? [] : [act]), ...events.slice(-1)]);
    if (this.#states !== undefined) this.#unsaved.set(session, this.#unsaved.get(session) ?? Date.now());
    if (isDrained) this.#save(0, session);
    else this.#save(SAVE_EACH_MS);
  }

  #closeReaders() {
    // If nothing is stored, only the reader knows how far its session was read.
    if (this.#states === undefined) return;
    for (const session of this.#readers.keys()) {
      if (this.#readers.size <= MOST_READERS) return;
      if (!this.#unsaved.has(session)) this.#closeReader(session);
    }
  }

  /** Frees the reader's memory at once. Node would wait until its own heap is full, and readers hardly use that. */
  #closeReader(session) {
    this.#readers.get(session)?.close();
    this.#readers.delete(session);
  }

  /** Stores acknowledgements that are at least this old, of one session or of all. */
  #save(age, only) {
    const now = Date.now();
    for (const [session, since] of this.#unsaved) {
      const reader = this.#readers.get(session);
      if ((only !== undefined && session !== only) || !hasPassed(since, age, now)) continue;
      this.#unsaved.delete(session);
      if (reader !== undefined) this.#states.save(this.#known.get(session.path), reader.state());
    }
  }

  /**
   * Drops events that were read but not acknowledged. The next reading begins at the stored state. Sessions that may
   * have caused the failure are tried one by one from now on.
   *
   * @returns whether a single session caused the failure, so that the others can continue
   */
  #takeBack(parts, error) {
    const mayBeOne = FAULTS_OF_A_BODY.has(error.status);
    for (const { session } of parts) {
      this.#closeReader(session);
      this.#unsaved.delete(session);
      this.#queue.delete(session);
      this.#queue.add(session);
      if (mayBeOne && !this.#suspects.has(session)) this.#suspects.set(session, { tries: 0, triedAt: 0, waitMs: 0 });
    }
    if (!mayBeOne || parts.length > 1) return false;
    const [{ session }] = parts;
    const { tries } = this.#suspects.get(session);
    const waitMs = this.#backOff(tries);
    this.#suspects.set(session, { tries: tries + 1, triedAt: Date.now(), waitMs });
    this.#faultsInARow += 1;
    if (tries === 0)
      this.#log(`session ${session.sessionId}: ${this.#server.name} ${error.message}; next try in ${duration(waitMs)}`);
    return this.#faultsInARow < MOST_FAULTS_IN_A_ROW;
  }

  #backOff(failures) {
    const { backOffMs } = this.#timing;
    return backOffMs[Math.min(failures, backOffMs.length - 1)];
  }

  #failed(error) {
    this.#waitMs = this.#backOff(this.#failures);
    this.#failures += 1;
    this.#failedAt = Date.now();
    if (this.#trouble === error.message) return;
    this.#troubleSince ??= Date.now();
    this.#trouble = error.message;
    this.#log(`uploads fail: ${this.#server.name} ${error.message}; next try in ${duration(this.#waitMs)}`);
  }

  #succeeded() {
    this.#failures = 0;
    this.#faultsInARow = 0;
    this.#waitMs = 0;
    if (this.#trouble === undefined) return;
    this.#log(`uploads work again, after ${duration(Date.now() - this.#troubleSince)}`);
    this.#trouble = undefined;
    this.#troubleSince = undefined;
  }

  /** Ends idle sessions. All events must have been acknowledged; otherwise the known last act may not be the last. */
  async #sweep() {
    const now = Date.now();
    if (hasPassed(this.#sweptAt, this.#timing.sweepMs, now)) {
      this.#sweptAt = now;
      this.#ends.push(...this.#tracker.sweep(now));
    }
    while (this.#ends.length > 0) {
      const ends = this.#ends.slice(0, MAX_EVENTS_PER_UPLOAD);
      await this.#upload(ends);
      this.#ends.splice(0, ends.length);
      this.#remember(ends);
    }
  }

  #observe(events) {
    const now = Date.now();
    const own = events.filter(({ metric }) => metric === 'prompt_event');
    for (const event of own) this.#tracker.observe(event, now);
    this.#remember(own.filter(({ values }) => values.kind === 'SessionEnd'));
  }

  /** Stores ends in the sessions' states, so that the next process doesn't make them again. */
  #remember(ends) {
    if (ends.length === 0 || this.#states === undefined) return;
    const { promptId } = require('../../index.js');
    const byPrompt = new Map(ends.map((end) => [end.attributes.promptId, end]));
    for (const [path, known] of this.#known) {
      const end = byPrompt.get(promptId(known.agent, known.sessionId));
      if (end === undefined) continue;
      const next = { ...known, end };
      const state = this.#states.state(path);
      this.#known.set(path, next);
      if (state !== undefined) this.#states.save(next, state);
    }
  }
}

/** Returns the latest act of a session, without its text. */
function lastAct(before, events) {
  let last = before;
  for (const event of events) {
    if (!ACTS.has(event.values.kind)) continue;
    if (last === undefined || timeOf(event) >= timeOf(last)) last = event;
  }
  if (last === before) return before;
  const { inputText, ...values } = last.values;
  return { ...last, values };
}

/** Identifies a record. A copy keeps its id and its time. An id alone says little, because some agents' are short. */
const recordOf = ({ attributes, values }, source) =>
  source === null ? undefined : `${attributes.tool} ${values.startTs} ${source}`;

const messageOf = ({ values }) => `${values.kind} ${values.inputHash ?? values.eventId}`;

const timeOf = ({ timestamp, values }) => values.startTs ?? timestamp * 1000;

function duration(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

module.exports = { Watcher };

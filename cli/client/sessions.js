'use strict';

const { watch } = require('node:fs');
const { dirname, join, relative, sep } = require('node:path');
const { AGENTS, currentPath, entries, foldersIn, look, plainName, sessionIdOf } = require('./agents.js');
const { hasPassed } = require('./clock.js');
const { DatabaseSessions } = require('./opencode.js');

/** A second change within this time may leave the folder's modification time unchanged. */
const CLOCK_STEP_MS = 50;

/** Change notifications can get lost, and some file systems have none. So everything is checked at least this often. */
const LOOK_AT_ALL_MS = 60_000;

/**
 * A session that was written this recently is checked at each call. FSEvents and Windows may report a write only when the
 * file is closed, and some agents keep theirs open.
 */
const RECENT_MS = 10 * 60_000;

/** After this long without a write to a session, its subagents are looked for only when everything is checked. */
const ACTIVE_MS = 24 * 3600_000;

/**
 * Finds the sessions of all agents and those that have changed. With change notifications, an idle machine costs
 * nothing. Without them, each call checks the size and time of every file.
 */
class Sessions {
  #places;
  #databases;
  #polls;
  #lookedAtAllAt = 0;
  #watchers = new Map();

  /** @param {{ home?: string, poll?: boolean }} options */
  constructor(options) {
    this.#polls = options.poll ?? false;
    this.#places = Object.entries(AGENTS).flatMap(([agent, { places }]) =>
      places(options).map(({ path, levels }) => new Folder(agent, path, levels)),
    );
    this.#databases = Object.values(AGENTS).flatMap(({ database }) =>
      database === undefined ? [] : [new DatabaseSessions(database(options))],
    );
  }

  /** Why some sessions can't be read on this machine. */
  obstacles() {
    return this.#databases.flatMap(({ obstacle }) => obstacle ?? []);
  }

  /**
   * Returns the sessions that are new or have changed since the last call, oldest first, so a copy follows its
   * original.
   *
   * @returns {Session[]}
   */
  changed() {
    const now = Date.now();
    const all = this.#polls || hasPassed(this.#lookedAtAllAt, LOOK_AT_ALL_MS, now);
    if (all) this.#lookedAtAllAt = now;
    const changed = [];
    for (const place of this.#places) this.#search(place, all, now, changed);
    for (const database of this.#databases) changed.push(...database.changed());
    return changed.sort((a, b) => a.madeAt - b.madeAt);
  }

  /** Yields all sessions found so far. */
  *all() {
    for (const place of this.#places) yield* place.all();
    for (const database of this.#databases) yield* database.all();
  }

  close() {
    for (const database of this.#databases) database.close();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Looks for changed sessions in a folder and those below it. */
  #search(folder, all, now, changed) {
    if (folder.levels.length === 0) {
      if (all || folder.touched) this.#look(folder, now, changed);
      else changed.push(...folder.recent(now).filter((session) => session.looksChanged()));
      return;
    }
    if (all || folder.touched || !this.#isWatched(folder.path)) this.#list(folder);
    for (const below of folder.below.values()) this.#search(below, all, now, changed);
  }

  /** Looks for new folders in a folder. */
  #list(folder) {
    folder.touched = false;
    this.#watch(folder.path, folder);
    const found = new Set(foldersIn(folder.path, folder.levels));
    for (const path of found) {
      if (!folder.below.has(path)) folder.below.set(path, new Folder(folder.agent, path, folder.levels.slice(1)));
    }
    for (const path of folder.below.keys()) if (!found.has(path)) this.#drop(folder, path);
  }

  #drop(folder, gone) {
    folder.below.delete(gone);
    for (const path of this.#watchers.keys()) {
      if (path !== gone && !path.startsWith(gone + sep)) continue;
      this.#watchers.get(path).close();
      this.#watchers.delete(path);
    }
  }

  #look(folder, now, changed) {
    folder.touched = false;
    this.#watch(folder.path, folder);
    const time = look(folder.path)?.mtimeMs ?? 0;
    if (time !== folder.listedTime || now - time < CLOCK_STEP_MS) {
      folder.list();
      folder.listedTime = time;
    }
    for (const session of folder.sessions.values()) {
      if (!this.#polls) for (const watched of session.foldersToWatch(now)) this.#watch(watched, folder);
      if (session.looksChanged()) changed.push(session);
    }
  }

  #isWatched(path) {
    return this.#watchers.has(path);
  }

  /**
   * Marks `target` as touched when something in the folder changes. Without notifications it always counts as touched.
   */
  #watch(path, target) {
    if (this.#polls || this.#isWatched(path)) return;
    try {
      const watcher = watch(path, { persistent: false }, () => {
        target.touched = true;
      });
      watcher.on('error', () => this.#giveUp(path, target));
      this.#watchers.set(path, watcher);
      // The check that follows finds everything written before the watch was set.
    } catch {
      this.#giveUp(path, target);
    }
  }

  #giveUp(path, target) {
    this.#watchers.get(path)?.close();
    this.#watchers.delete(path);
    target.touched = true;
  }
}

/** A folder that holds sessions, or folders that lead to some. */
class Folder {
  touched = true;
  listedTime;
  /** The folders in this one, by path. */
  below = new Map();
  /** By file name. */
  sessions = new Map();
  /** The names of the folders beside the sessions, which may hold files of subagents. */
  beside = new Set();

  constructor(agent, path, levels) {
    this.agent = agent;
    this.path = path;
    this.levels = levels;
  }

  *all() {
    yield* this.sessions.values();
    for (const folder of this.below.values()) yield* folder.all();
  }

  /** The sessions that may change without notice. */
  recent(now) {
    return [...this.sessions.values()].filter(({ writtenAt }) => now - writtenAt < RECENT_MS);
  }

  list() {
    const { nameOf, packs } = AGENTS[this.agent];
    const found = entries(this.path);
    const files = found.flatMap((entry) => (entry.isFile() ? [entry.name] : []));
    const names = new Set(packs ? files.map(plainName) : files);
    this.beside = new Set(found.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])));
    for (const name of this.sessions.keys()) if (!names.has(name)) this.sessions.delete(name);
    for (const name of names) {
      const path = join(this.path, name);
      if (nameOf(path) && !this.sessions.has(name)) this.sessions.set(name, new Session(this, path));
    }
  }
}

class Session {
  madeAt = 0;
  writtenAt = 0;
  size = 0;
  /** The sizes and times of the session's files at the last check. A change of permissions counts too. */
  look = '';

  #sessionId;
  #folder;
  /** Where the files of its subagents are, and the name of the folder beside the session that leads there, if one does. */
  #subagentFolder;
  #folderBeside;

  constructor(folder, path) {
    this.agent = folder.agent;
    this.path = path;
    this.#folder = folder;
  }

  /** The session's id, or `undefined` while its file doesn't name it. */
  get sessionId() {
    this.#sessionId ??= sessionIdOf(this.agent, this.path);
    return this.#sessionId;
  }

  looksChanged() {
    const stat = look(AGENTS[this.agent].packs ? currentPath(this.path) : this.path);
    // A deleted file has an empty look, so it counts as changed if it comes back.
    const now = stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.ctimeMs}${this.#lookOfSubagents()}`;
    if (now === this.look) return false;
    this.look = now;
    if (stat === undefined) return false;
    this.size = stat.size;
    this.writtenAt = stat.mtimeMs;
    // Where a file system doesn't know, it says 0.
    this.madeAt = stat.birthtimeMs || stat.mtimeMs;
    return true;
  }

  /** The folders of the session's subagents, and the one above them, which exists before. */
  foldersToWatch(now) {
    if (now - this.writtenAt > ACTIVE_MS) return [];
    const { files, folders } = this.#subagents();
    const all = new Set([...folders.slice(0, 1), ...files].map((path) => dirname(path)).concat(folders));
    return [...all].filter((path) => look(path) !== undefined);
  }

  /** Returns the folder of the subagents' files, unless it can't exist. To look for each costs as much as the rest of a poll. */
  #existingSubagentFolder() {
    const { subagentFolder } = AGENTS[this.agent];
    if (this.#subagentFolder === undefined && subagentFolder !== undefined) {
      // The id may come from the file, and must not lead out of the agent's folder.
      const id = this.sessionId ?? '';
      if (/^\.*$|[^\w.-]/.test(id)) return undefined;
      this.#subagentFolder = subagentFolder(this.path, id);
      [this.#folderBeside] = relative(this.#folder.path, this.#subagentFolder).split(sep);
    }
    const isElsewhere = this.#folderBeside === '..';
    return isElsewhere || this.#folder.beside.has(this.#folderBeside) ? this.#subagentFolder : undefined;
  }

  /** The paths of the subagents' files, and the folders where more of them may come. */
  #subagents() {
    const { subagentFile, subagentGroups } = AGENTS[this.agent];
    const own = this.#existingSubagentFolder();
    if (own === undefined) return { files: [], folders: [] };
    const lists = [{ folder: own, found: entries(own) }];
    const folders = [own];
    // Most sessions have none, and to look for a folder that isn't there costs as much as the rest of a poll.
    const hasGroups = ({ found }) => found.some((entry) => entry.name === subagentGroups && entry.isDirectory());
    if (subagentGroups !== undefined && lists.some(hasGroups)) {
      const groups = foldersIn(join(own, subagentGroups), ['*']);
      folders.push(join(own, subagentGroups), ...groups);
      lists.push(...groups.map((folder) => ({ folder, found: entries(folder) })));
    }
    const files = lists.flatMap(({ folder, found }) =>
      found.flatMap((entry) => {
        const file = entry.isSymbolicLink() ? undefined : subagentFile?.(entry.name);
        return file === undefined ? [] : [join(folder, file)];
      }),
    );
    return { files, folders };
  }

  #lookOfSubagents() {
    const looks = this.#subagents().files.flatMap((path) => look(path) ?? []);
    if (looks.length === 0) return '';
    const size = looks.reduce((sum, stat) => sum + stat.size, 0);
    return ` ${looks.length} ${size} ${Math.max(...looks.map(({ ctimeMs }) => ctimeMs))}`;
  }
}

module.exports = { Sessions };

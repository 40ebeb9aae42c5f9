'use strict';

const { watch } = require('node:fs');
const { dirname, join, sep } = require('node:path');
const { AGENTS, entries, look } = require('./agents.js');

/** A second change within this time may leave the folder's modification time unchanged. */
const CLOCK_STEP_MS = 50;

/** Change notifications can get lost, and some file systems have none. So everything is checked at least this often. */
const LOOK_AT_ALL_MS = 60_000;

/** After this long without a write to a session, its subagents are looked for only when everything is checked. */
const ACTIVE_MS = 24 * 3600_000;

/**
 * Finds the sessions of all agents and those that have changed. With change notifications, an idle machine costs
 * nothing. Without them, each call checks the size and time of every file.
 */
class Sessions {
  #projects = new Map();
  #roots;
  #polls;
  #lookedAtAllAt = 0;
  #watchers = new Map();

  /** @param {{ home?: string, poll?: boolean }} options */
  constructor(options) {
    this.#polls = options.poll ?? false;
    this.#roots = Object.entries(AGENTS).flatMap(([agent, { roots }]) =>
      roots(options).map((path) => ({ agent, path })),
    );
  }

  /**
   * Returns the sessions that are new or have changed since the last call, oldest first, so a copy follows its
   * original.
   *
   * @returns {Session[]}
   */
  changed() {
    const now = Date.now();
    const all = this.#polls || now - this.#lookedAtAllAt >= LOOK_AT_ALL_MS;
    if (all) this.#lookedAtAllAt = now;
    const changed = [];
    for (const root of this.#roots) {
      this.#findProjects(root, all);
      for (const project of this.#projects.values()) {
        if (project.root === root && (all || project.touched)) this.#look(project, now, changed);
      }
    }
    return changed.sort((a, b) => a.madeAt - b.madeAt);
  }

  /** Yields all sessions found so far. */
  *all() {
    for (const { sessions } of this.#projects.values()) yield* sessions.values();
  }

  close() {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #findProjects(root, all) {
    if (!all && this.#isWatched(root.path) && !root.touched) return;
    root.touched = false;
    this.#watch(root.path, root);
    const found = new Set();
    for (const entry of entries(root.path)) {
      // Skip links, which could lead out of the agent's folder.
      if (!entry.isDirectory()) continue;
      const path = join(root.path, entry.name);
      found.add(path);
      if (!this.#projects.has(path)) this.#projects.set(path, new Project(root, path));
    }
    for (const [path, project] of this.#projects) {
      if (project.root === root && !found.has(path)) this.#drop(project);
    }
  }

  #drop(project) {
    this.#projects.delete(project.path);
    for (const path of this.#watchers.keys()) {
      if (path !== project.path && !path.startsWith(project.path + sep)) continue;
      this.#watchers.get(path).close();
      this.#watchers.delete(path);
    }
  }

  #look(project, now, changed) {
    project.touched = false;
    this.#watch(project.path, project);
    const time = look(project.path)?.mtimeMs ?? 0;
    if (time !== project.listedTime || now - time < CLOCK_STEP_MS) {
      project.list();
      project.listedTime = time;
    }
    for (const session of project.sessions.values()) {
      for (const folder of session.foldersToWatch(now)) this.#watch(folder, project);
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

class Project {
  touched = true;
  listedTime;
  /** By file name. */
  sessions = new Map();

  constructor(root, path) {
    this.root = root;
    this.path = path;
  }

  list() {
    const { sessionOf, subagentFolder } = AGENTS[this.root.agent];
    const names = new Set();
    const folders = new Set();
    for (const entry of entries(this.path)) {
      if (entry.isDirectory()) folders.add(entry.name);
      else if (entry.isFile()) names.add(entry.name);
    }
    for (const name of this.sessions.keys()) if (!names.has(name)) this.sessions.delete(name);
    for (const name of names) {
      const path = join(this.path, name);
      const sessionId = sessionOf(path);
      if (sessionId === undefined || sessionId === '') continue;
      if (!this.sessions.has(name)) this.sessions.set(name, new Session(this.root.agent, sessionId, path));
      if (folders.has(sessionId)) this.sessions.get(name).subagentFolder = subagentFolder(path);
    }
  }
}

class Session {
  subagentFolder;
  madeAt = 0;
  writtenAt = 0;
  size = 0;
  /** The sizes and times of the session's files at the last check. A change of permissions counts too. */
  look = '';

  constructor(agent, sessionId, path) {
    this.agent = agent;
    this.sessionId = sessionId;
    this.path = path;
  }

  looksChanged() {
    const stat = look(this.path);
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

  /** The folder of the session's subagents, and its parent, which exists before it. */
  foldersToWatch(now) {
    if (this.subagentFolder === undefined || now - this.writtenAt > ACTIVE_MS) return [];
    const above = dirname(this.subagentFolder);
    return look(this.subagentFolder) === undefined ? [above] : [above, this.subagentFolder];
  }

  #lookOfSubagents() {
    if (this.subagentFolder === undefined) return '';
    let [count, size, time] = [0, 0, 0];
    for (const entry of entries(this.subagentFolder)) {
      if (!entry.isFile() || !AGENTS[this.agent].isSubagent(entry.name)) continue;
      const stat = look(join(this.subagentFolder, entry.name));
      count += 1;
      size += stat?.size ?? 0;
      time = Math.max(time, stat?.ctimeMs ?? 0);
    }
    return ` ${count} ${size} ${time}`;
  }
}

module.exports = { Sessions };

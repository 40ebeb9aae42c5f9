'use strict';

const { execFile } = require('node:child_process');
const { createHash, randomUUID } = require('node:crypto');
const { readFileSync, statSync } = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { join } = require('node:path');
const { promisify } = require('node:util');
const { gzipSync } = require('node:zlib');
const { version } = require('../../package.json');
const { Misuse, reasonOf } = require('../failures.js');
const { replaceFile } = require('./files.js');
const { clientFolder, makeFolder } = require('./folders.js');

const PATH = '/worker/metrics/upload';

/** The same as in git-ai's own client. The server answers within 20 s. */
const TIMEOUT_MS = 30_000;

/** Git answers within milliseconds, unless the machine is very busy. */
const GIT_MS = 5000;

/** The longest answer that is read. Real ones are short, with one line per refused event. */
const LONGEST_ANSWER = 1 << 20;

const LONGEST_KEY = 4096;

/** The options of every command that uploads. */
const UPLOAD_OPTIONS = { server: { type: 'string' }, 'key-file': { type: 'string' } };

/** Why the server didn't accept a body. `status` is absent if there was no answer. */
class UploadError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Returns the server that the options name, or `undefined` without `--server`. */
function serverOf({ server, 'key-file': keyFile, author }, home) {
  if (server === undefined) {
    if (keyFile !== undefined) throw new Misuse('--key-file: give the --server that it is for, too');
    return undefined;
  }
  return new Server(urlOf(server), keyFile === undefined ? undefined : keyIn(keyFile), home, author);
}

function urlOf(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new Misuse(`--server: expected an http or https URL, found ${JSON.stringify(text)}`);
  }
  // A key in the URL would appear in logs and in the list of processes.
  if (url.username !== '' || url.password !== '')
    throw new Misuse('--server: put the key into a file, not into the URL');
  if (url.search !== '' || url.hash !== '') throw new Misuse('--server: expected a URL without query and fragment');
  return url;
}

/** Reads the key from a file that only its owner may read. */
function keyIn(path) {
  let key;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Misuse(`--key-file: ${path} is not a regular file`);
    if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8);
      throw new Misuse(`--key-file: others can read ${path} (its mode is ${mode}): run chmod 600 on it`);
    }
    key = readFileSync(path, 'utf8')
      .slice(0, LONGEST_KEY + 1)
      .trim();
  } catch (error) {
    if (error instanceof Misuse) throw error;
    throw new Misuse(`--key-file: cannot read ${path}: ${reasonOf(error)}`);
  }
  if (!/^[\x21-\x7e]+$/.test(key) || key.length > LONGEST_KEY) {
    throw new Misuse(`--key-file: expected one key of printable ASCII in ${path}`);
  }
  return key;
}

class Server {
  #url;
  #headers;
  #transport;
  #home;
  #author;

  constructor(url, key, home, author) {
    this.#url = new URL(url.pathname.replace(/\/+$/, '') + PATH, url);
    this.#transport = url.protocol === 'https:' ? https : http;
    this.#headers = {
      'Content-Type': 'application/json',
      'Content-Encoding': 'gzip',
      'User-Agent': `git-ai-metrics/${version}`,
      'X-Distinct-ID': installationOf(home),
      ...(key !== undefined && { 'X-API-Key': key }),
    };
    this.#home = home;
    this.#author = author;
  }

  /** The server's name for messages. It holds nothing secret. */
  get name() {
    return this.#url.origin;
  }

  /** Identifies the server, because each has acknowledged other events. */
  get id() {
    return createHash('sha256').update(this.#url.href).digest('hex').slice(0, 16);
  }

  /** Whether the key crosses a network unencrypted. */
  get isExposed() {
    const { protocol, hostname } = this.#url;
    return protocol === 'http:' && !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  }

  /**
   * Uploads a body of `count` events.
   *
   * @param {Uint8Array} body
   * @param {number} count
   * @param {{ timeoutMs?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<{ index: number, error: string }[]>} the events that the server refuses permanently
   * @throws {UploadError} unless the answer is 200 with a valid list of errors; the body may then not be stored
   */
  async upload(body, count, { timeoutMs = TIMEOUT_MS, signal } = {}) {
    const { status, text } = await this.#post(gzipSync(body), await this.#authorHeader(), timeoutMs, signal);
    if (status !== 200) throw new UploadError(`answered ${status}${REASONS[status] ?? ''}`, status);
    return errorsIn(text, count);
  }

  /** Asks git only when there is something to upload, so that hooks and agents start without delay. */
  async #authorHeader() {
    this.#author ??= await authorOf(this.#home);
    return this.#author === '' ? {} : { 'X-Author-Identity': encodeURIComponent(this.#author) };
  }

  #post(body, author, timeoutMs, signal) {
    return new Promise((resolve, reject) => {
      const headers = { ...this.#headers, ...author, 'Content-Length': body.length };
      const request = this.#transport.request(this.#url, { method: 'POST', headers, agent: false, signal });
      // For the whole exchange, so a server can't keep it open by sending a byte now and then.
      const timer = setTimeout(
        () => request.destroy(new UploadError(`no answer within ${Math.round(timeoutMs / 1000)} s`)),
        timeoutMs,
      );
      const fail = (error) => {
        clearTimeout(timer);
        reject(error instanceof UploadError ? error : new UploadError(`cannot be reached: ${reasonOf(error)}`));
      };
      request.on('error', fail);
      request.on('response', (response) => {
        const chunks = [];
        let length = 0;
        response.on('data', (chunk) => {
          length += chunk.length;
          if (length > LONGEST_ANSWER)
            request.destroy(new UploadError('the answer is longer than any', response.statusCode));
          else chunks.push(chunk);
        });
        response.on('error', fail);
        response.on('aborted', () => fail(new UploadError('the connection broke in the middle of the answer')));
        response.on('end', () => {
          clearTimeout(timer);
          resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() });
        });
      });
      request.end(body);
    });
  }
}

const REASONS = { 401: ': it does not know the key', 403: ': the key may not upload' };

function errorsIn(text, count) {
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new UploadError('answered 200, but not with JSON', 200);
  }
  if (!Array.isArray(answer?.errors)) throw new UploadError('answered 200, but without a list of errors', 200);
  for (const entry of answer.errors) {
    if (!Number.isInteger(entry?.index) || entry.index < 0 || entry.index >= count) {
      throw new UploadError('answered 200, but names an event that was not in the body', 200);
    }
  }
  return answer.errors.map(({ index, error }) => ({ index, error: String(error) }));
}

/** Returns the author from git's settings, as git-ai's own client sends it; '' if they don't name one. */
async function authorOf(home) {
  const get = async (key) => {
    try {
      const { stdout } = await promisify(execFile)('git', ['config', '--get', key], { cwd: home, timeout: GIT_MS });
      return stdout.trim();
    } catch {
      // Git isn't installed, or the setting is missing.
      return '';
    }
  };
  const [name, mail] = await Promise.all([get('user.name'), get('user.email')]);
  return name !== '' && mail !== '' ? `${name} <${mail}>` : '';
}

/** Returns the installation's id. It is git-ai's own if that is installed, else ours. */
function installationOf(home) {
  const folder = clientFolder(home);
  for (const path of [join(home, '.git-ai', 'internal', 'distinct_id'), join(folder, 'installation')]) {
    try {
      const id = readFileSync(path, 'utf8').trim();
      if (/^[\w-]{8,64}$/.test(id)) return id;
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
  const id = randomUUID();
  replaceFile(join(makeFolder(folder), 'installation'), id);
  return id;
}

module.exports = { UPLOAD_OPTIONS, UploadError, serverOf };

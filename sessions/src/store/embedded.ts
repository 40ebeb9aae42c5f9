/** Embedded ClickHouse: chDB's library in a process of its own, which listens on loopback for this process only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClickHouseStore } from './clickhouse.ts';
import { makeFolder } from './folder.ts';
import { CannotOpen, StoreError } from './store.ts';

export interface EmbeddedOptions {
  /** The folder for ClickHouse's data, made if missing. One process at a time can have it open. */
  folder: string;
  /** Default: a free port. */
  httpPort?: number;
  /** The port of the native protocol, which nodes of a cluster use among themselves. Default: none. */
  tcpPort?: number;
  /** Default: a random one. Other nodes of a cluster must know it. */
  password?: string;
  /** More of ClickHouse's configuration, as XML: `<remote_servers>`, `<macros>`, … */
  config?: string;
}

const USER = 'sessions';
const START_TIMEOUT_MS = 30_000;

/** A path that is right from both `src` and `dist`. */
const LAUNCHER = join(__dirname, '..', '..', 'bin', 'embedded-clickhouse.js');

export class EmbeddedClickHouse {
  private constructor(
    private readonly child: ChildProcess,
    private readonly settings: string,
    /** Its URL, with user and password. */
    readonly url: string,
    /** Resolves with the reason once the process has ended. */
    readonly ended: Promise<string>,
  ) {}

  /** @throws {CannotOpen} with one line for the user */
  static async start(options: EmbeddedOptions): Promise<EmbeddedClickHouse> {
    const folder = resolve(options.folder);
    const library = libraryPath();
    try {
      makeFolder(folder);
      accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (cause) {
      throw new CannotOpen(`cannot open ${folder}: ${(cause as Error).message}`, { cause });
    }
    for (let attempts = 3; ; attempts--) {
      const port = options.httpPort ?? (await freePort());
      try {
        return await EmbeddedClickHouse.launch(library, folder, port, options);
      } catch (error) {
        // Another process took the port between our search for a free one and its use.
        const busy =
          error instanceof AnswersAnother ||
          (error instanceof CannotOpen && /Address already in use/.test(error.message));
        if (!busy || options.httpPort !== undefined || attempts === 1) throw error;
      }
    }
  }

  private static async launch(
    library: string,
    folder: string,
    port: number,
    { tcpPort, password = randomBytes(24).toString('base64url'), config = '' }: EmbeddedOptions,
  ): Promise<EmbeddedClickHouse> {
    const settings = mkdtempSync(join(folder, SETTINGS_PREFIX));
    const write = (name: string, text: string) => writeFileSync(join(settings, name), text, { mode: 0o600 });
    // To start listening on each interface, and to sleep.
    write('users.xml', users(password, tcpPort === undefined ? 2 : 3));
    write(
      'config.xml',
      `<clickhouse>
          <logger><level>none</level></logger>
          <listen_host>127.0.0.1</listen_host>
          <http_port>${port}</http_port>
          ${tcpPort === undefined ? '' : `<tcp_port>${tcpPort}</tcp_port>`}
          <users_config>${escapeXml(join(settings, 'users.xml'))}</users_config>
          <mark_cache_size>268435456</mark_cache_size>
          <timezone>UTC</timezone>
          <asynchronous_metrics_update_period_s>60</asynchronous_metrics_update_period_s>
          ${config}
        </clickhouse>`,
    );
    const child = spawn(
      process.execPath,
      [LAUNCHER, library, join(settings, 'config.xml'), folder, 'HTTP', ...(tcpPort === undefined ? [] : ['TCP'])],
      // A process group of its own, so that Ctrl-C reaches only the server, which ends this process once all is stored.
      { stdio: ['pipe', 'ignore', 'pipe'], detached: true, env: childEnvironment() },
    );
    const ended = endOf(child);
    const url = `http://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/default`;
    const started = new EmbeddedClickHouse(child, settings, url, ended);
    try {
      await answers(port, ended);
      // Whoever answered may be another one, which took the port: this one knows the password.
      await started.ask('SELECT 1 FORMAT Null').catch((cause: Error) => {
        throw new AnswersAnother(`cannot open ${folder}: what answers on port ${port} is not ours: ${cause.message}`, {
          cause,
        });
      });
    } catch (error) {
      child.kill('SIGKILL');
      const end = await ended;
      rmSync(settings, { recursive: true, force: true });
      if (error instanceof AnswersAnother) throw error;
      throw new CannotOpen(whyNot(folder, error instanceof CannotOpen ? error.message : end), { cause: error });
    }
    // The folder is locked by us, so leftovers in it come from a dead process.
    for (const name of readdirSync(folder)) {
      if (name.startsWith(SETTINGS_PREFIX) && join(folder, name) !== settings) {
        rmSync(join(folder, name), { recursive: true, force: true });
      }
    }
    return started;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /**
   * Kills it. An orderly end takes ClickHouse five seconds and has no benefit: acknowledged rows are stored, and the
   * next start removes leftovers of merges.
   */
  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
    rmSync(this.settings, { recursive: true, force: true });
  }

  private async ask(sql: string): Promise<void> {
    const store = new ClickHouseStore({ url: this.url });
    try {
      await store.command(sql);
    } finally {
      await store.close();
    }
  }
}

/** It listens on our port, but isn't the process that we started. */
class AnswersAnother extends CannotOpen {}

const SETTINGS_PREFIX = '.settings-';

/**
 * The user of this process, and `default`, which the launcher's own session runs as. That one can't have a password, so
 * it has no right but to start listening, and a quota that the launcher's own queries use up: nothing is left for
 * others but constants.
 */
function users(password: string, queries: number): string {
  const hash = createHash('sha256').update(password).digest('hex');
  const common = '<networks><ip>127.0.0.1</ip></networks><profile>default</profile>';
  return `<clickhouse>
    <profiles><default/></profiles>
    <quotas>
      <default/>
      <launcher><interval><duration>1000000000</duration><queries>${queries}</queries></interval></launcher>
    </quotas>
    <users>
      <${USER}><password_sha256_hex>${hash}</password_sha256_hex>${common}<quota>default</quota></${USER}>
      <default>
        <password></password>${common}<quota>launcher</quota>
        <grants><query>GRANT SYSTEM LISTEN ON *.*</query></grants>
      </default>
    </users>
  </clickhouse>`;
}

const escapeXml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** The environment without this process's secrets, some of which ClickHouse would use. */
function childEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return { PATH, HOME, TMPDIR, TZ: 'UTC' };
}

function libraryPath(): string {
  try {
    // Loaded on demand: they aren't built for every platform, and a ClickHouse server doesn't need them.
    require.resolve('ffi-rs');
    return (require('chdb/libchdb') as { libchdbPath(): string }).libchdbPath();
  } catch (cause) {
    throw new CannotOpen(
      'embedded ClickHouse (chDB) does not run here: it is for macOS, and Linux with glibc. Use --clickhouse <url>',
      { cause },
    );
  }
}

function endOf(child: ChildProcess): Promise<string> {
  let errors = '';
  child.stderr?.on('data', (chunk) => {
    errors = (errors + chunk).slice(-8192);
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(errors.trim() || `it ended with ${signal ?? `exit ${code}`}`));
  });
}

async function answers(port: number, ended: Promise<string>): Promise<void> {
  let end: string | undefined;
  ended.then((reason) => {
    end = reason;
  });
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline; ) {
    if (end !== undefined) throw new CannotOpen(end);
    const answer = await fetch(`http://127.0.0.1:${port}/ping`, { signal: AbortSignal.timeout(1000) }).catch(
      () => undefined,
    );
    if ((await answer?.text()) === 'Ok.\n') return;
    await sleep(20);
  }
  throw new CannotOpen(`embedded ClickHouse did not answer within ${START_TIMEOUT_MS / 1000} s`);
}

/** ClickHouse's reason, as one line. */
function whyNot(folder: string, reason: string): string {
  if (/Cannot lock file/.test(reason)) return `cannot open ${folder}: another process is using it`;
  const line = /DB::Exception: (.*)/.exec(reason)?.[1] ?? reason.split('\n', 1)[0];
  return `cannot open ${folder}: ${line}`;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new StoreError('no free port on 127.0.0.1', true);
  return address.port;
}

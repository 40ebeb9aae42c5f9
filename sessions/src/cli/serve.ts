import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { BadFriction, checkFriction, defaultFriction, type FrictionRules, readFriction } from '../api/friction.ts';
import { encodeUpload } from '../ingest/rows.ts';
import type { App } from '../server/app.ts';
import { authenticator, DEMO_ORG, isLoopback } from '../server/auth.ts';
import { KeyFile } from '../server/keys.ts';
import type { OpenStore } from '../store/open.ts';
import { keepFor, type TableOptions } from '../store/retention.ts';
import { type Demo, storeDemo } from './demo.ts';
import { keysPath } from './keys.ts';
import type { Command } from './main.ts';
import { Misuse } from './misuse.ts';
import { daysOf, numberOf, textOf, type Values } from './options.ts';
import { showSessions } from './sessions-table.ts';
import {
  checkDataFolder,
  checkStoreOptions,
  dataFolder,
  fromCaller,
  makeDataFolder,
  openMigrated,
  STORE_OPTIONS,
} from './store.ts';

/** Docker kills a process 10 s after asking it to stop. By then, every upload must be stored or refused. */
const CLOSE_WITHIN_MS = 8_000;

export const serve: Command = {
  usage: 'serve [options]',
  summary: 'take uploads, serve the API, until SIGTERM or Ctrl-C',
  options: [
    'host',
    'port',
    ...STORE_OPTIONS,
    'metrics-port',
    'allow-host',
    'friction',
    'max-body-mb',
    'min-free-mb',
    'rate-per-second',
    'rate-burst',
    'log-level',
    'retain-records',
    'retain-events',
    'demo',
    'once',
  ],
  async run({ values, positionals }) {
    if (positionals.length > 0) throw new Misuse(`serve: unexpected ${JSON.stringify(positionals[0])}`);
    if (values.once && values.demo === undefined) throw new Misuse('--once needs --demo');
    const samples = values.demo === undefined ? undefined : fromCaller(textOf(values, 'demo'));
    if (samples !== undefined && !existsSync(samples)) throw new Misuse(`there is no ${samples}`);
    const host = textOf(values, 'host');
    const folder = dataFolder(values);
    checkDataFolder(values);
    const retention = { recordDays: daysOf(values, 'retain-records'), eventDays: daysOf(values, 'retain-events') };
    const log = await loggerOf(values);
    const keys = new KeyFile(keysPath(folder), (error) =>
      log.error(`${error.message}; the keys read before stay valid`),
    );
    // Read at once, so that a broken file is reported before the server listens.
    const withKeys = keys.size > 0;
    const keyless = isLoopback(host) || host === 'localhost';
    if (!keyless && !withKeys) {
      throw new Misuse(
        `${host} is not loopback, so keys are needed: make one with git-ai-sessions keys add --org <id>`,
      );
    }
    const limits = limitsOf(values);
    const port = portOf(values, 'port');
    const metricsPort = values['metrics-port'] === undefined ? undefined : portOf(values, 'metrics-port');
    checkStoreOptions(values);
    makeDataFolder(values);
    // A busy port is reported before ClickHouse starts, not after.
    if (!values.once) {
      await listenOn(createServer(), host, port).then(({ stop }) => stop());
      if (metricsPort !== undefined) {
        await listenOn(createServer(), host, metricsPort, '--metrics-port').then(({ stop }) => stop());
      }
    }

    const { store, set, applied } = await openMigrated(values);
    try {
      if (applied.length > 0) log.info({ applied }, 'migrated');
      await keepFor(store, retention, { set });
      const friction = await frictionOf(values, store);
      const demo = samples === undefined ? undefined : await demonstrate(store, samples, folder, { ...limits, set });
      if (values.once) return 0;
      // Loaded only now, since help, misuse and samples need none of it.
      const { createApp } = await import('../server/app.ts');
      const app = createApp({
        store,
        friction,
        authenticate: authenticator(keys, { keyless, demo: demo !== undefined }),
        demo: demo !== undefined,
        log,
        folder,
        quarantine: join(folder, 'quarantine'),
        concurrentInserts: store.concurrentInserts,
        allowedHosts: (values['allow-host'] as string[] | undefined) ?? [],
        serveMetrics: metricsPort === undefined,
        ...limits,
      });
      // First, because nothing else is to be stopped if its port was taken meanwhile.
      const stopMetrics = await listenForMetrics(app, host, metricsPort);
      const address = await listen(app, host, port).catch(async (error) => {
        await stopMetrics();
        throw error;
      });
      const stopDemo = demo?.keepRunning((body) => storeSample(app, body));
      console.log(`\nSessions listens on ${address}\n${howToSend(address, withKeys)}`);
      const reason = await Promise.race([
        signalled(),
        store.lost.then((why) => new Error(`ClickHouse is gone: ${why}`)),
      ]);
      if (reason instanceof Error) log.fatal(reason.message);
      else log.info({ signal: reason }, 'shutting down');
      stopDemo?.();
      await app.close(reason instanceof Error ? 0 : CLOSE_WITHIN_MS);
      await stopMetrics();
      return reason instanceof Error ? 1 : 0;
    } finally {
      await store.close();
    }
  },
};

const portOf = (values: Values, name: 'port' | 'metrics-port'): number => numberOf(values, name, { max: 65_535 });

function limitsOf(values: Values) {
  return {
    maxBodyBytes: numberOf(values, 'max-body-mb', { min: 1, max: 1024 }) * 2 ** 20,
    minFreeBytes: numberOf(values, 'min-free-mb') * 2 ** 20,
    uploadsPerSecond: numberOf(values, 'rate-per-second', { min: 1 }),
    uploadBurst: numberOf(values, 'rate-burst', { min: 1 }),
  };
}

/** @throws {Misuse} that names the invalid rule */
async function frictionOf(values: Values, store: OpenStore): Promise<FrictionRules> {
  try {
    const rules =
      values.friction === undefined ? defaultFriction : readFriction(fromCaller(textOf(values, 'friction')));
    await checkFriction(store, rules);
    return rules;
  } catch (error) {
    if (error instanceof BadFriction) throw new Misuse(error.message);
    throw error;
  }
}

async function loggerOf(values: Values) {
  const { pino } = await import('pino');
  const level = textOf(values, 'log-level');
  if (!(level in pino.levels.values) && level !== 'silent') {
    throw new Misuse(`--log-level takes fatal, error, warn, info, debug or trace, found ${JSON.stringify(level)}`);
  }
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Log only a request's id, because headers contain keys, and URLs contain people's searches.
      serializers: { req: () => undefined, res: () => undefined },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

async function demonstrate(
  store: OpenStore,
  samples: string,
  folder: string,
  { maxBodyBytes: maxBytes, ...options }: { maxBodyBytes: number } & TableOptions,
): Promise<Demo> {
  const quarantine = join(folder, 'quarantine');
  const demo = await storeDemo(store, samples, { ...options, maxBytes, quarantine });
  await showSessions(store, DEMO_ORG);
  return demo;
}

async function storeSample({ coalescer }: App, body: Buffer): Promise<void> {
  const { tables } = encodeUpload(body, { orgId: DEMO_ORG, receivedAtMs: Date.now(), maxBytes: body.length });
  await coalescer.store(tables, { requestId: 'sample', orgId: DEMO_ORG, body });
}

async function listen({ server }: App, host: string, port: number): Promise<string> {
  await server.listen({ host, port }).catch((error) => {
    throw cannotListen(error, host, port, '--port');
  });
  const bound = server.server.address();
  const name = host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${typeof bound === 'object' && bound !== null ? bound.port : port}`;
}

/** @throws {Misuse} in one line, e.g. for a port that is taken */
async function listenOn(
  server: Server,
  host: string,
  port: number,
  option = '--port',
): Promise<{ stop(): Promise<void> }> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(error, host, port, option)));
    server.listen(port, host, resolve);
  });
  return {
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number, option: string): Misuse {
  const { code, message } = error;
  return new Misuse(
    code === 'EADDRINUSE' ? `port ${port} of ${host} is taken: choose another with ${option}` : message,
    1,
  );
}

/** Serves metrics on a port of their own, for a scraper on another machine. Returns a function that stops it. */
async function listenForMetrics(
  { metrics }: App,
  host: string,
  port: number | undefined,
): Promise<() => Promise<void>> {
  if (port === undefined) return async () => {};
  const server = createServer(async (request, response) => {
    const found = request.method === 'GET' && request.url === '/metrics';
    response.writeHead(found ? 200 : 404, { 'content-type': metrics.registry.contentType });
    response.end(found ? await metrics.registry.metrics() : undefined);
  });
  const { stop } = await listenOn(server, host, port, '--metrics-port');
  return stop;
}

const howToSend = (address: string, withKey: boolean): string => `
Point a git-ai client at it:

  git-ai config set api_base_url ${address}${withKey ? '\n  git-ai config set api_key <a key of git-ai-sessions keys add>' : ''}
  git-ai bg restart
`;

/** Resolves with the first signal to end. A second one ends the process at once. */
function signalled(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(130));
        resolve(signal);
      });
    }
  });
}

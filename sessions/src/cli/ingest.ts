import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Coalescer } from '../ingest/coalescer.ts';
import { type FileUpload, STDIN, uploadsIn } from '../ingest/files.ts';
import { Quarantine } from '../ingest/quarantine.ts';
import { encodeUpload } from '../ingest/rows.ts';
import { LOCAL_ORG } from '../server/auth.ts';
import type { OpenStore } from '../store/open.ts';
import type { Command } from './main.ts';
import { Misuse } from './misuse.ts';
import { numberOf, textOf } from './options.ts';
import { dataFolder, fromCaller, openMigrated, STORE_OPTIONS } from './store.ts';
import { count, printable } from './terminal.ts';

export const ingest: Command = {
  usage: 'ingest [options] <file|folder|->…',
  summary:
    'store uploads from files: a .json file is one, a .jsonl file one a line, gzipped or not; - is stdin, either',
  options: ['org', 'max-body-mb', ...STORE_OPTIONS],
  async run({ values, positionals }) {
    if (positionals.length === 0) throw new Misuse('ingest takes at least one file or folder, or - for stdin');
    const paths = positionals.map((path) => (path === STDIN ? path : fromCaller(path)));
    const missing = paths.find((path) => path !== STDIN && !existsSync(path));
    if (missing !== undefined) throw new Misuse(`there is no ${missing}`);
    const orgId = values.org === undefined ? LOCAL_ORG : textOf(values, 'org');
    const maxBytes = numberOf(values, 'max-body-mb', { min: 1, max: 1024 }) * 2 ** 20;
    const input = paths.includes(STDIN) ? await stdin() : undefined;
    const { store } = await openMigrated(values);
    try {
      const quarantine = join(dataFolder(values), 'quarantine');
      const began = Date.now();
      const { uploads, rows, refused } = await storeUploads(store, uploadsIn(paths, input), {
        orgId,
        maxBytes,
        quarantine,
      });
      const seconds = ((Date.now() - began) / 1000).toFixed(1);
      console.log(`Stored ${count(uploads, 'upload')} in ${seconds} s: ${count(rows, 'row')}.`);
      return refused > 0 ? 1 : 0;
    } finally {
      await store.close();
    }
  },
};

async function stdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export interface StoreUploadsOptions {
  orgId: string;
  maxBytes: number;
  /** The folder for uploads that ClickHouse refuses. */
  quarantine: string;
}

/** Problems after these are only counted. */
const SHOWN_PROBLEMS = 10;
/** How much is read ahead of storing. */
const BYTES_AHEAD = 64 * 2 ** 20;
const UPLOADS_AHEAD = 1000;

/** Stores uploads, many per insert. Reports refused uploads on stderr and stores the others. */
export async function storeUploads(
  store: OpenStore,
  uploads: Iterable<FileUpload>,
  { orgId, maxBytes, quarantine }: StoreUploadsOptions,
): Promise<{ uploads: number; rows: number; refused: number }> {
  const total = { uploads: 0, rows: 0, refused: 0 };
  const refuse = (name: string, problem: string) => {
    total.refused += 1;
    if (total.refused <= SHOWN_PROBLEMS) console.error(printable(`✗ ${name}: ${problem}`));
  };
  const keeping: Promise<unknown>[] = [];
  const coalescer = new Coalescer(store, {
    concurrentInserts: store.concurrentInserts,
    onRefused: ({ upload, table }, { message, code }) => {
      keeping.push(new Quarantine(quarantine).keep({ ...upload, table, reason: message, code }));
    },
  });
  const underWay = new Set<Promise<void>>();
  let bytesAhead = 0;
  let number = 0;
  for (const { name, ...upload } of uploads) {
    if ('passedOver' in upload) {
      console.error(printable(`– ${name}: passed over, because ${upload.passedOver}`));
      continue;
    }
    if ('problem' in upload) {
      refuse(name, upload.problem);
      continue;
    }
    const { body } = upload;
    let encoded: ReturnType<typeof encodeUpload>;
    try {
      encoded = encodeUpload(body, { orgId, receivedAtMs: Date.now(), maxBytes });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === undefined || code === 'ERR_INTERNAL') throw error;
      refuse(name, message);
      continue;
    }
    for (const { error } of encoded.errors) refuse(name, error);
    bytesAhead += body.length;
    number += 1;
    const storing = coalescer
      .store(encoded.tables, { requestId: `file-${number}`, orgId, body })
      .then(
        () => {
          total.uploads += 1;
          total.rows += encoded.tables.reduce((sum, { rowCount }) => sum + rowCount, 0);
        },
        (error: Error) => refuse(name, error.message),
      )
      .finally(() => {
        bytesAhead -= body.length;
        underWay.delete(storing);
      });
    underWay.add(storing);
    while (bytesAhead > BYTES_AHEAD || underWay.size > UPLOADS_AHEAD) await Promise.race(underWay);
  }
  await coalescer.drain();
  await Promise.all([...underWay, ...keeping]);
  if (total.refused > SHOWN_PROBLEMS) console.error(`✗ … and ${total.refused - SHOWN_PROBLEMS} more`);
  return total;
}

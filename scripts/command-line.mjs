// What `npm start` takes on its command line. Apart from what it does, which can only be loaded once all is built.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './setup.mjs';

export const USAGE = `Usage: npm start [-- [options] [file|folder]…]

Sets up and builds what is missing, then stores uploads in embedded ClickHouse and prints what the Sessions dashboard
shows of them: sessions, tools and skills. Without arguments it takes the sample uploads in examples/. A .json file is
one upload, a .jsonl file one upload a line; of a folder it takes all of them. Storing an upload again changes nothing.

Options:
  --data <folder>  where ClickHouse keeps its data, made if missing and kept between runs; default ./data
  --org <id>       whose uploads they are; default local
  --limit <n>      how many sessions to print; default 20
  -h, --help       print this`;

const SAMPLES = ['examples/upload.json', 'examples/sessions'];

/** What a command line asks for, or as `misuse` the one line that says why it can't be done. */
export function parseCommandLine(args) {
  let values;
  let positionals;
  try {
    ({ values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        data: { type: 'string', default: join(ROOT, 'data') },
        org: { type: 'string', default: 'local' },
        limit: { type: 'string', default: '20' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    return { misuse: error.message.split(/\. |\n/, 1)[0] };
  }
  if (values.help) return { help: true };
  const limit = Number(values.limit);
  if (!Number.isInteger(limit) || limit < 1) return { misuse: '--limit takes a number of at least 1' };
  if (values.org === '') return { misuse: '--org takes an id that is not empty' };
  // npm changes to the repository's folder; paths are meant from where it was called.
  const from = (path) => resolve(process.env.INIT_CWD ?? '', path);
  const paths = positionals.length > 0 ? positionals.map(from) : SAMPLES.map((path) => join(ROOT, path));
  const missing = paths.find((path) => !existsSync(path));
  if (missing !== undefined) return { misuse: `there is no ${missing}` };
  return { data: from(values.data), org: values.org, limit, paths };
}

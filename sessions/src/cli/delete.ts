import { existsSync, realpathSync, rmSync } from 'node:fs';
import { join, sep } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Quarantine } from '../ingest/quarantine.ts';
import { KeyFile } from '../server/keys.ts';
import { countOrg, deleteOrg, replacedParts } from '../store/retention.ts';
import { keysPath } from './keys.ts';
import type { Command } from './main.ts';
import { Misuse } from './misuse.ts';
import { textOf } from './options.ts';
import { dataFolder, openMigrated, STORE_OPTIONS } from './store.ts';
import { count, printable } from './terminal.ts';

export const deleteCommand: Command = {
  usage: 'delete --org <id> [--yes]',
  summary: 'delete everything that is stored of an org: events, records, and uploads in quarantine',
  options: ['org', 'yes', ...STORE_OPTIONS],
  async run({ values, positionals }) {
    if (positionals.length > 0) throw new Misuse(`delete: unexpected ${JSON.stringify(positionals[0])}`);
    const org = textOf(values, 'org');
    const { store, set } = await openMigrated(values);
    let replaced: string[] = [];
    try {
      const rows = Object.values(await countOrg(store, org)).reduce((sum, n) => sum + n, 0);
      const quarantine = new Quarantine(join(dataFolder(values), 'quarantine'));
      const uploads = await quarantine.of(org);
      if (
        !values.yes &&
        !(await confirmed(org, `${count(rows, 'row')} and ${count(uploads.length, 'upload')} in quarantine`))
      ) {
        console.log('Nothing was deleted.');
        return 1;
      }
      await deleteOrg(store, org, { set });
      // Embedded ClickHouse ends with this command, long before it would remove them itself.
      if (values.clickhouse === undefined) replaced = await replacedParts(store);
      await quarantine.remove(uploads);
      console.log(
        printable(`Deleted ${count(rows, 'row')} of org ${org}, and ${count(uploads.length, 'upload')} in quarantine.`),
      );
      const keys = new KeyFile(keysPath(dataFolder(values))).list().filter((key) => key.org === org);
      if (keys.length > 0) {
        console.log(
          `It still has ${count(keys.length, 'key')}, so clients can upload again: git-ai-sessions keys list, keys revoke <key id>`,
        );
      }
      return 0;
    } finally {
      await store.close();
      removeBelow(dataFolder(values), replaced);
    }
  },
};

/** Removes these folders. Both sides are resolved, because the data folder may be a link. */
function removeBelow(data: string, folders: readonly string[]): void {
  if (folders.length === 0) return;
  const root = realpathSync(data) + sep;
  for (const folder of folders.filter((each) => existsSync(each))) {
    if (!realpathSync(folder).startsWith(root)) throw new Error(`expected a folder below ${root}, found ${folder}`);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Asks on the terminal. Without one, nobody can confirm. */
async function confirmed(org: string, what: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Misuse('delete asks for confirmation: use a terminal, or --yes');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await terminal.question(printable(`Delete ${what} of org ${org} for good? Type its id: `));
    return answer.trim() === org;
  } finally {
    terminal.close();
  }
}

import type { Command } from './main.ts';
import { openMigrated, STORE_OPTIONS } from './store.ts';
import { count } from './terminal.ts';

export const migrate: Command = {
  usage: 'migrate [options]',
  summary: 'bring the tables up to date; serve and ingest do so of themselves',
  options: STORE_OPTIONS,
  async run({ values }) {
    const { store, applied } = await openMigrated(values);
    await store.close();
    console.log(
      applied.length === 0 ? 'Nothing to do.' : `Applied ${count(applied.length, 'migration')}: ${applied.join(', ')}`,
    );
    return 0;
  },
};

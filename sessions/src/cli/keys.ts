import { join } from 'node:path';
import { KeyFile, ROLES, type Role } from '../server/keys.ts';
import type { Command } from './main.ts';
import { Misuse } from './misuse.ts';
import { textOf } from './options.ts';
import { dataFolder, makeDataFolder } from './store.ts';
import { table } from './terminal.ts';

export const keysPath = (folder: string): string => join(folder, 'keys.json');

export const keys: Command = {
  usage: 'keys add --org <id> [--role ingest|view] | list | revoke <key id>',
  summary: 'make, list and revoke API keys; a running server sees it within a second',
  options: ['org', 'role', 'data'],
  async run({ values, positionals: [action, id, ...rest] }) {
    if (action === 'add') makeDataFolder(values);
    const file = new KeyFile(keysPath(dataFolder(values)));
    if (rest.length > 0) throw new Misuse(`keys ${action}: unexpected ${JSON.stringify(rest[0])}`);
    if (action === 'add' && id === undefined) {
      const role = textOf(values, 'role') as Role;
      if (!ROLES.includes(role)) throw new Misuse(`--role takes ${ROLES.join(' or ')}, found ${JSON.stringify(role)}`);
      const added = file.add(textOf(values, 'org'), role);
      // The key alone on stdout, for scripts.
      console.error(`Key ${added.id}. It is shown only now:`);
      console.log(added.key);
      return 0;
    }
    if (action === 'list' && id === undefined) {
      console.log(
        table(file.list(), {
          id: (key) => key.id,
          role: (key) => key.role,
          created: (key) => key.createdAt,
          org: (key) => key.org,
        }),
      );
      return 0;
    }
    if (action === 'revoke' && id !== undefined) {
      if (!file.revoke(id)) throw new Misuse(`there is no key ${JSON.stringify(id)}: keys list shows all`, 1);
      return 0;
    }
    throw new Misuse('keys takes one of: add --org <id>, list, revoke <key id>');
  },
};

import { type DueSession, settleSessions } from '../derive/settle.ts';
import type { Command } from './main.ts';
import { Misuse } from './misuse.ts';
import { textOf } from './options.ts';
import { openMigrated, STORE_OPTIONS } from './store.ts';
import { count } from './terminal.ts';

export const derive: Command = {
  usage: 'derive [--org <id>] [--day <YYYY-MM-DD>]',
  summary: 'derive prompt events from session records again, for instance after an upgrade; it may be repeated',
  options: ['org', 'day', ...STORE_OPTIONS],
  async run({ values, positionals }) {
    if (positionals.length > 0) throw new Misuse(`derive: unexpected ${JSON.stringify(positionals[0])}`);
    const org = values.org === undefined ? '' : textOf(values, 'org');
    const day = values.day === undefined ? '' : dayOf(textOf(values, 'day'));
    const { store } = await openMigrated(values);
    try {
      const began = Date.now();
      const sessions = await store.query<DueSession & { org_id: string }>(SESSIONS, { org, day });
      let rows = 0;
      for (const each of new Set(sessions.map(({ org_id }) => org_id))) {
        rows += await settleSessions(
          store,
          each,
          sessions.filter(({ org_id }) => org_id === each),
          Date.now(),
        );
      }
      const seconds = ((Date.now() - began) / 1000).toFixed(1);
      console.log(`Derived ${count(rows, 'row')} from ${count(sessions.length, 'session')} in ${seconds} s.`);
      return 0;
    } finally {
      await store.close();
    }
  },
};

/** Sessions with a record of the day, each with the last arrival of all its records. */
const SESSIONS = `
  SELECT org_id, session_id, toUnixTimestamp64Milli(max(received_at)) AS arrived_ms, true AS is_underived
  FROM session_records
  WHERE session_id != '' AND length(session_id) <= 512 AND ({org:String} = '' OR org_id = {org:String})
  GROUP BY org_id, session_id
  HAVING {day:String} = '' OR countIf(toDate(event_ts) = toDateOrZero({day:String})) > 0
  ORDER BY org_id, session_id`;

/** @throws {Misuse} */
function dayOf(text: string): string {
  const day = new Date(`${text}T00:00:00Z`);
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(day.valueOf()) && day.toISOString().startsWith(text);
  if (!isDay) throw new Misuse(`--day takes a day such as 2026-11-26, found ${JSON.stringify(text)}`);
  return text;
}

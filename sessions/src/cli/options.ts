/** The options of all commands: each a flag, a variable of the environment, and a line of the help. */
import { parseArgs } from 'node:util';
import { MOST_DAYS } from '../store/retention.ts';
import { Misuse } from './misuse.ts';

export interface Option {
  /** The name of its value in the help. Without one it is a switch. */
  value?: string;
  help: string;
  fallback?: string;
  /** May be given more than once; in the environment separated by commas. */
  multiple?: boolean;
}

export const OPTIONS = {
  host: { value: 'address', help: 'where to listen', fallback: '127.0.0.1' },
  port: { value: 'number', help: 'the port, 0 for any that is free', fallback: '7423' },
  data: { value: 'folder', help: 'keys, quarantine, and the embedded ClickHouse’s data', fallback: './data' },
  clickhouse: { value: 'url', help: 'a server instead of the embedded one: http://user:password@host:8123/database' },
  cluster: { help: 'the server is a cluster: its macro {cluster} names it' },
  'metrics-port': {
    value: 'number',
    help: 'serve /metrics there, to all; default: on the main port, to loopback only',
  },
  'allow-host': { value: 'name', help: 'a name that browsers reach this server by, besides localhost', multiple: true },
  friction: {
    value: 'file',
    help: 'rules of friction instead of those that ship: a JSON list of { name, weight, pattern }',
  },
  'max-body-mb': { value: 'number', help: 'the longest body of an upload, also unpacked', fallback: '64' },
  'min-free-mb': { value: 'number', help: 'refuse uploads when the disk has less left', fallback: '512' },
  'rate-per-second': { value: 'number', help: 'uploads of one installation, in the long run', fallback: '20' },
  'rate-burst': { value: 'number', help: 'uploads of one installation, at once', fallback: '60' },
  'log-level': {
    value: 'level',
    help: 'fatal, error, warn, info, debug or trace, as JSON on stderr',
    fallback: 'info',
  },
  demo: { value: 'folder', help: 'store the uploads in it as org demo first, and show their sessions' },
  once: { help: 'with --demo: show them and end' },
  'retain-records': {
    value: 'days',
    help: 'delete session records, which hold prompts and the contents of files, this long after they arrived',
    fallback: '30d',
  },
  'retain-events': { value: 'days', help: 'delete everything else this long after it arrived', fallback: '400d' },
  org: { value: 'id', help: 'whose it is' },
  day: { value: 'YYYY-MM-DD', help: 'only sessions with records of this day, in UTC' },
  yes: { help: 'don’t ask for confirmation' },
  role: { value: 'role', help: 'ingest, which sends uploads, or view, which reads', fallback: 'ingest' },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof OPTIONS;
export type Values = Partial<Record<OptionName, string | boolean | string[]>>;

const variable = (name: string): string => `GIT_AI_SESSIONS_${name.replaceAll('-', '_').toUpperCase()}`;

export interface CommandLine {
  values: Values;
  positionals: string[];
  help: boolean;
}

/** @throws {Misuse} */
export function parseCommandLine(args: string[], names: readonly OptionName[]): CommandLine {
  const options = Object.fromEntries(
    names.map((name) => {
      const { value, multiple = false }: Option = OPTIONS[name];
      return [name, { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple }];
    }),
  );
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { ...options, help: { type: 'boolean', short: 'h' } },
    });
  } catch (error) {
    // Only the first sentence: Node's message continues with advice.
    throw new Misuse((error as Error).message.split(/\. |\n/, 1)[0] as string);
  }
  const values: Values = {};
  for (const name of names) {
    const { value, multiple, fallback }: Option = OPTIONS[name];
    const given =
      parsed.values[name] ?? fromEnvironment(process.env[variable(name)], value === undefined, multiple) ?? fallback;
    if (given !== undefined) values[name] = given as string | boolean | string[];
  }
  return { values, positionals: parsed.positionals, help: parsed.values.help === true };
}

function fromEnvironment(
  text: string | undefined,
  isSwitch: boolean,
  multiple = false,
): string | boolean | string[] | undefined {
  if (text === undefined || text === '') return undefined;
  if (isSwitch) return text !== '0' && text !== 'false';
  return multiple ? text.split(',') : text;
}

export function optionsHelp(names: readonly OptionName[]): string {
  const lines = names.map((name) => {
    const { value, help, fallback }: Option = OPTIONS[name];
    return [
      `--${name}${value === undefined ? '' : ` <${value}>`}`,
      help + (fallback === undefined ? '' : `; default ${fallback}`),
    ];
  });
  const width = Math.max(...lines.map(([flag = '']) => flag.length));
  const rows = lines.map(([flag = '', help]) => `  ${flag.padEnd(width)}  ${help}`);
  return [...rows, '', `Each may come from the environment too: ${variable(names[0] ?? 'data')} and so on.`].join('\n');
}

/** @throws {Misuse} */
export function numberOf(values: Values, name: OptionName, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}): number {
  const text = String(values[name]);
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  throw new Misuse(`--${name} takes a number from ${min} to ${max}, found ${JSON.stringify(text)}`);
}

/** @throws {Misuse} */
export function daysOf(values: Values, name: OptionName): number {
  const text = String(values[name]);
  const days = Number(/^(\d{1,5})d$/.exec(text)?.[1]);
  if (days >= 1 && days <= MOST_DAYS) return days;
  throw new Misuse(`--${name} takes days from 1d to ${MOST_DAYS}d, such as 30d, found ${JSON.stringify(text)}`);
}

/** @throws {Misuse} */
export function textOf(values: Values, name: OptionName): string {
  const text = values[name];
  if (typeof text === 'string' && text !== '') return text;
  throw new Misuse(text === undefined ? `--${name} is missing` : `--${name} takes a text that is not empty`);
}

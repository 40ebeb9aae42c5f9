/** The rules for signs of friction, their version, and a check that both regular-expression engines accept them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Store, StoreError } from '../store/store.ts';
import { MOST_SIGNALS } from './answers.ts';

export interface FrictionRule {
  name: string;
  /** 2 for a strong sign, 1 for a medium one; a session has friction from 2 on. */
  weight: number;
  /**
   * A regular expression that RE2 and JavaScript read alike; case doesn't matter. RE2 has no look-around and its `\b`
   * knows ASCII only, so words end at `[^\p{L}]`.
   */
  pattern: string;
}

export interface FrictionRules {
  /** Changes whenever a rule does. */
  version: string;
  rules: readonly FrictionRule[];
}

const START = '(?:^|[^\\p{L}])';
const END = '(?:$|[^\\p{L}])';
const words = (pattern: string): string => `${START}(?:${pattern})${END}`;

const DEFAULT_RULES: readonly FrictionRule[] = [
  {
    name: 'still in trouble',
    weight: 2,
    pattern: words(
      "still (?:not (?:work|fixed|right|correct|done|there|show|pass|the same)\\p{L}*|(?:fail|broken|wrong|missing)\\p{L}*|(?:doesn|isn|can|won|don|didn)['’]?t|the same|has an error|(?:get|see)(?:ting|ing)? (?:the same|an|this|that) )",
    ).replace(END, ''),
  },
  {
    name: 'that is wrong',
    weight: 2,
    pattern: words(
      "(?:that|this|it|you)(?: is| are|['’]s|['’]re) (?:wrong|incorrect|not right|not correct)|not what i (?:asked|wanted|meant)",
    ),
  },
  {
    name: 'does not work',
    weight: 2,
    pattern: words("(?:doesn['’]?t|didn['’]?t|isn['’]?t|not|stopped|never) (?:[\\p{L}]+ )?work(?:s|ed|ing)?"),
  },
  {
    name: 'why did you',
    weight: 2,
    pattern: words("why (?:did|are|would|didn['’]?t) you|what are you doing|why do you keep"),
  },
  {
    name: 'take it back',
    weight: 2,
    pattern: `^(?:no[,.!]? +(?:please +)?(?:remove|revert|undo|don['’]?t|stop)|revert|undo|put it back)${END}`,
  },
  {
    name: 'again',
    weight: 2,
    pattern: words('(?:broken|missing|failing|fails|failed|wrong) again|the same (?:error|mistake|problem)'),
  },
  {
    name: 'anger',
    weight: 2,
    pattern: `${words('wtf|fuck\\p{L}*|shit|damn|for the (?:second|third|fourth|last|tenth|hundredth) time|how many times')}|!!!|\\?\\?\\?`,
  },
  {
    name: 'starts with no',
    weight: 1,
    // Without look-ahead: what may follow, so that "no thanks", "no problem", "no need" and "no rush" don't match.
    pattern:
      '^(?:no|nope|nah)(?:$|[,.!:;–—-]|\\s+(?:[^tpnr\\s]|t[^h\\s]|th[^a\\s]|p[^r\\s]|pr[^o\\s]|n[^e\\s]|ne[^e\\s]|r[^u\\s]|ru[^s\\s]))',
  },
];

/** The rules that need no words. codegen/fragments/friction_signals.sql has them. */
export const WORDLESS_RULES: readonly Omit<FrictionRule, 'pattern'>[] = [
  { name: 'failed calls in a row', weight: 1 },
  { name: 'message after a failed call', weight: 1 },
  { name: 'same message again', weight: 1 },
  { name: 'ends on a failed call', weight: 1 },
];

const versionOf = (rules: readonly FrictionRule[]): string =>
  createHash('sha256')
    .update(JSON.stringify(rules.map(({ name, weight, pattern }) => [name, weight, pattern])))
    .digest('hex')
    .slice(0, 12);

export const defaultFriction: FrictionRules = { version: versionOf(DEFAULT_RULES), rules: DEFAULT_RULES };

/** An invalid list of rules. The message is one line that names the rule. */
export class BadFriction extends Error {
  override readonly name = 'BadFriction';
}

/**
 * Reads rules from a JSON file: a list of `{ name, weight, pattern }`.
 * @throws {BadFriction}
 */
export function readFriction(path: string): FrictionRules {
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new BadFriction(`${path}: ${(cause as Error).message}`, { cause });
  }
  if (!Array.isArray(found)) throw new BadFriction(`${path}: expected a list of rules`);
  const rules = found.map((rule: Partial<FrictionRule> | null, n): FrictionRule => {
    const { name, weight, pattern } = rule ?? {};
    const where = `${path}: rule ${n}`;
    if (typeof name !== 'string' || name === '') throw new BadFriction(`${where}: expected a name`);
    if (weight !== 1 && weight !== 2)
      throw new BadFriction(`${where} (${name}): expected a weight of 1 or 2, found ${JSON.stringify(weight)}`);
    if (typeof pattern !== 'string') throw new BadFriction(`${where} (${name}): expected a pattern`);
    return { name, weight, pattern };
  });
  return { version: versionOf(rules), rules };
}

/**
 * Compiles every pattern where it will be used.
 * @throws {BadFriction} that names the first bad one
 */
export async function checkFriction(store: Store, { rules }: FrictionRules): Promise<void> {
  for (const { name, pattern } of rules) {
    const bad = (reason: string, cause?: unknown) =>
      new BadFriction(`friction rule ${JSON.stringify(name)}: ${reason}`, { cause });
    try {
      if (expression(pattern).test('')) throw bad('its pattern matches the empty text, and so every message');
    } catch (error) {
      throw error instanceof BadFriction ? error : bad((error as Error).message, error);
    }
    try {
      await store.query(`SELECT match(materialize('a'), concat('(?i)', {pattern:String})) AS matches`, { pattern });
    } catch (error) {
      if (!(error instanceof StoreError) || error.transient) throw error;
      // ClickHouse repeats the pattern, says what is wrong with it, and then how to write one in SQL.
      const said = error.message.split(`(?i)${pattern}, error: `)[1]?.split('. Look at https:', 1)[0] ?? error.message;
      throw bad(`not a pattern that RE2 takes: ${said.split('\n', 1)[0]}`, error);
    }
  }
}

const expression = (pattern: string): RegExp => new RegExp(pattern, 'iu');

/** Returns the words of a text that a rule matches, or `null` for a rule that isn't about words. */
export function matchedWords({ rules }: FrictionRules, rule: string, text: string): string | null {
  const pattern = rules.find(({ name }) => name === rule)?.pattern;
  const match = pattern === undefined ? undefined : expression(pattern).exec(text)?.[0];
  if (match === undefined) return null;
  // A pattern also matches the character before and after the words.
  const bare = match.replace(/^[^\p{L}\p{N}]+/u, '').replace(/[^\p{L}\p{N}]+$/u, '');
  return bare === '' ? match.trim() : bare;
}

/** The rules, and how many signals of a session are asked for, as parameters of the queries of friction. */
export const frictionParameters = ({ rules }: FrictionRules) => ({
  rules: rules.map(({ name }) => name),
  weights: rules.map(({ weight }) => weight),
  patterns: rules.map(({ pattern }) => pattern),
  most_signals: MOST_SIGNALS,
});

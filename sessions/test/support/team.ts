/** What a small team's agents did within a week before NOW: enough to have something in every place of the dashboard. */
import { DAY, HOUR, MINUTE, NOW, SECOND } from './dashboard.ts';
import { Script } from './scripts.ts';

export const REPOS = {
  parser: 'https://github.com/example/parser',
  site: 'git@github.com:example/site.git',
} as const;

const ANN = 'Ann <ann@example.com>';
const BEN = 'Ben <ben@example.com>';

/** The skill that changed within the last week, which both use. */
export const REVIEW = '/home/ann/.claude/skills/review/SKILL.md';
export const DEPLOY = '/home/ann/.claude/skills/deploy/SKILL.md';

export const LIVE = 'live000000000001';
export const QUIET = 'quiet00000000001';
export const LONGEST = 'longest000000001';
export const CRASHED = 'crashed000000001';

export function team(): Script[] {
  const running = new Script({ id: LIVE }, NOW - 12 * MINUTE)
    .human('Make the parser accept trailing commas')
    .after(2 * SECOND)
    .agent('I start with the tests.')
    .after(30 * SECOND)
    .call('Bash', { ms: 8 * SECOND, reportedMs: 7 * SECOND })
    .call('Edit', { ms: 40 })
    .after(10 * MINUTE)
    .human('And now the docs, please')
    .after(NOW - 10 * SECOND - (NOW - 12 * MINUTE + 32 * SECOND + 8 * SECOND + 40 + 10 * MINUTE))
    .call('Bash', { ms: null, error: null });
  const quiet = new Script({ id: QUIET, author: BEN, repo: REPOS.site, agent: 'codex', model: null }, NOW - 20 * MINUTE)
    .human('Why is the front page blank on phones?')
    .after(5 * SECOND)
    .agent('A media query hides it.')
    .after(14 * MINUTE)
    .thinks();
  const longest = new Script({ id: LONGEST }, NOW - DAY - 4 * HOUR)
    .human('/clear')
    .after(SECOND)
    .human('Run the whole benchmark and explain the slow case')
    .after(3 * SECOND)
    .agent('This takes a while.')
    .call('Bash', { ms: 2 * HOUR + 5 * MINUTE, error: true })
    .after(20 * SECOND)
    .human('it is still failing, why did you not look at the log?')
    .after(10 * SECOND)
    .call('Read', { ms: 30 })
    .call('Bash', { ms: 3 * MINUTE })
    .agent('Fixed: the cache was cold.')
    .end('user_quit');
  const crashed = new Script({ id: CRASHED, author: null, branch: null, repo: null }, NOW - 2 * DAY)
    .human('Look into the flaky upload test')
    .after(SECOND)
    .call('Bash', { ms: null, error: null })
    .end('signal');
  const skills = [0, 1, 2].map((n) =>
    new Script({ id: `skills000000000${n}`, author: n === 1 ? BEN : ANN, repo: REPOS.site }, NOW - (2 + n) * DAY)
      .human(`Review change number ${n} before it is merged`)
      .after(SECOND)
      .skill('review', { path: REVIEW, mtime: NOW - 3 * DAY, hash: n === 0 ? 'b'.repeat(16) : 'a'.repeat(16) })
      .skill('no-such-skill', null)
      .after(SECOND)
      .skill('deploy', { path: DEPLOY, mtime: NOW - 60 * DAY, hash: 'c'.repeat(16) })
      .agent('Nothing to object to.')
      .end('user_quit'),
  );
  const angry = [0, 1, 2, 3, 4].map((n) =>
    new Script(
      { id: `angry0000000000${n}`, author: BEN, repo: REPOS.site, model: 'gpt-6', agent: 'codex' },
      NOW - DAY - n * HOUR,
    )
      .human(`Center the headline on page ${n} of the site`)
      .after(SECOND)
      .call('mcp__browser__click', { ms: 200 + n, error: n < 3 })
      .call('Write', { ms: 15 })
      .after(MINUTE)
      .human(n < 2 ? 'wtf, it is broken again' : 'thank you')
      .after(SECOND)
      .agent('Sorry. Once more.')
      .end('idle_timeout'),
  );
  // Nothing of it is reported but that it was.
  const bare = new Script({ id: 'bare000000000001', model: null, author: null, repo: null }, NOW - 3 * DAY).thinks();
  return [running, quiet, longest, crashed, ...skills, ...angry, bare];
}

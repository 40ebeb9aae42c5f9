/** What each agent can report, and how; null if it can't: written by `npm run generate` from src/capture/reports.rs; change it there. */

export interface Reports {
  thoughts: string | null;
  model: string | null;
  error: string | null;
  observed: string | null;
  reported: string | null;
  skill_file: string | null;
  subagents: string | null;
}

export const REPORTS: Readonly<Record<string, Reports>> = {
  claude: {
    thoughts: 'yes',
    model: 'yes',
    error: "the result's flag",
    observed: 'yes',
    reported: 'some tools, hooks',
    skill_file: 'yes',
    subagents: 'files of their own, same session',
  },
  codex: {
    thoughts: 'summaries',
    model: 'yes',
    error: "status, exit code, or the result's text",
    observed: 'yes',
    reported: 'most calls',
    skill_file: 'skills that a human names',
    subagents: 'files of their own, which name the session',
  },
  'github-copilot-cli': {
    thoughts: 'yes',
    model: 'yes',
    error: 'flag or exit code',
    observed: 'yes',
    reported: 'subagents',
    skill_file: 'yes',
    subagents: 'in the same file',
  },
  'github-copilot': {
    thoughts: 'yes',
    model: 'where the file says it',
    error: 'flag or exit code',
    observed: 'yes',
    reported: 'subagents',
    skill_file: 'yes',
    subagents: 'in the same file',
  },
  gemini: {
    thoughts: 'yes',
    model: 'yes',
    error: 'status or exit code',
    observed: 'with the approval, and the slowest call of a group',
    reported: null,
    skill_file: null,
    subagents: 'files of their own, same session',
  },
  qwen: {
    thoughts: 'yes',
    model: 'yes',
    error: 'status or exit code',
    observed: 'yes',
    reported: 'yes',
    skill_file: null,
    subagents: 'files of their own, same session',
  },
  opencode: {
    thoughts: 'yes',
    model: 'yes',
    error: 'status or exit code',
    observed: 'yes',
    reported: 'yes',
    skill_file: 'where the result names its folder',
    subagents: 'sessions of their own',
  },
  kimi: {
    thoughts: 'yes',
    model: 'yes',
    error: "the result's flag",
    observed: 'yes',
    reported: 'yes',
    skill_file: 'yes',
    subagents: 'files of their own, same session',
  },
  droid: {
    thoughts: 'yes',
    model: null,
    error: "the result's flag",
    observed: 'yes',
    reported: null,
    skill_file: null,
    subagents: null,
  },
  pi: {
    thoughts: 'yes',
    model: 'yes',
    error: "the result's flag",
    observed: 'yes',
    reported: null,
    skill_file: null,
    subagents: null,
  },
  cursor: {
    thoughts: 'hooks',
    model: 'hooks',
    error: 'hooks, exit code',
    observed: null,
    reported: 'hooks',
    skill_file: null,
    subagents: null,
  },
};

/** Numbers, durations and times in words. Unknown values never get here: `Unknown` shows them. */
import { signal } from '@preact/signals';
import { withoutCredentials } from '../src/api/addresses.ts';
import { clockOffset } from './api.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (number: number): string => whole.format(number);
/** 1.2M, 1,200, and of an average 1.5 or < 0.1. */
export function shortCount(number: number): string {
  if (number > 0 && number < 0.1) return '< 0.1';
  if (number < 100) return tenths.format(number);
  return number < 10_000 ? whole.format(number) : compact.format(number);
}
export const plural = (number: number, one: string, many = `${one}s`): string =>
  `${count(number)} ${number === 1 ? one : many}`;

/** An error's line as a sentence. */
export const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`;

/** 4 %, 0.4 %, and never 0 % for something. */
export function percent(rate: number): string {
  const value = rate * 100;
  if (value > 0 && value < 0.1) return '< 0.1 %';
  return `${value < 10 ? tenths.format(value) : whole.format(value)} %`;
}

/** The two largest units: 340 ms, 4.8 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function duration(ms: number): string {
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${tenths.format(ms / SECOND)} s`;
  if (ms < MINUTE - 500) return `${Math.round(ms / SECOND)} s`;
  if (ms < 10 * MINUTE) return two(ms, MINUTE, 'min', SECOND, 's');
  if (ms < HOUR - MINUTE / 2) return `${Math.round(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return two(ms, HOUR, 'h', MINUTE, 'min');
  if (ms < 100 * DAY) return two(ms, DAY, 'd', HOUR, 'h');
  return `${whole.format(Math.round(ms / DAY))} d`;
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rounded = Math.round(ms / small) * small;
  const rest = Math.round((rounded % large) / small);
  return `${whole.format(Math.floor(rounded / large))} ${largeName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`;
}

/** Ticks while the page is open, so that relative times stay true. */
export const now = signal(Date.now());
export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) now.value = Date.now() + clockOffset.value;
  }, 5_000);
}

export function ago(ms: number): string {
  const age = now.value - ms;
  if (age < -MINUTE) return `in ${coarse(-age)}`;
  if (age < 10 * SECOND) return 'just now';
  return `${coarse(age)} ago`;
}

function coarse(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  if (ms < 60 * DAY) return `${Math.floor(ms / DAY)} d`;
  return `${Math.floor(ms / (30 * DAY))} months`;
}

const exactFormat = new Intl.DateTimeFormat('en-GB', {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'short',
});
const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minuteFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dayFormat = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' });
const dayYearFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** A time with its zone, for a title. */
export const exact = (ms: number): string => exactFormat.format(ms);
export const clock = (ms: number): string => clockFormat.format(ms);
/** The day and the minute; the year only if it isn't this one. */
export function dayAndTime(ms: number): string {
  return `${day(ms)}, ${minuteFormat.format(ms)}`;
}
export function day(ms: number): string {
  const sameYear = new Date(ms).getFullYear() === new Date(now.value).getFullYear();
  return (sameYear ? dayFormat : dayYearFormat).format(ms);
}
/** A day of an answer, such as 2026-11-25, which is one of the reader's zone. */
export const dayOf = (text: string): string => day(new Date(`${text}T12:00`).getTime());

// ---- names ----------------------------------------------------------------------------------------------------------

/** example/parser of https://github.com/example/parser.git */
export function repoName(url: string): string {
  const path = withoutCredentials(url)
    .replace(/^[a-z+]+:\/\/[^/]*\//i, '')
    .replace(/^[^/@\s]+@[^:/\s]+:/, '')
    .replace(/\.git$/, '')
    .replace(/\/+$/, '');
  return path === '' ? url : path;
}

/** Only https addresses become links; anything else, such as javascript:, stays text. */
export function httpsUrl(text: string): string | null {
  if (!/^https:\/\//i.test(text)) return null;
  try {
    const { protocol, username, password, href } = new URL(text);
    return protocol === 'https:' && username === '' && password === '' ? href : null;
  } catch {
    return null;
  }
}

/** Zoë Nowak of Zoë Nowak <zoe@example.com> */
export const authorName = (author: string): string => /^(.*\S)\s*<[^<>]*>$/.exec(author)?.[1] ?? author;

/** review of /home/zoe/.claude/skills/review/SKILL.md */
export function skillName(path: string): string {
  const parts = path.split(/[\\/]/).filter((part) => part !== '');
  const last = parts.at(-1) ?? path;
  return /^skill\.md$/i.test(last) ? (parts.at(-2) ?? last) : last.replace(/\.md$/i, '');
}

export const REASONS: Record<string, string> = {
  user_quit: 'user quit',
  idle_timeout: 'idle for 30 min',
  signal: 'silent for 10 min',
};

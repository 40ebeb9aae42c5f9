/**
 * The first script of a page: asks its first questions while the browser still loads the others, which then find the
 * answers here.
 */
import { firstOf, headersOf } from './questions.ts';

declare global {
  /** What was asked before the dashboard was there, by the path. */
  var asked: Map<string, Promise<Response>> | undefined;
}

const query = new URLSearchParams(location.search);
globalThis.asked = new Map();
for (const path of firstOf(location.pathname, query)) {
  const answer = fetch(path, { headers: headersOf(query) });
  // It is reported where it is awaited.
  answer.catch(() => {});
  globalThis.asked.set(path, answer);
}

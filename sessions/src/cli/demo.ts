/** The sample sessions, as if they had happened within the last days: some of them still run. */
import {
  type EventAttributes,
  encodeMetricsBatch,
  eventId,
  kindForTool,
  type MetricEvent,
  type PromptEvent,
  PromptEventBuilder,
  parseMetricsBatch,
} from 'git-ai-metrics';
import { type FileUpload, uploadsIn } from '../ingest/files.ts';
import { DEMO_ORG } from '../server/auth.ts';
import type { OpenStore } from '../store/open.ts';
import { deleteOrg, type TableOptions } from '../store/retention.ts';
import { type StoreUploadsOptions, storeUploads } from './ingest.ts';

/** Samples of an earlier start are shown again if they aren't older. */
const FRESH_MS = 12 * 3_600_000;
/** How often a sample session that runs shows a sign of life. A session is live for a minute after one. */
const BEAT_MS = 25_000;
/** So long do they run. Then they fall silent, as others do. */
const RUNNING_MS = 3_600_000;

export interface Demo {
  /** Lets the sessions that have no end go on. Returns a function that stops that. */
  keepRunning(store: (body: Buffer) => Promise<unknown>): () => void;
}

/** Stores the uploads in a folder as org `demo`, moved in time so that the newest event is of now. */
export async function storeDemo(
  store: OpenStore,
  folder: string,
  options: Omit<StoreUploadsOptions, 'orgId'> & TableOptions,
): Promise<Demo> {
  const now = Date.now();
  const uploads = [...uploadsIn([folder])];
  const events = uploads.flatMap((upload) => eventsOf(upload));
  const newest = events.reduce((latest, { timestamp }) => Math.max(latest, timestamp), 0);
  const laterS = Math.floor(now / 1000) - newest;
  const shown = await newestMessage(store);
  if (shown === null || now - shown > FRESH_MS) {
    if (shown !== null) await deleteOrg(store, DEMO_ORG, options);
    const today = uploads.map((upload) => moved(upload, laterS));
    await storeUploads(store, today, { ...options, orgId: DEMO_ORG });
  }
  const running = runningOf(events);
  return {
    keepRunning: (send) => {
      const until = now + RUNNING_MS;
      let beats = 0;
      const beat = () => {
        if (Date.now() > until || running.length === 0) return clearInterval(timer);
        beats += 1;
        // A sample that isn't stored harms nobody: the next one follows.
        send(encodeMetricsBatch(running.map((each) => callOf(each, beats)))).catch(() => {});
      };
      const timer = setInterval(beat, BEAT_MS).unref();
      return () => clearInterval(timer);
    },
  };
}

/** The time of the newest message of a human. Calls are newer in sessions that went on. */
async function newestMessage(store: OpenStore): Promise<number | null> {
  const [found] = await store.query<{ at: number | null }>(
    `SELECT toUnixTimestamp64Milli(maxOrNull(event_ts)) AS at FROM prompt_event_deliveries
     WHERE org_id = {org:String} AND kind = 'HumanMessage'`,
    { org: DEMO_ORG },
  );
  return found?.at ?? null;
}

/** What can't be read is reported when it is stored. */
function eventsOf(upload: FileUpload): MetricEvent[] {
  if (!('body' in upload)) return [];
  try {
    return parseMetricsBatch(upload.body).events;
  } catch {
    return [];
  }
}

function moved(upload: FileUpload, laterS: number): FileUpload {
  const events = eventsOf(upload);
  if (events.length === 0 || !('body' in upload)) return upload;
  for (const event of events) {
    event.timestamp += laterS;
    if (event.metric !== 'prompt_event') continue;
    const { values } = event;
    for (const name of ['startTs', 'skillFileMtime'] as const) {
      const ms = values[name];
      if (ms != null) values[name] = ms + laterS * 1000;
    }
  }
  return { ...upload, body: encodeMetricsBatch(events) };
}

interface Running {
  attributes: EventAttributes;
  id: string;
  model: string | null;
}

/** The sessions that have no end. */
function runningOf(events: readonly MetricEvent[]): Running[] {
  const sessions = new Map<string, Running>();
  const ended = new Set<string>();
  for (const event of events) {
    const { promptId: id } = event.attributes;
    if (event.metric !== 'prompt_event' || id == null) continue;
    const { kind, model } = event.values;
    sessions.set(id, { id, attributes: event.attributes, model: model ?? sessions.get(id)?.model ?? null });
    if (kind === 'SessionEnd') ended.add(id);
  }
  return [...sessions.values()].filter(({ id }) => !ended.has(id));
}

const TOOLS = ['Read', 'Bash', 'Grep', 'Edit'];

/** One more call of a session, which has just ended well. */
function callOf({ id, attributes, model }: Running, beat: number): PromptEvent {
  const now = Date.now();
  const tool = TOOLS[beat % TOOLS.length] as string;
  const tookMs = 300 + ((beat * 997) % 4000);
  const kind = kindForTool(tool);
  return new PromptEventBuilder()
    .kind(kind)
    .eventId(eventId(id, kind, `${tool}:${now}`, beat))
    .parentId(null)
    .toolCallName(tool)
    .model(model)
    .error(false)
    .startTs(now - tookMs)
    .observedDurationMs(tookMs)
    .build(attributes, Math.floor(now / 1000));
}

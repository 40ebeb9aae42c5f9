// A CommonJS module of a user, in both spellings that TypeScript has for one.

import metrics = require('git-ai-metrics');

import { type MetricEvent, parseMetricsBatch } from 'git-ai-metrics';

const events: MetricEvent[] = parseMetricsBatch('{"v":1,"events":[]}').events;
const version: 1 = metrics.WIRE_VERSION;
const builder: metrics.PromptEventBuilder = new metrics.PromptEventBuilder();
void [events, version, builder];

// An ES module of a user: named imports, a namespace, and the default, which is CommonJS's module.exports.

import * as everything from 'git-ai-metrics';
import metrics, { type MetricEvent, PromptEventBuilder, parseMetricsBatch } from 'git-ai-metrics';

const events: MetricEvent[] = parseMetricsBatch('{"v":1,"events":[]}').events;
const version: 1 = everything.WIRE_VERSION;
const builder: PromptEventBuilder = new PromptEventBuilder();
void [events, version, builder, metrics.parseMetricsBatch];

'use strict';
// Written by `npm run generate` from src/wire/metrics.rs; change it there.

const { eventBuilder, AttributesBuilder } = require('../lib/builders.js');

class CommittedBuilder extends eventBuilder('committed') {}
class AgentUsageBuilder extends eventBuilder('agent_usage') {}
class InstallHooksBuilder extends eventBuilder('install_hooks') {}
class CheckpointBuilder extends eventBuilder('checkpoint') {}
class SessionEventBuilder extends eventBuilder('session_event') {}
class PromptEventBuilder extends eventBuilder('prompt_event') {}
class OtelTraceBuilder extends eventBuilder('otel_trace') {}
class RewriteCommittedBuilder extends eventBuilder('rewrite_committed') {}
class DaemonIngestAnomalyBuilder extends eventBuilder('daemon_ingest_anomaly') {}
class EventAttributesBuilder extends AttributesBuilder {}

module.exports = {
  CommittedBuilder,
  AgentUsageBuilder,
  InstallHooksBuilder,
  CheckpointBuilder,
  SessionEventBuilder,
  PromptEventBuilder,
  OtelTraceBuilder,
  RewriteCommittedBuilder,
  DaemonIngestAnomalyBuilder,
  EventAttributesBuilder,
};

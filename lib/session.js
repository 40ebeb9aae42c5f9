'use strict';

const binding = require('./native.js');
const { GitAiMetricsError } = require('./errors.js');
const { receiveCaptured } = require('./decode.js');
const { encodeMetricsBatch } = require('./encode.js');
const { checkString, checkUint, invalidArgument } = require('./arguments.js');

class SessionTracker {
  #tracker = new binding.SessionTracker();

  static resume(state) {
    checkString(state, 'state');
    const resumed = new SessionTracker();
    resumed.#tracker = new binding.SessionTracker(state);
    return resumed;
  }

  observe(event, receivedAtMs) {
    checkUint(receivedAtMs, 'receivedAtMs');
    const upload = uploadOf(event);
    if (event.metric !== 'prompt_event') throw invalidArgument('event.metric', "'prompt_event'", event.metric);
    this.#tracker.observe(upload, receivedAtMs);
  }

  status(promptId, nowMs) {
    checkString(promptId, 'promptId');
    checkUint(nowMs, 'nowMs');
    const status = this.#tracker.status(promptId, nowMs);
    if (status === null) return null;
    return status === 'live' || status === 'quiet' ? { state: status } : { state: 'ended', reason: status };
  }

  sweep(nowMs) {
    checkUint(nowMs, 'nowMs');
    return this.#tracker.sweep(nowMs).flatMap(receiveCaptured);
  }

  state() {
    return this.#tracker.state();
  }
}

/** Encodes the event as an upload, which checks it. Errors name a place in a batch, so `events[0]` becomes `event`. */
function uploadOf(event) {
  try {
    return encodeMetricsBatch([event]);
  } catch (error) {
    if (error.code !== 'ERR_INVALID_ARGUMENT') throw error;
    const asEvent = (text) => text.replace('events[0]', 'event');
    throw new GitAiMetricsError(error.code, asEvent(error.message), { path: asEvent(error.path) });
  }
}

module.exports = { SessionTracker };

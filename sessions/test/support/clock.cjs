'use strict';

// Preloaded into a process (`node --require`): each SIGUSR2 advances its clock by half an hour.

const HALF_AN_HOUR_MS = 30 * 60_000;

const now = Date.now;
let aheadMs = 0;
Date.now = () => now() + aheadMs;
process.on('SIGUSR2', () => {
  aheadMs += HALF_AN_HOUR_MS;
});

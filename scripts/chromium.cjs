'use strict';

// Where a browser is that the dashboard's tests can drive: Chromium, or Chrome.

const { accessSync, constants } = require('node:fs');
const { delimiter, join } = require('node:path');

/** The first one has no windows, and so starts and runs faster. */
const COMMANDS = ['chromium-headless-shell', 'chromium', 'google-chrome', 'google-chrome-stable', 'chromium-browser'];

/** Where browsers are that no PATH names. */
const PLACES = {
  darwin: [
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ],
  win32: ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].map((name) =>
    join(process.env[name] ?? '', 'Google', 'Chrome', 'Application', 'chrome.exe'),
  ),
};

/** Returns the path of a browser, or `undefined`. `CHROMIUM` names one, whether it is there or not. */
function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const named = COMMANDS.flatMap((command) => folders.map((folder) => join(folder, command)));
  return [...named, ...(PLACES[process.platform] ?? [])].find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

module.exports = { findChromium };

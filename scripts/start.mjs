#!/usr/bin/env node
// `npm start`: sets up what is missing, then decodes the sample upload and shows it as a table.

import { run, setUp } from './setup.mjs';

setUp();
run(process.execPath, [
  'cli/main.js',
  'decode',
  ...(process.argv.length > 2 ? process.argv.slice(2) : ['examples/upload.json']),
]);

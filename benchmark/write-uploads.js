'use strict';

// Writes the uploads that benchmark/wire.rs reads, so both benchmarks measure the same bytes.

const { mkdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { makeUpload } = require('./inputs.js');

const folder = join(__dirname, '..', 'target', 'uploads');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'ascii.json'), makeUpload(250));
writeFileSync(join(folder, 'non-ascii.json'), makeUpload(250, { ascii: false }));
writeFileSync(join(folder, 'unknown.json'), makeUpload(250, { unknown: true }));

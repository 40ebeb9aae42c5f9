'use strict';

// Writes the inputs that benchmark/wire.rs and benchmark/instructions.rs read, so all benchmarks measure the same bytes.

const { copyFileSync, mkdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { makeSessionUpload, makeUpload } = require('./inputs.js');
const { AGENTS, makeRecordUpload } = require('./records.js');
const { transcriptFile } = require('./transcripts.js');

const folder = join(__dirname, '..', 'target', 'uploads');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'ascii.json'), makeUpload(250));
writeFileSync(join(folder, 'non-ascii.json'), makeUpload(250, { ascii: false }));
writeFileSync(join(folder, 'unknown.json'), makeUpload(250, { unknown: true }));
writeFileSync(join(folder, 'own-attributes.json'), makeUpload(250, { sessions: 250 }));
writeFileSync(join(folder, 'one-event.json'), makeUpload(1));
writeFileSync(join(folder, 'sessions.json'), makeSessionUpload(100));
for (const agent of AGENTS) writeFileSync(join(folder, `records-${agent}.json`), makeRecordUpload(agent));
copyFileSync(transcriptFile(1).path, join(folder, 'transcript.jsonl'));

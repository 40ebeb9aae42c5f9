'use strict';

// Writes measured figures into the README and docs, between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`.

const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { machine } = require('./harness.js');

const ROOT = join(__dirname, '..');

/** @param {(import('./harness.js').Ratio & { page: string })[]} ratios */
function writeFigures(ratios) {
  const names = [...new Set(ratios.map(({ page }) => page))];
  const missing = new Set(names);
  for (const page of ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => join('docs', name))]) {
    if (!page.endsWith('.md')) continue;
    const before = readFileSync(join(ROOT, page), 'utf8');
    let text = before;
    for (const name of names) {
      const block = new RegExp(`(<!-- bench:${name} -->\\n)[^]*?(<!-- /bench:${name} -->)`);
      if (!block.test(text)) continue;
      missing.delete(name);
      const figures = table(ratios.filter((ratio) => ratio.page === name));
      text = text.replace(block, (_, start, end) => `${start}${figures}${end}`);
    }
    if (text === before) continue;
    writeFileSync(join(ROOT, page), text);
    console.log(`wrote figures into ${page}`);
  }
  if (missing.size > 0) throw new Error(`no page has a block for the figures of ${[...missing].join(', ')}`);
}

/** @param {import('./harness.js').Ratio[]} ratios */
function table(ratios) {
  const rows = ratios.map(({ what, ratio }) => `| ${what} | ${ratio.toFixed(ratio < 100 ? 1 : 0)} |`);
  return ['', '| | ratio |', '|---|---|', ...rows, '', `Measured on ${machine()}.`, '', ''].join('\n');
}

module.exports = { writeFigures };

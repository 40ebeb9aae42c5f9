'use strict';

// npm run bench [-- name…] [--write | --check]: runs all rivals in one process. Checks first that their answers agree, and
// prints ratios last. With --write it also puts them into the README and docs. With --check it measures nothing.

const { checkOnly, printRatios } = require('./harness.js');
const { writeFigures } = require('./pages.js');

const BENCHMARKS = {
  codec: require('./codec.js'),
  rows: require('./rows.js'),
  capture: require('./capture.js'),
};

async function main(args) {
  const named = args.filter((arg) => arg !== '--write' && arg !== '--check');
  const isCheck = args.includes('--check');
  if (isCheck) checkOnly();
  const names = named.length > 0 ? named : Object.keys(BENCHMARKS);
  for (const name of names) {
    if (!Object.hasOwn(BENCHMARKS, name)) {
      console.error(`no benchmark is named ${name}; there are ${Object.keys(BENCHMARKS).join(', ')}`);
      process.exit(2);
    }
  }
  const ratios = [];
  for (const name of names) ratios.push(...(await BENCHMARKS[name]()).map((ratio) => ({ page: name, ...ratio })));
  if (isCheck) return;
  printRatios(ratios);
  if (args.includes('--write')) writeFigures(ratios);
}

main(process.argv.slice(2));

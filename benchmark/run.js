'use strict';

// npm run bench [-- name…]: runs all rivals in one process. Checks first that their answers agree, and prints ratios
// last.

const { printRatios } = require('./harness.js');

const BENCHMARKS = {
  codec: require('./codec.js'),
  rows: require('./rows.js'),
  capture: require('./capture.js'),
};

async function main(names) {
  for (const name of names) {
    if (!Object.hasOwn(BENCHMARKS, name)) {
      console.error(`no benchmark is named ${name}; there are ${Object.keys(BENCHMARKS).join(', ')}`);
      process.exit(2);
    }
  }
  const ratios = [];
  for (const name of names) ratios.push(...(await BENCHMARKS[name]()));
  printRatios(ratios);
}

const wanted = process.argv.slice(2);
main(wanted.length > 0 ? wanted : Object.keys(BENCHMARKS));

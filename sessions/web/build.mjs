// Builds the dashboard into dist/web: a script, a small one that comes first, a style sheet and an icon, whose names contain a hash of their
// content, each compressed beforehand. Fails if it outgrows its budget.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Of all JavaScript and CSS together, gzipped. */
const BUDGET_BYTES = 60 * 1024;

const SOURCE = dirname(fileURLToPath(import.meta.url));
const OUTPUT = join(SOURCE, '..', 'dist', 'web');
const ASSETS = join(OUTPUT, 'assets');

const bundle = (format, ...entryPoints) =>
  build({
    entryPoints: entryPoints.map((path) => join(SOURCE, path)),
    format,
    outdir: ASSETS,
    entryNames: '[name]-[hash]',
    bundle: true,
    target: ['es2022', 'chrome123', 'firefox120', 'safari17.5'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    write: false,
    metafile: true,
    define: { 'process.env.NODE_ENV': '"production"' },
  });
const {
  outputFiles: [early],
} = await bundle('iife', 'early.ts');
const { outputFiles: main, metafile } = await bundle('esm', 'main.tsx', join('style', 'main.css'));
const outputFiles = [early, ...main];

rmSync(OUTPUT, { recursive: true, force: true });
mkdirSync(ASSETS, { recursive: true });

const sizes = outputFiles.map(({ path, contents }) => ({ path, gzip: writeAsset(path, Buffer.from(contents)) }));
const icon = readFileSync(join(SOURCE, 'icon.svg'));
const iconName = `icon-${createHash('sha256').update(icon).digest('hex').slice(0, 8).toUpperCase()}.svg`;
writeAsset(join(ASSETS, iconName), icon);

const nameOf = (name, extension) => {
  const file = outputFiles.find(({ path }) => basename(path).startsWith(`${name}-`) && extname(path) === extension);
  return basename(file.path);
};
const page = readFileSync(join(SOURCE, 'index.html'), 'utf8')
  .replace('early.ts', `/assets/${nameOf('early', '.js')}`)
  .replace('main.tsx', `/assets/${nameOf('main', '.js')}`)
  .replace('style/main.css', `/assets/${nameOf('main', '.css')}`)
  .replace('icon.svg', `/assets/${iconName}`);
writeFileSync(join(OUTPUT, 'index.html'), page);
writeFileSync(join(OUTPUT, 'licenses.txt'), licenses());

const total = sizes.reduce((sum, { gzip }) => sum + gzip, 0);
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const parts = sizes.map(({ path, gzip }) => `${basename(path).replace(/-.*\./, '.')} ${kib(gzip)}`).join(', ');
console.log(`dashboard: ${kib(total)} gzipped (${parts}) of ${kib(BUDGET_BYTES)}`);
if (total > BUDGET_BYTES) {
  console.error(`✗ the dashboard is ${total - BUDGET_BYTES} bytes over its budget`);
  process.exitCode = 1;
}

/** Writes a file and its compressed copies. Returns the gzipped size. */
function writeAsset(path, content) {
  const gzip = gzipSync(content, { level: 9 });
  writeFileSync(path, content);
  writeFileSync(`${path}.gz`, gzip);
  writeFileSync(
    `${path}.br`,
    brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }),
  );
  return gzip.length;
}

/** The licences of the packages that the script contains. They ask to be shipped with it. */
function licenses() {
  const folders = new Set();
  for (const path of Object.keys(metafile.inputs)) {
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
    if (folder !== undefined) folders.add(folder);
  }
  return [...folders]
    .sort()
    .map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      return `${name} ${version}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8')}`;
    })
    .join('\n----\n\n');
}

import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from '@swc/core';

// Runs every snippet of the README and of docs/, and compares its output with the block below it.

const ROOT = join(__dirname, '..');
const isPage = (name: string) => name.endsWith('.md');
const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter(isPage)
    .map((name) => `docs/${name}`),
];

interface Snippet {
  page: string;
  line: number;
  language: string;
  code: string;
  /** The text block directly below. */
  output?: string;
}

function snippetsOf(page: string): Snippet[] {
  const snippets: Snippet[] = [];
  const text = readFileSync(join(ROOT, page), 'utf8');
  for (const match of text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
    const [, language, code] = match;
    if (language === 'text') {
      const above = snippets.at(-1);
      if (above) above.output = code;
    } else {
      snippets.push({ page, line: text.slice(0, match.index).split('\n').length, language, code });
    }
  }
  return snippets;
}

const snippets = PAGES.flatMap(snippetsOf);
const inLanguage = (...languages: string[]) =>
  snippets
    .filter(({ language }) => languages.includes(language))
    .map((snippet) => [`${snippet.page}:${snippet.line}`, snippet] as const);

test('links within the repository lead somewhere', () => {
  const pages = [...PAGES, ...readdirSync(ROOT).filter((name) => name.endsWith('.md'))];
  const dead = pages.flatMap((page) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)/g)]
      .map(([, target]) => target ?? '')
      .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(dead).toEqual([]);
});

describe('snippets', () => {
  /** A user's package with git-ai-metrics installed. */
  let user: string;

  beforeAll(() => {
    mkdirSync(join(ROOT, 'target'), { recursive: true });
    user = mkdtempSync(join(ROOT, 'target', 'snippets-'));
    mkdirSync(join(user, 'node_modules'));
    symlinkSync(ROOT, join(user, 'node_modules', 'git-ai-metrics'), 'junction');
  });

  afterAll(() => rmSync(user, { recursive: true, force: true }));

  test('there are some', () => {
    expect(inLanguage('ts').length).toBeGreaterThan(5);
  });

  test.each(inLanguage('ts'))('%s prints the text below it', (name, { code, output }) => {
    const file = join(user, `${name.replace(/\W/g, '-')}.mjs`);
    writeFileSync(file, transformSync(code, { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' } }).code);
    const printed = execFileSync(process.execPath, [file], { cwd: ROOT, encoding: 'utf8' });
    expect(printed).toBe(output ?? '');
  });

  test('all TypeScript is of the right types', () => {
    const files = inLanguage('ts').map(([name, { code }]) => {
      const file = join(user, `${name.replace(/\W/g, '-')}.mts`);
      writeFileSync(file, code);
      return file;
    });
    const { status, stdout } = spawnSync(
      process.execPath,
      [
        join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'),
        ...[
          '--noEmit',
          '--ignoreConfig',
          '--strict',
          '--skipLibCheck',
          '--target',
          'es2022',
          '--module',
          'nodenext',
          '--types',
          'node',
        ],
        ...['--typeRoots', join(ROOT, 'node_modules', '@types')],
        ...files,
      ],
      { cwd: user, encoding: 'utf8' },
    );
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  const commands = inLanguage('sh').flatMap(([name, { code }]) =>
    [...code.matchAll(/^npx git-ai-metrics (.*?)(?:\s+#.*)?$/gm)].map(([, command]) => [name, command] as const),
  );

  test.each(commands)('%s: git-ai-metrics %s', (_, command) => {
    // In a user's project the package is in node_modules. Here it is the repository.
    const args = command.split(' ').map((word) => word.replace(/^node_modules\/git-ai-metrics\//, ''));
    const { status, stderr } = spawnSync(process.execPath, ['cli/main.js', ...args], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect({ stderr, passed: status === 0 || status === 1 }).toEqual({ stderr: '', passed: true });
  });

  test('the example of adding a field is in the one-line-field test too', () => {
    const [[, { code }]] = inLanguage('rust');
    expect(readFileSync(join(__dirname, 'one-line-field.test.ts'), 'utf8')).toContain(code.trim());
  });
});

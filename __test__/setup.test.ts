/** Tests the set-up of `npm start` and `npm test` on a copy of the scripts, with stand-ins for npm and cargo. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Not from support.ts, which loads the addon, because these tests need a tree without one.
const ROOT = join(__dirname, '..');

const CARGO = 'echo "cargo 1.91.0 (f2d3ce0bd 2026-03-21)"';
/** Installs the packages of the lock, and builds files that differ only in their bytes. */
const NPM = `
echo "npm $*" >> calls
addon=$(cat addon-name)
case "$*" in
  "ci "*--workspaces=false*) mkdir -p node_modules; cp lock-of-addon.json node_modules/.package-lock.json ;;
  "ci "*) mkdir -p node_modules; cp package-lock.json node_modules/.package-lock.json ;;
  *build:debug) echo provokePanic > "$addon" ;;
  *build) echo optimised > "$addon" ;;
esac`;

const LOCK_OF_ADDON = {
  '': { devDependencies: { jest: '1' } },
  'node_modules/jest': { version: '1.0.0' },
  'node_modules/other-platform': { version: '1.0.0', optional: true },
};
const LOCK = {
  ...LOCK_OF_ADDON,
  sessions: { version: '0.1.0' },
  'node_modules/git-ai-sessions': { resolved: 'sessions', link: true },
  'node_modules/fastify': { version: '5.0.0' },
};

const describeOnUnix = process.platform === 'win32' ? describe.skip : describe;

describeOnUnix('set-up', () => {
  let tree: string;
  beforeEach(() => {
    tree = mkdtempSync(join(tmpdir(), 'git-ai-metrics-setup-'));
    for (const folder of ['scripts', 'lib', 'generated']) {
      cpSync(join(ROOT, folder), join(tree, folder), { recursive: true });
    }
    cpSync(join(ROOT, 'package.json'), join(tree, 'package.json'));
    write('src/lib.rs', '');
    write('Cargo.toml', '[package]\nrust-version = "1.91"\n');
    write('package-lock.json', JSON.stringify({ packages: LOCK }));
    write('lock-of-addon.json', JSON.stringify({ packages: LOCK_OF_ADDON }));
    command('npm', NPM);
    command('cargo', CARGO);
    write(
      'addon-name',
      node(`import { addonPath } from './scripts/addon.mjs'; console.log(addonPath())`).stdout.trim(),
    );
  });
  afterEach(() => rmSync(tree, { recursive: true }));

  function write(file: string, text: string): void {
    mkdirSync(join(tree, file, '..'), { recursive: true });
    writeFileSync(join(tree, file), text);
  }

  function command(name: string, script: string): void {
    write(`bin/${name}`, `#!/bin/sh\nPATH=/bin:/usr/bin\n${script}\n`);
    chmodSync(join(tree, 'bin', name), 0o755);
  }

  function node(module: string) {
    const args = ['--input-type=module', '--eval', module];
    return spawnSync(process.execPath, args, { cwd: tree, encoding: 'utf8', env: { PATH: join(tree, 'bin') } });
  }

  /** Sets up. Returns the output and the npm commands that ran. */
  function setUp(needs: object = {}) {
    rmSync(join(tree, 'calls'), { force: true });
    const { status, stdout, stderr } = node(
      `import { setUp } from './scripts/setup.mjs'; setUp(${JSON.stringify(needs)})`,
    );
    const calls = existsSync(join(tree, 'calls')) ? readFileSync(join(tree, 'calls'), 'utf8').trim().split('\n') : [];
    return { status, stdout, stderr, calls: calls.map((line) => line.replace(/ --(?!workspaces)\S+/g, '')) };
  }

  /** Makes a file newer than everything built. */
  function edit(file: string): void {
    const later = new Date(Date.now() + 60_000);
    utimesSync(join(tree, file), later, later);
  }

  test('without cargo it ends with one line, before anything is installed', () => {
    rmSync(join(tree, 'bin', 'cargo'));
    const { status, stdout, stderr, calls } = setUp();
    expect([status, stdout, calls]).toEqual([1, '', []]);
    expect(stderr).toMatch(/^✗ cargo was not found: .* https:\/\/rustup\.rs.*\n$/);
    expect(existsSync(join(tree, 'node_modules'))).toBe(false);
  });

  test('a cargo that is too old: it says which is needed', () => {
    command('cargo', 'echo "cargo 1.75.0 (1d8b05cdd 2023-11-20)"');
    const { status, stdout, stderr, calls } = setUp();
    expect([status, stdout, calls]).toEqual([1, '', []]);
    expect(stderr).toMatch(/^✗ Rust 1\.75 is too old: the addon needs 1\.91 or later\..*\n$/);
  });

  test('the first time it installs and builds, in numbered steps that say how much they download', () => {
    const { status, stdout, stderr, calls } = setUp();
    expect([status, stderr]).toEqual([0, '']);
    expect(calls).toEqual(['npm ci', 'npm run build']);
    expect(stdout).toMatch(/^\(1\/2\) Installing .* MB to download.*\n\(2\/2\) Building .*minutes the first time.*\n$/);
  });

  test('the second time it does nothing and needs no cargo', () => {
    setUp();
    rmSync(join(tree, 'bin', 'cargo'));
    expect(setUp()).toEqual({ status: 0, stdout: '', stderr: '', calls: [] });
  });

  test('a failing step ends it and is named', () => {
    command('npm', 'exit 3');
    const { status, stderr } = setUp();
    expect(status).toBe(1);
    expect(stderr).toMatch(/^✗ npm ci .* failed: exit 3\n$/);
  });

  test('a changed source only builds the addon again', () => {
    setUp();
    edit('src/lib.rs');
    const { stdout, calls } = setUp();
    expect(calls).toEqual(['npm run build']);
    expect(stdout).toMatch(/^\(1\/1\) Building the addon, optimised \(its sources have changed: .*\n$/);
  });

  test('a package of another version only installs again', () => {
    setUp();
    const packages = { ...LOCK, 'node_modules/jest': { version: '1.0.1' } };
    write('package-lock.json', JSON.stringify({ packages }));
    expect(setUp().calls).toEqual(['npm ci']);
    expect(setUp().calls).toEqual([]);
  });

  test('for the addon alone the packages of sessions are not needed; for sessions they are', () => {
    const addonAlone = { sessions: false };
    expect(setUp(addonAlone).calls).toEqual(['npm ci --workspaces=false', 'npm run build']);
    expect(setUp(addonAlone).calls).toEqual([]);
    expect(setUp().calls).toEqual(['npm ci']);
    expect(setUp(addonAlone).calls).toEqual([]);
  });

  test('a debug build will do where no speed is measured, and only there', () => {
    const anyBuild = { release: false };
    expect(setUp(anyBuild).calls).toEqual(['npm ci', 'npm run build:debug']);
    expect(setUp(anyBuild).calls).toEqual([]);
    const { stdout, calls } = setUp();
    expect(calls).toEqual(['npm run build']);
    expect(stdout).toContain('a debug build is there');
    expect(setUp(anyBuild).calls).toEqual([]);
    edit('src/lib.rs');
    expect(setUp(anyBuild).calls).toEqual(['npm run build:debug']);
  });

  describe('a browser for the tests of the dashboard', () => {
    const asRoot = process.getuid?.() === 0;
    const WITHOUT = /^There is no Chromium here.* skipped\. Install Chromium .*\n$/;
    const withBrowser = { browser: true };
    const aptGet = (whenInstalling: string) =>
      command(
        'apt-get',
        `case "$*" in --version) exit ;; install*) ${whenInstalling} ;; esac; echo "apt-get $*" >> calls`,
      );
    beforeEach(() => {
      setUp();
    });

    test('is installed where root has apt-get, and only if it is asked for', () => {
      const install = (name: string) => `printf "#!/bin/sh\\n" > bin/${name}; chmod +x bin/${name}`;
      aptGet(install('chromium-headless-shell'));
      expect(setUp()).toEqual({ status: 0, stdout: '', stderr: '', calls: [] });
      const { status, stdout, calls } = setUp(withBrowser);
      expect(status).toBe(0);
      if (asRoot) {
        expect(calls).toEqual(['apt-get update', 'apt-get install chromium-headless-shell']);
        expect(stdout).toMatch(/^\(1\/1\) Installing Chromium .* MB to download/);
        expect(setUp(withBrowser)).toEqual({ status: 0, stdout: '', stderr: '', calls: [] });
      } else {
        expect(calls).toEqual([]);
        expect(stdout).toMatch(WITHOUT);
      }
    });

    test('is the one with windows where there is no other', () => {
      aptGet(
        'case "$*" in *-shell) echo "apt-get $*" >> calls; exit 100 ;; esac; printf "#!/bin/sh\\n" > bin/chromium; chmod +x bin/chromium',
      );
      const { status, calls } = setUp(withBrowser);
      const names = asRoot ? ['chromium-headless-shell', 'chromium'] : [];
      expect([status, calls.filter((call) => call.startsWith('apt-get install'))]).toEqual([
        0,
        names.map((name) => `apt-get install ${name}`),
      ]);
    });

    test('that can’t be installed is no failure: one line says what is missing', () => {
      expect(setUp(withBrowser)).toEqual({ status: 0, stdout: expect.stringMatching(WITHOUT), stderr: '', calls: [] });
      aptGet('exit 100');
      const { status, stdout } = setUp(withBrowser);
      expect([status, stdout.split('\n').at(-2)]).toEqual([0, expect.stringMatching(/^There is no Chromium here/)]);
    });

    test.each(['chromium', 'google-chrome'])('that is there is used: %s', (name) => {
      command(name, 'exit 0');
      expect(setUp(withBrowser)).toEqual({ status: 0, stdout: '', stderr: '', calls: [] });
    });
  });

  test('measuring and releasing refuse an addon that is missing, stale or a debug build', () => {
    const required = () =>
      node(`import { requireReleaseAddon } from './scripts/addon.mjs'; requireReleaseAddon()`).stderr;
    expect(required()).toContain('but it is not built: run npm run build');
    setUp({ release: false });
    expect(required()).toContain('but it is a debug build: run npm run build');
    setUp();
    expect(required()).toBe('');
    edit('Cargo.toml');
    expect(required()).toContain('but its sources have changed since: run npm run build');
  });
});

// Texts with and without secrets. A generator makes the secrets when this file is loaded. So none is in the source for
// a scanner to find, and none belongs to anybody.

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';
const HEX = `${DIGITS}abcdef`;
const BASE62 = LOWER + UPPER + DIGITS;
const BASE64 = `${BASE62}+/`;
const BASE64URL = `${BASE62}-_`;

let seed = 20260501;
function random(below: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  // Use the high bits, because the low ones of this generator have a short period.
  return Math.floor((seed / 2 ** 32) * below);
}
const chance = (alphabet: string, length: number) =>
  Array.from({ length }, () => alphabet[random(alphabet.length)]).join('');

/** Forms of secrets, most of them with their issuer's prefix cut in two. */
const FORMS: Record<string, () => string> = {
  openai: () => `${'s'}k-${chance(BASE62, 48)}`,
  openaiProject: () => `${'s'}k-proj-${chance(BASE64URL, 74)}T3`,
  anthropic: () => `${'s'}k-ant-api03-${chance(BASE64URL, 93)}AA`,
  githubClassic: () => `gh${'p'}_${chance(BASE62, 36)}`,
  githubServer: () => `gh${'s'}_${chance(BASE62, 36)}`,
  githubFine: () => `github${'_pat_'}${chance(BASE62, 22)}_${chance(BASE62, 59)}`,
  gitlab: () => `gl${'pat'}-${chance(BASE64URL, 19)}7`,
  slackBot: () => `xo${'xb'}-${chance(DIGITS, 12)}-${chance(DIGITS, 13)}-${chance(BASE62, 24)}`,
  slackHook: () =>
    `https://hooks.slack.${'com'}/services/T${chance(UPPER, 8)}/B${chance(UPPER, 8)}/${chance(BASE62, 24)}`,
  awsId: () => `AK${'IA'}${chance(`${UPPER}234567`, 16)}`,
  awsSecret: () => chance(BASE64, 40),
  google: () => `AI${'za'}${chance(BASE64URL, 35)}`,
  googleOauth: () => `GOC${'SPX'}-${chance(BASE64URL, 27)}5`,
  stripe: () => `sk_${'live'}_${chance(BASE62, 24)}`,
  stripeHook: () => `wh${'sec'}_${chance(BASE62, 32)}`,
  npm: () => `np${'m'}_${chance(BASE62, 36)}`,
  pypi: () => `py${'pi'}-AgEIcHlwaS5vcmc${chance(BASE64URL, 70)}9`,
  huggingFace: () => `h${'f'}_${chance(LOWER + UPPER, 34)}`,
  sendgrid: () => `S${'G'}.${chance(BASE64URL, 22)}.${chance(BASE64URL, 42)}8`,
  shopify: () => `shp${'at'}_${chance(HEX, 32)}`,
  digitalOcean: () => `do${'p'}_v1_${chance(HEX, 64)}`,
  vault: () => `hv${'s'}.${chance(BASE64URL, 24)}3`,
  linear: () => `lin_${'api'}_${chance(BASE62, 40)}`,
  grafana: () => `gl${'sa'}_${chance(BASE62, 32)}_${chance(HEX, 8)}`,
  jwt: () => `ey${'J'}${chance(BASE64URL, 33)}.eyJ${chance(BASE64URL, 60)}.${chance(BASE64URL, 42)}4`,
  telegram: () => `${chance(DIGITS, 10)}:AA${chance(BASE64URL, 33)}`,
  base62of32: () => chance(BASE62, 32),
  base62of24: () => chance(BASE62, 24),
  hex32: () => `${chance(HEX, 12)}0${chance(HEX, 19)}`,
  hex48: () => chance(HEX, 48),
  base64of44: () => `${chance(BASE64, 43)}=`,
  base36of28: () => chance(LOWER + DIGITS, 28),
};

/** Returns the key within a form that contains more. */
const KEYS_WITHIN: Record<string, (secret: string) => string> = {
  slackHook: (url) => url.slice(url.lastIndexOf('/') + 1),
  telegram: (token) => token.slice(token.indexOf(':') + 1),
};

/** Sentences in which a developer pastes a secret. */
const SENTENCES: ((secret: string) => string)[] = [
  (secret) => `use this key: ${secret}`,
  (secret) => `My token is ${secret}, please add it to the workflow.`,
  (secret) => `curl -H "Authorization: Bearer ${secret}" https://api.example.com/v1/items`,
  (secret) => `export API_KEY=${secret}`,
  (secret) => `{"apiKey": "${secret}", "retries": 3}`,
  (secret) => `why does \`${secret}\` give me a 401?`,
  (secret) => `secret_key = '${secret}'  # TODO move this`,
  (secret) => `das hier ist der Schlüssel „${secret}“ – bitte nicht einchecken`,
];

const PASSWORDS = [
  'hunter2-Sommer',
  'Tr0ub4dor&3',
  'p@ssw0rd!2026',
  'S3cure#Pass',
  'correct-horse-7-battery',
  'Żółw123!abc',
  'qwerty98',
];

/** Sentences with a password, which has no form. */
const PASSWORD_SENTENCES: ((secret: string) => string)[] = [
  (secret) => `password: "${secret}"`,
  (secret) => `DB_PASSWORD=${secret}`,
  (secret) => `postgres://app:${secret.replace(/[@#&]/g, '')}@db.internal:5432/orders`,
  (secret) => `the admin password is set as passwd: '${secret}' in the config`,
  (secret) => `mysql --user root --password ${secret} -e 'show tables'`,
  (secret) => `Server=tcp:sql.internal,1433;User ID=app;Password=${secret};Encrypt=true`,
];

export interface Positive {
  form: string;
  text: string;
  secret: string;
}

const privateKey = (label: string): Positive => {
  const body = Array.from({ length: 6 }, () => chance(BASE64, 64)).join('\n');
  return {
    form: `private key ${label}`,
    text: `here it is:\n-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\nthanks`,
    secret: body,
  };
};

export const POSITIVES: Positive[] = [
  ...Object.entries(FORMS).flatMap(([form, make], n) =>
    SENTENCES.filter((_, at) => at % 2 === n % 2 || at < 2).map((sentence) => {
      const secret = make();
      return { form, text: sentence(secret), secret: (KEYS_WITHIN[form] ?? String)(secret) };
    }),
  ),
  ...PASSWORDS.flatMap((password) =>
    PASSWORD_SENTENCES.map((sentence, at) => ({
      form: 'password',
      text: sentence(password),
      secret: at === 2 ? password.replace(/[@#&]/g, '') : password,
    })),
  ),
  ...['RSA PRIVATE KEY', 'OPENSSH PRIVATE KEY', 'EC PRIVATE KEY', 'PRIVATE KEY', 'ENCRYPTED PRIVATE KEY'].map(
    privateKey,
  ),
  ...PASSWORDS.map((password) => {
    const secret = Buffer.from(`deploy:${password}`).toString('base64');
    return { form: 'basic', text: `curl -H "Authorization: Basic ${secret}" https://api.example.com`, secret };
  }),
];

const PREFIX_OF_PATHS = ['/home/dev/app', '~/.claude/projects', './dist', 'C:\\Users\\dev\\AppData\\Local\\Temp'];
const uuid = () => `${chance(HEX, 8)}-${chance(HEX, 4)}-4${chance(HEX, 3)}-a${chance(HEX, 3)}-${chance(HEX, 12)}`;

/** Texts that look dangerous to a careless rule, and hold no secret. */
export const NEGATIVES: string[] = [
  // Names of git's objects, checksums, ids.
  ...Array.from({ length: 8 }, () => `git show ${chance(HEX, 40)}`),
  ...Array.from({ length: 4 }, () => `revert ${chance(HEX, 7)}..${chance(HEX, 12)} please`),
  ...Array.from({ length: 4 }, () => `git cat-file -p ${chance(HEX, 64)}`),
  ...Array.from({ length: 4 }, () => `FROM node@sha256:${chance(HEX, 64)}`),
  ...Array.from({ length: 4 }, () => `"integrity": "sha512-${chance(BASE64, 86)}=="`),
  ...Array.from({ length: 8 }, () => `session ${uuid()} hangs`),
  ...Array.from({ length: 4 }, () => `rollout-2026-11-25T18-38-05-${uuid()}.jsonl is missing`),
  ...Array.from({ length: 4 }, () => `{"tool_use_id":"toolu_01${chance(BASE62, 22)}"}`),
  ...PREFIX_OF_PATHS.flatMap((folder) => [
    `${folder}${folder.includes('\\') ? '\\' : '/'}${chance(HEX, 32)}`,
    `open ${folder}/src/components/UserProfileSettingsPage.tsx`,
    `${folder}/${uuid()}/subagents/agent-${chance(HEX, 17)}.jsonl`,
    `${folder}/node_modules/.cache/babel-loader/${chance(HEX, 64)}.json.gz`,
  ]),
  '/nix/store/8ha1dhmx807czjczmwy078s4r9s254il-hello-2.12.1/bin/hello',
  'see .git/objects/3f/a9c2b7e1d4056f8891a2b3c4d5e6f708192a3b in the repository',
  // Names in programs.
  'rename getUserAuthenticationTokenFromRequestHeaders to readToken',
  'AbstractSingletonProxyFactoryBean2 and XMLHttpRequestEventTarget',
  'MAX_CONCURRENT_CONNECTIONS_PER_HOST must be 16',
  'test_that_a_session_without_events_is_never_shown_on_page_2',
  'x86_64-unknown-linux-gnu and aarch64-apple-darwin',
  'claude-opus-4-1-20250805 and gpt-5.5-codex-mini-2026-01-15',
  'kubectl logs deployment/payments-api-gateway -n production-eu-west-1',
  'com.fasterxml.jackson.databind.deser.BeanDeserializerFactory',
  'std::collections::hash_map::RandomState::build_hasher',
  'org.springframework.boot:spring-boot-starter-data-jpa:3.2.5',
  'useEffectOnceWithCleanup3 vs useLayoutEffectSafely',
  'IllegalStateException at HttpClientConnectionManager.java:1042',
  '@typescript-eslint/no-unnecessary-type-assertion',
  'InternalFrameInternalFrameTitlePaneInternalFrameTitlePaneMaximizeButtonWindowNotFocusedState',
  'LC_ALL=en_US.UTF-8 TZ=Europe/Berlin npm run build:production',
  'docker run --rm -v $PWD:/work -w /work rust:1.91-slim-bookworm cargo build --release',
  'ALTER TABLE prompt_events ADD COLUMN reported_duration_ms UInt64',
  'prompt_event_deliveries_local_v2 has 1234567890123456789012 rows',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'abcdefghijklmnopqrstuvwxyz0123456789',
  '--------------------------------------------------------------',
  '==================== FAILURES ====================',
  '0000000000000000000000000000000000000000000000',
  '12345678901234567890123456789012345678',
  // Words about secrets.
  'the password field is empty',
  'rotate the token every 30 days',
  'Password: required',
  'password = getPassword()',
  'const token = await fetchToken(userId);',
  'token: string',
  'apiKey: process.env.OPENAI_API_KEY',
  'api_key=os.environ["ANTHROPIC_API_KEY"]',
  'export GITHUB_TOKEN=$(gh auth token)',
  `GITHUB_TOKEN: ${'$'}{{ secrets.GITHUB_TOKEN }}`,
  `password: ${'$'}{DB_PASSWORD}`,
  'password: "<your password here>"',
  'API_KEY=your-api-key-goes-here-1234',
  'token = "xxxxxxxxxxxxxxxxxxxxxxxx"',
  'secret: ********',
  'max_tokens: 4096, token_count: 123456789012',
  'if (password == confirmPassword) return;',
  'password: hashedPassword,',
  'accessToken: response.data.accessToken,',
  'tokenizer: "cl100k_base_tokenizer_v2"',
  'SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")',
  'The bearer token expired yesterday',
  'Authorization: Bearer <token>',
  'Bearer authentication is required here',
  'curl -u user:$PASSWORD https://example.com',
  'compass: north, bypass: true',
  'pass: 12, fail: 3, skipped: 4',
  'private key and public key pairs are explained below',
  '-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq\n-----END CERTIFICATE-----'.replace(
    'MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq',
    'short',
  ),
  'npm_config_registry and npm_lifecycle_event are set',
  'sk-button-primary-large-rounded-outline',
  'key-value-store-with-expiring-entries-and-snapshots',
  'hf_hub_download_with_progress_and_resume',
  'pul-request-template-for-contributors',
  'secret_santa_participants_and_their_wishes',
  'AKIA is how ids of access keys begin',
  'eyJ is how a JWT begins',
  // URLs.
  'https://github.com/git-ai-project/git-ai/pull/1042/files#diff-0a1b2c3d',
  'https://docs.rs/serde_json/latest/serde_json/value/struct.RawValue.html',
  'http://127.0.0.1:7423/api/sessions?after=2026-05-01T12:00:00.000Z&limit=50',
  'https://www.figma.com/file/AbCdEfGh12IjKlMnOp34Qr/Design-System?node-id=12%3A34',
  'https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Global_Objects/Array/flatMap',
  'postgres://localhost:5432/app_development',
  `postgres://app:${'$'}{DB_PASSWORD}@db:5432/app`,
  'redis://cache.internal:6379/0',
  'git@github.com:git-ai-project/git-ai.git',
  'ssh://git@gitlab.example.com:2222/group/subgroup/project.git',
  'mailto:firstname.lastname+tag@example-company.co.uk',
  'https://example.com/a/very/long/path/with/many/segments/and-a-slug-2026-11',
  's3://my-bucket-eu-central-1/backups/2026/11/25/full.tar.gz',
  // Logs, diffs, data.
  '2026-11-25T18:38:05.087Z INFO server listening on 0.0.0.0:7423',
  'thread main panicked at src/capture/transcript.rs:427:13',
  '0x7ffd5e8a3c40 <__libc_start_main+243>',
  '@@ -427,13 +431,19 @@ impl TranscriptReader {',
  'diff --git a/src/wire/json.rs b/src/wire/json.rs index 3f2a1bc..9d8e7f6 100644',
  'fe80::1ff:fe23:4567:890a and 2001:0db8:85a3:0000:0000:8a2e:0370:7334',
  '00:1A:2B:3C:4D:5E is the MAC address',
  'phone +49 30 901820, order 4711-0815-2026',
  'IBAN-free text with 1.234.567,89 EUR and 99.999 %',
  'color: #1a2b3c4d; background: rgba(255, 255, 255, 0.87)',
  'M10.5 20.25L3.75 13.5l6.75-6.75 M3.75 13.5h16.5',
  'sum(rate(http_request_duration_seconds_bucket{job="api"}[5m])) by (le)',
  'p50 2.2 s, p99 312 ms, 166,276 lines, 1.0.98 to 2.1.219',
  'SGVsbG8= is base64 for Hello',
  'v1.2.3-rc.1+build.20261125.abcdef1',
  'typescript@5.9.2, @types/node@20.19.11, fast-check@4.10.2',
  '^[A-Za-z0-9+/]{4}*(?:[A-Za-z0-9+/]{2}==)?$',
  'jest --testPathPattern="capture|reader" --runInBand --detectOpenHandles',
  'grep -rn "TODO\\|FIXME" src/ | sort -t: -k1,1 -k2,2n | head -50',
  'cargo clippy --all-targets --all-features -- -D warnings -W clippy::pedantic',
  'SELECT count() FROM system.parts WHERE active AND database = currentDatabase()',
  'aws ec2 describe-instances --instance-ids i-0abcd1234ef567890',
  'arn:aws:iam::123456789012:role/service-role/lambda-basic-execution',
  'PWD=/home/dev/app OLDPWD=/workspace make',
  'pwd: ~/projects/app-2',
  '--password=/run/secrets/db_password1',
  'Basic authentication is off, and basic knowledge123 helps',
  // Words of other languages.
  'Donaudampfschifffahrtsgesellschaftskapitän und Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz',
  'Пожалуйста, исправь ошибку в обработчике запросов',
  '请修复解析器，它在遇到空值时会崩溃',
  'パーサーがnullでクラッシュするので直してください',
  'lūdzu salabo šo kļūdu 🙏🏽 pirms rītdienas',
  'proszę, popraw wszystkie przekroczenia_zakresu_w_module_2',
  'Bitte die Datei Übersichtsseite_Endfassung_Version_3.docx ändern',
  'ok',
  'y',
  '',
].filter((text) => text !== '');

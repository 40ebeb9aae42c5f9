//! Masks likely secrets in texts of humans and agents: `ghp_********x9Qz`.
//!
//! It makes one pass, and each step looks ahead a bounded number of bytes, so the time is linear. Four signs mark a
//! secret: a known prefix, a key before it (`password=`), its place in a URL (`user:password@`), or a random look.

use std::borrow::Cow;

/// Characters that stay readable at each end of a secret.
const SHOWN: usize = 4;

/// A shorter secret is masked completely, because its two ends would reveal half of it.
const SHORTEST_SHOWN: usize = 16;

const MASK: &str = "********";

/// Only strings of at least this length are checked for randomness.
const SHORTEST_RANDOM: usize = 20;

/// How many bytes of a value after `password=`, or of a URL's authority, are examined.
const LONGEST_VALUE: usize = 512;

const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_END: &str = "-----END ";
const PEM_DASHES: &str = "-----";

/// Prefixes of keys and tokens of known issuers, with the least number of characters that follow.
const PREFIXES: &[(&str, usize)] = &[
    ("sk-", 20),
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("rk_test_", 10),
    ("whsec_", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("glptt-", 16),
    ("gldt-", 16),
    ("glrt-", 16),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxa-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xapp-", 10),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ya29.", 16),
    ("GOCSPX-", 16),
    ("npm_", 20),
    ("pypi-", 16),
    ("rubygems_", 16),
    ("dckr_pat_", 16),
    ("hf_", 20),
    ("gsk_", 20),
    ("xai-", 20),
    ("pplx-", 20),
    ("r8_", 20),
    ("nvapi-", 20),
    ("SG.", 20),
    ("key-", 24),
    ("shpat_", 16),
    ("shpss_", 16),
    ("shpca_", 16),
    ("dop_v1_", 16),
    ("doo_v1_", 16),
    ("hvs.", 16),
    ("hvb.", 16),
    ("lin_api_", 16),
    ("ntn_", 20),
    ("secret_", 24),
    ("figd_", 16),
    ("glsa_", 16),
    ("sntrys_", 16),
    ("sntryu_", 16),
    ("phx_", 20),
    ("pul-", 20),
    ("pscale_tkn_", 16),
    ("pscale_pw_", 16),
    ("sq0csp-", 16),
    ("sq0atp-", 16),
    ("NRAK-", 16),
    ("PMAK-", 16),
    ("tskey-", 16),
    ("ATATT3", 16),
    ("xkeysib-", 16),
    ("dapi", 32),
    ("AGE-SECRET-KEY-", 20),
    ("eyJ", 30),
];

/// Prefixes of ids that look random but aren't secret: ids of messages and calls, and checksums.
const PUBLIC_PREFIXES: &[&str] = &[
    "toolu_",
    "msg_",
    "call_",
    "req_",
    "resp_",
    "chatcmpl-",
    "sha1-",
    "sha256-",
    "sha384-",
    "sha512-",
    "pk_live_",
    "pk_test_",
];

/// Names of algorithms, in lower case. Inside a word they look random.
const ALGORITHMS: &[&str] = &[
    "pbkdf2", "hmac", "sha256", "sha384", "sha512", "sha1", "md5", "ed25519", "ecdsa", "aes128", "aes256", "base64",
    "utf8", "x509",
];

/// URLs whose last segment is secret.
const WEBHOOKS: &[&str] = &[
    "hooks.slack.com/services/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
];

/// Endings of names of passwords, in lower case and without separators.
const PASSWORD_KEYS: &[&str] = &["password", "passwd", "passphrase", "pwd", "pass"];

/// Endings of names of other secrets.
const TOKEN_KEYS: &[&str] = &[
    "secret",
    "token",
    "apikey",
    "accesskey",
    "accesskeyid",
    "secretkey",
    "privatekey",
    "authkey",
    "accountkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "credential",
    "credentials",
];

/// Placeholders. A value that contains one of these isn't a secret.
const PLACEHOLDERS: &[&str] = &[
    "your",
    "placeholder",
    "changeme",
    "change_me",
    "xxxx",
    "****",
    "....",
    "process.env",
    "os.environ",
    "getenv",
    "import.meta",
    "redacted",
    "dummy",
    "secrets.",
    "insert",
    "todo",
    "undefined",
];

/// The letters that often follow each letter, starting with `a`, in English words and in names of programs. They cover
/// 95 % of the pairs there, and 38 % of random pairs.
const FOLLOWERS: [&str; 26] = [
    "bcdgiklmnprstuvwy",
    "aeilorsu",
    "acehiklorstu",
    "adeilorsu",
    "abcdefgilmnpqrstvwxy",
    "aefiloruy",
    "aehilnorsu",
    "aeiortu",
    "abcdefglmnoprstvxz",
    "es",
    "eis",
    "adeilostuy",
    "abeimopsu",
    "acdefgiklnostuv",
    "abcdfgiklmnoprstuvw",
    "aehiloprstu",
    "u",
    "acdegiklmnorstuvy",
    "acehiklopstuy",
    "acehilorstuy",
    "abcdegilmnprst",
    "aeio",
    "aehinors",
    "eipt",
    "enps",
    "e",
];

/// The same as bit sets, with one bit per following letter.
const FOLLOWS: [u32; 26] = {
    let mut follows = [0; 26];
    let mut letter = 0;
    while letter < 26 {
        let followers = FOLLOWERS[letter].as_bytes();
        let mut at = 0;
        while at < followers.len() {
            follows[letter] |= 1 << (followers[at] - b'a');
            at += 1;
        }
        letter += 1;
    }
    follows
};

/// The least score of a secret. Words score 0, random strings about 1.1.
const RANDOM: f64 = 0.64;

/// Returns the text with its secrets masked, or unchanged if there are none.
pub fn redact(text: &str) -> Cow<'_, str> {
    redact_start(text, usize::MAX)
}

/// Masks only the start of a text: stops once the result has `enough` bytes, and drops the rest.
pub fn redact_start(text: &str, enough: usize) -> Cow<'_, str> {
    let mut redactor = Redactor {
        text,
        copied: 0,
        out: String::new(),
        in_url: false,
    };
    let end = redactor.run(enough);
    if redactor.copied == 0 && end == text.len() {
        return Cow::Borrowed(text);
    }
    redactor.copy_to(end);
    Cow::Owned(redactor.out)
}

struct Redactor<'t> {
    text: &'t str,
    /// How many bytes of the text have been written to `out`, masked or not.
    copied: usize,
    out: String,
    /// Whether the place is after `://` and before the next space.
    in_url: bool,
}

impl Redactor<'_> {
    /// Masks the text until it ends or the result has `enough` bytes. Returns where it stopped.
    fn run(&mut self, enough: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if self.out.len() + (at - self.copied) >= enough {
                return self.text.ceil_char_boundary(at);
            }
            if bytes[at] == b'-' && bytes[at..].starts_with(PEM_BEGIN.as_bytes()) {
                at = self.pem(at);
            } else if is_token_byte(bytes[at]) {
                // Skip the base64 padding after a token.
                at = self.token(at).max(self.copied);
            } else {
                self.in_url &= !bytes[at].is_ascii_whitespace() && !b"\"'`<>()".contains(&bytes[at]);
                at += 1;
            }
        }
        at
    }

    fn copy_to(&mut self, end: usize) {
        self.out.push_str(&self.text[self.copied..end]);
        self.copied = end;
    }

    /// Masks the text between two character boundaries.
    fn mask(&mut self, start: usize, end: usize) {
        self.copy_to(start);
        let secret = &self.text[start..end];
        if secret.chars().take(SHORTEST_SHOWN).count() < SHORTEST_SHOWN {
            self.out.push_str(MASK);
        } else {
            self.out.extend(secret.chars().take(SHOWN));
            self.out.push_str(MASK);
            let (last, _) = secret.char_indices().nth_back(SHOWN - 1).unwrap_or((0, ' '));
            self.out.push_str(&secret[last..]);
        }
        self.copied = end;
    }

    /// Masks the content of a private key, up to its last line or, if that is missing, to the end of the text.
    fn pem(&mut self, at: usize) -> usize {
        let label_at = at + PEM_BEGIN.len();
        let label_end = self.text.floor_char_boundary(self.text.len().min(label_at + 64));
        let Some(length) = self.text[label_at..label_end].find(PEM_DASHES) else {
            return label_at;
        };
        let body_at = label_at + length + PEM_DASHES.len();
        if !self.text[label_at..label_at + length].contains("PRIVATE KEY") {
            return body_at;
        }
        let rest = &self.text[body_at..];
        let end = rest.find(PEM_END).map_or(self.text.len(), |length| body_at + length);
        let body = self.text[body_at..end].trim();
        // In JSON, a key's line breaks are written as `\n`.
        let body = body.trim_start_matches("\\n").trim_end_matches("\\n");
        if !body.is_empty() {
            let start = body.as_ptr() as usize - self.text.as_ptr() as usize;
            self.mask(start, start + body.len());
        }
        end
    }

    /// Examines the token that begins at `start`. Returns the place where to continue.
    fn token(&mut self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut end = start;
        while end < bytes.len() && is_token_byte(bytes[end]) {
            end += 1;
        }
        let token = &self.text[start..end];
        if self.text[end..].starts_with("://") {
            self.in_url = true;
            return self.authority(end + 3);
        }
        if self.known(start, token) {
            return end;
        }
        if let Some(end) = self.value_of(token, end) {
            return end;
        }
        self.chance(start, token);
        end
    }

    /// Masks the password in a URL, from after its `://`.
    fn authority(&mut self, start: usize) -> usize {
        let rest = &self.text[start..];
        let limit = rest.floor_char_boundary(LONGEST_VALUE);
        let end = rest[..limit].find(|c: char| c.is_whitespace() || "/?#\"'`<>".contains(c));
        let authority = &rest[..end.unwrap_or(limit)];
        let Some(at_sign) = authority.rfind('@') else {
            return start;
        };
        if let Some(colon) = authority[..at_sign].find(':') {
            let password = &authority[colon + 1..at_sign];
            if !password.is_empty() && !is_placeholder(password) && !is_expression(password) {
                self.mask(start + colon + 1, start + at_sign);
            }
        } else if authority[..at_sign].len() >= SHORTEST_RANDOM {
            // A token can be in the place of the user's name.
            self.mask(start, start + at_sign);
        }
        start + at_sign + 1
    }

    /// Masks a token with the prefix of a known issuer, or at the end of a webhook's URL.
    fn known(&mut self, start: usize, token: &str) -> bool {
        if let Some(hook) = WEBHOOKS.iter().find(|hook| token.starts_with(**hook))
            && let Some(slash) = token.rfind('/')
            && slash >= hook.len()
            && token.len() - slash > 8
        {
            self.mask(start + slash + 1, start + token.len());
            return true;
        }
        let mut segment_at = 0;
        for segment in token.split('/') {
            let trimmed = segment.trim_end_matches(['.', '-', '_', '~', '%']);
            let is_known = PREFIXES.iter().any(|(prefix, least)| {
                trimmed.strip_prefix(prefix).is_some_and(|rest| {
                    rest.len() >= *least
                        && !is_placeholder(rest)
                        && (rest.bytes().any(|b| b.is_ascii_digit()) || has_mixed_case(rest))
                }) && is_exact_enough(prefix, trimmed)
            });
            if is_known {
                let at = start + segment_at;
                self.mask(at, at + trimmed.len());
                return true;
            }
            segment_at += segment.len() + 1;
        }
        false
    }

    /// Masks the value after a key such as `password`, and returns its end.
    fn value_of(&mut self, key: &str, key_end: usize) -> Option<usize> {
        let is_flag = key.starts_with("--");
        let kind = kind_of_key(key)?;
        let rest = &self.text[key_end..];
        let limit = rest.floor_char_boundary(LONGEST_VALUE);
        let after_key = rest[..limit].trim_start_matches(['"', '\'', '`', ']', '\\']);
        let after_space = after_key.trim_start_matches([' ', '\t']);
        let operator = [":=", "=>", "==", "=", ":"]
            .into_iter()
            .find(|op| after_space.starts_with(op));
        let behind = match (operator, kind) {
            // A comparison is usually code, so its right side isn't a secret.
            (Some("=="), _) => return None,
            (Some(operator), _) => &after_space[operator.len()..],
            (None, KeyKind::Scheme | KeyKind::Basic) => after_key.strip_prefix(' ')?,
            (None, _) if is_flag => after_key.strip_prefix(' ')?,
            (None, _) => return None,
        };
        let value = behind.trim_start_matches([' ', '\t']);
        let value = value.strip_prefix('\\').unwrap_or(value);
        let quote = value.chars().next().filter(|first| "\"'`".contains(*first));
        let value = if quote.is_some() { &value[1..] } else { value };
        let end = match quote {
            Some(quote) => value.find([quote, '\n'])?,
            None => value
                .find(|c: char| c.is_whitespace() || ",;)}]\"'`<>&|".contains(c))
                .unwrap_or(value.len()),
        };
        let value = value[..end].trim_end_matches('\\');
        let value = if quote.is_none() {
            value.trim_end_matches(['.', ',', '!', '?', ':'])
        } else {
            value
        };
        if !is_secret_value(kind, value, quote.is_some()) {
            return None;
        }
        let start = value.as_ptr() as usize - self.text.as_ptr() as usize;
        self.mask(start, start + value.len());
        Some(start + value.len())
    }

    /// Masks the parts of a token that look random.
    fn chance(&mut self, start: usize, token: &str) {
        if token.len() < SHORTEST_RANDOM || self.is_path(start, token) {
            return;
        }
        let mut part_at = start;
        let mut mask_part = |redactor: &mut Self, part: &str| {
            let trimmed = part.trim_end_matches(['-', '_', '%', '+']);
            if is_random(trimmed) {
                let mut end = part_at + trimmed.len();
                // Padding: a key-value pair doesn't end like this.
                while end < redactor.text.len()
                    && redactor.text.as_bytes()[end] == b'='
                    && end - part_at < trimmed.len() + 2
                {
                    end += 1;
                }
                redactor.mask(part_at, end);
            }
            part_at += part.len() + 1;
        };
        if token.contains('/') {
            // It must be base64, since it isn't a path.
            mask_part(self, token);
        } else {
            token.split(['.', '~']).for_each(|part| mask_part(self, part));
        }
    }

    /// Whether the token is a path, or part of a path or URL.
    fn is_path(&self, start: usize, token: &str) -> bool {
        let before = &self.text.as_bytes()[..start];
        if before.ends_with(b"\\") || before.ends_with(b"@") || token.starts_with(['/', '~', '.']) {
            return true;
        }
        if self.in_url {
            // Only the value of a query parameter may be random.
            return !before.ends_with(b"=");
        }
        if !token.contains('/') {
            return false;
        }
        // In base64 every piece looks random, and few pieces are as short as names of folders.
        let is_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        let letters_and_digits: String = token.split('/').collect();
        !token.bytes().all(is_base64) || !is_random(&letters_and_digits) || {
            let pieces = token.split('/').count();
            letters_and_digits.len() / pieces < 6
        }
    }
}

fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b'+' | b'~' | b'%')
}

fn has_mixed_case(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_uppercase()) && text.bytes().any(|b| b.is_ascii_lowercase())
}

/// Words and names can begin with a short prefix too, so the rest must have the issuer's form.
fn is_exact_enough(prefix: &str, token: &str) -> bool {
    let rest = &token[prefix.len()..];
    match prefix {
        "AKIA" | "ASIA" => token.len() == 20 && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
        "eyJ" => rest.bytes().filter(|&b| b == b'.').count() >= 1,
        "dapi" => rest.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'),
        "sk-" | "key-" | "secret_" | "pul-" | "npm_" | "hf_" | "r8_" | "xai-" | "ntn_" | "phx_" | "gsk_" => {
            chance_in(rest) >= RANDOM || is_hex(rest)
        }
        _ => true,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Password,
    Token,
    /// `Bearer`, whose value follows without `=` or `:`.
    Scheme,
    /// `Basic`, whose value is the base64 of `user:password`.
    Basic,
}

fn kind_of_key(key: &str) -> Option<KeyKind> {
    if key.len() > 64 || key.len() < 3 {
        return None;
    }
    if key.eq_ignore_ascii_case("bearer") {
        return Some(KeyKind::Scheme);
    }
    if key.eq_ignore_ascii_case("basic") {
        return Some(KeyKind::Basic);
    }
    let name: String = key
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let ends = |keys: &[&str]| keys.iter().any(|key| name.ends_with(key));
    if ends(PASSWORD_KEYS) {
        // Words such as `compass` and `bypass`.
        let is_word = name.ends_with("pass") && !matches!(name.as_str(), "pass" | "dbpass" | "userpass" | "smtppass");
        let is_part = key.to_ascii_lowercase().ends_with("_pass") || key.to_ascii_lowercase().ends_with("-pass");
        return (!is_word || is_part).then_some(KeyKind::Password);
    }
    ends(TOKEN_KEYS).then_some(KeyKind::Token)
}

fn is_placeholder(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|placeholder| value.contains(placeholder))
}

/// Whether the value is code or a template that stands for the secret.
fn is_expression(value: &str) -> bool {
    value.starts_with(['$', '%', '<', '{', '[', '(', '@', '*', '#']) || value.contains("${") || value.contains("{{")
}

fn is_secret_value(kind: KeyKind, value: &str, quoted: bool) -> bool {
    if value.contains(char::is_whitespace) || is_placeholder(value) || is_expression(value) {
        return false;
    }
    let has_digit = value.bytes().any(|b| b.is_ascii_digit());
    let has_letter = value.bytes().any(|b| b.is_ascii_alphabetic());
    let is_name = value
        .bytes()
        .all(|b| b.is_ascii_alphabetic() || matches!(b, b'.' | b'_' | b'-'));
    let is_call = value.contains('(') || value.contains("::") || value.contains("->");
    if value.starts_with(PEM_DASHES) || value.starts_with("http") && value.contains("://") {
        return false;
    }
    if kind == KeyKind::Password && is_path(value) {
        return false;
    }
    match kind {
        KeyKind::Password if quoted => value.len() >= 6 && !PASSWORD_KEYS.contains(&value) && value != "string",
        KeyKind::Password => value.len() >= 6 && has_letter && !is_name && !is_call,
        // A value without digits is a word or the name of a variable.
        KeyKind::Token => {
            let is_path = value.starts_with(['/', '.', '~']);
            value.len() >= 12
                && has_digit
                && has_letter
                && !is_call
                && !is_path
                && (quoted || !value.contains('.') || chance_in(value) > 0.5)
                && (chance_in(value) > 0.3 || is_hex(value))
        }
        KeyKind::Scheme => value.len() >= 16 && has_digit && has_letter && !is_call,
        KeyKind::Basic => is_user_and_password(value),
    }
}

/// Whether the value is a path: `PWD=/home/dev` is no password.
fn is_path(value: &str) -> bool {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    ["/", "~/", "./", "../"].iter().any(|start| {
        let rest = value.strip_prefix(start);
        rest.is_some_and(|rest| rest.bytes().all(is_name))
    })
}

/// Whether the value is the base64 of a user's name, a colon and a password. Words after `Basic` aren't.
fn is_user_and_password(base64: &str) -> bool {
    let mut has_colon = false;
    let (mut bits, mut length) = (0_u32, 0);
    for b in base64.trim_end_matches('=').bytes() {
        let digit = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return false,
        };
        bits = (bits << 6 | u32::from(digit)) & 0x3fff;
        length += 6;
        if length >= 8 {
            length -= 8;
            let decoded = (bits >> length & 0xff) as u8;
            if !(b' '..=b'~').contains(&decoded) {
                return false;
            }
            has_colon |= decoded == b':';
        }
    }
    has_colon
}

fn is_hex(text: &str) -> bool {
    let is_lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let is_upper = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    text.bytes().all(is_lower) || text.bytes().all(is_upper)
}

/// Whether the text is a uuid without dashes, with version and variant at their places.
fn is_bare_uuid(hex: &str) -> bool {
    let bytes = hex.as_bytes();
    bytes.len() == 32
        && matches!(bytes[12], b'1' | b'4' | b'7')
        && matches!(bytes[16], b'8' | b'9' | b'a' | b'b' | b'A' | b'B')
}

/// Removes uuids from the text.
fn without_uuids(text: &str) -> Cow<'_, str> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    const LENGTH: usize = 36;
    let bytes = text.as_bytes();
    let is_uuid = |at: usize| {
        let uuid = &bytes[at..at + LENGTH];
        uuid.iter().enumerate().all(|(place, b)| {
            if DASHES.contains(&place) {
                *b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        })
    };
    let mut kept = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at + LENGTH <= bytes.len() {
        if bytes[at + DASHES[0]] == b'-' && is_uuid(at) {
            kept.push_str(&text[copied..at]);
            at += LENGTH;
            copied = at;
        } else {
            at += 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    kept.push_str(&text[copied..]);
    Cow::Owned(kept)
}

/// Whether an ASCII string is long enough for a key and looks random.
fn is_random(text: &str) -> bool {
    if text.len() < SHORTEST_RANDOM || PUBLIC_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
        return false;
    }
    let text = without_uuids(text);
    let text = text.strip_prefix("0x").unwrap_or(&text);
    if text.len() < SHORTEST_RANDOM {
        return false;
    }
    if is_hex(text) {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        // Names of git objects have 40 or 64 digits.
        let is_name = matches!(text.len(), 40 | 64) || is_bare_uuid(text);
        return !is_name && digits >= 3 && text.len() - digits >= 3;
    }
    let longest = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .map(str::len)
        .max()
        .unwrap_or(0);
    if longest < 12 || chance_in(text) < RANDOM {
        return false;
    }
    let mut rest = text.to_ascii_lowercase();
    for name in ALGORITHMS {
        rest = rest.replace(name, "");
    }
    rest.len() == text.len() || rest.len() >= SHORTEST_RANDOM
}

/// Scores how random a string looks. Counts rare pairs of letters, and changes between digits, capitals and small
/// letters that words don't have.
fn chance_in(text: &str) -> f64 {
    let (mut pairs, mut rare, mut steps, mut switches) = (0_u32, 0_u32, 0_u32, 0_u32);
    let (mut has_digit, mut has_upper, mut has_lower) = (false, false, false);
    for &b in text.as_bytes() {
        has_digit |= b.is_ascii_digit();
        has_upper |= b.is_ascii_uppercase();
        has_lower |= b.is_ascii_lowercase();
    }
    for pair in text.as_bytes().windows(2) {
        let [a, b] = [pair[0], pair[1]];
        if !a.is_ascii_alphanumeric() || !b.is_ascii_alphanumeric() {
            continue;
        }
        steps += 1;
        if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() {
            pairs += 1;
            let [a, b] = [a, b].map(|letter| letter.to_ascii_lowercase() - b'a');
            rare += u32::from(FOLLOWS[usize::from(a)] >> b & 1 == 0);
        }
        let class = |b: u8| (b.is_ascii_digit(), b.is_ascii_uppercase());
        let begins_word = a.is_ascii_uppercase() && b.is_ascii_lowercase();
        switches += u32::from(class(a) != class(b) && !begins_word);
    }
    let has_mixture = has_digit && (has_upper || has_lower) || has_upper && has_lower;
    if steps == 0 || !has_mixture {
        return 0.0;
    }
    let rare = if pairs == 0 {
        0.5
    } else {
        f64::from(rare) / f64::from(pairs)
    };
    rare + f64::from(switches) / f64::from(steps)
}

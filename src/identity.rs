//! Ids and hashes of events, equal to those of the deployed client.

use crate::wire::MESSAGE_KINDS;
use sha2::{Digest, Sha256};

/// A message's event id is derived from at most this many bytes of its content.
const LONGEST_CONTENT_BYTES: usize = 256;

/// The most bytes of UTF-8 that `input_text` holds.
pub const LONGEST_INPUT_TEXT_BYTES: usize = 1024;

/// Names are input, and the state holds those of open calls, so their length needs a limit.
const LONGEST_NAME_BYTES: usize = 256;

/// Returns the session's id: the first 16 hex digits of `sha256("<tool>:<session id>")`.
pub fn prompt_id(tool: &str, session_id: &str) -> String {
    hex_digest(&[tool.as_bytes(), b":", session_id.as_bytes()], 16)
}

/// Returns the id that released clients give the session: `s_` and the first 14 hex digits of its prompt id.
pub fn session_id(prompt_id: &str) -> String {
    format!("s_{}", &prompt_id[..prompt_id.floor_char_boundary(14)])
}

/// Returns the event's id: the prompt id, a colon, and the first 12 hex digits of
/// `sha256("<prompt id>:<kind>:<content>:<index>")`. Only the first 256 bytes of a message's content are hashed.
pub fn event_id(prompt_id: &str, kind: &str, content: &str, index: u64) -> String {
    let content = if is_message(kind) {
        cut(content, LONGEST_CONTENT_BYTES)
    } else {
        content
    };
    let index = index.to_string();
    id_of(prompt_id, &[kind, ":", content, ":", &index])
}

/// Returns an id that no event of a client has: `event_id` of a kind of its own, of the content in these parts and index 0.
pub fn derived_id(prompt_id: &str, content: &[&str]) -> String {
    let mut parts = ["derived:", "", "", "", "", "", ":0"];
    let (content_parts, _) = parts[1..].split_at_mut(content.len());
    content_parts.copy_from_slice(content);
    id_of(prompt_id, &parts)
}

fn id_of(prompt_id: &str, parts: &[&str]) -> String {
    const LENGTH: usize = 12;
    let mut digest = Sha256::new_with_prefix(prompt_id);
    digest.update(":");
    parts.iter().for_each(|part| digest.update(part));
    let mut id = String::with_capacity(prompt_id.len() + 1 + LENGTH);
    id.push_str(prompt_id);
    id.push(':');
    push_hex(&mut id, &digest.finalize()[..LENGTH / 2]);
    id
}

/// Shortens the name of a tool or model for events. Real names are far shorter. Ids and hashes use the whole name.
pub fn cut_name(name: &str) -> &str {
    cut(name, LONGEST_NAME_BYTES)
}

/// Returns the first 16 hex digits of the SHA-256 of a whole input.
pub fn input_hash(content: &str) -> String {
    content_hash(content.as_bytes())
}

/// Returns the first 16 hex digits of the SHA-256 of a file's bytes.
pub fn content_hash(bytes: &[u8]) -> String {
    hex_digest(&[bytes], 16)
}

/// Shortens a message to at most 1,024 bytes of UTF-8 without splitting a character.
pub fn truncate_input_text(text: &str) -> &str {
    cut(text, LONGEST_INPUT_TEXT_BYTES)
}

/// Returns the kind of a tool's call, as the deployed client names it. `NotebookEdit` writes files too, but that client
/// calls it a `ToolCall`, and event ids include the kind.
pub fn kind_for_tool(tool: &str) -> &'static str {
    match tool {
        _ if tool.starts_with("mcp__") => "McpCall",
        "Write" | "Edit" | "MultiEdit" => "FileWrite",
        "Skill" | "SlashCommand" => "SkillInvocation",
        _ => "ToolCall",
    }
}

fn is_message(kind: &str) -> bool {
    MESSAGE_KINDS.contains(&kind)
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

fn hex_digest(parts: &[&[u8]], length: usize) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    let mut hex = hex(&digest.finalize()[..length.div_ceil(2)]);
    hex.truncate(length);
    hex
}

/// Formats bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    push_hex(&mut hex, bytes);
    hex
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    /// The size of the longest digest. One look at all its digits costs less than one at each byte's.
    const MOST: usize = 32;
    for bytes in bytes.chunks(MOST) {
        let mut digits = [[0; 2]; MOST];
        for (pair, byte) in digits.iter_mut().zip(bytes) {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xF)]];
        }
        let digits = &digits.as_flattened()[..bytes.len() * 2];
        text.push_str(str::from_utf8(digits).unwrap_or_default());
    }
}

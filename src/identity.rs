//! Who an event is: ids and hashes, equal to those of the client that is in the field.

use crate::wire::MESSAGE_KINDS;
use sha2::{Digest, Sha256};

/// A message's content counts for its event's id only up to here.
const LONGEST_CONTENT_BYTES: usize = 256;

/// The most bytes of UTF-8 that `input_text` holds.
pub const LONGEST_INPUT_TEXT_BYTES: usize = 1024;

/// Names come from outside, and those of open calls stand in the state.
const LONGEST_NAME_BYTES: usize = 256;

/// The session's identity: 16 hex of `sha256("<tool>:<session id>")`.
pub fn prompt_id(tool: &str, session_id: &str) -> String {
    hex_digest(&[tool.as_bytes(), b":", session_id.as_bytes()], 16)
}

/// The same session's identity in released clients: `s_` and the first 14 hex of its prompt id.
pub fn session_id(prompt_id: &str) -> String {
    format!("s_{}", &prompt_id[..prompt_id.floor_char_boundary(14)])
}

/// The event's identity: the prompt id, a colon, and 12 hex of `sha256("<prompt id>:<kind>:<content>:<index>")`, where
/// the content of a message counts up to 256 bytes.
pub fn event_id(prompt_id: &str, kind: &str, content: &str, index: u64) -> String {
    let content = if is_message(kind) {
        cut(content, LONGEST_CONTENT_BYTES)
    } else {
        content
    };
    let index = index.to_string();
    let parts = [prompt_id, ":", kind, ":", content, ":", &index].map(str::as_bytes);
    format!("{prompt_id}:{}", hex_digest(&parts, 12))
}

/// A tool's or model's name as events hold it. Real ones are far shorter; ids and hashes are of the whole one.
pub fn cut_name(name: &str) -> &str {
    cut(name, LONGEST_NAME_BYTES)
}

/// 16 hex of the SHA-256 of a whole input.
pub fn input_hash(content: &str) -> String {
    content_hash(content.as_bytes())
}

/// 16 hex of the SHA-256 of a file's bytes.
pub fn content_hash(bytes: &[u8]) -> String {
    hex_digest(&[bytes], 16)
}

/// The start of a message, at most 1,024 bytes of UTF-8 and never half a character.
pub fn truncate_input_text(text: &str) -> &str {
    cut(text, LONGEST_INPUT_TEXT_BYTES)
}

/// The kind of a tool's call, as the client in the field names it. `NotebookEdit` writes files too, but ids include
/// the kind, and there it is a plain call.
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

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xF] {
            hex.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    hex
}

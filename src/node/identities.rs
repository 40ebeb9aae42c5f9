//! Identities and hashes for JavaScript.

use super::error::{Failure, guarded};
use crate::identity;
use napi_derive::napi;

#[napi]
pub fn prompt_id(tool: String, session_id: String) -> Result<String, Failure> {
    guarded(|| Ok(identity::prompt_id(&tool, &session_id)))
}

#[napi]
pub fn event_id(prompt_id: String, kind: String, content: String, index: f64) -> Result<String, Failure> {
    guarded(|| Ok(identity::event_id(&prompt_id, &kind, &content, index as u64)))
}

#[napi]
pub fn input_hash(content: String) -> Result<String, Failure> {
    guarded(|| Ok(identity::input_hash(&content)))
}

#[napi]
pub fn truncate_input_text(text: String) -> Result<String, Failure> {
    guarded(|| Ok(identity::truncate_input_text(&text).to_owned()))
}

#[napi]
pub fn kind_for_tool(tool_name: String) -> Result<&'static str, Failure> {
    guarded(|| Ok(identity::kind_for_tool(&tool_name)))
}

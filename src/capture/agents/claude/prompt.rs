//! The texts of user lines: which of them a human typed, and what remains of those without the harness's additions.

use std::borrow::Cow;

/// User texts that begin like this come from the harness.
const NOT_HUMAN_STARTS: [&str; 6] = [
    "<command-name>",
    "<local-command-stdout>",
    "<local-command-stderr>",
    "<local-command-caveat>",
    "<bash-stdout>",
    "<task-notification>",
];

/// User texts that are the harness's as a whole.
const NOT_HUMAN_TEXTS: [&str; 2] = [
    "[Request interrupted by user]",
    "[Request interrupted by user for tool use]",
];

/// Whether a human may have written this text, which has been through `without_reminders`.
pub fn is_human(text: &str) -> bool {
    let text = text.trim();
    let is_harness = text.is_empty()
        || NOT_HUMAN_TEXTS.contains(&text)
        || NOT_HUMAN_STARTS.iter().any(|start| text.starts_with(start));
    !is_harness
}

/// A human's text without its wrapping.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed<'a> {
    pub text: Cow<'a, str>,
    /// The skill or custom command that it invokes, without the slash.
    pub command: Option<&'a str>,
}

/// Unwraps a human's text.
pub fn typed(text: &str) -> Typed<'_> {
    let wrapped = text.trim_start();
    if let Some(typed) = slash_command(wrapped) {
        return typed;
    }
    let text = match wrapped.strip_prefix("<bash-input>") {
        Some(command) => {
            let end = command.find("</bash-input>").unwrap_or(command.len());
            Cow::Owned(format!("!{}", &command[..end]))
        }
        None => Cow::Borrowed(text),
    };
    Typed { text, command: None }
}

/// `<command-message>x</command-message>` and then `<command-name>/x</command-name>`: the human typed `/x`.
fn slash_command(text: &str) -> Option<Typed<'_>> {
    if !text.starts_with("<command-message>") {
        return None;
    }
    let name = element(text, "<command-name>", "</command-name>")?.trim();
    let name = name.strip_prefix('/').unwrap_or(name);
    let arguments = element(text, "<command-args>", "</command-args>").map_or("", str::trim);
    let separator = if arguments.is_empty() { "" } else { " " };
    Some(Typed {
        text: Cow::Owned(format!("/{name}{separator}{arguments}")),
        command: Some(name),
    })
}

fn element<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(open)?;
    after.split_once(close).map(|(inside, _)| inside)
}

/// The text without the blocks that the harness slips into it, and without the space that they leave at the ends.
pub fn without_reminders(text: &str) -> Cow<'_, str> {
    const OPEN: &str = "<system-reminder>";
    const CLOSE: &str = "</system-reminder>";
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN)
        && let Some((_, behind)) = after.split_once(CLOSE)
    {
        kept.push_str(before);
        rest = behind;
    }
    if rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    kept.push_str(rest);
    Cow::Owned(kept.trim().to_owned())
}

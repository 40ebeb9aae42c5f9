//! How a call has ended, as the text of its result says. Most results hold no other sign of it.

use crate::capture::json::{Extent, FromJson, Json, LateText, Reader, members, whole};
use crate::wire::slots::Text;
use bumpalo::Bump;
use std::borrow::Cow;

/// The outcome of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub is_error: bool,
    pub duration_ms: Option<u64>,
}

/// Results that begin like this are errors.
const ERRORS: [&str; 10] = [
    "exec_command failed",
    "write_stdin failed",
    "apply_patch verification failed",
    "failed to parse function arguments",
    "collab spawn failed",
    "aborted by user",
    "Script failed",
    "resources/list failed",
    "unsupported call",
    "unsupported custom tool call",
];

/// Ends what the harness writes above a tool's output.
const OUTPUT: &str = "\nOutput:";

/// What the harness writes there begins like this.
const HEADS: [&str; 3] = ["Exit code: ", "Chunk ID: ", WALL_TIME];
const WALL_TIME: &str = "Wall time";

members! {
    /// The result of a patch in older versions.
    struct OldResult<'a> {
        metadata: Metadata<'a> = "metadata",
    }

    struct Metadata<'a> {
        exit_code: Option<f64> = "exit_code",
        duration_seconds: Option<f64> = "duration_seconds",
    }

    struct Part<'a> {
        text: Option<Text<'a>> = "text",
    }

    /// The response of an MCP server.
    struct McpResponse<'a> {
        is_error: Option<bool> = "isError",
        content: Option<&'a [u8]> = "content",
    }
}

/// A result's text: a string, or the texts of a list joined by line feeds.
fn text_of<'a>(output: Json<'a>, arena: &'a Bump) -> Cow<'a, str> {
    let Ok(mut reader) = Reader::new(output, arena) else {
        return Cow::Borrowed("");
    };
    if output.bytes().first() == Some(&b'"') {
        let text = reader.string().ok().flatten();
        return text.map(Text::to_str).unwrap_or_default();
    }
    let parts = <&[Part<'_>]>::read(&mut reader).unwrap_or_default();
    let mut texts = parts.iter().filter_map(|part| part.text).map(Text::to_str);
    let first = texts.next().unwrap_or_default();
    texts.fold(first, |joined, text| joined + "\n" + text)
}

/// How a call with this result has ended.
pub fn outcome_of<'a>(output: Json<'a>, arena: &'a Bump) -> Outcome {
    let Some(text) = LateText::of(output, arena) else {
        return outcome_of_text(&text_of(output, arena));
    };
    // The head says it all. What begins with a brace is JSON as a whole.
    let decides = |text: &str| !text.starts_with('{') && text.contains(OUTPUT);
    let outcome = text.by_start(|text, extent| {
        let is_enough = extent == Extent::Whole || decides(text);
        is_enough.then(|| outcome_of_text(text))
    });
    outcome.unwrap_or_default()
}

/// How a call with a result of this text has ended.
fn outcome_of_text(text: &str) -> Outcome {
    if let Some(outcome) = old_result(text) {
        return outcome;
    }
    // An aborted call has no output: what it says stands below the time that it took.
    let (head, said) = match text.split_once(OUTPUT) {
        Some((head, _)) => (head, text),
        None if text.starts_with(WALL_TIME) => text.split_once('\n').unwrap_or((text, "")),
        None => ("", text),
    };
    let number = |line: &str, prefix: &str| -> Option<f64> {
        let rest = line.strip_prefix(prefix)?;
        rest.split(' ').next()?.parse().ok()
    };
    let first = |prefixes: [&str; 2]| {
        let mut found = head
            .lines()
            .flat_map(|line| prefixes.map(|prefix| number(line, prefix)))
            .flatten();
        found.next()
    };
    let exit_code = first(["Process exited with code ", "Exit code: "]);
    let seconds = first(["Wall time: ", "Wall time "]);
    Outcome {
        is_error: ERRORS.iter().any(|error| said.starts_with(error)) || exit_code.is_some_and(|code| code != 0.0),
        duration_ms: seconds.and_then(|seconds| whole(seconds * 1e3)),
    }
}

fn old_result(text: &str) -> Option<Outcome> {
    if !text.starts_with('{') {
        return None;
    }
    let arena = Bump::new();
    let Metadata {
        exit_code,
        duration_seconds,
        ..
    } = OldResult::of(text.as_bytes(), &arena).ok()?.metadata;
    Some(Outcome {
        is_error: exit_code? != 0.0,
        duration_ms: duration_seconds.and_then(|seconds| whole(seconds * 1e3)),
    })
}

/// Whether the response in a hook's payload is an error. That of a command holds only its output, so it doesn't say.
pub fn is_error_of_response(response: &[u8]) -> Option<bool> {
    let arena = Bump::new();
    if response.starts_with(b"{") {
        let response = McpResponse::of(response, &arena).ok()?;
        let is_answer = response.is_error.is_some() || response.content.is_some();
        return is_answer.then_some(response.is_error == Some(true));
    }
    let text = text_of(response.into(), &arena);
    let has_head = text.contains(OUTPUT) && HEADS.iter().any(|head| text.starts_with(head));
    has_head.then(|| outcome_of_text(&text).is_error)
}

//! The texts of user lines: which of them a human typed, and what remains of those without the harness's additions.

use std::borrow::Cow;

/// User texts that begin like this come from the harness.
const NOT_HUMAN_STARTS: [&str; 8] = [
    "<command-name>",
    "<local-command-stdout>",
    "<local-command-stderr>",
    ANNOUNCEMENT,
    "<bash-stdout>",
    NOTIFICATION,
    "Implement the following plan:",
    "Another Claude session sent a message:",
];

/// Begins the harness's message before a command that runs without the model.
const ANNOUNCEMENT: &str = "<local-command-caveat>";

/// Begins the harness's message about something that ran in the background.
const NOTIFICATION: &str = "<task-notification>";

/// User texts that are the harness's as a whole.
const NOT_HUMAN_TEXTS: [&str; 2] = [
    "[Request interrupted by user]",
    "[Request interrupted by user for tool use]",
];

/// Elements that the harness or an editor inserts into a human's text.
const ADDED: [&str; 5] = [
    "system-reminder",
    "ide_opened_file",
    "ide_selection",
    "ide_diagnostics",
    "ci-monitor-event",
];

/// Begins the tag around a paste.
const PASTE: &str = "<pasted_content";

/// Begins the tag at its end, which names the paste again in newer versions.
const PASTE_END: &str = "</pasted_content";

/// Commands of Claude Code itself, which aren't skills. If a skill's file has one of these names, the file wins.
const BUILT_IN: &[&str] = &[
    "add-dir",
    "agents",
    "allowed-tools",
    "app",
    "approved-tools",
    "bashes",
    "bug",
    "chrome",
    "clear",
    "color",
    "compact",
    "config",
    "context",
    "continue",
    "copy",
    "cost",
    "desktop",
    "diff",
    "doctor",
    "effort",
    "exit",
    "export",
    "extra-usage",
    "fast",
    "feedback",
    "fork",
    "help",
    "hooks",
    "ide",
    "init",
    "insights",
    "install-github-app",
    "install-slack-app",
    "keybindings",
    "login",
    "logout",
    "mcp",
    "memory",
    "migrate-installer",
    "mobile",
    "model",
    "new",
    "output-style",
    "passes",
    "permissions",
    "plan",
    "plugin",
    "plugins",
    "pr-comments",
    "privacy-settings",
    "quit",
    "release-notes",
    "reload-plugins",
    "remote-control",
    "remote-env",
    "rename",
    "reset",
    "resume",
    "review",
    "rewind",
    "sandbox",
    "security-review",
    "settings",
    "skills",
    "stats",
    "status",
    "statusline",
    "stickers",
    "tasks",
    "terminal-setup",
    "theme",
    "todos",
    "upgrade",
    "usage",
    "vim",
    "voice",
];

/// Whether `/<name>` is a command of Claude Code itself.
pub fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

/// Whether a human types one of these commands with this prompt.
pub fn is_built_in_call(prompt: &str) -> bool {
    let name = prompt.trim_start().strip_prefix('/');
    name.is_some_and(|name| is_built_in(name.split_whitespace().next().unwrap_or_default()))
}

/// Whether a human may have written this text, which has been through `without_additions`.
pub fn is_human(text: &str) -> bool {
    let text = text.trim();
    let is_harness = text.is_empty()
        || (NOT_HUMAN_STARTS.iter().any(|start| text.starts_with(start)) && goal(text).is_none())
        || NOT_HUMAN_TEXTS.contains(&text);
    !is_harness
}

/// What a human set as a goal. It is written as a built-in command, but the agent works on it as on a prompt.
fn goal(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let is_goal = text.starts_with("<command-name>/goal</command-name>");
    let arguments = element(text, "<command-args>", "</command-args>").filter(|_| is_goal)?;
    Some(arguments.trim()).filter(|goal| !matches!(*goal, "" | "clear"))
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
    if let Some(goal) = goal(wrapped) {
        return Typed {
            text: Cow::Owned(format!("/goal {goal}")),
            command: None,
        };
    }
    if let Some(typed) = slash_command(wrapped) {
        return typed;
    }
    let text = match wrapped.strip_prefix("<bash-input>") {
        Some(command) => {
            let end = command.find("</bash-input>").unwrap_or(command.len());
            Cow::Owned(format!("!{}", &command[..end]))
        }
        None => without_pastes(text),
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

/// Whether the harness says with this text that a command follows that runs without the model.
pub fn announces_command(text: &str) -> bool {
    text.starts_with(ANNOUNCEMENT)
}

/// The command `x` that a text `/x …` names.
pub fn plain_command(text: &str) -> Option<&str> {
    text.strip_prefix('/')?.split(char::is_whitespace).next()
}

/// The subagent that a typed skill has started, as the notice after it says.
pub fn launched_subagent(notice: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Launch {
        #[serde(rename = "agentId")]
        agent_id: String,
    }
    let launch = element(notice, "<forked-skill-launch>", "</forked-skill-launch>")?;
    serde_json::from_str(launch).ok().map(|Launch { agent_id }| agent_id)
}

/// What a command has put out.
pub fn local_output(text: &str) -> Option<&str> {
    element(text, "<local-command-stdout>", "</local-command-stdout>")
}

fn element<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(open)?;
    after.split_once(close).map(|(inside, _)| inside)
}

/// Removes the elements that the harness and editors insert into a text, and the space that they leave at its ends.
pub fn without_additions(text: &str) -> Cow<'_, str> {
    let mut kept = Cow::Borrowed(text);
    if !text.contains('<') {
        return kept;
    }
    for name in ADDED {
        if let Some(without) = without_elements(&kept, &format!("<{name}>"), &format!("</{name}>")) {
            kept = Cow::Owned(without);
        }
    }
    match kept {
        Cow::Owned(kept) => Cow::Owned(kept.trim().to_owned()),
        borrowed => borrowed,
    }
}

/// The text without its closed elements. `None` if it has none.
fn without_elements(text: &str, open: &str, close: &str) -> Option<String> {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open)
        && let Some((_, behind)) = after.split_once(close)
    {
        kept.push_str(before);
        rest = behind;
    }
    (rest.len() < text.len()).then(|| kept + rest)
}

/// Removes pastes from a text. If the whole text is a paste, removes only its tags.
fn without_pastes(text: &str) -> Cow<'_, str> {
    let mut words = String::new();
    let mut pastes = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(PASTE)
        && let Some((_, paste)) = after.split_once('>')
    {
        // The harness cuts a long text, and with it the end of a paste.
        let (paste, end) = paste.split_once(PASTE_END).unwrap_or((paste, ""));
        let behind = end.split_once('>').map_or("", |(_, behind)| behind);
        words.push_str(before);
        pastes.push_str(paste);
        rest = behind;
    }
    if rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    words.push_str(rest);
    let shown = if words.trim().is_empty() { pastes } else { words };
    Cow::Owned(shown.trim().to_owned())
}

/// The harness's message about something that ran in the background.
pub struct Notification<'a> {
    pub tool_use_id: &'a str,
    pub duration_ms: Option<f64>,
}

/// Reads the harness's message about something that ran in the background.
pub fn notification(text: &str) -> Option<Notification<'_>> {
    let text = text.trim_start();
    if !text.starts_with(NOTIFICATION) {
        return None;
    }
    let tool_use_id = element(text, "<tool-use-id>", "</tool-use-id>")?.trim();
    let duration = element(text, "<duration_ms>", "</duration_ms>");
    Some(Notification {
        tool_use_id,
        duration_ms: duration.and_then(|duration| duration.trim().parse().ok()),
    })
}

/// The folder of a skill that the harness has loaded.
pub fn skill_folder(text: &str) -> Option<&str> {
    let folder = text.strip_prefix("Base directory for this skill: ")?;
    folder.lines().next().map(str::trim_end)
}

/// Results of calls that never ran: the human, a rule, or the failure of a sibling has prevented them.
const NEVER_RAN: [&str; 10] = [
    "The user doesn't want to proceed",
    "The user doesn't want to take this action",
    "User rejected",
    "The agent proposed a plan that was rejected by the user",
    "[Request interrupted by user",
    "Permission to use ",
    "Permission for this tool use was denied",
    "Cancelled: parallel tool call",
    "Sibling tool call errored",
    "Tool execution cancelled",
];

/// Whether a failed call's result says that the call never ran.
pub fn never_ran(result: &str) -> bool {
    let result = result.trim_start();
    let result = result.strip_prefix("<tool_use_error>").unwrap_or(result);
    let start = NEVER_RAN.iter().find(|start| result.starts_with(**start));
    // A tool's own error could begin like this one.
    start.is_some_and(|start| *start != "Permission to use " || result.contains("denied"))
}

/// Begins what the harness writes in the place of a human's words if he would rather talk about an agent's questions.
const CLARIFICATION: &str = "The user wants to clarify these questions.";

/// The human's words in the result of a call that he has rejected.
pub fn words_of_rejection(result: &str) -> Option<&str> {
    let (_, words) = result
        .split_once("the user said:")
        .or_else(|| result.split_once("The user said:"))?;
    let words = words
        .split("\n\nNote: The user's next message")
        .next()
        .unwrap_or_default()
        .trim();
    (!words.is_empty() && !words.starts_with(CLARIFICATION)).then_some(words)
}

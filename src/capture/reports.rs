//! What each agent can report. docs/agents.md and the dashboard show this table, and it is written into both.

/// How an agent reports each field. `None`: it can't, so the field stays unset.
#[derive(Debug)]
pub struct Reports {
    /// Attribute `tool` of its events.
    pub name: &'static str,
    /// What the model thinks, as `ThinkingMessage`.
    pub thoughts: Option<&'static str>,
    /// Field `model`.
    pub model: Option<&'static str>,
    /// Field `error`: where it is from.
    pub error: Option<&'static str>,
    /// Field `observed_duration_ms`.
    pub observed_duration: Option<&'static str>,
    /// Field `reported_duration_ms`.
    pub reported_duration: Option<&'static str>,
    /// The file of a skill that is used.
    pub skill_file: Option<&'static str>,
    /// The events of subagents: where they stand.
    pub subagents: Option<&'static str>,
}

/// A field that an agent always reports, and there is no more to say about it.
const YES: Option<&str> = Some("yes");
const FILES_OF_THEIR_OWN: Option<&str> = Some("files of their own, same session");
const IN_THE_SAME_FILE: Option<&str> = Some("in the same file");

/// The agents, in the order of the docs.
pub const REPORTS: &[Reports] = &[
    Reports {
        name: "claude",
        thoughts: YES,
        model: YES,
        error: Some("the result's flag"),
        observed_duration: YES,
        reported_duration: Some("some tools, hooks"),
        skill_file: YES,
        subagents: FILES_OF_THEIR_OWN,
    },
    Reports {
        name: "codex",
        thoughts: Some("summaries"),
        model: YES,
        error: Some("status, exit code, or the result's text"),
        observed_duration: YES,
        reported_duration: Some("most calls"),
        skill_file: Some("skills that a human names"),
        subagents: Some("files of their own, which name the session"),
    },
    Reports {
        name: "github-copilot-cli",
        thoughts: YES,
        model: YES,
        error: Some("flag or exit code"),
        observed_duration: YES,
        reported_duration: Some("subagents"),
        skill_file: YES,
        subagents: IN_THE_SAME_FILE,
    },
    Reports {
        name: "github-copilot",
        thoughts: YES,
        model: Some("where the file says it"),
        error: Some("flag or exit code"),
        observed_duration: YES,
        reported_duration: Some("subagents"),
        skill_file: YES,
        subagents: IN_THE_SAME_FILE,
    },
    Reports {
        name: "gemini",
        thoughts: YES,
        model: YES,
        error: Some("status or exit code"),
        observed_duration: Some("with the approval, and the slowest call of a group"),
        reported_duration: None,
        skill_file: None,
        subagents: FILES_OF_THEIR_OWN,
    },
    Reports {
        name: "qwen",
        thoughts: YES,
        model: YES,
        error: Some("status or exit code"),
        observed_duration: YES,
        reported_duration: YES,
        skill_file: None,
        subagents: FILES_OF_THEIR_OWN,
    },
    Reports {
        name: "opencode",
        thoughts: YES,
        model: YES,
        error: Some("status or exit code"),
        observed_duration: YES,
        reported_duration: YES,
        skill_file: Some("where the result names its folder"),
        subagents: Some("sessions of their own"),
    },
    Reports {
        name: "kimi",
        thoughts: YES,
        model: YES,
        error: Some("the result's flag"),
        observed_duration: YES,
        reported_duration: YES,
        skill_file: YES,
        subagents: FILES_OF_THEIR_OWN,
    },
    Reports {
        name: "droid",
        thoughts: YES,
        model: None,
        error: Some("the result's flag"),
        observed_duration: YES,
        reported_duration: None,
        skill_file: None,
        subagents: None,
    },
    Reports {
        name: "pi",
        thoughts: YES,
        model: YES,
        error: Some("the result's flag"),
        observed_duration: YES,
        reported_duration: None,
        skill_file: None,
        subagents: None,
    },
    Reports {
        name: "cursor",
        thoughts: Some("hooks"),
        model: Some("hooks"),
        error: Some("hooks, exit code"),
        observed_duration: None,
        reported_duration: Some("hooks"),
        skill_file: None,
        subagents: None,
    },
];

#[cfg(test)]
mod tests {
    use super::REPORTS;
    use crate::capture::agents;

    #[test]
    fn every_agent_that_is_read_has_a_row() {
        for agent in agents::ALL {
            assert!(REPORTS.iter().any(|row| row.name == agent.name), "{}", agent.name);
        }
    }
}

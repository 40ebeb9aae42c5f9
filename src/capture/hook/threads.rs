//! The states of a session whose subagents have files of their own that their hooks name: one for each file.

use crate::capture::snapshot::StateError;

/// The most subagents of a session that are remembered. The file of a forgotten one is read again from its start, and
/// its events come again with equal ids.
const MOST: usize = 64;

/// The states of a session's files. As text, the first line is that of the session's own file, and each other one is a
/// subagent's, after its name.
#[derive(Debug, Default)]
pub(super) struct Threads<'a> {
    main: &'a str,
    subagents: Vec<(&'a str, &'a str)>,
}

impl<'a> Threads<'a> {
    pub fn read(text: &'a str) -> Result<Threads<'a>, StateError> {
        let mut lines = text.split('\n');
        let main = lines.next().unwrap_or_default();
        let subagents = lines.map(|line| line.split_once(' ').ok_or(StateError::Malformed));
        let subagents = subagents.collect::<Result<Vec<_>, _>>()?;
        if main.is_empty() && subagents.is_empty() {
            return Err(StateError::Malformed);
        }
        Ok(Threads { main, subagents })
    }

    /// The state of a subagent's file, or of the session's own.
    pub fn state(&self, subagent: Option<&str>) -> Option<&'a str> {
        let Some(name) = subagent else {
            return Some(self.main).filter(|main| !main.is_empty());
        };
        let mut subagents = self.subagents.iter();
        subagents.find(|(known, _)| *known == name).map(|(_, state)| *state)
    }

    /// The text with this state in the place of an earlier one.
    pub fn with(mut self, subagent: Option<&str>, state: &str) -> String {
        let main = if subagent.is_none() { state } else { self.main };
        if let Some(name) = subagent {
            self.subagents.retain(|(known, _)| *known != name);
        }
        let latest = subagent.map(|name| (name, state));
        let dropped = (self.subagents.len() + usize::from(latest.is_some())).saturating_sub(MOST);
        let mut text = main.to_owned();
        for (name, state) in self.subagents.into_iter().skip(dropped).chain(latest) {
            text.push('\n');
            text.push_str(name);
            text.push(' ');
            text.push_str(state);
        }
        text
    }
}

//! Captures any bytes as a hook's payload, and any text as its state. Must never panic, and must accept the states that it
//! returns.
#![no_main]

use git_ai_metrics::capture::agents::ALL;
use git_ai_metrics::capture::hook::{HookSetting, capture_hook};
use libfuzzer_sys::fuzz_target;

/// The most calls that one payload can list.
const MOST_CALLS: usize = 256;

fn setting() -> HookSetting {
    HookSetting {
        received_at_ms: 1_775_587_555_123,
        ..HookSetting::default()
    }
}

fuzz_target!(|payload: &[u8]| {
    // Skip payloads that could name a file on this machine as their transcript.
    if payload.windows(10).any(|window| window == b"transcript") || payload.contains(&b'\\') {
        return;
    }
    if let Ok(state) = std::str::from_utf8(payload) {
        let refused = capture_hook("cursor", br#"{"session_id":"0c1d"}"#, None, setting(), Some(state));
        // The first line is about the session's own file, the others about subagents that this hook doesn't name.
        let own = state.split('\n').next().unwrap_or_default();
        assert!(refused.is_err() || own.is_empty() || own.contains("prompt_id"));
    }
    // Any agent, or one that has no reader.
    let agent = ALL.get(payload.len() % (ALL.len() + 1)).map_or("cursor", |agent| agent.name);
    let Ok((first, state)) = capture_hook(agent, payload, None, setting(), None) else {
        return;
    };
    assert!(first.events.len() <= MOST_CALLS);
    let (second, _) = capture_hook(agent, payload, None, setting(), Some(&state)).expect("a state that was given out");
    assert!(second.events.len() <= MOST_CALLS);
    let (Some(first), Some(second)) = (first.events.last(), second.events.first()) else {
        return;
    };
    // Only the hooks of one call share an event.
    assert_ne!(second.values.event_id, first.values.event_id);
    assert_eq!(second.values.parent_id, Some(first.values.event_id.clone().flatten()));
});

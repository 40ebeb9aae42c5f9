//! One line of a transcript: the members that events come from.

use crate::wire::json::{Cursor, JsonError};
use crate::wire::slots::Text;
use bumpalo::{Bump, collections::Vec as BumpVec};

/// A line's kind, by its `type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineKind {
    User,
    Assistant,
    Progress,
    /// None of the many other types makes an event.
    #[default]
    Other,
}

/// A line, borrowed from its bytes and from an arena. A member of an unexpected type counts as absent.
#[derive(Debug, Default)]
pub struct Line<'a> {
    pub kind: LineKind,
    /// Unix milliseconds.
    pub time: Option<i64>,
    pub cwd: Option<Text<'a>>,
    /// Marks of a user line that no human wrote.
    pub not_human: NotHuman,
    pub message: Message<'a>,
    /// On a user line that carries a tool's result.
    pub tool_use_result: ToolUseResult,
    pub progress: Progress,
    /// On a progress line: the call that it belongs to.
    pub parent_tool_use_id: Option<Text<'a>>,
}

impl Line<'_> {
    /// Whether a line of this kind, with `rest` after its type, can make or change an event.
    fn matters(&self, rest: &[u8]) -> bool {
        match self.kind {
            LineKind::User | LineKind::Assistant => true,
            LineKind::Progress => {
                // Most are output or a subagent's messages. An MCP call's data comes before or after the type.
                self.progress.is_mcp || memchr::memmem::find(rest, MCP_PROGRESS).is_some()
            }
            LineKind::Other => false,
        }
    }
}

const MCP_PROGRESS: &[u8] = b"mcp_progress";

/// The harness's marks of who wrote a user line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotHuman {
    pub is_meta: bool,
    pub is_compact_summary: bool,
    pub is_sidechain: bool,
    pub has_plan: bool,
    /// `origin.kind` is other than `human`.
    pub other_origin: bool,
}

impl NotHuman {
    pub fn any(self) -> bool {
        self != NotHuman::default()
    }
}

#[derive(Debug, Default)]
pub struct Message<'a> {
    pub model: Option<Text<'a>>,
    pub content: Content<'a>,
}

#[derive(Debug, Default)]
pub enum Content<'a> {
    #[default]
    None,
    Text(Text<'a>),
    Blocks(&'a [Block<'a>]),
}

/// One block of a message. Which members count depends on its `type`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Block<'a> {
    pub ty: Option<Text<'a>>,
    pub text: Option<Text<'a>>,
    pub thinking: Option<Text<'a>>,
    pub id: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    /// The input's JSON as it stands.
    pub input: Option<&'a [u8]>,
    pub tool_use_id: Option<Text<'a>>,
    /// Absent means success.
    pub is_error: bool,
}

impl Block<'_> {
    pub fn is(&self, ty: &str) -> bool {
        self.ty.is_some_and(|text| text.bytes() == ty.as_bytes())
    }
}

/// The durations that a tool reports in `toolUseResult`, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToolUseResult {
    /// Glob and WebFetch.
    pub duration_ms: Option<u64>,
    /// Task and Agent.
    pub total_duration_ms: Option<u64>,
    /// WebSearch, which says seconds.
    pub duration_seconds: Option<u64>,
}

/// `data` of a progress line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub is_mcp: bool,
    /// `completed` or `failed`: only then the time is the call's.
    pub has_ended: bool,
    pub elapsed_ms: Option<u64>,
}

impl<'a> Line<'a> {
    /// Reads a line. Fails where it isn't one JSON object. If the type shows that nothing will come of the line, the rest
    /// isn't read: that is nearly a third of a transcript.
    pub fn parse(line: &'a [u8], arena: &'a Bump) -> Result<Line<'a>, JsonError> {
        let cursor = Cursor::new(line, arena)?;
        Reader { cursor, arena }.line(line)
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    arena: &'a Bump,
}

impl<'a> Reader<'a> {
    /// The last of duplicate keys wins, as everywhere: each key assigns, none adds. But a `type` that ends the reading hides
    /// another one after it.
    fn line(mut self, bytes: &'a [u8]) -> Result<Line<'a>, JsonError> {
        let mut line = Line::default();
        let mut more = self.cursor.open_object()?;
        while more {
            let key = self.cursor.key()?;
            self.member(key.bytes(), &mut line)?;
            if key.bytes() == b"type" && !line.matters(&bytes[self.cursor.position()..]) {
                return Ok(line);
            }
            more = self.cursor.next_member()?;
        }
        self.cursor.end()?;
        Ok(line)
    }

    fn member(&mut self, key: &[u8], line: &mut Line<'a>) -> Result<(), JsonError> {
        match key {
            b"type" => {
                line.kind = match self.string()?.map(Text::bytes) {
                    Some(b"user") => LineKind::User,
                    Some(b"assistant") => LineKind::Assistant,
                    Some(b"progress") => LineKind::Progress,
                    _ => LineKind::Other,
                }
            }
            b"timestamp" => line.time = self.string()?.and_then(unix_ms),
            b"cwd" => line.cwd = self.string()?,
            b"isMeta" => line.not_human.is_meta = self.bool()?,
            b"isCompactSummary" => line.not_human.is_compact_summary = self.bool()?,
            b"isSidechain" => line.not_human.is_sidechain = self.bool()?,
            b"planContent" => line.not_human.has_plan = self.cursor.skip_value()? != b"null",
            b"origin" => line.not_human.other_origin = self.other_origin()?,
            b"message" => line.message = self.message()?,
            b"toolUseResult" => line.tool_use_result = self.tool_use_result()?,
            b"data" => line.progress = self.progress()?,
            b"parentToolUseID" => line.parent_tool_use_id = self.string()?,
            _ => drop(self.cursor.skip_value()?),
        }
        Ok(())
    }

    fn message(&mut self) -> Result<Message<'a>, JsonError> {
        let mut message = Message::default();
        self.members_of_object(|reader, key| {
            match key {
                b"model" => message.model = reader.string()?,
                b"content" => message.content = reader.content()?,
                _ => drop(reader.cursor.skip_value()?),
            }
            Ok(())
        })?;
        Ok(message)
    }

    fn content(&mut self) -> Result<Content<'a>, JsonError> {
        match self.cursor.peek() {
            Some(b'"') => Ok(Content::Text(self.cursor.string()?)),
            Some(b'[') => {
                let mut blocks = BumpVec::new_in(self.arena);
                let mut more = self.cursor.open_array()?;
                while more {
                    blocks.push(self.block()?);
                    more = self.cursor.next_element()?;
                }
                Ok(Content::Blocks(blocks.into_bump_slice()))
            }
            _ => {
                self.cursor.skip_value()?;
                Ok(Content::None)
            }
        }
    }

    fn block(&mut self) -> Result<Block<'a>, JsonError> {
        let mut block = Block::default();
        self.members_of_object(|reader, key| {
            match key {
                b"type" => block.ty = reader.string()?,
                b"text" => block.text = reader.string()?,
                b"thinking" => block.thinking = reader.string()?,
                b"id" => block.id = reader.string()?,
                b"name" => block.name = reader.string()?,
                b"input" => block.input = Some(reader.cursor.skip_value()?),
                b"tool_use_id" => block.tool_use_id = reader.string()?,
                b"is_error" => block.is_error = reader.bool()?,
                _ => drop(reader.cursor.skip_value()?),
            }
            Ok(())
        })?;
        Ok(block)
    }

    fn tool_use_result(&mut self) -> Result<ToolUseResult, JsonError> {
        let mut result = ToolUseResult::default();
        self.members_of_object(|reader, key| {
            match key {
                b"durationMs" => result.duration_ms = reader.number()?.and_then(whole),
                b"totalDurationMs" => result.total_duration_ms = reader.number()?.and_then(whole),
                b"durationSeconds" => {
                    result.duration_seconds = reader.number()?.and_then(|seconds| whole(seconds * 1000.0));
                }
                _ => drop(reader.cursor.skip_value()?),
            }
            Ok(())
        })?;
        Ok(result)
    }

    fn progress(&mut self) -> Result<Progress, JsonError> {
        let mut progress = Progress::default();
        self.members_of_object(|reader, key| {
            match key {
                b"type" => progress.is_mcp = reader.string()?.is_some_and(|ty| ty.bytes() == MCP_PROGRESS),
                b"status" => {
                    let status = reader.string()?;
                    progress.has_ended =
                        status.is_some_and(|status| matches!(status.bytes(), b"completed" | b"failed"));
                }
                b"elapsedTimeMs" => progress.elapsed_ms = reader.number()?.and_then(whole),
                _ => drop(reader.cursor.skip_value()?),
            }
            Ok(())
        })?;
        Ok(progress)
    }

    fn other_origin(&mut self) -> Result<bool, JsonError> {
        let mut other = false;
        self.members_of_object(|reader, key| {
            match key {
                b"kind" => other = reader.string()?.is_some_and(|kind| kind.bytes() != b"human"),
                _ => drop(reader.cursor.skip_value()?),
            }
            Ok(())
        })?;
        Ok(other)
    }

    /// Gives each member's key to `member`, which must consume its value.
    fn members(&mut self, mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), JsonError>) -> Result<(), JsonError> {
        let mut more = self.cursor.open_object()?;
        while more {
            let key = self.cursor.key()?;
            member(self, key.bytes())?;
            more = self.cursor.next_member()?;
        }
        Ok(())
    }

    /// The same where the value may be something other than an object, which is skipped.
    fn members_of_object(
        &mut self,
        member: impl FnMut(&mut Self, &[u8]) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.cursor.peek() == Some(b'{') {
            self.members(member)
        } else {
            self.cursor.skip_value().map(drop)
        }
    }

    fn string(&mut self) -> Result<Option<Text<'a>>, JsonError> {
        if self.cursor.peek() == Some(b'"') {
            return self.cursor.string().map(Some);
        }
        self.cursor.skip_value()?;
        Ok(None)
    }

    /// Whether `true` comes next.
    fn bool(&mut self) -> Result<bool, JsonError> {
        Ok(self.cursor.skip_value()? == b"true")
    }

    fn number(&mut self) -> Result<Option<f64>, JsonError> {
        let raw = self.cursor.skip_value()?;
        // A string's text begins with a quote, so nothing but a number parses as one.
        Ok(std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok()))
    }
}

/// The nearest whole number of milliseconds. `None` for a number that is no duration.
pub(in crate::capture) fn whole(ms: f64) -> Option<u64> {
    const LARGEST: f64 = crate::wire::table::MAX_SAFE_INTEGER as f64;
    (0.0..=LARGEST).contains(&ms).then(|| ms.round() as u64)
}

/// Unix milliseconds of an ISO 8601 time with its zone, as JavaScript writes them.
fn unix_ms(text: Text<'_>) -> Option<i64> {
    let text = std::str::from_utf8(text.bytes()).ok()?;
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_millisecond)
}

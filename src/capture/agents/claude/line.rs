//! One line of a transcript: the members that events come from.

use crate::capture::json::{Json, Reader, unix_ms, whole};
use crate::wire::json::JsonError;
use crate::wire::slots::Text;
use bumpalo::{Bump, collections::Vec as BumpVec};
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// A line's kind, by its `type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineKind {
    User,
    Assistant,
    Progress,
    Attachment,
    /// A step in the life of a prompt that was typed while the agent worked.
    Queue,
    /// A notice of the harness. Only the output of a command matters.
    System,
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
    /// The same time as text.
    pub timestamp: Option<Text<'a>>,
    pub uuid: Option<Text<'a>>,
    pub cwd: Option<Text<'a>>,
    pub branch: Option<Text<'a>>,
    /// On the lines of a subagent: its id.
    pub agent_id: Option<Text<'a>>,
    /// Marks of a user line that no human wrote.
    pub not_human: NotHuman,
    pub message: Message<'a>,
    /// On an assistant line that holds the text of an API's error.
    pub is_api_error: bool,
    pub thinking_ms: Option<u64>,
    /// On a user line that the harness wrote: the call that it belongs to.
    pub source_tool_use_id: Option<Text<'a>>,
    /// On a user line with a result: whether the call was refused before it ran.
    pub is_denied: bool,
    /// On a user line that carries a tool's result.
    pub tool_use_result: ToolUseResult<'a>,
    pub attachment: Attachment<'a>,
    /// On a queue operation.
    pub operation: Option<Text<'a>>,
    /// The same: the prompt. On a notice: its text.
    pub content: Option<Text<'a>>,
    pub progress: Progress,
    /// On a progress line: the call that it belongs to.
    pub parent_tool_use_id: Option<Text<'a>>,
}

impl Line<'_> {
    /// Whether a line of this kind, with `rest` after its type, can make or change an event.
    fn matters(&self, rest: &[u8]) -> bool {
        match self.kind {
            LineKind::User | LineKind::Assistant | LineKind::Attachment | LineKind::Queue => true,
            LineKind::Progress => {
                // Most are output or a subagent's messages. An MCP call's data comes before or after the type.
                self.progress.is_mcp || MCP_FINDER.find(rest).is_some()
            }
            LineKind::System => self.content.is_some() || memchr::memmem::find(rest, LOCAL_OUTPUT).is_some(),
            LineKind::Other => false,
        }
    }
}

const MCP_PROGRESS: &[u8] = b"mcp_progress";
const LOCAL_OUTPUT: &[u8] = b"<local-command-stdout>";
static MCP_FINDER: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(MCP_PROGRESS));

/// The harness's marks of who wrote a user line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotHuman {
    pub is_meta: bool,
    pub is_compact_summary: bool,
    pub is_sidechain: bool,
    pub has_plan: bool,
    /// `origin.kind` is other than `human`.
    pub other_origin: bool,
    /// `turnOrigin` is other than `human` and `sdk`.
    pub other_turn: bool,
    /// `promptSource` is `system`.
    pub by_system: bool,
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

#[derive(Clone, Copy, Debug, Default)]
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
    /// The input's JSON, unchanged.
    pub input: Option<&'a [u8]>,
    pub tool_use_id: Option<Text<'a>>,
    /// Absent means success.
    pub is_error: bool,
    /// A result's JSON, not parsed yet: most are long, and few are needed.
    pub content: Option<Json<'a>>,
}

impl Block<'_> {
    pub fn is(&self, ty: &str) -> bool {
        self.ty.is_some_and(|text| text.bytes() == ty.as_bytes())
    }
}

/// What a tool reports in `toolUseResult`. Durations are in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToolUseResult<'a> {
    /// The subagent that the call has started.
    pub agent_id: Option<Text<'a>>,
    /// The run of the workflow that the call has started.
    pub run_id: Option<Text<'a>>,
    /// The call continues in the background.
    pub is_launched: bool,
    /// Glob and WebFetch.
    pub duration_ms: Option<u64>,
    /// Task and Agent.
    pub total_duration_ms: Option<u64>,
    /// WebSearch, which says seconds.
    pub duration_seconds: Option<u64>,
}

/// `attachment` of an attachment line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attachment<'a> {
    pub ty: Option<Text<'a>>,
    pub mode: Option<Text<'a>>,
    pub prompt: Content<'a>,
    pub source_uuid: Option<Text<'a>>,
    pub other_origin: bool,
}

/// `data` of a progress line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub is_mcp: bool,
    /// `completed` or `failed`: only then the time is the call's.
    pub has_ended: bool,
    pub elapsed_ms: Option<u64>,
}

impl Attachment<'_> {
    /// Whether it is a prompt that a human typed while the agent worked.
    pub fn is_queued_prompt(&self) -> bool {
        let is = |text: Option<Text<'_>>, expected: &str| text.is_some_and(|text| text.bytes() == expected.as_bytes());
        is(self.ty, "queued_command") && is(self.mode, "prompt") && !self.other_origin
    }
}

/// The text of a result's content: a string, or the text blocks of an array.
pub fn text_of_json<'a>(json: Json<'a>, arena: &'a Bump) -> Content<'a> {
    Reader::new(json, arena)
        .and_then(|mut reader| reader.content())
        .unwrap_or_default()
}

impl<'a> Line<'a> {
    /// Reads a line. Fails where it isn't one JSON object. If the type shows that nothing will come of the line, the
    /// rest isn't read: that is nearly a third of a transcript.
    pub fn parse(line: Json<'a>, arena: &'a Bump) -> Result<Line<'a>, JsonError> {
        Reader::new(line, arena)?.line()
    }
}

impl<'a> Reader<'a> {
    /// The last of duplicate keys wins, as everywhere: each key assigns, none adds. But a `type` that ends the reading
    /// hides another one after it.
    fn line(mut self) -> Result<Line<'a>, JsonError> {
        let mut line = Line::default();
        let mut more = self.cursor.open_object()?;
        while more {
            let key = self.cursor.key_bytes()?;
            self.member(key, &mut line)?;
            if key == b"type" && !line.matters(self.cursor.rest()) {
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
                    Some(b"attachment") => LineKind::Attachment,
                    Some(b"queue-operation") => LineKind::Queue,
                    Some(b"system") => LineKind::System,
                    _ => LineKind::Other,
                }
            }
            b"timestamp" => {
                line.timestamp = self.string()?;
                line.time = line.timestamp.and_then(|time| unix_ms(time.bytes()));
            }
            b"uuid" => line.uuid = self.string()?,
            b"cwd" => line.cwd = self.string()?,
            b"gitBranch" => line.branch = self.string()?,
            b"agentId" => line.agent_id = self.string()?,
            b"isApiErrorMessage" => line.is_api_error = self.bool()?,
            b"thinkingDurationMs" => line.thinking_ms = self.number()?.and_then(whole),
            b"sourceToolUseID" => line.source_tool_use_id = self.string()?,
            b"toolDenialKind" => line.is_denied |= self.string()?.is_some(),
            b"permissionDecision" => line.is_denied |= self.is_refusal()?,
            b"attachment" => line.attachment = self.attachment()?,
            b"operation" => line.operation = self.string()?,
            b"content" => line.content = self.string()?,
            b"turnOrigin" => {
                let origin = self.string()?.map(Text::bytes);
                line.not_human.other_turn = !matches!(origin, None | Some(b"human" | b"sdk"));
            }
            b"promptSource" => line.not_human.by_system = self.string()?.map(Text::bytes) == Some(b"system"),
            b"isMeta" => line.not_human.is_meta = self.bool()?,
            b"isCompactSummary" => line.not_human.is_compact_summary = self.bool()?,
            b"isSidechain" => line.not_human.is_sidechain = self.bool()?,
            b"planContent" => line.not_human.has_plan = self.cursor.skip_value()? != b"null",
            b"origin" => line.not_human.other_origin = self.other_origin()?,
            b"message" => line.message = self.message()?,
            b"toolUseResult" => line.tool_use_result = self.tool_use_result()?,
            b"data" => line.progress = self.progress()?,
            b"parentToolUseID" => line.parent_tool_use_id = self.string()?,
            _ => self.skip()?,
        }
        Ok(())
    }

    fn message(&mut self) -> Result<Message<'a>, JsonError> {
        let mut message = Message::default();
        self.members_of_object(|reader, key| {
            match key {
                b"model" => message.model = reader.string()?,
                b"content" => message.content = reader.content()?,
                _ => reader.skip()?,
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
                b"content" => block.content = Some(Json::Skipped(reader.cursor.skip()?)),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(block)
    }

    fn tool_use_result(&mut self) -> Result<ToolUseResult<'a>, JsonError> {
        let mut result = ToolUseResult::default();
        self.members_of_object(|reader, key| {
            match key {
                b"agentId" => result.agent_id = reader.string()?,
                b"runId" => result.run_id = reader.string()?,
                b"isAsync" => result.is_launched |= reader.bool()?,
                b"status" => {
                    result.is_launched |= reader.string()?.map(Text::bytes) == Some(b"async_launched");
                }
                b"durationMs" => result.duration_ms = reader.number()?.and_then(whole),
                b"totalDurationMs" => result.total_duration_ms = reader.number()?.and_then(whole),
                b"durationSeconds" => {
                    result.duration_seconds = reader.number()?.and_then(|seconds| whole(seconds * 1000.0));
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(result)
    }

    /// A permission that was refused: `"deny"`, or an object that says so.
    fn is_refusal(&mut self) -> Result<bool, JsonError> {
        let is_no = |text: Option<Text<'a>>| matches!(text.map(Text::bytes), Some(b"deny" | b"reject"));
        if self.cursor.peek() == Some(b'"') {
            return Ok(is_no(self.string()?));
        }
        let mut is_refusal = false;
        self.members_of_object(|reader, key| {
            match key {
                b"decision" => is_refusal = is_no(reader.string()?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(is_refusal)
    }

    fn attachment(&mut self) -> Result<Attachment<'a>, JsonError> {
        let mut attachment = Attachment::default();
        self.members_of_object(|reader, key| {
            match key {
                b"type" => attachment.ty = reader.string()?,
                b"commandMode" => attachment.mode = reader.string()?,
                b"prompt" => attachment.prompt = reader.content()?,
                b"source_uuid" => attachment.source_uuid = reader.string()?,
                b"origin" => attachment.other_origin = reader.other_origin()?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(attachment)
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
                _ => reader.skip()?,
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
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(other)
    }
}

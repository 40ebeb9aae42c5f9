//! A strict JSON cursor over bytes. It reads each byte once, builds no tree of values and doesn't recurse.
//!
//! It accepts exactly what RFC 8259 and `JSON.parse` accept. Uploads come from the internet, and no general parser had
//! all that they need: the raw text of a value, full checks of skipped values, any depth of nesting, numbers
//! distinguished by their text (`1`, `1.0`, `1e0`), and lone surrogates kept.

use super::marks::Marks;
use super::plain::Plain;
use super::slots::{Text, TextKind, wtf8_surrogate};
use super::table::MAX_SAFE_INTEGER;
use bumpalo::Bump;
use std::mem::MaybeUninit;
use std::ptr;

/// A syntax error in a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Offset of the error in the text.
    pub at: usize,
    /// What was found or expected there.
    pub problem: &'static str,
}

impl JsonError {
    /// Returns the line and column of the error in `input`. Both count from 1; columns are characters.
    pub fn line_and_column(&self, input: &[u8]) -> (usize, usize) {
        let before = &input[..self.at.min(input.len())];
        let line_start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        // Continuation bytes belong to the character before them.
        let column = before[line_start..].iter().filter(|&&byte| byte & 0xC0 != 0x80).count() + 1;
        (line, column)
    }
}

/// A JSON number. Fields need only its text and its value as an unsigned integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a> {
    /// The number's text.
    pub raw: &'a [u8],
    /// The number's value if it is at most `MAX_SAFE_INTEGER` and its text has no sign, fraction or exponent.
    pub uint: Option<u64>,
}

/// A place in a JSON text. Every method checks the bytes that it consumes, so a text consumed to its end is valid JSON.
pub struct Cursor<'a> {
    input: &'a [u8],
    at: usize,
    arena: &'a Bump,
    marks: Marks<'a>,
    nesting: Nesting,
    /// Room in the arena for texts with escapes.
    room: Room<'a>,
    long: LongValues<'a>,
    /// After the last `\u` escape that was skipped.
    after_unicode: usize,
}

/// Where long strings and containers begin and end, in the order of their beginnings. Whoever reads a text a second time
/// needn't search them for their ends.
#[derive(Default)]
struct LongValues<'a> {
    /// Whether the values that are skipped are noted.
    notes: bool,
    noted: Vec<Span>,
    /// The place in `noted` of the innermost container that is still open.
    open: Option<usize>,
    /// Those that an earlier cursor has noted.
    known: &'a [Span],
}

/// From a value's first byte to the one after its last.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    /// Of a container that is still open: the place of the one around it, if there is one.
    end: usize,
}

/// Searching a shorter value takes no longer than a look-up, and the list must stay small beside the text.
const LONG: usize = 256;

/// Deeper containers aren't noted, so that a text of nothing but brackets doesn't fill the list. Nobody skips them alone.
const NOTED_DEPTH: usize = 6;

impl LongValues<'_> {
    /// Notes a string that has been skipped.
    #[inline]
    fn note(&mut self, start: usize, end: usize) {
        if self.notes && end - start >= LONG {
            self.noted.push(Span { start, end });
        }
    }

    /// Notes that a container begins.
    #[inline]
    fn open(&mut self, start: usize) {
        let end = self.open.unwrap_or(usize::MAX);
        self.open = Some(self.noted.len());
        self.noted.push(Span { start, end });
    }

    /// Notes the end of the container that began last.
    #[inline]
    fn close(&mut self, end: usize) {
        let Some(place) = self.open else {
            return;
        };
        let span = &mut self.noted[place];
        self.open = Some(span.end).filter(|&outer| outer != usize::MAX);
        span.end = end;
        if end - span.start < LONG {
            // Nothing in it is long either, so it is the last one.
            self.noted.truncate(place);
        }
    }

    /// Forgets what isn't before `start`, because it is read anew.
    #[inline]
    fn begin(&mut self, start: usize) {
        while self.noted.last().is_some_and(|last| last.start >= start) {
            self.noted.pop();
        }
    }

    /// The end of the value that begins at `start`, if it is known. Reading goes on, so earlier values are forgotten.
    #[inline]
    fn end_of(&mut self, start: usize) -> Option<usize> {
        while let [first, rest @ ..] = self.known {
            if first.start >= start {
                return (first.start == start).then_some(first.end);
            }
            self.known = rest;
        }
        None
    }
}

/// A value that a cursor has skipped, to be read later. It needn't be checked again.
#[derive(Clone, Copy)]
pub struct Skipped<'a> {
    /// The text up to the value's end.
    input: &'a [u8],
    start: usize,
    marks: Marks<'a>,
    known: &'a [Span],
    may_have_unicode: bool,
}

impl<'a> Skipped<'a> {
    /// Whether a string of it may have a `\u` escape.
    #[inline]
    pub fn may_have_unicode(&self) -> bool {
        self.may_have_unicode
    }

    /// Returns the value's text.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        &self.input[self.start..]
    }

    /// Starts at the value. Its end is the input's.
    #[inline]
    pub fn cursor(&self, arena: &'a Bump) -> Cursor<'a> {
        Cursor {
            input: self.input,
            at: self.start,
            arena,
            marks: self.marks,
            nesting: Nesting::default(),
            room: &mut [],
            long: LongValues {
                known: self.known,
                ..LongValues::default()
            },
            after_unicode: 0,
        }
    }
}

/// Parts of a string that is long, to look at before all of it is unescaped. `None` for a string of about this length or
/// less.
impl<'a> Skipped<'a> {
    /// Returns how the string begins, to about `length` bytes of its JSON.
    pub fn string_start(&self, length: usize, arena: &'a Bump) -> Option<Text<'a>> {
        let end = self.outside_escapes(length)?;
        let mut cursor = self.cursor(arena);
        cursor.input = &self.input[..self.start + end];
        cursor.long.known = &[];
        cursor.unescape().ok()
    }

    /// Returns how the string ends, from about `length` bytes of its JSON on.
    pub fn string_end(&self, length: usize, arena: &'a Bump) -> Option<Text<'a>> {
        let start = self.outside_escapes(self.bytes().len().checked_sub(length)?)?;
        let mut cursor = self.cursor(arena);
        cursor.at = self.start + start - 1;
        cursor.unusual_string().ok()
    }

    /// Returns a place in the string's JSON, at `place` or some bytes before it, that is neither in a character nor in an
    /// escape.
    fn outside_escapes(&self, mut place: usize) -> Option<usize> {
        /// A surrogate pair.
        const LONGEST_ESCAPE: usize = 12;
        const MOST_LOOKS: usize = 32;
        let json = self.bytes();
        for _ in 0..MOST_LOOKS {
            let is_inside = *json.get(place)? & 0xC0 == 0x80;
            let before = json.get(place.checked_sub(LONGEST_ESCAPE)?..place)?;
            match memchr::memrchr(b'\\', before) {
                None if !is_inside => return Some(place),
                None => place -= 1,
                Some(escape) => place -= LONGEST_ESCAPE - escape,
            }
        }
        None
    }
}

impl std::fmt::Debug for Skipped<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = String::from_utf8_lossy(self.bytes());
        formatter.debug_tuple("Skipped").field(&text).finish()
    }
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning of `input`. Fails if that isn't UTF-8. Strings with escapes are unescaped into `arena`.
    pub fn new(input: &'a [u8], arena: &'a Bump) -> Result<Self, JsonError> {
        let marks = Marks::new(input, arena);
        if !marks.ascii() && simdutf8::basic::from_utf8(input).is_err() {
            let at = std::str::from_utf8(input).err().map_or(0, |error| error.valid_up_to());
            return Err(JsonError {
                at,
                problem: "invalid UTF-8",
            });
        }
        Ok(Cursor {
            input,
            at: 0,
            arena,
            marks,
            nesting: Nesting::default(),
            room: &mut [],
            long: LongValues::default(),
            after_unicode: 0,
        })
    }

    /// Makes reading the values again faster that will be skipped.
    pub fn note_long_values(&mut self) {
        self.long.notes = true;
    }

    /// Forgets the values that have been noted, because nobody will read them again.
    #[inline]
    pub fn forget_long_values(&mut self) {
        self.long.noted.clear();
    }

    /// Returns a value that this cursor has skipped, to be read a second time. `None` if it isn't a part of this input.
    pub fn skipped<'b>(&'b self, value: &'b [u8]) -> Option<Skipped<'b>> {
        let start = value.as_ptr().addr().checked_sub(self.input.as_ptr().addr())?;
        let input = self.input.get(..start.checked_add(value.len())?)?;
        let noted = &self.long.noted;
        Some(Skipped {
            input,
            start,
            marks: self.marks,
            known: &noted[noted.partition_point(|span| span.start < start)..],
            may_have_unicode: self.after_unicode > start,
        })
    }

    /// Skips one value, to be read later.
    pub fn skip(&mut self) -> Result<Skipped<'a>, JsonError> {
        self.peek();
        let (start, known) = (self.at, self.long.known);
        self.skip_value()?;
        Ok(Skipped {
            input: &self.input[..self.at],
            start,
            marks: self.marks,
            known,
            // What was skipped by its known end hasn't been looked at.
            may_have_unicode: true,
        })
    }

    /// Returns the whole input for the fast path.
    #[inline]
    pub fn plain(&self) -> Plain<'a> {
        Plain {
            input: self.input,
            marks: self.marks,
        }
    }

    /// Skips white space and returns the next byte without consuming it.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        match self.input.get(self.at) {
            Some(&byte) if byte > b' ' => Some(byte),
            _ => self.peek_past_space(),
        }
    }

    // Not inlined, because clients write no white space.
    #[inline(never)]
    fn peek_past_space(&mut self) -> Option<u8> {
        loop {
            match self.input.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Returns the offset of the next byte.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Returns the text from `start` to the current position.
    #[inline]
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.input[start..self.at]
    }

    /// Returns what hasn't been read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    /// Goes back to `position`, which must come from [`position`](Self::position).
    #[inline]
    pub fn rewind(&mut self, position: usize) {
        self.at = position;
    }

    /// Consumes `text` if the input continues with exactly these bytes.
    #[inline]
    pub fn eat(&mut self, text: &[u8]) -> bool {
        let found = self.input[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    #[inline]
    fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.error(problem))
        }
    }

    #[inline]
    fn expect_here(&mut self, byte: u8, problem: &'static str) -> Result<(), JsonError> {
        if self.input.get(self.at) == Some(&byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.error(problem))
        }
    }

    #[cold]
    fn error(&self, problem: &'static str) -> JsonError {
        let problem = if self.at >= self.input.len() {
            "unexpected end"
        } else {
            problem
        };
        JsonError { at: self.at, problem }
    }

    /// Fails unless only white space is left.
    pub fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("expected the end")),
        }
    }

    /// Enters an object. Returns whether it has a first member.
    #[inline]
    pub fn open_object(&mut self) -> Result<bool, JsonError> {
        self.expect(b'{', "expected an object")?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Continues after a member. Returns `true` if another one follows and `false` if the object has ended.
    #[inline]
    pub fn next_member(&mut self) -> Result<bool, JsonError> {
        self.next_of(b'}', "expected `,` or `}`")
    }

    /// Enters an array. Returns whether it has a first element.
    #[inline]
    pub fn open_array(&mut self) -> Result<bool, JsonError> {
        self.expect(b'[', "expected an array")?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Continues after an element. Returns `true` if another one follows and `false` if the array has ended.
    #[inline]
    pub fn next_element(&mut self) -> Result<bool, JsonError> {
        self.next_of(b']', "expected `,` or `]`")
    }

    #[inline]
    fn next_of(&mut self, close: u8, problem: &'static str) -> Result<bool, JsonError> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.error(problem)),
        }
    }

    /// Reads a member's key and the colon after it.
    pub fn key(&mut self) -> Result<Text<'a>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a key"));
        }
        let key = self.string()?;
        self.colon()?;
        Ok(key)
    }

    /// Reads a member's key and the colon after it, without a look at the key's encoding.
    #[inline]
    pub fn key_bytes(&mut self) -> Result<&'a [u8], JsonError> {
        let start = self.at + 1;
        if self.peek() == Some(b'"') && start == self.at + 1 {
            let end = self.marks.next(start);
            if self.input.get(end) == Some(&b'"') {
                self.at = end + 1;
                self.colon()?;
                return Ok(&self.input[start..end]);
            }
        }
        Ok(self.key()?.bytes())
    }

    #[inline]
    fn colon(&mut self) -> Result<(), JsonError> {
        self.expect(b':', "expected `:`")
    }

    /// Reads a string. The cursor must be at its opening quote.
    #[inline]
    pub fn string(&mut self) -> Result<Text<'a>, JsonError> {
        match self.plain().string(self.at) {
            Some((text, end)) => {
                self.at = end;
                Ok(text)
            }
            None => self.unusual_string(),
        }
    }

    /// Reads a string that has escapes, or fails.
    // Not inlined, so that strings without escapes don't pay for its registers.
    #[inline(never)]
    fn unusual_string(&mut self) -> Result<Text<'a>, JsonError> {
        let text = self.unescape()?;
        self.expect_here(b'"', "control character in a string")?;
        Ok(text)
    }

    /// Unescapes what follows the next byte, up to the string's end or the input's.
    #[inline]
    fn unescape(&mut self) -> Result<Text<'a>, JsonError> {
        let text = self.plain();
        let mut out = Unescaped {
            room: std::mem::take(&mut self.room),
            length: 0,
            arena: self.arena,
        };
        if let Some(end) = self.long.end_of(self.at) {
            out.expect(end - self.at);
        }
        let mut run = self.at + 1;
        let mut narrowest = TextKind::Ascii;
        loop {
            // The marks may go on beyond the input; see `Skipped`.
            let end = text.marks.next(run).min(text.input.len());
            out.push_run(text.input, run, end);
            if text.input.get(end) != Some(&b'\\') {
                self.at = end;
                break;
            }
            match text.input.get(end + 1).map(|&byte| UNESCAPED[usize::from(byte)]) {
                Some(byte) if byte != 0 => {
                    run = end + 2;
                    out.push_byte(byte);
                }
                _ => {
                    self.at = end + 1;
                    narrowest = self.unicode_escape(narrowest, &mut out)?;
                    run = self.at;
                }
            }
        }
        let (bytes, room) = out.finish();
        self.room = room;
        let kind = match narrowest {
            TextKind::Ascii => text.kind_of(bytes),
            wider => wider,
        };
        Ok(Text::new(bytes, kind))
    }

    /// Unescapes a `\u` escape from its `u`, and the second half of a surrogate pair if it follows. Returns the encoding that
    /// the text now needs, which was `kind` before.
    #[inline(never)]
    fn unicode_escape(&mut self, kind: TextKind, out: &mut Unescaped<'a>) -> Result<TextKind, JsonError> {
        if self.input.get(self.at) != Some(&b'u') {
            return Err(self.error("invalid escape"));
        }
        self.at += 1;
        let unit = self.hex4()?;
        let mut code = u32::from(unit);
        if (0xD800..0xDC00).contains(&code) && self.input[self.at..].starts_with(b"\\u") {
            let after_first = self.at;
            self.at += 2;
            let second = u32::from(self.hex4()?);
            if (0xDC00..0xE000).contains(&second) {
                code = 0x10000 + ((code - 0xD800) << 10 | (second - 0xDC00));
            } else {
                self.at = after_first;
            }
        }
        match char::from_u32(code) {
            Some(character) => {
                out.push(character.encode_utf8(&mut [0; 4]).as_bytes());
                let wider = kind == TextKind::Ascii && !character.is_ascii();
                Ok(if wider { TextKind::Utf8 } else { kind })
            }
            None => {
                out.push(&wtf8_surrogate(unit));
                Ok(TextKind::Wtf8)
            }
        }
    }

    fn hex4(&mut self) -> Result<u16, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = match self.input.get(self.at) {
                Some(digit @ b'0'..=b'9') => digit - b'0',
                Some(digit @ b'a'..=b'f') => digit - b'a' + 10,
                Some(digit @ b'A'..=b'F') => digit - b'A' + 10,
                _ => return Err(self.error("invalid \\u escape")),
            };
            code = code << 4 | u16::from(digit);
            self.at += 1;
        }
        Ok(code)
    }

    /// Skips a short string without escapes, if one is next.
    #[inline]
    pub fn skip_short_string(&mut self) -> bool {
        let end = match self.input.get(self.at) {
            Some(b'"') => self.marks.next_near(self.at + 1),
            _ => None,
        };
        match end {
            Some(end) if self.input.get(end) == Some(&b'"') => {
                self.at = end + 1;
                true
            }
            _ => false,
        }
    }

    /// Skips a string. Checks its escapes but doesn't unescape them.
    #[inline]
    fn skip_string(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if let Some(end) = self.long.end_of(start) {
            self.at = end;
            return Ok(());
        }
        self.at = self.marks.next(self.at + 1);
        while self.input.get(self.at) != Some(&b'"') {
            self.skip_escape()?;
            self.at = self.marks.next(self.at);
        }
        self.at += 1;
        self.long.note(start, self.at);
        Ok(())
    }

    #[inline]
    fn skip_escape(&mut self) -> Result<(), JsonError> {
        if self.input.get(self.at) != Some(&b'\\') {
            return Err(self.error("control character in a string"));
        }
        self.at += 1;
        match self.input.get(self.at) {
            Some(&byte) if UNESCAPED[usize::from(byte)] != 0 => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                self.hex4()?;
                // An event can be read twice.
                self.after_unicode = self.after_unicode.max(self.at);
            }
            _ => return Err(self.error("invalid escape")),
        }
        Ok(())
    }

    /// Reads a number. The cursor must be at a digit or `-`.
    #[inline]
    pub fn number(&mut self) -> Result<Number<'a>, JsonError> {
        let start = self.at;
        match self.plain().uint(start) {
            Some((uint, end)) => {
                self.at = end;
                Ok(Number {
                    raw: self.since(start),
                    uint: Some(uint),
                })
            }
            None => self.unusual_number(),
        }
    }

    /// Reads a number of any form, or fails if it isn't one.
    #[inline(never)]
    fn unusual_number(&mut self) -> Result<Number<'a>, JsonError> {
        let start = self.at;
        let mut integer = !self.eat(b"-");
        if !self.eat(b"0") {
            self.digits()?;
        } else if let Some(b'0'..=b'9') = self.input.get(self.at) {
            return Err(self.error("leading zero"));
        }
        if self.eat(b".") {
            integer = false;
            self.digits()?;
        }
        if self.eat(b"e") || self.eat(b"E") {
            integer = false;
            if !self.eat(b"+") {
                self.eat(b"-");
            }
            self.digits()?;
        }
        let raw = self.since(start);
        let uint = || {
            // No more digits than the largest integer has, so this doesn't overflow.
            let digits = Some(raw).filter(|raw| integer && raw.len() <= MAX_SAFE_INTEGER.ilog10() as usize + 1)?;
            let uint = digits.iter().fold(0, |uint, digit| uint * 10 + u64::from(digit - b'0'));
            Some(uint).filter(|&uint| uint <= MAX_SAFE_INTEGER)
        };
        Ok(Number { raw, uint: uint() })
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let count = self.input[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += count;
        if count == 0 {
            Err(self.error("expected a digit"))
        } else {
            Ok(())
        }
    }

    fn literal(&mut self, text: &'static [u8]) -> Result<(), JsonError> {
        if self.eat(text) {
            Ok(())
        } else {
            Err(self.error("expected a value"))
        }
    }

    /// Reads `null`.
    #[inline]
    pub fn null(&mut self) -> Result<(), JsonError> {
        self.literal(b"null")
    }

    /// Reads `true` or `false`.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, JsonError> {
        if self.eat(b"true") {
            return Ok(true);
        }
        self.literal(b"false")?;
        Ok(false)
    }

    /// Reads one value of any kind and depth as text, which is ASCII or UTF-8.
    pub fn raw_value(&mut self) -> Result<Text<'a>, JsonError> {
        let raw = self.skip_value()?;
        Ok(Text::new(raw, self.plain().kind_of(raw)))
    }

    /// Skips one value of any kind and depth and returns its text.
    // Not inlined, so that the loops over known fields stay small.
    #[inline(never)]
    pub fn skip_value(&mut self) -> Result<&'a [u8], JsonError> {
        let first = self.peek();
        let start = self.at;
        if self.long.notes {
            self.long.begin(start);
        }
        let skipped = match first {
            Some(b'{' | b'[') => self.skip_container(),
            _ => self.skip_scalar(first),
        };
        if skipped.is_err() {
            // The ends of containers that are still open aren't known.
            self.long.noted.clear();
        }
        skipped.map(|()| self.since(start))
    }

    /// Skips an object or an array.
    #[inline]
    fn skip_container(&mut self) -> Result<(), JsonError> {
        self.nesting.clear();
        self.long.open = None;
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if let Some(end) = self.long.end_of(self.at) {
                        self.at = end;
                    } else if self.open(open)? {
                        continue;
                    }
                }
                scalar => self.skip_scalar(scalar)?,
            }
            // A value has ended: a scalar, an empty container or one whose end is known.
            if !self.skip_to_next()? {
                return Ok(());
            }
        }
    }

    /// Enters a container and stops before its first value. Returns `false` if it is empty.
    #[inline]
    fn open(&mut self, open: u8) -> Result<bool, JsonError> {
        let start = self.at;
        let (container, close) = match open {
            b'{' => (Container::Object, b'}'),
            _ => (Container::Array, b']'),
        };
        self.at += 1;
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        if self.long.notes && self.nesting.depth < NOTED_DEPTH {
            self.long.open(start);
        }
        self.nesting.push(container);
        if container == Container::Object {
            self.skip_key()?;
        }
        Ok(true)
    }

    /// Continues after a value: closes all containers that end here and stops before the next value. Returns `false`
    /// once all containers are closed.
    #[inline]
    fn skip_to_next(&mut self) -> Result<bool, JsonError> {
        while let Some(container) = self.nesting.top() {
            match container {
                Container::Object => {
                    if self.next_member()? {
                        self.skip_key()?;
                        return Ok(true);
                    }
                }
                Container::Array => {
                    if self.next_element()? {
                        return Ok(true);
                    }
                }
            }
            self.nesting.pop();
            if self.long.notes && self.nesting.depth < NOTED_DEPTH {
                self.long.close(self.at);
            }
        }
        Ok(false)
    }

    #[inline]
    fn skip_key(&mut self) -> Result<(), JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a key"));
        }
        self.skip_string()?;
        self.colon()
    }

    #[inline]
    fn skip_scalar(&mut self, first: Option<u8>) -> Result<(), JsonError> {
        match first {
            Some(b'"') => self.skip_string(),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't' | b'f') => self.bool().map(drop),
            Some(b'n') => self.null(),
            _ => Err(self.error("expected a value")),
        }
    }
}

impl std::fmt::Debug for Cursor<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Cursor")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// The text of one string while it is unescaped.
struct Unescaped<'a> {
    /// Room for the text and, with luck, for texts after it. The first `length` bytes have been written.
    room: Room<'a>,
    /// How much of the room the text takes so far.
    length: usize,
    arena: &'a Bump,
}

/// Memory that hasn't been written. Filling it with zeros first would cost as much as unescaping a short text.
type Room<'a> = &'a mut [MaybeUninit<u8>];

/// The least size of fresh room. Where a batch has many texts, less would make most of them move while they grow.
const ROOM: usize = 4096;

/// How much is copied at once of a run that isn't longer.
const SHORT: usize = 64;

impl<'a> Unescaped<'a> {
    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        write(&mut self.room[self.length..][..bytes.len()], bytes);
        self.length += bytes.len();
    }

    #[inline]
    fn push_byte(&mut self, byte: u8) {
        match self.room.get_mut(self.length) {
            Some(place) => {
                place.write(byte);
                self.length += 1;
            }
            None => self.push(&[byte]),
        }
    }

    /// Appends `input[start..end]`.
    #[inline]
    fn push_run(&mut self, input: &[u8], start: usize, end: usize) {
        let length = end - start;
        let from = input.get(start..).and_then(<[u8]>::first_chunk::<SHORT>);
        let to = self.room.get_mut(self.length..).and_then(|rest| rest.get_mut(..SHORT));
        match (from, to) {
            // A copy of a fixed size is a few instructions. What it copies too much is overwritten by what follows.
            (Some(from), Some(to)) if length <= SHORT => {
                write(to, from);
                self.length += length;
            }
            _ => self.push(&input[start..end]),
        }
    }

    #[inline]
    fn reserve(&mut self, more: usize) {
        if self.room.len() - self.length < more {
            self.grow(2 * (self.length + more));
        }
    }

    /// Makes room for a whole text, which has at most `length` bytes.
    #[inline]
    fn expect(&mut self, length: usize) {
        if self.room.len() < length + SHORT {
            self.grow(length + SHORT);
        }
    }

    /// Moves to room of this size.
    #[cold]
    fn grow(&mut self, size: usize) {
        let room = self.arena.alloc_slice_fill_copy(size.max(ROOM), MaybeUninit::uninit());
        room[..self.length].copy_from_slice(&self.room[..self.length]);
        self.room = room;
    }

    /// Returns the text and the room that is left.
    #[inline]
    fn finish(self) -> (&'a [u8], Room<'a>) {
        let (text, room) = self.room.split_at_mut(self.length);
        // SAFETY: `push`, `push_byte` and `push_run` write at least the bytes that they add to `length`, and `grow` keeps
        // them. So all of `text` has been written.
        let text = unsafe { &*(ptr::from_ref(text) as *const [u8]) };
        (text, room)
    }
}

/// Writes `bytes` to `room`, which has as many.
#[inline]
fn write(room: &mut [MaybeUninit<u8>], bytes: &[u8]) {
    for (place, &byte) in room.iter_mut().zip(bytes) {
        place.write(byte);
    }
}

/// What the character after a backslash stands for. Zero if it isn't an escape of two characters.
static UNESCAPED: [u8; 256] = {
    let mut unescaped = [0; 256];
    let mut i = 0;
    const PAIRS: &[(u8, u8)] = &[
        (b'"', b'"'),
        (b'\\', b'\\'),
        (b'/', b'/'),
        (b'n', b'\n'),
        (b't', b'\t'),
        (b'r', b'\r'),
        (b'b', 0x08),
        (b'f', 0x0C),
    ];
    while i < PAIRS.len() {
        unescaped[PAIRS[i].0 as usize] = PAIRS[i].1;
        i += 1;
    }
    unescaped
};

/// Whether `text` is exactly one JSON value, without white space around it.
pub fn is_one_value(text: &[u8]) -> bool {
    let arena = Bump::new();
    Cursor::new(text, &arena).and_then(|mut cursor| cursor.skip_value()) == Ok(text)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Array,
    Object,
}

/// The containers around a place, one bit each. A body that consists only of `[` thus costs an eighth of its size.
#[derive(Default)]
struct Nesting {
    /// The innermost containers, up to 64 of them.
    top: u64,
    /// All others, 64 each. Nearly no text needs it.
    outer: Vec<u64>,
    depth: usize,
}

impl Nesting {
    fn clear(&mut self) {
        self.outer.clear();
        self.depth = 0;
    }

    #[inline]
    fn push(&mut self, container: Container) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.top);
        }
        self.top = self.top << 1 | u64::from(container == Container::Object);
        self.depth += 1;
    }

    #[inline]
    fn pop(&mut self) {
        self.depth -= 1;
        self.top >>= 1;
        if self.depth.is_multiple_of(64)
            && let Some(outer) = self.outer.pop()
        {
            self.top = outer;
        }
    }

    #[inline]
    fn top(&self) -> Option<Container> {
        if self.depth == 0 {
            return None;
        }
        Some(if self.top & 1 == 1 {
            Container::Object
        } else {
            Container::Array
        })
    }
}

/// Returns how many bytes at the start of `bytes` need no escape in a JSON string. Quotes, backslashes and control
/// characters do.
#[inline]
pub fn plain_prefix(bytes: &[u8]) -> usize {
    let mut chunks = bytes.chunks_exact(LANES);
    for (index, chunk) in chunks.by_ref().enumerate() {
        let chunk: &[u8; LANES] = chunk.try_into().expect("chunks_exact gives chunks of that size");
        if let Some(first) = first_special(chunk) {
            return index * LANES + first;
        }
    }
    // Of a text that isn't shorter than a chunk, look at the last one again instead of at its bytes one by one.
    let (rest, first) = match bytes.last_chunk() {
        Some(last) => (last.as_slice(), first_special(last)),
        None => (
            bytes,
            bytes
                .iter()
                .position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\'),
        ),
    };
    bytes.len() - rest.len() + first.unwrap_or(rest.len())
}

pub(super) const WORD: usize = 8;

pub(super) const POWERS_OF_TEN: [u64; WORD + 1] =
    [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// A byte of 1 at each place of a word.
const ONES: u64 = u64::MAX / 0xFF;
const HIGH_BITS: u64 = ONES << 7;

/// Returns how many digits a text begins with, and their value.
#[inline]
pub(super) fn leading_digits(text: u64) -> (usize, u64) {
    // Turns digits into 0 to 9, and everything else into more.
    let word = text ^ (ONES * u64::from(b'0'));
    // The sum carries into the next byte only after a byte that isn't a digit, so the first hit is true.
    let others = (word.wrapping_add(ONES * (0x80 - 10)) | word) & HIGH_BITS;
    let count = others.trailing_zeros() as usize / 8;
    if count == 0 {
        return (0, 0);
    }
    // Puts zeros in front instead of what follows the digits. Then adds neighbours up: to pairs, to fours, to all eight.
    let digits = word << (8 * (WORD - count));
    let pairs = (digits * 10 + (digits >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    (count, (fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF)
}

#[cfg(target_arch = "x86_64")]
const LANES: usize = 16;

#[cfg(target_arch = "x86_64")]
#[inline]
fn first_special(chunk: &[u8; LANES]) -> Option<usize> {
    // SAFETY: SSE2 is part of every x86-64.
    unsafe { first_special_sse2(chunk) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn first_special_sse2(chunk: &[u8; LANES]) -> Option<usize> {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_max_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let block = u128::from_le_bytes(*chunk);
    let block = _mm_set_epi64x((block >> 64) as i64, block as i64);
    let quote = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'"' as i8));
    let backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'\\' as i8));
    // There is no unsigned comparison, but the maximum with 0x1F is 0x1F for control characters only.
    let control = _mm_cmpeq_epi8(_mm_max_epu8(block, _mm_set1_epi8(0x1F)), _mm_set1_epi8(0x1F));
    let special = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control));
    (special != 0).then(|| special.trailing_zeros() as usize)
}

#[cfg(not(target_arch = "x86_64"))]
const LANES: usize = WORD;

#[cfg(not(target_arch = "x86_64"))]
use first_special_in_word as first_special;

/// Searches eight bytes as one word. A borrow can cause false hits, but only after a true one, so the first is true.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
fn first_special_in_word(chunk: &[u8; WORD]) -> Option<usize> {
    let word = u64::from_le_bytes(*chunk);
    let below = |limit: u64, word: u64| word.wrapping_sub(ONES * limit) & !word & HIGH_BITS;
    let special =
        below(0x20, word) | below(1, word ^ (ONES * u64::from(b'"'))) | below(1, word ^ (ONES * u64::from(b'\\')));
    (special != 0).then(|| special.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    fn is_special(byte: u8) -> bool {
        byte < 0x20 || byte == b'"' || byte == b'\\'
    }

    /// Mostly plain bytes, so that special ones occur at every place.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte =
            prop_oneof![20 => any::<u8>(), 60 => 0x20..0x7Fu8, 1 => Just(b'"'), 1 => Just(b'\\'), 1 => Just(0x1F)];
        prop::collection::vec(byte, 0..100)
    }

    /// Texts that are JSON or almost JSON.
    fn json_like() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(","),
            Just(":"),
            Just(" "),
            Just("\n"),
            Just("null"),
            Just("true"),
            Just("false"),
            Just("0"),
            Just("-1"),
            Just("01"),
            Just("1.5e3"),
            Just("1."),
            Just("1e"),
            Just("-"),
            Just(r#""""#),
            Just(r#""k""#),
            Just(r#""k":"#),
            Just(r#""\u00e9\n""#),
            Just(r#""\ud800""#),
            Just(r#""\x""#),
            Just("\"a"),
            Just("\"\t\""),
            Just("é"),
            Just("\"日本\""),
            Just("[[1,2],{}]"),
            Just("\u{feff}"),
        ];
        let value = prop_oneof![Just("1".to_owned()), Just(r#""a""#.to_owned()), Just("null".to_owned())]
            .prop_recursive(6, 40, 5, |inner| {
                prop_oneof![
                    prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(" , "))),
                    prop::collection::vec(inner, 0..5).prop_map(|items| {
                        let members: Vec<String> = items.iter().map(|item| format!("\"k\" :{item}")).collect();
                        format!("{{{}}}", members.join(","))
                    }),
                ]
            });
        prop_oneof![
            prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat()),
            value
        ]
    }

    /// The strings of an array's objects, or of one value, and the text of its other elements.
    fn strings(cursor: &mut Cursor<'_>) -> Vec<String> {
        let mut texts = Vec::new();
        let mut text = |text: Text<'_>| texts.push(text.to_str().into_owned());
        match cursor.peek() {
            Some(b'"') => text(cursor.string().expect("a string")),
            _ => {
                let mut more = cursor.open_array().expect("an array");
                while more {
                    match cursor.peek() {
                        Some(b'"') => text(cursor.string().expect("a string")),
                        _ => text(cursor.raw_value().expect("a value")),
                    }
                    more = cursor.next_element().expect("an array");
                }
            }
        }
        cursor.end().expect("the end");
        texts
    }

    fn is_json(text: &[u8]) -> bool {
        let arena = Bump::new();
        Cursor::new(text, &arena).is_ok_and(|mut cursor| cursor.skip_value().is_ok() && cursor.end().is_ok())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_plain_prefix_ends_at_the_first_special_byte(bytes in bytes()) {
            let expected = bytes.iter().position(|&byte| is_special(byte)).unwrap_or(bytes.len());
            prop_assert_eq!(plain_prefix(&bytes), expected);
        }

        #[test]
        fn a_word_finds_the_first_special_byte(chunk: [u8; WORD]) {
            prop_assert_eq!(first_special_in_word(&chunk), chunk.iter().position(|&byte| is_special(byte)));
        }

        #[test]
        fn json_is_accepted_like_in_serde_json(text in json_like()) {
            prop_assert_eq!(is_json(text.as_bytes()), serde_json::from_str::<&RawValue>(&text).is_ok(), "{}", text);
        }

        #[test]
        fn values_are_read_again_as_the_first_time(text in json_like(), long in "[a-z\"\\\\é]{0,600}") {
            let long = serde_json::to_string(&long)?;
            let value = match is_json(text.as_bytes()) {
                true => format!("[{long},{text},{long},{{{long}:{long}}}]"),
                false => long,
            };
            let body = format!("[{value},{value}]");
            let arena = Bump::new();
            let mut cursor = Cursor::new(body.as_bytes(), &arena).expect("UTF-8");
            cursor.note_long_values();
            cursor.open_array().expect("an array");
            loop {
                let first = cursor.skip_value().expect("a value");
                let skipped = cursor.skipped(first).expect("a part of the body");
                let mut again = skipped.cursor(&arena);
                let mut alone = Cursor::new(value.as_bytes(), &arena).expect("UTF-8");
                prop_assert_eq!(strings(&mut again), strings(&mut alone));
                let mut again = cursor.skipped(first).expect("a part of the body").cursor(&arena);
                prop_assert_eq!(again.skip_value(), Ok(value.as_bytes()));
                prop_assert_eq!(again.end(), Ok(()));
                prop_assert_eq!(skipped.may_have_unicode(), value.replace(r"\\", "").contains(r"\u"));
                // Its parts can be read again, too.
                let mut whole = cursor.skipped(first).expect("a part of the body").cursor(&arena);
                let part = whole.skip().expect("a value");
                prop_assert_eq!(part.bytes(), value.as_bytes());
                prop_assert_eq!(strings(&mut part.cursor(&arena)), strings(&mut Cursor::new(value.as_bytes(), &arena).expect("UTF-8")));
                prop_assert!(cursor.skipped(value.as_bytes()).is_none());
                if !cursor.next_element().expect("an array") {
                    break;
                }
            }
        }

        #[test]
        fn strings_are_read_like_in_serde_json(text: String) {
            let json = serde_json::to_string(&text)?;
            let arena = Bump::new();
            let mut cursor = Cursor::new(json.as_bytes(), &arena).expect("UTF-8");
            let read = cursor.string().expect("a string");
            prop_assert_eq!(read.to_str(), text.as_str());
            prop_assert_eq!(read.kind() == TextKind::Ascii, text.is_ascii());
            prop_assert_eq!(cursor.end(), Ok(()));
        }

        #[test]
        fn parts_of_a_string_are_how_it_begins_and_ends(
            pieces in prop::collection::vec(
                prop::sample::select(vec!["a long run without any escape, ", "x", "é", "日本", "🙂", "\\n", "\\\\", "\\\"", "\\u0041", "\\ud83d\\ude42", "\\ud83d"]),
                0..60,
            ),
            length in 0..200usize,
        ) {
            let json = format!("[\"{}\"]", pieces.concat());
            let arena = Bump::new();
            let mut cursor = Cursor::new(json.as_bytes(), &arena).expect("UTF-8");
            cursor.open_array().expect("an array");
            let skipped = cursor.skip().expect("a string");
            let whole = skipped.cursor(&arena).string().expect("a string").to_utf16();
            if let Some(start) = skipped.string_start(length, &arena) {
                prop_assert!(whole.starts_with(&start.to_utf16()));
            }
            if let Some(end) = skipped.string_end(length, &arena) {
                prop_assert!(whole.ends_with(&end.to_utf16()));
            }
            // Among short runs, a place outside of escapes isn't always found.
            let has_place = pieces.concat().len() > length + 12 && !pieces.concat().contains('\\') && pieces.concat().is_ascii() && length > 12;
            prop_assert!(!has_place || (skipped.string_start(length, &arena).is_some() && skipped.string_end(length, &arena).is_some()));
        }

        #[test]
        fn containers_are_closed_as_they_were_opened(
            containers in prop::collection::vec(any::<bool>(), 1..200),
            wrong: prop::sample::Index,
        ) {
            let opened = containers.iter().map(|&is_object| if is_object { "{\"k\":" } else { "[" });
            let close = |is_object: &bool| if *is_object { '}' } else { ']' };
            let mut closing: Vec<char> = containers.iter().rev().map(close).collect();
            let text = |closing: &[char]| opened.clone().chain(["0"]).collect::<String>() + &String::from_iter(closing);
            prop_assert!(is_json(text(&closing).as_bytes()));
            let place = wrong.index(closing.len());
            closing[place] = if closing[place] == '}' { ']' } else { '}' };
            prop_assert!(!is_json(text(&closing).as_bytes()));
        }

        #[test]
        fn a_word_of_digits_is_read_like_one_by_one(text in prop::array::uniform8(0x28..0x40u8), other: u8, at in 0..16usize) {
            let mut text = text;
            if let Some(byte) = text.get_mut(at) {
                *byte = other;
            }
            let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let value = text[..count].iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
            prop_assert_eq!(leading_digits(u64::from_le_bytes(text)), (count, value));
        }

        #[test]
        fn numbers_are_read_like_in_serde_json(number: u64, digits in 0..20u32, after in "[ ,]{0,9}") {
            let number = number.checked_shr(digits * 3).unwrap_or(number);
            let json = format!("{number}{after}");
            let arena = Bump::new();
            let read = Cursor::new(json.as_bytes(), &arena).and_then(|mut cursor| cursor.number()).expect("a number");
            prop_assert_eq!(read.uint, Some(number).filter(|&number| number <= MAX_SAFE_INTEGER));
        }
    }

    #[test]
    fn lone_surrogates_are_kept_and_pairs_joined() {
        for (json, units) in [
            (r#""\ud800""#, vec![0xD800]),
            (r#""\udfffx""#, vec![0xDFFF, 0x78]),
            (r#""\ud83d\ude00""#, vec![0xD83D, 0xDE00]),
            (r#""\ud83d\ud83d\ude00""#, vec![0xD83D, 0xD83D, 0xDE00]),
            (r#""\ude00\ud83d""#, vec![0xDE00, 0xD83D]),
            (r#""\ud83d\n""#, vec![0xD83D, 0x0A]),
            (r#""é\ud83d""#, vec![0xE9, 0xD83D]),
        ] {
            let arena = Bump::new();
            let text = Cursor::new(json.as_bytes(), &arena)
                .and_then(|mut cursor| cursor.string())
                .expect("a string");
            assert_eq!(text.to_utf16(), units, "{json}");
            assert_eq!(text.to_str(), String::from_utf16_lossy(&units), "{json}");
        }
    }

    #[test]
    fn errors_count_lines_and_characters() {
        let place = |text: &str| {
            let arena = Bump::new();
            let mut cursor = Cursor::new(text.as_bytes(), &arena).expect("UTF-8");
            let error = cursor.skip_value().and_then(|_| cursor.end()).expect_err("not JSON");
            error.line_and_column(text.as_bytes())
        };
        assert_eq!(place(""), (1, 1));
        assert_eq!(place("[1,\n  x]"), (2, 3));
        assert_eq!(place("[\"é日🙂\" x]"), (1, 8));
        assert_eq!(place("1 2"), (1, 3));
    }
}

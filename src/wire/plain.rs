//! Reads JSON in the one form that clients write: no white space, keys that are positions, strings without escapes.
//!
//! This is the fast path beside the cursor, which reads any form. Each method takes an offset and returns a value with the
//! offset after it, or `None` for any other form. Offsets stay in registers that way. A cursor's place is in memory, and
//! each of its steps waits until the last one has been stored.

use super::json::{POWERS_OF_TEN, WORD, leading_digits};
use super::marks::Marks;
use super::slots::{Text, TextKind};
use super::table::PlainMember;

/// A JSON text.
#[derive(Clone, Copy)]
pub struct Plain<'a> {
    /// The text, which is UTF-8.
    pub input: &'a [u8],
    /// Where strings can end, and whether the whole input is ASCII.
    pub marks: Marks<'a>,
}

impl<'a> Plain<'a> {
    /// Returns the eight bytes at `at`, the first one lowest.
    #[inline(always)]
    pub fn word(self, at: usize) -> Option<u64> {
        if at < self.input.len().saturating_sub(WORD - 1) {
            // SAFETY: there are at least eight bytes from `at` on.
            let bytes = unsafe { self.input.as_ptr().add(at).cast::<[u8; WORD]>().read() };
            Some(u64::from_le_bytes(bytes))
        } else {
            None
        }
    }

    /// Reads a string without escapes.
    #[inline(always)]
    pub fn string(self, at: usize) -> Option<(Text<'a>, usize)> {
        if self.input.get(at) != Some(&b'"') {
            return None;
        }
        let start = at + 1;
        let end = self.marks.next(start);
        if self.input.get(end) != Some(&b'"') {
            return None;
        }
        let bytes = self.input.get(start..end)?;
        Some((Text::new(bytes, self.kind_of(bytes)), end + 1))
    }

    /// Returns the encoding of a part of the text.
    #[inline(always)]
    pub fn kind_of(self, bytes: &[u8]) -> TextKind {
        if self.marks.ascii() || bytes.is_ascii() {
            TextKind::Ascii
        } else {
            TextKind::Utf8
        }
    }

    /// Reads an integer of at most 15 digits, which all numbers can hold, and looks at the byte after it.
    #[inline(always)]
    pub fn uint(self, at: usize) -> Option<(u64, usize)> {
        let (mut digits, mut uint) = leading_digits(self.word(at)?);
        if digits == WORD {
            let (more, low) = leading_digits(self.word(at + WORD)?);
            uint = uint * POWERS_OF_TEN[more] + low;
            digits += more;
        }
        let end = at + digits;
        let plain = (1..2 * WORD).contains(&digits)
            && (digits == 1 || self.input[at] != b'0')
            && matches!(self.input.get(end), Some(b',' | b'}' | b']'));
        plain.then_some((uint, end))
    }

    /// Reads `true` or `false`.
    #[inline(always)]
    pub fn bool(self, at: usize) -> Option<(bool, usize)> {
        match self.after(at, b"false") {
            Some(end) => Some((false, end)),
            None => self.after(at, b"true").map(|end| (true, end)),
        }
    }

    /// Whether the object at `at` begins with `member`, and its value is an object or an array.
    #[inline]
    pub fn starts_with_container(self, at: usize, member: PlainMember) -> bool {
        let word = self.word(at).unwrap_or(0) ^ u64::from(b'{' ^ b',');
        word & member.mask == member.key && matches!(self.input.get(at + member.length), Some(b'{' | b'['))
    }

    /// Steps over `text`, which has at most eight bytes.
    #[inline(always)]
    pub fn after(self, at: usize, text: &[u8]) -> Option<usize> {
        let bytes = self.input.get(at..at.checked_add(text.len())?)?;
        (bytes == text).then_some(at + text.len())
    }
}

//! The fields of one record between producer and consumer. They are borrowed, typed, and found by field index.

use super::table::MAX_FIELDS;
use std::borrow::Cow;

/// A field's value. Decoding guarantees that it has the field's type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slot<'a> {
    /// An explicit null.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of at most `MAX_SAFE_INTEGER`.
    Uint(u64),
    /// A string.
    Text(Text<'a>),
    /// A list of integers, each at most `MAX_SAFE_INTEGER`.
    Uints(&'a [u64]),
    /// A list of strings.
    Texts(&'a [Text<'a>]),
    /// The text of a JSON value other than null.
    Json(Text<'a>),
}

/// The fields of one record that are set.
#[derive(Clone, Debug)]
pub struct Slots<'a> {
    present: u64,
    slots: [Slot<'a>; MAX_FIELDS],
}

const _: () = assert!(MAX_FIELDS <= u64::BITS as usize);

impl<'a> Slots<'a> {
    /// Makes a record without fields.
    pub fn new() -> Self {
        Slots {
            present: 0,
            slots: [Slot::Null; MAX_FIELDS],
        }
    }

    /// Returns the field's value, or `None` if it isn't set.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&Slot<'a>> {
        if self.present >> index & 1 == 1 {
            Some(&self.slots[index])
        } else {
            None
        }
    }

    /// Sets a field.
    #[inline]
    pub fn set(&mut self, index: usize, slot: Slot<'a>) {
        self.slots[index] = slot;
        self.present |= 1 << index;
    }

    /// Unsets a field.
    #[inline]
    pub fn unset(&mut self, index: usize) {
        self.present &= !(1 << index);
    }

    /// Unsets all fields.
    #[inline]
    pub fn clear(&mut self) {
        self.present = 0;
    }

    /// Returns a bit set of the indexes of all set fields.
    #[inline]
    pub fn present(&self) -> u64 {
        self.present
    }

    /// Yields the set fields by ascending index, and thus by ascending position.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Slot<'a>)> {
        let mut rest = self.present;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let index = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            Some((index, &self.slots[index]))
        })
    }
}

impl Default for Slots<'_> {
    fn default() -> Self {
        Slots::new()
    }
}

/// The text of a JSON string, unescaped.
///
/// It is UTF-8 unless it has a lone surrogate (`"\ud800"`), which JSON can express and UTF-8 can't. Such a text is
/// WTF-8, which extends UTF-8 by surrogates, so that nothing is lost between wire and JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    bytes: &'a [u8],
    kind: TextKind,
}

/// The encoding of a text. A narrower one lets a consumer take a faster path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// ASCII: all bytes are below 0x80.
    Ascii,
    /// UTF-8.
    Utf8,
    /// WTF-8 with at least one lone surrogate.
    Wtf8,
}

impl<'a> Text<'a> {
    /// Makes a text of `bytes`, which must be of `kind`. A wrong `kind` garbles the text but is memory-safe.
    #[inline]
    pub fn new(bytes: &'a [u8], kind: TextKind) -> Self {
        Text { bytes, kind }
    }

    /// Returns the bytes.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the encoding.
    #[inline]
    pub fn kind(self) -> TextKind {
        self.kind
    }

    /// Returns the text with lone surrogates replaced by U+FFFD.
    pub fn to_str(self) -> Cow<'a, str> {
        match self.kind {
            TextKind::Ascii | TextKind::Utf8 => simdutf8::basic::from_utf8(self.bytes)
                .map_or_else(|_| String::from_utf8_lossy(self.bytes), Cow::Borrowed),
            TextKind::Wtf8 => {
                let mut replaced = String::with_capacity(self.bytes.len());
                for (run, surrogate) in self.runs() {
                    if !run.is_empty() {
                        replaced.push_str(&String::from_utf8_lossy(run));
                    }
                    replaced.extend(surrogate.map(|_| char::REPLACEMENT_CHARACTER));
                }
                Cow::Owned(replaced)
            }
        }
    }

    /// Returns the text in UTF-16, including lone surrogates.
    pub fn to_utf16(self) -> Vec<u16> {
        let mut units = Vec::with_capacity(self.bytes.len());
        for (run, surrogate) in self.runs() {
            units.extend(String::from_utf8_lossy(run).encode_utf16());
            units.extend(surrogate);
        }
        units
    }

    /// Splits the text after each lone surrogate into runs of UTF-8, each with the surrogate that follows it. Takes one
    /// pass for any number of surrogates.
    pub fn runs(self) -> impl Iterator<Item = (&'a [u8], Option<u16>)> {
        let mut rest = Some(self.bytes);
        std::iter::from_fn(move || {
            let bytes = rest?;
            for at in memchr::memchr_iter(0xED, bytes) {
                if let [_, second @ 0xA0..=0xBF, third, after @ ..] = &bytes[at..] {
                    rest = Some(after);
                    let unit = 0xD000 | u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F);
                    return Some((&bytes[..at], Some(unit)));
                }
            }
            rest = None;
            Some((bytes, None))
        })
    }
}

impl<'a> From<Text<'a>> for Cow<'a, str> {
    fn from(text: Text<'a>) -> Self {
        text.to_str()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        let kind = if text.is_ascii() {
            TextKind::Ascii
        } else {
            TextKind::Utf8
        };
        Text::new(text.as_bytes(), kind)
    }
}

/// Encodes a lone surrogate in WTF-8.
pub fn wtf8_surrogate(unit: u16) -> [u8; 3] {
    [
        0xE0 | (unit >> 12) as u8,
        0x80 | (unit >> 6 & 0x3F) as u8,
        0x80 | (unit & 0x3F) as u8,
    ]
}

//! Types of tables and fields, and the macros that turn a table's lines into Rust code.

use super::json::is_one_value;
use super::slots::{Slot, Slots, Text};
use bumpalo::Bump;

/// A field's three states: `None` if it isn't set (the key is absent), `Some(None)` for an explicit null, or a value.
pub type Sparse<T> = Option<Option<T>>;

/// The largest integer that a JavaScript number holds exactly, `Number.MAX_SAFE_INTEGER`. A larger one on the wire is
/// kept as an unknown field with its exact digits. This holds in Rust too, so that all readers agree on which fields
/// are set.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

macro_rules! field_types {
    ($($(#[doc = $doc:literal])+ $variant:ident, $name:literal, $form:expr, $expected:literal;)+) => {
        /// The type of a field's value on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FieldType {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl FieldType {
            /// Every type.
            pub const ALL: &[FieldType] = &[$(FieldType::$variant),+];

            /// Returns its name in JavaScript and the docs.
            pub const fn name(self) -> &'static str {
                match self { $(FieldType::$variant => $name,)+ }
            }

            /// Returns the form of its values.
            #[inline]
            pub const fn form(self) -> Form {
                match self { $(FieldType::$variant => $form,)+ }
            }

            /// Describes it in an error: `expected …`.
            pub const fn expected(self) -> &'static str {
                match self { $(FieldType::$variant => $expected,)+ }
            }
        }
    };
}

field_types! {
    /// A JSON boolean.
    Bool, "bool", Form::Bool, "a boolean";
    /// A JSON integer of at most 2^32 − 1.
    U32, "u32", Form::Uint { largest: u32::MAX as u64 }, "a u32";
    /// A JSON integer of at most `MAX_SAFE_INTEGER`.
    U64, "u64", Form::Uint { largest: MAX_SAFE_INTEGER }, "a safe non-negative integer";
    /// A JSON string.
    String, "string", Form::Text, "a string";
    /// An array of `U32`.
    U32List, "u32[]", Form::List(FieldType::U32), "an array of u32";
    /// An array of `U64`.
    U64List, "u64[]", Form::List(FieldType::U64), "an array of safe non-negative integers";
    /// An array of `String`.
    StringList, "string[]", Form::List(FieldType::String), "an array of strings";
    /// Any JSON value, kept as text.
    Json, "json", Form::Json, "a string of exactly one JSON value";
}

/// The form of a type's values. All code except the list of types depends only on the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `true` or `false`.
    Bool,
    /// An unsigned integer.
    Uint {
        /// The largest allowed value, at most `MAX_SAFE_INTEGER`.
        largest: u64,
    },
    /// A string.
    Text,
    /// The text of a JSON value.
    Json,
    /// An array of values of a type, whose form is `Uint` or `Text`.
    List(FieldType),
}

impl FieldType {
    /// How many words a value takes in cells; of a list, each item.
    #[inline]
    pub const fn cell_words(self) -> usize {
        match self.form() {
            Form::Uint { largest } if largest > u32::MAX as u64 => 2,
            Form::List(item) => item.cell_words(),
            _ => 1,
        }
    }
}

/// One line of a table.
#[derive(Debug)]
pub struct Field {
    /// The key on the wire.
    pub position: usize,
    /// The name in snake_case, as in ClickHouse.
    pub name: &'static str,
    /// The type on the wire.
    pub ty: FieldType,
    /// The vocabulary of known clients, if the field has one.
    pub vocabulary: Option<&'static Vocabulary>,
    /// The meaning: its unit, when it is set, and what null means.
    pub doc: &'static str,
}

/// The values that known clients give to a field. Other values are accepted too.
#[derive(Debug)]
pub struct Vocabulary {
    /// The name of its TypeScript type.
    pub name: &'static str,
    /// The known values.
    pub words: &'static [&'static str],
    /// The meaning of the values.
    pub doc: &'static str,
}

impl Vocabulary {
    /// Returns `words`. Fails to compile if one of them isn't in the vocabulary.
    pub const fn subset<const N: usize>(&self, words: &'static [&'static str; N]) -> &'static [&'static str] {
        let mut i = 0;
        while i < N {
            let mut j = 0;
            while !same(words[i].as_bytes(), self.words[j].as_bytes()) {
                j += 1;
            }
            i += 1;
        }
        words
    }
}

/// A set of fields: a metric's values, or the attributes that all metrics share.
#[derive(Debug)]
pub struct Table {
    /// The name in snake_case, as users write it.
    pub name: &'static str,
    /// The meaning of the whole table.
    pub doc: &'static str,
    /// The fields by ascending position.
    pub fields: &'static [Field],
    /// The index in `fields` for each position, or `NO_FIELD`.
    index: [u8; POSITIONS],
    /// How clients write the fields.
    plain: [PlainMember; MAX_FIELDS],
}

/// How clients write a member: `,"7":` and the value.
#[derive(Clone, Copy, Debug)]
pub struct PlainMember {
    /// The bytes before the value, the first one lowest.
    pub key: u64,
    /// Ones where `key` has bytes.
    pub mask: u64,
    /// How many bytes that are.
    pub length: usize,
    /// The type of the value.
    pub ty: FieldType,
}

impl PlainMember {
    const NONE: PlainMember = PlainMember {
        key: 1,
        mask: 0,
        length: 0,
        ty: FieldType::Json,
    };

    const fn new(position: usize, ty: FieldType) -> PlainMember {
        let (tens, ones) = (b'0' + (position / 10) as u8, b'0' + (position % 10) as u8);
        let (bytes, length) = if position < 10 {
            ([b',', b'"', ones, b'"', b':', 0, 0, 0], 5)
        } else {
            ([b',', b'"', tens, ones, b'"', b':', 0, 0], 6)
        };
        PlainMember {
            key: u64::from_le_bytes(bytes),
            mask: (1 << (8 * length)) - 1,
            length,
            ty,
        }
    }
}

/// One more than the largest position of a table. It is small, so that an array can map positions to fields.
const POSITIONS: usize = 64;
const NO_FIELD: u8 = u8::MAX;

/// The most fields a table may have, so that slots live in one array of a fixed size.
pub const MAX_FIELDS: usize = 32;

impl Table {
    /// Makes a table. Fails to compile unless positions ascend strictly and are below `POSITIONS`.
    pub const fn new(name: &'static str, doc: &'static str, fields: &'static [Field]) -> Table {
        assert!(fields.len() <= MAX_FIELDS);
        let mut index = [NO_FIELD; POSITIONS];
        let mut plain = [PlainMember::NONE; MAX_FIELDS];
        let mut i = 0;
        while i < fields.len() {
            assert!(
                i == 0 || fields[i - 1].position < fields[i].position,
                "positions must ascend"
            );
            index[fields[i].position] = i as u8;
            plain[i] = PlainMember::new(fields[i].position, fields[i].ty);
            i += 1;
        }
        Table {
            name,
            doc,
            fields,
            index,
            plain,
        }
    }

    /// Returns how clients write each of `fields`. The rest of the array matches nothing.
    #[inline]
    pub fn plain(&self) -> &[PlainMember; MAX_FIELDS] {
        &self.plain
    }

    /// Returns the index in `fields` of the field at this position.
    #[inline]
    pub fn field_at(&self, position: usize) -> Option<usize> {
        match self.index.get(position) {
            Some(&index) if index != NO_FIELD => Some(index as usize),
            _ => None,
        }
    }

    /// Returns the index in `fields` of the field with this name. Fails to compile if there is none.
    pub const fn index_of(&self, name: &str) -> usize {
        let mut i = 0;
        while !same(self.fields[i].name.as_bytes(), name.as_bytes()) {
            i += 1;
        }
        i
    }

    /// Returns the index in `fields` of the field for this key of a JSON object.
    pub fn field_named(&self, key: &[u8]) -> Option<usize> {
        self.field_at(parsed_position(key)?)
    }
}

/// Parses a key of a JSON object as a position. Returns `None` unless the key is canonical (no leading zero) and has at
/// most two digits.
pub fn parsed_position(key: &[u8]) -> Option<usize> {
    match *key {
        [d @ b'0'..=b'9'] => Some((d - b'0') as usize),
        [d @ b'1'..=b'9', e @ b'0'..=b'9'] => Some((d - b'0') as usize * 10 + (e - b'0') as usize),
        _ => None,
    }
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// Converts a field's name for JavaScript.
pub fn camel_case(snake: &str) -> String {
    let pascal = pascal_case(snake);
    pascal[..1].to_lowercase() + &pascal[1..]
}

/// Converts a metric's name for TypeScript types.
pub fn pascal_case(snake: &str) -> String {
    snake
        .split('_')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect()
}

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The id on the wire.
    pub id: u16,
    /// The table of its values.
    pub table: &'static Table,
    /// The index in `METRICS`.
    pub number: usize,
    /// How to recognise its events if several metrics share the id. `None` for the metric of all unmarked events.
    pub dialect: Option<Dialect>,
}

/// How to recognise events of a metric that shares its id with another one. Either mark is enough.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Index of an attribute that marks an event if it is set, to null or a string.
    pub attribute: usize,
    /// Index of a value that marks an event if it is an object or an array.
    pub container: usize,
}

impl Metric {
    /// Makes a metric without a dialect.
    pub const fn new(id: u16, table: &'static Table) -> Metric {
        Metric {
            id,
            table,
            number: 0,
            dialect: None,
        }
    }

    /// Adds a dialect with these two marks. Fails to compile if there is no such attribute or value.
    pub const fn recognised_by(self, attributes: &Table, attribute: &str, container: &str) -> Metric {
        Metric {
            dialect: Some(Dialect {
                attribute: attributes.index_of(attribute),
                container: self.table.index_of(container),
            }),
            ..self
        }
    }
}

/// Numbers the metrics. Fails to compile unless ids ascend and, among metrics that share an id, only the last has no
/// dialect.
pub const fn numbered<const N: usize>(mut metrics: [Metric; N]) -> [Metric; N] {
    let mut i = 0;
    while i < N {
        metrics[i].number = i;
        let shared = i + 1 < N && metrics[i].id == metrics[i + 1].id;
        assert!(i + 1 == N || metrics[i].id <= metrics[i + 1].id, "ids must ascend");
        assert!(
            shared == metrics[i].dialect.is_some(),
            "of metrics that share an id, all but the last need a dialect"
        );
        i += 1;
    }
    metrics
}

/// A Rust struct with one member per field, for a metric's values or for attributes.
pub trait Record: Default + Clone + PartialEq + std::fmt::Debug {
    /// The table that it was made from.
    const TABLE: &'static Table;

    /// Returns the record as slots that borrow from it. Lists that need conversion are stored in `arena`.
    fn slots<'a>(&'a self, arena: &'a Bump) -> Slots<'a>;

    /// Makes a record that owns copies of the slots' values.
    fn from_slots(slots: &Slots<'_>) -> Self;
}

/// A Rust type for values of a field.
pub trait FieldValue: Sized {
    /// The type on the wire.
    const TYPE: FieldType;
    /// Returns the value as a slot that borrows from it. A list that needs conversion is stored in `arena`.
    fn to_slot<'a>(&'a self, arena: &'a Bump) -> Slot<'a>;
    /// Copies the slot's value. Returns `None` if the slot is of another type, which decoding rules out.
    fn from_slot(slot: &Slot<'_>) -> Option<Self>;
}

impl FieldValue for bool {
    const TYPE: FieldType = FieldType::Bool;
    fn to_slot<'a>(&'a self, _: &'a Bump) -> Slot<'a> {
        Slot::Bool(*self)
    }
    fn from_slot(slot: &Slot<'_>) -> Option<bool> {
        match *slot {
            Slot::Bool(value) => Some(value),
            _ => None,
        }
    }
}

impl FieldValue for u32 {
    const TYPE: FieldType = FieldType::U32;
    fn to_slot<'a>(&'a self, _: &'a Bump) -> Slot<'a> {
        Slot::Uint(u64::from(*self))
    }
    fn from_slot(slot: &Slot<'_>) -> Option<u32> {
        match *slot {
            Slot::Uint(value) => u32::try_from(value).ok(),
            _ => None,
        }
    }
}

impl FieldValue for u64 {
    const TYPE: FieldType = FieldType::U64;
    fn to_slot<'a>(&'a self, _: &'a Bump) -> Slot<'a> {
        Slot::Uint(*self)
    }
    fn from_slot(slot: &Slot<'_>) -> Option<u64> {
        match *slot {
            Slot::Uint(value) => Some(value),
            _ => None,
        }
    }
}

impl FieldValue for String {
    const TYPE: FieldType = FieldType::String;
    fn to_slot<'a>(&'a self, _: &'a Bump) -> Slot<'a> {
        Slot::Text(Text::from(self.as_str()))
    }
    fn from_slot(slot: &Slot<'_>) -> Option<String> {
        match slot {
            Slot::Text(text) => Some(text.to_str().into_owned()),
            _ => None,
        }
    }
}

/// The text of exactly one JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawJson(String);

impl RawJson {
    /// Returns `None` unless `text` is exactly one JSON value without surrounding white space.
    pub fn new(text: String) -> Option<RawJson> {
        is_one_value(text.as_bytes()).then_some(RawJson(text))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FieldValue for RawJson {
    const TYPE: FieldType = FieldType::Json;
    fn to_slot<'a>(&'a self, _: &'a Bump) -> Slot<'a> {
        Slot::Json(Text::from(self.as_str()))
    }
    fn from_slot(slot: &Slot<'_>) -> Option<RawJson> {
        match slot {
            Slot::Json(text) => Some(RawJson(text.to_str().into_owned())),
            _ => None,
        }
    }
}

impl FieldValue for Vec<u32> {
    const TYPE: FieldType = FieldType::U32List;
    fn to_slot<'a>(&'a self, arena: &'a Bump) -> Slot<'a> {
        Slot::Uints(arena.alloc_slice_fill_iter(self.iter().map(|&value| u64::from(value))))
    }
    fn from_slot(slot: &Slot<'_>) -> Option<Vec<u32>> {
        match *slot {
            Slot::Uints(values) => values.iter().map(|&value| u32::try_from(value).ok()).collect(),
            _ => None,
        }
    }
}

impl FieldValue for Vec<u64> {
    const TYPE: FieldType = FieldType::U64List;
    fn to_slot<'a>(&'a self, _: &'a Bump) -> Slot<'a> {
        Slot::Uints(self)
    }
    fn from_slot(slot: &Slot<'_>) -> Option<Vec<u64>> {
        match *slot {
            Slot::Uints(values) => Some(values.to_vec()),
            _ => None,
        }
    }
}

impl FieldValue for Vec<String> {
    const TYPE: FieldType = FieldType::StringList;
    fn to_slot<'a>(&'a self, arena: &'a Bump) -> Slot<'a> {
        Slot::Texts(arena.alloc_slice_fill_iter(self.iter().map(|value| Text::from(value.as_str()))))
    }
    fn from_slot(slot: &Slot<'_>) -> Option<Vec<String>> {
        match *slot {
            Slot::Texts(values) => Some(values.iter().map(|text| text.to_str().into_owned()).collect()),
            _ => None,
        }
    }
}

/// Turns `vocabulary! { /// doc Name { word, … } }` into a static that field lines name with `of`.
macro_rules! vocabulary {
    ($(#[doc = $doc:literal] $name:ident { $($word:literal),+ $(,)? })+) => { $(
        #[doc = $doc]
        #[allow(non_upper_case_globals, reason = "named as the TypeScript type it becomes")]
        pub static $name: $crate::wire::table::Vocabulary = $crate::wire::table::Vocabulary {
            name: stringify!($name),
            words: &[$($word),+],
            doc: $doc,
        };
    )+ };
}

/// Turns field lines, `position name: type [of Vocabulary], "doc";`, into a record struct and its table.
macro_rules! record {
    ($(#[doc = $doc:literal])+ $name:ident $record:ident {
        $($position:literal $field:ident: $ty:ty $(, of $vocabulary:ident)?, $field_doc:literal;)*
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $record {
            $(#[doc = $field_doc] pub $field: $crate::wire::table::Sparse<$ty>,)*
        }

        impl $crate::wire::table::Record for $record {
            #[allow(unused, reason = "a record without fields")]
            const TABLE: &'static $crate::wire::table::Table = &const {
                use $crate::wire::table::{Field, FieldValue, Table};
                Table::new(stringify!($name), concat!($($doc, "\n"),+), const { &[
                    $(Field {
                        position: $position,
                        name: stringify!($field),
                        ty: <$ty as FieldValue>::TYPE,
                        vocabulary: record!(@vocabulary $($vocabulary)?),
                        doc: $field_doc,
                    },)*
                ] })
            };

            #[allow(unused, reason = "a record without fields")]
            fn slots<'a>(&'a self, arena: &'a bumpalo::Bump) -> $crate::wire::slots::Slots<'a> {
                use $crate::wire::{slots::{Slot, Slots}, table::FieldValue};
                let mut slots = Slots::new();
                let mut index = 0;
                $(
                    match &self.$field {
                        None => {}
                        Some(None) => slots.set(index, Slot::Null),
                        Some(Some(value)) => slots.set(index, FieldValue::to_slot(value, arena)),
                    }
                    index += 1;
                )*
                slots
            }

            #[allow(unused, reason = "a record without fields")]
            fn from_slots(slots: &$crate::wire::slots::Slots<'_>) -> Self {
                use $crate::wire::{slots::Slot, table::FieldValue};
                let mut record = Self::default();
                let mut index = 0;
                $(
                    record.$field = match slots.get(index) {
                        None => None,
                        Some(Slot::Null) => Some(None),
                        Some(slot) => FieldValue::from_slot(slot).map(Some),
                    };
                    index += 1;
                )*
                record
            }
        }
    };
    (@vocabulary) => { None };
    (@vocabulary $vocabulary:ident) => { Some(&$vocabulary) };
}

/// Turns the tables of all metrics into their records and the list `METRICS`.
macro_rules! metrics {
    ($(
        $(#[doc = $doc:literal])+
        $id:literal $name:ident $record:ident
        $(if $attribute:ident is set or $container:ident is a container)?
        { $($fields:tt)* }
    )+) => {
        $(record! { $(#[doc = $doc])+ $name $record { $($fields)* } })+

        /// Every metric that this version knows, by ascending id.
        pub static METRICS: &[$crate::wire::table::Metric] = &const {
            use $crate::wire::table::{Metric, Record, numbered};
            numbered([
                $(
                    Metric::new($id, <$record as Record>::TABLE)
                        $(.recognised_by(EventAttributes::TABLE, stringify!($attribute), stringify!($container)))?,
                )+
            ])
        };
    };
}

pub(crate) use {metrics, record, vocabulary};

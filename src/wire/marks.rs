//! Marks the bytes that end a plain run in a JSON string: quotes, backslashes and control characters.
//!
//! One pass over the whole text marks 64 bytes at a time, with the widest instructions that the processor has. Afterwards
//! the end of a string is found by counting zero bits, so short strings cost no search.

use bumpalo::Bump;

/// A bit per byte of a text, set if the byte is special. All bits after the text are set, too.
#[derive(Clone, Copy)]
pub struct Marks<'a> {
    /// Eight bits a byte, the first one lowest. Bytes, because a search may begin at any of them.
    bits: &'a [u8],
    /// Whether all bytes of the text are below 0x80.
    ascii: bool,
}

/// How many bytes of a text are marked at a time.
const BLOCK: usize = 64;

/// How many bytes the marks of a block take.
const WORD: usize = BLOCK / 8;

impl<'a> Marks<'a> {
    /// Marks `text`. The marks take an eighth of its size in `arena`.
    pub fn new(text: &[u8], arena: &'a Bump) -> Self {
        mark(text, arena)
    }

    /// Whether the text is ASCII.
    #[inline]
    pub fn ascii(&self) -> bool {
        self.ascii
    }

    /// Returns the offset of the first special byte at `at` or after it, or one that isn't in the text.
    #[inline]
    pub fn next(&self, at: usize) -> usize {
        // One look at 57 to 64 bits, wherever they begin, so that the ends of most strings need no branch.
        let bits = self.word(at / 8).unwrap_or(u64::MAX) >> (at % 8);
        if bits != 0 {
            at + bits.trailing_zeros() as usize
        } else {
            self.next_far(at / 8 + WORD)
        }
    }

    /// Returns the offset of the first special byte at `at` or after it, if it is less than 57 bytes away.
    #[inline]
    pub fn next_near(&self, at: usize) -> Option<usize> {
        let bits = self.word(at / 8)? >> (at % 8);
        (bits != 0).then(|| at + bits.trailing_zeros() as usize)
    }

    /// Returns the offset of the first special byte whose bit is in the byte `place` or after it.
    #[inline]
    fn next_far(&self, mut place: usize) -> usize {
        loop {
            match self.word(place) {
                Some(0) => place += WORD,
                Some(bits) => return place * 8 + bits.trailing_zeros() as usize,
                None => return place * 8,
            }
        }
    }

    #[inline]
    fn word(&self, place: usize) -> Option<u64> {
        let bytes = self.bits.get(place..place + WORD)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    }
}

/// Marks `text` in the fastest way that the processor knows.
fn mark<'a>(text: &[u8], arena: &'a Bump) -> Marks<'a> {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            unsafe { mark_avx2(text, arena) }
        } else {
            // SAFETY: SSE2 is part of every x86-64.
            unsafe { mark_sse2(text, arena) }
        }
    }
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    {
        // SAFETY: NEON is part of every AArch64 that Rust's targets with an operating system support.
        unsafe { mark_neon(text, arena) }
    }
    #[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))))]
    {
        mark_scalar(text, arena)
    }
}

/// What one block holds.
struct Block {
    special: u64,
    ascii: bool,
}

/// Marks block by block. The last block is filled up with quotes, which are special.
#[inline(always)]
fn mark_blocks<'a>(text: &[u8], arena: &'a Bump, mark: impl Fn(&[u8; BLOCK]) -> Block) -> Marks<'a> {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    // Two words after those of the blocks: for the rest, and for a search that begins at the very end.
    let words = arena.alloc_slice_fill_copy(blocks.len() + 2, [u8::MAX; WORD]);
    let mut ascii = true;
    // A loop, since a closure for each word would not be compiled for the processor that `mark` needs.
    for (word, block) in words.iter_mut().zip(blocks) {
        let marked = mark(block);
        ascii &= marked.ascii;
        *word = marked.special.to_le_bytes();
    }
    if !rest.is_empty() {
        let mut last = [b'"'; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let marked = mark(&last);
        ascii &= marked.ascii;
        words[blocks.len()] = marked.special.to_le_bytes();
    }
    Marks {
        bits: words.as_flattened(),
        ascii,
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn mark_avx2<'a>(text: &[u8], arena: &'a Bump) -> Marks<'a> {
    use std::arch::x86_64::*;
    const LANES: usize = 32;
    mark_blocks(text, arena, |block| {
        let (quote, backslash) = (_mm256_set1_epi8(b'"' as i8), _mm256_set1_epi8(b'\\' as i8));
        let last_control = _mm256_set1_epi8(0x1F);
        let lanes = |at: usize| {
            let half: &[u8; LANES] = block[at..].first_chunk().expect("half a block");
            // SAFETY: the pointer is to as many bytes as are loaded, and this load needs no alignment.
            unsafe { _mm256_loadu_si256(half.as_ptr().cast()) }
        };
        let special = |bytes| {
            let ends = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, quote), _mm256_cmpeq_epi8(bytes, backslash));
            // There is no unsigned comparison, but the maximum with 0x1F is 0x1F for control characters only.
            let control = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, last_control), last_control);
            u64::from(_mm256_movemask_epi8(_mm256_or_si256(ends, control)) as u32)
        };
        let (low, high) = (lanes(0), lanes(LANES));
        Block {
            special: special(low) | special(high) << LANES,
            ascii: _mm256_movemask_epi8(_mm256_or_si256(low, high)) == 0,
        }
    })
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn mark_sse2<'a>(text: &[u8], arena: &'a Bump) -> Marks<'a> {
    use std::arch::x86_64::*;
    const LANES: usize = 16;
    mark_blocks(text, arena, |block| {
        let (quote, backslash) = (_mm_set1_epi8(b'"' as i8), _mm_set1_epi8(b'\\' as i8));
        let last_control = _mm_set1_epi8(0x1F);
        let mut marked = Block {
            special: 0,
            ascii: true,
        };
        for (place, quarter) in block.as_chunks::<LANES>().0.iter().enumerate() {
            // SAFETY: the pointer is to as many bytes as are loaded, and this load needs no alignment.
            let bytes = unsafe { _mm_loadu_si128(quarter.as_ptr().cast()) };
            let ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
            // As with AVX2.
            let control = _mm_cmpeq_epi8(_mm_max_epu8(bytes, last_control), last_control);
            let special = _mm_movemask_epi8(_mm_or_si128(ends, control)) as u32;
            marked.special |= u64::from(special) << (place * LANES);
            marked.ascii &= _mm_movemask_epi8(bytes) == 0;
        }
        marked
    })
}

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
#[target_feature(enable = "neon")]
fn mark_neon<'a>(text: &[u8], arena: &'a Bump) -> Marks<'a> {
    use std::arch::aarch64::*;
    const LANES: usize = 16;
    /// A bit for each of eight lanes, twice.
    const BITS: [u8; LANES] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    mark_blocks(text, arena, |block| {
        let load = |bytes: &[u8; LANES]| {
            // SAFETY: the pointer is to as many bytes as are loaded, and this load needs no alignment.
            unsafe { vld1q_u8(bytes.as_ptr()) }
        };
        let bits = load(&BITS);
        let quarters = block.as_chunks::<LANES>().0;
        let bytes = [
            load(&quarters[0]),
            load(&quarters[1]),
            load(&quarters[2]),
            load(&quarters[3]),
        ];
        let special = bytes.map(|bytes| {
            let ends = vorrq_u8(vceqq_u8(bytes, vdupq_n_u8(b'"')), vceqq_u8(bytes, vdupq_n_u8(b'\\')));
            vandq_u8(vorrq_u8(ends, vcltq_u8(bytes, vdupq_n_u8(0x20))), bits)
        });
        // Three times adding neighbours leaves the sum of eight lanes, a byte of the mask, in each lane.
        let sums = vpaddq_u8(vpaddq_u8(special[0], special[1]), vpaddq_u8(special[2], special[3]));
        let sums = vpaddq_u8(sums, sums);
        let all = vorrq_u8(vorrq_u8(bytes[0], bytes[1]), vorrq_u8(bytes[2], bytes[3]));
        Block {
            special: vgetq_lane_u64::<0>(vreinterpretq_u64_u8(sums)),
            ascii: vmaxvq_u8(all) < 0x80,
        }
    })
}

/// The same one byte at a time, for other processors and for tests of the ways above.
#[cfg(any(
    test,
    not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")))
))]
fn mark_scalar<'a>(text: &[u8], arena: &'a Bump) -> Marks<'a> {
    mark_blocks(text, arena, |block| {
        let bit = |(place, byte): (usize, &u8)| u64::from(*byte < 0x20 || *byte == b'"' || *byte == b'\\') << place;
        Block {
            special: block.iter().enumerate().map(bit).sum(),
            ascii: block.is_ascii(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Mostly plain bytes, so that special ones and the ends of runs occur at every place.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            60 => 0x20..0x7Fu8,
            1 => any::<u8>(),
            1 => Just(b'"'),
            1 => Just(b'\\'),
            1 => 0x1E..=0x21u8,
            1 => 0x7E..=0x81u8,
        ];
        prop::collection::vec(byte, 0..400)
    }

    type Way = for<'a> fn(&[u8], &'a Bump) -> Marks<'a>;

    fn ways() -> Vec<Way> {
        let mut ways: Vec<Way> = vec![mark];
        #[cfg(target_arch = "x86_64")]
        {
            // SAFETY: SSE2 is part of every x86-64.
            ways.push(|text, arena| unsafe { mark_sse2(text, arena) });
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2.
                ways.push(|text, arena| unsafe { mark_avx2(text, arena) });
            }
        }
        ways
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn every_way_marks_like_the_scalar_one(text in text()) {
            let arena = Bump::new();
            let expected = mark_scalar(&text, &arena);
            prop_assert_eq!(expected.ascii, text.is_ascii());
            for way in ways() {
                let marks = way(&text, &arena);
                prop_assert_eq!(marks.ascii, expected.ascii);
                prop_assert_eq!(marks.bits, expected.bits);
            }
        }

        #[test]
        fn next_finds_the_first_special_byte(text in text(), at in 0..400usize) {
            let arena = Bump::new();
            let at = at.min(text.len());
            let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let expected = text[at..].iter().position(special).map_or(text.len(), |offset| at + offset);
            let marks = Marks::new(&text, &arena);
            prop_assert_eq!(marks.next(at), expected);
            let near = marks.next_near(at);
            prop_assert!(near.is_none_or(|near| near == expected));
            prop_assert_eq!(near.is_some(), expected - at < 64 - at % 8);
        }
    }
}

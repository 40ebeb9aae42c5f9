//! Converts UTF-8 to Latin-1, in which V8 keeps texts of Western European languages. encoding_rs takes up to ten times as
//! long, which made such texts the slowest of all.

/// The leading byte of the characters from U+00C0 to U+00FF, the last ones of Latin-1. That of those before is one less.
const LAST_LEAD: u8 = 0xc3;

const WORD: usize = size_of::<u64>();
/// The lowest bit of each byte of a word.
const LOWEST: u64 = 0x0101_0101_0101_0101;
const NOT_ASCII: u64 = LOWEST << 7;

/// Whether Latin-1 has every character of `utf8`, which is valid.
pub fn is_latin1(utf8: &[u8]) -> bool {
    // The compiler turns the inner loop into vectors, which it can't where a loop may end early.
    utf8.chunks(256)
        .all(|chunk| chunk.iter().fold(0, |most, &byte| most.max(byte)) <= LAST_LEAD)
}

/// Writes the characters of `utf8`, all of which Latin-1 has. Returns how many they are. `latin1` is at least as long.
pub fn convert(utf8: &[u8], latin1: &mut [u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("bmi2") {
        // SAFETY: the processor has BMI2.
        return unsafe { convert_bmi2(utf8, latin1) };
    }
    convert_words(utf8, latin1, without)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi2")]
fn convert_bmi2(utf8: &[u8], latin1: &mut [u8]) -> usize {
    use std::arch::x86_64::_pext_u64;
    convert_words(utf8, latin1, |word, marks| _pext_u64(word, !(marks * 0xff)))
}

/// `without` removes the marked bytes of a word, of which a mark is the lowest bit.
#[inline(always)]
fn convert_words(utf8: &[u8], latin1: &mut [u8], without: impl Fn(u64, u64) -> u64) -> usize {
    let latin1 = &mut latin1[..utf8.len()];
    let mut length = 0;
    // Whether the byte before is `LAST_LEAD`: 0 or 1.
    let mut is_behind_last = 0;
    let (words, rest) = utf8.as_chunks::<WORD>();
    for &word in words {
        let word = u64::from_le_bytes(word);
        let mut chars = word;
        let mut count = WORD;
        if word & NOT_ASCII != 0 {
            let leads = word >> 7 & word >> 6 & LOWEST;
            let last = leads & word;
            // U+00E9 is C3 A9: of a character's second byte, only this bit can be another than its own.
            chars |= (last << 8 | is_behind_last) << 6;
            is_behind_last = last >> 56;
            chars = without(chars, leads);
            count -= leads.count_ones() as usize;
        }
        latin1[length..length + WORD].copy_from_slice(&chars.to_le_bytes());
        length += count;
    }
    for &byte in rest {
        latin1[length] = byte | (is_behind_last << 6) as u8;
        is_behind_last = u64::from(byte == LAST_LEAD);
        // A leading byte is overwritten by its character.
        length += usize::from(byte & 0xc0 != 0xc0);
    }
    length
}

#[inline]
fn without(mut word: u64, mut marks: u64) -> u64 {
    while marks != 0 {
        let below = (1 << marks.trailing_zeros()) - 1;
        word = word & below | word >> 8 & !below;
        marks = (marks & (marks - 1)) >> 8;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_in_each_place() {
        let all: Vec<char> = (0..=0xff).map(char::from).collect();
        for ahead in 0..WORD {
            for behind in 0..WORD {
                let text = || {
                    std::iter::repeat_n('x', ahead)
                        .chain(all.iter().copied())
                        .chain(std::iter::repeat_n('é', behind))
                };
                let utf8: String = text().collect();
                let mut latin1 = vec![0; utf8.len()];
                assert!(is_latin1(utf8.as_bytes()));
                let slowly = convert_words(utf8.as_bytes(), &mut latin1, without);
                let first = latin1[..slowly].to_vec();
                let length = convert(utf8.as_bytes(), &mut latin1);
                assert_eq!(latin1[..length], first);
                assert_eq!(latin1[..length], text().map(|char| char as u8).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_latin1_lacks() {
        for char in ['\u{100}', '–', '漢', '🙂'] {
            for ahead in [0, 1, 255, 256, 1000] {
                assert!(
                    !is_latin1(format!("{}{char}é", "é".repeat(ahead)).as_bytes()),
                    "{char} after {ahead}"
                );
            }
        }
        assert!(is_latin1("".as_bytes()));
    }
}

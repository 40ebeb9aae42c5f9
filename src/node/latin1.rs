//! Converts UTF-8 to Latin-1, in which V8 keeps texts of Western European languages. encoding_rs takes up to ten times as
//! long, which made such texts the slowest of all.

/// The leading byte of the characters from U+00C0 to U+00FF, the last ones of Latin-1.
const LAST_LEAD: u8 = 0xc3;

const WORD: usize = size_of::<u64>();
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// Whether Latin-1 has every character of `utf8`, which is valid.
pub fn is_latin1(utf8: &[u8]) -> bool {
    // The compiler turns the inner loop into vectors, which it can't where a loop may end early.
    utf8.chunks(256)
        .all(|chunk| chunk.iter().fold(0, |most, &byte| most.max(byte)) <= LAST_LEAD)
}

/// Writes the characters of `utf8`, all of which Latin-1 has. Returns how many they are. `latin1` is at least as long.
pub fn convert(utf8: &[u8], latin1: &mut [u8]) -> usize {
    let latin1 = &mut latin1[..utf8.len()];
    let mut writer = Writer {
        latin1,
        length: 0,
        before: 0,
    };
    let (words, rest) = utf8.as_chunks::<WORD>();
    for word in words {
        if u64::from_le_bytes(*word) & NOT_ASCII == 0 {
            writer.ascii(word);
        } else {
            word.iter().for_each(|&byte| writer.byte(byte));
        }
    }
    rest.iter().for_each(|&byte| writer.byte(byte));
    writer.length
}

struct Writer<'a> {
    latin1: &'a mut [u8],
    length: usize,
    before: u8,
}

impl Writer<'_> {
    #[inline]
    fn ascii(&mut self, word: &[u8; WORD]) {
        self.latin1[self.length..self.length + WORD].copy_from_slice(word);
        self.length += WORD;
        self.before = 0;
    }

    /// A leading byte is written too, and then overwritten by its character: a branch for each byte would cost more.
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.latin1[self.length] = if self.before == LAST_LEAD { byte | 0x40 } else { byte };
        self.length += usize::from(byte & 0xc0 != 0xc0);
        self.before = byte;
    }
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
                let length = convert(utf8.as_bytes(), &mut latin1);
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

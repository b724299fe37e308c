//! File names as text that a database can hold, without losing a byte.
//!
//! A name that is UTF-8 stays as it is. A byte that is none becomes a character from U+EF80 to U+EFFF, in Unicode's private use
//! area, as `MirBSD`'s OPTU-8 has it; such characters that are in a name already are taken byte by byte too, so that every text means
//! one name.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

const FIRST: u32 = 0xEF80;
const LAST: u32 = 0xEFFF;

/// A name as text.
pub fn to_text(name: &OsStr) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if (FIRST..=LAST).contains(&u32::from(character)) {
                text.extend(character.encode_utf8(&mut [0; 4]).bytes().map(escaped));
            } else {
                text.push(character);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(escaped));
    }
    text
}

/// The name that a text means.
pub fn to_name(text: &str) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match u32::from(character) {
            code @ FIRST..=LAST => bytes.push((code & 0xFF) as u8),
            _ => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    OsString::from_vec(bytes)
}

/// The text of a name as people see it: with a replacement character for every byte that is none.
pub fn to_shown(text: &str) -> String {
    text.chars()
        .map(|character| if (FIRST..=LAST).contains(&u32::from(character)) { '\u{fffd}' } else { character })
        .collect()
}

/// All such bytes are 0x80 or more: the others are UTF-8.
fn escaped(byte: u8) -> char {
    char::from_u32(0xEF00 | u32::from(byte)).unwrap_or('\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back() {
        let names: [&[u8]; 7] = [
            b"plain.mp4",
            "кот и пёс 日本語 🐕 ﷺ.mkv".as_bytes(),
            b"latin \xe9t\xe9.avi",
            b"\xff\xfe\x80",
            "private \u{ef80}\u{efff} use".as_bytes(),
            b"cut \xe6\x97",
            b"new\nline \\ \" '",
        ];
        let mut texts = std::collections::BTreeSet::new();
        for name in names {
            let text = to_text(OsStr::from_bytes(name));
            assert_eq!(to_name(&text).as_bytes(), name);
            assert!(texts.insert(text));
        }
        assert_eq!(to_text(OsStr::from_bytes(names[1])).as_bytes(), names[1], "text stays text");
        assert_eq!(to_shown(&to_text(OsStr::from_bytes(names[2]))), "latin \u{fffd}t\u{fffd}.avi");
    }
}

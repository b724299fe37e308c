//! What FFmpeg overlooks in a JPEG file. It paints what is missing grey and says nothing; a grey half of an image would be a
//! silently wrong frame. And it takes any fourth component for transparency, unless Adobe's marker says that it is ink.

const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;
const ADOBE: u8 = 0xee;

/// Whether the first image in these bytes reaches its end marker (ITU-T T.81, annex B).
pub(crate) fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        // Between segments, and within pixels, everything up to a marker is skipped.
        let begins_marker = |&at: &usize| rest.get(at + 1).is_some_and(|&byte| is_marker(byte));
        let Some(at) = memchr::memchr_iter(0xff, rest).find(begins_marker) else { return false };
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        if marker == END_OF_IMAGE {
            return true;
        }
        let has_length = !matches!(marker, 0x01 | 0xd0..=0xd8);
        if has_length {
            let &[high, low, ..] = rest else { return false };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some(after) = rest.get(length..) else { return false };
            rest = after;
        }
        if marker == START_OF_SCAN && rest.is_empty() {
            return false;
        }
    }
}

/// Whether there are four components, and no marker of Adobe's that tells CMYK from YCCK and says that both are inverted.
pub(crate) fn has_unnamed_inks(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    let (mut components, mut is_named) = (None, false);
    while let &[0xff, marker, high, low, ref after @ ..] = rest {
        if marker == 0xff {
            rest = &rest[1..];
            continue;
        }
        let Some(segment) = after.get(..usize::from(u16::from_be_bytes([high, low])).saturating_sub(2)) else { break };
        match marker {
            // Baseline to arithmetic frames; the others in this range define tables.
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => components = segment.get(5).copied(),
            ADOBE => is_named |= segment.starts_with(b"Adobe"),
            START_OF_SCAN => break,
            _ => {}
        }
        rest = &after[segment.len()..];
    }
    components == Some(4) && !is_named
}

/// Neither a stuffed zero nor a fill byte.
fn is_marker(byte: u8) -> bool {
    byte != 0x00 && byte != 0xff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_marker_behind_the_pixels_counts() {
        // Start, a segment with an end marker inside (a thumbnail), a scan header, pixels with a stuffed zero and a
        // restart marker, the end.
        let whole = b"\xff\xd8\xff\xe1\0\x06\xff\xd9..\xff\xda\0\x04..\x12\xff\0\x34\xff\xd0\x56\xff\xd9";
        assert!(is_complete(whole));
        for kept in 0..whole.len() {
            assert!(!is_complete(&whole[..kept]), "{kept} bytes");
        }
        assert!(is_complete(&[&whole[..], b"a second image"].concat()));
    }

    #[test]
    fn four_components_need_a_name() {
        let frame = |components: u8| [&b"\xff\xc0\0\x08\x08\0\x10\0\x10"[..], &[components]].concat();
        let adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0".to_vec();
        let image = |segments: &[Vec<u8>]| [&b"\xff\xd8"[..], &segments.concat(), b"\xff\xda\0\x02"].concat();
        assert!(has_unnamed_inks(&image(&[frame(4)])));
        assert!(!has_unnamed_inks(&image(&[frame(4), adobe.clone()])));
        assert!(!has_unnamed_inks(&image(&[adobe, frame(4)])));
        assert!(!has_unnamed_inks(&image(&[frame(3)])));
        assert!(!has_unnamed_inks(b"\xff"));
    }
}

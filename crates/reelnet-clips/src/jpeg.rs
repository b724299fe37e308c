//! Whether a JPEG file is all there. FFmpeg paints what is missing grey and says nothing; a grey half of an image would
//! be a silently wrong frame.

const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;

/// Whether the first image in these bytes reaches its end marker (ITU-T T.81, annex B).
pub(crate) fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        // Between segments, and within pixels, everything up to a marker is skipped.
        let Some(at) = rest.windows(2).position(|pair| pair[0] == 0xff && is_marker(pair[1])) else { return false };
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
}

//! Which packets nothing else builds on. A decoder that is not interested in such a packet's own picture can leave it
//! out, and every other picture stays the same, bit for bit.
//!
//! The answer comes from the coded headers, not from demuxers' flags, which most files lack. In doubt a packet is
//! needed. Pure: bytes in, an answer out.

/// Whether other pictures may build on a packet's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    /// Others may build on it.
    Possible,
    /// Nothing does.
    Never,
}

/// Reads the headers of one stream's packets.
#[derive(Debug, Clone)]
pub(crate) struct ReferenceReader {
    syntax: Syntax,
}

#[derive(Debug, Clone)]
enum Syntax {
    /// Every picture stands alone.
    IntraOnly,
    /// ITU-T H.264.
    Avc(Framing),
    /// ITU-T H.265, with the highest temporal layer that a sequence parameter set announced so far.
    Hevc {
        framing: Framing,
        top_layer: Option<u8>,
    },
    /// MPEG-1 and MPEG-2 video.
    Mpeg12,
    /// MPEG-4 part 2.
    Mpeg4,
    Other,
}

/// How one unit is told from the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    StartCodes,
    /// Each unit follows its length, a number of so many bytes.
    Lengths(usize),
}

/// How the lines of pictures are stored, as far as the container or the codec says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fields {
    Progressive,
    /// Interlaced or unknown: one picture may be spread over two packets.
    Possible,
}

impl ReferenceReader {
    pub(crate) fn new(codec: &str, is_intra_only: bool, fields: Fields, extradata: &[u8]) -> Self {
        let syntax = match codec {
            _ if fields == Fields::Possible && !is_intra_only => Syntax::Other,
            _ if is_intra_only => Syntax::IntraOnly,
            "h264" => match *extradata {
                // ISO/IEC 14496-15, AVCDecoderConfigurationRecord.
                [1, _, _, _, sizes, ..] => Syntax::Avc(Framing::Lengths(usize::from(sizes & 3) + 1)),
                _ => Syntax::Avc(Framing::StartCodes),
            },
            "hevc" => {
                let framing = match extradata.get(..23) {
                    // HEVCDecoderConfigurationRecord; start codes begin with two zeros.
                    Some(record) if record[..2] != [0, 0] => Framing::Lengths(usize::from(record[21] & 3) + 1),
                    _ => Framing::StartCodes,
                };
                let mut top_layer = None;
                match framing {
                    Framing::StartCodes => note_layers(units(extradata, framing), &mut top_layer),
                    Framing::Lengths(_) => note_layers(configured(&extradata[22..]), &mut top_layer),
                }
                Syntax::Hevc { framing, top_layer }
            }
            "mpeg1video" | "mpeg2video" => Syntax::Mpeg12,
            "mpeg4" => Syntax::Mpeg4,
            _ => Syntax::Other,
        };
        Self { syntax }
    }

    /// Packets must be shown in the order in which they are stored: parameter sets among them are remembered.
    pub(crate) fn read(&mut self, packet: &[u8]) -> Reference {
        let is_never = match &mut self.syntax {
            Syntax::IntraOnly => true,
            Syntax::Avc(framing) => all_pictures(units(packet, *framing), avc_unit),
            Syntax::Hevc { framing, top_layer } => {
                note_layers(units(packet, *framing), top_layer);
                all_pictures(units(packet, *framing), |unit| hevc_unit(unit, *top_layer))
            }
            Syntax::Mpeg12 => all_pictures(units(packet, Framing::StartCodes), mpeg12_unit),
            Syntax::Mpeg4 => {
                // More than one picture in a packet is the "packed bitstream" of old AVI files.
                let pictures = units(packet, Framing::StartCodes).filter(|unit| unit.first() == Some(&0xb6)).count();
                pictures == 1 && all_pictures(units(packet, Framing::StartCodes), mpeg4_unit)
            }
            Syntax::Other => false,
        };
        if is_never { Reference::Never } else { Reference::Possible }
    }
}

impl ReferenceReader {
    /// Whether a decoder that starts at this packet trusts all pictures from it on. Behind a key picture of an open group
    /// FFmpeg's H.264 decoder trusts pictures only once the key picture has come out, and drops the others when the
    /// stream ends before that.
    pub(crate) fn starts_afresh(&self, packet: &[u8]) -> bool {
        const INSTANT_REFRESH: u8 = 5;
        match self.syntax {
            Syntax::Avc(framing) => {
                units(packet, framing).any(|unit| unit.first().is_some_and(|header| header & 31 == INSTANT_REFRESH))
            }
            Syntax::Other => false,
            Syntax::IntraOnly | Syntax::Hevc { .. } | Syntax::Mpeg12 | Syntax::Mpeg4 => true,
        }
    }
}

/// What one unit of a packet means for the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// A part of a picture that nothing builds on.
    Disposable,
    /// Nothing that could change other pictures.
    Neutral,
    Needed,
}

/// Whether there is a picture, and nothing but disposable pictures.
fn all_pictures<'data>(units: impl Iterator<Item = &'data [u8]>, read: impl Fn(&[u8]) -> Unit) -> bool {
    let mut is_picture = false;
    for unit in units {
        match read(unit) {
            Unit::Disposable => is_picture = true,
            Unit::Neutral => {}
            Unit::Needed => return false,
        }
    }
    is_picture
}

/// H.264, 7.4.1: `nal_ref_idc` is 0 for pictures that are not used for reference.
fn avc_unit(unit: &[u8]) -> Unit {
    match unit.first().map(|header| (header >> 5 & 3, header & 31)) {
        Some((0, 1)) => Unit::Disposable,
        // Supplemental information, delimiters, filler.
        Some((_, 6 | 9 | 12)) => Unit::Neutral,
        _ => Unit::Needed,
    }
}

/// H.265, 7.4.2.2: pictures of these types are not used for reference by pictures of their own temporal layer, and in
/// the highest layer there are no others.
fn hevc_unit(unit: &[u8], top_layer: Option<u8>) -> Unit {
    let &[first, second, ..] = unit else { return Unit::Needed };
    let (kind, scalable_layer, temporal_layer) =
        (first >> 1 & 63, (first & 1) << 5 | second >> 3, (second & 7).wrapping_sub(1));
    match kind {
        _ if scalable_layer != 0 => Unit::Needed,
        0 | 2 | 4 | 6 | 8 if Some(temporal_layer) == top_layer => Unit::Disposable,
        // Delimiters, filler, supplemental information.
        35 | 38 | 39 | 40 => Unit::Neutral,
        _ => Unit::Needed,
    }
}

/// Remembers the highest temporal layer of all sequence parameter sets.
fn note_layers<'data>(units: impl Iterator<Item = &'data [u8]>, top_layer: &mut Option<u8>) {
    for unit in units {
        if let &[first, _, third, ..] = unit
            && first >> 1 & 63 == 33
        {
            *top_layer = (*top_layer).max(Some(third >> 1 & 7));
        }
    }
}

/// ISO/IEC 13818-2, 6.2.3: a picture header holds 10 bits of order, then 3 bits of type, 3 being a B-picture.
fn mpeg12_unit(unit: &[u8]) -> Unit {
    match *unit {
        [0x00, _, second, ..] if second >> 3 & 7 == 3 => Unit::Disposable,
        // Slices, user data, and extensions of the picture; those of a sequence come with its header.
        [0x01..=0xaf | 0xb2 | 0xb5, ..] => Unit::Neutral,
        _ => Unit::Needed,
    }
}

/// ISO/IEC 14496-2, 6.2.5: a picture's first two bits are its type, 2 being a B-picture.
fn mpeg4_unit(unit: &[u8]) -> Unit {
    match *unit {
        [0xb6, first, ..] if first >> 6 == 2 => Unit::Disposable,
        [0xb2, ..] => Unit::Neutral,
        _ => Unit::Needed,
    }
}

/// The units of a packet; a length that leads out of it gives one empty unit, which every reader takes for needed.
fn units(data: &[u8], framing: Framing) -> impl Iterator<Item = &[u8]> {
    let mut rest = match framing {
        Framing::StartCodes => after_start_code(data),
        Framing::Lengths(_) => Some(data),
    };
    std::iter::from_fn(move || {
        let data = rest?;
        match framing {
            Framing::StartCodes => {
                rest = after_start_code(data);
                let length = rest.map_or(data.len(), |rest| data.len() - rest.len() - 3);
                Some(&data[..length])
            }
            Framing::Lengths(_) if data.is_empty() => None,
            Framing::Lengths(bytes) => {
                let unit = data.split_at_checked(bytes).and_then(|(length, data)| {
                    let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
                    data.split_at_checked(length)
                });
                rest = unit.map(|(_, rest)| rest);
                Some(unit.map_or(&[], |(unit, _)| unit))
            }
        }
    })
}

/// What follows the next 00 00 01.
fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    loop {
        match *data.get(at)? {
            1 if data[at - 2..at] == [0, 0] => return Some(&data[at + 1..]),
            0 | 1 => at += 1,
            _ => at += 3,
        }
    }
}

/// The parameter sets in an `HEVCDecoderConfigurationRecord`, from its number of arrays on.
fn configured(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut found = Vec::new();
    let mut take = |count: usize| {
        let (taken, rest) = data.split_at_checked(count)?;
        data = rest;
        Some(taken)
    };
    let mut read = || {
        for _ in 0..take(1)?[0] {
            let header = take(3)?;
            for _ in 0..u16::from_be_bytes([header[1], header[2]]) {
                let length = take(2)?;
                found.push(take(usize::from(u16::from_be_bytes([length[0], length[1]])))?);
            }
        }
        Some(())
    };
    // What comes before a cut is worth having; a missing set leaves every picture needed.
    let _ = read();
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(codec: &str, extradata: &[u8], packet: &[u8]) -> Reference {
        ReferenceReader::new(codec, false, Fields::Progressive, extradata).read(packet)
    }

    const AVCC: &[u8] = &[1, 100, 0, 31, 0xff, 0xe1];

    #[test]
    fn h264_slices_with_and_without_reference() {
        use Reference::{Never, Possible};
        assert_eq!(read("h264", AVCC, &[0, 0, 0, 2, 0x01, 9]), Never);
        assert_eq!(read("h264", AVCC, &[0, 0, 0, 2, 0x06, 5, 0, 0, 0, 2, 0x01, 9, 0, 0, 0, 2, 0x01, 9]), Never);
        assert_eq!(read("h264", AVCC, &[0, 0, 0, 2, 0x21, 9]), Possible);
        assert_eq!(read("h264", AVCC, &[0, 0, 0, 2, 0x01, 9, 0, 0, 0, 2, 0x21, 9]), Possible);
        assert_eq!(read("h264", AVCC, &[0, 0, 0, 2, 0x65, 9]), Possible);
        // Parameter sets, information alone, cut lengths.
        assert_eq!(read("h264", AVCC, &[0, 0, 0, 2, 0x68, 9, 0, 0, 0, 2, 0x01, 9]), Possible);
        assert_eq!(read("h264", AVCC, &[0, 0, 0, 2, 0x06, 5]), Possible);
        assert_eq!(read("h264", AVCC, &[0, 0, 0, 2, 0x01, 9, 0, 0, 0, 9, 0x01]), Possible);
        assert_eq!(read("h264", AVCC, &[0, 0, 0, 2, 0x01, 9, 0, 0]), Possible);
        assert_eq!(read("h264", &[], &[0, 0, 0, 1, 0x09, 0x10, 0, 0, 1, 0x01, 9]), Never);
        assert_eq!(read("h264", &[], &[0, 0, 0, 1, 0x09, 0x10, 0, 0, 1, 0x41, 9]), Possible);
    }

    #[test]
    fn pictures_that_may_be_fields_are_kept() {
        let mut reader = ReferenceReader::new("h264", false, Fields::Possible, AVCC);
        assert_eq!(reader.read(&[0, 0, 0, 2, 0x01, 9]), Reference::Possible);
    }

    #[test]
    fn h265_needs_the_top_temporal_layer() {
        use Reference::{Never, Possible};
        let set = |layers_minus_1: u8| vec![0, 0, 1, 33 << 1, 1, layers_minus_1 << 1, 0];
        let trail_n = |layer: u8| vec![0, 0, 0, 1, 0, layer + 1, 9];
        assert_eq!(read("hevc", &set(0), &trail_n(0)), Never);
        assert_eq!(read("hevc", &set(1), &trail_n(0)), Possible);
        assert_eq!(read("hevc", &set(1), &trail_n(1)), Never);
        assert_eq!(read("hevc", &[], &trail_n(0)), Possible);
        // TRAIL_R, and a set among the packets that raises the top.
        assert_eq!(read("hevc", &set(0), &[0, 0, 1, 1 << 1, 1, 9]), Possible);
        let mut reader = ReferenceReader::new("hevc", false, Fields::Progressive, &set(0));
        assert_eq!(reader.read(&[set(1), vec![0, 0, 1, 19 << 1, 1, 9]].concat()), Possible);
        assert_eq!(reader.read(&trail_n(0)), Possible);
    }

    #[test]
    fn b_pictures_of_the_older_codecs() {
        use Reference::{Never, Possible};
        let mpeg2 = |kind: u8| vec![0, 0, 1, 0, 0, kind << 3, 0, 0, 0, 1, 0xb5, 8, 0, 0, 1, 1, 9];
        assert_eq!([1, 2, 3].map(|kind| read("mpeg2video", &[], &mpeg2(kind))), [Possible, Possible, Never]);
        let sequence = [vec![0, 0, 1, 0xb3, 1], mpeg2(3)].concat();
        assert_eq!(read("mpeg2video", &[], &sequence), Possible);
        let mpeg4 = |kind: u8| vec![0, 0, 1, 0xb6, kind << 6, 0];
        assert_eq!([0, 1, 2].map(|kind| read("mpeg4", &[], &mpeg4(kind))), [Possible, Possible, Never]);
        assert_eq!(read("mpeg4", &[], &[mpeg4(2), mpeg4(2)].concat()), Possible);
    }

    #[test]
    fn any_bytes_are_survived() {
        for codec in ["h264", "hevc", "mpeg2video", "mpeg4"] {
            for length in 0..40 {
                let noise: Vec<u8> = (0..length).map(|n: u8| n.wrapping_mul(167) & 0x83).collect();
                for extradata in [&noise[..], AVCC, &[1; 23]] {
                    read(codec, extradata, &noise);
                }
            }
        }
    }
}

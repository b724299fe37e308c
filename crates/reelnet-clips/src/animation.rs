//! Animated WebP (RFC 9649), which FFmpeg cannot read before its version 8: the pictures are decoded by a crate, and put
//! together here as libwebp does it. (The crate's own way of putting them together loses a step of brightness under alpha 255,
//! and clears wrong rectangles.)
//!
//! Each picture is painted over what is there, so going back means to start again.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use image_webp::WebPDecoder;

use crate::libav::Picture;
use crate::media::Reading;
use crate::orientation::Orientation;
use crate::watch::{Activity, Watch};
use crate::{ClipErrorKind, Limits, gate, still};

/// The file's header, and its first chunk, which has the flags and the size of the canvas.
const HEAD_BYTES: usize = 30;
const ANIMATION_FLAG: u8 = 0b10;

const CHUNK_HEADER_BYTES: u64 = 8;
/// What stands before the picture in the chunk of a frame.
const FRAME_HEADER_BYTES: usize = 16;

/// How long frames are shown that say 0, as browsers have it; the format leaves it open.
const UNSAID_MILLISECONDS: u32 = 100;

/// An EXIF chunk larger than this is not read.
const MAX_EXIF_BYTES: u64 = 1 << 20;

/// An opened animation.
pub(crate) struct Animation {
    reader: Box<dyn Reading>,
    size: [u32; 2],
    frames: Vec<Frame>,
    orientation: Orientation,
    is_cut: bool,
    next_frame: usize,
    /// RGBA.
    canvas: Vec<u8>,
}

/// What the chunk of a frame says about it.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Where the picture's own chunks lie in the file.
    position: u64,
    bytes: u64,
    offset: [u32; 2],
    size: [u32; 2],
    milliseconds: u32,
    replaces: bool,
    /// Whether its rectangle is cleared before the next one.
    is_cleared: bool,
}

/// Whether a file starts like an animated WebP. Leaves the reader at its start.
pub(crate) fn is_animated_webp(reader: &mut Box<dyn Reading>) -> Result<bool, ClipErrorKind> {
    let head = read_some(reader, 0, HEAD_BYTES).and_then(|head| reader.rewind().map(|()| head));
    let head = head.map_err(|error| gate::from_io(&error))?;
    Ok(head.starts_with(b"RIFF")
        && head.get(8..16) == Some(b"WEBPVP8X")
        && head.get(20).is_some_and(|flags| flags & ANIMATION_FLAG != 0))
}

impl Animation {
    pub(crate) fn open(mut reader: Box<dyn Reading>, limits: &Limits, watch: &Watch) -> Result<Self, ClipErrorKind> {
        let failed = |error: io::Error| gate::from_io(&error);
        let head = read_some(&mut reader, 0, HEAD_BYTES).map_err(failed)?;
        let size = [24, 27].map(|at| number(&head, at, 3) + 1);
        let max_pixels = limits.max_pixels_per_frame;
        let [width, height] = size.map(u64::from);
        if width * height > max_pixels {
            return Err(ClipErrorKind::TooLarge { width, height, max_pixels });
        }
        let length = reader.seek(SeekFrom::End(0)).map_err(failed)?;
        let stated_length = u64::from(number(&head, 4, 4)) + CHUNK_HEADER_BYTES;
        let mut animation = Self {
            reader,
            size,
            frames: Vec::new(),
            orientation: Orientation::default(),
            is_cut: length < stated_length,
            next_frame: 0,
            canvas: Vec::new(),
        };
        animation.read_chunks(length, watch)?;
        Ok(animation)
    }

    /// Milliseconds that each frame is shown.
    pub(crate) fn durations(&self) -> impl Iterator<Item = u32> {
        self.frames.iter().map(|frame| frame.milliseconds)
    }

    /// How it must be turned to be upright.
    pub(crate) fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// Whether the file ends before it says.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(crate) fn picture(&mut self, frame: usize, watch: &Watch) -> Result<Picture, ClipErrorKind> {
        if frame < self.next_frame || self.canvas.is_empty() {
            self.next_frame = 0;
            self.canvas.clear();
            self.canvas.resize(self.size[0] as usize * self.size[1] as usize * 4, 0);
        }
        while self.next_frame <= frame {
            if watch.is_over() {
                return Err(watch.verdict());
            }
            watch.time(Activity::Decode, || self.paint(self.next_frame))?;
            self.next_frame += 1;
        }
        Picture::from_rgba(self.size, &self.canvas)
            .ok_or_else(|| ClipErrorKind::Library { detail: "no memory for a picture".to_string() })
    }

    /// Walks from chunk to chunk and reads their headers.
    fn read_chunks(&mut self, length: u64, watch: &Watch) -> Result<(), ClipErrorKind> {
        let mut position = 12;
        loop {
            if watch.is_over() {
                return Err(watch.verdict());
            }
            let header = read_some(&mut self.reader, position, 8 + FRAME_HEADER_BYTES);
            let header = header.map_err(|error| gate::from_io(&error))?;
            let Some((head, body)) = header.split_at_checked(8) else { return Ok(()) };
            let bytes = u64::from(number(head, 4, 4));
            let start = position + CHUNK_HEADER_BYTES;
            if start + bytes > length {
                self.is_cut = true;
                return Ok(());
            }
            match &head[..4] {
                b"ANMF" if body.len() == FRAME_HEADER_BYTES && bytes > FRAME_HEADER_BYTES as u64 => {
                    self.frames.push(Frame::read(body, start, bytes));
                }
                b"EXIF" if bytes <= MAX_EXIF_BYTES => {
                    let exif = usize::try_from(bytes).ok().and_then(|b| read_some(&mut self.reader, start, b).ok());
                    let exif = exif.and_then(|bytes| exif::Reader::new().read_raw(bytes).ok());
                    self.orientation = exif.and_then(|exif| still::orientation_in(&exif)).unwrap_or_default();
                }
                _ => {}
            }
            position = start + bytes + bytes % 2;
        }
    }

    /// Paints a frame over what the one before it left.
    fn paint(&mut self, frame: usize) -> Result<(), ClipErrorKind> {
        let undecodable = |detail: &str| ClipErrorKind::NothingDecodable { detail: detail.to_string() };
        let before = frame.checked_sub(1).map(|before| self.frames[before]).filter(|before| before.is_cleared);
        let frame = self.frames[frame];
        let [right, bottom] = [0, 1].map(|axis| frame.offset[axis].saturating_add(frame.size[axis]));
        if right > self.size[0] || bottom > self.size[1] {
            return Err(undecodable("a frame leaves the canvas"));
        }
        let bytes = usize::try_from(frame.bytes).unwrap_or(usize::MAX);
        let chunks = read_some(&mut self.reader, frame.position, bytes).map_err(|error| gate::from_io(&error))?;
        let pixels = decode(&chunks, frame.size).map_err(|detail| undecodable(&detail))?;
        if let Some(before) = before {
            self.for_each_row(before, |_, row| row.fill(0));
        }
        let row_bytes = frame.size[0] as usize * 4;
        self.for_each_row(frame, |y, row| {
            let above = &pixels[y * row_bytes..][..row_bytes];
            if frame.replaces {
                row.copy_from_slice(above);
            } else {
                let pixels = row.chunks_exact_mut(4).zip(above.chunks_exact(4));
                pixels.for_each(|(below, above)| blend(below, above));
            }
        });
        Ok(())
    }

    /// The part of each row of the canvas that lies in the rectangle of a frame that does not leave the canvas.
    fn for_each_row(&mut self, frame: Frame, mut paint: impl FnMut(usize, &mut [u8])) {
        let [left, top] = frame.offset.map(|edge| edge as usize);
        let [width, height] = frame.size.map(|side| side as usize);
        let rows = self.canvas.chunks_exact_mut(self.size[0] as usize * 4).skip(top).take(height);
        rows.enumerate().for_each(|(y, row)| paint(y, &mut row[left * 4..][..width * 4]));
    }
}

impl Frame {
    fn read(header: &[u8], start: u64, bytes: u64) -> Self {
        let flags = header[15];
        Self {
            position: start + FRAME_HEADER_BYTES as u64,
            bytes: bytes - FRAME_HEADER_BYTES as u64,
            offset: [0, 3].map(|at| 2 * number(header, at, 3)),
            size: [6, 9].map(|at| number(header, at, 3) + 1),
            milliseconds: Some(number(header, 12, 3)).filter(|&said| said > 0).unwrap_or(UNSAID_MILLISECONDS),
            replaces: flags & 0b10 != 0,
            is_cleared: flags & 0b01 != 0,
        }
    }
}

/// A frame's chunks as RGBA: put into a file of their own, they are a still image.
fn decode(chunks: &[u8], size: [u32; 2]) -> Result<Vec<u8>, String> {
    let mut file = b"WEBP".to_vec();
    if chunks.starts_with(b"ALPH") {
        const ALPHA_FLAG: u8 = 0b1_0000;
        file.extend(b"VP8X\x0a\0\0\0");
        file.extend([ALPHA_FLAG, 0, 0, 0]);
        for side in size {
            file.extend(&(side - 1).to_le_bytes()[..3]);
        }
    }
    file.extend(chunks);
    let length = u32::try_from(file.len()).map_err(|_| "a frame of more than 4 GB".to_string())?;
    let file = [&b"RIFF"[..], &length.to_le_bytes(), &file].concat();
    let described = |error: image_webp::DecodingError| error.to_string().to_lowercase();
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(described)?;
    if <[u32; 2]>::from(decoder.dimensions()) != size {
        return Err("a frame has another size than it says".to_string());
    }
    let mut pixels = vec![0; decoder.output_buffer_size().ok_or("too many pixels")?];
    decoder.read_image(&mut pixels).map_err(described)?;
    if decoder.has_alpha() {
        return Ok(pixels);
    }
    Ok(pixels.chunks_exact(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]).collect())
}

/// As libwebp blends colours that are not multiplied by their alpha.
fn blend(below: &mut [u8], above: &[u8]) {
    let alpha = u32::from(above[3]);
    match alpha {
        255 => below.copy_from_slice(above),
        0 => {}
        _ => {
            let rest = (u32::from(below[3]) * (256 - alpha)) >> 8;
            let sum = alpha + rest;
            let scale = u64::from((1 << 24) / sum);
            for (below, above) in below.iter_mut().zip(above).take(3) {
                let mixed = (u64::from(u32::from(*above) * alpha + u32::from(*below) * rest) * scale) >> 24;
                *below = u8::try_from(mixed).unwrap_or(u8::MAX);
            }
            below[3] = u8::try_from(sum).unwrap_or(u8::MAX);
        }
    }
}

/// Up to so many bytes from some place on; fewer at the end of the file.
fn read_some(reader: &mut Box<dyn Reading>, position: u64, bytes: usize) -> io::Result<Vec<u8>> {
    reader.seek(SeekFrom::Start(position))?;
    let mut read = Vec::new();
    reader.take(bytes as u64).read_to_end(&mut read)?;
    Ok(read)
}

/// A little-endian number; bytes that are not there are 0.
fn number(bytes: &[u8], at: usize, count: usize) -> u32 {
    let bytes = bytes.get(at..at + count).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

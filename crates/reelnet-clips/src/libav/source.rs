//! An opened file that yields the packets of one video stream.
//!
//! FFmpeg reads through a Rust reader, without a name and without any protocol of its own. So a playlist cannot make it
//! open other files or connections, a file name is never taken for a pattern or a URL, and only content decides about
//! the format.

use std::io::{self, Read as _};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;
use ffmpeg_next::format::context::{Input, StreamIo};

use super::log;
use super::stream::{StreamFacts, code, text};
use crate::ClipErrorKind;
use crate::media::Reading;
use crate::packets::{PacketRecord, Role, StartPoint};
use crate::watch::{Activity, Watch};

const BUFFER_BYTES: usize = 64 * 1024;

/// Unreadable packets in a row after which a file is given up: far more than any demuxer skips to find its way again.
const MAX_READ_ERRORS: usize = 10_000;

/// Demuxers that take text or noise for pictures.
const NOT_VIDEO: [&str; 7] = ["tty", "bin", "xbin", "adf", "idf", "lavfi", "ffmetadata"];

/// An opened file, and the stream that was chosen in it.
pub(crate) struct Source {
    input: Input,
    stream_index: usize,
    facts: StreamFacts,
    container: String,
    watch: Watch,
}

/// Whether packets are looked into while they are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parsing {
    Usual,
    Left,
}

/// Why no further packet could be read.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    /// The time is up, or the call was cancelled.
    Interrupted,
    Broken(String),
}

impl Source {
    pub(crate) fn open(reader: Box<dyn Reading>, watch: &Watch) -> Result<Self, ClipErrorKind> {
        watch.time(Activity::Read, || Self::open_untimed(reader, watch, Parsing::Usual))
    }

    /// One whose packets are what the container says of them, without a look at what is in them.
    pub(crate) fn open_unparsed(reader: Box<dyn Reading>, watch: &Watch) -> Result<Self, ClipErrorKind> {
        watch.time(Activity::Read, || Self::open_untimed(reader, watch, Parsing::Left))
    }

    fn open_untimed(mut reader: Box<dyn Reading>, watch: &Watch, parsing: Parsing) -> Result<Self, ClipErrorKind> {
        super::initialise();
        let _ = log::take_complaints();
        let failed = |error: ffmpeg::Error| {
            if watch.is_over() {
                return watch.verdict();
            }
            if error == (ffmpeg::Error::Other { errno: ffmpeg::error::EIO }) {
                return ClipErrorKind::Unreadable { detail: log::describe(error) };
            }
            ClipErrorKind::NotMedia { detail: log::describe(error) }
        };
        let is_mp4 =
            starts_like_mp4(&mut reader).map_err(|error| ClipErrorKind::Unreadable { detail: error.to_string() })?;
        let io = StreamIo::from_read_seek_with_capacity(reader, BUFFER_BYTES).map_err(failed)?;
        let mut options = ffmpeg::Dictionary::new();
        options.set("protocol_whitelist", "none");
        if is_mp4 {
            // Without this FFmpeg decodes a dozen frames, to guess what this container states or the index shows: frame
            // rates and the depth of reordering. That is a third of the time of a short clip. In microseconds.
            options.set("analyzeduration", "1");
        }
        if parsing == Parsing::Left {
            options.set("fflags", "noparse");
        }
        let interrupt = watch.clone();
        let mut input =
            ffmpeg::format::input_from_stream_with_interrupt(io, None, Some(options), move || interrupt.is_over())
                .map_err(failed)?;
        let container = demuxer_name(&input);
        if NOT_VIDEO.contains(&container.as_str()) {
            return Err(ClipErrorKind::NotMedia { detail: format!("its content looks like text (`{container}`)") });
        }
        let stream_index = choose_stream(&input)?;
        let stream = input.stream(stream_index).ok_or_else(|| ClipErrorKind::NotMedia { detail: String::new() })?;
        let facts = StreamFacts::read(&stream);
        if ["ansi", "xbin", "bintext", "idf"].contains(&facts.codec.as_str()) {
            return Err(ClipErrorKind::NotMedia { detail: format!("its content looks like text (`{}`)", facts.codec) });
        }
        discard_others(&mut input, stream_index);
        Ok(Self { input, stream_index, facts, container, watch: watch.clone() })
    }

    pub(crate) fn facts(&self) -> &StreamFacts {
        &self.facts
    }

    pub(crate) fn container(&self) -> &str {
        &self.container
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    pub(super) fn parameters(&self) -> Option<ffmpeg::codec::Parameters> {
        self.input.stream(self.stream_index).map(|stream| stream.parameters())
    }

    /// The next packet of the chosen stream; `None` at the end of the file.
    pub(crate) fn next_packet(&mut self) -> Result<Option<ffmpeg::Packet>, ReadFailure> {
        let mut errors = 0;
        loop {
            if self.watch.is_over() {
                return Err(ReadFailure::Interrupted);
            }
            let mut packet = ffmpeg::Packet::empty();
            match self.watch.time(Activity::Read, || packet.read(&mut self.input)) {
                Ok(()) if packet.stream() == self.stream_index => return Ok(Some(packet)),
                Ok(()) => {}
                Err(ffmpeg::Error::Eof) => return Ok(None),
                Err(_) if self.watch.is_over() => return Err(ReadFailure::Interrupted),
                Err(error @ (ffmpeg::Error::InvalidData | ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN })) => {
                    errors += 1;
                    if errors > MAX_READ_ERRORS {
                        return Err(ReadFailure::Broken(log::describe(error)));
                    }
                }
                Err(error) => return Err(ReadFailure::Broken(log::describe(error))),
            }
        }
    }

    /// What a packet says about itself.
    pub(crate) fn record(&mut self, packet: &ffmpeg::Packet) -> PacketRecord {
        // Read from the packet itself: the wrapper drops flags that it has no name for.
        // SAFETY: the packet is valid.
        let flags = unsafe { (*ffmpeg::packet::Ref::as_ptr(packet)).flags };
        let role = if flags & ffi::AV_PKT_FLAG_CORRUPT != 0 {
            Role::Damaged
        } else if flags & ffi::AV_PKT_FLAG_DISCARD != 0 || packet.size() == 0 || self.is_hidden(packet) {
            Role::Hidden
        } else {
            Role::Shown
        };
        PacketRecord {
            pts: packet.pts(),
            dts: packet.dts(),
            duration: packet.duration(),
            start: if flags & ffi::AV_PKT_FLAG_KEY != 0 { StartPoint::Key } else { StartPoint::Dependent },
            role,
            reference: self.facts.references.read(packet.data().unwrap_or_default()),
        }
    }

    /// Whether a decoder that starts at this packet trusts all pictures from it on.
    pub(crate) fn starts_afresh(&self, packet: &ffmpeg::Packet) -> bool {
        self.facts.references.starts_afresh(packet.data().unwrap_or_default())
    }

    /// Whether demuxer seeks of this container land where its index says. Elsewhere the way to a packet is to read all
    /// packets before it.
    pub(crate) fn seeks_reliably(&self) -> bool {
        ["mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"].contains(&self.container.as_str())
    }

    /// Asks the demuxer for the key packet at or before a time. Where it really lands, the next packet tells.
    pub(crate) fn seek(&mut self, ticks: i64) -> Result<(), ReadFailure> {
        let stream_index = i32::try_from(self.stream_index).unwrap_or(-1);
        let input = &mut self.input;
        let result = self.watch.time(Activity::Read, || {
            // SAFETY: the context is open and exclusively borrowed, the index is that of one of its streams.
            unsafe { ffi::av_seek_frame(input.as_mut_ptr(), stream_index, ticks, ffi::AVSEEK_FLAG_BACKWARD) }
        });
        if result < 0 { Err(ReadFailure::Broken(log::describe(ffmpeg::Error::from(result)))) } else { Ok(()) }
    }

    /// A VP8 packet whose frame is a reference that is never shown (RFC 6386, section 9.1: bit 4 of the first byte).
    fn is_hidden(&self, packet: &ffmpeg::Packet) -> bool {
        self.facts.codec == "vp8"
            && packet.data().and_then(|data| data.first()).is_some_and(|first| first & 0b1_0000 == 0)
    }
}

/// Whether the first box is that of an ISO base media file.
fn starts_like_mp4(reader: &mut Box<dyn Reading>) -> io::Result<bool> {
    let mut head = Vec::new();
    reader.take(8).read_to_end(&mut head)?;
    reader.rewind()?;
    Ok(head.get(4..) == Some(b"ftyp"))
}

fn demuxer_name(input: &Input) -> String {
    // SAFETY: an opened context has a demuxer, whose name is static; a null pointer is answered by `text`.
    unsafe {
        let demuxer = (*input.as_ptr()).iformat;
        if demuxer.is_null() { "unknown".to_string() } else { text((*demuxer).name) }
    }
}

/// What a stream is, as far as choosing goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Video,
    CoverArt,
    Audio,
    Subtitle,
    Other,
}

/// `AVMediaType`, whose first numbers have never changed.
const VIDEO_CODE: i32 = 0;
const AUDIO_CODE: i32 = 1;
const SUBTITLE_CODE: i32 = 3;

/// Cover art, and the thumbnails of chapters.
const NO_FILM: i32 = ffi::AV_DISPOSITION_ATTACHED_PIC | ffi::AV_DISPOSITION_TIMED_THUMBNAILS;

/// The video stream that a player would show: the default one, then the largest, then the first.
fn choose_stream(input: &Input) -> Result<usize, ClipErrorKind> {
    let mut kinds = Vec::new();
    let mut best: Option<((bool, bool, u64), usize)> = None;
    for stream in input.streams() {
        // SAFETY: the stream and its parameters live as long as `input`.
        let (kind, rank, codec) = unsafe {
            let raw = &*stream.as_ptr();
            let parameters = raw.codecpar;
            let area = [(*parameters).width, (*parameters).height].map(|side| u64::try_from(side).unwrap_or(0));
            let area = area[0] * area[1];
            let kind = match code(&raw const (*parameters).codec_type) {
                VIDEO_CODE if raw.disposition & NO_FILM != 0 => Kind::CoverArt,
                VIDEO_CODE => Kind::Video,
                AUDIO_CODE => Kind::Audio,
                SUBTITLE_CODE => Kind::Subtitle,
                _ => Kind::Other,
            };
            let rank = (area > 0, raw.disposition & ffi::AV_DISPOSITION_DEFAULT != 0, area);
            (kind, rank, code(&raw const (*parameters).codec_id))
        };
        kinds.push(kind);
        let unnamed_codec = codec == 0;
        if kind == Kind::Video && !unnamed_codec && best.is_none_or(|(best_rank, _)| rank > best_rank) {
            best = Some((rank, stream.index()));
        }
    }
    best.map(|(_, index)| index).ok_or_else(|| nothing_to_see(&kinds))
}

fn nothing_to_see(kinds: &[Kind]) -> ClipErrorKind {
    let has = |kind| kinds.contains(&kind);
    let streams = match () {
        () if has(Kind::Video) => "video of an unknown codec",
        () if has(Kind::Audio) && has(Kind::CoverArt) => "audio with cover art",
        () if has(Kind::Audio) => "audio only",
        () if has(Kind::CoverArt) => "cover art only",
        () if has(Kind::Subtitle) => {
            return ClipErrorKind::NotMedia { detail: "its content looks like text (subtitles)".to_string() };
        }
        () => {
            let nothing = || "it holds nothing that can be seen or heard".to_string();
            return ClipErrorKind::NotMedia { detail: log::take_complaints().unwrap_or_else(nothing) };
        }
    };
    ClipErrorKind::NoVideoStream { streams: streams.to_string() }
}

fn discard_others(input: &mut Input, chosen: usize) {
    for index in 0..input.streams().len() {
        if index != chosen {
            // SAFETY: the index is below the number of streams of a context that is exclusively borrowed.
            unsafe {
                let stream = *(*input.as_mut_ptr()).streams.add(index);
                (*stream).discard = ffi::AVDiscard::AVDISCARD_ALL;
            }
        }
    }
}

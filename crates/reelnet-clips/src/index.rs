//! What a file holds, learned from one pass over its packets.

use crate::album::{Album, Cover};
use crate::clock::Clock;
use crate::colour::{ColourMatrix, ColourRange};
use crate::libav::{ReadFailure, Source, StreamFacts, signs_of_loss};
use crate::media::{Media, Reading};
use crate::packets::{FrameIndex, PacketRecord, Role, StartPoint};
use crate::session::Session;
use crate::stamp::FileStamp;
use crate::still::Still;
use crate::watch::Watch;
use crate::{ClipError, ClipErrorKind, Limits, Timeline, VideoInfo, animation, geometry, hollow};

/// The frames of a file and the times at which they are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaIndex {
    /// Facts about the file.
    pub info: VideoInfo,
    timeline: Timeline,
    pub(crate) clock: Clock,
    pub(crate) frames: FrameIndex,
    stamp: Option<FileStamp>,
}

impl MediaIndex {
    /// Reads all packets of the file's video stream. Videos are not decoded; a still image is, because only its pixels
    /// come with its orientation. In a folder of numbered images only the first one is opened.
    ///
    /// # Errors
    /// Everything that keeps a file from having even one frame; see [`ClipErrorKind`].
    pub fn open(media: impl Into<Media>, limits: &Limits) -> Result<Self, ClipError> {
        let media = media.into();
        let watch = Watch::start(limits);
        let opened = Scan::open(&media, limits, &watch).map_err(|kind| ClipError::new(media.name(), kind))?;
        Ok(opened.index)
    }

    /// Number of frames that the file holds: at least 1, whatever its container claims.
    pub fn frames(&self) -> usize {
        self.timeline.frames()
    }

    /// Time of a frame after the first one.
    pub fn pts_seconds(&self, frame: usize) -> f64 {
        self.timeline.pts_seconds(frame)
    }

    /// Times of all frames, for [`plan`](crate::plan).
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// From what is kept of an index; the rest follows.
    pub(crate) fn new(info: VideoInfo, clock: Clock, frames: FrameIndex, stamp: Option<FileStamp>) -> Self {
        Self { info, timeline: clock.timeline(&frames), clock, frames, stamp }
    }

    /// Which state of which file this is the index of.
    pub(crate) fn stamp(&self) -> Option<&FileStamp> {
        self.stamp.as_ref()
    }

    /// Refuses what a scan with these limits would have refused.
    pub(crate) fn check_size(&self, limits: &Limits) -> Result<(), ClipErrorKind> {
        let VideoInfo { coded_width, coded_height, sample_aspect_ratio, .. } = self.info;
        check_size([coded_width, coded_height], limits)?;
        if coded_width > 0 && coded_height > 0 {
            geometry::stretched([coded_width, coded_height], sample_aspect_ratio, limits.max_pixels_per_frame)?;
        }
        Ok(())
    }

    /// Whether a header can be that of the file that was indexed.
    fn fits(&self, source: &Source) -> bool {
        let (info, facts) = (&self.info, source.facts());
        let has_size = info.is_image || facts.coded_size == [info.coded_width, info.coded_height];
        has_size && facts.codec == info.codec && source.container() == info.container && facts.clock == self.clock
    }
}

/// A file after its first pass.
pub(crate) struct Scan {
    pub(crate) index: MediaIndex,
    pub(crate) facts: StreamFacts,
    /// What is walked through, unless there is an album.
    pub(crate) session: Option<Session>,
    pub(crate) album: Option<Album>,
}

impl Scan {
    pub(crate) fn open(media: &Media, limits: &Limits, watch: &Watch) -> Result<Self, ClipErrorKind> {
        if let Some(folder) = media.folder()? {
            let (album, cover) = Album::of_folder(folder, limits, watch)?;
            return Self::of_album(album, cover, None, limits);
        }
        let (reader, stamp) = media.open()?;
        Self::of(reader, stamp, media, limits, watch)
    }

    /// From a reader of the media, and what tells its state from others.
    pub(crate) fn of(
        mut reader: Box<dyn Reading>,
        stamp: Option<FileStamp>,
        media: &Media,
        limits: &Limits,
        watch: &Watch,
    ) -> Result<Self, ClipErrorKind> {
        if animation::is_animated_webp(&mut reader)? {
            let (album, cover) = Album::of_animation(reader, limits, watch)?;
            return Self::of_album(album, cover, stamp, limits);
        }
        let mut source = Source::open(reader, watch)?;
        check_size(source.facts().coded_size, limits)?;
        if is_image_container(source.container()) {
            return Self::of_still(&mut source, stamp, limits, watch);
        }
        let mut header = HeaderOnly::open(&source, media, watch)?;
        let mut packets = Packets::read(header.as_mut().map_or(&mut source, |header| &mut header.0), limits, watch)?;
        let facts = source.facts().clone();
        let records = std::mem::take(&mut packets.records);
        let frames = FrameIndex::build(records, facts.clock.ticks_per_frame());
        if frames.entries.is_empty() {
            let detail = packets.read_error.unwrap_or_else(|| NO_FRAME.to_string());
            return Err(ClipErrorKind::NothingDecodable { detail });
        }
        if frames.entries.len() == 1 && STILL_CODECS.contains(&facts.codec.as_str()) {
            let mut again = Source::open(media.open_again(stamp.as_ref())?, watch)?;
            return Self::of_still(&mut again, stamp, limits, watch);
        }
        let timeline = facts.clock.timeline(&frames);
        let info = describe(&facts, source.container(), &packets, &frames, &timeline, limits)?;
        let index = MediaIndex::new(info, facts.clock, frames, stamp);
        let reordered = index.frames.reordered();
        let session = match header {
            Some(_) => Session::at_start(source, limits, reordered)?,
            None => Session::after_scan(source, limits, reordered)?,
        };
        Ok(Self { index, facts, session: Some(session), album: None })
    }

    fn of_still(
        source: &mut Source,
        stamp: Option<FileStamp>,
        limits: &Limits,
        watch: &Watch,
    ) -> Result<Self, ClipErrorKind> {
        let (album, cover) = Album::of_still(Still::decode(source, limits, watch)?, source.container());
        Self::of_album(album, cover, stamp, limits)
    }

    fn of_album(album: Album, cover: Cover, stamp: Option<FileStamp>, limits: &Limits) -> Result<Self, ClipErrorKind> {
        let Cover { facts, container, records, read_error } = cover;
        let packets = Packets { count: records.len() as u64, read_error, ..Packets::default() };
        let frames = FrameIndex::build(records, 1);
        let mut info = describe(&facts, &container, &packets, &frames, &facts.clock.timeline(&frames), limits)?;
        info.is_image = matches!(album, Album::Still(_));
        let index = MediaIndex::new(info, facts.clock, frames, stamp);
        Ok(Self { index, facts, session: None, album: Some(album) })
    }

    /// With an index that is known.
    pub(crate) fn again(
        media: &Media,
        index: MediaIndex,
        limits: &Limits,
        watch: &Watch,
    ) -> Result<Self, ClipErrorKind> {
        if let Some(folder) = media.folder()? {
            let (album, cover) = Album::of_folder(folder, limits, watch)?;
            return Self::of_album(album, cover, None, limits)?.with(index);
        }
        Self::known(media.open_again(index.stamp())?, index, limits, watch)
    }

    /// From a reader of a file whose index is known.
    pub(crate) fn known(
        mut reader: Box<dyn Reading>,
        index: MediaIndex,
        limits: &Limits,
        watch: &Watch,
    ) -> Result<Self, ClipErrorKind> {
        index.check_size(limits)?;
        if animation::is_animated_webp(&mut reader)? {
            let (album, cover) = Album::of_animation(reader, limits, watch)?;
            return Self::of_album(album, cover, None, limits)?.with(index);
        }
        let mut source = Source::open(reader, watch)?;
        if index.info.is_image {
            return Self::of_still(&mut source, None, limits, watch)?.with(index);
        }
        if !index.fits(&source) {
            return Err(ClipErrorKind::Changed);
        }
        let facts = source.facts().clone();
        let session = Session::at_start(source, limits, index.frames.reordered())?;
        Ok(Self { index, facts, session: Some(session), album: None })
    }

    /// An album with the index that is known of it, if that is the one it has.
    fn with(self, known: MediaIndex) -> Result<Self, ClipErrorKind> {
        let is_same = self.index.info == known.info && self.index.frames == known.frames;
        if is_same { Ok(Self { index: known, ..self }) } else { Err(ClipErrorKind::Changed) }
    }
}

/// A second source of a file, of which only the header is read: its packets have their times and sizes, and zeros in them.
struct HeaderOnly(Source);

impl HeaderOnly {
    /// If the file allows it, and every byte costs a request.
    fn open(source: &Source, media: &Media, watch: &Watch) -> Result<Option<Self>, ClipErrorKind> {
        if !hollow::is_told_by_headers(&source.facts().codec) {
            return Ok(None);
        }
        let Some((reader, hollow)) = media.open_hollow()? else { return Ok(None) };
        // A parser would look for key pictures in the packets.
        let source = Source::open_unparsed(Box::new(reader), watch)?;
        hollow.begin();
        Ok(Some(Self(source)))
    }
}

/// Codecs of animations that may hold a single picture.
const STILL_CODECS: [&str; 2] = ["gif", "apng"];

/// Of a file that claims to be media.
const NO_FRAME: &str = "it is cut short before its first frame ends";

/// All packets of a stream, and how reading them ended.
#[derive(Default)]
struct Packets {
    records: Vec<PacketRecord>,
    count: u64,
    damaged: usize,
    read_error: Option<String>,
}

impl Packets {
    fn read(source: &mut Source, limits: &Limits, watch: &Watch) -> Result<Self, ClipErrorKind> {
        let max_packets = limits.max_packets;
        let mut packets = Self::default();
        loop {
            match source.next_packet() {
                Ok(Some(_)) if packets.records.len() >= max_packets => {
                    return Err(ClipErrorKind::TooLong { max_packets });
                }
                Ok(Some(packet)) => packets.push(source.record(&packet)),
                Ok(None) => return Ok(Self { read_error: signs_of_loss(), ..packets }),
                Err(ReadFailure::Interrupted) => return Err(watch.verdict()),
                Err(ReadFailure::Broken(detail)) => return Ok(Self { read_error: Some(detail), ..packets }),
            }
        }
    }

    fn push(&mut self, record: PacketRecord) {
        self.count += 1;
        self.damaged += usize::from(record.role == Role::Damaged);
        self.records.push(record);
    }
}

fn is_image_container(container: &str) -> bool {
    container.ends_with("_pipe") || container == "image2" || container == "ico"
}

fn check_size(coded_size: [u32; 2], limits: &Limits) -> Result<(), ClipErrorKind> {
    let [width, height] = coded_size.map(u64::from);
    let max_pixels = limits.max_pixels_per_frame;
    if width.saturating_mul(height) > max_pixels {
        return Err(ClipErrorKind::TooLarge { width, height, max_pixels });
    }
    Ok(())
}

fn describe(
    facts: &StreamFacts,
    container: &str,
    packets: &Packets,
    frames: &FrameIndex,
    timeline: &Timeline,
    limits: &Limits,
) -> Result<VideoInfo, ClipErrorKind> {
    let [coded_width, coded_height] = facts.coded_size;
    let count = frames.entries.len();
    let last_pts = timeline.pts_seconds(count - 1);
    let fps = match facts.clock.stated_fps {
        _ if last_pts > 0.0 => (count - 1) as f64 / last_pts,
        Some(fps) => fps,
        None => 0.0,
    };
    let mut info = VideoInfo {
        container: container.to_string(),
        codec: facts.codec.clone(),
        pixel_format: facts.pixel_format.clone(),
        width: coded_width,
        height: coded_height,
        coded_width,
        coded_height,
        rotation: 0,
        mirrored: false,
        sample_aspect_ratio: facts.container_aspect.or(facts.codec_aspect).unwrap_or((1, 1)),
        duration_seconds: timeline.duration_seconds(),
        fps,
        variable_frame_rate: frames.has_variable_rate(),
        start_seconds: facts.clock.seconds(frames.entries.first().map_or(0, |entry| entry.pts)),
        frames: count,
        claimed_frames: facts.claimed_frames,
        keyframes: frames.entries.iter().filter(|entry| entry.start == StartPoint::Key).count(),
        damaged_packets: packets.damaged,
        missing_packets: facts.claimed_frames.unwrap_or(0).saturating_sub(packets.count),
        read_error: packets.read_error.clone(),
        colour_matrix: ColourMatrix::resolve(facts.matrix_code, coded_height, &facts.codec).name(),
        colour_range: ColourRange::resolve(facts.range_code, &facts.pixel_format).name(),
        is_image: false,
    };
    // Some formats reveal their size only to the decoder, which then has the last word.
    if coded_width > 0 && coded_height > 0 {
        let stretched = geometry::stretched(facts.coded_size, info.sample_aspect_ratio, limits.max_pixels_per_frame)?;
        [info.width, info.height] = facts.orientation.swap_sides(stretched);
        info.rotation = facts.orientation.rotation_degrees();
        info.mirrored = facts.orientation.is_mirrored();
    }
    Ok(info)
}

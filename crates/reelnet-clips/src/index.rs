//! What a file holds, learned from one pass over its packets.

use ffmpeg_next as ffmpeg;

use crate::clock::Clock;
use crate::colour::{ColourMatrix, ColourRange};
use crate::libav::{Picture, ReadFailure, Source, early_end};
use crate::media::{Media, Reading};
use crate::orientation::Orientation;
use crate::packets::{FrameIndex, PacketRecord, Role, StartPoint};
use crate::session::{Everything, Session, Stop};
use crate::stamp::Stamp;
use crate::watch::Watch;
use crate::{ClipError, ClipErrorKind, Limits, Timeline, VideoInfo, geometry, jpeg};

/// The frames of a file and the times at which they are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaIndex {
    /// Facts about the file.
    pub info: VideoInfo,
    timeline: Timeline,
    pub(crate) clock: Clock,
    pub(crate) frames: FrameIndex,
    stamp: Option<Stamp>,
}

impl MediaIndex {
    /// Reads all packets of the file's video stream. Videos are not decoded; a still image is, because only its pixels
    /// come with its orientation.
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
    pub(crate) fn new(info: VideoInfo, clock: Clock, frames: FrameIndex, stamp: Option<Stamp>) -> Self {
        Self { info, timeline: clock.timeline(&frames), clock, frames, stamp }
    }

    /// Which state of which file this is the index of.
    pub(crate) fn stamp(&self) -> Option<&Stamp> {
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
    pub(crate) session: Session,
    /// The picture of a still image.
    pub(crate) still: Option<Picture>,
}

impl Scan {
    pub(crate) fn open(media: &Media, limits: &Limits, watch: &Watch) -> Result<Self, ClipErrorKind> {
        let (reader, stamp) = media.open()?;
        Self::of(reader, stamp, media, limits, watch)
    }

    /// From a reader of the media, and what tells its state from others.
    pub(crate) fn of(
        reader: Box<dyn Reading>,
        stamp: Option<Stamp>,
        media: &Media,
        limits: &Limits,
        watch: &Watch,
    ) -> Result<Self, ClipErrorKind> {
        let mut source = Source::open(reader, watch)?;
        let clock = source.facts().clock;
        check_size(source.facts().coded_size, limits)?;
        let mut packets = Packets::read(&mut source, watch)?;
        let frames = FrameIndex::build(std::mem::take(&mut packets.records), clock.ticks_per_frame());
        if frames.entries.is_empty() {
            let detail =
                packets.read_error.unwrap_or_else(|| "it is cut short before its first frame ends".to_string());
            return Err(ClipErrorKind::NothingDecodable { detail });
        }
        let info = describe(&source, &packets, &frames, &clock.timeline(&frames), limits)?;
        let mut index = MediaIndex::new(info, clock, frames, stamp);
        let reordered = index.frames.reordered();
        if !index.info.is_image {
            let session = Session::after_scan(source, limits, reordered)?;
            return Ok(Self { index, session, still: None });
        }
        let again = Source::open(media.open_again(index.stamp())?, watch)?;
        let mut session = Session::at_start(again, limits, reordered)?;
        let picture = still(&mut session, &index.frames, watch)?;
        let orientation = picture.orientation().unwrap_or(source.facts().orientation);
        let [coded_width, coded_height] = picture.size();
        let pixel_format = picture.pixel_format_name();
        index.info = VideoInfo { pixel_format, coded_width, coded_height, ..index.info };
        show(&mut index.info, orientation, limits)?;
        Ok(Self { index, session, still: Some(picture) })
    }

    /// From a reader of a media whose index is known.
    pub(crate) fn known(
        reader: Box<dyn Reading>,
        index: MediaIndex,
        limits: &Limits,
        watch: &Watch,
    ) -> Result<Self, ClipErrorKind> {
        index.check_size(limits)?;
        let source = Source::open(reader, watch)?;
        if !index.fits(&source) {
            return Err(ClipErrorKind::Changed);
        }
        let mut session = Session::at_start(source, limits, index.frames.reordered())?;
        let still = if index.info.is_image { Some(still(&mut session, &index.frames, watch)?) } else { None };
        Ok(Self { index, session, still })
    }
}

/// The picture of a still image.
fn still(session: &mut Session, frames: &FrameIndex, watch: &Watch) -> Result<Picture, ClipErrorKind> {
    let detail = match session.next_frame(frames, &Everything) {
        Ok(Some(decoded)) if !decoded.picture.is_damaged() => return Ok(decoded.picture),
        Ok(_) | Err(Stop::Untrusted) => session.complaint().unwrap_or("the picture is incomplete").to_string(),
        Err(Stop::Broken(detail)) => detail,
        Err(Stop::Interrupted) => return Err(watch.verdict()),
    };
    Err(ClipErrorKind::NothingDecodable { detail })
}

/// All packets of a stream, and how reading them ended.
struct Packets {
    records: Vec<PacketRecord>,
    count: u64,
    damaged: usize,
    read_error: Option<String>,
}

impl Packets {
    fn read(source: &mut Source, watch: &Watch) -> Result<Self, ClipErrorKind> {
        let mut packets = Self { records: Vec::new(), count: 0, damaged: 0, read_error: None };
        loop {
            match source.next_packet() {
                Ok(Some(packet)) => packets.push(checked(source, &packet)),
                Ok(None) => return Ok(Self { read_error: early_end(), ..packets }),
                Err(ReadFailure::Interrupted) => return Err(watch.verdict()),
                Err(ReadFailure::Broken(detail)) => return Ok(Self { read_error: Some(detail), ..packets }),
            }
            // Phones append further pictures (depth, gain maps) to an image file; only the first one is the image.
            if is_image_container(source.container()) {
                return Ok(packets);
            }
        }
    }

    fn push(&mut self, record: PacketRecord) {
        self.count += 1;
        self.damaged += usize::from(record.role == Role::Damaged);
        self.records.push(record);
    }
}

/// What a packet says about itself; a JPEG image that lacks its end is damaged, although FFmpeg would not say so.
fn checked(source: &mut Source, packet: &ffmpeg::Packet) -> PacketRecord {
    let record = source.record(packet);
    let is_jpeg = is_image_container(source.container()) && source.facts().codec == "mjpeg";
    if is_jpeg && !packet.data().is_some_and(jpeg::is_complete) {
        return PacketRecord { role: Role::Damaged, ..record };
    }
    record
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
    source: &Source,
    packets: &Packets,
    frames: &FrameIndex,
    timeline: &Timeline,
    limits: &Limits,
) -> Result<VideoInfo, ClipErrorKind> {
    let facts = source.facts();
    let [coded_width, coded_height] = facts.coded_size;
    let count = frames.entries.len();
    let last_pts = timeline.pts_seconds(count - 1);
    let fps = match facts.clock.stated_fps {
        _ if last_pts > 0.0 => (count - 1) as f64 / last_pts,
        Some(fps) => fps,
        None => 0.0,
    };
    let still_codec = ["gif", "apng", "webp"].contains(&facts.codec.as_str());
    let mut info = VideoInfo {
        container: source.container().to_string(),
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
        is_image: is_image_container(source.container()) || (still_codec && count == 1),
    };
    // Some formats reveal their size only to the decoder, which then has the last word.
    if coded_width > 0 && coded_height > 0 {
        show(&mut info, facts.orientation, limits)?;
    }
    Ok(info)
}

/// Fills in how the coded frame is shown.
fn show(info: &mut VideoInfo, orientation: Orientation, limits: &Limits) -> Result<(), ClipErrorKind> {
    let coded = [info.coded_width, info.coded_height];
    let stretched = geometry::stretched(coded, info.sample_aspect_ratio, limits.max_pixels_per_frame)?;
    [info.width, info.height] = orientation.swap_sides(stretched);
    info.rotation = orientation.rotation_degrees();
    info.mirrored = orientation.is_mirrored();
    Ok(())
}

//! Frames that are opened by number, and not walked to: a still image, the images of a folder, a WebP animation.

use std::sync::Arc;

use crate::animation::Animation;
use crate::clock::Clock;
use crate::folder::Folder;
use crate::harvest::Catch;
use crate::libav::StreamFacts;
use crate::media::Reading;
use crate::packets::{PacketRecord, Role, StartPoint};
use crate::reference::Reference;
use crate::still::Still;
use crate::watch::Watch;
use crate::{ClipErrorKind, Limits, Media, Timeline};

pub(crate) enum Album {
    Still(Still),
    Folder(Folder),
    Animation(Animation),
}

/// What is known about an album as a whole.
pub(crate) struct Cover {
    pub(crate) facts: StreamFacts,
    pub(crate) container: String,
    /// One a frame.
    pub(crate) records: Vec<PacketRecord>,
    pub(crate) read_error: Option<String>,
}

impl Album {
    pub(crate) fn of_still(still: Still, container: &str) -> (Self, Cover) {
        let cover = Cover::new(&still, container, [(0, 0)]);
        (Self::Still(still), cover)
    }

    /// The first image that can be decoded stands for all in what is told about the video.
    pub(crate) fn of_folder(folder: Folder, limits: &Limits, watch: &Watch) -> Result<(Self, Cover), ClipErrorKind> {
        let mut trouble = None;
        for frame in 0..folder.frames() {
            match Still::open(&Media::path(folder.frame_path(frame)), limits, watch) {
                Ok(still) => {
                    let mut cover = Cover::new(&still, "image_sequence", folder.ticks().map(|ticks| (ticks, 1)));
                    cover.facts.clock = Clock { time_base: folder.time_base(), stated_fps: Some(folder.fps()) };
                    return Ok((Self::Folder(folder), cover));
                }
                Err(kind) if watch.is_over() => return Err(kind),
                Err(kind) => trouble = trouble.or_else(|| Some(format!("`{}` {kind}", folder.name(frame)))),
            }
        }
        Err(ClipErrorKind::NothingDecodable { detail: trouble.unwrap_or_default() })
    }

    pub(crate) fn of_animation(
        reader: Box<dyn Reading>,
        limits: &Limits,
        watch: &Watch,
    ) -> Result<(Self, Cover), ClipErrorKind> {
        let mut animation = Animation::open(reader, limits, watch)?;
        if animation.durations().next().is_none() {
            let detail = "it is cut short before its first frame ends".to_string();
            return Err(ClipErrorKind::NothingDecodable { detail });
        }
        let mut facts = StreamFacts::of_pictures("webp", (1, 1000));
        facts.orientation = animation.orientation();
        let still = Still { picture: Arc::new(animation.picture(0, watch)?), facts };
        let times = animation.durations().map(i64::from).scan(0, |next, duration| {
            let start = *next;
            *next += duration;
            Some((start, duration))
        });
        let mut cover = Cover::new(&still, "webp", times);
        cover.read_error = animation.is_cut().then(|| "the file is cut short".to_string());
        Ok((Self::Animation(animation), cover))
    }

    /// Hands over all wanted frames that can be had. A frame that cannot be had leaves the others alone.
    pub(crate) fn show(
        &mut self,
        catch: &mut impl Catch,
        timeline: &Timeline,
        limits: &Limits,
        watch: &Watch,
    ) -> Result<(), ClipErrorKind> {
        let mut frames_decoded = 0;
        let mut first_missing = None;
        let mut from = 0;
        while let Some(frame) = catch.next_wanted(from) {
            if watch.is_over() {
                return Err(watch.verdict());
            }
            from = frame + 1;
            match self.offer(frame, catch, limits, watch) {
                Ok(()) => frames_decoded += 1,
                Err(Failure::OfFrame(detail)) => {
                    first_missing.get_or_insert((frame, detail));
                }
                Err(Failure::OfCall(kind)) => return Err(kind),
            }
        }
        match first_missing {
            None => Ok(()),
            Some((_, detail)) if frames_decoded == 0 => Err(ClipErrorKind::NothingDecodable { detail }),
            Some((frame, detail)) => {
                Err(ClipErrorKind::Corrupt { seconds: timeline.pts_seconds(frame), frames_decoded, detail })
            }
        }
    }

    fn offer(&mut self, frame: usize, catch: &mut impl Catch, limits: &Limits, watch: &Watch) -> Result<(), Failure> {
        let picture = match self {
            Self::Still(still) => Arc::clone(&still.picture),
            Self::Folder(folder) => {
                let still = Still::open(&Media::path(folder.frame_path(frame)), limits, watch)
                    .map_err(|kind| Failure::new(kind, |kind| format!("`{}` {kind}", folder.name(frame))))?;
                catch.follow(still.facts).map_err(Failure::OfCall)?;
                still.picture
            }
            Self::Animation(animation) => {
                let picture = animation.picture(frame, watch);
                Arc::new(picture.map_err(|kind| Failure::new(kind, ClipErrorKind::to_string))?)
            }
        };
        catch.offer(frame, picture).map_err(Failure::OfCall)
    }
}

impl Cover {
    /// Of frames that look like this one, shown at these ticks for so many ticks.
    fn new(still: &Still, container: &str, times: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let record = |(ticks, duration)| PacketRecord {
            pts: Some(ticks),
            dts: Some(ticks),
            duration,
            start: StartPoint::Key,
            role: Role::Shown,
            reference: Reference::Never,
        };
        let facts = StreamFacts {
            pixel_format: still.picture.pixel_format_name(),
            coded_size: still.picture.stored_size(),
            codec_aspect: still.facts.codec_aspect.or(still.picture.sample_aspect_ratio()),
            orientation: still.orientation(),
            ..still.facts.clone()
        };
        let records = times.into_iter().map(record).collect();
        Self { facts, container: container.to_string(), records, read_error: None }
    }
}

/// Why a frame is not there.
enum Failure {
    /// The others may be.
    OfFrame(String),
    OfCall(ClipErrorKind),
}

impl Failure {
    fn new(kind: ClipErrorKind, describe: impl FnOnce(&ClipErrorKind) -> String) -> Self {
        match kind {
            ClipErrorKind::TimedOut { .. } | ClipErrorKind::Cancelled => Self::OfCall(kind),
            kind => Self::OfFrame(describe(&kind)),
        }
    }
}

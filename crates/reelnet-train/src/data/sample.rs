//! One sample: a file, a part of one in time, or a member of a tar file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use reelnet_clips::{FramePlan, Media, Timeline};
use thiserror::Error;

/// A file and its class.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it is called under the data root, the same on every machine.
    pub name: String,
    /// The file that holds it.
    pub path: PathBuf,
    /// Its class; the first one, if it has several.
    pub label: usize,
    /// Its other classes.
    pub more_labels: Vec<usize>,
    /// The part of the file that it is. Absent: all of it.
    pub span: Option<Span>,
    /// Where it lies in a tar file, if it does.
    pub section: Option<Section>,
    /// What it shares with samples of the same origin, such as the video that it was cut from.
    pub group: String,
}

/// A part of a video.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// After the first frame.
    pub start_seconds: f64,
    /// After the start.
    pub end_seconds: f64,
}

/// A part of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Of the first byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

impl Sample {
    /// What to open.
    pub fn media(&self) -> Media {
        let Some(section) = self.section else { return Media::path(&self.path) };
        let path = self.path.clone();
        Media::reader(&self.name, move || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(section.offset))?;
            Ok(Member { file, section, at: 0 })
        })
    }

    /// All of its classes.
    pub fn labels(&self) -> Vec<usize> {
        [&[self.label], self.more_labels.as_slice()].concat()
    }
}

impl Span {
    /// The frames that are shown within it, as a timeline of their own, and the number of the first one: plans are made on
    /// that timeline, and their indices moved by that number. A span without frames is none.
    pub fn of(&self, timeline: &Timeline) -> Option<(Timeline, usize)> {
        let Range { start, end } = self.frames(timeline);
        let times: Vec<f64> = (start..end).map(|frame| timeline.pts_seconds(frame)).collect();
        let first = *times.first()?;
        let until = if end < timeline.frames() { timeline.pts_seconds(end) } else { timeline.duration_seconds() };
        let times = times.into_iter().map(|time| time - first).collect();
        Some((Timeline::new(times, until - first)?, start))
    }

    fn frames(&self, timeline: &Timeline) -> Range<usize> {
        let frames = timeline.frames();
        let from = (0..frames).find(|&frame| timeline.pts_seconds(frame) >= self.start_seconds).unwrap_or(frames);
        let to = (from..frames).find(|&frame| timeline.pts_seconds(frame) >= self.end_seconds).unwrap_or(frames);
        from..to
    }
}

/// A span into which no frame of its video falls.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error(
    "no frame is shown from {:.3} s to {:.3} s, where the sample should be; the video ends at {duration_seconds:.3} s",
    span.start_seconds, span.end_seconds
)]
pub struct EmptySpan {
    /// The span.
    pub span: Span,
    /// The length of the video.
    pub duration_seconds: f64,
}

/// Plans for the part of a video that a sample is: chosen on a timeline of that part, with the indices of the whole.
pub(crate) fn plans_within(
    span: Option<Span>,
    timeline: &Timeline,
    choose: impl FnOnce(&Timeline) -> Vec<FramePlan>,
) -> Result<Vec<FramePlan>, EmptySpan> {
    let Some(span) = span else { return Ok(choose(timeline)) };
    let (part, first) =
        span.of(timeline).ok_or_else(|| EmptySpan { span, duration_seconds: timeline.duration_seconds() })?;
    let start = timeline.pts_seconds(first);
    let of_whole = |plan: FramePlan| FramePlan {
        indices: plan.indices.into_iter().map(|index| index + first).collect(),
        centre_seconds: plan.centre_seconds + start,
    };
    Ok(choose(&part).into_iter().map(of_whole).collect())
}

/// A reader of a part of a file.
struct Member {
    file: File,
    section: Section,
    at: u64,
}

impl Read for Member {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.section.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = self.file.read(&mut buffer[..wanted])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Member {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(offset) => (0, i64::try_from(offset).unwrap_or(i64::MAX)),
            SeekFrom::Current(offset) => (self.at, offset),
            SeekFrom::End(offset) => (self.section.length, offset),
        };
        let before_start = || io::Error::new(io::ErrorKind::InvalidInput, "a seek to before the start");
        let at = base.checked_add_signed(offset).ok_or_else(before_start)?;
        let place = self.section.offset.checked_add(at).ok_or_else(before_start)?;
        self.file.seek(SeekFrom::Start(place))?;
        self.at = at;
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use reelnet_clips::{ClipSpec, PastEnd, plan};

    use super::*;

    #[test]
    fn a_span_is_the_frames_that_begin_in_it() {
        let timeline = Timeline::at_fixed_rate(100, 10.0).expect("a rate");
        let span = |start_seconds, end_seconds| Span { start_seconds, end_seconds };
        let (part, first) = span(2.0, 3.5).of(&timeline).expect("frames");
        assert_eq!((part.frames(), first), (15, 20));
        assert!((part.duration_seconds() - 1.5).abs() < 1e-9);
        let (part, first) = span(9.0, 60.0).of(&timeline).expect("frames");
        assert_eq!((part.frames(), first), (10, 90));
        assert!(span(20.0, 30.0).of(&timeline).is_none());
    }

    #[test]
    fn plans_of_a_part_name_frames_of_the_whole() {
        let timeline = Timeline::at_fixed_rate(100, 10.0).expect("a rate");
        let spec = ClipSpec { frames: 3, frame_step: 2, past_end: PastEnd::Loop };
        let of = |span| plans_within(span, &timeline, |part| vec![plan::centre(part, &spec)]);
        let part = Span { start_seconds: 2.0, end_seconds: 3.0 };
        let (whole, plans) = (of(None).expect("frames"), of(Some(part)).expect("frames"));
        assert_eq!(whole[0].indices, plan::centre(&timeline, &spec).indices);
        assert!(plans[0].indices.iter().all(|index| (20..30).contains(index)), "{plans:?}");
        assert!((2.0..3.0).contains(&plans[0].centre_seconds), "{plans:?}");
        let late = Span { start_seconds: 20.0, end_seconds: 30.0 };
        let told = of(Some(late)).expect_err("it is past the end").to_string();
        assert!(told.contains("from 20.000 s to 30.000 s") && told.contains("ends at 10.000 s"), "{told}");
    }
}

//! The page of an evaluation: pictures of the worst videos, and everything else from the numbers.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use reelnet_clips::{ClipSpec, Crop, Decoder, Filter, FrameGeometry, Limits, PastEnd, Resize, plan};
use reelnet_infer::evaluation::{Evaluation, Summary, sweep};
use reelnet_train::data::{DataSet, Sample};
use reelnet_train::{Thumbnail, evaluation_page};

use crate::output::{encode_png, write_whole};

/// The page.
pub(super) const FILE: &str = "report.html";
/// Shorter side of a picture, in pixels.
const SIDE: u32 = 120;
/// A picture is no reason to wait.
const DEADLINE: Duration = Duration::from_secs(10);

/// Writes the page into the folder of an evaluation.
pub(super) fn write(folder: &Path, evaluation: &Evaluation, summary: &Summary, data: &DataSet) -> anyhow::Result<()> {
    let worst: HashSet<&str> = summary.worst.iter().map(|worst| worst.name.as_str()).collect();
    let samples = data.samples.iter().filter(|sample| worst.contains(sample.name.as_str()));
    let thumbnails = samples.filter_map(|sample| Some((sample.name.clone(), thumbnail(sample)?))).collect();
    let page = evaluation_page(summary, &sweep(evaluation)?, &thumbnails);
    write_whole(&folder.join(FILE), |file| Ok(file.write_all(page.as_bytes())?))
}

/// The frame in the middle. Of a video that cannot be read any more there is none.
fn thumbnail(sample: &Sample) -> Option<Thumbnail> {
    let limits = Limits { deadline: DEADLINE, ..Limits::default() };
    let mut decoder = Decoder::open(sample.media(), &limits).ok()?;
    let spec = ClipSpec { frames: 1, frame_step: 1, past_end: PastEnd::RepeatLast };
    let timeline = decoder.index().timeline();
    let middle = match sample.span {
        Some(span) => plan::centred_at(timeline, &spec, f64::midpoint(span.start_seconds, span.end_seconds)),
        None => plan::centre(timeline, &spec),
    };
    let geometry = FrameGeometry { resize: Resize::ShorterSide(SIDE), crop: Crop::None, filter: Filter::Bilinear };
    let clip = decoder.clips(&[middle], &geometry).ok()?.pop()?;
    let (_, height, width, _) = clip.frames.dim();
    let size = [u32::try_from(width).ok()?, u32::try_from(height).ok()?];
    encode_png(size, clip.frames.as_slice()?).ok().map(Thumbnail)
}

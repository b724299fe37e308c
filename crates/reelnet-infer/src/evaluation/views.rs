//! Which parts of a video are looked at: clips along its length, crops across its frames. Pure arithmetic.
//!
//! The published protocols differ in where clips start, in what stands in for frames that a short video lacks, and in where the
//! middle crop lies. Each is kept to the rounding, in the numbers of its own program: TensorFlow's and PyTorch's are 32-bit floats.

use std::fmt;
use std::str::FromStr;

use ndarray::{Array4, Axis};
use reelnet_clips::{Clip, ClipSpec, Crop, FrameGeometry, FramePlan, PastEnd, Resize, Timeline, plan};
use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;

/// Frames a second that `SlowFast` and pytorchvideo take the frame step to be meant for.
const SLOWFAST_FPS: f64 = 30.0;
/// Times nearer than this are the same: no two frames are, and 64-bit floats are more exact.
const SAME_SECONDS: f64 = 1e-7;

/// Who places clips and crops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// As `reelnet tag` does: clips in the middle of equal segments of time; short videos loop.
    Reelnet,
    /// TensorFlow's Model Garden: starts evenly from the first frame to the last possible one; short videos loop.
    Tf,
    /// `SlowFast`: starts at `i / clips` of what is left of the video; clips as long as at 30 frames a second; the last frame repeats.
    Slowfast,
    /// mmaction2: starts rounded from the first frame to the last possible one; short videos loop.
    Mmaction,
    /// pytorchvideo: clips as long in time as at 30 frames a second, begun at `i / clips` of what is left; of the frames shown in one as
    /// many as wanted, evenly.
    Pytorchvideo,
}

/// Every protocol by the name that it has on the command line.
const PROTOCOLS: [(&str, Protocol); 5] = [
    ("reelnet", Protocol::Reelnet),
    ("tf", Protocol::Tf),
    ("slowfast", Protocol::Slowfast),
    ("mmaction", Protocol::Mmaction),
    ("pytorchvideo", Protocol::Pytorchvideo),
];

impl Protocol {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        PROTOCOLS.iter().find(|(_, protocol)| *protocol == self).map_or("", |(name, _)| name)
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = PROTOCOLS.iter().find(|(name, _)| *name == text).map(|(_, protocol)| *protocol);
        found
            .ok_or_else(|| format!("`{text}` is no protocol, expected tf, slowfast, mmaction, pytorchvideo or reelnet"))
    }
}

/// How many clips along a video, and how many crops of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Views {
    /// Along the video.
    pub clips: usize,
    /// Across a frame, along its longer side.
    pub crops: usize,
}

impl FromStr for Views {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| (1..=1000).contains(number));
        let parts = text.split_once(['x', 'X', '×']).and_then(|(clips, crops)| Some((number(clips)?, number(crops)?)));
        let (clips, crops) = parts.ok_or_else(|| {
            format!("`{text}` is no number of views, expected clips and crops from 1 to 1000, such as 10x3 or 1x1")
        })?;
        Ok(Self { clips, crops })
    }
}

impl fmt::Display for Views {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{}", self.clips, self.crops)
    }
}

/// All that decides which pixels a network sees of a video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewSettings {
    /// Who places them.
    pub protocol: Protocol,
    /// How many.
    pub views: Views,
    /// Frames of a clip.
    pub frames: usize,
    /// From one frame of a clip to the next one.
    pub frame_step: usize,
    /// Shorter side of a frame, in pixels.
    pub resize: u32,
    /// Side of a crop, in pixels.
    pub crop: u32,
}

impl fmt::Display for ViewSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, views, frames, frame_step, resize, crop } = self;
        write!(
            formatter,
            "{views} by the protocol {}, {frames}x{frame_step} frames of {crop}² in {resize}",
            protocol.name()
        )
    }
}

impl ViewSettings {
    /// Those of a bundle. The published protocols crop as large as the shorter side is; image networks keep their own crop.
    ///
    /// # Errors
    /// If the protocol has no such crops.
    pub fn new(protocol: Protocol, views: Views, manifest: &Manifest) -> Result<Self, String> {
        if protocol != Protocol::Reelnet && !matches!(views.crops, 1 | 3) {
            return Err(format!(
                "the protocol {} has 1 or 3 crops, and {views} asks for {}",
                protocol.name(),
                views.crops
            ));
        }
        let pixels = &manifest.pixels;
        let is_own = protocol == Protocol::Reelnet || manifest.network.is_image();
        Ok(Self {
            protocol,
            views,
            frames: manifest.clip.frames,
            frame_step: manifest.clip.frame_step,
            resize: pixels.resize,
            crop: if is_own { pixels.crop } else { pixels.resize },
        })
    }

    /// The plan of each clip, in the order of time. A picture is looked at once.
    pub fn plans(&self, timeline: &Timeline, fps: f64) -> Vec<FramePlan> {
        let clips = if timeline.frames() == 1 { 1 } else { self.views.clips };
        let spec = self.spec();
        let frames = timeline.frames();
        match self.protocol {
            Protocol::Reelnet => plan::uniform(timeline, &spec, clips),
            Protocol::Tf => tf_starts(frames, self.frames * self.frame_step, clips)
                .map(|start| plan::starting_at(timeline, &spec, start))
                .collect(),
            Protocol::Mmaction => mmaction_starts(frames, spec.span(), clips)
                .map(|start| plan::starting_at(timeline, &spec, start))
                .collect(),
            Protocol::Slowfast => {
                let fps = if fps.is_finite() && fps > 0.0 { fps } else { SLOWFAST_FPS };
                (0..clips).map(|clip| self.slowfast_plan(timeline, fps, clip, clips)).collect()
            }
            Protocol::Pytorchvideo => (0..clips).map(|clip| self.pytorchvideo_plan(timeline, clip, clips)).collect(),
        }
    }

    /// The shape of a clip.
    pub fn spec(&self) -> ClipSpec {
        let past_end = if self.protocol == Protocol::Slowfast { PastEnd::RepeatLast } else { PastEnd::Loop };
        ClipSpec { frames: self.frames, frame_step: self.frame_step, past_end }
    }

    /// What the decoder is to do: one crop is the decoder's, several are cut from whole frames.
    pub fn geometry(&self, manifest: &Manifest) -> FrameGeometry {
        let crop = match self.views.crops {
            1 => Crop::Centre { width: self.crop, height: self.crop },
            _ => Crop::None,
        };
        FrameGeometry { resize: Resize::ShorterSide(self.resize), crop, filter: manifest.pixels.interpolation.filter() }
    }

    /// Row and column of a crop in a frame of `height` by `width`, in the order of the protocol.
    pub fn offset(&self, crop: usize, [height, width]: [usize; 2]) -> [usize; 2] {
        let side = self.crop as usize;
        let place = |length: usize| self.place(crop, length.saturating_sub(side), length);
        if height > width { [place(height), centre(width, side)] } else { [centre(height, side), place(width)] }
    }

    /// Where along the longer side, whose rest after the crop is `rest`.
    fn place(&self, crop: usize, rest: usize, length: usize) -> usize {
        let side = length - rest;
        match (self.views.crops, self.protocol) {
            (1, _) => 0,
            (3, Protocol::Tf) => [0, tf_middle(length, side), rest][crop.min(2)],
            (3, Protocol::Slowfast | Protocol::Pytorchvideo) => [0, rest.div_ceil(2), rest][crop.min(2)],
            // Left, right, middle; of an odd rest the last column is never seen.
            (3, Protocol::Mmaction) => [0, rest / 2 * 2, rest / 2][crop.min(2)],
            (crops, _) => rest * crop / (crops - 1),
        }
    }

    /// Frames along a line in 32-bit floats, cut to whole numbers, as `torch.linspace(…).long()` gives them.
    fn slowfast_plan(&self, timeline: &Timeline, fps: f64, clip: usize, clips: usize) -> FramePlan {
        let length = (self.frames * self.frame_step) as f64 * fps / SLOWFAST_FPS;
        let rest = (timeline.frames() as f64 - length).max(0.0);
        let start = rest * clip as f64 / clips as f64;
        let last = timeline.frames() - 1;
        let indices = torch_indices(start, start + length - 1.0, self.frames, last).collect();
        placed(timeline, indices)
    }

    /// The frames that are first shown within a span of time, thinned out or repeated to as many as a clip has.
    ///
    /// The original computes in fractions, but from a number of seconds that is a 64-bit float with two decimals. Where a frame lies at
    /// the very border, what that float lacks or has too much decides.
    fn pytorchvideo_plan(&self, timeline: &Timeline, clip: usize, clips: usize) -> FramePlan {
        let hundredths = ((self.frames * self.frame_step * 100) as f64 / SLOWFAST_FPS).floor();
        let length = hundredths / 100.0;
        let excess = length.mul_add(100.0, -hundredths);
        let rest = timeline.duration_seconds() - length;
        let start = rest.max(0.0) * clip as f64 / clips as f64;
        // A shorter clip leaves more of the video, so that all but the first begin later; and it ends earlier.
        let is_later = excess < 0.0 && clip > 0 && rest > -SAME_SECONDS;
        let starts_at = start + if is_later { SAME_SECONDS } else { -SAME_SECONDS };
        let ends_at = start + length + SAME_SECONDS.copysign(if excess > 0.0 { 1.0 } else { -1.0 });

        let (first, end) = (timeline.frames_before(starts_at), timeline.frames_before(ends_at));
        // A span between two frames has none, and the original gives the video up; here it is the one that is on the screen.
        let (first, found) = if first < end { (first, end - first) } else { (first.saturating_sub(1), 1) };
        let indices = torch_indices(0.0, (found - 1) as f64, self.frames, found - 1).map(|at| first + at).collect();
        placed(timeline, indices)
    }
}

impl ViewSettings {
    /// All frames that some plans want, each once, and where each plan finds its own among them.
    pub fn united(plans: &[FramePlan]) -> (FramePlan, Vec<Vec<usize>>) {
        let mut indices: Vec<usize> = plans.iter().flat_map(|plan| plan.indices.iter().copied()).collect();
        indices.sort_unstable();
        indices.dedup();
        let place = |frame: &usize| indices.binary_search(frame).expect("every frame was gathered");
        let places = plans.iter().map(|plan| plan.indices.iter().map(place).collect()).collect();
        (FramePlan { indices, centre_seconds: 0.0 }, places)
    }

    /// One view, cut from frames that were decoded once for all of them.
    pub fn cut(&self, decoded: &Clip, places: &[usize], crop: usize) -> Clip {
        let (_, height, width, channels) = decoded.frames.dim();
        let side = self.crop as usize;
        let [top, left] = if self.views.crops == 1 { [0, 0] } else { self.offset(crop, [height, width]) };
        let mut frames = Array4::zeros([places.len(), side, side, channels]);
        for (mut to, &place) in frames.outer_iter_mut().zip(places) {
            let rows = decoded.frames.index_axis(Axis(0), place);
            let rows = rows.slice_axis(Axis(0), (top..top + side).into());
            to.assign(&rows.slice_axis(Axis(1), (left..left + side).into()));
        }
        let of = |values: &[f64]| places.iter().map(|&place| values[place]).collect();
        let indices = places.iter().map(|&place| decoded.indices[place]).collect();
        Clip { frames, pts_seconds: of(&decoded.pts_seconds), indices }
    }
}

/// `tf.linspace` in 32-bit floats, cut to whole numbers: the last start leaves just enough frames.
fn tf_starts(frames: usize, length: usize, clips: usize) -> impl Iterator<Item = usize> {
    let last = frames.saturating_sub(length) as f32;
    let step = if clips > 1 { last / (clips - 1) as f32 } else { 0.0 };
    (0..clips).map(move |clip| {
        let at = if clip > 0 && clip == clips - 1 { last } else { step * clip as f32 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut off, as in the original")]
        let at = at as usize;
        at
    })
}

/// `numpy.round`: halves go to the even number. A single clip lies in the middle.
fn mmaction_starts(frames: usize, span: usize, clips: usize) -> impl Iterator<Item = usize> {
    let rest = frames.saturating_sub(span);
    (0..clips).map(move |clip| {
        if clips == 1 {
            return rest / 2;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded")]
        let at = (clip as f64 * (rest as f64 / (clips - 1) as f64)).round_ties_even() as usize;
        at
    })
}

/// The same, cut to whole numbers from 0 to `last`, as `clamp` and `long` do it.
fn torch_indices(start: f64, end: f64, count: usize, last: usize) -> impl Iterator<Item = usize> {
    torch_linspace(start, end, count).map(move |at| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut off, as in the original")]
        let at = at.clamp(0.0, last as f32) as usize;
        at.min(last)
    })
}

/// A plan of frames, its moment that of the middle one.
fn placed(timeline: &Timeline, indices: Vec<usize>) -> FramePlan {
    let centre_seconds = indices.get(indices.len() / 2).map_or(0.0, |&frame| timeline.pts_seconds(frame));
    FramePlan { indices, centre_seconds }
}

/// From both ends, each value in one multiplication and one addition of 32-bit floats.
fn torch_linspace(start: f64, end: f64, count: usize) -> impl Iterator<Item = f32> {
    #[expect(clippy::cast_possible_truncation, reason = "32-bit floats, as in the original")]
    let (start, end) = (start as f32, end as f32);
    let step = if count > 1 { (end - start) / (count - 1) as f32 } else { 0.0 };
    (0..count).map(move |at| {
        if at < count / 2 || count == 1 {
            step.mul_add(at as f32, start)
        } else {
            (-step).mul_add((count - 1 - at) as f32, end)
        }
    })
}

/// `round(length / 2 - side // 2)`, halves to the even number.
fn tf_middle(length: usize, side: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and never negative")]
    let middle = (length as f64 / 2.0 - (side / 2) as f64).round_ties_even() as usize;
    middle.min(length - side)
}

/// Across the shorter side, where nothing is left to choose in the published protocols.
fn centre(length: usize, side: usize) -> usize {
    length.saturating_sub(side) / 2
}

//! `reelnet explain`

use std::collections::BTreeMap;
use std::fs;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use ndarray::{Array3, Array4, Axis, s};
use reelnet_clips::{Clip, Decoder, Limits, VideoInfo, VideoWriter, plan};
use reelnet_infer::{Classifier, Manifest};
use reelnet_train::explain::{self, Explanation, class_named, filmstrip, heated};
use serde::Serialize;

use super::{bundles, folder};
use crate::args::ExplainArgs;
use crate::exit::Outcome;
use crate::output::{say, write_png};

/// Frames a second of the video that is written: as they were taken, within what can be watched.
const RATES: [f64; 2] = [2.0, 60.0];

/// Ninths of what the network sees, in words.
const PLACES: [[&str; 3]; 3] = [
    ["upper left", "above", "upper right"],
    ["left", "in the middle", "right"],
    ["lower left", "below", "lower right"],
];

pub(crate) fn explain(args: &ExplainArgs) -> anyhow::Result<Outcome> {
    folder::check_new(&args.out)?;
    let device = args.device.open()?;
    let bundle = bundles::open_or_default(args.model.as_deref(), &device)?;
    let class = args.class.as_deref().map(|name| class_named(&bundle.labels, name)).transpose()?;

    // ---- Decode ----
    let limits = Limits { deadline: Duration::from_secs(args.deadline), ..Limits::default() };
    let decoded = Decoder::open(&args.file, &limits)
        .map_err(anyhow::Error::from)
        .and_then(|mut decoder| Ok((decode(args, &mut decoder, &bundle.manifest)?, decoder.index().info.clone())));
    let (clips, info) = match decoded {
        Ok(decoded) => decoded,
        Err(error) => {
            say(format_args!("failed: {error:#}"));
            return Ok(Outcome::SomeFailed);
        }
    };

    // ---- Explain ----
    let classifier = Classifier::new(bundle, device.clone());
    let explanation = explain::explain(&classifier, &clips, class, &device)?;

    // ---- Show ----
    let most = explanation.peak().map_or(0.0, |(_, peak)| peak.heat);
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make the folder `{}`", args.out.display()))?;
    let strip = args.out.join("filmstrip.png");
    let pictures: Vec<Array4<u8>> =
        clips.iter().zip(&explanation.maps).map(|(clip, map)| heated(&clip.frames, &sized(map, clip), most)).collect();
    let sheet = filmstrip(&pictures.iter().collect::<Vec<_>>()).expect("there are clips");
    let side = |pixels: usize| u32::try_from(pixels).context("the filmstrip is too large; ask for fewer --clips");
    write_png(&strip, [side(sheet.width)?, side(sheet.height)?], &sheet.rgb)?;
    let video = (!info.is_image).then(|| args.out.join("heat.mp4"));
    let codec = video.as_ref().map(|video| write_video(video, &clips, &explanation, most)).transpose()?;
    Told::new(args, &classifier, &clips, &explanation, &info, (strip, video, codec)).print(args.json)?;
    Ok(Outcome::Done)
}

/// Clips as tagging has them, but none of a video that is shorter than one: repeated frames would be explained as if they were there.
fn decode(args: &ExplainArgs, decoder: &mut Decoder, manifest: &Manifest) -> anyhow::Result<Vec<Clip>> {
    let file = args.file.display();
    let (spec, timeline) = (manifest.clip_spec(), decoder.index().timeline());
    let is_image = decoder.index().info.is_image;
    if is_image && !manifest.network.is_image() {
        bail!("`{file}` is an image, and the model looks at clips of {} frames; expected a video", spec.frames);
    }
    spec.require_whole(timeline).with_context(|| format!("`{file}` is too short to be explained"))?;
    let count = if timeline.frames() == 1 { 1 } else { usize::from(args.clips) };
    let plans = plan::uniform(timeline, &spec, count);
    let clips = decoder.clips(&plans, &manifest.pixels.geometry())?;
    ensure!(!clips.is_empty(), "`{file}` gave no clip");
    Ok(clips)
}

/// Heat of each pixel of a clip.
fn sized(map: &explain::HeatMap, clip: &Clip) -> Array3<f32> {
    let (frames, height, width, _) = clip.frames.dim();
    map.resized([frames, height, width])
}

/// Every frame of the clips once, in the order of time; where clips overlap, with the mean of their heat.
fn write_video(
    path: &std::path::Path,
    clips: &[Clip],
    explanation: &Explanation,
    most: f32,
) -> anyhow::Result<&'static str> {
    let mut frames: BTreeMap<usize, (usize, usize, Vec<Array3<f32>>)> = BTreeMap::new();
    let mut times = [f64::INFINITY, 0.0f64];
    for (number, (clip, map)) in clips.iter().zip(&explanation.maps).enumerate() {
        let heat = sized(map, clip);
        for (place, &index) in clip.indices.iter().enumerate() {
            let of_frame = heat.slice(s![place..=place, .., ..]).to_owned();
            frames.entry(index).or_insert((number, place, Vec::new())).2.push(of_frame);
            times = [times[0].min(clip.pts_seconds[place]), times[1].max(clip.pts_seconds[place])];
        }
    }
    let rate = (frames.len() as f64 - 1.0) / (times[1] - times[0]).max(1e-3);
    let (_, height, width, _) = clips[0].frames.dim();
    let side = |pixels: usize| u32::try_from(pixels).expect("a crop has few pixels");
    let mut writer = VideoWriter::create(path, [side(width), side(height)], rate.clamp(RATES[0], RATES[1]))?;
    for (clip, place, heats) in frames.into_values() {
        let count = heats.len() as f32;
        let mean = heats.into_iter().reduce(|sum, heat| sum + heat).expect("a frame is of a clip") / count;
        let frame = clips[clip].frames.index_axis(Axis(0), place).insert_axis(Axis(0)).to_owned();
        let picture = heated(&frame, &mean, most);
        writer.write(picture.as_slice().expect("a fresh array is contiguous"))?;
    }
    let codec = writer.codec();
    writer.finish()?;
    Ok(codec)
}

/// What is said on stdout.
#[derive(Serialize)]
struct Told {
    file: PathBuf,
    model: String,
    class: String,
    score: f32,
    /// 1 for the best class.
    rank: usize,
    peak: Option<ToldPeak>,
    clips: Vec<ToldClip>,
    filmstrip: PathBuf,
    video: Option<PathBuf>,
    codec: Option<&'static str>,
}

/// Where and when heat is greatest.
#[derive(Serialize)]
struct ToldPeak {
    clip: usize,
    frame: usize,
    seconds: f64,
    /// Pixels of the video as it is shown.
    x: f64,
    y: f64,
    width: u32,
    height: u32,
    /// Shares of the crop that the network sees.
    across: f64,
    down: f64,
}

#[derive(Serialize)]
struct ToldClip {
    start_seconds: f64,
    end_seconds: f64,
    score: f32,
    /// Greatest heat, as a share of that of all clips.
    heat: f32,
}

impl Told {
    fn new(
        args: &ExplainArgs,
        classifier: &Classifier,
        clips: &[Clip],
        explanation: &Explanation,
        info: &VideoInfo,
        (filmstrip, video, codec): (PathBuf, Option<PathBuf>, Option<&'static str>),
    ) -> Self {
        let bundle = classifier.bundle();
        let score = explanation.scores.of(explanation.class).unwrap_or_default();
        let ranked = explanation.scores.top(usize::MAX, 0.0);
        let rank = ranked.iter().position(|row| row.class == explanation.class).map_or(0, |place| place + 1);
        let peak = explanation.peak();
        let most = peak.map_or(0.0, |(_, peak)| peak.heat);
        let rows = clips.iter().zip(&explanation.maps).zip(&explanation.clip_scores).map(|((clip, map), &score)| {
            let heat = map.peak().map_or(0.0, |peak| peak.heat / most);
            let [start_seconds, end_seconds] =
                [clip.pts_seconds.first(), clip.pts_seconds.last()].map(|seconds| seconds.copied().unwrap_or_default());
            ToldClip { start_seconds, end_seconds, score, heat }
        });
        Self {
            file: args.file.clone(),
            model: bundle.manifest.name.clone(),
            class: bundle.labels.get(explanation.class).unwrap_or_default().to_owned(),
            score,
            rank,
            peak: peak.map(|(clip, peak)| ToldPeak::new(clip, peak, &clips[clip], info, &bundle.manifest)),
            clips: rows.collect(),
            filmstrip,
            video,
            codec,
        }
    }

    fn print(&self, json: bool) -> anyhow::Result<()> {
        let mut stdout = stdout().lock();
        if json {
            writeln!(stdout, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        let rank = if self.rank == 1 { "the best class".to_owned() } else { format!("class {} by score", self.rank) };
        writeln!(stdout, "class    {}: {:.3}, {rank}", self.class, self.score)?;
        match &self.peak {
            Some(peak) => writeln!(
                stdout,
                "hottest  at {:.2} s (frame {}), {:.0} across and {:.0} down of {}x{}: {}",
                peak.seconds,
                peak.frame,
                peak.x,
                peak.y,
                peak.width,
                peak.height,
                peak.place()
            )?,
            None => writeln!(stdout, "hottest  nowhere: nothing speaks for it")?,
        }
        for clip in &self.clips {
            let ToldClip { start_seconds, end_seconds, score, heat } = clip;
            writeln!(stdout, "clip     {start_seconds:.2} to {end_seconds:.2} s: {score:.3}, heat {heat:.2}")?;
        }
        for file in [Some(&self.filmstrip), self.video.as_ref()].into_iter().flatten() {
            writeln!(stdout, "file     {}", file.display())?;
        }
        Ok(())
    }
}

impl ToldPeak {
    fn new(clip: usize, peak: explain::Peak, frames: &Clip, info: &VideoInfo, manifest: &Manifest) -> Self {
        let (count, height, width, _) = frames.frames.dim();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the clip")]
        let place = ((peak.time * count as f64) as usize).min(count - 1);
        let size = [info.width, info.height];
        let layout = manifest.pixels.geometry().layout(size, u64::MAX).ok();
        // From the crop to the resized frame to the one that is shown.
        let shown = |share: f64, crop: usize, axis: usize| match layout {
            Some(layout) => {
                (share * crop as f64 + f64::from(layout.offset[axis])) * f64::from(size[axis])
                    / f64::from(layout.resized[axis])
            }
            None => share * f64::from(size[axis]),
        };
        Self {
            clip,
            frame: frames.indices[place],
            seconds: frames.pts_seconds[place],
            x: shown(peak.across, width, 0),
            y: shown(peak.down, height, 1),
            width: info.width,
            height: info.height,
            across: peak.across,
            down: peak.down,
        }
    }

    /// In words, by thirds of what the network sees.
    fn place(&self) -> &'static str {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0, 1 or 2")]
        let third = |share: f64| ((share * 3.0) as usize).min(2);
        PLACES[third(self.down)][third(self.across)]
    }
}

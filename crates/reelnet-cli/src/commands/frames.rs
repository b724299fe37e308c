//! `reelnet frames`

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use reelnet_clips::{
    ClipError, ClipSpec, Crop, Decoder, Filter, FrameGeometry, FramePlan, Limits, NativeFrame, PastEnd, Resize,
    RgbFrame, Timeline, plan,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::folder;
use crate::args::FramesArgs;
use crate::exit::Outcome;
use crate::output::{say, write_png};

pub(crate) fn frames(args: &FramesArgs) -> anyhow::Result<Outcome> {
    if let Some(out) = &args.out {
        folder::check_new(out)?;
    }
    let deadline = args.deadline.map_or(Duration::MAX, Duration::from_secs);
    let limits = Limits { deadline, decoder_threads: usize::from(args.threads), ..Limits::default() };
    let mut decoder = match Decoder::open(&args.file, &limits) {
        Ok(decoder) => decoder,
        Err(error) => {
            say(format_args!("failed: {error}"));
            return Ok(Outcome::SomeFailed);
        }
    };
    let places = places(args, decoder.index().timeline()).with_context(|| args.file.display().to_string())?;
    let mut gallery = Gallery::new(args, places)?;
    let wanted: BTreeSet<usize> = gallery.places.iter().map(|place| place.index).collect();
    let result = if args.native {
        decoder.visit_native(wanted, |frame| gallery.take_native(&frame))
    } else {
        let resize = args.size.unwrap_or(Resize::Native);
        let geometry = FrameGeometry { resize, crop: Crop::None, filter: Filter::Bilinear };
        decoder.visit(wanted, &geometry, |frame| gallery.take_rgb(&frame))
    };
    let missing = gallery.finish()?;
    let error = result.err().or_else(|| {
        let kind = decoder.index().info.damage().filter(|_| args.which.is_everything());
        kind.map(|kind| ClipError { path: args.file.clone(), kind })
    });
    let Some(error) = error else { return Ok(Outcome::Done) };
    say(format_args!("failed: {error}"));
    if missing > 0 {
        say(format_args!("{missing} of the frames asked for are missing"));
    }
    Ok(Outcome::SomeFailed)
}

/// A frame that was asked for. One frame can have several places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    index: usize,
    /// Clip, and position in it.
    in_clip: Option<(usize, usize)>,
}

/// The frames that are asked for, in the order in which they are asked for.
fn places(args: &FramesArgs, timeline: &Timeline) -> anyhow::Result<Vec<Place>> {
    let single = |index| Place { index, in_clip: None };
    let (which, frames) = (&args.which, timeline.frames());
    if let Some(indices) = &which.indices {
        if let Some(index) = indices.iter().find(|&&index| index >= frames) {
            anyhow::bail!("frame {index} is asked for, but the frames go from 0 to {}", frames - 1);
        }
        return Ok(indices.iter().copied().map(single).collect());
    }
    if let Some(times) = &which.at {
        let length = timeline.duration_seconds();
        if let Some(seconds) = times.iter().find(|&&seconds| seconds > length) {
            anyhow::bail!("the frame at {seconds} s is asked for, but the video lasts {length:.3} s");
        }
        return Ok(times.iter().map(|&seconds| single(timeline.frame_shown_at(seconds))).collect());
    }
    let Some(clips) = which.clips else { return Ok((0..frames).map(single).collect()) };
    let spec = ClipSpec { frames: args.frames as usize, frame_step: args.step as usize, past_end: PastEnd::Loop };
    let plans = plan::uniform(timeline, &spec, clips as usize);
    let of_clip = |(clip, plan): (usize, FramePlan)| {
        let place = move |(position, index)| Place { index, in_clip: Some((clip, position)) };
        plan.indices.into_iter().enumerate().map(place)
    };
    Ok(plans.into_iter().enumerate().flat_map(of_clip).collect())
}

/// What is printed of a frame.
#[derive(Clone, Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    clip: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    index: usize,
    pts_seconds: f64,
    width: u32,
    height: u32,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pixel_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

/// Takes frames as they come, and prints them in the order in which they were asked for.
struct Gallery<'args> {
    out: Option<&'args Path>,
    json: bool,
    places: Vec<Place>,
    /// Where each frame is wanted.
    places_of: HashMap<usize, Vec<usize>>,
    /// A row a place, until it is printed.
    rows: Vec<Option<Row>>,
    /// Places before this one are printed.
    printed: usize,
    failure: Option<anyhow::Error>,
}

impl<'args> Gallery<'args> {
    fn new(args: &'args FramesArgs, places: Vec<Place>) -> anyhow::Result<Self> {
        let out = args.out.as_deref();
        if let Some(out) = out {
            fs::create_dir_all(out).with_context(|| format!("cannot make the folder `{}`", out.display()))?;
        }
        let mut places_of: HashMap<usize, Vec<usize>> = HashMap::new();
        for (number, place) in places.iter().enumerate() {
            places_of.entry(place.index).or_default().push(number);
        }
        let rows = vec![None; places.len()];
        if !args.json {
            writeln!(stdout(), "  FRAME     SECONDS  SHA-256")?;
        }
        Ok(Self { out, json: args.json, places, places_of, rows, printed: 0, failure: None })
    }

    fn take_native(&mut self, frame: &NativeFrame<'_>) {
        let pixel_format = Some(frame.pixel_format.to_owned());
        self.take(&Row { pixel_format, ..row(frame.index, frame.pts_seconds, frame.size, frame.bytes) }, None);
    }

    fn take_rgb(&mut self, frame: &RgbFrame<'_>) {
        self.take(&row(frame.index, frame.pts_seconds, frame.size, frame.bytes), Some(frame.bytes));
    }

    /// Nothing more is done after a failure, such as a full disk.
    fn take(&mut self, row: &Row, rgb: Option<&[u8]>) {
        if self.failure.is_none() {
            self.failure = self.place(row, rgb).err();
        }
    }

    fn place(&mut self, row: &Row, rgb: Option<&[u8]>) -> anyhow::Result<()> {
        for number in self.places_of.remove(&row.index).unwrap_or_default() {
            let in_clip = self.places[number].in_clip;
            let mut row = Row {
                clip: in_clip.map(|(clip, _)| clip),
                position: in_clip.map(|(_, position)| position),
                ..row.clone()
            };
            if let (Some(out), Some(rgb)) = (self.out, rgb) {
                let name = match in_clip {
                    None => format!("{:06}.png", row.index),
                    Some((clip, position)) => format!("clip-{clip:03}/{position:03}-{:06}.png", row.index),
                };
                let file = out.join(name);
                // One frame can be asked for twice by its number.
                if !file.exists() {
                    write_png(&file, [row.width, row.height], rgb)?;
                }
                row.file = Some(file);
            }
            self.rows[number] = Some(row);
        }
        while let Some(row) = self.rows.get_mut(self.printed).and_then(Option::take) {
            self.print(&row)?;
            self.printed += 1;
        }
        Ok(())
    }

    fn print(&self, row: &Row) -> anyhow::Result<()> {
        let mut stdout = stdout().lock();
        if self.json {
            writeln!(stdout, "{}", serde_json::to_string(row)?)?;
        } else {
            writeln!(stdout, "{:>7}  {:>10.6}  {}", row.index, row.pts_seconds, row.sha256)?;
        }
        Ok(())
    }

    /// Prints what waited for frames that never came. Gives the number of those.
    fn finish(mut self) -> anyhow::Result<usize> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut missing = 0;
        for row in &self.rows[self.printed..] {
            match row {
                Some(row) => self.print(row)?,
                None => missing += 1,
            }
        }
        Ok(missing)
    }
}

fn row(index: usize, pts_seconds: f64, [width, height]: [u32; 2], bytes: &[u8]) -> Row {
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Row { clip: None, position: None, index, pts_seconds, width, height, sha256, pixel_format: None, file: None }
}

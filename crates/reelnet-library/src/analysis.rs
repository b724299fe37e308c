//! One file: decoded in one pass, a part of it at a time, and scored window by window.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use half::f16;
use reelnet_clips::{Clip, ClipError, ClipErrorKind, FramePlan, Limits, Media, Opener};
use reelnet_infer::{Classifier, ScoreError};
use thiserror::Error;

use crate::cuts::CutDetector;
use crate::pictures::Thumbnail;
use crate::spans::WindowScores;
use crate::store::{JobEnd, MayPass, MediaFacts};
use crate::windows::{Cuts, Look, Slot, Window, WindowSettings, slots};

/// Bytes of pictures that are held at once.
const HELD_BYTES: usize = 64 << 20;
/// Seconds of a shot that is worth a window of its own.
const LEAST_SHOT: f64 = 0.5;

/// What scores files.
#[derive(Debug)]
pub struct Analyst {
    /// The model.
    pub classifier: Classifier,
    /// How files are opened.
    pub opener: Opener,
    /// Bounds of decoding. The deadline is for the opening and for each part of a file, beside the part's own length.
    pub limits: Limits,
    /// What is looked at.
    pub windows: WindowSettings,
}

/// A file that was scored.
#[derive(Clone, Debug)]
pub struct Analysed {
    /// Of its windows.
    pub scores: WindowScores,
    /// What it is.
    pub media: MediaFacts,
    /// Why some windows have no scores, if that is so.
    pub damage: Option<ClipError>,
}

/// A file that was not.
#[derive(Debug, Error)]
pub enum AnalysisError {
    /// Nothing of it could be decoded.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// The model and its manifest do not fit.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

impl Analyst {
    /// Scores a file. A panic is a failure of that file.
    pub fn job_end(&self, media: &Media) -> JobEnd {
        match catch_unwind(AssertUnwindSafe(|| self.analyse(media))) {
            Ok(Ok(Analysed { scores, media, damage })) => {
                let damage = damage.map(|error| (error.kind.name().to_owned(), error.kind.to_string()));
                JobEnd::Scored { scores, media, damage }
            }
            Ok(Err(AnalysisError::Clip(ClipError { kind: ClipErrorKind::Cancelled, .. }))) => {
                JobEnd::Released { seconds: 0.0 }
            }
            Ok(Err(AnalysisError::Clip(ClipError { kind, .. }))) => {
                JobEnd::Failed { may_pass: may_pass(&kind), reason: kind.to_string(), kind: kind.name().to_owned() }
            }
            Ok(Err(AnalysisError::Score(error))) => {
                JobEnd::Failed { kind: "network".to_owned(), reason: error.to_string(), may_pass: MayPass::No }
            }
            Err(_) => {
                let reason = "reelnet itself failed on it; please report the message on stderr".to_owned();
                JobEnd::Failed { kind: "bug".to_owned(), reason, may_pass: MayPass::Yes }
            }
        }
    }

    /// Scores a file.
    ///
    /// # Errors
    /// If nothing of it can be decoded, or the model cannot score what was.
    pub fn analyse(&self, media: &Media) -> Result<Analysed, AnalysisError> {
        let path = media.name();
        let manifest = &self.classifier.bundle().manifest;
        let mut decoder = self.opener.open(media, &self.limits)?;
        let info = decoder.info().clone();
        let mut damage = info.damage().map(|kind| ClipError { path: path.to_owned(), kind });
        let planned = slots(decoder.timeline(), &manifest.clip_spec(), &self.windows);
        let mut reader = Reader::new(manifest.clip.frames, &self.windows, planned.len());
        let mut logits = Vec::new();
        for part in planned.chunks(self.slots_at_once(&planned)) {
            let (plans, geometry) = (plans(part, manifest.clip.frames, self.windows.cuts), manifest.pixels.geometry());
            let seconds = part.last().map_or(0.0, |last| last.end) - part.first().map_or(0.0, |first| first.start);
            decoder.set_deadline(self.limits.deadline + Duration::try_from_secs_f64(seconds).unwrap_or_default());
            let salvage = match decoder.clips_salvaging(&plans, &geometry) {
                Ok(salvage) => salvage,
                Err(error) if error.kind == ClipErrorKind::Cancelled || reader.windows.is_empty() => {
                    return Err(error.into());
                }
                // What came before is worth keeping.
                Err(error) => {
                    damage = Some(error);
                    break;
                }
            };
            if let Some(ClipError { kind: ClipErrorKind::Cancelled, .. }) = salvage.error {
                return Err(ClipError { path: path.to_owned(), kind: ClipErrorKind::Cancelled }.into());
            }
            let is_over =
                salvage.error.as_ref().is_some_and(|error| matches!(error.kind, ClipErrorKind::TimedOut { .. }));
            damage = salvage.error.or(damage);
            let mut clips = salvage.clips.into_iter();
            let mut wanted = Vec::new();
            for slot in part {
                reader.take(slot, &mut clips, &mut wanted);
            }
            logits.extend(self.classifier.logits(&wanted)?.into_iter().map(f16::from_f32));
            if is_over {
                break;
            }
        }
        let is_lost = reader.windows.iter().all(|window| window.look == Look::Damaged);
        if let (true, Some(error)) = (is_lost, &damage) {
            return Err(error.clone().into());
        }
        let classes = self.classifier.bundle().labels.len();
        let scores = WindowScores { windows: reader.windows, logits, classes };
        let duration = if info.is_image { 0.0 } else { info.duration_seconds };
        let media = MediaFacts { duration, codec: info.codec, width: info.width, height: info.height };
        Ok(Analysed { scores, media, damage })
    }

    /// So many windows that their pictures stay within bounds.
    fn slots_at_once(&self, planned: &[Slot]) -> usize {
        let manifest = &self.classifier.bundle().manifest;
        let most = planned.iter().map(|slot| slot.probes.len() + slot.clip.indices.len()).max().unwrap_or(1);
        let bytes = most * (manifest.pixels.crop as usize).pow(2) * 3;
        (HELD_BYTES / bytes.max(1)).max(1)
    }
}

/// Of each window first the single frames, then the clip, unless the clip is one of them.
fn plans(slots: &[Slot], frames: usize, cuts: Cuts) -> Vec<FramePlan> {
    slots
        .iter()
        .flat_map(|slot| {
            let probes = slot.probes.iter().map(|&frame| FramePlan { indices: vec![frame], centre_seconds: 0.0 });
            let clip = (frames > 1 || cuts == Cuts::Ignored).then(|| slot.clip.clone());
            probes.chain(clip).collect::<Vec<_>>()
        })
        .collect()
}

/// Whether the same file could give something another time.
pub(crate) fn may_pass(kind: &ClipErrorKind) -> MayPass {
    match kind {
        ClipErrorKind::TimedOut { .. }
        | ClipErrorKind::Unreadable { .. }
        | ClipErrorKind::Crashed { .. }
        | ClipErrorKind::Changed
        | ClipErrorKind::NotFound
        | ClipErrorKind::Cancelled => MayPass::Yes,
        _ => MayPass::No,
    }
}

/// Goes through the windows of a file in order, and decides what of them is scored.
struct Reader {
    frames: usize,
    cuts: Cuts,
    detector: CutDetector,
    /// Windows that may still come of cuts.
    spare: usize,
    last: Option<(Thumbnail, usize)>,
    rows: usize,
    windows: Vec<Window>,
}

/// Which pictures are scored.
enum Choice {
    /// A clip of several frames, unless it is damaged.
    Planned(Option<Clip>),
    /// Of each shot, the frame nearest to its middle.
    OneOfTheLooks,
}

/// A stretch between two cuts, with what is known of it.
struct Piece {
    start: f64,
    end: f64,
    clip: Option<Clip>,
}

impl Reader {
    fn new(frames: usize, settings: &WindowSettings, slots: usize) -> Self {
        Self {
            frames,
            cuts: settings.cuts,
            detector: CutDetector::default(),
            spare: settings.most.saturating_sub(slots),
            last: None,
            rows: 0,
            windows: Vec::with_capacity(slots),
        }
    }

    /// Takes the clips of a window, and gives those that are to be scored.
    fn take(&mut self, slot: &Slot, clips: &mut impl Iterator<Item = Option<Clip>>, wanted: &mut Vec<Clip>) {
        let probes: Vec<Option<Clip>> = clips.by_ref().take(slot.probes.len()).collect();
        let clip = if self.frames > 1 || self.cuts == Cuts::Ignored {
            Choice::Planned(clips.next().flatten())
        } else {
            Choice::OneOfTheLooks
        };
        for piece in self.pieces(slot, probes, clip) {
            let look = match piece.clip {
                None => Look::Damaged,
                Some(clip) => self.look(clip, wanted),
            };
            self.windows.push(Window { start: piece.start, end: piece.end, look });
        }
    }

    fn look(&mut self, clip: Clip, wanted: &mut Vec<Clip>) -> Look {
        let thumbnail = Thumbnail::of(&clip);
        if thumbnail.is_dark() {
            return Look::Dark;
        }
        if let Some((last, row)) = &self.last
            && last.is_same(&thumbnail)
        {
            return Look::Same(*row);
        }
        let row = self.rows;
        self.rows += 1;
        self.last = Some((thumbnail, row));
        wanted.push(clip);
        Look::Row(row)
    }

    /// A window, parted at cuts.
    fn pieces(&mut self, slot: &Slot, probes: Vec<Option<Clip>>, clip: Choice) -> Vec<Piece> {
        let mut borders = vec![slot.start];
        let mut before: Option<f64> = None;
        for probe in probes.iter().flatten() {
            let moment = probe.pts_seconds.first().copied().unwrap_or(slot.start);
            let is_cut = probe.frames.outer_iter().next().is_some_and(|picture| self.detector.is_cut(&picture));
            // Between two windows there is a border anyway.
            if let (true, Some(before)) = (is_cut, before) {
                let border = f64::midpoint(before, moment);
                let is_room =
                    borders.last().is_some_and(|last| border - last >= LEAST_SHOT) && slot.end - border >= LEAST_SHOT;
                let becomes_two = matches!(clip, Choice::OneOfTheLooks);
                if is_room && (self.spare > 0 || !becomes_two) {
                    self.spare -= usize::from(becomes_two);
                    borders.push(border);
                }
            }
            before = Some(moment);
        }
        borders.push(slot.end);
        let stretches = borders.windows(2).map(|pair| (pair[0], pair[1]));
        match clip {
            Choice::OneOfTheLooks => {
                let mut probes: Vec<Clip> = probes.into_iter().flatten().collect();
                stretches
                    .map(|(start, end)| Piece { start, end, clip: nearest(&mut probes, slot.start, (start, end)) })
                    .collect()
            }
            // A clip of several frames was planned before cuts were known: the window is the shot that its middle is in.
            Choice::Planned(clip) => {
                let middle = slot.clip.centre_seconds;
                let holds = |(start, end): &(f64, f64)| (*start..=*end).contains(&middle);
                let (start, end) = stretches.clone().find(holds).unwrap_or((slot.start, slot.end));
                vec![Piece { start, end, clip }]
            }
        }
    }
}

/// Takes the picture nearest to the middle of a stretch, of those that are shown in it.
fn nearest(probes: &mut Vec<Clip>, slot_start: f64, (start, end): (f64, f64)) -> Option<Clip> {
    let moment = |clip: &Clip| clip.pts_seconds.first().copied().unwrap_or(0.0);
    let distance = |clip: &Clip| (moment(clip) - f64::midpoint(start, end)).abs();
    // What is on the screen when a window begins may have come before.
    let is_within = |clip: &Clip| moment(clip) <= end && (moment(clip) >= start || start <= slot_start);
    let places = (0..probes.len()).filter(|&place| is_within(&probes[place]));
    let place = places.min_by(|&a, &b| distance(&probes[a]).total_cmp(&distance(&probes[b])))?;
    Some(probes.swap_remove(place))
}

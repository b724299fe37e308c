//! Where decoded frames go: each wanted frame into all the places of all the clips that want it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use ndarray::Array4;

use crate::converter::Converter;
use crate::libav::{Picture, StreamFacts, prefer_large_pages};
use crate::{Clip, ClipErrorKind, FrameGeometry, FramePlan, Timeline};

/// Whoever waits for frames while a file is walked through.
pub(crate) trait Catch {
    /// The first wanted frame that has not come yet, from some frame on.
    fn next_wanted(&self, from: usize) -> Option<usize>;

    /// Whether a frame is wanted and has not come yet.
    fn is_wanted(&self, frame: usize) -> bool;

    /// From now on pictures come from another stream.
    fn follow(&mut self, facts: StreamFacts) -> Result<(), ClipErrorKind>;

    /// A frame came out that builds on damage. It does not count as come.
    fn doubt(&mut self, _frame: usize) {}

    /// Converts a frame, if it is wanted, and puts it where it belongs.
    fn offer(&mut self, frame: usize, picture: Arc<Picture>) -> Result<(), ClipErrorKind>;
}

/// The clips of some plans, filling up.
pub(crate) struct Harvest<'plans> {
    wanted: Wanted,
    canvas: Canvas<'plans>,
}

/// Where each wanted frame that has not come yet belongs.
type Wanted = BTreeMap<usize, Vec<Place>>;

#[derive(Clone, Copy)]
struct Place {
    clip: usize,
    position: usize,
}

/// The clips themselves, and what turns pictures into their pixels.
struct Canvas<'plans> {
    plans: &'plans [FramePlan],
    geometry: &'plans FrameGeometry,
    converter: Converter,
    clips: Vec<Growing>,
    /// Width and height of every frame of every clip, known once the first frame came.
    size: Option<[u32; 2]>,
}

struct Growing {
    frames: Option<Array4<u8>>,
    missing: usize,
}

/// A harvest whose pictures are converted on a thread of their own, while the next ones are decoded.
pub(crate) struct Conveyor<'harvest> {
    wanted: &'harvest mut Wanted,
    belt: SyncSender<Load>,
}

/// What lies on a conveyor.
enum Load {
    Picture(Arc<Picture>, Vec<Place>),
    Facts(StreamFacts),
}

/// Pictures that wait to be converted. More would only cost memory: either side waits for the other in the long run.
const WAITING_PICTURES: usize = 2;

impl Catch for Harvest<'_> {
    fn next_wanted(&self, from: usize) -> Option<usize> {
        next_wanted(&self.wanted, from)
    }

    fn is_wanted(&self, frame: usize) -> bool {
        self.wanted.contains_key(&frame)
    }

    fn follow(&mut self, facts: StreamFacts) -> Result<(), ClipErrorKind> {
        self.canvas.converter.follow(facts);
        Ok(())
    }

    fn offer(&mut self, frame: usize, picture: Arc<Picture>) -> Result<(), ClipErrorKind> {
        self.wanted.remove(&frame).map_or(Ok(()), |places| self.canvas.paint(&picture, &places))
    }
}

impl Catch for Conveyor<'_> {
    fn next_wanted(&self, from: usize) -> Option<usize> {
        next_wanted(self.wanted, from)
    }

    fn is_wanted(&self, frame: usize) -> bool {
        self.wanted.contains_key(&frame)
    }

    fn follow(&mut self, facts: StreamFacts) -> Result<(), ClipErrorKind> {
        self.load(Load::Facts(facts))
    }

    fn offer(&mut self, frame: usize, picture: Arc<Picture>) -> Result<(), ClipErrorKind> {
        self.wanted.remove(&frame).map_or(Ok(()), |places| self.load(Load::Picture(picture, places)))
    }
}

impl Conveyor<'_> {
    fn load(&self, load: Load) -> Result<(), ClipErrorKind> {
        let stopped = |_| ClipErrorKind::Library { detail: "pictures are no longer converted".to_string() };
        self.belt.send(load).map_err(stopped)
    }
}

fn next_wanted(wanted: &Wanted, from: usize) -> Option<usize> {
    wanted.range(from..).next().map(|(&frame, _)| frame)
}

impl<'plans> Harvest<'plans> {
    pub(crate) fn new(plans: &'plans [FramePlan], geometry: &'plans FrameGeometry, converter: Converter) -> Self {
        let mut wanted = Wanted::new();
        for (clip, plan) in plans.iter().enumerate() {
            for (position, &frame) in plan.indices.iter().enumerate() {
                wanted.entry(frame).or_default().push(Place { clip, position });
            }
        }
        let clips = plans.iter().map(|plan| Growing { frames: None, missing: plan.indices.len() }).collect();
        Self { wanted, canvas: Canvas { plans, geometry, converter, clips, size: None } }
    }

    /// Lets a walk bring pictures, and converts them beside it.
    pub(crate) fn beside(
        &mut self,
        walk: impl FnOnce(&mut Conveyor<'_>) -> Result<(), ClipErrorKind>,
    ) -> Result<(), ClipErrorKind> {
        let Self { wanted, canvas } = self;
        let (belt, arrivals) = sync_channel(WAITING_PICTURES);
        thread::scope(|scope| {
            let painter = thread::Builder::new()
                .name("reelnet-scale".to_string())
                .spawn_scoped(scope, move || {
                    arrivals.into_iter().try_for_each(|load| match load {
                        Load::Picture(picture, places) => canvas.paint(&picture, &places),
                        Load::Facts(facts) => {
                            canvas.converter.follow(facts);
                            Ok(())
                        }
                    })
                })
                .map_err(|error| ClipErrorKind::Library { detail: format!("no further thread: {error}") })?;
            // The belt ends with the conveyor.
            let walked = walk(&mut Conveyor { wanted, belt });
            let painted = painter.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // A walk that was stopped by its painter only knows that it was.
            painted.and(walked)
        })
    }

    /// The clips that are complete, one entry a plan, and the converter for further ones.
    pub(crate) fn into_clips(self, timeline: &Timeline) -> (Vec<Option<Clip>>, Converter) {
        let Canvas { plans, converter, clips, .. } = self.canvas;
        let complete = clips.into_iter().zip(plans).map(|(growing, plan)| {
            let frames = if plan.indices.is_empty() { Some(Array4::zeros([0, 0, 0, 3])) } else { growing.frames };
            frames.filter(|_| growing.missing == 0).map(|frames| Clip {
                frames,
                pts_seconds: plan.indices.iter().map(|&frame| timeline.pts_seconds(frame)).collect(),
                indices: plan.indices.clone(),
            })
        });
        (complete.collect(), converter)
    }
}

impl Canvas<'_> {
    fn paint(&mut self, picture: &Picture, places: &[Place]) -> Result<(), ClipErrorKind> {
        let Some((&first, others)) = places.split_first() else { return Ok(()) };
        let conversion = self.converter.plan(picture, self.geometry, self.size)?;
        let size = *self.size.get_or_insert(conversion.layout.size);
        let size = size.map(|side| side as usize);
        let pixels = pixels(&mut self.clips, self.plans, first, size);
        self.converter.convert(picture, &conversion, pixels)?;
        if !others.is_empty() {
            let converted = pixels.to_vec();
            for &place in others {
                self::pixels(&mut self.clips, self.plans, place, size).copy_from_slice(&converted);
            }
        }
        for place in places {
            self.clips[place.clip].missing -= 1;
        }
        Ok(())
    }
}

/// Where the pixels of a frame go.
fn pixels<'clips>(
    clips: &'clips mut [Growing],
    plans: &[FramePlan],
    place: Place,
    [width, height]: [usize; 2],
) -> &'clips mut [u8] {
    let length = plans[place.clip].indices.len();
    let frames = clips[place.clip].frames.get_or_insert_with(|| {
        let mut frames = Array4::zeros([length, height, width, 3]);
        prefer_large_pages(frames.as_slice_mut().expect("a new array is contiguous"));
        frames
    });
    let frame_bytes = width * height * 3;
    let bytes = frames.as_slice_mut().expect("a new array is contiguous");
    &mut bytes[place.position * frame_bytes..][..frame_bytes]
}

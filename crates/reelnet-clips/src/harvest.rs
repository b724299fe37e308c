//! Where decoded frames go: each wanted frame into all the places of all the clips that want it.

use std::collections::BTreeMap;

use ndarray::Array4;

use crate::converter::Converter;
use crate::libav::Picture;
use crate::{Clip, ClipErrorKind, FrameGeometry, FramePlan, Timeline};

/// Whoever waits for frames while a file is walked through.
pub(crate) trait Catch {
    /// The first wanted frame that has not come yet, from some frame on.
    fn next_wanted(&self, from: usize) -> Option<usize>;

    /// Whether a frame is wanted and has not come yet.
    fn is_wanted(&self, frame: usize) -> bool;

    /// Converts a frame, if it is wanted, and puts it where it belongs.
    fn offer(&mut self, frame: usize, picture: &Picture, converter: &mut Converter) -> Result<(), ClipErrorKind>;
}

/// The clips of some plans, filling up.
pub(crate) struct Harvest<'plans> {
    plans: &'plans [FramePlan],
    geometry: &'plans FrameGeometry,
    /// Where each wanted frame that has not come yet belongs.
    wanted: BTreeMap<usize, Vec<Place>>,
    clips: Vec<Growing>,
    /// Width and height of every frame of every clip, known once the first frame came.
    size: Option<[u32; 2]>,
}

#[derive(Clone, Copy)]
struct Place {
    clip: usize,
    position: usize,
}

struct Growing {
    frames: Option<Array4<u8>>,
    missing: usize,
}

impl Catch for Harvest<'_> {
    fn next_wanted(&self, from: usize) -> Option<usize> {
        self.wanted.range(from..).next().map(|(&frame, _)| frame)
    }

    fn is_wanted(&self, frame: usize) -> bool {
        self.wanted.contains_key(&frame)
    }

    fn offer(&mut self, frame: usize, picture: &Picture, converter: &mut Converter) -> Result<(), ClipErrorKind> {
        if !self.wanted.contains_key(&frame) {
            return Ok(());
        }
        let conversion = converter.plan(picture, self.geometry, self.size)?;
        let size = *self.size.get_or_insert(conversion.layout.size);
        let [width, height] = size.map(|side| side as usize);
        let places = self.wanted.remove(&frame).unwrap_or_default();
        let Some((&first, others)) = places.split_first() else { return Ok(()) };
        converter.convert(picture, &conversion, self.pixels(first, [width, height]))?;
        if !others.is_empty() {
            let converted = self.pixels(first, [width, height]).to_vec();
            for &place in others {
                self.pixels(place, [width, height]).copy_from_slice(&converted);
            }
        }
        for place in places {
            self.clips[place.clip].missing -= 1;
        }
        Ok(())
    }
}

impl<'plans> Harvest<'plans> {
    pub(crate) fn new(plans: &'plans [FramePlan], geometry: &'plans FrameGeometry) -> Self {
        let mut wanted: BTreeMap<usize, Vec<Place>> = BTreeMap::new();
        for (clip, plan) in plans.iter().enumerate() {
            for (position, &frame) in plan.indices.iter().enumerate() {
                wanted.entry(frame).or_default().push(Place { clip, position });
            }
        }
        let clips = plans.iter().map(|plan| Growing { frames: None, missing: plan.indices.len() }).collect();
        Self { plans, geometry, wanted, clips, size: None }
    }

    /// Where the pixels of a frame go.
    fn pixels(&mut self, place: Place, [width, height]: [usize; 2]) -> &mut [u8] {
        let length = self.plans[place.clip].indices.len();
        let growing = &mut self.clips[place.clip];
        let frames = growing.frames.get_or_insert_with(|| Array4::zeros([length, height, width, 3]));
        let frame_bytes = width * height * 3;
        let bytes = frames.as_slice_mut().expect("a new array is contiguous");
        &mut bytes[place.position * frame_bytes..][..frame_bytes]
    }

    /// The clips that are complete, one entry a plan.
    pub(crate) fn into_clips(self, timeline: &Timeline) -> Vec<Option<Clip>> {
        let complete = self.clips.into_iter().zip(self.plans).map(|(growing, plan)| {
            let frames = if plan.indices.is_empty() { Some(Array4::zeros([0, 0, 0, 3])) } else { growing.frames };
            frames.filter(|_| growing.missing == 0).map(|frames| Clip {
                frames,
                pts_seconds: plan.indices.iter().map(|&frame| timeline.pts_seconds(frame)).collect(),
                indices: plan.indices.clone(),
            })
        });
        complete.collect()
    }
}

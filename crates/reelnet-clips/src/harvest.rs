//! Where decoded frames go: each wanted frame into all the places of all the clips that want it.

use std::collections::BTreeMap;

use ndarray::{Array3, Array4, ArrayViewMut3, Axis};

use crate::converter::{Converted, Converter};
use crate::libav::Picture;
use crate::orientation::Orientation;
use crate::{Clip, ClipErrorKind, FrameGeometry, FramePlan, Timeline};

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

    /// The first wanted frame that has not come yet, from some frame on.
    pub(crate) fn next_wanted(&self, from: usize) -> Option<usize> {
        self.wanted.range(from..).next().map(|(&frame, _)| frame)
    }

    /// Converts a frame, if it is wanted, and copies it into all the places that want it.
    pub(crate) fn offer(
        &mut self,
        frame: usize,
        picture: &Picture,
        converter: &mut Converter,
    ) -> Result<(), ClipErrorKind> {
        if !self.wanted.contains_key(&frame) {
            return Ok(());
        }
        let converted = converter.convert(picture, self.geometry, self.size)?;
        self.size.get_or_insert(converted.layout.size);
        let [width, height] = converted.layout.size.map(|side| side as usize);
        let mut upright = Array3::zeros([height, width, 3]);
        copy_upright(&converted, upright.view_mut());
        for place in self.wanted.remove(&frame).unwrap_or_default() {
            let growing = &mut self.clips[place.clip];
            let length = self.plans[place.clip].indices.len();
            let frames = growing.frames.get_or_insert_with(|| Array4::zeros([length, height, width, 3]));
            frames.index_axis_mut(Axis(0), place.position).assign(&upright);
            growing.missing -= 1;
        }
        Ok(())
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

/// # Shapes
/// `target` is `[height, width, 3]`, as large as the layout says.
fn copy_upright(converted: &Converted, mut target: ArrayViewMut3<'_, u8>) {
    let Converted { image, layout, orientation } = converted;
    let [left, top] = layout.offset.map(|edge| edge as usize);
    let shown = orientation.swap_sides(image.size);
    for (y, mut row) in target.outer_iter_mut().enumerate() {
        if *orientation == Orientation::default() {
            let start = (top + y) * image.row_bytes + left * 3;
            let source = &image.bytes[start..start + row.len()];
            if let Some(row) = row.as_slice_mut() {
                row.copy_from_slice(source);
                continue;
            }
        }
        for (x, mut pixel) in row.outer_iter_mut().enumerate() {
            let [source_x, source_y] = orientation.source_of([left + x, top + y], shown);
            let start = source_y * image.row_bytes + source_x * 3;
            for (channel, value) in pixel.iter_mut().enumerate() {
                *value = image.bytes[start + channel];
            }
        }
    }
}

//! Samples put together into arrays.

use std::ops::Range;

use ndarray::{Array5, Axis};
use thiserror::Error;

use super::{Cancelled, Loader, Sample};
use crate::{Clip, ClipError};

/// What becomes of samples that are too few for a whole batch, or for one more turn of all machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remainder {
    /// They are used: the last batch is smaller.
    Keep,
    /// They are left out.
    Drop,
}

/// The samples at some positions that follow one another, in one array.
///
/// A sample that failed is missing from the array, and nothing moves up into its place: the batch is smaller, and later
/// batches are the same as if it had not failed.
#[derive(Debug)]
pub struct Batch<P> {
    /// All positions of this batch, whether their samples failed or not.
    pub positions: Range<u64>,
    /// RGB bytes, `[clips, frames, height, width, 3]`; no clips at all if every sample failed.
    pub clips: Array5<u8>,
    /// Whose clips they are, in order.
    pub members: Vec<Member<P>>,
    /// The samples that failed.
    pub failures: Vec<(Member<P>, ClipError)>,
}

/// A sample's part in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<P> {
    /// Its place among all requests.
    pub position: u64,
    /// What came with it.
    pub payload: P,
    /// Where its clips are along the first axis; empty if it failed.
    pub clips: Range<usize>,
}

/// Why there is no next batch, though there are more samples.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The loader was stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Clips of different shapes.
    #[error(
        "sample {position} has a clip of {shape:?} (frames, height, width), but its batch began with one of {expected:?}; \
         ask for as many frames of every file, and for a crop or an exact size"
    )]
    Shapes {
        /// The sample whose clip is different.
        position: u64,
        /// The shape of its clip.
        shape: [usize; 3],
        /// The shape of the clips before it.
        expected: [usize; 3],
    },
}

/// The batches of a [`Loader`]. An iterator whose items are errors only for clips of different shapes, and once it is
/// cancelled.
pub struct Batches<P> {
    loader: Loader<P>,
    size: usize,
    remainder: Remainder,
}

impl<P: Send + 'static> Loader<P> {
    /// Batches of `size` samples; zero counts as 1.
    pub fn batches(self, size: usize, remainder: Remainder) -> Batches<P> {
        Batches { loader: self, size: size.max(1), remainder }
    }
}

impl<P> Batches<P> {
    /// The loader behind the batches.
    pub fn loader(&self) -> &Loader<P> {
        &self.loader
    }
}

impl<P: Send + 'static> Iterator for Batches<P> {
    type Item = Result<Batch<P>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let samples: Result<Vec<Sample<P>>, Cancelled> = self.loader.by_ref().take(self.size).collect();
        match samples {
            Err(cancelled) => Some(Err(cancelled.into())),
            Ok(samples) if samples.is_empty() => None,
            Ok(samples) if samples.len() < self.size && self.remainder == Remainder::Drop => None,
            Ok(samples) => Some(Batch::of(samples)),
        }
    }
}

impl<P> Batch<P> {
    /// Samples that follow one another.
    fn of(samples: Vec<Sample<P>>) -> Result<Self, BatchError> {
        let first = samples.first().map_or(0, |sample| sample.position);
        let positions = first..first + samples.len() as u64;
        let shape = first_shape(&samples);
        let count = clips_of(&samples).count();
        let [frames, height, width] = shape;
        let mut batch = Self {
            positions,
            clips: Array5::zeros([count, frames, height, width, 3]),
            members: Vec::with_capacity(samples.len()),
            failures: Vec::new(),
        };
        let mut filled = 0;
        for Sample { position, payload, result } in samples {
            let start = filled;
            match result {
                Ok(clips) => {
                    for clip in clips {
                        if shape_of(&clip) != shape {
                            return Err(BatchError::Shapes { position, shape: shape_of(&clip), expected: shape });
                        }
                        batch.clips.index_axis_mut(Axis(0), filled).assign(&clip.frames);
                        filled += 1;
                    }
                    batch.members.push(Member { position, payload, clips: start..filled });
                }
                Err(error) => batch.failures.push((Member { position, payload, clips: start..start }, error)),
            }
        }
        Ok(batch)
    }
}

fn clips_of<P>(samples: &[Sample<P>]) -> impl Iterator<Item = &Clip> {
    samples.iter().filter_map(|sample| sample.result.as_ref().ok()).flatten()
}

fn first_shape<P>(samples: &[Sample<P>]) -> [usize; 3] {
    clips_of(samples).next().map_or([0; 3], shape_of)
}

fn shape_of(clip: &Clip) -> [usize; 3] {
    let (frames, height, width, _) = clip.frames.dim();
    [frames, height, width]
}

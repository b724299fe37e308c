//! From a data set to the clips of every step: which sample comes when, and what is cut from it.
//!
//! A position counts samples from the start of the run. What is at a position depends on the seed and the data alone.

use std::path::Path;
use std::sync::Arc;

use ndarray::Array5;
use reelnet_clips::{Cancelled, Clip, ClipSpec, Loader, LoaderOptions, PastEnd, Request, Seed, Wanted, plan};

use crate::augment::Augmenter;
use crate::data::{DataSet, EmptySpan, plans_within};
use crate::error::TrainError;
use crate::order::Order;
use crate::recipe::Recipe;
use crate::start;
use crate::state::Taken;

/// What comes with the clips of a sample.
#[derive(Clone, Debug)]
pub(crate) struct Fed {
    /// Its classes, after the augmentation.
    pub(crate) labels: Vec<usize>,
    seed: Seed,
}

impl Fed {
    /// A sample that no data set knows.
    pub(crate) fn of_class(class: usize, seed: Seed) -> Self {
        Self { labels: vec![class], seed }
    }

    /// What its draws come from.
    pub(crate) fn seed(&self) -> Seed {
        self.seed
    }

    /// Its place in the data set.
    pub(crate) fn sample(&self) -> usize {
        usize::try_from(self.seed.sample).expect("it was made from a place")
    }
}

/// Loads from a position on, to the end of the run.
pub(crate) fn feed(recipe: &Recipe, data: &Arc<DataSet>, augmenter: Augmenter, options: &LoaderOptions) -> Loader<Fed> {
    let augmenter = Arc::new(augmenter);
    let requests = Requests::new(recipe, Arc::clone(data), Arc::clone(&augmenter));
    Loader::with_finish(requests, options, move |fed: &Fed, clips| {
        let augmented = clips.into_iter().map(|clip| Clip { frames: augmenter.apply(clip.frames, fed.seed), ..clip });
        augmented.collect()
    })
}

/// The clips of every step of a run, for whoever wants to see or time them and not to train.
pub struct Batches {
    loader: Loader<Fed>,
    size: usize,
}

impl Batches {
    /// Opens a recipe's training data.
    ///
    /// # Errors
    /// As [`train`](crate::train) before its first step.
    pub fn open(recipe: &Recipe, data_root: &Path, options: &LoaderOptions) -> Result<Self, TrainError> {
        let training = start::data(recipe, data_root)?.sets.training;
        let augmenter = start::augmenter(recipe, &training)?;
        let mut options = options.clone();
        options.items_ahead = items_ahead(&options, recipe);
        Ok(Self { loader: feed(recipe, &Arc::new(training), augmenter, &options), size: recipe.batch.size })
    }
}

impl Iterator for Batches {
    /// `[clips, frames, side, side, 3]`, before any mixing; samples that cannot be used are missing.
    type Item = Result<Array5<u8>, Cancelled>;

    fn next(&mut self) -> Option<Self::Item> {
        let samples: Result<Vec<_>, _> = self.loader.by_ref().take(self.size).collect();
        match samples {
            Ok(samples) if samples.is_empty() => None,
            samples => Some(samples.map(|samples| Taken::sort(samples).0.into_clips())),
        }
    }
}

/// Two batches are loaded ahead, if the options allow no more than that.
pub(crate) fn items_ahead(options: &LoaderOptions, recipe: &Recipe) -> usize {
    options.items_ahead.max(2 * recipe.batch.size)
}

/// Steps of an epoch; what does not fill a batch is left for another epoch's order.
pub(crate) fn steps_per_epoch(samples: usize, batch: usize) -> u64 {
    (samples / batch) as u64
}

/// The requests of a whole run.
struct Requests {
    order: Order,
    data: Arc<DataSet>,
    augmenter: Arc<Augmenter>,
    spec: ClipSpec,
    next: u64,
    end: u64,
}

impl Requests {
    fn new(recipe: &Recipe, data: Arc<DataSet>, augmenter: Arc<Augmenter>) -> Self {
        let used = steps_per_epoch(data.samples.len(), recipe.batch.size) * recipe.batch.size as u64;
        Self {
            order: Order::new(recipe, &data, used),
            spec: ClipSpec { frames: recipe.clip.frames, frame_step: recipe.clip.frame_step, past_end: PastEnd::Loop },
            data,
            augmenter,
            next: 0,
            end: used * recipe.epochs,
        }
    }
}

impl Iterator for Requests {
    type Item = Request<Fed>;

    fn next(&mut self) -> Option<Request<Fed>> {
        if self.next >= self.end {
            return None;
        }
        let (epoch, sample) = self.order.at(self.next);
        self.next += 1;
        let seed = Seed { run: self.order.seed(), epoch, sample: sample as u64 };
        let of_data = &self.data.samples[sample];
        let labels = of_data.labels().into_iter().map(|label| self.augmenter.label(label, seed)).collect();
        let (spec, span, augmenter) = (self.spec.clone(), of_data.span, Arc::clone(&self.augmenter));
        Some(Request::new(of_data.media(), Fed { labels, seed }, move |index| {
            let plans = plans_within(span, index.timeline(), |part| vec![plan::random(part, &spec, seed)])?;
            let geometry = augmenter.geometry([index.info.width, index.info.height], spec.frames, seed);
            Ok::<_, EmptySpan>(Wanted { plans, geometry })
        }))
    }

    /// Goes there at once: a run that goes on must not shuffle every epoch before it.
    fn nth(&mut self, skipped: usize) -> Option<Request<Fed>> {
        self.next = self.next.saturating_add(skipped as u64);
        self.next()
    }
}

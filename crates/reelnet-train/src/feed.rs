//! From a data set to the clips of every step: which sample comes when, and what is cut from it.
//!
//! A position counts samples from the start of the run. What is at a position depends on the seed and the data alone.

use std::sync::Arc;

use reelnet_clips::{Clip, ClipSpec, Loader, LoaderOptions, PastEnd, Request, Seed, Wanted, plan, shuffled};

use crate::augment::Augmenter;
use crate::data::{DataSet, EmptySpan, plans_within};
use crate::recipe::Recipe;

/// What comes with the clips of a sample.
#[derive(Clone, Debug)]
pub(crate) struct Fed {
    /// Its classes, after the augmentation.
    pub(crate) labels: Vec<usize>,
    seed: Seed,
}

impl Fed {
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

/// Steps of an epoch; what does not fill a batch is left for another epoch's order.
pub(crate) fn steps_per_epoch(samples: usize, batch: usize) -> u64 {
    (samples / batch) as u64
}

/// Which sample is at which position.
#[derive(Debug)]
struct Order {
    samples: usize,
    /// Positions of an epoch.
    used: u64,
    seed: u64,
    /// The order of one epoch.
    current: Option<(u64, Vec<usize>)>,
}

impl Order {
    /// The epoch and the sample at a position.
    fn at(&mut self, position: u64) -> (u64, usize) {
        let epoch = position / self.used;
        if self.current.as_ref().is_none_or(|(current, _)| *current != epoch) {
            self.current = Some((epoch, shuffled(self.samples, self.seed, epoch)));
        }
        let (_, order) = self.current.as_ref().expect("it was just made");
        let place = usize::try_from(position % self.used).expect("an epoch is in memory");
        (epoch, order[place])
    }
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
            order: Order { samples: data.samples.len(), used, seed: recipe.seed, current: None },
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
        let seed = Seed { run: self.order.seed, epoch, sample: sample as u64 };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_its_own_order_wherever_it_is_asked() {
        let order = || Order { samples: 10, used: 8, seed: 3, current: None };
        let mut whole = order();
        let all: Vec<(u64, usize)> = (0..24).map(|position| whole.at(position)).collect();
        for (position, expected) in all.iter().enumerate().rev() {
            assert_eq!(order().at(position as u64), *expected);
        }
        let epoch = |number: u64| -> Vec<usize> {
            all.iter().filter(|(epoch, _)| *epoch == number).map(|(_, sample)| *sample).collect()
        };
        assert_eq!(epoch(0), shuffled(10, 3, 0)[..8]);
        assert_ne!(epoch(0), epoch(1));
        let mut once = epoch(2);
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), 8);
    }
}

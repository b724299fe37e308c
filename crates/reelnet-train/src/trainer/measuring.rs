//! The measurements of a run: in validation as it goes on, and on the test set once it is done.

use std::time::Instant;

use reelnet_infer::Classifier;

use super::Run;
use crate::checkpoint::Best;
use crate::error::TrainError;
use crate::journal::{Record, SetName, WeightsOf};
use crate::validation::{self, Measured, Unmeasured};
use reelnet_infer::evaluation::Confusion;

impl Run<'_> {
    /// Whether a validation falls between the last step and this one.
    pub(super) fn validation_is_due(&self, step: u64) -> bool {
        let count =
            |step: u64| (step as f64 / self.steps_per_epoch as f64 / self.recipe.validation.every_epochs).floor();
        count(step) > count(step - 1)
    }

    /// Measures the network and its average; says whether this was the best so far, or nothing if it was cancelled.
    pub(super) fn validate(&mut self) -> Result<Option<bool>, TrainError> {
        let mut top1 = 0.0;
        let subjects: &[WeightsOf] =
            if self.recipe.ema.is_some() { &[WeightsOf::Network, WeightsOf::Ema] } else { &[WeightsOf::Network] };
        for &weights in subjects {
            let began = Instant::now();
            let Some(Measured { accuracy, confusion, .. }) = self.measure(weights, SetName::Validation)? else {
                return Ok(None);
            };
            // The last of them, the average if there is one, is what the bundle gets.
            top1 = accuracy.top1_share();
            self.last_accuracy = Some(accuracy.clone());
            let step = self.state.progress.step;
            self.tell(&Record::Validation { step, weights, accuracy, seconds: began.elapsed().as_secs_f64() })?;
            if step == self.schedule.steps() && weights == self.weights_that_are_kept() && self.test.is_none() {
                self.tell_confusion(SetName::Validation, confusion)?;
            }
        }
        let progress = &mut self.state.progress;
        let improved = progress.best.is_none_or(|best| top1 > best.top1);
        if improved {
            progress.best = Some(Best { step: progress.step, top1 });
        }
        Ok(Some(improved))
    }

    /// Measures what the bundle gets with the test set, if there is one; says whether it was not cancelled.
    pub(super) fn test(&mut self) -> Result<bool, TrainError> {
        if self.test.is_none() {
            return Ok(true);
        }
        let (weights, step, began) = (self.weights_that_are_kept(), self.state.progress.step, Instant::now());
        let Some(Measured { accuracy, confusion, .. }) = self.measure(weights, SetName::Test)? else {
            return Ok(false);
        };
        self.tell(&Record::Test { step, weights, accuracy, seconds: began.elapsed().as_secs_f64() })?;
        self.tell_confusion(SetName::Test, confusion)?;
        Ok(true)
    }

    /// Whose weights the bundle gets.
    pub(super) fn weights_that_are_kept(&self) -> WeightsOf {
        if self.recipe.ema.is_some() { WeightsOf::Ema } else { WeightsOf::Network }
    }

    /// Measures with a set, and tells which of its files could not be used; nothing if it was cancelled.
    fn measure(&mut self, weights: WeightsOf, set: SetName) -> Result<Option<Measured>, TrainError> {
        let classifier = Classifier::new(self.bundle(weights)?, self.options.device.clone());
        let data = match (set, &self.test) {
            (SetName::Test, Some(test)) => test,
            _ => &self.validation,
        };
        let (clips, limit) = (self.recipe.validation.clips, self.recipe.stop.bad_samples);
        let measured = match validation::measure(&classifier, data, clips, limit, &self.loader_options()) {
            Ok(measured) => measured,
            Err(Unmeasured::Cancelled) => return Ok(None),
            Err(Unmeasured::Failed(error)) => return Err(error),
        };
        for error in &measured.failures {
            self.tell_bad_sample(self.state.progress.step, error)?;
        }
        Ok(Some(measured))
    }

    fn tell_confusion(&mut self, set: SetName, counts: Confusion) -> Result<(), TrainError> {
        let labels = &self.data.labels;
        let classes = (0..labels.len()).filter_map(|class| labels.get(class)).map(str::to_owned).collect();
        self.tell(&Record::Confusion { step: self.state.progress.step, set, classes, counts })
    }
}

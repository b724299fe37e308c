//! The learning rate of every step. Pure: numbers in, numbers out.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How fast the weights move, as a recipe says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// The rate at the peak, for a batch of `for_batch`; it grows in proportion to the batch.
    pub learning_rate: f64,
    /// The batch that `learning_rate` was found with: 256 in the papers.
    pub for_batch: usize,
    /// Epochs in which the rate rises in a line from 0.
    pub warmup_epochs: f64,
    /// How it falls.
    pub decay: Decay,
}

/// How the rate falls from its peak. All of them count from the first step on, warm-up included, as the released code does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Decay {
    /// Half a cosine, which reaches 0 after the last step.
    Cosine {},
    /// Multiplied by a factor at some epochs.
    Step {
        /// When.
        at_epochs: Vec<f64>,
        /// By what.
        factor: f64,
    },
    /// Multiplied by a factor every so many epochs: EfficientNet's 0.97 every 2.4.
    Exponential {
        /// How often.
        every_epochs: f64,
        /// By what.
        factor: f64,
    },
    /// It does not fall.
    Constant {},
}

/// The learning rates of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    peak: f64,
    warmup_steps: f64,
    steps_per_epoch: f64,
    steps: u64,
    decay: Decay,
}

impl Schedule {
    /// The schedule of a run of `epochs`, each of `steps_per_epoch` steps of `batch` samples.
    pub fn new(config: &ScheduleConfig, batch: usize, steps_per_epoch: u64, epochs: u64) -> Self {
        let steps_per_epoch_float = steps_per_epoch as f64;
        Self {
            peak: config.learning_rate * batch as f64 / config.for_batch as f64,
            warmup_steps: (config.warmup_epochs * steps_per_epoch_float).round(),
            steps_per_epoch: steps_per_epoch_float,
            steps: steps_per_epoch * epochs,
            decay: config.decay.clone(),
        }
    }

    /// The rate at the peak, for this run's batch.
    pub fn peak(&self) -> f64 {
        self.peak
    }

    /// The steps of the whole run.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The rate of a step; the first one is 0.
    pub fn learning_rate(&self, step: u64) -> f64 {
        let step = step as f64;
        if step < self.warmup_steps {
            // The line ends where the curve goes on, as in the Model Garden.
            return step / self.warmup_steps * self.decayed(self.warmup_steps);
        }
        self.decayed(step)
    }

    fn decayed(&self, step: f64) -> f64 {
        let epoch = step / self.steps_per_epoch;
        let factor = match &self.decay {
            Decay::Cosine {} => 0.5 * (1.0 + (PI * (step / self.steps as f64).min(1.0)).cos()),
            Decay::Step { at_epochs, factor } => {
                at_epochs.iter().filter(|&&at| epoch >= at).fold(1.0, |product, _| product * factor)
            }
            Decay::Exponential { every_epochs, factor } => factor.powf((epoch / every_epochs).floor()),
            Decay::Constant {} => 1.0,
        };
        self.peak * factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ResNet-RS-50 as the Model Garden trains it: batch 4096, 312 steps an epoch, 350 epochs, 5 of them warm-up.
    fn resnet_rs_50() -> Schedule {
        let config = ScheduleConfig { learning_rate: 0.1, for_batch: 256, warmup_epochs: 5.0, decay: Decay::Cosine {} };
        Schedule::new(&config, 4096, 312, 350)
    }

    #[test]
    fn the_published_schedule() {
        let schedule = resnet_rs_50();
        assert_eq!(schedule.steps(), 109_200);
        assert_eq!(schedule.learning_rate(0), 0.0);
        assert!((schedule.learning_rate(1560) - 1.599_194_4).abs() < 1e-7, "{}", schedule.learning_rate(1560));
        assert!((schedule.learning_rate(780) - 1.599_194_4 / 2.0).abs() < 1e-7);
        assert!(schedule.learning_rate(109_199) < 1e-9);
        assert_eq!(schedule.learning_rate(109_200), 0.0);
    }

    #[test]
    fn steps_fall_at_their_epochs() {
        let decay = Decay::Step { at_epochs: vec![30.0, 60.0], factor: 0.1 };
        let config = ScheduleConfig { learning_rate: 0.1, for_batch: 256, warmup_epochs: 0.0, decay };
        let schedule = Schedule::new(&config, 256, 10, 90);
        let rates = [0, 299, 300, 599, 600, 899].map(|step| schedule.learning_rate(step));
        for (rate, expected) in rates.into_iter().zip([0.1, 0.1, 0.01, 0.01, 0.001, 0.001]) {
            assert!((rate - expected).abs() < 1e-12, "{rate} is {expected}");
        }
    }

    #[test]
    fn efficientnets_fall_by_stairs() {
        let decay = Decay::Exponential { every_epochs: 2.4, factor: 0.97 };
        let config = ScheduleConfig { learning_rate: 0.016, for_batch: 256, warmup_epochs: 0.0, decay };
        let schedule = Schedule::new(&config, 2048, 10, 350);
        assert_eq!(schedule.learning_rate(23), 0.128);
        assert!((schedule.learning_rate(24) - 0.128 * 0.97).abs() < 1e-15);
    }
}

//! Numbers that parse and mean nothing.

use burn::tensor::Device;
use reelnet_infer::{Labels, Manifest, Provenance};

use super::{FORMAT, Recipe, RecipeErrorKind as Kind};
use crate::augment::{AugmentError, Mixing};
use crate::groups::Groups;
use crate::optimizer::OptimizerConfig;
use crate::schedule::Decay;

/// More samples than any step needs.
const MAX_BATCH: usize = 1 << 20;

impl Recipe {
    /// Refuses numbers that mean nothing.
    pub(super) fn check(&self) -> Result<(), Kind> {
        let share = "a number from 0 to 1";
        let below_one = "a number from 0 to below 1";
        let positive = "a number above 0";
        require(self.format == FORMAT, "format", self.format, "1, which is what this reelnet reads")?;
        require(!self.name.trim().is_empty(), "name", &self.name, "a name")?;
        require((1..=1_000_000).contains(&self.epochs), "epochs", self.epochs, "1 to 1000000")?;
        require((1..=MAX_BATCH).contains(&self.batch.size), "batch.size", self.batch.size, "1 to 1048576")?;
        let at_once = self.batch.at_once;
        require(
            at_once >= 1 && self.batch.size.is_multiple_of(at_once),
            "batch.at_once",
            at_once,
            &format!("a number that divides batch.size ({})", self.batch.size),
        )?;
        self.check_network()?;
        self.check_bundle()?;
        self.check_optimizer()?;
        self.check_schedule()?;
        let decay = self.weight_decay.rate;
        require((0.0..=1.0).contains(&decay), "weight_decay.rate", decay, share)?;
        if let Some(norm) = self.clip_norm {
            require(norm > 0.0 && norm.is_finite(), "clip_norm", norm, positive)?;
        }
        let rate = self.batch_norm.update_rate;
        require((0.0..=1.0).contains(&rate), "batch_norm.update_rate", rate, share)?;
        if let Some(ema) = &self.ema {
            require((0.0..1.0).contains(&ema.decay), "ema.decay", ema.decay, below_one)?;
        }
        let every = self.validation.every_epochs;
        require(every > 0.0 && every.is_finite(), "validation.every_epochs", every, positive)?;
        require((1..=1000).contains(&self.validation.clips), "validation.clips", self.validation.clips, "1 to 1000")?;
        require(self.checkpoint.every_steps >= 1, "checkpoint.every_steps", self.checkpoint.every_steps, "at least 1")?;
        require(self.checkpoint.keep >= 1, "checkpoint.keep", self.checkpoint.keep, "at least 1")?;
        require((0.0..1.0).contains(&self.stop.bad_samples), "stop.bad_samples", self.stop.bad_samples, below_one)?;
        let divergence = self.stop.divergence;
        require(divergence > 1.0, "stop.divergence", divergence, "a number above 1")
    }

    /// The bundle that comes out has to be one that can be opened.
    fn check_bundle(&self) -> Result<(), Kind> {
        let labels = Labels::numbered(self.network.classes());
        let looks = (self.clip, self.pixels.clone());
        let manifest =
            Manifest::described(self.name.clone(), self.network.clone(), &labels, looks, Provenance::default());
        manifest.complaint().map_or(Ok(()), |complaint| Err(Kind::Bundle(complaint)))
    }

    /// The network has to exist, and groups have to name parts of it.
    fn check_network(&self) -> Result<(), Kind> {
        let network = self.network.build(0, &Device::flex()).map_err(|error| Kind::Value {
            key: "network".to_owned(),
            value: "none that can be built".to_owned(),
            expected: error.to_string(),
        })?;
        for group in &self.groups {
            let rate = group.rate;
            require(
                (0.0..=1000.0).contains(&rate),
                &format!("groups.rate of `{}`", group.prefix),
                rate,
                "a number from 0 to 1000",
            )?;
        }
        if let Some(stranger) = Groups::strangers(&self.groups, &network).first() {
            return require(false, "groups.prefix", stranger, "the beginning of a parameter's name, such as layer1.");
        }
        // Which classes there are, and may be each other's mirror image, is the data's affair.
        let of_augmentation =
            |AugmentError { key, value, expected }| Kind::Value { key: key.to_owned(), value, expected };
        self.augment.check(self.pixels.crop as usize).map_err(of_augmentation)?;
        Mixing::new(&self.mixing).map_err(of_augmentation)?;
        Ok(())
    }

    fn check_optimizer(&self) -> Result<(), Kind> {
        let rows: Vec<(&str, f64, bool)> = match self.optimizer {
            OptimizerConfig::Sgd { momentum, .. } => vec![("optimizer.momentum", momentum, true)],
            OptimizerConfig::RmsProp { decay, momentum, epsilon } => vec![
                ("optimizer.decay", decay, true),
                ("optimizer.momentum", momentum, true),
                ("optimizer.epsilon", epsilon, false),
            ],
            OptimizerConfig::AdamW { beta1, beta2, epsilon } => {
                vec![
                    ("optimizer.beta1", beta1, true),
                    ("optimizer.beta2", beta2, true),
                    ("optimizer.epsilon", epsilon, false),
                ]
            }
        };
        for (key, value, is_share) in rows {
            if is_share {
                require((0.0..1.0).contains(&value), key, value, "a number from 0 to below 1")?;
            } else {
                require(value > 0.0 && value < 1.0, key, value, "a small number above 0, such as 1e-8")?;
            }
        }
        Ok(())
    }

    fn check_schedule(&self) -> Result<(), Kind> {
        let schedule = &self.schedule;
        let rate = schedule.learning_rate;
        require(rate > 0.0 && rate <= 1000.0, "schedule.learning_rate", rate, "a number above 0, at most 1000")?;
        require(schedule.for_batch >= 1, "schedule.for_batch", schedule.for_batch, "at least 1")?;
        let warmup = schedule.warmup_epochs;
        let epochs = self.epochs as f64;
        require(
            (0.0..epochs).contains(&warmup),
            "schedule.warmup_epochs",
            warmup,
            &format!("0 to below epochs ({epochs})"),
        )?;
        match &schedule.decay {
            Decay::Cosine {} | Decay::Constant {} => Ok(()),
            Decay::Step { at_epochs, factor } => {
                let rising = at_epochs.is_sorted() && at_epochs.iter().all(|at| at.is_finite() && *at >= 0.0);
                require(rising, "schedule.decay.at_epochs", at_epochs, "epochs in ascending order")?;
                require(*factor > 0.0 && *factor <= 1.0, "schedule.decay.factor", factor, "a number above 0, at most 1")
            }
            Decay::Exponential { every_epochs, factor } => {
                require(*every_epochs > 0.0, "schedule.decay.every_epochs", every_epochs, "a number above 0")?;
                require(*factor > 0.0 && *factor <= 1.0, "schedule.decay.factor", factor, "a number above 0, at most 1")
            }
        }
    }
}

fn require(legal: bool, key: &str, value: impl std::fmt::Debug, expected: &str) -> Result<(), Kind> {
    if legal {
        return Ok(());
    }
    Err(Kind::Value { key: key.to_owned(), value: format!("{value:?}"), expected: expected.to_owned() })
}

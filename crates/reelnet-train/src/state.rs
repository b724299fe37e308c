//! What changes from step to step, and the step.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array2, Array5, ArrayView2, ArrayView5, Axis};
use reelnet_clips::{ClipError, Seed};
use reelnet_infer::clip_batch;
use reelnet_models::Network;
use reelnet_models::forward::{ForwardPass, Mode};
use reelnet_models::weights::{StateDict, Strictness, WeightsError, WeightsErrorKind, load};

use crate::augment::Mixing;
use crate::checkpoint::{Checkpoint, Progress};
use crate::ema::Ema;
use crate::error::TrainError;
use crate::gradients::GradientSum;
use crate::groups::Groups;
use crate::journal::WeightsOf;
use crate::loss::cross_entropies;
use crate::optimizer::Optimizer;
use crate::recipe::Recipe;
use crate::recompute::Walked;
use crate::trainer::Loaded;

/// Losses that decide whether a run diverges.
const WINDOW: usize = 100;
/// Samples before the share of bad ones means anything.
const ENOUGH_SAMPLES: u64 = 100;

/// The clips of a step and what they should be called.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// `[clips, frames, side, side, 3]`
    clips: Array5<u8>,
    /// The classes that the files have.
    labels: Vec<Vec<usize>>,
}

impl Taken {
    /// # Panics
    /// If not every clip has its labels.
    pub(crate) fn new(clips: Array5<u8>, labels: Vec<Vec<usize>>) -> Self {
        assert_eq!(clips.len_of(Axis(0)), labels.len(), "every clip has its labels");
        Self { clips, labels }
    }

    /// Parts what can be used from what cannot.
    pub(crate) fn sort(samples: Vec<Loaded>) -> (Self, Vec<ClipError>) {
        let (mut frames, mut labels, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        for sample in samples {
            match sample.result {
                Ok(clips) => {
                    labels.extend(clips.iter().map(|_| sample.payload.labels.clone()));
                    frames.extend(clips.into_iter().map(|clip| clip.frames));
                }
                Err(error) => bad.push(error),
            }
        }
        let views: Vec<_> = frames.iter().map(|clip| clip.view()).collect();
        let clips = if views.is_empty() {
            Array5::zeros([0; 5])
        } else {
            ndarray::stack(Axis(0), &views).expect("the augmentation gives all clips one size")
        };
        (Self { clips, labels }, bad)
    }

    /// `[clips, frames, side, side, 3]`
    pub(crate) fn into_clips(self) -> Array5<u8> {
        self.clips
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }
}

/// What came out of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// The mean over the clips; `None` without clips.
    pub(crate) loss: Option<f64>,
    /// The share of clips whose best class was right.
    pub(crate) accuracy: Option<f64>,
    /// Before it was cut.
    pub(crate) gradient_norm: f64,
}

/// As much of a batch as goes through the network at a time.
struct Part<'batch> {
    clips: ArrayView5<'batch, u8>,
    targets: ArrayView2<'batch, f32>,
    labels: &'batch [Vec<usize>],
}

/// What the next step depends on.
pub(crate) struct State {
    /// `None` only while a step replaces it.
    network: Option<Network>,
    optimizer: Optimizer,
    ema: Option<Ema>,
    device: Device,
    recompute: bool,
    pub(crate) progress: Progress,
}

impl State {
    /// The state before the first step.
    pub(crate) fn new(recipe: &Recipe, network: Network, device: Device, data: String, threads: usize) -> Self {
        let groups = Groups::new(&recipe.weight_decay, &recipe.groups, &network);
        Self {
            optimizer: Optimizer::new(recipe.optimizer.clone(), groups),
            ema: recipe.ema.as_ref().map(|config| Ema::new(config, &network)),
            network: Some(network),
            device,
            recompute: false,
            progress: Progress::new(data, threads),
        }
    }

    /// The same state, whose steps compute again what they would keep otherwise.
    pub(crate) fn recomputing(self, recompute: bool) -> Self {
        Self { recompute, ..self }
    }

    /// The state of a checkpoint.
    pub(crate) fn restore(
        recipe: &Recipe,
        checkpoint: Checkpoint,
        path: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let Checkpoint { progress, weights, ema, optimizer } = checkpoint;
        let network = recipe.network.build(recipe.seed, device)?;
        let (network, _) = load(network, weights, Strictness::Exact)
            .map_err(|report| WeightsError { path: path.to_owned(), kind: WeightsErrorKind::Mismatch(report) })?;
        let groups = Groups::new(&recipe.weight_decay, &recipe.groups, &network);
        let plain = device.clone().without_autodiff();
        let ema = match (&recipe.ema, ema) {
            (None, _) => None,
            (Some(config), Some(average)) => Some(Ema::restore(config, &average, &plain)),
            (Some(_), None) => {
                return Err(TrainError::Checkpoint { path: path.to_owned(), what: "it holds no average".to_owned() });
            }
        };
        Ok(Self {
            optimizer: Optimizer::restore(recipe.optimizer.clone(), groups, &optimizer, &plain),
            ema,
            network: Some(network),
            device: device.clone(),
            recompute: false,
            progress,
        })
    }

    /// Everything that the next step depends on.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let network = self.network();
        Checkpoint {
            progress: self.progress.clone(),
            weights: StateDict::of(network),
            ema: self.ema.as_ref().map(|ema| ema.weights(network)),
            optimizer: self.optimizer.state(),
        }
    }

    pub(crate) fn network(&self) -> &Network {
        self.network.as_ref().expect("a step puts the network back")
    }

    /// A copy without gradients, of the network or of its average.
    pub(crate) fn network_for_inference(&self, weights: WeightsOf, device: &Device) -> Result<Network, TrainError> {
        let network = self.network();
        let values = match (weights, &self.ema) {
            (WeightsOf::Ema, Some(ema)) => ema.weights(network),
            _ => StateDict::of(network),
        };
        let copy = network.config().build(0, device)?;
        let step = self.progress.step;
        match load(copy, values, Strictness::Exact) {
            Ok((copy, _)) => Ok(copy),
            Err(_) => Err(TrainError::NotFinite { what: "a weight", step }),
        }
    }

    /// Counts a sample that could not be used, and ends the run if they are too many.
    pub(crate) fn count_bad(&mut self, error: &ClipError, recipe: &Recipe) -> Result<(), TrainError> {
        let progress = &mut self.progress;
        progress.bad_samples += 1;
        let (bad, seen) = (progress.bad_samples, progress.position + recipe.batch.size as u64);
        let limit = recipe.stop.bad_samples;
        if seen < ENOUGH_SAMPLES || bad as f64 <= limit * seen as f64 {
            return Ok(());
        }
        let (first, reason) = (error.path.clone(), error.kind.to_string());
        Err(TrainError::BadSamples { bad, seen, purpose: "of training", limit, first, reason })
    }

    /// One step of the optimizer: the gradients of all clips, added up over parts of the batch.
    pub(crate) fn step(
        &mut self,
        recipe: &Recipe,
        mut batch: Taken,
        learning_rate: f64,
    ) -> Result<Outcome, TrainError> {
        let step = self.progress.step + 1;
        let mut gradients = GradientSum::default();
        let (mut loss_sum, mut right) = (0.0, 0);

        // ---- Mix, forward and backward ----
        let (classes, count) = (recipe.network.classes(), batch.len());
        let mixing = Mixing::new(&recipe.mixing)?;
        let mut targets = Array2::zeros([0, classes]);
        if count > 0 {
            let seed = Seed { run: recipe.seed, epoch: 0, sample: step };
            targets = mixing.apply(&mut batch.clips, &batch.labels, classes, seed);
        }
        for (part, start) in (0..count).step_by(recipe.batch.at_once).enumerate() {
            let mode = Mode::training(draw_seed(recipe.seed, step, part as u64), recipe.batch_norm.update_rate);
            let range = start..(start + recipe.batch.at_once).min(count);
            let part = Part {
                clips: batch.clips.slice_axis(Axis(0), range.clone().into()),
                targets: targets.slice_axis(Axis(0), range.clone().into()),
                labels: &batch.labels[range],
            };
            let (loss, right_here) = self.backward(recipe, &part, count, mode, &mut gradients)?;
            if !loss.is_finite() {
                return Err(TrainError::NotFinite { what: "the loss", step });
            }
            loss_sum += loss;
            right += right_here;
        }

        // ---- Clip, step, average ----
        let gradient_norm = gradients.norm();
        if !gradient_norm.is_finite() {
            return Err(TrainError::NotFinite { what: "the gradient", step });
        }
        if count > 0 {
            let network = self.network.take().expect("a step puts the network back");
            let gradients = gradients.clipped(gradient_norm, recipe.clip_norm);
            let network = self.optimizer.step(network, gradients, learning_rate, step);
            if let Some(ema) = &mut self.ema {
                ema.update(&network, step);
            }
            self.network = Some(network);
        }

        // ---- Count ----
        self.progress.step = step;
        self.progress.position += recipe.batch.size as u64;
        let share = |sum: f64| (count > 0).then(|| sum / count as f64);
        let outcome = Outcome { loss: share(loss_sum), accuracy: share(f64::from(right)), gradient_norm };
        self.watch(recipe, outcome.loss)?;
        Ok(outcome)
    }

    /// The sum of the losses of a part of a batch, and how many of its clips were right; their share of the step's gradients is added.
    fn backward(
        &self,
        recipe: &Recipe,
        part: &Part<'_>,
        total: usize,
        mode: Mode,
        gradients: &mut GradientSum,
    ) -> Result<(f64, u32), TrainError> {
        let (rows, classes) = part.targets.dim();
        let targets: Vec<f32> = part.targets.iter().copied().collect();
        let targets = Tensor::from_data(TensorData::new(targets, [rows, classes]), &self.device);
        let clips: Vec<_> = part.clips.outer_iter().collect();
        let input = clip_batch(&clips, &recipe.pixels, &self.device);
        let pass = ForwardPass::new(mode).in_precision(recipe.precision);
        let network = self.network();
        let (walked, logits) = Walked::forward(network, pass, input, self.recompute)?;
        let loss = cross_entropies(logits.clone(), targets).sum();
        let sum: f32 = loss.clone().into_scalar();
        // Nothing is learned from what is no number, and a backward pass of it takes as long as any.
        if sum.is_finite() {
            walked.backward(network, &(loss / total as f64), gradients);
        }
        let logits: Vec<f32> =
            logits.into_data().convert::<f32>().try_to_vec().expect("the data was just converted to f32");
        let best = |row: &[f32]| {
            let largest = row.iter().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
            largest.map(|(class, _)| class)
        };
        let is_right = |(row, labels): &(&[f32], &Vec<usize>)| best(row).is_some_and(|class| labels.contains(&class));
        let right = logits.chunks_exact(classes).zip(part.labels).filter(is_right).count();
        Ok((f64::from(sum), u32::try_from(right).expect("a batch is small")))
    }

    /// Ends a run whose loss has left the region where anything is learned.
    fn watch(&mut self, recipe: &Recipe, loss: Option<f64>) -> Result<(), TrainError> {
        let losses = &mut self.progress.losses;
        losses.extend(loss);
        let surplus = losses.len().saturating_sub(WINDOW);
        losses.drain(..surplus);
        let (mean, chance) = (losses.iter().sum::<f64>() / WINDOW as f64, (recipe.network.classes() as f64).ln());
        if losses.len() == WINDOW && mean > recipe.stop.divergence * chance.max(1e-3) {
            return Err(TrainError::Diverged { loss: mean, chance, step: self.progress.step });
        }
        Ok(())
    }
}

/// The seed of the draws (dropout, stochastic depth) of a part of a step. Odd multipliers keep steps apart; what comes out goes
/// through a cipher.
fn draw_seed(run: u64, step: u64, part: u64) -> u64 {
    run.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ step.wrapping_mul(0xbf58_476d_1ce4_e5b9)
        ^ part.wrapping_mul(0x94d0_49bb_1331_11eb)
}

//! `reelnet bench step`

use anyhow::ensure;
use burn::tensor::Device;
use ndarray::Array5;
use reelnet_infer::bench::Patience;
use reelnet_kernels::fused::Number;
use reelnet_models::forward::Precision;
use reelnet_train::bench::{StepCase, bench_step as measure};

use super::measured::Measured;
use super::work::Work;
use crate::args::{StepBenchArgs, StepPrecisionArg};
use crate::exit::Outcome;
use crate::interrupt;

/// How far from a byte a number may be that was one before it was normalised.
const ROUNDING: f32 = 0.01;

pub(crate) fn bench_step(args: &StepBenchArgs) -> anyhow::Result<Outcome> {
    let cancel = interrupt::watch()?;
    let work = Work::new(&args.work)?;
    let (precision, kind) = match args.precision {
        StepPrecisionArg::F32 => (Precision::F32, ("f32", Number::F32)),
        StepPrecisionArg::Bf16 => (Precision::Bf16, ("bf16", Number::Bf16)),
    };
    let case = StepCase {
        network: work.network.clone(),
        clips: bytes(&work)?,
        pixels: work.pixels.clone(),
        precision,
        recompute: args.recompute,
        threads: work.threads.get(),
        device: Device::flex(),
    };
    let patience = Patience { seconds: args.work.seconds, cancel };
    let Some(found) = measure(case, &patience)? else { return Ok(Outcome::Interrupted) };
    let measured = Measured::new("step", &work, kind, "burn", (found.turns, found.macs));
    // Those of the warm-up: later ones depend on how many turns there were.
    let losses = found.losses.into_iter().take(2).collect();
    measured.with_step(losses, args.recompute).print(args.work.json)?;
    Ok(Outcome::Done)
}

/// Training takes bytes: `[batch, frames, side, side, 3]`.
fn bytes(work: &Work) -> anyhow::Result<Array5<u8>> {
    let [batch, frames, height, width] = work.shape;
    let (mean, deviation) = (work.pixels.mean, work.pixels.deviation);
    let plane = frames * height * width;
    let value = |clip: usize, channel: usize, place: usize| {
        work.clips[(clip * 3 + channel) * plane + place] * deviation[channel] + mean[channel]
    };
    let mut values = Vec::with_capacity(batch * plane * 3);
    for clip in 0..batch {
        for place in 0..plane {
            for channel in 0..3 {
                let value = value(clip, channel, place);
                ensure!(
                    (value - value.round()).abs() < ROUNDING && (0.0..=255.0).contains(&value.round()),
                    "`clips` holds a number that is {value} before it is normalised with the network's pixels, and \
                     training takes bytes, expected a whole number from 0 to 255"
                );
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was checked")]
                values.push(value.round() as u8);
            }
        }
    }
    Ok(Array5::from_shape_vec((batch, frames, height, width, 3), values)?)
}

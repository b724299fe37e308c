//! `reelnet forward`

use anyhow::{Context, bail};
use burn::tensor::{Tensor, TensorData};
use reelnet_models::weights::{StateDict, WeightTensor};

use super::bundles;
use crate::args::ForwardArgs;
use crate::exit::Outcome;
use crate::workers::share_cores;

/// Values of input in one pass, so that memory does not grow with the number of clips.
const CHUNK_VALUES: usize = 1 << 22;

pub(crate) fn forward(args: &ForwardArgs) -> anyhow::Result<Outcome> {
    let device = args.device.open()?;
    share_cores(args.threads, 1);
    let bundle = bundles::open(&args.model, &device)?;
    let mut input = StateDict::read(&args.input).context("cannot read the input")?;
    let Some(clips) = input.remove("clips") else {
        let names: Vec<&str> = input.iter().map(|(name, _)| name).collect();
        bail!("`{}` holds no tensor `clips` (it holds {})", args.input.display(), names.join(", "));
    };
    let shape = match *clips.shape {
        [batch, channels, frames, height, width] => [batch, channels, frames, height, width],
        [batch, channels, height, width] => [batch, channels, 1, height, width],
        _ => bail!("`clips` has the shape {:?}, expected [N, 3, T, H, W] with T = 1 for images", clips.shape),
    };
    let [batch, channels, frames, height, width] = shape;
    let clip_values = channels * frames * height * width;
    if batch == 0 || clip_values == 0 {
        bail!("`clips` has the shape {:?}, expected every axis to be at least 1", clips.shape);
    }

    let mut logits = Vec::new();
    for chunk in clips.values.chunks((CHUNK_VALUES / clip_values).max(1) * clip_values) {
        let count = chunk.len() / clip_values;
        let data = TensorData::new(chunk.to_vec(), [count, channels, frames, height, width]);
        let output = bundle.network.forward(Tensor::from_data(data, &device))?;
        let values: Vec<f32> = output.into_data().convert::<f32>().try_to_vec().context("logits are floats")?;
        logits.extend(values);
    }
    let classes = logits.len() / batch;
    let mut output = StateDict::new();
    output.insert("logits", WeightTensor::new(vec![batch, classes], logits));
    output.write(&args.output)?;
    Ok(Outcome::Done)
}

//! The proof: a clip of one repeated image gives the image network's logits.

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use reelnet_kernels::Border;
use serde::Serialize;

use super::plan::Method;
use crate::error::ConfigError;
use crate::network::Network;
use crate::parameters;

/// Largest difference over the largest logit at which two networks are the same.
const TOLERANCE: f32 = 1e-4;
/// Least frames of the proof's clip: every temporal kernel sees inner frames and both borders.
const FRAMES: usize = 16;
/// Frames at most, where temporal strides ask for more.
const MAX_FRAMES: usize = 64;
/// An odd side exercises the borders of every window.
const SIZE: usize = 97;

/// What the proof measured. Differences are the largest over all logits, relative to the largest logit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Proof {
    /// With the border at which the method is exact: zeros for centre, the nearest frame for mean.
    pub difference: f32,
    /// With zero padding, as the network is used.
    pub difference_with_zero_padding: f32,
    /// How far two different images' logits lie apart: a network that answers the same to all proves nothing.
    pub spread: f32,
    /// Residual blocks that start at the identity (a last γ of zero), switched on for the proof on both sides.
    pub blocks_switched_on: usize,
    /// `[frames, height, width]` of the clip.
    pub clip: [usize; 3],
}

impl Proof {
    /// Whether the two networks are the same on a still clip.
    pub fn holds(&self) -> bool {
        self.difference < TOLERANCE && self.spread > TOLERANCE
    }
}

/// Runs both networks on one image, still and repeated.
///
/// # Errors
/// If the networks do not take the clip.
pub fn prove(image: &Network, video: &Network, method: Method, device: &Device) -> Result<Proof, ConfigError> {
    let (image, blocks_switched_on) = switched_on(image);
    let (video, _) = switched_on(video);
    let frames = (4 * video.config().temporal_stride()).clamp(FRAMES, MAX_FRAMES);
    let picture = pictures(device);
    let clip = picture.clone().repeat_dim(2, frames);

    let expected = image.forward(picture)?;
    let largest: f32 = expected.clone().abs().max().into_scalar();
    let apart: f32 = (expected.clone().narrow(0, 0, 1) - expected.clone().narrow(0, 1, 1)).abs().max().into_scalar();
    let difference = |border| -> Result<f32, ConfigError> {
        let logits = video.forward_with_border(clip.clone(), border)?;
        let difference: f32 = (logits - expected.clone()).abs().max().into_scalar();
        Ok(difference / largest.max(f32::MIN_POSITIVE))
    };
    let difference_with_zero_padding = difference(Border::Zero)?;
    let exact = match method {
        Method::Centre => difference_with_zero_padding,
        Method::Mean => difference(Border::Replicate)?,
    };
    Ok(Proof {
        difference: exact,
        difference_with_zero_padding,
        spread: apart / largest.max(f32::MIN_POSITIVE),
        blocks_switched_on,
        clip: [frames, SIZE, SIZE],
    })
}

/// Two images of noise, always the same.
fn pictures(device: &Device) -> Tensor<5> {
    let shape = [2, 3, 1, SIZE, SIZE];
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A fresh network's residual branches multiply by zero, and would prove anything.
fn switched_on(network: &Network) -> (Network, usize) {
    let mut blocks = 0;
    let values: std::collections::HashMap<String, Vec<f32>> =
        parameters::values(network).into_iter().map(|(info, values)| (info.name, values)).collect();
    let network = parameters::replace(network.clone(), |parameter| {
        let zero = parameter.name.ends_with(".bn3.weight") && values[&parameter.name].iter().all(|&gamma| gamma == 0.0);
        blocks += usize::from(zero);
        // A half keeps the sum of a hundred branches in range.
        zero.then(|| vec![0.5; parameter.shape.iter().product()])
    });
    (network, blocks)
}

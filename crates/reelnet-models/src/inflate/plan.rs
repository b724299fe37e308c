//! What becomes of each parameter.

use std::fmt;

use burn::tensor::Device;
use serde::Serialize;

use super::error::InflateError;
use crate::network::{Network, NetworkConfig};
use crate::parameters::{self, ParameterInfo};
use crate::resnet::StemPool;
use crate::weights::{StateDict, WeightTensor};

/// How a 2D kernel fills a temporal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Every frame gets the kernel over the number of frames (I3D). On a still clip the sum is the 2D result, except where
    /// zero padding takes frames away.
    Mean,
    /// The middle frame gets the kernel, the others zeros: on a still clip the 2D result everywhere, borders included.
    Centre,
}

/// What becomes of the classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classifier {
    /// The 2D network's.
    Keep,
    /// A fresh one.
    New {
        /// Its outputs.
        classes: usize,
    },
}

/// What became of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The same values.
    Copied,
    /// Spread over frames.
    Inflated,
    /// Only the 3D network has it; its values are fresh.
    New,
    /// Only the 2D network has it.
    Dropped,
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Copied => "copied",
            Self::Inflated => "inflated",
            Self::New => "new",
            Self::Dropped => "dropped",
        })
    }
}

/// One parameter's fate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// In the 3D network; of a dropped one, in the 2D network.
    pub name: String,
    /// What became of it.
    pub action: Action,
    /// Its shape in the 2D network.
    pub from: Option<Vec<usize>>,
    /// Its shape in the 3D network.
    pub to: Option<Vec<usize>>,
}

/// A 3D network, and where each of its parameters came from.
#[derive(Debug)]
pub struct Inflation {
    /// The result.
    pub network: Network,
    /// One row a parameter, in the order of the 3D network, dropped ones last.
    pub rows: Vec<Row>,
}

impl Inflation {
    /// How many parameters had this fate.
    pub fn count(&self, action: Action) -> usize {
        self.rows.iter().filter(|row| row.action == action).count()
    }
}

/// Inflates an image network into the 3D network that `config` describes.
///
/// Everything is accounted for: a parameter is copied, inflated, new for a reason, or dropped for a reason. `seed` draws the
/// new ones. With [`Classifier::Keep`] the result has the image network's classes, whatever the config says.
///
/// # Errors
/// If one network is not an image network or the other not a video network, or if a parameter cannot be explained.
pub fn inflate(
    image: &Network,
    config: &NetworkConfig,
    method: Method,
    classifier: Classifier,
    seed: u64,
    device: &Device,
) -> Result<Inflation, InflateError> {
    if !image.config().is_image() {
        return Err(InflateError::NotAnImage);
    }
    if config.is_image() {
        return Err(InflateError::NotAVideo);
    }
    let classes = match classifier {
        Classifier::Keep => image.config().classes(),
        Classifier::New { classes } => classes,
    };
    let config = config.clone().with_classes(classes);
    let video = config.build(seed, device)?;
    let rules = Rules {
        garden: matches!(config, NetworkConfig::Resnet3dRs(_)),
        classifier,
        keeps_conv_pool: keeps_conv_pool(&config),
    };

    let mut weights: StateDict =
        StateDict::of(image).into_iter().map(|(name, tensor)| (rules.renamed(&name), tensor)).collect();
    let (mut rows, mut unexplained) = (Vec::new(), Vec::new());
    let video = parameters::replace(video, |parameter| {
        let tensor = if rules.is_fresh(&parameter.name) { None } else { weights.remove(&parameter.name) };
        match rules.fate(parameter, tensor, method) {
            Ok((row, values)) => {
                rows.push(row);
                values
            }
            Err(why) => {
                unexplained.push(why);
                None
            }
        }
    });
    for (name, tensor) in weights {
        if rules.is_dropped(&name) {
            rows.push(Row { name, action: Action::Dropped, from: Some(tensor.shape), to: None });
        } else {
            unexplained.push(format!("{name}: only in the image network"));
        }
    }
    if unexplained.is_empty() {
        Ok(Inflation { network: video, rows })
    } else {
        Err(InflateError::Unexplained { names: unexplained })
    }
}

fn keeps_conv_pool(config: &NetworkConfig) -> bool {
    matches!(config, NetworkConfig::Resnet(config) if config.stem_pool == StemPool::Conv)
}

/// What explains a parameter that only one of the two networks has.
struct Rules {
    /// The target is the Model Garden's topology.
    garden: bool,
    classifier: Classifier,
    /// The target has the fourth stem convolution.
    keeps_conv_pool: bool,
}

impl Rules {
    /// An image parameter's name in the 3D network: the Model Garden's shortcuts have no pool before them.
    fn renamed(&self, name: &str) -> String {
        if self.garden {
            // In this order, or the first replacement's result would be replaced again.
            name.replace("downsample.1.", "downsample.0.").replace("downsample.2.", "downsample.1.")
        } else {
            name.to_owned()
        }
    }

    /// Self-gating has no 2D counterpart; a new classifier is new by request.
    fn is_fresh(&self, name: &str) -> bool {
        (self.garden && name.contains(".gate.")) || (self.classifier != Classifier::Keep && name.starts_with("fc."))
    }

    fn is_dropped(&self, name: &str) -> bool {
        (name.starts_with("maxpool.") && !self.keeps_conv_pool)
            || (name.starts_with("fc.") && self.classifier != Classifier::Keep)
    }

    fn fate(
        &self,
        parameter: &ParameterInfo,
        tensor: Option<WeightTensor>,
        method: Method,
    ) -> Result<(Row, Option<Vec<f32>>), String> {
        let ParameterInfo { name, shape } = parameter;
        let row = |action, from| Row { name: name.clone(), action, from, to: Some(shape.clone()) };
        let Some(WeightTensor { shape: from, values }) = tensor else {
            return if self.is_fresh(name) {
                Ok((row(Action::New, None), None))
            } else {
                Err(format!("{name}: only in the video network"))
            };
        };
        if from == *shape {
            return Ok((row(Action::Copied, Some(from)), Some(values)));
        }
        match (from.as_slice(), shape.as_slice()) {
            ([.., height, width], &[out, channels_in, frames, to_height, to_width])
                if from.len() == 4 && from[..2] == [out, channels_in] && [*height, *width] == [to_height, to_width] =>
            {
                let action = if frames == 1 { Action::Copied } else { Action::Inflated };
                let values = spread(&values, height * width, frames, method);
                Ok((row(action, Some(from.clone())), Some(values)))
            }
            _ => Err(format!("{name}: {from:?} in the image network, {shape:?} in the video network")),
        }
    }
}

/// Puts each plane of `plane` values into `frames` planes.
fn spread(values: &[f32], plane: usize, frames: usize, method: Method) -> Vec<f32> {
    let mut spread = Vec::with_capacity(values.len() * frames);
    for kernel in values.chunks_exact(plane) {
        for frame in 0..frames {
            let factor = match method {
                Method::Mean => 1.0 / frames as f32,
                Method::Centre => f32::from(u8::from(frame == frames / 2)),
            };
            spread.extend(kernel.iter().map(|value| value * factor));
        }
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::{Method, spread};

    #[test]
    fn kernels_spread_over_frames() {
        assert_eq!(spread(&[3.0, 6.0], 1, 3, Method::Mean), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
        assert_eq!(spread(&[3.0, 6.0], 2, 3, Method::Centre), [0.0, 0.0, 3.0, 6.0, 0.0, 0.0]);
    }
}

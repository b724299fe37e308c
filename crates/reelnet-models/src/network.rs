//! Any network of the zoo: from its config to logits.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use reelnet_kernels::{Border, channels_last};
use serde::{Deserialize, Serialize};

use crate::count::CountPass;
use crate::efficientnet::{EfficientNet, EfficientNetConfig};
use crate::error::ConfigError;
use crate::forward::{ForwardPass, Mode};
use crate::layers::Builder;
use crate::parameters;
use crate::pass::Pass;
use crate::resnet::{ModelGardenConfig, ResNet, ResNetConfig};

/// A network's complete description: what a bundle's `model.toml` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum NetworkConfig {
    /// ResNet and ResNet-RS in 2D, and inflated to 3D.
    Resnet(ResNetConfig),
    /// 3D ResNet-RS as the Model Garden has it.
    Resnet3dRs(ModelGardenConfig),
    /// EfficientNet.
    Efficientnet(EfficientNetConfig),
}

impl NetworkConfig {
    /// A network with fresh weights, which depend on `seed` alone.
    ///
    /// # Errors
    /// If the config describes no network.
    pub fn build(&self, seed: u64, device: &Device) -> Result<Network, ConfigError> {
        if !(1..=1_000_000).contains(&self.classes()) {
            return Err(ConfigError::Classes { classes: self.classes() });
        }
        let mut builder = Builder::new(device, seed);
        let body = match self {
            Self::Resnet(config) => Body::ResNet(config.build(&mut builder)?),
            Self::Resnet3dRs(config) => Body::ResNet(config.build(&mut builder)?),
            Self::Efficientnet(config) => Body::EfficientNet(config.build(&mut builder)?),
        };
        Ok(Network { body, config: self.clone() })
    }

    /// Outputs of the classifier.
    pub fn classes(&self) -> usize {
        match self {
            Self::Resnet(config) => config.classes,
            Self::Resnet3dRs(config) => config.classes,
            Self::Efficientnet(config) => config.classes,
        }
    }

    /// The same network with another classifier.
    #[must_use]
    pub fn with_classes(mut self, classes: usize) -> Self {
        match &mut self {
            Self::Resnet(config) => config.classes = classes,
            Self::Resnet3dRs(config) => config.classes = classes,
            Self::Efficientnet(config) => config.classes = classes,
        }
        self
    }

    /// Whether the network looks at single frames: its weights have no time axis.
    pub fn is_image(&self) -> bool {
        match self {
            Self::Resnet(config) => config.temporal.is_none(),
            Self::Resnet3dRs(_) => false,
            Self::Efficientnet(_) => true,
        }
    }

    /// Frames of the clip for one frame before the head: 1 for an image network.
    pub fn temporal_stride(&self) -> usize {
        match self {
            Self::Resnet(config) => {
                config.temporal.map_or(1, |time| time.stem_stride * time.stage_strides.iter().product::<usize>())
            }
            Self::Resnet3dRs(config) => config.stem_stride * config.pool_stride,
            Self::Efficientnet(_) => 1,
        }
    }

    /// The classifier's name in weight files.
    pub fn classifier(&self) -> &'static str {
        match self {
            Self::Resnet(_) | Self::Resnet3dRs(_) => "fc",
            Self::Efficientnet(_) => "classifier",
        }
    }
}

/// A network with weights.
#[derive(Module, Debug)]
pub struct Network {
    body: Body,
    #[module(skip)]
    config: NetworkConfig,
}

#[derive(Module, Debug)]
enum Body {
    ResNet(ResNet),
    EfficientNet(EfficientNet),
}

/// What a network costs at one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Trainable parameters: running statistics do not count.
    pub parameters: u64,
    /// Multiply-accumulates of one clip, of convolutions and classifier.
    pub macs: u64,
}

impl Network {
    /// What it was built from.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Inference.
    ///
    /// # Shapes
    /// - clips: `[batch, 3, frames, height, width]`, already normalised; one frame for an image network
    /// - logits: `[batch, classes]`
    ///
    /// # Errors
    /// If the clips do not fit the network.
    pub fn forward(&self, clips: Tensor<5>) -> Result<Tensor<2>, ConfigError> {
        self.forward_with(&mut ForwardPass::new(Mode::Inference), clips)
    }

    /// As [`Self::forward`], with the nearest frame beyond the ends of a clip instead of zeros.
    ///
    /// # Errors
    /// If the clips do not fit the network.
    pub fn forward_with_border(&self, clips: Tensor<5>, border: Border) -> Result<Tensor<2>, ConfigError> {
        self.forward_with(&mut ForwardPass::inference_with_border(border), clips)
    }

    /// Any computing pass, training included.
    ///
    /// # Errors
    /// If the clips do not fit the network.
    pub fn forward_with(&self, pass: &mut ForwardPass, clips: Tensor<5>) -> Result<Tensor<2>, ConfigError> {
        let [batch, ..] = clips.dims();
        let features = self.take(pass, clips)?;
        let logits = self.run(pass, features);
        Ok(logits.reshape([batch, self.config.classes()]))
    }

    /// Clips as the first segment takes them: `[batch, frames, height, width, 3]`.
    ///
    /// # Errors
    /// If the clips do not fit the network.
    pub fn take(&self, pass: &ForwardPass, clips: Tensor<5>) -> Result<Tensor<5>, ConfigError> {
        let [_, channels, frames, height, width] = clips.dims();
        self.check_input(channels, [frames, height, width])?;
        Ok(pass.take(channels_last(clips)))
    }

    /// Walks through the network with any pass.
    pub fn run<P: Pass>(&self, pass: &mut P, features: P::Features) -> P::Features {
        (0..self.segments()).fold(features, |features, segment| self.run_segment(segment, pass, features))
    }

    /// How many segments follow each other, with one tensor between two of them: the stem, each block, the head.
    pub fn segments(&self) -> usize {
        let blocks = match &self.body {
            Body::ResNet(network) => network.count_blocks(),
            Body::EfficientNet(network) => network.count_blocks(),
        };
        blocks + 2
    }

    /// Walks through one segment; the last one gives logits, `[batch, 1, 1, 1, classes]`.
    ///
    /// # Panics
    /// If the network has fewer segments.
    pub fn run_segment<P: Pass>(&self, segment: usize, pass: &mut P, features: P::Features) -> P::Features {
        let is_head = segment + 1 == self.segments();
        match &self.body {
            Body::ResNet(network) if segment == 0 => network.run_stem(pass, features),
            Body::ResNet(network) if is_head => network.run_head(pass, features),
            Body::ResNet(network) => network.run_block(segment - 1, pass, features),
            Body::EfficientNet(network) if segment == 0 => network.run_stem(pass, features),
            Body::EfficientNet(network) if is_head => network.run_head(pass, features),
            Body::EfficientNet(network) => network.run_block(segment - 1, pass, features),
        }
    }

    /// Counts parameters, and the multiply-accumulates of one clip of `[frames, height, width]`, from the built network.
    ///
    /// # Errors
    /// If the clip does not fit the network.
    pub fn count(&self, size: [usize; 3]) -> Result<Cost, ConfigError> {
        self.check_input(3, size)?;
        let mut pass = CountPass::default();
        let [frames, height, width] = size;
        self.run(&mut pass, [1, frames, height, width, 3]);
        Ok(Cost { parameters: parameters::count_trainable(self), macs: pass.macs() })
    }

    /// Whether clips of `[frames, height, width]` can be run.
    ///
    /// # Errors
    /// If not, and why.
    pub fn check_input(&self, channels: usize, [frames, height, width]: [usize; 3]) -> Result<(), ConfigError> {
        let image = self.config.is_image();
        let network = if image { "an image network" } else { "a video network" };
        let refuse = |why| Err(ConfigError::Input { network, frames, height, width, why });
        if channels != 3 {
            return refuse("expected 3 channels: red, green, blue");
        }
        if [frames, height, width].contains(&0) {
            return refuse("every size has to be at least 1");
        }
        if image && frames != 1 {
            return refuse("it looks at one frame at a time, so put the frames into the batch");
        }
        Ok(())
    }
}

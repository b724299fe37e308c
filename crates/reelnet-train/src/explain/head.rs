//! The gradient of a logit by the features that the head averages.
//!
//! Only the head is differentiated, so no activation of the stages is kept: the network runs once as in tagging, and its features
//! before the last average are noted; then the head alone runs again, on those features as a variable.

use burn::tensor::{Tensor, TensorData};
use ndarray::Array4;
use reelnet_kernels::channels_last;
use reelnet_models::forward::{ForwardPass, Mode};
use reelnet_models::layers::{Activation, BatchNorm, Conv, Linear, Pool};
use reelnet_models::pass::Pass;
use reelnet_models::{ConfigError, Network};

use super::heat::HeatMap;

/// Logits and what in the clips speaks for a class.
#[derive(Clone, Debug)]
pub struct GradCam {
    /// `[clips][classes]`
    pub logits: Vec<Vec<f32>>,
    /// One a clip.
    pub maps: Vec<HeatMap>,
}

/// Grad-CAM of a class for each clip. An image network sees one frame a clip.
///
/// # Shapes
/// - clips: `[batch, 3, frames, height, width]`, normalised, on the device of the network, which is not one for gradients
///
/// # Errors
/// If the clips do not fit the network.
///
/// # Panics
/// If the class is none of the network's.
pub fn grad_cam(network: &Network, clips: Tensor<5>, class: usize) -> Result<GradCam, ConfigError> {
    let [batch, channels, frames, height, width] = clips.dims();
    network.check_input(channels, [frames, height, width])?;
    assert!(class < network.config().classes(), "class {class} is none of {}", network.config().classes());

    // ---- The network, as in tagging ----
    let mut whole = HeadPass::new(None);
    let logits = network.run(&mut whole, Some(channels_last(clips))).expect("nothing is skipped");
    let (start, features) = whole.noted.expect("every network averages before its classifier");

    // ---- The head, on its input as a variable ----
    let features = features.autodiff().require_grad();
    let mut head = HeadPass::new(Some((start, features.clone())));
    let class_logits = network.run(&mut head, None).expect("the head is not skipped");
    let classes = network.config().classes();
    // Samples do not mix in the head, so one backward pass finds the gradient of each.
    let wanted = class_logits.reshape([batch, classes]).narrow(1, class, 1).sum();
    let gradient = features.grad(&wanted.backward()).expect("the head depends on its input");

    // ---- Weighed by mean gradients ----
    let features = features.without_autodiff();
    let [_, frames, height, width, channels] = features.dims();
    let weights = gradient.reshape([batch, frames * height * width, channels]).mean_dim(1);
    let cam = (features * weights.reshape([batch, 1, 1, 1, channels])).sum_dim(4).clamp_min(0.0);
    let values: Vec<f32> = floats(cam.into_data());
    let maps = Array4::from_shape_vec((batch, frames, height, width), values).expect("the tensor's own shape");
    let logits: Vec<f32> = floats(logits.into_data());
    Ok(GradCam {
        logits: logits.chunks_exact(classes).map(<[f32]>::to_vec).collect(),
        maps: maps.outer_iter().map(|map| HeatMap(map.to_owned())).collect(),
    })
}

fn floats(data: TensorData) -> Vec<f32> {
    data.convert::<f32>().try_to_vec().expect("the data was just converted to f32")
}

/// An inference that notes what enters the last average, or one that skips everything before a given operation.
struct HeadPass {
    inner: ForwardPass,
    /// Number of the next operation.
    place: usize,
    /// The operation to begin at, and its input.
    begin: Option<(usize, Tensor<5>)>,
    /// Place and input of an average of windows that nothing followed yet.
    windows: Option<(usize, Tensor<5>)>,
    /// Place and input of the last average.
    noted: Option<(usize, Tensor<5>)>,
}

impl HeadPass {
    fn new(begin: Option<(usize, Tensor<5>)>) -> Self {
        Self { inner: ForwardPass::new(Mode::Inference), place: 0, begin, windows: None, noted: None }
    }

    fn step(
        &mut self,
        source: Option<Tensor<5>>,
        compute: impl FnOnce(&mut ForwardPass, Tensor<5>) -> Tensor<5>,
    ) -> Option<Tensor<5>> {
        self.windows = None;
        let source = self.enter(source);
        source.map(|source| compute(&mut self.inner, source))
    }

    /// What an operation takes: what it is given or, where this pass begins, what it begins with.
    fn enter(&mut self, source: Option<Tensor<5>>) -> Option<Tensor<5>> {
        let place = self.place;
        self.place += 1;
        match self.begin.take() {
            Some((begin, features)) if begin == place => Some(features),
            begin => {
                self.begin = begin;
                source
            }
        }
    }
}

impl Pass for HeadPass {
    /// Nothing where everything is skipped.
    type Features = Option<Tensor<5>>;

    fn conv(&mut self, conv: &Conv, source: Self::Features) -> Self::Features {
        self.step(source, |pass, source| pass.conv(conv, source))
    }

    fn batch_norm(&mut self, norm: &BatchNorm, source: Self::Features) -> Self::Features {
        self.step(source, |pass, source| pass.batch_norm(norm, source))
    }

    fn activate(&mut self, activation: Activation, source: Self::Features) -> Self::Features {
        self.step(source, |pass, source| pass.activate(activation, source))
    }

    fn max_pool(&mut self, pool: &Pool, source: Self::Features) -> Self::Features {
        self.step(source, |pass, source| pass.max_pool(pool, source))
    }

    fn average_pool(&mut self, pool: &Pool, source: Self::Features) -> Self::Features {
        let place = self.place;
        let source = self.enter(source);
        self.windows = source.clone().map(|source| (place, source));
        source.map(|source| self.inner.average_pool(pool, source))
    }

    fn global_average(&mut self, source: Self::Features) -> Self::Features {
        let place = self.place;
        let source = self.enter(source);
        // A head may average windows first, and the map before them is the finer one.
        self.noted = self.windows.take().or_else(|| source.clone().map(|source| (place, source)));
        source.map(|source| self.inner.global_average(source))
    }

    fn multiply(&mut self, source: Self::Features, gate: Self::Features) -> Self::Features {
        self.step(source, |pass, source| pass.multiply(source, gate.expect("gates are computed with what they gate")))
    }

    fn add(&mut self, source: Self::Features, shortcut: Self::Features) -> Self::Features {
        self.step(source, |pass, source| pass.add(source, shortcut.expect("shortcuts are computed with their branch")))
    }

    fn add_relu(&mut self, source: Self::Features, shortcut: Self::Features) -> Self::Features {
        self.step(source, |pass, source| {
            pass.add_relu(source, shortcut.expect("shortcuts are computed with their branch"))
        })
    }

    fn normalise(
        &mut self,
        norm: &BatchNorm,
        activation: Option<Activation>,
        source: Self::Features,
    ) -> Self::Features {
        self.step(source, |pass, source| pass.normalise(norm, activation, source))
    }

    fn drop_path(&mut self, _rate: f64, source: Self::Features) -> Self::Features {
        source
    }

    fn dropout(&mut self, _rate: f64, source: Self::Features) -> Self::Features {
        source
    }

    fn linear(&mut self, linear: &Linear, source: Self::Features) -> Self::Features {
        self.step(source, |_, source| {
            let [batch, .., channels] = source.dims();
            let (weight, bias) = (linear.weight.val(), linear.bias.val());
            // A variable meets only what is tracked like it.
            let (weight, bias) =
                if source.is_autodiff() { (weight.autodiff(), bias.autodiff()) } else { (weight, bias) };
            let logits = source.reshape([batch, channels]).matmul(weight.transpose()) + bias.unsqueeze();
            let [_, classes] = logits.dims();
            logits.reshape([batch, 1, 1, 1, classes])
        })
    }
}

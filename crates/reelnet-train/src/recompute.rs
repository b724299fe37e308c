//! Forward and back, keeping either everything or only what goes into each segment.
//!
//! What is not kept is computed a second time on the way back ("Training Deep Nets with Sublinear Memory Cost",
//! arXiv 1604.06174): a third more arithmetic for a fraction of the memory, and the same gradients to the last bit.

use burn::module::Module;
use burn::tensor::Tensor;
use reelnet_models::forward::ForwardPass;
use reelnet_models::{ConfigError, Network, parameters};

use crate::gradients::GradientSum;

/// What a walk through the network has left for the way back.
pub(crate) struct Walked {
    /// Of all segments but the last, in their order; of none if everything is kept.
    entries: Vec<Entry>,
    /// What went into the last segment, with a gradient.
    last: Option<Tensor<5>>,
}

/// What a segment needs to be walked again.
struct Entry {
    features: Tensor<5>,
    pass: ForwardPass,
}

impl Walked {
    /// The logits, `[clips, classes]`, of normalised clips, `[clips, 3, frames, height, width]`.
    pub(crate) fn forward(
        network: &Network,
        mut pass: ForwardPass,
        clips: Tensor<5>,
        recompute: bool,
    ) -> Result<(Self, Tensor<2>), ConfigError> {
        if !recompute {
            let logits = network.forward_with(&mut pass, clips)?;
            return Ok((Self { entries: Vec::new(), last: None }, logits));
        }
        let [count, ..] = clips.dims();
        let mut features = network.take(&pass, clips)?;
        // A clone shares weights and running statistics with the network, and of parameters that nobody has asked for yet also
        // whether they want gradients. So all are asked for first.
        drop(parameters::tensors(network));
        let untracked = network.clone().no_grad();
        let last = network.segments() - 1;
        let mut entries = Vec::with_capacity(last);
        for segment in 0..last {
            entries.push(Entry { features: features.clone(), pass: pass.clone() });
            features = untracked.run_segment(segment, &mut pass, features);
        }
        let features = features.detach().require_grad();
        let logits = network.run_segment(last, &mut pass, features.clone());
        Ok((Self { entries, last: Some(features) }, logits.reshape([count, network.config().classes()])))
    }

    /// Adds the gradients of a loss of these logits.
    pub(crate) fn backward(self, network: &Network, loss: &Tensor<1>, sum: &mut GradientSum) {
        let mut found = loss.backward();
        let mut gradient = self.last.and_then(|features| features.grad_remove(&mut found));
        sum.add(network, found);
        for (segment, Entry { features, pass }) in self.entries.into_iter().enumerate().rev() {
            let output_gradient = gradient.take().expect("what goes into a segment decides what comes out");
            let features = if segment == 0 { features } else { features.detach().require_grad() };
            let output = network.run_segment(segment, &mut pass.again(), features.clone());
            // The derivative of this sum by the output is that gradient.
            let mut found = (output * output_gradient.autodiff()).sum().backward();
            gradient = features.grad_remove(&mut found);
            sum.add(network, found);
        }
    }
}

//! A network's parameters under timm's names: the one rule that turns Rust fields into weight names.
//!
//! A field's name is its name in the file. Two exceptions keep both sides readable: `conv_0` (a role and a number) is written
//! `0`, its place in timm's `nn.Sequential`; and the variants of an enum leave no trace.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::network::Network;

/// A parameter's description, without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterInfo {
    /// timm's name.
    pub name: String,
    /// As the file has it: convolutions of an image network have no time axis.
    pub shape: Vec<usize>,
}

impl ParameterInfo {
    /// Whether it is a running statistic: no gradient, no count.
    pub fn is_statistic(&self) -> bool {
        is_statistic(&self.name)
    }
}

/// Whether a name is that of a running statistic.
pub fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

/// Trainable parameters; draws no weights.
pub(crate) fn count_trainable(network: &Network) -> u64 {
    list(network)
        .iter()
        .filter(|parameter| !parameter.is_statistic())
        .map(|parameter| parameter.shape.iter().product::<usize>() as u64)
        .sum()
}

/// Every parameter and statistic in the order of the network; draws no weights.
pub fn list(network: &Network) -> Vec<ParameterInfo> {
    let mut visitor = ListVisitor { path: Path::default(), image: network.config().is_image(), found: Vec::new() };
    network.visit(&mut visitor);
    visitor.found
}

/// Every parameter and statistic with its values, in the order of the network.
pub fn values(network: &Network) -> Vec<(ParameterInfo, Vec<f32>)> {
    let mut visitor = ValueVisitor { path: Path::default(), image: network.config().is_image(), found: Vec::new() };
    network.visit(&mut visitor);
    visitor.found
}

/// Replaces each parameter by what `values` gives for it; `None` keeps what was there. Frozen parameters thaw.
///
/// # Panics
/// If the number of values is not the parameter's.
pub fn replace(network: Network, values: impl FnMut(&ParameterInfo) -> Option<Vec<f32>>) -> Network {
    let image = network.config().is_image();
    network.map(&mut ReplaceMapper { path: Path::default(), image, values })
}

/// Every parameter and statistic as a flat tensor outside any gradient, in the order of the network.
pub fn tensors(network: &Network) -> Vec<(ParameterInfo, Tensor<1>)> {
    let mut visitor = TensorVisitor { path: Path::default(), image: network.config().is_image(), found: Vec::new() };
    network.visit(&mut visitor);
    visitor.found
}

/// What a backward pass found for each parameter, as a flat tensor; parameters that it did not reach are left out.
pub fn gradients(network: &Network, gradients: Gradients) -> Vec<(ParameterInfo, Tensor<1>)> {
    let image = network.config().is_image();
    let mut visitor = GradientVisitor { path: Path::default(), image, gradients, found: Vec::new() };
    network.visit(&mut visitor);
    visitor.found
}

/// Replaces each parameter by what `change` makes of its flat tensor, on the device. Statistics are not asked for.
pub fn update(network: Network, change: impl FnMut(&ParameterInfo, Tensor<1>) -> Tensor<1>) -> Network {
    let image = network.config().is_image();
    network.map(&mut UpdateMapper { path: Path::default(), image, change })
}

/// Where in the network a visitor stands.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        self.0.push(if container.starts_with("Enum") { String::new() } else { segment(name).to_owned() });
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn parameter(&self, shape: &[usize], image: bool) -> ParameterInfo {
        // The network itself wraps its body in a field.
        let segments: Vec<&str> =
            self.0.iter().map(String::as_str).filter(|part| !part.is_empty() && *part != "body").collect();
        let shape = match *shape {
            [out, channels_in, 1, height, width] if image => vec![out, channels_in, height, width],
            _ => shape.to_vec(),
        };
        ParameterInfo { name: segments.join("."), shape }
    }
}

/// `conv_0` → `0`; anything else stays.
fn segment(field: &str) -> &str {
    match field.rsplit_once('_') {
        Some((_, place)) if !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit()) => place,
        _ => field,
    }
}

/// How every visitor and mapper here keeps its `path`.
macro_rules! follows_path {
    () => {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.path.enter(name, container_type);
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.exit();
        }
    };
}

struct ListVisitor {
    path: Path,
    image: bool,
    found: Vec<ParameterInfo>,
}

impl ModuleVisitor for ListVisitor {
    follows_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape: [usize; D] = param.lazy_shape().dims();
        self.found.push(self.path.parameter(&shape, self.image));
    }
}

struct ValueVisitor {
    path: Path,
    image: bool,
    found: Vec<(ParameterInfo, Vec<f32>)>,
}

impl ModuleVisitor for ValueVisitor {
    follows_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let info = self.path.parameter(&tensor.dims(), self.image);
        let values = tensor.into_data().convert::<f32>().try_to_vec().expect("the data was just converted to f32");
        self.found.push((info, values));
    }
}

struct ReplaceMapper<F> {
    path: Path,
    image: bool,
    values: F,
}

impl<F: FnMut(&ParameterInfo) -> Option<Vec<f32>>> ModuleMapper for ReplaceMapper<F> {
    follows_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape: [usize; D] = param.lazy_shape().dims();
        let Some(values) = (self.values)(&self.path.parameter(&shape, self.image)) else { return param };
        let device = param.lazy_device();
        // Asking the old parameter for anything but its shape would draw its fresh values only to throw them away.
        let tensor = move |device: &Device, require_grad| {
            Tensor::from_data(TensorData::new(values, shape), device).set_require_grad(require_grad)
        };
        Param::uninitialized(param.id, tensor, device, true, shape.into())
    }
}

struct TensorVisitor {
    path: Path,
    image: bool,
    found: Vec<(ParameterInfo, Tensor<1>)>,
}

impl ModuleVisitor for TensorVisitor {
    follows_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().without_autodiff();
        self.found.push((self.path.parameter(&tensor.dims(), self.image), tensor.flatten(0, D - 1)));
    }
}

struct GradientVisitor {
    path: Path,
    image: bool,
    gradients: Gradients,
    found: Vec<(ParameterInfo, Tensor<1>)>,
}

impl ModuleVisitor for GradientVisitor {
    follows_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        if let Some(gradient) = tensor.grad_remove(&mut self.gradients) {
            self.found.push((self.path.parameter(&tensor.dims(), self.image), gradient.flatten(0, D - 1)));
        }
    }
}

struct UpdateMapper<F> {
    path: Path,
    image: bool,
    change: F,
}

impl<F: FnMut(&ParameterInfo, Tensor<1>) -> Tensor<1>> ModuleMapper for UpdateMapper<F> {
    follows_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let dims: [usize; D] = param.lazy_shape().dims();
        let info = self.path.parameter(&dims, self.image);
        if info.is_statistic() {
            return param;
        }
        let change = &mut self.change;
        param.map(|tensor| {
            let (tracked, requires) = (tensor.is_autodiff(), tensor.is_require_grad());
            // Moved, not cloned: what nobody else holds can be changed in place.
            let new = change(&info, tensor.without_autodiff().flatten(0, D - 1)).reshape(dims);
            if tracked { new.autodiff().set_require_grad(requires) } else { new }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn a_role_with_a_number_is_a_place() {
        assert_eq!(segment("conv_0"), "0");
        assert_eq!(segment("bn_1"), "1");
        assert_eq!(segment("conv_dw"), "conv_dw");
        assert_eq!(segment("running_mean"), "running_mean");
        assert_eq!(segment("bn1"), "bn1");
    }
}

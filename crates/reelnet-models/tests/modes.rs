//! The forward pass in training: its draws depend on a seed alone, its statistics move, gradients reach every weight.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use reelnet_models::forward::{ForwardPass, Mode};
use reelnet_models::layers::DropBlock;
use reelnet_models::resnet::{ResNetConfig, Temporal};
use reelnet_models::weights::StateDict;
use reelnet_models::{Network, NetworkConfig};

fn network(device: &Device) -> Network {
    let config = ResNetConfig { width: 0.125, classes: 4, drop_path: 0.5, ..ResNetConfig::rs(26) };
    NetworkConfig::Resnet(config.inflated(Temporal::default())).build(1, device).expect("a good config")
}

fn clips(device: &Device) -> Tensor<5> {
    let shape = [2, 3, 8, 32, 32];
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|index| ((index * 37 % 101) as f32 - 50.0) / 50.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn logits(network: &Network, mode: Mode, device: &Device) -> Vec<f32> {
    let logits = network.forward_with(&mut ForwardPass::new(mode), clips(device)).expect("the clips fit");
    logits.into_data().try_to_vec().expect("32-bit floats")
}

#[test]
fn draws_depend_on_the_seed_alone() {
    let device = Device::flex();
    let network = network(&device);
    let train = |seed| logits(&network, Mode::training(seed, 0.0), &device);
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
    assert_eq!(logits(&network, Mode::Inference, &device), logits(&network, Mode::Inference, &device));
}

#[test]
fn statistics_move_as_far_as_they_are_told() {
    let device = Device::flex();
    let mean = |rate| {
        let network = network(&device);
        logits(&network, Mode::training(1, rate), &device);
        StateDict::of(&network).get("conv1.1.running_mean").expect("a statistic").values.clone()
    };
    let (none, tenth, whole) = (mean(0.0), mean(0.1), mean(1.0));
    assert!(none.iter().all(|&value| value == 0.0), "{none:?}");
    assert!(whole.iter().any(|&value| value.abs() > 1e-4), "{whole:?}");
    for (tenth, whole) in tenth.iter().zip(&whole) {
        assert!((tenth - 0.1 * whole).abs() < 1e-6, "{tenth} is a tenth of {whole}");
    }
}

#[test]
fn gradients_reach_every_weight() {
    let device = Device::flex().autodiff();
    check_gradients(&network(&device), &device);
    // The last map of 32² is a single place.
    let config = ResNetConfig { width: 0.125, classes: 4, head_window: Some(1), ..ResNetConfig::slow(50) };
    check_gradients(&NetworkConfig::Resnet(config).build(1, &device).expect("a good config"), &device);
}

fn check_gradients(network: &Network, device: &Device) {
    let mut pass = ForwardPass::new(Mode::training(1, 1.0));
    let loss = network.forward_with(&mut pass, clips(device)).expect("the clips fit").powf_scalar(2.0).sum();
    let mut reached = Reached { gradients: loss.backward(), count: 0 };
    network.visit(&mut reached);
    let trainable = reelnet_models::parameters::list(network).iter().filter(|info| !info.is_statistic()).count();
    assert_eq!(reached.count, trainable);
}

#[test]
fn drop_block_is_off_unless_asked_for_and_outside_training() {
    let device = Device::flex();
    let config = ResNetConfig { width: 0.125, classes: 4, ..ResNetConfig::rs(26) }.inflated(Temporal::default());
    let block = DropBlock { rate: 0.5, size: 3 };
    let with = ResNetConfig { drop_block: Some(block), ..config.clone() };

    let network = |config: &ResNetConfig| {
        let network = NetworkConfig::Resnet(config.clone()).build(1, &device).expect("a good config");
        // A γ of zero would hide the branches.
        reelnet_models::parameters::replace(network, |info| {
            info.name.ends_with("bn3.weight").then(|| vec![1.0; info.shape.iter().product()])
        })
    };
    let (plain, dropping) = (network(&config), network(&with));
    assert_eq!(logits(&plain, Mode::Inference, &device), logits(&dropping, Mode::Inference, &device));
    let train = |network, seed| logits(network, Mode::training(seed, 0.0), &device);
    assert_eq!(train(&dropping, 1), train(&dropping, 1));
    assert_ne!(train(&dropping, 1), train(&dropping, 2));
    assert_ne!(train(&dropping, 1), train(&plain, 1));
    assert_eq!(plain.count([8, 32, 32]).expect("a cost"), dropping.count([8, 32, 32]).expect("a cost"));
    for block in [DropBlock { rate: 1.0, ..block }, DropBlock { size: 0, ..block }] {
        let config = ResNetConfig { drop_block: Some(block), ..config.clone() };
        let told = NetworkConfig::Resnet(config).build(1, &device).expect_err("it is refused").to_string();
        assert!(told.contains("drop_block."), "{told}");
    }
}

/// Counts the parameters that have a gradient.
struct Reached {
    gradients: Gradients,
    count: usize,
}

impl ModuleVisitor for Reached {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.count += usize::from(param.val().grad(&self.gradients).is_some());
    }
}

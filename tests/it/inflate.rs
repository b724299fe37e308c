//! Inflation: the report accounts for every parameter, and the proof holds, or fails when it should.

use burn::tensor::Device;
use reelnet_models::inflate::{Action, Classifier, InflateError, Method, inflate, prove};
use reelnet_models::resnet::{ResNetConfig, Temporal};
use reelnet_models::{Network, NetworkConfig, NetworkName, parameters};
use reelnet_tests::formula;

fn image(config: &ResNetConfig) -> Network {
    let network = NetworkConfig::Resnet(config.clone()).build(3, &Device::flex()).expect("a good config");
    formula::fill(network, 0.5)
}

fn small() -> ResNetConfig {
    ResNetConfig { depth: 26, width: 0.25, classes: 10, ..ResNetConfig::rs(26) }
}

#[test]
fn still_clips_give_the_image_networks_logits() {
    let device = Device::flex();
    let image = image(&small());
    let plans = [
        Temporal::default(),
        Temporal { stem_stride: 1, ..Temporal::default() },
        Temporal { stem_kernel: 3, stem_stride: 1, stage_kernels: [3, 3, 5, 1], stage_strides: [1, 2, 2, 1] },
    ];
    for temporal in plans {
        let config = NetworkConfig::Resnet(small().inflated(temporal));
        for method in [Method::Mean, Method::Centre] {
            let inflation = inflate(&image, &config, method, Classifier::Keep, 0, &device).expect("one topology");
            let proof = prove(&image, &inflation.network, method, &device).expect("the clip fits");
            assert!(proof.holds(), "{method:?} {temporal:?}: {proof:?}");
            match method {
                // Zeros beyond the ends take a part of the mean away, and say so.
                Method::Mean => assert!(proof.difference_with_zero_padding > 1e-3, "{proof:?}"),
                Method::Centre => assert!(proof.difference_with_zero_padding < 1e-4, "{proof:?}"),
            }
        }
    }
}

#[test]
fn the_proof_can_fail() {
    let device = Device::flex();
    let image = image(&small());
    let config = NetworkConfig::Resnet(small().inflated(Temporal::default()));
    let inflation = inflate(&image, &config, Method::Centre, Classifier::Keep, 0, &device).expect("one topology");
    let bent = parameters::replace(inflation.network, |parameter| {
        (parameter.name == "layer3.1.conv1.weight").then(|| vec![0.01; parameter.shape.iter().product()])
    });
    assert!(!prove(&image, &bent, Method::Centre, &device).expect("the clip fits").holds());
}

#[test]
fn every_parameter_has_a_row() {
    let device = Device::flex();
    let image = image(&small());
    let config = NetworkConfig::Resnet(small().inflated(Temporal::default()));
    let kept = inflate(&image, &config, Method::Mean, Classifier::Keep, 0, &device).expect("one topology");
    assert_eq!(kept.rows.len(), parameters::list(&kept.network).len());
    // The stem's first convolution, and the first of each of the two blocks in stages 3 and 4.
    assert_eq!(kept.count(Action::Inflated), 5);
    assert_eq!(kept.count(Action::New) + kept.count(Action::Dropped), 0);

    let new =
        inflate(&image, &config, Method::Mean, Classifier::New { classes: 20 }, 0, &device).expect("one topology");
    assert_eq!((new.count(Action::New), new.count(Action::Dropped)), (2, 2));
    assert_eq!(new.network.config().classes(), 20);
}

#[test]
fn the_model_gardens_topology_explains_what_it_changes() {
    let device = Device::flex();
    let image = formula::fill(named("resnet-rs-50"), 0.5);
    let target = "resnet3d-rs-50".parse::<NetworkName>().expect("a good name");
    let inflation = inflate(&image, target.config(), Method::Mean, Classifier::Keep, 0, &device).expect("explained");
    let names = |action| {
        let rows = inflation.rows.iter().filter(move |row| row.action == action);
        rows.map(|row| row.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(Action::New).len(), 8, "four gates with a bias each");
    assert!(names(Action::Dropped).iter().all(|name| name.starts_with("maxpool.")));
    assert_eq!(names(Action::Dropped).len(), 5);
}

#[test]
fn different_networks_are_refused() {
    let device = Device::flex();
    let image = image(&small());
    let other = NetworkConfig::Resnet(ResNetConfig { depth: 50, ..small() }.inflated(Temporal::default()));
    let error = inflate(&image, &other, Method::Mean, Classifier::Keep, 0, &device).expect_err("another depth");
    assert!(matches!(error, InflateError::Unexplained { ref names } if names.len() > 10), "{error}");
    let still = NetworkConfig::Resnet(small());
    let error = inflate(&image, &still, Method::Mean, Classifier::Keep, 0, &device).expect_err("no time axis");
    assert_eq!(error, InflateError::NotAVideo);
}

fn named(name: &str) -> Network {
    let name: NetworkName = name.parse().expect("a good name");
    name.config().build(0, &Device::flex()).expect("a good config")
}

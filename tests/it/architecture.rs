//! The invariants of `docs/architecture.md` that a compiler does not see.

use std::fs;
use std::path::Path;
use std::process::Command;

use reelnet_models::{NetworkName, parameters};

/// Every package that `package` is built from.
fn dependencies(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--package",
            package,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo prints text");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn dependencies_point_one_way() {
    // What a crate must not know, by the packages that it would need to know it.
    let forbidden: [(&str, &[&str]); 6] = [
        ("reelnet-kernels", &["reelnet-models", "reelnet-clips", "reelnet-infer", "clap", "ffmpeg-next"]),
        ("reelnet-models", &["reelnet-clips", "reelnet-infer", "clap", "ffmpeg-next"]),
        ("reelnet-clips", &["burn", "burn-core", "reelnet-kernels", "reelnet-models", "reelnet-infer", "clap"]),
        ("reelnet-train", &["reelnet-cli", "clap", "burn-optim", "burn-train"]),
        ("reelnet-library", &["reelnet-train", "reelnet-cli", "clap", "burn-train"]),
        ("reelnet-infer", &["reelnet-train", "reelnet-cli", "clap", "burn-optim", "burn-train"]),
    ];
    for (package, forbidden) in forbidden {
        let found = dependencies(package);
        assert!(found.iter().any(|name| name == package), "cargo tree names the package itself");
        for name in forbidden {
            assert!(!found.iter().any(|found| found == name), "{package} must not know {name}");
        }
    }
}

#[test]
fn weight_names_are_a_format() {
    let mut names = String::new();
    for network in [
        "resnet-rs-50",
        "resnet-50",
        "resnet3d-rs-50",
        "resnet3d-rs-50-inflated",
        "slow-r50",
        "efficientnet-b0",
        "efficientnet-lite0",
    ] {
        let name: NetworkName = network.parse().expect("a good name");
        let network = name.config().build(0, &burn::tensor::Device::flex()).expect("a good config");
        names += &format!("# {name}\n");
        for parameter in parameters::list(&network) {
            names += &format!("{} {:?}\n", parameter.name, parameter.shape);
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/weight-names.txt");
    if std::env::var_os("REELNET_BLESS").is_some() {
        fs::write(&path, &names).expect("the snapshot can be written");
    }
    let expected = fs::read_to_string(&path).expect("the snapshot is there");
    assert!(
        names == expected,
        "names or shapes of weights changed, and with them the format of every bundle; if that is meant, say so in the \
         CHANGELOG and run again with REELNET_BLESS=1"
    );
}

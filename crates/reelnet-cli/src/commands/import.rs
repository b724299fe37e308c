//! `reelnet import`

use burn::tensor::Device;
use reelnet_infer::import::{self, ImportOptions, Imported};
use reelnet_models::NetworkName;
use reelnet_models::weights::Strictness;

use super::{bundles, folder};
use crate::args::ImportArgs;
use crate::exit::Outcome;
use crate::output::say;

pub(crate) fn import(args: &ImportArgs) -> anyhow::Result<Outcome> {
    folder::check_new(&args.out)?;
    let network = args.network.as_deref().map(str::parse::<NetworkName>).transpose()?;
    let options = ImportOptions {
        network,
        labels: args.labels.as_deref().map(bundles::read_labels).transpose()?,
        strictness: if args.partial { Strictness::Partial } else { Strictness::Exact },
        key: args.key.clone(),
        clip: args.clip,
        source: None,
    };
    let Imported { bundle, report, ambiguous } = import::import(&args.file, options, &Device::flex())?;
    bundle.write(&args.out)?;
    for name in report.missing.iter().chain(report.mismatched.iter().map(|tensor| &tensor.name)) {
        say(format_args!("not loaded: {name}"));
    }
    for name in &report.unused {
        say(format_args!("not used: {name}"));
    }
    if ambiguous {
        say(
            "hint: these names fit TensorFlow's EfficientNet (timm's `tf_efficientnet_*`), which was taken, and timm's own \
             (`efficientnet_*`) alike; for the latter, name --network with `-symmetric` at its end",
        );
    }
    say(format_args!("made `{}`: {}, {report}", args.out.display(), bundle.manifest.name));
    Ok(Outcome::Done)
}

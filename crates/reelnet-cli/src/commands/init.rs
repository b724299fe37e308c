//! `reelnet init`

use anyhow::ensure;
use burn::tensor::Device;
use reelnet_infer::{Bundle, Manifest, Provenance};
use reelnet_models::NetworkName;

use super::{bundles, folder};
use crate::args::InitArgs;
use crate::exit::Outcome;
use crate::output::say;

pub(crate) fn init(args: &InitArgs) -> anyhow::Result<Outcome> {
    let name: NetworkName = args.network.parse()?;
    folder::check_new(&args.out)?;
    // Labels say how many classes there are, unless somebody else does.
    let from_file = args.labels.as_deref().map(bundles::read_labels).transpose()?;
    let classes = match (args.classes, &from_file) {
        (Some(classes), _) => classes as usize,
        (None, Some(labels)) => labels.len(),
        (None, None) => name.config().classes(),
    };
    if let Some(labels) = &from_file {
        ensure!(labels.len() == classes, "there are {} labels for {classes} classes", labels.len());
    }
    let labels = from_file.unwrap_or_else(|| reelnet_infer::Labels::usual(classes));

    let config = name.config().clone().with_classes(classes);
    let network = config.build(args.seed, &Device::flex())?;
    let provenance = Provenance { source: format!("fresh weights, seed {}", args.seed), sha256: None, licence: None };
    let manifest = Manifest::new(&name, config, &labels, provenance);
    Bundle { manifest, network, labels }.write(&args.out)?;
    say(format_args!("made `{}`: {name}, {classes} classes, seed {}", args.out.display(), args.seed));
    Ok(Outcome::Done)
}

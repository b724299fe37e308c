//! `reelnet import`

use std::io::{Write, stderr};

use burn::tensor::Device;
use reelnet_infer::import::{self, ImportOptions};
use reelnet_models::NetworkName;
use reelnet_models::weights::Strictness;

use super::bundles;
use crate::args::ImportArgs;
use crate::exit::Outcome;

pub(crate) fn import(args: &ImportArgs) -> anyhow::Result<Outcome> {
    bundles::check_new(&args.out)?;
    let network = args.network.as_deref().map(str::parse::<NetworkName>).transpose()?;
    let options = ImportOptions {
        network,
        labels: args.labels.as_deref().map(bundles::read_labels).transpose()?,
        strictness: if args.partial { Strictness::Partial } else { Strictness::Exact },
        source: None,
    };
    let (bundle, report) = import::import(&args.file, options, &Device::flex())?;
    bundle.write(&args.out)?;
    writeln!(stderr(), "made `{}`: {}, {report}", args.out.display(), bundle.manifest.name)?;
    Ok(Outcome::Done)
}

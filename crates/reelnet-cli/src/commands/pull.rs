//! `reelnet model pull`

use std::io::{Write, stdout};

use anyhow::{Context, bail};
use burn::tensor::Device;
use reelnet_infer::Bundle;
use reelnet_infer::hub::{Origin, Published};
use reelnet_infer::import::{self, ImportOptions};
use reelnet_models::{NetworkName, presets};

use super::{bundles, folder};
use crate::args::PullArgs;
use crate::exit::Outcome;
use crate::output::{Progress, say};

pub(crate) fn pull(args: &PullArgs) -> anyhow::Result<Outcome> {
    let name: NetworkName = args.name.parse()?;
    let Some(published) = Published::of(&name) else {
        let mut known: Vec<String> = presets::all()
            .into_iter()
            .filter(|preset| Published::of(&preset.name).is_some())
            .map(|preset| preset.name.network().to_owned())
            .collect();
        known.dedup();
        bail!(
            "nobody published weights for `{}` that can be pulled; there are some for {}",
            args.name,
            known.join(", ")
        );
    };
    let out = match &args.out {
        Some(out) => out.clone(),
        None => bundles::pulled_folder().context("this user has no data folder; name one with --out")?.join(&args.name),
    };
    if args.out.is_none() && Bundle::open(&out, &Device::flex()).is_ok() {
        say(format_args!("`{}` is there already", args.name));
        writeln!(stdout(), "{}", out.display())?;
        return Ok(Outcome::Done);
    }
    folder::check_new(&out)?;

    let mut progress = Progress::of_bytes();
    let mut observer = |done, total| {
        progress.set_total(total);
        progress.set(done);
    };
    let downloads = dirs::cache_dir().context("this user has no cache folder; set XDG_CACHE_HOME")?.join("reelnet");
    let file = published.fetch(args.sha256.as_deref(), &downloads, &mut observer)?;
    progress.finish();

    let options =
        ImportOptions { network: Some(name), source: Some(published.origin.to_string()), ..ImportOptions::default() };
    let mut bundle = import::import(&file, options, &Device::flex())?.bundle;
    bundle.manifest.provenance.licence = Some(published.licence.to_owned());
    bundle.write(&out)?;
    say(format_args!("pulled `{}` from {} ({})", args.name, published.origin, published.licence));
    if let (Origin::Address(_), None, Some(sha256)) =
        (&published.origin, &args.sha256, &bundle.manifest.provenance.sha256)
    {
        say(format_args!("its publisher gives no checksum to compare with; its SHA-256 is {sha256}"));
    }
    writeln!(stdout(), "{}", out.display())?;
    Ok(Outcome::Done)
}

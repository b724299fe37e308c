//! `reelnet inflate`

use std::io::{Write, stdout};

use anyhow::bail;
use burn::tensor::Device;
use reelnet_infer::{Bundle, ClipSettings, Labels, Manifest, Provenance};
use reelnet_models::NetworkConfig;
use reelnet_models::inflate::{self, Action, Classifier, Inflation, Method, Proof, Row};
use reelnet_models::resnet::{ModelGardenConfig, ResNetConfig, Temporal};
use serde::Serialize;

use super::{bundles, folder};
use crate::args::{InflateArgs, MethodArg, Topology};
use crate::exit::Outcome;
use crate::output::{Align, Columns, say};

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    rows: &'a [Row],
    proof: Option<Proof>,
    holds: Option<bool>,
}

pub(crate) fn inflate(args: &InflateArgs) -> anyhow::Result<Outcome> {
    folder::check_new(&args.out)?;
    let device = Device::flex();
    let source = bundles::open(&args.model, &device)?;
    let config = target(&source.manifest.network, args)?;
    let method = match args.method {
        MethodArg::Mean => Method::Mean,
        MethodArg::Centre => Method::Centre,
    };
    let labels = match (args.labels.as_deref(), args.classes) {
        (Some(file), Some(classes)) => Some(bundles::labels_for(Some(file), classes as usize)?),
        (Some(file), None) => Some(bundles::read_labels(file)?),
        (None, Some(classes)) => Some(Labels::usual(classes as usize)),
        (None, None) => None,
    };
    let inflate_with = |classifier| inflate::inflate(&source.network, &config, method, classifier, args.seed, &device);

    // The proof compares logits, so it needs the 2D network's classifier even where a new one takes its place.
    let kept = inflate_with(Classifier::Keep)?;
    let proof = match args.topology {
        Topology::Inflated => Some(inflate::prove(&source.network, &kept.network, method, &device)?),
        Topology::ModelGarden => None,
    };
    let (inflation, labels) = match labels {
        Some(labels) => (inflate_with(Classifier::New { classes: labels.len() })?, labels),
        None => (kept, source.labels.clone()),
    };

    print(args, &inflation, proof.as_ref())?;
    if proof.is_some_and(|proof| !proof.holds()) {
        say(format_args!("error: the proof fails, so `{}` was not written", args.out.display()));
        return Ok(Outcome::SomeFailed);
    }
    write_bundle(args, &source, inflation, labels)?;
    Ok(Outcome::Done)
}

/// The 3D network that is asked for.
fn target(image: &NetworkConfig, args: &InflateArgs) -> anyhow::Result<NetworkConfig> {
    let NetworkConfig::Resnet(image) = image else {
        bail!("only 2D ResNets can be inflated, and this bundle holds another network");
    };
    if image.temporal.is_some() {
        bail!("this bundle holds a 3D network already, expected a 2D ResNet");
    }
    Ok(match args.topology {
        Topology::Inflated => {
            let temporal = Temporal {
                stem_kernel: args.stem_kernel,
                stem_stride: args.stem_stride,
                stage_kernels: args.stage_kernels,
                stage_strides: args.stage_strides,
            };
            NetworkConfig::Resnet(ResNetConfig::clone(image).inflated(temporal))
        }
        Topology::ModelGarden => {
            if args.stage_strides != [1; 4] {
                bail!("the Model Garden's topology has no temporal strides in its stages; leave out --stage-strides");
            }
            NetworkConfig::Resnet3dRs(ModelGardenConfig {
                width: image.width,
                se_ratio: image.se_ratio,
                stem_kernel: args.stem_kernel,
                stem_stride: args.stem_stride,
                stage_kernels: args.stage_kernels,
                ..ModelGardenConfig::new(image.depth)
            })
        }
    })
}

fn print(args: &InflateArgs, inflation: &Inflation, proof: Option<&Proof>) -> anyhow::Result<()> {
    let mut stdout = stdout().lock();
    if args.json {
        let report = Report { rows: &inflation.rows, proof: proof.copied(), holds: proof.map(Proof::holds) };
        writeln!(stdout, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    let shape = |shape: Option<&Vec<usize>>| {
        shape.map_or_else(|| "-".to_owned(), |axes| axes.iter().map(usize::to_string).collect::<Vec<_>>().join("×"))
    };
    let header = ["FATE", "PARAMETER", "2D", "3D"].map(str::to_owned).to_vec();
    let rows = inflation
        .rows
        .iter()
        .map(|row| vec![row.action.to_string(), row.name.clone(), shape(row.from.as_ref()), shape(row.to.as_ref())]);
    let cells: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let columns = Columns::fitting(&[Align::Left; 4], &cells);
    for row in &cells {
        writeln!(stdout, "{}", columns.row(row))?;
    }
    let counts = [Action::Copied, Action::Inflated, Action::New, Action::Dropped]
        .map(|action| format!("{} {action}", inflation.count(action)));
    writeln!(stdout, "\n{} parameters: {}", inflation.rows.len(), counts.join(", "))?;
    match proof {
        Some(proof) => write_proof(&mut stdout, args.method, proof)?,
        None => writeln!(
            stdout,
            "no proof: the Model Garden's max-pool, strided shortcuts and gates make it another network than the 2D one"
        )?,
    }
    Ok(())
}

fn write_proof(out: &mut impl Write, method: MethodArg, proof: &Proof) -> anyhow::Result<()> {
    let [frames, height, width] = proof.clip;
    let verdict = if proof.holds() { "holds" } else { "FAILS" };
    let border = match method {
        MethodArg::Mean => "with the nearest frame beyond the ends",
        MethodArg::Centre => "with zero padding",
    };
    writeln!(
        out,
        "proof {verdict}: on {frames} times one image of {height}×{width}, {border}, logits differ by {:.1e} of the largest",
        proof.difference
    )?;
    if method == MethodArg::Mean {
        writeln!(
            out,
            "zero padding, with which the network runs, takes frames away at the ends: there logits differ by {:.1e}; \
             fine-tuning mends it, --method centre avoids it",
            proof.difference_with_zero_padding
        )?;
    }
    if proof.blocks_switched_on > 0 {
        writeln!(
            out,
            "{} blocks start as the identity (their last γ is zero); the proof switched them on on both sides",
            proof.blocks_switched_on
        )?;
    }
    Ok(())
}

fn write_bundle(args: &InflateArgs, source: &Bundle, inflation: Inflation, labels: Labels) -> anyhow::Result<()> {
    let suffix = match args.topology {
        Topology::Inflated => "inflated",
        Topology::ModelGarden => "model-garden",
    };
    let manifest = Manifest {
        name: format!("{} {suffix}", source.manifest.name),
        labels_sha256: labels.sha256(),
        network: inflation.network.config().clone(),
        clip: ClipSettings { frames: args.frames as usize, frame_step: args.frame_step as usize },
        provenance: Provenance {
            source: format!("{}, inflated", source.manifest.provenance.source),
            ..source.manifest.provenance.clone()
        },
        ..source.manifest.clone()
    };
    Bundle { manifest, network: inflation.network, labels }.write(&args.out)?;
    say(format_args!("made `{}`", args.out.display()));
    Ok(())
}

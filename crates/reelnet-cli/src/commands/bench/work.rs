//! What a bench runs, on which clips.

use std::num::NonZero;

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reelnet_infer::bench::with_all_branches;
use reelnet_infer::{Bundle, Pixels};
use reelnet_models::weights::StateDict;
use reelnet_models::{Network, NetworkName};

use crate::args::WorkArgs;
use crate::commands::bundles;
use crate::workers::{count, share_cores};

/// Draws weights and clips, so that two benches of one name do the same work.
const SEED: u64 = 0;

/// A network and its clips.
pub(super) struct Work {
    pub(super) name: String,
    pub(super) network: Network,
    pub(super) pixels: Pixels,
    /// `[batch, frames, height, width]`
    pub(super) shape: [usize; 4],
    /// Normalised, `[batch, 3, frames, height, width]`; every value is a byte's.
    pub(super) clips: Vec<f32>,
    pub(super) threads: NonZero<usize>,
    /// Where the network is from, if its weights are no fresh ones.
    pub(super) bundle: Option<Bundle>,
}

impl Work {
    pub(super) fn new(args: &WorkArgs) -> anyhow::Result<Self> {
        let threads = NonZero::new(count(args.threads)).context("this machine has no core")?;
        share_cores(args.threads, 1);
        // burn's own operations compute in this pool.
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build_global()
            .context("cannot start the threads")?;
        let Opened { name, network, mut pixels, frames, bundle } = open(args)?;
        let frames = args.frames.map_or(frames, |frames| frames as usize);
        pixels.crop = args.size.unwrap_or(pixels.crop);
        let side = pixels.crop as usize;
        let shape = [args.batch as usize, frames, side, side];
        network.check_input(3, [frames, side, side])?;
        let clips = match &args.input {
            Some(path) => read(path, shape)?,
            None => made_up(shape, &pixels),
        };
        Ok(Self { name, network, pixels, shape, clips, threads, bundle })
    }
}

struct Opened {
    name: String,
    network: Network,
    pixels: Pixels,
    frames: usize,
    bundle: Option<Bundle>,
}

fn open(args: &WorkArgs) -> anyhow::Result<Opened> {
    let device = Device::flex();
    if let Some(model) = &args.model {
        let bundle = bundles::open(model, &device)?;
        let (name, network) = (bundle.manifest.name.clone(), bundle.network.clone());
        let (pixels, frames) = (bundle.manifest.pixels.clone(), bundle.manifest.clip.frames);
        return Ok(Opened { name, network, pixels, frames, bundle: Some(bundle) });
    }
    let name: NetworkName = args.network.as_deref().unwrap_or_default().parse()?;
    let network = with_all_branches(name.config().build(SEED, &device)?, SEED);
    let (pixels, frames) = (Pixels::of(&name), name.frames());
    Ok(Opened { name: name.network().to_owned(), network, pixels, frames, bundle: None })
}

fn read(path: &std::path::Path, [batch, frames, height, width]: [usize; 4]) -> anyhow::Result<Vec<f32>> {
    let mut input = StateDict::read(path).context("cannot read the input")?;
    let Some(clips) = input.remove("clips") else { bail!("`{}` holds no tensor `clips`", path.display()) };
    let expected = [batch, 3, frames, height, width];
    ensure!(
        clips.shape == expected,
        "`clips` in `{}` has the shape {:?}, expected {expected:?}; --batch, --frames and --size say so",
        path.display(),
        clips.shape
    );
    Ok(clips.values)
}

/// Random bytes, normalised.
fn made_up([batch, frames, height, width]: [usize; 4], pixels: &Pixels) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut clips = Vec::with_capacity(batch * 3 * frames * height * width);
    for plane in 0..batch * 3 {
        let (mean, deviation) = (pixels.mean[plane % 3], pixels.deviation[plane % 3]);
        clips.extend((0..frames * height * width).map(|_| (f32::from(rng.random::<u8>()) - mean) / deviation));
    }
    clips
}

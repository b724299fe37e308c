//! `reelnet bench forward`

use std::path::Path;

use reelnet_infer::bench::{self, Backend, ForwardCase, Numbers, Patience};
use reelnet_infer::calibration::{self, CalibrationError};
use reelnet_infer::engine::Bytes;
use reelnet_models::weights::{StateDict, WeightTensor};

use super::measured::Measured;
use super::work::Work;
use crate::args::{BackendArg, ForwardBenchArgs, PrecisionArg};
use crate::commands::bundles;
use crate::exit::Outcome;
use crate::interrupt;
use crate::output::say;

pub(crate) fn bench_forward(args: &ForwardBenchArgs) -> anyhow::Result<Outcome> {
    let cancel = interrupt::watch()?;
    let work = Work::new(&args.work)?;
    let numbers = match args.precision {
        PrecisionArg::F32 => Numbers::F32,
        PrecisionArg::Bf16 => Numbers::Bf16,
        PrecisionArg::Int8 => Numbers::Int8,
    };
    let backend = args.backend.map(|backend| match backend {
        BackendArg::Engine => Backend::Engine,
        BackendArg::Burn => Backend::Burn,
    });
    let calibrated = if numbers == Numbers::Int8 { calibrated(args.work.model.as_deref(), &work)? } else { None };
    if numbers == Numbers::Int8 && calibrated.is_none() {
        say("bytes from the first layer on; a bundle that `reelnet model calibrate` made runs as it was calibrated");
    }
    let case =
        ForwardCase { shape: work.shape, numbers, calibrated, threads: work.threads, backend, profile: args.profile };
    let patience = Patience { seconds: args.work.seconds, cancel };
    let Some(found) = bench::bench_forward(&work.network, &case, &work.clips, &patience)? else {
        return Ok(Outcome::Interrupted);
    };
    if let Some(error) = &found.engine_error {
        say(format_args!("burn computes: {error}"));
    }
    if let Some(path) = &args.output {
        let classes = found.logits.len() / work.shape[0];
        let mut output = StateDict::new();
        output.insert("logits", WeightTensor::new(vec![work.shape[0], classes], found.logits));
        output.write(path)?;
    }
    let backend = match found.backend {
        Backend::Engine => "engine",
        Backend::Burn => "burn",
    };
    let kind = (args.precision.name(), numbers.kind());
    let measured = Measured::new("forward", &work, kind, backend, (found.turns, found.macs));
    measured.with_operations(found.operations).print(args.work.json)?;
    Ok(Outcome::Done)
}

/// How a bundle was calibrated, if there is one and it was.
fn calibrated(model: Option<&Path>, work: &Work) -> anyhow::Result<Option<Bytes>> {
    let Some((model, bundle)) = model.zip(work.bundle.as_ref()) else { return Ok(None) };
    match calibration::read(&bundles::located(model), bundle) {
        Ok(calibrated) => Ok(Some(calibrated)),
        Err(CalibrationError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

//! `reelnet eval`

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use reelnet_clips::{Limits, LoaderOptions};
use reelnet_infer::evaluation::{
    DataId, Evaluation, Header, Judged, ModelId, Protocol, Record, Scored, Shard, ViewSettings, Views, dump, summarise,
};
use reelnet_infer::{Bundle, Classifier};
use reelnet_train::data::DataSet;
use reelnet_train::{Evaluated, data_id, evaluate};

use super::{folder, list, page, print};
use crate::args::EvalArgs;
use crate::commands::bundles;
use crate::exit::Outcome;
use crate::interrupt;
use crate::output::{Progress, say, write_whole};
use crate::workers::{count, share_cores};

pub(crate) fn eval(args: &EvalArgs) -> anyhow::Result<Outcome> {
    let device = args.scoring.device.open()?;
    let bundle = bundles::open_or_default(args.model.as_deref(), &device)?;
    let views = views(args, &bundle)?;
    let data = list::open(&args.data, &bundle.labels)?;
    let header = header(args, &bundle, views, data_id(args.data.data.display().to_string(), &data))?;
    // From here on the bundle looks at crops of the protocol's size.
    let classifier =
        bundles::sized_classifier(bundle, args.model.as_deref(), &device, args.scoring.precision, header.views.crop)?;
    let (mut journal, done) = folder::open(&args.out, &header, args.again)?;
    let files = header.files();
    if done > 0 {
        say(format_args!("{done} of {files} files were tried by an earlier run in `{}`", args.out.display()));
    }

    share_cores(args.threads, 1);
    let cancel = interrupt::watch()?;
    let limits =
        Limits { deadline: Duration::from_secs(args.scoring.deadline), cancel: cancel.clone(), ..Limits::default() };
    let options = LoaderOptions { workers: count(args.workers), limits, ..LoaderOptions::default() };
    let mut progress = Progress::of(files, "files");
    progress.go_on_from(done);
    let mut tried = done;
    let mut right = [0_u64; 2];
    let began = Instant::now();
    let (ended, loaded) = evaluate(&classifier, &data, &header, done, &options, &mut |record| {
        journal.write(record)?;
        tried += 1;
        if let Record::Scored(scored) = record {
            right[1] += 1;
            right[0] += u64::from(is_right(&classifier, scored));
        }
        progress.tell(tried, &format!("{:.2} % right so far", 100.0 * right[0] as f64 / right[1].max(1) as f64));
        Ok(())
    })?;
    progress.finish();
    drop(journal);
    if tried > done {
        say(format_args!(
            "{} files in {:.1} s, {:.1} s of them waiting for the decoders, which were given {} frames",
            tried - done,
            began.elapsed().as_secs_f64(),
            loaded.wait.as_secs_f64(),
            loaded.packets
        ));
    }
    bundles::tell_shortfall(&classifier, args.scoring.precision, false);
    if ended == Evaluated::Interrupted {
        say(format_args!("interrupted: {tried} of {files} files were tried; the same command goes on"));
        return Ok(Outcome::Interrupted);
    }
    report(args, &data)
}

/// Everything that is told comes from what was written, as it does in `reelnet metrics`.
fn report(args: &EvalArgs, data: &DataSet) -> anyhow::Result<Outcome> {
    let evaluation = Evaluation::open(std::slice::from_ref(&args.out))?;
    let temperature = print::temperature(args.report.temperature_from.as_deref())?;
    let summary = summarise(&evaluation, temperature)?;
    folder::close(&args.out, &summary)?;
    page::write(&args.out, &evaluation, &summary, data)?;
    if let Some(path) = &args.dump {
        write_dump(&evaluation, path)?;
    }
    print::summary(&summary, &args.report)?;
    print::failures(&summary, &args.out);
    Ok(print::outcome(&summary, args.report.max_missing))
}

pub(super) fn write_dump(evaluation: &Evaluation, path: &Path) -> anyhow::Result<()> {
    write_whole(path, |file| dump::write(evaluation, file).map_err(anyhow::Error::from_boxed))
}

fn views(args: &EvalArgs, bundle: &Bundle) -> anyhow::Result<ViewSettings> {
    let usual = match args.protocol {
        Protocol::Reelnet => Views { clips: 1, crops: 1 },
        Protocol::Tf | Protocol::Slowfast | Protocol::Mmaction | Protocol::Pytorchvideo => {
            Views { clips: 10, crops: 3 }
        }
    };
    ViewSettings::new(args.protocol, args.views.unwrap_or(usual), &bundle.manifest).map_err(anyhow::Error::msg)
}

fn header(args: &EvalArgs, bundle: &Bundle, views: ViewSettings, data: DataId) -> anyhow::Result<Header> {
    let side = views.crop as usize;
    let cost = bundle.network.count([views.frames, side, side]).with_context(|| {
        format!("the network takes no crops of {side} pixels, which --protocol {} has", args.protocol.name())
    })?;
    let model = ModelId::new(bundle, args.scoring.precision.name(), cost.macs);
    Ok(Header::new(bundle, model, views, data, args.shard.unwrap_or(Shard::WHOLE)))
}

fn is_right(classifier: &Classifier, scored: &Scored) -> bool {
    let mean = scored.mean_scores(classifier.bundle().labels.len());
    mean.is_some_and(|mean| Judged::new(mean, &scored.labels).top1)
}

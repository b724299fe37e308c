//! `reelnet library failures`, `retry` and `forget`.

use std::io::{Write as _, stdout};

use reelnet_library::Store;
use reelnet_library::store::{PageWish, Retried};

use super::{named, shown};
use crate::args::{FailuresArgs, ForgetArgs, RetryArgs};
use crate::exit::Outcome;
use crate::output::say;

pub(super) async fn failures(store: &Store, args: &FailuresArgs) -> anyhow::Result<Outcome> {
    let model = store.find_model(args.by.as_deref()).await?;
    let wish = PageWish { limit: args.limit, ..PageWish::default() };
    let mut out = stdout().lock();
    for failure in store.failures(model.id, &wish).await? {
        if args.json {
            serde_json::to_writer(&mut out, &failure)?;
            writeln!(out)?;
        } else {
            let attempts =
                if failure.attempts > 1 { format!(", {} attempts", failure.attempts) } else { String::new() };
            writeln!(out, "{}: {} ({}{attempts})", shown(&failure.path), failure.reason, failure.kind)?;
        }
    }
    Ok(Outcome::Done)
}

pub(super) async fn retry(store: &Store, args: &RetryArgs) -> anyhow::Result<Outcome> {
    let model = match &args.by {
        Some(word) => Some(store.find_model(Some(word)).await?.id),
        None => None,
    };
    let files = store.retry(&Retried { model, kind: args.kind.clone(), damaged: args.damaged }).await?;
    say(format_args!("{files} files wait again; `reelnet library work` tries them"));
    Ok(Outcome::Done)
}

pub(super) async fn forget(store: &Store, args: &ForgetArgs) -> anyhow::Result<Outcome> {
    if let Some(word) = &args.model {
        let model = store.find_model(Some(word)).await?;
        let files = store.forget_model(model.id).await?;
        say(format_args!("forgot {} with its scores of {files} files", model.shown()));
        return Ok(Outcome::Done);
    }
    let forgotten = match &args.folder {
        Some(folder) => store.forget_root(&named(folder)?).await?,
        None => store.forget_gone().await?,
    };
    say(format_args!("forgot {} paths and {} files with their scores", forgotten.paths, forgotten.files));
    Ok(Outcome::Done)
}

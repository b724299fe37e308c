//! `reelnet library`: one file a group of subcommands.

mod exporting;
mod finding;
mod keeping;
mod scanning;
mod serving;
mod settings;
mod sidecars;
mod status;
mod working;

use std::path::{Path, PathBuf};

use anyhow::Context;
use reelnet_library::Store;
use reelnet_library::objects::Address;
use reelnet_library::store::{ModelRow, Paused};

use self::scanning::println_json;

use crate::args::{LibraryArgs, LibraryCommand};
use crate::exit::Outcome;
use crate::output::say;

/// The variable that names a store.
const STORE: &str = "REELNET_STORE";

pub(crate) fn library(args: &LibraryArgs) -> anyhow::Result<Outcome> {
    if let LibraryCommand::Labels(args) = &args.command
        && args.groups
    {
        return finding::groups(args);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the threads of the library")?;
    let place = place(args.store.as_deref())?;
    let outcome = runtime.block_on(run(&place, &args.command));
    // Files that are being decoded end by their own deadlines; nobody waits for them.
    runtime.shutdown_background();
    outcome
}

async fn run(place: &str, command: &LibraryCommand) -> anyhow::Result<Outcome> {
    let begins = matches!(command, LibraryCommand::Add(_));
    let store = if begins { Store::create_or_open(place).await? } else { Store::open(place).await? };
    let outcome = match command {
        LibraryCommand::Add(args) => scanning::add(&store, args).await,
        LibraryCommand::Scan(args) => scanning::scan(&store, args).await,
        LibraryCommand::Work(args) => working::work(&store, args).await,
        LibraryCommand::Run(args) => working::run(&store, args).await,
        LibraryCommand::Status(args) => status::status(&store, args).await,
        LibraryCommand::Search(args) => finding::search(&store, args).await,
        LibraryCommand::Show(args) => finding::show(&store, args).await,
        LibraryCommand::Labels(args) => finding::labels(&store, args).await,
        LibraryCommand::Settings(args) => settings::settings(&store, args).await,
        LibraryCommand::Export(args) => exporting::export(&store, args).await,
        LibraryCommand::Serve(args) => serving::serve(&store, args).await,
        LibraryCommand::Sidecars(args) => sidecars::sidecars(&store, args).await,
        LibraryCommand::Failures(args) => keeping::failures(&store, args).await,
        LibraryCommand::Retry(args) => keeping::retry(&store, args).await,
        LibraryCommand::Forget(args) => keeping::forget(&store, args).await,
        LibraryCommand::Doctor(args) => status::doctor(&store, args).await,
        LibraryCommand::Pause => pause(&store, Paused::Yes).await,
        LibraryCommand::Resume => pause(&store, Paused::No).await,
    };
    store.close().await;
    outcome
}

async fn pause(store: &Store, paused: Paused) -> anyhow::Result<Outcome> {
    store.set_paused(paused).await?;
    say(match paused {
        Paused::Yes => "workers wait after the files that they have; `reelnet library resume` lets them go on",
        Paused::No => "workers go on",
    });
    Ok(Outcome::Done)
}

/// As it was named, by the variable, or in the user's data folder.
fn place(named: Option<&str>) -> anyhow::Result<String> {
    if let Some(place) =
        named.map(str::to_owned).or_else(|| std::env::var(STORE).ok()).filter(|place| !place.is_empty())
    {
        return Ok(place);
    }
    let folder = dirs::data_dir().context("there is no folder for this user's data; name a store with --store")?;
    let path = folder.join("reelnet").join("library.db");
    path.to_str()
        .map(str::to_owned)
        .with_context(|| format!("`{}` is no UTF-8; name a store with --store", path.display()))
}

/// A folder or file as the library names it: absolute, without links in the folders that lead to it; an address in its one form.
fn canonical(path: &Path) -> anyhow::Result<PathBuf> {
    if let Some(address) = address(path)? {
        return Ok(address);
    }
    path.canonicalize().with_context(|| format!("`{}`", path.display()))
}

/// The same of what may not be there any more, and cannot be looked up then.
fn named(path: &Path) -> anyhow::Result<PathBuf> {
    if let Some(address) = address(path)? {
        return Ok(address);
    }
    Ok(path.canonicalize().or_else(|_| std::path::absolute(path))?)
}

/// If it is the address of something in an object store. A name that the library printed, with spaces as they are, is one too.
fn address(path: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !Address::is_meant(path) {
        return Ok(None);
    }
    let text = path.to_str().with_context(|| format!("`{}` is no UTF-8", path.display()))?;
    Ok(Some(Address::parse(text)?.to_path()))
}

/// The model that is meant; if its tags are of older settings, they are made anew first.
async fn model(store: &Store, word: Option<&str>) -> anyhow::Result<ModelRow> {
    let model = store.find_model(word).await?;
    if model.is_read {
        return Ok(model);
    }
    say(format_args!("tags of {} are of older settings; they are made anew from stored scores", model.shown()));
    store.reread(model.id, &model.reading, |_| {}).await?;
    Ok(store.model(model.id).await?)
}

/// Seconds as people write them: `1:02:03`, `2:03`.
fn clock(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time within a video")]
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A path in one line.
fn shown(path: &Path) -> String {
    path.to_string_lossy().replace(char::is_control, "\u{fffd}")
}

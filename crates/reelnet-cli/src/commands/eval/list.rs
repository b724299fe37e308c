//! From the words of a command line to a data set.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use reelnet_infer::Labels;
use reelnet_train::data::{Column, DataSet, SourceConfig};
use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::args::EvalDataArgs;

/// Opens what is to be measured with.
pub(super) fn open(args: &EvalDataArgs, classes: &Labels) -> anyhow::Result<DataSet> {
    let data = &args.data;
    ensure!(data.exists(), "there is no `{}`; --data takes a folder with a folder a class, or a list", data.display());
    let (root, source) = if data.is_dir() { folders(args)? } else { list(args)? };
    Ok(DataSet::open_to_measure(&source, &root, classes, args.labels.as_deref())?)
}

fn folders(args: &EvalDataArgs) -> anyhow::Result<(PathBuf, SourceConfig)> {
    let for_lists =
        [("--files", args.files.is_some()), ("--columns", args.columns.is_some()), ("--split", args.split.is_some())];
    if let Some((word, _)) = for_lists.iter().find(|(_, is_there)| *is_there) {
        bail!("{word} is for lists, and `{}` is a folder", args.data.display());
    }
    Ok((args.data.clone(), SourceConfig::Folders { path: PathBuf::new() }))
}

fn list(args: &EvalDataArgs) -> anyhow::Result<(PathBuf, SourceConfig)> {
    let own = args.data.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = args.files.clone().unwrap_or_else(|| own.to_owned());
    // Both are as the user sees them from here, and joining an absolute path replaces what it is joined to.
    let absolute =
        |path: &Path| std::path::absolute(path).with_context(|| format!("cannot find `{}` from here", path.display()));
    let (root, list) = (absolute(&files)?, absolute(&args.data)?);
    if is_kinetics(&args.data)? {
        ensure!(args.columns.is_none(), "--columns is for lists, and `{}` is a CSV of Kinetics", args.data.display());
        let source = SourceConfig::Kinetics { csv: list, videos: PathBuf::new(), split: args.split.clone() };
        return Ok((root, source));
    }
    ensure!(args.split.is_none(), "--split is for the CSV of Kinetics, and `{}` is a list", args.data.display());
    let columns = match &args.columns {
        None => vec![Column::Path, Column::Label],
        Some(names) => names.iter().map(|name| column(name)).collect::<anyhow::Result<_>>()?,
    };
    Ok((root, SourceConfig::List { file: list, files: PathBuf::new(), columns }))
}

/// A column by the name that recipes have for it.
fn column(name: &str) -> anyhow::Result<Column> {
    let found: Result<Column, serde::de::value::Error> = Column::deserialize(name.into_deserializer());
    found.map_err(|error| anyhow!("`{name}` is no column of a list: {error}"))
}

/// Whether a file begins as the official CSV does.
fn is_kinetics(path: &Path) -> anyhow::Result<bool> {
    let mut start = Vec::new();
    let told = || format!("cannot read the list `{}`", path.display());
    File::open(path).with_context(told)?.take(64).read_to_end(&mut start).with_context(told)?;
    Ok(String::from_utf8_lossy(&start).trim_start_matches('\u{feff}').starts_with("label,youtube_id"))
}

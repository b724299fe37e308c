//! Files that are written whole, or not at all.

use std::fs::{self, File};
use std::io::{BufWriter, IntoInnerError, Write};
use std::path::Path;

use anyhow::Context;

/// Writes a file, or leaves what was there: an interrupted run leaves no half of a file under its name.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let told = || format!("cannot write `{}`", path.display());
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let mut file = BufWriter::new(File::create(&part).with_context(told)?);
    write(&mut file).with_context(told)?;
    let file = file.into_inner().map_err(IntoInnerError::into_error).with_context(told)?;
    // Or a crash of the machine could leave the new name with nothing behind it.
    file.sync_all().with_context(told)?;
    fs::rename(&part, path).with_context(told)
}

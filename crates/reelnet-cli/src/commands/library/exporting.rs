//! `reelnet library export`.

use std::fs::{self, File};
use std::io::{BufWriter, Write, stdout};

use anyhow::Context;
use reelnet_library::Store;
use reelnet_library::export::{ExportedFile, Exporter, ParquetExport};

use super::model;
use crate::args::{ExportArgs, ExportFormat};
use crate::exit::Outcome;
use crate::output::say;

pub(super) async fn export(store: &Store, args: &ExportArgs) -> anyhow::Result<Outcome> {
    let mut exporter = Exporter::new(store, model(store, args.by.as_deref()).await?);
    let Some(path) = &args.out else {
        let files = write(&mut exporter, args.format, &mut BufWriter::new(stdout())).await?;
        say(format_args!("{files} files"));
        return Ok(Outcome::Done);
    };
    // Whole or not at all under its name.
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let told = || format!("cannot write `{}`", path.display());
    let mut file = BufWriter::new(File::create(&part).with_context(told)?);
    let files = write(&mut exporter, args.format, &mut file).await.with_context(told)?;
    let file = file.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(told)?;
    file.sync_all().with_context(told)?;
    fs::rename(&part, path).with_context(told)?;
    say(format_args!("{files} files in `{}`", path.display()));
    Ok(Outcome::Done)
}

async fn write<W: Write + Send>(
    exporter: &mut Exporter<'_>,
    format: ExportFormat,
    out: &mut W,
) -> anyhow::Result<usize> {
    let mut files = 0;
    let mut parquet = None;
    let mut rows = None;
    match format {
        ExportFormat::Jsonl => {
            loop {
                let page = exporter.next().await?;
                if page.is_empty() {
                    break;
                }
                for file in &page {
                    serde_json::to_writer(&mut *out, file)?;
                    writeln!(out)?;
                }
                files += page.len();
            }
            out.flush()?;
            return Ok(files);
        }
        ExportFormat::Csv => rows = Some(csv::Writer::from_writer(&mut *out)),
        ExportFormat::Parquet => parquet = Some(ParquetExport::new(&mut *out)?),
    }
    if let Some(rows) = &mut rows {
        rows.write_record(["path", "status", "label", "source", "start", "end", "score", "duration", "reason"])?;
    }
    loop {
        let page = exporter.next().await?;
        if page.is_empty() {
            break;
        }
        files += page.len();
        if let Some(parquet) = &mut parquet {
            parquet.add(&page)?;
        }
        if let Some(rows) = &mut rows {
            page.iter().try_for_each(|file| write_rows(rows, file))?;
        }
    }
    if let Some(mut rows) = rows {
        rows.flush()?;
    }
    if let Some(parquet) = parquet {
        parquet.close()?;
    }
    Ok(files)
}

/// A row a span; a file without any has one.
fn write_rows(rows: &mut csv::Writer<impl Write>, file: &ExportedFile) -> anyhow::Result<()> {
    let (status, reason) = (file.status.name(), file.reason.as_deref().unwrap_or_default());
    let duration = format!("{:.3}", file.duration_seconds);
    for span in &file.tags {
        let times = [span.start, span.end].map(|time| format!("{time:.3}"));
        let score = format!("{:.6}", span.score);
        let row = [&file.path, status, &span.label, span.source, &times[0], &times[1], &score, &duration, reason];
        rows.write_record(row)?;
    }
    if file.tags.is_empty() {
        rows.write_record([&file.path, status, "", "", "", "", "", &duration, reason])?;
    }
    Ok(())
}

//! The folder of an evaluation: what is measured, what became of each file, and the numbers.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use reelnet_infer::evaluation::{HEADER_FILE, Header, Journal, Part, RECORDS_FILE, Summary};

use super::page;
use crate::output::write_whole;

/// The numbers.
const SUMMARY_FILE: &str = "report.json";
/// What was not scored.
const FAILED_FILE: &str = "failed.csv";

/// Opens the folder to go on in, and says how many files are done.
pub(super) fn open(folder: &Path, header: &Header, again: bool) -> anyhow::Result<(Journal, u64)> {
    let told = || format!("cannot use the folder `{}`", folder.display());
    fs::create_dir_all(folder).with_context(told)?;
    if again {
        for file in [HEADER_FILE, RECORDS_FILE, SUMMARY_FILE, FAILED_FILE, page::FILE] {
            match fs::remove_file(folder.join(file)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(told),
                _ => {}
            }
        }
    }
    if folder.join(HEADER_FILE).exists() {
        let before = Part::open(folder)?.header;
        let mut differences = before.differences(header);
        if before.shard != header.shard {
            let shard = |header: &Header| format!("{}/{}", header.shard.number, header.shard.of);
            differences.push(format!("part: {} and {}", shard(&before), shard(header)));
        }
        ensure!(
            differences.is_empty(),
            "`{}` holds another evaluation ({}); name another folder with --out, or forget that one with --again",
            folder.display(),
            differences.join("; ")
        );
    } else {
        if folder.join(RECORDS_FILE).exists() {
            bail!(
                "`{}` holds scores of nobody knows what; name another folder with --out, or use --again",
                folder.display()
            );
        }
        let text = serde_json::to_string_pretty(header)?;
        write_whole(&folder.join(HEADER_FILE), |file| Ok(writeln!(file, "{text}")?))?;
    }
    Journal::open(&folder.join(RECORDS_FILE)).with_context(told)
}

/// Writes the numbers, and what was not scored.
pub(super) fn close(folder: &Path, summary: &Summary) -> anyhow::Result<()> {
    write_whole(&folder.join(SUMMARY_FILE), |file| Ok(writeln!(file, "{}", serde_json::to_string_pretty(summary)?)?))?;
    write_whole(&folder.join(FAILED_FILE), |file| {
        let mut rows = csv::Writer::from_writer(file);
        rows.write_record(["file", "kind", "reason"])?;
        for failed in &summary.failed {
            rows.write_record([&failed.name, &failed.kind, &failed.reason])?;
        }
        Ok(rows.flush()?)
    })
}

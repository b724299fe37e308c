//! Tar files with samples in them, as `WebDataset` has them. Nothing is unpacked: a sample is a part of its tar file.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use reelnet_clips::is_no_media;
use serde_json::Value;
use tar::Archive;

use super::error::{DataError, DataErrorKind as Kind};
use super::folders::{self, text_of};
use super::rows::{Row, Rows};
use super::sample::Section;

/// More bytes than any label takes.
const MAX_LABEL_BYTES: u64 = 1 << 20;

/// The samples of all shards, shard by shard, in the order in which they lie there.
pub(super) fn rows(root: &Path, paths: &[PathBuf]) -> Result<Rows, DataError> {
    let mut rows = Rows::default();
    for path in paths {
        let path = root.join(path);
        let shards = if path.is_dir() {
            let mut files = folders::files(&path)?;
            files.retain(|file| file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tar")));
            if files.is_empty() {
                return Err(Kind::Form("it holds no .tar files".to_owned()).at(&path));
            }
            files
        } else {
            vec![path]
        };
        for shard in shards {
            read(root, &shard, &mut rows)?;
        }
    }
    Ok(rows)
}

/// A sample while its members are met.
#[derive(Default)]
struct Members {
    media: Option<(String, Section)>,
    label: Option<String>,
}

fn read(root: &Path, shard: &Path, rows: &mut Rows) -> Result<(), DataError> {
    let failed = |error: std::io::Error| {
        let packed = shard.extension().is_some_and(|ending| ending != "tar");
        let hint = if packed { "; a compressed shard has to be unpacked first" } else { "" };
        Kind::Form(format!("it is no tar file that can be read: {error}{hint}")).at(shard)
    };
    let file = File::open(shard).map_err(|error| Kind::File(error).at(shard))?;
    let mut archive = Archive::new(BufReader::new(file));
    let mut keys: Vec<String> = Vec::new();
    let mut members: HashMap<String, Members> = HashMap::new();
    for entry in archive.entries_with_seek().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(failed)?.into_owned();
        let Some((key, ending)) = key_of(&path) else {
            rows.passed_over += 1;
            continue;
        };
        let section = Section { offset: entry.raw_file_position(), length: entry.size() };
        let of_key = members.entry(key.clone()).or_insert_with(|| {
            keys.push(key.clone());
            Members::default()
        });
        match ending.as_str() {
            "cls" | "json" => {
                let mut text = String::new();
                entry.take(MAX_LABEL_BYTES).read_to_string(&mut text).map_err(failed)?;
                let label = if ending == "cls" { Some(text.trim().to_owned()) } else { label_in(&text) };
                of_key.label = label.filter(|label| !label.is_empty()).or(of_key.label.take());
            }
            _ if is_no_media(&path) => rows.passed_over += 1,
            _ => of_key.media = Some((path.to_string_lossy().into_owned(), section)),
        }
    }
    let shard_name = text_of(shard.strip_prefix(root).unwrap_or(shard), shard)?;
    for key in keys {
        let Some(Members { media: Some((name, section)), label }) = members.remove(&key) else { continue };
        let Some(label) = label else {
            let why = format!("`{name}` has no class, expected `{key}.cls` or `{key}.json` with a `label` beside it");
            return Err(Kind::Form(why).at(shard));
        };
        let name = format!("{shard_name}/{name}");
        rows.listed.push(Row { section: Some(section), ..Row::file(name, shard.to_owned(), label) });
    }
    Ok(())
}

/// The path up to the first dot in a file's name, and the last ending in small letters.
fn key_of(path: &Path) -> Option<(String, String)> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    let (stem, endings) = name.split_once('.').filter(|(stem, _)| !stem.is_empty())?;
    let key = path.with_file_name(stem).to_str()?.to_owned();
    let ending = endings.rsplit('.').next().unwrap_or(endings);
    Some((key, ending.to_lowercase()))
}

fn label_in(json: &str) -> Option<String> {
    let value: Value = serde_json::from_str(json).ok()?;
    ["label", "cls", "class"].iter().find_map(|key| match value.get(key)? {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

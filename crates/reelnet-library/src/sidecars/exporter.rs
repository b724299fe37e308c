//! The export: folder by folder, from the tags in the store to sidecars on disk.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reelnet_clips::CancelToken;

use super::disk::{self, Existing, Trouble};
use super::reconciling::Knowledge;
use super::{Merged, Refusal, SidecarFormat, Wish, merge};
use crate::objects::Address;
use crate::store::{FileState, ModelRow, TextRecord};
use crate::{LibraryError, Store};

/// Files whose tags are read at once.
const CHUNK: usize = 200;

/// Whether anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// It is only told what would be.
    Dry,
    /// It is.
    Applied,
}

/// What is to be exported, and where to.
#[derive(Clone, Debug)]
pub struct SidecarOptions {
    /// For which programs.
    pub format: SidecarFormat,
    /// Where sidecars go, by the names of the library's folders; beside the videos without one.
    pub tree: Option<PathBuf>,
    /// What stands above the labels in hierarchies.
    pub parent: Vec<String>,
    /// Whose tags.
    pub models: Vec<ModelRow>,
    /// The score that a label needs.
    pub min_score: f64,
    /// Only what is in these folders, absolute; all without any.
    pub folders: Vec<PathBuf>,
    /// Whether anything is written.
    pub writing: Writing,
    /// Ends the export between two files.
    pub cancel: CancelToken,
}

/// A file of the library with its sidecar.
#[derive(Debug)]
pub struct Sidecar {
    /// The video.
    pub video: PathBuf,
    /// Where its sidecar is or would be.
    pub path: PathBuf,
    /// What became of it.
    pub end: SidecarEnd,
}

/// What became of a sidecar, or, in a dry run, what would.
#[derive(Debug)]
pub enum SidecarEnd {
    /// It was not there.
    New {
        /// Its labels.
        added: Vec<String>,
    },
    /// It was there, and others are in it now.
    Changed {
        /// Labels that came in.
        added: Vec<String>,
        /// Labels that went.
        removed: Vec<String>,
    },
    /// It is as it should be.
    Unchanged,
    /// There is nothing to say, and no sidecar.
    Nothing,
    /// It was left alone.
    Refused(Refusal),
    /// It could not be read or written.
    Failed(io::Error),
}

/// What became of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SidecarReport {
    /// Sidecars that were not there.
    pub new: u64,
    /// Sidecars that were there and changed.
    pub changed: u64,
    /// Sidecars that are as they should be.
    pub unchanged: u64,
    /// Files without tags and without sidecars.
    pub nothing: u64,
    /// Sidecars that somebody locked.
    pub locked: u64,
    /// Sidecars that were left alone for another reason.
    pub refused: u64,
    /// Sidecars that could not be read or written.
    pub failed: u64,
    /// Files that were not scored by all models: of their sidecars nothing is taken away.
    pub not_scored: u64,
    /// Tags that somebody took out with another program, and that stay out.
    pub left_out: u64,
}

/// Brings all sidecars to what the library knows. `told` hears of each.
///
/// # Errors
/// If a folder is not in the library, two would share one place in the tree, the database says no, or it was cancelled. What is wrong
/// with a sidecar is told, and the others go on.
pub async fn sidecars(
    store: &Store,
    options: &SidecarOptions,
    mut told: impl FnMut(&Sidecar),
) -> Result<SidecarReport, LibraryError> {
    let all = store.sidecar_folders().await?;
    let is_wanted = |root: &Path, below: &Path| {
        options.folders.is_empty() || options.folders.iter().any(|folder| root.join(below).starts_with(folder))
    };
    let folders: Vec<_> = all.into_iter().filter(|(_, root, below)| is_wanted(root, below)).collect();
    if let Some(folder) = options
        .folders
        .iter()
        .find(|folder| !folders.iter().any(|(_, root, below)| root.join(below).starts_with(folder)))
    {
        return Err(LibraryError::Wish(format!("`{}` is no folder of the library with files", folder.display())));
    }
    if let (None, Some((_, root, _))) = (&options.tree, folders.iter().find(|(_, root, _)| Address::is_meant(root))) {
        return Err(LibraryError::Wish(format!(
            "`{}` lies in an object store, and nothing is written there: name a folder for sidecars with --tree, or the folders of disks that are meant",
            root.display()
        )));
    }
    if options.tree.is_some() {
        check_names(folders.iter().map(|(_, root, _)| root.as_path()))?;
    }
    let mut report = SidecarReport::default();
    for (id, root, below) in folders {
        let mut folder = Folder { store, options, home: root.join(&below), target: root.join(&below) };
        if let Some(tree) = &options.tree {
            folder.target = tree.join(root.file_name().unwrap_or_default()).join(&below);
        }
        folder.export(id, &mut report, &mut told).await?;
    }
    Ok(report)
}

/// The library's folders stand in a tree by their names.
fn check_names<'path>(roots: impl Iterator<Item = &'path Path>) -> Result<(), LibraryError> {
    let roots: BTreeSet<&Path> = roots.collect();
    let mut by_name: HashMap<_, &Path> = HashMap::new();
    for root in roots {
        if let Some(other) = by_name.insert(root.file_name(), root) {
            return Err(LibraryError::Wish(format!(
                "`{}` and `{}` would share one place in the tree; export one at a time, each into a tree of its own",
                other.display(),
                root.display()
            )));
        }
    }
    Ok(())
}

/// A folder of the library.
struct Folder<'export> {
    store: &'export Store,
    options: &'export SidecarOptions,
    /// Of the videos.
    home: PathBuf,
    /// Of the sidecars.
    target: PathBuf,
}

/// What the library knows of a file.
#[derive(Default)]
struct Known {
    labels: Vec<String>,
    /// Models that scored it.
    scored: usize,
}

impl Folder<'_> {
    async fn export(
        &self,
        id: i64,
        report: &mut SidecarReport,
        told: &mut impl FnMut(&Sidecar),
    ) -> Result<(), LibraryError> {
        let files = self.store.present_files(id).await?;
        let names: BTreeSet<&Path> = files.iter().map(|(name, _)| name.as_path()).collect();
        let mut owners: HashMap<PathBuf, Vec<&Path>> = HashMap::new();
        for (name, _) in &files {
            owners.entry(self.options.format.beside(name)).or_default().push(name);
        }
        for chunk in files.chunks(CHUNK) {
            let known = self.known(chunk).await?;
            let mut is_written = false;
            for (name, video) in chunk {
                if self.options.cancel.is_cancelled() {
                    return Err(LibraryError::Interrupted);
                }
                let sidecar = self.options.format.beside(name);
                let others = owners.get(&sidecar).map(Vec::as_slice).unwrap_or_default();
                let end = match obstacle(&names, others, name, &sidecar) {
                    Some(refusal) => SidecarEnd::Refused(refusal),
                    None => self.one(name, &sidecar, known.get(video), report).await?,
                };
                is_written |= matches!(end, SidecarEnd::New { .. } | SidecarEnd::Changed { .. });
                count(report, &end);
                told(&Sidecar { video: self.home.join(name), path: self.target.join(sidecar), end });
            }
            if is_written && self.options.writing == Writing::Applied {
                disk::settle(&self.target);
            }
        }
        Ok(())
    }

    async fn known(&self, files: &[(PathBuf, i64)]) -> Result<HashMap<i64, Known>, LibraryError> {
        let mut videos: Vec<i64> = files.iter().map(|(_, video)| *video).collect();
        videos.sort_unstable();
        videos.dedup();
        let mut known: HashMap<i64, Known> = HashMap::new();
        for model in &self.options.models {
            for entry in self.store.entries(model.id, &videos).await? {
                let known = known.entry(entry.video).or_default();
                known.scored += usize::from(matches!(entry.state, FileState::Tagged | FileState::NoTag));
                for (label, _) in entry.tags.into_iter().filter(|(_, score)| *score >= self.options.min_score) {
                    if !known.labels.contains(&label) {
                        known.labels.push(label);
                    }
                }
            }
        }
        Ok(known)
    }

    async fn one(
        &self,
        name: &Path,
        sidecar: &Path,
        known: Option<&Known>,
        report: &mut SidecarReport,
    ) -> Result<SidecarEnd, LibraryError> {
        let nothing = Known::default();
        let known = known.unwrap_or(&nothing);
        let is_whole = known.scored == self.options.models.len();
        report.not_scored += u64::from(!is_whole);
        let path = self.target.join(sidecar);
        let existing = match disk::read(&path) {
            Ok(existing) => existing,
            Err(trouble) => return Ok(ended(trouble)),
        };
        let record = match self.options.format {
            SidecarFormat::Text if existing.is_some() => self.store.text_record(&path).await?,
            _ => TextRecord::default(),
        };
        let wish = Wish {
            labels: &known.labels,
            parent: &self.options.parent,
            knowledge: if is_whole { Knowledge::Whole } else { Knowledge::Part },
            title: &name.file_stem().unwrap_or_default().to_string_lossy(),
            ours: &ours(&record, existing.as_ref()),
        };
        let merged =
            match merge(self.options.format, existing.as_ref().map(|existing| existing.bytes.as_slice()), &wish) {
                Ok(merged) => merged,
                Err(refusal) => return Ok(SidecarEnd::Refused(refusal)),
            };
        report.left_out += merged.left_out as u64;
        self.put(&path, existing.as_ref(), &record, merged).await
    }

    /// Writes what has to be written.
    async fn put(
        &self,
        path: &Path,
        existing: Option<&Existing>,
        record: &TextRecord,
        merged: Merged,
    ) -> Result<SidecarEnd, LibraryError> {
        let is_applied = self.options.writing == Writing::Applied;
        let is_text = self.options.format == SidecarFormat::Text;
        let after = TextRecord { ours: merged.ours, begun: Vec::new() };
        let Some(text) = merged.text else {
            if is_text && is_applied && existing.is_some() && *record != after {
                self.store.set_text_record(path, &after).await?;
            }
            return Ok(if existing.is_some() { SidecarEnd::Unchanged } else { SidecarEnd::Nothing });
        };
        if is_applied {
            if is_text {
                let begun = TextRecord { ours: record.ours.clone(), begun: after.ours.clone() };
                self.store.set_text_record(path, &begun).await?;
            }
            if let Err(trouble) = self.write(path, &text, existing) {
                return Ok(ended(trouble));
            }
            if is_text {
                self.store.set_text_record(path, &after).await?;
            }
        }
        Ok(match existing {
            Some(_) => SidecarEnd::Changed { added: merged.added, removed: merged.removed },
            None => SidecarEnd::New { added: merged.added },
        })
    }

    fn write(&self, path: &Path, text: &str, existing: Option<&Existing>) -> Result<(), Trouble> {
        if self.options.tree.is_some() {
            fs::create_dir_all(&self.target)?;
        }
        disk::write(path, text, existing)
    }
}

/// What of a plain text is ours, a write that was broken off included.
fn ours(record: &TextRecord, existing: Option<&Existing>) -> Vec<String> {
    let text = existing.map(|existing| String::from_utf8_lossy(&existing.bytes)).unwrap_or_default();
    let is_there = |value: &String| text.lines().any(|line| line.trim() == value);
    let begun = record.begun.iter().filter(|value| !record.ours.contains(value) && is_there(value));
    record.ours.iter().chain(begun).cloned().collect()
}

/// Why a sidecar cannot be this file's.
fn obstacle(names: &BTreeSet<&Path>, owners: &[&Path], name: &Path, sidecar: &Path) -> Option<Refusal> {
    if names.contains(sidecar) {
        let detail = format!("`{}` is a file of the library itself", sidecar.display());
        return Some(Refusal { kind: "clash", detail });
    }
    let other = owners.iter().find(|owner| **owner != name)?;
    let detail = format!("`{}` would be the sidecar of `{}` too", sidecar.display(), other.display());
    Some(Refusal { kind: "clash", detail })
}

fn ended(trouble: Trouble) -> SidecarEnd {
    match trouble {
        Trouble::Refused(refusal) => SidecarEnd::Refused(refusal),
        Trouble::Failed(error) => SidecarEnd::Failed(error),
    }
}

fn count(report: &mut SidecarReport, end: &SidecarEnd) {
    *match end {
        SidecarEnd::New { .. } => &mut report.new,
        SidecarEnd::Changed { .. } => &mut report.changed,
        SidecarEnd::Unchanged => &mut report.unchanged,
        SidecarEnd::Nothing => &mut report.nothing,
        SidecarEnd::Refused(refusal) if refusal.kind == "locked" => &mut report.locked,
        SidecarEnd::Refused(_) => &mut report.refused,
        SidecarEnd::Failed(_) => &mut report.failed,
    } += 1;
}

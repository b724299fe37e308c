//! The folder of a run: its recipe, its journal, its checkpoints, its curves, and in the end its bundle and its report.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::checkpoint::{self, UNFINISHED, is_unfinished};
use crate::error::TrainError;
use crate::recipe::Recipe;

const RECIPE: &str = "recipe.toml";
pub(crate) const JOURNAL: &str = "journal.jsonl";
const CHECKPOINTS: &str = "checkpoints";
const EVENTS: &str = "tensorboard";
const BUNDLE: &str = "bundle";
const REPORT: &str = "report.html";

/// The folder of a run.
#[derive(Clone, Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Begins a run in a folder that is new or empty. A folder with a recipe is a run; who is killed before it is
    /// there can begin again.
    pub(crate) fn begin(path: &Path, recipe: &Recipe) -> Result<Self, TrainError> {
        let failed = |source| TrainError::Write { path: path.to_owned(), source };
        let holds_something =
            |mut entries: fs::ReadDir| entries.any(|entry| !entry.is_ok_and(|entry| is_unfinished(&entry)));
        if fs::read_dir(path).is_ok_and(holds_something) {
            return Err(TrainError::Taken { path: path.to_owned() });
        }
        fs::create_dir_all(path).map_err(failed)?;
        let mut temporary = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(path).map_err(failed)?;
        temporary.write_all(recipe.to_text().as_bytes()).map_err(failed)?;
        checkpoint::share(temporary.path(), 0o644).map_err(failed)?;
        temporary.as_file().sync_all().map_err(failed)?;
        temporary.persist(path.join(RECIPE)).map_err(|error| failed(error.error))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Goes on with the run of the same recipe in a folder.
    pub(crate) fn resume(path: &Path, recipe: &Recipe) -> Result<Self, TrainError> {
        let Ok(text) = fs::read_to_string(path.join(RECIPE)) else {
            return Err(TrainError::NothingToResume { path: path.to_owned() });
        };
        let changed = |what| TrainError::Changed { path: path.to_owned(), what };
        // Keys that are optional are there in what is written now.
        let text = Recipe::parse(&text, &[]).map_or(text, |begun| begun.to_text());
        let begun: Table =
            toml::from_str(&text).map_err(|error| changed(format!("its {RECIPE}: {}", error.message())))?;
        let given: Table = toml::from_str(&recipe.to_text()).expect("a recipe can be read back");
        match first_difference("", &Value::Table(begun), &Value::Table(given)) {
            Some((key, begun, given)) => Err(changed(format!(
                "it was begun with {key} = {begun}, and the recipe says {given}; make it {begun}, or begin a run in a new folder"
            ))),
            None => Ok(Self { path: path.to_owned() }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    pub(crate) fn events(&self) -> PathBuf {
        self.path.join(EVENTS)
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.path.join(BUNDLE)
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.path.join(REPORT)
    }

    /// The newest checkpoint.
    pub(crate) fn last_checkpoint(&self) -> Option<PathBuf> {
        checkpoint::list(&self.checkpoints()).pop().map(|(_, path)| path)
    }
}

/// The first key that is not the same on both sides, and what it is there.
fn first_difference(key: &str, begun: &Value, given: &Value) -> Option<(String, String, String)> {
    if let (Value::Table(begun), Value::Table(given)) = (begun, given) {
        let keys: std::collections::BTreeSet<&String> = begun.keys().chain(given.keys()).collect();
        return keys.into_iter().find_map(|name| {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            match (begun.get(name), given.get(name)) {
                (Some(begun), Some(given)) => first_difference(&key, begun, given),
                (begun, given) => {
                    let told = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
                    Some((key, told(begun), told(given)))
                }
            }
        });
    }
    (begun != given).then(|| (key.to_owned(), begun.to_string(), given.to_string()))
}

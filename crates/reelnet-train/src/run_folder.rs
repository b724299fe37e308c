//! The folder of a run: its recipe, its journal, its checkpoints, and in the end its bundle and its report.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::checkpoint;
use crate::error::TrainError;
use crate::recipe::Recipe;

const RECIPE: &str = "recipe.toml";
const JOURNAL: &str = "journal.jsonl";
const CHECKPOINTS: &str = "checkpoints";
const BUNDLE: &str = "bundle";
const REPORT: &str = "report.html";

/// The folder of a run.
#[derive(Clone, Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Begins a run in a folder that is new or empty.
    pub(crate) fn begin(path: &Path, recipe: &Recipe) -> Result<Self, TrainError> {
        let failed = |source| TrainError::Write { path: path.to_owned(), source };
        if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(TrainError::Taken { path: path.to_owned() });
        }
        fs::create_dir_all(path.join(CHECKPOINTS)).map_err(failed)?;
        fs::write(path.join(RECIPE), recipe.to_text()).map_err(failed)?;
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

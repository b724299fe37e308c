//! The part of a recipe that says where data lie. Paths are under the data root, which belongs to the machine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What to train on, what to choose by (another source, or a part that is held out), and what to measure with at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// What to train on.
    pub train: SourceConfig,
    /// What to measure with while training. Either this or `hold_out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<SourceConfig>,
    /// What the trained network is measured with, once: nothing is chosen by it. Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<SourceConfig>,
    /// The part of `train` that is measured with instead of being trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_out: Option<HoldOut>,
    /// Names of the classes in their order, as text or JSON. Without it they are those of the training data: in the order
    /// of their names, or numbered where rows hold numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// The share of files that may be missing; they are counted, named and left out. Without it no file may be.
    #[serde(default)]
    pub max_missing: f64,
}

/// A part that is held out. Whether a sample belongs to it depends on the seed and the sample's name, and samples that were
/// cut from one video stay together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldOut {
    /// The share of samples. The paper tunes on 0.02.
    pub share: f64,
    /// Another seed, another part.
    pub seed: u64,
}

/// Where samples and their classes come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SourceConfig {
    /// A folder a class, with files in it or in folders in it.
    Folders {
        /// The folder of the classes' folders.
        path: PathBuf,
    },
    /// A file with a sample a line. Fields are separated by tabs, semicolons, bars, commas or blanks, whichever splits all
    /// lines; with or without quotes; a line with the columns' names at the top is passed over.
    List {
        /// The file.
        file: PathBuf,
        /// The folder that paths in it start at.
        #[serde(default)]
        files: PathBuf,
        /// What a line holds.
        #[serde(default = "path_and_label")]
        columns: Vec<Column>,
    },
    /// The official CSV of Kinetics: `label,youtube_id,time_start,time_end,split`.
    Kinetics {
        /// The file.
        csv: PathBuf,
        /// A folder that holds, somewhere in it, `<youtube_id>_<start>_<end>.mp4` with six digits each.
        videos: PathBuf,
        /// Only rows of this split.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        split: Option<String>,
    },
    /// The validation images of ImageNet as they are distributed: all in one folder.
    ImagenetValidation {
        /// The folder of the images.
        images: PathBuf,
        /// A line an image, in the order of their names: its synset (`n01440764`), or its number in the development kit; or
        /// `LOC_val_solution.csv`.
        truth: PathBuf,
        /// The synset of each number of the development kit, from 1 on, one a line. Needed where the truth holds numbers: they
        /// are not in the order of anything else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        synsets: Option<PathBuf>,
    },
    /// Tar files as `WebDataset` has them: `key.jpg` (or a video) beside `key.cls` or `key.json`.
    Shards {
        /// The tar files, in order; a folder stands for all in it.
        paths: Vec<PathBuf>,
        /// For disks that seek slowly: shards are trained on one after the other, in another order in each epoch, and samples
        /// are shuffled among so many neighbours; 1 leaves them as they lie. Absent: any sample may come at any time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shuffle_window: Option<usize>,
    },
}

/// A column of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    /// The file.
    Path,
    /// The class: its name or its number.
    Label,
    /// One class or several; the last column. All fields behind the others are labels, and a field may hold several with commas,
    /// semicolons or bars between them.
    Labels,
    /// Where the sample starts, in seconds.
    Start,
    /// Where it ends, in seconds.
    End,
    /// Something else.
    Ignored,
}

fn path_and_label() -> Vec<Column> {
    vec![Column::Path, Column::Label]
}

//! What an evaluation measures: everything that its numbers depend on but the files themselves.

use reelnet_clips::ffmpeg_version;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::views::ViewSettings;
use crate::bundle::Bundle;
use crate::calibration;
use crate::labels::hex;

/// The version of the formats in this folder.
const FORMAT: u32 = 1;

/// What an evaluation measures, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    pub format: u32,
    /// This program's version.
    pub reelnet: String,
    /// FFmpeg's libavcodec and libavformat.
    pub decoder: String,
    /// The model.
    pub model: ModelId,
    /// What it looks at.
    pub views: ViewSettings,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// The list of files.
    pub data: DataId,
    /// Which part of the list.
    pub shard: Shard,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelId {
    /// The network's name.
    pub name: String,
    /// SHA-256 of its description, its weights, and how its pixels are prepared.
    pub sha256: String,
    /// What it computes in.
    pub precision: String,
    /// Multiply-accumulates of one view.
    pub macs: u64,
}

/// A list of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataId {
    /// As it was named.
    pub name: String,
    /// SHA-256 of names and classes.
    pub sha256: String,
    /// Files that are there.
    pub files: u64,
    /// Names of those that are not.
    pub missing: Vec<String>,
    /// Files that were listed more than once, and counted once.
    pub repeated: u64,
}

/// A part of a list: every `of`th file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 1 on.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

impl Shard {
    /// All of the list.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Whether the place in a list belongs to it.
    pub fn holds(self, position: u64) -> bool {
        position % self.of == self.number - 1
    }

    /// How many of so many files belong to it.
    pub fn of_files(self, files: u64) -> u64 {
        (files + self.of - self.number) / self.of
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) && of <= 1_000_000 => Ok(Self { number, of }),
            _ => Err(format!("`{text}` is no part of a list, expected its number and how many there are, such as 1/4")),
        }
    }
}

impl ModelId {
    /// The model in a bundle.
    pub fn new(bundle: &Bundle, precision: &str, macs: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(calibration::fingerprint(bundle));
        hash.update(toml::to_string(&bundle.manifest.pixels).expect("pixels can be written down"));
        hash.update(bundle.labels.sha256());
        let sha256 = hex(&hash.finalize());
        Self { name: bundle.manifest.name.clone(), sha256, precision: precision.to_owned(), macs }
    }
}

impl Header {
    /// That of this program.
    pub fn new(bundle: &Bundle, model: ModelId, views: ViewSettings, data: DataId, shard: Shard) -> Self {
        let labels = (0..bundle.labels.len()).filter_map(|class| bundle.labels.get(class).map(str::to_owned)).collect();
        let reelnet = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, reelnet, decoder: decoder(), model, views, labels, data, shard }
    }

    /// Files of the shard, whether they are there or not.
    pub fn listed(&self) -> u64 {
        self.files() + self.missing().count() as u64
    }

    /// Files of the shard that are there.
    pub fn files(&self) -> u64 {
        self.shard.of_files(self.data.files)
    }

    /// The missing files of the shard.
    pub fn missing(&self) -> impl Iterator<Item = &String> {
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        self.data.missing.iter().skip(place(self.shard.number - 1)).step_by(place(self.shard.of))
    }

    /// What is wrong with it, if it was read from somewhere.
    pub(crate) fn complaint(&self) -> Option<String> {
        if self.format != FORMAT {
            return Some(format!("it has format {}, and this reelnet reads format {FORMAT}", self.format));
        }
        let Shard { number, of } = self.shard;
        if !(1..=of).contains(&number) || self.labels.is_empty() {
            return Some("its header is no header of an evaluation".to_owned());
        }
        None
    }

    /// In what an evaluation differs from another one, in words; nothing if they can be put together.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let model = |id: &ModelId| format!("{} in {} ({})", id.name, id.precision, short(&id.sha256));
        let mut told = self.differences_beside_the_model(other);
        told.extend(difference("model", &model(&self.model), &model(&other.model)));
        told
    }

    /// The same of everything but the model: what two models are measured with.
    pub fn differences_beside_the_model(&self, other: &Self) -> Vec<String> {
        let data =
            |id: &DataId| format!("{} files there, {} missing ({})", id.files, id.missing.len(), short(&id.sha256));
        let told = [
            difference("version of reelnet", &self.reelnet, &other.reelnet),
            difference("decoder", &self.decoder, &other.decoder),
            difference("views", &self.views.to_string(), &other.views.to_string()),
            difference("classes", &classes(&self.labels), &classes(&other.labels)),
            difference("list", &data(&self.data), &data(&other.data)),
        ];
        told.into_iter().flatten().collect()
    }
}

fn difference(what: &str, one: &str, two: &str) -> Option<String> {
    (one != two).then(|| format!("{what}: {one} and {two}"))
}

/// The first digits of a hash.
pub fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

fn classes(labels: &[String]) -> String {
    let mut hash = Sha256::new();
    for label in labels {
        hash.update(format!("{label}\n"));
    }
    format!("{} ({})", labels.len(), short(&hex(&hash.finalize())))
}

fn decoder() -> String {
    let version = ffmpeg_version();
    let number = |(major, minor, micro): (u32, u32, u32)| format!("{major}.{minor}.{micro}");
    format!("FFmpeg {} (libavcodec {}, libavformat {})", version.release, number(version.codec), number(version.format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_hold_every_file_once() {
        for (files, of) in [(10_u64, 3_u64), (0, 2), (2, 5), (7, 7)] {
            let shards: Vec<Shard> = (1..=of).map(|number| Shard { number, of }).collect();
            for position in 0..files {
                assert_eq!(shards.iter().filter(|shard| shard.holds(position)).count(), 1);
            }
            for shard in &shards {
                let held = (0..files).filter(|position| shard.holds(*position)).count() as u64;
                assert_eq!(shard.of_files(files), held, "{shard:?} of {files}");
            }
        }
        assert_eq!("2/3".parse(), Ok(Shard { number: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "1", "a/b", ""] {
            assert!(wrong.parse::<Shard>().expect_err(wrong).contains("such as 1/4"));
        }
    }
}

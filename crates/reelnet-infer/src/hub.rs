//! Published weights: from the Hugging Face hub, checked and kept in the hub's own cache, and from plain addresses.

mod address;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hf_hub::Cache;
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use reelnet_models::{NetworkConfig, NetworkName};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::labels::hex;

/// The file that every repository here has.
const FILE: &str = "model.safetensors";

pub use address::Address;

/// pytorchvideo's own files. Nobody published a checksum of them.
const SLOW_R50: Address = Address {
    endpoint: "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo",
    variable: "PYTORCHVIDEO_ENDPOINT",
    path: "kinetics/SLOW_8x8_R50.pyth",
};

/// Weights that somebody published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where they are.
    pub origin: Origin,
    /// What they may be used for.
    pub licence: &'static str,
}

/// Where weights are to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a repository of the hub.
    Hub(String),
    /// In a file elsewhere.
    Address(Address),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub(repository) => write!(formatter, "hub repository {repository}"),
            Self::Address(address) => formatter.write_str(&address.url()),
        }
    }
}

impl Published {
    /// The weights published for a network, if there are any: timm's ResNet-RS, and its EfficientNets from TensorFlow; pytorchvideo's
    /// `SlowOnly`.
    pub fn of(name: &NetworkName) -> Option<Self> {
        let repository = match name.network() {
            "resnet-rs-50" | "resnet-rs-101" | "resnet-rs-152" | "resnet-rs-200" | "resnet-rs-270"
            | "resnet-rs-350" | "resnet-rs-420" => format!("timm/{}.tf_in1k", name.network().replace('-', "")),
            "slow-r50" => return Some(Self { origin: Origin::Address(SLOW_R50), licence: "Apache-2.0" }),
            network => match name.config() {
                NetworkConfig::Efficientnet(config) if network == format!("efficientnet-{}", config.variant) => {
                    if config.variant.starts_with("lite") {
                        return None;
                    }
                    format!("timm/tf_efficientnet_{}.aa_in1k", config.variant)
                }
                _ => return None,
            },
        };
        Some(Self { origin: Origin::Hub(repository), licence: "Apache-2.0" })
    }

    /// Fetches the weights, or finds them where they were fetched to before, and checks them: against the hub's SHA-256, and against
    /// `sha256` if it is given. Files that are not the hub's are kept in `folder`.
    ///
    /// # Errors
    /// If they cannot be reached, or are not what they should be.
    pub fn fetch(&self, sha256: Option<&str>, folder: &Path, observer: &mut dyn Observer) -> Result<PathBuf, HubError> {
        let (path, file, repository) = match &self.origin {
            Origin::Hub(repository) => (fetch(repository, observer)?, FILE.to_owned(), repository.clone()),
            Origin::Address(address) => (address.fetch(folder, observer)?, address.file().to_owned(), address.base()),
        };
        let Some(expected) = sha256 else { return Ok(path) };
        let found = self::sha256(&path)?;
        if found == expected {
            return Ok(path);
        }
        fs::remove_file(&path)?;
        Err(HubError::Unwanted { repository, file, expected: expected.to_owned(), found })
    }
}

/// A file that did not arrive.
#[derive(Debug, Error)]
pub enum HubError {
    /// The hub did not answer, or said no.
    #[error(
        "cannot fetch `{file}` of `{repository}`: {reason}; check the network, or set {variable} to a mirror, or fetch \
         the file by other means and run `reelnet import` on it"
    )]
    Unreachable {
        /// The hub's repository.
        repository: String,
        /// The file.
        file: String,
        /// The network's words.
        reason: String,
        /// What names a mirror.
        variable: &'static str,
    },
    /// It arrived, but not as the hub has it.
    #[error(
        "`{file}` of `{repository}` arrived damaged: its SHA-256 is {found}, and the hub's is {expected}; it was removed, \
         so run the command again"
    )]
    Checksum {
        /// The hub's repository.
        repository: String,
        /// The file.
        file: String,
        /// What the hub says.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The hub gives no checksum for it.
    #[error("the hub gives no SHA-256 for `{file}` of `{repository}`, so it cannot be checked (it says `{etag}`)")]
    Unchecked {
        /// The hub's repository.
        repository: String,
        /// The file.
        file: String,
        /// What it gives.
        etag: String,
    },
    /// It is not the file that was asked for.
    #[error("the SHA-256 of `{file}` of `{repository}` is {found}, and {expected} was asked for; it was removed")]
    Unwanted {
        /// Where it came from.
        repository: String,
        /// The file.
        file: String,
        /// As asked for.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The disk said no.
    #[error("cannot keep what is fetched: {0}")]
    Io(#[from] io::Error),
}

/// Told of bytes as they arrive: so far, and in all.
pub trait Observer {
    /// `done` of `total` bytes are here.
    fn progress(&mut self, done: u64, total: u64);
}

impl<F: FnMut(u64, u64)> Observer for F {
    fn progress(&mut self, done: u64, total: u64) {
        self(done, total);
    }
}

/// Fetches a repository's weights, or finds them in the cache (`HF_HOME`), and checks them against the hub's SHA-256.
///
/// `HF_ENDPOINT` names another hub. An interrupted download goes on where it stopped.
///
/// # Errors
/// If the hub cannot be reached, or the file is not as the hub has it.
fn fetch(repository: &str, observer: &mut dyn Observer) -> Result<PathBuf, HubError> {
    if let Some(path) = Cache::from_env().model(repository.to_owned()).get(FILE) {
        return checked(repository, path);
    }
    let unreachable = |error: &ApiError| HubError::Unreachable {
        repository: repository.to_owned(),
        file: FILE.to_owned(),
        reason: error.to_string(),
        variable: "HF_ENDPOINT",
    };
    let api =
        ApiBuilder::from_env().with_progress(false).with_retries(2).build().map_err(|error| unreachable(&error))?;
    let adapter = Adapter { observer, done: 0, total: 0 };
    let path =
        api.model(repository.to_owned()).download_with_progress(FILE, adapter).map_err(|error| unreachable(&error))?;
    checked(repository, path)
}

struct Adapter<'a> {
    observer: &'a mut dyn Observer,
    done: u64,
    total: u64,
}

impl Progress for Adapter<'_> {
    fn init(&mut self, size: usize, _file: &str) {
        (self.done, self.total) = (0, size as u64);
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        self.observer.progress(self.done, self.total);
    }

    fn finish(&mut self) {}
}

/// The cache keeps a file under its checksum, with a link to it under its name.
fn checked(repository: &str, path: PathBuf) -> Result<PathBuf, HubError> {
    let blob = fs::canonicalize(&path)?;
    let etag = blob.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if etag.len() != 64 || !etag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(HubError::Unchecked { repository: repository.to_owned(), file: FILE.to_owned(), etag });
    }
    let found = sha256(&blob)?;
    if found != etag.to_ascii_lowercase() {
        fs::remove_file(&blob)?;
        fs::remove_file(&path)
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        return Err(HubError::Checksum {
            repository: repository.to_owned(),
            file: FILE.to_owned(),
            expected: etag,
            found,
        });
    }
    Ok(path)
}

/// SHA-256 of a file, in hexadecimal.
pub(crate) fn sha256(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

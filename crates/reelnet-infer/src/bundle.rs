//! A folder that is a model: `model.toml`, `weights.safetensors`, `labels.txt`, and nothing else needed.

use std::fs;
use std::io;
use std::path::Path;

use burn::tensor::Device;
use reelnet_models::Network;
use reelnet_models::weights::{StateDict, Strictness, WeightsError, WeightsErrorKind, load};

use crate::error::{BundleError, BundleErrorKind as Kind};
use crate::labels::Labels;
use crate::manifest::Manifest;

const MANIFEST: &str = "model.toml";
const WEIGHTS: &str = "weights.safetensors";
const LABELS: &str = "labels.txt";

/// A network with all that its numbers depend on.
#[derive(Debug)]
pub struct Bundle {
    /// `model.toml`.
    pub manifest: Manifest,
    /// With its weights.
    pub network: Network,
    /// What its classes are called.
    pub labels: Labels,
}

impl Bundle {
    /// Opens a folder.
    ///
    /// # Errors
    /// If a part is missing, or the parts do not belong together.
    pub fn open(path: &Path, device: &Device) -> Result<Self, BundleError> {
        Self::read(path, device).map_err(|kind| kind.at(path))
    }

    /// Writes a folder that is new or empty, whole or not at all.
    ///
    /// # Errors
    /// If the folder holds something already, or the disk says no.
    pub fn write(&self, path: &Path) -> Result<(), BundleError> {
        self.write_parts(path).map_err(|kind| kind.at(path))
    }

    fn read(path: &Path, device: &Device) -> Result<Self, Kind> {
        if !path.is_dir() {
            return Err(Kind::NotFound);
        }
        let text = |file| fs::read_to_string(path.join(file)).map_err(|source| Kind::File { file, source });
        let manifest: Manifest = toml::from_str(&text(MANIFEST)?)
            .map_err(|error| Kind::Manifest(error.to_string().trim_end().to_owned()))?;
        if let Some(complaint) = manifest.complaint() {
            return Err(Kind::Manifest(complaint));
        }
        let labels = Labels::lines(&text(LABELS)?);
        check_labels(&manifest, &labels)?;
        let weights = StateDict::read(&path.join(WEIGHTS))?;
        let network = manifest.network.build(0, device)?;
        let (network, _) = load(network, weights, Strictness::Exact)
            .map_err(|report| WeightsError { path: path.join(WEIGHTS), kind: WeightsErrorKind::Mismatch(report) })?;
        Ok(Self { manifest, network, labels })
    }

    fn write_parts(&self, path: &Path) -> Result<(), Kind> {
        if let Some(complaint) = self.manifest.complaint() {
            return Err(Kind::Manifest(complaint));
        }
        let io = |file| move |source| Kind::File { file, source };
        if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) || path.is_file() {
            return Err(Kind::Exists);
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(io("the folder"))?;
        // Written beside its place and then moved there: a folder that exists is a whole bundle.
        let temporary = tempfile::Builder::new().prefix(".reelnet-").tempdir_in(parent).map_err(io("the folder"))?;
        let manifest = toml::to_string(&self.manifest).map_err(|error| Kind::Manifest(error.to_string()))?;
        fs::write(temporary.path().join(MANIFEST), manifest).map_err(io(MANIFEST))?;
        fs::write(temporary.path().join(LABELS), self.labels.to_text()).map_err(io(LABELS))?;
        StateDict::of(&self.network)
            .write(&temporary.path().join(WEIGHTS))
            .map_err(|error| WeightsError { path: path.join(WEIGHTS), ..error })?;
        share(temporary.path()).map_err(io("the folder"))?;
        // An empty folder may be in its place.
        fs::rename(temporary.path(), path).map_err(io("the folder"))?;
        // What was renamed is no longer there to be removed.
        let _ = temporary.keep();
        Ok(())
    }
}

/// Temporary folders are private; a bundle is as readable as the folder it lies in.
fn share(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let parent = fs::metadata(folder.parent().unwrap_or(Path::new(".")))?.permissions().mode();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700 | (parent & 0o055)))
}

/// Labels and network have to be the ones that were written together.
pub(crate) fn check_labels(manifest: &Manifest, labels: &Labels) -> Result<(), Kind> {
    let classes = manifest.network.classes();
    if labels.len() != classes {
        return Err(Kind::Labels(format!("it has {} names, and the network {classes} classes", labels.len())));
    }
    if labels.sha256() != manifest.labels_sha256 {
        return Err(Kind::Labels(
            "it is not the list that the model was made with (its SHA-256 is not model.toml's labels_sha256)"
                .to_owned(),
        ));
    }
    Ok(())
}

//! Weight files: safetensors in and out, PyTorch checkpoints in.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use half::{bf16, f16};
use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::error::{WeightsError, WeightsErrorKind as Kind};
use super::state_dict::{StateDict, WeightTensor};

/// Counters that PyTorch's batch norm saves and nothing here reads.
const COUNTER: &str = "num_batches_tracked";
/// What training scripts put a state dict in, beside an optimiser's state and more.
const WRAPPERS: [&str; 6] = ["state_dict", "model_state_dict", "model_state", "model", "module", "network"];

impl StateDict {
    /// Reads a safetensors file or a PyTorch checkpoint (zip, legacy or tar), whatever its name.
    ///
    /// Nothing in a checkpoint is executed; tensors that are not contiguous in the file come back in row order; counters of
    /// batches are left out. Where tensors stand under `state_dict`, `model` or the like, only those are taken, and the
    /// wrapping comes off.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no tensors, or tensors that are not floats.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        Self::read_under(path, None)
    }

    /// As [`Self::read`], taking only what stands under a key, such as `state_dict_ema`.
    ///
    /// # Errors
    /// As [`Self::read`], and if nothing stands under the key.
    pub fn read_under(path: &Path, key: Option<&str>) -> Result<Self, WeightsError> {
        let read = || {
            let mut start = [0; 9];
            // A safetensors file is the length of a JSON object, and the object.
            let begins = File::open(path)?.read_exact(&mut start).is_ok() && start[8] == b'{';
            let named = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
            if begins || named { parse_safetensors(&fs::read(path)?, key) } else { read_checkpoint(path, key) }
        };
        read().map_err(|kind: Kind| kind.at(path))
    }

    /// Reads a safetensors file that is in memory already.
    ///
    /// # Errors
    /// If the bytes are no such file, or hold no tensors, or tensors that are not floats.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, Kind> {
        parse_safetensors(bytes, None)
    }

    /// Writes a safetensors file of 32-bit floats, whole or not at all: a temporary file beside it takes its name at the end.
    ///
    /// # Errors
    /// If the disk says no.
    pub fn write(&self, path: &Path) -> Result<(), WeightsError> {
        self.write_safetensors(path).map_err(|kind| kind.at(path))
    }

    fn write_safetensors(&self, path: &Path) -> Result<(), Kind> {
        let bytes: Vec<(&str, Vec<u8>, &[usize])> = self
            .iter()
            .map(|(name, tensor)| {
                let bytes = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
                (name, bytes, tensor.shape.as_slice())
            })
            .collect();
        let views = bytes
            .iter()
            .map(|(name, bytes, shape)| Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)))
            .collect::<Result<Vec<_>, Kind>>()?;
        // Python's loaders look for this key. One key only: the order of several would change the file from run to run.
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let serialized = safetensors::serialize(views, Some(metadata))?;
        // A link is followed, so that the file it leads to is replaced and not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(Kind::NotAFile);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut temporary =
            tempfile::Builder::new().permissions(readable()).tempfile_in(folder).map_err(|error| unnamed(&error))?;
        temporary.write_all(&serialized)?;
        temporary.as_file().sync_all()?;
        temporary.persist(&path).map_err(|error| unnamed(&error.error))?;
        Ok(())
    }
}

/// As any new file: what the process's mask leaves of reading and writing for all.
fn readable() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o666)
}

/// The error without the name of a temporary file, which nobody knows.
fn unnamed(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::from(error.kind()),
    }
}

fn parse_safetensors(bytes: &[u8], key: Option<&str>) -> Result<StateDict, Kind> {
    let file = SafeTensors::deserialize(bytes)?;
    let views = file.iter().map(|(name, view)| (name.to_owned(), view)).collect();
    unwrapped(views, key)?
        .into_iter()
        .map(|(name, view)| {
            let values = floats(&name, view.dtype(), view.data())?;
            Ok((name, WeightTensor::new(view.shape().to_vec(), values)))
        })
        .collect()
}

fn read_checkpoint(path: &Path, key: Option<&str>) -> Result<StateDict, Kind> {
    let reader = PytorchReader::new(path).map_err(|error| Kind::Pytorch(error.to_string()))?;
    unwrapped(reader.into_tensors().into_iter().collect(), key)?
        .into_iter()
        .map(|(name, tensor)| {
            let dtype = match tensor.dtype() {
                DType::F64 => Dtype::F64,
                DType::F32 => Dtype::F32,
                DType::F16 => Dtype::F16,
                DType::BF16 => Dtype::BF16,
                other => return Err(Kind::Type { name, dtype: format!("{other:?}") }),
            };
            let values = floats(&name, dtype, &tensor.read()?)?;
            Ok((name, WeightTensor::new(tensor.shape().to_vec(), values)))
        })
        .collect()
}

/// The tensors under a key, or else under the first wrapping that any tensor stands under, without counters.
fn unwrapped<T>(mut tensors: Vec<(String, T)>, key: Option<&str>) -> Result<Vec<(String, T)>, Kind> {
    let under = |tensors: &[(String, T)], wrapper: &str| {
        tensors.iter().any(|(name, _)| name.strip_prefix(wrapper).is_some_and(|rest| rest.starts_with('.')))
    };
    let mut next = key.map(str::to_owned);
    loop {
        let found = WRAPPERS.iter().find(|wrapper| under(&tensors, wrapper)).map(|wrapper| (*wrapper).to_owned());
        let Some(wrapper) = next.take().or(found) else { break };
        let strip = |name: String| name.strip_prefix(&wrapper)?.strip_prefix('.').map(str::to_owned);
        tensors = tensors.into_iter().filter_map(|(name, tensor)| Some((strip(name)?, tensor))).collect();
        if tensors.is_empty() {
            break;
        }
    }
    tensors.retain(|(name, _)| !name.ends_with(COUNTER));
    if tensors.is_empty() { Err(Kind::Empty { key: key.map(str::to_owned) }) } else { Ok(tensors) }
}

fn floats(name: &str, dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>, Kind> {
    #[expect(clippy::cast_possible_truncation, reason = "weights are trained in 32 bits or fewer")]
    let values = match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect(),
        other => return Err(Kind::Type { name: name.to_owned(), dtype: format!("{other:?}") }),
    };
    Ok(values)
}

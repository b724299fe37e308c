//! Weight files: safetensors in and out, PyTorch checkpoints in.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use half::{bf16, f16};
use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::error::{WeightsError, WeightsErrorKind as Kind};
use super::state_dict::{StateDict, WeightTensor};

/// Counters that PyTorch's batch norm saves and nothing here reads.
const COUNTER: &str = "num_batches_tracked";
/// What training scripts wrap a state dict in.
const WRAPPERS: [&str; 6] = ["state_dict.", "model_state_dict.", "model_state.", "model.", "module.", "network."];

impl StateDict {
    /// Reads a `.safetensors` file, or a `.pth`, `.pt` or `.bin` checkpoint (zip and legacy), whichever the name says.
    ///
    /// Nothing in a checkpoint is executed; tensors that are not contiguous in the file come back in row order; counters of
    /// batches are left out; a wrapping such as `state_dict.` or `module.` is taken off.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no tensors, or tensors that are not floats.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let dict = match extension {
            "safetensors" => fs::read(path).map_err(Kind::from).and_then(|bytes| Self::from_safetensors(&bytes)),
            "pth" | "pt" | "bin" | "pyth" => read_checkpoint(path),
            _ => Err(Kind::Format),
        };
        dict.map_err(|kind| kind.at(path))
    }

    /// Reads a safetensors file that is in memory already.
    ///
    /// # Errors
    /// If the bytes are no such file, or hold no tensors, or tensors that are not floats.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, Kind> {
        let file = SafeTensors::deserialize(bytes)?;
        let tensors = file
            .iter()
            .filter(|(name, _)| !name.ends_with(COUNTER))
            .map(|(name, view)| {
                let values = floats(name, view.dtype(), view.data())?;
                Ok((name.to_owned(), WeightTensor::new(view.shape().to_vec(), values)))
            })
            .collect::<Result<Vec<_>, Kind>>()?;
        finish(tensors)
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
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut temporary, &serialized)?;
        temporary.as_file().sync_all()?;
        let persisted = temporary.persist(path).map_err(|error| error.error)?;
        share(&persisted)?;
        Ok(())
    }
}

/// Temporary files are private; weights are as readable as any file.
fn share(file: &fs::File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

fn read_checkpoint(path: &Path) -> Result<StateDict, Kind> {
    // The reader's own error for a missing file does not say that it is missing.
    fs::metadata(path)?;
    let reader = PytorchReader::new(path).map_err(|error| Kind::Pytorch(error.to_string()))?;
    let tensors = reader
        .into_tensors()
        .into_iter()
        .filter(|(name, _)| !name.ends_with(COUNTER))
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
        .collect::<Result<Vec<_>, Kind>>()?;
    finish(tensors)
}

/// Takes wrappings off that every tensor shares.
fn finish(mut tensors: Vec<(String, WeightTensor)>) -> Result<StateDict, Kind> {
    if tensors.is_empty() {
        return Err(Kind::Empty);
    }
    while let Some(wrapper) =
        WRAPPERS.iter().find(|wrapper| tensors.iter().all(|(name, _)| name.starts_with(**wrapper)))
    {
        for (name, _) in &mut tensors {
            name.drain(..wrapper.len());
        }
    }
    Ok(tensors.into_iter().collect())
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

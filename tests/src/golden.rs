//! Golden files: where they are, and what one holds.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

/// A file in `tests/golden`.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// A file in `tests/media`.
pub fn media(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("media").join(name)
}

/// What an independent implementation computed.
pub struct Golden {
    /// `[batch, classes]`, row by row.
    pub logits: Vec<f32>,
    /// Outputs of the classifier.
    pub classes: usize,
    /// Of the input, `[batch, 3, frames, height, width]`.
    pub input_shape: [usize; 5],
    /// What the last γ of each block was multiplied by.
    pub bn3_scale: f32,
}

/// Reads `NAME.safetensors`.
///
/// # Panics
/// If the file is not there or not as `scripts/golden/generate.py` writes it.
pub fn read(name: &str) -> Golden {
    let path = path(&format!("{name}.safetensors"));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors header");
    let metadata: &HashMap<String, String> = header.metadata().as_ref().expect("metadata");
    let number = |key: &str| metadata[key].parse::<f64>().expect("a number");
    let shape: Vec<usize> = metadata["input_shape"].split(',').map(|axis| axis.parse().expect("a size")).collect();
    let logits =
        file.tensor("logits").expect("logits").data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count and a power of two")]
    Golden {
        logits: logits.collect(),
        classes: number("classes") as usize,
        input_shape: shape.try_into().expect("five axes"),
        bn3_scale: number("bn3_scale") as f32,
    }
}

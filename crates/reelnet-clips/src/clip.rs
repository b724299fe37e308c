//! What comes out: clips of RGB bytes.

use ndarray::Array4;

use crate::ClipError;

/// The frames of one plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// RGB bytes, `[frames, height, width, 3]`.
    pub frames: Array4<u8>,
    /// Time of each frame, in seconds after the first one of the file.
    pub pts_seconds: Vec<f64>,
    /// Number of each frame in presentation order.
    pub indices: Vec<usize>,
}

/// What could be saved from a file that may be damaged.
#[derive(Debug, Clone, PartialEq)]
pub struct Salvage {
    /// One entry a plan: the clip, or `None` if one of its frames is missing. No frame is ever replaced by another.
    pub clips: Vec<Option<Clip>>,
    /// Why clips are missing: the first trouble that was met.
    pub error: Option<ClipError>,
}

/// What decoding a file from its start to its end has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Soundness {
    /// Frames that came out of the decoder, those included that build on damage and are therefore in no clip.
    pub frames: usize,
    /// How many of these build on damage.
    pub doubtful: usize,
    /// Why others did not come, or what the packets say is missing. `None` for a sound file.
    pub error: Option<ClipError>,
}

//! `model.toml`: what a bundle says of itself.

use std::str::FromStr;

use reelnet_clips::{ClipSpec, PastEnd};
use reelnet_models::{NetworkConfig, NetworkName};
use serde::{Deserialize, Serialize};

use crate::labels::Labels;
use crate::pixels::Pixels;

/// The version of the format, raised when an older binary could misread a newer bundle.
pub(crate) const FORMAT: u32 = 1;

/// Frames of a clip, and steps between them, at most: a clip has to fit into memory.
const MAX_FRAMES: usize = 4096;
/// Bytes of a clip at most.
const MAX_CLIP_BYTES: u64 = 1 << 30;

/// Everything but weights and labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this file's format.
    pub format: u32,
    /// The network's name, for people.
    pub name: String,
    /// SHA-256 of `labels.txt`, so that a network cannot meet another label order.
    pub labels_sha256: String,
    /// The network.
    pub network: NetworkConfig,
    /// What it looks at.
    pub clip: ClipSettings,
    /// How frames are prepared.
    pub pixels: Pixels,
    /// Where the weights come from.
    pub provenance: Provenance,
}

/// What a network looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipSettings {
    /// Frames of a clip; 1 for an image network.
    pub frames: usize,
    /// Step between them, in frames of the video.
    pub frame_step: usize,
}

impl FromStr for ClipSettings {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| (1..=MAX_FRAMES).contains(number));
        let parts = text.split_once(['x', 'X', '×']);
        parts.and_then(|(frames, step)| Some(Self { frames: number(frames)?, frame_step: number(step)? })).ok_or_else(
            || format!("`{text}` is no clip, expected frames and a step from 1 to {MAX_FRAMES}, such as 8x8 or 4x16"),
        )
    }
}

/// Where weights come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// A file, a hub's repository, a seed.
    pub source: String,
    /// SHA-256 of that file, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What the weights may be used for, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

impl Manifest {
    /// A manifest with a named network's usual clip and pixels.
    pub fn new(name: &NetworkName, network: NetworkConfig, labels: &Labels, provenance: Provenance) -> Self {
        let clip = ClipSettings { frames: name.frames(), frame_step: name.frame_step() };
        Self::described(name.to_string(), network, labels, (clip, Pixels::of(name)), provenance)
    }

    /// A manifest with a clip and pixels of its own, as a recipe has them.
    pub fn described(
        name: String,
        network: NetworkConfig,
        labels: &Labels,
        (clip, pixels): (ClipSettings, Pixels),
        provenance: Provenance,
    ) -> Self {
        Self { format: FORMAT, name, labels_sha256: labels.sha256(), network, clip, pixels, provenance }
    }

    /// What the decoder is to look for; a video that is shorter than a clip is looped.
    pub fn clip_spec(&self) -> ClipSpec {
        ClipSpec { frames: self.clip.frames, frame_step: self.clip.frame_step, past_end: PastEnd::Loop }
    }

    /// Says what is wrong, if anything is.
    pub fn complaint(&self) -> Option<String> {
        if self.format != FORMAT {
            return Some(format!("format is {}, and this reelnet reads format {FORMAT}", self.format));
        }
        let ClipSettings { frames, frame_step } = self.clip;
        if !(1..=MAX_FRAMES).contains(&frames) || !(1..=MAX_FRAMES).contains(&frame_step) {
            return Some(format!(
                "clip.frames is {frames} and clip.frame_step {frame_step}, expected 1 to {MAX_FRAMES}"
            ));
        }
        if self.network.is_image() && self.clip.frames != 1 {
            return Some(format!("clip.frames is {}, and an image network takes 1", self.clip.frames));
        }
        let bytes = frames as u64 * u64::from(self.pixels.crop).pow(2) * 3;
        if bytes > MAX_CLIP_BYTES {
            return Some(format!(
                "a clip has {bytes} bytes, expected at most {MAX_CLIP_BYTES}: fewer frames or pixels"
            ));
        }
        self.pixels.complaint()
    }
}

//! What is known about a file once its packets have been read.

use serde::{Deserialize, Deserializer, Serialize};

use crate::ClipErrorKind;
use crate::colour::{ColourMatrix, ColourRange};

/// One of our own names. An alias, because serde would borrow a plain `&str` from whatever it reads.
type Name = &'static str;

/// Facts about a video or image file. Sizes are in pixels, times in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// FFmpeg's name of the container, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    pub container: String,
    /// FFmpeg's name of the codec, such as `h264`.
    pub codec: String,
    /// FFmpeg's name of the pixel format, such as `yuv420p`; `unknown` if only decoding could tell.
    pub pixel_format: String,
    /// Width as shown: after rotation, with the sample aspect ratio applied.
    pub width: u32,
    /// Height as shown.
    pub height: u32,
    /// Width as coded.
    pub coded_width: u32,
    /// Height as coded.
    pub coded_height: u32,
    /// Clockwise turn that brings coded frames upright: 0, 90, 180 or 270 degrees.
    pub rotation: u32,
    /// Whether frames are mirrored left-right after the turn.
    pub mirrored: bool,
    /// Width to height of one coded pixel; `(1, 1)` if the file is silent.
    pub sample_aspect_ratio: (u32, u32),
    /// From the first frame's appearance to the last one's disappearance.
    pub duration_seconds: f64,
    /// Mean frame rate, from the frames' times; 0 for a single frame of unknown length.
    pub fps: f64,
    /// Whether more than 1 in 100 intervals between frames differ from the usual one.
    pub variable_frame_rate: bool,
    /// Time that the container gives to the first frame.
    pub start_seconds: f64,
    /// Frames that the file holds and that can be shown.
    pub frames: usize,
    /// Frames that the container claims to hold, if it makes a claim.
    pub claimed_frames: Option<u64>,
    /// Shown frames from which decoding can start.
    pub keyframes: usize,
    /// Packets that are cut short or marked as damaged; they do not count as frames.
    pub damaged_packets: usize,
    /// Packets that the container claims and the file does not hold: it is cut short, or its header lies.
    pub missing_packets: u64,
    /// Why reading stopped before the end of the file, if it did.
    pub read_error: Option<String>,
    /// Matrix between YUV and RGB, stated or assumed.
    #[serde(deserialize_with = "name")]
    pub colour_matrix: Name,
    /// `limited` (black is 16) or `full`, stated or assumed.
    #[serde(deserialize_with = "name")]
    pub colour_range: Name,
    /// Whether the file is a still image.
    pub is_image: bool,
}

impl VideoInfo {
    /// Says that the file is cut short or damaged, if its packets show it; what lies before the damage can be used.
    ///
    /// Only MP4's claim is believed, whose tables list every frame (AVI also counts frames that were never stored), and a
    /// single missing packet, or fewer than one in a thousand, is left alone: some writers count wrongly.
    pub fn damage(&self) -> Option<ClipErrorKind> {
        let claimed = self.claimed_frames.unwrap_or(0);
        let lists_frames = self.container.split(',').any(|name| name == "mp4");
        let detail = match &self.read_error {
            Some(error) => format!("reading stops there ({error})"),
            None if lists_frames && self.missing_packets > 1 && self.missing_packets.saturating_mul(1000) > claimed => {
                format!("{} of the {claimed} frames that it claims are missing", self.missing_packets)
            }
            None if self.damaged_packets > 0 => format!("{} packets are cut short or damaged", self.damaged_packets),
            None => return None,
        };
        Some(ClipErrorKind::Corrupt { seconds: self.duration_seconds, frames_decoded: self.frames, detail })
    }
}

/// One of our own names of a matrix or a range.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let name = String::deserialize(deserializer)?;
    let matrices = ColourMatrix::ALL.map(ColourMatrix::name);
    let known = matrices.into_iter().chain(ColourRange::ALL.map(ColourRange::name)).find(|&known| known == name);
    known.ok_or_else(|| serde::de::Error::custom(format!("`{name}` is no name of a colour matrix or range")))
}

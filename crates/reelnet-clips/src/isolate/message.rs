//! What goes through the pipes: a length, a postcard message, and behind clips their pixels.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use ndarray::Array4;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{CancelToken, Clip, ClipErrorKind, FrameGeometry, FramePlan, Limits, VideoInfo};

/// Far more than an index of any file takes; what claims more is no message.
const MOST_BYTES: u32 = 1 << 30;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    Open {
        /// The bytes of a path, which need not be text.
        path: Vec<u8>,
        bounds: Bounds,
    },
    Clips {
        plans: Vec<FramePlan>,
        geometry: FrameGeometry,
        deadline: Duration,
    },
    Check {
        deadline: Duration,
    },
}

/// [`Limits`] without what stays in its process.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Bounds {
    deadline: Duration,
    max_pixels_per_frame: u64,
    max_packets: usize,
    max_packets_without_frame: usize,
    decoder_threads: usize,
    reduce_to: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Opened(Result<Facts, ClipErrorKind>),
    Clips(Result<Salvaged, ClipErrorKind>),
    Checked(Result<Checked, ClipErrorKind>),
}

/// What an opened file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) info: VideoInfo,
    pub(super) pts_seconds: Vec<f64>,
    pub(super) duration_seconds: f64,
}

/// Clips, whose pixels follow behind the message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Salvaged {
    pub(super) clips: Vec<Option<Shape>>,
    pub(super) error: Option<ClipErrorKind>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shape {
    /// Frames, height, width.
    dims: [usize; 3],
    pts_seconds: Vec<f64>,
    indices: Vec<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Checked {
    pub(super) frames: usize,
    pub(super) doubtful: usize,
    pub(super) error: Option<ClipErrorKind>,
}

impl Bounds {
    pub(super) fn of(limits: &Limits) -> Self {
        let Limits {
            deadline,
            max_pixels_per_frame,
            max_packets,
            max_packets_without_frame,
            decoder_threads,
            reduce_to,
            cancel: _,
        } = *limits;
        Self { deadline, max_pixels_per_frame, max_packets, max_packets_without_frame, decoder_threads, reduce_to }
    }

    pub(super) fn limits(self) -> Limits {
        let Self { deadline, max_pixels_per_frame, max_packets, max_packets_without_frame, decoder_threads, reduce_to } =
            self;
        Limits {
            deadline,
            max_pixels_per_frame,
            max_packets,
            max_packets_without_frame,
            decoder_threads,
            reduce_to,
            cancel: CancelToken::new(),
        }
    }
}

impl Shape {
    pub(super) fn of(clip: &Clip) -> Self {
        let (frames, height, width, _) = clip.frames.dim();
        Self { dims: [frames, height, width], pts_seconds: clip.pts_seconds.clone(), indices: clip.indices.clone() }
    }

    /// The clip, its pixels read from behind the message.
    pub(super) fn read(self, input: &mut impl Read) -> io::Result<Clip> {
        let [frames, height, width] = self.dims;
        let bytes = [frames, height, width].iter().try_fold(3_usize, |bytes, &side| bytes.checked_mul(side));
        let bytes = bytes.ok_or_else(|| nonsense("a clip of impossible size"))?;
        let mut pixels = Vec::new();
        // Grows as pixels come: a false size does not make it large.
        if input.take(bytes as u64).read_to_end(&mut pixels)? < bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let frames = Array4::from_shape_vec((frames, height, width, 3), pixels).map_err(nonsense)?;
        Ok(Clip { frames, pts_seconds: self.pts_seconds, indices: self.indices })
    }
}

pub(super) fn send(output: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let bytes = postcard::to_allocvec(message).map_err(nonsense)?;
    let length = u32::try_from(bytes.len()).ok().filter(|&length| length <= MOST_BYTES);
    let length = length.ok_or_else(|| nonsense("a message is too long"))?;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(&bytes)
}

/// `None` where the other side has closed its end between two messages.
pub(super) fn receive<M: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<M>> {
    let mut length = [0; 4];
    if let Err(error) = input.read_exact(&mut length) {
        return if error.kind() == ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let length = u32::from_le_bytes(length);
    if length > MOST_BYTES {
        return Err(nonsense("no message"));
    }
    let mut bytes = Vec::new();
    if input.take(u64::from(length)).read_to_end(&mut bytes)? < length as usize {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    postcard::from_bytes(&bytes).map(Some).map_err(nonsense)
}

fn nonsense(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

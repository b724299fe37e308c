//! What can be wrong with a file, in words that name the file, the trouble and the way out.
//!
//! Every kind is plain data, so that a caller can store, count and compare kinds without parsing sentences.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A file that gave no clip, and why.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("`{}`: {kind}", path.display())]
pub struct ClipError {
    /// The file as the caller named it; the name of a [`Media`](crate::Media) that is no file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: ClipErrorKind,
}

impl ClipError {
    pub(crate) fn new(path: &Path, kind: ClipErrorKind) -> Self {
        Self { path: path.to_path_buf(), kind }
    }
}

/// The ways in which a file, or a wish about a file, can fail.
#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ClipErrorKind {
    /// Nothing has this name.
    #[error("no such file; check the path, and whether its disk is mounted")]
    NotFound,
    /// The file is there, but this process may not read it.
    #[error("permission denied; the user who runs this must be able to read the file")]
    PermissionDenied,
    /// A folder stands where a file, or a folder of numbered images, was expected.
    #[error("is a folder without numbered images; name a file in it, or number its images: 000001.jpg, 000002.jpg, …")]
    IsDirectory,
    /// A folder with images in which no single order can be found.
    #[error("is a folder that is no video: {detail}; leave one series of numbered images in it")]
    AmbiguousFolder {
        /// What contradicts what.
        detail: String,
    },
    /// A frame rate that no folder of images can have.
    #[error("was to be shown at {fps} frames a second; a number above 0, and at most 1000, is needed")]
    BadFrameRate {
        /// The wanted rate.
        fps: f64,
    },
    /// A pipe, socket or device: reading one could block for ever.
    #[error("is a {what}, which cannot be read twice; copy its content to a regular file first")]
    NotAFile {
        /// What it is, such as `named pipe`.
        what: String,
    },
    /// Zero bytes.
    #[error("is empty (0 bytes); a finished video or image is needed")]
    Empty,
    /// The operating system failed to read it.
    #[error("cannot be read: {detail}; check the disk")]
    Unreadable {
        /// The operating system's words.
        detail: String,
    },
    /// No demuxer takes it, or only one that takes text for pictures.
    #[error("is no video or image that FFmpeg knows: {detail}; an mp4, mkv, webm, avi, mpeg, gif, jpeg or png works")]
    NotMedia {
        /// FFmpeg's words, or ours.
        detail: String,
    },
    /// Media without pictures.
    #[error("holds no video stream ({streams}); cover art does not count as video")]
    NoVideoStream {
        /// What it does hold, such as `audio only`.
        streams: String,
    },
    /// The installed FFmpeg has no decoder for this codec.
    #[error("is coded with `{codec}`, for which this FFmpeg has no decoder; convert it, or use a fuller FFmpeg")]
    UnsupportedCodec {
        /// FFmpeg's name of the codec.
        codec: String,
    },
    /// Frames whose pixels FFmpeg cannot turn into RGB.
    #[error("has pixels of the format `{format}`, which FFmpeg cannot turn into RGB; convert it to yuv420p")]
    UnsupportedPixelFormat {
        /// FFmpeg's name of the pixel format.
        format: String,
    },
    /// A video stream is there, but no frame of it comes out.
    #[error("has a video stream, but not one frame of it can be decoded: {detail}; fetch or encode the file again")]
    NothingDecodable {
        /// FFmpeg's words, or ours.
        detail: String,
    },
    /// Some frames come out, a wanted one does not.
    #[error(
        "is damaged at {seconds:.3} s: {detail}; {frames_decoded} frames could be decoded; fetch the file again, or \
         use only what lies before the damage"
    )]
    Corrupt {
        /// Time of the first wanted frame that is missing, after the first frame of the file.
        seconds: f64,
        /// Frames that came out of the decoder, those included that build on damage.
        frames_decoded: usize,
        /// FFmpeg's words, or ours.
        detail: String,
    },
    /// The file took longer than [`Limits::deadline`](crate::Limits::deadline).
    #[error("took longer than {} s; raise the deadline if the file is sound", limit.as_secs_f64())]
    TimedOut {
        /// The limit that was passed.
        limit: Duration,
    },
    /// Somebody used the [`CancelToken`](crate::CancelToken); nothing is known about the file.
    #[error("was left unfinished: the work was cancelled")]
    Cancelled,
    /// The file that an index was made from is no longer the one that is there.
    #[error("has changed since it was indexed; index it again")]
    Changed,
    /// Whoever asked for clips did not want them when they saw the file's index.
    #[error("was refused: {reason}")]
    Refused {
        /// The caller's words.
        reason: String,
    },
    /// A function panicked over this file.
    #[error("made the program itself fail: {message}; please report it, if possible with the file")]
    Panicked {
        /// The words of the panic.
        message: String,
    },
    /// More pixels than [`Limits::max_pixels_per_frame`](crate::Limits::max_pixels_per_frame).
    #[error("needs frames of {width}x{height} pixels; at most {max_pixels} pixels a frame are allowed")]
    TooLarge {
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// The limit.
        max_pixels: u64,
    },
    /// More packets than [`Limits::max_packets`](crate::Limits::max_packets).
    #[error("holds more than {max_packets} video packets; cut it into parts, or allow more if the memory suffices")]
    TooLong {
        /// The limit.
        max_packets: usize,
    },
    /// The crop does not fit into the resized frame.
    #[error(
        "gives frames of {width}x{height} after resizing, too small for a crop of {crop_width}x{crop_height}; resize \
         the shorter side to at least the crop"
    )]
    CropTooLarge {
        /// Width after resizing.
        width: u32,
        /// Height after resizing.
        height: u32,
        /// Width of the crop.
        crop_width: u32,
        /// Height of the crop.
        crop_height: u32,
    },
    /// A wanted size of zero pixels.
    #[error("was to be resized or cropped to {width}x{height}; both sides must be at least 1 pixel")]
    NoPixels {
        /// Wanted width.
        width: u32,
        /// Wanted height.
        height: u32,
    },
    /// A plan made for another, longer file.
    #[error("has frames 0 to {}, but the plan wants frame {frame}; make the plan from this file's own index", frames.saturating_sub(1))]
    FrameOutOfRange {
        /// The frame that was wanted.
        frame: usize,
        /// How many frames there are.
        frames: usize,
    },
    /// The worker process that decoded the file is gone; only with [`isolate`](crate::isolate).
    #[error(
        "the process that decoded it {how}; other files are not affected; if its frames are large, allow more memory"
    )]
    Crashed {
        /// How it ended.
        how: String,
    },
    /// FFmpeg refused for a reason that is not the file's fault, such as lack of memory.
    #[error("could not be processed by FFmpeg: {detail}; check the free memory")]
    Library {
        /// FFmpeg's words.
        detail: String,
    },
}

impl ClipErrorKind {
    /// Whether frames that came before, or come after, the trouble can be used.
    pub(crate) fn spares_frames(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::TimedOut { .. } | Self::NothingDecodable { .. } | Self::Changed)
    }

    /// A stable, short name for tables and counters: `corrupt`, `not_media`, …
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::PermissionDenied => "permission_denied",
            Self::IsDirectory => "is_directory",
            Self::AmbiguousFolder { .. } => "ambiguous_folder",
            Self::BadFrameRate { .. } => "bad_frame_rate",
            Self::NotAFile { .. } => "not_a_file",
            Self::Empty => "empty",
            Self::Unreadable { .. } => "unreadable",
            Self::NotMedia { .. } => "not_media",
            Self::NoVideoStream { .. } => "no_video_stream",
            Self::UnsupportedCodec { .. } => "unsupported_codec",
            Self::UnsupportedPixelFormat { .. } => "unsupported_pixel_format",
            Self::NothingDecodable { .. } => "nothing_decodable",
            Self::Corrupt { .. } => "corrupt",
            Self::TimedOut { .. } => "timed_out",
            Self::Changed => "changed",
            Self::Refused { .. } => "refused",
            Self::Panicked { .. } => "panicked",
            Self::Cancelled => "cancelled",
            Self::TooLarge { .. } => "too_large",
            Self::TooLong { .. } => "too_long",
            Self::CropTooLarge { .. } => "crop_too_large",
            Self::NoPixels { .. } => "no_pixels",
            Self::FrameOutOfRange { .. } => "frame_out_of_range",
            Self::Crashed { .. } => "crashed",
            Self::Library { .. } => "library",
        }
    }
}

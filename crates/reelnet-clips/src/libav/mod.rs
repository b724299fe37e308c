//! The corner that touches FFmpeg. Everything unsafe in this crate lies here, behind safe types: a [`Source`] of
//! packets, a [`FrameDecoder`], the [`Picture`]s it makes, and a [`Scaler`] that turns them into RGB; and a [`VideoWriter`] for the other direction.

mod about;
mod codec;
mod log;
mod pages;
mod picture;
mod scaler;
mod source;
mod stream;
mod writer;

pub use about::{FfmpegVersion, ffmpeg_version, has_decoder};
pub use log::initialise;
pub use writer::{VideoWriter, WriteError};

pub(crate) use codec::{FrameDecoder, Received};
pub(crate) use log::signs_of_loss;
pub(crate) use pages::prefer_large_pages;
pub(crate) use picture::Picture;
pub(crate) use scaler::{RgbImage, Scaler};
pub(crate) use source::{ReadFailure, Source};
pub(crate) use stream::StreamFacts;

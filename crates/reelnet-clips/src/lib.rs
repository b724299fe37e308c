//! Videos and images in, fixed-size RGB clips out.
//!
//! The journey of a file through this crate:
//!
//! 1. [`MediaIndex::open`] takes a [`Media`] (a path, bytes or a reader), reads the file's packets once, decodes nothing, and
//!    knows afterwards which frames the file really holds and when each of them is shown. What the container claims is only
//!    reported. An [`IndexCache`] remembers it for a whole library.
//! 2. [`plan`] chooses frames by those times. It is arithmetic on a [`Timeline`], and never sees a file.
//! 3. [`Decoder::clips`] walks through the file once, converts every wanted frame once, and hands back `[T, H, W, 3]`
//!    arrays of RGB bytes.
//! 4. A [`Loader`] does all this for many files at once, and hands the clips on in the order in which they were asked for.
//!
//! Whatever a file contains, the answer is a clip or a [`ClipError`] that says what is wrong with which file. Tensors,
//! networks and command lines are unknown here.

mod album;
mod animation;
mod cache;
mod cancel;
mod clip;
mod clock;
mod colour;
mod converter;
mod cubic;
mod decoder;
mod doubts;
mod endings;
mod error;
mod folder;
mod gate;
mod geometry;
mod harvest;
mod hollow;
mod index;
mod info;
pub mod isolate;
mod jpeg;
mod libav;
mod limits;
mod loader;
mod media;
mod opener;
mod order;
mod orientation;
mod packets;
pub mod plan;
#[expect(
    clippy::inline_always,
    reason = "what is not inlined is compiled without the vector instructions of its caller"
)]
mod planar;
mod ranges;
mod reference;
mod session;
#[expect(clippy::inline_always, reason = "as in `planar`")]
mod simd;
mod splice;
mod stamp;
mod still;
mod timeline;
mod visit;
mod watch;
#[expect(clippy::inline_always, reason = "as in `planar`")]
mod weights;

pub use cache::{CacheCondition, CacheError, CacheReport, IndexCache};
pub use cancel::CancelToken;
pub use clip::{Clip, Salvage, Soundness};
pub use decoder::Decoder;
pub use endings::is_no_media;
pub use error::{ClipError, ClipErrorKind};
pub use geometry::{Crop, Filter, FrameGeometry, FrameLayout, Resize};
pub use index::MediaIndex;
pub use info::VideoInfo;
pub use libav::{FfmpegVersion, VideoWriter, WriteError, ffmpeg_version, has_decoder, initialise};
pub use limits::Limits;
pub use loader::{
    Batch, BatchError, Batches, Cancelled, Loader, LoaderOptions, LoaderReport, Member, Remainder, Request, Sample,
    Wanted,
};
pub use media::Media;
pub use opener::{AnyDecoder, Opener};
pub use order::{Shard, sharded, shuffled};
pub use plan::{ClipSpec, FramePlan, PacedSpec, PastEnd, Seed};
pub use ranges::{RangeSettings, RangeSource};
pub use stamp::FileStamp;
pub use timeline::Timeline;
pub use visit::{NativeFrame, RgbFrame};
pub use watch::TimeSpent;

//! The words of `reelnet library sidecars`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::probability;

/// For which programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SidecarFormatArg {
    /// video.mp4.xmp, for digiKam, Lightroom, darktable, Immich
    Xmp,
    /// video.nfo, for Kodi, Jellyfin, Emby
    Nfo,
    /// video.mp4.txt with a tag a line, for Hydrus
    Text,
}

#[derive(Debug, Args)]
#[command(
    after_help = "What others wrote into a sidecar stays; of what this program wrote, what is no longer true goes. Videos are never touched."
)]
pub(crate) struct SidecarsArgs {
    /// Folders of the library, or below them [default: all]
    #[arg(value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = SidecarFormatArg::Xmp)]
    pub(crate) format: SidecarFormatArg,
    /// Put sidecars into this folder, as the videos lie in the library's folders, and not beside the videos
    #[arg(long, value_name = "DIR")]
    pub(crate) tree: Option<PathBuf>,
    /// Tags above the labels in the hierarchies of XMP, such as 'Auto Tags/Video' [default: none]
    #[arg(long, value_name = "TAG/TAG")]
    pub(crate) parent: Option<String>,
    /// Whose tags; may be repeated. What other models gave before is taken out [default: the newest model's]
    #[arg(long, value_name = "MODEL")]
    pub(crate) by: Vec<String>,
    /// Score that a label needs, above the thresholds of the library
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    pub(crate) min_score: f32,
    /// Write; without it, it is told what would be written
    #[arg(long)]
    pub(crate) apply: bool,
    /// One JSON object a sidecar that changes or has trouble
    #[arg(long)]
    pub(crate) json: bool,
}

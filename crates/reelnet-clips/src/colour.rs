//! Which matrix and range turn a file's YUV into RGB.
//!
//! What a file states is followed. What it does not state is assumed: still-image and VP8 codecs are BT.601 by their own
//! definition; for all others, pictures of fewer than 720 coded lines are taken for BT.601 and larger ones for BT.709,
//! as players do. The range is limited unless the pixel format says otherwise.

/// The matrix between RGB and YUV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColourMatrix {
    Bt601,
    Bt709,
    Fcc,
    Smpte240m,
    Bt2020,
    Rgb,
}

/// Codecs whose definition fixes BT.601.
const BT601_BY_DEFINITION: [&str; 5] = ["mjpeg", "mjpegb", "webp", "vp8", "ljpeg"];

impl ColourMatrix {
    pub(crate) const ALL: [Self; 6] = [Self::Bt601, Self::Bt709, Self::Fcc, Self::Smpte240m, Self::Bt2020, Self::Rgb];

    /// From a code of ITU-T H.273, which FFmpeg's `AVColorSpace` follows.
    pub(crate) fn resolve(code: i32, coded_height: u32, codec: &str) -> Self {
        match code {
            0 => Self::Rgb,
            1 => Self::Bt709,
            4 => Self::Fcc,
            5 | 6 => Self::Bt601,
            7 => Self::Smpte240m,
            9 | 10 => Self::Bt2020,
            _ if BT601_BY_DEFINITION.contains(&codec) || coded_height < 720 => Self::Bt601,
            _ => Self::Bt709,
        }
    }

    /// The shares of red and blue in luma; where there is no matrix in spite of YUV, BT.601's.
    pub(crate) fn weights(self) -> (f64, f64) {
        match self {
            Self::Bt601 | Self::Rgb => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Fcc => (0.30, 0.11),
            Self::Smpte240m => (0.212, 0.087),
            Self::Bt2020 => (0.2627, 0.0593),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bt601 => "bt601",
            Self::Bt709 => "bt709",
            Self::Fcc => "fcc",
            Self::Smpte240m => "smpte240m",
            Self::Bt2020 => "bt2020",
            Self::Rgb => "rgb",
        }
    }
}

/// Whether black is 0 or 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColourRange {
    Limited,
    Full,
}

impl ColourRange {
    pub(crate) const ALL: [Self; 2] = [Self::Limited, Self::Full];

    /// From FFmpeg's `AVColorRange`, and the name of the pixel format where that is silent.
    pub(crate) fn resolve(code: i32, pixel_format: &str) -> Self {
        let full_by_format =
            ["yuvj", "gray", "ya8", "ya16", "mono", "rgb", "bgr", "gbr", "pal8", "argb", "abgr", "0rgb"];
        match code {
            1 => Self::Limited,
            2 => Self::Full,
            _ if full_by_format.iter().any(|prefix| pixel_format.starts_with(prefix)) => Self::Full,
            _ => Self::Limited,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::Full => "full",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stated_is_followed_and_the_rest_assumed() {
        assert_eq!(ColourMatrix::resolve(1, 240, "h264"), ColourMatrix::Bt709);
        assert_eq!(ColourMatrix::resolve(2, 719, "h264"), ColourMatrix::Bt601);
        assert_eq!(ColourMatrix::resolve(2, 720, "h264"), ColourMatrix::Bt709);
        assert_eq!(ColourMatrix::resolve(2, 2160, "mjpeg"), ColourMatrix::Bt601);
        assert_eq!(ColourRange::resolve(0, "yuvj420p"), ColourRange::Full);
        assert_eq!(ColourRange::resolve(0, "yuv420p"), ColourRange::Limited);
        assert_eq!(ColourRange::resolve(2, "yuv420p"), ColourRange::Full);
    }
}

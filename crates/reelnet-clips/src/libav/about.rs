//! What the FFmpeg that is linked in can do.

use std::ffi::CString;

use ffmpeg_next::ffi;

use super::initialise;

/// The FFmpeg of this process: the libraries that were found when it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FfmpegVersion {
    /// As its makers call it, such as `5.1.9-0+deb12u1`.
    pub release: String,
    /// Of libavcodec: major, minor, micro.
    pub codec: (u32, u32, u32),
    /// Of libavformat: major, minor, micro.
    pub format: (u32, u32, u32),
}

/// Asks the libraries for their versions.
pub fn ffmpeg_version() -> FfmpegVersion {
    let split = |version: u32| (version >> 16, (version >> 8) & 0xff, version & 0xff);
    // SAFETY: the calls take nothing, and the string they return is a constant of the library.
    let (codec, format, release) = unsafe {
        let release = std::ffi::CStr::from_ptr(ffi::av_version_info());
        (ffi::avcodec_version(), ffi::avformat_version(), release.to_string_lossy().into_owned())
    };
    FfmpegVersion { release, codec: split(codec), format: split(format) }
}

/// Whether a codec of this name, such as `h264`, can be decoded.
pub fn has_decoder(codec: &str) -> bool {
    initialise();
    let Ok(name) = CString::new(codec) else { return false };
    // SAFETY: the name ends with a zero byte and outlives both calls, which keep no pointer to it.
    unsafe {
        let descriptor = ffi::avcodec_descriptor_get_by_name(name.as_ptr());
        !descriptor.is_null() && !ffi::avcodec_find_decoder((*descriptor).id).is_null()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_decoders_are_there() {
        assert!(has_decoder("h264") && has_decoder("mjpeg"));
        assert!(!has_decoder("no such codec") && !has_decoder("a\0b"));
        assert!(ffmpeg_version().codec.0 >= 59, "FFmpeg 5.1 has libavcodec 59");
    }
}

//! What a demuxer says about a stream, as plain values.
//!
//! Enumerations are read as numbers: a library newer than the headers may hold values that a Rust enumeration must not.

use std::ffi::CStr;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;

use crate::clock::Clock;
use crate::orientation::Orientation;
use crate::reference::{Fields, ReferenceReader};

/// A stream's own statements, before any frame is decoded.
#[derive(Debug, Clone)]
pub(crate) struct StreamFacts {
    pub(crate) codec: String,
    pub(crate) pixel_format: String,
    pub(crate) coded_size: [u32; 2],
    /// Width to height of a coded pixel according to the container, which overrules the codec.
    pub(crate) container_aspect: Option<(u32, u32)>,
    pub(crate) codec_aspect: Option<(u32, u32)>,
    pub(crate) clock: Clock,
    pub(crate) claimed_frames: Option<u64>,
    pub(crate) orientation: Orientation,
    pub(crate) matrix_code: i32,
    pub(crate) range_code: i32,
    /// Which packets nothing builds on, as told by their headers.
    pub(crate) references: ReferenceReader,
}

impl StreamFacts {
    /// Of pictures that are not FFmpeg's. RGB has no matrix, whatever is assumed.
    pub(crate) fn of_pictures(codec: &str, time_base: (i32, i32)) -> Self {
        Self {
            codec: codec.to_string(),
            pixel_format: String::new(),
            coded_size: [0, 0],
            container_aspect: None,
            codec_aspect: None,
            clock: Clock { time_base, stated_fps: None },
            claimed_frames: None,
            orientation: Orientation::default(),
            matrix_code: ffi::AVColorSpace::AVCOL_SPC_RGB as i32,
            range_code: ffi::AVColorRange::AVCOL_RANGE_JPEG as i32,
            references: ReferenceReader::new(codec, true, Fields::Progressive, &[]),
        }
    }

    pub(super) fn read(stream: &ffmpeg::Stream<'_>) -> Self {
        let orientation = stream
            .side_data()
            .filter(|data| data.kind() == ffmpeg::packet::side_data::Type::DisplayMatrix)
            .find_map(|data| Orientation::from_side_data(data.data()))
            .unwrap_or_default();
        // SAFETY: the stream and its parameters live as long as the format context that `stream` borrows.
        unsafe {
            let stream = &*stream.as_ptr();
            let parameters = stream.codecpar;
            let codec = codec_name(parameters);
            let references =
                ReferenceReader::new(&codec, is_intra_only(parameters), fields(parameters), extradata(parameters));
            let fps = ratio(stream.avg_frame_rate).or_else(|| ratio(stream.r_frame_rate));
            Self {
                codec,
                pixel_format: pixel_format_name((*parameters).format),
                coded_size: [(*parameters).width, (*parameters).height].map(|side| u32::try_from(side).unwrap_or(0)),
                container_aspect: ratio(stream.sample_aspect_ratio),
                codec_aspect: ratio((*parameters).sample_aspect_ratio),
                clock: Clock {
                    time_base: (stream.time_base.num, stream.time_base.den),
                    stated_fps: fps.map(|(frames, seconds)| f64::from(frames) / f64::from(seconds)),
                },
                claimed_frames: u64::try_from(stream.nb_frames).ok().filter(|&frames| frames > 0),
                orientation,
                matrix_code: code(&raw const (*parameters).color_space),
                range_code: code(&raw const (*parameters).color_range),
                references,
            }
        }
    }
}

/// FFmpeg's name of a pixel format; `unknown` for a number without one.
pub(super) fn pixel_format_name(format: i32) -> String {
    pixel_format(format).map_or_else(
        || "unknown".to_string(),
        |format| {
            // SAFETY: returns a static string or null.
            unsafe { text(ffi::av_get_pix_fmt_name(format)) }
        },
    )
}

/// The pixel format with this number, if the headers know it.
pub(super) fn pixel_format(format: i32) -> Option<ffi::AVPixelFormat> {
    let known = 0..ffi::AVPixelFormat::AV_PIX_FMT_NB as i32;
    // SAFETY: the enumeration has the layout of a C int, and its values from 0 to its count have no gaps.
    known.contains(&format).then(|| unsafe { std::mem::transmute::<i32, ffi::AVPixelFormat>(format) })
}

/// The number behind a field whose type is a C enumeration.
///
/// # Safety
/// The pointer must be valid for reading.
pub(super) unsafe fn code<E>(field: *const E) -> i32 {
    const { assert!(size_of::<E>() == size_of::<i32>(), "C enumerations are as wide as int") };
    // SAFETY: promised by the caller; any four bytes are an i32.
    unsafe { field.cast::<i32>().read() }
}

/// A positive ratio, or nothing.
pub(super) fn ratio(value: ffi::AVRational) -> Option<(u32, u32)> {
    let numerator = u32::try_from(value.num).ok().filter(|&value| value > 0)?;
    let denominator = u32::try_from(value.den).ok().filter(|&value| value > 0)?;
    Some((numerator, denominator))
}

/// # Safety
/// The parameters must be valid.
unsafe fn codec_name(parameters: *const ffi::AVCodecParameters) -> String {
    // SAFETY: the parameters are valid; the function takes any number and returns a static string.
    unsafe { text(ffi::avcodec_get_name((*parameters).codec_id)) }
}

/// Whether the codec knows no pictures that build on others.
///
/// # Safety
/// The parameters must be valid.
unsafe fn is_intra_only(parameters: *const ffi::AVCodecParameters) -> bool {
    // SAFETY: the parameters are valid; descriptors are static or null.
    unsafe {
        let descriptor = ffi::avcodec_descriptor_get((*parameters).codec_id);
        !descriptor.is_null() && (*descriptor).props & ffi::AV_CODEC_PROP_INTRA_ONLY != 0
    }
}

/// `AVFieldOrder`: 1 is progressive, whatever follows is interlaced.
///
/// # Safety
/// The parameters must be valid.
unsafe fn fields(parameters: *const ffi::AVCodecParameters) -> Fields {
    // SAFETY: the field lies within valid parameters.
    match unsafe { code(&raw const (*parameters).field_order) } {
        1 => Fields::Progressive,
        _ => Fields::Possible,
    }
}

/// The codec's own header.
///
/// # Safety
/// The parameters must be valid for as long as the bytes are used.
unsafe fn extradata<'bytes>(parameters: *const ffi::AVCodecParameters) -> &'bytes [u8] {
    // SAFETY: FFmpeg states the size of what it points to.
    unsafe {
        match (usize::try_from((*parameters).extradata_size), (*parameters).extradata) {
            (Ok(size), data) if size > 0 && !data.is_null() => std::slice::from_raw_parts(data, size),
            _ => &[],
        }
    }
}

/// # Safety
/// The pointer must be null or a string that ends with a zero.
pub(super) unsafe fn text(pointer: *const std::ffi::c_char) -> String {
    if pointer.is_null() {
        return "unknown".to_string();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

//! FFmpeg's own words: kept for error messages, kept off stderr.

use std::sync::Once;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;

/// Prepares FFmpeg and takes over its log. Called by everything that needs it; calling it again does nothing.
///
/// The log callback belongs to the process: from now on no part of it sees FFmpeg's lines on stderr.
pub fn initialise() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Only registers what static builds of old versions left unregistered; it has no failure that matters here.
        let _ = ffmpeg::init();
        capture::install();
    });
}

/// FFmpeg's last complaints on this thread, and forgets them.
pub(super) fn take_complaints() -> Option<String> {
    capture::take()
}

/// What demuxers say when a file is cut or its lengths contradict each other, and then read on as if nothing were.
const SIGNS_OF_LOSS: [&str; 3] = ["ended prematurely", "exceeds containing master element", "Truncating packet"];

/// Why what was read is not all that the file was written with, if its demuxer noticed. Matroska is read to its last byte like a
/// whole file, and only a line of FFmpeg's log tells that its last element is cut, or that a damaged one was jumped over.
pub(crate) fn signs_of_loss() -> Option<String> {
    take_complaints().filter(|lines| SIGNS_OF_LOSS.iter().any(|sign| lines.contains(sign)))
}

/// How many errors FFmpeg's decoders have complained of on this thread so far. Most of what they mend on their own, and then
/// hand out as a picture like any other, is told here and nowhere else.
pub(super) fn decoder_errors() -> u64 {
    capture::decoder_errors()
}

/// An FFmpeg error in words: its last complaints, or else the meaning of its code.
pub(super) fn describe(error: ffmpeg::Error) -> String {
    take_complaints().unwrap_or_else(|| error.to_string().to_lowercase())
}

/// A C `va_list` argument has this shape on these machines only.
#[cfg(all(target_arch = "x86_64", unix))]
mod capture {
    use std::cell::{Cell, RefCell};
    use std::ffi::CStr;

    use super::ffi;

    /// The first complaint is usually the cause, and the later ones its echo.
    const KEPT_LINES: usize = 2;
    const LINE_BYTES: usize = 400;

    thread_local! {
        static COMPLAINTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        static DECODER_ERRORS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn install() {
        // SAFETY: the callback is a plain function that may be called from any thread at any time.
        unsafe { ffi::av_log_set_callback(Some(on_line)) };
    }

    pub(super) fn take() -> Option<String> {
        let lines = COMPLAINTS.try_with(|lines| lines.try_borrow_mut().map(|mut lines| std::mem::take(&mut *lines)));
        let lines = lines.ok()?.ok()?;
        (!lines.is_empty()).then(|| lines.join("; "))
    }

    pub(super) fn decoder_errors() -> u64 {
        DECODER_ERRORS.try_with(Cell::get).unwrap_or(0)
    }

    /// # Safety
    /// The context must be null or start with a pointer to its class, as FFmpeg's log demands.
    unsafe fn is_decoder(context: *mut libc_void) -> bool {
        // SAFETY: promised by the caller; the class of codecs is static.
        !context.is_null() && unsafe { *context.cast::<*const ffi::AVClass>() == ffi::avcodec_get_class() }
    }

    unsafe extern "C" fn on_line(
        context: *mut libc_void,
        level: i32,
        format: *const std::ffi::c_char,
        arguments: *mut ffi::__va_list_tag,
    ) {
        if level & 0xff > ffi::AV_LOG_ERROR || format.is_null() {
            return;
        }
        // SAFETY: FFmpeg hands over what it logs for.
        if unsafe { is_decoder(context) } {
            let _ = DECODER_ERRORS.try_with(|errors| errors.set(errors.get() + 1));
        }
        let mut line: [std::ffi::c_char; LINE_BYTES] = [0; LINE_BYTES];
        let mut print_prefix = 0;
        // SAFETY: FFmpeg hands over a format and its matching arguments; the buffer has the size that is passed. The
        // context is left out, so that lines hold no addresses.
        let length = unsafe {
            ffi::av_log_format_line2(
                std::ptr::null_mut(),
                level,
                format,
                arguments,
                line.as_mut_ptr(),
                i32::try_from(LINE_BYTES).unwrap_or(0),
                &raw mut print_prefix,
            )
        };
        if length <= 0 {
            return;
        }
        // SAFETY: the line was filled above, and FFmpeg ends it with a zero within the buffer.
        let text = unsafe { CStr::from_ptr(line.as_ptr()) }.to_string_lossy();
        let text = text.trim().trim_end_matches('.');
        if text.is_empty() {
            return;
        }
        // Must not panic: this frame is called from C, possibly while the thread ends.
        let _ = COMPLAINTS.try_with(|lines| {
            if let Ok(mut lines) = lines.try_borrow_mut()
                && lines.len() < KEPT_LINES
                && lines.last().is_none_or(|last| last != text)
            {
                lines.push(text.to_string());
            }
        });
    }

    use std::ffi::c_void as libc_void;
}

/// Elsewhere FFmpeg is silenced, and error codes must speak for themselves.
#[cfg(not(all(target_arch = "x86_64", unix)))]
mod capture {
    use super::ffi;

    pub(super) fn install() {
        // SAFETY: sets one process-wide number.
        unsafe { ffi::av_log_set_level(ffi::AV_LOG_QUIET) };
    }

    pub(super) fn take() -> Option<String> {
        None
    }

    pub(super) fn decoder_errors() -> u64 {
        0
    }
}

//! Memory in large pages, where the kernel leaves that to whoever asks (`madvise`, the default of many distributions).
//!
//! A clip of 32 frames of 1280x720 pixels lies on 21,600 pages of 4 KiB, each of which the kernel maps and clears when it is
//! first written: with the full size of frames that costs as much as decoding them.

/// Below this size large pages would cost more memory than they save time.
const WORTHWHILE_BYTES: usize = 1 << 20;

/// Asks for large pages under these bytes, which should not have been written yet. Nothing depends on the answer.
pub(crate) fn prefer_large_pages(bytes: &mut [u8]) {
    if bytes.len() < WORTHWHILE_BYTES {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        // SAFETY: asks for a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096).max(1);
        // Outwards, so that what is allocated next to it can share its large pages.
        let start = bytes.as_mut_ptr().map_addr(|address| address / page * page);
        let length = (bytes.as_mut_ptr().addr() + bytes.len()).next_multiple_of(page) - start.addr();
        // SAFETY: all pages hold some of the bytes, so they are mapped; the advice changes neither what they hold nor who
        // may use them.
        let _ = unsafe { libc::madvise(start.cast(), length, libc::MADV_HUGEPAGE) };
    }
}

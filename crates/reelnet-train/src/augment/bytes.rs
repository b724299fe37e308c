//! Loops over all bytes or pixels of a clip.

use ndarray::Array4;

/// All bytes of a clip, frame by frame and row by row.
///
/// # Panics
/// If they do not lie in that order; every clip of an augmenter does.
pub(super) fn bytes_of(clip: &mut Array4<u8>) -> &mut [u8] {
    clip.as_slice_mut().expect("a clip in its standard layout")
}

/// All pixels of a clip.
pub(super) fn pixels_of(clip: &mut Array4<u8>) -> &mut [[u8; 3]] {
    bytes_of(clip).as_chunks_mut().0
}

/// Each byte by a function of it.
pub(super) fn map(clip: &mut Array4<u8>, function: impl Fn(u8) -> u8) {
    for byte in bytes_of(clip) {
        *byte = function(*byte);
    }
}

/// Each byte by a table, for functions that would take longer than a look at one.
pub(super) fn look_up(clip: &mut Array4<u8>, function: impl Fn(u8) -> u8) {
    let table = table(function);
    map(clip, |byte| table[usize::from(byte)]);
}

/// Each byte by the table of its channel.
pub(super) fn look_up_by_channel(clip: &mut Array4<u8>, tables: &[[u8; 256]; 3]) {
    for pixel in pixels_of(clip) {
        for (byte, table) in pixel.iter_mut().zip(tables) {
            *byte = table[usize::from(*byte)];
        }
    }
}

/// A function of bytes, as a table.
pub(super) fn table(function: impl Fn(u8) -> u8) -> [u8; 256] {
    let mut table = [0; 256];
    for (byte, entry) in (0..=u8::MAX).zip(&mut table) {
        *entry = function(byte);
    }
    table
}

/// How often each byte occurs in each channel.
pub(super) fn histograms(clip: &mut Array4<u8>) -> [[u64; 256]; 3] {
    let mut counts = [[0; 256]; 3];
    for pixel in pixels_of(clip) {
        for (byte, counts) in pixel.iter().zip(&mut counts) {
            counts[usize::from(*byte)] += 1;
        }
    }
    counts
}

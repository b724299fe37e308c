//! Random erasing (Zhong et al. 2017, arXiv 1708.04896): one rectangle, the same in all frames.

use ndarray::Array4;
use rand_chacha::rand_core::Rng;

use super::bytes::bytes_of;
use super::config::{ErasingConfig, ErasingFill};
use super::crop::{Rectangle, rectangle};
use super::draws::Draws;

pub(super) fn erase(clip: &mut Array4<u8>, config: &ErasingConfig, draws: &mut Draws) {
    if !draws.chance(config.probability) {
        return;
    }
    let (_, height, width, channels) = clip.dim();
    let Some(Rectangle { left, top, width: covered_width, height: covered_height }) =
        rectangle([width, height], config.area, config.aspect, draws)
    else {
        return;
    };
    let row_bytes = covered_width * channels;
    let mut cover = vec![128; covered_height * row_bytes];
    if config.fill == ErasingFill::Noise {
        draws.generator().fill_bytes(&mut cover);
    }
    for frame in bytes_of(clip).chunks_exact_mut(height * width * channels) {
        let rows = frame.chunks_exact_mut(width * channels).skip(top);
        for (row, cover) in rows.zip(cover.chunks_exact(row_bytes)) {
            row[left * channels..][..row_bytes].copy_from_slice(cover);
        }
    }
}

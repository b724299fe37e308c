//! Pictures.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::write_whole;

/// Writes a PNG, and makes its folder.
pub(crate) fn write_png(file: &Path, [width, height]: [u32; 2], rgb: &[u8]) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    write_whole(file, |file| encode(file, [width, height], rgb))
}

/// The bytes of a PNG.
pub(crate) fn encode_png(size: [u32; 2], rgb: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(&mut bytes, size, rgb)?;
    Ok(bytes)
}

fn encode(out: impl Write, [width, height]: [u32; 2], rgb: &[u8]) -> anyhow::Result<()> {
    let mut encoder = png::Encoder::new(out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    Ok(writer.finish()?)
}

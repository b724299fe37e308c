//! A folder of numbered images, which is a video: `000001.jpg`, `000002.jpg`, …

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::{ClipErrorKind, gate};

/// The frames per second of a folder that was named without any.
pub(crate) const DEFAULT_FPS: f64 = 25.0;

/// Endings of images, as they may number frames.
const IMAGE_ENDINGS: [&str; 11] = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "ppm", "pgm", "jp2", "tga"];

/// The images of a folder, in the order of their numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Folder {
    path: PathBuf,
    images: Vec<Numbered>,
    fps: f64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Numbered {
    number: u64,
    name: OsString,
}

impl Folder {
    /// Reads the names in a folder; opens nothing.
    pub(crate) fn list(path: &Path, fps: f64) -> Result<Self, ClipErrorKind> {
        if !(fps > 0.0 && fps <= 1000.0) {
            return Err(ClipErrorKind::BadFrameRate { fps });
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|error| gate::from_io(&error))? {
            names.push(entry.map_err(|error| gate::from_io(&error))?.file_name());
        }
        Ok(Self { path: path.to_path_buf(), images: in_order(names)?, fps })
    }

    pub(crate) fn frames(&self) -> usize {
        self.images.len()
    }

    pub(crate) fn fps(&self) -> f64 {
        self.fps
    }

    pub(crate) fn name(&self, frame: usize) -> std::ffi::os_str::Display<'_> {
        self.images[frame].name.display()
    }

    pub(crate) fn frame_path(&self, frame: usize) -> PathBuf {
        self.path.join(&self.images[frame].name)
    }

    /// Ticks after the first frame, by the images' numbers: where numbers are left out, frames are missing, and the one before
    /// the gap stays on the screen.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = i64> {
        let first = self.images.first().map_or(0, |image| image.number);
        self.images.iter().map(move |image| i64::try_from(image.number - first).unwrap_or(i64::MAX))
    }

    /// Seconds a tick, as a ratio.
    pub(crate) fn time_base(&self) -> (i32, i32) {
        const SCALE: i32 = 1_000_000;
        #[expect(clippy::cast_possible_truncation, reason = "a frame rate is at most 1000")]
        let ticks = (self.fps * f64::from(SCALE)).round().max(1.0) as i32;
        (SCALE, ticks)
    }
}

/// Those names that are numbered images of one series, by number.
fn in_order(names: Vec<OsString>) -> Result<Vec<Numbered>, ClipErrorKind> {
    let mut series: BTreeMap<Vec<u8>, BTreeMap<u64, OsString>> = BTreeMap::new();
    for name in names {
        let Some((prefix, number)) = split(&name) else { continue };
        if let Some(other) = series.entry(prefix.to_vec()).or_default().insert(number, name.clone()) {
            let detail = format!("`{}` and `{}` have the same number", other.display(), name.display());
            return Err(ClipErrorKind::AmbiguousFolder { detail });
        }
    }
    if series.len() > 1 {
        let prefixes: Vec<String> =
            series.keys().take(3).map(|prefix| format!("`{}…`", String::from_utf8_lossy(prefix))).collect();
        let detail = format!("its images belong to several series ({})", prefixes.join(", "));
        return Err(ClipErrorKind::AmbiguousFolder { detail });
    }
    let images = series.into_values().next().ok_or(ClipErrorKind::IsDirectory)?;
    Ok(images.into_iter().map(|(number, name)| Numbered { number, name }).collect())
}

/// What stands before the number of an image's name, and the number. Hidden files are no images: macOS leaves a `._` file
/// beside each one on foreign disks.
fn split(name: &OsStr) -> Option<(&[u8], u64)> {
    let path = Path::new(name);
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    let stem = path.file_stem()?.as_encoded_bytes();
    if !IMAGE_ENDINGS.contains(&ending.as_str()) || stem.starts_with(b".") {
        return None;
    }
    let digits = stem.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (prefix, digits) = stem.split_at(stem.len() - digits);
    Some((prefix, std::str::from_utf8(digits).ok()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str]) -> Result<Vec<String>, ClipErrorKind> {
        let images = in_order(names.iter().map(OsString::from).collect())?;
        Ok(images.into_iter().map(|image| image.name.display().to_string()).collect())
    }

    #[test]
    fn numbers_count_and_not_letters() {
        assert_eq!(
            listed(&["10.jpg", "9.jpg", "1.JPG", "notes.txt", "._1.jpg", "cover.jpg"]).expect("a series"),
            ["1.JPG", "9.jpg", "10.jpg"]
        );
        assert_eq!(listed(&["v2_0100.png", "v2_0099.png"]).expect("a series"), ["v2_0099.png", "v2_0100.png"]);
    }

    #[test]
    fn what_is_no_single_series_is_refused() {
        for (names, kind) in [
            (&["a.jpg", "b.txt", "3.txt"][..], "is_directory"),
            (&[], "is_directory"),
            (&["99999999999999999999.jpg"], "is_directory"),
            (&["a1.jpg", "b1.jpg"], "ambiguous_folder"),
            (&["1.jpg", "01.jpg"], "ambiguous_folder"),
            (&["1.jpg", "1.png"], "ambiguous_folder"),
        ] {
            assert_eq!(listed(names).expect_err("no series").name(), kind, "{names:?}");
        }
    }

    #[test]
    fn missing_numbers_leave_time() {
        let images = in_order(["f07.png", "f08.png", "f11.png"].map(OsString::from).to_vec()).expect("a series");
        let folder = Folder { path: PathBuf::new(), images, fps: 10.0 };
        assert_eq!(folder.ticks().collect::<Vec<_>>(), [0, 1, 4]);
        assert_eq!(folder.time_base(), (1_000_000, 10_000_000));
    }
}

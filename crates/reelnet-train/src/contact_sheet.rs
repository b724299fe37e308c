//! A contact sheet: many clips as one picture.

use ndarray::{Array4, ArrayView3, Axis};

/// Pictures in a row.
const COLUMNS: usize = 8;
/// Pixels between pictures.
const GAP: usize = 2;
/// What is between pictures; neither black nor white, which pictures are.
const BETWEEN: u8 = 96;

/// A picture of pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactSheet {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue, row by row.
    pub rgb: Vec<u8>,
}

impl ContactSheet {
    /// A row a clip, with up to eight of its frames; or eight images a row. All frames are squares of one size. Nothing if there
    /// are none.
    ///
    /// # Shapes
    /// - each clip: `[frames, side, side, 3]`
    pub(crate) fn new(clips: &[&Array4<u8>]) -> Option<Self> {
        let pictures: Vec<ArrayView3<u8>> = clips.iter().flat_map(|clip| pictures(clip)).collect();
        let side = pictures.first()?.dim().0;
        let frames = clips.iter().map(|clip| clip.dim().0).max()?;
        let columns = if frames == 1 { COLUMNS.min(pictures.len()) } else { frames.min(COLUMNS) };
        let rows = pictures.len().div_ceil(columns);
        let [width, height] = [columns, rows].map(|count| count * (side + GAP) + GAP);
        let mut rgb = vec![BETWEEN; width * height * 3];
        for (place, picture) in pictures.iter().enumerate() {
            let [left, top] = [place % columns, place / columns].map(|count| count * (side + GAP) + GAP);
            for (y, row) in picture.outer_iter().enumerate() {
                let start = ((top + y) * width + left) * 3;
                for (byte, value) in rgb[start..start + side * 3].iter_mut().zip(&row) {
                    *byte = *value;
                }
            }
        }
        Some(Self { width, height, rgb })
    }
}

/// A clip's first and last frame, and others evenly between them.
fn pictures(clip: &Array4<u8>) -> impl Iterator<Item = ArrayView3<'_, u8>> {
    let frames = clip.dim().0;
    let shown = frames.min(COLUMNS);
    let last = shown.saturating_sub(1).max(1);
    (0..shown).map(move |place| clip.index_axis(Axis(0), place * frames.saturating_sub(1) / last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(frames: usize, first: u8) -> Array4<u8> {
        Array4::from_shape_fn([frames, 3, 3, 3], |(frame, ..)| first + u8::try_from(frame).expect("few"))
    }

    /// The byte in the middle of each place.
    fn bytes(sheet: &ContactSheet) -> Vec<Vec<u8>> {
        let at = |x: usize, y: usize| sheet.rgb[(y * sheet.width + x) * 3];
        (0..sheet.height / 5)
            .map(|row| (0..sheet.width / 5).map(|column| at(column * 5 + 3, row * 5 + 3)).collect())
            .collect()
    }

    #[test]
    fn clips_have_rows_and_images_share_them() {
        assert_eq!(ContactSheet::new(&[]), None);
        let sheet = ContactSheet::new(&[&flat(15, 0), &flat(15, 100)]).expect("pictures");
        assert_eq!((sheet.width, sheet.height), (8 * 5 + 2, 2 * 5 + 2));
        assert_eq!(bytes(&sheet)[0], [0, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(bytes(&sheet)[1][7], 114);
        assert_eq!(sheet.rgb[0], BETWEEN);
        let images: Vec<Array4<u8>> = (0..9).map(|image| flat(1, image)).collect();
        let sheet = ContactSheet::new(&images.iter().collect::<Vec<_>>()).expect("pictures");
        assert_eq!(bytes(&sheet), [vec![0, 1, 2, 3, 4, 5, 6, 7], vec![8, 96, 96, 96, 96, 96, 96, 96]]);
    }
}

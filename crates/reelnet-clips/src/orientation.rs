//! How decoded pixels must be turned to look as they were meant to: the display matrix of phones and cameras.
//!
//! A display matrix can hold any affine map; cameras write quarter turns and mirror images. Anything else is taken for
//! the nearest of these eight, and its scale and translation are ignored.

/// One of the eight ways to turn and mirror a picture: first transpose, then mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Orientation {
    pub(crate) axes: Axes,
    pub(crate) horizontal: Direction,
    pub(crate) vertical: Direction,
}

/// Whether rows of the decoded picture are rows of the shown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Axes {
    #[default]
    Kept,
    Swapped,
}

/// Whether the shown picture runs along an axis as the decoded one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Direction {
    #[default]
    Kept,
    Reversed,
}

impl Direction {
    fn of(scale: i64) -> Self {
        if scale < 0 { Self::Reversed } else { Self::Kept }
    }

    fn apply(self, position: usize, size: usize) -> usize {
        match self {
            Self::Kept => position,
            Self::Reversed => size - 1 - position,
        }
    }
}

impl Orientation {
    /// From FFmpeg's 3x3 matrix in rows, a point (x, y) being shown at (x·m0 + y·m3, x·m1 + y·m4).
    pub(crate) fn from_display_matrix(matrix: [i32; 9]) -> Self {
        let [x_to_x, x_to_y, y_to_x, y_to_y] = [matrix[0], matrix[1], matrix[3], matrix[4]].map(i64::from);
        if x_to_y.abs() + y_to_x.abs() > x_to_x.abs() + y_to_y.abs() {
            Self { axes: Axes::Swapped, horizontal: Direction::of(y_to_x), vertical: Direction::of(x_to_y) }
        } else {
            Self { axes: Axes::Kept, horizontal: Direction::of(x_to_x), vertical: Direction::of(y_to_y) }
        }
    }

    /// From the number that EXIF gives to it (CIPA DC-008, tag 274), which says where the first row and the first column of
    /// the stored picture belong.
    pub(crate) fn from_exif(number: u32) -> Option<Self> {
        use Direction::{Kept, Reversed};
        let (axes, horizontal, vertical) = match number {
            1 => (Axes::Kept, Kept, Kept),
            2 => (Axes::Kept, Reversed, Kept),
            3 => (Axes::Kept, Reversed, Reversed),
            4 => (Axes::Kept, Kept, Reversed),
            5 => (Axes::Swapped, Kept, Kept),
            6 => (Axes::Swapped, Reversed, Kept),
            7 => (Axes::Swapped, Reversed, Reversed),
            8 => (Axes::Swapped, Kept, Reversed),
            _ => return None,
        };
        Some(Self { axes, horizontal, vertical })
    }

    /// From the bytes of FFmpeg's side data, nine 32-bit numbers in the machine's order.
    pub(crate) fn from_side_data(bytes: &[u8]) -> Option<Self> {
        let mut matrix = [0; 9];
        for (value, bytes) in matrix.iter_mut().zip(bytes.get(..36)?.chunks_exact(4)) {
            *value = i32::from_ne_bytes(bytes.try_into().ok()?);
        }
        Some(Self::from_display_matrix(matrix))
    }

    /// Clockwise degrees of the turn; a mirror image is a left-right mirror after it.
    pub(crate) fn rotation_degrees(self) -> u32 {
        use Direction::{Kept, Reversed};
        match (self.axes, self.horizontal, self.vertical) {
            (Axes::Kept, _, Kept) => 0,
            (Axes::Kept, _, Reversed) => 180,
            (Axes::Swapped, _, Kept) => 90,
            (Axes::Swapped, _, Reversed) => 270,
        }
    }

    /// Whether the picture is a mirror image, and not only turned.
    pub(crate) fn is_mirrored(self) -> bool {
        let reversals = usize::from(self.horizontal == Direction::Reversed)
            + usize::from(self.vertical == Direction::Reversed)
            + usize::from(self.axes == Axes::Swapped);
        reversals % 2 == 1
    }

    /// Width and height as shown of a picture of that size as decoded, and back.
    pub(crate) fn swap_sides<T>(self, [width, height]: [T; 2]) -> [T; 2] {
        match self.axes {
            Axes::Kept => [width, height],
            Axes::Swapped => [height, width],
        }
    }

    /// Where the pixel that is shown at (x, y) lies in the decoded picture.
    pub(crate) fn source_of(self, [x, y]: [usize; 2], [shown_width, shown_height]: [usize; 2]) -> [usize; 2] {
        self.swap_sides([self.horizontal.apply(x, shown_width), self.vertical.apply(y, shown_height)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i32 = 1 << 16;

    /// Turns the picture `0 1 2 / 3 4 5`.
    fn turned(matrix: [i32; 4]) -> (Vec<Vec<usize>>, u32, bool) {
        let [a, b, c, d] = matrix;
        let orientation = Orientation::from_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30]);
        let [width, height] = orientation.swap_sides([3, 2]);
        let pixels = (0..height)
            .map(|y| {
                let sources = (0..width).map(|x| orientation.source_of([x, y], [width, height]));
                sources.map(|[x, y]| y * 3 + x).collect()
            })
            .collect();
        (pixels, orientation.rotation_degrees(), orientation.is_mirrored())
    }

    #[test]
    fn all_eight_orientations() {
        assert_eq!(turned([ONE, 0, 0, ONE]), (vec![vec![0, 1, 2], vec![3, 4, 5]], 0, false));
        assert_eq!(turned([0, ONE, -ONE, 0]), (vec![vec![3, 0], vec![4, 1], vec![5, 2]], 90, false));
        assert_eq!(turned([-ONE, 0, 0, -ONE]), (vec![vec![5, 4, 3], vec![2, 1, 0]], 180, false));
        assert_eq!(turned([0, -ONE, ONE, 0]), (vec![vec![2, 5], vec![1, 4], vec![0, 3]], 270, false));
        assert_eq!(turned([-ONE, 0, 0, ONE]), (vec![vec![2, 1, 0], vec![5, 4, 3]], 0, true));
        assert_eq!(turned([ONE, 0, 0, -ONE]), (vec![vec![3, 4, 5], vec![0, 1, 2]], 180, true));
        assert_eq!(turned([0, ONE, ONE, 0]), (vec![vec![0, 3], vec![1, 4], vec![2, 5]], 90, true));
        assert_eq!(turned([0, -ONE, -ONE, 0]), (vec![vec![5, 2], vec![4, 1], vec![3, 0]], 270, true));
    }

    #[test]
    fn short_side_data_is_no_orientation() {
        assert_eq!(Orientation::from_side_data(&[0; 35]), None);
        assert_eq!(Orientation::from_side_data(&[0; 36]), Some(Orientation::default()));
    }
}

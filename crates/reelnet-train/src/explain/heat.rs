//! Heat over frames, rows and columns.

use ndarray::Array3;

/// Heat of a clip, `[frames, height, width]` of the network's last features; none is negative.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap(pub Array3<f32>);

/// Where heat is greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// The greatest heat.
    pub heat: f32,
    /// Its moment, as a share of the clip.
    pub time: f64,
    /// Its row, as a share of the frame's height.
    pub down: f64,
    /// Its column, as a share of the frame's width.
    pub across: f64,
}

impl HeatMap {
    /// The middle of the hottest cell, the first of several. Nothing if no cell has any heat.
    pub fn peak(&self) -> Option<Peak> {
        let (frames, height, width) = self.0.dim();
        let hottest = |best: Option<([usize; 3], f32)>, ((t, y, x), &heat): ((usize, usize, usize), &f32)| match best {
            Some((_, most)) if most >= heat => best,
            _ => (heat > 0.0).then_some(([t, y, x], heat)).or(best),
        };
        let ([t, y, x], heat) = self.0.indexed_iter().fold(None, hottest)?;
        let middle = |cell: usize, cells: usize| (cell as f64 + 0.5) / cells as f64;
        Some(Peak { heat, time: middle(t, frames), down: middle(y, height), across: middle(x, width) })
    }

    /// The heat at another size, by straight lines between the middles of cells.
    pub fn resized(&self, [frames, height, width]: [usize; 3]) -> Array3<f32> {
        let (from_frames, from_height, from_width) = self.0.dim();
        let [over_time, over_rows, over_columns] =
            [(frames, from_frames), (height, from_height), (width, from_width)].map(|(to, from)| between(to, from));
        let blend = |[low, high]: [f32; 2], share: f32| low + (high - low) * share;
        Array3::from_shape_fn([frames, height, width], |(t, y, x)| {
            let (times, time) = over_time[t];
            let (rows, row) = over_rows[y];
            let (columns, column) = over_columns[x];
            let line = |t: usize, y: usize| blend(columns.map(|x| self.0[[t, y, x]]), column);
            let plane = |t: usize| blend(rows.map(|y| line(t, y)), row);
            blend(times.map(plane), time)
        })
    }
}

/// For each of `to` cells, the two of `from` cells whose middles it lies between, and how near to the second one.
fn between(to: usize, from: usize) -> Vec<([usize; 2], f32)> {
    let last = from - 1;
    let place = |cell: usize| ((cell as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, last as f64);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cell, and the share of one")]
    let neighbours = |at: f64| ([at as usize, (at as usize + 1).min(last)], at.fract() as f32);
    (0..to).map(|cell| neighbours(place(cell))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(size: [usize; 3], at: [usize; 3]) -> HeatMap {
        HeatMap(Array3::from_shape_fn(size, |(t, y, x)| f32::from(u8::from([t, y, x] == at))))
    }

    #[test]
    fn the_peak_is_the_middle_of_its_cell() {
        let peak = spot([4, 2, 8], [1, 1, 6]).peak().expect("there is heat");
        assert_eq!((peak.heat, peak.time, peak.down, peak.across), (1.0, 0.375, 0.75, 0.8125));
        assert_eq!(HeatMap(Array3::zeros([2, 2, 2])).peak(), None);
    }

    #[test]
    fn a_larger_map_has_its_peak_at_the_same_place() {
        let large = spot([2, 4, 4], [1, 3, 0]).resized([8, 64, 64]);
        assert_eq!(large[[7, 63, 0]], 1.0);
        assert_eq!(large[[0, 63, 0]], 0.0);
        // Halfway between two middles it is half.
        let line = spot([1, 1, 2], [0, 0, 1]).resized([1, 1, 4]);
        assert_eq!(line.iter().copied().collect::<Vec<_>>(), [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(spot([1, 1, 1], [0, 0, 0]).resized([3, 2, 2]).sum(), 12.0);
    }
}

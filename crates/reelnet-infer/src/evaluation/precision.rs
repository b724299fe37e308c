//! Average precision, class by class: for videos that have several classes.

/// Scores of one class, and whether each video is of it; ties stand in the order of the list.
///
/// The mean, over the videos of the class, of the share of its videos among those ranked as high: the area under the curve of precision
/// against recall, not interpolated. `None` without videos of the class.
pub fn average_precision(scores: &[f32], is_of_class: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len().min(is_of_class.len())).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let (mut found, mut sum) = (0_u64, 0.0);
    for (rank, video) in order.into_iter().enumerate() {
        if is_of_class[video] {
            found += 1;
            sum += found as f64 / (rank + 1) as f64;
        }
    }
    (found > 0).then(|| sum / found as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_taken_at_each_of_the_class() {
        let is_of_class = [true, false, true, false];
        assert_eq!(average_precision(&[0.9, 0.8, 0.7, 0.1], &is_of_class), Some(f64::midpoint(1.0, 2.0 / 3.0)));
        assert_eq!(average_precision(&[0.1, 0.2], &[false, false]), None);
        // Ties stand as they are listed, whichever is right.
        assert_eq!(average_precision(&[0.5, 0.5], &[false, true]), Some(0.5));
    }
}

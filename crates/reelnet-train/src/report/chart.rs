//! Curves as SVG.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Room for numbers and names.
const LEFT: f64 = 56.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 24.0;
/// Points of a curve; more are averaged in groups.
const POINTS: usize = 360;
/// Okabe and Ito's: told apart by those who see red and green alike too.
const COLOURS: [&str; 6] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];
/// Names of curves beside the title; more are written in further lines.
const NAMES: u32 = 3;
const NAME_HEIGHT: f64 = 16.0;
const LINES: u32 = 4;
/// Points that are marked: of a curve with more, each is nobody's concern, and a curve of one is no line.
const MARKED: usize = 40;

/// What most charts are over.
pub(super) const STEP: &str = "step";

/// Curves in one frame.
pub(super) struct Chart<'points> {
    pub(super) title: &'static str,
    /// What is counted from left to right.
    pub(super) axis: &'static str,
    pub(super) series: Vec<Series<'points>>,
}

/// A named curve.
#[derive(Clone)]
pub(super) struct Series<'points> {
    /// Text of HTML.
    name: &'points str,
    points: &'points [[f64; 2]],
}

impl<'points> Series<'points> {
    pub(super) fn new(name: &'points str, points: &'points [[f64; 2]]) -> Self {
        Self { name, points }
    }
}

impl Chart<'_> {
    /// An `<svg>`, or nothing where there are no points.
    pub(super) fn svg(&self) -> String {
        let all = || self.series.iter().flat_map(|series| series.points);
        let Some(last) = all().map(|point| point[0]).max_by(f64::total_cmp) else { return String::new() };
        let values = || all().map(|point| point[1]);
        let low = values().fold(0.0, f64::min);
        let high = values().fold(low + 1e-9, f64::max);
        let drawn = || self.series.iter().filter(|series| !series.points.is_empty());
        let lines = u32::try_from(drawn().count()).unwrap_or(u32::MAX).div_ceil(NAMES).max(1);
        let top = TOP + NAME_HEIGHT * f64::from(lines - 1);
        let x = |step: f64| LEFT + (WIDTH - LEFT) * step / last.max(1.0);
        let y = |value: f64| top + (HEIGHT - top - BOTTOM) * (high - value) / (high - low);

        let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-size=\"12\" font-family=\"sans-serif\">\n");
        for line in 0..=LINES {
            let value = low + (high - low) * f64::from(line) / f64::from(LINES);
            let at = y(value);
            let _ = writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{WIDTH}\" stroke=\"#ddd\"/>");
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.3}</text>",
                LEFT - 6.0,
                at + 4.0
            );
        }
        let _ = writeln!(svg, "<text x=\"0\" y=\"14\" font-weight=\"bold\">{}</text>", self.title);
        let _ = writeln!(
            svg,
            "<text x=\"{WIDTH}\" y=\"{:.1}\" text-anchor=\"end\">{} {last}</text>",
            HEIGHT - 6.0,
            self.axis
        );
        for (place, (series, colour)) in (0_u32..).zip(drawn().zip(COLOURS.iter().cycle())) {
            let mut line = String::new();
            for [step, value] in thinned(series.points) {
                let _ = write!(line, "{:.1},{:.1} ", x(step), y(value));
            }
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                line.trim()
            );
            for [step, value] in series.points.iter().filter(|_| series.points.len() <= MARKED) {
                let _ =
                    writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>", x(*step), y(*value));
            }
            let left = 180.0 + 180.0 * f64::from(place % NAMES);
            let line = 14.0 + NAME_HEIGHT * f64::from(place / NAMES);
            let _ = writeln!(svg, "<text x=\"{left}\" y=\"{line}\" fill=\"{colour}\">{}</text>", series.name);
        }
        svg += "</svg>\n";
        svg
    }
}

/// Means of groups of neighbours, where there are more points than can be seen.
fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mean =
        |group: &[[f64; 2]]| [0, 1].map(|axis| group.iter().map(|point| point[axis]).sum::<f64>() / group.len() as f64);
    points.chunks(points.len().div_ceil(POINTS).max(1)).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_fill_their_frame_and_nothing_makes_none() {
        assert_eq!(Chart { title: "loss", axis: STEP, series: vec![Series::new("training", &[])] }.svg(), "");
        let points = [[0.0, 2.0], [5.0, 1.0], [10.0, 0.0]];
        let svg = Chart { title: "loss", axis: STEP, series: vec![Series::new("training", &points)] }.svg();
        assert!(svg.contains("points=\"56.0,24.0 388.0,120.0 720.0,216.0\""), "{svg}");
        assert!(svg.contains(">step 10<") && svg.contains(">2.000<") && svg.contains(">training<"), "{svg}");
        // One point that is zero.
        let svg = Chart { title: "rate", axis: STEP, series: vec![Series::new("rate", &[[0.0, 0.0]])] }.svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(svg.contains("<circle cx=\"56.0\" cy=\"216.0\""), "{svg}");
    }

    #[test]
    fn names_that_do_not_fit_beside_the_title_move_the_curves_down() {
        let points = [[0.0, 1.0], [10.0, 0.0]];
        let of = |curves: usize| {
            Chart { title: "top-1", axis: STEP, series: vec![Series::new("run", &points); curves] }.svg()
        };
        assert!(of(3).contains("points=\"56.0,24.0 ") && !of(3).contains("y=\"30\""), "{}", of(3));
        let svg = of(7);
        assert!(svg.contains("points=\"56.0,56.0 ") && svg.contains("y=\"30\"") && svg.contains("y=\"46\""), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 7);
    }

    #[test]
    fn many_points_become_few_of_the_same_mean() {
        let points: Vec<[f64; 2]> = (0..3600).map(|step| [f64::from(step), f64::from(step % 10)]).collect();
        let thin = thinned(&points);
        assert_eq!(thin.len(), 360);
        assert!(thin.iter().all(|point| (point[1] - 4.5).abs() < 1e-9));
    }
}

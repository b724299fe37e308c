//! The report of a run: one HTML file that needs nothing from elsewhere, made from the journal.

mod chart;
mod comparison;
mod confusion;
mod curves;
mod evaluation;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use chart::{Chart, STEP, Series};
use curves::Curves;

use crate::error::TrainError;
use crate::recipe::Recipe;
pub use comparison::{ComparedRun, Comparison, compare};
pub use evaluation::{Thumbnail, evaluation_page};

/// Writes the report of the run that a journal tells of.
pub(crate) fn write(recipe: &Recipe, journal: &Path, path: &Path) -> Result<(), TrainError> {
    let failed = |source| TrainError::Write { path: path.to_owned(), source };
    let curves = Curves::read(&fs::read_to_string(journal).map_err(failed)?);
    fs::write(path, page(recipe, &curves)).map_err(failed)
}

fn page(recipe: &Recipe, curves: &Curves) -> String {
    let charts = [
        Chart {
            title: "loss",
            axis: STEP,
            series: vec![
                Series::new("training", &curves.losses),
                Series::new("validation, network", &curves.network_losses),
                Series::new("validation, average", &curves.average_losses),
            ],
        },
        Chart {
            title: "top-1",
            axis: STEP,
            series: vec![
                Series::new("training, as augmented", &curves.accuracies),
                Series::new("validation, network", &curves.network_top1),
                Series::new("validation, average", &curves.average_top1),
            ],
        },
        Chart { title: "learning rate", axis: STEP, series: vec![Series::new("learning rate", &curves.rates)] },
        Chart { title: "norm of the gradient", axis: STEP, series: vec![Series::new("norm", &curves.norms)] },
    ];
    let mut rows = vec![("steps", curves.losses.len().to_string())];
    let last = |points: &[[f64; 2]]| points.last().map(|[_, value]| format!("{value:.4}"));
    rows.extend(last(&curves.network_top1).map(|value| ("top-1 of the network", value)));
    rows.extend(last(&curves.average_top1).map(|value| ("top-1 of the average", value)));
    rows.extend(curves.test_top1.map(|value| ("top-1 on the test set", format!("{value:.4}"))));
    rows.extend([
        ("hours in steps", format!("{:.2}", curves.seconds / 3600.0)),
        ("of these waiting for data", format!("{:.1} %", 100.0 * curves.waited / curves.seconds.max(1e-9))),
        ("bad samples", curves.bad_samples.to_string()),
    ]);
    let mut page = head(&recipe.name) + "<table>\n";
    for (name, value) in rows {
        let _ = writeln!(page, "<tr><td>{name}<td>{value}");
    }
    page += "</table>\n";
    for chart in charts {
        page += &chart.svg();
    }
    if let Some(confused) = &curves.confusion {
        page += &confusion::section(confused);
    }
    let _ = writeln!(page, "<h2>recipe</h2>\n<pre>{}</pre>\n</html>", escaped(&recipe.to_text()));
    page
}

/// The beginning of a page. Nothing in it comes from elsewhere.
fn head(title: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title>\n<style>body{{font:15px sans-serif;max-width:46em;margin:2em auto;padding:0 1em}}\
         td,th{{padding:0 1em 0 0;text-align:left;font-weight:normal}}pre{{background:#f4f4f4;padding:1em;overflow:auto}}\
         svg{{width:100%;height:auto}}.wide{{overflow-x:auto}}{style}</style>\n<h1>{title}</h1>\n",
        title = escaped(title),
        style = confusion::STYLE,
    )
}

/// Text that means itself in HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_means_itself() {
        assert_eq!(escaped("a <b> & \"c\""), "a &lt;b&gt; &amp; &quot;c&quot;");
    }
}

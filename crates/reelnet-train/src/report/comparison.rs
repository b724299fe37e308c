//! Several runs side by side: their curves in one page, and how many steps each needed.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chart::{Chart, STEP, Series};
use super::curves::Curves;
use super::{escaped, head};
use crate::error::TrainError;
use crate::run_folder;

/// Which points of a run are drawn.
type Points = fn(&Curves) -> &[[f64; 2]];

/// What the runs came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The top-1 in validation that the steps were counted to.
    pub target: f64,
    /// In the order that they were named in.
    pub runs: Vec<ComparedRun>,
    /// Charts and numbers in one HTML page that needs nothing from elsewhere.
    #[serde(skip)]
    pub page: String,
}

/// One of the runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedRun {
    /// The folder.
    pub folder: PathBuf,
    /// Steps that the journal tells of.
    pub steps: usize,
    /// Seconds in them.
    pub seconds: f64,
    /// The first validation whose top-1 reached the target: of the average where there is one.
    pub reached_at: Option<f64>,
    /// Top-1 of the last validation.
    pub top1: Option<f64>,
    /// Top-1 on the test set.
    pub test_top1: Option<f64>,
}

/// Reads the journals of runs, which need not be finished.
///
/// # Errors
/// If a folder has no journal that can be read.
pub fn compare(folders: &[PathBuf], target: f64) -> Result<Comparison, TrainError> {
    let read = |folder: &PathBuf| {
        let path = folder.join(run_folder::JOURNAL);
        let text = fs::read_to_string(&path).map_err(|source| TrainError::Read { path, source })?;
        Ok(Curves::read(&text))
    };
    let curves = folders.iter().map(read).collect::<Result<Vec<_>, TrainError>>()?;
    let runs: Vec<_> = folders.iter().zip(&curves).map(|(folder, curves)| compared(folder, curves, target)).collect();
    let page = page(&runs, &curves, target);
    Ok(Comparison { target, runs, page })
}

fn compared(folder: &Path, curves: &Curves, target: f64) -> ComparedRun {
    let top1 = validation(curves);
    ComparedRun {
        folder: folder.to_owned(),
        steps: curves.losses.len(),
        seconds: curves.seconds,
        reached_at: top1.iter().find(|point| point[1] >= target).map(|point| point[0]),
        top1: top1.last().map(|point| point[1]),
        test_top1: curves.test_top1,
    }
}

/// Top-1 in validation of what the bundle gets.
fn validation(curves: &Curves) -> &[[f64; 2]] {
    if curves.average_top1.is_empty() { &curves.network_top1 } else { &curves.average_top1 }
}

fn page(runs: &[ComparedRun], curves: &[Curves], target: f64) -> String {
    let names: Vec<String> = runs.iter().map(|run| escaped(&name(&run.folder))).collect();
    let mut page = head("runs side by side");
    page += &format!(
        "<div class=\"wide\"><table>\n<tr><th>run<th>steps<th>hours<th>steps to {target}<th>top-1<th>test top-1\n"
    );
    for (run, name) in runs.iter().zip(&names) {
        let told = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        page += &format!(
            "<tr><td>{name}<td>{}<td>{:.2}<td>{}<td>{}<td>{}\n",
            run.steps,
            run.seconds / 3600.0,
            told(run.reached_at, 0),
            told(run.top1, 4),
            told(run.test_top1, 4),
        );
    }
    page += "</table></div>\n";
    let charts: [(&'static str, Points); 3] = [
        ("top-1, validation", validation),
        ("loss, training", |curves| &curves.losses),
        ("learning rate", |curves| &curves.rates),
    ];
    for (title, points) in charts {
        let series = names.iter().zip(curves).map(|(name, curves)| Series::new(name, points(curves))).collect();
        page += &Chart { title, axis: STEP, series }.svg();
    }
    page + "</html>\n"
}

/// A run is called by its folder.
fn name(folder: &Path) -> String {
    folder.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(folder: &Path, lines: &[String]) -> PathBuf {
        fs::create_dir_all(folder).expect("a folder");
        fs::write(folder.join(run_folder::JOURNAL), lines.join("\n")).expect("a journal");
        folder.to_owned()
    }

    #[test]
    fn runs_are_told_apart_by_the_step_that_reached_the_target() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let run = |name: &str, rises: &[u32]| {
            let steps =
                (1..=40).map(|step| format!("{{\"event\":\"step\",\"step\":{step},\"loss\":1.5,\"seconds\":9.0}}"));
            let validations = rises.iter().zip([10, 20, 30, 40]).map(|(top1, step)| {
                format!(
                    "{{\"event\":\"validation\",\"step\":{step},\"weights\":\"ema\",\"files\":10,\"top1\":{top1},\"loss_sum\":1.0}}"
                )
            });
            journal(&root.path().join(name), &steps.chain(validations).collect::<Vec<_>>())
        };
        let folders = [run("from <2D>", &[6, 9, 9, 10]), run("from scratch", &[1, 2, 5, 8])];
        let comparison = compare(&folders, 0.9).expect("two journals");
        let of = |run: &ComparedRun| (run.steps, run.seconds, run.reached_at, run.top1, run.test_top1);
        assert_eq!(of(&comparison.runs[0]), (40, 360.0, Some(20.0), Some(1.0), None));
        assert_eq!(of(&comparison.runs[1]), (40, 360.0, None, Some(0.8), None));
        let page = comparison.page;
        assert!(page.contains("<tr><td>from &lt;2D&gt;<td>40<td>0.10<td>20<td>1.0000<td>-"), "{page}");
        // Nobody told a learning rate, and what has no points is not drawn.
        assert_eq!((page.matches("<svg").count(), page.matches("<polyline").count()), (2, 4));
        let missing = compare(&[root.path().join("nowhere")], 0.9).expect_err("no journal").to_string();
        assert!(missing.contains("nowhere"), "{missing}");
    }
}

//! What is shown while a run goes on.

use reelnet_train::Accuracy;
use reelnet_train::data::Findings;
use reelnet_train::journal::{Record, WeightsOf};

use crate::output::{Progress, say};

/// How much of what was shown before stays in a mean.
const KEPT: f64 = 0.9;
/// Bad samples that are told one by one; the journal has them all.
const TOLD: u64 = 10;

/// A bar on a terminal, lines elsewhere.
#[derive(Default)]
pub(super) struct Screen {
    progress: Option<Progress>,
    means: Option<Means>,
    bad: u64,
}

/// Running means over steps.
struct Means {
    loss: f64,
    accuracy: f64,
    clips_per_second: f64,
    waiting: f64,
}

impl Screen {
    pub(super) fn show(&mut self, record: &Record) {
        match record {
            Record::Start {
                step,
                steps,
                samples,
                validation_files,
                test_files,
                classes,
                parameters,
                precision,
                ..
            } => {
                say(format_args!(
                    "{samples} samples, {validation_files} to validate with, {}{classes} classes; {:.2} M parameters, {precision}; {steps} steps{}",
                    to_test_with(*test_files),
                    *parameters as f64 / 1e6,
                    if *step > 0 { format!(", {step} of them done") } else { String::new() }
                ));
                let mut progress = Progress::of(*steps, "steps");
                progress.go_on_from(*step);
                self.progress = Some(progress);
            }
            Record::Findings { set, findings } => self.line(&found(set.name(), findings)),
            Record::Step { step, .. } => self.step(*step, record),
            Record::BadSample { path, reason, .. } => {
                self.bad += 1;
                match self.bad {
                    ..=TOLD => self.line(&format!("bad sample `{}`: {reason}", path.display())),
                    bad if bad == TOLD + 1 => self.line("more bad samples; the journal has them all"),
                    _ => {}
                }
            }
            Record::Validation { step, weights, accuracy, seconds } => {
                self.line(&told(*step, "", *weights, accuracy, *seconds));
            }
            Record::Test { step, weights, accuracy, seconds } => {
                self.line(&told(*step, "test, ", *weights, accuracy, *seconds));
            }
            // The command says how a run ends, checkpoints are nobody's news, and the report shows what was taken for what.
            Record::Checkpoint { .. }
            | Record::Confusion { .. }
            | Record::Interrupted { .. }
            | Record::Stopped { .. }
            | Record::Finished { .. } => {}
        }
    }

    pub(super) fn finish(&self) {
        if let Some(progress) = &self.progress {
            progress.finish();
        }
        if self.bad > 0 {
            say(format_args!("{} bad samples", self.bad));
        }
    }

    fn step(&mut self, step: u64, record: &Record) {
        let Record::Step { loss: Some(loss), accuracy: Some(accuracy), learning_rate, clips, seconds, waited, .. } =
            record
        else {
            return;
        };
        let now = Means {
            loss: *loss,
            accuracy: *accuracy,
            clips_per_second: *clips as f64 / seconds.max(1e-9),
            waiting: waited / seconds.max(1e-9),
        };
        let means = match self.means.take() {
            Some(means) => means.towards(&now),
            None => now,
        };
        let words = format!(
            "loss {:.3}, accuracy {:.3}, rate {learning_rate:.4}, {:.1} clips/s, {:.0} % waiting",
            means.loss,
            means.accuracy,
            means.clips_per_second,
            means.waiting * 100.0
        );
        self.means = Some(means);
        if let Some(progress) = &mut self.progress {
            progress.tell(step, &words);
        }
    }

    fn line(&self, words: &str) {
        match &self.progress {
            Some(progress) => progress.suspend(|| say(words)),
            None => say(words),
        }
    }
}

impl Means {
    fn towards(&self, now: &Self) -> Self {
        let blend = |old: f64, new: f64| old * KEPT + new * (1.0 - KEPT);
        Self {
            loss: blend(self.loss, now.loss),
            accuracy: blend(self.accuracy, now.accuracy),
            clips_per_second: blend(self.clips_per_second, now.clips_per_second),
            waiting: blend(self.waiting, now.waiting),
        }
    }
}

/// Nothing, where there is no test set.
pub(super) fn to_test_with(files: usize) -> String {
    if files > 0 { format!("{files} to test with, ") } else { String::new() }
}

/// What a data set is without; names are in the journal.
fn found(set: &str, findings: &Findings) -> String {
    let counts = [
        (findings.missing.len(), "files are missing"),
        (findings.repeated.len(), "rows are there twice"),
        (findings.passed_over, "files are no videos or images"),
        (findings.empty_classes.len(), "classes have no samples"),
    ];
    let told = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    format!("{set} data: {}", told.collect::<Vec<_>>().join(", "))
}

fn told(step: u64, set: &str, weights: WeightsOf, accuracy: &Accuracy, seconds: f64) -> String {
    let whose = match weights {
        WeightsOf::Network => "network",
        WeightsOf::Ema => "average",
    };
    let failed = if accuracy.failed > 0 { format!(", {} failed", accuracy.failed) } else { String::new() };
    format!(
        "step {step}: {set}{whose} top-1 {:.4} ({} of {}), loss {:.4}{failed}  [{seconds:.1} s]",
        accuracy.top1_share(),
        accuracy.top1,
        accuracy.files,
        accuracy.loss()
    )
}

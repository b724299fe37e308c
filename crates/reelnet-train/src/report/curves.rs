//! What a journal says of each step. Where a run went on from a checkpoint, steps stand in it twice, and the later ones count.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use reelnet_infer::evaluation::Confusion;

/// Points `[step, value]`, in the order of steps.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Curves {
    pub(super) losses: Vec<[f64; 2]>,
    pub(super) accuracies: Vec<[f64; 2]>,
    pub(super) rates: Vec<[f64; 2]>,
    pub(super) norms: Vec<[f64; 2]>,
    pub(super) network_losses: Vec<[f64; 2]>,
    pub(super) network_top1: Vec<[f64; 2]>,
    pub(super) average_losses: Vec<[f64; 2]>,
    pub(super) average_top1: Vec<[f64; 2]>,
    /// The share of the test set that was right.
    pub(super) test_top1: Option<f64>,
    /// The last of them.
    pub(super) confusion: Option<Confused>,
    /// All steps together.
    pub(super) seconds: f64,
    /// Of these waiting for clips.
    pub(super) waited: f64,
    pub(super) bad_samples: usize,
}

/// Which class was taken for which.
#[derive(Debug, PartialEq)]
pub(super) struct Confused {
    /// `validation` or `test`.
    pub(super) set: String,
    pub(super) classes: Vec<String>,
    pub(super) counts: Confusion,
}

impl Confused {
    /// Nothing where a line is not what this version writes.
    fn read(record: &Value) -> Option<Self> {
        let of = |key: &str| record.get(key).cloned();
        Some(Self {
            set: record["set"].as_str()?.to_owned(),
            classes: serde_json::from_value(of("classes")?).ok()?,
            counts: serde_json::from_value(of("counts")?).ok()?,
        })
    }
}

impl Curves {
    /// Lines that are no JSON, such as one that a crash cut short, are passed over.
    pub(super) fn read(journal: &str) -> Self {
        let mut steps = BTreeMap::new();
        let mut validations = BTreeMap::new();
        let mut bad = BTreeSet::new();
        let (mut test_top1, mut confusion) = (None, None);
        for record in journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let step = record["step"].as_u64().unwrap_or(0);
            match record["event"].as_str() {
                Some("step") => {
                    steps.insert(step, record);
                }
                Some("validation") => {
                    validations.insert((step, record["weights"] == "ema"), record);
                }
                Some("bad_sample") => {
                    bad.insert((step, record["path"].to_string()));
                }
                Some("test") => {
                    test_top1 =
                        record["top1"].as_f64().map(|top1| top1 / record["files"].as_f64().unwrap_or(0.0).max(1.0));
                }
                Some("confusion") => confusion = Confused::read(&record),
                _ => {}
            }
        }
        let mut curves = Self { bad_samples: bad.len(), test_top1, confusion, ..Self::default() };
        for (step, record) in &steps {
            let mut add = |points: fn(&mut Self) -> &mut Vec<[f64; 2]>, key: &str| {
                // A step whose samples all failed has no loss.
                if let Some(value) = record[key].as_f64() {
                    points(&mut curves).push([*step as f64, value]);
                }
            };
            add(|curves| &mut curves.losses, "loss");
            add(|curves| &mut curves.accuracies, "accuracy");
            add(|curves| &mut curves.rates, "learning_rate");
            add(|curves| &mut curves.norms, "gradient_norm");
            curves.seconds += record["seconds"].as_f64().unwrap_or(0.0);
            curves.waited += record["waited"].as_f64().unwrap_or(0.0);
        }
        for ((step, is_average), record) in &validations {
            let number = |key: &str| record[key].as_f64().unwrap_or(0.0);
            let files = number("files").max(1.0);
            let (losses, top1) = if *is_average {
                (&mut curves.average_losses, &mut curves.average_top1)
            } else {
                (&mut curves.network_losses, &mut curves.network_top1)
            };
            losses.push([*step as f64, number("loss_sum") / files]);
            top1.push([*step as f64, number("top1") / files]);
        }
        curves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_were_taken_again_count_once() {
        let curves = Curves::read(
            r#"{"event":"start","step":0}
{"event":"step","step":1,"loss":2.0,"accuracy":0.1,"learning_rate":0.1,"gradient_norm":3.0,"seconds":2.0,"waited":1.0}
{"event":"bad_sample","step":2,"path":"a"}
{"event":"step","step":2,"loss":9.0,"seconds":1.0}
{"event":"start","step":1}
{"event":"bad_sample","step":2,"path":"a"}
{"event":"step","step":2,"loss":1.5,"seconds":1.0}
{"event":"step","step":3,"loss":null,"seconds":1.0}
{"event":"validation","step":3,"weights":"network","files":4,"top1":2,"loss_sum":6.0}
{"event":"validation","step":3,"weights":"ema","files":4,"top1":3,"loss_sum":4.0}
{"event":"test","step":3,"weights":"ema","files":8,"top1":6,"loss_sum":4.0}
{"event":"confusion","step":3,"set":"test","classes":["a","b"],"counts":[[0,0,4],[1,0,2],[1,1,2]]}
{"event":"st"#,
        );
        assert_eq!(curves.losses, [[1.0, 2.0], [2.0, 1.5]]);
        assert_eq!(curves.norms, [[1.0, 3.0]]);
        assert_eq!((curves.network_top1, curves.average_losses), (vec![[3.0, 0.5]], vec![[3.0, 1.0]]));
        assert_eq!(curves.test_top1, Some(0.75));
        let confused = curves.confusion.expect("one was told");
        assert_eq!((confused.set.as_str(), confused.counts.mistakes()), ("test", vec![(1, 0, 2)]));
        assert_eq!((curves.seconds, curves.waited, curves.bad_samples), (4.0, 1.0, 1));
    }
}

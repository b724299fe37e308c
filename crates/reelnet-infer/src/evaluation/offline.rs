//! What can be computed from scores alone: several models together, and what fewer views would have given.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::accuracy::share;
use super::header::Header;
use super::record::{Failed, Record, Scored};
use super::store::{Evaluation, RecordStream, StoreError, StoreErrorKind};
use super::summary::{Gathering, Summary};
use super::views::{Protocol, ViewSettings};
use crate::labels::hex;
use crate::scores::Scores;

/// Confidences at which a video is left early.
const EXITS: [f32; 8] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99];

/// The numbers of several models whose scores are averaged, over the videos that all of them scored.
///
/// # Errors
/// If they are not of one list and of the same classes, or cannot be read.
pub fn fuse(models: &[Evaluation], temperature: Option<f64>) -> Result<Summary, StoreError> {
    let first = &models[0];
    for other in &models[1..] {
        if let Some(why) = unlike(first.header(), other.header()) {
            let why = format!("its scores cannot be averaged with those of `{}`: {why}", first.path().display());
            return Err(StoreErrorKind::Stranger(why).at(other.path()));
        }
    }
    let classes = first.header().labels.len();
    let mut gathering = Gathering::new(first.header(), temperature);
    let (mut macs, mut seconds) = (0.0, 0.0);
    let mut streams = models.iter().map(Evaluation::records).collect::<Result<Vec<_>, _>>()?;
    let mut heads: Vec<Option<Record>> = streams.iter_mut().map(next).collect::<Result<_, _>>()?;
    while let Some(position) = heads.iter().flatten().map(Record::position).min() {
        let mut taken: Vec<Record> = Vec::new();
        for (head, stream) in heads.iter_mut().zip(&mut streams) {
            if head.as_ref().is_some_and(|record| record.position() == position) {
                taken.extend(std::mem::replace(head, next(stream)?));
            }
        }
        let scored: Vec<&Scored> = taken.iter().filter_map(as_scored).collect();
        if scored.len() < models.len() {
            gathering.failed.push(failure(&taken, position));
            continue;
        }
        for (scored, model) in scored.iter().zip(models) {
            macs += model.header().model.macs as f64 * scored.views.len() as f64;
            seconds += scored.seconds;
        }
        let means: Vec<Scores> = scored.iter().filter_map(|scored| scored.mean_scores(classes)).collect();
        gathering.add(scored[0], Scores::mean(&means));
    }
    let mut summary = gathering.finish(first)?;
    let headers = || models.iter().map(|model| &model.header().model);
    summary.header.model.name = headers().map(|model| model.name.as_str()).collect::<Vec<_>>().join(" + ");
    let mut hash = Sha256::new();
    headers().for_each(|model| hash.update(&model.sha256));
    summary.header.model.sha256 = hex(&hash.finalize());
    summary.header.model.macs = headers().map(|model| model.macs).sum();
    let videos = summary.video_level.videos.max(1) as f64;
    summary.cost.macs = macs;
    summary.cost.macs_a_video = macs / videos;
    summary.cost.seconds = seconds;
    summary.cost.videos_a_minute = if seconds > 0.0 { videos / seconds * 60.0 } else { 0.0 };
    // Nothing was ever scored with that name.
    summary.fingerprint.all =
        hex(&Sha256::digest(format!("{} {}", summary.fingerprint.files, summary.header.model.sha256)));
    Ok(summary)
}

/// Why scores of two evaluations mean different things.
fn unlike(one: &Header, two: &Header) -> Option<String> {
    if one.labels != two.labels {
        return Some("they are of other classes".to_owned());
    }
    (one.data.sha256 != two.data.sha256 || one.shard != two.shard)
        .then(|| "they are of another list of files".to_owned())
}

fn next(stream: &mut RecordStream) -> Result<Option<Record>, StoreError> {
    stream.next().transpose()
}

fn as_scored(record: &Record) -> Option<&Scored> {
    match record {
        Record::Scored(scored) => Some(scored),
        Record::Failed(_) => None,
    }
}

fn failure(records: &[Record], position: u64) -> Failed {
    let failed = records.iter().find_map(|record| match record {
        Record::Failed(failed) => Some(failed.clone()),
        Record::Scored(_) => None,
    });
    let name = records.iter().filter_map(as_scored).map(|scored| scored.name.clone()).next().unwrap_or_default();
    failed.unwrap_or_else(|| Failed {
        position,
        name,
        kind: "unscored".to_owned(),
        reason: "not every one of the models has scored it".to_owned(),
    })
}

/// Accuracy against the number of views, and against what is spent if sure videos are left early.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// With the first views of an order that spreads them: middle crops first, clips far from one another.
    pub views: Vec<SweepPoint>,
    /// With views in the same order, until the mean of the scores is this sure.
    pub exits: Vec<ExitPoint>,
}

/// A number of views.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// Views of each video, at most.
    pub views: usize,
    /// Share of the videos.
    pub top1: f64,
    /// Share of the videos.
    pub top5: f64,
    /// Multiply-accumulates of a video, in the mean.
    pub macs: f64,
}

/// A confidence at which a video is left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExitPoint {
    /// The score of the best class.
    pub confidence: f32,
    /// Views of a video, in the mean.
    pub views: f64,
    /// Share of the videos.
    pub top1: f64,
    /// Multiply-accumulates of a video, in the mean.
    pub macs: f64,
}

/// Counts what fewer views would have given.
///
/// # Errors
/// If the records cannot be read.
pub fn sweep(evaluation: &Evaluation) -> Result<Sweep, StoreError> {
    let header = evaluation.header();
    let classes = header.labels.len();
    let order = order(&header.views);
    // Of each number of views: videos right, right among five, and views that there were.
    let mut counts = vec![[0_u64; 3]; order.len()];
    let mut exits = [[0_u64; 2]; EXITS.len()];
    let mut videos = 0_u64;
    for record in evaluation.records()? {
        let Record::Scored(scored) = record? else { continue };
        videos += 1;
        let views = scored.view_scores(classes);
        let seen: Vec<usize> = order.iter().filter_map(|place| place_of(&scored, *place)).collect();
        let mut sums = vec![0_f64; classes];
        let mut left = [false; EXITS.len()];
        let mut judged = [false; 2];
        for (taken, count) in counts.iter_mut().enumerate() {
            if let Some(&view) = seen.get(taken) {
                for (class, sum) in sums.iter_mut().enumerate() {
                    *sum += f64::from(views[view].of(class).unwrap_or(0.0));
                }
                judged = judge(&sums, &scored.labels);
                let sure = sums.iter().copied().fold(0.0, f64::max) / (taken + 1) as f64;
                for ((exit, left), confidence) in exits.iter_mut().zip(&mut left).zip(EXITS) {
                    if !*left {
                        exit[1] += 1;
                        *left = sure >= f64::from(confidence) || taken + 1 == seen.len();
                        exit[0] += u64::from(*left && judged[0]);
                    }
                }
            }
            count[0] += u64::from(judged[0]);
            count[1] += u64::from(judged[1]);
            count[2] += (taken + 1).min(seen.len()) as u64;
        }
    }
    let macs = |views: u64| header.model.macs as f64 * share(views, videos);
    let point = |(taken, [top1, top5, views]): (usize, [u64; 3])| SweepPoint {
        views: taken + 1,
        top1: share(top1, videos),
        top5: share(top5, videos),
        macs: macs(views),
    };
    let exit = |([right, views], confidence): ([u64; 2], f32)| ExitPoint {
        confidence,
        views: share(views, videos),
        top1: share(right, videos),
        macs: macs(views),
    };
    Ok(Sweep {
        views: counts.into_iter().enumerate().map(point).collect(),
        exits: exits.into_iter().zip(EXITS).map(exit).collect(),
    })
}

/// Whether the best class, and one of the best five, is right; the first in the labels wins a tie.
fn judge(sums: &[f64], labels: &[usize]) -> [bool; 2] {
    let before = |label: usize| {
        let is_before = |(class, sum): &(usize, &f64)| **sum > sums[label] || (**sum == sums[label] && *class < label);
        sums.iter().enumerate().filter(is_before).count()
    };
    let rank = labels.iter().filter(|&&label| label < sums.len()).map(|&label| before(label)).min();
    [rank.is_some_and(|rank| rank < 1), rank.is_some_and(|rank| rank < 5)]
}

/// Clips and crops, so that any number of the first ones lies far apart: van der Corput's sequence.
fn order(views: &ViewSettings) -> Vec<[u32; 2]> {
    let (clips, crops) = (views.views.clips, views.views.crops);
    let middle = if views.protocol == Protocol::Mmaction && crops == 3 { 2 } else { crops / 2 };
    let mut by_place: Vec<usize> = Vec::new();
    let mut number = 1_u32;
    while by_place.len() < clips {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "less than the number of clips")]
        let clip = (f64::from(number.reverse_bits()) / 2f64.powi(32) * clips as f64) as usize;
        if !by_place.contains(&clip) {
            by_place.push(clip);
        }
        number += 1;
    }
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let crops = std::iter::once(middle).chain((0..crops).filter(|crop| *crop != middle));
    crops.flat_map(|crop| by_place.iter().map(move |&clip| [small(clip), small(crop)])).collect()
}

fn place_of(scored: &Scored, [clip, crop]: [u32; 2]) -> Option<usize> {
    scored.views.iter().position(|view| view.clip == clip && view.crop == crop)
}

#[cfg(test)]
mod tests {
    use super::super::views::Views;
    use super::*;

    #[test]
    fn every_view_comes_once_the_middle_first() {
        for (clips, crops) in [(1, 1), (10, 3), (7, 5), (1000, 1)] {
            let views = Views { clips, crops };
            let settings =
                ViewSettings { protocol: Protocol::Tf, views, frames: 8, frame_step: 8, resize: 256, crop: 256 };
            let order = order(&settings);
            assert_eq!(order[0], [u32::try_from(clips / 2).expect("small"), u32::try_from(crops / 2).expect("small")]);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), clips * crops);
        }
    }

    #[test]
    fn ranks_are_those_of_scores() {
        assert_eq!(judge(&[0.5, 0.5, 0.0], &[1]), [false, true]);
        assert_eq!(judge(&[0.5, 0.5, 0.0], &[2, 0]), [true, true]);
        assert_eq!(judge(&[6.0, 5.0, 4.0, 3.0, 2.0, 1.0], &[5]), [false, false]);
    }
}

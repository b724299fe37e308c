//! Scores of a video's clips, and what in them speaks for a class.

use burn::tensor::Device;
use reelnet_clips::Clip;
use reelnet_infer::{Classifier, ScoreError, Scores, clip_batch};

use super::head::grad_cam;
use super::heat::{HeatMap, Peak};

/// What a network saw in clips.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The class that is explained.
    pub class: usize,
    /// The mean over the clips, as tagging has it.
    pub scores: Scores,
    /// The class's probability in each clip.
    pub clip_scores: Vec<f32>,
    /// One a clip.
    pub maps: Vec<HeatMap>,
}

impl Explanation {
    /// The hottest clip, and where in it heat is greatest. Nothing if nothing speaks for the class.
    pub fn peak(&self) -> Option<(usize, Peak)> {
        let peaks = self.maps.iter().enumerate().filter_map(|(clip, map)| Some((clip, map.peak()?)));
        peaks.reduce(|best, next| if next.1.heat > best.1.heat { next } else { best })
    }
}

/// Scores clips and explains a class, or the best one if none is named. Clips go through one by one, so that memory does not grow
/// with their number.
///
/// # Errors
/// If the clips are not what the network takes, or logits are not finite.
///
/// # Panics
/// If there are no clips, or the class is none of the network's.
pub fn explain(
    classifier: &Classifier,
    clips: &[Clip],
    class: Option<usize>,
    device: &Device,
) -> Result<Explanation, ScoreError> {
    let of_clips = classifier.score(clips)?;
    let scores = Scores::mean(&of_clips).expect("there are clips");
    let class = class.unwrap_or_else(|| scores.top(1, 0.0).first().map_or(0, |best| best.class));
    let bundle = classifier.bundle();
    let map = |clip: &Clip| {
        let batch = clip_batch(&[clip.frames.view()], &bundle.manifest.pixels, device);
        let mut found = grad_cam(&bundle.network, batch, class)?;
        Ok(found.maps.pop().expect("one clip has one map"))
    };
    let maps = clips.iter().map(map).collect::<Result<Vec<HeatMap>, ScoreError>>()?;
    let clip_scores = of_clips.iter().map(|scores| scores.of(class).unwrap_or_default()).collect();
    Ok(Explanation { class, scores, clip_scores, maps })
}

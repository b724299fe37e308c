//! How fast training is here: the measuring behind `reelnet bench step` and `reelnet bench data`.

mod data;
mod step;

pub use data::{Bottleneck, DataBench, DataCase, bench_data};
pub use step::{StepBench, StepCase, bench_step};

use crate::recipe::{Recipe, RecipeErrorKind};

/// What a bench computes that was given no recipe: SGD with momentum and label smoothing, nothing else; the usual augmentation of
/// clips.
const RECIPE: &str = include_str!("recipe.toml");

/// A recipe without data; network, clip and pixels are to be replaced.
fn plain_recipe() -> Result<Recipe, RecipeErrorKind> {
    Recipe::parse(RECIPE, &[])
}

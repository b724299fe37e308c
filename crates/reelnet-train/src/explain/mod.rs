//! What in a clip speaks for a class: Grad-CAM over space and time (Selvaraju et al. 2017, arXiv 1610.02391).
//!
//! The map is that of the network's last features before they are averaged. Each of its channels is weighed by the mean gradient of
//! the class's logit; the sum, without its negative part, is the heat. This module knows no files and no colours of a terminal.

mod class;
mod head;
mod heat;
mod picture;
mod run;

pub use class::{ClassError, class_named};
pub use head::{GradCam, grad_cam};
pub use heat::{HeatMap, Peak};
pub use picture::{filmstrip, heated};
pub use run::{Explanation, explain};

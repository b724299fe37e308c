//! ResNet, ResNet-RS and their 3D forms: one set of blocks, two configs that each describe exactly one topology.

mod bottleneck;
mod config;
mod model_garden;
mod network;
mod shortcut;
mod stem;

pub use config::{BLOCKS, DropPathRule, ResNetConfig, ShortcutKind, StemKind, StemPool, Temporal, repeats};
pub use model_garden::ModelGardenConfig;
pub use network::ResNet;

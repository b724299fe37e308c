//! `reelnet tag`

mod files;
mod rows;
mod run;

pub(crate) use run::tag;

//! `reelnet tag`

mod rows;
mod run;

pub(crate) use run::tag;

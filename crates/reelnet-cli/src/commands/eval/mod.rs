//! `reelnet eval`, `reelnet metrics`, `reelnet compare`

mod compare;
mod folder;
mod list;
mod metrics;
mod page;
mod print;
mod run;

pub(crate) use compare::compare;
pub(crate) use metrics::metrics;
pub(crate) use run::eval;

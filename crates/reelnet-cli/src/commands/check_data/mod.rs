//! `reelnet check-data`

pub(crate) mod entries;
mod finding;
mod journal;
mod lists;
mod run;

pub(crate) use run::check_data;

//! One file a command.

pub(crate) mod bench;
pub(crate) mod calibrate;
pub(crate) mod check_data;
pub(crate) mod compare_runs;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod forward;
pub(crate) mod frames;
pub(crate) mod import;
pub(crate) mod inflate;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod library;
pub(crate) mod models;
pub(crate) mod probe;
pub(crate) mod pull;
pub(crate) mod tag;
pub(crate) mod train;

mod bundles;
mod files;
mod folder;

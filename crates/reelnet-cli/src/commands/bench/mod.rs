//! `reelnet bench`

mod data;
mod forward;
mod measured;
mod step;
mod work;

pub(crate) use data::bench_data;
pub(crate) use forward::bench_forward;
pub(crate) use step::bench_step;

//! Measuring a model: which views, what is right, how sure that is.
//!
//! Files become [`Record`]s with all their logits, appended one by one. Every number is computed from records, by [`summarise`]: of an
//! evaluation that was never stopped, of one that was, of shards put together, and of a dump on another machine.

mod accuracy;
mod bootstrap;
mod comparison;
mod confusion;
pub mod dump;
mod header;
mod offline;
mod precision;
mod record;
mod store;
mod sum;
mod summary;
mod tally;
mod temperature;
mod views;

pub use accuracy::Accuracy;
pub use bootstrap::{Interval, Intervals, Outcome, intervals};
pub use comparison::{ClassPair, SideBySide, compare};
pub use confusion::Confusion;
pub use header::{DataId, Header, ModelId, Shard, short};
pub use offline::{ExitPoint, Sweep, SweepPoint, fuse, sweep};
pub use precision::average_precision;
pub use record::{Failed, FileFacts, Journal, Record, Records, Scored, View};
pub use store::{Evaluation, HEADER_FILE, Part, RECORDS_FILE, RecordStream, StoreError, StoreErrorKind};
pub use sum::Sum;
pub use summary::{
    Calibration, ClassRow, ClipLevel, Confused, Cost, Coverage, Fingerprint, MultiLabel, Summary, VideoLevel, Worst,
    fit_temperature, summarise,
};
pub use tally::{Bin, ClassCounts, Judged, Tally};
pub use temperature::{Fitted, Tempered, tempered};
pub use views::{Protocol, ViewSettings, Views};

//! What was loaded, and where the time went.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{ClipError, TimeSpent};

/// An account of a [`Loader`](crate::Loader). Times of workers are sums over all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoaderReport {
    /// Samples taken that have their clips.
    pub ok: u64,
    /// Samples taken that failed, by [`ClipErrorKind::name`](crate::ClipErrorKind::name).
    pub failed: BTreeMap<&'static str, u64>,
    /// Coded frames that the workers' decoders were given: what was decoded, wanted or only on the way.
    pub packets: u64,
    /// What the workers' decoders did.
    pub decoders: TimeSpent,
    /// What the function of [`Loader::with_finish`](crate::Loader::with_finish) took.
    pub finish: Duration,
    /// How long whoever takes samples waited for them. If this is more than almost nothing, more workers may help.
    pub wait: Duration,
    /// How long workers waited for samples to be taken. If this is more than almost nothing, loading is not what is slow.
    pub idle: Duration,
}

/// The growing parts of a report.
#[derive(Debug, Default)]
pub(super) struct Tally {
    ok: u64,
    failed: BTreeMap<&'static str, u64>,
    packets: u64,
    decoders: TimeSpent,
    finish: Duration,
}

impl Tally {
    pub(super) fn count(&mut self, error: Option<&ClipError>) {
        match error {
            None => self.ok += 1,
            Some(error) => *self.failed.entry(error.kind.name()).or_default() += 1,
        }
    }

    pub(super) fn add_decoder(&mut self, packets: u64, spent: TimeSpent) {
        self.packets += packets;
        self.decoders += spent;
    }

    pub(super) fn add_finish(&mut self, spent: Duration) {
        self.finish += spent;
    }

    pub(super) fn report(&self, wait: Duration, idle: Duration) -> LoaderReport {
        let Self { ok, failed, packets, decoders, finish } = self;
        let (failed, finish) = (failed.clone(), *finish);
        LoaderReport { ok: *ok, failed, packets: *packets, decoders: *decoders, finish, wait, idle }
    }
}

//! When the calls on one file must end, and where their time went. Clones share it all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::{CancelToken, ClipErrorKind, Limits};

/// Looked at by FFmpeg's callbacks and by our own loops.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    origin: Instant,
    shared: Arc<Shared>,
    limit: Duration,
    cancel: CancelToken,
}

#[derive(Debug)]
struct Shared {
    expires_after_nanos: AtomicU64,
    spent_nanos: [AtomicU64; 3],
    packets_decoded: AtomicU64,
}

/// What a decoder does with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    Read = 0,
    Decode = 1,
    Scale = 2,
}

/// Where the time of a decoder went. What is missing to the time of the calls is our own arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeSpent {
    /// Opening the file, finding packets and reading them.
    pub read: Duration,
    /// Turning packets into pictures.
    pub decode: Duration,
    /// Turning pictures into RGB of the wanted size.
    pub scale: Duration,
}

impl std::ops::AddAssign for TimeSpent {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.decode += other.decode;
        self.scale += other.scale;
    }
}

impl Watch {
    pub(crate) fn start(limits: &Limits) -> Self {
        let shared = Shared {
            expires_after_nanos: AtomicU64::new(u64::MAX),
            spent_nanos: Default::default(),
            packets_decoded: AtomicU64::new(0),
        };
        let cancel = limits.cancel.clone();
        let watch = Self { origin: Instant::now(), shared: Arc::new(shared), limit: limits.deadline, cancel };
        watch.rearm();
        watch
    }

    /// The time that a call has from the next one on.
    pub(crate) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Gives a new call the full time.
    pub(crate) fn rearm(&self) {
        let expires = nanos(self.origin.elapsed()).saturating_add(nanos(self.limit));
        self.shared.expires_after_nanos.store(expires, Ordering::Relaxed);
    }

    /// Whether the call must end, because its time is up or because it was cancelled.
    pub(crate) fn is_over(&self) -> bool {
        self.cancel.is_cancelled()
            || nanos(self.origin.elapsed()) >= self.shared.expires_after_nanos.load(Ordering::Relaxed)
    }

    /// Why the call must end.
    pub(crate) fn verdict(&self) -> ClipErrorKind {
        if self.cancel.is_cancelled() {
            ClipErrorKind::Cancelled
        } else {
            ClipErrorKind::TimedOut { limit: self.limit }
        }
    }

    /// Does something, and counts its time.
    pub(crate) fn time<R>(&self, activity: Activity, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        self.shared.spent_nanos[activity as usize].fetch_add(nanos(start.elapsed()), Ordering::Relaxed);
        result
    }

    pub(crate) fn count_packet(&self) {
        self.shared.packets_decoded.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn packets_decoded(&self) -> u64 {
        self.shared.packets_decoded.load(Ordering::Relaxed)
    }

    pub(crate) fn spent(&self) -> TimeSpent {
        let of = |activity: Activity| {
            Duration::from_nanos(self.shared.spent_nanos[activity as usize].load(Ordering::Relaxed))
        };
        TimeSpent { read: of(Activity::Read), decode: of(Activity::Decode), scale: of(Activity::Scale) }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_out_and_starts_again() {
        let watch = Watch::start(&Limits { deadline: Duration::from_millis(30), ..Limits::default() });
        assert!(!watch.is_over());
        std::thread::sleep(Duration::from_millis(31));
        assert!(watch.clone().is_over());
        assert_eq!(watch.verdict().name(), "timed_out");
        watch.rearm();
        assert!(!watch.is_over());
    }

    #[test]
    fn cancelling_comes_before_time() {
        let limits = Limits { deadline: Duration::ZERO, ..Limits::default() };
        let watch = Watch::start(&limits);
        assert_eq!(watch.verdict().name(), "timed_out");
        limits.cancel.cancel();
        assert!(watch.is_over());
        assert_eq!(watch.verdict(), ClipErrorKind::Cancelled);
    }

    #[test]
    fn time_is_counted_where_it_is_spent() {
        let watch = Watch::start(&Limits::default());
        let answer = watch.clone().time(Activity::Decode, || {
            std::thread::sleep(Duration::from_millis(5));
            42
        });
        assert_eq!(answer, 42);
        let TimeSpent { read, decode, scale } = watch.spent();
        assert!(decode >= Duration::from_millis(5) && read.is_zero() && scale.is_zero());
    }
}

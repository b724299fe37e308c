//! Folders that are watched: told a while after something in them has changed, and now and then in any case, because network shares
//! tell nothing.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use reelnet_clips::CancelToken;

use crate::LibraryError;

/// Quiet that is waited for: files that are being copied change all the time.
const QUIET: Duration = Duration::from_secs(2);
/// Longest wait for quiet.
const UNREST: Duration = Duration::from_mins(1);

/// A watch over folders.
pub struct Watching {
    events: Receiver<()>,
    _watcher: Option<RecommendedWatcher>,
    every: Duration,
    last: Instant,
    /// Why changes are not told by the system, if they are not; then only time counts.
    pub trouble: Option<String>,
}

impl Watching {
    /// Watches folders, and looks every so often in any case.
    ///
    /// # Errors
    /// If there is nothing to watch.
    pub fn begin(roots: &[PathBuf], every: Duration) -> Result<Self, LibraryError> {
        if roots.is_empty() {
            return Err(LibraryError::Wish(
                "there is no folder to watch; `reelnet library add DIR` adds one".to_owned(),
            ));
        }
        let (sender, events) = channel();
        let told = move |event: Result<Event, notify::Error>| {
            let is_reading = matches!(&event, Ok(Event { kind: EventKind::Access(_), .. }));
            if !is_reading {
                let _ = sender.send(());
            }
        };
        let mut trouble = None;
        let watcher = notify::recommended_watcher(told).and_then(|mut watcher| {
            for root in roots.iter().filter(|root| root.is_dir()) {
                watcher.watch(root, RecursiveMode::Recursive)?;
            }
            Ok(watcher)
        });
        let watcher = watcher.map_err(|error| trouble = Some(error.to_string())).ok();
        Ok(Self { events, _watcher: watcher, every, last: Instant::now(), trouble })
    }

    /// Waits for a reason to scan. Gives whether there is one; otherwise the waiting was cancelled.
    pub fn wait(&mut self, cancel: &CancelToken) -> bool {
        let mut changed: Option<(Instant, Instant)> = None;
        while !cancel.is_cancelled() {
            match self.events.recv_timeout(Duration::from_millis(100)) {
                Ok(()) => changed = Some((changed.map_or_else(Instant::now, |(first, _)| first), Instant::now())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(100)),
            }
            let is_quiet = changed.is_some_and(|(first, last)| last.elapsed() >= QUIET || first.elapsed() >= UNREST);
            if is_quiet || self.last.elapsed() >= self.every {
                self.last = Instant::now();
                return true;
            }
        }
        false
    }
}

//! Results in order from workers out of order, bounded in number and in bytes. Knows nothing of files.
//!
//! Positions are claimed in ascending order and taken in the same order. Whoever works on the position that is taken next
//! never waits for room; so the queue cannot come to a standstill, and the bound may be exceeded by that one result.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::CancelToken;

/// How often those who wait look whether everything was cancelled. A token cannot wake anybody.
const TICK: Duration = Duration::from_millis(20);

pub(super) struct Queue<T> {
    bounds: Bounds,
    stop: CancelToken,
    state: Mutex<State<T>>,
    changed: Condvar,
}

/// How far workers may run ahead of whoever takes the results.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) items: u64,
    pub(super) bytes: u64,
}

struct State<T> {
    next_claimed: u64,
    next_taken: u64,
    /// Where the positions end, once it is known.
    end: Option<u64>,
    /// Of what is worked on and of what is ready.
    reserved_bytes: u64,
    ready: BTreeMap<u64, (T, u64)>,
    waited_for_results: Duration,
    waited_for_room: Duration,
}

/// Everything was cancelled.
#[derive(Debug)]
pub(super) struct Stopped;

impl<T> Queue<T> {
    pub(super) fn new(first: u64, bounds: Bounds, stop: CancelToken) -> Self {
        let state = State {
            next_claimed: first,
            next_taken: first,
            end: None,
            reserved_bytes: 0,
            ready: BTreeMap::new(),
            waited_for_results: Duration::ZERO,
            waited_for_room: Duration::ZERO,
        };
        Self { bounds, stop, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The next position to work on, as soon as it is not too far ahead; `None` behind the end. Whoever claims must not let
    /// others claim before it knows whether there is something at this position.
    pub(super) fn claim(&self) -> Result<Option<u64>, Stopped> {
        let is_open = |state: &State<T>| {
            state.end.is_some() || state.next_claimed < state.next_taken.saturating_add(self.bounds.items.max(1))
        };
        let mut state = self.wait(is_open, |state| &mut state.waited_for_room)?;
        if state.end.is_some() {
            return Ok(None);
        }
        let position = state.next_claimed;
        state.next_claimed += 1;
        Ok(Some(position))
    }

    /// There is nothing at this position, nor behind it.
    pub(super) fn end_at(&self, position: u64) {
        self.state().end = Some(position);
        self.changed.notify_all();
    }

    /// Waits until so many bytes more may be held.
    pub(super) fn reserve(&self, position: u64, bytes: u64) -> Result<(), Stopped> {
        let fits = |state: &State<T>| {
            position == state.next_taken || state.reserved_bytes.saturating_add(bytes) <= self.bounds.bytes
        };
        self.wait(fits, |state| &mut state.waited_for_room)?.reserved_bytes += bytes;
        Ok(())
    }

    /// The result at a position, for which `bytes` were reserved and `held` are needed.
    pub(super) fn put(&self, position: u64, result: T, reserved: u64, held: u64) {
        let mut state = self.state();
        state.reserved_bytes = (state.reserved_bytes - reserved).saturating_add(held);
        state.ready.insert(position, (result, held));
        drop(state);
        self.changed.notify_all();
    }

    /// The next result in order; `None` behind the last one.
    pub(super) fn take(&self) -> Result<Option<T>, Stopped> {
        let is_there = |state: &State<T>| state.ready.contains_key(&state.next_taken) || state.is_over();
        let mut state = self.wait(is_there, |state| &mut state.waited_for_results)?;
        let position = state.next_taken;
        let Some((result, held)) = state.ready.remove(&position) else { return Ok(None) };
        state.next_taken += 1;
        state.reserved_bytes -= held;
        drop(state);
        self.changed.notify_all();
        Ok(Some(result))
    }

    /// How long somebody waited for results, and how long workers, all together, waited for room.
    pub(super) fn waited(&self) -> [Duration; 2] {
        let state = self.state();
        [state.waited_for_results, state.waited_for_room]
    }

    fn wait(
        &self,
        is_fulfilled: impl Fn(&State<T>) -> bool,
        account: impl Fn(&mut State<T>) -> &mut Duration,
    ) -> Result<MutexGuard<'_, State<T>>, Stopped> {
        let since = Instant::now();
        let mut state = self.state();
        loop {
            if self.stop.is_cancelled() {
                return Err(Stopped);
            }
            if is_fulfilled(&state) {
                *account(&mut state) += since.elapsed();
                return Ok(state);
            }
            state = self.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Nothing panics while the lock is held, so a poisoned one guards a sound state.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.next_taken >= end)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Runs positions 0 to `count` through a queue, and gives what came out and the most bytes held at once.
    fn run(workers: usize, bounds: Bounds, sizes: &[u64]) -> (Vec<usize>, u64) {
        let queue = Queue::new(0, bounds, CancelToken::new());
        let [held, most] = [AtomicU64::new(0), AtomicU64::new(0)];
        let source = Mutex::new(sizes.iter().enumerate());
        let taken = std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let next = {
                            let mut source = source.lock().expect("no worker panics");
                            let Some(position) = queue.claim().expect("nobody stops it") else { return };
                            let Some(next) = source.next() else { return queue.end_at(position) };
                            (position, next)
                        };
                        let (position, (number, &size)) = next;
                        queue.reserve(position, size).expect("nobody stops it");
                        most.fetch_max(held.fetch_add(size, Ordering::SeqCst) + size, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_micros(size * 37 % 300));
                        queue.put(position, (number, size), size, size);
                    }
                });
            }
            let mut taken = Vec::new();
            while let Some((number, size)) = queue.take().expect("nobody stops it") {
                held.fetch_sub(size, Ordering::SeqCst);
                taken.push(number);
            }
            taken
        });
        (taken, most.into_inner())
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]
        #[test]
        fn order_holds_and_bytes_are_bounded(
            sizes in proptest::collection::vec(0_u64..100, 0..60),
            workers in 1_usize..8,
            items in 1_u64..10,
            bytes in 0_u64..200,
        ) {
            let (taken, most) = run(workers, Bounds { items, bytes }, &sizes);
            assert!(taken.into_iter().eq(0..sizes.len()));
            // One may pass alone, and what was taken a moment ago still counts here.
            let largest = sizes.iter().max().copied().unwrap_or(0);
            assert!(most <= bytes + 2 * largest, "{most} of {bytes} + 2 * {largest}");
        }
    }

    #[test]
    fn everybody_who_waits_is_stopped() {
        let stop = CancelToken::new();
        let queue: Queue<()> = Queue::new(5, Bounds { items: 1, bytes: 10 }, stop.clone());
        assert_eq!(queue.claim().expect("not yet"), Some(5));
        queue.reserve(5, 100).expect("the first one never waits");
        std::thread::scope(|scope| {
            let waiting = [
                scope.spawn(|| queue.claim().is_err()),
                scope.spawn(|| queue.reserve(6, 1).is_err()),
                scope.spawn(|| queue.take().is_err()),
            ];
            std::thread::sleep(Duration::from_millis(50));
            assert!(waiting.iter().all(|thread| !thread.is_finished()));
            stop.cancel();
            assert!(waiting.into_iter().all(|thread| thread.join().expect("no panic")));
        });
    }
}

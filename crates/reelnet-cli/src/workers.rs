//! Some items at once, their results in order.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use reelnet_kernels::cpu;

/// As many as were asked for, or one a core.
pub(crate) fn count(asked: Option<u16>) -> usize {
    asked.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), usize::from)
}

/// Settles how many threads each of the networks that run at once computes with: as many as asked for, or its share of the cores.
/// Networks with threads on all cores each would wait for one another.
pub(crate) fn share_cores(asked: Option<u16>, at_once: usize) {
    let share = count(None) / at_once.max(1);
    let threads = NonZero::new(asked.map_or(share, usize::from));
    cpu::set_threads(threads.unwrap_or(NonZero::<usize>::MIN));
}

/// Runs `work` on several items at once, and hands their results on in order.
///
/// Each worker holds one item at a time, so memory is bounded by the number of workers; results that wait for a slow one
/// before them are small.
pub(crate) fn each_in_order<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(usize, &T, R) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(workers);
        for _ in 0..workers.min(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    // The receiver is gone when printing failed: nobody wants the rest.
                    if sender.send((index, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut waiting, mut turn) = (BTreeMap::new(), 0);
        for (index, result) in receiver {
            waiting.insert(index, result);
            while let Some(result) = waiting.remove(&turn) {
                done(turn + 1, &items[turn], result)?;
                turn += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_order_whatever_takes_long() {
        let items: Vec<u64> = vec![30, 0, 10, 0, 0, 5];
        let mut seen = Vec::new();
        let work = |&milliseconds: &u64| thread::sleep(Duration::from_millis(milliseconds));
        each_in_order(&items, 3, work, |done, &item, ()| {
            seen.push((done, item));
            Ok(())
        })
        .expect("nothing fails");
        assert_eq!(seen, [(1, 30), (2, 0), (3, 10), (4, 0), (5, 0), (6, 5)]);
    }

    #[test]
    fn a_failure_to_print_stops_the_work() {
        let items: Vec<usize> = (0..1000).collect();
        let started = AtomicUsize::new(0);
        let result = each_in_order(
            &items,
            2,
            |_| started.fetch_add(1, Ordering::Relaxed),
            |_, _, _| anyhow::bail!("the pipe is closed"),
        );
        assert!(result.is_err());
        assert!(started.load(Ordering::Relaxed) < 20, "workers stop when nobody listens");
    }
}

//! The same work again and again, and how long a turn takes.

use std::fs;
use std::time::Instant;

use reelnet_clips::CancelToken;
use reelnet_kernels::cpu;
use serde::Serialize;

/// Turns before the first one that counts: weights are packed in them, and memory is touched for the first time.
const WARM_UP: usize = 2;
/// Turns that count at least, however long they take.
const AT_LEAST: usize = 3;

/// How long to go on.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Turns begin until so many seconds are over.
    pub seconds: f64,
    /// Ends the measuring between two turns.
    pub cancel: CancelToken,
}

/// How long turns took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Turns {
    /// The shortest. Other work on a machine only ever adds time, so this is what the work itself takes.
    pub best_seconds: f64,
    /// The middle one.
    pub median_seconds: f64,
    /// How many were taken.
    pub turns: usize,
    /// Convolutions of the last turn that oneDNN ran.
    pub convolutions: u64,
    /// Activations that were copied into another layout for them, or back.
    pub reorders: u64,
}

impl Turns {
    /// `None` of no times.
    fn of(mut seconds: Vec<f64>, work: cpu::Work) -> Option<Self> {
        seconds.sort_by(f64::total_cmp);
        let best_seconds = *seconds.first()?;
        let (median_seconds, turns) = (seconds[seconds.len() / 2], seconds.len());
        Some(Self { best_seconds, median_seconds, turns, convolutions: work.convolutions, reorders: work.reorders })
    }
}

/// Warms up, then takes turns; nothing if it was cancelled.
///
/// # Errors
/// If a turn fails, with its error.
pub fn take_turns<E>(patience: &Patience, mut turn: impl FnMut() -> Result<(), E>) -> Result<Option<Turns>, E> {
    let mut seconds = Vec::new();
    let mut begin = Instant::now();
    let mut work = cpu::Work::default();
    for number in 0.. {
        if patience.cancel.is_cancelled() {
            return Ok(None);
        }
        if number == WARM_UP {
            begin = Instant::now();
        }
        if seconds.len() >= AT_LEAST && begin.elapsed().as_secs_f64() >= patience.seconds {
            break;
        }
        let before = cpu::work();
        let began = Instant::now();
        turn()?;
        if number >= WARM_UP {
            seconds.push(began.elapsed().as_secs_f64());
        }
        work = cpu::work().since(before);
    }
    Ok(Turns::of(seconds, work))
}

/// The most memory that this process has had, in bytes, where the system tells: Linux's high-water mark.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        Patience { seconds: 0.0, cancel: CancelToken::new() }
    }

    #[test]
    fn the_first_turns_do_not_count() {
        let mut taken = 0;
        let turns = take_turns(&patience(), || {
            taken += 1;
            Ok::<_, ()>(())
        });
        assert_eq!(turns.expect("nothing fails").expect("nobody cancels").turns, AT_LEAST);
        assert_eq!(taken, WARM_UP + AT_LEAST);
    }

    #[test]
    fn cancelling_ends_it_and_an_error_too() {
        let patience = patience();
        let mut taken = 0;
        let turns = take_turns(&patience, || {
            taken += 1;
            patience.cancel.cancel();
            Ok::<_, ()>(())
        });
        assert_eq!((turns, taken), (Ok(None), 1));
        assert_eq!(take_turns(&self::patience(), || Err("broken")), Err("broken"));
    }

    #[test]
    fn best_and_median() {
        let work = cpu::Work { convolutions: 7, reorders: 2, packings: 0 };
        assert_eq!(Turns::of(vec![], work), None);
        let turns = Turns::of(vec![3.0, 1.0, 9.0], work).expect("three times");
        assert_eq!((turns.best_seconds, turns.median_seconds, turns.turns), (1.0, 3.0, 3));
        assert_eq!((turns.convolutions, turns.reorders), (7, 2));
    }
}

//! In which order the samples of an epoch come, and which of them a machine gets. Pure: numbers in, numbers out.

use crate::plan::Purpose;
use crate::{Remainder, Seed};

/// Which part of the samples one of several machines (or processes) gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which one of them this is, from 0 on.
    pub index: usize,
    /// How many there are. Zero counts as 1.
    pub count: usize,
}

/// The numbers below `samples`, shuffled; each order as likely as the others, and the same for a run and an epoch wherever
/// it is asked for.
pub fn shuffled(samples: usize, run: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..samples).collect();
    // Fisher and Yates.
    for last in (1..samples).rev() {
        let seed = Seed { run, epoch, sample: last as u64 };
        order.swap(last, seed.below(last + 1, Purpose::Shuffle));
    }
    order
}

/// Every `count`th sample of an order, so that shards together, in turn, give the order again. If it does not divide evenly,
/// the first shards get one sample more, or the last samples are dropped, so that all machines take as many steps.
pub fn sharded(order: &[usize], shard: Shard, remainder: Remainder) -> Vec<usize> {
    let count = shard.count.max(1);
    let used = match remainder {
        Remainder::Keep => order.len(),
        Remainder::Drop => order.len() - order.len() % count,
    };
    order[..used].iter().skip(shard.index).step_by(count).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_never_change() {
        // From the same formula in Python; runs of other releases depend on them.
        assert_eq!(shuffled(10, 1, 2), ORDER);
    }

    const ORDER: [usize; 10] = [4, 5, 2, 0, 9, 7, 1, 8, 6, 3];

    proptest::proptest! {
        #[test]
        fn every_sample_comes_once(samples in 0_usize..500, run: u64, epoch: u64, count in 1_usize..8) {
            let order = shuffled(samples, run, epoch);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..samples));
            let shards = |remainder| -> Vec<Vec<usize>> {
                (0..count).map(|index| sharded(&order, Shard { index, count }, remainder)).collect()
            };
            let kept = shards(Remainder::Keep);
            assert!(order.iter().enumerate().all(|(at, sample)| kept[at % count][at / count] == *sample));
            assert_eq!(kept.iter().map(Vec::len).sum::<usize>(), samples);
            let even = shards(Remainder::Drop);
            assert!(even.iter().zip(&kept).all(|(even, kept)| even.len() == samples / count && kept.starts_with(even)));
        }
    }

    #[test]
    fn epochs_and_runs_differ_and_no_place_is_favoured() {
        assert_ne!(shuffled(100, 1, 2), shuffled(100, 1, 3));
        assert_ne!(shuffled(100, 1, 2), shuffled(100, 2, 2));
        let mut counts = [[0_u32; 5]; 5];
        for epoch in 0..20_000 {
            for (place, sample) in shuffled(5, 7, epoch).into_iter().enumerate() {
                counts[place][sample] += 1;
            }
        }
        // Five standard deviations of a fair count of 4,000.
        assert!(counts.iter().flatten().all(|count| count.abs_diff(4_000) < 283), "{counts:?}");
    }
}

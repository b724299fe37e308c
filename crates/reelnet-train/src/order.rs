//! Which sample is at which position of a run. Pure: it depends on the seed and on how many samples there are, and for shards
//! on which of them lie in one.

use std::ops::Range;

use reelnet_clips::shuffled;

use crate::data::{DataSet, SourceConfig};
use crate::recipe::Recipe;

/// The order of a run's samples.
#[derive(Debug)]
pub(crate) struct Order {
    rule: Rule,
    samples: usize,
    /// Positions of an epoch.
    used: u64,
    seed: u64,
    /// The order of one epoch.
    current: Option<(u64, Vec<usize>)>,
}

/// How an epoch's order comes about.
#[derive(Clone, Debug, PartialEq)]
enum Rule {
    /// Each order is as likely as the others.
    Anywhere,
    /// Files one after the other, in a random order; what lies in them is shuffled among so many neighbours.
    FileByFile { files: Vec<Range<usize>>, window: usize },
}

impl Order {
    /// The order of a recipe's run, whose epochs have `used` positions.
    pub(crate) fn new(recipe: &Recipe, data: &DataSet, used: u64) -> Self {
        let rule = match recipe.data.train {
            SourceConfig::Shards { shuffle_window: Some(window), .. } => {
                let same_file = data.samples.chunk_by(|one, other| one.path == other.path);
                let files = same_file.scan(0, |start, samples| {
                    let range = *start..*start + samples.len();
                    *start = range.end;
                    Some(range)
                });
                Rule::FileByFile { files: files.collect(), window }
            }
            _ => Rule::Anywhere,
        };
        Self { rule, samples: data.samples.len(), used, seed: recipe.seed, current: None }
    }

    /// The seed of the run.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The epoch and the sample at a position.
    pub(crate) fn at(&mut self, position: u64) -> (u64, usize) {
        let epoch = position / self.used;
        if self.current.as_ref().is_none_or(|(current, _)| *current != epoch) {
            self.current = Some((epoch, self.rule.order(self.samples, self.seed, epoch)));
        }
        let (_, order) = self.current.as_ref().expect("it was just made");
        let place = usize::try_from(position % self.used).expect("an epoch is in memory");
        (epoch, order[place])
    }
}

impl Rule {
    fn order(&self, samples: usize, seed: u64, epoch: u64) -> Vec<usize> {
        let Self::FileByFile { files, window } = self else { return shuffled(samples, seed, epoch) };
        let in_sequence: Vec<usize> =
            shuffled(files.len(), seed, epoch).into_iter().flat_map(|file| files[file].clone()).collect();
        let windows = in_sequence.chunks(*window).enumerate();
        // Odd multipliers keep windows apart; what comes out goes through a cipher.
        let seed_of = |number: usize| seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        windows
            .flat_map(|(number, neighbours)| {
                shuffled(neighbours.len(), seed_of(number), epoch).into_iter().map(|place| neighbours[place])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_its_own_order_wherever_it_is_asked() {
        let files = vec![0..4, 4..7, 7..10];
        for rule in [Rule::Anywhere, Rule::FileByFile { files, window: 3 }] {
            let order = || Order { rule: rule.clone(), samples: 10, used: 8, seed: 3, current: None };
            let mut whole = order();
            let all: Vec<(u64, usize)> = (0..24).map(|position| whole.at(position)).collect();
            for (position, expected) in all.iter().enumerate().rev() {
                assert_eq!(order().at(position as u64), *expected);
            }
            let epoch = |number: u64| -> Vec<usize> {
                all.iter().filter(|(epoch, _)| *epoch == number).map(|(_, sample)| *sample).collect()
            };
            assert_eq!(epoch(0), rule.order(10, 3, 0)[..8]);
            assert_ne!(epoch(0), epoch(1));
            let mut once = epoch(2);
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), 8);
        }
        assert_eq!(Rule::Anywhere.order(10, 3, 0), shuffled(10, 3, 0));
    }

    #[test]
    fn shards_come_one_after_the_other() {
        let files: Vec<Range<usize>> = (0..20).map(|file| file * 50..(file + 1) * 50).collect();
        let in_order = Rule::FileByFile { files: files.clone(), window: 1 };
        let order = in_order.order(1000, 7, 0);
        let shards: Vec<usize> = order.chunks(50).map(|shard| shard[0] / 50).collect();
        assert!(order.chunks(50).all(|shard| shard.is_sorted() && shard[49] - shard[0] == 49), "as they lie there");
        assert_eq!(shards, shuffled(20, 7, 0));

        let order = Rule::FileByFile { files, window: 100 }.order(1000, 7, 0);
        let mixed = order.chunks(100).zip(shards.chunks(2));
        for (window, shards) in mixed {
            let mut of: Vec<usize> = window.iter().map(|sample| sample / 50).collect();
            assert!(!window.is_sorted());
            of.sort_unstable();
            of.dedup();
            let mut shards = shards.to_vec();
            shards.sort_unstable();
            assert_eq!(of, shards, "two shards at a time");
        }
        let mut all = order;
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1000), "each once");
    }
}

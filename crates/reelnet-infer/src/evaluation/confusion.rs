//! Which class was taken for which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often each class was taken for which. Counts, so that several of them can be added. Sparse: of a thousand classes, few
/// pairs occur.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<[u64; 3]>", into = "Vec<[u64; 3]>")]
pub struct Confusion {
    /// Files by what they are and what they were taken for.
    counts: BTreeMap<[usize; 2], u64>,
}

impl Confusion {
    /// Counts a file of class `is` that was taken for `taken_for`.
    pub fn add(&mut self, is: usize, taken_for: usize) {
        *self.counts.entry([is, taken_for]).or_default() += 1;
    }

    /// Adds what another part counted.
    pub fn merge(&mut self, other: &Self) {
        for (&pair, count) in &other.counts {
            *self.counts.entry(pair).or_default() += count;
        }
    }

    /// Files of class `is` that were taken for `taken_for`.
    pub fn count(&self, is: usize, taken_for: usize) -> u64 {
        self.counts.get(&[is, taken_for]).copied().unwrap_or(0)
    }

    /// Files of a class.
    pub fn files_of(&self, is: usize) -> u64 {
        self.counts.range([is, 0]..=[is, usize::MAX]).map(|(_, count)| count).sum()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The mistakes, the most frequent first: what a file is, what it was taken for, how often.
    pub fn mistakes(&self) -> Vec<(usize, usize, u64)> {
        let wrong = self.counts.iter().filter(|([is, taken_for], _)| is != taken_for);
        let mut mistakes: Vec<_> = wrong.map(|(&[is, taken_for], &count)| (is, taken_for, count)).collect();
        mistakes.sort_by_key(|&(is, taken_for, count)| (std::cmp::Reverse(count), is, taken_for));
        mistakes
    }
}

/// Triples of what files are, what they were taken for, and how often.
impl From<Confusion> for Vec<[u64; 3]> {
    fn from(confusion: Confusion) -> Self {
        confusion.counts.into_iter().map(|([is, taken_for], count)| [is as u64, taken_for as u64, count]).collect()
    }
}

impl From<Vec<[u64; 3]>> for Confusion {
    fn from(triples: Vec<[u64; 3]>) -> Self {
        let place = |class: u64| usize::try_from(class).unwrap_or(usize::MAX);
        let counts = triples.into_iter().map(|[is, taken_for, count]| ([place(is), place(taken_for)], count));
        Self { counts: counts.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_counted_and_come_back_from_a_journal() {
        let mut confusion = Confusion::default();
        for (is, taken_for) in [(0, 0), (0, 1), (1, 0), (1, 0), (2, 2), (0, 0)] {
            confusion.add(is, taken_for);
        }
        assert_eq!(confusion.mistakes(), [(1, 0, 2), (0, 1, 1)]);
        assert_eq!([0, 1, 2, 3].map(|class| confusion.files_of(class)), [3, 2, 1, 0]);
        assert_eq!((confusion.count(0, 0), confusion.count(2, 0)), (2, 0));
        let text = serde_json::to_string(&confusion).expect("counts");
        assert_eq!(text, "[[0,0,2],[0,1,1],[1,0,2],[2,2,1]]");
        assert_eq!(serde_json::from_str::<Confusion>(&text).expect("what was written"), confusion);
    }
}

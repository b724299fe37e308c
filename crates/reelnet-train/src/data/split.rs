//! Which samples are held out. Pure: names in, numbers out.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// For each group whether it is held out: those of the smallest hashes, until about a share of all samples is. A sample that
/// is added later moves at most those at the edge.
pub(super) fn held_out(groups: &[&str], share: f64, seed: u64) -> Vec<bool> {
    let mut sizes: BTreeMap<(u64, &str), usize> = BTreeMap::new();
    let hash = |group: &str| xxh3_64_with_seed(group.as_bytes(), seed);
    for group in groups {
        *sizes.entry((hash(group), group)).or_default() += 1;
    }
    let wanted = share * groups.len() as f64;
    let mut before = 0;
    // A group is held out if most of it lies below the share.
    let last = sizes.iter().take_while(|(_, size)| {
        let is_within = before as f64 + **size as f64 / 2.0 <= wanted;
        before += **size;
        is_within
    });
    let Some(last) = last.last().map(|(key, _)| *key) else { return vec![false; groups.len()] };
    groups.iter().map(|group| (hash(group), *group) <= last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_held_out_whatever_the_order() {
        let names: Vec<String> = (0..5000).map(|number| format!("class {}/{number}.mp4", number % 7)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let held = held_out(&names, 0.02, 1);
        assert_eq!(held.iter().filter(|held| **held).count(), 100);
        assert_ne!(held, held_out(&names, 0.02, 2));
        let reversed: Vec<&str> = names.iter().rev().copied().collect();
        assert!(held_out(&reversed, 0.02, 1).into_iter().rev().eq(held.iter().copied()));
        let more: Vec<&str> = names.iter().copied().chain(["another.mp4"]).collect();
        let moved = held_out(&more, 0.02, 1).iter().zip(&held).filter(|(after, before)| after != before).count();
        assert!(moved <= 1, "{moved}");
    }

    #[test]
    fn groups_stay_together_and_ends_are_ends() {
        let groups: Vec<String> = (0..900).map(|number| format!("video {}", number / 9)).collect();
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let held = held_out(&groups, 0.3, 5);
        assert!(held.chunks(9).all(|group| group.iter().all(|held| *held == group[0])));
        assert_eq!(held.iter().filter(|held| **held).count(), 270);
        assert!(held_out(&groups, 0.0, 5).iter().all(|held| !held));
        assert!(held_out(&groups, 1.0, 5).iter().all(|held| *held));
        assert!(held_out(&[], 0.5, 5).is_empty());
    }
}

//! What is kept between convolutions: plans by problem, and packed weights by the tensor that they were packed from.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use burn::backend::flex::FlexTensor;

use super::ffi;
use super::memory::Memory;
use super::plan::{OneDnnError, Plan};

/// Plans that are kept: a training step of the largest network here has about 300 problems, and a plan is some tens of
/// kilobytes of machine code.
const PLANS: usize = 1024;
/// Bytes of packed weights that are kept; the largest network here has 0.8 GB.
const PACKED_BYTES: usize = 1 << 30;

/// The plan for a problem, made when it is first asked for.
pub(super) fn plan(problem: ffi::Conv) -> Result<Arc<Plan>, OneDnnError> {
    static KEPT: LazyLock<Mutex<Recent<ffi::Conv, Arc<Plan>>>> = LazyLock::new(|| Mutex::new(Recent::new(PLANS)));
    if let Some(plan) = lock(&KEPT).find(&problem) {
        return Ok(Arc::clone(plan));
    }
    // Not under the lock: making one takes milliseconds. Two threads may make the same one, and the later stays.
    let plan = Arc::new(Plan::new(problem)?);
    lock(&KEPT).keep(problem, Arc::clone(&plan), 1);
    Ok(plan)
}

/// The weights packed for a plan, from the last time if the tensor has not changed since.
///
/// A kept entry holds on to its tensor. While it does, nobody can change the tensor's memory (burn-flex copies what is shared
/// before it writes) or be given the same address for another tensor, so an address says that the numbers are the same.
pub(super) fn packed(plan: &Plan, weights: &FlexTensor, bytes: &[u8]) -> Arc<Memory> {
    static KEPT: LazyLock<Mutex<Recent<(usize, ffi::Conv), Packed>>> =
        LazyLock::new(|| Mutex::new(Recent::new(PACKED_BYTES)));
    let key = (bytes.as_ptr().addr(), plan.problem());
    if let Some(kept) = lock(&KEPT).find(&key) {
        return Arc::clone(&kept.memory);
    }
    let mut memory = plan.packed_memory();
    plan.pack(bytes, &mut memory);
    let held = memory.bytes() + bytes.len();
    let memory = Arc::new(memory);
    let mut kept = lock(&KEPT);
    kept.forget(|packed| packed.weights.is_unique());
    kept.keep(key, Packed { weights: weights.clone(), memory: Arc::clone(&memory) }, held);
    memory
}

struct Packed {
    weights: FlexTensor,
    memory: Arc<Memory>,
}

/// Values that weigh no more than a bound together; the least recently used ones leave first.
struct Recent<K, V> {
    entries: HashMap<K, Entry<V>>,
    weight: usize,
    bound: usize,
    uses: u64,
}

struct Entry<V> {
    value: V,
    weight: usize,
    last_use: u64,
}

impl<K: Eq + Hash + Copy, V> Recent<K, V> {
    fn new(bound: usize) -> Self {
        Self { entries: HashMap::new(), weight: 0, bound, uses: 0 }
    }

    fn find(&mut self, key: &K) -> Option<&V> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        entry.last_use = self.uses;
        Some(&entry.value)
    }

    /// Keeps a value, unless it alone weighs more than the bound.
    fn keep(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        if weight > self.bound {
            return;
        }
        while self.weight + weight > self.bound {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.last_use).map(|(&key, _)| key);
            self.remove(&oldest.expect("what weighs something has entries"));
        }
        self.uses += 1;
        self.weight += weight;
        self.entries.insert(key, Entry { value, weight, last_use: self.uses });
    }

    fn forget(&mut self, mut useless: impl FnMut(&V) -> bool) {
        self.entries.retain(|_, entry| !useless(&entry.value));
        self.weight = self.entries.values().map(|entry| entry.weight).sum();
    }

    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.weight -= entry.weight;
        }
    }
}

/// Nothing here is left half changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn the_least_recently_used_leaves_first() {
        let mut recent = Recent::new(3);
        for key in 0..3 {
            recent.keep(key, key * 10, 1);
        }
        assert_eq!(recent.find(&0), Some(&0));
        recent.keep(3, 30, 1);
        assert_eq!([0, 1, 2, 3].map(|key| recent.find(&key).copied()), [Some(0), None, Some(20), Some(30)]);
    }

    #[test]
    fn the_bound_is_on_the_weight() {
        let mut recent = Recent::new(10);
        recent.keep('a', (), 6);
        recent.keep('b', (), 4);
        recent.keep('c', (), 5);
        assert!(recent.find(&'a').is_none() && recent.find(&'b').is_some() && recent.find(&'c').is_some());
        recent.keep('d', (), 11);
        assert!(recent.find(&'d').is_none(), "heavier than the bound");
        assert_eq!(recent.weight, 9);
        recent.keep('b', (), 1);
        assert_eq!(recent.weight, 6);
        recent.forget(|()| true);
        assert_eq!((recent.weight, recent.entries.len()), (0, 0));
    }
}

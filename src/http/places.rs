//! Places: so many for each, and so many for all together; one is taken until it is dropped.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Places of one kind, and whose they are.
#[derive(Debug)]
pub(super) struct Places<K> {
    each: usize,
    all: usize,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    of: HashMap<K, usize>,
    all: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// Who wants it has as many as one may have.
    Each,
    /// All together have as many as there are.
    All,
}

/// A place; it is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place<K: Eq + Hash> {
    of: Arc<Places<K>>,
    whose: K,
}

impl<K: Clone + Eq + Hash> Places<K> {
    /// So many for each, and so many for all together.
    pub(super) fn new(each: usize, all: usize) -> Arc<Self> {
        Arc::new(Self { each, all, taken: Mutex::new(Taken { of: HashMap::new(), all: 0 }) })
    }

    /// One more place for somebody.
    ///
    /// # Errors
    /// [`Full`] where there is none.
    pub(super) fn take(self: &Arc<Self>, whose: K) -> Result<Place<K>, Full> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.of.get(&whose).is_some_and(|own| *own >= self.each) {
            return Err(Full::Each);
        }
        if taken.all >= self.all {
            return Err(Full::All);
        }
        taken.all += 1;
        *taken.of.entry(whose.clone()).or_default() += 1;
        Ok(Place { of: self.clone(), whose })
    }

    /// Whether nobody has any.
    #[cfg(test)]
    pub(super) fn are_free(&self) -> bool {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all == 0 && taken.of.is_empty()
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(own) = taken.of.get_mut(&self.whose) {
            *own -= 1;
            if *own == 0 {
                taken.of.remove(&self.whose);
            }
        }
    }
}

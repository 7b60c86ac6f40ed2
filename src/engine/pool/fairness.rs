//! A queue that shares engine time, not turns, between owners.

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// Items of several owners; the next item belongs to the owner with the lowest cost so far.
///
/// An owner that is new, or that was idle, starts level with the cheapest active owner: it gets no credit for the time
/// it was idle and pays nothing for having started early.
#[derive(Debug)]
pub(crate) struct FairQueue<K, T> {
    owners: BTreeMap<K, OwnerQueue<T>>,
    /// Cost of the owner served last; no owner starts below it.
    floor: Duration,
}

#[derive(Debug)]
struct OwnerQueue<T> {
    waiting: VecDeque<T>,
    running: usize,
    cost: Duration,
}

impl<K: Ord + Copy + Hash, T> FairQueue<K, T> {
    /// An empty queue.
    pub(crate) fn new() -> FairQueue<K, T> {
        FairQueue { owners: BTreeMap::new(), floor: Duration::ZERO }
    }

    /// Adds an item at the end of its owner's queue.
    pub(crate) fn push(&mut self, owner: K, item: T) {
        let level = self.level();
        let owner = self.owners.entry(owner).or_insert_with(|| OwnerQueue {
            waiting: VecDeque::new(),
            running: 0,
            cost: Duration::ZERO,
        });
        if owner.is_idle() {
            owner.cost = owner.cost.max(level);
        }
        owner.waiting.push_back(item);
    }

    /// Takes the next item: of the owners with items, the one with the lowest cost, then the one with the fewest
    /// running items.
    pub(crate) fn pop(&mut self) -> Option<(K, T)> {
        let waiting = self.owners.iter_mut().filter(|(_, owner)| !owner.waiting.is_empty());
        let (key, owner) = waiting.min_by_key(|(_, owner)| (owner.cost, owner.running))?;
        self.floor = self.floor.max(owner.cost);
        owner.running += 1;
        Some((*key, owner.waiting.pop_front()?))
    }

    /// Marks a taken item as finished and adds its cost to its owner.
    pub(crate) fn finish(&mut self, key: K, cost: Duration) {
        if let Some(owner) = self.owners.get_mut(&key) {
            owner.running = owner.running.saturating_sub(1);
            owner.cost += cost;
        }
    }

    /// Removes an owner and returns its queued items.
    pub(crate) fn remove(&mut self, key: K) -> Vec<T> {
        self.owners.remove(&key).map(|owner| owner.waiting.into()).unwrap_or_default()
    }

    /// Items of all queues.
    pub(crate) fn len(&self) -> usize {
        self.owners.values().map(|owner| owner.waiting.len()).sum()
    }

    /// The items of all queues, in no order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &T> {
        self.owners.values().flat_map(|owner| &owner.waiting)
    }

    /// Takes all items out.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        std::mem::take(&mut self.owners).into_values().flat_map(|owner| owner.waiting).collect()
    }

    /// Cost at which an idle owner starts. Idle owners do not count: the low cost of a slow upload is not passed on to
    /// others either.
    fn level(&self) -> Duration {
        let active = self.owners.values().filter(|owner| !owner.is_idle());
        active.map(|owner| owner.cost).min().unwrap_or(self.floor)
    }
}

impl<T> OwnerQueue<T> {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running == 0
    }
}

impl<K: Ord + Copy + Hash, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        FairQueue::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves `turns` items, each owner keeping two queued; returns the count per owner.
    fn serve(costs: &[u64], turns: usize) -> Vec<usize> {
        let mut queue = FairQueue::new();
        let mut served = vec![0; costs.len()];
        for owner in 0..costs.len() {
            queue.push(owner, ());
            queue.push(owner, ());
        }
        for _ in 0..turns {
            let (owner, ()) = queue.pop().unwrap();
            served[owner] += 1;
            queue.finish(owner, Duration::from_millis(costs[owner]));
            queue.push(owner, ());
        }
        served
    }

    #[test]
    fn time_is_shared_not_turns() {
        assert_eq!(serve(&[10, 10], 100), [50, 50]);
        assert_eq!(serve(&[10, 30], 100), [75, 25]);
        assert_eq!(serve(&[1, 1, 1, 1], 100), [25, 25, 25, 25]);
    }

    #[test]
    fn a_newcomer_starts_level() {
        let mut queue = FairQueue::new();
        for _ in 0..9 {
            queue.push("old", ());
        }
        for _ in 0..3 {
            assert_eq!(queue.pop().map(|(owner, ())| owner), Some("old"));
            queue.finish("old", Duration::from_secs(1));
        }
        for _ in 0..9 {
            queue.push("new", ());
        }
        let mut order = Vec::new();
        for _ in 0..6 {
            let (owner, ()) = queue.pop().unwrap();
            order.push(owner);
            queue.finish(owner, Duration::from_secs(1));
        }
        assert_eq!(order.iter().filter(|owner| **owner == "new").count(), 3, "{order:?}");
    }

    /// Serves `turns` items of two owners, each queueing again at once; returns the count per owner.
    fn share(queue: &mut FairQueue<u32, ()>, owners: [u32; 2], turns: usize) -> [usize; 2] {
        for owner in owners {
            queue.push(owner, ());
        }
        let mut served = [0, 0];
        for _ in 0..turns {
            let (owner, ()) = queue.pop().unwrap();
            served[usize::from(owner == owners[1])] += 1;
            queue.push(owner, ());
            queue.finish(owner, Duration::from_secs(1));
        }
        served
    }

    #[test]
    fn an_owner_that_was_idle_gets_no_credit() {
        let mut queue = FairQueue::new();
        // A slow upload, or the pool's own probe of an engine: one item, then idle for long.
        queue.push(7, ());
        queue.pop();
        queue.finish(7, Duration::from_secs(1));
        share(&mut queue, [1, 2], 100);
        // A new owner does not start at the cost of the idle one …
        queue.remove(2);
        assert_eq!(share(&mut queue, [1, 3], 10), [5, 5]);
        // … and the idle one gets no turns in advance.
        queue.remove(3);
        assert_eq!(share(&mut queue, [1, 7], 10), [5, 5]);
    }

    #[test]
    fn an_owner_can_be_removed() {
        let mut queue = FairQueue::new();
        queue.push(1, 'a');
        queue.push(1, 'b');
        queue.push(2, 'c');
        assert_eq!(queue.remove(1), ['a', 'b']);
        assert_eq!(queue.pop(), Some((2, 'c')));
        assert_eq!(queue.pop(), None);
    }
}

//! The order in which sessions get slots.

use std::collections::{BTreeMap, VecDeque};

/// The sessions that hold a slot, wait for one, or are parked.
///
/// The slots belong to the sessions that were admitted first, among those that can be computed. A session that cannot is
/// parked; when it can be computed again it claims its place in the order of admission, and the slot of a session that was
/// admitted later if none is free.
#[derive(Debug)]
pub(super) struct SlotQueue<T> {
    slots: usize,
    next: u64,
    /// By admission: the first `slots` hold one, the others wait.
    ready: BTreeMap<u64, T>,
    /// With their numbers in the order of admission, the longest parked first.
    parked: VecDeque<(u64, T)>,
}

impl<T> SlotQueue<T> {
    pub(super) fn new(slots: usize) -> SlotQueue<T> {
        SlotQueue { slots, next: 0, ready: BTreeMap::new(), parked: VecDeque::new() }
    }

    /// Appends a member.
    pub(super) fn admit(&mut self, member: T) {
        self.ready.insert(self.next, member);
        self.next += 1;
    }

    /// Parks a member that holds a slot or waits for one. Returns it; `None` if there is none.
    pub(super) fn park(&mut self, is: impl Fn(&T) -> bool) -> Option<&mut T> {
        let number = self.number(is)?;
        let member = self.ready.remove(&number)?;
        self.parked.push_back((number, member));
        self.parked.back_mut().map(|(_, member)| member)
    }

    /// Takes a parked member back into the order of admission. Returns it; `None` if there is none.
    pub(super) fn claim(&mut self, is: impl Fn(&T) -> bool) -> Option<&mut T> {
        let index = self.parked.iter().position(|(_, member)| is(member))?;
        let (number, member) = self.parked.remove(index)?;
        Some(self.ready.entry(number).or_insert(member))
    }

    /// Removes a member.
    pub(super) fn remove(&mut self, is: impl Fn(&T) -> bool) {
        match self.number(&is) {
            Some(number) => drop(self.ready.remove(&number)),
            None => self.parked.retain(|(_, member)| !is(member)),
        }
    }

    /// The members that hold a slot, in the order of admission.
    pub(super) fn holding(&self) -> impl Iterator<Item = &T> {
        self.ready.values().take(self.slots)
    }

    /// The same, to be changed.
    pub(super) fn holding_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.ready.values_mut().take(self.slots)
    }

    /// The members that wait for a slot, in the order of admission.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &T> {
        self.ready.values().skip(self.slots)
    }

    /// The parked members, the longest parked first.
    pub(super) fn parked(&self) -> impl Iterator<Item = &T> {
        self.parked.iter().map(|(_, member)| member)
    }

    fn number(&self, is: impl Fn(&T) -> bool) -> Option<u64> {
        self.ready.iter().find(|(_, member)| is(member)).map(|(&number, _)| number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SLOTS: usize = 2;

    /// Members are numbered by admission.
    fn members<'a>(of: impl Iterator<Item = &'a u32>) -> Vec<u32> {
        of.copied().collect()
    }

    fn holding(queue: &SlotQueue<u32>) -> Vec<u32> {
        members(queue.holding())
    }

    fn admitted(count: u32) -> SlotQueue<u32> {
        let mut queue = SlotQueue::new(SLOTS);
        (0..count).for_each(|member| queue.admit(member));
        queue
    }

    #[test]
    fn a_parked_member_leaves_its_slot_to_the_first_that_waits() {
        let mut queue = admitted(4);
        assert_eq!((holding(&queue), members(queue.waiting())), (vec![0, 1], vec![2, 3]));
        assert_eq!(queue.park(|&m| m == 1), Some(&mut 1));
        assert_eq!((holding(&queue), members(queue.waiting())), (vec![0, 2], vec![3]));
        assert_eq!(queue.park(|&m| m == 1), None, "it is parked");
        queue.remove(|&m| m == 0);
        assert_eq!((holding(&queue), members(queue.parked())), (vec![2, 3], vec![1]));
    }

    #[test]
    fn a_member_that_claims_a_slot_is_served_by_its_admission() {
        let mut queue = admitted(3);
        queue.park(|&m| m == 0);
        assert_eq!(holding(&queue), [1, 2]);
        queue.claim(|&m| m == 0);
        assert_eq!((holding(&queue), members(queue.waiting())), (vec![0, 1], vec![2]));
        queue.park(|&m| m == 2);
        queue.claim(|&m| m == 2);
        assert_eq!(members(queue.waiting()), [2]);
    }

    #[test]
    fn the_longest_parked_member_is_first() {
        let mut queue = admitted(3);
        for member in [2, 0, 1] {
            queue.park(|&m| m == member);
        }
        queue.claim(|&m| m == 0);
        queue.park(|&m| m == 0);
        assert_eq!(members(queue.parked()), [2, 1, 0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        /// Each step admits, parks, claims or removes a member.
        #[test]
        fn the_slots_belong_to_the_oldest_members_that_are_not_parked(
            steps in proptest::collection::vec((0..4, 0u32..12), 0..64),
        ) {
            let mut queue = SlotQueue::new(SLOTS);
            let (mut ready, mut parked) = (Vec::new(), Vec::new());
            let mut next = 0;
            for (kind, member) in steps {
                match kind {
                    0 => {
                        queue.admit(next);
                        ready.push(next);
                        next += 1;
                    }
                    1 => {
                        queue.park(|&m| m == member);
                        parked.extend(ready.extract_if(.., |m| *m == member));
                    }
                    2 => {
                        queue.claim(|&m| m == member);
                        ready.extend(parked.extract_if(.., |m| *m == member));
                        ready.sort_unstable();
                    }
                    _ => {
                        queue.remove(|&m| m == member);
                        ready.retain(|m| *m != member);
                        parked.retain(|m| *m != member);
                    }
                }
                let slots = ready.len().min(SLOTS);
                prop_assert_eq!(holding(&queue), &ready[..slots]);
                prop_assert_eq!(members(queue.waiting()), &ready[slots..]);
                prop_assert_eq!(members(queue.parked()), parked.clone());
            }
        }
    }
}

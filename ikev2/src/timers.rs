//! All deadlines of an endpoint in one ordered set, so that a wake-up costs O(log n) and not O(n).

use alloc::collections::BTreeSet;

use adit_platform::Instant;

/// Who is to be woken when; one deadline per key at most, kept by the owner of the key.
#[derive(Debug)]
pub(crate) struct Timers<K>(BTreeSet<(Instant, K)>);

impl<K: Copy + Ord> Timers<K> {
    pub(crate) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Moves the deadline of `key` from what `current` remembers to `deadline`.
    pub(crate) fn set(&mut self, key: K, current: &mut Option<Instant>, deadline: Option<Instant>) {
        if *current == deadline {
            return;
        }
        if let Some(old) = *current {
            self.0.remove(&(old, key));
        }
        if let Some(new) = deadline {
            self.0.insert((new, key));
        }
        *current = deadline;
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(deadline, _)| *deadline)
    }

    /// Takes out one key whose deadline has come, at `now >= deadline`. Its owner has to forget the
    /// deadline too.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        self.next().filter(|deadline| now >= *deadline)?;
        self.0.pop_first().map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(secs))
    }

    #[test]
    fn a_deadline_is_due_when_it_comes_and_then_gone() {
        let mut timers = Timers::new();
        let (mut a, mut b) = (None, None);
        timers.set('a', &mut a, Some(at(5)));
        timers.set('b', &mut b, Some(at(3)));
        timers.set('a', &mut a, Some(at(2)));
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.pop_due(at(1)), None);
        assert_eq!(timers.pop_due(at(2)), Some('a'));
        assert_eq!(timers.pop_due(at(2)), None);
        timers.set('b', &mut b, None);
        assert_eq!(timers.next(), None);
    }
}

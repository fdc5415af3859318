//! Slots for the SAs of an endpoint, and names for them that are never used twice.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::path::SaId;

/// Entries that are found by an [`SaId`] in constant time.
pub(super) struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

struct Slot<T> {
    /// How many entries this slot has had; a name with another number is stale.
    generation: u32,
    entry: Option<Box<T>>,
}

impl<T> Table<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Puts in what `make` makes of its name; nothing if 2³² slots are taken.
    pub(super) fn insert_with(&mut self, make: impl FnOnce(SaId) -> T) -> Option<SaId> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot { generation: 0, entry: None });
                index
            }
        };
        let slot = self.slots.get_mut(usize::try_from(index).ok()?)?;
        let id = SaId { index, generation: slot.generation };
        slot.entry = Some(Box::new(make(id)));
        Some(id)
    }

    pub(super) fn get_mut(&mut self, id: SaId) -> Option<&mut T> {
        self.slot_mut(id)?.entry.as_deref_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.entry.as_deref())
    }

    pub(super) fn remove(&mut self, id: SaId) -> Option<Box<T>> {
        let slot = self.slot_mut(id)?;
        let entry = slot.entry.take()?;
        // A slot whose names are used up is never freed, so none comes twice.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.index);
        }
        Some(entry)
    }

    fn slot_mut(&mut self, id: SaId) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(usize::try_from(id.index).ok()?)?;
        (slot.generation == id.generation).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_dies_with_its_entry() {
        let mut table = Table::new();
        let first = table.insert_with(|_| 'a').unwrap();
        assert_eq!(table.remove(first).as_deref(), Some(&'a'));
        let second = table.insert_with(|_| 'b').unwrap();
        assert_ne!(first, second);
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get_mut(second), Some(&mut 'b'));
        assert_eq!(table.len(), 1);
    }
}

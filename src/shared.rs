//! A value that equal records have in common: many threads have the same loadout, and it is large.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that is kept once however often it is cloned. Changing one makes that one its own.
#[derive(Debug, Clone, Default)]
pub struct Shared<T>(Arc<T>);

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: Clone> Shared<T> {
    /// The value alone.
    #[must_use]
    pub fn into_inner(self) -> T {
        Arc::unwrap_or_clone(self.0)
    }
}

impl<T: PartialEq> Shared<T> {
    /// Becomes one with the last value of its kind if it is equal to that; otherwise it is the last one now.
    pub(crate) fn join(&mut self, last: &mut Weak<T>) {
        match last.upgrade() {
            Some(last) if last == self.0 => self.0 = last,
            _ => *last = Arc::downgrade(&self.0),
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ones_are_kept_once_until_one_is_changed() {
        let mut last = Weak::new();
        let mut first = Shared::from(vec![1]);
        first.join(&mut last);
        let mut second = Shared::from(vec![1]);
        second.join(&mut last);
        assert!(Arc::ptr_eq(&first.0, &second.0));
        second.push(2);
        assert_eq!((&*first, &*second), (&vec![1], &vec![1, 2]));
        second.join(&mut last);
        let mut third = second.clone();
        third.join(&mut last);
        assert!(Arc::ptr_eq(&second.0, &third.0));
        drop((second, third));
        assert!(last.upgrade().is_none(), "nothing is kept for its own sake");
    }
}

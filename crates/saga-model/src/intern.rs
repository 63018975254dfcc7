//! Small numbers for things that occur again and again, so that a configuration is a few words long.

use std::collections::HashMap;
use std::hash::Hash;

/// Numbers things by their value, from 0 in order of first appearance.
#[derive(Debug, Clone)]
pub(crate) struct Interner<T> {
    numbers: HashMap<T, u32>,
    things: Vec<T>,
}

impl<T: Clone + Eq + Hash> Interner<T> {
    pub(crate) fn new() -> Self {
        Self {
            numbers: HashMap::new(),
            things: Vec::new(),
        }
    }

    /// The number of this thing; the first time it is seen it gets the next one.
    pub(crate) fn number(&mut self, thing: T) -> u32 {
        if let Some(number) = self.numbers.get(&thing) {
            return *number;
        }
        // As many things as do not fit into 32 bits do not fit into memory either.
        let number = u32::try_from(self.things.len()).unwrap_or(u32::MAX);
        self.numbers.insert(thing.clone(), number);
        self.things.push(thing);
        number
    }

    /// The thing that has this number.
    pub(crate) fn thing(&self, number: u32) -> &T {
        &self.things[number as usize]
    }

    /// All things, in the order of their numbers.
    pub(crate) fn things(&self) -> &[T] {
        &self.things
    }

    pub(crate) fn len(&self) -> usize {
        self.things.len()
    }
}

/// A set of small numbers, one bit each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// This set and these numbers.
    pub(crate) fn with(&self, numbers: &[u32]) -> Self {
        let mut words = self.0.clone();
        for number in numbers {
            let word = (number / 64) as usize;
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            words[word] |= 1 << (number % 64);
        }
        Self(words)
    }

    /// Its numbers, the smallest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        (0u32..).step_by(64).zip(&self.0).flat_map(|(base, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.wrapping_sub(1);
                (bit < 64).then_some(base + bit)
            })
        })
    }
}

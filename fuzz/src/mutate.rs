//! From valid samples to broken ones: bits, bytes, numbers, pieces and words, changed at random places.
//!
//! The numbers come from a seed and nothing else. Invariant: no input is longer than the limit it was made for.

/// Numbers that parsers stumble over.
const BOUNDARIES: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX >> 1,
    u64::MAX,
];

/// The most changes that are made to one sample.
const MAX_CHANGES: usize = 8;

/// Pseudo-random numbers (SplitMix64): fast, seeded, good for nothing secret.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The sequence that `seed` begins.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`; 0 when there is none.
    pub const fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    /// One of `things`.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        things.get(self.below(things.len()))
    }
}

/// Makes inputs for one target.
#[derive(Debug)]
pub struct Mutator<'a> {
    numbers: Numbers,
    words: &'a [&'a str],
    max_bytes: usize,
}

impl<'a> Mutator<'a> {
    /// Inputs of at most `max_bytes`; `words` are what the target's language is made of.
    #[must_use]
    pub const fn new(seed: u64, words: &'a [&'a str], max_bytes: usize) -> Self {
        Self { numbers: Numbers::new(seed), words, max_bytes }
    }

    /// A broken copy of one of `pool`, perhaps with pieces of another.
    pub fn next(&mut self, pool: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.numbers.pick(pool).cloned().unwrap_or_default();
        let other = self.numbers.pick(pool).cloned().unwrap_or_default();
        for _ in 0..=self.numbers.below(MAX_CHANGES) {
            self.change(&mut input, &other);
        }
        input.truncate(self.max_bytes);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.numbers.below(input.len() + 1);
        let piece = self.range(input.len());
        match self.numbers.below(11) {
            0 | 1 => {
                let bit = 1 << self.numbers.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= bit;
                }
            }
            2 => {
                let value = self.numbers.next() as u8;
                if let Some(byte) = input.get_mut(at) {
                    *byte = value;
                }
            }
            3 | 4 => self.set_number(input, at),
            5 => drop(input.drain(piece)),
            6 => {
                let copy = input.get(piece).unwrap_or_default().to_vec();
                let times = 1 + self.numbers.below(4);
                insert(input, at, &copy.repeat(times));
            }
            7 => {
                let piece = self.range(other.len());
                insert(input, at, other.get(piece).unwrap_or_default());
            }
            8 => {
                let foreign = self.range(other.len());
                input.splice(piece, other.get(foreign).unwrap_or_default().iter().copied());
            }
            9 => {
                let word = self.numbers.pick(self.words).copied().unwrap_or("\0");
                insert(input, at, word.as_bytes());
            }
            _ => input.truncate(at),
        }
    }

    /// A whole number of 1, 2, 4 or 8 bytes: a boundary, or what is there and a little more or less.
    fn set_number(&mut self, input: &mut [u8], at: usize) {
        let width = 1 << self.numbers.below(4);
        let Some(field) = input.get_mut(at..at + width) else { return };
        let there = field.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let boundary = self.numbers.pick(&BOUNDARIES).copied().unwrap_or_default();
        let little = self.numbers.below(9) as u64;
        let value =
            if self.numbers.below(2) == 0 { boundary } else { there.wrapping_add(little).wrapping_sub(4) };
        field.copy_from_slice(value.to_be_bytes().get(8 - width..).unwrap_or_default());
    }

    /// A piece of something that has `length` bytes; short pieces are likelier.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.numbers.below(length + 1);
        let longest = if self.numbers.below(4) == 0 { length - start } else { (length - start).min(16) };
        start..start + self.numbers.below(longest + 1)
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(seed: u64, count: usize) -> Vec<Vec<u8>> {
        let mut mutator = Mutator::new(seed, &["word"], 64);
        let pool = [b"a sample of some length".to_vec(), b"another".to_vec()];
        (0..count).map(|_| mutator.next(&pool)).collect()
    }

    #[test]
    fn one_seed_makes_one_sequence() {
        assert_eq!(inputs(7, 100), inputs(7, 100));
        assert_ne!(inputs(7, 100), inputs(8, 100));
    }

    #[test]
    fn inputs_differ_and_keep_to_their_limit() {
        let made = inputs(1, 10_000);
        assert!(made.iter().all(|input| input.len() <= 64));
        let different: std::collections::HashSet<_> = made.iter().collect();
        assert!(different.len() > 7_500, "{} of 10000 differ", different.len());
        assert!(made.iter().any(|input| input.windows(4).any(|bytes| bytes == b"word")));
    }

    #[test]
    fn an_empty_pool_still_makes_inputs() {
        let mut mutator = Mutator::new(1, &["word"], 8);
        assert!((0..1000).map(|_| mutator.next(&[])).any(|input| !input.is_empty()));
    }
}

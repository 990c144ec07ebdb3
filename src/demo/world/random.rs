//! Random numbers that are the same for ever: xoshiro256++, seeded by SplitMix64.
//!
//! Only additions, multiplications and divisions are used for fractions: those are exact in
//! IEEE 754, where `ln` and `sin` differ between machines.

/// A sequence of random numbers that depends on its seed, dataset and index alone.
pub(crate) struct Random {
    state: [u64; 4],
}

impl Random {
    pub(crate) fn new(seed: u64, dataset: &str, index: i64) -> Self {
        // FNV-1a of the name, so that datasets do not resemble one another.
        let name = dataset
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let mut mixed = name ^ split_mix(seed) ^ split_mix(index as u64).rotate_left(17);
        let state = std::array::from_fn(|_| {
            mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            split_mix(mixed)
        });
        Self { state }
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let mut next = [a, b, c ^ a, d ^ b];
        next[1] ^= next[2];
        next[0] ^= next[3];
        next[2] ^= b << 17;
        next[3] = next[3].rotate_left(45);
        self.state = next;
        result
    }

    /// From 0 to `end`, without it.
    pub(crate) fn below(&mut self, end: i64) -> i64 {
        ((u128::from(self.bits()) * end.max(1) as u128) >> 64) as i64
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high - low + 1)
    }

    /// From 0 to 1, without 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True in so many of 100 cases.
    pub(crate) fn percent(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    /// One of the list, each as likely.
    pub(crate) fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len() as i64) as usize]
    }

    /// The place of one of the weights, the heavier more likely.
    pub(crate) fn weighted(&mut self, weights: &[i64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (place, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0 {
                return place;
            }
        }
        0
    }

    /// A value of the distribution whose quantiles are given: pairs of share and value.
    pub(crate) fn along(&mut self, quantiles: &[(f64, f64)]) -> f64 {
        let share = self.unit();
        for ends in quantiles.windows(2) {
            let ((from, low), (to, high)) = (ends[0], ends[1]);
            if share < to {
                return low + (high - low) * (share - from) / (to - from);
            }
        }
        0.0
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let high = self.bits() & 0xffff_ffff_ffff_0fff | 0x4000;
        let low = self.bits() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
        let text = format!("{high:016x}{low:016x}");
        [0..8, 8..12, 12..16, 16..20, 20..32]
            .map(|part| &text[part])
            .join("-")
    }
}

fn split_mix(value: u64) -> u64 {
    let mixed = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

//! Rows of large counts: the lowest limbs of all numbers of a row, then the next ones. Sums of rows are sums of plain
//! words, which processors add several at once, and carries wait.

use num_bigint::BigUint;

/// Bits of a limb after [`carry`]. The other 16 of its word hold the carries of some sums.
pub(crate) const LIMB_BITS: u32 = 48;

const MASK: u64 = (1 << LIMB_BITS) - 1;

/// Limbs for numbers below `2^bits`.
pub(crate) fn limbs_for(bits: usize) -> usize {
    bits.div_ceil(LIMB_BITS as usize).max(1)
}

/// Adds limb by limb. Wraps only where 2^16 numbers were added without [`carry`].
#[inline]
pub(crate) fn add(to: &mut [u64], amounts: &[u64]) {
    for (to, amount) in to.iter_mut().zip(amounts) {
        *to = to.wrapping_add(*amount);
    }
}

/// Moves what is above [`LIMB_BITS`] on to the next limbs, in a row of so many numbers.
pub(crate) fn carry(row: &mut [u64], numbers: usize) {
    let mut rest = row;
    while rest.len() > numbers {
        let (limbs, above) = rest.split_at_mut(numbers);
        for (limb, above) in limbs.iter_mut().zip(above.iter_mut()) {
            *above += *limb >> LIMB_BITS;
            *limb &= MASK;
        }
        rest = above;
    }
}

/// A sum of numbers with signs, which is not below 0 in the end. Fewer than 2^14 of them.
pub(crate) struct Sum(Vec<i64>);

impl Sum {
    pub(crate) fn new(limbs: usize) -> Self {
        Self(vec![0; limbs])
    }

    pub(crate) fn add(&mut self, number: impl Iterator<Item = u64>, negative: bool) {
        for (sum, limb) in self.0.iter_mut().zip(number) {
            let limb = i64::from_ne_bytes(limb.to_ne_bytes());
            *sum += if negative { -limb } else { limb };
        }
    }

    pub(crate) fn total(&self) -> BigUint {
        let (mut limbs, mut above) = (Vec::with_capacity(self.0.len()), 0i64);
        for limb in &self.0 {
            let sum = limb + above;
            above = sum >> LIMB_BITS;
            // Of a number in two's complement, the limb's own bits.
            limbs.push(u64::from_ne_bytes(sum.to_ne_bytes()) & MASK);
        }
        big(limbs.into_iter())
    }
}

pub(crate) fn big(number: impl DoubleEndedIterator<Item = u64>) -> BigUint {
    number.rev().fold(BigUint::ZERO, |above, limb| (above << LIMB_BITS) + limb)
}

/// The binomial coefficients of `n` as a row, from "choose 0" to "choose n"; of so many limbs, which must hold `2^n`.
pub(crate) fn binomials(n: usize, limbs: usize) -> Vec<u64> {
    let mut row = vec![0; (n + 1) * limbs];
    row[0] = 1;
    for _ in 0..n {
        for numbers in row.chunks_exact_mut(n + 1) {
            for at in (1..=n).rev() {
                numbers[at] += numbers[at - 1];
            }
        }
        carry(&mut row, n + 1);
    }
    row
}

//! Deterministic noise for tests of what scatters.
//!
//! Must never: be compiled into the product, or differ from one run to the next.

/// Of mean 0 in -1..1, by `SplitMix64`.
pub(crate) fn noise(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

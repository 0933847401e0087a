//! The target `records` for libFuzzer.
//!
//! Must never: hold a law; they stand in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::records::run(data));

//! Energy performance certificates in XML.
//!
//! Laws: numbers are finite and not negative; texts are short; every carrier stands once; a certificate that says
//! nothing is refused; comments change nothing.
//!
//! Allowed errors: `FileError::TooLarge`, `NotText`, `Xml`.
//!
//! Must never: expand an entity of its own.

use std::collections::BTreeSet;

use connectors::files::ape::Ape;
use connectors::files::{FileError, read_ape};

use crate::laws::assert_file_error;

/// Bytes: the certificate.
pub fn run(data: &[u8]) {
    match read_ape(data) {
        Ok(ape) => {
            assert_ape(&ape);
            let commented = [data, b"<!-- the end -->"].concat();
            assert_eq!(read_ape(&commented).as_ref(), Ok(&ape), "a comment changes what it declares");
        }
        Err(error) => {
            let known = matches!(
                error,
                FileError::TooLarge { .. } | FileError::NotText { .. } | FileError::Xml { .. }
            );
            assert!(known, "{error}");
            assert_file_error(data, &error);
        }
    }
}

fn assert_ape(ape: &Ape) {
    let numbers = [
        ape.heated_area_m2,
        ape.cooled_area_m2,
        ape.heated_volume_m3,
        ape.cooled_volume_m3,
        ape.primary_nonrenewable_kwh_m2,
        ape.primary_renewable_kwh_m2,
        ape.co2_kg_m2,
    ];
    let amounts = ape.carriers.iter().map(|carrier| carrier.amount);
    for number in numbers.into_iter().flatten().chain(amounts) {
        assert!(number.is_finite() && 0.0 <= number && number < 1e18, "{ape:?}");
    }
    for text in [&ape.code, &ape.region, &ape.class, &ape.climate_zone].into_iter().flatten() {
        assert!((1..=400).contains(&text.chars().count()), "{ape:?}");
    }
    let names: BTreeSet<_> = ape.carriers.iter().map(|carrier| carrier.name).collect();
    assert_eq!(names.len(), ape.carriers.len(), "{ape:?}");
    let says = ape.code.is_some() || ape.primary_nonrenewable_kwh_m2.is_some() || !names.is_empty();
    assert!(says, "a certificate that says nothing was read");
}

//! The laws of adding up.
//!
//! Must never: test a band against its own formula.

use proptest::prelude::*;

use super::*;

fn meter(number: u8) -> MeterId {
    MeterId::new(&format!("m{number}")).unwrap()
}

fn uncertain() -> impl Strategy<Value = Uncertain> {
    let part = (0_u8..3, -50.0_f64..50.0);
    (-1e3_f64..1e3, 0.0_f64..100.0, 0.0_f64..100.0, 0.0_f64..50.0, prop::collection::vec(part, 0..4))
        .prop_map(|(best, less, more, own, parts)| {
            parts.into_iter().fold(
                Uncertain::exact(best).bounded(less, more).scattered(own),
                |sum, (number, half_width)| sum.through(Source::Model(meter(number)), half_width),
            )
        })
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs() + b.abs())
}

fn same(a: &Uncertain, b: &Uncertain) -> bool {
    near(a.best, b.best) && near(a.low(), b.low()) && near(a.high(), b.high())
}

#[test]
fn twelve_months_of_one_model_are_off_together_and_their_scatter_is_not() {
    let month = Uncertain::exact(100.0).scattered(3.0).through(Source::Model(meter(1)), 4.0);
    let year = (1..12).fold(month.clone(), |sum, _| sum.plus(&month));
    assert!(near(year.half_width(), (12.0 * 9.0 + 48.0_f64.powi(2)).sqrt()));
}

#[test]
fn two_buildings_are_independent_and_one_meter_twice_is_not() {
    let of = |number| Uncertain::exact(10.0).through(Source::Instrument(meter(number)), 3.0);
    assert!(near(of(1).plus(&of(2)).half_width(), 18.0_f64.sqrt()));
    assert!(near(of(1).plus(&of(1)).half_width(), 6.0));
    assert!(
        near(of(1).plus(&of(1).times(-1.0)).half_width(), 0.0),
        "a meter's own error falls out of a difference"
    );
}

proptest! {
    #[test]
    fn the_order_of_adding_does_not_matter(a in uncertain(), b in uncertain(), c in uncertain()) {
        prop_assert!(same(&a.clone().plus(&b), &b.clone().plus(&a)));
        prop_assert!(same(&a.clone().plus(&b).plus(&c), &a.clone().plus(&b.clone().plus(&c))));
    }

    #[test]
    fn a_sum_is_never_surer_than_chance_allows_nor_less_sure_than_all_errors_at_once(
        a in uncertain(), b in uncertain()
    ) {
        let sum = a.clone().plus(&b);
        prop_assert!(sum.half_width() <= a.half_width() + b.half_width() + 1e-9);
        prop_assert!(near(sum.least(), a.least() + b.least()));
        prop_assert!(sum.low() <= sum.best + 1e-9 && sum.best <= sum.high() + 1e-9);
    }

    #[test]
    fn another_unit_changes_the_figures_and_nothing_else(
        a in uncertain(), b in uncertain(), factor in -5.0_f64..5.0
    ) {
        let first = a.clone().plus(&b).times(factor);
        prop_assert!(same(&first, &a.clone().times(factor).plus(&b.times(factor))));
        let turned = a.clone().times(-1.0);
        prop_assert!(near(turned.low(), -a.high()) && near(turned.high(), -a.low()));
    }

    #[test]
    fn knowing_less_never_narrows_a_band(a in uncertain(), more in 0.0_f64..50.0) {
        let doubtful = a.clone().plus(&Uncertain::exact(0.0).bounded(more, more).scattered(more));
        prop_assert!(doubtful.low() <= a.low() + 1e-9 && a.high() <= doubtful.high() + 1e-9);
    }
}

//! Laws of months whatever comes: between what accepted totals allow, telescoping, the same in any order of arrival.
//!
//! Must never: draw a fault that no meter could show, or compare with a figure computed by the code under test.

use std::collections::BTreeMap;

use model::Act;

use super::*;

/// Readings a quarter of an hour apart, over three days around the end of June.
const READINGS: usize = 288;

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    Missing,
    Zero,
    Spike,
    Low(i64),
    /// From here on the counter shows this many units less: a step back, a reset, an exchange.
    Falls(i64),
}

/// One fault in twelve readings; falls are rare and larger than what a quarter of an hour can hide.
fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        150 => Just(Fault::None),
        10 => Just(Fault::Missing),
        3 => Just(Fault::Zero),
        3 => Just(Fault::Spike),
        3 => (0_i64..200).prop_map(Fault::Low),
        1 => (100_000_i64..300_000).prop_map(Fault::Falls),
        1 => Just(Fault::Falls(i64::MAX)),
    ]
}

fn start() -> Instant {
    at("2025-06-29T09:00:00Z")
}

fn instant(i: usize) -> Instant {
    start().plus_seconds(i as i64 * 900)
}

/// What was truly used, and what the meter showed: (instant, total).
struct Story {
    used: Vec<i64>,
    shown: Vec<(Instant, i64)>,
}

fn story(used: Vec<i64>, faults: &[Fault]) -> Story {
    let (mut total, mut offset) = (1_000_000, 0);
    let mut shown = Vec::new();
    for (i, fault) in faults.iter().enumerate() {
        let reads = total - offset;
        let shows = match *fault {
            Fault::None => Some(reads),
            Fault::Missing => None,
            Fault::Zero => Some(0),
            Fault::Spike => Some(reads + 500_000_000),
            Fault::Low(t) => Some(t),
            Fault::Falls(by) => {
                offset += by.min(reads);
                Some(total - offset)
            }
        };
        shown.extend(shows.map(|t| (instant(i), t)));
        total += used[i];
    }
    Story { used, shown }
}

fn push_all(shown: &[(Instant, i64)], acts: &[DatedAct]) -> Accumulator {
    let mut a = Accumulator::with_acts(settings(), acts);
    for &(at, total) in shown {
        a.push(at, total);
    }
    a
}

/// True energy of each month between the first reading and the last.
fn truth(story: &Story) -> BTreeMap<Month, i64> {
    let mut months = BTreeMap::new();
    for (i, used) in story.used.iter().enumerate().take(READINGS - 1) {
        *months.entry(instant(i).month(ROME)).or_insert(0) += used;
    }
    months
}

fn used() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0_i64..=25_000, READINGS)
}

/// Good readings at both ends, so that every fault has a before and an after.
fn faults() -> impl Strategy<Value = Vec<Fault>> {
    prop::collection::vec(fault(), READINGS).prop_map(|mut faults| {
        for i in (0..12).chain(READINGS - 12..READINGS) {
            faults[i] = Fault::None;
        }
        // A fall that hides in the rise of a gap, or behind a garbled reading, is seen by nobody.
        let falls: Vec<usize> = (0..READINGS).filter(|&i| matches!(faults[i], Fault::Falls(_))).collect();
        for fall in falls {
            let own = faults[fall];
            faults[fall - 3..fall + 4].fill(Fault::None);
            faults[fall] = own;
        }
        faults
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 300, ..ProptestConfig::default() })]

    /// The truth lies within every month's bounds, whatever single readings show and however often the counter falls.
    #[test]
    fn the_truth_is_within_the_bounds(used in used(), faults in faults()) {
        let story = story(used, &faults);
        let a = push_all(&story.shown, &[]);
        let months = a.snapshot(instant(READINGS - 1));
        for (month, truth) in truth(&story) {
            let value = months.get(month).unwrap();
            prop_assert!(value.low <= value.amount && value.low <= truth, "{truth} {value:?}");
            prop_assert!(value.high.is_some_and(|high| truth <= high && value.amount <= high), "{truth} {value:?}");
        }
    }

    /// The same of a register that begins again several times a day: what passed its end is counted, and once.
    #[test]
    fn the_truth_is_within_the_bounds_of_a_register_that_wraps(
        used in used(),
        faults in faults(),
        modulus in prop_oneof![Just(400_000_i64), Just(1_000_000), Just(2_000_000)],
    ) {
        let faults: Vec<Fault> =
            faults.into_iter().map(|f| if let Fault::Falls(_) = f { Fault::None } else { f }).collect();
        let story = story(used, &faults);
        let mut a = Accumulator::new(SeriesSettings { wraps_at: Some(modulus), ..settings() });
        for &(at, total) in &story.shown {
            // A spike stays beyond the register's end.
            a.push(at, if total < 500_000_000 { total % modulus } else { total });
        }
        let months = a.snapshot(instant(READINGS - 1));
        for (month, truth) in truth(&story) {
            let value = months.get(month).unwrap();
            prop_assert!(value.low <= truth, "{truth} {value:?}");
            prop_assert!(value.high.is_some_and(|high| truth <= high), "{truth} {value:?}");
        }
        let told = a.decisions().iter().filter(|d| d.explanation == Explanation::Wrap).count();
        prop_assert!(0 < told, "a day's use passes the end of every one of these");
    }

    /// Without a fall, months add up to the difference of the first and last total exactly.
    #[test]
    fn what_no_fall_interrupts_telescopes(used in used(), faults in faults()) {
        let faults: Vec<Fault> =
            faults.into_iter().map(|f| if let Fault::Falls(_) = f { Fault::None } else { f }).collect();
        let story = story(used, &faults);
        let a = push_all(&story.shown, &[]);
        let sum: i64 = a.snapshot(instant(READINGS - 1)).months.iter().map(|m| m.amount).sum();
        prop_assert_eq!(sum, story.shown.last().unwrap().1 - story.shown[0].1);
        prop_assert_eq!(a.days().iter().map(|d| d.amount).sum::<i64>(), sum);
    }

    /// Whatever people say about whatever reading, the truth stays within the bounds, unless they declare good
    /// readings false; then what is missing is bounded too.
    #[test]
    fn no_act_makes_energy_out_of_nothing(
        used in used(),
        faults in faults(),
        words in prop::collection::vec((0_usize..READINGS, 0_usize..Explanation::ALL.len()), 0..6),
    ) {
        let story = story(used, &faults);
        let acts: Vec<DatedAct> = words
            .into_iter()
            .map(|(i, e)| DatedAct { at: instant(i), act: Act::Explained(Explanation::ALL[e]) })
            .collect();
        let a = push_all(&story.shown, &acts);
        let until = instant(READINGS - 1);
        let carried = 100_000 * (READINGS as i64 - 1) / 4;
        let mut sum = 0;
        for value in a.snapshot(until).months {
            sum += value.amount;
            prop_assert!(0 <= value.low && value.low <= value.amount, "{value:?}");
            prop_assert!(value.high.is_some_and(|high| value.amount <= high), "{value:?}");
        }
        // The whole time at the ceiling, and its store of a quarter of an hour for each range of totals.
        prop_assert!(sum <= carried + 25_000 * (2 + a.decisions().len() as i64));
    }

    /// Totals of any size at any times, without a meter behind them: months stay within their bounds, and no more than
    /// the connection carries.
    #[test]
    fn whatever_totals_come_no_month_leaves_its_bounds(
        shown in prop::collection::vec(
            (prop_oneof![Just(0_i64), Just(60), Just(900), 1_i64..2_000, 1_i64..900_000],
             prop_oneof![0_i64..2_000_000, 990_000_i64..1_010_000, Just(0), Just(999_999_999_999), Just(-1)]),
            2..120,
        ),
        wraps_at in prop_oneof![Just(None), Just(Some(1_000_000_i64)), Just(Some(i64::MAX / 4))],
    ) {
        let mut a = Accumulator::new(SeriesSettings { wraps_at, ..settings() });
        let mut now = start();
        for &(later_s, total) in &shown {
            now = now.plus_seconds(later_s);
            a.push(now, total);
        }
        let mut sum = 0_i64;
        for value in a.snapshot(now).months {
            sum += value.amount;
            prop_assert!(0 <= value.low && value.low <= value.amount, "{value:?}");
            prop_assert!(value.high.is_none_or(|high| value.amount <= high), "{value:?}");
        }
        let carried = settings().ceiling_per_milli * (now.millis() - start().millis()) as f64;
        let slack = 25_000.0 * (2 + a.decisions().len()) as f64;
        prop_assert!(sum as f64 <= carried + slack, "{sum} of {carried} and {slack}");
        prop_assert_eq!(a.days().iter().map(|d| d.amount).sum::<i64>(), sum);
    }

    /// Readings that came late and doubled end in the same series, once it is made again in order.
    #[test]
    fn any_order_of_arrival_ends_in_the_same_months(
        used in used(),
        faults in faults(),
        seed in any::<u64>(),
    ) {
        let story = story(used, &faults);
        let ordered = push_all(&story.shown, &[]);
        // As the daemon does: what is out of order marks the series stale, and it is made again from the journal.
        let mut arrived = story.shown.clone();
        let mut state = seed | 1;
        for i in (1..arrived.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Late by at most some places.
            let j = i.saturating_sub((state >> 60) as usize);
            arrived.swap(i, j);
        }
        let doubled: Vec<(Instant, i64)> = arrived.iter().flat_map(|&r| [r, r]).collect();
        let mut live = Accumulator::new(settings());
        let mut journal: BTreeMap<Instant, i64> = BTreeMap::new();
        for &(at, total) in &doubled {
            journal.entry(at).or_insert(total);
            if live.push(at, total) == Pushed::OutOfOrder {
                let kept: Vec<_> = journal.iter().map(|(&a, &t)| (a, t)).collect();
                live = push_all(&kept, &[]);
            }
        }
        let until = instant(READINGS - 1);
        prop_assert_eq!(live.snapshot(until), ordered.snapshot(until));
        prop_assert_eq!(live.decisions(), ordered.decisions());
        prop_assert_eq!(live.findings("m"), ordered.findings("m"));
    }

    /// Leaving readings out, among them those that show a fault, leaves the truth within the bounds.
    #[test]
    fn fewer_readings_still_bound_the_truth(
        used in used(),
        faults in faults(),
        drop in prop::collection::vec((0_usize..READINGS, 1_usize..10), 1..4),
    ) {
        // A fall by less than was used in a gap is seen by nobody; the first one to zero is.
        let first = faults.iter().position(|f| matches!(f, Fault::Falls(_)));
        let whole = |(i, f)| match f {
            Fault::Falls(_) if Some(i) == first => Fault::Falls(i64::MAX),
            Fault::Falls(_) => Fault::None,
            other => other,
        };
        let faults: Vec<Fault> = faults.into_iter().enumerate().map(whole).collect();
        let story = story(used, &faults);
        let gone = |at: Instant| drop.iter().any(|&(from, n)| instant(from) <= at && at < instant(from + n));
        let fewer: Vec<_> = story.shown.iter().copied().filter(|&(at, _)| !gone(at)).collect();
        let some = push_all(&fewer, &[]);
        let until = instant(READINGS - 1);
        for (month, truth) in truth(&story) {
            let Some(value) = some.snapshot(until).get(month).copied() else { continue };
            prop_assert!(value.low <= truth, "{truth} {value:?}");
            prop_assert!(value.high.is_some_and(|high| truth <= high), "{truth} {value:?}");
        }
    }
}

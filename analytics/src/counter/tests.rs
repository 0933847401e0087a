//! Tables of totals and what becomes of them, and the law that nothing is booked twice.
//!
//! Must never: assert a shape where a value can be asserted.

use model::{Instant, Step};
use proptest::prelude::*;

use super::*;

/// 60 units a minute: one reading a minute may rise by 60.
const CEILING: f64 = 60.0 / 60_000.0;

fn settings(wraps_at: Option<i64>) -> CounterSettings {
    CounterSettings {
        ceiling_per_milli: CEILING,
        wraps_at,
        resolution: 1,
        gap_after_millis: SPARE_MILLIS_MAX,
    }
}

fn sentence(counter: &mut Counter, at_minute: i64, total: i64) -> String {
    match counter.push(Instant::from_seconds(at_minute * 60), total) {
        Push::Counted(Counted { interval: i, turn, .. }) => match i.step {
            Step::First | Step::Held | Step::Impossible => i.step.code().to_owned(),
            Step::Advance
            | Step::Wrapped
            | Step::Recovered
            | Step::Reset
            | Step::CaughtUp
            | Step::Rescaled
            | Step::Exchanged => {
                let back = if matches!(turn, Turn::Returned(_)) { " since it left" } else { "" };
                format!("{} {}{back}", i.step.code(), i.amount)
            }
        },
        Push::Repeated => "repeated".to_owned(),
        Push::OutOfOrder => "out of order".to_owned(),
    }
}

/// One total a minute, beginning at minute 0.
fn story(totals: &[i64], wraps_at: Option<i64>) -> String {
    let mut counter = Counter::new(settings(wraps_at));
    let steps: Vec<String> =
        totals.iter().enumerate().map(|(i, &t)| sentence(&mut counter, i as i64, t)).collect();
    steps.join(" | ")
}

/// (minute, total).
fn timed_story(totals: &[(i64, i64)], wraps_at: Option<i64>) -> String {
    let mut counter = Counter::new(settings(wraps_at));
    let steps: Vec<String> = totals.iter().map(|&(m, t)| sentence(&mut counter, m, t)).collect();
    steps.join(" | ")
}

#[test]
fn totals_read_as_a_story() {
    let cases: &[(&str, &[i64], &str)] = &[
        ("plain", &[100, 110, 110, 130], "first | advance 10 | advance 0 | advance 20"),
        ("zero glitch", &[13_423, 0, 13_425], "first | held | recovered 2"),
        ("zero glitch twice", &[13_423, 0, 0, 13_425], "first | held | held | recovered 2"),
        ("reset", &[90_000, 3, 5, 6], "first | held | reset 2 | advance 1"),
        ("exchange at rest", &[90_000, 7, 7, 7, 9], "first | held | held | held | reset 2"),
        (
            "a glitch that rises while low and returns",
            &[13_423, 3, 5, 13_426, 13_430],
            "first | held | reset 2 | recovered 3 since it left | advance 4",
        ),
        (
            "a glitch that booked more than was used",
            &[13_423, 3, 9, 13_424, 13_430, 13_431],
            "first | held | reset 6 | recovered 1 since it left | advance 6 | advance 1",
        ),
        ("spike", &[500, 2_000_000, 510], "first | impossible | recovered 10"),
        ("spike that stays", &[500, 90_000, 90_001, 90_002], "first | impossible | impossible | impossible"),
        (
            "step back by 0.3 %",
            &[1_000_000, 997_000, 997_050, 997_100],
            "first | held | reset 50 | advance 50",
        ),
        ("negative", &[10, -5, 12], "first | impossible | recovered 2"),
        ("two falls", &[90_000, 50, 3, 5], "first | held | held | reset 2"),
        ("spike then fall then back", &[500, 90_000, 0, 503], "first | impossible | held | recovered 3"),
    ];
    for (name, totals, expected) in cases {
        assert_eq!(story(totals, None), *expected, "{name}");
    }
}

#[test]
fn registers_wrap_at_their_modulus() {
    for modulus in [1 << 16, 1 << 32, 1_000_000, 100_000_000] {
        let totals = [modulus - 10, modulus - 4, 5, 8];
        assert_eq!(story(&totals, Some(modulus)), "first | advance 6 | wrapped 9 | advance 3", "{modulus}");
        // The same totals without a known modulus are a reset, and the energy across it is not invented.
        assert_eq!(story(&totals, None), "first | advance 6 | held | reset 3", "{modulus}");
    }
    // A fall that would be a wrap of more than the connection carries is no wrap.
    assert_eq!(story(&[30_000, 5, 8], Some(1 << 16)), "first | held | reset 3");
    // A zero glitch near the modulus passes for a wrap until the totals come back.
    assert_eq!(story(&[65_530, 0, 65_533, 65_540], Some(1 << 17)), "first | held | recovered 3 | advance 7");
    assert_eq!(
        story(&[65_530, 0, 65_533, 65_535], Some(1 << 16)),
        "first | wrapped 6 | recovered 3 since it left | advance 2"
    );
    // A total that the register cannot show is noise.
    assert_eq!(story(&[10, 70_000, 12], Some(1 << 16)), "first | impossible | recovered 2");
}

#[test]
fn an_impossible_claim_does_not_fade() {
    // 90 000 units take 1 500 minutes at the ceiling; the claim is repeated long after that.
    let mut totals = vec![(0, 500), (1, 90_000)];
    totals.extend((2..4_000).step_by(500).map(|m| (m, 90_000)));
    assert!(timed_story(&totals, None).ends_with("impossible | impossible | impossible"));
}

#[test]
fn a_new_high_range_is_followed_after_a_day_without_booking_the_jump() {
    let totals = [
        (0, 500),
        (1, 9_000_000),
        (600, 9_000_100),
        (1_200, 9_000_300),
        (1_500, 9_000_400),
        (1_501, 9_000_401),
    ];
    assert_eq!(
        timed_story(&totals, None),
        "first | impossible | impossible | impossible | reset 400 | advance 1"
    );
}

#[test]
fn a_burst_of_late_messages_is_not_impossible_but_is_used_up() {
    let mut counter = Counter::new(settings(None));
    let push = |c: &mut Counter, s: i64, t: i64| match c.push(Instant::from_seconds(s), t) {
        Push::Counted(c) => c.interval.step,
        Push::Repeated | Push::OutOfOrder => Step::Held,
    };
    assert_eq!(push(&mut counter, 0, 0), Step::First);
    // Ten minutes of 50 a minute, delivered within ten seconds.
    for i in 1..=10 {
        assert_eq!(push(&mut counter, 600 + i, i * 50), Step::Advance);
    }
    // But no stream may run above the ceiling for long.
    let steps: Vec<Step> = (1..=60).map(|i| push(&mut counter, 610 + i, 500 + i * 50)).collect();
    assert!(steps.contains(&Step::Impossible));
}

#[test]
fn the_same_instant_counts_once_and_an_older_one_is_refused() {
    assert_eq!(
        timed_story(&[(0, 5), (1, 6), (1, 9), (2, 7)], None),
        "first | advance 1 | repeated | advance 1"
    );
    assert_eq!(timed_story(&[(5, 5), (4, 4), (6, 7)], None), "first | out of order | advance 2");
}

#[test]
fn without_a_ceiling_every_rise_counts_and_only_a_clear_wrap_wraps() {
    let settings = CounterSettings {
        ceiling_per_milli: 0.0,
        wraps_at: Some(1_000),
        resolution: 1,
        gap_after_millis: SPARE_MILLIS_MAX,
    };
    let mut counter = Counter::new(settings);
    let steps: Vec<String> =
        [10, 990, 20, 500, 300].iter().zip(0..).map(|(&t, m)| sentence(&mut counter, m, t)).collect();
    assert_eq!(steps.join(" | "), "first | advance 980 | wrapped 30 | advance 480 | held");
}

/// A fault of a reading that is recognisable as one.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    Zero,
    Spike,
    Missing,
    Low(i64),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        12 => Just(Fault::None),
        2 => Just(Fault::Zero),
        2 => Just(Fault::Spike),
        2 => Just(Fault::Missing),
        1 => (0_i64..50).prop_map(Fault::Low),
    ]
}

/// What a list of pushes comes to, with what was booked in a range that turned out false taken back.
#[derive(Default)]
struct Sum {
    sum: i64,
    when_left: Vec<i64>,
}

impl Sum {
    fn take(&mut self, push: Push) {
        let Push::Counted(counted) = push else { return };
        match counted.turn {
            Turn::None => {}
            Turn::Left => self.when_left.push(self.sum),
            Turn::Returned(ranges) => {
                for _ in 0..ranges {
                    self.sum = self.when_left.pop().expect("as many were left");
                }
            }
        }
        self.sum += counted.interval.amount;
    }
}

proptest! {
    /// Whatever single readings are garbled, the sum ends at the difference of the first and last good total.
    #[test]
    fn faults_never_add_energy(
        used in prop::collection::vec((0_i64..=60, fault()), 3..200),
    ) {
        let mut counter = Counter::new(settings(None));
        let mut total = 1_000_000_000;
        counter.push(Instant::from_seconds(0), total);
        let start = total;
        let mut sum = Sum::default();
        let mut minute = 0;
        for (used, fault) in used.iter().chain(&[(0, Fault::None), (0, Fault::None)]) {
            total += used;
            minute += 1;
            let shown = match fault {
                Fault::None => total,
                Fault::Zero => 0,
                Fault::Spike => total + 50_000_000,
                Fault::Missing => continue,
                Fault::Low(t) => *t,
            };
            let push = counter.push(Instant::from_seconds(minute * 60), shown);
            if let Push::Counted(c) = push {
                prop_assert!(0 <= c.interval.amount);
            }
            sum.take(push);
        }
        prop_assert_eq!(sum.sum, total - start);
        prop_assert!(counter.decisions().iter().all(|d| !d.is_open()), "{:?}", counter.decisions());
    }

    /// Arbitrary totals: the sum never exceeds what the connection can carry in the time there was, for each run
    /// of accepted totals with its store of 15 minutes and its register step.
    #[test]
    fn nonsense_never_exceeds_the_ceiling(
        totals in prop::collection::vec((1_i64..200, -10_i64..2_000), 1..200),
        wraps_at in prop::option::of(100_i64..3_000),
    ) {
        let mut counter = Counter::new(settings(wraps_at));
        let (mut second, mut sum, mut runs, mut least) = (0, Sum::default(), 1, 0);
        for (gap, total) in totals {
            second += gap;
            let push = counter.push(Instant::from_seconds(second), total);
            sum.take(push);
            if let Push::Counted(Counted { interval: i, turn, .. }) = push {
                prop_assert!(0 <= i.amount && i.from <= i.to && i.accrued_from <= i.from);
                prop_assert!(0 <= i.low && i.low <= i.amount && i.amount <= i.high);
                runs += i64::from(turn != Turn::None || !matches!(i.step, Step::Advance | Step::Held | Step::Impossible)) * 2;
                least = least.max(i.amount);
            }
        }
        let step = least.min(2_000) + 1;
        prop_assert!(sum.sum as f64 <= (second * 1000) as f64 * CEILING * 2.0 + (runs * (900 + step)) as f64);
    }

    /// Every total that is read again and again, whatever came before, is followed in the end or is an open decision:
    /// nothing goes on unseen.
    #[test]
    fn what_is_not_followed_is_on_the_list(
        totals in prop::collection::vec(0_i64..100_000, 1..60),
    ) {
        let mut counter = Counter::new(settings(None));
        for (minute, total) in (0..).zip(&totals) {
            counter.push(Instant::from_seconds(minute * 60), *total);
        }
        let followed = counter.accepted().is_some_and(|(at, _)| at.millis() == (totals.len() as i64 - 1) * 60_000);
        prop_assert!(followed || counter.decisions().last().is_some_and(Decision::is_open));
    }
}

mod decisions;

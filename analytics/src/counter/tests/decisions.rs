//! Which explanation each event gets, how sure it is, and what a person's word changes.
//!
//! Must never: list a decision without the amounts that it stands for.

use model::Confidence::{Certain, Likely, NeedsPerson};
use model::Explanation as E;

use super::*;

/// The decisions as sentences: explanation, confidence, booked and its bounds.
fn told(counter: &Counter) -> Vec<String> {
    let told = |d: &Decision| {
        let minute = d.at.millis() / 60_000;
        let by = if d.by_person { " by a person" } else { "" };
        format!(
            "{minute}: {} {}{by}, {} in {}..{}",
            d.explanation.code(),
            d.confidence.code(),
            d.booked,
            d.low,
            d.high
        )
    };
    counter.decisions().iter().map(told).collect()
}

/// (minute, total) pushed into a counter of 60 units a minute.
fn run(totals: &[(i64, i64)], wraps_at: Option<i64>) -> Counter {
    let mut counter = Counter::new(settings(wraps_at));
    for &(minute, total) in totals {
        counter.push(Instant::from_seconds(minute * 60), total);
    }
    counter
}

fn alternatives(counter: &Counter) -> Vec<&'static str> {
    counter.decisions()[0].alternatives.iter().map(|a| a.explanation.code()).collect()
}

#[test]
fn single_events_get_their_name() {
    type Case = (&'static str, &'static [(i64, i64)], Option<i64>, &'static [&'static str]);
    let cases: &[Case] = &[
        ("zero", &[(0, 9_000), (1, 0), (2, 9_010)], None, &["1: dip certain, 10 in 10..10"]),
        ("spike", &[(0, 500), (1, 2_000_000), (2, 510)], None, &["1: spike certain, 10 in 10..10"]),
        ("still low", &[(0, 9_000), (1, 0)], None, &["1: open needs-person, 0 in 0..0"]),
        ("wrap", &[(0, 65_500), (1, 10), (2, 30)], Some(65_536), &["1: wrap certain, 46 in 46..46"]),
        // Ten hours: once or a reset, but not twice.
        (
            "wrap in a gap",
            &[(0, 60_000), (600, 4_000), (601, 4_030)],
            Some(65_536),
            &["600: wrap likely, 9566 in 30..36931"],
        ),
        // Two days at 60 a minute pass 65 536 twice.
        (
            "wraps in a long gap",
            &[(0, 60_000), (2_880, 4_000), (2_881, 4_030)],
            Some(65_536),
            &["2880: wrap needs-person, 30 in 0..174662"],
        ),
        ("reset", &[(0, 90_000), (1, 3), (2, 5)], None, &["1: reset likely, 2 in 0..1922"]),
        (
            "elsewhere",
            &[(0, 90_000), (1, 40_000), (2, 40_005)],
            None,
            &["1: reset needs-person, 5 in 0..1922"],
        ),
        (
            "power cut",
            &[(0, 90_000), (2, 89_750), (3, 89_760)],
            None,
            &["2: step-back certain, 10 in 0..1982"],
        ),
        ("0.3 %", &[(0, 900_000), (2, 897_400), (3, 897_410)], None, &["2: step-back likely, 10 in 0..1982"]),
        (
            "the glitch that came back",
            &[(0, 9_000), (1, 3), (2, 5), (3, 9_020)],
            None,
            &["1: dip certain, 20 in 20..20"],
        ),
    ];
    for (name, totals, wraps_at, expected) in cases {
        assert_eq!(told(&run(totals, *wraps_at)), *expected, "{name}");
    }
}

#[test]
fn a_register_that_stood_still_catches_up_and_its_energy_lies_since_then() {
    // A gateway repeats an old total for ten hours and then shows what was used.
    let mut counter = Counter::new(settings(None));
    let mut minute = 0;
    for _ in 0..600 {
        counter.push(Instant::from_seconds(minute * 60), 1_000);
        minute += 1;
    }
    let mut caught = None;
    for total in [19_000, 19_030, 19_060] {
        if let Push::Counted(c) = counter.push(Instant::from_seconds(minute * 60), total)
            && c.interval.step == Step::CaughtUp
        {
            caught = Some(c.interval);
        }
        minute += 1;
    }
    let caught = caught.unwrap();
    assert_eq!((caught.accrued_from.millis(), caught.amount, caught.low), (0, 18_030, 30));
    assert_eq!(told(&counter), ["600: caught-up likely, 18030 in 30..18030"]);
    // The same jump without a second total that goes on from it is a spike.
    let spike = run(&[(0, 1_000), (600, 1_000), (601, 19_000), (602, 1_010)], None);
    assert_eq!(told(&spike), ["601: spike certain, 10 in 10..10"]);
}

#[test]
fn coarse_steps_are_learned_and_spikes_are_not() {
    // 6 000 units a step at 60 a minute: one step in 100 minutes at the ceiling, here in 150.
    let mut counter = Counter::new(settings(None));
    let (mut sum, mut minute) = (Sum::default(), 0);
    for step in 0..40 {
        for _ in 0..150 {
            sum.take(counter.push(Instant::from_seconds(minute * 60), step * 6_000));
            minute += 1;
        }
    }
    assert_eq!(sum.sum, 39 * 6_000);
    assert!(told(&counter).iter().all(|d| d.contains("caught-up")), "{:?}", told(&counter));
    assert!(counter.decisions().len() < 8, "{:?}", told(&counter));
    // Learned: the next step is plain, ten of them at once are not.
    let push = counter.push(Instant::from_seconds(minute * 60), 40 * 6_000);
    assert!(matches!(push, Push::Counted(c) if c.interval.step == Step::Advance));
    let push = counter.push(Instant::from_seconds((minute + 1) * 60), 50 * 6_000);
    assert!(matches!(push, Push::Counted(c) if c.interval.step == Step::Impossible));
}

#[test]
fn another_unit_is_seen_by_total_and_rate() {
    // 20 a minute for a day, then the same in a unit a thousand times smaller, then in the old one again.
    let mut counter = Counter::new(settings(None));
    let mut sum = Sum::default();
    let mut total = 13_423_000;
    for minute in 0..4_320 {
        let shown = if (1_440..2_880).contains(&minute) { total / 1_000 } else { total };
        sum.take(counter.push(Instant::from_seconds(minute * 60), shown));
        total += 20;
    }
    assert_eq!(sum.sum, 4_319 * 20);
    let codes: Vec<_> = counter.decisions().iter().map(|d| (d.explanation, d.confidence)).collect();
    assert_eq!(codes, [(E::UnitChange, Likely), (E::UnitChange, Certain)]);
    let mut up = Counter::new(settings(None));
    let mut sum = Sum::default();
    for minute in 0..2_880 {
        let total = 13_423_000 + minute * 20;
        let shown = if minute < 1_440 { total } else { total * 1_000 };
        sum.take(up.push(Instant::from_seconds(minute * 60), shown));
    }
    assert_eq!(sum.sum, 2_879 * 20);
    assert_eq!(up.decisions()[0].explanation, E::UnitChange);
    // A reset that happens to show a thousandth, and then goes on as before, is no unit change.
    let mut reset = Counter::new(settings(None));
    for minute in 0..2_880 {
        let shown = if minute < 1_440 { 13_423_000 + minute * 20 } else { 13_452 + (minute - 1_440) * 20 };
        reset.push(Instant::from_seconds(minute * 60), shown);
    }
    assert_eq!((reset.decisions()[0].explanation, reset.decisions()[0].confidence), (E::Reset, NeedsPerson));
}

#[test]
fn what_else_the_totals_allow_is_listed() {
    let wrap = run(&[(0, 60_000), (600, 4_000), (601, 4_030)], Some(65_536));
    assert_eq!(alternatives(&wrap), ["reset", "exchange", "dip"]);
    let reset = run(&[(0, 90_000), (1, 3), (2, 5)], None);
    assert_eq!(alternatives(&reset), ["exchange", "dip"]);
}

/// The story with the break at `minute` explained by a person.
fn explained(totals: &[(i64, i64)], wraps_at: Option<i64>, minute: i64, explanation: E) -> (String, Counter) {
    let mut counter = Counter::new(settings(wraps_at));
    let mut steps = Vec::new();
    for &(m, total) in totals {
        let at = Instant::from_seconds(m * 60);
        let pushed = if m == minute { counter.push_explained(at, total, explanation) } else { None };
        match pushed {
            Some(Push::Counted(c)) => {
                steps.push(format!("{} {} by a person", c.interval.step.code(), c.interval.amount));
            }
            Some(Push::Repeated | Push::OutOfOrder) => steps.push("refused".to_owned()),
            None => steps.push(sentence(&mut counter, m, total)),
        }
    }
    (steps.join(" | "), counter)
}

#[test]
fn a_person_s_word_settles_a_break_within_what_the_connection_carries() {
    let gap: &[(i64, i64)] = &[(0, 60_000), (600, 4_000), (601, 4_030)];
    let (story, counter) = explained(gap, Some(65_536), 600, E::Wrap);
    assert_eq!(story, "first | wrapped 9536 by a person | advance 30");
    assert_eq!(told(&counter), ["600: wrap certain by a person, 9536 in 9536..9536"]);
    let (story, _) = explained(gap, Some(65_536), 600, E::Reset);
    assert_eq!(story, "first | reset 0 by a person | advance 30");
    // What was used before the new range nobody read: ten hours carry so much, as where nobody decided.
    let (_, counter) = explained(gap, Some(65_536), 600, E::Exchange);
    assert_eq!(told(&counter), ["600: exchange certain by a person, 0 in 0..36901"]);
    // Even a person cannot say how often it wrapped.
    let long: &[(i64, i64)] = &[(0, 60_000), (2_880, 4_000), (2_881, 4_030)];
    let (_, counter) = explained(long, Some(65_536), 2_880, E::Wrap);
    assert_eq!(told(&counter), ["2880: wrap certain by a person, 9536 in 9536..173701"]);
    // Nor that a minute held more than the connection carries.
    let (story, counter) = explained(&[(0, 500), (1, 90_000), (2, 90_001)], None, 1, E::CaughtUp);
    assert_eq!(story, "first | impossible | impossible");
    assert!(counter.decisions()[0].is_open());
    let (story, _) = explained(&[(0, 500), (1, 90_000), (2, 90_001)], None, 1, E::Reset);
    assert_eq!(story, "first | reset 0 by a person | advance 1");
    // A range that a person called false is not believed for a day, however it rises.
    let (story, _) = explained(&[(0, 9_000), (1, 3), (2, 5), (3, 6), (4, 9_040)], None, 1, E::Dip);
    assert_eq!(story, "first | held 0 by a person | held | held | recovered 40");
    // A total that plainly follows is no reset.
    let (story, _) = explained(&[(0, 500), (1, 510), (2, 520)], None, 1, E::Reset);
    assert_eq!(story, "first | advance 10 | advance 10");
}

#[test]
fn an_exchange_takes_closing_and_opening() {
    let exchanged = |closing, opening, at_minute: i64| {
        let mut counter = Counter::new(settings(None));
        let mut out = Vec::new();
        let exchange = Exchange { at: at_minute * 60_000, closing, opening };
        let mut waiting = true;
        for (minute, total) in [(0, 90_000), (10, 90_100), (30, 75), (31, 75), (40, 95)] {
            let at = Instant::from_seconds(minute * 60);
            if waiting {
                match counter.exchange(exchange, at, total) {
                    Exchanged::Applied { parts, left_out, .. } => {
                        waiting = false;
                        out.push(format!("{:?} {left_out}", parts.map(|p| p.map(|i| i.amount))));
                        continue;
                    }
                    Exchanged::Waits | Exchanged::Refused => {}
                }
            }
            out.push(sentence(&mut counter, minute, total));
        }
        out.join(" | ")
    };
    assert_eq!(
        exchanged(Some(90_300), Some(5), 20),
        "first | advance 100 | held | [Some(200), Some(70)] false | advance 20"
    );
    assert_eq!(
        exchanged(None, Some(5), 20),
        "first | advance 100 | held | [None, Some(70)] false | advance 20"
    );
    assert_eq!(exchanged(None, None, 20), "first | advance 100 | held | [None, None] false | advance 20");
    // More than ten minutes carry, or less than was read: left out, and said.
    assert_eq!(
        exchanged(Some(190_300), Some(5), 20),
        "first | advance 100 | held | [None, Some(70)] true | advance 20"
    );
    assert_eq!(
        exchanged(Some(90_050), Some(5), 20),
        "first | advance 100 | held | [None, Some(70)] true | advance 20"
    );
    // The stated instant is a little early or late; the readings show it.
    assert_eq!(
        exchanged(Some(90_300), Some(5), 5),
        "first | advance 100 | held | [Some(200), Some(70)] false | advance 20"
    );
    assert_eq!(
        exchanged(Some(90_300), Some(5), 100),
        "first | advance 100 | held | [Some(200), Some(70)] false | advance 20"
    );
}

#[test]
fn an_exchange_is_listed_with_what_its_unread_time_may_hold() {
    let listed = |closing, opening| {
        let mut counter = Counter::new(settings(None));
        let exchange = Exchange { at: 20 * 60_000, closing, opening };
        let mut waiting = true;
        for (minute, total) in [(0, 90_000), (10, 90_100), (30, 75), (31, 75), (40, 95)] {
            let at = Instant::from_seconds(minute * 60);
            if waiting && matches!(counter.exchange(exchange, at, total), Exchanged::Applied { .. }) {
                waiting = false;
            } else {
                counter.push(at, total);
            }
        }
        told(&counter)
    };
    // Ten minutes of the old meter, eleven of the new one, and the spare of a quarter of an hour.
    assert_eq!(listed(None, None), ["30: exchange certain by a person, 0 in 0..2161"]);
    assert_eq!(listed(None, Some(5)), ["30: exchange certain by a person, 70 in 70..1571"]);
    assert_eq!(listed(Some(90_300), None), ["30: exchange certain by a person, 200 in 200..1761"]);
    assert_eq!(listed(Some(90_300), Some(5)), ["30: exchange certain by a person, 270 in 270..270"]);
}

#[test]
fn a_chattering_counter_keeps_a_bounded_list() {
    let mut counter = Counter::new(settings(None));
    let mut forgotten = 0;
    for minute in 0..4_000 {
        let total = if minute % 2 == 0 { 5_000_000 + minute } else { 0 };
        counter.push(Instant::from_seconds(minute * 60), total);
        forgotten += usize::from(counter.take_forgotten().is_some());
    }
    assert_eq!(counter.decisions().len(), DECISIONS_MAX);
    assert_eq!(forgotten, 2_000 - DECISIONS_MAX);
}

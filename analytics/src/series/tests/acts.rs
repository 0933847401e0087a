//! What people decide, in months: exchanges, corrected readings, explanations, standstills.
//!
//! Must never: let an act narrow a bound that the readings do not narrow.

use model::Act;

use super::*;

fn act(t: &str, act: Act) -> DatedAct {
    DatedAct { at: at(t), act }
}

/// Ten-minute totals of June 2025 rising by 100, as a function of the instant.
fn true_total(t: Instant) -> i64 {
    1_000_000 + (t.millis() - at("2025-05-31T22:00:00Z").millis()) / 600_000 * 100
}

/// June with what the meter shows, and with acts.
fn june(shown: impl Fn(Instant, i64) -> Option<i64>, acts: &[DatedAct]) -> Accumulator {
    let mut a = Accumulator::with_acts(settings(), acts);
    let mut t = at("2025-05-31T22:00:00Z");
    while t <= at("2025-06-30T22:00:00Z") {
        if let Some(total) = shown(t, true_total(t)) {
            a.push(t, total);
        }
        t = t.plus_seconds(600);
    }
    a
}

fn value(a: &Accumulator) -> MonthValue {
    *a.snapshot(at("2025-06-30T22:00:00Z")).get(month(2025, 6)).unwrap()
}

const JUNE: i64 = 30 * 24 * 600;

/// A meter with another index from noon of 10 June on: 40 instead of what the old one would show.
fn exchanged(t: Instant, total: i64) -> Option<i64> {
    let swap = at("2025-06-10T10:00:00Z");
    Some(if t < swap { total } else { 40 + total - true_total(swap) })
}

#[test]
fn an_exchange_with_both_totals_is_exact() {
    let closing = true_total(at("2025-06-10T10:00:00Z"));
    let a = june(
        exchanged,
        &[act("2025-06-10T10:00:00Z", Act::Exchanged { closing: Some(closing), opening: Some(40) })],
    );
    let june = value(&a);
    assert_eq!((june.amount, june.low, june.high, june.coverage_ratio), (JUNE, JUNE, Some(JUNE), 1.0));
    assert!(a.refused_acts().is_empty());
    let codes: Vec<_> = a.findings("m").into_iter().map(|f| (f.finding.code, f.finding.severity)).collect();
    assert_eq!(codes, [("counter.exchanged", Severity::Note)]);
}

#[test]
fn an_exchange_half_known_is_bounded_by_the_ceiling() {
    let opening =
        june(exchanged, &[act("2025-06-10T10:00:00Z", Act::Exchanged { closing: None, opening: Some(40) })]);
    let nothing = june(exchanged, &[]);
    let ten_minutes = (100_000.0_f64 / 6.0).ceil() as i64;
    for a in [&opening, &nothing] {
        let june = value(a);
        assert!(june.amount < JUNE && june.low <= JUNE && JUNE <= june.high.unwrap(), "{june:?}");
    }
    assert_eq!(value(&opening).high, Some(JUNE - 100 + ten_minutes));
    // Without a word it is an open question.
    assert!(nothing.decisions()[0].is_open());
    assert!(opening.decisions().iter().all(|d| !d.is_open()));
}

#[test]
fn an_exchange_that_the_readings_do_not_bear_out_is_refused() {
    let closing = Some(2_000_000_000);
    let a = june(exchanged, &[act("2025-06-10T10:00:00Z", Act::Exchanged { closing, opening: Some(40) })]);
    assert_eq!(a.refused_acts().len(), 1, "the closing total is beyond what the connection carries");
    assert!(value(&a).amount < JUNE && JUNE <= value(&a).high.unwrap());
    let b = june(
        |_, total| Some(total),
        &[act("2025-06-10T10:00:00Z", Act::Exchanged { closing: Some(5), opening: Some(7) })],
    );
    assert_eq!((b.refused_acts().len(), value(&b).amount), (1, JUNE));
}

#[test]
fn a_corrected_reading_is_bounded_by_what_the_edit_took() {
    // The last reading of June was typed 30 kWh too low by somebody who likes savings.
    let t = "2025-06-30T22:00:00Z";
    let raw = true_total(at(t));
    let a = june(|_, total| Some(total), &[act(t, Act::Corrected { total: raw - 90 })]);
    let june_value = value(&a);
    assert_eq!(june_value.amount, JUNE - 90);
    assert!(JUNE <= june_value.high.unwrap(), "{june_value:?}");
    // A reading in the middle changes nothing of the sum, and is bounded all the same.
    let t = "2025-06-10T10:00:00Z";
    let b = june(|_, total| Some(total), &[act(t, Act::Corrected { total: true_total(at(t)) - 90 })]);
    assert_eq!(value(&b).amount, JUNE);
    assert!(value(&b).low < JUNE && JUNE < value(&b).high.unwrap());
    // A correction of a reading that never came is refused.
    let c = june(|_, total| Some(total), &[act("2025-06-10T10:05:00Z", Act::Corrected { total: 1 })]);
    assert_eq!((c.refused_acts().len(), value(&c).amount, value(&c).low), (1, JUNE, JUNE));
}

#[test]
fn a_spike_corrected_by_hand_counts_no_more_than_the_connection_carries() {
    let t = at("2025-06-10T10:00:00Z");
    let spike = |s: Instant, total: i64| Some(if s == t { total + 90_000_000 } else { total });
    let a = june(spike, &[DatedAct { at: t, act: Act::Corrected { total: true_total(t) } }]);
    let ten_minutes = (100_000.0_f64 / 6.0).ceil() as i64;
    assert_eq!(value(&a).amount, JUNE);
    assert_eq!(value(&a).high, Some(JUNE + 2 * ten_minutes));
}

#[test]
fn a_decision_accepted_is_no_finding_any_more() {
    let reset = |t: Instant, total: i64| {
        let at_noon = at("2025-06-10T10:00:00Z");
        Some(if t < at_noon { total } else { total - true_total(at_noon) })
    };
    let open = june(reset, &[]);
    let decision = open.decisions()[0].clone();
    assert!(decision.is_open());
    let accepted = june(reset, &[DatedAct { at: decision.at, act: Act::Explained(decision.explanation) }]);
    assert!(accepted.findings("m").is_empty(), "{:?}", accepted.findings("m"));
    assert_eq!(accepted.decisions().len(), 1);
    assert!(accepted.decisions()[0].by_person);
    // Accepting explains; it does not invent. The first low total is then known to be none that was garbled.
    assert_eq!(value(&accepted).amount, value(&open).amount);
    assert!(value(&accepted).high < value(&open).high && value(&open).low < value(&accepted).low);
}

#[test]
fn a_standstill_is_told_and_confirmed() {
    let still = |t: Instant, total: i64| {
        let (from, to) = (at("2025-06-05T22:00:00Z"), at("2025-06-19T22:00:00Z"));
        let paused = total.min(true_total(from)).max(total - (true_total(to) - true_total(from)));
        Some(if t < from { total } else { paused })
    };
    let a = june(still, &[]);
    let months = a.still_months();
    assert_eq!(months.len(), 1);
    assert_eq!((months[0].0, months[0].1 / 86_400_000), (month(2025, 6), 14));
    let decision = a.decisions()[0].clone();
    assert_eq!((decision.explanation, decision.at), (Explanation::Standstill, at("2025-06-05T22:00:00Z")));
    let b = june(still, &[DatedAct { at: decision.at, act: Act::Explained(Explanation::Standstill) }]);
    assert!(b.still_months().is_empty());
    assert!(b.decisions()[0].by_person);
    assert_eq!(value(&a), value(&b));
}

#[test]
fn what_a_frozen_register_shows_at_once_may_lie_in_either_month() {
    // Frozen from 29 June on; on 2 July it shows what was used meanwhile.
    let mut a = Accumulator::new(settings());
    let mut t = at("2025-05-31T22:00:00Z");
    let (frozen, thaws) = (at("2025-06-28T22:00:00Z"), at("2025-07-02T22:00:00Z"));
    while t <= at("2025-07-10T22:00:00Z") {
        let total = if frozen <= t && t < thaws { true_total(frozen) } else { true_total(t) };
        a.push(t, total);
        t = t.plus_seconds(600);
    }
    let months = a.snapshot(at("2025-07-10T22:00:00Z")).months;
    let (june, july) = (months[0], months[1]);
    assert_eq!(june.amount + july.amount, 40 * 24 * 600);
    assert!(june.low <= JUNE && JUNE <= june.high.unwrap(), "{june:?}");
    assert!(JUNE - 700 < june.amount, "half of the energy is put back into June: {june:?}");
    assert!(0.0 < june.estimated_ratio);
    assert_eq!(a.findings("m")[0].finding.code, "counter.caught_up");
}

#[test]
fn what_was_used_while_a_total_was_repeated_before_an_exchange_is_not_measured() {
    // The gateway repeats its total from 08:00; the meter is exchanged at 18:00 and read again at 06:00 the next day.
    let (frozen, swap, thaws) =
        (at("2025-06-10T06:00:00Z"), at("2025-06-10T16:00:00Z"), at("2025-06-11T04:00:00Z"));
    let shown = |t: Instant, total: i64| {
        Some(match t {
            t if t < frozen => total,
            t if t < thaws => true_total(frozen),
            _ => total - true_total(swap),
        })
    };
    let closing = Some(true_total(swap));
    let with = |closing, opening| {
        let exchange = act("2025-06-10T16:00:00Z", Act::Exchanged { closing, opening });
        value(&june(shown, &[exchange]))
    };
    let decision = june(shown, &[]).decisions()[0].at;
    let accepted = DatedAct { at: decision, act: Act::Explained(Explanation::Reset) };
    for june in [value(&june(shown, &[])), value(&june(shown, &[accepted])), with(None, Some(0))] {
        assert!(june.low <= JUNE && JUNE <= june.high.unwrap(), "{june:?}");
        assert!(june.coverage_ratio < 1.0 - 9.0 / 720.0, "{june:?}");
    }
    // With both totals nothing is unknown, however long the last reading was repeated.
    let exact = with(closing, Some(0));
    assert_eq!((exact.amount, exact.low, exact.high), (JUNE, JUNE, Some(JUNE)));
}

#[test]
fn a_wrap_in_a_long_gap_is_an_interval() {
    // 16 bits of 0.1 kWh at up to 50 kW wrap in 131 hours; the gateway was away for ten days.
    let wrapping = SeriesSettings {
        ceiling_per_milli: 50_000.0 / 3_600_000.0,
        wraps_at: Some(6_553_600),
        resolution: 100,
        ..settings()
    };
    let mut a = Accumulator::new(wrapping);
    let mut energy = 4_000_000;
    let mut t = at("2025-05-31T22:00:00Z");
    while t <= at("2025-06-30T22:00:00Z") {
        let away = at("2025-06-10T22:00:00Z") <= t && t < at("2025-06-20T22:00:00Z");
        if !away {
            a.push(t, energy % 6_553_600 / 100 * 100);
        }
        energy += 7_000;
        t = t.plus_seconds(600);
    }
    let june = a.snapshot(at("2025-06-30T22:00:00Z")).months[0];
    let used = 30 * 24 * 6 * 7_000;
    assert!(june.low <= used && used <= june.high.unwrap(), "{june:?}");
    assert!(june.amount < used, "not one wrap more than the totals carry is booked");
    let open: Vec<_> = a.decisions().into_iter().filter(Decision::is_open).collect();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].explanation, open[0].confidence), (Explanation::Wrap, Confidence::NeedsPerson));
}

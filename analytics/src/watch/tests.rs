//! What is watched, on made-up hours and silences.
//!
//! Must never: depend on a clock.

use chrono::Days;
use model::time::day_start;
use proptest::prelude::*;

use super::alarm::{AlarmId, AlarmKind, Alarms, Change, Limits, Signal, Silence, silences};
use super::base_load::base_load;
use super::span::{Span, UseDay, UseDays, in_days, in_hours, use_of};
use super::usual::{Temperatures, days_above, learn, temperature};
use super::*;

const ROME: Zone = model::Zone::Europe__Rome;

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn outdoor_c(day: NaiveDate) -> f64 {
    8.0 + 5.0 * (f64::from(day.ordinal()) / 9.0).sin()
}

/// An office: 2 kWh an hour always, 8 more from 8 to 18 on working days, and heat below 12 °C; `of` changes an hour.
fn office(
    from: NaiveDate,
    to: NaiveDate,
    of: impl Fn(NaiveDate, u32, f64) -> f64,
) -> (Vec<UseHour>, Temperatures) {
    let mut hours = Vec::new();
    let (mut at, end) = (day_start(from, ROME), day_start(to, ROME));
    while at < end {
        let mut hour = UseHour { from: at, energy: 0.0, measured: true };
        let (day, name) = hour.civil(ROME);
        let open = day.weekday().num_days_from_monday() < 5 && (8..18).contains(&name);
        let wobble = 0.1 * (f64::from(name) + f64::from(day.ordinal()) * 1.7).sin();
        let base = 2.0 + if open { 8.0 } else { 0.0 } + 0.2 * (12.0 - outdoor_c(day)).max(0.0) + wobble;
        hour.energy = of(day, name, base);
        hours.push(hour);
        at = at.plus_millis(HOUR_MILLIS);
    }
    let temperatures = from.iter_days().take_while(|d| *d < to).map(|d| (d, outdoor_c(d))).collect();
    (hours, temperatures)
}

const FROM: (i32, u32, u32) = (2026, 1, 1);

fn bounds() -> (NaiveDate, NaiveDate, NaiveDate) {
    let from = day(FROM.0, FROM.1, FROM.2);
    let today = from + Days::new(100);
    (from, today - Days::new(7), today)
}

#[test]
fn an_ordinary_day_lies_within_what_is_usual() {
    let (from, judged, today) = bounds();
    let (hours, temperatures) = office(from, today, |_, _, base| base);
    let usual = learn(&hours, &temperatures, ROME, (from, judged)).unwrap();
    let now = day_start(today, ROME);
    for back in 1..=7 {
        let day = today - Days::new(back);
        let expected = usual.of_day(day, outdoor_c(day), now).unwrap();
        let measured: f64 = hours.iter().filter(|h| h.civil(ROME).0 == day).map(|h| h.energy).sum();
        let off = (expected.energy - measured).abs() / measured;
        assert!(off < 0.03, "{day}: {} expected, {measured} measured", expected.energy);
    }
    assert_eq!(days_above(&hours, &usual, &temperatures, today, 0.1), 0);
    // Half of the morning is about half of the hour.
    let until = |minutes: i64| day_start(judged, ROME).plus_seconds(9 * 3600 + minutes * 60);
    let at = |minutes| usual.of_day(judged, outdoor_c(judged), until(minutes)).unwrap().energy;
    let half = (at(30) - at(0)) / (at(60) - at(0));
    assert!((half - 0.5).abs() < 1e-9, "{half}");
}

#[test]
fn days_above_are_counted_back_from_yesterday_and_an_unmeasured_day_ends_the_count() {
    let (from, judged, today) = bounds();
    let more = |day: NaiveDate, _, base: f64| if today - Days::new(3) <= day { base * 1.3 } else { base };
    let (mut hours, temperatures) = office(from, today, more);
    let usual = learn(&hours, &temperatures, ROME, (from, judged)).unwrap();
    assert_eq!(days_above(&hours, &usual, &temperatures, today, 0.1), 3);
    assert_eq!(days_above(&hours, &usual, &temperatures, today, 0.5), 0);
    let hole = day_start(today - Days::new(2), ROME);
    hours.iter_mut().filter(|h| h.from == hole).for_each(|h| h.measured = false);
    assert_eq!(days_above(&hours, &usual, &temperatures, today, 0.1), 1);
}

#[test]
fn nights_that_rise_are_seen_and_nights_of_cold_weather_are_not() {
    let (from, judged, today) = bounds();
    let plain = office(from, today, |_, _, base| base);
    let louder =
        office(from, today, |day, name, base| if judged <= day && name < 5 { base + 1.5 } else { base });
    let excess = |(hours, temperatures): &(Vec<UseHour>, Temperatures)| {
        let usual = learn(hours, temperatures, ROME, (from, judged)).unwrap();
        base_load(hours, Some((&usual, temperatures)), ROME, today).unwrap()
    };
    let (quiet, loud) = (excess(&plain), excess(&louder));
    assert!(quiet.night_excess_ratio.unwrap().abs() < 0.05, "{quiet:?}");
    assert!(0.3 < loud.night_excess_ratio.unwrap(), "{loud:?}");
    assert!(
        quiet.floor_per_hour <= quiet.night_per_hour
            && quiet.night_per_hour < quiet.workday_per_hour.unwrap()
    );
    assert!(quiet.night_share + quiet.weekend_share < 1.0);
    assert!(base_load(&plain.0[..100], None, ROME, today).is_none());
}

#[test]
fn a_temperature_stands_for_three_days_at_most() {
    let known: Temperatures = [(day(2026, 3, 1), 7.0)].into_iter().collect();
    assert_eq!(temperature(&known, day(2026, 3, 4)), Some((7.0, day(2026, 3, 1))));
    assert_eq!(temperature(&known, day(2026, 3, 5)), None);
    assert_eq!(temperature(&known, day(2026, 2, 28)), None);
}

#[test]
fn spans_know_their_neighbours_and_the_year_before_with_its_weekdays() {
    let on = day(2026, 3, 11);
    for kind in ["day", "week", "month", "year"] {
        let span = Span::of(kind, on).unwrap();
        assert_eq!(span.next().unwrap().previous(), Some(span), "{kind}");
        let (from, to) = span.bounds();
        assert!(from <= on && on < to, "{kind}");
        assert_eq!(span.parts().first().unwrap().0, from);
        assert_eq!(span.parts().last().unwrap().1, to);
    }
    let week = Span::of("week", on).unwrap();
    assert_eq!(week.year_before().unwrap().bounds().0.weekday(), chrono::Weekday::Mon);
    assert!(Span::of("decade", on).is_none());
}

fn days(from: NaiveDate, to: NaiveDate, covered: impl Fn(NaiveDate) -> f64) -> UseDays {
    let of = |day: NaiveDate| {
        let length = day_start(day.succ_opt().unwrap(), ROME).millis() - day_start(day, ROME).millis();
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a day")]
        let covered_millis = (length as f64 * covered(day)) as i64;
        (day, UseDay { day, energy: 24.0 * covered(day), covered_millis })
    };
    from.iter_days().take_while(|d| *d < to).map(of).collect()
}

#[test]
fn what_one_side_lacks_is_left_out_of_both() {
    let today = day(2026, 3, 12);
    let lost = day(2026, 3, 10);
    let own = days(day(2025, 1, 1), today, |day| if day == lost { 0.4 } else { 1.0 });
    let now = day_start(today, ROME).plus_seconds(6 * 3600);
    let week = in_days(Span::of("week", today).unwrap(), &own, ROME, now, |_, _| Some(30.0));
    assert_eq!(week.parts.len(), 7);
    assert_eq!(week.missing(today), 1);
    // Monday and Wednesday; Tuesday was lost, Thursday is not over.
    assert_eq!(week.measured(), Some(48.0));
    let beside = week.beside_year_before().unwrap();
    assert_eq!((beside.parts, beside.measured, beside.other), (2, 48.0, 48.0));
    assert_eq!(week.beside_expected().unwrap().other, 60.0);
    assert_eq!(week.beside_expected().unwrap().change_ratio(), Some(48.0 / 60.0 - 1.0));
    assert_eq!(use_of(&own, ROME, (lost, today), now), None);
}

#[test]
fn a_day_in_hours_holds_only_hours_that_are_over_and_measured() {
    let today = day(2026, 3, 12);
    let (mut hours, _) = office(today - Days::new(1), today.succ_opt().unwrap(), |_, _, base| base);
    hours.iter_mut().filter(|h| h.civil(ROME) == (today, 3)).for_each(|h| h.measured = false);
    let now = day_start(today, ROME).plus_seconds(10 * 3600 + 60);
    let of = in_hours(today, &hours, &[], ROME, now, |_| Some(1.0));
    let known = of.parts.iter().filter(|p| p.measured.is_some()).count();
    assert_eq!(known, 9);
    assert_eq!(of.missing(today), 0);
    assert_eq!(of.beside_expected().unwrap().parts, 9);
    assert!(of.beside_year_before().is_none());
}

#[test]
fn a_day_on_which_the_clock_changes_is_compared_hour_by_hour() {
    let usual = |_: u32| Some(2.0);
    // Put back on 25 October: two hours are called 2, and both are expected.
    let autumn = day(2026, 10, 25);
    let (mut hours, _) = office(autumn, autumn.succ_opt().unwrap(), |_, _, _| 2.0);
    assert_eq!(hours.len(), 25);
    let now = day_start(autumn + Days::new(2), ROME);
    let of = in_hours(autumn, &hours, &[], ROME, now, usual);
    let doubled = of.parts.iter().find(|p| p.hour == Some(2)).unwrap();
    assert_eq!((doubled.measured, doubled.expected), (Some(4.0), Some(4.0)));
    assert_eq!(of.beside_expected().unwrap().change_ratio(), Some(0.0));
    // With one of them missing nothing is known of the name.
    hours.iter_mut().find(|h| h.civil(ROME) == (autumn, 2)).unwrap().measured = false;
    let of = in_hours(autumn, &hours, &[], ROME, now, usual);
    assert_eq!(of.parts.iter().find(|p| p.hour == Some(2)).unwrap().measured, None);
    // Put forward on 29 March: there is no hour called 2.
    let spring = day(2026, 3, 29);
    let (hours, _) = office(spring, spring.succ_opt().unwrap(), |_, _, _| 2.0);
    let of = in_hours(spring, &hours, &[], ROME, day_start(spring + Days::new(2), ROME), usual);
    assert_eq!((of.parts.len(), of.missing(spring + Days::new(2))), (23, 0));
}

#[test]
fn the_carpet_has_a_row_for_every_day_and_holes_where_nothing_was_measured() {
    let (from, to) = (day(2026, 3, 27), day(2026, 3, 31));
    let (mut hours, _) = office(from, to, |_, _, base| base);
    hours.iter_mut().filter(|h| h.civil(ROME) == (from, 12)).for_each(|h| h.measured = false);
    let carpet = carpet(&hours, ROME, from, to);
    assert_eq!(carpet.days.len(), 4);
    assert_eq!(carpet.days[0].1[12], None);
    // The hour that the clock skips on 29 March.
    assert_eq!(carpet.days[2].1[2], None);
    assert_eq!(carpet.days.iter().flat_map(|(_, row)| row.iter().flatten()).count(), 4 * 24 - 2);
    assert!(10.0 < carpet.most);
}

#[test]
fn an_hour_counts_where_every_meter_measured_it() {
    let hour = |amount, covered_millis, estimated| HourValue {
        from: Instant::from_seconds(3600),
        amount,
        covered_millis,
        estimated,
    };
    let all = HOUR_MILLIS;
    let of = |second| together(&[vec![hour(1000, all, 0)], vec![second]], |wh| wh as f64 / 1000.0);
    assert_eq!(
        of(hour(500, all, 0)),
        [UseHour { from: Instant::from_seconds(3600), energy: 1.5, measured: true }]
    );
    assert!(!of(hour(500, all / 2, 0))[0].measured);
    assert!(!of(hour(500, all, 200))[0].measured);
    assert!(together(&[], |wh| wh as f64).is_empty());
}

const LIMITS: Limits = Limits { raise_at: 10.0, clear_below: 5.0, raise_after_s: 60.0, clear_after_s: 120.0 };

fn signal(value: Option<f64>) -> Signal {
    Signal {
        id: AlarmId { kind: AlarmKind::Frozen, subject: "meter:m".into() },
        value,
        limits: LIMITS,
        details: Vec::new(),
        covered_by: None,
    }
}

/// What happens at each minute with such values: `r` raised, `e` ended, `.` nothing.
fn story(values: &[Option<f64>]) -> String {
    let mut alarms = Alarms::default();
    let told = values.iter().enumerate().map(|(minute, value)| {
        let now = Instant::from_seconds(60 * minute as i64);
        match alarms.step(&[signal(*value)], now).as_slice() {
            [] => '.',
            [Change::Raised(_)] => 'r',
            [Change::Ended { .. }] => 'e',
            _ => '?',
        }
    });
    told.collect()
}

#[test]
fn an_alarm_needs_time_to_rise_and_time_to_end_and_never_ends_on_what_is_unknown() {
    let (wrong, between, right) = (Some(11.0), Some(7.0), Some(1.0));
    for (values, expected) in [
        (vec![wrong, wrong, wrong], ".r."),
        (vec![wrong, between, wrong, wrong], "...r"),
        (vec![wrong, wrong, right, right, right, right], ".r..e."),
        (vec![wrong, wrong, right, between, right, right, right], ".r....e"),
        (vec![wrong, wrong, None, None, None, None, None], ".r....."),
        (vec![None, wrong, None, wrong], "...r"),
        (vec![between, between, between], "..."),
    ] {
        assert_eq!(story(&values), expected, "{values:?}");
    }
}

fn silent(meter: &str, link: &str, silence: f64) -> Silence {
    Silence { meter: meter.into(), link: link.into(), silence: Some(silence), details: Vec::new() }
}

fn raised(changes: &[Change]) -> Vec<String> {
    let subject = |c: &Change| match c {
        Change::Raised(signal) => Some(signal.id.subject.clone()),
        Change::Ended { .. } | Change::Dropped { .. } => None,
    };
    changes.iter().filter_map(subject).collect()
}

#[test]
fn a_dead_gateway_is_one_alarm() {
    let at_once = Limits { raise_after_s: 0.0, clear_after_s: 0.0, ..LIMITS };
    let all =
        |periods: f64| (0..30).map(|i| silent(&format!("m{i}"), "gateway", periods)).collect::<Vec<_>>();
    let mut alarms = Alarms::default();
    let changes = alarms.step(&silences(&all(50.0), at_once), Instant::from_seconds(0));
    assert_eq!(raised(&changes), ["link:gateway"]);
    // One that answers again shows that the others are dead by themselves.
    let mut meters = all(50.0);
    meters[0].silence = Some(0.5);
    let changes = alarms.step(&silences(&meters, at_once), Instant::from_seconds(60));
    assert_eq!(raised(&changes).len(), 29);
    assert!(changes.iter().any(|c| matches!(c, Change::Ended { id, .. } if id.subject == "link:gateway")));
    // A link with one meter is that meter.
    let single = silences(&[silent("alone", "own", 50.0)], at_once);
    assert_eq!(raised(&Alarms::default().step(&single, Instant::from_seconds(0))), ["meter:alone"]);
}

#[test]
fn power_is_the_slope_of_the_total_and_unknown_over_a_gap() {
    let at = |minutes: i64, wh: i64| (Instant::from_seconds(minutes * 60), wh);
    let power = flow::mean_power(&[at(0, 0), at(5, 100), at(10, 50), at(100, 60), at(105, 60)]);
    let values: Vec<Option<f64>> = power.iter().map(|(_, p)| *p).collect();
    assert_eq!(values, [Some(1200.0), None, None, Some(0.0)]);
    assert!(flow::mean_power(&[at(0, 1)]).is_empty());
}

#[test]
fn a_share_needs_both_sides() {
    let (from, to) = (day(2026, 3, 1), day(2026, 3, 11));
    let now = day_start(to, ROME);
    let whole = days(from, to, |_| 1.0);
    let half = days(from, to, |_| 0.5);
    let share = |exported: &UseDays| flow::self_consumed_share(&whole, exported, ROME, (from, to), now);
    assert_eq!(share(&whole), Some(0.0));
    assert_eq!(share(&half), None);
    assert_eq!(flow::self_consumed(Some(5.0), None), None);
}

#[test]
fn a_total_that_stands_still_is_told_with_what_usually_flows() {
    let (from, judged, today) = bounds();
    let stops = day_start(today - Days::new(2), ROME);
    let (hours, temperatures) = office(from, today, |_, _, base| base);
    let usual = learn(&hours, &temperatures, ROME, (from, judged)).unwrap();
    let meter = |still: bool| -> Vec<HourValue> {
        let of = |h: &UseHour| HourValue {
            from: h.from,
            amount: if still && stops <= h.from { 0 } else { 1000 },
            covered_millis: HOUR_MILLIS,
            estimated: 0,
        };
        hours.iter().map(of).collect()
    };
    let look = |own: &[HourValue]| {
        super::still::still(own, &hours, &usual, &temperatures, ROME, |wh| wh as f64 / 1000.0).unwrap()
    };
    let found = look(&meter(true));
    assert_eq!(found.hours, 48);
    assert!(10.0 < found.usual, "{found:?}");
    assert_eq!(look(&meter(false)).hours, 0);
}

#[test]
fn what_is_watched_no_more_is_dropped_and_what_was_raised_is_resumed() {
    let id = signal(None).id;
    let mut alarms = Alarms::resumed([(id.clone(), Instant::from_seconds(5))]);
    assert!(alarms.step(&[signal(Some(11.0))], Instant::from_seconds(10)).is_empty());
    let changes = alarms.step(&[], Instant::from_seconds(20));
    assert_eq!(changes, [Change::Dropped { id, raised_at: Instant::from_seconds(5) }]);
    assert!(alarms.phases().is_empty());
}

proptest! {
    /// Whatever the values: raised and ended take turns, and the first is raised.
    #[test]
    fn raised_and_ended_take_turns(values in proptest::collection::vec(proptest::option::of(-20.0f64..20.0), 0..200)) {
        let told: Vec<char> = story(&values).chars().filter(|c| *c != '.').collect();
        for (i, c) in told.iter().enumerate() {
            prop_assert_eq!(*c, if i % 2 == 0 { 'r' } else { 'e' });
        }
    }
}

//! A meter that is read by the hour: time of week and temperature.
//!
//! Must never: compare an hour without its temperature, or of the week that the baseline never had.
//!
//! The band has the scatter of the hours and the error of the fit, not that of the model's form: where the line bends
//! between the intervals' ends, a year may be off by a few thousandths more.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDateTime, Timelike, Weekday};
use model::{Finding, Severity};

use super::{Answer, Other, Reporting, Window, rules, screen};
use crate::baseline::fit::{Prediction, student};
use crate::baseline::towt::{self, HOURS_MIN, Hour, Towt};

mod days;
mod doubted;
mod weather;

/// Stable name of the method, as on the command line.
pub const METHOD: &str = "towt";

/// Confidence of the band, which the method has for no other.
pub const CONFIDENCE: f64 = 0.9;

/// An hour in civil time, its outdoor temperature in °C, its energy in the meter's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CivilHour {
    pub at: NaiveDateTime,
    pub outdoor_c: f64,
    pub energy: f64,
}

impl CivilHour {
    /// Which of the week: 0 is Monday 00:00.
    fn of_week(&self) -> usize {
        24 * self.at.weekday().num_days_from_monday() as usize + self.at.hour() as usize
    }

    fn hour(&self) -> Hour {
        Hour { of_week: self.of_week(), outdoor_c: self.outdoor_c, energy: self.energy }
    }
}

/// The model and the hours that it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Hourly {
    pub model: Towt,
    pub occupied_hours: usize,
    /// Deviation of an hour over the mean use of an hour.
    pub cvrmse_ratio: f64,
}

/// What was saved in the hours of the reporting window. `given` in order of time; never fails.
#[must_use]
pub fn analyse(subject: &str, given: &[CivilHour], baseline: Window, reporting: Window) -> Answer {
    let mut findings = Vec::new();
    let (hours, means) = weather::screened(subject, given, [baseline, reporting], &mut findings);
    let within =
        |window: Window| hours.iter().filter(move |h| window.from <= h.at.date() && h.at.date() < window.to);
    let of_baseline: Vec<&CivilHour> = within(baseline).collect();
    let before: Vec<Hour> = of_baseline.iter().map(|h| h.hour()).collect();
    screen::tell_order(subject, [baseline, reporting], &mut findings);
    screen::tell_year(subject, reporting, &mut findings);
    let Some(model) = towt::fit(&before) else {
        findings.push(too_few(subject, before.len()));
        return answer(None, None, findings);
    };
    let known = |h: &CivilHour| model.hour(h.of_week(), h.outdoor_c).is_some();
    let compared: Vec<&CivilHour> = within(reporting).filter(|h| known(h)).collect();
    let left_out = within(reporting).count() - compared.len();
    if 0 < left_out {
        let says =
            format!("{left_out} hours of the week were never seen in the baseline; they are not compared");
        let rule = "what is missing is not compared";
        findings.push(
            Finding::new("hours.never_seen", Severity::Caution, subject, says, rule).with("hours", left_out),
        );
    }
    let asked: Vec<(usize, f64)> = compared.iter().map(|h| (h.of_week(), h.outdoor_c)).collect();
    let expected = model.expect(&asked);
    let measured: f64 = compared.iter().map(|h| h.energy).sum();
    let missing_days = missing_hours(within(reporting), reporting) as f64 / 24.0;
    findings.extend(window_missing(subject, missing_days, reporting));
    let given_back: f64 = compared.iter().map(|h| (-h.energy).max(0.0)).sum();
    // A day without a value may have used anything; see `doubt`.
    let most = 2.0 * daily_maximum(given);
    let days_before = days::Days::of(within(baseline), |_| true, &model);
    let all_days = days::Days::of(within(reporting), known, &model);
    // What is in another unit is told of the days, all at once.
    let mut doubted = if days::are_in_other_unit(subject, &days_before, &all_days) {
        doubted::Doubted::default()
    } else {
        doubted::Doubted::of(subject, &model, &of_baseline, &compared)
    };
    findings.append(&mut doubted.findings);
    let sound = |h: &CivilHour| known(h) && !doubted.contains(h);
    let days_after = days::Days::of(within(reporting), sound, &model);
    let doubt = days::judge((subject, baseline), &days_before, &days_after, &mut findings);
    let of_weather =
        weather::below_usual((subject, &model), &compared, &means, [baseline, reporting], &mut findings);
    let lost = given_back + most * missing_days + doubted.energy + doubt + of_weather;
    // The model's own error on a sum as long as its baseline is that of the hours once more.
    let model_too = (1.0 + asked.len() as f64 / before.len() as f64).sqrt();
    let freedom = before.len() as f64;
    let of_hours = expected.half_width * model_too / student(CONFIDENCE, freedom);
    let prediction = Prediction {
        energy: expected.energy,
        days: asked.len() as f64 / 24.0,
        heating: 0.0,
        cooling: 0.0,
        model_variance: days_before.unseen_variance(&days_after),
        noise_variance: of_hours * of_hours,
        freedom,
    };
    let compared = (!asked.is_empty()).then(|| {
        let compared = compare(&prediction, measured, lost, missing_days);
        rules::significance(subject, compared.into(), &prediction, &mut findings);
        compared
    });
    let occupied_hours = (0..towt::HOURS).filter(|h| model.is_occupied(*h)).count();
    let mean = before.iter().map(|h| h.energy).sum::<f64>() / before.len() as f64;
    let cvrmse_ratio = model.deviation / mean;
    answer(Some(Hourly { model, occupied_hours, cvrmse_ratio }), compared, findings)
}

/// That a normal year was asked for, which this method has none of.
#[must_use]
pub fn not_normalised(subject: &str) -> Finding {
    let says = "towt knows no normal year, so nothing was normalised: join the meter's hours to days and take --method \
                auto with temperatures of days";
    let rule = "IPMVP, normalised savings: both periods have a model of a full cycle";
    Finding::new("normal.by_hours", Severity::Caution, subject, says, rule)
}

fn too_few(subject: &str, hours: usize) -> Finding {
    let says =
        format!("the baseline has {hours} hours with energy and temperature; the method wants {HOURS_MIN}");
    let rule = "eight weeks of hours: every hour of the week eight times";
    Finding::new("baseline.short_hours", Severity::Blocks, subject, says, rule)
        .with("hours", hours)
        .with("hours_wanted", HOURS_MIN)
}

fn window_missing(subject: &str, days: f64, window: Window) -> Option<Finding> {
    let of = window.days();
    let says = format!("{days:.1} of {of} days of the reporting window have no value; they are not compared");
    let rule = "what is missing is not compared";
    let about = format!("{subject} reporting");
    (0.0 < days).then(|| {
        let finding = Finding::new("window.missing", Severity::Note, about, says, rule);
        finding.with("days", format!("{days:.1}")).with("of", of)
    })
}

/// The highest use of a civil day that is known.
fn daily_maximum(hours: &[CivilHour]) -> f64 {
    let days = hours.chunk_by(|a, b| a.at.date() == b.at.date());
    days.map(|day| day.iter().map(|h| h.energy).sum::<f64>()).fold(0.0, f64::max)
}

/// `lost` is what the lower bound does without beside the band.
fn compare(prediction: &Prediction, measured: f64, lost: f64, missing_days: f64) -> Reporting {
    let half = prediction.half_width(CONFIDENCE);
    let avoided = prediction.energy - measured;
    Reporting {
        days: prediction.days,
        measured,
        adjusted_baseline: prediction.energy,
        avoided,
        avoided_low: avoided - half - lost,
        avoided_high: avoided + half,
        missing_days,
        window_low: f64::NEG_INFINITY,
        confidence: CONFIDENCE,
    }
    .bounded()
}

/// Hours of the window without a value. One that a clock put back gives twice counts once: it hides no other. The one that
/// summer time leaves out is none (02:00 of the last Sunday in March, Directive 2000/84/EC, as Italian clocks show it).
fn missing_hours<'h>(hours: impl Iterator<Item = &'h CivilHour>, window: Window) -> usize {
    let known: BTreeSet<NaiveDateTime> = hours.map(|h| h.at).collect();
    let days = window.from.iter_days().take_while(|d| *d < window.to);
    let all = days.flat_map(|d| (0..24).filter_map(move |hour| d.and_hms_opt(hour, 0, 0)));
    let left_out =
        |at: &NaiveDateTime| (at.month(), at.weekday(), at.hour()) == (3, Weekday::Sun, 2) && 25 <= at.day();
    all.filter(|at| !known.contains(at) && !left_out(at)).count()
}

fn answer(model: Option<Hourly>, reporting: Option<Reporting>, findings: Vec<Finding>) -> Answer {
    let other = model.map(Other::TimeOfWeek);
    Answer { fit: None, other, method: METHOD, reporting, normalised: None, findings }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;
    use chrono::{NaiveDate, TimeDelta};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Two years of an office by the hour, scattering as a building of people does; the second at `share`.
    fn hours(share: f64) -> Vec<CivilHour> {
        scattering(share, 6.0)
    }

    fn scattering(share: f64, by: f64) -> Vec<CivilHour> {
        let begin = day("2023-01-01").and_hms_opt(0, 0, 0).unwrap();
        (0..17_520_u64)
            .map(|i| {
                let at = begin + TimeDelta::hours(i as i64);
                let season = (i as f64 / 8_760.0 * std::f64::consts::TAU).cos();
                let outdoor_c = 13.0 - 11.0 * season + 3.0 * noise(i / 24);
                let open = at.weekday().num_days_from_monday() < 5 && (8..18).contains(&at.hour());
                let law = if open { 30.0 } else { 10.0 } + (12.0 - outdoor_c).max(0.0) + by * noise(i * 31);
                let energy = law * if at.year() == 2023 { 1.0 } else { share };
                CivilHour { at, outdoor_c, energy }
            })
            .collect()
    }

    fn windows() -> (Window, Window) {
        let window = |from, to| Window { from: day(from), to: day(to) };
        (window("2023-01-01", "2024-01-01"), window("2024-01-01", "2024-12-31"))
    }

    #[test]
    fn a_saving_of_a_year_of_hours_is_recovered() {
        let (baseline, reporting) = windows();
        for share in [1.0, 0.85] {
            let answer = analyse("meter:x", &hours(share), baseline, reporting);
            let r = answer.reporting.unwrap();
            let truth = r.measured / share * (1.0 - share);
            assert!((r.avoided - truth).abs() < 0.01 * r.adjusted_baseline, "{r:?} {truth}");
            // The band is of the noise alone: what the segments of temperature miss of the law is not in it.
            let form = 0.002 * r.adjusted_baseline;
            assert!(r.avoided_low - form <= truth && truth <= r.avoided_high + form, "{r:?} {truth}");
            let Some(Other::TimeOfWeek(of)) = answer.other else { panic!("no model") };
            assert!((45..=60).contains(&of.occupied_hours), "{}", of.occupied_hours);
        }
    }

    #[test]
    fn too_few_hours_are_no_model_but_a_finding() {
        let (baseline, reporting) = windows();
        let answer = analyse("meter:x", &hours(1.0)[..500], baseline, reporting);
        assert_eq!((answer.other, answer.reporting), (None, None));
        assert_eq!(answer.findings[0].code, "baseline.short_hours");
    }

    /// What an hour is multiplied by.
    type Change<'a> = &'a dyn Fn(&CivilHour) -> f64;

    fn told(answer: &Answer, code: &str) -> bool {
        answer.findings.iter().any(|f| f.code == code)
    }

    #[test]
    fn garbled_hours_are_told_and_save_nothing_for_sure() {
        let (baseline, reporting) = windows();
        let with = |changed: Change<'_>| {
            let mut all = hours(1.0);
            all.iter_mut().filter(|h| h.at.year() == 2024).for_each(|h| h.energy *= changed(h));
            analyse("meter:x", &all, baseline, reporting)
        };
        let plain = with(&|_| 1.0);
        assert!(!plain.findings.iter().any(|f| f.code.starts_with("reporting.")), "{:?}", plain.findings);
        let low = |answer: &Answer| answer.reporting.unwrap().avoided_low;
        let winter = |h: &CivilHour| h.at.month() < 4;
        let faults: [(&str, Change<'_>); 5] = [
            ("reporting.unit", &|_| 0.001),
            ("reporting.doubtful", &|h| if winter(h) { 0.1 } else { 1.0 }),
            ("energy.negative", &|h| if winter(h) { -1.0 } else { 1.0 }),
            ("reporting.zero_hours", &|h| if winter(h) { 0.0 } else { 1.0 }),
            ("reporting.zero_hours", &|h| if h.at.hour() == 3 { 0.0 } else { 1.0 }),
        ];
        for (code, changed) in faults {
            let answer = with(changed);
            assert!(told(&answer, code), "{code}: {:?}", answer.findings);
            let whole = answer.reporting.unwrap();
            let off = (low(&answer) - low(&plain)) / whole.adjusted_baseline;
            // Nothing saved, and nothing taken away twice.
            assert!((-0.02..0.005).contains(&off), "{code}: {whole:?} {:?}", plain.reporting);
        }
        let once = with(&|h| if (h.at.ordinal(), h.at.hour()) == (40, 5) { 1_000.0 } else { 1.0 });
        assert!(told(&once, "reporting.extreme"), "{:?}", once.findings);
        // In the baseline too, where it would make a saving of the year after.
        let mut all = hours(1.0);
        all[5_000].energy *= 1_000.0;
        assert!(told(&analyse("meter:x", &all, baseline, reporting), "energy.extreme"));
    }

    /// Hours garbled here and there are seen by the hour, whatever their days sum to.
    #[test]
    fn scattered_hours_are_doubted_one_by_one() {
        let (baseline, reporting) = windows();
        let with = |share: f64, one_in: f64, times: f64| {
            // Half of a night hour that scatters by more than half of itself is no other than its neighbours.
            let mut all = scattering(share, if times == 0.5 { 3.0 } else { 6.0 });
            for (i, h) in all.iter_mut().enumerate().skip(8_760) {
                let hit = noise(i as u64 * 7 + 3) < 2.0 / one_in - 1.0;
                h.energy *= if hit { times } else { 1.0 };
            }
            analyse("meter:x", &all, baseline, reporting)
        };
        for share in [1.0, 0.7] {
            let whole = with(share, 9.0, 1.0);
            assert!(!told(&whole, "reporting.doubtful_hours"), "{:?}", whole.findings);
            let before = whole.reporting.unwrap();
            let cases = [
                ("energy.negative", 90.0, -1.0),
                ("reporting.zero_hours", 9.0, 0.0),
                ("reporting.doubtful_hours", 9.0, 0.1),
                ("reporting.doubtful_hours", 90.0, 0.1),
                ("reporting.doubtful_hours", 9.0, 0.5),
                ("reporting.doubtful_hours", 4.0, 0.5),
            ];
            for (code, one_in, times) in cases {
                let answer = with(share, one_in, times);
                assert!(told(&answer, code), "{share} 1 in {one_in} x {times}: {:?}", answer.findings);
                let off =
                    (answer.reporting.unwrap().avoided_low - before.avoided_low) / before.adjusted_baseline;
                // What is doubted saves nothing, so that a meter that saves loses by it.
                assert!((-0.15..0.015).contains(&off), "{share} 1 in {one_in} x {times}: {off}");
            }
        }
    }

    #[test]
    fn a_baseline_of_three_months_is_told_and_not_sure_of_other_weather() {
        let (baseline, reporting) = windows();
        let year = analyse("meter:x", &hours(1.0), baseline, reporting);
        let summer = Window { from: day("2023-06-01"), to: day("2023-09-01") };
        let short = analyse("meter:x", &hours(1.0), summer, reporting);
        for code in ["baseline.short", "rule.caltrack.days", "rule.ipmvp.cycle", "fit.unseen_weather"] {
            assert!(told(&short, code) && !told(&year, code), "{code}: {:?}", short.findings);
        }
        let half = |answer: &Answer| answer.reporting.map(|r| r.avoided_high - r.avoided).unwrap();
        assert!(10.0 * half(&year) < half(&short), "{} {}", half(&year), half(&short));
        // The windows the other way round are told.
        let reversed = analyse("meter:x", &hours(1.0), reporting, baseline);
        assert!(told(&reversed, "window.reversed") && !told(&year, "window.reversed"));
    }

    #[test]
    fn the_hour_that_summer_time_leaves_out_is_not_missing() {
        let march = Window { from: day("2024-03-01"), to: day("2024-04-01") };
        let begin = march.from.and_hms_opt(0, 0, 0).unwrap();
        let all: Vec<CivilHour> = (0..31 * 24)
            .map(|i| CivilHour { at: begin + TimeDelta::hours(i), outdoor_c: 10.0, energy: 1.0 })
            .collect();
        let missing = |gone: &[&str]| {
            let gone: Vec<NaiveDateTime> = gone.iter().map(|t| t.parse().unwrap()).collect();
            missing_hours(all.iter().filter(|h| !gone.contains(&h.at)), march)
        };
        assert_eq!(missing(&[]), 0);
        assert_eq!(missing(&["2024-03-31T02:00:00"]), 0);
        assert_eq!(missing(&["2024-03-24T02:00:00", "2024-03-31T03:00:00"]), 2);
    }
}

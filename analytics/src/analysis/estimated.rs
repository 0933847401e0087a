//! Values that nobody read: an estimated bill says something only together with the reading that settles it.
//!
//! Must never: take an estimate for a measurement, or keep a value that settles an estimate which is not in it.
//!
//! CalTRACK 2.0 §2.2.3.1: an estimated period is combined with those that follow up to the next reading. Where none
//! follows without a gap, and among single days, an estimate counts as missing, as every period without a value does.

use model::{Finding, Severity};

use super::{MeterPeriod, screen};

const RULE: &str =
    "CalTRACK 2.0 §2.2.3.1: estimated reads are combined with the next reading, and else missing";

/// The periods with estimates settled or missing, and what is to be said of them. The periods are in order of time, each
/// with whether its value is an estimate; `subject` is a meter's.
#[must_use]
pub fn settle(subject: &str, stated: &[(MeterPeriod, bool)]) -> (Vec<MeterPeriod>, Option<Finding>) {
    let plain: Vec<MeterPeriod> = stated.iter().map(|(period, _)| *period).collect();
    let estimates = stated.iter().filter(|(period, estimated)| *estimated && period.value.is_some()).count();
    if estimates == 0 {
        return (plain, None);
    }
    let daily = screen::is_daily(&plain);
    let mut settled: Vec<MeterPeriod> = Vec::with_capacity(stated.len());
    let mut combined = 0;
    let mut open: Vec<MeterPeriod> = Vec::new();
    let unknown = |period: &MeterPeriod| MeterPeriod { value: None, ..*period };
    for (period, estimated) in stated {
        let follows = open.last().is_none_or(|last| last.to == period.from);
        if !follows {
            settled.extend(open.drain(..).map(|p| unknown(&p)));
        }
        if daily && *estimated {
            settled.push(unknown(period));
        } else if *estimated {
            open.push(*period);
        } else if open.is_empty() {
            settled.push(*period);
        } else {
            let sum = |sum: Option<f64>, p: &MeterPeriod| Some(sum? + p.value?);
            let value = open.iter().fold(period.value, sum);
            combined += if value.is_some() { open.len() } else { 0 };
            let from = open.first().map_or(period.from, |first| first.from);
            settled.push(MeterPeriod { from, to: period.to, value });
            open.clear();
        }
    }
    settled.extend(open.iter().map(unknown));
    (settled, Some(tell(subject, estimates, combined)))
}

fn tell(subject: &str, estimates: usize, combined: usize) -> Finding {
    let missing = estimates.saturating_sub(combined);
    let says = format!(
        "{estimates} values are estimates: {combined} were combined with the next reading, {missing} have none that follows \
         and count as missing"
    );
    let severity = if missing == 0 { Severity::Note } else { Severity::Caution };
    Finding::new("reading.estimated", severity, subject, says, RULE)
        .with("periods", estimates)
        .with("combined", combined)
        .with("missing", missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(from: &str, to: &str, value: f64, estimated: bool) -> (MeterPeriod, bool) {
        (MeterPeriod { from: from.parse().unwrap(), to: to.parse().unwrap(), value: Some(value) }, estimated)
    }

    fn told(finding: &Finding) -> Vec<&str> {
        finding.values.iter().map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn an_estimate_is_combined_with_the_next_reading() {
        let bills = [
            bill("2024-01-01", "2024-02-01", 300.0, false),
            bill("2024-02-01", "2024-03-01", 100.0, true),
            bill("2024-03-01", "2024-04-01", 120.0, true),
            bill("2024-04-01", "2024-05-01", 380.0, false),
        ];
        let (settled, finding) = settle("meter:x", &bills);
        let values: Vec<_> = settled.iter().map(|p| ((p.to - p.from).num_days(), p.value)).collect();
        assert_eq!(values, [(31, Some(300.0)), (90, Some(600.0))]);
        let finding = finding.unwrap();
        assert_eq!((finding.severity, told(&finding)), (Severity::Note, vec!["2", "2", "0"]));
    }

    #[test]
    fn an_estimate_without_a_reading_after_it_is_missing() {
        let bills = [
            bill("2024-01-01", "2024-02-01", 300.0, true),
            bill("2024-03-01", "2024-04-01", 120.0, false),
            bill("2024-04-01", "2024-05-01", 80.0, true),
        ];
        let (settled, finding) = settle("meter:x", &bills);
        let values: Vec<_> = settled.iter().map(|p| p.value).collect();
        assert_eq!(values, [None, Some(120.0), None]);
        let finding = finding.unwrap();
        assert_eq!((finding.severity, told(&finding)), (Severity::Caution, vec!["2", "0", "2"]));
    }

    #[test]
    fn an_estimated_day_is_missing_and_readings_alone_say_nothing() {
        let date = |n: u64| "2024-01-01".parse::<chrono::NaiveDate>().unwrap() + chrono::Days::new(n);
        let day = |n: u64| (MeterPeriod { from: date(n), to: date(n + 1), value: Some(1.0) }, n == 4);
        let days: Vec<_> = (0..10).map(day).collect();
        let (settled, finding) = settle("meter:x", &days);
        assert_eq!(settled.iter().filter(|p| p.value.is_none()).count(), 1);
        assert!(finding.is_some());
        let read: Vec<_> = days.iter().map(|(p, _)| (*p, false)).collect();
        let (settled, finding) = settle("meter:x", &read);
        assert!(finding.is_none() && settled.iter().all(|p| p.value == Some(1.0)));
    }
}

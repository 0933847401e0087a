//! Texts, numbers, dates and ages in the reader's language.
//!
//! Must never: print a value that is missing as a number. What is not known is `n.d.`.

use std::sync::Arc;

use analytics::digits::rounded_beside;
use analytics::report::format::Numbers;
use analytics::result::KpiResult;
use analytics::scheme::calendar::State;
use analytics::text::Texts;
use chrono::{Datelike as _, NaiveDate, Timelike as _};
use model::{Channel, Finding, Instant, Phase, Quantity, Unit, Zone};

use crate::backend::Duty;

/// The reader's language.
#[derive(Clone)]
pub(crate) struct Words {
    texts: Arc<Texts>,
}

impl Words {
    pub(crate) fn new(texts: Arc<Texts>) -> Self {
        Self { texts }
    }

    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    pub(crate) fn language(&self) -> &str {
        self.texts.language()
    }

    pub(crate) fn get<'a>(&'a self, key: &'a str) -> &'a str {
        self.texts.get(key)
    }

    /// A way of sending as a scheme names it.
    pub(crate) fn channel_of_sending<'a>(&'a self, channel: &'a str) -> &'a str {
        self.texts.channel(channel)
    }

    /// The text whose key ends in a code known only at run time.
    pub(crate) fn of(&self, area: &str, code: &str) -> String {
        self.texts.get(&format!("{area}.{code}")).to_owned()
    }

    pub(crate) fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.texts.fill(key, values)
    }

    pub(crate) fn finding(&self, finding: &Finding) -> String {
        self.texts.finding(finding)
    }

    /// What a finding is about, in words: `contatore palestra-gas, gennaio 2026`. What is not known stands as it is.
    pub(crate) fn subject(&self, subject: &str) -> String {
        let part = |part: &str| {
            if let Some((kind, rest)) = part.split_once(':')
                && let Some(kind) = self.texts.find(&format!("page.subject.{kind}"))
            {
                return format!("{kind} {rest}");
            }
            if let Ok(day) = part.parse::<NaiveDate>() {
                return self.date(day);
            }
            if let Some((year, month)) = part.split_once('-')
                && let (4, Ok(_), Ok(month)) = (year.len(), year.parse::<i32>(), month.parse::<u32>())
                && let Some(month) = self.texts.find(&format!("page.month.{month}"))
            {
                return format!("{month} {year}");
            }
            self.texts.find(&format!("page.carrier.{part}")).unwrap_or(part).to_owned()
        };
        subject.split_whitespace().map(part).collect::<Vec<_>>().join(", ")
    }

    /// What is said of a KPI's outcome, by the code of `KpiResult::told`.
    pub(crate) fn told(&self, code: &str) -> String {
        self.texts.told(code).to_owned()
    }

    /// What stands where there is no value.
    pub(crate) fn not_available(&self) -> String {
        self.get("page.not_available").to_owned()
    }

    /// `1.234,5` in Italian, `1,234.5` in English.
    pub(crate) fn number(&self, value: f64, decimals: usize) -> String {
        let numbers = Numbers::of_language(self.language());
        numbers.number(value, decimals).unwrap_or_else(|| self.not_available())
    }

    /// A number or `n.d.`.
    pub(crate) fn maybe(&self, value: Option<f64>, decimals: usize) -> String {
        value.map_or_else(|| self.not_available(), |v| self.number(v, decimals))
    }

    /// A KPI's value without its unit, as the report prints it, or `n.d.`: one that may miss its target is never rounded
    /// onto it.
    pub(crate) fn kpi_of(&self, kpi: &KpiResult, value: Option<f64>) -> String {
        let decimals = kpi.decimals(None);
        self.maybe(value.map(|value| kpi.printed(value, decimals)), decimals)
    }

    /// The same of a value of which it is known which target it misses, with the decimals of all that stand beside it.
    pub(crate) fn kpi_beside(&self, value: Option<f64>, missed: Option<f64>, decimals: usize) -> String {
        self.maybe(value.map(|value| rounded_beside(value, missed, decimals)), decimals)
    }

    /// `97,3 %`. Something short of the whole never rounds up to 100 %: 99.97 % of a target is a missed one.
    pub(crate) fn percent(&self, ratio: Option<f64>) -> String {
        let Some(ratio) = ratio else { return self.not_available() };
        let percent = ratio * 100.0;
        let shown = if percent < 100.0 { percent.min(99.9) } else { percent };
        format!("{}\u{a0}%", self.number(shown, 1))
    }

    /// A change with its sign: `+12,3 %`.
    pub(crate) fn percent_signed(&self, ratio: f64) -> String {
        let number = self.number(ratio * 100.0, 1);
        let plus = if 0.0005 <= ratio { "+" } else { "" };
        format!("{plus}{number}\u{a0}%")
    }

    /// `31/03/2026`, in English `31 Mar 2026`.
    pub(crate) fn date(&self, date: NaiveDate) -> String {
        if self.language() == "en" {
            format!(
                "{} {} {}",
                date.day(),
                self.of("page.month_short", &date.month().to_string()),
                date.year()
            )
        } else {
            format!("{:02}/{:02}/{}", date.day(), date.month(), date.year())
        }
    }

    /// Date and time of day in the zone.
    pub(crate) fn date_time(&self, at: Instant, zone: Zone) -> String {
        let local = at.utc().with_timezone(&zone);
        let day = self.date(local.date_naive());
        format!("{day} {:02}:{:02}:{:02}", local.hour(), local.minute(), local.second())
    }

    /// How long ago: `12 s fa`. An instant in the future (clocks differ) is now.
    pub(crate) fn age(&self, at: Instant, now: Instant) -> String {
        let seconds = now.seconds_since(at).max(0.0);
        let (key, n) = match seconds {
            s if s < 120.0 => ("page.age.seconds", s),
            s if s < 7_200.0 => ("page.age.minutes", s / 60.0),
            s if s < 172_800.0 => ("page.age.hours", s / 3_600.0),
            s => ("page.age.days", s / 86_400.0),
        };
        self.fill(key, &[("n", &self.number(n.floor(), 0))])
    }

    /// A file's size.
    pub(crate) fn size(&self, bytes: u64) -> String {
        let bytes = bytes as f64;
        match bytes {
            b if b < 1_000.0 => format!("{} B", self.number(b, 0)),
            b if b < 1_000_000.0 => format!("{} kB", self.number(b / 1_000.0, 1)),
            b => format!("{} MB", self.number(b / 1_000_000.0, 1)),
        }
    }

    /// A meter's value with its unit as people read it (kWh, kW, m³).
    pub(crate) fn measured(&self, channel: Channel, value: f64) -> String {
        let shown = channel.quantity.display_unit();
        let factor = shown.factor_to(channel.quantity).unwrap_or(1.0);
        let decimals = match channel.quantity {
            Quantity::PowerFactor | Quantity::ActivePower | Quantity::ApparentPower => 3,
            Quantity::ReactivePower | Quantity::Frequency | Quantity::Current => 2,
            _ => 1,
        };
        let number = self.number(value / factor, decimals);
        if shown == Unit::One { number } else { format!("{number}\u{a0}{}", printed(shown.symbol())) }
    }

    /// `Potenza attiva L1`.
    pub(crate) fn channel(&self, channel: Channel) -> String {
        let name = self.of("page.quantity", channel.quantity.code());
        match channel.phase {
            Phase::Total => name,
            phase => format!("{name} {}", phase.code().to_uppercase()),
        }
    }

    /// Live power in kW, without its unit.
    pub(crate) fn power_kw(&self, power_w: Option<f64>) -> String {
        self.maybe(power_w.map(|w| w / 1000.0), 2)
    }

    /// When something is due, seen from `today`; of what was sent, that it was.
    pub(crate) fn due(&self, duty: &Duty, today: NaiveDate) -> Due {
        let days = (duty.due - today).num_days();
        let (class, key) = match (duty.is_open(), days) {
            (false, _) => ("ok", "page.desk.state.sent"),
            (true, d) if d < 0 => ("bad", "page.due.overdue"),
            (true, 0) => ("warn", "page.due.today"),
            (true, 1..=60) => ("warn", "page.due.left"),
            (true, _) => ("ok", "page.due.left"),
        };
        let key = if duty.state == State::Accepted { "page.desk.state.accepted" } else { key };
        let year = duty.year.map(|year| format!(" {year}")).unwrap_or_default();
        Due {
            name: format!("{}{year}", self.get(&duty.text)),
            date: self.date(duty.due),
            iso: duty.due.to_string(),
            says: self.fill(key, &[("days", &self.number(days.unsigned_abs() as f64, 0))]),
            class,
        }
    }
}

/// A due day as shown.
pub(crate) struct Due {
    /// What it is, with its year.
    pub(crate) name: String,
    pub(crate) date: String,
    pub(crate) iso: String,
    pub(crate) says: String,
    /// `ok`, `warn` or `bad`.
    pub(crate) class: &'static str,
}

/// Symbols as printed: `m³` for `m3`, `€` for `EUR`.
pub(crate) fn printed(symbol: &str) -> String {
    symbol.replace("m3", "m³").replace("EUR", "€")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn words(tag: &str) -> Words {
        let map =
            [("page.not_available", "n.d."), ("page.age.minutes", "{n} min"), ("page.age.seconds", "{n} s")];
        let map: BTreeMap<_, _> = map.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        Words::new(Arc::new(Texts::new(tag, map)))
    }

    #[test]
    fn numbers_are_in_the_readers_way() {
        assert_eq!(words("it").number(1_234_567.891, 1), "1.234.567,9");
        assert_eq!(words("en").number(1_234.5, 1), "1,234.5");
        assert_eq!(words("it").number(-1_234.0, 0), "\u{2212}1.234");
        assert_eq!(words("it").number(-0.04, 1), "0,0");
        assert_eq!(words("it").number(999.0, 0), "999");
    }

    #[test]
    fn a_subject_is_said_in_words_and_what_is_not_known_stands_as_it_is() {
        let map = [
            ("page.subject.meter", "contatore"),
            ("page.month.1", "gennaio"),
            ("page.carrier.natural_gas", "gas naturale"),
        ];
        let map: BTreeMap<_, _> = map.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let t = Words::new(Arc::new(Texts::new("it", map)));
        for (subject, wanted) in [
            ("meter:palestra-gas 2026-01", "contatore palestra-gas, gennaio 2026"),
            ("meter:x 2026-01-31", "contatore x, 31/01/2026"),
            ("factors:f natural_gas", "factors:f, gas naturale"),
            ("meter:x 2026-99", "contatore x, 2026-99"),
            ("", ""),
        ] {
            assert_eq!(t.subject(subject), wanted, "{subject}");
        }
    }

    #[test]
    fn what_is_missing_is_no_number() {
        assert_eq!(words("it").maybe(None, 1), "n.d.");
        assert_eq!(words("it").number(f64::NAN, 1), "n.d.");
        assert_eq!(words("it").percent(None), "n.d.");
        assert_eq!(words("it").power_kw(None), "n.d.");
    }

    #[test]
    fn a_missed_target_never_shows_as_whole() {
        assert_eq!(words("it").percent(Some(0.9999)), "99,9\u{a0}%");
        assert_eq!(words("it").percent(Some(1.0)), "100,0\u{a0}%");
        assert_eq!(words("it").percent(Some(-0.5)), "\u{2212}50,0\u{a0}%");
    }

    #[test]
    fn changes_carry_their_sign() {
        assert_eq!(words("it").percent_signed(0.123), "+12,3\u{a0}%");
        assert_eq!(words("it").percent_signed(-0.5), "\u{2212}50,0\u{a0}%");
        assert_eq!(words("it").percent_signed(0.0001), "0,0\u{a0}%");
    }

    #[test]
    fn values_are_in_the_units_people_read() {
        let energy = Channel::total(Quantity::ActiveEnergyImport);
        assert_eq!(words("it").measured(energy, 1_234_500.0), "1.234,5\u{a0}kWh");
        assert_eq!(words("en").measured(Channel::total(Quantity::GasVolume), 1500.0), "1.5\u{a0}m³");
        assert_eq!(words("it").measured(Channel::total(Quantity::PowerFactor), 0.98), "0,980");
    }

    #[test]
    fn ages_are_rounded_down_and_never_negative() {
        let at = Instant::from_seconds(1000);
        assert_eq!(words("it").age(at, at.plus_seconds(179)), "2 min");
        assert_eq!(words("it").age(at, at.plus_seconds(-5)), "0 s");
    }
}

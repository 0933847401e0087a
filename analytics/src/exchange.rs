//! KPI values as the region's monitoring system takes them: text to paste into *Valore POST* and *Note*.
//!
//! Must never: print a value that is not known, or more digits than the system's own field holds.

use crate::kpi;
use crate::result::KpiResult;
use crate::scheme::{KpiDefinition, KpiUnit, Scheme};

/// Decimals of a value (`MAX_SCALE_INDICATORI_MONIT`, NUMBER(13,2)).
const DECIMALS: usize = 2;
/// Largest value that fits the field: eleven digits before the comma.
const VALUE_MAX: f64 = 99_999_999_999.99;
/// Longest KPI code of the system's dictionary, in characters.
pub const CODE_CHARS_MAX: usize = 20;

/// In which unit energies are pasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnergyUnit {
    /// That of the scheme, as every other paper has it.
    Scheme,
    MegawattHour,
    GigawattHour,
}

impl EnergyUnit {
    /// For a KPI whose unit in the scheme is this.
    #[must_use]
    pub const fn unit(self, own: KpiUnit) -> KpiUnit {
        match self {
            Self::Scheme => own,
            Self::MegawattHour => KpiUnit::MegawattHour,
            Self::GigawattHour => KpiUnit::GigawattHour,
        }
    }
}

/// A KPI with what is to be said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// For the system; a scheme with a longer one than its field holds is refused when it is read.
    pub code: String,
    pub unit: &'static str,
    /// *Valore POST*; empty where no value is known.
    pub post: String,
    pub note: String,
    /// What stands behind a value that a person stated; `None` where the value is the measured one.
    pub stated: Option<Stated>,
    /// What is known where no value is.
    pub known: Known,
}

/// What is known of a KPI that has no value to paste.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Known {
    #[default]
    Nothing,
    /// No meter can measure it: a person is to declare it.
    ToState,
    /// Between which bounds it lies, in the line's unit.
    Between(String, String),
}

/// What stands behind a value that a person stated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// In the unit of the line; empty where nothing is known.
    pub measured: String,
    pub reason: String,
}

impl Line {
    /// The line of a KPI whose value a person stated for this reason, with the measured value in the KPI's own unit.
    #[must_use]
    pub fn as_stated(self, definition: &KpiDefinition, measured: Option<f64>, reason: &str) -> Self {
        let factor = self.factor_of(definition);
        let measured = measured.and_then(|value| pasted(value * factor)).unwrap_or_default();
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { stated: Some(Stated { measured, reason }), ..self }
    }

    /// The line with what is known of its KPI where it has no value.
    #[must_use]
    pub fn beside(self, result: &KpiResult) -> Self {
        let factor = self.factor_of(&result.definition);
        let bound = |value: Option<f64>| value.and_then(|value| pasted(value * factor));
        let known = match (bound(result.low), bound(result.high)) {
            _ if result.is_declared() => Known::ToState,
            (Some(low), Some(high)) => Known::Between(low, high),
            _ => Known::Nothing,
        };
        Self { known, ..self }
    }

    /// From a KPI's own unit to the line's.
    fn factor_of(&self, definition: &KpiDefinition) -> f64 {
        let pasted_in =
            [KpiUnit::MegawattHour, KpiUnit::GigawattHour].into_iter().find(|u| u.symbol() == self.unit);
        match (definition.unit.kwh(), pasted_in.and_then(KpiUnit::kwh)) {
            (Some(own), Some(shown)) => own / shown,
            _ => 1.0,
        }
    }
}

/// `value` with two decimals and a decimal comma, without groups; `None` beyond the field. Halves are rounded away from
/// zero, as people do, and by the digits that the value is written with: 1.005 is 1,01.
#[must_use]
pub fn pasted(value: f64) -> Option<String> {
    hundredths(value).map(shown)
}

/// The same of a value that is held against a target: one that misses it is not rounded onto it.
fn pasted_beside(definition: &KpiDefinition, value: f64, target: Option<f64>) -> Option<String> {
    let missed = target.filter(|target| !kpi::reaches(definition, value, *target));
    hundredths_beside(value, missed).map(shown)
}

/// `value` rounded to two decimals as every paper and page prints it, in the unit of both: one that misses `missed` is
/// not rounded onto it, from whichever side. Beyond the field it stays as it is.
#[must_use]
pub fn rounded_beside(value: f64, missed: Option<f64>) -> f64 {
    hundredths_beside(value, missed).map_or(value, |hundredths| hundredths as f64 / 100.0)
}

fn hundredths_beside(value: f64, missed: Option<f64>) -> Option<i64> {
    let rounded = hundredths(value)?;
    let printed = rounded as f64 / 100.0;
    Some(match missed {
        Some(target) if value < target && target <= printed => rounded - 1,
        Some(target) if target < value && printed <= target => rounded + 1,
        Some(_) | None => rounded,
    })
}

/// Hundredths of `value`; `None` beyond the field.
fn hundredths(value: f64) -> Option<i64> {
    if !value.is_finite() || VALUE_MAX < value.abs() {
        return None;
    }
    // The shortest digits that are this number: those that a person typed.
    let text = value.abs().to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let kept: String = decimals.chars().chain("00".chars()).take(DECIMALS).collect();
    let digits: i64 = format!("{whole}{kept}").parse().ok()?;
    let up = decimals.as_bytes().get(DECIMALS).is_some_and(|digit| b'5' <= *digit);
    let amount = digits + i64::from(up);
    Some(if value < 0.0 { -amount } else { amount })
}

/// What rounds to zero has no sign.
fn shown(hundredths: i64) -> String {
    let (sign, amount) = (if hundredths < 0 { "-" } else { "" }, hundredths.abs());
    format!("{sign}{},{:02}", amount / 100, amount % 100)
}

/// One KPI of a scheme in the unit to paste: energies in `energy`, the others in their own; with its value and target in
/// the scheme's unit.
#[must_use]
pub fn line(
    scheme: &Scheme,
    definition: &KpiDefinition,
    (post, target): (Option<f64>, Option<f64>),
    note: &str,
    energy: EnergyUnit,
) -> Line {
    let wanted_unit = energy.unit(definition.unit);
    let (unit, factor) = match (definition.unit.kwh(), wanted_unit.kwh()) {
        (Some(own), Some(wanted)) => (wanted_unit, own / wanted),
        _ => (definition.unit, 1.0),
    };
    Line {
        code: scheme.exchange_code(&definition.code).to_owned(),
        unit: unit.symbol(),
        post: post
            .and_then(|value| pasted_beside(definition, value * factor, target.map(|t| t * factor)))
            .unwrap_or_default(),
        note: note.split_whitespace().collect::<Vec<_>>().join(" "),
        stated: None,
        known: Known::Nothing,
    }
}

/// The lines as text: one KPI a line, cells parted by tabs, as a table takes them.
#[must_use]
pub fn text(lines: &[Line]) -> String {
    let row = |line: &Line| format!("{}\t{}\t{}\t{}\n", line.code, line.unit, line.post, line.note);
    lines.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::{KpiMeasure, Target};

    fn kpi(unit: KpiUnit) -> KpiDefinition {
        KpiDefinition {
            code: "risparmio-energia-primaria-lungo".to_owned(),
            text: String::new(),
            measure: KpiMeasure::PrimaryEnergySaved,
            unit,
            target: Target::Declared,
            citation: String::new(),
        }
    }

    /// A scheme that goes by a short code for this KPI.
    fn scheme() -> Scheme {
        let short = ("risparmio-energia-primaria-lungo".to_owned(), "risp-en-primaria".to_owned());
        Scheme {
            id: model::SchemeId::new("s").unwrap(),
            title: String::new(),
            citation: String::new(),
            authority: String::new(),
            default_factor_set: model::FactorSetId::new("f").unwrap(),
            yearly: None,
            rules: crate::scheme::SchemeRules { exchange_codes: [short].into(), ..Default::default() },
            kpis: Vec::new(),
        }
    }

    #[test]
    fn values_have_two_decimals_and_a_comma() {
        for (value, wanted) in [
            (0.0, Some("0,00")),
            (-0.001, Some("0,00")),
            (1234.567, Some("1234,57")),
            (-12.3, Some("-12,30")),
            (99_999_999_999.99, Some("99999999999,99")),
            (1e12, None),
            (f64::NAN, None),
        ] {
            assert_eq!(pasted(value).as_deref(), wanted, "{value}");
        }
    }

    #[test]
    fn energies_come_in_either_unit_and_others_in_their_own() {
        let of = |unit, value, energy| {
            let line = line(&scheme(), &kpi(unit), (Some(value), None), " due\nrighe ", energy);
            (line.post, line.unit, line.note)
        };
        let note = "due righe".to_owned();
        assert_eq!(
            of(KpiUnit::MegawattHour, 110.0, EnergyUnit::GigawattHour),
            ("0,11".into(), "GWh", note.clone())
        );
        assert_eq!(
            of(KpiUnit::GigawattHour, 0.11, EnergyUnit::MegawattHour),
            ("110,00".into(), "MWh", note.clone())
        );
        assert_eq!(
            of(KpiUnit::KilowattHour, 1500.0, EnergyUnit::MegawattHour),
            ("1,50".into(), "MWh", note.clone())
        );
        assert_eq!(of(KpiUnit::Tonne, 21.0, EnergyUnit::GigawattHour), ("21,00".into(), "t", note.clone()));
        assert_eq!(of(KpiUnit::GigawattHour, 0.11, EnergyUnit::Scheme), ("0,11".into(), "GWh", note.clone()));
        assert_eq!(of(KpiUnit::Tonne, 21.0, EnergyUnit::Scheme), ("21,00".into(), "t", note));
    }

    #[test]
    fn the_measured_value_stands_beside_the_stated_one_in_the_same_unit() {
        for (energy, wanted) in [
            (EnergyUnit::MegawattHour, "108,75"),
            (EnergyUnit::GigawattHour, "0,11"),
            (EnergyUnit::Scheme, "0,11"),
        ] {
            let kpi = kpi(KpiUnit::GigawattHour);
            let line = line(&scheme(), &kpi, (Some(0.2), None), "", energy);
            let stated = line.as_stated(&kpi, Some(0.10875), " Rettifica\ndel gestore ").stated;
            let wanted = Stated { measured: wanted.into(), reason: "Rettifica del gestore".into() };
            assert_eq!(stated, Some(wanted), "{energy:?}");
        }
        let kpi = kpi(KpiUnit::Tonne);
        let line = line(&scheme(), &kpi, (Some(2.0), None), "", EnergyUnit::MegawattHour);
        let line = line.as_stated(&kpi, None, "");
        assert_eq!(line.stated, Some(Stated { measured: String::new(), reason: String::new() }));
    }

    #[test]
    fn halves_are_rounded_up_by_the_digits_that_were_typed() {
        for (value, wanted) in
            [(0.125, "0,13"), (1.005, "1,01"), (-1.005, "-1,01"), (2.675, "2,68"), (1.004_999, "1,00")]
        {
            assert_eq!(pasted(value).as_deref(), Some(wanted), "{value}");
        }
    }

    #[test]
    fn a_missed_target_is_not_pasted_as_a_reached_one() {
        let of = |definition: &KpiDefinition, value, target| {
            line(&scheme(), definition, (Some(value), Some(target)), "", EnergyUnit::Scheme).post
        };
        let mut kpi = kpi(KpiUnit::Tonne);
        assert_eq!(of(&kpi, 41.9999, 42.0), "41,99");
        assert_eq!(of(&kpi, 42.0, 42.0), "42,00");
        assert_eq!(of(&kpi, 41.996, 50.0), "42,00");
        kpi.target = Target::AtMost(42.0);
        assert_eq!(of(&kpi, 42.0001, 42.0), "42,01");
        assert_eq!(of(&kpi, 41.9999, 42.0), "42,00");
    }

    #[test]
    fn what_is_printed_is_what_is_pasted() {
        for (value, missed, wanted) in [
            (41.996, Some(42.0), 41.99),
            (41.996, None, 42.0),
            (42.004, Some(42.0), 42.01),
            (42.004, None, 42.0),
            (41.98, Some(42.0), 41.98),
            (-0.004, Some(0.0), -0.01),
            (1.005, None, 1.01),
            (1e13, Some(2e13), 1e13),
        ] {
            assert!((rounded_beside(value, missed) - wanted).abs() < 1e-9, "{value} {missed:?}");
        }
    }

    #[test]
    fn what_is_not_known_stays_empty() {
        let unknown =
            line(&scheme(), &kpi(KpiUnit::MegawattHour), (None, Some(1.0)), "", EnergyUnit::MegawattHour);
        assert_eq!(text(&[unknown]), "risp-en-primaria\tMWh\t\t\n");
    }
}

//! KPI values as the region's monitoring system takes them: text to paste into *Valore POST* and *Note*.
//!
//! Must never: print a value that is not known, or more digits than the system's own field holds.

use crate::digits::{comma, decimals, units, units_beside, with_comma};
use crate::kpi;
use crate::result::KpiResult;
use crate::scheme::{KpiDefinition, KpiUnit, Scheme};

/// Decimals of a value (`MAX_SCALE_INDICATORI_MONIT`, NUMBER(13,2)).
const DECIMALS: usize = 2;
/// Below this, two decimals leave less than two digits of a value.
const SMALL: f64 = 0.1;
/// Relative rounding error from which two decimals hide a value.
const HIDDEN_RATIO: f64 = 0.01;
/// The least that is told of a value whose two decimals hide it.
const SHOWN_LEAST: f64 = 1e-9;
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
    /// The value in the line's unit where the two decimals of `post` hide it; to be told beside it.
    pub unrounded: Option<f64>,
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
        // It is not pasted: it has the decimals of the other papers.
        let measured = measured.map(|value| value * factor);
        let places = decimals(&[measured], (None, None));
        let measured = measured.and_then(|value| with_comma(value, places)).unwrap_or_default();
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { stated: Some(Stated { measured, reason }), ..self }
    }

    /// The line with what is known of its KPI where it has no value.
    #[must_use]
    pub fn beside(self, result: &KpiResult) -> Self {
        let factor = self.factor_of(&result.definition);
        let [low, high] = [result.low, result.high].map(|bound| bound.map(|value| value * factor));
        let places = decimals(&[], (low, high));
        let bound = |value: Option<f64>| value.and_then(|value| with_comma(value, places));
        let known = match (bound(low), bound(high)) {
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
    with_comma(value, DECIMALS)
}

/// The same of a value that is held against a target: one that misses it is not rounded onto it.
fn pasted_beside(definition: &KpiDefinition, value: f64, target: Option<f64>) -> Option<String> {
    let missed = target.filter(|target| !kpi::reaches(definition, value, *target));
    units_beside(value, missed, DECIMALS).map(|units| comma(units, DECIMALS))
}

/// Whether two decimals say something else than the value: of a small one, or by more than a hundredth of it.
fn is_hidden(value: f64) -> bool {
    let Some(units) = units(value, DECIMALS).filter(|_| SHOWN_LEAST <= value.abs()) else { return false };
    let error = (units as f64 / 100.0 - value).abs();
    let is_rounded = 1e-9 * value.abs() < error;
    is_rounded && (value.abs() < SMALL || value.abs() * HIDDEN_RATIO < error)
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
        unrounded: post.map(|value| value * factor).filter(|value| is_hidden(*value)),
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
            (EnergyUnit::GigawattHour, "0,109"),
            (EnergyUnit::Scheme, "0,109"),
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
    fn a_value_that_two_decimals_hide_is_told_beside_them() {
        let of = |unit, value, energy| {
            let line = line(&scheme(), &kpi(unit), (Some(value), None), "", energy);
            (line.post, line.unrounded)
        };
        let told = |value| of(KpiUnit::Megawatt, value, EnergyUnit::Scheme);
        assert_eq!(told(0.0049), ("0,00".into(), Some(0.0049)));
        assert_eq!(told(-0.0712), ("-0,07".into(), Some(-0.0712)));
        assert_eq!(told(0.3149), ("0,31".into(), Some(0.3149)), "by more than a hundredth");
        for value in [0.07, 0.0, 0.42, 0.4212, 17.8321, 1e-12] {
            assert_eq!(told(value).1, None, "{value}");
        }
        // In a smaller unit nothing is hidden.
        assert_eq!(of(KpiUnit::GigawattHour, 0.0712, EnergyUnit::MegawattHour), ("71,20".into(), None));
    }

    #[test]
    fn bounds_that_are_not_pasted_keep_their_digits() {
        let kpi = kpi(KpiUnit::GigawattHour);
        let result = KpiResult {
            definition: kpi.clone(),
            target: None,
            target_source: None,
            achieved: None,
            best: None,
            low: Some(0.0701),
            high: Some(0.0703),
            better: None,
            attainment_ratio: None,
            verdict: crate::result::Verdict::Undetermined,
            because: Vec::new(),
            chain: crate::result::KpiChain::default(),
        };
        let line = line(&scheme(), &kpi, (None, None), "", EnergyUnit::Scheme).beside(&result);
        assert_eq!(line.known, Known::Between("0,0701".into(), "0,0703".into()));
    }

    #[test]
    fn what_is_not_known_stays_empty() {
        let unknown =
            line(&scheme(), &kpi(KpiUnit::MegawattHour), (None, Some(1.0)), "", EnergyUnit::MegawattHour);
        assert_eq!(text(&[unknown]), "risp-en-primaria\tMWh\t\t\n");
    }
}

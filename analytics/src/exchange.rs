//! KPI values as the region's monitoring system takes them: text to paste into *Valore POST* and *Note*.
//!
//! Must never: print a value that is not known, or more digits than the system's own field holds.

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
    MegawattHour,
    GigawattHour,
}

impl EnergyUnit {
    #[must_use]
    pub const fn unit(self) -> KpiUnit {
        match self {
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
}

/// `value` with two decimals and a decimal comma, without groups; `None` beyond the field.
#[must_use]
pub fn pasted(value: f64) -> Option<String> {
    if !value.is_finite() || VALUE_MAX < value.abs() {
        return None;
    }
    let text = format!("{value:.DECIMALS$}");
    // What rounds to zero has no sign.
    let text = if text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { text } else { "0.00".to_owned() };
    Some(text.replace('.', ","))
}

/// One KPI of a scheme in the unit to paste: energies in `energy`, the others in their own.
#[must_use]
pub fn line(
    scheme: &Scheme,
    definition: &KpiDefinition,
    post: Option<f64>,
    note: &str,
    energy: EnergyUnit,
) -> Line {
    let (unit, factor) = match (definition.unit.kwh(), energy.unit().kwh()) {
        (Some(own), Some(wanted)) => (energy.unit(), own / wanted),
        _ => (definition.unit, 1.0),
    };
    Line {
        code: scheme.exchange_code(&definition.code).to_owned(),
        unit: unit.symbol(),
        post: post.and_then(|value| pasted(value * factor)).unwrap_or_default(),
        note: note.split_whitespace().collect::<Vec<_>>().join(" "),
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
            let line = line(&scheme(), &kpi(unit), Some(value), " due\nrighe ", energy);
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
        assert_eq!(of(KpiUnit::Tonne, 21.0, EnergyUnit::GigawattHour), ("21,00".into(), "t", note));
    }

    #[test]
    fn what_is_not_known_stays_empty() {
        let unknown = line(&scheme(), &kpi(KpiUnit::MegawattHour), None, "", EnergyUnit::MegawattHour);
        assert_eq!(text(&[unknown]), "risp-en-primaria\tMWh\t\t\n");
    }
}

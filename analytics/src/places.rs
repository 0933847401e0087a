//! Municipalities with their legal degree days and climatic zones, and the heating seasons of the zones.
//!
//! Must never: take legal degree days, a constant of a place, for the degree days of a year.

use chrono::{Datelike, NaiveDate};

/// A climatic zone of DPR 412/1993 art. 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClimaticZone {
    A,
    B,
    C,
    D,
    E,
    F,
}

impl ClimaticZone {
    pub const ALL: [Self; 6] = [Self::A, Self::B, Self::C, Self::D, Self::E, Self::F];

    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
            Self::F => "F",
        }
    }

    #[must_use]
    pub fn parse(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|zone| zone.letter() == letter)
    }
}

/// A civil day of any year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonthDay {
    pub month: u32,
    pub day: u32,
}

/// The yearly period in which a zone may be heated, and for how long a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeatingSeason {
    pub from: MonthDay,
    /// Last day.
    pub to: MonthDay,
    pub hours_per_day: u32,
}

impl HeatingSeason {
    #[must_use]
    pub fn contains(self, date: NaiveDate) -> bool {
        let day = MonthDay { month: date.month(), day: date.day() };
        if self.from <= self.to {
            self.from <= day && day <= self.to
        } else {
            self.from <= day || day <= self.to
        }
    }
}

/// What the law says of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneRules {
    pub zone: ClimaticZone,
    /// Degree days of its places: more than this; `None` in the warmest zone.
    pub above: Option<u32>,
    /// At most this; `None` in the coldest zone.
    pub up_to: Option<u32>,
    /// `None` where the law sets no limit.
    pub season: Option<HeatingSeason>,
}

impl ZoneRules {
    #[must_use]
    pub fn admits(&self, degree_days: u32) -> bool {
        self.above.is_none_or(|above| above < degree_days)
            && self.up_to.is_none_or(|most| degree_days <= most)
    }

    /// Whether a day counts towards degree days after DPR 412/93: those of the season, all where there is no limit.
    #[must_use]
    pub fn counts(&self, date: NaiveDate) -> bool {
        self.season.is_none_or(|season| season.contains(date))
    }
}

/// A municipality as the annex to DPR 412/1993 knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Six digits.
    pub istat: String,
    pub name: String,
    pub zone: ClimaticZone,
    /// Legal degree days: K·d to 20 °C over the conventional season.
    pub degree_days: u32,
}

/// A name as it is compared: lower case, without accents, apostrophes and other marks.
///
/// Old tables write the accent of a last vowel as an apostrophe.
#[must_use]
pub fn plain_name(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'à' | 'á' | 'â' | 'ä' => plain.push('a'),
            'è' | 'é' | 'ê' | 'ë' => plain.push('e'),
            'ì' | 'í' | 'î' | 'ï' => plain.push('i'),
            'ò' | 'ó' | 'ô' | 'ö' => plain.push('o'),
            'ù' | 'ú' | 'û' | 'ü' => plain.push('u'),
            'ç' => plain.push('c'),
            c if c.is_alphanumeric() => plain.push(c),
            _ => {}
        }
    }
    plain
}

/// Licence-plate codes of the provinces by ISTAT code 001 to 103, then 108 to 111. Codes that were given up with the
/// provinces of Sardinia of 2005 to 2016 (104 to 107) name none.
const PROVINCES: [&str; 103] = [
    "TO", "VC", "NO", "CN", "AT", "AL", "AO", "IM", "SV", "GE", "SP", "VA", "CO", "SO", "MI", "BG", "BS",
    "PV", "CR", "MN", "BZ", "TN", "VR", "VI", "BL", "TV", "VE", "PD", "RO", "UD", "GO", "TS", "PC", "PR",
    "RE", "MO", "BO", "FE", "RA", "FC", "PU", "AN", "MC", "AP", "MS", "LU", "PT", "FI", "LI", "PI", "AR",
    "SI", "GR", "PG", "TR", "VT", "RI", "RM", "LT", "FR", "CE", "BN", "NA", "AV", "SA", "AQ", "TE", "PE",
    "CH", "CB", "FG", "BA", "TA", "BR", "LE", "PZ", "MT", "CS", "CZ", "RC", "TP", "PA", "ME", "AG", "CL",
    "EN", "CT", "RG", "SR", "SS", "NU", "CA", "PN", "IS", "OR", "BI", "LC", "LO", "RN", "PO", "KR", "VV",
    "VB",
];

/// The province of a municipality by its ISTAT code of six digits, as on licence plates; `None` for no such code.
#[must_use]
pub fn province(istat_code: &str) -> Option<&'static str> {
    let number: usize = istat_code.get(..3).filter(|_| istat_code.len() == 6)?.parse().ok()?;
    match number {
        108 => Some("MB"),
        109 => Some("FM"),
        110 => Some("BT"),
        111 => Some("SU"),
        _ => PROVINCES.get(number.checked_sub(1)?).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_goes_over_the_new_year() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let season = HeatingSeason {
            from: MonthDay { month: 10, day: 15 },
            to: MonthDay { month: 4, day: 15 },
            hours_per_day: 14,
        };
        for (date, inside) in [
            ("2025-10-14", false),
            ("2025-10-15", true),
            ("2025-12-31", true),
            ("2025-01-01", true),
            ("2025-04-15", true),
            ("2025-04-16", false),
        ] {
            assert_eq!(season.contains(day(date)), inside, "{date}");
        }
        let summer = HeatingSeason { from: season.to, to: season.from, hours_per_day: 1 };
        assert!(summer.contains(day("2025-07-01")) && !summer.contains(day("2025-12-01")));
    }

    #[test]
    fn names_are_alike_with_accent_apostrophe_or_neither() {
        for (a, b) in [
            ("Aglie'", "Agliè"),
            ("CASALE MONFERRATO", "Casale Monferrato"),
            ("Albiano d'Ivrea", "Albiano d’Ivrea"),
        ] {
            assert_eq!(plain_name(a), plain_name(b));
        }
        assert_ne!(plain_name("Torino"), plain_name("Tortona"));
    }

    #[test]
    fn provinces_follow_from_the_municipality() {
        let cases = [
            ("001272", Some("TO")),
            ("004078", Some("CN")),
            ("037006", Some("BO")),
            ("058091", Some("RM")),
            ("096004", Some("BI")),
            ("103072", Some("VB")),
            ("108033", Some("MB")),
            ("111009", Some("SU")),
            ("104001", None),
            ("000001", None),
            ("01272", None),
            ("abcdef", None),
        ];
        for (istat, wanted) in cases {
            assert_eq!(province(istat), wanted, "{istat}");
        }
    }
}

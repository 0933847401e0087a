//! The columns of the files: Italian name, English name, and the value of a row; the header's fields likewise.
//!
//! Must never: change a name or a meaning without another schema version.

use analytics::report::structured::{Header, MonthRow};
use analytics::result::MonthSource;

/// A cell's value before any format.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Empty,
    Text(String),
    Integer(i64),
    Number(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
}

impl Cell {
    /// As it stands in a file whose decimal sign is a point; `None` for an empty one.
    pub(super) fn plain(&self) -> Option<String> {
        match self {
            Self::Empty => None,
            Self::Text(text) => Some(text.clone()),
            Self::Integer(value) => Some(value.to_string()),
            // The shortest decimal that gives the same number back; never with an exponent.
            Self::Number(value) => Some(value.to_string()),
        }
    }
}

/// One column, in file order.
pub(super) struct Column {
    /// Head in the office's CSV and XLSX, element in the XML: Italian whatever the reader's language, so that files of
    /// all years join.
    pub(super) head: &'static str,
    /// Name in the JSON and the plain CSV, and key of the meaning in the texts.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) value: fn(&Header, &MonthRow) -> Cell,
}

/// One field of the header, in file order.
pub(super) struct Field {
    /// Element in the XML.
    pub(super) head: &'static str,
    /// Name in the JSON, key of the label in the texts.
    pub(super) name: &'static str,
    pub(super) value: fn(&Header) -> String,
}

fn text(value: &str) -> Cell {
    if value.is_empty() { Cell::Empty } else { Cell::Text(value.to_owned()) }
}

fn optional(value: Option<&str>) -> Cell {
    value.map_or(Cell::Empty, text)
}

fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Empty, Cell::Number)
}

pub(super) const SOURCES: [MonthSource; 3] = [MonthSource::Meter, MonthSource::Bills, MonthSource::Missing];

pub(super) const fn source_code(source: MonthSource) -> &'static str {
    match source {
        MonthSource::Meter => "meter",
        MonthSource::Bills => "bills",
        MonthSource::Missing => "missing",
    }
}

macro_rules! columns {
    ($($head:literal $name:literal $kind:ident $value:expr;)*) => {
        &[$(Column { head: $head, name: $name, kind: Kind::$kind, value: $value }),*]
    };
}

pub(super) const COLUMNS: &[Column] = columns! {
    "cup" "cup" Text |h, _| text(&h.cup);
    "codice_progetto" "project" Text |h, _| text(h.project.as_str());
    "codice_edificio" "building" Text |_, r| text(r.building.as_str());
    "edificio" "building_name" Text |_, r| text(&r.building_name);
    "codice_istat" "istat_code" Text |_, r| text(&r.istat_code);
    "codice_ape" "ape_code" Text |_, r| optional(r.ape_code.as_deref());
    "anno" "year" Integer |_, r| Cell::Integer(i64::from(r.month.year));
    "mese" "month" Integer |_, r| Cell::Integer(i64::from(r.month.number));
    "vettore" "carrier" Text |_, r| text(r.carrier.code());
    "contatore" "meter" Text |_, r| text(r.meter.as_str());
    "pod_pdr" "supply_point" Text |_, r| optional(r.supply_point.as_deref());
    "verso" "direction" Text |_, r| text(r.direction.code());
    "ruolo" "role" Text |_, r| text(r.role.code());
    "unita_misura" "unit" Text |_, r| text(r.unit);
    "provenienza" "source" Text |_, r| text(source_code(r.source));
    "quantita_misurata" "measured" Number |_, r| number(r.measured);
    "quantita_minima" "measured_low" Number |_, r| number(r.measured_low);
    "quantita_massima" "measured_high" Number |_, r| number(r.measured_high);
    "copertura_percento" "coverage_percent" Number |_, r| Cell::Number(r.coverage_percent);
    "stimato_percento" "estimated_percent" Number |_, r| number(r.estimated_percent);
    "energia_kwh" "energy_kwh" Number |_, r| number(r.energy_kwh);
    "energia_primaria_nren_kwh" "primary_nonrenewable_kwh" Number |_, r| number(r.primary_nonrenewable_kwh);
    "co2_kg" "co2_kg" Number |_, r| number(r.co2_kg);
    "gradi_giorno" "heating_degree_days" Number |_, r| number(r.heating_degree_days);
    "base_gradi_giorno_c" "degree_day_base_c" Number |_, r| number(r.degree_day_base_c);
    "riferimento_aggiustato" "adjusted_baseline" Number |_, r| number(r.adjusted_baseline);
    "risparmio" "avoided" Number |_, r| number(r.avoided);
    "rilievi" "findings" Text |_, r| text(&r.findings.join(" "));
};

macro_rules! fields {
    ($($head:literal $name:literal $value:expr;)*) => {
        &[$(Field { head: $head, name: $name, value: $value }),*]
    };
}

/// Truth values are `true` and `false`, dates are ISO 8601.
pub(super) const FIELDS: &[Field] = fields! {
    "codice_progetto" "project" |h| h.project.to_string();
    "titolo" "title" |h| h.title.clone();
    "cup" "cup" |h| h.cup.clone();
    "codice_bando" "scheme" |h| h.scheme.to_string();
    "bando" "scheme_title" |h| h.scheme_title.clone();
    "beneficiario" "beneficiary" |h| h.beneficiary.clone();
    "codice_fiscale" "beneficiary_tax_code" |h| h.beneficiary_tax_code.clone();
    "anno" "year" |h| h.year.to_string();
    "fino_al_escluso" "until" |h| h.until.to_string();
    "completo" "complete" |h| h.complete.to_string();
    "stazione_meteo" "station" |h| h.station.clone();
    "insieme_fattori" "factor_set" |h| h.factor_set.to_string();
    "fonte_fattori" "factor_source" |h| h.factor_source.clone();
    "impronta_dati" "inputs_digest" |h| h.inputs_digest.clone();
    "impronta_catalogo" "catalog_digest" |h| h.catalog_digest.clone();
    "regole" "rules" |h| h.rules.clone();
};

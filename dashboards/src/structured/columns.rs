//! The columns of the files: Italian name, English name, and the value of a row; the header's fields likewise.
//!
//! Must never: change a name or a meaning without another schema version.

use analytics::report::structured::{Header, KpiRow, MonthRow, SCHEMA_VERSION};
use analytics::result::{MonthSource, Verdict};

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

/// Versions of the columns that are read.
pub(super) const VERSIONS: std::ops::RangeInclusive<u32> = 1..=SCHEMA_VERSION;

/// One column of the measurements, in file order.
pub(super) type Column = Defined<fn(&Header, &MonthRow) -> Cell>;
/// One column of the indicators, in file order.
pub(super) type KpiColumn = Defined<fn(&KpiRow) -> Cell>;
/// One field of the header, in file order.
pub(super) type Field = Defined<fn(&Header) -> Cell>;

/// A column or a field.
pub(super) struct Defined<V> {
    /// Head in the office's CSV and XLSX, element in the XML: Italian whatever the reader's language, so that files of
    /// all years join.
    pub(super) head: &'static str,
    /// Name in the JSON and the plain CSV, and key of the meaning in the texts.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// First version that has it.
    pub(super) since: u32,
    pub(super) value: V,
}

impl<V> Defined<V> {
    pub(super) const fn is_of(&self, version: u32) -> bool {
        self.since <= version
    }
}

/// Of the version, among the columns of the CSV forms and the fields of the XLSX and the JSON.
pub(super) const VERSION_NAME: &str = "schema_version";

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

pub(super) const VERDICTS: [Verdict; 3] = [Verdict::Reached, Verdict::Missed, Verdict::Undetermined];

macro_rules! defined {
    ($($since:literal $head:literal $name:literal $kind:ident $value:expr;)*) => {
        &[$(Defined { head: $head, name: $name, kind: Kind::$kind, since: $since, value: $value }),*]
    };
}

pub(super) const COLUMNS: &[Column] = defined! {
    2 "versione_schema" "schema_version" Integer |_, _| Cell::Integer(i64::from(SCHEMA_VERSION));
    1 "cup" "cup" Text |h, _| text(&h.cup);
    1 "codice_progetto" "project" Text |h, _| text(h.project.as_str());
    1 "codice_edificio" "building" Text |_, r| text(r.building.as_str());
    1 "edificio" "building_name" Text |_, r| text(&r.building_name);
    1 "codice_istat" "istat_code" Text |_, r| text(&r.istat_code);
    1 "codice_ape" "ape_code" Text |_, r| optional(r.ape_code.as_deref());
    2 "profilo_utilizzo" "usage_profile" Text |_, r| optional(r.usage_profile.as_deref());
    2 "giorni_utilizzo" "open_days" Number |_, r| number(r.open_days);
    2 "ore_utilizzo" "open_hours" Number |_, r| number(r.open_hours);
    1 "anno" "year" Integer |_, r| Cell::Integer(i64::from(r.month.year));
    1 "mese" "month" Integer |_, r| Cell::Integer(i64::from(r.month.number));
    1 "vettore" "carrier" Text |_, r| text(r.carrier.code());
    1 "contatore" "meter" Text |_, r| text(r.meter.as_str());
    1 "pod_pdr" "supply_point" Text |_, r| optional(r.supply_point.as_deref());
    1 "verso" "direction" Text |_, r| text(r.direction.code());
    1 "ruolo" "role" Text |_, r| text(r.role.code());
    1 "unita_misura" "unit" Text |_, r| text(r.unit);
    1 "provenienza" "source" Text |_, r| text(source_code(r.source));
    1 "quantita_misurata" "measured" Number |_, r| number(r.measured);
    1 "quantita_minima" "measured_low" Number |_, r| number(r.measured_low);
    1 "quantita_massima" "measured_high" Number |_, r| number(r.measured_high);
    1 "copertura_percento" "coverage_percent" Number |_, r| Cell::Number(r.coverage_percent);
    1 "stimato_percento" "estimated_percent" Number |_, r| number(r.estimated_percent);
    2 "autoconsumata" "self_consumed" Number |_, r| number(r.self_consumed);
    2 "autoconsumata_minima" "self_consumed_low" Number |_, r| number(r.self_consumed_low);
    2 "autoconsumata_massima" "self_consumed_high" Number |_, r| number(r.self_consumed_high);
    1 "energia_kwh" "energy_kwh" Number |_, r| number(r.energy_kwh);
    1 "energia_primaria_nren_kwh" "primary_nonrenewable_kwh" Number |_, r| number(r.primary_nonrenewable_kwh);
    2 "energia_primaria_totale_kwh" "primary_total_kwh" Number |_, r| number(r.primary_total_kwh);
    1 "co2_kg" "co2_kg" Number |_, r| number(r.co2_kg);
    1 "gradi_giorno" "heating_degree_days" Number |_, r| number(r.heating_degree_days);
    1 "base_gradi_giorno_c" "degree_day_base_c" Number |_, r| number(r.degree_day_base_c);
    2 "gradi_giorno_riferimento" "reference_degree_days" Number |_, r| number(r.reference_degree_days);
    1 "riferimento_aggiustato" "adjusted_baseline" Number |_, r| number(r.adjusted_baseline);
    2 "rettifica_persona" "adjustment" Number |_, r| number(r.adjustment);
    1 "risparmio" "avoided" Number |_, r| number(r.avoided);
    1 "rilievi" "findings" Text |_, r| text(&r.findings.join(" "));
    2 "note" "note" Text |_, r| optional(r.note.as_deref());
};

/// Of the forms that have a part about the project; the two CSV forms hold measurements alone.
pub(super) const KPI_COLUMNS: &[KpiColumn] = defined! {
    2 "codice" "code" Text |k| text(&k.code);
    2 "unita_misura" "unit" Text |k| text(&k.unit);
    2 "obiettivo" "rule" Text |k| text(k.rule.code());
    2 "previsto" "expected" Number |k| number(k.expected);
    2 "fonte_previsto" "expected_source" Text |k| optional(k.expected_source.as_deref());
    2 "conseguito" "achieved" Number |k| number(k.achieved);
    2 "conseguito_migliore" "best" Number |k| number(k.best);
    2 "conseguito_minimo" "low" Number |k| number(k.low);
    2 "conseguito_massimo" "high" Number |k| number(k.high);
    2 "dichiarato_persona" "stated" Number |k| number(k.stated);
    2 "raggiungimento_percento" "attainment_percent" Number |k| number(k.attainment_percent);
    2 "esito" "verdict" Text |k| text(k.verdict.code());
};

fn reference_years(header: &Header) -> Cell {
    let years = header.reference.iter().flat_map(|of| &of.years);
    text(&years.map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

/// Truth values are `true` and `false`, dates are ISO 8601. An empty text is a text, an absent value is none.
pub(super) const FIELDS: &[Field] = defined! {
    1 "codice_progetto" "project" Text |h| Cell::Text(h.project.to_string());
    1 "titolo" "title" Text |h| Cell::Text(h.title.clone());
    1 "cup" "cup" Text |h| Cell::Text(h.cup.clone());
    1 "codice_bando" "scheme" Text |h| Cell::Text(h.scheme.to_string());
    1 "bando" "scheme_title" Text |h| Cell::Text(h.scheme_title.clone());
    1 "beneficiario" "beneficiary" Text |h| Cell::Text(h.beneficiary.clone());
    1 "codice_fiscale" "beneficiary_tax_code" Text |h| Cell::Text(h.beneficiary_tax_code.clone());
    1 "anno" "year" Integer |h| Cell::Integer(i64::from(h.year));
    1 "fino_al_escluso" "until" Text |h| Cell::Text(h.until.to_string());
    1 "completo" "complete" Text |h| Cell::Text(h.complete.to_string());
    1 "stazione_meteo" "station" Text |h| Cell::Text(h.station.clone());
    1 "insieme_fattori" "factor_set" Text |h| Cell::Text(h.factor_set.to_string());
    1 "fonte_fattori" "factor_source" Text |h| Cell::Text(h.factor_source.clone());
    2 "anno_di_riferimento" "reference" Text |h| optional(h.reference.as_ref().map(|of| of.kind.code()));
    2 "anni_di_riferimento" "reference_years" Text reference_years;
    1 "impronta_dati" "inputs_digest" Text |h| Cell::Text(h.inputs_digest.clone());
    1 "impronta_catalogo" "catalog_digest" Text |h| Cell::Text(h.catalog_digest.clone());
    1 "regole" "rules" Text |h| Cell::Text(h.rules.clone());
};

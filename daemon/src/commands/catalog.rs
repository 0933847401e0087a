//! `consuntivo catalog list|show`: what the catalogue holds, for a person at a terminal or, with `--json`, a program.
//!
//! Must never: show anything but what the loader itself reads; there is no second reading of the files.

use std::path::Path;

use analytics::factors::{CarrierFactors, FactorSet};
use analytics::scheme::{CountsFrom, Scheme, Target};
use clap::ValueEnum;
use config::Catalog;
use config::meters::Meters;
use model::{Channel, FactorSetId, ModelId, SchemeId};
use profile::payload::records::RecordTotal;
use profile::{Measure, MeterModel, PayloadModel, Range, TextPlace, TextRegister};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::installation::{Installation, load_catalog};
use crate::readout::{aligned, say};

/// What the catalogue holds things of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Entries {
    Meters,
    Schemes,
    Factors,
}

impl Entries {
    const fn code(self) -> &'static str {
        match self {
            Self::Meters => "meters",
            Self::Schemes => "schemes",
            Self::Factors => "factors",
        }
    }
}

/// The catalogue that comes with the program, or with an installation's own folder over it.
fn load(config: Option<&Path>) -> Result<(Catalog, Meters), Failure> {
    match config {
        None => Ok(load_catalog(None)?),
        Some(file) => {
            let Installation { catalog, models, .. } = Installation::load(file)?;
            Ok((Catalog::clone(&catalog), models))
        }
    }
}

/// `catalog list`: one line each.
pub(crate) fn list(config: Option<&Path>, kind: Option<Entries>, as_json: bool) -> Result<Exit, Failure> {
    let (catalog, meters) = load(config)?;
    let mut rows: Vec<(Entries, [String; 3])> = Vec::new();
    for model in meters.iter() {
        let name = format!("{} {}", model.maker, model.name);
        rows.push((Entries::Meters, [model.id.to_string(), name, model.evidence.level.code().to_owned()]));
    }
    for scheme in catalog.schemes() {
        let row = [scheme.id.to_string(), scheme.title.clone(), scheme.authority.clone()];
        rows.push((Entries::Schemes, row));
    }
    for set in catalog.factor_sets() {
        rows.push((Entries::Factors, [set.id.to_string(), set.title.clone(), validity(set)]));
    }
    rows.retain(|(of, _)| kind.is_none_or(|kind| kind == *of));
    if as_json {
        let all: Vec<Value> = rows
            .iter()
            .map(|(of, [id, name, note])| json!({"kind": of.code(), "id": id, "name": name, "note": note}))
            .collect();
        print_json(&Value::Array(all));
        return Ok(Exit::OK);
    }
    let table = rows.into_iter().map(|(of, [id, name, note])| {
        let mut line = vec![id, name, note];
        if kind.is_none() {
            line.insert(0, of.code().to_owned());
        }
        line
    });
    say(&aligned(&table.collect::<Vec<_>>(), ""));
    Ok(Exit::OK)
}

/// `catalog show ID`: everything of one entry.
pub(crate) fn show(config: Option<&Path>, id: &str, as_json: bool) -> Result<Exit, Failure> {
    let (catalog, meters) = load(config)?;
    let meter = ModelId::new(id).ok().and_then(|id| meters.get(&id).cloned());
    let scheme = SchemeId::new(id).ok().and_then(|id| catalog.scheme(&id).cloned());
    let factors = FactorSetId::new(id).ok().and_then(|id| catalog.factor_set(&id).cloned());
    let mut sheets: Vec<Sheet> = Vec::new();
    sheets.extend(meter.map(|meter| meter_sheet(&meter)));
    sheets.extend(scheme.map(|scheme| scheme_sheet(&scheme)));
    sheets.extend(factors.map(|factors| factors_sheet(&factors)));
    if sheets.is_empty() {
        return Err(Failure::bad_input(format!(
            "nothing in the catalogue has the id {id:?}; `consuntivo catalog list` shows what there is"
        )));
    }
    if as_json {
        let mut all: Vec<Value> = sheets.iter().map(Sheet::json).collect();
        // One id may name a meter and a scheme; nearly always there is one.
        print_json(&if all.len() == 1 { all.remove(0) } else { Value::Array(all) });
    } else {
        let texts: Vec<String> = sheets.iter().map(Sheet::text).collect();
        say(&texts.join("\n"));
    }
    Ok(Exit::OK)
}

/// One entry as facts, lists of sentences and tables, of which both outputs are made.
struct Sheet {
    kind: Entries,
    /// Name and value.
    facts: Vec<(&'static str, String)>,
    lists: Vec<(&'static str, Vec<String>)>,
    tables: Vec<Grid>,
}

/// A table with the names of its columns.
struct Grid {
    name: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    fn text(&self) -> String {
        let facts: Vec<Vec<String>> = self
            .facts
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| vec![name.replace('_', " "), value.clone()])
            .collect();
        let mut text = aligned(&facts, "");
        for (name, lines) in self.lists.iter().filter(|(_, lines)| !lines.is_empty()) {
            text.push_str(&format!("\n{}\n", name.replace('_', " ")));
            lines.iter().for_each(|line| text.push_str(&format!("  - {line}\n")));
        }
        for grid in self.tables.iter().filter(|grid| !grid.rows.is_empty()) {
            let mut rows: Vec<Vec<String>> =
                vec![grid.columns.iter().map(|column| column.replace('_', " ")).collect()];
            rows.extend(grid.rows.iter().cloned());
            text.push_str(&format!("\n{}\n{}", grid.name.replace('_', " "), aligned(&rows, "  ")));
        }
        text
    }

    fn json(&self) -> Value {
        let mut object = serde_json::Map::new();
        object.insert("kind".to_owned(), json!(self.kind.code()));
        for (name, value) in &self.facts {
            object.insert((*name).to_owned(), json!(value));
        }
        for (name, lines) in &self.lists {
            object.insert((*name).to_owned(), json!(lines));
        }
        for grid in &self.tables {
            let row = |cells: &Vec<String>| -> Value {
                grid.columns.iter().zip(cells).map(|(c, cell)| ((*c).to_owned(), json!(cell))).collect()
            };
            object.insert(grid.name.to_owned(), grid.rows.iter().map(row).collect());
        }
        Value::Object(object)
    }
}

fn meter_sheet(model: &MeterModel) -> Sheet {
    let replaces: Vec<String> = model.replaces.iter().map(ToString::to_string).collect();
    let mut facts = vec![
        ("id", model.id.to_string()),
        ("maker", model.maker.clone()),
        ("name", model.name.clone()),
        ("replaces", replaces.join(", ")),
        ("evidence", model.evidence.level.code().to_owned()),
    ];
    let mut tables = Vec::new();
    if let Some(registers) = model.registers() {
        facts.push(("interface", "modbus".to_owned()));
        facts.push(("registers_per_request", registers.limits.registers_per_request.to_string()));
        facts.push(("widest_gap", registers.limits.widest_gap.to_string()));
        facts.push(("pause_ms", registers.limits.pause_ms.to_string()));
        let plan = registers.plan();
        let requests = plan.iter().map(|block| {
            let first = block.address.to_string();
            let (last, count) = (block.last().to_string(), block.count.to_string());
            vec![block.space.code().to_owned(), first, last, count, block.measures.len().to_string()]
        });
        tables.push(Grid {
            name: "requests",
            columns: vec!["space", "first", "last", "registers", "quantities"],
            rows: requests.collect(),
        });
        tables.push(Grid {
            name: "quantities",
            columns: vec!["quantity", "register", "type", "unit", "plausible"],
            rows: registers.measures.iter().map(measure_row).collect(),
        });
    } else if let Some(payloads) = model.payloads() {
        payload_sheet(payloads, &mut facts, &mut tables);
    } else {
        let channels = model.channels();
        let rows = channels.iter().map(|c| vec![c.to_string(), c.quantity.unit().to_string()]);
        tables.push(Grid { name: "quantities", columns: vec!["quantity", "unit"], rows: rows.collect() });
    }
    if !model.texts.is_empty() {
        tables.push(Grid {
            name: "texts",
            columns: vec!["text", "register", "registers"],
            rows: model.texts.iter().map(text_row).collect(),
        });
    }
    let lists = vec![("caveats", model.caveats.clone()), ("sources", model.evidence.sources.clone())];
    Sheet { kind: Entries::Meters, facts, lists, tables }
}

/// What a meter sends, and what it keeps of an outage.
fn payload_sheet(payloads: &PayloadModel, facts: &mut Vec<(&'static str, String)>, tables: &mut Vec<Grid>) {
    facts.push(("interface", "mqtt".to_owned()));
    facts.push(("topic", payloads.topic.clone()));
    facts.push(("bytes_max", payloads.bytes_max.to_string()));
    let time = payloads.time.as_ref().map(|time| format!("{} ({})", time.path, time.form.code()));
    facts.push(("time", time.unwrap_or_else(|| "of arrival".to_owned())));
    let rows = payloads.fields.iter().map(|field| {
        let unit = field.unit.to_string();
        let required = if field.required { "required" } else { "" }.to_owned();
        let range = plausible(field.plausible, field.channel);
        vec![field.channel.to_string(), field.path.clone(), unit, range, required]
    });
    tables.push(Grid {
        name: "quantities",
        columns: vec!["quantity", "path", "unit", "plausible", "required"],
        rows: rows.collect(),
    });
    if let Some(records) = &payloads.records {
        facts.push(("records_method", records.method.code().to_owned()));
        facts.push(("records_period_s", records.period_s.to_string()));
        facts.push(("records_kept_days", records.keeps_days.to_string()));
        facts.push(("records_asked_at", records.request.clone()));
        tables.push(Grid {
            name: "totals_rebuilt_from_records",
            columns: vec!["quantity", "sum_of", "unit"],
            rows: records.totals.iter().map(record_row).collect(),
        });
    }
}

/// A total whose course in a gap is rebuilt from what the device kept.
fn record_row(total: &RecordTotal) -> Vec<String> {
    vec![total.channel.to_string(), total.keys.join(" + "), total.unit.to_string()]
}

fn text_row(text: &TextRegister) -> Vec<String> {
    let register = match text.place {
        TextPlace::Fixed => format!("{} {}", text.register.space.code(), text.register.address),
        TextPlace::SunSpec(id) => format!("offset {} of SunSpec model {id}", text.register.address),
    };
    vec![text.name.to_string(), register, text.words().to_string()]
}

fn measure_row(measure: &Measure) -> Vec<String> {
    let register = format!("{} {}", measure.register.space.code(), measure.register.address);
    let encoding = format!("{} {}", measure.encoding.number.code(), measure.encoding.order.code());
    let scale = measure.scale.to_f64();
    let unit = if (scale - 1.0).abs() < f64::EPSILON {
        measure.unit.to_string()
    } else {
        format!("{scale} {}", measure.unit)
    };
    vec![measure.channel.to_string(), register, encoding, unit, plausible(measure.plausible, measure.channel)]
}

/// A range, in the unit in which the quantity is kept.
fn plausible(range: Range, channel: Channel) -> String {
    format!("{range} {}", channel.quantity.unit()).trim_end().to_owned()
}

fn scheme_sheet(scheme: &Scheme) -> Sheet {
    let mut facts = vec![
        ("id", scheme.id.to_string()),
        ("title", scheme.title.clone()),
        ("citation", scheme.citation.clone()),
        ("authority", scheme.authority.clone()),
        ("default_factor_set", scheme.default_factor_set.to_string()),
    ];
    if let Some(yearly) = &scheme.yearly {
        let from = match yearly.counts_from {
            CountsFrom::Completion => "the completion of the works",
            CountsFrom::ExpensesClosed => "the end of expense reporting",
        };
        facts.push(("report_due", format!("every year on {:02}-{:02}", yearly.due_month, yearly.due_day)));
        facts.push(("years_count_from", from.to_owned()));
        let years = yearly.years.map_or_else(|| "not stated".to_owned(), |years| years.to_string());
        facts.push(("years", years));
        facts.push(("sent_by", yearly.channel.clone()));
        facts.push(("obligation", yearly.citation.clone()));
    }
    let kpis = scheme.kpis.iter().map(|kpi| {
        let target = match kpi.target {
            Target::Declared => "as declared".to_owned(),
            Target::AtLeast(limit) => format!("at least {limit}"),
            Target::AtMost(limit) => format!("at most {limit}"),
        };
        vec![kpi.code.clone(), kpi.measure.code().to_owned(), kpi.unit.symbol().to_owned(), target]
    });
    let columns = vec!["code", "measure", "unit", "target"];
    let tables = vec![Grid { name: "kpis", columns, rows: kpis.collect() }];
    Sheet { kind: Entries::Schemes, facts, lists: Vec::new(), tables }
}

fn factors_sheet(set: &FactorSet) -> Sheet {
    let facts = vec![
        ("id", set.id.to_string()),
        ("title", set.title.clone()),
        ("source", set.source.clone()),
        ("valid", validity(set)),
    ];
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| v.to_string());
    let row = |c: &CarrierFactors| {
        vec![
            c.carrier.code().to_owned(),
            c.kwh_per_unit.to_string(),
            value(c.primary_nonrenewable),
            value(c.primary_renewable),
            value(c.co2_kg_per_kwh),
            value(c.nox_g_per_gj),
            value(c.pm10_g_per_gj),
        ]
    };
    let columns = vec![
        "carrier",
        "kwh_per_unit",
        "primary_nonrenewable",
        "primary_renewable",
        "co2_kg_per_kwh",
        "nox_g_per_gj",
        "pm10_g_per_gj",
    ];
    let tables = vec![Grid { name: "carriers", columns, rows: set.carriers.iter().map(row).collect() }];
    Sheet { kind: Entries::Factors, facts, lists: Vec::new(), tables }
}

fn validity(set: &FactorSet) -> String {
    let day = |day: Option<chrono::NaiveDate>| day.map_or_else(|| "…".to_owned(), |day| day.to_string());
    match (set.valid_from, set.valid_to) {
        (None, None) => "not limited".to_owned(),
        (from, to) => format!("{} to {}", day(from), day(to)),
    }
}

fn print_json(value: &Value) {
    say(&format!("{value:#}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(id: &str) -> (String, Value) {
        let meters = config::meters::load_meters(None).unwrap();
        let sheet = meter_sheet(meters.get(&ModelId::new(id).unwrap()).unwrap());
        (sheet.text(), sheet.json())
    }

    #[test]
    fn records_that_a_device_keeps_are_shown() {
        let meters = config::meters::load_meters(None).unwrap();
        let keeping: Vec<_> =
            meters.iter().filter(|m| m.payloads().is_some_and(|p| p.records.is_some())).collect();
        assert!(!keeping.is_empty());
        for model in keeping {
            let records = model.payloads().unwrap().records.clone().unwrap();
            let (text, json) = shown(model.id.as_str());
            assert_eq!(json["records_method"], records.method.code(), "{text}");
            assert_eq!(json["records_kept_days"], records.keeps_days.to_string());
            let totals = json["totals_rebuilt_from_records"].as_array().unwrap();
            assert_eq!(totals.len(), records.totals.len());
            assert!(
                text.contains("totals rebuilt from records") && text.contains(&records.totals[0].keys[0])
            );
        }
        assert!(shown("tasmota-sensor").1.get("records_method").is_none());
    }

    #[test]
    fn what_a_device_says_of_itself_is_shown() {
        let (text, json) = shown("abb-b23");
        assert_eq!(json["texts"][1]["text"], "serial_number", "{text}");
        assert_eq!(json["texts"][1]["register"], "holding 35072");
        let (text, _) = shown("sunspec-meter");
        assert!(text.contains("offset 50 of SunSpec model 1"), "{text}");
    }
}

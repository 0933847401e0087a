//! What a project file states beside its meters: own factors, tariffs, plants, stated values, reference year.
//!
//! Must never: take a value without the document that it stands in, or a price with more decimals than are kept.

use analytics::scheme::{KpiMeasure, Scheme};
use chrono::{Days, NaiveDate};
use model::{
    BaselineMethod, Carrier, FactorKind, MeterId, OwnFactor, Plant, Project, ReferenceYear, StatedValue,
    Tariff, Terms,
};

use super::opening;
use crate::reader::{Source, Table, list};

/// Most of each kind in one project.
const FACTORS_MAX: usize = 100;
const TARIFFS_MAX: usize = 1_000;
const PLANTS_MAX: usize = 100;
const STATED_MAX: usize = 100;

const SOURCE: &str = "the document that the value stands in";
const CARRIER: &str = "an energy carrier such as \"natural_gas\"";

pub(super) fn read(source: &Source<'_>, root: &Table<'_, '_>, scheme: Option<&Scheme>) -> Option<Terms> {
    let factors: Vec<_> = root.tables("factor", FACTORS_MAX).iter().map(read_factor).collect();
    let tariffs: Vec<_> = root.tables("tariff", TARIFFS_MAX).iter().map(|t| read_tariff(source, t)).collect();
    let plants: Vec<_> = root.tables("plant", PLANTS_MAX).iter().map(read_plant).collect();
    let stated: Vec<_> =
        root.tables("stated", STATED_MAX).iter().map(|t| read_stated(source, t, scheme)).collect();
    let reference = root.table_optional("normalise").map(|table| {
        let reference = table.parsed_or(
            "reference",
            "\"typical\" or \"legal\"",
            ReferenceYear::Typical,
            ReferenceYear::parse,
        );
        table.finish();
        reference
    });
    let baseline = root.table_optional("baseline").map(|table| {
        let codes: Vec<&str> = BaselineMethod::ALL.iter().map(|m| m.code()).collect();
        let method = table.parsed_or("method", &list(&codes), BaselineMethod::Auto, BaselineMethod::parse);
        let drivers = opening::drivers(source, &table, method);
        table.finish();
        method.zip(drivers)
    });
    let factors: Vec<OwnFactor> = factors.into_iter().collect::<Option<_>>()?;
    for (i, factor) in factors.iter().enumerate() {
        let twice = |f: &OwnFactor| (f.carrier, f.kind) == (factor.carrier, factor.kind);
        if factors.iter().take(i).any(twice) {
            let says = format!("{} of {} is given twice", factor.kind.code(), factor.carrier);
            source.report_at(&root.at("factor"), says, "keep one of them");
        }
    }
    let (baseline, drivers) = baseline.unwrap_or(Some((BaselineMethod::Auto, Vec::new())))?;
    Some(Terms {
        factors,
        tariffs: tariffs.into_iter().collect::<Option<_>>()?,
        plants: plants.into_iter().collect::<Option<_>>()?,
        stated: stated.into_iter().collect::<Option<_>>()?,
        reference: reference.unwrap_or(Some(ReferenceYear::Typical))?,
        baseline,
        drivers,
    })
}

fn read_factor(table: &Table<'_, '_>) -> Option<OwnFactor> {
    let carrier = table.parsed("carrier", CARRIER, Carrier::parse);
    let kind = table.parsed("factor", "a factor such as \"co2_kg_per_kwh\"", FactorKind::parse);
    let most = kind.map_or(f64::MAX, FactorKind::value_max);
    let value = table.number("value", &format!("a number from 0 to {most}"), |n| (0.0..=most).contains(&n));
    let source = table.text("source", SOURCE);
    table.finish();
    Some(OwnFactor { carrier: carrier?, kind: kind?, value: value?, source: source? })
}

fn read_tariff(source: &Source<'_>, table: &Table<'_, '_>) -> Option<Tariff> {
    let carrier = table.parsed("carrier", CARRIER, Carrier::parse);
    let meter = table.parsed_optional("meter", "the id of a meter of this file", |t| MeterId::new(t).ok());
    let from = table.date("from");
    let last = table.date_optional("to");
    let expected = "euro per kWh, Smc or kg, from 0 to 100, with at most six decimals";
    let price = table.number("eur_per_unit", expected, |n| microeuro(n).is_some());
    let text = table.text("source", "the contract or invoice");
    table.finish();
    if let (Some(from), Some(last)) = (from, last)
        && last < from
    {
        source.report_at(&table.at("to"), "is before `from`", "write the last day of the tariff");
    }
    let day_after = |last: NaiveDate| last.checked_add_days(Days::new(1));
    Some(Tariff {
        carrier: carrier?,
        meter,
        from: from?,
        to: last.and_then(day_after),
        microeuro_per_unit: microeuro(price?)?,
        source: text?,
    })
}

/// Whole millionths, where the number has no more than six decimals.
fn microeuro(euro: f64) -> Option<i64> {
    let micro = (euro * 1e6).round();
    let exact = (euro * 1e6 - micro).abs() < 1e-3 && (0.0..=1e8).contains(&micro);
    // The range is checked before the cast.
    exact.then_some(micro as i64)
}

fn read_plant(table: &Table<'_, '_>) -> Option<Plant> {
    let name = table.text("name", "what the plant is called");
    let carrier = table.parsed("carrier", "a renewable carrier such as \"on_site_pv\"", Carrier::parse);
    let nominal = table.number("nominal_kw", "the nominal power in kW, above 0", |n| 0.0 < n && n <= 1e6);
    let in_service = table.date("in_service");
    let hours = table.number_optional("running_hours", "hours a year, above 0 and at most 8784", |n| {
        0.0 < n && n <= 8784.0
    });
    let source = table.text("source", SOURCE);
    table.finish();
    Some(Plant {
        name: name?,
        carrier: carrier?,
        nominal_kw: nominal?,
        in_service: in_service?,
        running_hours: hours,
        source: source?,
    })
}

fn read_stated(source: &Source<'_>, table: &Table<'_, '_>, scheme: Option<&Scheme>) -> Option<StatedValue> {
    let kpi = table.text("kpi", "a KPI code of the scheme that no meter measures");
    let value = table.number("value", "a number from 0, in the unit of the KPI", |n| 0.0 <= n);
    let text = table.text("source", SOURCE);
    table.finish();
    let kpi = kpi?;
    if let Some(scheme) = scheme {
        let stated: Vec<&str> =
            scheme.kpis.iter().filter(|k| k.measure == KpiMeasure::Stated).map(|k| k.code.as_str()).collect();
        if !stated.contains(&kpi.as_str()) {
            let says = format!("{kpi:?} is no KPI of {} that a document states", scheme.id);
            let next = if stated.is_empty() {
                "leave it out".to_owned()
            } else {
                format!("use one of {}", list(&stated))
            };
            source.report_at(&table.at("kpi"), says, next);
        }
    }
    Some(StatedValue { kpi, value: value?, source: text? })
}

/// A tariff's own meter is a meter of the project, and of the tariff's carrier.
pub(super) fn check(source: &Source<'_>, root: &Table<'_, '_>, project: &Project) {
    let end = |tariff: &Tariff| tariff.to.unwrap_or(NaiveDate::MAX);
    let whose = |tariff: &Tariff| (tariff.carrier, tariff.meter.clone());
    for (i, tariff) in project.terms.tariffs.iter().enumerate() {
        let overlaps =
            |t: &&Tariff| whose(t) == whose(tariff) && t.from < end(tariff) && tariff.from < end(t);
        if let Some(other) = project.terms.tariffs.iter().take(i).find(overlaps) {
            let says = format!(
                "two tariffs of {} hold on {}: those from {} and from {}",
                tariff.carrier,
                tariff.from.max(other.from),
                other.from,
                tariff.from
            );
            source.report_at(&root.at("tariff"), says, "give the earlier one its last day, `to`");
        }
        let Some(id) = &tariff.meter else { continue };
        let meter = project.meters().map(|(_, m)| m).find(|m| m.id == *id);
        if meter.is_none_or(|m| m.carrier != tariff.carrier) {
            let says = format!("a tariff of {} names {id}, which is no meter of it here", tariff.carrier);
            source.report_at(&root.at("tariff"), says, "name a meter of this file and its carrier");
        }
    }
}

//! From a figure to the months of its meters.
//!
//! Must never: leave a part of a figure out, or call a part by another part's name.

use model::{Direction, MeterFacts, MeterRole, Month, Project, Zone};

use super::months::month;
use super::{Evidence, Node, cost};
use crate::balance::{BalanceYear, Flow, Grain, Vector};
use crate::factors::FactorUse;
use crate::result::{Baseline, BaselineModel, KpiPart, KpiResult, MeterMonth, MeterYear, ProjectYear};
use crate::scheme::KpiMeasure;

/// What the store holds, and the civil time of the buildings.
type Known<'a> = (&'a Evidence, Zone);

/// The figures of a year that can be explained: `kpi:CODE`, `meter:ID`, `balance:VECTOR`.
#[must_use]
pub fn figures(year: &ProjectYear) -> Vec<String> {
    let kpis = year.kpis.iter().map(|k| format!("kpi:{}", k.definition.code));
    let meters = year.meters.iter().map(|m| format!("meter:{}", m.meter.id));
    let balances = year.balances.iter().filter(|b| b.building.is_none());
    kpis.chain(meters).chain(balances.map(|b| format!("balance:{}", b.vector.code()))).collect()
}

/// The chain of a figure; of a KPI also by its code alone. A meter may have a month after it: `meter:gas 2025-03`.
#[must_use]
pub fn of(year: &ProjectYear, figure: &str, evidence: &Evidence) -> Option<Node> {
    let zone = year.project.zone;
    let (kind, name) = figure.split_once(':').unwrap_or(("kpi", figure));
    match kind {
        "kpi" => {
            let found = year.kpis.iter().find(|k| k.definition.code == name)?;
            Some(kpi(year, found, (evidence, zone)))
        }
        "meter" => {
            let (id, only) = name.split_once(' ').map_or((name, None), |(id, month)| (id, Some(month)));
            let found = year.meters.iter().find(|m| m.meter.id.as_str() == id)?;
            match only {
                None => Some(meter(found, (evidence, zone))),
                Some(text) => {
                    let row = found.months.iter().find(|m| m.month.to_string() == text)?;
                    Some(month(found, row, evidence, zone))
                }
            }
        }
        "balance" => {
            let mut found = year.balances.iter().filter(|b| b.vector.code() == name);
            let whole = found.clone().find(|b| b.building.is_none())?;
            let buildings = found.by_ref().filter(|b| b.building.is_some()).map(balance);
            Some(balance(whole).beside(buildings.collect::<Vec<_>>()))
        }
        _ => None,
    }
}

/// A KPI: its verdict and formula, then each term.
fn kpi(year: &ProjectYear, kpi: &KpiResult, evidence: Known<'_>) -> Node {
    let (chain, definition) = (&kpi.chain, &kpi.definition);
    let unit = definition.unit.symbol();
    let parts: Vec<Node> = chain.parts.iter().map(|p| part(year, p, evidence)).collect();
    let divisor = chain.divisor.map_or(1.0, |d| d.value);
    let share_of = share_of(definition.measure);
    let mut root = Node::new("explain.kpi")
        .with("code", &definition.code)
        .with("citation", &definition.citation)
        .with("formula", chain.formula)
        .worth(kpi.achieved, unit);
    root = if share_of.is_some() { root.beside(parts) } else { root.sum_of(chain.scale / divisor, parts) };
    let target = Node::new("explain.target")
        .with("source", kpi.target_source.as_deref().unwrap_or(&definition.citation))
        .with("verdict", kpi.verdict.code())
        .with("told", kpi.told(false))
        .worth(kpi.target, unit);
    let band = Node::new("explain.band")
        .with("low", show(kpi.low))
        .with("high", show(kpi.high))
        .worth(kpi.best, unit);
    let mut beside = vec![target, band];
    if let Some(divisor) = chain.divisor {
        beside.push(
            Node::new("explain.divisor").with("what", divisor.what).worth(Some(divisor.value), divisor.unit),
        );
    }
    beside.extend(chain.factors.iter().map(factor));
    beside.extend(kpi.because.iter().map(|code| Node::new("explain.because").with("code", code)));
    if let Some(vector) = share_of {
        beside.extend(year.balances.iter().filter(|b| b.vector == vector).map(balance));
        beside.extend(of_balance(year, vector).map(|found| meter(found, evidence)));
    }
    root.beside(beside)
}

/// Of what a measure is the self-consumed share.
fn share_of(measure: KpiMeasure) -> Option<Vector> {
    match measure {
        KpiMeasure::SelfConsumedShare => Some(Vector::Electricity),
        KpiMeasure::HeatSelfConsumedShare => Some(Vector::Heat),
        _ => None,
    }
}

/// The meters whose months a vector's balance is made of: those of what is made, given away and stored, and the supplies.
fn of_balance(year: &ProjectYear, vector: Vector) -> impl Iterator<Item = &MeterYear> {
    let is_part = |m: &MeterFacts| m.direction == Direction::Import && m.role == MeterRole::Sub;
    year.meters.iter().filter(move |m| Vector::of(m.meter.carrier) == Some(vector) && !is_part(&m.meter))
}

/// A factor with its unit, source and validity.
fn factor(of: &FactorUse) -> Node {
    let day = |day: Option<chrono::NaiveDate>| day.map_or_else(|| "-".to_owned(), |d| d.to_string());
    Node::new(if of.own { "explain.factor.own" } else { "explain.factor" })
        .with("kind", of.kind.code())
        .with("carrier", of.carrier.code())
        .with("source", &of.source)
        .with("from", day(of.valid_from))
        .with("to", day(of.valid_to))
        .worth(Some(of.value), of.unit.clone())
}

/// A term: what it is of, times its factor; below it the months of its meter.
fn part(year: &ProjectYear, part: &KpiPart, evidence: Known<'_>) -> Node {
    let name = match (&part.meter, &part.building) {
        (Some(meter), _) => meter.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => "-".to_owned(),
    };
    let found = part.meter.as_ref().and_then(|id| year.meters.iter().find(|m| m.meter.id == *id));
    let mut node = Node::new("explain.term.part")
        .with("name", name)
        .with("quantity", part.quantity)
        .with("amount", part.worse)
        .with("unit", part.unit)
        .with("factor", part.factor)
        .with("band", part.half_width)
        // Nothing of what has no bound is nothing.
        .worth(Some(if part.factor == 0.0 { 0.0 } else { part.worse * part.factor }), "");
    let Some(found) = found.filter(|_| part.factor != 0.0 || part.worse.is_finite()) else { return node };
    match part.quantity {
        "avoided" => node = node.sum_of(part.factor, avoided(found, part.worse, evidence)),
        "cost_avoided" => {
            let costs = cost::avoided(&year.project, found, part, compared(found, evidence));
            node = node.sum_of(part.factor, costs);
        }
        "measured" | "produced" => node = node.sum_of(part.factor, measured(found, part, evidence)),
        _ => {}
    }
    node.beside(joint(found)).beside([law(found)])
}

/// How much better the reporting months are known together than by the bounds that each of them shows.
fn joint(meter: &MeterYear) -> Option<Node> {
    let unit = meter.meter.carrier.base_unit().display().symbol();
    let (low, high) = (meter.totals.joint_low, meter.totals.joint_high);
    (0.0 < low || 0.0 < high)
        .then(|| Node::new("explain.joint").with("low", low).with("high", high).worth(None, unit))
}

/// The avoided energy of each month at the best value, and what the unmeasured energy and the weather's doubt take.
fn avoided(meter: &MeterYear, worse: f64, evidence: Known<'_>) -> Vec<Node> {
    let unit = meter.meter.carrier.base_unit().display().symbol();
    let mut nodes: Vec<Node> = compared(meter, evidence).into_iter().map(|(_, node)| node).collect();
    let sum: f64 = nodes.iter().filter_map(|node| node.value).sum();
    nodes.push(Node::new("explain.term.bounds").worth(Some(worse - sum), unit));
    nodes
}

/// The avoided energy of each month at the best value, down to its readings.
fn compared(meter: &MeterYear, evidence: Known<'_>) -> Vec<(Month, Node)> {
    let unit = meter.meter.carrier.base_unit().display().symbol();
    let rows = meter.months.iter().filter(|m| m.reporting && m.avoided.is_some());
    rows.map(|row| {
        let (baseline, used) = (row.adjusted_baseline.unwrap_or(0.0), row.measured.unwrap_or(0.0));
        let node = Node::new("explain.term.month")
            .with("month", row.month)
            .with("baseline", baseline)
            .with("measured", used)
            .with("degree_days", show(row.heating_degree_days))
            .worth(Some(baseline - used), unit)
            .beside(drivers(meter, row))
            .beside(adjustments(meter, row))
            .beside([month(meter, row, evidence.0, evidence.1)]);
        (row.month, node)
    })
    .collect()
}

/// What the month's opening makes of its adjusted baseline.
fn drivers(meter: &MeterYear, row: &MeterMonth) -> Vec<Node> {
    let unit = meter.meter.carrier.base_unit().display().symbol();
    let of = |d: &crate::result::MonthDriver| {
        Node::new("explain.driver")
            .with("kind", d.driver.code())
            .with("sum", d.sum)
            .worth(Some(d.energy), unit)
    };
    row.drivers.iter().map(of).collect()
}

/// What people added to the month's adjusted baseline, each with its part.
fn adjustments(meter: &MeterYear, row: &MeterMonth) -> Vec<Node> {
    let unit = meter.meter.carrier.base_unit().display().symbol();
    let (from, to) = (row.month.first_day(), row.month.end_day());
    let of = meter.record.adjustments.iter().map(|a| (a, a.within(from, to)));
    of.filter(|(_, part)| *part != 0.0)
        .map(|(a, part)| {
            Node::new("explain.adjustment")
                .with("number", a.number)
                .with("author", &a.author)
                .with("reason", &a.reason)
                .with("from", a.from)
                .with("to", a.to)
                .worth(Some(part), unit)
        })
        .collect()
}

/// The measured energy of each month, and how far the bound that counts is from it.
fn measured(meter: &MeterYear, part: &KpiPart, evidence: Known<'_>) -> Vec<Node> {
    let unit = part.unit;
    let rows = meter.months.iter().filter(|m| m.reporting);
    let mut nodes: Vec<Node> = rows
        .filter_map(|row| {
            let node = Node::new("explain.term.measured").with("month", row.month);
            Some(node.worth(Some(row.measured?), unit).beside([month(meter, row, evidence.0, evidence.1)]))
        })
        .collect();
    let sum: f64 = nodes.iter().filter_map(|n| n.value).sum();
    nodes.push(Node::new("explain.term.bounds").worth(Some(part.worse - sum), unit));
    nodes
}

/// One meter's year: its months, and the law they are compared with.
fn meter(meter: &MeterYear, evidence: Known<'_>) -> Node {
    let unit = meter.meter.carrier.base_unit().display().symbol();
    let rows = meter.months.iter().filter(|m| m.measured.is_some());
    let months: Vec<Node> = rows
        .map(|row| {
            Node::new("explain.term.measured")
                .with("month", row.month)
                .worth(row.measured, unit)
                .beside([month(meter, row, evidence.0, evidence.1)])
        })
        .collect();
    Node::new("explain.meter")
        .with("meter", &meter.meter.id)
        .with("name", &meter.meter.name)
        .worth(Some(meter.totals.measured), unit)
        .sum_of(1.0, months)
        .beside(joint(meter))
        .beside([law(meter)])
}

/// The baseline with its coefficients.
fn law(meter: &MeterYear) -> Node {
    match &meter.baseline {
        Baseline::Fitted(model) => fitted(model),
        Baseline::Zero => Node::new("explain.law.zero"),
        Baseline::NotCompared => Node::new("explain.law.none"),
        Baseline::Unknown => Node::new("explain.law.unknown"),
    }
}

fn fitted(model: &BaselineModel) -> Node {
    let point = |p: &crate::result::BaselinePoint| {
        Node::new("explain.law.point")
            .with("from", p.from)
            .with("to", p.to)
            .with("degree_days", p.degree_days_per_day)
            .with("cooling_degree_days", p.cooling_degree_days_per_day)
            .worth(Some(p.energy_per_day), "")
    };
    let driver = |d: &crate::result::ModelDriver| {
        Node::new("explain.law.driver")
            .with("kind", d.driver.code())
            .with("error", d.standard_error)
            .with("usual", d.usual_per_day)
            .worth(Some(d.coefficient), "")
    };
    Node::new(if model.cooling_base_c.is_some() { "explain.law.cooling" } else { "explain.law" })
        .with("method", model.method)
        .with("cooling_slope", model.cooling_per_degree_day)
        .with("cooling_balance", show(model.cooling_base_c))
        .with("base", model.base_per_day)
        .with("slope", model.heating_per_degree_day)
        .with("balance", show(model.heating_base_c))
        .with("n", model.quality.n)
        .with("cvrmse", model.quality.cvrmse_ratio)
        .beside(model.drivers.iter().map(driver))
        .beside(model.points.iter().map(point))
}

/// A balance: identities of the year, then of each month.
fn balance(of: &BalanceYear) -> Node {
    let sum = &of.reporting;
    let flow = |key: &'static str, flow: Flow| {
        Node::new(key)
            .with("low", kwh(flow.low))
            .with("high", flow.high.map_or_else(|| "-".to_owned(), |h| kwh(h).to_string()))
            .worth(Some(kwh(flow.amount)), "kWh")
    };
    let month = |row: &crate::balance::BalanceMonth| {
        let b = &row.balance;
        Node::new("explain.balance.month")
            .with("month", row.month)
            .with("produced", kwh(b.produced.amount))
            .with("exported", kwh(b.exported.amount))
            .with("self_consumed", kwh(b.self_consumed.amount))
            .with("grain", grain(b.grain))
            .worth(b.share().map(|s| 100.0 * s.worse), "%")
    };
    let name = of.building.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    Node::new("explain.balance")
        .with("building", name)
        .with("vector", of.vector.code())
        .worth(Some(kwh(sum.produced.amount)), "kWh")
        .sum_of(
            1.0,
            vec![
                flow("explain.term.self_consumed", sum.self_consumed),
                flow("explain.term.exported", sum.exported),
                flow("explain.term.stored", sum.stored),
            ],
        )
        .beside(of.months.iter().filter(|m| m.reporting).map(month))
}

fn grain(grain: Grain) -> &'static str {
    grain.code()
}

fn kwh(wh: i64) -> f64 {
    wh as f64 / 1000.0
}

fn show(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| v.to_string())
}

/// The meters and months whose evidence a figure needs: those of the project that are no mere parts.
#[must_use]
pub fn wanted(project: &Project, year: i32) -> Vec<(model::MeterId, Month)> {
    let months = Month::all_of(year);
    project.meters().flat_map(|(_, m)| months.iter().map(move |month| (m.id.clone(), *month))).collect()
}

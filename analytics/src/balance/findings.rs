//! What the balances say that a person should see: contradictions, and months under a scheme's share.
//!
//! Must never: call a month under the limit that may be above it, or one above it that may be under.

use model::{Finding, Month, Project, Severity};

use super::{BalanceYear, Grain, Vector};
use crate::scheme::clauses::Test;
use crate::scheme::{KpiMeasure, Scheme, Target};

/// The least self-consumed share that a scheme asks for of each vector, as a share of one.
#[must_use]
pub fn limits(scheme: &Scheme) -> Vec<(Vector, f64)> {
    let of = |measure: KpiMeasure| match measure {
        KpiMeasure::SelfConsumedShare => Some(Vector::Electricity),
        KpiMeasure::HeatSelfConsumedShare => Some(Vector::Heat),
        _ => None,
    };
    let limit = |target: Target| match target {
        Target::AtLeast(limit) => Some(limit / 100.0),
        Target::Declared | Target::AtMost(_) => None,
    };
    let kpis = scheme.kpis.iter().filter_map(|k| Some((of(k.measure)?, limit(k.target)?)));
    let clauses = scheme.rules.clauses.iter().filter_map(|c| match (c.fact.code, c.test) {
        ("self_consumed_percent", Test::AtLeast(least)) => Some((Vector::Electricity, least / 100.0)),
        ("heat_unused_percent", Test::AtMost(most)) => Some((Vector::Heat, 1.0 - most / 100.0)),
        _ => None,
    });
    let mut all: Vec<(Vector, f64)> = kpis.chain(clauses).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    all.dedup();
    all
}

pub(super) fn of(project: &Project, balances: &[BalanceYear], limits: &[(Vector, f64)]) -> Vec<Finding> {
    let mut all = Vec::new();
    for balance in balances {
        let about = match &balance.building {
            Some(building) => format!("building:{building} {}", balance.vector.code()),
            None => format!("project:{} {}", project.id, balance.vector.code()),
        };
        if balance.building.is_some() {
            all.extend(contradicted(balance, &about));
            continue;
        }
        for (_, limit) in limits.iter().filter(|(vector, _)| *vector == balance.vector) {
            all.extend(by_month(balance, *limit, &about));
        }
    }
    all
}

/// Months in which more was exported and stored than produced.
fn contradicted(balance: &BalanceYear, about: &str) -> Option<Finding> {
    let has = balance.has_production && balance.has_export;
    let mut months = balance.months.iter().filter(|m| has && m.balance.self_consumed.amount < 0);
    let first = months.next()?;
    let count = 1 + months.count();
    let kwh = |wh: i64| format!("{:.1}", wh as f64 / 1000.0);
    let (produced, exported) = (kwh(first.balance.produced.amount), kwh(first.balance.exported.amount));
    let says = format!(
        "in {count} months more was exported than produced, first in {}: {exported} kWh of {produced} kWh; one of \
         the meters is wrong, is read the other way round, or a source is not measured",
        first.month
    );
    let rule = "what is produced is self-consumed, exported or stored";
    Some(
        Finding::new("balance.export_exceeds", Severity::Blocks, about, says, rule)
            .with("months", count)
            .with("month", first.month)
            .with("exported", exported)
            .with("produced", produced),
    )
}

/// Months surely under the limit, and months of which nobody knows.
fn by_month(balance: &BalanceYear, limit: f64, about: &str) -> Option<Finding> {
    let (mut under, mut unknown, mut coarse): (Vec<Month>, Vec<Month>, u32) = (Vec::new(), Vec::new(), 0);
    for row in balance.months.iter().filter(|m| m.reporting && 0 < m.balance.produced.amount) {
        coarse += u32::from(row.balance.grain == Grain::Month);
        match row.balance.share() {
            Some(share) if share.high < limit => under.push(row.month),
            Some(share) if limit <= share.worse => {}
            Some(_) | None => unknown.push(row.month),
        }
    }
    if under.is_empty() && unknown.is_empty() {
        return None;
    }
    let list = |months: &[Month]| {
        let all: Vec<String> = months.iter().map(ToString::to_string).collect();
        if all.is_empty() { "-".to_owned() } else { all.join(", ") }
    };
    let percent = format!("{:.0}", limit * 100.0);
    let (under, unknown) = (list(&under), list(&unknown));
    let says = format!(
        "months in which less than {percent} % of what was produced was self-consumed: {under}; months of which the \
         measurements do not tell: {unknown}; {coarse} months rest on totals alone"
    );
    let rule = "the share is judged on the year; the months show where it is lost";
    Some(
        Finding::new("balance.share.months", Severity::Note, about, says, rule)
            .with("limit_percent", percent)
            .with("under", under)
            .with("unknown", unknown)
            .with("coarse", coarse),
    )
}

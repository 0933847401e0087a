//! One month of one meter down to its readings, bills and the counter's decisions.
//!
//! Must never: say that readings give a month which the counter decided otherwise.

use model::{Month, Zone};

use super::{Evidence, MonthEvidence, Node, ReadingFact};
use crate::counter::Decision;
use crate::result::{MeterMonth, MeterYear, MonthSource};

/// A month: what was measured between which bounds, and from what.
pub(super) fn month(meter: &MeterYear, row: &MeterMonth, evidence: &Evidence, zone: Zone) -> Node {
    let unit = meter.meter.carrier.base_unit().display().symbol();
    let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| v.to_string());
    let source = match row.source {
        MonthSource::Meter => "meter",
        MonthSource::Bills => "bills",
        MonthSource::Missing => "missing",
    };
    let node = Node::new("explain.month")
        .with("month", row.month)
        .with("source", source)
        .with("low", show(row.measured_low))
        .with("high", show(row.measured_high))
        .with("coverage", row.coverage_ratio)
        .with("estimated", row.estimated_ratio)
        .worth(row.measured, unit);
    let decisions = meter.record.decisions.iter().filter(|d| touches(d, row.month, zone));
    let acts = meter.record.acts.iter().filter(|a| a.dated.at.month(zone) == row.month);
    let acts = acts.map(|a| {
        Node::new("explain.act").with("at", a.dated.at).with("author", &a.author).with("reason", &a.reason)
    });
    let Some(known) = evidence.get(&(meter.meter.id.clone(), row.month)) else {
        return node.beside(decisions.map(decision)).beside(acts.collect::<Vec<_>>());
    };
    let from = match row.source {
        MonthSource::Meter if 0 < known.readings => readings(meter, row, known, zone),
        MonthSource::Meter | MonthSource::Bills | MonthSource::Missing => Vec::new(),
    };
    let sums = !from.is_empty() && row.measured.is_some();
    let node = if sums { node.sum_of(1.0, from) } else { node };
    let filed = (0 < known.filed).then(|| {
        Node::new("explain.filed")
            .with("count", known.filed)
            .worth(Some(known.filed_amount as f64 / 1000.0), unit)
    });
    let bills = known.bills.iter().map(|b| {
        Node::new("explain.bill")
            .with("from", b.from)
            .with("to", b.to)
            .with("quality", b.quality.code())
            .worth(Some(b.amount as f64 / 1000.0), unit)
    });
    let digest = known
        .digest
        .map(|d| Node::new("explain.readings").with("count", known.readings).with("digest", d.hex()));
    node.beside(decisions.map(decision))
        .beside(acts.collect::<Vec<_>>())
        .beside(filed)
        .beside(bills)
        .beside(digest)
}

/// The month as the difference of its outer readings, the shares of the intervals across its boundaries, and what is
/// left: what the counter decided, what was filled, the gas coefficient.
fn readings(meter: &MeterYear, row: &MeterMonth, known: &MonthEvidence, zone: Zone) -> Vec<Node> {
    let (Some(first), Some(last)) = (known.first, known.last) else { return Vec::new() };
    let Some(measured) = row.measured else { return Vec::new() };
    let unit = meter.meter.carrier.base_unit().display().symbol();
    // Gas at the meter's own conditions becomes standard volume.
    let scale = meter.meter.gas.map_or(1.0, |gas| gas.coefficient.to_f64()) / 1000.0;
    let between = (last.total - first.total) as f64 * scale;
    let mut nodes = vec![
        Node::new("explain.term.readings")
            .with("first_at", first.at)
            .with("first", first.total)
            .with("first_origin", first.origin.code())
            .with("last_at", last.at)
            .with("last", last.total)
            .with("last_origin", last.origin.code())
            .worth(Some(between), unit),
    ];
    let edge = |outer: Option<ReadingFact>, inner: ReadingFact, key: &'static str| {
        let outer = outer?;
        // A total that fell across the boundary is a matter of the decisions.
        let amount = (inner.total - outer.total).abs() as f64 * scale;
        let part = share(outer, inner, row.month, zone)? * amount;
        let rises = (outer.at < inner.at) == (outer.total <= inner.total);
        rises.then(|| Node::new(key).with("at", outer.at).with("total", outer.total).worth(Some(part), unit))
    };
    nodes.extend(edge(known.before, first, "explain.term.before"));
    nodes.extend(edge(known.after, last, "explain.term.after"));
    let sum: f64 = nodes.iter().filter_map(|n| n.value).sum();
    let left = measured - sum;
    nodes.push(Node::new("explain.term.decided").worth(Some(left), unit));
    nodes
}

/// The share of the time between two readings that lies in the month of the inner one.
fn share(outer: ReadingFact, inner: ReadingFact, month: Month, zone: Zone) -> Option<f64> {
    let whole = (inner.at.millis() - outer.at.millis()).abs();
    let (begin, end) = month.bounds(zone);
    let inside = if outer.at < inner.at {
        inner.at.millis() - begin.millis()
    } else {
        end.millis() - inner.at.millis()
    };
    (0 < whole).then(|| (inside as f64 / whole as f64).clamp(0.0, 1.0))
}

fn touches(decision: &Decision, month: Month, zone: Zone) -> bool {
    let (first, last) = (decision.from.month(zone), decision.to.month(zone));
    first <= month && month <= last
}

fn decision(of: &Decision) -> Node {
    Node::new("explain.decision")
        .with("at", of.at)
        .with("explanation", of.explanation.code())
        .with("confidence", of.confidence.code())
        .with("before", of.before)
        .with("seen", of.seen)
        .with("after", of.after)
        .with("booked", of.booked)
}

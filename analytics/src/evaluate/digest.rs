//! The digest of everything a year's figures were computed from, in a form that is the same for the same inputs.
//!
//! Must never: depend on the order in which meters, bills or temperatures were handed over.

use chrono::NaiveDate;
use model::{
    Act, BilledPeriod, Building, DailyTemperature, Digest, Explanation, Instant, MeterAct, MeterFacts,
    MonthValue, OpeningHours, Project, Provenance, Stretch, Terms,
};
use sha2::{Digest as _, Sha256};

use super::{MeterInput, RULES, YearInput};
use crate::balance::SlotSeries;
use crate::baseline::fit::Fit;
use crate::counter::Decision;
use crate::places::{Place, ZoneRules};

/// Fields one after the other; texts and lists with their length before them, so that no two inputs run together.
struct Canon(Sha256);

impl Canon {
    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn count(&mut self, n: usize) {
        self.0.update((n as u64).to_be_bytes());
    }

    fn whole(&mut self, n: i64) {
        self.0.update(n.to_be_bytes());
    }

    fn real(&mut self, x: f64) {
        // Minus zero is zero.
        self.0.update((x + 0.0).to_bits().to_be_bytes());
    }

    fn day(&mut self, day: NaiveDate) {
        self.text(&day.to_string());
    }

    fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.0.update([u8::from(value.is_some())]);
        if let Some(value) = value {
            write(self, value);
        }
    }
}

pub(super) fn provenance(input: &YearInput<'_>) -> Provenance {
    let mut temperatures: Vec<&DailyTemperature> =
        input.temperatures.iter().filter(|t| t.station == input.project.station).collect();
    // Stable: of two for the same day the first stands, here as in the computation.
    temperatures.sort_by_key(|t| t.date);
    let mut meters: Vec<&MeterInput> =
        input.meters.iter().filter(|m| input.project.meters().any(|(_, f)| f.id == m.meter)).collect();
    meters.sort_by(|a, b| a.meter.cmp(&b.meter));
    let instants = |pick: fn(&MeterInput) -> Option<Instant>| {
        let meters = meters.clone();
        meters.into_iter().filter_map(pick)
    };
    Provenance {
        readings: meters.iter().map(|m| m.readings).sum(),
        bills: meters.iter().map(|m| m.bills.len() as u64).sum(),
        temperatures: temperatures.len() as u64,
        first_reading_at: instants(|m| m.first_reading_at).min(),
        last_reading_at: instants(|m| m.last_reading_at).max(),
        inputs: digest(input, &meters, &temperatures),
        catalog: input.catalog,
        rules: RULES,
    }
}

fn digest(input: &YearInput<'_>, meters: &[&MeterInput], temperatures: &[&DailyTemperature]) -> Digest {
    let mut c = Canon(Sha256::new());
    c.text("consuntivo inputs");
    c.text(RULES);
    c.0.update(input.catalog.0);
    c.whole(i64::from(input.year));
    c.day(input.until);
    project(&mut c, &input.project);
    c.count(meters.len());
    for m in meters {
        meter(&mut c, m);
    }
    days(&mut c, temperatures);
    c.maybe(input.neighbour.as_ref(), |c, (station, list)| {
        let mut list: Vec<&DailyTemperature> = list.iter().filter(|t| t.station == *station).collect();
        list.sort_by_key(|t| t.date);
        c.text(station.as_str());
        days(c, &list);
    });
    let mut places: Vec<&(Place, ZoneRules)> = input.places.iter().collect();
    places.sort_by(|a, b| a.0.istat.cmp(&b.0.istat));
    c.count(places.len());
    for (of, rules) in places {
        place(&mut c, of, rules);
    }
    // Only where there are: digests of projects without accepted baselines stay what they were.
    let mut frozen: Vec<_> = input.frozen.iter().collect();
    frozen.sort_by(|a, b| a.meter.cmp(&b.meter));
    for f in frozen {
        c.text("accepted baseline");
        c.text(f.meter.as_str());
        c.0.update(f.inputs.0);
        c.text(f.fitted.law.method);
        let doubt = f.fitted.doubt.iter().flat_map(|doubt| [&doubt.coldest, &doubt.warmest]);
        for law in [&f.fitted.law].into_iter().chain(doubt) {
            fit(&mut c, law);
        }
        for former in &f.replaced {
            c.text("replaced");
            c.0.update(former.inputs.0);
            c.text(&former.reason);
        }
    }
    // Only where there are.
    let mut adjustments: Vec<_> = input.adjustments.iter().collect();
    adjustments.sort_by_key(|a| a.number);
    for a in adjustments {
        c.text("adjustment");
        c.text(a.meter.as_str());
        c.day(a.from);
        c.day(a.to);
        c.real(a.energy);
        c.text(&a.author);
        c.text(&a.reason);
    }
    Digest(c.0.finalize().into())
}

/// Everything of a law that a prediction or its band depends on.
fn fit(c: &mut Canon, law: &Fit) {
    c.real(law.freedom);
    c.count(law.members.len());
    for member in &law.members {
        let model = &member.model;
        c.real(member.weight);
        c.real(model.base_per_day);
        c.real(model.heating_per_degree_day);
        c.maybe(model.heating_balance_c, Canon::real);
        c.real(model.cooling_per_degree_day);
        c.maybe(model.cooling_balance_c, Canon::real);
        c.real(member.variance_per_day * member.inflation);
        c.maybe(member.closure, |c, closure| {
            c.whole(i64::from(closure.from));
            c.whole(i64::from(closure.days));
            c.real(closure.left);
        });
        member.leverage.0.iter().flatten().for_each(|x| c.real(*x));
    }
    // Only where there is one.
    if let Some(driving) = law.driving.as_deref() {
        c.text("driving");
        c.count(driving.terms.len());
        for term in &driving.terms {
            c.text(term.driver.code());
            c.real(term.coefficient);
            term.usual.iter().for_each(|x| c.real(*x));
        }
        driving.inverse.iter().flatten().for_each(|x| c.real(*x));
    }
}

fn days(c: &mut Canon, temperatures: &[&DailyTemperature]) {
    c.count(temperatures.len());
    for t in temperatures {
        c.day(t.date);
        c.real(t.mean_c);
        c.text(t.definition.code());
        c.text(t.source.code());
    }
}

fn place(c: &mut Canon, place: &Place, rules: &ZoneRules) {
    for text in [&place.istat, &place.name, place.zone.letter()] {
        c.text(text);
    }
    c.whole(i64::from(place.degree_days));
    c.maybe(rules.season, |c, season| {
        for n in [season.from.month, season.from.day, season.to.month, season.to.day, season.hours_per_day] {
            c.whole(i64::from(n));
        }
    });
}

fn project(c: &mut Canon, p: &Project) {
    for text in
        [p.id.as_str(), &p.title, &p.cup, p.scheme.as_str(), p.factor_set.as_str(), p.station.as_str()]
    {
        c.text(text);
    }
    c.text(p.zone.name());
    let b = &p.beneficiary;
    for text in [&b.name, &b.tax_code, &b.legal_representative] {
        c.text(text);
    }
    let d = &p.dates;
    for day in [d.baseline_from, d.baseline_to, d.works_from, d.completed] {
        c.day(day);
    }
    c.maybe(d.expenses_closed, Canon::day);
    c.maybe(d.final_payment, Canon::day);
    c.maybe(p.facility, |c, euro| c.whole(euro.cents));
    c.count(p.declared.len());
    for declared in &p.declared {
        c.text(&declared.kpi);
        c.real(declared.value);
        c.text(&declared.source);
    }
    c.count(p.buildings.len());
    for b in &p.buildings {
        building(c, b);
    }
    // Only where they are: digests of projects without terms stay what they were.
    if p.terms != Terms::default() {
        terms(c, &p.terms);
    }
}

fn terms(c: &mut Canon, terms: &Terms) {
    c.text("terms");
    c.text(terms.reference.code());
    c.text(terms.baseline.code());
    c.count(terms.factors.len());
    for f in &terms.factors {
        c.text(f.carrier.code());
        c.text(f.kind.code());
        c.real(f.value);
        c.text(&f.source);
    }
    c.count(terms.tariffs.len());
    for t in &terms.tariffs {
        c.text(t.carrier.code());
        c.maybe(t.meter.as_ref(), |c, meter| c.text(meter.as_str()));
        c.day(t.from);
        c.maybe(t.to, Canon::day);
        c.whole(t.microeuro_per_unit);
        c.text(&t.source);
    }
    c.count(terms.plants.len());
    for p in &terms.plants {
        c.text(&p.name);
        c.text(p.carrier.code());
        c.real(p.nominal_kw);
        c.day(p.in_service);
        c.maybe(p.running_hours, Canon::real);
        c.text(&p.source);
    }
    c.count(terms.stated.len());
    for s in &terms.stated {
        c.text(&s.kpi);
        c.real(s.value);
        c.text(&s.source);
    }
    // Only where there are.
    terms.drivers.iter().for_each(|driver| c.text(driver.code()));
}

fn slots(c: &mut Canon, series: &SlotSeries) {
    c.text("slots");
    c.text(series.length.code());
    c.whole(series.from.millis());
    c.count(series.slots.len());
    for s in &series.slots {
        for n in [s.amount, s.low, s.high, s.edge, s.missing_most, i64::from(s.measured)] {
            c.whole(n);
        }
    }
}

fn building(c: &mut Canon, b: &Building) {
    for text in [b.id.as_str(), &b.name, &b.municipality, &b.istat_code, &b.address, &b.usage_profile] {
        c.text(text);
    }
    c.real(b.floor_area_m2);
    c.real(b.gross_volume_m3);
    c.maybe(b.ape_code.as_deref(), Canon::text);
    c.count(b.uses.len());
    for u in &b.uses {
        c.text(&u.category);
        c.real(u.floor_area_m2);
    }
    // Only where it is: digests of projects without a calendar stay what they were.
    if !b.opening.is_empty() {
        opening(c, &b.opening);
    }
    c.count(b.meters.len());
    for m in &b.meters {
        facts(c, m);
    }
}

fn opening(c: &mut Canon, entries: &[OpeningHours]) {
    c.text("opening");
    c.count(entries.len());
    for entry in entries {
        c.day(entry.from);
        c.maybe(entry.to, Canon::day);
        c.maybe(entry.season, stretch);
        entry.week.iter().for_each(|open| c.whole(i64::from(*open)));
        c.real(entry.hours_per_day);
        c.count(entry.closed.len());
        entry.closed.iter().for_each(|closed| stretch(c, *closed));
        c.whole(i64::from(entry.open_on_holidays));
    }
}

fn stretch(c: &mut Canon, of: Stretch) {
    match of {
        Stretch::Once(from, to) => {
            c.day(from);
            c.day(to);
        }
        Stretch::EveryYear(from, to) => {
            for n in [from.month, from.day, to.month, to.day] {
                c.whole(i64::from(n));
            }
        }
    }
}

fn facts(c: &mut Canon, m: &MeterFacts) {
    for text in [m.id.as_str(), &m.name, m.carrier.code(), m.direction.code(), m.role.code()] {
        c.text(text);
    }
    c.maybe(m.supply_point.as_deref(), Canon::text);
    c.real(m.ceiling_per_hour);
    c.maybe(m.wraps_at, Canon::whole);
    // Only where it is: digests of projects without gas meters stay what they were.
    if let Some(gas) = m.gas {
        c.text("gas");
        c.whole(gas.coefficient.millionths());
    }
    c.maybe(m.serial.as_deref(), Canon::text);
    c.maybe(m.accuracy_class.as_deref(), Canon::text);
    // Only where it is: digests of projects without sub-meters stay what they were.
    if let Some(parent) = &m.parent {
        c.text("parent");
        c.text(parent.as_str());
    }
}

fn meter(c: &mut Canon, m: &MeterInput) {
    c.text(m.meter.as_str());
    c.text(m.months.unit.display().symbol());
    c.count(m.months.months.len());
    for v in &m.months.months {
        month(c, v);
    }
    if let Some(series) = &m.slots {
        slots(c, series);
    }
    let mut bills: Vec<&BilledPeriod> = m.bills.iter().collect();
    bills.sort_by_key(|b| (&b.supply_point, b.from, b.to, b.quality, b.amount, b.unit));
    c.count(bills.len());
    for b in bills {
        c.text(&b.supply_point);
        c.day(b.from);
        c.day(b.to);
        c.whole(b.amount);
        c.text(b.unit.display().symbol());
        c.text(b.quality.code());
    }
    let mut findings: Vec<_> = m.findings.iter().collect();
    findings.sort_by(|a, b| (a.month, &a.finding).cmp(&(b.month, &b.finding)));
    c.count(m.still.len());
    for (month, millis) in &m.still {
        c.text(&month.to_string());
        c.whole(*millis);
    }
    let weighty =
        |d: &&Decision| d.is_standing() || (d.explanation == Explanation::Standstill && d.by_person);
    for d in m.decisions.iter().filter(weighty) {
        c.text(if d.by_person { "stood" } else { "stands" });
        c.whole(d.from.millis());
        c.whole(d.to.millis());
    }
    let mut acts: Vec<_> = m.acts.iter().collect();
    acts.sort_by_key(|a| (a.dated, a.recorded_at));
    c.count(acts.len());
    for a in acts {
        act(c, a);
    }
    c.count(findings.len());
    for f in findings {
        c.text(f.finding.code);
        c.text(f.finding.severity.code());
        c.text(&f.finding.subject);
        c.text(&f.finding.says);
    }
}

fn act(c: &mut Canon, a: &MeterAct) {
    c.whole(a.dated.at.millis());
    match a.dated.act {
        Act::Explained(explanation) => c.text(explanation.code()),
        Act::Exchanged { closing, opening } => {
            c.text("exchanged");
            c.maybe(closing, Canon::whole);
            c.maybe(opening, Canon::whole);
        }
        Act::Corrected { total } => {
            c.text("corrected");
            c.whole(total);
        }
    }
    c.text(&a.author);
    c.text(&a.reason);
}

fn month(c: &mut Canon, v: &MonthValue) {
    c.text(&v.month.to_string());
    c.whole(v.amount);
    c.whole(v.low);
    c.maybe(v.high, Canon::whole);
    c.real(v.coverage_ratio);
    c.real(v.estimated_ratio);
    c.maybe(v.joint, |c, joint| {
        c.maybe(joint.high, Canon::whole);
        let edges = [joint.begins.less, joint.begins.more, joint.ends.less, joint.ends.more];
        for n in [joint.low, joint.step].into_iter().chain(edges) {
            c.whole(n);
        }
    });
}

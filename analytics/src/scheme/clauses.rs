//! The clauses of a scheme, judged one by one on facts with their evidence.
//!
//! Must never: call a clause met without a fact that shows it, or not met where even the best estimate would meet it.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{Datelike, NaiveDate};
use model::{Carrier, Direction, Event, MeterRole, Project};

use super::KpiMeasure;
use crate::balance::{Vector, of_project};
use crate::certificate::{ape_year, is_ape_code};
use crate::result::{MeterYear, ProjectYear};
use crate::text::Texts;

/// Where a fact comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Follows from the project file.
    Project,
    /// Follows from a year's figures.
    Measured,
    /// A person states it, with the document that shows it.
    Stated,
}

/// A fact that clauses can be held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactDef {
    pub code: &'static str,
    /// Unit of its value; `yes` for what is or is not.
    pub unit: &'static str,
    pub origin: Origin,
}

/// Most decimals with which what is held against a clause is written.
pub const DECIMALS_MAX: usize = 6;

impl FactDef {
    /// Decimals of its unit: what is counted has none, and so have whole kWh and hours.
    #[must_use]
    pub fn decimals(&self) -> usize {
        match self.unit {
            "yes" | "buildings" | "kWh" | "h" => 0,
            _ => 2,
        }
    }
}

/// Halves go up, as people round.
fn rounded(value: f64, decimals: usize) -> f64 {
    let scale = 10_f64.powi(i32::try_from(decimals).unwrap_or(0));
    let scaled = value * scale;
    if scaled.abs() < 1e15 { (scaled * (1.0 + 2.0 * f64::EPSILON)).round() / scale } else { value }
}

const fn fact(code: &'static str, unit: &'static str, origin: Origin) -> FactDef {
    FactDef { code, unit, origin }
}

/// Every fact there is.
pub const FACTS: &[FactDef] = &[
    fact("costs_eur", "EUR", Origin::Project),
    fact("facility_eur", "EUR", Origin::Project),
    fact("facility_percent", "%", Origin::Project),
    fact("declared_saving_per_euro", "kWh/EUR", Origin::Project),
    fact("works_months", "months", Origin::Project),
    fact("term_months", "months", Origin::Project),
    fact("buildings_without_ape", "buildings", Origin::Project),
    fact("measured_saving_per_euro", "kWh/EUR", Origin::Measured),
    fact("primary_energy_saved_kwh", "kWh", Origin::Measured),
    fact("self_consumed_percent", "%", Origin::Measured),
    fact("heat_unused_percent", "%", Origin::Measured),
    fact("electric_power_percent", "%", Origin::Measured),
    fact("renewable_power_kw", "kW", Origin::Stated),
    fact("running_hours", "h", Origin::Stated),
    fact("technical_costs_percent", "%", Origin::Stated),
    fact("ape_cost_eur", "EUR", Origin::Stated),
    fact("ape_cost_eur_per_m2", "EUR/m2", Origin::Stated),
    fact("public_share_percent", "%", Origin::Stated),
    fact("economic_use_percent", "%", Origin::Stated),
    fact("admitted_expenses_eur", "EUR", Origin::Stated),
    fact("minimum_requirements", "yes", Origin::Stated),
    fact("safety_assessed", "yes", Origin::Stated),
    fact("not_oil_fired", "yes", Origin::Stated),
    fact("ape_shows_reduction", "yes", Origin::Stated),
    fact("not_renewables_alone", "yes", Origin::Stated),
    fact("no_earlier_grant", "yes", Origin::Stated),
    fact("assets_kept", "yes", Origin::Stated),
    fact("owner_authorised", "yes", Origin::Stated),
    fact("savings_estimated", "yes", Origin::Stated),
];

/// The definition of a fact.
#[must_use]
pub fn fact_of(code: &str) -> Option<&'static FactDef> {
    FACTS.iter().find(|f| f.code == code)
}

/// What is known of a fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// What counts: of a measured figure the bound that is worse for the beneficiary.
    pub value: f64,
    /// What it may be at best: of a figure the bound of what was not measured that is better for the beneficiary. The
    /// same for what is not measured at all.
    pub best: f64,
    /// Where this value comes from: a person may state what could have been measured.
    pub origin: Origin,
    /// Where it stands or how it came about.
    pub evidence: Evidence,
}

/// Where a fact stands or how it came about: a text with values, or a person's own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Name of its text, `evidence.<name>`; empty where `says` is a person's.
    text: &'static str,
    values: Vec<(&'static str, String)>,
    /// In plain English, or as the person said it.
    says: String,
}

impl Evidence {
    /// What a person named.
    #[must_use]
    pub fn of_person(says: impl Into<String>) -> Self {
        Self { text: "", values: Vec::new(), says: says.into() }
    }

    fn new(text: &'static str, says: impl Into<String>) -> Self {
        Self { text, values: Vec::new(), says: says.into() }
    }

    fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// In the language of `texts`.
    #[must_use]
    pub fn told(&self, texts: &Texts) -> String {
        let key = format!("evidence.{}", self.text);
        if self.text.is_empty() || texts.find(&key).is_none() {
            return self.says.clone();
        }
        texts.fill_shown(&key, &self.values)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

/// Facts by code.
pub type Facts = BTreeMap<&'static str, Known>;

/// What a clause asks of a fact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    AtLeast(f64),
    AtMost(f64),
    /// Both ends included.
    Between(f64, f64),
    /// That it is so.
    Yes,
}

impl Test {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => limit <= value,
            Self::AtMost(limit) => value <= limit,
            Self::Between(from, to) => from <= value && value <= to,
            // Yes is 1, no is 0.
            Self::Yes => 0.5 < value,
        }
    }
}

/// One clause of an act.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    pub id: String,
    /// Key of its sentence in the texts.
    pub text: String,
    pub fact: &'static FactDef,
    pub test: Test,
    pub citation: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClauseVerdict {
    Met,
    NotMet,
    /// No fact, or one that shows neither.
    Unknown,
}

impl ClauseVerdict {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "not_met",
            Self::Unknown => "unknown",
        }
    }
}

/// A clause with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub clause: Clause,
    pub verdict: ClauseVerdict,
    pub value: Option<f64>,
    /// Where the value comes from; `None` where nothing is known.
    pub origin: Option<Origin>,
    /// In English, or as a person said it; empty where nothing is known.
    pub evidence: String,
    /// The same for a reader of any language.
    pub basis: Evidence,
}

impl Judged {
    /// The value as everyone is shown it: with the decimals of its unit, and with more where rounding would tell the other
    /// verdict (39.996 % is not shown as 40 % beside a limit of 40 %).
    #[must_use]
    pub fn shown(&self) -> Option<f64> {
        let value = self.value?;
        let (test, least) = (self.clause.test, self.clause.fact.decimals());
        let mut tried = (least..=DECIMALS_MAX).map(|decimals| rounded(value, decimals));
        Some(tried.find(|shown| test.holds(*shown) == test.holds(value)).unwrap_or(value))
    }
}

/// Judges every clause, in the order of the scheme.
#[must_use]
pub fn judge(clauses: &[Clause], facts: &Facts) -> Vec<Judged> {
    clauses
        .iter()
        .map(|clause| {
            let known = facts.get(clause.fact.code);
            let verdict = match known {
                Some(known) if clause.test.holds(known.value) => ClauseVerdict::Met,
                Some(known) if !clause.test.holds(known.best) => ClauseVerdict::NotMet,
                Some(_) | None => ClauseVerdict::Unknown,
            };
            Judged {
                clause: clause.clone(),
                verdict,
                value: known.map(|k| k.value),
                origin: known.map(|k| k.origin),
                evidence: known.map(|k| k.evidence.to_string()).unwrap_or_default(),
                basis: known.map(|k| k.evidence.clone()).unwrap_or_default(),
            }
        })
        .collect()
}

/// What is known of a project, with a year's figures where there are any. A computed fact stands before a stated one.
#[must_use]
pub fn gather(project: &Project, declared_saving: Option<&str>, year: Option<&ProjectYear>) -> Facts {
    let mut facts = Facts::new();
    for statement in &project.grant.statements {
        if let Some(def) = fact_of(&statement.fact) {
            let (value, evidence) = (statement.value, Evidence::of_person(&statement.source));
            if value.is_finite() {
                facts.insert(def.code, Known { value, best: value, origin: Origin::Stated, evidence });
            }
        }
    }
    of_plants(&mut facts, project);
    of_money(&mut facts, project, declared_saving);
    of_time(&mut facts, project);
    of_certificates(&mut facts, project);
    if let Some(year) = year {
        of_year(&mut facts, year);
    }
    facts
}

/// Buildings without a certificate from before the works. A code without the form of one is none, nor is one of a year
/// after the works began; of one of that very year nobody knows, and it may count at best. A code that tells no year is
/// what the file says it is.
fn of_certificates(facts: &mut Facts, project: &Project) {
    let begun = project.dates.works_from;
    let (mut without, mut doubtful, mut named) = (0_u32, 0_u32, Vec::new());
    for building in &project.buildings {
        let Some(code) = building.ape_code.as_deref() else {
            without += 1;
            continue;
        };
        let year = ape_year(code);
        if is_ape_code(code) && year.is_none_or(|year| year < begun.year()) {
            continue;
        }
        if year == Some(begun.year()) {
            doubtful += 1;
        } else {
            without += 1;
        }
        named.push(format!("{} ({code})", building.name));
    }
    let evidence = if named.is_empty() {
        in_file("ape_code")
    } else {
        let codes = named.join(", ");
        let says = format!(
            "no code of a certificate made before the works of {begun}, by its form or its year: {codes}"
        );
        Evidence::new("ape", says).with("from", begun).with("codes", codes)
    };
    let known = Known {
        value: f64::from(without + doubtful),
        best: f64::from(without),
        origin: Origin::Project,
        evidence,
    };
    facts.insert("buildings_without_ape", known);
}

/// Power and hours of the plants that make electricity, where every one of them states its hours: together they run as
/// many hours as their energy is of their power.
fn of_plants(facts: &mut Facts, project: &Project) {
    let is_electric = |c: Carrier| matches!(c, Carrier::OnSitePv | Carrier::SmallWind | Carrier::SmallHydro);
    let plants = || project.terms.plants.iter().filter(|p| is_electric(p.carrier));
    let power_kw: f64 = plants().map(|p| p.nominal_kw).sum();
    let energy_kwh: Option<f64> = plants().map(|p| Some(p.nominal_kw * p.running_hours?)).sum();
    if power_kw <= 0.0 {
        return;
    }
    put(facts, "renewable_power_kw", power_kw, in_file("plant.nominal_kw"));
    if let Some(energy_kwh) = energy_kwh {
        put(facts, "running_hours", energy_kwh / power_kw, in_file("plant.running_hours"));
    }
}

/// A value that the project file states under this key.
fn in_file(key: &str) -> Evidence {
    Evidence::new("file", format!("project file, `{key}`"))
}

fn put(facts: &mut Facts, code: &'static str, value: f64, evidence: Evidence) {
    if value.is_finite() {
        facts.insert(code, Known { value, best: value, origin: Origin::Project, evidence });
    }
}

fn of_money(facts: &mut Facts, project: &Project, declared_saving: Option<&str>) {
    if let Some(costs) = project.grant.costs {
        put(facts, "costs_eur", costs.as_f64(), in_file("grant.costs_eur"));
    }
    let Some(facility) = project.facility.map(model::Euro::as_f64).filter(|f| 0.0 < *f) else { return };
    put(facts, "facility_eur", facility, in_file("facility_eur"));
    if let Some(costs) = project.grant.costs.map(model::Euro::as_f64).filter(|c| 0.0 < *c) {
        let evidence = Evidence::new("share", format!("{facility} of {costs} EUR"));
        let evidence = evidence.with("facility", facility).with("costs", costs);
        put(facts, "facility_percent", 100.0 * facility / costs, evidence);
    }
    let declared = project.declared.iter().find(|d| Some(d.kpi.as_str()) == declared_saving);
    if let Some(declared) = declared {
        let evidence = Evidence::of_person(&declared.source);
        put(facts, "declared_saving_per_euro", declared.value * 1000.0 / facility, evidence);
    }
}

fn of_time(facts: &mut Facts, project: &Project) {
    let events = project.events();
    let mut months = |code, from: Event, to: Event| {
        if let (Some(first), Some(last)) = (events.get(&from), events.get(&to))
            && first <= last
        {
            // A day more than so many months is more than them.
            let whole = (last.year() - first.year()) * 12 + last.month() as i32 - first.month() as i32;
            let value = f64::from(whole) + (f64::from(last.day()) - f64::from(first.day())) / 31.0;
            put(facts, code, value, between(*first, *last));
        }
    };
    months("works_months", Event::GrantNotice, Event::Completion);
    let term = (events.get(&Event::TermFrom), events.get(&Event::TermTo));
    if let (Some(first), Some(last)) = term
        && let Some(end) = last.succ_opt()
        && first <= last
    {
        let whole = (end.year() - first.year()) * 12 + end.month() as i32 - first.month() as i32;
        let value = f64::from(whole) + (f64::from(end.day()) - f64::from(first.day())) / 31.0;
        put(facts, "term_months", value, between(*first, *last));
    }
}

fn between(first: NaiveDate, last: NaiveDate) -> Evidence {
    Evidence::new("days", format!("{first} to {last}")).with("from", first).with("to", last)
}

fn in_year(year: &ProjectYear) -> Evidence {
    Evidence::new("year", format!("figures of {}", year.year)).with("year", year.year)
}

fn of_year(facts: &mut Facts, year: &ProjectYear) {
    let kpi = |measure: KpiMeasure| {
        let found = year.kpis.iter().find(|k| k.definition.measure == measure)?;
        Some((found.achieved?, found.better?, found))
    };
    if let Some((value, best, _)) = kpi(KpiMeasure::PrimaryEnergySavedPerEuro) {
        let evidence = in_year(year);
        facts.insert("measured_saving_per_euro", Known { value, best, origin: Origin::Measured, evidence });
    }
    if let Some((value, best, found)) = kpi(KpiMeasure::PrimaryEnergySaved) {
        let kwh = found.definition.unit.kwh().unwrap_or(f64::NAN);
        let evidence = in_year(year);
        if kwh.is_finite() {
            let origin = Origin::Measured;
            let known = Known { value: value * kwh, best: best * kwh, origin, evidence };
            facts.insert("primary_energy_saved_kwh", known);
        }
    }
    if let Some((value, best, _)) = kpi(KpiMeasure::SelfConsumedShare) {
        let evidence = worst_month(year, Vector::Electricity).map_or_else(
            || in_year(year),
            |(month, share)| {
                let says = format!("figures of {}, worst month {month} with {share:.1} %", year.year);
                let share = format!("{share:.1}");
                Evidence::new("worst_month", says)
                    .with("year", year.year)
                    .with("month", month)
                    .with("share", share)
            },
        );
        facts.insert("self_consumed_percent", Known { value, best, origin: Origin::Measured, evidence });
    }
    if let Some(percent) = heat_unused(year) {
        facts.insert("heat_unused_percent", percent);
    }
    let stated = |code: &str| facts.get(code).map(|k| k.value);
    let rated = (stated("renewable_power_kw"), stated("running_hours"), grid_use(year));
    if let (Some(power_kw), Some(hours), Some((low, best))) = rated
        && 0.0 < low
    {
        let percent = |grid_kwh: f64| 100.0 * power_kw * hours / grid_kwh;
        let (power, running) = (rounded(power_kw, 2), rounded(hours, 0));
        let says = format!("{power} kW, {running} h, {best:.0} kWh from the grid in {}", year.year);
        let evidence = Evidence::new("power", says).with("year", year.year).with("power", power);
        let evidence = evidence.with("hours", running).with("energy", format!("{best:.0}"));
        let origin = Origin::Measured;
        let known = Known { value: percent(low), best: percent(best), origin, evidence };
        facts.insert("electric_power_percent", known);
    }
}

fn counted(year: &ProjectYear) -> impl Iterator<Item = &MeterYear> {
    year.meters.iter().filter(|m| m.meter.role != MeterRole::Sub)
}

/// The reporting month with the smallest share of the production used on site, in percent, by the bound that is worse.
fn worst_month(year: &ProjectYear, vector: Vector) -> Option<(model::Month, f64)> {
    let balance = of_project(&year.balances, vector).filter(|b| b.has_export)?;
    let months = balance.months.iter().filter(|m| m.reporting);
    months
        .filter_map(|m| Some((m.month, 100.0 * m.balance.share()?.worse)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Heat made on site and given away, of all that was made, in percent; only where both are metered for the whole year.
fn heat_unused(year: &ProjectYear) -> Option<Known> {
    let balance = of_project(&year.balances, Vector::Heat).filter(|b| b.has_export && b.has_production)?;
    let whole = balance.months.iter().all(|m| m.reporting && 0.0 < m.balance.measured_ratio);
    let share = balance.reporting.share().filter(|_| whole)?;
    let kwh = |wh: i64| wh as f64 / 1000.0;
    let (made, given) = (kwh(balance.reporting.produced.amount), kwh(balance.reporting.exported.amount));
    let says = format!("{made:.0} kWh of heat made, {given:.0} kWh given away in {}", year.year);
    let worst = worst_month(year, Vector::Heat);
    let worst =
        worst.map_or_else(|| "–".to_owned(), |(month, share)| format!("{month}: {:.1} %", 100.0 - share));
    let evidence = Evidence::new("heat", says).with("year", year.year).with("worst", worst);
    Some(Known {
        value: 100.0 * (1.0 - share.worse),
        best: 100.0 * (1.0 - share.high),
        origin: Origin::Measured,
        evidence: evidence.with("made", format!("{made:.0}")).with("given", format!("{given:.0}")),
    })
}

/// Electricity drawn from the grid in the year, low bound and best, in kWh; only for a whole year.
fn grid_use(year: &ProjectYear) -> Option<(f64, f64)> {
    let meters = || {
        counted(year)
            .filter(|m| m.meter.carrier == Carrier::GridElectricity && m.meter.direction == Direction::Import)
    };
    meters().next()?;
    let low = meters().flat_map(|m| &m.months).map(|m| m.measured_low).sum::<Option<f64>>()?;
    // Of a year that is reported as a whole the sum is known better than its months.
    let low =
        low + meters().filter(|m| m.totals.reporting_months == 12).map(|m| m.totals.joint_low).sum::<f64>();
    let best = meters().flat_map(|m| &m.months).map(|m| m.measured).sum::<Option<f64>>()?;
    Some((low, best))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(test: Test) -> Clause {
        let fact = fact_of("costs_eur").unwrap();
        Clause { id: "c".into(), text: "t".into(), fact, test, citation: "§".into() }
    }

    fn verdict(test: Test, known: Option<(f64, f64)>) -> ClauseVerdict {
        let known = known.map(|(value, best)| {
            ("costs_eur", Known { value, best, origin: Origin::Project, evidence: Evidence::of_person("e") })
        });
        judge(&[clause(test)], &known.into_iter().collect())[0].verdict
    }

    #[test]
    fn nothing_known_is_neither_met_nor_missed() {
        for test in [Test::AtLeast(1.0), Test::AtMost(1.0), Test::Between(0.0, 1.0), Test::Yes] {
            assert_eq!(verdict(test, None), ClauseVerdict::Unknown);
        }
    }

    #[test]
    fn what_counts_must_meet_it_and_only_a_sure_miss_is_a_miss() {
        use ClauseVerdict::{Met, NotMet, Unknown};
        for (test, value, best, wanted) in [
            (Test::AtLeast(0.4), 0.4, 0.5, Met),
            (Test::AtLeast(0.4), 0.39, 0.41, Unknown),
            (Test::AtLeast(0.4), 0.2, 0.39, NotMet),
            (Test::AtMost(20.0), 20.0, 10.0, Met),
            (Test::AtMost(20.0), 20.1, 19.0, Unknown),
            (Test::AtMost(20.0), 30.0, 21.0, NotMet),
            (Test::Between(12.0, 15.0), 12.0, 12.0, Met),
            (Test::Between(12.0, 15.0), 15.01, 15.01, NotMet),
            (Test::Yes, 1.0, 1.0, Met),
            (Test::Yes, 0.0, 0.0, NotMet),
        ] {
            assert_eq!(verdict(test, Some((value, best))), wanted, "{test:?} {value} {best}");
        }
    }

    #[test]
    fn what_a_fact_rests_on_is_told_in_the_readers_language_and_a_persons_words_stay() {
        let day = |text: &str| text.parse().unwrap();
        let texts = Texts::new("it", [("evidence.days".to_owned(), "dal {from} al {to}".to_owned())].into());
        let days = between(day("2024-03-01"), day("2025-02-28"));
        assert_eq!(days.told(&texts), "dal 01/03/2024 al 28/02/2025");
        assert_eq!(days.to_string(), "2024-03-01 to 2025-02-28");
        // A text that the catalogue does not have is seen in English.
        assert_eq!(in_file("facility_eur").told(&texts), "project file, `facility_eur`");
        assert_eq!(Evidence::of_person("perizia 2024-03-01").told(&texts), "perizia 2024-03-01");
    }

    #[test]
    fn a_value_is_shown_with_the_decimals_of_its_unit_and_never_tells_the_other_verdict() {
        let shown = |fact: &str, test, value: f64| {
            let fact = fact_of(fact).unwrap();
            let known =
                Known { value, best: value, origin: Origin::Measured, evidence: Evidence::of_person("e") };
            let clause = Clause { fact, ..clause(test) };
            judge(&[clause], &[(fact.code, known)].into())[0].shown().unwrap().to_string()
        };
        let percent = |test, value| shown("self_consumed_percent", test, value);
        assert_eq!(percent(Test::AtLeast(80.0), 22.049_036_873_666_14), "22.05");
        assert_eq!(percent(Test::AtLeast(80.0), 79.995_1), "79.995");
        assert_eq!(percent(Test::AtLeast(80.0), 79.999_999_9), "79.9999999");
        assert_eq!(percent(Test::AtMost(20.0), 20.001_2), "20.001");
        assert_eq!(percent(Test::AtLeast(80.0), 80.001_2), "80");
        assert_eq!(shown("running_hours", Test::AtLeast(1000.0), 1_199.999_999_999), "1200");
        assert_eq!(shown("running_hours", Test::AtLeast(1200.0), 1_199.7), "1199.7");
        assert_eq!(shown("costs_eur", Test::AtLeast(1.0), 12_345.670_000_1), "12345.67");
    }

    #[test]
    fn facts_have_codes_of_their_own() {
        let mut codes: Vec<_> = FACTS.iter().map(|f| f.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), FACTS.len());
    }
}

//! Project files: what a beneficiary declares about one funded intervention, read and checked.
//!
//! Must never: accept a project with a problem, or stop at the first one.

use std::collections::BTreeMap;
use std::path::Path;

use analytics::factors::{FactorSet, Factors};
use analytics::scheme::{CountsFrom, KpiMeasure, Scheme};
use chrono::{Days, NaiveDate};
use model::{
    Beneficiary, Carrier, DeclaredValue, Euro, Event, FactorKind, FactorSetId, Finding, MeterRole, Project,
    ProjectDates, ProjectId, SchemeId, Severity, StationId,
};

use crate::catalog::Catalog;
use crate::error::{ConfigError, read_text};
use crate::reader::{At, Problem, Source, Table, list, nearest};

mod building;
pub mod codes;
pub mod grant;
mod opening;
mod terms;

/// What is wrong at one place of a project file, and what to do about it.
pub type ProjectProblem = Problem;

/// Largest project file in bytes.
pub const PROJECT_BYTES_MAX: u64 = 1024 * 1024;
/// How far the parts of a declared value may be from it, as a share: their rounding.
const PARTS_TOLERANCE: f64 = 1e-3;
/// Most declared values of one project.
const DECLARED_MAX: usize = 100;
/// Largest facility in euro.
const FACILITY_EUR_MAX: f64 = 1e9;
/// Shortest baseline that can show every season, in days.
const BASELINE_DAYS_MIN: i64 = 365;

/// Reads a project file from disk.
pub fn load_project(path: &Path, catalog: &Catalog) -> Result<(Project, Vec<Finding>), ConfigError> {
    let text = read_text(path, PROJECT_BYTES_MAX)?;
    parse_project(&text, catalog)
        .map_err(|problems| ConfigError::Problems { path: path.to_owned(), problems })
}

/// Reads a project file. Findings are what a person should look at although the project can be used;
/// problems are all that keep it from being used, in order of the file.
pub fn parse_project(text: &str, catalog: &Catalog) -> Result<(Project, Vec<Finding>), Vec<ProjectProblem>> {
    let source = Source::new(text, &[]);
    let root = source.parse();
    let read = root.as_ref().and_then(|root| read(&source, &Table::root(&source, root), catalog));
    let (problems, _) = source.finish();
    match read {
        Some(read) if problems.is_empty() => Ok(read),
        _ => Err(problems),
    }
}

/// The table `[project]`, with the catalogue's files that it names.
struct Head<'c> {
    id: Option<ProjectId>,
    title: Option<String>,
    cup: Option<String>,
    scheme: Option<&'c Scheme>,
    factor_set: Option<&'c FactorSet>,
    facility: Option<Euro>,
    zone: Option<model::Zone>,
    station: Option<StationId>,
}

fn read(source: &Source<'_>, root: &Table<'_, '_>, catalog: &Catalog) -> Option<(Project, Vec<Finding>)> {
    let head = root.table("project").map(|table| read_head(source, &table, catalog));
    let beneficiary = root.table("beneficiary").and_then(|table| read_beneficiary(&table));
    let scheme = head.as_ref().and_then(|h| h.scheme);
    let buildings = building::read_all(source, root, catalog);
    let declared: Vec<_> =
        root.tables("declared", DECLARED_MAX).iter().map(|t| read_declared(source, t, scheme)).collect();
    check_declared_once(source, root, &declared);
    let grant = grant::read(source, root);
    let campaign_last = grant.as_ref().and_then(|grant| grant.dates.get(&Event::TermTo).copied());
    let works = match scheme {
        Some(scheme) if scheme.is_campaign() => Works::None { campaign_last },
        _ => Works::Stated,
    };
    let dates = root.table("dates").and_then(|table| read_dates(source, &table, works));
    let terms = terms::read(source, root, scheme);
    root.finish();
    let head = head?;
    let set = head.factor_set?;
    let scheme = scheme?;
    let project = Project {
        id: head.id?,
        title: head.title?,
        cup: head.cup?,
        scheme: scheme.id.clone(),
        factor_set: set.id.clone(),
        beneficiary: beneficiary?,
        dates: dates?,
        facility: head.facility,
        zone: head.zone?,
        station: head.station?,
        buildings: buildings?,
        declared: declared.into_iter().collect::<Option<_>>()?,
        grant: grant?,
        terms: terms?,
    };
    grant::check(source, root, &project);
    terms::check(source, root, &project);
    opening::check(source, root, &project);
    check_facility(source, root, scheme, &project);
    let mut findings = check_factors(source, root, scheme, set, &project);
    findings.extend(remarks(scheme, set, &project));
    findings.extend(building::place_remarks(catalog, &project));
    findings.extend(grant::remarks(scheme, &project));
    Some((project, findings))
}

fn read_head<'c>(source: &Source<'_>, table: &Table<'_, '_>, catalog: &'c Catalog) -> Head<'c> {
    let scheme_id = table.parsed("scheme", "the id of a scheme", |t| SchemeId::new(t).ok());
    let set_id = table.parsed_optional("factor_set", "the id of a factor set", |t| FactorSetId::new(t).ok());
    let scheme = scheme_id.as_ref().and_then(|id| catalog.scheme(id));
    if let (Some(id), None) = (&scheme_id, scheme) {
        let known: Vec<&str> = catalog.schemes().map(|s| s.id.as_str()).collect();
        unknown(source, table, "scheme", id.as_str(), &known);
    }
    let set_id = set_id.or_else(|| scheme.map(|s| s.default_factor_set.clone()));
    let factor_set = set_id.as_ref().and_then(|id| catalog.factor_set(id));
    if let (Some(id), None) = (&set_id, factor_set) {
        let known: Vec<&str> = catalog.factor_sets().map(|s| s.id.as_str()).collect();
        unknown(source, table, "factor_set", id.as_str(), &known);
    }
    let facility = "an amount in euro, above 0, with at most two decimals";
    let head = Head {
        id: table.parsed("id", "a project id", |t| ProjectId::new(t).ok()),
        title: table.text("title", "what the project is about"),
        cup: table.parsed("cup", CUP, |t| codes::is_cup(t).then(|| t.to_owned())),
        scheme: scheme.map(AsRef::as_ref),
        factor_set: factor_set.map(AsRef::as_ref),
        facility: table.number_optional("facility_eur", facility, is_amount).map(euro),
        zone: table.parsed_or("zone", ZONE, chrono_tz::Europe::Rome, |t| t.parse().ok()),
        station: table.parsed("station", "the id of a temperature station", |t| StationId::new(t).ok()),
    };
    table.finish();
    head
}

const CUP: &str = "a CUP such as \"C11G06000000001\", or a provisional one such as \"PROV0000012345\"";
const ZONE: &str = "a time zone of the IANA list such as \"Europe/Rome\"";

fn unknown(source: &Source<'_>, table: &Table<'_, '_>, key: &str, id: &str, known: &[&str]) {
    let next = match nearest(id, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of {}", list(known)),
    };
    source.report_at(&table.at(key), format!("{id:?} is not in the catalogue"), next);
}

fn is_amount(euros: f64) -> bool {
    let cents = euros * 100.0;
    0.0 < euros && euros <= FACILITY_EUR_MAX && (cents - cents.round()).abs() < 1e-4
}

fn euro(euros: f64) -> Euro {
    // Within FACILITY_EUR_MAX, cents are far below 2^53.
    Euro { cents: (euros * 100.0).round() as i64 }
}

fn read_beneficiary(table: &Table<'_, '_>) -> Option<Beneficiary> {
    let name = table.text("name", "the beneficiary's name");
    let code = table.parsed(
        "tax_code",
        "a tax code or VAT number whose check digit is right: 11 digits, or 16 characters for a person",
        |t| codes::is_tax_code(t).then(|| t.to_owned()),
    );
    let representative = table.text("legal_representative", "who signs, by name or office");
    table.finish();
    Some(Beneficiary { name: name?, tax_code: code?, legal_representative: representative? })
}

/// Whether the scheme funds works.
#[derive(Debug, Clone, Copy)]
enum Works {
    /// Their days are stated.
    Stated,
    /// A measurement campaign. What is not stated of works begins with its end, or with that of the baseline where that
    /// is later: there is nothing before it that a comparison could count.
    None { campaign_last: Option<NaiveDate> },
}

fn read_dates(source: &Source<'_>, table: &Table<'_, '_>, works: Works) -> Option<ProjectDates> {
    let baseline_from = table.date("baseline_from");
    let baseline_last = table.date("baseline_to");
    let day_after = |day: Option<NaiveDate>| day.and_then(|d| d.checked_add_days(Days::new(1)));
    let (works_from, completed) = match works {
        Works::Stated => (table.date("works_from"), table.date("completed")),
        Works::None { campaign_last } => {
            let (from, completed) = (table.date_optional("works_from"), table.date_optional("completed"));
            let end = day_after(baseline_last).max(campaign_last);
            let from = from.or_else(|| completed.or(end));
            (from, completed.or_else(|| end.max(from)))
        }
    };
    let expenses_closed = table.date_optional("expenses_closed");
    let final_payment = table.date_optional("final_payment");
    table.finish();
    let stated = completed.filter(|_| matches!(works, Works::Stated));
    let order = |earlier: (&str, Option<NaiveDate>), later: (&str, Option<NaiveDate>)| {
        if let (Some(a), Some(b)) = (earlier.1, later.1)
            && b < a
        {
            let says = format!("{b} is before {} ({a})", earlier.0);
            let next = "put the dates in order: baseline, works, completion, closing, payment";
            source.report_at(&table.at(later.0), says, next);
        }
    };
    order(("baseline_from", baseline_from), ("baseline_to", baseline_last));
    // The last day of the baseline lies before the first day of the works.
    order(("the day after baseline_to", day_after(baseline_last)), ("works_from", works_from));
    order(("works_from", works_from), ("completed", completed));
    for (key, day) in [("expenses_closed", expenses_closed), ("final_payment", final_payment)] {
        // Expenses are closed, and their balance is paid, once the works are there; a campaign has none.
        match stated {
            Some(_) => order(("completed", stated), (key, day)),
            None => order(("works_from", works_from), (key, day)),
        }
    }
    Some(ProjectDates {
        baseline_from: baseline_from?,
        baseline_to: baseline_last?.checked_add_days(Days::new(1))?,
        works_from: works_from?,
        completed: completed?,
        expenses_closed,
        final_payment,
    })
}

fn read_declared(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    scheme: Option<&Scheme>,
) -> Option<DeclaredValue> {
    let code = table.text("kpi", "a KPI code of the scheme");
    // Zero is a value, as of a share of which there was nothing before; what minus zero means is the same.
    let value = table.number("value", "a number from 0 on, in the unit of the KPI", |n| 0.0 <= n);
    let value = value.map(f64::abs);
    let unit = table.text("unit", "the unit of the KPI, so that it is plain what the value means");
    let from = table.text("source", "the document that the value stands in");
    let parts = table.table_optional("by_carrier");
    table.finish();
    let by_carrier = parts
        .map_or_else(|| Some(Vec::new()), |parts| read_parts(source, &parts, &table.at("by_carrier"), value));
    let (code, unit) = (code?, unit?);
    if let Some(scheme) = scheme {
        match scheme.kpis.iter().find(|k| k.code == code) {
            Some(kpi) if kpi.unit.symbol() != unit => {
                let says =
                    format!("{code} is stated in {} by the scheme, not in {unit:?}", kpi.unit.symbol());
                source.report_at(&table.at("unit"), says, "convert the value and write the scheme's unit");
            }
            Some(kpi)
                if kpi.measure != KpiMeasure::FinalEnergySaved
                    && by_carrier.as_ref().is_some_and(|p| !p.is_empty()) =>
            {
                let says = format!("{code} is no final energy, and only that is split by carrier");
                source.report_at(&table.at("by_carrier"), says, "remove by_carrier");
            }
            Some(kpi) if value == Some(0.0) && !kpi.measure.may_be_zero() => {
                let says = format!("{code} cannot be 0: no building is without floor area");
                source.report_at(&table.at("value"), says, "state the area of the document, above 0");
            }
            Some(_) => {}
            None => {
                let codes: Vec<&str> = scheme.kpis.iter().map(|k| k.code.as_str()).collect();
                let says = format!("{code:?} is no KPI of {}", scheme.id);
                source.report_at(&table.at("kpi"), says, format!("use one of {}", list(&codes)));
            }
        }
    }
    Some(DeclaredValue { kpi: code, value: value?, source: from?, by_carrier: by_carrier? })
}

/// The parts of a declared value by carrier: each a number in its unit, together the value to a thousandth.
fn read_parts(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    at: &At,
    whole: Option<f64>,
) -> Option<Vec<(Carrier, f64)>> {
    let mut parts = Vec::new();
    let mut is_read = true;
    for (key, value) in table.rest() {
        let number =
            value.as_float().or_else(|| value.as_integer().map(|n| n as f64)).filter(|n| n.is_finite());
        if let (Some(carrier), Some(number)) = (Carrier::parse(&key), number) {
            parts.push((carrier, number));
        } else {
            is_read = false;
            let says = format!("{key:?} is no carrier with a number in the unit of the value");
            source.report_at(&table.at(&key), says, "write for instance natural_gas = 45.0");
        }
    }
    let sum = parts.iter().fold(0.0, |sum, (_, part)| sum + part);
    // Parts of nothing, where one use grows by what another saves, round as they are large.
    let largest = parts.iter().fold(0.0, |most: f64, (_, part)| most.max(part.abs()));
    if let Some(whole) = whole
        && is_read
        && PARTS_TOLERANCE * (if whole == 0.0 { largest } else { whole }) < (sum - whole).abs()
    {
        let says = format!("the parts add up to {sum}, and the value is {whole}");
        source.report_at(at, says, "state every carrier of the document, with its decimals");
        is_read = false;
    }
    is_read.then_some(parts)
}

fn check_declared_once(source: &Source<'_>, root: &Table<'_, '_>, declared: &[Option<DeclaredValue>]) {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for value in declared.iter().flatten() {
        *count.entry(&value.kpi).or_default() += 1;
    }
    for (kpi, _) in count.into_iter().filter(|(_, n)| 1 < *n) {
        source.report_at(&root.at("declared"), format!("{kpi:?} is declared twice"), "keep one value");
    }
}

/// A KPI per euro needs the euro.
fn check_facility(source: &Source<'_>, root: &Table<'_, '_>, scheme: &Scheme, project: &Project) {
    let per_euro = scheme.kpis.iter().find(|k| k.measure == KpiMeasure::PrimaryEnergySavedPerEuro);
    if let (Some(kpi), None) = (per_euro, project.facility) {
        let mut at = root.at("project");
        at.key = "project.facility_eur".to_owned();
        let says = format!("is missing, and {} is computed with it", kpi.code);
        source.report_at(&at, says, "add the grant and repayable loan together, in euro");
    }
}

/// Which factors the scheme's KPI need of each carrier: those without which nothing can be computed are
/// problems, those without which one KPI cannot are findings.
fn check_factors(
    source: &Source<'_>,
    root: &Table<'_, '_>,
    scheme: &Scheme,
    set: &FactorSet,
    project: &Project,
) -> Vec<Finding> {
    let mut carriers: Vec<Carrier> =
        project.meters().filter(|(_, m)| m.role != MeterRole::Sub).map(|(_, m)| m.carrier).collect();
    carriers.sort_unstable();
    carriers.dedup();
    let mut findings = Vec::new();
    let factors = Factors { set, own: &project.terms.factors };
    for carrier in carriers {
        if factors.find(carrier, FactorKind::HeatingValue).is_none() {
            let says = format!("factor set {} has nothing for {carrier}", set.id);
            let next = "choose a factor set that covers every carrier, or type the factors under [[factor]]";
            source.report_at(&root.at("building"), says, next);
            continue;
        }
        for kpi in &scheme.kpis {
            for (kind, severity) in needed(kpi.measure) {
                if factors.find(carrier, *kind).is_some() {
                    continue;
                }
                let factor = kind.code();
                if *severity == Severity::Blocks {
                    let says = format!("{} needs {factor} of {carrier}, which {} lacks", kpi.code, set.id);
                    let next = "choose a factor set that has it, or type it under [[factor]] with its source";
                    source.report_at(&root.at("building"), says, next);
                } else {
                    findings.push(missing_factor(project, set, carrier, factor, &kpi.code));
                }
            }
        }
    }
    findings
}

/// The factors a measure needs of every carrier, and how much it weighs that one is missing.
const fn needed(measure: KpiMeasure) -> &'static [(FactorKind, Severity)] {
    match measure {
        KpiMeasure::PrimaryEnergySaved
        | KpiMeasure::PrimaryEnergySavedPerEuro
        | KpiMeasure::OperationalPrimaryIndex => &[(FactorKind::PrimaryNonrenewable, Severity::Blocks)],
        KpiMeasure::TotalPrimaryEnergySaved => &[
            (FactorKind::PrimaryNonrenewable, Severity::Blocks),
            (FactorKind::PrimaryRenewable, Severity::Caution),
        ],
        KpiMeasure::Co2Avoided => &[(FactorKind::Co2, Severity::Blocks)],
        KpiMeasure::NoxAvoided => &[(FactorKind::Nox, Severity::Caution)],
        KpiMeasure::Pm10Avoided => &[(FactorKind::Pm10, Severity::Caution)],
        KpiMeasure::OilEquivalentSaved => &[(FactorKind::OilEquivalent, Severity::Caution)],
        KpiMeasure::FinalEnergySaved
        | KpiMeasure::SelfConsumedShare
        | KpiMeasure::HeatSelfConsumedShare
        | KpiMeasure::CostAvoided
        | KpiMeasure::RenewableProduced
        | KpiMeasure::RenewableCapacity
        | KpiMeasure::FloorArea
        | KpiMeasure::Stated => &[],
    }
}

fn missing_factor(project: &Project, set: &FactorSet, carrier: Carrier, factor: &str, kpi: &str) -> Finding {
    Finding::new(
        "project.factor.missing",
        Severity::Caution,
        format!("project:{} {carrier}", project.id),
        format!("{} gives no {factor} for {carrier}, so {kpi} cannot be computed", set.id),
        "a factor without a confirmed value is never replaced by another",
    )
    .with("factor_set", &set.id)
    .with("factor", factor)
    .with("carrier", carrier)
    .with("kpi", kpi)
}

/// What is not wrong and yet worth a look.
fn remarks(scheme: &Scheme, set: &FactorSet, project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    let dates = &project.dates;
    let subject = || format!("project:{}", project.id);
    let days = (dates.baseline_to - dates.baseline_from).num_days();
    if days < BASELINE_DAYS_MIN {
        let says = format!(
            "the baseline period has {days} days; {BASELINE_DAYS_MIN} are needed to show every season"
        );
        let rule = "IPMVP option C: at least 12 months of baseline";
        let finding = Finding::new("project.baseline.short", Severity::Caution, subject(), says, rule);
        findings.push(finding.with("days", days).with("wanted", BASELINE_DAYS_MIN));
    }
    let missing = scheme
        .kpis
        .iter()
        .filter(|k| k.target == analytics::scheme::Target::Declared)
        .filter(|k| !project.declared.iter().any(|d| d.kpi == k.code));
    for kpi in missing {
        let says = format!("no value is declared for {}, so its attainment cannot be stated", kpi.code);
        let rule = "declared values are never guessed";
        let finding = Finding::new("project.declared.missing", Severity::Note, subject(), says, rule);
        findings.push(finding.with("kpi", &kpi.code));
    }
    let counts_from = scheme.yearly.as_ref().map(|y| y.counts_from);
    if counts_from == Some(CountsFrom::ExpensesClosed) && dates.expenses_closed.is_none() {
        let says = "the scheme counts its years from the closing of expenses, and no such day is stated";
        let rule = "the years of an obligation are counted from the day the scheme names";
        findings.push(Finding::new(
            "project.expenses_closed.missing",
            Severity::Caution,
            subject(),
            says,
            rule,
        ));
    }
    if let Some(to) = set.valid_to
        && to < dates.completed
    {
        let says = format!("factor set {} was valid until {to}, before the works were completed", set.id);
        let rule = "both sides of a comparison use the set of the ex-ante certificate";
        let finding = Finding::new("project.factor_set.superseded", Severity::Note, subject(), says, rule);
        findings.push(finding.with("factor_set", &set.id).with("valid_to", to));
    }
    findings.extend(scheme.rules.facility.as_ref().and_then(|rule| rule.unlike_stated(project)));
    findings.extend(building::remarks(project));
    findings
}

#[cfg(test)]
#[path = "project_tests.rs"]
mod tests;

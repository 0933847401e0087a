//! What a project file says of the grant: its days, costs, subjects and statements.
//!
//! Must never: take a personal code whose check character is wrong, or state for a person what the file does not.

use std::collections::{BTreeMap, BTreeSet};

use analytics::scheme::Scheme;
use analytics::scheme::clauses::{FactDef, Origin, fact_of};
use analytics::scheme::deadline::Need;
use chrono::NaiveDate;
use model::{
    Euro, Event, Events, Finding, Grant, Intervention, Project, Severity, Statement, Subject, SubjectRole,
};

use super::codes;
use crate::reader::{Source, Table};

/// Most subjects of one project.
const SUBJECTS_MAX: usize = 100;
/// Most statements of one project.
const STATEMENTS_MAX: usize = 100;
/// Most tender codes of one project.
const CIG_MAX: usize = 50;
/// Largest costs in euro.
const COSTS_EUR_MAX: f64 = 1e9;

/// Events whose days stand in `[grant.dates]`; the others are in `[dates]`.
const GRANT_EVENTS: [&str; 8] = [
    "grant_notice",
    "credit_notice",
    "disbursement_notice",
    "invoices_due",
    "term_from",
    "term_to",
    "half_spent",
    "planned_completion",
];

pub(super) fn read(source: &Source<'_>, root: &Table<'_, '_>) -> Option<Grant> {
    let mut grant = Grant::default();
    if let Some(table) = root.table_optional("grant") {
        grant.report_years =
            table.integer_optional("report_years", 1..=50).and_then(|n| u32::try_from(n).ok());
        let amount = "an amount in euro, above 0, with at most two decimals";
        let euros = |key: &'static str| {
            let euros = table.number_optional(key, amount, |euros| {
                let cents = euros * 100.0;
                0.0 < euros && euros <= COSTS_EUR_MAX && (cents - cents.round()).abs() < 1e-4
            });
            // Within the bound, cents are far below 2^53.
            euros.map(|euros| Euro { cents: (euros * 100.0).round() as i64 })
        };
        (grant.costs, grant.granted_costs) = (euros("costs_eur"), euros("granted_costs_eur"));
        if grant.granted_costs.is_some() && grant.costs.is_none() {
            let says = "costs as granted without the costs as they are now";
            source.report_at(&table.at("granted_costs_eur"), says, "state costs_eur as well");
        }
        grant.cig = table.texts("cig", "a list of tender codes (CIG)", CIG_MAX);
        let kinds = table.texts("interventions", "a list of kinds of intervention", Intervention::ALL.len());
        for kind in kinds {
            match Intervention::parse(&kind) {
                Some(known) if !grant.interventions.contains(&known) => grant.interventions.push(known),
                Some(_) => {
                    source.report_at(&table.at("interventions"), format!("{kind:?} stands twice"), "keep one")
                }
                None => {
                    let known: Vec<&str> = Intervention::ALL.iter().map(|i| i.code()).collect();
                    let says = format!("{kind:?} is no kind of intervention");
                    let next = format!("write one of {}", known.join(", "));
                    source.report_at(&table.at("interventions"), says, next);
                }
            }
        }
        if let Some(dates) = table.table_optional("dates") {
            grant.dates = read_dates(&dates);
        }
        table.finish();
    }
    let subjects: Vec<_> = root.tables("subject", SUBJECTS_MAX).iter().map(read_subject).collect();
    let statements: Vec<_> =
        root.tables("statement", STATEMENTS_MAX).iter().map(|t| read_statement(source, t)).collect();
    let mut seen = BTreeSet::new();
    for statement in statements.iter().flatten() {
        if !seen.insert(statement.fact.clone()) {
            let says = format!("{:?} is stated twice", statement.fact);
            source.report_at(&root.at("statement"), says, "keep one");
        }
    }
    grant.subjects = subjects.into_iter().collect::<Option<_>>()?;
    grant.statements = statements.into_iter().collect::<Option<_>>()?;
    Some(grant)
}

fn read_dates(table: &Table<'_, '_>) -> Events {
    let mut events = Events::new();
    for key in GRANT_EVENTS {
        let day: Option<NaiveDate> = table.date_optional(key);
        events.extend(Event::parse(key).zip(day));
    }
    table.finish();
    events
}

/// Refuses days out of order, over which what a scheme asks between them would vanish.
pub(super) fn check(source: &Source<'_>, root: &Table<'_, '_>, project: &Project) {
    let events = project.events();
    let in_order = [
        (Event::TermFrom, Event::TermTo),
        (Event::GrantNotice, Event::ExpensesClosed),
        (Event::GrantNotice, Event::FinalPayment),
    ];
    for (first, last) in in_order {
        let (Some(from), Some(to)) = (events.get(&first), events.get(&last)) else { continue };
        if to < from {
            // The one of the two that stands under [grant.dates].
            let named = if first == Event::TermFrom { last } else { first };
            let mut at = root.at("grant");
            at.key = format!("grant.dates.{}", named.code());
            let says = format!("{} ({to}) is before {} ({from})", last.code(), first.code());
            source.report_at(
                &at,
                says,
                "put the dates in order: grant, closing, payment; first and last day",
            );
        }
    }
}

fn read_subject(table: &Table<'_, '_>) -> Option<Subject> {
    let name = table.text("name", "the person's name");
    let code = table.parsed("tax_code", "a person's tax code whose check character is right", |t| {
        (t.len() == 16 && codes::is_tax_code(t)).then(|| t.to_owned())
    });
    let expected = "\"legal_representative\", \"data_entry\" or \"professional\"";
    let role = table.parsed("role", expected, SubjectRole::parse);
    let email = table.parsed_optional("email", "a mail address", |t| is_address(t).then(|| t.to_owned()));
    let enabled = table.flag_optional("enabled").unwrap_or(true);
    let register = table.text_optional("register", "the professional body and number");
    table.finish();
    Some(Subject { name: name?, tax_code: code?, role: role?, email, enabled, register })
}

/// A plain address: what mail servers take without quoting.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |t: &str, extra: &[u8]| {
        !t.is_empty()
            && !t.starts_with('.')
            && !t.ends_with('.')
            && !t.contains("..")
            && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-' || extra.contains(&b))
    };
    text.len() <= 254 && plain(local, b"_+'") && plain(domain, b"") && domain.contains('.')
}

fn read_statement(source: &Source<'_>, table: &Table<'_, '_>) -> Option<Statement> {
    let fact: Option<&'static FactDef> = table.parsed("fact", "a fact of the scheme's clauses", fact_of);
    let yes = table.flag_optional("yes");
    let value = table.number_optional("value", "a number, in the fact's unit", f64::is_finite);
    let unit = table.text_optional("unit", "the fact's unit, so that it is plain what the value means");
    let stands_in = table.text("source", "the document that shows it");
    table.finish();
    let fact = fact?;
    if fact.origin == Origin::Project {
        let says = format!("{} follows from the project file and cannot be stated", fact.code);
        source.report_at(&table.at("fact"), says, "correct the keys that it follows from");
    }
    let value = match (fact.unit, yes, value) {
        ("yes", Some(yes), None) => Some(f64::from(u8::from(yes))),
        ("yes", ..) => None,
        (_, None, Some(value)) if unit.as_deref() == Some(fact.unit) => Some(value),
        _ => None,
    };
    if value.is_none() {
        let next = match fact.unit {
            "yes" => "write `yes = true` or `yes = false`".to_owned(),
            unit => format!("write `value = …` and `unit = {unit:?}`"),
        };
        source.report_at(&table.at("fact"), format!("{} has no usable value", fact.code), next);
    }
    Some(Statement { fact: fact.code.to_owned(), value: value?, source: stands_in? })
}

/// What is not wrong and yet worth a look.
/// Of project files of which several have one CUP: it identifies one project.
#[must_use]
pub fn shared_cups<'a>(projects: impl IntoIterator<Item = &'a Project>) -> Vec<Finding> {
    let mut by_cup: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for project in projects {
        by_cup.entry(&project.cup).or_default().insert(project.id.as_str());
    }
    let told = by_cup.into_iter().filter(|(_, ids)| 1 < ids.len()).map(|(cup, ids)| {
        let about = format!("project:{}", ids.first().copied().unwrap_or_default());
        let ids = ids.into_iter().collect::<Vec<_>>().join(", ");
        let says = format!("CUP {cup} stands for several projects: {ids}");
        let rule = "a CUP identifies one project";
        Finding::new("project.cup.shared", Severity::Caution, about, says, rule)
            .with("cup", cup)
            .with("projects", ids)
    });
    told.collect()
}

pub(super) fn remarks(scheme: &Scheme, project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    let subject = format!("project:{}", project.id);
    if codes::is_provisional_cup(&project.cup) {
        let says =
            format!("CUP {} is provisional; put the final one in its place once it is given", project.cup);
        let rule = "a report is filed under the project's final CUP";
        let finding = Finding::new("project.cup.provisional", Severity::Caution, &*subject, says, rule);
        findings.push(finding.with("cup", &project.cup));
    }
    for cig in project.grant.cig.iter().filter(|cig| !codes::is_cig(cig)) {
        let says = format!("CIG {cig} does not have a check code of its own; compare it with the contract");
        let rule = "check code of the CIG; codes of a newer kind may not have it";
        let finding = Finding::new("project.cig.unusual", Severity::Caution, &*subject, says, rule);
        findings.push(finding.with("cig", cig));
    }
    for building in &project.buildings {
        let Some(code) = building.ape_code.as_deref().filter(|code| !codes::is_ape_code(code)) else {
            continue;
        };
        let says = format!(
            "APE code {code:?} is neither a number of SIPEE nor one of at most 36 characters with a number in it"
        );
        let rule = "form of the certificate's code";
        let about = format!("{subject} building:{}", building.id);
        let finding = Finding::new("project.ape_code.unusual", Severity::Caution, about, says, rule);
        findings.push(finding.with("code", code));
    }
    let mut needs: Vec<Need> =
        analytics::scheme::calendar::calendar(scheme, project, project.dates.completed, &[])
            .into_iter()
            .flat_map(|entry| entry.needs)
            .filter(|need| *need == Need::ReportYears)
            .collect();
    needs.dedup();
    for need in needs {
        let says = format!(
            "the scheme's act does not say for how many years reports are due; state {} in the table [grant]",
            need.key()
        );
        let rule = "a number of years that no act states is asked for, never assumed";
        findings.push(Finding::new("project.report_years.missing", Severity::Caution, &*subject, says, rule));
    }
    findings
}

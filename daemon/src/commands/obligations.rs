//! `consuntivo obligations` and `consuntivo project`: what is due when, and how a project stands with its scheme.
//!
//! Must never: change anything.

use std::path::PathBuf;

use analytics::scheme::clauses::{gather, judge};
use clap::{Args, ValueEnum};
use model::ProjectId;

use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{clock, duties, figures, parse_project};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Due day, days left, state, project, year, obligation, name; parted by tabs
    Text,
    Json,
    /// iCalendar
    Ics,
}

#[derive(Debug, Args)]
pub(crate) struct ObligationsArgs {
    /// The installation file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only those of this project
    #[arg(long, value_parser = parse_project)]
    project: Option<ProjectId>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Language of names (default: the installation's)
    #[arg(long, value_parser = config::catalog::LANGUAGES)]
    language: Option<String>,
}

pub(crate) fn obligations(args: &ObligationsArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config)?;
    let store = installation.open_shared_store()?;
    if let Some(id) = &args.project {
        figures::project(&store, &installation.catalog, id)?;
    }
    let now = clock::now();
    let calendars = duties::calendars(&store, &installation, args.project.as_ref(), now)?;
    let settings = &installation.settings.installation;
    let texts = installation.catalog.texts(args.language.as_deref().unwrap_or(&settings.language));
    match args.format {
        Format::Text => print!("{}", dashboards::calendar::plain(&calendars, &texts)),
        Format::Ics => print!("{}", dashboards::calendar::ics(&calendars, &texts, &settings.id, now)),
        Format::Json => {
            let views = dashboards::calendar::entry_views(&calendars, &texts);
            println!("{}", serde_json::to_string_pretty(&views).map_err(anyhow::Error::from)?);
        }
    }
    Ok(Exit::OK)
}

#[derive(Debug, Args)]
pub(crate) struct ProjectArgs {
    /// The installation file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    /// Judge clauses on the figures of this year too
    #[arg(long)]
    year: Option<i32>,
}

/// Beneficiary and subjects, economics, times of keeping, and every clause with its evidence.
pub(crate) fn project(args: &ProjectArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config)?;
    let store = installation.open_shared_store()?;
    let project = figures::project(&store, &installation.catalog, &args.project)?;
    let scheme = installation.catalog.scheme(&project.scheme).ok_or_else(|| {
        Failure::bad_input(format!("the catalogue has no scheme {} any more", project.scheme))
    })?;
    let texts = installation.catalog.texts("en");
    println!("project\t{}\t{}\tCUP {}", project.id, project.title, project.cup);
    println!("beneficiary\t{}\t{}", project.beneficiary.name, project.beneficiary.tax_code);
    println!("legal representative\t{}", project.beneficiary.legal_representative);
    for subject in &project.grant.subjects {
        let state = if subject.enabled { "enabled" } else { "disabled" };
        println!("subject\t{}\t{}\t{}\t{state}", subject.name, subject.tax_code, subject.role.code());
    }
    let grant = &project.grant;
    let amounts =
        [("costs", grant.costs), ("costs as granted", grant.granted_costs), ("facility", project.facility)];
    for (name, amount) in amounts {
        if let Some(amount) = amount {
            println!("{name}\t{amount} EUR");
        }
    }
    if let Some(rule) = scheme.rules.facility.as_ref().filter(|_| project.grant.costs.is_some()) {
        print_facility(rule, &project);
    }
    for kept in analytics::scheme::calendar::kept(scheme, &project) {
        let days = kept.days.map_or_else(
            || format!("from {}, which is not stated", kept.event.code()),
            |(from, until)| format!("{from} to {until}"),
        );
        println!("keep\t{}\t{days}\t{}", texts.get(&kept.text), kept.citation);
    }
    let today = clock::now().day(project.zone);
    let year = match args.year {
        Some(year) => {
            let until = figures::until(year, today);
            Some(figures::project_year(&store, &installation, &project, year, until)?)
        }
        None => None,
    };
    let facts = gather(&project, scheme.declared_saving(), year.as_ref());
    for judged in judge(&scheme.rules.clauses, &facts) {
        let value = judged.shown().map_or_else(|| "-".to_owned(), |value| value.to_string());
        let (clause, verdict) = (&judged.clause, judged.verdict.code());
        let unit = clause.fact.unit;
        println!(
            "clause\t{}\t{verdict}\t{value} {unit}\t{}\t{}",
            clause.id, judged.evidence, clause.citation
        );
    }
    Ok(Exit::OK)
}

fn print_facility(rule: &analytics::economics::FacilityRule, project: &model::Project) {
    let events = project.events();
    let planned = events.get(&model::Event::PlannedCompletion);
    let early = planned.map(|planned| (*planned - project.dates.completed).num_days());
    let Some((composition, parts)) = rule.of_grant(&project.grant, early.unwrap_or(0)) else {
        println!("composition\tcosts below {} EUR are not admitted\t{}", rule.costs_min, rule.citation);
        return;
    };
    println!(
        "composition\tgrant {} EUR\tloan {} EUR\town share {} EUR\t{}",
        composition.grant, composition.loan, composition.own, rule.citation
    );
    let last = if parts.last_loan_as_grant { "as grant" } else { "as loan" };
    println!(
        "instalments\tadvance {}\tfirst loan {}\tsecond grant {}\tlast grant {}\tlast loan {} {last}",
        parts.advance, parts.first_loan, parts.second_grant, parts.last_grant, parts.last_loan
    );
    if early.is_none() {
        println!("instalments\tplanned_completion is not stated: the last loan is taken for a loan");
    }
}

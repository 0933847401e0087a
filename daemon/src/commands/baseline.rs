//! `consuntivo baseline`: a person accepts the baselines of a project, which are then frozen; or looks at them.
//!
//! Must never: accept a baseline that could not be fitted, or change an accepted one without a person's word.

use analytics::evaluate::laws::{Frozen, Laws, laws};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use model::{Instant, Project, ProjectId};
use store::RecordChange;

use super::counter::By;
use crate::baselines::{self, Accepted};
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::readout::{aligned, say};
use crate::{ConfigArg, clock, figures, parse_project, records};

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Freeze the baselines of a project as they are now, for the whole obligation
    Accept {
        #[command(flatten)]
        of: Of,
        /// Let the baselines of now take the place of accepted ones; every report from then on says so
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        by: By,
    },
    /// The accepted baselines and what they would be now
    Show {
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Of {
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    #[command(flatten)]
    config: ConfigArg,
}

pub(crate) fn baseline(what: &What) -> Result<Exit, Failure> {
    match what {
        What::Accept { of, replace, by } => accept(of, *replace, by),
        What::Show { of } => show(of),
    }
}

fn accept(of: &Of, replace: bool, by: &By) -> Result<Exit, Failure> {
    let installation = Installation::load(&of.config.config)?;
    let store = installation.open_shared_store()?;
    let project = figures::project(&store, &installation.catalog, &of.project)?;
    let (year, until) = now(project.zone);
    // As they are now: an earlier acceptance is not an input of the next one.
    let laws = figures::with_input(&store, &installation, &project, year, until, |input| {
        let mut input = input.clone();
        input.frozen.clear();
        laws(&input)
    })?;
    let fitted = laws.iter().filter(|l| l.baseline.is_some()).count();
    if fitted == 0 {
        return Err(Failure::bad_input(format!(
            "project {} has no baseline that could be fitted; `consuntivo report` says what is missing",
            project.id
        )));
    }
    let (author, reason) = (by.author.as_str(), by.reason.as_str());
    judge(&baselines::accepted(&store, &project.id)?, &laws, &project, replace)?;
    if replace {
        records::check_words("--reason", reason)?;
    }
    let accepted = Accepted { project: &project.id, laws: &laws, author, reason };
    match baselines::accept(&store, &accepted, clock::now())? {
        RecordChange::Unchanged => println!("nothing changed"),
        RecordChange::Created | RecordChange::Updated => {
            println!("{fitted} baselines of {} are frozen", project.id);
        }
    }
    Ok(Exit::OK)
}

/// Refuses to take an accepted baseline's place without a person's word, or with none.
fn judge(known: &[Frozen], laws: &[Laws], project: &Project, replace: bool) -> Result<(), Failure> {
    let of_project = |f: &&Frozen| project.meters().any(|(_, m)| m.id == f.meter);
    let replaced: Vec<&Frozen> = baselines::replacing(known, laws).into_iter().filter(of_project).collect();
    let law = |f: &Frozen| laws.iter().find(|l| l.meter == f.meter);
    if let Some(f) = replaced.iter().find(|f| law(f).is_none_or(|l| l.baseline.is_none())) {
        return Err(Failure::bad_input(format!(
            "the baseline of {} was accepted on {} and cannot be fitted again; bring back the bills or temperatures that \
             it rests on, `consuntivo baseline show` tells it",
            f.meter, f.accepted_at
        )));
    }
    let Some(first) = replaced.first().filter(|_| !replace) else { return Ok(()) };
    let differs = law(first).and_then(|l| baselines::energy_ratio(first, l));
    let by = differs.map_or_else(String::new, |r| {
        format!("; for the same months it would expect {:.1} % of the energy", 100.0 * r)
    });
    Err(Failure::bad_input(format!(
        "the baseline of {} that {} accepted on {} is frozen for the whole obligation{by}. If it was wrong from the \
         start, take its place with --replace and the --reason, which every later report tells",
        first.meter, first.author, first.accepted_at
    )))
}

fn now(zone: model::Zone) -> (i32, NaiveDate) {
    use chrono::Datelike;
    let today = clock::now().day(zone);
    (today.year(), today)
}

/// Each driver with its coefficient.
fn drivers(model: &analytics::result::BaselineModel) -> String {
    let one = |d: &analytics::result::ModelDriver| format!("{} {:.4}", d.driver.code(), d.coefficient);
    let all: Vec<String> = model.drivers.iter().map(one).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

fn show(of: &Of) -> Result<Exit, Failure> {
    let installation = Installation::load(&of.config.config)?;
    let store = installation.open_shared_store()?;
    let project = figures::project(&store, &installation.catalog, &of.project)?;
    let frozen = baselines::accepted(&store, &project.id)?;
    let (year, until) = now(project.zone);
    let laws = figures::with_input(&store, &installation, &project, year, until, |input| {
        let mut input = input.clone();
        input.frozen.clear();
        laws(&input)
    })?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    rows.push(
        [
            "meter",
            "method",
            "base a day",
            "heating",
            "base °C",
            "cooling",
            "base °C",
            "drivers",
            "accepted",
            "inputs",
        ]
        .map(String::from)
        .to_vec(),
    );
    let base = |of: Option<f64>| of.map_or_else(|| "-".to_owned(), |b| format!("{b:.1}"));
    let slope = |of: Option<f64>, slope: f64| of.map_or_else(|| "-".to_owned(), |_| format!("{slope:.4}"));
    let line =
        |meter: String, model: &analytics::result::BaselineModel, at: Option<Instant>, inputs: String| {
            vec![
                meter,
                model.method.to_owned(),
                format!("{:.4}", model.base_per_day),
                slope(model.heating_base_c, model.heating_per_degree_day),
                base(model.heating_base_c),
                slope(model.cooling_base_c, model.cooling_per_degree_day),
                base(model.cooling_base_c),
                drivers(model),
                at.map_or_else(|| "now".to_owned(), |at| at.to_string()),
                inputs.chars().take(12).collect(),
            ]
        };
    for f in &frozen {
        rows.push(line(f.meter.to_string(), &f.fitted.model, Some(f.accepted_at), f.inputs.hex()));
    }
    for l in &laws {
        if let Some(fitted) = &l.baseline {
            rows.push(line(l.meter.to_string(), &fitted.model, None, l.inputs.hex()));
        }
    }
    say(&aligned(&rows, ""));
    Ok(Exit::OK)
}

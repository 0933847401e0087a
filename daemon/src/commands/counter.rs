//! `consuntivo counter`: the breaks of the meters' totals, how they are explained, and a person's word on them.
//!
//! Must never: record a word that the readings or the connection do not bear out.

use std::collections::BTreeSet;
use std::sync::Arc;

use analytics::counter::Decision;
use analytics::series::{Accumulator, SeriesSettings};
use clap::{Args, Subcommand};
use model::{
    Act, Channel, DatedAct, Explanation, Instant, MeterFacts, MeterId, Phase, Project, Quantity, SeriesKey,
    Zone,
};
use store::{Conflict, Store};

use crate::acts::{self, Said};
use crate::aside;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{ConfigArg, clock, figures, made};

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// List every break with its explanation, what was booked, and the alternatives; then the values that were put aside
    List {
        /// Only this meter
        #[arg(long)]
        meter: Option<MeterId>,
        /// Only what a person should look at
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Accept an explanation: it is final, and no finding of the report any more
    Accept(Word),
    /// Reject an explanation: the next alternative takes its place
    Reject(Word),
    /// Take a person's word back: the totals speak for themselves again
    Reopen {
        /// As `counter list` prints it: METER@INSTANT
        decision: String,
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        config: ConfigArg,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Word {
    /// As `counter list` prints it: METER@INSTANT
    decision: String,
    /// The explanation that is true
    #[arg(long = "as", value_name = "EXPLANATION", value_parser = parse_explanation)]
    explanation: Option<Explanation>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    config: ConfigArg,
}

/// Who says so, and why.
#[derive(Debug, Args)]
pub(crate) struct By {
    /// Who says so; printed in the report
    #[arg(long)]
    pub(crate) author: String,
    /// Why; printed in the report. Only an exchange whose --closing or --opening is stated speaks for itself
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) total: OfTotal,
}

impl By {
    /// Author and reason.
    pub(crate) fn word(&self) -> (&str, &str) {
        (&self.author, &self.reason)
    }
}

/// Which of a meter's totals is meant.
#[derive(Debug, Args)]
pub(crate) struct OfTotal {
    /// Which total is meant, such as active_energy_export, where projects count on several of the meter
    #[arg(long, value_name = "CHANNEL", value_parser = parse_channel)]
    channel: Option<Channel>,
}

fn parse_channel(text: &str) -> Result<Channel, String> {
    let (quantity, phase) = text.split_once('.').unwrap_or((text, Phase::Total.code()));
    let channel = Quantity::parse(quantity).zip(Phase::parse(phase));
    let channel = channel.map(|(quantity, phase)| Channel { quantity, phase });
    channel.ok_or_else(|| "write it as `consuntivo read` shows it, such as active_energy_import".to_owned())
}

fn parse_explanation(text: &str) -> Result<Explanation, String> {
    Explanation::parse(text).filter(|e| *e != Explanation::Open).ok_or_else(|| {
        let known: Vec<&str> =
            Explanation::ALL.iter().filter(|e| **e != Explanation::Open).map(|e| e.code()).collect();
        format!("use one of {}", known.join(", "))
    })
}

pub(crate) fn counter(what: &What) -> Result<Exit, Failure> {
    match what {
        What::List { meter, open, config } => list(config, meter.as_ref(), *open),
        What::Accept(word) => accept(word),
        What::Reject(word) => reject(word),
        What::Reopen { decision, by, config } => reopen(decision, by, config),
    }
}

/// A meter that a project counts on, with the store that holds its readings.
pub(crate) struct Counted {
    pub(crate) store: Store,
    pub(crate) key: SeriesKey,
    pub(crate) facts: MeterFacts,
    pub(crate) zone: Zone,
    settings: SeriesSettings,
}

impl Counted {
    pub(crate) fn open(config: &ConfigArg, meter: &MeterId, total: &OfTotal) -> Result<Self, Failure> {
        let installation = Installation::load(&config.config)?;
        let store = installation.open_shared_store()?;
        let (projects, findings) = figures::projects(&store, &installation.catalog)?;
        for finding in findings {
            eprintln!("{finding}");
        }
        let all = projects.iter().flat_map(|p| p.meters().map(move |(_, facts)| (p, facts)));
        let found: Vec<_> = all.filter(|(_, facts)| facts.id == *meter).collect();
        let (project, facts) = one_total(meter, &found, total)?;
        Ok(Self::of(store, &installation, project, facts.clone()))
    }

    /// Within a store that is open.
    pub(crate) fn of(
        store: Store,
        installation: &Installation,
        project: &Project,
        facts: MeterFacts,
    ) -> Self {
        let key = SeriesKey { meter: facts.id.clone(), channel: facts.total_channel() };
        let settings = installation.series_settings(project, &facts);
        Self { store, key, facts, zone: project.zone, settings }
    }

    /// The series with these acts.
    pub(crate) fn series(&self, acts: &[DatedAct]) -> Result<Accumulator, Failure> {
        Ok(made::series(&self.store, &self.key, self.settings, acts, None)?)
    }

    pub(crate) fn acts(&self) -> Result<Vec<DatedAct>, Failure> {
        Ok(acts::dated(&acts::of_series(&self.store, &self.key)?))
    }

    /// Whether an act beside those in force would have an effect.
    pub(crate) fn bears_out(&self, act: DatedAct) -> Result<bool, Failure> {
        Ok(!self.series(&self.acts_with(act)?)?.refused_acts().contains(&act))
    }

    /// Whether the total would break more often with an act beside those in force.
    pub(crate) fn breaks_with(&self, act: DatedAct) -> Result<bool, Failure> {
        let without = self.series(&self.acts()?)?.decisions().len();
        Ok(without < self.series(&self.acts_with(act)?)?.decisions().len())
    }

    /// The acts in force with another one, which takes the place of one of its kind at its instant.
    fn acts_with(&self, act: DatedAct) -> Result<Vec<DatedAct>, Failure> {
        let mut acts = self.acts()?;
        acts.retain(|other| {
            other.at != act.at || std::mem::discriminant(&other.act) != std::mem::discriminant(&act.act)
        });
        acts.push(act);
        Ok(acts)
    }

    /// Puts an act on record in the name of an author, with a reason.
    pub(crate) fn record(
        &self,
        dated: DatedAct,
        (author, reason): (&str, &str),
        rejected: &[Explanation],
    ) -> Result<(), Failure> {
        let said = Said { series: &self.key, dated, author, reason, rejected };
        acts::record(&self.store, &said, clock::now())
    }

    /// An amount of the register in the unit that people read, with its unit.
    pub(crate) fn show(&self, amount: i64) -> String {
        format!("{:.3} {}", amount as f64 / 1000.0, self.facts.register_unit().symbol())
    }
}

/// The one total that is meant among those that projects count on.
fn one_total<'p>(
    meter: &MeterId,
    found: &[(&'p Arc<Project>, &'p MeterFacts)],
    total: &OfTotal,
) -> Result<(&'p Arc<Project>, &'p MeterFacts), Failure> {
    let channels: BTreeSet<Channel> = found.iter().map(|(_, facts)| facts.total_channel()).collect();
    let names = || channels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let wanted = match (total.channel, channels.first()) {
        (_, None) => {
            return Err(Failure::bad_input(format!(
                "no imported project counts on a meter {meter}; its name stands in the project file"
            )));
        }
        (Some(channel), Some(_)) => channel,
        (None, Some(only)) if channels.len() == 1 => *only,
        (None, Some(_)) => {
            return Err(Failure::bad_input(format!(
                "projects count on several totals of {meter}; say which one is meant with --channel: {}",
                names()
            )));
        }
    };
    let meant = found.iter().find(|(_, facts)| facts.total_channel() == wanted).copied();
    meant.ok_or_else(|| {
        Failure::bad_input(format!(
            "no imported project counts on {wanted} of {meter}; on record are acts about {}",
            names()
        ))
    })
}

fn list(config: &ConfigArg, meter: Option<&MeterId>, open: bool) -> Result<Exit, Failure> {
    let installation = Installation::load(&config.config)?;
    let store = installation.open_shared_store()?;
    let (projects, findings) = figures::projects(&store, &installation.catalog)?;
    for finding in findings {
        eprintln!("{finding}");
    }
    let (mut known, mut shown) = (BTreeSet::new(), 0);
    for project in &projects {
        for (_, facts) in project.meters().filter(|(_, m)| meter.is_none_or(|id| m.id == *id)) {
            known.insert(facts.id.clone());
            let counted = Counted::of(store.clone(), &installation, project, facts.clone());
            let series = counted.series(&counted.acts()?)?;
            for decision in series.decisions().iter().filter(|d| !open || d.is_open()) {
                shown += 1;
                print(&counted, decision);
            }
            for act in series.refused_acts() {
                println!("{}@{}  recorded act without effect", counted.key.meter, act.at);
            }
        }
    }
    // Nothing can be said about these that would close them.
    for meter in known.iter().filter(|_| !open) {
        for conflict in store.conflicts_of(meter, aside::SHOWN_MAX)? {
            shown += 1;
            print_aside(&conflict);
        }
    }
    match meter {
        Some(id) if known.is_empty() => {
            Err(Failure::bad_input(format!("no imported project counts on a meter {id}")))
        }
        Some(_) | None => {
            if shown == 0 {
                println!("nothing to show: every total follows from the one before");
            }
            Ok(Exit::OK)
        }
    }
}

fn print(counted: &Counted, d: &Decision) {
    let show = |amount| counted.show(amount);
    let state = if d.by_person { "by a person" } else { d.confidence.code() };
    println!("{}@{}  {} ({state})", counted.key.meter, d.at, d.explanation.code());
    println!("    totals    {} -> {} -> {}", show(d.before), show(d.seen), show(d.after));
    println!("    span      {} to {}", d.from, d.to);
    println!("    booked    {}, between {} and {}", show(d.booked), show(d.low), show(d.high));
    for other in &d.alternatives {
        let (low, high) = (show(other.low), show(other.high));
        println!("    or        {}: between {low} and {high}", other.explanation.code());
    }
}

fn print_aside(conflict: &Conflict) {
    let Conflict { series, kept, later } = conflict;
    let show = |value| aside::shown(series.channel, value);
    println!("{}@{}  another value was put aside", series.meter, later.observed_at);
    println!("    quantity  {} ({})", series.channel, later.origin.code());
    println!("    kept      {}", show(*kept));
    println!("    aside     {}, received {}", show(later.value), later.received_at);
}

/// `METER@INSTANT`.
fn parse_decision(text: &str) -> Result<(MeterId, Instant), Failure> {
    let parts = text
        .split_once('@')
        .and_then(|(meter, at)| Some((MeterId::new(meter).ok()?, Instant::parse_rfc3339(at)?)));
    parts.ok_or_else(|| {
        Failure::bad_input(format!(
            "{text:?} names no decision; write it as `consuntivo counter list` prints it: METER@2025-03-01T10:00:00Z"
        ))
    })
}

/// The decision as the totals alone have it, without a person's word on it.
fn of_machine(counted: &Counted, at: Instant) -> Result<Decision, Failure> {
    let mut acts = counted.acts()?;
    acts.retain(|a| a.at != at || !matches!(a.act, Act::Explained(_)));
    let found = counted.series(&acts)?.decisions().into_iter().find(|d| d.at == at);
    found.ok_or_else(|| {
        Failure::bad_input(format!(
            "no break of {} begins with a reading at {at}; see `consuntivo counter list --meter {}`",
            counted.key.meter, counted.key.meter
        ))
        .coded("no_break")
    })
}

fn accept(word: &Word) -> Result<Exit, Failure> {
    let (meter, at) = parse_decision(&word.decision)?;
    let counted = Counted::open(&word.config, &meter, &word.by.total)?;
    let explanation = explain(&counted, at, (&word.decision, word.explanation), word.by.word())?;
    println!("{}  {} (by {})", word.decision, explanation.code(), word.by.author);
    Ok(Exit::OK)
}

/// Records an explanation that a person chose on a page.
pub(crate) fn record_explanation(
    counted: &Counted,
    at: &str,
    explanation: &str,
    word: (&str, &str),
) -> Result<(), Failure> {
    let name = format!("{}@{at}", counted.key.meter);
    let (_, at) = parse_decision(&name)?;
    let explanation = parse_explanation(explanation).map_err(Failure::bad_input)?;
    explain(counted, at, (&name, Some(explanation)), word).map(drop)
}

/// Records the explanation of a break, or without one the likeliest, if the readings and the connection bear it out.
fn explain(
    counted: &Counted,
    at: Instant,
    (name, explanation): (&str, Option<Explanation>),
    word: (&str, &str),
) -> Result<Explanation, Failure> {
    let decision = of_machine(counted, at)?;
    let explanation = explanation.unwrap_or(decision.explanation);
    if explanation == Explanation::Open {
        return Err(Failure::bad_input(format!(
            "{name} is not explained yet; say what it was with --as (reset, exchange, spike, ...)"
        ))
        .coded("open"));
    }
    let act = DatedAct { at, act: Act::Explained(explanation) };
    if !counted.bears_out(act)? {
        return Err(not_possible(&decision, name, explanation));
    }
    let rejected = acts::rejected(&counted.store, &counted.key, at)?;
    counted.record(act, word, &rejected)?;
    Ok(explanation)
}

fn not_possible(decision: &Decision, name: &str, explanation: Explanation) -> Failure {
    let mut possible = vec![decision.explanation.code()];
    possible.extend(decision.alternatives.iter().map(|a| a.explanation.code()));
    possible.retain(|code| *code != explanation.code() && *code != Explanation::Open.code());
    let possible = if possible.is_empty() { "spike, dip or reset".to_owned() } else { possible.join(", ") };
    Failure::bad_input(format!(
        "{name} cannot be {}: the readings or the connection do not allow it; what they allow: {possible}",
        explanation.code()
    ))
    .coded("explanation")
}

fn reject(word: &Word) -> Result<Exit, Failure> {
    let (meter, at) = parse_decision(&word.decision)?;
    let counted = Counted::open(&word.config, &meter, &word.by.total)?;
    let decision = of_machine(&counted, at)?;
    let said = counted.acts()?.into_iter().find_map(|a| match a.act {
        Act::Explained(explanation) if a.at == at => Some(explanation),
        Act::Explained(_) | Act::Exchanged { .. } | Act::Corrected { .. } => None,
    });
    let mut rejected = acts::rejected(&counted.store, &counted.key, at)?;
    rejected.push(said.unwrap_or(decision.explanation));
    rejected.sort();
    rejected.dedup();
    let candidates: Vec<Explanation> = match word.explanation {
        Some(explanation) => vec![explanation],
        None => decision.alternatives.iter().map(|a| a.explanation).collect(),
    };
    for explanation in candidates.into_iter().filter(|e| !rejected.contains(e)) {
        let act = DatedAct { at, act: Act::Explained(explanation) };
        if counted.bears_out(act)? {
            counted.record(act, word.by.word(), &rejected)?;
            println!("{}  {} (by {})", word.decision, explanation.code(), word.by.author);
            return Ok(Exit::OK);
        }
    }
    Err(Failure::bad_input(format!(
        "no other explanation of {} is left that its readings allow; say what it was with accept --as",
        word.decision
    )))
}

fn reopen(decision: &str, by: &By, config: &ConfigArg) -> Result<Exit, Failure> {
    let (meter, at) = parse_decision(decision)?;
    let counted = Counted::open(config, &meter, &by.total)?;
    withdraw(&counted, at, by, decision)
}

/// Takes back what people recorded about an instant.
pub(crate) fn withdraw(counted: &Counted, at: Instant, by: &By, name: &str) -> Result<Exit, Failure> {
    take_back(counted, at, by.word(), name)?;
    println!("{name}  taken back; every version is kept");
    Ok(Exit::OK)
}

/// Takes back what people recorded about an instant, in the name of an author.
pub(crate) fn take_back(
    counted: &Counted,
    at: Instant,
    word: (&str, &str),
    name: &str,
) -> Result<(), Failure> {
    if acts::withdraw(&counted.store, &counted.key, at, word, clock::now())? == 0 {
        return Err(Failure::bad_input(format!("nobody recorded anything about {name}")).coded("nothing"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_named_where_there_are_several() {
        let text = include_str!("../../../config/examples/project.toml");
        let catalog = config::Catalog::load(None).unwrap();
        let (project, _) = config::parse_project(text, &catalog).unwrap();
        let project = Arc::new(project);
        let facts = project.meters().next().unwrap().1.clone();
        let imported = MeterFacts { carrier: model::Carrier::GridElectricity, gas: None, ..facts };
        let exported = MeterFacts { direction: model::Direction::Export, ..imported.clone() };
        let meter = imported.id.clone();
        let of = |found: &[&MeterFacts], channel: Option<&str>| {
            let found: Vec<_> = found.iter().map(|facts| (&project, *facts)).collect();
            let total = OfTotal { channel: channel.map(|text| parse_channel(text).unwrap()) };
            one_total(&meter, &found, &total)
                .map(|(_, facts)| facts.total_channel().to_string())
                .map_err(|failure| format!("{failure:?}"))
        };
        let both = [&imported, &exported];
        assert_eq!(of(&[&imported, &imported], None).as_deref(), Ok("active_energy_import"));
        assert_eq!(of(&both, Some("active_energy_export")).as_deref(), Ok("active_energy_export"));
        let said = of(&both, None).unwrap_err();
        assert!(said.contains("--channel: active_energy_import, active_energy_export"), "{said}");
        assert!(
            of(&both, Some("heat_energy")).unwrap_err().contains("no imported project counts on heat_energy")
        );
        assert!(of(&[], None).unwrap_err().contains("no imported project counts on a meter"));
        assert!(parse_channel("kWh").is_err());
    }
}

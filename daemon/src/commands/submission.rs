//! `consuntivo submission`: from draft to accepted, one step a command.
//!
//! Must never: skip a step, or hide an obstacle.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use connectors::signature::Verifier;
use model::{Instant, ProjectId};
use store::Store;

use crate::commands::import::read_file;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::submissions::{self, ByHand, Key, Lifted, Outcome, Stage, Submission, check::Bench};
use crate::{clock, figures, parse_project};

/// Which submission, and who acts.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// The installation file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    /// Its id in the scheme, as `obligations` shows it
    #[arg(long)]
    obligation: String,
    /// For what comes every year
    #[arg(long)]
    year: Option<i32>,
    /// Who acts, for the audit log
    #[arg(long, default_value = "cli")]
    author: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Begin
    Draft(Of),
    /// Add a file to the draft
    Attach {
        file: PathBuf,
        #[command(flatten)]
        of: Of,
    },
    /// Take a file off the draft
    Detach {
        /// Its name, as `show` lists it
        name: String,
        #[command(flatten)]
        of: Of,
    },
    /// List what stands in the way, each with the act that lifts it
    Check(Of),
    /// Take a blocking finding upon oneself
    Lift {
        /// The finding's code
        #[arg(long)]
        code: String,
        /// What it is about, as `check` shows it
        #[arg(long)]
        subject: String,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        of: Of,
    },
    /// Freeze figures and files, and write the files to a folder
    Freeze {
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        #[arg(long, value_parser = config::catalog::LANGUAGES)]
        language: Option<String>,
        #[command(flatten)]
        of: Of,
    },
    /// Take a signed file back: .p7m or signed PDF
    Sign {
        file: PathBuf,
        /// Why it is taken although its authority is not verified, or its certificate names no person
        #[arg(long, default_value = "")]
        reason: String,
        /// Take it in the place of one that proves more of who signed
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        of: Of,
    },
    /// Send by the installation's certified mail
    Send {
        /// The authority's certified-mail address; confirm it before
        #[arg(long)]
        to: String,
        #[command(flatten)]
        of: Of,
    },
    /// A person sent it: keep the receipt
    Sent {
        /// The receipt: .eml, PDF or other
        receipt: PathBuf,
        /// Where it was sent
        #[arg(long)]
        to: String,
        #[arg(long, value_name = "YYYY-MM-DD")]
        on: NaiveDate,
        #[command(flatten)]
        of: Of,
    },
    /// Take a receipt of certified mail; it says itself what it is about
    Receipt {
        file: PathBuf,
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[arg(long, default_value = "cli")]
        author: String,
    },
    /// Say that the letter on its way never went out: it can be sent again
    Settle {
        /// It did not go out; refused where a receipt says that it did
        #[arg(long, required = true)]
        unsent: bool,
        /// How this is known
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        of: Of,
    },
    /// The authority accepted it
    Accepted(Answer),
    /// The authority asks for more
    Integration(Answer),
    /// Begin a new version, and say why
    Correct {
        #[arg(long)]
        why: String,
        #[command(flatten)]
        of: Of,
    },
    /// Stages, files and hashes of every version
    Show {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[arg(long, value_parser = parse_project)]
        project: ProjectId,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

/// What the authority answered.
#[derive(Debug, Args)]
pub(crate) struct Answer {
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: NaiveDate,
    /// Its words, or the number of its letter
    #[arg(long)]
    text: String,
    #[command(flatten)]
    of: Of,
}

struct Desk {
    installation: Installation,
    store: Store,
    key: Key,
    now: Instant,
}

impl Desk {
    fn open(of: &Of) -> Result<Self, Failure> {
        let installation = Installation::load(&of.config)?;
        let store = installation.open_shared_store()?;
        let key = Key { project: of.project.clone(), obligation: of.obligation.clone(), year: of.year };
        Ok(Self { installation, store, key, now: clock::now() })
    }

    fn bench(&self) -> Result<Bench<'_>, Failure> {
        Bench::new(&self.store, &self.installation, &self.key, self.now)
    }
}

pub(crate) fn submission(what: &What) -> Result<Exit, Failure> {
    match what {
        What::Draft(of) => {
            let desk = Desk::open(of)?;
            say(&desk.bench()?.begin(&desk.key, &of.author)?);
        }
        What::Attach { file, of } => {
            let desk = Desk::open(of)?;
            let (name, bytes) = named(file)?;
            let kept = submissions::attach(&desk.store, &desk.key, (&name, &bytes), &of.author, desk.now)?;
            println!("{}  {}", kept.sha256, kept.name);
        }
        What::Detach { name, of } => {
            let desk = Desk::open(of)?;
            submissions::detach(&desk.store, &desk.key, name, &of.author, desk.now)?;
        }
        What::Check(of) => return check(of),
        What::Lift { code, subject, reason, of } => {
            let desk = Desk::open(of)?;
            let lifted = Lifted {
                code: code.clone(),
                subject: subject.clone(),
                author: of.author.clone(),
                reason: reason.clone(),
            };
            desk.bench()?.lift(&desk.key, lifted)?;
        }
        What::Freeze { out, language, of } => freeze(out.as_deref(), language.as_deref(), of)?,
        What::Sign { file, reason, replace, of } => sign(file, (reason, *replace), of)?,
        What::Send { to, of } => send(to, of)?,
        What::Sent { receipt, to, on, of } => return sent(receipt, to, *on, of),
        What::Receipt { file, config, author } => {
            let installation = Installation::load(config)?;
            let store = installation.open_shared_store()?;
            let (name, bytes) = named(file)?;
            let taken = submissions::send::take_receipt(&store, (&name, &bytes), (author, clock::now()))?;
            if taken.is_empty() {
                let says = format!("{name} is no receipt of a letter that was sent from here");
                return Err(Failure::bad_input(says).coded("receipt_letter"));
            }
            taken.iter().for_each(say);
            remark(&taken);
        }
        What::Settle { unsent: _, reason, of } => {
            let desk = Desk::open(of)?;
            let who = (of.author.as_str(), desk.now);
            say(&submissions::attempts::settle_unsent(&desk.store, &desk.key, reason, who)?);
        }
        What::Accepted(answer) => outcome(answer, Stage::Accepted)?,
        What::Integration(answer) => outcome(answer, Stage::IntegrationAsked)?,
        What::Correct { why, of } => {
            let desk = Desk::open(of)?;
            say(&submissions::correct(&desk.store, &desk.key, why, &of.author, desk.now)?);
        }
        What::Show { config, project, json } => show(config, project, *json)?,
    }
    Ok(Exit::OK)
}

fn named(file: &std::path::Path) -> Result<(String, Vec<u8>), Failure> {
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((name, read_file(file)?))
}

fn say(submission: &Submission) {
    let year = submission.year.map_or_else(|| "-".to_owned(), |year| year.to_string());
    let (obligation, stage) = (&submission.obligation, submission.stage.code());
    println!("{}\t{obligation}\t{year}\tv{}\t{stage}", submission.project, submission.version);
}

fn check(of: &Of) -> Result<Exit, Failure> {
    let desk = Desk::open(of)?;
    let checked = desk.bench()?.note_checked(&desk.key, &of.author)?;
    for obstacle in &checked.obstacles {
        println!("{}\n    to lift it: {}", obstacle.finding, obstacle.act);
    }
    for advice in &checked.advice {
        println!("note: {advice}");
    }
    if checked.obstacles.is_empty() {
        println!("nothing stands in the way");
        return Ok(Exit::OK);
    }
    Ok(Exit::CHECK)
}

fn freeze(out: Option<&std::path::Path>, language: Option<&str>, of: &Of) -> Result<(), Failure> {
    let desk = Desk::open(of)?;
    let language = language.unwrap_or(&desk.installation.settings.installation.language);
    let frozen = desk.bench()?.freeze(&desk.key, language, &of.author)?;
    say(&frozen);
    for file in frozen.frozen.iter().flat_map(|f| &f.files) {
        println!("{}  {}", file.sha256, file.name);
        if let Some(out) = out {
            let bytes = crate::records::kept(&desk.store, &file.sha256)?;
            let rendered = dashboards::RenderedFile { name: file.name.clone(), mime: "", bytes };
            crate::reports::write_all(out, &[rendered])?;
        }
    }
    Ok(())
}

fn sign(file: &std::path::Path, said: (&str, bool), of: &Of) -> Result<(), Failure> {
    let desk = Desk::open(of)?;
    let (name, bytes) = named(file)?;
    let trust_file = desk.installation.settings.sending.trust_file.clone();
    let verifier = Verifier { trust_file, now: desk.now };
    let file = (name.as_str(), bytes.as_slice());
    let signed = submissions::sign::take(&desk.store, &desk.key, file, said, &verifier, &of.author)?;
    for signer in &signed.signers {
        let at =
            signer.signed_at_ms.map_or_else(|| "-".to_owned(), |ms| Instant::from_millis(ms).to_string());
        let person = signer.person.as_deref().unwrap_or("-");
        println!("signed by {}\t{person}\tissued by {}\tat {at}", signer.name, signer.issuer);
        if signer.trusted.is_none() {
            eprintln!(
                "the chain of {}'s certificate was not checked: no [signatures] trust_file is set",
                signer.name
            );
        }
    }
    Ok(())
}

fn send(to: &str, of: &Of) -> Result<(), Failure> {
    let desk = Desk::open(of)?;
    println!("{}", submissions::send::dispatch(&desk.bench()?, &desk.key, to, &of.author)?);
    Ok(())
}

fn sent(receipt: &std::path::Path, to: &str, on: NaiveDate, of: &Of) -> Result<Exit, Failure> {
    let desk = Desk::open(of)?;
    let bench = desk.bench()?;
    let (name, bytes) = named(receipt)?;
    let by_hand = ByHand { to, on, receipt: (&name, &bytes) };
    let (zone, who) = (bench.project.zone, (of.author.as_str(), desk.now));
    let noted = submissions::sent(&desk.store, &desk.key, &by_hand, &bench.obligation, zone, who)?;
    let is_undelivered = noted.is_undelivered();
    remark(&[noted]);
    Ok(if is_undelivered { Exit::CHECK } else { Exit::OK })
}

/// What the receipts of these leave open, and what became of their letters.
fn remark(taken: &[Submission]) {
    let letters = submissions::attempts::told(taken);
    let receipts = submissions::receipts::cautions(taken);
    letters.iter().chain(&receipts).for_each(|finding| eprintln!("{finding}"));
}

fn outcome(answer: &Answer, stage: Stage) -> Result<(), Failure> {
    let desk = Desk::open(&answer.of)?;
    let outcome = Outcome { on: connectors::day::Day(answer.on), says: answer.text.clone() };
    let zone = desk.bench()?.project.zone;
    let who = (answer.of.author.as_str(), desk.now);
    say(&submissions::outcome(&desk.store, &desk.key, stage, outcome, zone, who)?);
    Ok(())
}

fn show(config: &std::path::Path, project: &ProjectId, json: bool) -> Result<(), Failure> {
    let installation = Installation::load(config)?;
    let store = installation.open_shared_store()?;
    let own: Vec<Submission> =
        submissions::all(&store)?.into_iter().filter(|s| s.project == project.as_str()).collect();
    if json {
        println!("{}", serde_json::to_string_pretty(&own).map_err(anyhow::Error::from)?);
        return Ok(());
    }
    let standing = submissions::late::standing(&own);
    let letters = submissions::attempts::told(&own);
    let texts = installation.catalog.texts("it");
    for submission in &own {
        say(submission);
        if let Some(why) = &submission.why {
            println!("    why: {why}");
        }
        for file in submission.outgoing() {
            println!("    {}  {}", file.sha256, file.name);
        }
        for finding in letters.iter().filter(|finding| submission.is_subject_of(finding)) {
            println!("    {finding}");
        }
        if let Some(year) = submission.year.filter(|_| standing.contains(&submission)) {
            let of = figures::project(&store, &installation.catalog, project)?;
            let until = figures::until(year, clock::now().day(of.zone));
            let now = figures::project_year(&store, &installation, &of, year, until)?;
            for finding in submissions::late::changes(&store, &texts, submission, &now)? {
                println!("    {finding}");
            }
        }
    }
    Ok(())
}

//! The only binary, `consuntivo`: reads the command line, wires the crates together, leaves with a documented
//! exit code.
//!
//! Must never: contain arithmetic about energy; that is `analytics`.

/// As the standard one, which panics when its reader has gone: whoever reads only the beginning, such as `head`, has what
/// they want.
macro_rules! print {
    ($($words:tt)*) => { $crate::readout::say(&format!($($words)*)) };
}

/// See [`print!`].
macro_rules! println {
    () => { $crate::readout::say("\n") };
    ($($words:tt)*) => { $crate::readout::say(&format!("{}\n", format_args!($($words)*))) };
}

mod access;
mod acts;
mod adjustments;
mod archiving;
mod aside;
mod backend;
mod baselines;
mod book;
mod clock;
mod commands;
mod comments;
mod commissioning;
mod demo;
mod desk;
mod documents;
mod dossier;
mod duties;
mod engines;
mod exit;
mod figures;
mod filed;
mod grants;
mod holds;
mod hub;
mod ingest;
mod installation;
mod links;
mod losses;
mod made;
mod memos;
mod metrics;
mod nightly;
mod office;
mod orders;
mod readout;
mod records;
mod reload;
mod reported;
mod reports;
mod runtime;
mod service;
mod site;
mod slots;
mod stated;
mod submissions;
mod template;
mod watch;
mod weather;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand};
use model::{MeterId, Month, ProjectId};

use crate::exit::{Exit, Failure};

/// From a building's meters to the annual monitoring report of an energy-efficiency grant.
#[derive(Debug, Parser)]
#[command(name = "consuntivo", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the meters, keep every reading, serve the pages, until told to stop
    Run(ConfigArg),
    /// Judge the installation file, its catalogue and any project files without touching network or store
    Check {
        #[command(flatten)]
        config: ConfigArg,
        /// A project file to judge as well; may be given several times
        #[arg(long, value_name = "FILE")]
        project: Vec<PathBuf>,
    },
    /// One harmless round trip to a meter: what it answers, with raw words
    Probe {
        /// The meter's id in the installation file
        #[arg(value_parser = parse_meter)]
        meter: MeterId,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Every quantity of one meter with its raw words, once or until Ctrl-C
    Read {
        /// The meter's id in the installation file
        #[arg(value_parser = parse_meter)]
        meter: MeterId,
        #[command(flatten)]
        config: ConfigArg,
        /// Read again and again: in place on a terminal, line after line otherwise
        #[arg(long)]
        watch: bool,
        /// Time between two readings while watching: 200ms to 60m
        #[arg(long, default_value = "2s", value_parser = commands::read::parse_every)]
        every: std::time::Duration,
    },
    /// What the catalogue holds: meters, schemes, factor sets
    Catalog {
        #[command(subcommand)]
        what: CatalogWhat,
    },
    /// Look around a Modbus bus: which units answer, which model each is; reads only
    Scan(commands::scan::ScanArgs),
    /// Payloads that were not understood: see them, and read them again after a meter file was mended
    Quarantine {
        #[command(subcommand)]
        what: QuarantineWhat,
    },
    /// Bring in files: bills, readings, temperatures, a project; importing twice changes nothing
    Import {
        #[command(subcommand)]
        what: ImportWhat,
    },
    /// Breaks of the meters' totals, how they are explained, and a person's word on them
    Counter {
        #[command(subcommand)]
        what: commands::counter::What,
    },
    /// What people know about a meter: an exchange, a wrong reading
    Meter {
        #[command(subcommand)]
        what: commands::meter::What,
    },
    /// What the totals of a project's meter come to by hour, day or month (CSV)
    Series(SeriesArgs),
    /// What a meter saved, from two files alone: baseline model, adjusted baseline, avoided energy, band
    Analyze(commands::analyze::AnalyzeArgs),
    /// Degree days of a file of temperatures by every definition in use, and the legal ones of a municipality
    DegreeDays(commands::degree_days::DegreeDaysArgs),
    /// Engines outside: how they are, and series to be written to them again
    Engine {
        #[command(subcommand)]
        what: commands::engine::What,
    },
    /// Non-routine events: what a person adds to an adjusted baseline or takes off it, with the reason
    Adjustment {
        #[command(subcommand)]
        what: commands::adjustment::What,
    },
    /// Accepted baselines: freeze them for the obligation, or look at them
    Baseline {
        #[command(subcommand)]
        what: commands::baseline::What,
    },
    /// The year-end value of each KPI on any day, with its band; normalised and cumulated savings
    Forecast(commands::forecast::ForecastArgs),
    /// The chain of a figure down to the readings
    Explain(commands::explain::ExplainArgs),
    /// Write the documents that the project's scheme asks for, and the structured monthly file
    Report(ReportArgs),
    /// Comments of people on the sections of a report
    Comment {
        #[command(subcommand)]
        what: commands::comment::CommentWhat,
    },
    /// Write the report on the monitoring system, which goes with the first annual report
    SystemReport(SystemReportArgs),
    /// Look after the store: figures, verification, backup, restoration
    Store {
        #[command(subcommand)]
        what: StoreWhat,
    },
    /// What is due when, for every project: upcoming, due, late, sent, accepted
    Obligations(commands::obligations::ObligationsArgs),
    /// How a project stands with its scheme: subjects, economics, times of keeping, each clause with its evidence
    Project(commands::obligations::ProjectArgs),
    /// The KPI table: *Valore POST* pre-filled from measurements, and the text to paste
    Kpi {
        #[command(subcommand)]
        what: commands::record::KpiWhat,
    },
    /// Documents, notes, and what was done outside this program
    Record {
        #[command(subcommand)]
        what: commands::record::What,
    },
    /// Fulfil an obligation: draft, check, freeze, sign, send, answer
    Submission {
        #[command(subcommand)]
        what: commands::submission::What,
    },
    /// Closed projects from the grants system
    Grants {
        #[command(subcommand)]
        what: commands::office::GrantsWhat,
    },
    /// Memo mails that the daemon sends before reports are due
    Memo {
        #[command(subcommand)]
        what: commands::office::MemoWhat,
    },
    /// Everything about one project in a folder, with a manifest of hashes (fascicolo di progetto)
    Dossier(commands::office::DossierArgs),
    /// Who may sign in, with which roles; one-time links to choose a password
    Account {
        #[command(subcommand)]
        what: commands::account::What,
    },
    /// The log of what people changed: list it, verify its chain of hashes
    Audit {
        #[command(subcommand)]
        what: commands::audit::What,
    },
    /// Run the demonstration portfolio on simulated meters
    Demo(DemoArgs),
    /// Print measurements of this machine: durable ingest, months, report, size on disk
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
struct ConfigArg {
    /// The installation file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum CatalogWhat {
    /// One line an entry
    List {
        /// Only of this kind
        #[arg(long)]
        kind: Option<commands::catalog::Entries>,
        #[command(flatten)]
        args: CatalogArgs,
    },
    /// Everything of one entry
    Show {
        /// The id of a meter model, a scheme or a factor set
        id: String,
        #[command(flatten)]
        args: CatalogArgs,
    },
}

#[derive(Debug, Args)]
struct CatalogArgs {
    /// An installation file, whose own catalogue folder is then seen as well
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum QuarantineWhat {
    /// One line for each payload, newest first
    List {
        #[command(flatten)]
        config: ConfigArg,
        /// Only those of this meter
        #[arg(long, value_parser = parse_meter)]
        meter: Option<MeterId>,
        /// Most lines
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One payload with its bytes
    Show {
        /// Its number, as `list` shows it
        #[arg(long)]
        id: i64,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Read payloads again: what is understood becomes readings, the rest stays with its new reason
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
struct ReplayArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Only those of this meter
    #[arg(long, value_parser = parse_meter)]
    meter: Option<MeterId>,
    /// Only this one
    #[arg(long)]
    id: Option<i64>,
    /// Who replays, for the audit log
    #[arg(long, default_value = "cli")]
    author: String,
    /// The clock of this machine was so many seconds behind when the payloads arrived
    #[arg(long, value_name = "SECONDS", default_value_t = 0, allow_negative_numbers = true)]
    clock_was_behind_s: i64,
    /// Read Sparkplug metrics that are known by alias alone with the names of the node's latest birth
    #[arg(long)]
    with_latest_births: bool,
}

#[derive(Debug, Subcommand)]
enum ImportWhat {
    /// Bills per supply point (CSV or XLSX)
    Bills {
        /// Let the file correct bills of earlier imports, and why; for the audit log
        #[arg(long, value_name = "REASON")]
        replace: Option<String>,
        #[command(flatten)]
        args: ImportArgs,
    },
    /// Quarter-hours of one electricity meter as e-distribuzione gives them (CSV)
    LoadCurve {
        /// The meter's id in its project file
        #[arg(long, value_parser = parse_meter, required_unless_present = "pod")]
        meter: Option<MeterId>,
        /// Its supply point, in place of the id
        #[arg(long, conflicts_with = "meter")]
        pod: Option<String>,
        /// Which curve is meant, where the file has several
        #[arg(long)]
        curve: Option<String>,
        /// Let finer values correct the total of an earlier import, and why; for the audit log
        #[arg(long, value_name = "REASON")]
        replace: Option<String>,
        #[command(flatten)]
        args: ImportArgs,
    },
    /// Gas readings of the ARERA consumption portal (CSV)
    AreraGas(ImportArgs),
    /// Electricity readings and quarter-hours of the ARERA consumption portal (CSV)
    AreraElectricity {
        /// Let finer values correct the total of an earlier import, and why; for the audit log
        #[arg(long, value_name = "REASON")]
        replace: Option<String>,
        #[command(flatten)]
        args: ImportArgs,
    },
    /// Any CSV file, by a file that says what its columns mean
    Csv {
        /// The mapping (TOML)
        #[arg(long, value_name = "FILE")]
        map: PathBuf,
        /// Let finer values correct the total of an earlier import, and why; for the audit log
        #[arg(long, value_name = "REASON")]
        replace: Option<String>,
        #[command(flatten)]
        args: ImportArgs,
    },
    /// Show what an energy performance certificate (APE, XML) declares; changes nothing
    Ape {
        file: PathBuf,
        /// The certificate after the works, for the declared savings
        #[arg(long, value_name = "FILE")]
        after: Option<PathBuf>,
        /// The project file to compare with
        #[arg(long, value_name = "FILE")]
        project: Option<PathBuf>,
        /// The building of the project that the certificate is of, where it has several
        #[arg(long, value_name = "ID", requires = "project")]
        building: Option<model::BuildingId>,
        /// The installation file, for a catalogue of its own
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Daily mean outdoor temperatures of a station (CSV)
    Temperatures {
        /// The station's id, as project files name it
        #[arg(long)]
        station: model::StationId,
        #[command(flatten)]
        args: ImportArgs,
    },
    /// A project file (TOML)
    Project(ImportArgs),
    /// Monthly measurements as a structured file of this program has them (XLSX, CSV, XML or JSON)
    Structured {
        /// Let the file correct months and bills of earlier imports, and why; for the audit log
        #[arg(long, value_name = "REASON")]
        replace: Option<String>,
        #[command(flatten)]
        args: ImportArgs,
    },
}

#[derive(Debug, Args)]
struct ImportArgs {
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArg,
    /// Who imports, for the audit log
    #[arg(long, default_value = "cli")]
    author: String,
    /// Take the good lines of a file even when others are refused
    #[arg(long)]
    partial: bool,
}

#[derive(Debug, Subcommand)]
enum StoreWhat {
    /// Sizes, and the files of the archive
    Stats(ConfigArg),
    /// Check the journal, the audit log, every archive file, every document and what is kept of series; writes nothing
    Verify {
        /// Drop what is kept of series that differ, so that it is made again; only while no daemon runs
        #[arg(long)]
        drop_differing: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Copy the store into a folder while the daemon works; a second time copies only what is new
    Backup {
        folder: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Put a backup into the installation's data directory, which must hold no store
    Restore {
        folder: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Archive closed months now; the running daemon does it by itself
    Archive(ConfigArg),
}

#[derive(Debug, Args)]
struct SeriesArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The meter's id in its project file
    #[arg(long, value_parser = parse_meter)]
    meter: MeterId,
    #[arg(long, value_enum, default_value_t = SeriesStep::Months)]
    step: SeriesStep,
    /// First month (default: the beginning of the project's baseline)
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month)]
    from: Option<Month>,
    /// Last month (default: that of the latest reading)
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month)]
    to: Option<Month>,
}

/// The step of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SeriesStep {
    Hours,
    Days,
    Months,
}

#[derive(Debug, Args)]
struct ReportArgs {
    #[command(flatten)]
    config: ConfigArg,
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    /// The year that the report is about; a campaign's report needs none
    #[arg(long)]
    year: Option<i32>,
    /// One document: annual, system, indicators or campaign (default: those that the project's scheme asks for)
    #[arg(long, value_parser = parse_document)]
    document: Option<analytics::scheme::ReportKind>,
    /// Folder for the files (default: where the pages list reports, see [reports] in the installation file)
    #[arg(long)]
    out: Option<PathBuf>,
    /// Language of the report (default: the installation's)
    #[arg(long, value_parser = config::catalog::LANGUAGES)]
    language: Option<String>,
    /// For a year in progress: count data before this day (default: today)
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<NaiveDate>,
}

#[derive(Debug, Args)]
struct SystemReportArgs {
    #[command(flatten)]
    config: ConfigArg,
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    /// Folder for the file (default: with the reports of the project's first year)
    #[arg(long)]
    out: Option<PathBuf>,
    /// Language of the report (default: the installation's)
    #[arg(long, value_parser = config::catalog::LANGUAGES)]
    language: Option<String>,
    /// Count data before this day, which becomes the report's (default: today)
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<NaiveDate>,
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Where the demonstration keeps its files
    #[arg(long, default_value = "demo-data")]
    dir: PathBuf,
    /// Write every file and leave, without serving
    #[arg(long, requires = "out")]
    once: bool,
    /// Folder for the reports (default: DIR/reports)
    #[arg(long)]
    out: Option<PathBuf>,
    /// The day on which the demonstration takes place (default: today)
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<NaiveDate>,
    /// Address of the pages
    #[arg(long, default_value = "127.0.0.1:8480")]
    listen: std::net::SocketAddr,
}

#[derive(Debug, Args)]
struct BenchArgs {
    /// Folder for the benchmark's store; on the disk to be measured
    #[arg(long, default_value = "bench-data")]
    dir: PathBuf,
    /// Only these sections (default: all)
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<commands::bench::Section>,
    /// Instead of the usual figures: the store and VictoriaMetrics side by side on the same stream
    #[arg(long)]
    peer: bool,
    /// With --peer: days of size and queries, 1 to 30; ingestion is measured on at most five of them
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=30))]
    days: i64,
}

fn parse_meter(text: &str) -> Result<MeterId, model::IdError> {
    MeterId::new(text)
}

fn parse_month(text: &str) -> Result<Month, String> {
    let month =
        text.split_once('-').and_then(|(year, number)| Month::new(year.parse().ok()?, number.parse().ok()?));
    month
        .filter(|m| (1990..=2200).contains(&m.year))
        .ok_or_else(|| format!("{text:?} is no month; write it as 2025-03"))
}

fn parse_project(text: &str) -> Result<ProjectId, model::IdError> {
    ProjectId::new(text)
}

fn parse_document(text: &str) -> Result<analytics::scheme::ReportKind, String> {
    analytics::scheme::ReportKind::parse(text)
        .ok_or_else(|| "no document; write annual, system, indicators or campaign".to_owned())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("CONSUNTIVO_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        // Colours are for eyes; a log file is searched.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // A line that a closed terminal does not take is lost; telling it of that would panic.
        .log_internal_errors(false)
        .init();
    // One provider, chosen before anything opens a TLS connection; two in one process panic.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    match dispatch(cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("consuntivo: {:#}", failure.error);
            failure.exit.into()
        }
    }
}

fn dispatch(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Run(arg) => commands::run::run(&arg.config),
        Command::Check { config, project } => commands::check::check(&config.config, &project),
        Command::Probe { meter, config } => commands::probe::probe(&config.config, &meter),
        Command::Read { meter, config, watch, every } => {
            commands::read::read(&config.config, &meter, watch.then_some(every))
        }
        Command::Catalog { what: CatalogWhat::List { kind, args } } => {
            commands::catalog::list(args.config.as_deref(), kind, args.json)
        }
        Command::Catalog { what: CatalogWhat::Show { id, args } } => {
            commands::catalog::show(args.config.as_deref(), &id, args.json)
        }
        Command::Scan(args) => commands::scan::scan(&args),
        Command::Quarantine { what } => commands::quarantine::quarantine(&what),
        Command::Import { what } => commands::import::import(&what),
        Command::Counter { what } => commands::counter::counter(&what),
        Command::Meter { what } => commands::meter::meter(&what),
        Command::Series(args) => commands::series::series(&args),
        Command::Analyze(args) => commands::analyze::analyze(&args),
        Command::DegreeDays(args) => commands::degree_days::degree_days(&args),
        Command::Engine { what } => commands::engine::engine(&what),
        Command::Adjustment { what } => commands::adjustment::adjustment(&what),
        Command::Baseline { what } => commands::baseline::baseline(&what),
        Command::Forecast(args) => commands::forecast::forecast(&args),
        Command::Explain(args) => commands::explain::explain(&args),
        Command::Report(args) => commands::report::report(&args),
        Command::Comment { what } => commands::comment::comment(&what),
        Command::SystemReport(args) => commands::system_report::system_report(&args),
        Command::Store { what } => commands::store::store(&what),
        Command::Obligations(args) => commands::obligations::obligations(&args),
        Command::Project(args) => commands::obligations::project(&args),
        Command::Kpi { what } => commands::record::kpi(&what),
        Command::Record { what } => commands::record::record(&what),
        Command::Submission { what } => commands::submission::submission(&what),
        Command::Grants { what } => commands::office::grants(&what),
        Command::Memo { what } => commands::office::memo(&what),
        Command::Dossier(args) => commands::office::dossier(&args),
        Command::Account { what } => commands::account::account(&what),
        Command::Audit { what } => commands::audit::audit(&what),
        Command::Demo(args) => commands::demo::demo(&args),
        Command::Bench(args) if args.peer => commands::bench_peer::bench(&args.dir, args.days),
        Command::Bench(args) => commands::bench::bench(&args.dir, &args.only),
    }
}

//! The only binary, `consuntivo`: reads the command line, wires the crates together, leaves with a documented
//! exit code.
//!
//! Must never: contain arithmetic about energy; that is `analytics`.

mod archiving;
mod backend;
mod book;
mod clock;
mod commands;
mod demo;
mod exit;
mod figures;
mod ingest;
mod installation;
mod metrics;
mod reports;
mod runtime;
mod service;

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand};
use model::{MeterId, ProjectId};

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
    /// Bring in bills, temperatures or a project file; importing twice changes nothing
    Import {
        #[command(subcommand)]
        what: ImportWhat,
    },
    /// Write the annual monitoring report and the structured monthly file
    Report(ReportArgs),
    /// Look after the store: figures, verification, backup, restoration
    Store {
        #[command(subcommand)]
        what: StoreWhat,
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
enum ImportWhat {
    /// Bills per supply point (CSV)
    Bills(ImportArgs),
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
    /// Check the journal, the audit log and every archive file
    Verify(ConfigArg),
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
struct ReportArgs {
    #[command(flatten)]
    config: ConfigArg,
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    #[arg(long)]
    year: i32,
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
}

fn parse_meter(text: &str) -> Result<MeterId, model::IdError> {
    MeterId::new(text)
}

fn parse_project(text: &str) -> Result<ProjectId, model::IdError> {
    ProjectId::new(text)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("CONSUNTIVO_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
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
        Command::Import { what } => commands::import::import(&what),
        Command::Report(args) => commands::report::report(&args),
        Command::Store { what } => commands::store::store(&what),
        Command::Demo(args) => commands::demo::demo(&args),
        Command::Bench(args) => commands::bench::bench(&args.dir),
    }
}

//! `consuntivo analyze`: what a meter saved, from two files and no store; one meter, or a folder of them.
//!
//! Must never: touch the store or the network, print a number without its band, or leave a meter of a folder out in
//! silence.

mod folder;
mod hours;
mod print;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use analytics::analysis::{
    Answer, MeterPeriod, Method, Question, Window, analyse, driven, estimated, hourly,
};
use analytics::baseline::caltrack::Terms;
use analytics::baseline::data::Grid;
use analytics::calendar::Opening;
use analytics::degree_days::DailyMeans;
use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use connectors::files::analysis::{StatedPeriod, read_meter, read_temperature_days};
use connectors::files::{FileError, Refused};
use model::{DailyTemperature, Finding, Severity, StationId};

use crate::exit::{Exit, Failure};

/// Largest file taken, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Wrong lines printed before the rest is only counted.
const REFUSED_SHOWN_MAX: usize = 50;

/// What a meter saved: the baseline's model under the reporting period's weather, less what was measured
#[derive(Debug, Args)]
pub(crate) struct AnalyzeArgs {
    /// The meter: CSV with period_start, period_end (first day after), value; or date, value
    #[arg(long, value_name = "FILE", required_unless_present = "batch")]
    meter: Option<PathBuf>,
    /// Daily mean temperatures: CSV with date, tmean_c
    #[arg(long, value_name = "FILE", required_unless_present = "batch")]
    temperature: Option<PathBuf>,
    /// Days before the works; the end is the first day after (default: the file's column `phase`)
    #[arg(long, value_name = "FROM..TO", value_parser = parse_window)]
    baseline: Option<Window>,
    /// Days after the works; the end is the first day after (default: the file's column `phase`)
    #[arg(long, value_name = "FROM..TO", value_parser = parse_window)]
    reporting: Option<Window>,
    /// auto, averaged, caltrack-monthly, caltrack-daily, change-point, degree-days, one shape (1p, 2p, 3ph, 3pc, 4p, 5p),
    /// drivers, or towt for a meter read by the hour
    #[arg(long, default_value = "auto", value_parser = parse_method)]
    method: Chosen,
    /// What else the use depends on, by the day: CSV with date and one column for each driver
    #[arg(long, value_name = "FILE")]
    drivers: Option<PathBuf>,
    /// Days of the week on which the building is open, such as lun-ven; Italian holidays are closed. A driver
    #[arg(long, value_name = "DAYS", value_parser = parse_opening)]
    open_days: Option<Opening>,
    /// Closed besides; the end is the first day after. May be given several times
    #[arg(long, value_name = "FROM..TO", value_parser = parse_window, requires = "open_days")]
    closed: Vec<Window>,
    /// Step of the balance points of the CalTRACK methods (default: 3F, and 0.5C where the method is chosen by the data)
    #[arg(long)]
    balance_step: Option<Step>,
    /// Of the band, two-sided: 0.5 to 0.999
    #[arg(long, default_value = "0.9", value_parser = parse_confidence)]
    confidence: f64,
    /// Whether the fuel can cool: with `heat` no cooling is sought (default: heat where the meter's name has a fuel in it)
    #[arg(long)]
    fuel: Option<Fuel>,
    /// A normal year, for normalised savings
    #[arg(long, value_name = "FROM..TO", value_parser = parse_window)]
    normal: Option<Window>,
    /// Temperatures of the normal year, where they are not in those of the meter
    #[arg(long, value_name = "FILE", requires = "normal")]
    normal_temperature: Option<PathBuf>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Analyse every meter of a folder, one JSON line each; see docs/files.md
    #[arg(long, value_name = "DIR", conflicts_with = "meter")]
    batch: Option<PathBuf>,
}

/// The method asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// Of the weather alone.
    OfWeather(Method),
    /// Degree days and drivers that a file or a calendar states.
    Drivers,
    /// Time of week and temperature.
    TimeOfWeek,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    #[value(name = "3F")]
    ThreeFahrenheit,
    #[value(name = "1F")]
    OneFahrenheit,
    #[value(name = "0.5C")]
    HalfCelsius,
}

impl Step {
    fn by_method(method: Method) -> Self {
        if method == Method::Auto { Self::HalfCelsius } else { Self::ThreeFahrenheit }
    }

    const fn grid(self) -> Grid {
        match self {
            Self::ThreeFahrenheit => Grid::FAHRENHEIT_3,
            Self::OneFahrenheit => Grid::FAHRENHEIT_1,
            Self::HalfCelsius => Grid::CELSIUS_HALF,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fuel {
    /// Heats and cools
    Electricity,
    /// Heats only: gas, oil, wood, district heat
    Heat,
}

impl Fuel {
    const fn terms(self) -> Terms {
        match self {
            Self::Electricity => Terms::HeatingAndCooling,
            Self::Heat => Terms::Heating,
        }
    }

    /// From a file of meters.
    fn parse(text: &str) -> Self {
        if matches!(text, "electricity" | "") { Self::Electricity } else { Self::Heat }
    }
}

/// Words of a meter's name that say its fuel cannot cool.
const HEAT_WORDS: [&str; 10] = [
    "gas",
    "gpl",
    "gasolio",
    "metano",
    "pellet",
    "cippato",
    "riscaldamento",
    "teleriscaldamento",
    "oil",
    "heat",
];

fn parse_method(text: &str) -> Result<Chosen, String> {
    if text == driven::METHOD {
        return Ok(Chosen::Drivers);
    }
    if text == hourly::METHOD {
        return Ok(Chosen::TimeOfWeek);
    }
    let found = Method::ALL.into_iter().find(|m| m.code() == text);
    found.map(Chosen::OfWeather).ok_or_else(|| {
        let all: Vec<&str> = Method::ALL.iter().map(|m| m.code()).collect();
        let (drivers, towt) = (driven::METHOD, hourly::METHOD);
        format!("there is no method {text:?}; take one of {}, {drivers}, {towt}", all.join(", "))
    })
}

fn parse_opening(text: &str) -> Result<Opening, String> {
    Opening::parse(text)
        .ok_or_else(|| format!("{text:?} names no days of the week; write it like lun-ven or mon-sat"))
}

pub(super) fn parse_window(text: &str) -> Result<Window, String> {
    let form = || {
        format!(
            "{text:?} is no window; write it like 2023-01-01..2024-01-01 or 01/01/2023..01/01/2024, the end is the \
             first day after"
        )
    };
    let (from, to) = text.split_once("..").ok_or_else(form)?;
    let day = |text: &str| connectors::files::analysis::day(text.trim()).map_err(|_| form());
    let window = Window { from: day(from)?, to: day(to)? };
    let plausible =
        analytics::analysis::is_plausible(window.from) && analytics::analysis::is_plausible(window.to);
    if window.from < window.to && plausible {
        Ok(window)
    } else {
        Err(format!("the window {text} has no day; its end is the first day after it"))
    }
}

fn parse_confidence(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|v| (0.5..=0.999).contains(v));
    value.ok_or_else(|| format!("{text:?} is no confidence; write a number from 0.5 to 0.999, such as 0.9"))
}

/// One meter to analyse.
#[derive(Debug)]
struct Job {
    /// What it is called; empty for a file's only meter.
    name: String,
    periods: Vec<StatedPeriod>,
    fuel: Option<Fuel>,
    normal: Option<Window>,
    findings: Vec<Finding>,
}

/// Analyses as the command line says.
pub(crate) fn analyze(args: &AnalyzeArgs) -> Result<Exit, Failure> {
    let stated = args.drivers.is_some() || args.open_days.is_some();
    if stated != (args.method == Chosen::Drivers) {
        return Err(Failure::bad_input(
            "--method drivers needs --drivers FILE or --open-days DAYS, and no other method takes them",
        ));
    }
    if let Some(dir) = &args.batch {
        if args.method == Chosen::TimeOfWeek {
            return Err(Failure::bad_input("--method towt analyses one meter of hours, not a folder"));
        }
        return folder::analyze(args, dir);
    }
    let (Some(meter), Some(temperature)) = (&args.meter, &args.temperature) else {
        return Err(Failure::bad_input("name a --meter and its --temperature, or a --batch folder"));
    };
    if args.method == Chosen::TimeOfWeek {
        return hours::analyze(args, meter, temperature);
    }
    let temperatures = temperatures(temperature)?;
    let normal = args.normal_temperature.as_deref().map(self::temperatures).transpose()?;
    let name = stem(meter);
    let mut jobs = jobs(meter, &name)?;
    if jobs.len() != 1 {
        return Err(Failure::bad_input(format!(
            "{} holds {} meters; analyse its folder with --batch",
            meter.display(),
            jobs.len()
        )));
    }
    let job = jobs.remove(0);
    let answer = run(args, &job, &temperatures, normal.as_ref())?;
    if args.json {
        println!("{}", print::json(None, &answer));
    } else {
        print!("{}", print::text(&job.name, &answer));
    }
    Ok(Exit::OK)
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned())
}

fn run(
    args: &AnalyzeArgs,
    job: &Job,
    temperatures: &DailyMeans,
    normal: Option<&DailyMeans>,
) -> Result<Answer, Failure> {
    let subject = format!("meter:{}", job.name);
    let window = |given: Option<Window>, phase: &str| {
        given.or_else(|| by_phase(&job.periods, phase)).ok_or_else(|| {
            Failure::bad_input(format!(
                "{subject} has no {phase} window: give --{phase} FROM..TO, or a column phase with rows of {phase}"
            ))
        })
    };
    let (baseline, reporting) = (window(args.baseline, "baseline")?, window(args.reporting, "reporting")?);
    if baseline.from < reporting.to && reporting.from < baseline.to {
        return Err(Failure::bad_input(format!(
            "{subject}: the baseline {}..{} and the reporting period {}..{} share days; a day is before the works or \
             after them: set --baseline and --reporting apart",
            baseline.from, baseline.to, reporting.from, reporting.to
        )));
    }
    let stated: Vec<(MeterPeriod, bool)> = job
        .periods
        .iter()
        .map(|p| (MeterPeriod { from: p.from, to: p.to, value: p.value }, p.estimated))
        .collect();
    let (periods, settled) = estimated::settle(&subject, &stated);
    let mut findings = job.findings.clone();
    findings.extend(settled);
    let fuel = args.fuel.or(job.fuel).unwrap_or_else(|| by_name(&job.name, &subject, &mut findings));
    let year = args.normal.or(job.normal).or_else(|| normal.and_then(all_days));
    let windows: Vec<Window> = [baseline, reporting].into_iter().chain(year).collect();
    let drivers = hours::drivers(args, &windows)?;
    let method = match args.method {
        Chosen::OfWeather(method) => method,
        Chosen::Drivers | Chosen::TimeOfWeek => Method::Auto,
    };
    let question = Question {
        subject: &subject,
        periods: &periods,
        temperatures,
        baseline,
        reporting,
        method,
        grid: args.balance_step.unwrap_or(Step::by_method(method)).grid(),
        terms: fuel.terms(),
        confidence: args.confidence,
        normal: year.map(|window| (normal.unwrap_or(temperatures), window)),
    };
    let mut answer = match args.method {
        Chosen::Drivers => driven::analyse(&question, &drivers),
        Chosen::OfWeather(_) | Chosen::TimeOfWeek => analyse(&question),
    };
    answer.findings.append(&mut findings);
    answer.findings.sort_by(|a, b| (b.severity, a.code).cmp(&(a.severity, b.code)));
    Ok(answer)
}

/// The fuel where nobody says it: a name with a fuel in it heats only.
fn by_name(name: &str, subject: &str, findings: &mut Vec<Finding>) -> Fuel {
    let lower = name.to_lowercase();
    let word =
        HEAT_WORDS.iter().find(|word| lower.split(|c: char| !c.is_alphanumeric()).any(|w| w == **word));
    let Some(word) = word else { return Fuel::Electricity };
    let says = format!("the meter's name says {word}: no cooling was sought; --fuel electricity seeks it");
    let rule = "CalTRACK 2.0: fuels have no cooling candidates";
    findings.push(Finding::new("fuel.by_name", Severity::Note, subject, says, rule).with("word", word));
    Fuel::Heat
}

/// From the first to the last day of a year given on its own.
fn all_days(means: &DailyMeans) -> Option<Window> {
    let first = means.dated().next()?.0;
    let (last, _) = means.dated().last()?;
    Some(Window { from: first, to: last.succ_opt()? })
}

fn by_phase(periods: &[StatedPeriod], phase: &str) -> Option<Window> {
    let own = || periods.iter().filter(|p| p.phase == phase);
    Some(Window { from: own().map(|p| p.from).min()?, to: own().map(|p| p.to).max()? })
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |why: String| Failure::bad_input(format!("cannot read {}: {why}", path.display()));
    let io = |error: std::io::Error| cannot(next_step(&error));
    let known = fs::metadata(path).map_err(io)?;
    if known.is_dir() {
        return Err(cannot("it is a folder; name a file in it, or give the folder to --batch".to_owned()));
    }
    let size = known.len();
    if FILE_BYTES_MAX < size {
        return Err(cannot(format!(
            "it has {size} bytes, the most is {FILE_BYTES_MAX}; split it by year, or by meter where it has several"
        )));
    }
    fs::read(path).map_err(io)
}

/// What the system says of a path, with what to do about it.
fn next_step(error: &std::io::Error) -> String {
    let step = match error.kind() {
        std::io::ErrorKind::NotFound => "check the name, and the folder that the command runs in",
        std::io::ErrorKind::PermissionDenied => "let this user read it",
        std::io::ErrorKind::NotADirectory => "name a folder, or give the file to --meter",
        _ => "check the disk or the share that it is on",
    };
    format!("{error}; {step}")
}

pub(super) fn of_file(path: &Path, error: &FileError) -> Failure {
    Failure::bad_input(format!("{}: {error}", path.display()))
}

/// Nothing of a file with a wrong line is used: the first lines are named, the others counted.
pub(super) fn none_refused(path: &Path, refused: &[Refused]) -> Result<(), Failure> {
    if refused.is_empty() {
        return Ok(());
    }
    let mut says = format!("{} has {} wrong lines; nothing of it was used", path.display(), refused.len());
    for line in refused.iter().take(REFUSED_SHOWN_MAX) {
        says.push_str(&format!("\n  {line}"));
    }
    if REFUSED_SHOWN_MAX < refused.len() {
        says.push_str(&format!("\n  and {} more", refused.len() - REFUSED_SHOWN_MAX));
    }
    Err(Failure::bad_input(says))
}

/// Whether the first row of a file has a time of the day: a meter that is read by the hour.
fn has_hours(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes.get(..4096.min(bytes.len())).unwrap_or_default());
    let row = text.lines().nth(1).unwrap_or_default();
    let is_time = |cell: &str| {
        let at = cell.trim().trim_matches('"');
        let clock = at.split_once([' ', 'T']).map(|(_, clock)| clock);
        clock.and_then(|clock| clock.split_once(':')).is_some_and(|(hour, _)| hour.parse::<u8>().is_ok())
    };
    row.split([',', ';', '\t']).any(is_time)
}

/// The same failure with the method that takes such a file.
fn of_hours(failure: &Failure) -> Failure {
    Failure::bad_input(format!(
        "{:#}\nthe file has times of the day: analyse a meter of hours with --method towt, or join its hours to days",
        failure.error
    ))
}

/// The meters of a file; `name` is that of its only one.
fn jobs(path: &Path, name: &str) -> Result<Vec<Job>, Failure> {
    let bytes = read(path)?;
    let hint = |failure: Failure| if has_hours(&bytes) { of_hours(&failure) } else { failure };
    let file = read_meter(&bytes).map_err(|e| hint(of_file(path, &e)))?;
    none_refused(path, &file.refused).map_err(hint)?;
    if file.meters.is_empty() {
        return Err(Failure::bad_input(format!("{}: no rows after the header", path.display())));
    }
    let mut findings = Vec::new();
    if 0 < file.repeated {
        let says = format!("{} rows repeat another and count once", file.repeated);
        let finding = Finding::new(
            "import.repeated",
            Severity::Note,
            "file",
            says,
            "CalTRACK 2.0: of duplicates the first stays",
        );
        findings.push(finding.with("rows", file.repeated));
    }
    let job = |(own, periods): (String, Vec<StatedPeriod>)| Job {
        name: if own.is_empty() { name.to_owned() } else { own },
        periods,
        fuel: None,
        normal: None,
        findings: findings.clone(),
    };
    Ok(file.meters.into_iter().map(job).collect())
}

fn temperatures(path: &Path) -> Result<DailyMeans, Failure> {
    let file = read_temperature_days(&read(path)?).map_err(|e| of_file(path, &e))?;
    none_refused(path, &file.refused)?;
    let station = StationId::new("file").map_err(anyhow::Error::from)?;
    let of = |&(date, mean_c): &(NaiveDate, f64)| DailyTemperature::as_given(station.clone(), date, mean_c);
    let days: Vec<DailyTemperature> = file.days.iter().map(of).collect();
    Ok(DailyMeans::of(&days, &station))
}

/// Temperatures of several stations, each read once.
type Weather = BTreeMap<PathBuf, Result<DailyMeans, String>>;

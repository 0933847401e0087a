//! `consuntivo scan ADDRESS`: which units answer on a bus, which model each one is, and the lines for the
//! installation file.
//!
//! Must never: write to a device, or read one for longer than was said at the start.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use connectors::modbus::scan::{self, FirstWord, FoundUnit, ScanStep, SunSpec};
use connectors::modbus::{BAUD, SerialLine, Settings, Way};
use connectors::wire::Parity;
use model::ModelId;
use profile::{EvidenceLevel, MeterModel};

use crate::commands::run::block_on;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;

/// Silence between two questions: nobody knows yet what the devices need.
const PAUSE_MS: u64 = 20;
/// Units between two lines of progress.
const PROGRESS_EVERY: usize = 16;
/// Units that no device has (Modbus over serial line V1.02, 2.2); 0 and 255 have a meaning over TCP only.
const RESERVED: std::ops::RangeInclusive<u8> = 248..=254;
/// The port that Modbus TCP has when none is given.
const PORT: u16 = 502;

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// Host and port of a gateway or meter (10.0.0.5:502), or the device file of a serial line (/dev/ttyUSB0)
    address: String,
    /// Units to ask: numbers and ranges of 1 to 247, such as 1-32,100; over TCP also 0 and 255, which stand for a device
    /// with its own socket
    #[arg(long, default_value = "1-247", value_parser = parse_units)]
    units: Units,
    /// How long a unit may take to answer, in milliseconds
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    timeout: u64,
    /// Serial frames inside TCP, for transparent serial servers
    #[arg(long)]
    rtu: bool,
    /// Speed of the serial line, in bits a second
    #[arg(long, default_value_t = BAUD)]
    baud: u32,
    /// Parity of the serial line
    #[arg(long, default_value = "none", value_parser = ["none", "even", "odd"])]
    parity: String,
    /// Stop bits of the serial line
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    stop_bits: u8,
    /// An installation file whose own meter files are tried too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The units to ask, rising.
#[derive(Debug, Clone)]
struct Units(Vec<u8>);

fn parse_units(text: &str) -> Result<Units, String> {
    let number = |part: &str| {
        let unit = part.trim().parse::<u8>().ok().filter(|unit| !RESERVED.contains(unit));
        unit.ok_or_else(|| format!("{part:?} is no unit; use 1 to 247, or 0 and 255 over TCP"))
    };
    let mut units = BTreeSet::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (number(from)?, number(to)?);
        if to < from {
            return Err(format!("{part:?} runs backwards; write {to}-{from}"));
        }
        if from < *RESERVED.start() && *RESERVED.end() < to {
            return Err(format!("{part:?} holds units that are reserved; write {from}-247,255"));
        }
        units.extend(from..=to);
    }
    Ok(Units(units.into_iter().collect()))
}

impl ScanArgs {
    fn settings(&self) -> Result<Settings, Failure> {
        let way = if self.address.starts_with('/') {
            let parity = match self.parity.as_str() {
                "even" => Parity::Even,
                "odd" => Parity::Odd,
                _ => Parity::None,
            };
            let device = self.address.clone();
            Way::Serial(SerialLine { device, baud: self.baud, parity, stop_bits: self.stop_bits })
        } else {
            let bare = !self.address.contains(':');
            let address = if bare { format!("{}:{PORT}", self.address) } else { self.address.clone() };
            if self.rtu { Way::RtuOverTcp { address } } else { Way::Tcp { address } }
        };
        let alone = self.units.0.iter().find(|unit| matches!(unit, 0 | 255));
        if let (Some(unit), Way::RtuOverTcp { .. } | Way::Serial(_)) = (alone, &way) {
            let says = format!("unit {unit} is no device on a serial line; use 1 to 247");
            return Err(Failure::bad_input(says));
        }
        let settings = Settings { timeout_ms: Some(self.timeout), pause_ms: PAUSE_MS, ..Settings::of(way) };
        match settings.check("scan").first() {
            Some(finding) => Err(Failure::bad_input(finding.says.clone())),
            None => Ok(settings),
        }
    }

    fn models(&self) -> Result<Vec<Arc<MeterModel>>, Failure> {
        let meters = match &self.config {
            Some(file) => Installation::load(file)?.models,
            None => config::meters::load_meters(None).map_err(|errors| {
                let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
                Failure::bad_input(lines.join("\n"))
            })?,
        };
        Ok(meters.iter().map(Arc::clone).collect())
    }
}

pub(crate) fn scan(args: &ScanArgs) -> Result<Exit, Failure> {
    let settings = args.settings()?;
    let models = args.models()?;
    let units = &args.units.0;
    let longest = scan::longest_silence(&settings, units.len()).as_secs() + 1;
    eprintln!(
        "asking {} units on {}; at most {longest} s if none answers, some seconds more for each that does",
        units.len(),
        settings.way
    );
    let begun = Instant::now();
    let mut asked = 0;
    let found = block_on(async {
        let told = |step: ScanStep<'_>| match step {
            ScanStep::Asking(unit) => {
                if 0 < asked && asked % PROGRESS_EVERY == 0 {
                    eprintln!("  {asked} of {} units asked, now {unit}", units.len());
                }
                asked += 1;
            }
            ScanStep::Found(unit) => eprintln!("  unit {}: {}", unit.unit, shown_models(unit)),
        };
        scan::scan(&settings, units, &models, told)
            .await
            .map_err(|error| Failure::new(Exit::UNREACHABLE, error))
    })?;
    let took = begun.elapsed().as_secs();
    println!("{} of {} units answered on {} ({took} s)", found.len(), units.len(), settings.way);
    if found.is_empty() {
        println!("{}", advice(&settings.way));
        return Ok(Exit::UNREACHABLE);
    }
    for unit in &found {
        println!("{}", line(unit));
    }
    println!("\n# For the installation file; give every meter a name of your own.");
    print!("{}", snippet(&settings.way, &found, &models));
    Ok(Exit::OK)
}

fn shown_models(unit: &FoundUnit) -> String {
    if unit.models.is_empty() {
        return "model not known".to_owned();
    }
    unit.models.iter().map(ModelId::as_str).collect::<Vec<_>>().join(" or ")
}

/// One line of the table.
fn line(unit: &FoundUnit) -> String {
    let mut line = format!("  {:>3}  {:<32}", unit.unit, shown_models(unit));
    if let Some(chain) = &unit.sunspec {
        write!(line, " {}", shown_chain(chain)).ok();
    }
    if (unit.models.is_empty() && unit.sunspec.is_none()) || !unit.identity.is_empty() {
        let identity: Vec<String> =
            unit.identity.iter().map(|(id, text)| format!("{} {text:?}", object(*id))).collect();
        let identity = if identity.is_empty() { "none".to_owned() } else { identity.join(", ") };
        let first = match unit.first {
            FirstWord::Holds(word) => format!("holds {word} ({word:#06x})"),
            FirstWord::Refused(code) => format!("is refused with exception {code}"),
            FirstWord::Garbled => "came garbled: check baud rate, parity and termination".to_owned(),
        };
        // A String takes every text.
        write!(line, " identification: {identity}; holding register 0 {first}").ok();
    }
    if unit.unfinished {
        line.push_str(" (fell silent on the way: raise --timeout)");
    }
    line.trim_end().to_owned()
}

/// What a chain of SunSpec models says: its ids, and the device in its own words.
fn shown_chain(chain: &SunSpec) -> String {
    let ids: Vec<String> = chain.ids.iter().map(ToString::to_string).collect();
    let texts: Vec<String> = chain
        .texts
        .iter()
        .map(|(name, text)| format!("{} {text:?}", name.code().replace('_', " ")))
        .collect();
    let texts = if texts.is_empty() { "says nothing of itself".to_owned() } else { texts.join(", ") };
    format!("SunSpec models {}: {texts}", ids.join(", "))
}

/// Modbus application protocol V1.1b3, 6.21.
const fn object(id: u8) -> &'static str {
    match id {
        0 => "maker",
        1 => "product code",
        2 => "revision",
        3 => "web address",
        4 => "product",
        5 => "model",
        6 => "application",
        _ => "more",
    }
}

fn advice(way: &Way) -> &'static str {
    match way {
        Way::Tcp { .. } => {
            "check the units' numbers and that the gateway's serial side has their baud rate and parity, or try --rtu"
        }
        Way::RtuOverTcp { .. } => "check baud rate and parity at the serial server, or try without --rtu",
        Way::Serial(_) => {
            "check polarity (A and B), termination, --baud and --parity; many meters are delivered with 9600 and none"
        }
    }
}

/// The lines that make these units meters of an installation.
fn snippet(way: &Way, found: &[FoundUnit], models: &[Arc<MeterModel>]) -> String {
    let mut out = format!("[[link]]\nid = \"bus\"\nconnector = \"{}\"\n", way.name());
    let write = |out: &mut String, text: std::fmt::Arguments<'_>| out.write_fmt(text).ok();
    match way {
        Way::Tcp { address } | Way::RtuOverTcp { address } => {
            write(&mut out, format_args!("address = \"{address}\"\n"));
        }
        Way::Serial(line) => {
            let parity = match line.parity {
                Parity::None => "none",
                Parity::Even => "even",
                Parity::Odd => "odd",
            };
            let SerialLine { device, baud, stop_bits, .. } = line;
            write(
                &mut out,
                format_args!(
                    "device = \"{device}\"\nbaud = {baud}\nparity = \"{parity}\"\nstop_bits = {stop_bits}\n"
                ),
            );
        }
    }
    for unit in found {
        let number = unit.unit;
        let hash = if unit.models.is_empty() { "# " } else { "" };
        let model = unit.models.first().map_or("choose-one", |id| id.as_str());
        write(&mut out, format_args!("\n{hash}[[meter]]\n{hash}id = \"unit-{number}\"\n"));
        write(&mut out, format_args!("{hash}link = \"bus\"\n{hash}model = \"{model}\""));
        let others: Vec<&str> = unit.models.iter().skip(1).map(ModelId::as_str).collect();
        let known = models.iter().find(|m| m.id.as_str() == model);
        if !others.is_empty() {
            write(&mut out, format_args!(" # or {}: compare with the plate", others.join(", ")));
        } else if known.is_some_and(|m| m.evidence.level == EvidenceLevel::Experimental) {
            write(&mut out, format_args!(" # experimental: compare what probe reads with the display"));
        }
        write(&mut out, format_args!("\n{hash}every_s = 60\n{hash}unit = {number}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use profile::TextName;

    use super::*;

    #[test]
    fn units_are_numbers_and_ranges() {
        let units = |text: &str| parse_units(text).map(|units| units.0);
        assert_eq!(units("3,1-2, 2-4").unwrap(), [1, 2, 3, 4]);
        assert_eq!(units("1-247").unwrap().len(), 247);
        assert_eq!(units("255,1,0").unwrap(), [0, 1, 255], "a device with its own socket");
        for bad in ["", "248", "254", "256", "5-3", "a", "1-", "1,,2", "1-255", "0-255", "250-255"] {
            assert!(units(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_printed_can_be_pasted() {
        let way = Way::Serial(SerialLine {
            device: "/dev/ttyUSB0".into(),
            baud: 9_600,
            parity: Parity::Even,
            stop_bits: 1,
        });
        let found = |unit, models: &[&str]| FoundUnit {
            unit,
            models: models.iter().map(|id| ModelId::new(id).unwrap()).collect(),
            sunspec: None,
            identity: vec![],
            first: FirstWord::Refused(2),
            unfinished: false,
        };
        let models: Vec<Arc<MeterModel>> =
            config::meters::load_meters(None).unwrap().iter().map(Arc::clone).collect();
        let text = snippet(&way, &[found(1, &["eastron-sdm630"]), found(2, &[])], &models);
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["link"][0]["parity"].as_str(), Some("even"));
        assert_eq!(table["meter"].as_array().unwrap().len(), 1);
        let settings = format!("[installation]\nid = \"i\"\nname = \"I\"\n{text}");
        assert!(config::parse_settings(&settings, std::path::Path::new("c.toml")).is_ok());
        assert!(line(&found(2, &[])).ends_with("holding register 0 is refused with exception 2"));
        let texts = vec![(TextName::Manufacturer, "Acme".into()), (TextName::SerialNumber, "4711".into())];
        let chain = SunSpec { ids: vec![1, 203], texts };
        let unit = FoundUnit { sunspec: Some(chain), ..found(3, &["sunspec-meter"]) };
        let says = line(&unit);
        assert!(says.contains("sunspec-meter"), "{says}");
        let chain = "SunSpec models 1, 203: manufacturer \"Acme\", serial number \"4711\"";
        assert!(says.ends_with(chain), "{says}");
    }
}

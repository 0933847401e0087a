//! Writes what a person would have on a real installation: the installation file, project files, bills, temperatures.
//!
//! Must never: write a result, or a file outside the demonstration's folder.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use model::{Month, StationId};

use super::field::FieldPorts;
use super::portfolio::{Calendars, Meter, STATIONS, Way};
use super::publisher::topic;
use super::{Demo, DemoError};

/// A project of the portfolio.
pub(super) struct ProjectTemplate {
    pub(super) id: &'static str,
    /// The project file, with years relative to the year in progress.
    pub(super) template: &'static str,
    /// Year of the report that the demonstration writes, relative to the year in progress.
    pub(super) report_year: i32,
}

pub(super) const PROJECTS: [ProjectTemplate; 4] = [
    ProjectTemplate {
        id: "scuola-primaria",
        template: include_str!("projects/scuola-primaria.toml"),
        report_year: -1,
    },
    ProjectTemplate { id: "municipio", template: include_str!("projects/municipio.toml"), report_year: -1 },
    ProjectTemplate {
        id: "casa-della-salute",
        template: include_str!("projects/casa-della-salute.toml"),
        report_year: -1,
    },
    ProjectTemplate {
        id: "palestra-uffici",
        template: include_str!("projects/palestra-uffici.toml"),
        report_year: 0,
    },
];

/// The building whose users have a display.
const KIOSK: (&str, &str) = ("palestra-uffici", "palestra-uffici");

/// The link of every meter that publishes.
const BROKER_LINK: &str = "broker";

/// What was written, in the order in which it is to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DemoFiles {
    pub(crate) config: PathBuf,
    pub(crate) projects: Vec<PathBuf>,
    pub(crate) temperatures: Vec<(StationId, PathBuf)>,
    pub(crate) bills: Vec<PathBuf>,
}

pub(super) fn write(
    demo: &Demo,
    dir: &Path,
    ports: &FieldPorts,
    pages: SocketAddr,
) -> Result<DemoFiles, DemoError> {
    let calendars = demo.calendars;
    let config = put(dir, "consuntivo.toml", &settings(demo, ports, pages))?;
    let mut files = DemoFiles { config, projects: Vec::new(), temperatures: Vec::new(), bills: Vec::new() };
    for project in &PROJECTS {
        let name = format!("projects/{}.toml", project.id);
        files.projects.push(put(dir, &name, &filled_in(project.template, calendars))?);
    }
    for station in &STATIONS {
        let mut csv = String::from("date,mean_c\n");
        for day in calendars.weather_from().iter_days().take_while(|&day| day < calendars.today) {
            line(&mut csv, format_args!("{day},{:.1}", station.climate.daily_mean_c(day, calendars.zone)));
        }
        let path = put(dir, &format!("temperatures/{}.csv", station.id), &csv)?;
        if let Ok(id) = StationId::new(station.id) {
            files.temperatures.push((id, path));
        }
    }
    for (id, meter) in &demo.meters {
        if let Some(supply_point) = meter.billed {
            let csv = bills(meter, supply_point, calendars);
            files.bills.push(put(dir, &format!("bills/{id}.csv"), &csv)?);
        }
    }
    Ok(files)
}

fn put(dir: &Path, name: &str, text: &str) -> Result<PathBuf, DemoError> {
    let path = dir.join(name);
    let folder = path.parent().unwrap_or(dir);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, text))
        .map_err(|cause| DemoError::Write { path: path.clone(), cause })?;
    Ok(path)
}

/// Writing to a `String` cannot fail.
fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    if writeln!(text, "{arguments}").is_err() {
        unreachable!("a String takes every text");
    }
}

/// Puts the years into a template: `{Y-1}` in full, `{YY-1}` its last two digits.
pub(super) fn filled_in(template: &str, calendars: Calendars) -> String {
    let mut text = template.replace("{ZONE}", calendars.zone.name());
    for back in 0..=4 {
        let year = calendars.year - back;
        let minus = if back == 0 { String::new() } else { format!("-{back}") };
        text = text
            .replace(&format!("{{Y{minus}}}"), &format!("{year:04}"))
            .replace(&format!("{{YY{minus}}}"), &format!("{:02}", year.rem_euclid(100)));
    }
    text
}

/// Monthly bills before the first day on which the meter is read, as its display showed them.
fn bills(meter: &Meter, supply_point: &str, calendars: Calendars) -> String {
    let mut csv = String::from("supply_point,from,to,quantity,unit,quality\n");
    let mut month = Month::of(calendars.from());
    while month.end_day() <= meter.since {
        let (from, to) = month.bounds(calendars.zone);
        let amount = meter.index(to) - meter.index(from);
        let last = month.end_day().pred_opt().unwrap_or(month.end_day());
        let unit = meter.billing_unit();
        line(
            &mut csv,
            format_args!(
                "{supply_point},{},{last},{}.{:03},{unit},read",
                month.first_day(),
                amount / 1000,
                amount % 1000
            ),
        );
        month = month.next();
    }
    csv
}

fn settings(demo: &Demo, ports: &FieldPorts, pages: SocketAddr) -> String {
    let mut text = format!(
        "# Installation file of the demonstration, written at each start. The ports are those of the simulated meters.\n\n\
         [installation]\nid = \"dimostrazione\"\nname = \"Dimostrazione: edifici inventati\"\nzone = \"{}\"\n\
         data_dir = \"data\"\n\n[web]\nlisten = \"{pages}\"\n\n[reports]\ndir = \"reports\"\n\n[access]\nanonymous_reading = true\n\n",
        demo.calendars.zone.name()
    );
    for (link, port) in &ports.gateways {
        line(
            &mut text,
            format_args!(
                "[[link]]\nid = \"{link}\"\nconnector = \"modbus-tcp\"\naddress = \"127.0.0.1:{port}\"\n"
            ),
        );
    }
    line(
        &mut text,
        format_args!(
            "[[link]]\nid = \"{BROKER_LINK}\"\nconnector = \"mqtt\"\naddress = \"127.0.0.1:{}\"\n\
             client_id = \"consuntivo-dimostrazione\"\n",
            ports.broker
        ),
    );
    for (id, meter) in &demo.meters {
        let (link, model, every_s, own) = match meter.way {
            Way::Modbus { link, unit, model } | Way::DeadModbus { link, unit, model } => {
                (link, model, 10, format!("unit = {unit}"))
            }
            Way::Mqtt { model } => (BROKER_LINK, model, 5, format!("topic = \"{}\"", topic(meter.id))),
        };
        line(
            &mut text,
            format_args!(
                "[[meter]]\nid = \"{id}\"\nlink = \"{link}\"\nmodel = \"{model}\"\nevery_s = {every_s}\n{own}\n"
            ),
        );
    }
    let (project, building) = KIOSK;
    line(&mut text, format_args!("[[kiosk]]\nproject = \"{project}\"\nbuilding = \"{building}\""));
    text
}

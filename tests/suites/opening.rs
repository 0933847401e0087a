//! A school whose gas follows its opening calendar, end to end: project file, bills, temperatures, accepted baseline, the
//! chain of a figure and the report; then an edited calendar, and one that ends.
//!
//! Must never: take an open day from the program under test; the planted days are counted here.

use std::fmt::Write as _;
use std::fs;

use chrono::{Datelike, NaiveDate};
use serde_json::Value;
use tests::repo;
use tests::site::Site;

const SMC_PER_OPEN_DAY: f64 = 40.0;
/// Of what would have been used, after the works.
const SHARE: f64 = 0.8;
const OPENING: &str = "[[building.opening]]\nfrom = 2022-01-01\nto = 2023-12-31\nweek = \"lun-ven\"\nhours_per_day = 8\n\
                       closed = [\"08-01..08-31\"]\nholidays = \"open\"\n\
                       [[building.opening]]\nfrom = 2024-01-01\nweek = \"lun-ven\"\nhours_per_day = 8\n\
                       closed = [\"08-01..08-31\"]\nholidays = \"open\"\n";

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a day of the calendar")
}

fn days(from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    from.iter_days().take_while(move |date| *date < to)
}

fn mean_c(date: NaiveDate) -> f64 {
    let season = (f64::from(date.ordinal()) - 15.0) / 365.25 * std::f64::consts::TAU;
    let around = f64::from(date.num_days_from_ce()) * 0.9;
    13.0 - 11.0 * season.cos() + 2.0 * around.sin()
}

fn is_open(date: NaiveDate) -> bool {
    date.weekday().number_from_monday() <= 5 && date.month() != 8
}

fn smc(date: NaiveDate) -> f64 {
    10.0 + 4.0 * (15.0 - mean_c(date)).max(0.0) + if is_open(date) { SMC_PER_OPEN_DAY } else { 0.0 }
}

/// The months of a year, each from its first day to the next month's.
fn months(year: i32) -> impl Iterator<Item = (NaiveDate, NaiveDate)> {
    (1..=12).map(move |m| {
        let next = if m == 12 { day(year + 1, 1, 1) } else { day(year, m + 1, 1) };
        (day(year, m, 1), next)
    })
}

fn planted(year: i32) -> f64 {
    months(year).flat_map(|(from, to)| days(from, to)).map(smc).sum()
}

/// The project of the real year, dressed as the school, with this calendar.
fn project(opening: &str) -> String {
    let text = repo::text("tests/cases/real-year-uk-gas/project.toml").expect("text");
    let mut text = text.split("# So that the figures").next().expect("a head").to_owned();
    for (from, to) in [
        ("2020-04-01", "2022-01-01"),
        ("2021-03-31", "2022-12-31"),
        ("2021-04-01", "2023-02-01"),
        ("2021-04-30", "2023-11-30"),
        ("ceiling_per_hour = 6.0", "ceiling_per_hour = 40.0"),
        ("[[building.meter]]", &format!("{opening}\n[[building.meter]]")),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    text.push_str("\n[baseline]\nmethod = \"drivers\"\ndrivers = [\"opening_days\"]\n");
    text
}

struct School {
    site: Site,
}

impl School {
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.site.run(arguments);
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    }

    fn import(&self, what: &[&str], name: &str, text: &str) {
        let path = self.site.path().join(name);
        fs::write(&path, text).expect("the file can be written");
        let path = path.display().to_string();
        self.run(&[&["import"], what, &[path.as_str()]].concat());
    }

    fn new() -> Self {
        let school = Self { site: Site::new() };
        school.import(&["project"], "project.toml", &project(OPENING));
        let mut bills = "supply_point,from,to,quantity,unit,quality\n".to_owned();
        for (year, share) in [(2022, 1.0), (2024, SHARE)] {
            for (from, to) in months(year) {
                let used: f64 = share * days(from, to).map(smc).sum::<f64>();
                let last = to.pred_opt().expect("a day");
                writeln!(bills, "00990000000007,{from},{last},{used:.3},Smc,read")
                    .expect("a String takes it");
            }
        }
        school.import(&["bills"], "bills.csv", &bills);
        let mut temperatures = "date,mean_c\n".to_owned();
        for date in days(day(2022, 1, 1), day(2025, 1, 1)) {
            writeln!(temperatures, "{date},{:.6}", mean_c(date)).expect("a String takes it");
        }
        school.import(&["temperatures", "--station", "caso-reale"], "temperatures.csv", &temperatures);
        school
    }

    fn explain(&self) -> Value {
        let figure = "kpi:risparmio-energia-primaria";
        let text = self.site.run(&["explain", figure, "--project", "casa-reale", "--year", "2024", "--json"]);
        serde_json::from_slice(&text.stdout).expect("the chain is JSON")
    }
}

/// Every step of a chain with this name.
fn steps<'v>(step: &'v Value, name: &str) -> Vec<&'v Value> {
    let below = step["from"].as_array().into_iter().flatten().flat_map(|child| steps(child, name));
    (step["step"] == name).then_some(step).into_iter().chain(below).collect()
}

fn adjusted(chain: &Value) -> f64 {
    let of = |step: &&Value| step["with"]["baseline"].as_str().and_then(|t| t.parse::<f64>().ok());
    steps(&chain["chain"], "explain.term.month").iter().filter_map(of).sum()
}

#[test]
fn a_schools_calendar_is_followed_frozen_and_told() {
    let school = School::new();
    let chain = school.explain();
    let months = steps(&chain["chain"], "explain.term.month").len();
    let told = steps(&chain["chain"], "explain.driver");
    assert_eq!((months, told.len()), (12, 12), "{chain}");
    let open = days(day(2024, 1, 1), day(2025, 1, 1)).filter(|date| is_open(*date)).count() as f64;
    let by_opening: f64 = told.iter().filter_map(|step| step["value"].as_f64()).sum();
    assert!((by_opening / (SMC_PER_OPEN_DAY * open) - 1.0).abs() < 0.01, "{by_opening} of {open} days");
    let before = adjusted(&chain);
    assert!((before / planted(2024) - 1.0).abs() < 0.002, "{before}");
    // Accepted, it gives the same.
    school.run(&["baseline", "accept", "--project", "casa-reale", "--author", "A", "--reason", "verificato"]);
    let accepted = adjusted(&school.explain());
    assert!((accepted - before).abs() <= 1e-6 * before, "{accepted} {before}");
    // An edited calendar of the reporting year adds Saturdays to the adjusted baseline, and is told.
    let (head, tail) = OPENING.split_at(OPENING.rfind("lun-ven").expect("the second entry"));
    let edited = format!("{head}{}", tail.replacen("lun-ven", "lun-sab", 1));
    school.import(&["project"], "project.toml", &project(&edited));
    let chain = school.explain();
    let is_new = |date: &NaiveDate| date.weekday().number_from_monday() == 6 && date.month() != 8;
    let new = days(day(2024, 1, 1), day(2025, 1, 1)).filter(is_new).count() as f64;
    let more = adjusted(&chain) - accepted;
    assert!((more / (SMC_PER_OPEN_DAY * new) - 1.0).abs() < 0.01, "{more} for {new} Saturdays");
    let because = |chain: &Value, code: &str| {
        steps(&chain["chain"], "explain.because").iter().any(|step| step["with"]["code"] == code)
    };
    assert!(because(&chain, "calendar.raises"), "{chain}");
    assert!(!because(&chain, "baseline.inputs_changed"), "{chain}");
    let out = school.site.path().join("out").display().to_string();
    school.run(&["report", "--project", "casa-reale", "--year", "2024", "--out", &out]);
    // A calendar that ends in June leaves the months after it out, and no figure.
    let ending = OPENING.replacen("from = 2024-01-01\n", "from = 2024-01-01\nto = 2024-06-30\n", 1);
    school.import(&["project"], "project.toml", &project(&ending));
    let chain = school.explain();
    assert!(chain["chain"]["value"].is_null(), "{chain}");
    assert!(because(&chain, "calendar.missing"), "{chain}");
}

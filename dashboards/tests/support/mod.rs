//! A made-up daemon for tests and for looking at pages: two projects, one of them named by an attacker, whose
//! figures are set by hand.
//!
//! Must never: be linked into the daemon.

pub(crate) mod desk;
pub(crate) mod people;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use analytics::factors::{CarrierFactors, FactorSet};
use analytics::forecast::{Forecast, KpiForecast, Needed, Outlook};
use analytics::result::{
    Baseline, BaselineModel, BaselinePoint, FitQuality, KpiResult, MeterMonth, MeterTotals, MeterYear,
    MonthSource, ProjectYear, Verdict,
};
use analytics::scheme::calendar::{KeptUntil, State};
use analytics::scheme::{CountsFrom, KpiDefinition, KpiMeasure, KpiUnit, Scheme, Target, YearlyObligation};
use analytics::text::Texts;
use chrono::{Datelike as _, NaiveDate};
use dashboards::backend::{
    Backend, BuildingLive, Duty, Installation, MeterHealth, MeterState, MonthLosses, PortfolioRow,
    ProjectView, ReportFile, ReportListing,
};
use dashboards::calendar::ProjectCalendar;
use dashboards::grants::{GrantsForm, GrantsRefused, GrantsTaken};
use model::{
    Beneficiary, Building, BuildingId, Carrier, Channel, DeclaredValue, Digest, Direction, Euro, Event,
    FactorSetId, Finding, Instant, MeterFacts, MeterId, MeterRole, Month, Phase, Project, ProjectDates,
    ProjectId, Provenance, Quantity, SchemeId, Severity, StationId,
};
use tokio::sync::broadcast;

/// What an attacker would like to see unescaped.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script>\" onmouseover=\"alert(1)";
pub(crate) const REPORT_NAME: &str = "relazione-2025.pdf";
pub(crate) const REPORT_BODY: &[u8] = b"%PDF-1.7 not a real one";

/// Where meters stand, by meter, project and building: the school has a second building, of which no page shows more.
const PLACES: [(&str, &str, &str); 3] = [
    ("contatore-0", "scuola-gobetti", "scuola-gobetti-sede"),
    ("contatore-1", "ufficio-hostile", "ufficio-hostile-sede"),
    ("contatore-palestra", "scuola-gobetti", "scuola-gobetti-palestra"),
];

pub(crate) struct Fake {
    pub(crate) now: Mutex<Instant>,
    pub(crate) live: Mutex<Vec<BuildingLive>>,
    pub(crate) updates: broadcast::Sender<Arc<BuildingLive>>,
    pub(crate) projects: Vec<ProjectView>,
    /// Where report files lie; `secret.txt` beside it is none of them.
    pub(crate) folder: PathBuf,
    pub(crate) kept: Mutex<desk::Kept>,
}

pub(crate) fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

impl Fake {
    /// `updates_kept` is how far a live reader may fall behind.
    pub(crate) fn new(folder: &Path, updates_kept: usize) -> Arc<Self> {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(REPORT_NAME), REPORT_BODY).unwrap();
        let now = Instant::parse_rfc3339("2026-03-10T09:30:00Z").unwrap();
        let projects = vec![
            project_view(
                "scuola-gobetti",
                "Riqualificazione della scuola Gobetti",
                "Scuola primaria Gobetti",
                0.93,
            ),
            project_view("ufficio-hostile", HOSTILE, HOSTILE, 1.04),
        ];
        let live = projects.iter().map(|view| live_of(view, now)).collect();
        Arc::new(Self {
            now: Mutex::new(now),
            live: Mutex::new(live),
            updates: broadcast::channel(updates_kept).0,
            projects,
            folder: folder.to_owned(),
            kept: desk::kept(),
        })
    }

    pub(crate) fn set_power(&self, index: usize, power_w: Option<f64>, at: Instant) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live[index].power_w = power_w;
        live[index].at = at;
        // Nobody may be listening; that is no fault.
        drop(self.updates.send(Arc::new(live[index].clone())));
    }
}

fn live_of(view: &ProjectView, at: Instant) -> BuildingLive {
    let building = &view.project.buildings[0];
    BuildingLive {
        project: view.project.id.clone(),
        building: building.id.clone(),
        name: building.name.clone(),
        power_w: Some(12_340.0),
        production_w: (view.project.id.as_str() == "scuola-gobetti").then_some(4_510.0),
        today: vec![
            ("Elettrico generale".into(), Some(118.4), "kWh"),
            ("Gas caldaia".into(), Some(34.2), "Smc"),
        ],
        meters: vec![(id("elettrico"), Some(12_340.0))],
        at,
    }
}

impl Backend for Fake {
    fn installation(&self) -> Installation {
        Installation {
            id: "prova".into(),
            name: "Comune di Prova".into(),
            demo: true,
            language: "it".into(),
            version: "0.1.0",
        }
    }

    fn texts(&self) -> Vec<Arc<Texts>> {
        vec![texts("it"), texts("en")]
    }

    fn portfolio(&self) -> Vec<PortfolioRow> {
        let row = |view: &ProjectView| PortfolioRow {
            project: Arc::clone(&view.project),
            scheme_title: view.scheme.title.clone(),
            latest: view.years.first().cloned(),
            stated: view.years.first().map(|year| view.stated_in(year.year)).unwrap_or_default(),
            next_due: view.due.iter().find(|duty| duty.is_open()).cloned(),
            late: 0,
        };
        self.projects.iter().map(row).collect()
    }

    fn project(&self, id: &ProjectId) -> Option<ProjectView> {
        self.projects.iter().find(|view| view.project.id == *id).cloned()
    }

    fn meters(&self) -> Vec<MeterState> {
        let now = self.now();
        let healths = [MeterHealth::Fresh, MeterHealth::Late, MeterHealth::Silent];
        let state = |(i, health): (usize, MeterHealth)| MeterState {
            id: id(&format!("contatore-{i}")),
            model: if i == 1 { HOSTILE.to_owned() } else { "eastron-sdm630".to_owned() },
            link: format!("modbus-tcp 127.0.0.1:150{i} unit 1"),
            building: (i < 2).then(|| self.projects[i].project.buildings[0].id.clone()),
            last_reading_at: (health != MeterHealth::Silent).then(|| now.plus_seconds(-5 - 4000 * i as i64)),
            every_seconds: 10,
            health,
            losses: if i == 0 { vec![losses()] } else { Vec::new() },
            values: if health == MeterHealth::Silent { Vec::new() } else { values(now) },
        };
        healths.into_iter().enumerate().map(state).collect()
    }

    fn place_of_meter(&self, meter: &MeterId) -> Option<(ProjectId, BuildingId)> {
        if let Some((_, project, building)) = PLACES.iter().find(|(of, _, _)| *of == meter.as_str()) {
            return Some((id(project), id(building)));
        }
        self.projects.iter().find_map(|view| {
            let (building, _) = view.project.meters().find(|(_, facts)| facts.id == *meter)?;
            Some((view.project.id.clone(), building.id.clone()))
        })
    }

    fn findings(&self) -> Vec<Finding> {
        vec![
            Finding::new("link.down", Severity::Caution, "meter:contatore-2", "no answer since 08:10", "")
                .with("since", "08:10"),
            Finding::new("payload.quarantined", Severity::Note, HOSTILE, HOSTILE, ""),
        ]
    }

    fn live(&self) -> (Vec<BuildingLive>, broadcast::Receiver<Arc<BuildingLive>>) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        (live.clone(), self.updates.subscribe())
    }

    fn report_file(&self, id: &ProjectId, year: i32, name: &str) -> Option<PathBuf> {
        // A backend that checks nothing about the name: the pages must not rely on it.
        (self.project(id).is_some() && year == 2025).then(|| self.folder.join(name))
    }

    fn metrics(&self) -> String {
        "# TYPE consuntivo_readings_total counter\nconsuntivo_readings_total 1\n".to_owned()
    }

    fn now(&self) -> Instant {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calendars(&self, project: Option<&ProjectId>) -> Vec<ProjectCalendar> {
        let wanted = self.projects.iter().filter(|view| project.is_none_or(|id| view.project.id == *id));
        let calendar = |view: &ProjectView| ProjectCalendar {
            project: Arc::clone(&view.project),
            scheme_title: view.scheme.title.clone(),
            today: view.today,
            entries: analytics::scheme::calendar::calendar(&view.scheme, &view.project, view.today, &[]),
            kept: vec![KeptUntil {
                id: "stabilita".to_owned(),
                text: "page.portfolio.title".to_owned(),
                event: Event::Completion,
                days: Some((day(2024, 6, 30), day(2029, 6, 29))),
                citation: "art. 7".to_owned(),
            }],
        };
        wanted.map(calendar).collect()
    }

    fn grants_token(&self) -> Option<String> {
        Some("segreto".to_owned())
    }

    fn take_closed_projects(&self, form: GrantsForm, body: &[u8]) -> Result<GrantsTaken, GrantsRefused> {
        match (form, body) {
            (GrantsForm::Json, b"[]") => Ok(GrantsTaken::default()),
            _ => Err(GrantsRefused::Unusable(vec!["line 2".to_owned()])),
        }
    }
}

/// A month of a meter read every ten seconds that lost a tenth.
fn losses() -> MonthLosses {
    MonthLosses {
        expected: 267_840,
        received: 241_056,
        late: 3,
        refused: 2,
        quarantined: 1,
        estimated_ratio: Some(0.125),
        since: Instant::parse_rfc3339("2026-05-01T06:05:00Z"),
        ..MonthLosses::new(Month { year: 2026, number: 5 })
    }
}

fn values(now: Instant) -> Vec<(Channel, f64, Instant)> {
    let at = now.plus_seconds(-5);
    vec![
        (Channel::total(Quantity::ActiveEnergyImport), 128_345_600.0, at),
        (Channel::total(Quantity::ActivePower), 12_340.0, at),
        (Channel { quantity: Quantity::Voltage, phase: Phase::L1 }, 231.4, at),
        (Channel::total(Quantity::PowerFactor), 0.981, at),
    ]
}

fn project_view(name: &str, title: &str, building: &str, ratio: f64) -> ProjectView {
    let project = Arc::new(project(name, title, building));
    let scheme = Arc::new(scheme());
    let factors = Arc::new(factors());
    let year = |number: i32| {
        Arc::new(ProjectYear {
            project: Arc::clone(&project),
            scheme: Arc::clone(&scheme),
            factors: Arc::clone(&factors),
            year: number,
            until: if number == 2026 { day(2026, 3, 1) } else { day(number + 1, 1, 1) },
            meters: project.meters().map(|(b, m)| meter_year(&b.id, m, number)).collect(),
            weather: analytics::result::YearWeather::default(),
            kpis: kpis(&scheme, ratio, number),
            balances: Vec::new(),
            findings: year_findings(number),
            provenance: Provenance {
                readings: 1_051_200,
                bills: 36,
                temperatures: 1_461,
                first_reading_at: Some(Instant::from_seconds(1_700_000_000)),
                last_reading_at: Some(Instant::from_seconds(1_772_000_000)),
                inputs: Digest([0xab; 32]),
                catalog: Digest([0x12; 32]),
                rules: "1",
            },
        })
    };
    ProjectView {
        stated: Vec::new(),
        years: vec![year(2026), year(2025)],
        forecast: Some(Arc::new(forecast())),
        due: vec![duty(2025, day(2026, 3, 31), State::Due), duty(2026, day(2027, 3, 31), State::Upcoming)],
        reports: vec![ReportListing {
            year: 2025,
            files: vec![ReportFile {
                name: REPORT_NAME.into(),
                bytes: REPORT_BODY.len() as u64,
                sha256: "c1edf8628aa05b9a4094e73feac53d827ef7268c6139db3429f0f06ec54fe95e".into(),
            }],
        }],
        today: day(2026, 3, 10),
        project,
        scheme,
    }
}

fn duty(year: i32, due: NaiveDate, state: State) -> Duty {
    let (obligation, text) = ("relazione-annuale".into(), "obligation.annual_report".into());
    Duty { obligation, text, year: Some(year), due, state }
}

fn project(name: &str, title: &str, building: &str) -> Project {
    let meter = |id_text: &str, name: &str, carrier, role| MeterFacts {
        id: id(id_text),
        name: name.to_owned(),
        carrier,
        direction: Direction::Import,
        role,
        parent: None,
        supply_point: Some("IT001E00000001".into()),
        ceiling_per_hour: 60.0,
        wraps_at: None,
        gas: None,
        serial: None,
        accuracy_class: Some("B".into()),
        calibration: None,
    };
    Project {
        id: id(name),
        title: title.to_owned(),
        cup: "B19J21000000001".into(),
        scheme: id::<SchemeId>("demo"),
        factor_set: id::<FactorSetId>("demo"),
        beneficiary: Beneficiary {
            name: "Comune di Prova (dimostrativo)".into(),
            tax_code: "00000000000".into(),
            legal_representative: "il Sindaco".into(),
        },
        dates: ProjectDates {
            baseline_from: day(2021, 1, 1),
            baseline_to: day(2024, 1, 1),
            works_from: day(2024, 2, 1),
            completed: day(2024, 11, 30),
            expenses_closed: None,
            final_payment: None,
        },
        facility: Some(Euro::from_euros(420_000)),
        zone: chrono_tz::Europe::Rome,
        station: id::<StationId>("demo"),
        buildings: vec![Building {
            id: id(&format!("{name}-sede")),
            name: building.to_owned(),
            municipality: "Prova".into(),
            istat_code: "001001".into(),
            address: "via della Prova 1".into(),
            uses: Vec::new(),
            floor_area_m2: 2_400.0,
            gross_volume_m3: 9_100.0,
            usage_profile: "lun-ven 7:30-18:00".into(),
            opening: Vec::new(),
            ape_code: None,
            meters: vec![
                meter("elettrico", "Elettrico generale", Carrier::GridElectricity, MeterRole::Compared),
                meter("gas", "Gas caldaia", Carrier::NaturalGas, MeterRole::Compared),
            ],
        }],
        grant: model::Grant::default(),
        declared: vec![DeclaredValue {
            kpi: "4.c.2".into(),
            value: 180.0,
            source: "Scheda tecnica, tabella 3".into(),
            by_carrier: Vec::new(),
        }],
        terms: model::Terms::default(),
    }
}

/// One target at risk, one of which nothing can be said.
fn forecast() -> Forecast {
    let kpi = |code: &str, unit, expected: Option<f64>, outlook| KpiForecast {
        code: code.into(),
        unit,
        target: Some(180.0),
        so_far: expected.map(|e| e / 4.0),
        expected,
        low: expected.map(|e| e - 20.0),
        high: expected.map(|e| e + 20.0),
        if_confirmed: None,
        outlook,
        needed: expected.map(|e| Needed::Each((180.0 - e / 4.0) / 10.0)),
        because: if expected.is_none() { vec!["forecast.not_modelled".into()] } else { Vec::new() },
    };
    Forecast {
        year: 2026,
        on: day(2026, 3, 1),
        months_left: 10,
        weather_years: (2015..2026).collect(),
        kpis: vec![
            kpi("4.c.2", "MWh", Some(170.0), Outlook::AtRisk),
            kpi("quota", "%", None, Outlook::Unknown),
        ],
        findings: Vec::new(),
    }
}

fn scheme() -> Scheme {
    let kpi = |code: &str, measure, unit, target| KpiDefinition {
        code: code.into(),
        text: "page.kpi.kpi".into(),
        measure,
        unit,
        target,
        citation: "D.D. 1/2020, all. 2".into(),
    };
    Scheme {
        id: id("demo"),
        title: "Bando dimostrativo A".into(),
        citation: "D.D. 1/2020".into(),
        authority: "Regione di Prova".into(),
        default_factor_set: id("demo"),
        yearly: Some(YearlyObligation {
            due_month: 3,
            due_day: 31,
            counts_from: CountsFrom::Completion,
            years: Some(5),
            channel: "PEC".into(),
            citation: "par. 8".into(),
        }),
        rules: analytics::scheme::SchemeRules::default(),
        kpis: vec![
            kpi("4.c.2", KpiMeasure::PrimaryEnergySaved, KpiUnit::MegawattHour, Target::Declared),
            kpi("4.c.3", KpiMeasure::Co2Avoided, KpiUnit::Tonne, Target::Declared),
            kpi("quota", KpiMeasure::SelfConsumedShare, KpiUnit::Percent, Target::AtLeast(60.0)),
        ],
    }
}

fn factors() -> FactorSet {
    FactorSet {
        id: id("demo"),
        title: "Fattori dimostrativi".into(),
        source: "DM 26/06/2015, all. 1".into(),
        valid_from: None,
        valid_to: None,
        carriers: vec![CarrierFactors {
            carrier: Carrier::GridElectricity,
            kwh_per_unit: 1.0,
            primary_nonrenewable: Some(1.95),
            primary_renewable: Some(0.47),
            co2_kg_per_kwh: Some(0.433),
            nox_g_per_gj: None,
            pm10_g_per_gj: None,
            toe_per_unit: None,
        }],
    }
}

/// One reached or missed by `ratio`, one missed, one withheld.
fn kpis(scheme: &Scheme, ratio: f64, year: i32) -> Vec<KpiResult> {
    let known = |definition: &KpiDefinition, target: f64, ratio: f64| KpiResult {
        definition: definition.clone(),
        target: Some(target),
        target_source: Some("Scheda tecnica, tabella 3".into()),
        achieved: Some(target * ratio),
        best: Some(target * ratio * 1.03),
        low: Some(target * ratio),
        high: Some(target * ratio * 1.08),
        better: Some(target * ratio * 1.03),
        attainment_ratio: Some(ratio),
        verdict: if ratio >= 1.0 { Verdict::Reached } else { Verdict::Missed },
        because: Vec::new(),
        chain: analytics::result::KpiChain::default(),
    };
    let withheld = KpiResult {
        definition: scheme.kpis[2].clone(),
        target: Some(60.0),
        target_source: None,
        achieved: None,
        best: None,
        low: None,
        high: None,
        better: None,
        attainment_ratio: None,
        verdict: Verdict::Undetermined,
        because: vec![if year == 2026 { "series.coverage.low" } else { "no.such.finding" }.to_owned()],
        chain: analytics::result::KpiChain::default(),
    };
    vec![known(&scheme.kpis[0], 180.0, ratio), known(&scheme.kpis[1], 41.2, 1.1), withheld]
}

fn year_findings(year: i32) -> Vec<Finding> {
    vec![
        Finding::new(
            "series.coverage.low",
            Severity::Blocks,
            format!("meter:gas {year}-02"),
            "21 of 28 days have data; at least 9 in 10 are needed",
            "ASHRAE 14-2014 §5.3",
        ),
        Finding::new("meter.note", Severity::Note, "meter:elettrico", HOSTILE, ""),
    ]
}

fn meter_year(building: &BuildingId, facts: &MeterFacts, year: i32) -> MeterYear {
    let heats = facts.carrier == Carrier::NaturalGas;
    let months: Vec<MeterMonth> =
        Month::all_of(year).into_iter().map(|month| meter_month(month, heats)).collect();
    let compared: Vec<&MeterMonth> = months.iter().filter(|m| m.avoided.is_some()).collect();
    let sum = |value: fn(&MeterMonth) -> Option<f64>| compared.iter().filter_map(|m| value(m)).sum::<f64>();
    let avoided = sum(|m| m.avoided);
    MeterYear {
        record: analytics::result::MeterRecord::default(),
        building: building.clone(),
        meter: facts.clone(),
        baseline: Baseline::Fitted(BaselineModel {
            method: "averaged",
            base_per_day: 40.0,
            heating_per_degree_day: if heats { 6.5 } else { 0.0 },
            heating_base_c: heats.then_some(16.0),
            cooling_per_degree_day: 0.0,
            cooling_base_c: None,
            drivers: Vec::new(),
            quality: FitQuality {
                n: 36,
                r2: 0.957,
                r2_adjusted: 0.955,
                cvrmse_ratio: 0.112,
                nmbe_ratio: 0.001,
                baseline_days: 1_095,
            },
            points: baseline_points(heats),
        }),
        totals: MeterTotals {
            measured: months.iter().filter_map(|m| m.measured).sum(),
            compared_months: compared.len() as u32,
            reporting_months: if year == 2026 { 2 } else { 12 },
            compared_measured: sum(|m| m.measured),
            adjusted_baseline: sum(|m| m.adjusted_baseline),
            adjustment: 0.0,
            avoided,
            avoided_low: avoided * 0.9,
            avoided_high: avoided * 1.1,
            coverage_ratio: if heats { 0.976 } else { 0.999 },
            joint_low: 0.0,
            joint_high: 0.0,
        },
        months,
    }
}

/// Heating degree days of a year like any other, Kelvin days.
const DEGREE_DAYS: [f64; 12] = [430., 360., 250., 140., 40., 0., 0., 0., 20., 130., 290., 410.];

fn meter_month(month: Month, heats: bool) -> MeterMonth {
    let known = month.year == 2025 || month.number <= 2;
    let degree_days = DEGREE_DAYS[month.number as usize - 1];
    let baseline = 40.0 * f64::from(month.days()) + if heats { 6.5 * degree_days } else { 0.0 };
    let measured = known.then_some(baseline * 0.72);
    // February 2026 was not measured well enough to compare.
    let weak = month.year == 2026 && month.number == 2 && heats;
    MeterMonth {
        month,
        source: if known { MonthSource::Meter } else { MonthSource::Missing },
        reporting: known,
        measured,
        measured_low: measured.map(|m| m * 0.99),
        measured_high: measured.map(|m| m * 1.02),
        coverage_ratio: if weak { 0.75 } else { f64::from(u8::from(known)) },
        estimated_ratio: 0.0,
        heating_degree_days: known.then_some(degree_days),
        cooling_degree_days: None,
        temperature_days: if known { month.days() } else { 0 },
        filled_days: 0,
        unadjusted_days: 0,
        adjustment: 0.0,
        drivers: Vec::new(),
        adjusted_baseline: known.then_some(baseline),
        avoided: measured.filter(|_| !weak).map(|m| baseline - m),
    }
}

fn baseline_points(heats: bool) -> Vec<BaselinePoint> {
    (2021..2024)
        .flat_map(Month::all_of)
        .map(|month| {
            let days = f64::from(month.days());
            let degree_days_per_day = DEGREE_DAYS[month.number as usize - 1] / days;
            let noise = 1.0 + 0.04 * f64::from((month.year + month.first_day().ordinal() as i32) % 5 - 2);
            BaselinePoint {
                from: month.first_day(),
                to: month.end_day(),
                energy_per_day: (40.0 + if heats { 6.5 * degree_days_per_day } else { 0.0 }) * noise,
                degree_days_per_day: if heats { degree_days_per_day } else { 0.0 },
                cooling_degree_days_per_day: 0.0,
            }
        })
        .collect()
}

/// The catalogue's texts of one language: every file of its folder, tables flattened to dotted keys.
pub(crate) fn texts(language: &str) -> Arc<Texts> {
    static READ: Mutex<BTreeMap<String, Arc<Texts>>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Arc::clone(read.entry(language.to_owned()).or_insert_with(|| read_texts(language)))
}

fn read_texts(language: &str) -> Arc<Texts> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/catalog/text").join(language);
    let mut map = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let table =
            text.parse().unwrap_or_else(|error| panic!("a text file of {language} is no TOML: {error}"));
        flatten("", &toml::Value::Table(table), &mut map);
    }
    Arc::new(Texts::new(language, map))
}

fn flatten(prefix: &str, value: &toml::Value, map: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&dotted, value, map);
            }
        }
        toml::Value::String(text) => drop(map.insert(prefix.to_owned(), text.clone())),
        other => panic!("{prefix} is {}, not a text", other.type_str()),
    }
}

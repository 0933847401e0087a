//! `/api/v1/…` and `/health`: the figures of the pages as JSON. Additions are not breaking; names and
//! units given here stay.
//!
//! Must never: serialise a domain type itself, or give 0 for what is not known (it is `null`).

use std::sync::Arc;

use analytics::balance::{BalanceYear, Flow};
use analytics::forecast::{Forecast, KpiForecast, Needed};
use analytics::result::{Baseline, KpiResult, MeterMonth, MeterYear, ModelDriver, MonthSource, ProjectYear};
use axum::Json;
use axum::extract::{Path, State};
use model::{Channel, Finding, Instant, ProjectId};
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Who;
use crate::backend::{BuildingLive, Duty, MeterState, MonthLosses, PortfolioRow, ReportFile};
use crate::downloads::encode;
use crate::openapi::{Given, give};
use crate::pages::{Fault, Site, kpi};

/// A building now, also the body of the live stream's events.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct LiveView {
    project: String,
    building: String,
    name: String,
    power_w: Option<f64>,
    production_w: Option<f64>,
    today: Vec<TodayView>,
    meters: Vec<MeterPowerView>,
    at: String,
}

/// Power of one meter now.
#[derive(Debug, JsonSchema, Serialize)]
struct MeterPowerView {
    meter: String,
    power_w: Option<f64>,
}

#[derive(Debug, JsonSchema, Serialize)]
struct TodayView {
    meter: String,
    value: Option<f64>,
    unit: String,
}

impl From<&BuildingLive> for LiveView {
    fn from(live: &BuildingLive) -> Self {
        let today = live.today.iter().map(|(meter, value, unit)| TodayView {
            meter: meter.clone(),
            value: *value,
            unit: crate::pages::words::printed(unit),
        });
        Self {
            project: live.project.to_string(),
            building: live.building.to_string(),
            name: live.name.clone(),
            power_w: live.power_w,
            production_w: live.production_w,
            today: today.collect(),
            meters: live
                .meters
                .iter()
                .map(|(meter, power_w)| MeterPowerView { meter: meter.to_string(), power_w: *power_w })
                .collect(),
            at: live.at.to_string(),
        }
    }
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct PortfolioView {
    installation: InstallationView,
    at: String,
    projects: Vec<ProjectSummary>,
    buildings: Vec<LiveView>,
}

#[derive(JsonSchema, Serialize)]
struct InstallationView {
    name: String,
    demo: bool,
    version: &'static str,
}

#[derive(JsonSchema, Serialize)]
struct ProjectSummary {
    id: String,
    title: String,
    cup: String,
    beneficiary: String,
    scheme: String,
    scheme_title: String,
    /// The first of what is still to be sent; what is late comes first.
    next_due: Option<DueView>,
    /// How many days have passed without the thing having been sent.
    late: usize,
    latest: Option<YearSummary>,
}

#[derive(JsonSchema, Serialize)]
struct DueView {
    obligation: String,
    /// `null` for what is sent once.
    year: Option<i32>,
    due: String,
    /// Negative when past.
    days_left: i64,
    /// `upcoming`, `due`, `late`, `sent`, `accepted`.
    state: &'static str,
}

impl DueView {
    fn new(duty: &Duty, today: chrono::NaiveDate) -> Self {
        Self {
            obligation: duty.obligation.clone(),
            year: duty.year,
            due: duty.due.to_string(),
            days_left: (duty.due - today).num_days(),
            state: duty.state.code(),
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct YearSummary {
    year: i32,
    complete: bool,
    /// Of the worst meter that counts.
    coverage_ratio: Option<f64>,
    kpis: Vec<KpiView>,
}

#[derive(JsonSchema, Serialize)]
struct KpiView {
    code: String,
    measure: &'static str,
    unit: &'static str,
    target: Option<f64>,
    target_source: Option<String>,
    achieved: Option<f64>,
    best: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    attainment_ratio: Option<f64>,
    verdict: &'static str,
    /// The verdict, or `to_state` where no meter measures it and a person declares it.
    told: &'static str,
    because: Vec<String>,
}

impl KpiView {
    fn new(kpi: &KpiResult, was_stated: bool) -> Self {
        Self {
            code: kpi.definition.code.clone(),
            measure: kpi.definition.measure.code(),
            unit: kpi.definition.unit.symbol(),
            target: kpi.target,
            target_source: kpi.target_source.clone(),
            achieved: kpi.achieved,
            best: kpi.best,
            low: kpi.low,
            high: kpi.high,
            attainment_ratio: kpi.attainment_ratio,
            verdict: kpi.verdict.code(),
            told: kpi.told(was_stated),
            because: kpi.because.clone(),
        }
    }
}

impl YearSummary {
    /// `stated` are the codes of the KPI that no meter measures and whose value a person stated.
    fn new(year: &ProjectYear, stated: &[String]) -> Self {
        Self {
            year: year.year,
            complete: year.is_complete(),
            coverage_ratio: kpi::worst_coverage(year),
            kpis: year
                .kpis
                .iter()
                .map(|kpi| KpiView::new(kpi, stated.contains(&kpi.definition.code)))
                .collect(),
        }
    }
}

/// `GET /api/v1/portfolio`.
pub(crate) async fn portfolio(State(site): State<Arc<Site>>, who: Who) -> Given<PortfolioView> {
    let backend = &site.backend;
    let (installation, now) = (backend.installation(), backend.now());
    let (live, _) = site.live(&who);
    let summary = |row: PortfolioRow| {
        let project = &row.project;
        ProjectSummary {
            id: project.id.to_string(),
            title: project.title.clone(),
            cup: project.cup.clone(),
            beneficiary: project.beneficiary.name.clone(),
            scheme: project.scheme.to_string(),
            scheme_title: row.scheme_title.clone(),
            next_due: row.next_due.as_ref().map(|due| DueView::new(due, now.day(project.zone))),
            late: row.late,
            latest: row.latest.as_deref().map(|year| YearSummary::new(year, &row.stated)),
        }
    };
    Given(Ok(PortfolioView {
        installation: InstallationView {
            name: installation.name,
            demo: installation.demo,
            version: installation.version,
        },
        at: now.to_string(),
        projects: site.portfolio(&who).into_iter().map(summary).collect(),
        buildings: live.iter().map(LiveView::from).collect(),
    }))
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct YearView {
    project: String,
    #[serde(flatten)]
    summary: YearSummary,
    /// First day not counted.
    until: String,
    scheme: String,
    factor_set: String,
    meters: Vec<MeterYearView>,
    /// Of every building that produces, exports or stores, then of the project.
    balances: Vec<BalanceView>,
    /// `null` for a year that is over.
    forecast: Option<ForecastView>,
    findings: Vec<FindingView>,
    provenance: ProvenanceView,
}

/// The reporting months together, in kWh; `high` is `null` where nothing bounds it.
#[derive(JsonSchema, Serialize)]
struct BalanceView {
    /// `null` for the whole project.
    building: Option<String>,
    vector: &'static str,
    step: &'static str,
    imported_kwh: f64,
    exported_kwh: f64,
    produced_kwh: f64,
    stored_kwh: f64,
    self_consumed_kwh: f64,
    consumed_kwh: f64,
    self_consumed_share_worse: Option<f64>,
    self_consumed_share_best: Option<f64>,
}

impl From<&BalanceYear> for BalanceView {
    fn from(year: &BalanceYear) -> Self {
        let sum = &year.reporting;
        let kwh = |flow: Flow| flow.amount as f64 / 1000.0;
        Self {
            building: year.building.as_ref().map(ToString::to_string),
            vector: year.vector.code(),
            step: sum.grain.code(),
            imported_kwh: kwh(sum.imported),
            exported_kwh: kwh(sum.exported),
            produced_kwh: kwh(sum.produced),
            stored_kwh: kwh(sum.stored),
            self_consumed_kwh: kwh(sum.self_consumed),
            consumed_kwh: kwh(sum.consumed),
            self_consumed_share_worse: sum.share().map(|s| s.worse),
            self_consumed_share_best: sum.share().map(|s| s.best),
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct ForecastView {
    on: String,
    /// Last day of the last month that is over: what is measured after it does not count yet.
    counted_to: String,
    months_left: u32,
    weather_years: Vec<i32>,
    kpis: Vec<KpiForecastView>,
}

/// 90 % band, in the scheme's unit.
#[derive(JsonSchema, Serialize)]
struct KpiForecastView {
    code: String,
    unit: &'static str,
    target: Option<f64>,
    so_far: Option<f64>,
    expected: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    /// Expected were every standstill confirmed; null where no total stands still.
    if_confirmed: Option<f64>,
    outlook: &'static str,
    /// What each month left must bring, of a share what it must have; null where less is better.
    needed_per_month: Option<f64>,
    /// Where less is better: what each month left may be at most, or by how much the months so far exceed the most.
    at_most_per_month: Option<f64>,
    exceeded_by: Option<f64>,
    because: Vec<String>,
}

impl From<&Forecast> for ForecastView {
    fn from(forecast: &Forecast) -> Self {
        let kpi = |k: &KpiForecast| {
            let [needed_per_month, at_most_per_month, exceeded_by] = Needed::columns(k.needed);
            KpiForecastView {
                code: k.code.clone(),
                unit: k.unit,
                target: k.target,
                so_far: k.so_far,
                expected: k.expected,
                low: k.low,
                high: k.high,
                if_confirmed: k.if_confirmed,
                outlook: k.outlook.code(),
                needed_per_month,
                at_most_per_month,
                exceeded_by,
                because: k.because.clone(),
            }
        };
        Self {
            on: forecast.on.to_string(),
            counted_to: forecast.counted_to().to_string(),
            months_left: forecast.months_left,
            weather_years: forecast.weather_years.clone(),
            kpis: forecast.kpis.iter().map(kpi).collect(),
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct MeterYearView {
    id: String,
    name: String,
    building: String,
    carrier: &'static str,
    direction: &'static str,
    role: &'static str,
    /// Of every energy of this meter.
    unit: &'static str,
    baseline: BaselineView,
    months: Vec<MonthView>,
    totals: TotalsView,
}

#[derive(JsonSchema, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum BaselineView {
    Fitted {
        method: &'static str,
        base_per_day: f64,
        heating_per_degree_day: f64,
        heating_base_c: Option<f64>,
        cooling_per_degree_day: f64,
        cooling_base_c: Option<f64>,
        /// What it follows beside the weather.
        drivers: Vec<DriverView>,
        n: usize,
        r2: f64,
        cvrmse_ratio: f64,
        nmbe_ratio: f64,
        baseline_days: u32,
    },
    Zero,
    NotCompared,
    Unknown,
}

/// A driver of a baseline: open days or hours of the building.
#[derive(JsonSchema, Serialize)]
struct DriverView {
    driver: &'static str,
    /// Energy per open day or open hour.
    coefficient: f64,
    standard_error: f64,
    /// Mean of a day of the baseline.
    usual_per_day: f64,
}

impl From<&ModelDriver> for DriverView {
    fn from(of: &ModelDriver) -> Self {
        Self {
            driver: of.driver.code(),
            coefficient: of.coefficient,
            standard_error: of.standard_error,
            usual_per_day: of.usual_per_day,
        }
    }
}

impl From<&Baseline> for BaselineView {
    fn from(baseline: &Baseline) -> Self {
        match baseline {
            Baseline::Fitted(model) => Self::Fitted {
                method: model.method,
                base_per_day: model.base_per_day,
                heating_per_degree_day: model.heating_per_degree_day,
                heating_base_c: model.heating_base_c,
                cooling_per_degree_day: model.cooling_per_degree_day,
                cooling_base_c: model.cooling_base_c,
                drivers: model.drivers.iter().map(DriverView::from).collect(),
                n: model.quality.n,
                r2: model.quality.r2,
                cvrmse_ratio: model.quality.cvrmse_ratio,
                nmbe_ratio: model.quality.nmbe_ratio,
                baseline_days: model.quality.baseline_days,
            },
            Baseline::Zero => Self::Zero,
            Baseline::NotCompared => Self::NotCompared,
            Baseline::Unknown => Self::Unknown,
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct MonthView {
    month: String,
    source: &'static str,
    reporting: bool,
    measured: Option<f64>,
    measured_low: Option<f64>,
    measured_high: Option<f64>,
    coverage_ratio: f64,
    estimated_ratio: f64,
    heating_degree_days: Option<f64>,
    cooling_degree_days: Option<f64>,
    temperature_days: u32,
    /// Those of them that were filled from another station, and those of these that stand at its value as it is.
    filled_days: u32,
    unadjusted_days: u32,
    /// Part of the adjusted baseline that people stated.
    adjustment: f64,
    adjusted_baseline: Option<f64>,
    avoided: Option<f64>,
}

impl From<&MeterMonth> for MonthView {
    fn from(month: &MeterMonth) -> Self {
        Self {
            month: month.month.to_string(),
            source: match month.source {
                MonthSource::Meter => "meter",
                MonthSource::Bills => "bills",
                MonthSource::Missing => "missing",
            },
            reporting: month.reporting,
            measured: month.measured,
            measured_low: month.measured_low,
            measured_high: month.measured_high,
            coverage_ratio: month.coverage_ratio,
            estimated_ratio: month.estimated_ratio,
            heating_degree_days: month.heating_degree_days,
            cooling_degree_days: month.cooling_degree_days,
            temperature_days: month.temperature_days,
            filled_days: month.filled_days,
            unadjusted_days: month.unadjusted_days,
            adjustment: month.adjustment,
            adjusted_baseline: month.adjusted_baseline,
            avoided: month.avoided,
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct TotalsView {
    measured: f64,
    adjustment: f64,
    compared_months: u32,
    reporting_months: u32,
    /// `null` when no month could be compared.
    adjusted_baseline: Option<f64>,
    avoided: Option<f64>,
    avoided_low: Option<f64>,
    avoided_high: Option<f64>,
    coverage_ratio: f64,
}

impl From<&MeterYear> for MeterYearView {
    fn from(meter: &MeterYear) -> Self {
        let (facts, totals) = (&meter.meter, &meter.totals);
        let compared = |value: f64| (totals.compared_months > 0).then_some(value);
        Self {
            id: facts.id.to_string(),
            name: facts.name.clone(),
            building: meter.building.to_string(),
            carrier: facts.carrier.code(),
            direction: facts.direction.code(),
            role: facts.role.code(),
            unit: facts.carrier.base_unit().display().symbol(),
            baseline: BaselineView::from(&meter.baseline),
            months: meter.months.iter().map(MonthView::from).collect(),
            totals: TotalsView {
                measured: totals.measured,
                adjustment: totals.adjustment,
                compared_months: totals.compared_months,
                reporting_months: totals.reporting_months,
                adjusted_baseline: compared(totals.adjusted_baseline),
                avoided: compared(totals.avoided),
                avoided_low: compared(totals.avoided_low),
                avoided_high: compared(totals.avoided_high),
                coverage_ratio: totals.coverage_ratio,
            },
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct FindingView {
    code: &'static str,
    severity: &'static str,
    subject: String,
    says: String,
    rule: &'static str,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code,
            severity: finding.severity.code(),
            subject: finding.subject.clone(),
            says: finding.says.clone(),
            rule: finding.rule,
        }
    }
}

#[derive(JsonSchema, Serialize)]
struct ProvenanceView {
    readings: u64,
    bills: u64,
    temperatures: u64,
    first_reading_at: Option<String>,
    last_reading_at: Option<String>,
    inputs_sha256: String,
    catalog_sha256: String,
    rules: &'static str,
}

/// `GET /api/v1/projects/{id}/years/{year}`.
pub(crate) async fn project_year(
    State(site): State<Arc<Site>>,
    Path((id, year)): Path<(String, String)>,
) -> Given<YearView> {
    let view = ProjectId::new(&id).ok().and_then(|id| site.backend.project(&id));
    let Some(view) = view else { return Given(Err(Fault::NoProject(id))) };
    let Some(found) = view.years.iter().find(|y| y.year.to_string() == year) else {
        return Given(Err(Fault::NoYear { project: id, year }));
    };
    let provenance = &found.provenance;
    Given(Ok(YearView {
        project: found.project.id.to_string(),
        summary: YearSummary::new(found, &view.stated_in(found.year)),
        until: found.until.to_string(),
        scheme: found.scheme.id.to_string(),
        factor_set: found.factors.id.to_string(),
        meters: found.meters.iter().map(MeterYearView::from).collect(),
        balances: found.balances.iter().map(BalanceView::from).collect(),
        forecast: view.forecast.as_deref().filter(|f| f.year == found.year).map(ForecastView::from),
        findings: found.findings.iter().map(FindingView::from).collect(),
        provenance: ProvenanceView {
            readings: provenance.readings,
            bills: provenance.bills,
            temperatures: provenance.temperatures,
            first_reading_at: provenance.first_reading_at.map(|at| at.to_string()),
            last_reading_at: provenance.last_reading_at.map(|at| at.to_string()),
            inputs_sha256: provenance.inputs.hex(),
            catalog_sha256: provenance.catalog.hex(),
            rules: provenance.rules,
        },
    }))
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct MeterStateView {
    id: String,
    model: String,
    link: String,
    building: Option<String>,
    health: &'static str,
    every_seconds: u32,
    last_reading_at: Option<String>,
    values: Vec<ValueView>,
    /// Newest month first.
    losses: Vec<LossesView>,
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct LossesView {
    month: String,
    /// RFC 3339: when counting began, where that was within this month and since the daemon's start.
    since: Option<String>,
    expected: u64,
    received: u64,
    late: u64,
    refused: u64,
    quarantined: u64,
    no_value: u64,
    dropped: u64,
    estimated_ratio: Option<f64>,
}

impl From<&MonthLosses> for LossesView {
    fn from(losses: &MonthLosses) -> Self {
        Self {
            month: losses.month.to_string(),
            since: losses.since.map(|at| at.to_string()),
            expected: losses.expected,
            received: losses.received,
            late: losses.late,
            refused: losses.refused,
            quarantined: losses.quarantined,
            no_value: losses.no_value,
            dropped: losses.dropped,
            estimated_ratio: losses.estimated_ratio,
        }
    }
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct ValueView {
    channel: String,
    value: f64,
    unit: &'static str,
    at: String,
}

impl From<&(Channel, f64, Instant)> for ValueView {
    fn from((channel, value, at): &(Channel, f64, Instant)) -> Self {
        Self {
            channel: channel.to_string(),
            value: *value,
            unit: channel.quantity.unit().symbol(),
            at: at.to_string(),
        }
    }
}

impl From<&MeterState> for MeterStateView {
    fn from(meter: &MeterState) -> Self {
        Self {
            id: meter.id.to_string(),
            model: meter.model.clone(),
            link: meter.link.clone(),
            building: meter.building.as_ref().map(ToString::to_string),
            health: meter.health.code(),
            every_seconds: meter.every_seconds,
            last_reading_at: meter.last_reading_at.map(|at| at.to_string()),
            values: meter.values.iter().map(ValueView::from).collect(),
            losses: meter.losses.iter().map(LossesView::from).collect(),
        }
    }
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct MetersView {
    at: String,
    meters: Vec<MeterStateView>,
}

/// `GET /api/v1/meters`.
pub(crate) async fn meters(State(site): State<Arc<Site>>, who: Who) -> Given<MetersView> {
    // A part of it is asked of the disk.
    give(&site, move |site| {
        Ok(MetersView {
            at: site.backend.now().to_string(),
            meters: site.meters(&who).iter().map(MeterStateView::from).collect(),
        })
    })
    .await
}

#[derive(JsonSchema, Serialize)]
pub(crate) struct ProjectFindingsView {
    project: String,
    year: i32,
    findings: Vec<FindingView>,
}

/// What a person may need to act on.
#[derive(JsonSchema, Serialize)]
pub(crate) struct FindingsView {
    /// Of the plant now.
    plant: Vec<FindingView>,
    /// Of every project's newest year.
    projects: Vec<ProjectFindingsView>,
}

/// `GET /api/v1/findings`.
pub(crate) async fn findings(State(site): State<Arc<Site>>, who: Who) -> Given<FindingsView> {
    give(&site, move |site| {
        let of = |row: &PortfolioRow| {
            let year = row.latest.as_deref()?;
            Some(ProjectFindingsView {
                project: row.project.id.to_string(),
                year: year.year,
                findings: year.findings.iter().map(FindingView::from).collect(),
            })
        };
        Ok(FindingsView {
            plant: site.backend.findings().iter().map(FindingView::from).collect(),
            projects: site.portfolio(&who).iter().filter_map(of).collect(),
        })
    })
    .await
}

/// A project with every year that has figures, and its report files.
#[derive(JsonSchema, Serialize)]
pub(crate) struct ProjectJson {
    project: String,
    title: String,
    cup: String,
    beneficiary: String,
    scheme: String,
    /// Newest first.
    years: Vec<YearSummary>,
    due: Vec<DueView>,
    reports: Vec<ReportsView>,
}

/// The report files of a year.
#[derive(JsonSchema, Serialize)]
struct ReportsView {
    year: i32,
    files: Vec<ReportFileView>,
}

#[derive(JsonSchema, Serialize)]
struct ReportFileView {
    name: String,
    bytes: u64,
    sha256: String,
    /// Where the file itself is, below this server's address.
    path: String,
}

/// `GET /api/v1/projects/{project}`.
pub(crate) async fn project(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Given<ProjectJson> {
    give(&site, move |site| {
        let view = ProjectId::new(&id).ok().and_then(|id| site.backend.project(&id));
        let view = view.ok_or(Fault::NoProject(id))?;
        let project = &view.project;
        let file = |year: i32, file: &ReportFile| ReportFileView {
            name: file.name.clone(),
            bytes: file.bytes,
            sha256: file.sha256.clone(),
            path: format!("/reports/{}/{year}/{}", project.id, encode(&file.name)),
        };
        Ok(ProjectJson {
            project: project.id.to_string(),
            title: project.title.clone(),
            cup: project.cup.clone(),
            beneficiary: project.beneficiary.name.clone(),
            scheme: project.scheme.to_string(),
            years: view.years.iter().map(|year| YearSummary::new(year, &view.stated_in(year.year))).collect(),
            due: view.due.iter().map(|due| DueView::new(due, view.today)).collect(),
            reports: view
                .reports
                .iter()
                .map(|of| ReportsView {
                    year: of.year,
                    files: of.files.iter().map(|f| file(of.year, f)).collect(),
                })
                .collect(),
        })
    })
    .await
}

#[derive(Serialize)]
pub(crate) struct HealthView {
    status: &'static str,
    version: &'static str,
}

/// `GET /health`: the process answers. How the meters do is in `/metrics` and `/api/v1/meters`.
pub(crate) async fn health(State(site): State<Arc<Site>>) -> Json<HealthView> {
    Json(HealthView { status: "ok", version: site.backend.installation().version })
}

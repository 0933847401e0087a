//! `/projects/{id}`: one project in one year: KPI, months, charts, findings, reports.
//!
//! Must never: draw a chart without the table that says the same.

use std::sync::Arc;

use analytics::forecast::{Forecast, KpiForecast, Needed};
use analytics::report::beside::Beside;
use analytics::report::document::{Block, Chart};
use analytics::report::format::Numbers;
use analytics::report::{AnnualOptions, annual};
use analytics::result::{Baseline, MeterMonth, MeterYear, MonthSource, ProjectYear};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use model::{OwnFactor, ProjectId};

use super::findings::FindingList;
use super::kpi::{self, KpiLine};
use super::portfolio::LiveCard;
use super::words::{Due, printed};
use super::{Ask, Fault, Frame, Site, Words, respond};
use crate::backend::{ProjectView, ReportListing};
use crate::chart::{ChartStyle, svg};

#[derive(Template)]
#[template(path = "project.html")]
struct ProjectPage<'a> {
    t: &'a Words,
    frame: Frame,
    id: String,
    title: String,
    /// Label and value.
    facts: Vec<(String, String)>,
    live: Vec<LiveCard>,
    due: Vec<Due>,
    /// Year and whether it is the one shown.
    years: Vec<(i32, bool)>,
    year: Option<YearView>,
    reports: Vec<ReportView>,
}

struct YearView {
    year: i32,
    complete: bool,
    until: String,
    coverage: String,
    kpis: Vec<KpiLine>,
    charts: Vec<ChartView>,
    meters: Vec<MeterView>,
    findings: FindingList,
    /// Label and value: where the figures come from.
    provenance: Vec<(String, String)>,
    forecast: Option<ForecastView>,
}

/// The year's end as it is foreseen.
struct ForecastView {
    says: String,
    lines: Vec<ForecastLine>,
    /// What weakens it.
    notes: Vec<String>,
}

struct ForecastLine {
    name: String,
    unit: String,
    so_far: String,
    expected: String,
    bounds: String,
    target: String,
    outlook: &'static str,
    outlook_says: String,
    needed: String,
}

struct ChartView {
    caption: String,
    /// Finished, escaped markup of the chart renderer.
    svg: String,
}

struct MeterView {
    name: String,
    id: String,
    building: String,
    /// Label and value.
    facts: Vec<(String, String)>,
    unit: String,
    months: Vec<MonthLine>,
    total: MonthLine,
}

/// One month as text.
struct MonthLine {
    month: String,
    source: String,
    measured: String,
    bounds: String,
    baseline: String,
    avoided: String,
    degree_days: String,
    coverage: String,
    reporting: bool,
}

struct ReportView {
    year: i32,
    files: Vec<ReportFileView>,
}

struct ReportFileView {
    name: String,
    href: String,
    size: String,
    sha256: String,
}

/// `GET /projects/{id}`.
pub(crate) async fn page(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Response {
    respond(site, ask, move |site, ask| render(site, ask, &id)).await
}

fn render(site: &Site, ask: &Ask, id: &str) -> Result<String, Fault> {
    let t = &ask.words;
    let view = ProjectId::new(id)
        .ok()
        .and_then(|id| site.backend.project(&id))
        .ok_or_else(|| Fault::NoProject(id.to_owned()))?;
    let project = &view.project;
    let shown = chosen_year(&view, ask)?;
    let (live, _) = site.live(&ask.who);
    let live = live.iter().filter(|b| b.project == project.id);
    let page = ProjectPage {
        t,
        frame: Frame::new(site, ask, project.title.clone(), ""),
        id: project.id.to_string(),
        title: project.title.clone(),
        facts: facts(t, &view),
        live: live.map(|b| LiveCard::new(t, b, "", project.zone)).collect(),
        due: view.due.iter().map(|due| t.due(due, view.today)).collect(),
        years: view.years.iter().map(|y| (y.year, shown.is_some_and(|s| s.year == y.year))).collect(),
        year: shown.map(|year| year_view(t, year, &view.stated_in(year.year), view.forecast.as_deref())),
        reports: view.reports.iter().map(|listing| report_view(t, id, listing)).collect(),
    };
    Ok(page.render()?)
}

/// The year asked for, else the newest; a year without figures is a fault, not another year's figures.
fn chosen_year<'a>(view: &'a ProjectView, ask: &Ask) -> Result<Option<&'a ProjectYear>, Fault> {
    let Some(asked) = &ask.year else { return Ok(view.years.first().map(Arc::as_ref)) };
    let found = view.years.iter().find(|y| y.year.to_string() == *asked);
    let missing = || Fault::NoYear { project: view.project.id.to_string(), year: asked.clone() };
    found.map(|year| Some(year.as_ref())).ok_or_else(missing)
}

fn facts(t: &Words, view: &ProjectView) -> Vec<(String, String)> {
    let project = &view.project;
    let places: Vec<String> =
        project.buildings.iter().map(|b| format!("{} ({})", b.name, b.municipality)).collect();
    [
        ("page.project.cup", project.cup.clone()),
        ("page.project.beneficiary", project.beneficiary.name.clone()),
        ("page.project.scheme", format!("{} – {}", view.scheme.title, view.scheme.citation)),
        ("page.project.authority", view.scheme.authority.clone()),
        ("page.project.buildings", places.join(", ")),
        ("page.project.completed", t.date(project.dates.completed)),
    ]
    .map(|(key, value)| (t.get(key).to_owned(), value))
    .to_vec()
}

/// What the months left must be, in words where less is better.
fn needed(t: &Words, of: Option<Needed>, shown: impl Fn(Option<f64>) -> String) -> String {
    let value = shown(of.map(Needed::value));
    match of {
        Some(needed @ (Needed::AtMost(_) | Needed::ExceededBy(_))) => {
            t.fill(&format!("page.forecast.{}", needed.code()), &[("value", &value)])
        }
        Some(Needed::Each(_)) | None => value,
    }
}

/// The forecast of the year shown; `None` for a year that is over.
fn forecast_view(t: &Words, year: &ProjectYear, forecast: Option<&Forecast>) -> Option<ForecastView> {
    let forecast = forecast.filter(|f| f.year == year.year)?;
    let line = |k: &KpiForecast| {
        let definition =
            year.kpis.iter().find(|kpi| kpi.definition.code == k.code).map(|kpi| &kpi.definition);
        let decimals = k.decimals();
        let shown = |value: Option<f64>| t.maybe(value, decimals);
        ForecastLine {
            name: definition.map_or_else(|| k.code.clone(), |d| t.get(&d.text).to_owned()),
            unit: printed(k.unit),
            so_far: shown(k.so_far),
            expected: shown(k.expected),
            bounds: match (k.low, k.high) {
                (None, None) => t.not_available(),
                (low, high) => format!("{} – {}", shown(low), shown(high)),
            },
            target: shown(k.target),
            outlook: k.outlook.code(),
            outlook_says: t.of("page.outlook", k.outlook.code()),
            needed: needed(t, k.needed, shown),
        }
    };
    let values = [
        ("on", t.date(forecast.on)),
        ("months", forecast.months_left.to_string()),
        ("years", forecast.weather_years.len().to_string()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, v)| (*name, v.as_str())).collect();
    Some(ForecastView {
        says: t.fill("page.forecast.says", &values),
        lines: forecast.kpis.iter().map(line).collect(),
        notes: forecast.findings.iter().map(|f| t.finding(f)).collect(),
    })
}

/// The set of factors with its source, and each of the project's own that stands in place of one of the set's.
fn factors(t: &Words, year: &ProjectYear) -> String {
    let own = |own: &OwnFactor| {
        let (kind, carrier) = (
            format!("report.factor_kind.{}", own.kind.code()),
            format!("page.carrier.{}", own.carrier.code()),
        );
        let values = [
            ("kind", t.get(&kind)),
            ("carrier", t.get(&carrier)),
            ("value", &*Numbers::of_language(t.language()).trimmed(own.value, 6).unwrap_or_default()),
            ("unit", &*own.kind.unit(own.carrier)),
            ("source", own.source.trim()),
        ];
        t.fill("report.annex.own_factor", &values)
    };
    let set = format!("{} ({})", year.factors.title, year.factors.source);
    let all: Vec<String> = std::iter::once(set).chain(year.project.terms.factors.iter().map(own)).collect();
    all.join("; ")
}

fn year_view(t: &Words, year: &ProjectYear, stated: &[String], forecast: Option<&Forecast>) -> YearView {
    let provenance = &year.provenance;
    let count = |n: u64| t.number(n as f64, 0);
    YearView {
        year: year.year,
        complete: year.is_complete(),
        until: t.date(year.until),
        coverage: t.percent(kpi::worst_coverage(year)),
        kpis: kpi::lines(t, year, stated),
        forecast: forecast_view(t, year, forecast),
        charts: charts(t, year),
        meters: year.meters.iter().map(|meter| meter_view(t, year, meter)).collect(),
        findings: FindingList::new(
            t,
            t.fill("page.project.findings_of", &[("year", &year.year.to_string())]),
            &year.findings,
        ),
        provenance: [
            ("page.project.factor_set", factors(t, year)),
            ("page.project.readings", count(provenance.readings)),
            ("page.project.bills", count(provenance.bills)),
            ("page.project.temperatures", count(provenance.temperatures)),
            ("page.project.inputs", provenance.inputs.hex()),
            ("page.project.catalog", provenance.catalog.hex()),
            ("page.project.rules", provenance.rules.to_owned()),
        ]
        .map(|(key, value)| (t.get(key).to_owned(), value))
        .to_vec(),
    }
}

/// The charts of the annual report, so that page and paper show the same.
fn charts(t: &Words, year: &ProjectYear) -> Vec<ChartView> {
    let document = annual(year, &Beside::default(), t.texts(), AnnualOptions::default());
    let blocks = document.sections.into_iter().flat_map(|section| section.blocks);
    let charts = blocks.filter_map(|block| if let Block::Chart(chart) = block { Some(chart) } else { None });
    charts.enumerate().map(|(i, chart)| chart_view(t, i, chart)).collect()
}

fn chart_view(t: &Words, index: usize, chart: Chart) -> ChartView {
    let style = ChartStyle {
        numbers: Numbers::of_language(t.language()),
        font: "system-ui, sans-serif".to_owned(),
        no_data: t.get("report.label.no_data").to_owned(),
        all_zero: t.get("report.label.all_zero").to_owned(),
        id: format!("chart-{index}"),
        counts: false,
    };
    ChartView { svg: svg(&chart, &style), caption: chart.caption }
}

fn meter_view(t: &Words, year: &ProjectYear, meter: &MeterYear) -> MeterView {
    let facts = &meter.meter;
    let unit = printed(facts.carrier.base_unit().display().symbol());
    let building = year.project.buildings.iter().find(|b| b.id == meter.building);
    let totals = &meter.totals;
    let compared = totals.compared_months > 0;
    // Sums of the same months, so that they can be taken from each other.
    let (name, measured) = if compared {
        ("page.month.total_compared", totals.compared_measured)
    } else {
        ("page.month.total", totals.measured)
    };
    let total = MonthLine {
        month: t.get(name).to_owned(),
        source: String::new(),
        measured: t.number(measured, 1),
        bounds: String::new(),
        baseline: t.maybe(compared.then_some(totals.adjusted_baseline), 1),
        avoided: t.maybe(compared.then_some(totals.avoided), 1),
        degree_days: String::new(),
        coverage: t.percent(Some(totals.coverage_ratio)),
        reporting: true,
    };
    MeterView {
        name: facts.name.clone(),
        id: facts.id.to_string(),
        building: building.map(|b| b.name.clone()).unwrap_or_default(),
        facts: meter_facts(t, meter),
        unit,
        months: meter.months.iter().map(|month| month_line(t, month)).collect(),
        total,
    }
}

fn meter_facts(t: &Words, meter: &MeterYear) -> Vec<(String, String)> {
    let facts = &meter.meter;
    let mut lines = vec![
        ("page.meter.carrier", t.of("page.carrier", facts.carrier.code())),
        ("page.meter.direction", t.of("page.direction", facts.direction.code())),
        ("page.meter.role", t.of("page.role", facts.role.code())),
    ];
    if let Some(supply_point) = &facts.supply_point {
        lines.push(("page.meter.supply_point", supply_point.clone()));
    }
    let baseline = match &meter.baseline {
        Baseline::Fitted(model) => {
            let (heating, cooling) =
                (model.heating_base_c.map(|b| t.number(b, 1)), model.cooling_base_c.map(|b| t.number(b, 1)));
            let base = match (&heating, &cooling) {
                (Some(base), Some(cooling)) => {
                    t.fill("page.baseline.both", &[("base", base), ("cooling_base", cooling)])
                }
                (Some(base), None) => t.fill("page.baseline.heating", &[("base", base)]),
                (None, Some(base)) => t.fill("page.baseline.cooling", &[("base", base)]),
                (None, None) => t.get("page.baseline.flat").to_owned(),
            };
            let quality = &model.quality;
            let values = [
                ("n", quality.n.to_string()),
                ("r2", t.number(quality.r2, 2)),
                ("cvrmse", t.percent(Some(quality.cvrmse_ratio))),
            ];
            let values: Vec<(&str, &str)> = values.iter().map(|(name, v)| (*name, v.as_str())).collect();
            format!("{base}; {}", t.fill("page.baseline.quality", &values))
        }
        Baseline::Zero => t.get("page.baseline.zero").to_owned(),
        Baseline::NotCompared => t.get("page.baseline.not_compared").to_owned(),
        Baseline::Unknown => t.get("page.baseline.unknown").to_owned(),
    };
    lines.push(("page.meter.baseline", baseline));
    lines.into_iter().map(|(key, value)| (t.get(key).to_owned(), value)).collect()
}

fn month_line(t: &Words, month: &MeterMonth) -> MonthLine {
    let source = match month.source {
        MonthSource::Meter => "page.source.meter",
        MonthSource::Bills => "page.source.bills",
        MonthSource::Missing => "page.source.missing",
    };
    let bounds = match (month.measured_low, month.measured_high) {
        (None, None) => t.not_available(),
        (low, high) => format!("{} – {}", t.maybe(low, 1), t.maybe(high, 1)),
    };
    MonthLine {
        month: t.of("page.month", &month.month.number.to_string()),
        source: t.get(source).to_owned(),
        measured: t.maybe(month.measured, 1),
        bounds,
        baseline: t.maybe(month.adjusted_baseline, 1),
        avoided: t.maybe(month.avoided, 1),
        degree_days: t.maybe(month.heating_degree_days, 1),
        coverage: t.percent(Some(month.coverage_ratio)),
        reporting: month.reporting,
    }
}

fn report_view(t: &Words, project: &str, listing: &ReportListing) -> ReportView {
    let files = listing.files.iter().map(|file| ReportFileView {
        href: format!("/reports/{project}/{}/{}", listing.year, crate::downloads::encode(&file.name)),
        name: file.name.clone(),
        size: t.size(file.bytes),
        sha256: file.sha256.clone(),
    });
    ReportView { year: listing.year, files: files.collect() }
}

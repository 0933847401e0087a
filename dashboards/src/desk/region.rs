//! `/region`: every project in every year, with what it reached and how good the evidence is.
//!
//! Must never: show a share of what was reached without the evidence beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use analytics::digits::decimals;
use analytics::region::{
    Case, CaseDuty, CaseKpi, Distribution, Group, GroupLine, Sort, distribution, groups, select,
};
use analytics::report::document::{Chart, ChartKind, NamedValues};
use analytics::report::format::Numbers;
use analytics::scheme::KpiMeasure;
use analytics::scheme::calendar::State as DutyState;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use model::Intervention;
use serde::Deserialize;

use super::file::{Notice, Told};
use super::memos::CASES_MAX;
use super::query::TableAsk;
use super::wire::SavedView;
use super::{Pending, Refused, Region};
use crate::access::{Checked, Right};
use crate::chart::{ChartStyle, svg};
use crate::pages::words::printed;
use crate::pages::{Ask, Fault, Frame, Site, Words, fault_page, off_loop, respond};

/// Choices of a list that are offered at most; the search finds the others.
const CHOICES_MAX: usize = 400;
/// KPI of a case shown at once; the others open on demand.
const KPIS_SHOWN: usize = 3;
/// Projects without figures shown at most.
const PENDING_MAX: usize = 200;
/// Groups shown at most.
const GROUPS_MAX: usize = 500;

#[derive(Template)]
#[template(path = "region.html")]
struct RegionPage<'a> {
    t: &'a Words,
    frame: Frame,
    notice: Option<Notice>,
    tiles: Vec<(String, String, String, &'static str)>,
    filters: Vec<Choice>,
    text: String,
    below: String,
    coverage: String,
    blocked: bool,
    sort: String,
    desc: bool,
    query: String,
    views: Vec<(String, String)>,
    may_save: bool,
    may_write: bool,
    heads: Vec<ColumnHead>,
    rows: Vec<Row>,
    groups: Option<GroupTable>,
    grouping: Vec<(String, String, bool)>,
    says: String,
    before: Option<String>,
    after: Option<String>,
    all: Result<String, String>,
    chart: String,
    bins: Vec<(String, usize)>,
    without: usize,
    kpi: String,
    pending: Vec<PendingRow>,
    /// Beyond those shown.
    pending_more: usize,
}

/// A project without figures.
struct PendingRow {
    title: String,
    /// Empty where nobody registered the project.
    href: String,
    cup: String,
    beneficiary: String,
    scheme: String,
    ended: String,
    due: String,
    state: String,
    state_class: &'static str,
    duty: String,
}

/// A list to choose from: name, label, options with value, label and whether chosen.
struct Choice {
    name: &'static str,
    label: String,
    options: Vec<(String, String, bool)>,
}

struct ColumnHead {
    label: String,
    href: String,
    /// For `aria-sort`; empty where the table is not sorted by it.
    sorted: &'static str,
    number: bool,
}

struct Row {
    case: String,
    title: String,
    href: String,
    cup: String,
    beneficiary: String,
    scheme: String,
    province: String,
    year: i32,
    partial: bool,
    kpis: Vec<KpiCell>,
    /// Beyond those shown at once.
    more: Vec<KpiCell>,
    coverage: String,
    coverage_class: &'static str,
    estimated: String,
    findings: String,
    findings_class: &'static str,
    due: String,
    state: String,
    state_class: &'static str,
    /// What is due, with its year.
    duty: String,
}

struct KpiCell {
    name: String,
    values: String,
    bounds: String,
    attainment: String,
    bar: Option<String>,
    verdict: &'static str,
    verdict_says: String,
}

struct GroupTable {
    label: String,
    rows: Vec<GroupRow>,
    more: usize,
}

struct GroupRow {
    name: String,
    href: String,
    cases: usize,
    projects: usize,
    reached: usize,
    missed: usize,
    undetermined: usize,
    open: usize,
    late: usize,
    declared: String,
    achieved: String,
    ratio: String,
    left_out: usize,
    median: String,
    coverage: String,
    estimated: String,
}

/// `GET /region`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Query(given): Query<Vec<(String, String)>>,
    ask: Ask,
) -> Response {
    respond(site, ask, move |site, ask| {
        let done = given.iter().find(|(n, _)| n == "done").map(|(_, v)| v.clone());
        let told = Told::of(done);
        let asked = TableAsk::of(&given);
        let notice = Notice::done(&ask.words, &told);
        render(site, ask, &asked, notice)
    })
    .await
}

/// Says which filters were left out because their value means nothing.
fn ignored(t: &Words, asked: &TableAsk, pages: usize) -> Option<Notice> {
    let beyond = (pages < asked.page).then_some("page");
    let names = asked.ignored.iter().copied().chain(beyond);
    let names: Vec<String> = names.map(|name| t.of("page.region.filter", name)).collect();
    if names.is_empty() {
        return None;
    }
    let says = t.fill("page.region.ignored", &[("names", &names.join(", "))]);
    Some(Notice { good: false, says, lines: Vec::new() })
}

/// What the button for every case of the filter says; why there is none beyond what one order may hold.
fn memo_all(t: &Words, cases: usize) -> Result<String, String> {
    let n = t.number(cases as f64, 0);
    match cases {
        0..=CASES_MAX => Ok(t.fill("page.memos.all", &[("n", &n)])),
        _ => Err(t.fill("page.memos.all_too_many", &[("n", &n), ("most", &t.number(CASES_MAX as f64, 0))])),
    }
}

fn render(site: &Site, ask: &Ask, asked: &TableAsk, notice: Option<Notice>) -> Result<String, Fault> {
    let t = &ask.words;
    let region = site.backend.region()?;
    let chosen = select(&region.cases, &asked.query);
    let last = chosen.len().div_ceil(asked.per_page).max(1);
    let page = asked.page.min(last);
    let shown = chosen.iter().skip((page - 1) * asked.per_page).take(asked.per_page);
    let to = |page: usize| format!("/region?{}", asked.with(&[("page", &page.to_string())]));
    let views = match ask.who.account() {
        Some(account) => site.backend.views(account)?,
        None => Vec::new(),
    };
    let spread = distribution(&chosen, asked.query.measure);
    let made = RegionPage {
        t,
        frame: Frame::new(site, ask, t.get("page.region.title"), "region"),
        notice: notice.or_else(|| ignored(t, asked, last)),
        tiles: tiles(t, asked, &chosen),
        filters: filters(t, asked, &region),
        text: asked.get("text").to_owned(),
        below: asked.get("below").to_owned(),
        coverage: asked.get("coverage").to_owned(),
        blocked: asked.query.blocked,
        sort: asked.get("sort").to_owned(),
        desc: asked.query.descending,
        query: asked.with(&[]),
        views: views.into_iter().map(|v| (v.name, format!("/region?{}", v.query))).collect(),
        may_save: ask.who.account().is_some(),
        may_write: ask.who.may(Right::SendMemos, None),
        all: memo_all(t, chosen.len()),
        heads: heads(t, asked),
        rows: if asked.query.group.is_some() {
            Vec::new()
        } else {
            shown.map(|c| row(t, c, asked)).collect()
        },
        groups: asked.query.group.map(|by| group_table(t, asked, by, &chosen)),
        grouping: grouping(t, asked),
        says: t.fill(
            "page.region.says",
            &[
                ("cases", &t.number(chosen.len() as f64, 0)),
                ("all", &t.number(region.cases.len() as f64, 0)),
                ("page", &page.to_string()),
                ("pages", &last.to_string()),
            ],
        ),
        before: (1 < page).then(|| to(page - 1)),
        after: (page < last).then(|| to(page + 1)),
        chart: chart(t, &spread),
        bins: spread.bins.iter().map(|b| (bin(t, b.from, b.to), b.cases)).collect(),
        without: spread.without,
        kpi: lead_name(t, asked.query.measure),
        pending: region.pending.iter().take(PENDING_MAX).map(|p| pending_row(t, p)).collect(),
        pending_more: region.pending.len().saturating_sub(PENDING_MAX),
    };
    Ok(made.render()?)
}

fn lead_name(t: &Words, measure: Option<KpiMeasure>) -> String {
    measure.map_or_else(|| t.get("page.region.lead").to_owned(), |m| measure_name(t, m))
}

fn measure_name(t: &Words, measure: KpiMeasure) -> String {
    t.of("page.desk.measure", measure.code())
}

/// Verdicts and blocking data are counted of closed cases alone: an officer reads them as what went wrong. What is late
/// or soon due is so whatever the year.
fn tiles(t: &Words, asked: &TableAsk, chosen: &[&Case]) -> Vec<(String, String, String, &'static str)> {
    use analytics::result::Verdict;
    let count = |is: &dyn Fn(&Case) -> bool| chosen.iter().filter(|case| is(case)).count();
    let with = |verdict: Verdict| count(&|c| c.is_closed() && c.verdict() == verdict);
    let late = |c: &Case| c.duty.as_ref().is_some_and(|d| d.state == DutyState::Late);
    let soon = |c: &Case| {
        c.duty.as_ref().is_some_and(|d| {
            !matches!(d.state, DutyState::Sent | DutyState::Accepted)
                && d.days_left.is_some_and(|left| (0..=super::query::SOON_DAYS).contains(&left))
        })
    };
    let tile = |key: &str, count: usize, changes: &[(&'static str, &str)], class| {
        (
            t.of("page.region.tile", key),
            t.number(count as f64, 0),
            format!("/region?{}", asked.with(changes)),
            class,
        )
    };
    let verdict = |verdict: Verdict| {
        let changes = [("verdict", verdict.code()), ("closed", "1")];
        tile(verdict.code(), with(verdict), &changes, verdict.code())
    };
    vec![
        verdict(Verdict::Reached),
        verdict(Verdict::Missed),
        verdict(Verdict::Undetermined),
        tile("late", count(&late), &[("due", "late")], "bad"),
        tile("soon", count(&soon), &[("due", "soon")], "warn"),
        tile(
            "blocked",
            count(&|c| c.is_closed() && 0 < c.blocking),
            &[("blocked", "1"), ("closed", "1")],
            "bad",
        ),
        tile("open", count(&|c| !c.is_closed()), &[("closed", "0")], "none"),
    ]
}

fn filters(t: &Words, asked: &TableAsk, region: &Region) -> Vec<Choice> {
    let (mut years, mut provinces) = (BTreeSet::new(), BTreeSet::new());
    let (mut schemes, mut measures) = (BTreeMap::new(), BTreeSet::new());
    let mut beneficiaries = BTreeSet::new();
    for case in &region.cases {
        years.insert(case.year);
        provinces.insert(case.province);
        schemes.entry(case.scheme.as_str()).or_insert(case.scheme_title.as_str());
        beneficiaries.insert(case.beneficiary.as_str());
        measures.extend(case.kpis.iter().map(|k| k.measure));
    }
    let choice = |name: &'static str, options: Vec<(String, String)>| {
        let chosen = asked.get(name);
        let options = options.into_iter().take(CHOICES_MAX);
        Choice {
            name,
            label: t.of("page.region.filter", name),
            options: options.map(|(value, label)| (value.clone(), label, value == chosen)).collect(),
        }
    };
    let same = |text: &str| (text.to_owned(), text.to_owned());
    let coded = |area: &str, codes: &[&str]| -> Vec<(String, String)> {
        codes.iter().map(|code| ((*code).to_owned(), t.of(area, code))).collect()
    };
    vec![
        choice("year", years.iter().rev().map(|y| same(&y.to_string())).collect()),
        choice("scheme", schemes.iter().map(|(id, title)| ((*id).to_owned(), (*title).to_owned())).collect()),
        choice("beneficiary", beneficiaries.iter().map(|b| same(b)).collect()),
        choice("province", provinces.iter().map(|p| same(p)).collect()),
        choice("intervention", coded("page.desk.intervention", &Intervention::ALL.map(Intervention::code))),
        choice("kpi", measures.iter().map(|m| (m.code().to_owned(), measure_name(t, *m))).collect()),
        choice("verdict", coded("verdict", &["reached", "missed", "undetermined"])),
        choice("due", coded("page.region.due", &["late", "soon", "open", "done"])),
        choice(
            "closed",
            [("1", "page.region.closed.yes"), ("0", "page.region.closed.no")]
                .map(|(value, key)| (value.to_owned(), t.get(key).to_owned()))
                .to_vec(),
        ),
    ]
}

fn heads(t: &Words, asked: &TableAsk) -> Vec<ColumnHead> {
    let shown = [
        (Sort::Project, false),
        (Sort::Beneficiary, false),
        (Sort::Scheme, false),
        (Sort::Province, false),
        (Sort::Year, false),
        (Sort::Attainment, false),
        (Sort::Coverage, true),
        (Sort::Estimated, true),
        (Sort::Findings, true),
        (Sort::Due, false),
    ];
    let head = |(sort, number): (Sort, bool)| {
        let here = asked.query.sort == sort;
        let turned = here && !asked.query.descending;
        let address = asked.with(&[("sort", sort.code()), ("desc", if turned { "1" } else { "" })]);
        ColumnHead {
            label: t.of("page.region.column", sort.code()),
            href: format!("/region?{address}"),
            sorted: match (here, asked.query.descending) {
                (false, _) => "",
                (true, false) => "ascending",
                (true, true) => "descending",
            },
            number,
        }
    };
    shown.into_iter().map(head).collect()
}

fn row(t: &Words, case: &Case, asked: &TableAsk) -> Row {
    let wanted = |kpi: &&CaseKpi| asked.query.measure.is_none_or(|m| m == kpi.measure);
    let mut kpis: Vec<KpiCell> = case.kpis.iter().filter(wanted).map(|k| kpi_cell(t, k)).collect();
    let more = kpis.split_off(kpis.len().min(KPIS_SHOWN));
    let coverage = case.coverage_ratio;
    let due = case.duty.as_ref();
    Row {
        case: format!("{} {}", case.project, case.year),
        title: case.title.clone(),
        href: format!("/desk/{}/savings?year={}", case.project, case.year),
        cup: case.cup.clone(),
        beneficiary: case.beneficiary.clone(),
        scheme: case.scheme_title.clone(),
        province: case.province.to_owned(),
        year: case.year,
        partial: !case.complete,
        kpis,
        more,
        coverage: t.percent(coverage),
        coverage_class: match coverage {
            Some(ratio) if 0.95 <= ratio => "ok",
            Some(ratio) if 0.8 <= ratio => "warn",
            Some(_) | None => "bad",
        },
        estimated: t.percent(case.estimated_ratio),
        findings: format!("{} / {}", case.blocking, case.cautions),
        findings_class: if 0 < case.blocking {
            "bad"
        } else if 0 < case.cautions {
            "warn"
        } else {
            "ok"
        },
        due: due.and_then(|d| d.due).map_or_else(|| t.not_available(), |day| t.date(day)),
        state: due.map(|d| t.of("page.desk.state", d.state.code())).unwrap_or_default(),
        duty: due.map(|d| t.get(&d.text).to_owned()).unwrap_or_default(),
        state_class: state_class(due),
    }
}

fn state_class(duty: Option<&CaseDuty>) -> &'static str {
    match duty.map(|d| d.state) {
        Some(DutyState::Late) => "bad",
        Some(DutyState::Due) => "warn",
        Some(DutyState::Sent | DutyState::Accepted) => "ok",
        Some(DutyState::Waiting | DutyState::Upcoming) | None => "none",
    }
}

fn pending_row(t: &Words, pending: &Pending) -> PendingRow {
    let (duty, registered) = (pending.duty.as_ref(), pending.project.is_some());
    let state = match duty {
        Some(duty) if !registered && duty.state == DutyState::Late => {
            let late = t.of("page.desk.state", duty.state.code());
            format!("{}; {late}", t.get("page.region.pending.unregistered"))
        }
        _ if !registered => t.get("page.region.pending.unregistered").to_owned(),
        Some(duty) => t.of("page.desk.state", duty.state.code()),
        None => String::new(),
    };
    PendingRow {
        title: pending.title.clone(),
        href: pending.project.as_ref().map(|id| format!("/desk/{id}/duties")).unwrap_or_default(),
        cup: pending.cup.clone(),
        beneficiary: pending.beneficiary.clone(),
        scheme: pending.scheme.clone(),
        ended: t.date(pending.ended),
        due: duty.and_then(|d| d.due).map_or_else(|| t.not_available(), |day| t.date(day)),
        state,
        state_class: match state_class(duty) {
            "bad" => "bad",
            _ if !registered => "warn",
            other => other,
        },
        duty: duty.map(|d| t.get(&d.text).to_owned()).unwrap_or_default(),
    }
}

fn kpi_cell(t: &Words, kpi: &CaseKpi) -> KpiCell {
    let unit = printed(kpi.unit.symbol());
    let missed = kpi.target.filter(|_| kpi.verdict == analytics::result::Verdict::Missed);
    let decimals = kpi.decimals();
    let bounds = match (kpi.low, kpi.high) {
        (None, None) => String::new(),
        (low, high) => format!("{} – {}", t.maybe(low, decimals), t.maybe(high, decimals)),
    };
    KpiCell {
        name: t.get(&kpi.text).to_owned(),
        values: format!(
            "{} / {} {unit}",
            t.kpi_beside(kpi.achieved, missed, decimals),
            t.maybe(kpi.target, decimals)
        ),
        bounds,
        attainment: t.percent(kpi.attainment_ratio),
        bar: kpi.attainment_ratio.map(|r| format!("{:.1}", (r * 100.0).clamp(0.0, 120.0))),
        verdict: kpi.verdict.code(),
        verdict_says: t.told(kpi.told),
    }
}

fn grouping(t: &Words, asked: &TableAsk) -> Vec<(String, String, bool)> {
    let none = (
        t.get("page.region.group.none").to_owned(),
        format!("/region?{}", asked.with(&[("group", "")])),
        asked.query.group.is_none(),
    );
    let of = |group: Group| {
        let href = format!("/region?{}", asked.with(&[("group", group.code())]));
        (t.of("page.region.group", group.code()), href, asked.query.group == Some(group))
    };
    std::iter::once(none).chain(Group::ALL.into_iter().map(of)).collect()
}

fn group_table(t: &Words, asked: &TableAsk, by: Group, chosen: &[&Case]) -> GroupTable {
    let lines = groups(chosen, by, asked.query.measure);
    let more = lines.len().saturating_sub(GROUPS_MAX);
    let rows = lines.iter().take(GROUPS_MAX).map(|line| group_row(t, asked, by, line)).collect();
    GroupTable { label: t.of("page.region.group", by.code()), rows, more }
}

/// From here on one decimal leaves three significant digits.
const LARGE: f64 = 10.0;

fn group_row(t: &Words, asked: &TableAsk, by: Group, line: &GroupLine) -> GroupRow {
    let name = match by {
        _ if line.key.is_empty() => t.get("page.region.group.unstated").to_owned(),
        Group::Intervention => t.of("page.desk.intervention", &line.key),
        Group::Scheme | Group::Beneficiary | Group::Province | Group::Year => line.name.clone(),
    };
    let unit = line.unit.map(|u| printed(u.symbol())).unwrap_or_default();
    let is_large = [line.declared, line.achieved].into_iter().flatten().all(|v| v == 0.0 || LARGE <= v.abs());
    let decimals = decimals(&[line.declared, line.achieved], (None, None));
    let sum = |value: Option<f64>| match value {
        // Sums of a region are large; those of a large unit need not be.
        Some(_) if is_large => format!("{} {unit}", t.maybe(value, 1)),
        Some(_) => format!("{} {unit}", t.maybe(value, decimals)),
        None => t.not_available(),
    };
    GroupRow {
        name,
        href: format!("/region?{}", asked.with(&[(by.code(), &line.key), ("group", "")])),
        cases: line.cases,
        projects: line.projects,
        reached: line.reached,
        missed: line.missed,
        undetermined: line.undetermined,
        open: line.open,
        late: line.late,
        declared: sum(line.declared),
        achieved: sum(line.achieved),
        ratio: t.percent(line.ratio()),
        left_out: line.left_out,
        median: t.percent(line.median_attainment),
        coverage: t.percent(line.coverage_ratio),
        estimated: t.percent(line.estimated_ratio),
    }
}

/// `90–100 %`, `< 0 %`, `≥ 125 %`.
fn bin(t: &Words, from: f64, to: f64) -> String {
    let percent = |ratio: f64| t.number(ratio * 100.0, 0);
    match (from.is_finite(), to.is_finite()) {
        (false, _) => format!("< {} %", percent(to)),
        (_, false) => format!("≥ {} %", percent(from)),
        (true, true) => format!("{}–{} %", percent(from), percent(to)),
    }
}

fn chart(t: &Words, spread: &Distribution) -> String {
    let style = ChartStyle {
        numbers: Numbers::of_language(t.language()),
        font: "system-ui, sans-serif".to_owned(),
        no_data: t.get("report.label.no_data").to_owned(),
        all_zero: t.get("report.label.all_zero").to_owned(),
        id: "spread".to_owned(),
        counts: true,
    };
    let counts = spread.bins.iter().map(|b| Some(b.cases as f64)).collect();
    let chart = Chart {
        caption: t.get("page.region.spread").to_owned(),
        alternative: t.get("page.region.spread_alternative").to_owned(),
        kind: ChartKind::MonthlyColumns {
            unit: t.get("page.region.cases").to_owned(),
            labels: spread.bins.iter().map(|b| bin(t, b.from, b.to)).collect(),
            columns: vec![NamedValues { name: t.get("page.region.cases").to_owned(), values: counts }],
            line: None,
        },
    };
    svg(&chart, &style)
}

#[derive(Debug, Deserialize)]
pub(crate) struct ViewForm {
    name: String,
    #[serde(default)]
    query: String,
}

/// `POST /region/views`: keeps a view of one's own; one without a query is taken away.
pub(crate) async fn save_view(
    State(site): State<Arc<Site>>,
    ask: Ask,
    Checked(form): Checked<ViewForm>,
) -> Response {
    let Some(account) = ask.who.account().map(str::to_owned) else {
        return fault_page(&site, &ask, &Fault::SignIn);
    };
    let back = if form.query.is_empty() { String::new() } else { format!("{}&", form.query) };
    let view = SavedView { name: form.name, query: form.query };
    let done = off_loop(&site, move |site| keep_view(site, &account, view));
    match done.await {
        Ok(Ok(())) => Redirect::to(&format!("/region?{back}done=view")).into_response(),
        Ok(Err(refused)) => refused_page(&site, &ask, refused).await,
        Err(fault) => fault_page(&site, &ask, &fault),
    }
}

/// Keeps of a view what an address of the table may say.
pub(super) fn keep_view(site: &Site, account: &str, view: SavedView) -> Result<(), Refused> {
    let asked = TableAsk::of(&serde_pairs(&view.query));
    let query = if view.query.is_empty() { String::new() } else { asked.with(&[]) };
    // A view of the whole table has an address too.
    let query = if query.is_empty() && !view.query.is_empty() { "sort=project".to_owned() } else { query };
    site.backend.save_view(account, &SavedView { name: view.name, query })
}

/// The pairs of a query, decoded.
pub(crate) fn serde_pairs(query: &str) -> Vec<(String, String)> {
    let uri: Option<axum::http::Uri> = format!("/?{query}").parse().ok();
    let read = uri.and_then(|uri| Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    read.map(|Query(pairs)| pairs).unwrap_or_default()
}

async fn refused_page(site: &Arc<Site>, ask: &Ask, refused: Refused) -> Response {
    let fault = Fault::Desk(refused.clone());
    let asked = ask.clone();
    let made = off_loop(site, move |site| {
        render(site, &asked, &TableAsk::of(&[]), Some(Notice::refused(&asked.words, &refused)))
    });
    match made.await.and_then(|page| page) {
        Ok(page) => (fault.status(), axum::response::Html(page)).into_response(),
        Err(fault) => fault_page(site, ask, &fault),
    }
}

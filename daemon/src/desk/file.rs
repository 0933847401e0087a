//! A project's file: what people stated, what the call makes of it, the KPI table, documents.
//!
//! Must never: compose a facility by another rule than the call's.

use std::collections::BTreeSet;

use analytics::economics::FacilityRule;
use analytics::places::province;
use analytics::result::ProjectYear;
use analytics::scheme::Scheme;
use analytics::scheme::calendar::kept;
use analytics::scheme::clauses::{gather, judge};
use dashboards::desk::wire::{
    BeneficiaryView, BuildingFacts, ClauseView, CompositionView, DocumentView, Economics, EventDay, KeptView,
    KpiRow, KpiTable, ProjectFile, StatedBy, SubjectView,
};
use model::{Building, Event, Project, ProjectId};
use store::{Record, Store};

use super::contacts;
use crate::exit::Failure;
use crate::records::{self, Document};
use crate::runtime::Runtime;
use crate::{figures, stated, submissions};

pub(super) fn of(runtime: &Runtime, id: &ProjectId) -> Result<ProjectFile, Failure> {
    let installation = runtime.installation();
    let project = figures::project(&runtime.store, &installation.catalog, id)?;
    let scheme = installation.catalog.scheme(&project.scheme).cloned();
    let figures = runtime.project_figures(id);
    let years: Vec<_> = figures.map(|f| f.years).unwrap_or_default();
    let newest = years.iter().find(|y| y.is_complete()).or(years.first());
    let events = project.events();
    let event =
        |event: Event| EventDay { event: event.code(), day: events.get(&event).map(ToString::to_string) };
    let text = |of: fn(&Scheme) -> &str| scheme.as_deref().map(of).unwrap_or_default().to_owned();
    Ok(ProjectFile {
        project: project.id.to_string(),
        title: project.title.clone(),
        cup: project.cup.clone(),
        scheme: project.scheme.to_string(),
        scheme_title: text(|s| &s.title),
        authority: text(|s| &s.authority),
        citation: text(|s| &s.citation),
        beneficiary: BeneficiaryView {
            name: project.beneficiary.name.clone(),
            tax_code: project.beneficiary.tax_code.clone(),
            legal_representative: project.beneficiary.legal_representative.clone(),
        },
        subjects: subjects(&project),
        contacts: Some(contacts::of(&runtime.store, id)?),
        buildings: project.buildings.iter().map(building).collect(),
        interventions: project.grant.interventions.iter().map(|i| i.code().to_owned()).collect(),
        dates: Event::ALL.into_iter().map(event).collect(),
        kept: scheme.as_deref().map(|s| keeping(s, &project)).unwrap_or_default(),
        economics: economics(scheme.as_deref(), &project, newest.map(AsRef::as_ref)),
        years: figures::years(&project, runtime.clock.now().day(project.zone)),
    })
}

fn subjects(project: &Project) -> Vec<SubjectView> {
    let view = |subject: &model::Subject| SubjectView {
        name: subject.name.clone(),
        role: subject.role.code(),
        tax_code: Some(subject.tax_code.clone()),
        email: subject.email.clone(),
        register: subject.register.clone(),
        enabled: subject.enabled,
    };
    project.grant.subjects.iter().map(view).collect()
}

fn building(building: &Building) -> BuildingFacts {
    let points: BTreeSet<String> = building.meters.iter().filter_map(|m| m.supply_point.clone()).collect();
    BuildingFacts {
        building: building.id.to_string(),
        name: building.name.clone(),
        address: building.address.clone(),
        municipality: building.municipality.clone(),
        province: province(&building.istat_code),
        uses: building.uses.iter().map(|u| (u.category.clone(), u.floor_area_m2)).collect(),
        floor_area_m2: building.floor_area_m2,
        gross_volume_m3: building.gross_volume_m3,
        usage_profile: building.usage_profile.clone(),
        ape_code: building.ape_code.clone(),
        supply_points: points.into_iter().collect(),
    }
}

fn keeping(scheme: &Scheme, project: &Project) -> Vec<KeptView> {
    let view = |kept: analytics::scheme::calendar::KeptUntil| KeptView {
        text: kept.text,
        from: kept.days.map(|(from, _)| from.to_string()),
        to: kept.days.map(|(_, to)| to.to_string()),
        citation: kept.citation,
    };
    kept(scheme, project).into_iter().map(view).collect()
}

fn economics(scheme: Option<&Scheme>, project: &Project, newest: Option<&ProjectYear>) -> Economics {
    let clauses = scheme.map(|scheme| {
        let facts = gather(project, scheme.declared_saving(), newest);
        let view = |judged: analytics::scheme::clauses::Judged| ClauseView {
            clause: judged.clause.id.clone(),
            text: judged.clause.text.clone(),
            verdict: judged.verdict.code(),
            value: judged.value,
            shown: judged.shown(),
            unit: judged.clause.fact.unit,
            evidence: judged.evidence,
            basis: judged.basis,
            citation: judged.clause.citation.clone(),
        };
        judge(&scheme.rules.clauses, &facts).into_iter().map(view).collect()
    });
    Economics {
        costs_eur: project.grant.costs.map(model::Euro::as_f64),
        granted_costs_eur: project.grant.granted_costs.map(model::Euro::as_f64),
        facility_eur: project.facility.map(model::Euro::as_f64),
        cig: project.grant.cig.clone(),
        composition: scheme.and_then(|s| s.rules.facility.as_ref()).and_then(|rule| compose(rule, project)),
        clauses: clauses.unwrap_or_default(),
    }
}

fn compose(rule: &FacilityRule, project: &Project) -> Option<CompositionView> {
    let events = project.events();
    // Without a day of the schedule nothing ended before it.
    let days_early = events.get(&Event::PlannedCompletion).zip(events.get(&Event::Completion));
    let days_early = days_early.map_or(0, |(planned, done)| (*planned - *done).num_days());
    let (composed, instalments) = rule.of_grant(&project.grant, days_early)?;
    let facility = composed.facility().as_f64();
    Some(CompositionView {
        grant_eur: composed.grant.as_f64(),
        loan_eur: composed.loan.as_f64(),
        own_eur: composed.own.as_f64(),
        facility_eur: facility,
        difference_eur: project.facility.map(|stated| stated.as_f64() - facility),
        advance_eur: instalments.advance.as_f64(),
        first_loan_eur: instalments.first_loan.as_f64(),
        second_grant_eur: instalments.second_grant.as_f64(),
        last_grant_eur: instalments.last_grant.as_f64(),
        last_loan_eur: instalments.last_loan.as_f64(),
        last_loan_as_grant: instalments.last_loan_as_grant,
        citation: rule.citation.clone(),
    })
}

pub(super) fn kpi_table(runtime: &Runtime, id: &ProjectId, year: i32) -> Result<KpiTable, Failure> {
    let installation = runtime.installation();
    // The figures that the other pages show, where they are computed already.
    let known = runtime.project_figures(id).and_then(|f| f.years.into_iter().find(|y| y.year == year));
    let rows = match &known {
        Some(figures) => stated::of_figures(&runtime.store, figures.kpis.clone(), id, year)?,
        None => stated::rows(&runtime.store, &installation, id, year, runtime.clock.now())?,
    };
    let documents = records::documents(&runtime.store, id)?;
    let texts = installation.catalog.texts("it");
    let row = |row: &stated::Row| {
        let (kpi, code) = (&row.result, &row.result.definition.code);
        let explained =
            |(d, _): &(Document, Record)| d.kpi.as_deref() == Some(code.as_str()) && d.year == Some(year);
        KpiRow {
            code: code.clone(),
            text: kpi.definition.text.clone(),
            unit: kpi.definition.unit.symbol(),
            target: kpi.target,
            measured: kpi.achieved,
            low: kpi.low,
            high: kpi.high,
            attainment_ratio: kpi.attainment_ratio,
            verdict: kpi.verdict.code(),
            told: kpi.told(row.reason().is_some()),
            post: row.post(),
            post_verdict: row.post_verdict().code(),
            note: stated::note_of(row, &texts),
            stated: row.stated.as_ref().map(|(value, record)| StatedBy {
                value: value.value,
                author: record.author.clone(),
                at: record.at.to_string(),
                reason: value.reason.clone(),
            }),
            document_advised: row.is_missed() && !documents.iter().any(explained),
        }
    };
    Ok(KpiTable {
        project: id.to_string(),
        year,
        complete: known.as_ref().is_none_or(|k| k.is_complete()),
        kpis: rows.iter().map(row).collect(),
    })
}

pub(super) fn document_view((document, record): (Document, Record)) -> DocumentView {
    DocumentView {
        sha256: document.sha256,
        name: document.name,
        title: document.title,
        mime: document.mime,
        bytes: document.bytes,
        year: document.year,
        kpi: document.kpi,
        author: record.author,
        at: record.at.to_string(),
    }
}

/// The name of a kept file, if it is one of the project's documents or of its submissions' files.
pub(super) fn name_of(store: &Store, project: &ProjectId, sha256: &str) -> anyhow::Result<Option<String>> {
    let documents = records::documents(store, project)?;
    if let Some((document, _)) = documents.iter().find(|(d, _)| d.sha256 == sha256) {
        return Ok(Some(document.name.clone()));
    }
    let own = submissions::all(store)?.into_iter().filter(|s| s.project == project.as_str());
    let found = own
        .flat_map(|s| {
            let frozen = s.frozen.into_iter().flat_map(|f| f.files);
            let signed = s.signed.into_iter().map(|s| s.file);
            let receipts = s.receipts.into_iter().map(|r| r.file);
            s.attached.into_iter().chain(frozen).chain(signed).chain(receipts)
        })
        .find(|file| file.sha256 == sha256);
    Ok(found.map(|file| file.name))
}

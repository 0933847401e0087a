//! What every section of the annual report is written from: the year's figures and the words.
//!
//! Must never: compute a figure. Looking up, choosing and wording only.

use std::ops::Deref;

use model::{Carrier, Finding, MeterFacts, Month, Severity};

use super::beside::{Beside, StatedValue};
use super::format::unit_symbol;
use super::words::Words;
use crate::result::{KpiResult, MeterYear, ProjectYear, UNSTATED};
use crate::text::Texts;

/// Most reasons printed for one withheld figure; the findings section has them all.
const REASONS_MAX: usize = 4;
/// The finding that withholds every figure of a year in progress.
pub(super) const YEAR_INCOMPLETE: &str = "year.incomplete";

pub(super) struct Context<'a> {
    pub(super) year: &'a ProjectYear,
    pub(super) beside: &'a Beside,
    words: Words<'a>,
}

/// A section says most of what it says in words alone.
impl<'a> Deref for Context<'a> {
    type Target = Words<'a>;

    fn deref(&self) -> &Words<'a> {
        &self.words
    }
}

impl<'a> Context<'a> {
    pub(super) fn new(year: &'a ProjectYear, beside: &'a Beside, texts: &'a Texts) -> Self {
        Self { year, beside, words: Words::new(texts) }
    }

    /// The time of the signatures and profiles in words, where that is not the year.
    pub(super) fn beside_period(&self) -> Option<String> {
        let (from, to) = self.beside.period?;
        let last = to.pred_opt().unwrap_or(to);
        let (from, last) = (self.format.date(from), self.format.date(last));
        Some(self.fill("front.period_value", &[("from", &from), ("to", &last)]))
    }

    pub(super) fn building_name(&self, meter: &MeterYear) -> String {
        let found = self.year.project.buildings.iter().find(|b| b.id == meter.building);
        found.map_or_else(|| meter.building.to_string(), |b| b.name.clone())
    }

    pub(super) fn kpi_name(&self, kpi: &KpiResult) -> String {
        self.texts.get(&kpi.definition.text).to_owned()
    }

    /// The decimals of all values of a KPI, a person's among them.
    pub(super) fn kpi_decimals(&self, kpi: &KpiResult) -> usize {
        kpi.decimals(self.stated(kpi).map(|stated| stated.value))
    }

    /// A value of the KPI with its unit; never rounded onto a target that it misses.
    pub(super) fn kpi_value(&self, kpi: &KpiResult, value: Option<f64>) -> String {
        let decimals = self.kpi_decimals(kpi);
        let printed = value.map(|value| kpi.printed(value, decimals));
        self.format.quantity(printed, decimals, &unit_symbol(kpi.definition.unit.symbol()))
    }

    /// The same without its unit, as it stands in a column.
    pub(super) fn kpi_number(&self, kpi: &KpiResult, value: Option<f64>) -> String {
        let decimals = self.kpi_decimals(kpi);
        self.format.number(value.map(|value| kpi.printed(value, decimals)), decimals)
    }

    /// Its 90 % bounds, rounded the same way.
    pub(super) fn kpi_range(&self, kpi: &KpiResult) -> String {
        let decimals = self.kpi_decimals(kpi);
        let printed = |value: Option<f64>| value.map(|value| kpi.printed(value, decimals));
        self.format.range(printed(kpi.low), printed(kpi.high), decimals)
    }

    /// What a person states in place of a KPI's measured value.
    pub(super) fn stated(&self, kpi: &KpiResult) -> Option<&'a StatedValue> {
        let beside: &'a Beside = self.beside;
        beside.stated.iter().find(|stated| stated.code == kpi.definition.code)
    }

    /// Whether no meter can measure it and nobody has stated its value yet: it is to be declared, not measured.
    pub(super) fn is_to_be_stated(&self, kpi: &KpiResult) -> bool {
        kpi.is_declared() && self.stated(kpi).is_none()
    }

    /// A KPI's verdict in words.
    pub(super) fn kpi_verdict(&self, kpi: &KpiResult) -> String {
        self.texts.told(kpi.told(self.stated(kpi).is_some())).to_owned()
    }

    /// The same of the year before.
    pub(super) fn former_verdict(&self, kpi: &KpiResult) -> String {
        let was_stated = self.beside.former_stated.contains(&kpi.definition.code);
        self.texts.told(kpi.told(was_stated)).to_owned()
    }

    /// The findings behind a KPI; where it is withheld, those that withhold it.
    fn kpi_findings(&self, kpi: &KpiResult) -> Vec<&'a Finding> {
        let year: &'a ProjectYear = self.year;
        let (mut behind, _) = kpi.behind(&year.findings);
        let withholds = |f: &Finding| f.severity == Severity::Blocks || f.code == YEAR_INCOMPLETE;
        if kpi.achieved.is_none() && behind.iter().any(|f| withholds(f)) {
            behind.retain(|f| withholds(f));
        }
        behind
    }

    /// The codes of the findings behind a KPI.
    pub(super) fn kpi_codes(&self, kpi: &KpiResult) -> impl Iterator<Item = &'a str> {
        self.kpi_findings(kpi).into_iter().map(|finding| finding.code)
    }

    /// The meters that withhold or weaken a KPI: what a reader can look at.
    pub(super) fn kpi_meters(&self, kpi: &KpiResult) -> Vec<String> {
        let mut meters: Vec<String> = Vec::new();
        for finding in self.kpi_findings(kpi) {
            let word = finding.subject.split_whitespace().next().unwrap_or_default();
            let subject = self.subject_word(word);
            if word.starts_with("meter:") && !meters.contains(&subject) {
                meters.push(subject);
            }
        }
        meters
    }

    /// Why a KPI is withheld or weak, as sentences; the sentence of the code alone, or the code, where the year has no
    /// such finding.
    pub(super) fn kpi_reasons(&self, kpi: &KpiResult) -> Vec<String> {
        let (_, mut unsaid) = kpi.behind(&self.year.findings);
        if self.stated(kpi).is_some() {
            unsaid.retain(|code| *code != UNSTATED);
        }
        let mut reasons: Vec<String> =
            unsaid.into_iter().map(|code| self.texts.of_code(code).unwrap_or(code).to_owned()).collect();
        for finding in self.kpi_findings(kpi) {
            // What a KPI lacks is said beside its name: whom it is about is clear.
            let of_kpi = finding.subject.starts_with("kpi:");
            let reason = if of_kpi { self.texts.finding(finding) } else { self.told(finding) };
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        let more = reasons.len().saturating_sub(REASONS_MAX);
        if more > 0 {
            reasons.truncate(REASONS_MAX);
            reasons.push(self.fill("findings.more", &[("count", &more.to_string())]));
        }
        reasons
    }

    /// A finding with whom it is about.
    pub(super) fn told(&self, finding: &Finding) -> String {
        format!("{}: {}", self.subject(finding), self.sentence(finding))
    }

    /// A finding's sentence, to stand beside its subject: the month is not said twice.
    pub(super) fn sentence(&self, finding: &Finding) -> String {
        let (sentence, subject) = (self.texts.finding(finding), self.subject(finding));
        match sentence.split_once(": ") {
            Some((month, rest)) if subject.ends_with(month) && month.contains(' ') => rest.to_owned(),
            _ => sentence,
        }
    }

    /// Whom a finding is about, in words: the meter's name and the month's.
    pub(super) fn subject(&self, finding: &Finding) -> String {
        let words: Vec<String> = finding.subject.split_whitespace().map(|w| self.subject_word(w)).collect();
        words.join(" ")
    }

    fn subject_word(&self, word: &str) -> String {
        if let Some(month) = parse_month(word) {
            return format!("{} {}", self.format.month(month.number), month.year);
        }
        let project = &self.year.project;
        match word.split_once(':') {
            Some(("meter", id)) => self
                .year
                .meters
                .iter()
                .find(|m| m.meter.id.as_str() == id)
                .map_or_else(|| id.to_owned(), |m| m.meter.name.clone()),
            Some(("building", id)) => project
                .buildings
                .iter()
                .find(|b| b.id.as_str() == id)
                .map_or_else(|| id.to_owned(), |b| b.name.clone()),
            Some(("project", _)) => self.t("findings.project"),
            Some((kind @ ("station" | "kpi" | "factors"), id)) => {
                format!("{} {id}", self.t(&format!("findings.{kind}")))
            }
            // Which period of the comparison, or which carrier: the program's own words.
            None if word == "baseline" || word == "reporting" => self.t(&format!("findings.{word}")),
            None => Carrier::parse(word).map_or_else(|| word.to_owned(), |carrier| self.carrier(carrier)),
            Some(_) => word.to_owned(),
        }
    }
}

/// `2025-03` as a month.
pub(super) fn parse_month(word: &str) -> Option<Month> {
    let (year, number) = word.split_once('-')?;
    if year.len() != 4 || number.len() != 2 {
        return None;
    }
    Month::new(year.parse().ok()?, number.parse().ok()?)
}

/// Whether a finding is about this meter, whatever the month.
pub(super) fn concerns(finding: &Finding, meter: &MeterFacts) -> bool {
    let id = meter.id.as_str();
    finding.subject.split_whitespace().any(|w| w.strip_prefix("meter:") == Some(id))
}

/// The unit in which a meter's energy is printed.
pub(super) fn meter_unit(meter: &MeterFacts) -> &'static str {
    meter.carrier.base_unit().display().symbol()
}

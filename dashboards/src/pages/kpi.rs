//! A KPI as a line of a page.
//!
//! Must never: show a withheld figure as a number, or a verdict without its reason where there is one.

use analytics::result::{KpiResult, ProjectYear};
use analytics::scheme::Target;
use model::{Finding, MeterRole};

use super::words::{Words, printed};

/// Reasons shown for one KPI; the page's list of findings has them all.
const REASONS_MAX: usize = 3;
/// Width of the attainment bar in its own units: 100 is the target.
const BAR_MAX: f64 = 120.0;

pub(crate) struct KpiLine {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) target: String,
    /// Where the declared value stands, or that the scheme sets it.
    pub(crate) target_source: String,
    pub(crate) achieved: String,
    pub(crate) best: String,
    /// `low – high`.
    pub(crate) bounds: String,
    pub(crate) attainment: String,
    /// Length of the bar, 0 to 120; `None` when there is no attainment.
    pub(crate) bar: Option<String>,
    /// `reached`, `missed` or `undetermined`.
    pub(crate) verdict: &'static str,
    pub(crate) verdict_says: String,
    pub(crate) withheld: bool,
    pub(crate) reasons: Vec<String>,
    /// How many more reasons there are, as a sentence; empty when none.
    pub(crate) more: String,
}

impl KpiLine {
    fn new(t: &Words, kpi: &KpiResult, findings: &[Finding], was_stated: bool) -> Self {
        let unit = kpi.definition.unit;
        let (reasons, more) = reasons(t, kpi, findings, was_stated);
        let bounds = match (kpi.low, kpi.high) {
            (None, None) => t.not_available(),
            (low, high) => format!("{} – {}", t.kpi_of(kpi, low), t.kpi_of(kpi, high)),
        };
        let target_source = match (kpi.definition.target, &kpi.target_source) {
            (_, Some(source)) => source.clone(),
            (Target::AtLeast(_) | Target::AtMost(_), None) => t.get("page.kpi.set_by_scheme").to_owned(),
            (Target::Declared, None) => String::new(),
        };
        Self {
            code: kpi.definition.code.clone(),
            name: t.get(&kpi.definition.text).to_owned(),
            unit: printed(unit.symbol()),
            target: t.kpi_of(kpi, kpi.target),
            target_source,
            achieved: t.kpi_of(kpi, kpi.achieved),
            best: t.kpi_of(kpi, kpi.best),
            bounds,
            attainment: t.percent(kpi.attainment_ratio),
            bar: kpi.attainment_ratio.map(|r| format!("{:.1}", (r * 100.0).clamp(0.0, BAR_MAX))),
            verdict: kpi.verdict.code(),
            verdict_says: t.told(kpi.told(was_stated)),
            withheld: kpi.achieved.is_none(),
            reasons,
            more,
        }
    }
}

/// The KPI of a year, in the scheme's order. `stated` are the codes of those whose value a person stated.
pub(crate) fn lines(t: &Words, year: &ProjectYear, stated: &[String]) -> Vec<KpiLine> {
    let was_stated = |kpi: &KpiResult| stated.contains(&kpi.definition.code);
    year.kpis.iter().map(|kpi| KpiLine::new(t, kpi, &year.findings, was_stated(kpi))).collect()
}

/// The sentences behind a KPI, each once and the worst first, and how many were left out.
fn reasons(t: &Words, kpi: &KpiResult, findings: &[Finding], was_stated: bool) -> (Vec<String>, String) {
    let mut all = kpi.reasons(findings, t.texts(), was_stated);
    if all.is_empty() && kpi.achieved.is_none() && !was_stated {
        all.push(t.get("page.kpi.no_reason").to_owned());
    }
    let left_out = all.len().saturating_sub(REASONS_MAX);
    all.truncate(REASONS_MAX);
    let more = match left_out {
        0 => String::new(),
        n => t.fill("page.kpi.more_reasons", &[("n", &n.to_string())]),
    };
    (all, more)
}

/// The coverage of the worst meter that counts, because one silent meter is not made good by another.
pub(crate) fn worst_coverage(year: &ProjectYear) -> Option<f64> {
    let counted = year.meters.iter().filter(|m| m.meter.role != MeterRole::Sub);
    counted.map(|m| m.totals.coverage_ratio).reduce(f64::min)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use analytics::result::{KpiChain, Verdict};
    use analytics::scheme::{KpiDefinition, KpiMeasure, KpiUnit};
    use analytics::text::Texts;
    use model::Severity;

    use super::*;

    fn withheld(code: &str, because: &[&str]) -> KpiResult {
        KpiResult {
            definition: KpiDefinition {
                code: code.to_owned(),
                text: "kpi.test".to_owned(),
                measure: KpiMeasure::Stated,
                unit: KpiUnit::Megawatt,
                target: Target::Declared,
                citation: String::new(),
            },
            target: None,
            target_source: None,
            achieved: None,
            best: None,
            low: None,
            high: None,
            better: None,
            attainment_ratio: None,
            verdict: Verdict::Undetermined,
            because: because.iter().map(|code| (*code).to_owned()).collect(),
            chain: KpiChain::default(),
        }
    }

    #[test]
    fn a_kpi_shows_its_own_reasons_and_no_code_that_has_a_sentence() {
        let map = [("finding.kpi.stated".to_owned(), "nobody has stated it".to_owned())].into();
        let words = Words::new(Arc::new(Texts::new("en", map)));
        let undeclared = |code: &str| {
            let says = format!("nobody declared {code}");
            Finding::new("kpi.target_missing", Severity::Caution, format!("kpi:{code} 2025"), says, "")
        };
        let no_plant = Finding::new("kpi.plant_missing", Severity::Note, "project:x 2025", "no plant", "");
        let findings = ["4.c.1", "4.c.4", "4.e.5", "CO30"].map(undeclared).into_iter().chain([no_plant]);
        let findings: Vec<Finding> = findings.collect();
        let of = |code: &str, because: &[&str]| reasons(&words, &withheld(code, because), &findings, false);
        let (said, more) = of("CO30", &["kpi.plant_missing", "kpi.target_missing"]);
        assert_eq!(
            (said, more.as_str()),
            (vec!["no plant".to_owned(), "nobody declared CO30".to_owned()], "")
        );
        let (said, _) = of("4.c.1", &["kpi.stated", "kpi.target_missing", "no.such"]);
        assert_eq!(said, ["nobody has stated it", "no.such", "nobody declared 4.c.1"]);
        let (said, _) = reasons(&words, &withheld("CO30", &["kpi.stated"]), &findings, true);
        assert_eq!(said, [""; 0], "somebody has stated it");
    }

    #[test]
    fn what_no_meter_measures_is_said_to_be_declared_and_never_that_it_cannot_be_determined() {
        let map = [
            ("verdict.to_state", "to be declared"),
            ("verdict.stated", "declared"),
            ("verdict.undetermined", "?"),
        ];
        let map = map.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect();
        let words = Words::new(Arc::new(Texts::new("en", map)));
        let says = |kpi: &KpiResult, was_stated| KpiLine::new(&words, kpi, &[], was_stated).verdict_says;
        let mut kpi = withheld("CO30", &["kpi.stated", "kpi.target_missing"]);
        assert_eq!([says(&kpi, false), says(&kpi, true)], ["to be declared", "declared"]);
        // What a document states after the works is there once the year is over; till then it is not determined.
        kpi.because = vec!["year.incomplete".to_owned()];
        assert_eq!(says(&kpi, false), "?");
        // Of what is measured a person's value says nothing about the measurement.
        let mut kpi = withheld("CO34", &["kpi.stated"]);
        kpi.definition.measure = KpiMeasure::Co2Avoided;
        assert_eq!([says(&kpi, false), says(&kpi, true)], ["?", "?"]);
    }
}

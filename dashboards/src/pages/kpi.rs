//! A KPI as a line of a page.
//!
//! Must never: show a withheld figure as a number, or a verdict without its reason where there is one.

use std::collections::BTreeSet;

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
    fn new(t: &Words, kpi: &KpiResult, findings: &[Finding]) -> Self {
        let unit = kpi.definition.unit;
        let (reasons, more) = reasons(t, kpi, findings);
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
            target: t.kpi(kpi.target),
            target_source,
            achieved: t.kpi_of(kpi, kpi.achieved),
            best: t.kpi_of(kpi, kpi.best),
            bounds,
            attainment: t.percent(kpi.attainment_ratio),
            bar: kpi.attainment_ratio.map(|r| format!("{:.1}", (r * 100.0).clamp(0.0, BAR_MAX))),
            verdict: kpi.verdict.code(),
            verdict_says: t.of("page.verdict", kpi.verdict.code()),
            withheld: kpi.achieved.is_none(),
            reasons,
            more,
        }
    }
}

/// The KPI of a year, in the scheme's order.
pub(crate) fn lines(t: &Words, year: &ProjectYear) -> Vec<KpiLine> {
    year.kpis.iter().map(|kpi| KpiLine::new(t, kpi, &year.findings)).collect()
}

/// The sentences behind a KPI, each once and the worst first, and how many were left out.
fn reasons(t: &Words, kpi: &KpiResult, findings: &[Finding]) -> (Vec<String>, String) {
    let (behind, unsaid) = kpi.behind(findings);
    // A code without a finding still says more than nothing.
    let unsaid = unsaid.into_iter().map(|code| t.texts().of_code(code).unwrap_or(code).to_owned());
    let mut seen = BTreeSet::new();
    let mut all: Vec<String> = unsaid.chain(behind.into_iter().map(|f| t.finding(f))).collect();
    all.retain(|sentence| seen.insert(sentence.clone()));
    if all.is_empty() && kpi.achieved.is_none() {
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
        let of = |code: &str, because: &[&str]| reasons(&words, &withheld(code, because), &findings);
        let (said, more) = of("CO30", &["kpi.plant_missing", "kpi.target_missing"]);
        assert_eq!(
            (said, more.as_str()),
            (vec!["no plant".to_owned(), "nobody declared CO30".to_owned()], "")
        );
        let (said, _) = of("4.c.1", &["kpi.stated", "kpi.target_missing", "no.such"]);
        assert_eq!(said, ["nobody has stated it", "no.such", "nobody declared 4.c.1"]);
    }
}

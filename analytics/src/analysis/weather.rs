//! What the weather of a question may take from the lower bound: days without a temperature inside periods that are
//! compared, and months that neither the baseline nor the station's other years bear out.
//!
//! Must never: raise a bound, or screen a normal year that is not of the station's own record.

use chrono::NaiveDate;
use model::{Finding, Severity};

use super::{Question, choose, project};
use crate::baseline::FitPeriod;
use crate::baseline::data::Data;
use crate::baseline::fit::Fit;
use crate::degree_days::DailyMeans;
use crate::degree_days::screen::{self, Screened};
use crate::degree_days::unusual::{Spell, Unusual};
use crate::normalise;

/// A spell is told where it lowers the bound by more than this share of what is expected.
const TOLD: f64 = 0.001;

/// The temperatures that can be believed, with what is to be said of the others.
pub(super) fn screened(asked: &Question<'_>, findings: &mut Vec<Finding>) -> Screened {
    let screened = asked.temperatures.screened();
    let about = format!("{} weather", asked.subject);
    let windows = [asked.baseline, asked.reporting].map(|window| (window.from, window.to));
    findings.extend(screened.findings(&about, &windows));
    findings.extend(screen::unit(asked.temperatures, &about));
    screened
}

/// The question with these temperatures; a normal year of the same record has them too.
pub(super) fn with<'a>(asked: &Question<'a>, means: &'a DailyMeans) -> Question<'a> {
    let own = |normal: &'a DailyMeans| if std::ptr::eq(normal, asked.temperatures) { means } else { normal };
    Question {
        temperatures: means,
        normal: asked.normal.map(|(normal, window)| (own(normal), window)),
        ..asked.clone()
    }
}

/// The reporting months that nothing bears out.
pub(super) fn unusual(question: &Question<'_>) -> Unusual {
    let bounds = |window: super::Window| (window.from, window.to);
    question.temperatures.unusual(bounds(question.baseline), bounds(question.reporting))
}

/// What the lower bound does without because of the weather, in display units.
pub(super) fn lost(
    question: &Question<'_>,
    fit: &Fit,
    (unusual, [baseline, reporting]): (&Unusual, [&[FitPeriod]; 2]),
    findings: &mut Vec<Finding>,
) -> f64 {
    let lost = of_missing_days(question, fit, [baseline, reporting], findings);
    let under = |means: &DailyMeans| -> Vec<f64> {
        let each = fit.predict_each(&Data::of(reporting, means));
        each.iter().map(|prediction| prediction.energy).collect()
    };
    lost + below_usual((question.subject, unusual), reporting, &under, question.temperatures, findings)
}

/// By how much the expectation at the usual level of unusual months is below the expectation as measured, month for month.
/// `under` gives what each of the periods is expected to use under some means, in their order of time.
pub(super) fn below_usual(
    (subject, unusual): (&str, &Unusual),
    periods: &[FitPeriod],
    under: &dyn Fn(&DailyMeans) -> Vec<f64>,
    measured: &DailyMeans,
    findings: &mut Vec<Finding>,
) -> f64 {
    let Some(usual) = &unusual.at_usual else { return 0.0 };
    let mut spans: Vec<(NaiveDate, NaiveDate)> =
        periods.iter().filter(|p| p.from < p.to).map(|p| (p.from, p.to)).collect();
    spans.sort_unstable();
    let (as_measured, at_usual) = (under(measured), under(usual));
    let less: Vec<f64> =
        as_measured.iter().zip(&at_usual).map(|(own, usual)| (own - usual).max(0.0)).collect();
    let expected: f64 = as_measured.iter().map(|own| own.abs()).sum();
    let of_spell = |spell: &&Spell| {
        let touches = |span: &(NaiveDate, NaiveDate)| span.0 < spell.to && spell.from < span.1;
        let own = spans.iter().zip(&less).filter(|(span, _)| touches(span));
        TOLD * expected < own.map(|(_, less)| less).sum::<f64>()
    };
    findings.extend(unusual.spells.iter().filter(of_spell).map(|spell| spell.finding(subject)));
    less.iter().sum()
}

/// Days without a temperature inside periods that are compared count at the mean of the others in the best estimate; in
/// the bound they ask for nothing, and those of the baseline may have been as extreme as any.
fn of_missing_days(
    question: &Question<'_>,
    fit: &Fit,
    [baseline, reporting]: [&[FitPeriod]; 2],
    findings: &mut Vec<Finding>,
) -> f64 {
    let missing = |periods: &[FitPeriod]| -> (u32, usize) {
        let unknown = |p: &FitPeriod| {
            let known = question.temperatures.means(p.from, p.to).count() as i64;
            u32::try_from((p.to - p.from).num_days() - known).unwrap_or(0)
        };
        let days = periods.iter().map(unknown);
        (days.clone().sum(), days.filter(|days| 0 < *days).count())
    };
    let (before, after) = (missing(baseline), missing(reporting));
    if before.0 + after.0 == 0 {
        return 0.0;
    }
    for (what, (days, periods)) in [("baseline", before), ("reporting", after)] {
        findings.extend((0 < days).then(|| prorated(question.subject, what, days, periods)));
    }
    let run = |data: &Data, _: &mut Vec<Finding>| choose::again(question, fit, data);
    let doubt = project::doubt(run, fit, baseline, question.temperatures);
    let data = Data::of(reporting, question.temperatures);
    let each = fit.predict_each(&data);
    let less = data.rows().iter().zip(each).map(|(row, of)| {
        let bounds =
            normalise::bounds_of((fit, doubt.as_ref()), question.temperatures, of.energy, (row.from, row.to));
        of.energy - bounds.0
    });
    less.sum()
}

pub(super) fn prorated(subject: &str, what: &'static str, days: u32, periods: usize) -> Finding {
    let says = format!(
        "{days} days in {periods} {what} periods have no temperature; they count at the mean of the others, and as is worse \
         for the saving in the lower bound"
    );
    let rule =
        "CalTRACK 2.0 §2.2.3.2: temperatures for 90 % of a period; conservative direction for the others";
    let code = if what == "baseline" { "weather.prorated" } else { "weather.prorated_reporting" };
    Finding::new(code, Severity::Caution, format!("{subject} {what}"), says, rule)
        .with("days", days)
        .with("periods", periods)
}

//! Baselines that a person accepted, as they are kept in the store: one record for each project, every version kept.
//!
//! Must never: drop an accepted baseline that it cannot read; figures without it would be other figures.

use std::sync::Arc;

use analytics::analysis::Method;
use analytics::analysis::driven::METHOD;
use analytics::baseline::driving::{Driving, DrivingTerm};
use analytics::baseline::fit::{
    Closure, Experience, Fit, Kind, Leverage, Member, Model, Quality, Regressor, Scatter,
};
use analytics::baseline::fitted::drivers;
use analytics::baseline::{Fitted, WeatherDoubt};
use analytics::evaluate::RULES;
use analytics::evaluate::laws::{Frozen, Laws, Replaced};
use analytics::result::{BaselineModel, BaselinePoint, FitQuality};
use anyhow::{Context, anyhow};
use model::{Digest, Instant, MeterId, ProjectId, UseDriver};
use serde::{Deserialize, Serialize};
use store::{RecordChange, Store};

mod former;

/// The kind under which accepted baselines are kept in the store.
const BASELINE_RECORD: &str = "baseline";
/// The form of the body. Former ones are read beside this one, never instead of it.
const FORM: u32 = 2;

/// What every form of the body has.
#[derive(Debug, Deserialize)]
struct Form {
    form: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    form: u32,
    author: String,
    reason: String,
    accepted_ms: i64,
    /// Computing rules of the digests of the inputs.
    rules: String,
    meters: Vec<Meter>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meter {
    meter: String,
    /// Of what it was fitted on, hexadecimal.
    inputs: String,
    law: Law,
    /// Of days of the baseline without a temperature: as cold, and as warm, as they may have been.
    coldest: Option<Law>,
    warmest: Option<Law>,
    baseline_days: u32,
    points: Vec<Point>,
    /// What stood before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replaced: Vec<Gone>,
}

/// An accepted baseline that gave way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gone {
    inputs: String,
    author: String,
    accepted_ms: i64,
    reason: String,
    /// Absent where no month was known to compare.
    energy_ratio: Option<f64>,
}

/// A fit with everything that a prediction and its band depend on. What is no number is absent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Law {
    method: String,
    freedom: f64,
    shown: Coefficients,
    n: usize,
    parameters: f64,
    r2: Option<f64>,
    r2_adjusted: Option<f64>,
    cvrmse_ratio: Option<f64>,
    nmbe_ratio: Option<f64>,
    autocorrelation: Option<f64>,
    experience: Option<Met>,
    members: Vec<One>,
    /// Absent of a law of the weather alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    driving: Option<Driven>,
}

/// What a law follows beside the weather. The calendar is not kept: it is the project file's, of then or of now.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Driven {
    terms: Vec<Term>,
    inverse: Vec<Vec<f64>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    driver: String,
    coefficient: f64,
    error: f64,
    usual: [f64; 12],
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Coefficients {
    kind: String,
    period_mean: bool,
    base: f64,
    heating: f64,
    heating_c: Option<f64>,
    cooling: f64,
    cooling_c: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    weight: f64,
    law: Coefficients,
    /// Absent where nothing is known of the scatter.
    variance: Option<f64>,
    inflation: f64,
    leverage: [[f64; 3]; 3],
    /// Mean use per day where the scatter grows with the use.
    with_use: Option<f64>,
    /// Weeks of every year in which the building is closed.
    closed: Option<Closed>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Closed {
    from: u32,
    days: u32,
    left: f64,
    seen: f64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Met {
    heating_c: f64,
    heating: f64,
    cooling_c: Option<f64>,
    cooling: f64,
    slope: f64,
    likely: f64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    from: String,
    to: String,
    energy_per_day: f64,
    degree_days_per_day: f64,
    cooling_degree_days_per_day: f64,
}

/// The baselines of a project that a person accepted; none where nobody did.
pub(crate) fn accepted(store: &Store, project: &ProjectId) -> anyhow::Result<Vec<Frozen>> {
    let Some(record) = store.record(BASELINE_RECORD, project.as_str())? else { return Ok(Vec::new()) };
    read(&record.body).with_context(|| {
        format!(
            "the accepted baseline of project {project} cannot be read; restore the record or accept it again"
        )
    })
}

/// What a person accepts.
pub(crate) struct Accepted<'a> {
    pub(crate) project: &'a ProjectId,
    pub(crate) laws: &'a [Laws],
    pub(crate) author: &'a str,
    pub(crate) reason: &'a str,
}

/// Puts the baselines of a project on record as they are now, with what each of them takes the place of.
pub(crate) fn accept(store: &Store, of: &Accepted<'_>, at: Instant) -> anyhow::Result<RecordChange> {
    let known = accepted(store, of.project)?;
    let former = |laws: &Laws| known.iter().find(|f| f.meter == laws.meter);
    let is_new = |laws: &&Laws| laws.baseline.is_some() && former(laws).is_none();
    if !known.is_empty() && replacing(&known, of.laws).is_empty() && !of.laws.iter().any(|l| is_new(&l)) {
        return Ok(RecordChange::Unchanged);
    }
    let meters = of.laws.iter().filter_map(|l| written(l, former(l), of.reason)).collect();
    let body = Body {
        form: FORM,
        author: of.author.to_owned(),
        reason: of.reason.to_owned(),
        accepted_ms: at.millis(),
        rules: RULES.to_owned(),
        meters,
    };
    let text = serde_json::to_string(&body).context("the baseline cannot be written")?;
    Ok(store.put_record(BASELINE_RECORD, of.project.as_str(), &text, of.author, at)?)
}

fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|v| v.is_finite())
}

/// The accepted baselines that others would take the place of; those that could not be fitted again are among them.
pub(crate) fn replacing<'a>(known: &'a [Frozen], laws: &[Laws]) -> Vec<&'a Frozen> {
    let stays = |f: &&Frozen| laws.iter().any(|l| l.meter == f.meter && is_same(f, l));
    known.iter().filter(|f| !stays(f)).collect()
}

/// Whether the law of now is the accepted one: of the same inputs by the same rules, and of the same coefficients.
fn is_same(former: &Frozen, now: &Laws) -> bool {
    let Some(fitted) = now.baseline.as_deref() else { return false };
    let (a, b) = (&former.fitted.model, &fitted.model);
    let near = |x: f64, y: f64| (x - y).abs() <= 1e-6 * x.abs().max(y.abs());
    former.inputs == now.inputs
        && former.rules == RULES
        && a.method == b.method
        && near(a.base_per_day, b.base_per_day)
        && near(a.heating_per_degree_day, b.heating_per_degree_day)
        && near(a.cooling_per_degree_day, b.cooling_per_degree_day)
}

/// What the law of now expects over what the accepted one does, of the months since the works; without any, of none.
pub(crate) fn energy_ratio(former: &Frozen, now: &Laws) -> Option<f64> {
    let fitted = now.baseline.as_deref().filter(|_| !now.weather.is_empty())?;
    let calendar = fitted.law.driving.as_deref().map_or(&[][..], |driving| &*driving.calendar);
    let then = former.fitted.clone().with_calendar(calendar).law.predict(&now.weather).energy;
    let ratio = fitted.law.predict(&now.weather).energy / then;
    finite(ratio).filter(|_| then != 0.0)
}

/// Of a meter whose accepted baseline gives way, with all that stood before.
fn gone(former: &Frozen, now: &Laws, reason: &str) -> Vec<Gone> {
    let one = |r: &Replaced| Gone {
        inputs: r.inputs.hex(),
        author: r.author.clone(),
        accepted_ms: r.accepted_at.millis(),
        reason: r.reason.clone(),
        energy_ratio: r.energy_ratio,
    };
    let mut all: Vec<Gone> = former.replaced.iter().map(one).collect();
    if !is_same(former, now) {
        all.push(Gone {
            inputs: former.inputs.hex(),
            author: former.author.clone(),
            accepted_ms: former.accepted_at.millis(),
            reason: reason.to_owned(),
            energy_ratio: energy_ratio(former, now),
        });
    }
    all
}

fn written(laws: &Laws, former: Option<&Frozen>, reason: &str) -> Option<Meter> {
    let fitted = laws.baseline.as_deref()?;
    let point = |p: &BaselinePoint| Point {
        from: p.from.to_string(),
        to: p.to.to_string(),
        energy_per_day: p.energy_per_day,
        degree_days_per_day: p.degree_days_per_day,
        cooling_degree_days_per_day: p.cooling_degree_days_per_day,
    };
    Some(Meter {
        meter: laws.meter.to_string(),
        inputs: laws.inputs.hex(),
        law: law(&fitted.law),
        coldest: fitted.doubt.as_ref().map(|d| law(&d.coldest)),
        warmest: fitted.doubt.as_ref().map(|d| law(&d.warmest)),
        baseline_days: fitted.model.quality.baseline_days,
        points: fitted.model.points.iter().map(point).collect(),
        replaced: former.map_or_else(Vec::new, |f| gone(f, laws, reason)),
    })
}

fn law(fit: &Fit) -> Law {
    let quality = &fit.quality;
    let one = |m: &Member| One {
        weight: m.weight,
        law: coefficients(&m.model),
        variance: finite(m.variance_per_day),
        inflation: m.inflation,
        leverage: m.leverage.0,
        with_use: match m.scatter {
            Scatter::Days => None,
            Scatter::Use { mean_per_day } => Some(mean_per_day),
        },
        closed: m.closure.map(|c| Closed { from: c.from, days: c.days, left: c.left, seen: c.seen }),
    };
    Law {
        method: fit.method.to_owned(),
        freedom: fit.freedom,
        shown: coefficients(&fit.model),
        n: quality.n,
        parameters: quality.parameters,
        r2: finite(quality.r2),
        r2_adjusted: finite(quality.r2_adjusted),
        cvrmse_ratio: finite(quality.cvrmse_ratio),
        nmbe_ratio: finite(quality.nmbe_ratio),
        autocorrelation: quality.autocorrelation,
        experience: fit.experience.map(|e| Met {
            heating_c: e.heating_c,
            heating: e.heating,
            cooling_c: e.cooling_c,
            cooling: e.cooling,
            slope: e.slope,
            likely: e.likely,
        }),
        members: fit.members.iter().map(one).collect(),
        driving: fit.driving.as_deref().map(driven),
    }
}

fn driven(of: &Driving) -> Driven {
    let term = |t: &DrivingTerm| Term {
        driver: t.driver.code().to_owned(),
        coefficient: t.coefficient,
        error: t.standard_error,
        usual: t.usual,
    };
    Driven { terms: of.terms.iter().map(term).collect(), inverse: of.inverse.clone() }
}

/// Without a calendar: no day is known until the building's is laid to it.
fn driving(of: &Driven) -> anyhow::Result<Driving> {
    let size = 3 + of.terms.len();
    if of.inverse.len() != size || of.inverse.iter().any(|row| row.len() != size) {
        return Err(anyhow!("the matrix of {} drivers is not of {size} columns", of.terms.len()));
    }
    let term = |t: &Term| -> anyhow::Result<DrivingTerm> {
        let driver = UseDriver::parse(&t.driver);
        Ok(DrivingTerm {
            driver: driver.ok_or_else(|| anyhow!("there is no driver {:?}", t.driver))?,
            coefficient: t.coefficient,
            standard_error: t.error,
            usual: t.usual,
        })
    };
    let terms = of.terms.iter().map(term).collect::<anyhow::Result<_>>()?;
    Ok(Driving { terms, inverse: of.inverse.clone(), calendar: Arc::from([]) })
}

fn coefficients(model: &Model) -> Coefficients {
    Coefficients {
        kind: model.kind.code().to_owned(),
        period_mean: model.regressor == Regressor::PeriodMean,
        base: model.base_per_day,
        heating: model.heating_per_degree_day,
        heating_c: model.heating_balance_c,
        cooling: model.cooling_per_degree_day,
        cooling_c: model.cooling_balance_c,
    }
}

fn read(text: &str) -> anyhow::Result<Vec<Frozen>> {
    let Form { form } = serde_json::from_str(text)?;
    match form {
        former::FORM => former::read(text),
        FORM => read_now(text),
        _ => Err(anyhow!("it has form {form}, this program knows forms {} to {FORM}", former::FORM)),
    }
}

fn read_now(text: &str) -> anyhow::Result<Vec<Frozen>> {
    let body: Body = serde_json::from_str(text)?;
    let accepted_at = Instant::from_millis(body.accepted_ms);
    let frozen = |meter: Meter| -> anyhow::Result<Frozen> {
        let doubt = match (&meter.coldest, &meter.warmest) {
            (Some(coldest), Some(warmest)) => {
                Some(WeatherDoubt { coldest: fit(coldest)?, warmest: fit(warmest)? })
            }
            _ => None,
        };
        let law = fit(&meter.law)?;
        let points = meter.points.iter().map(point).collect::<anyhow::Result<_>>()?;
        Ok(Frozen {
            inputs: digest(&meter.inputs)?,
            rules: body.rules.clone(),
            author: body.author.clone(),
            accepted_at,
            replaced: meter.replaced.iter().map(replaced).collect::<anyhow::Result<_>>()?,
            fitted: Fitted { model: shown(&law, meter.baseline_days, points), law, doubt },
            meter: MeterId::new(&meter.meter)?,
        })
    };
    body.meters.into_iter().map(frozen).collect()
}

fn replaced(gone: &Gone) -> anyhow::Result<Replaced> {
    Ok(Replaced {
        inputs: digest(&gone.inputs)?,
        author: gone.author.clone(),
        accepted_at: Instant::from_millis(gone.accepted_ms),
        reason: gone.reason.clone(),
        energy_ratio: gone.energy_ratio,
    })
}

fn point(p: &Point) -> anyhow::Result<BaselinePoint> {
    Ok(BaselinePoint {
        from: p.from.parse()?,
        to: p.to.parse()?,
        energy_per_day: p.energy_per_day,
        degree_days_per_day: p.degree_days_per_day,
        cooling_degree_days_per_day: p.cooling_degree_days_per_day,
    })
}

fn shown(law: &Fit, baseline_days: u32, points: Vec<BaselinePoint>) -> BaselineModel {
    let (model, quality) = (&law.model, &law.quality);
    BaselineModel {
        method: law.method,
        base_per_day: model.base_per_day,
        heating_per_degree_day: model.heating_per_degree_day,
        heating_base_c: model.heating_balance_c,
        cooling_per_degree_day: model.cooling_per_degree_day,
        cooling_base_c: model.cooling_balance_c,
        drivers: drivers(law, points.iter().map(|p| (p.from, p.to))),
        quality: FitQuality {
            n: quality.n,
            r2: quality.r2,
            r2_adjusted: quality.r2_adjusted,
            cvrmse_ratio: quality.cvrmse_ratio,
            nmbe_ratio: quality.nmbe_ratio,
            baseline_days,
        },
        points,
    }
}

fn fit(law: &Law) -> anyhow::Result<Fit> {
    let codes = Method::ALL.into_iter().map(Method::code).chain([METHOD]);
    let method = codes.into_iter().find(|code| *code == law.method);
    let one = |m: &One| -> anyhow::Result<Member> {
        Ok(Member {
            weight: m.weight,
            model: model(&m.law)?,
            variance_per_day: m.variance.unwrap_or(f64::INFINITY),
            inflation: m.inflation,
            leverage: Leverage(m.leverage),
            scatter: match m.with_use {
                None => Scatter::Days,
                Some(mean_per_day) => Scatter::Use { mean_per_day },
            },
            closure: m.closed.as_ref().map(|c| Closure {
                from: c.from,
                days: c.days,
                left: c.left,
                seen: c.seen,
            }),
        })
    };
    Ok(Fit {
        method: method.ok_or_else(|| anyhow!("there is no method {:?}", law.method))?,
        members: law.members.iter().map(one).collect::<anyhow::Result<_>>()?,
        model: model(&law.shown)?,
        quality: Quality {
            n: law.n,
            parameters: law.parameters,
            r2: law.r2.unwrap_or(f64::NAN),
            r2_adjusted: law.r2_adjusted.unwrap_or(f64::NAN),
            cvrmse_ratio: law.cvrmse_ratio.unwrap_or(f64::NAN),
            nmbe_ratio: law.nmbe_ratio.unwrap_or(f64::NAN),
            autocorrelation: law.autocorrelation,
        },
        freedom: law.freedom,
        findings: Vec::new(),
        driving: law.driving.as_ref().map(|of| driving(of).map(Box::new)).transpose()?,
        experience: law.experience.as_ref().map(|e| Experience {
            heating_c: e.heating_c,
            heating: e.heating,
            cooling_c: e.cooling_c,
            cooling: e.cooling,
            slope: e.slope,
            likely: e.likely,
        }),
    })
}

fn model(of: &Coefficients) -> anyhow::Result<Model> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.code() == of.kind);
    Ok(Model {
        kind: kind.ok_or_else(|| anyhow!("there is no kind of law {:?}", of.kind))?,
        regressor: if of.period_mean { Regressor::PeriodMean } else { Regressor::EachDay },
        base_per_day: of.base,
        heating_balance_c: of.heating_c,
        cooling_balance_c: of.cooling_c,
        heating_per_degree_day: of.heating,
        cooling_per_degree_day: of.cooling,
    })
}

fn digest(hex: &str) -> anyhow::Result<Digest> {
    let mut bytes = [0_u8; 32];
    let wrong = || anyhow!("{hex:?} is no SHA-256 digest");
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(wrong());
    }
    for (i, byte) in bytes.iter_mut().enumerate() {
        let pair = hex.get(2 * i..2 * i + 2).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(Digest(bytes))
}

#[cfg(test)]
mod tests;

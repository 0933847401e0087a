//! Accepted baselines of form 1: the heating model that the program fitted before it averaged over laws.
//!
//! Must never: write this form, or predict anything else of it than when it was accepted.

use analytics::baseline::fit::{Fit, Kind, Leverage, Member, Model, Quality, Regressor, Scatter};
use analytics::baseline::{Fitted, WeatherDoubt};
use analytics::evaluate::laws::Frozen;
use analytics::result::BaselinePoint;
use model::{Instant, MeterId};
use serde::Deserialize;

use super::{digest, shown};

pub(super) const FORM: u32 = 1;
/// Computing rules under which every body of this form was written.
const RULES: &str = "3";
/// What the method is called in reports.
pub(super) const METHOD: &str = "heating";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(rename = "form")]
    _form: u32,
    author: String,
    #[serde(rename = "reason")]
    _reason: String,
    accepted_ms: i64,
    meters: Vec<Meter>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meter {
    meter: String,
    inputs: String,
    law: Law,
    n: usize,
    r2: f64,
    r2_adjusted: f64,
    cvrmse_ratio: f64,
    nmbe_ratio: f64,
    baseline_days: u32,
    variance_per_day: f64,
    days: f64,
    degree_days_mean: f64,
    degree_days_squares: f64,
    /// Student's t of the degrees of freedom, which follow from `n` and the law.
    #[serde(rename = "t_90")]
    _t_90: f64,
    coldest: Option<Law>,
    mildest: Option<Law>,
    points: Vec<Point>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Law {
    base_per_day: f64,
    heating_per_degree_day: f64,
    heating_base_c: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    from: String,
    to: String,
    energy_per_day: f64,
    degree_days_per_day: f64,
}

pub(super) fn read(text: &str) -> anyhow::Result<Vec<Frozen>> {
    let body: Body = serde_json::from_str(text)?;
    let frozen = |meter: Meter| -> anyhow::Result<Frozen> {
        let law = fit(&meter, meter.law);
        let doubt = meter.coldest.zip(meter.mildest).map(|(coldest, mildest)| WeatherDoubt {
            coldest: fit(&meter, coldest),
            warmest: fit(&meter, mildest),
        });
        let point = |p: &Point| -> anyhow::Result<BaselinePoint> {
            Ok(BaselinePoint {
                from: p.from.parse()?,
                to: p.to.parse()?,
                energy_per_day: p.energy_per_day,
                degree_days_per_day: p.degree_days_per_day,
                cooling_degree_days_per_day: 0.0,
            })
        };
        let points = meter.points.iter().map(point).collect::<anyhow::Result<_>>()?;
        Ok(Frozen {
            replaced: Vec::new(),
            meter: MeterId::new(&meter.meter)?,
            inputs: digest(&meter.inputs)?,
            rules: RULES.to_owned(),
            author: body.author.clone(),
            accepted_at: Instant::from_millis(body.accepted_ms),
            fitted: Fitted { model: shown(&law, meter.baseline_days, points), law, doubt },
        })
    };
    body.meters.into_iter().map(frozen).collect()
}

/// The same law as one member: its moments give the leverage of its coefficients.
fn fit(meter: &Meter, law: Law) -> Fit {
    let heats = law.heating_base_c.is_some();
    let model = Model {
        kind: if heats { Kind::Heating } else { Kind::Flat },
        regressor: Regressor::EachDay,
        base_per_day: law.base_per_day,
        heating_balance_c: law.heating_base_c,
        cooling_balance_c: None,
        heating_per_degree_day: law.heating_per_degree_day,
        cooling_per_degree_day: 0.0,
    };
    // Base load, slope and balance point count as parameters.
    let parameters = if heats { 3.0 } else { 1.0 };
    let inverse = if 0.0 < meter.degree_days_squares { 1.0 / meter.degree_days_squares } else { 0.0 };
    let mean = meter.degree_days_mean;
    let leverage = [
        [1.0 / meter.days + mean * mean * inverse, -mean * inverse, 0.0],
        [-mean * inverse, inverse, 0.0],
        [0.0, 0.0, 0.0],
    ];
    Fit {
        method: METHOD,
        members: vec![Member {
            weight: 1.0,
            model,
            variance_per_day: meter.variance_per_day,
            inflation: 1.0,
            leverage: Leverage(leverage),
            scatter: Scatter::Days,
            closure: None,
        }],
        model,
        quality: Quality {
            n: meter.n,
            parameters,
            r2: meter.r2,
            r2_adjusted: meter.r2_adjusted,
            cvrmse_ratio: meter.cvrmse_ratio,
            nmbe_ratio: meter.nmbe_ratio,
            autocorrelation: None,
        },
        freedom: meter.n as f64 - parameters,
        findings: Vec::new(),
        driving: None,
        experience: None,
    }
}

//! Baselines that a person accepted, as they are kept in the store: one record for each project, every version kept.
//!
//! Must never: drop an accepted baseline that it cannot read; figures without it would be other figures.

use analytics::baseline::{Fitted, Shape, Spread, WeatherDoubt};
use analytics::evaluate::laws::{Frozen, Laws};
use analytics::result::{BaselineModel, BaselinePoint, FitQuality};
use anyhow::{Context, anyhow};
use model::{Digest, Instant, MeterId, ProjectId};
use serde::{Deserialize, Serialize};
use store::{RecordChange, Store};

/// The kind under which accepted baselines are kept in the store.
const BASELINE_RECORD: &str = "baseline";
/// The form of the body. A later form is read beside this one, never instead of it.
const FORM: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    form: u32,
    author: String,
    reason: String,
    accepted_ms: i64,
    meters: Vec<Meter>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meter {
    meter: String,
    /// Of what it was fitted on, hexadecimal.
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
    t_90: f64,
    coldest: Option<Law>,
    mildest: Option<Law>,
    points: Vec<Point>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Law {
    base_per_day: f64,
    heating_per_degree_day: f64,
    heating_base_c: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    from: String,
    to: String,
    energy_per_day: f64,
    degree_days_per_day: f64,
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

/// Puts the baselines of a project on record as they are now.
pub(crate) fn accept(store: &Store, of: &Accepted<'_>, at: Instant) -> anyhow::Result<RecordChange> {
    let meters = of.laws.iter().filter_map(written).collect();
    let body = Body {
        form: FORM,
        author: of.author.to_owned(),
        reason: of.reason.to_owned(),
        accepted_ms: at.millis(),
        meters,
    };
    let text = serde_json::to_string(&body).context("the baseline cannot be written")?;
    Ok(store.put_record(BASELINE_RECORD, of.project.as_str(), &text, of.author, at)?)
}

fn written(laws: &Laws) -> Option<Meter> {
    let fitted = laws.baseline.as_deref()?;
    let (model, spread, quality) = (&fitted.model, &fitted.spread, &fitted.model.quality);
    let law = |shape: Shape| Law {
        base_per_day: shape.base_per_day,
        heating_per_degree_day: shape.heating_per_degree_day,
        heating_base_c: shape.heating_base_c,
    };
    let point = |p: &BaselinePoint| Point {
        from: p.from.to_string(),
        to: p.to.to_string(),
        energy_per_day: p.energy_per_day,
        degree_days_per_day: p.degree_days_per_day,
    };
    Some(Meter {
        meter: laws.meter.to_string(),
        inputs: laws.inputs.hex(),
        law: law(Shape::of(model)),
        n: quality.n,
        r2: quality.r2,
        r2_adjusted: quality.r2_adjusted,
        cvrmse_ratio: quality.cvrmse_ratio,
        nmbe_ratio: quality.nmbe_ratio,
        baseline_days: quality.baseline_days,
        variance_per_day: spread.variance_per_day,
        days: spread.days,
        degree_days_mean: spread.degree_days_mean,
        degree_days_squares: spread.degree_days_squares,
        t_90: spread.t_90,
        coldest: fitted.doubt.map(|d| law(d.coldest)),
        mildest: fitted.doubt.map(|d| law(d.mildest)),
        points: model.points.iter().map(point).collect(),
    })
}

fn read(text: &str) -> anyhow::Result<Vec<Frozen>> {
    let body: Body = serde_json::from_str(text)?;
    if body.form != FORM {
        return Err(anyhow!("it has form {}, this program knows form {FORM}", body.form));
    }
    let accepted_at = Instant::from_millis(body.accepted_ms);
    let frozen = |meter: Meter| -> anyhow::Result<Frozen> {
        let shape = |law: Law| Shape {
            base_per_day: law.base_per_day,
            heating_per_degree_day: law.heating_per_degree_day,
            heating_base_c: law.heating_base_c,
        };
        let doubt = meter.coldest.zip(meter.mildest);
        Ok(Frozen {
            inputs: digest(&meter.inputs)?,
            author: body.author.clone(),
            accepted_at,
            fitted: Fitted {
                spread: Spread {
                    variance_per_day: meter.variance_per_day,
                    days: meter.days,
                    degree_days_mean: meter.degree_days_mean,
                    degree_days_squares: meter.degree_days_squares,
                    t_90: meter.t_90,
                },
                doubt: doubt.map(|(coldest, mildest)| WeatherDoubt {
                    coldest: shape(coldest),
                    mildest: shape(mildest),
                }),
                model: model_of(&meter)?,
            },
            meter: MeterId::new(&meter.meter)?,
        })
    };
    body.meters.into_iter().map(frozen).collect()
}

fn model_of(meter: &Meter) -> anyhow::Result<BaselineModel> {
    let point = |p: &Point| -> anyhow::Result<BaselinePoint> {
        Ok(BaselinePoint {
            from: p.from.parse()?,
            to: p.to.parse()?,
            energy_per_day: p.energy_per_day,
            degree_days_per_day: p.degree_days_per_day,
        })
    };
    Ok(BaselineModel {
        base_per_day: meter.law.base_per_day,
        heating_per_degree_day: meter.law.heating_per_degree_day,
        heating_base_c: meter.law.heating_base_c,
        quality: FitQuality {
            n: meter.n,
            r2: meter.r2,
            r2_adjusted: meter.r2_adjusted,
            cvrmse_ratio: meter.cvrmse_ratio,
            nmbe_ratio: meter.nmbe_ratio,
            baseline_days: meter.baseline_days,
        },
        points: meter.points.iter().map(point).collect::<anyhow::Result<_>>()?,
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

//! CalTRACK 2.0, monthly (billing) and daily: the same model type, balance points and coefficients as its library.
//!
//! Must never: improve on the method. What is better stands in other files; this one is for comparison with results
//! that others computed, and for schemes that prescribe it.
//!
//! CalTRACK 2.0 §3.3 and §3.4: use per day against mean degree days per day, weighted by days (billing) or not (daily);
//! candidates are every balance point of a grid from 30 to 90 °F, alone and in pairs with cooling at or above heating;
//! each term needs 20 °F·d in the baseline, daily data also 10 days with any; base load and slopes must not be negative;
//! the highest adjusted R² wins, the flat model standing at 0, and of equal ones the first: flat, heating by rising
//! balance point, cooling, pairs with cooling outermost. Where balance points tie (all of them beyond the coldest or
//! the warmest day predict the same) the library lets rounding decide; here the first of them is taken.

use super::data::{Data, Grid, Row, Table};
use super::fit::{Experience, Fit, Kind, Member, Model, Quality, autocorrelation};
use super::wls;

/// Least degree days of a term in the baseline, in K·d: 20 °F·d, §3.2.2.2.2.
const DEGREE_DAYS_MIN: f64 = 20.0 / 1.8;
/// Fewest days with any degree day, daily data only: §3.2.2.2.1.
const DAYS_MIN: u32 = 10;
/// Adjusted R² closer than this are equal: a thousand times the rounding of their sums, and a millionth of what any
/// two different balance points of real data differ by.
const TIE: f64 = 1e-11;

/// Which of the two methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    Monthly,
    Daily,
}

/// Which terms may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// Fuels: no cooling candidates.
    Heating,
    HeatingAndCooling,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    pub grid: Grid,
    pub interval: Interval,
    pub terms: Terms,
}

/// Sums of one regressor at one balance point.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    usable: bool,
    mean: f64,
    squares: f64,
    cross: f64,
}

/// Sums of the energy per day.
#[derive(Debug, Clone, Copy)]
struct Response {
    weight: f64,
    mean: f64,
    squares: f64,
}

/// The best candidate so far.
#[derive(Debug, Clone, Copy)]
struct Best {
    r2_adjusted: f64,
    heating: Option<usize>,
    cooling: Option<usize>,
}

/// The method's model of the rows; `None` without a row, or when none has a temperature. Rows without a temperature of
/// their own must have been left out.
#[must_use]
pub fn fit(data: &Data, options: Options) -> Option<Fit> {
    let response = response(data)?;
    let table = data.table(options.grid);
    let best = search(data, &table, &response, options);
    let model = wls::model(
        data,
        best.heating.map(|p| options.grid.balance_c(p)),
        best.cooling.map(|p| options.grid.balance_c(p)),
    )?;
    Some(finish(data, model, options))
}

fn response(data: &Data) -> Option<Response> {
    let rows = data.rows();
    let weight: f64 = rows.iter().map(|r| r.known_days).sum();
    let mean = rows.iter().map(|r| r.known_days * r.energy_per_day()).sum::<f64>() / weight;
    let squares = rows.iter().map(|r| r.known_days * (r.energy_per_day() - mean).powi(2)).sum();
    (mean.is_finite() && rows.iter().all(|r| 0.0 < r.known_days)).then_some(Response {
        weight,
        mean,
        squares,
    })
}

fn search(data: &Data, table: &Table, response: &Response, options: Options) -> Best {
    let rows = data.rows();
    let mut best = Best { r2_adjusted: 0.0, heating: None, cooling: None };
    let column = |x: &[f64], with_any: u32| column(rows, x, with_any, response, options.interval);
    let points = 0..options.grid.count;
    let heating: Vec<Column> =
        points.clone().map(|p| column(table.heating(p), table.heating_days[p])).collect();
    for (p, c) in heating.iter().enumerate() {
        best.offer(single(rows.len(), c, response), Some(p), None);
    }
    if options.terms == Terms::Heating {
        return best;
    }
    let cooling: Vec<Column> = points.map(|p| column(table.cooling(p), table.cooling_days[p])).collect();
    for (p, c) in cooling.iter().enumerate() {
        best.offer(single(rows.len(), c, response), None, Some(p));
    }
    // A day is either below the heating balance point or above the cooling one: daily rows have no cross term.
    let single_days = rows.iter().all(|r| r.known_days <= 1.0);
    for (pc, c) in cooling.iter().enumerate().filter(|(_, c)| c.usable) {
        for (ph, h) in heating.iter().enumerate().take(pc + 1).filter(|(_, h)| h.usable) {
            let raw = if single_days { 0.0 } else { product(rows, table.heating(ph), table.cooling(pc)) };
            let cross = raw - response.weight * h.mean * c.mean;
            best.offer(pair(rows.len(), h, c, cross, response), Some(ph), Some(pc));
        }
    }
    best
}

impl Best {
    fn offer(&mut self, r2_adjusted: Option<f64>, heating: Option<usize>, cooling: Option<usize>) {
        if let Some(r2_adjusted) = r2_adjusted.filter(|r2| self.r2_adjusted + TIE < *r2) {
            *self = Self { r2_adjusted, heating, cooling };
        }
    }
}

fn column(rows: &[Row], x: &[f64], with_any: u32, response: &Response, interval: Interval) -> Column {
    let (mut sum, mut squares, mut cross) = (0.0, 0.0, 0.0);
    for (row, x) in rows.iter().zip(x) {
        let weighted = row.known_days * x;
        sum += weighted;
        squares += weighted * x;
        cross += weighted * row.energy_per_day();
    }
    let mean = sum / response.weight;
    let enough_days = interval == Interval::Monthly || DAYS_MIN <= with_any;
    Column {
        usable: enough_days && DEGREE_DAYS_MIN <= sum,
        mean,
        squares: squares - sum * mean,
        cross: cross - sum * response.mean,
    }
}

fn product(rows: &[Row], a: &[f64], b: &[f64]) -> f64 {
    rows.iter().zip(a).zip(b).map(|((row, a), b)| row.known_days * a * b).sum()
}

/// Adjusted R² of a model of one term; `None` when it does not qualify.
fn single(n: usize, x: &Column, y: &Response) -> Option<f64> {
    if !x.usable || x.squares <= 0.0 || n <= 2 || y.squares <= 0.0 {
        return None;
    }
    let slope = x.cross / x.squares;
    let intercept = y.mean - slope * x.mean;
    if slope < 0.0 || intercept < 0.0 {
        return None;
    }
    Some(adjusted(slope * x.cross / y.squares, n, 1))
}

/// Adjusted R² of a model of two terms; `None` when it does not qualify.
fn pair(n: usize, h: &Column, c: &Column, cross: f64, y: &Response) -> Option<f64> {
    let det = h.squares * c.squares - cross * cross;
    if n <= 3 || y.squares <= 0.0 || det <= 1e-12 * h.squares * c.squares {
        return None;
    }
    let heating = (h.cross * c.squares - c.cross * cross) / det;
    let cooling = (c.cross * h.squares - h.cross * cross) / det;
    let intercept = y.mean - heating * h.mean - cooling * c.mean;
    if heating < 0.0 || cooling < 0.0 || intercept < 0.0 {
        return None;
    }
    Some(adjusted((heating * h.cross + cooling * c.cross) / y.squares, n, 2))
}

fn adjusted(r2: f64, n: usize, slopes: usize) -> f64 {
    1.0 - (1.0 - r2) * (n - 1) as f64 / (n - slopes - 1) as f64
}

fn finish(data: &Data, model: Model, options: Options) -> Fit {
    let quality = quality(data, &model);
    // For the band a balance point counts as a parameter, which the library's own band forgets.
    let parameters = 1.0 + 2.0 * quality.parameters;
    let member = wls::member(data, model, parameters);
    Fit {
        method: match options.interval {
            Interval::Monthly => "caltrack-monthly",
            Interval::Daily => "caltrack-daily",
        },
        freedom: wls::freedom(data, &model, parameters),
        members: vec![Member { weight: 1.0, ..member }],
        model,
        quality,
        findings: Vec::new(),
        driving: None,
        experience: Some(Experience::of(
            data,
            options.terms == Terms::HeatingAndCooling,
            data.energy() / data.days(),
        )),
    }
}

/// As the library counts: parameters are slopes only, errors are those of the periods' totals (§4.3.2).
fn quality(data: &Data, model: &Model) -> Quality {
    let slopes = match model.kind {
        Kind::Flat => 0,
        Kind::Heating | Kind::Cooling => 1,
        Kind::HeatingCooling | Kind::Linear | Kind::TwoLines => 2,
    };
    let n = data.len();
    let (mut squares, mut weighted, mut all, mut bias) = (0.0, 0.0, 0.0, 0.0);
    let weight: f64 = data.rows().iter().map(|r| r.known_days).sum();
    let mean = data.rows().iter().map(|r| r.known_days * r.energy_per_day()).sum::<f64>() / weight;
    let residuals: Vec<f64> = data.rows().iter().map(|r| r.energy - model.energy(data, r)).collect();
    for (row, residual) in data.rows().iter().zip(&residuals) {
        squares += residual * residual;
        bias -= residual;
        weighted += row.known_days * (residual / row.days).powi(2);
        all += row.known_days * (row.energy_per_day() - mean).powi(2);
    }
    let whole = data.energy();
    let relative = |x: f64| if 0.0 < whole { x / whole } else { 0.0 };
    let r2 = if 0.0 < all && 0 < slopes { 1.0 - weighted / all } else { 0.0 };
    Quality {
        n,
        parameters: slopes as f64,
        r2,
        r2_adjusted: if 0 < slopes && slopes + 1 < n { adjusted(r2, n, slopes) } else { 0.0 },
        cvrmse_ratio: relative((squares / (n - slopes.min(n - 1)) as f64).sqrt() * n as f64),
        nmbe_ratio: relative(bias),
        autocorrelation: autocorrelation(residuals.iter().copied()),
    }
}

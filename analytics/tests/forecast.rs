//! Forecasts of a year's end held against the year's end: planted buildings under synthetic climates and under real
//! weather, by the hundred, on several days of the year.
//!
//! Must never: let the forecast see a day that had not come, or choose seeds for which it does well.

use std::sync::Arc;

use analytics::evaluate::laws::laws;
use analytics::evaluate::{MeterInput, YearInput, evaluate};
use analytics::factors::{CarrierFactors, FactorSet};
use analytics::forecast::{Forecast, ForecastInput, Needed, Outlook, forecast};
use analytics::places::{ClimaticZone, HeatingSeason, MonthDay, Place, ZoneRules};
use analytics::scheme::{KpiDefinition, KpiMeasure, KpiUnit, Scheme, SchemeRules, Target};
use chrono::{Datelike, NaiveDate};
use model::{
    Adjustment, BaseUnit, Beneficiary, Building, BuildingId, Carrier, DailyTemperature, Digest, Direction,
    FactorSetId, MeterFacts, MeterId, MeterRole, Month, MonthValue, MonthlySeries, Project, ProjectDates,
    ProjectId, SchemeId, StationId,
};

/// xorshift64*: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal, Box and Muller.
    fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform().max(1e-12), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

const FIRST: i32 = 2005;
/// The year whose end is forecast; it begins a year after the reporting began.
const YEAR: i32 = 2019;

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn station() -> StationId {
    StationId::new("station").unwrap()
}

fn days(from: i32) -> impl Iterator<Item = NaiveDate> {
    day(from, 1, 1).iter_days().take_while(|d| d.year() <= YEAR)
}

/// A climate of its own: season, a trend, and days that follow each other.
fn synthetic(random: &mut Random, from: i32) -> Vec<DailyTemperature> {
    let mean = 10.0 + 6.0 * random.uniform();
    let swing = 7.0 + 5.0 * random.uniform();
    let (follow, step) = (0.65 + 0.2 * random.uniform(), 1.5 + random.uniform());
    let trend = 0.05 * random.uniform();
    let mut anomaly = 0.0;
    days(from)
        .map(|date| {
            anomaly = follow * anomaly + step * random.normal();
            let phase = (f64::from(date.ordinal()) - 20.0) / 365.25 * std::f64::consts::TAU;
            let years = f64::from(date.year() - FIRST);
            let mean_c = mean - swing * phase.cos() + trend * years + anomaly;
            DailyTemperature::as_given(station(), date, mean_c)
        })
        .collect()
}

/// Real days: each month of each year is that month of one of the years that the file has.
fn real(random: &mut Random, file: &str) -> Vec<DailyTemperature> {
    let path = format!("{}/tests/data/mv/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let known: Vec<(NaiveDate, f64)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',');
            let mut next = || cells.next().unwrap();
            (next().parse().unwrap(), next().parse().unwrap())
        })
        .collect();
    let whole = |year: i32, month: u32| {
        let of: Vec<f64> =
            known.iter().filter(|(d, _)| d.year() == year && d.month() == month).map(|(_, t)| *t).collect();
        (28 <= of.len()).then_some(of)
    };
    let mut out = Vec::new();
    for year in FIRST..=YEAR {
        for month in Month::all_of(year) {
            let of: Vec<Vec<f64>> = (2000..2030).filter_map(|y| whole(y, month.number)).collect();
            let chosen = &of[(random.uniform() * of.len() as f64) as usize];
            for (i, date) in month.first_day().iter_days().take(month.days() as usize).enumerate() {
                let mean_c = chosen[i.min(chosen.len() - 1)];
                out.push(DailyTemperature::as_given(station(), date, mean_c));
            }
        }
    }
    out
}

/// A gas meter whose use follows the cold, before and after the works, with days that follow each other.
fn months(random: &mut Random, temperatures: &[DailyTemperature]) -> MonthlySeries {
    let base = 5.0 + 20.0 * random.uniform();
    let slope = 2.0 + 6.0 * random.uniform();
    let balance = 13.0 + 4.0 * random.uniform();
    let (base_after, slope_after) = (0.7 + 0.3 * random.uniform(), 0.5 + 0.35 * random.uniform());
    let (follow, noise) = (0.6 * random.uniform(), 0.05 + 0.1 * random.uniform());
    let mut anomaly = 0.0;
    let mut sums: std::collections::BTreeMap<Month, f64> = std::collections::BTreeMap::new();
    for t in temperatures.iter().filter(|t| 2016 <= t.date.year()) {
        anomaly = follow * anomaly + noise * random.normal();
        let after = 2017 < t.date.year();
        let (b, s) = if after { (base * base_after, slope * slope_after) } else { (base, slope) };
        let law = b + s * (balance - t.mean_c).max(0.0);
        *sums.entry(Month::of(t.date)).or_default() += law * (1.0 + anomaly).max(0.0);
    }
    let value = |(month, sum): (Month, f64)| {
        let amount = (sum * 1000.0).round() as i64;
        let high = Some(amount);
        MonthValue {
            month,
            amount,
            low: amount,
            high,
            coverage_ratio: 1.0,
            estimated_ratio: 0.0,
            joint: None,
        }
    };
    MonthlySeries { unit: BaseUnit::Litre, months: sums.into_iter().map(value).collect() }
}

fn meter() -> MeterFacts {
    MeterFacts {
        id: MeterId::new("gas").unwrap(),
        name: String::new(),
        carrier: Carrier::NaturalGas,
        direction: Direction::Import,
        role: MeterRole::Compared,
        parent: None,
        supply_point: None,
        ceiling_per_hour: 400.0,
        wraps_at: None,
        gas: None,
        serial: None,
        accuracy_class: None,
        calibration: None,
    }
}

fn project() -> Project {
    Project {
        id: ProjectId::new("planted").unwrap(),
        title: String::new(),
        cup: String::new(),
        scheme: SchemeId::new("planted").unwrap(),
        factor_set: FactorSetId::new("planted").unwrap(),
        beneficiary: Beneficiary {
            name: String::new(),
            tax_code: String::new(),
            legal_representative: String::new(),
        },
        dates: ProjectDates {
            baseline_from: day(2016, 1, 1),
            baseline_to: day(2017, 1, 1),
            works_from: day(2017, 2, 1),
            completed: day(2017, 12, 31),
            expenses_closed: None,
            final_payment: None,
        },
        facility: None,
        zone: model::Zone::Europe__Rome,
        station: station(),
        buildings: vec![Building {
            id: BuildingId::new("b1").unwrap(),
            name: String::new(),
            municipality: String::new(),
            istat_code: "001272".to_owned(),
            address: String::new(),
            uses: Vec::new(),
            floor_area_m2: 1000.0,
            gross_volume_m3: 4000.0,
            usage_profile: String::new(),
            opening: Vec::new(),
            ape_code: None,
            meters: vec![meter()],
        }],
        declared: Vec::new(),
        terms: model::Terms::default(),
        grant: model::Grant::default(),
    }
}

fn scheme(target: f64) -> Scheme {
    Scheme {
        id: SchemeId::new("planted").unwrap(),
        title: String::new(),
        citation: String::new(),
        authority: String::new(),
        default_factor_set: FactorSetId::new("planted").unwrap(),
        yearly: None,
        kpis: vec![KpiDefinition {
            code: "final".to_owned(),
            text: String::new(),
            measure: KpiMeasure::FinalEnergySaved,
            unit: KpiUnit::MegawattHour,
            target: Target::AtLeast(target),
            citation: String::new(),
        }],
        rules: SchemeRules::default(),
    }
}

fn factors() -> FactorSet {
    FactorSet {
        id: FactorSetId::new("planted").unwrap(),
        title: String::new(),
        source: String::new(),
        valid_from: None,
        valid_to: None,
        carriers: vec![CarrierFactors {
            carrier: Carrier::NaturalGas,
            kwh_per_unit: 9.45,
            primary_nonrenewable: None,
            primary_renewable: None,
            co2_kg_per_kwh: None,
            nox_g_per_gj: None,
            pm10_g_per_gj: None,
            toe_per_unit: None,
        }],
    }
}

/// One planted building and its climate.
struct World {
    temperatures: Vec<DailyTemperature>,
    months: MonthlySeries,
    target: f64,
    places: Vec<(Place, ZoneRules)>,
    /// First year of the temperatures that the forecast has.
    history_from: i32,
}

impl World {
    /// The figures and the forecast of the year on a day, from what was known before it.
    fn on(&self, on: NaiveDate) -> (Forecast, Option<f64>) {
        self.on_with(on, &[], &[])
    }

    /// With these milliseconds of months in which the total stood still, and what people said.
    fn on_with(
        &self,
        on: NaiveDate,
        still: &[(Month, i64)],
        words: &[Adjustment],
    ) -> (Forecast, Option<f64>) {
        let known: Vec<DailyTemperature> =
            self.temperatures.iter().filter(|t| t.date < on).cloned().collect();
        let recent: Vec<DailyTemperature> = known.iter().filter(|t| 2016 <= t.date.year()).cloned().collect();
        let mut months = self.months.clone();
        months.months.retain(|m| m.month.end_day() <= on);
        let input = YearInput {
            project: Arc::new(project()),
            scheme: Arc::new(scheme(self.target)),
            factors: Arc::new(factors()),
            year: YEAR,
            until: on,
            meters: vec![MeterInput {
                months,
                still: still.to_vec(),
                readings: 1,
                ..MeterInput::empty(meter().id, BaseUnit::Litre)
            }],
            temperatures: &recent,
            neighbour: None,
            places: self.places.clone(),
            catalog: Digest([0; 32]),
            frozen: Vec::new(),
            adjustments: words.to_vec(),
        };
        let year = evaluate(&input);
        let laws = laws(&input);
        let achieved = year.kpis[0].achieved;
        let history: Vec<DailyTemperature> =
            known.iter().filter(|t| self.history_from <= t.date.year()).cloned().collect();
        let meters = &input.meters;
        (forecast(&ForecastInput { year: &year, laws: &laws, meters, history: &history }), achieved)
    }

    fn year_end(&self) -> f64 {
        self.on(day(YEAR + 1, 1, 1)).1.unwrap()
    }
}

/// Share of the forecasts whose band held the year's end, and the median half-width over the value.
fn coverage(worlds: &[World], ends: &[f64], on: NaiveDate) -> (f64, f64) {
    let (mut held, mut all, mut widths) = (0.0, 0.0, Vec::new());
    for (world, end) in worlds.iter().zip(ends) {
        let end = *end;
        let kpi = &world.on(on).0.kpis[0];
        let (Some(low), Some(high), Some(expected)) = (kpi.low, kpi.high, kpi.expected) else { continue };
        all += 1.0;
        held += f64::from(u8::from(low <= end && end <= high));
        widths.push((high - low) / 2.0 / expected.abs());
    }
    assert!(0.95 * worlds.len() as f64 <= all, "{all} of {} have a forecast", worlds.len());
    widths.sort_by(f64::total_cmp);
    (held / all, widths[widths.len() / 2])
}

fn worlds(count: u64, weather: impl Fn(&mut Random) -> Vec<DailyTemperature>) -> Vec<World> {
    (0..count)
        .map(|seed| {
            let mut random = Random::new(seed + 1);
            let temperatures = weather(&mut random);
            let months = months(&mut random, &temperatures);
            World { months, temperatures, target: 1.0, places: Vec::new(), history_from: FIRST }
        })
        .collect()
}

fn check(name: &str, worlds: &[World]) {
    let (mut sum, mut dates) = (0.0, 0.0);
    let ends: Vec<f64> = worlds.iter().map(World::year_end).collect();
    for (month, of_month) in [(1, 1), (2, 15), (6, 1), (9, 10), (11, 20)] {
        let (held, width) = coverage(worlds, &ends, day(YEAR, month, of_month));
        println!(
            "{name} on {of_month:02}/{month:02}: {:.1} % held, median half-width {:.1} %",
            held * 100.0,
            width * 100.0
        );
        sum += held;
        dates += 1.0;
    }
    let mean = sum / dates;
    assert!(
        (0.85..=0.95).contains(&mean),
        "{name}: {:.1} % of year-ends within their 90 % band",
        mean * 100.0
    );
}

#[test]
fn bands_hold_the_year_end_of_synthetic_climates() {
    check("synthetic, 14 past years", &worlds(120, |random| synthetic(random, FIRST)));
}

#[test]
fn bands_hold_the_year_end_of_real_weather() {
    let mut all = worlds(60, |random| real(random, "weather/uk_0.csv"));
    all.extend(worlds(60, |random| real(random, "weather/nmecr_office.csv")));
    check("real months", &all);
}

#[test]
fn few_years_make_a_wide_band_and_a_finding() {
    let long = &worlds(1, |random| synthetic(random, FIRST))[0];
    let mut short = World {
        months: long.months.clone(),
        temperatures: long.temperatures.clone(),
        target: 1.0,
        places: Vec::new(),
        history_from: FIRST,
    };
    short.temperatures.retain(|t| 2016 <= t.date.year());
    let on = day(YEAR, 2, 1);
    let (wide, narrow) = (short.on(on).0, long.on(on).0);
    let width = |f: &Forecast| f.kpis[0].high.unwrap() - f.kpis[0].low.unwrap();
    assert!(width(&narrow) < width(&wide));
    assert_eq!(wide.weather_years.len(), 3);
    assert!(wide.findings.iter().any(|f| f.code == "forecast.few_years"));
    assert!(!narrow.findings.iter().any(|f| f.code == "forecast.few_years"));
}

#[test]
fn without_past_years_the_legal_degree_days_of_the_place_make_a_wide_band() {
    let on = day(YEAR, 2, 1);
    let season = HeatingSeason {
        from: MonthDay { month: 10, day: 15 },
        to: MonthDay { month: 4, day: 15 },
        hours_per_day: 14,
    };
    let rules =
        ZoneRules { zone: ClimaticZone::E, above: Some(2100), up_to: Some(3000), season: Some(season) };
    let (mut held, mut all) = (0, 0);
    for mut world in worlds(20, |random| synthetic(random, FIRST)) {
        let end = world.year_end();
        let long = world.on(on).0;
        world.history_from = YEAR;
        let alone = world.on(on).0;
        assert_eq!(alone.kpis[0].expected, None, "nobody knows the weather to come");
        assert!(alone.kpis[0].because.contains(&"forecast.no_history".to_owned()));
        // What the law says of the place: the degree days that its years have on the mean.
        let counted = world.temperatures.iter().filter(|t| rules.counts(t.date));
        let sum: f64 = counted.map(|t| (20.0 - t.mean_c).max(0.0)).sum();
        let degree_days = (sum / f64::from(YEAR - FIRST + 1)).round() as u32;
        let (istat, name) = ("001272".to_owned(), "Torino".to_owned());
        world.places = vec![(Place { istat, name, zone: ClimaticZone::E, degree_days }, rules)];
        let forecast = world.on(on).0;
        assert_eq!(forecast.weather_years, [] as [i32; 0]);
        assert!(forecast.findings.iter().any(|f| f.code == "forecast.legal_weather"));
        let width = |f: &Forecast| f.kpis[0].high.unwrap() - f.kpis[0].low.unwrap();
        assert!(width(&long) < width(&forecast));
        let kpi = &forecast.kpis[0];
        all += 1;
        held += i32::from(kpi.low.unwrap() <= end && end <= kpi.high.unwrap());
    }
    assert!(18 <= held, "{held} of {all}");
}

#[test]
fn a_total_that_stands_still_is_expected_to_count_as_it_does_now() {
    let mut world = worlds(1, |random| synthetic(random, FIRST)).remove(0);
    // Nothing was counted since the works: either nothing was burnt, or the device repeats an old total.
    for month in world.months.months.iter_mut().filter(|m| 2017 < m.month.year) {
        (month.amount, month.low, month.high) = (0, 0, Some(0));
    }
    let on = day(YEAR, 9, 1);
    let since: Vec<Month> = (2018..=YEAR).flat_map(Month::all_of).filter(|m| m.end_day() <= on).collect();
    let still: Vec<(Month, i64)> = since.iter().map(|m| (*m, i64::from(m.days()) * 86_400_000)).collect();
    world.target = 1.0;
    let word = Adjustment {
        number: 1,
        meter: meter().id,
        from: day(2018, 1, 1),
        to: day(YEAR + 1, 1, 1),
        energy: 0.0,
        author: "the caretaker".to_owned(),
        reason: "heated by a heat pump".to_owned(),
        recorded_at: model::Instant::from_seconds(1_500_000_000),
    };
    let confirmed = world.on_with(on, &[], &[word]).0;
    let end = confirmed.kpis[0].expected.unwrap();
    assert_eq!((confirmed.kpis[0].if_confirmed, confirmed.kpis[0].outlook), (None, Outlook::Safe));
    world.target = end * 0.7;
    let (open, _) = world.on_with(on, &still, &[]);
    let kpi = &open.kpis[0];
    // So far and to come alike: nothing is saved until somebody says so, and all of it then.
    assert!(kpi.so_far.unwrap() <= 1e-9 * end, "{:?}", kpi.so_far);
    assert!(kpi.expected.unwrap().abs() < 0.05 * end, "{:?} {end}", kpi.expected);
    assert!((kpi.if_confirmed.unwrap() - end).abs() < 1e-9 * end, "{:?} {end}", kpi.if_confirmed);
    assert!(end <= kpi.high.unwrap());
    assert_eq!(kpi.outlook, Outlook::AtRisk);
    assert!(open.findings.iter().any(|f| f.code == "forecast.standstill"));
}

#[test]
fn a_year_that_is_over_is_its_own_forecast() {
    let world = &worlds(1, |random| synthetic(random, FIRST))[0];
    let (forecast, achieved) = world.on(day(YEAR + 1, 1, 1));
    let kpi = &forecast.kpis[0];
    assert_eq!((kpi.expected, kpi.low, kpi.high), (achieved, achieved, achieved));
    assert_eq!(forecast.months_left, 0);
    assert_eq!(forecast.counted_to(), day(YEAR, 12, 31));
}

#[test]
fn a_target_out_of_reach_says_what_would_be_needed() {
    let mut world = World { target: 1.0, ..worlds(1, |random| synthetic(random, FIRST)).remove(0) };
    let end = world.year_end();
    let on = day(YEAR, 6, 1);
    world.target = end * 10.0;
    let (far, _) = world.on(on);
    let kpi = &far.kpis[0];
    assert_eq!(kpi.outlook, Outlook::OutOfReach);
    assert_eq!(far.months_left, 7);
    assert_eq!(far.counted_to(), day(YEAR, 5, 31));
    let needed = (world.target - kpi.so_far.unwrap()) / 7.0;
    assert!(matches!(kpi.needed, Some(Needed::Each(each)) if (each - needed).abs() < 1e-9), "{kpi:?}");
    assert!(far.findings.iter().any(|f| f.code == "forecast.out_of_reach"));
    world.target = end * 0.1;
    assert_eq!(world.on(on).0.kpis[0].outlook, Outlook::Safe);
}

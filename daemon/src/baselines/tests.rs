//! What was accepted is read back as it was, in the form of now and in the former one.
//!
//! Must never: hold a body of the former form that this program wrote.

use analytics::analysis::project::{Wanted, fit as fit_project};
use analytics::baseline::FitPeriod;
use analytics::degree_days::DailyMeans;
use chrono::{Days, NaiveDate};
use model::{BaselineMethod, Carrier, DailyTemperature, Month, OpeningHours, StationId};
use store::StoreOptions;

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Of a day so many after the first of 2023.
fn mean_c(i: u64) -> f64 {
    let season = (i as f64 - 15.0) / 365.25 * std::f64::consts::TAU;
    13.0 - 11.0 * season.cos() + 2.0 * (i as f64 * 0.9).sin()
}

/// Two years of weather, every fortieth day missing.
fn weather() -> DailyMeans {
    let station = StationId::new("s").unwrap();
    let of =
        |i: u64| DailyTemperature::as_given(station.clone(), day("2023-01-01") + Days::new(i), mean_c(i));
    let list: Vec<DailyTemperature> = (0..730).filter(|i| i % 40 != 7).map(of).collect();
    DailyMeans::of(&list, &station)
}

/// Open from Monday to Friday, in 2024 from Monday to Thursday.
fn calendar() -> [OpeningHours; 2] {
    let before = OpeningHours {
        from: day("2023-01-01"),
        to: Some(day("2024-01-01")),
        season: None,
        week: [true, true, true, true, true, false, false],
        hours_per_day: 8.0,
        closed: Vec::new(),
        open_on_holidays: false,
    };
    let week = [true, true, true, true, false, false, false];
    [before.clone(), OpeningHours { from: day("2024-01-01"), to: None, week, ..before }]
}

fn open_days(month: &Month) -> f64 {
    let (from, to) = (month.first_day(), month.end_day());
    analytics::calendar::sum(&calendar(), UseDriver::OpeningDays, from, to).unwrap()
}

fn laws(method: BaselineMethod, carrier: Carrier) -> Laws {
    let weather = weather();
    let period = |month: &Month| FitPeriod {
        from: month.first_day(),
        to: month.end_day(),
        energy: (0..730)
            .filter(|i| Month::of(day("2023-01-01") + Days::new(*i)) == *month)
            .map(mean_c)
            .map(|t| 20.0 + 4.0 * (15.0 - t).max(0.0) + 3.0 * (t - 20.0).max(0.0))
            .sum::<f64>()
            + 30.0 * open_days(month),
        coverage_ratio: 1.0,
    };
    let periods: Vec<FitPeriod> = Month::all_of(2023).iter().map(period).collect();
    let (from, to) = (day("2023-01-01"), day("2024-01-01"));
    let (calendar, drivers) = (&calendar(), &[UseDriver::OpeningDays]);
    let wanted = Wanted { subject: "meter:gas", method, carrier, from, to, short: false, drivers, calendar };
    let (fitted, _) = fit_project(&periods, &weather, &wanted);
    Laws {
        meter: MeterId::new("gas").unwrap(),
        carrier,
        baseline: fitted.map(std::sync::Arc::new),
        reporting: None,
        months: Vec::new(),
        left_out: Vec::new(),
        weather: analytics::baseline::data::Data::default(),
        adjustments: Vec::new(),
        inputs: Digest([7; 32]),
    }
}

#[test]
fn what_is_accepted_predicts_the_same_when_it_is_read_back() {
    for (method, carrier) in [
        (BaselineMethod::Auto, Carrier::GridElectricity),
        (BaselineMethod::Auto, Carrier::NaturalGas),
        (BaselineMethod::CaltrackMonthly, Carrier::GridElectricity),
        (BaselineMethod::ChangePoint, Carrier::GridElectricity),
        (BaselineMethod::DegreeDays, Carrier::NaturalGas),
        (BaselineMethod::Drivers, Carrier::GridElectricity),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let project = ProjectId::new("scuola").unwrap();
        let laws = [laws(method, carrier)];
        let of = Accepted { project: &project, laws: &laws, author: "a", reason: "r" };
        let at = Instant::from_seconds(1_760_000_000);
        accept(&store, &of, at).unwrap();
        let body = store.record(BASELINE_RECORD, "scuola").unwrap().unwrap().body;
        assert!(body.len() < 400_000, "{} bytes", body.len());
        let read = accepted(&store, &project).unwrap();
        let mut wanted = (**laws[0].baseline.as_ref().unwrap()).clone();
        // What was said of the fit was said when it was accepted.
        wanted.law.findings.clear();
        for law in wanted.doubt.iter_mut().flat_map(|d| [&mut d.coldest, &mut d.warmest]) {
            law.findings.clear();
        }
        assert!(wanted.doubt.is_some(), "days are missing");
        assert_eq!(read.len(), 1);
        // The last digit of a number may be lost on the way to its text and back.
        let (model, kept) = (&read[0].fitted.model, &wanted.model);
        assert_eq!((model.method, model.points.len()), (kept.method, kept.points.len()));
        assert_eq!(read[0].fitted.law.members.len(), wanted.law.members.len());
        let (from, to) = (day("2024-01-01"), day("2024-07-01"));
        assert_eq!(model.drivers.len(), usize::from(method == BaselineMethod::Drivers));
        let of = |fitted: &Fitted| {
            let fitted = fitted.clone().with_calendar(&calendar());
            let doubt = fitted.doubt.as_ref().unwrap();
            let weather = analytics::baseline::fitted::weather_of(&weather(), [(from, to)]);
            let laws = [&fitted.law, &doubt.coldest, &doubt.warmest];
            laws.map(|law| law.predict(&weather)).map(|p| [p.energy, p.half_width(0.9)])
        };
        for (a, b) in of(&read[0].fitted).iter().flatten().zip(of(&wanted).iter().flatten()) {
            assert!((a - b).abs() <= 1e-9 * b.abs(), "{method:?}: {a} {b}");
        }
        assert_eq!((read[0].rules.as_str(), read[0].accepted_at), (RULES, at));
    }
}

#[test]
fn what_gave_way_is_told_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let project = ProjectId::new("scuola").unwrap();
    let mut now = [laws(BaselineMethod::DegreeDays, Carrier::NaturalGas)];
    let put = |now: &[Laws], reason: &str, second: i64| {
        let of = Accepted { project: &project, laws: now, author: "a", reason };
        accept(&store, &of, Instant::from_seconds(second)).unwrap()
    };
    assert_eq!(put(&now, "verificato", 1_760_000_000), RecordChange::Created);
    assert_eq!(put(&now, "di nuovo", 1_760_000_001), RecordChange::Unchanged, "the same is no replacement");
    let known = accepted(&store, &project).unwrap();
    assert!(replacing(&known, &now).is_empty() && known[0].replaced.is_empty());
    // Another bill came: the digest is another.
    now[0].inputs = Digest([8; 32]);
    let span = (day("2024-01-01"), day("2024-07-01"));
    now[0].weather = analytics::baseline::fitted::weather_of(&weather(), [span]);
    assert_eq!(replacing(&known, &now).len(), 1);
    assert_eq!(put(&now, "bolletta corretta", 1_760_000_002), RecordChange::Updated);
    now[0].inputs = Digest([9; 32]);
    assert_eq!(put(&now, "ancora", 1_760_000_003), RecordChange::Updated);
    let known = accepted(&store, &project).unwrap();
    let seen: Vec<_> = known[0].replaced.iter().map(|r| (r.inputs, r.reason.as_str())).collect();
    assert_eq!(seen, [(Digest([7; 32]), "bolletta corretta"), (Digest([8; 32]), "ancora")]);
    let ratios = known[0].replaced.iter().filter_map(|r| r.energy_ratio);
    assert!(
        ratios.clone().count() == 2 && ratios.clone().all(|r| (r - 1.0).abs() < 1e-9),
        "the law is the same"
    );
    // One that cannot be fitted again is not dropped in silence.
    now[0].baseline = None;
    assert_eq!(replacing(&known, &now).len(), 1);
}

/// As the program wrote it under computing rules 3.
const FORMER: &str = r#"{"form":1,"author":"tecnico","reason":"verificato","accepted_ms":1700000000000,"meters":[
{"meter":"gas","inputs":"0707070707070707070707070707070707070707070707070707070707070707",
"law":{"base_per_day":10.0,"heating_per_degree_day":4.0,"heating_base_c":15.5},"n":12,"r2":0.98,"r2_adjusted":0.97,
"cvrmse_ratio":0.05,"nmbe_ratio":0.0,"baseline_days":365,"variance_per_day":4.0,"days":365.0,"degree_days_mean":3.0,
"degree_days_squares":5000.0,"t_90":1.8331129,"coldest":null,"mildest":null,
"points":[{"from":"2023-01-01","to":"2023-02-01","energy_per_day":50.0,"degree_days_per_day":10.0}]}]}"#;

#[test]
fn a_baseline_of_the_former_form_predicts_what_it_did() {
    let read = read(FORMER).unwrap();
    let [frozen] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!((frozen.rules.as_str(), frozen.fitted.model.method), ("3", "heating"));
    assert_eq!(frozen.fitted.model.heating_base_c, Some(15.5));
    assert_eq!(frozen.fitted.model.cooling_base_c, None);
    // Thirty days at 5.5 °C: 10 and 4 × 10 a day; s² (g'(X'WX)⁻¹g + days), t of nine degrees of freedom.
    let station = StationId::new("s").unwrap();
    let list: Vec<DailyTemperature> = (0..30)
        .map(|i| DailyTemperature::as_given(station.clone(), day("2025-01-01") + Days::new(i), 5.5))
        .collect();
    let means = DailyMeans::of(&list, &station);
    let of = frozen.fitted.predict(&means, [(day("2025-01-01"), day("2025-01-31"))]);
    assert!((of.energy - 1500.0).abs() < 1e-9);
    let lever = 300.0 - 30.0 * 3.0_f64;
    let half = 1.833_112_9 * (4.0 * (900.0 / 365.0 + lever * lever / 5000.0 + 30.0)).sqrt();
    assert!((of.half_width(0.9) - half).abs() < 1e-4, "{} {half}", of.half_width(0.9));
}

#[test]
fn a_form_of_tomorrow_is_refused() {
    let later = FORMER.replace("\"form\":1", "\"form\":9");
    assert!(read(&later).unwrap_err().to_string().contains("form 9"));
}

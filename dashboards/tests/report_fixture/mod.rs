//! A year of an invented project, put together by hand, and the catalogue's texts.
//!
//! Must never: be computed by the code under test. Every figure here is stated.

use std::collections::BTreeMap;
use std::sync::Arc;

use analytics::degree_days::fill::{Filling, Season, SeasonDifference};
use analytics::factors::{CarrierFactors, FactorSet};
use analytics::places::{ClimaticZone, Place};
use analytics::result::{
    Baseline, BaselineModel, BaselinePoint, FitQuality, KpiChain, KpiResult, LegalDegreeDays, MeterMonth,
    MeterTotals, MeterYear, MonthSource, ProjectYear, Verdict, WeatherPeriod, YearWeather,
};
use analytics::scheme::{CountsFrom, KpiDefinition, KpiMeasure, KpiUnit, Scheme, Target, YearlyObligation};
use analytics::text::Texts;
use chrono::NaiveDate;
use model::{
    Beneficiary, Building, BuildingId, Carrier, DeclaredValue, Digest, Direction, Euro, FactorSetId, Finding,
    Instant, MeanDefinition, MeterFacts, MeterId, MeterRole, Month, Project, ProjectDates, ProjectId,
    Provenance, SchemeId, Severity, StationId, TemperatureSource, Use,
};

pub(crate) const YEAR: i32 = 2025;

pub(crate) fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a day")
}

/// The report's texts of a language, and the names of the fixture's KPI.
pub(crate) fn texts(language: &str) -> Texts {
    let mut map = BTreeMap::new();
    for name in ["report", "report_sections"] {
        let path = format!("{}/../config/catalog/text/{language}/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let file: toml::Table =
            std::fs::read_to_string(&path).expect("the catalogue").parse().expect("well-formed texts");
        flatten("", &toml::Value::Table(file), &mut map);
    }
    for (key, it, en) in [
        ("kpi.test.primary", "Energia primaria non rinnovabile risparmiata", "Primary energy saved"),
        ("kpi.test.co2", "Emissioni di CO₂ evitate", "CO₂ avoided"),
        ("kpi.test.share", "Quota di autoconsumo", "Self-consumed share"),
    ] {
        map.insert(key.to_owned(), if language == "it" { it } else { en }.to_owned());
    }
    if language == "it" {
        map.insert(
            "finding.series.coverage.low".to_owned(),
            "misurato soltanto il {percent} % del tempo, ne serve almeno il 90 %".to_owned(),
        );
        map.insert("finding.kpi.stated".to_owned(), "nessuno lo ha dichiarato".to_owned());
    }
    Texts::new(language, map)
}

fn flatten(prefix: &str, value: &toml::Value, map: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, inner) in table {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&path, inner, map);
            }
        }
        toml::Value::String(text) => {
            map.insert(prefix.to_owned(), text.clone());
        }
        other => panic!("{prefix} is no text: {other:?}"),
    }
}

fn meter(id: &str, name: &str, carrier: Carrier, direction: Direction, role: MeterRole) -> MeterFacts {
    MeterFacts {
        id: MeterId::new(id).expect("an id"),
        name: name.to_owned(),
        carrier,
        direction,
        role,
        parent: None,
        supply_point: match carrier {
            Carrier::NaturalGas => Some("00881234567890".to_owned()),
            Carrier::GridElectricity if role != MeterRole::Sub => Some("IT001E00012345".to_owned()),
            _ => None,
        },
        ceiling_per_hour: 30.0,
        wraps_at: None,
        gas: None,
        serial: Some(format!("SN-{id}-004711")),
        accuracy_class: Some("B".to_owned()),
        calibration: None,
    }
}

fn month(number: u32, measured: f64) -> MeterMonth {
    MeterMonth {
        month: Month { year: YEAR, number },
        source: MonthSource::Meter,
        reporting: true,
        measured: Some(measured),
        measured_low: Some(measured),
        measured_high: Some(measured),
        coverage_ratio: 1.0,
        estimated_ratio: 0.0,
        heating_degree_days: None,
        cooling_degree_days: None,
        temperature_days: Month { year: YEAR, number }.days(),
        filled_days: 0,
        unadjusted_days: 0,
        adjustment: 0.0,
        drivers: Vec::new(),
        adjusted_baseline: None,
        avoided: None,
    }
}

fn missing(number: u32) -> MeterMonth {
    MeterMonth {
        source: MonthSource::Missing,
        measured: None,
        measured_low: Some(0.0),
        measured_high: None,
        coverage_ratio: 0.0,
        ..month(number, 0.0)
    }
}

const DEGREE_DAYS: [f64; 12] = [438.5, 361.2, 262.4, 121.7, 38.9, 0.0, 0.0, 0.0, 12.3, 118.6, 294.1, 421.9];
/// Smc; 0.85 Smc per degree day and 3 Smc a day.
const GAS: [f64; 12] =
    [465.725, 391.02, 316.04, 193.445, 126.065, 90.0, 93.0, 93.0, 100.455, 193.81, 339.985, 451.615];
const POWER: [f64; 12] =
    [4120.5, 3810.25, 3905.0, 3420.75, 3305.5, 2810.0, 2405.25, 1190.0, 3020.5, 3690.0, 4010.75, 4205.125];

fn gas_model() -> BaselineModel {
    let points = (0..24_u32)
        .map(|i| {
            let x = [14.1, 12.4, 8.3, 4.2, 1.1, 0.0, 0.0, 0.0, 0.5, 3.9, 9.6, 13.2][i as usize % 12];
            let from = Month { year: 2019 + (i / 12) as i32, number: i % 12 + 1 };
            let wave = if i % 2 == 0 { 0.9 } else { -0.8 };
            BaselinePoint {
                from: from.first_day(),
                to: from.end_day(),
                energy_per_day: 5.0 + 1.4 * x + wave,
                degree_days_per_day: x,
                cooling_degree_days_per_day: 0.0,
            }
        })
        .collect();
    BaselineModel {
        method: "averaged",
        base_per_day: 5.0,
        heating_per_degree_day: 1.4,
        heating_base_c: Some(17.5),
        cooling_per_degree_day: 0.0,
        cooling_base_c: None,
        drivers: Vec::new(),
        quality: FitQuality {
            n: 24,
            r2: 0.981,
            r2_adjusted: 0.9801,
            cvrmse_ratio: 0.083,
            nmbe_ratio: -0.0004,
            baseline_days: 731,
        },
        points,
    }
}

fn gas() -> MeterYear {
    let mut months: Vec<MeterMonth> = (1..=12_u32)
        .map(|n| {
            let i = n as usize - 1;
            let days = f64::from(Month { year: YEAR, number: n }.days());
            let adjusted = 5.0 * days + 1.4 * DEGREE_DAYS[i];
            MeterMonth {
                heating_degree_days: Some(DEGREE_DAYS[i]),
                cooling_degree_days: None,
                adjusted_baseline: Some(adjusted),
                avoided: Some(adjusted - GAS[i]),
                ..month(n, GAS[i])
            }
        })
        .collect();
    months[2].estimated_ratio = 0.25;
    months[2].measured_low = Some(240.0);
    months[2].measured_high = Some(420.5);
    months[2].coverage_ratio = 0.92;
    months[10] = MeterMonth {
        heating_degree_days: Some(DEGREE_DAYS[10]),
        cooling_degree_days: None,
        adjusted_baseline: Some(561.74),
        ..missing(11)
    };
    MeterYear {
        record: analytics::result::MeterRecord::default(),
        building: BuildingId::new("scuola-nord").expect("an id"),
        meter: meter(
            "gas-1",
            "Caldaia scuola Nord",
            Carrier::NaturalGas,
            Direction::Import,
            MeterRole::Compared,
        ),
        months,
        baseline: Baseline::Fitted(gas_model()),
        totals: MeterTotals {
            measured: 2514.175,
            compared_months: 11,
            reporting_months: 12,
            compared_measured: 2514.175,
            adjusted_baseline: 4165.4,
            adjustment: 0.0,
            avoided: 1651.225,
            avoided_low: 1402.1,
            avoided_high: 1890.7,
            coverage_ratio: 0.911,
            joint_low: 0.0,
            joint_high: 0.0,
        },
    }
}

fn power() -> MeterYear {
    let mut months: Vec<MeterMonth> = (1..=12_u32)
        .map(|n| {
            let measured = POWER[n as usize - 1];
            MeterMonth {
                adjusted_baseline: Some(3600.0),
                avoided: Some(3600.0 - measured),
                ..month(n, measured)
            }
        })
        .collect();
    months[1].source = MonthSource::Bills;
    months[1].estimated_ratio = 1.0;
    MeterYear {
        record: analytics::result::MeterRecord::default(),
        building: BuildingId::new("scuola-nord").expect("an id"),
        meter: meter(
            "power-1",
            "Fornitura elettrica scuola Nord",
            Carrier::GridElectricity,
            Direction::Import,
            MeterRole::Compared,
        ),
        months,
        baseline: Baseline::Fitted(BaselineModel {
            method: "averaged",
            base_per_day: 118.356,
            heating_per_degree_day: 0.0,
            heating_base_c: None,
            cooling_per_degree_day: 0.0,
            cooling_base_c: None,
            drivers: Vec::new(),
            quality: FitQuality {
                n: 24,
                r2: 0.0,
                r2_adjusted: 0.0,
                cvrmse_ratio: 0.121,
                nmbe_ratio: 0.0,
                baseline_days: 731,
            },
            points: Vec::new(),
        }),
        totals: MeterTotals {
            measured: 39893.625,
            compared_months: 12,
            reporting_months: 12,
            compared_measured: 39893.625,
            adjusted_baseline: 43200.0,
            adjustment: 0.0,
            avoided: 3306.375,
            avoided_low: 2010.0,
            avoided_high: 4602.0,
            coverage_ratio: 0.9991,
            joint_low: 0.0,
            joint_high: 0.0,
        },
    }
}

fn other(
    id: &str,
    name: &str,
    building: &str,
    carrier: Carrier,
    direction: Direction,
    role: MeterRole,
    scale: f64,
) -> MeterYear {
    let months: Vec<MeterMonth> = (1..=12_u32)
        .map(|n| month(n, scale * f64::from([2, 3, 5, 7, 9, 10, 11, 10, 7, 5, 3, 2][n as usize - 1])))
        .collect();
    MeterYear {
        record: analytics::result::MeterRecord::default(),
        building: BuildingId::new(building).expect("an id"),
        meter: meter(id, name, carrier, direction, role),
        months,
        baseline: Baseline::NotCompared,
        totals: MeterTotals { measured: 74.0 * scale, coverage_ratio: 1.0, ..MeterTotals::default() },
    }
}

/// A meter that could not be compared and has nothing measured at all.
fn silent() -> MeterYear {
    MeterYear {
        record: analytics::result::MeterRecord::default(),
        building: BuildingId::new("palestra").expect("an id"),
        meter: meter(
            "heat-1",
            "Sottocentrale palestra",
            Carrier::DistrictHeating,
            Direction::Import,
            MeterRole::Compared,
        ),
        months: (1..=12).map(missing).collect(),
        baseline: Baseline::Unknown,
        totals: MeterTotals { reporting_months: 12, ..MeterTotals::default() },
    }
}

fn building(id: &str, name: &str, uses: Vec<Use>, meters: Vec<MeterFacts>) -> Building {
    Building {
        id: BuildingId::new(id).expect("an id"),
        name: name.to_owned(),
        municipality: "Borgo Dimostrativo".to_owned(),
        istat_code: "001272".to_owned(),
        address: "via dell’Esempio 1".to_owned(),
        floor_area_m2: uses.iter().map(|u| u.floor_area_m2).sum(),
        uses,
        gross_volume_m3: 8450.0,
        usage_profile: "lun-ven 7:30-18:00, chiuso in agosto".to_owned(),
        opening: Vec::new(),
        ape_code: (id == "scuola-nord").then(|| "2019 102345 0012".to_owned()),
        meters,
    }
}

fn project(meters: &[MeterYear]) -> Project {
    let of = |id: &str| {
        meters.iter().filter(|m| m.building.as_str() == id).map(|m| m.meter.clone()).collect::<Vec<_>>()
    };
    let use_of = |category: &str, area: f64| Use { category: category.to_owned(), floor_area_m2: area };
    Project {
        id: ProjectId::new("borgo-scuole").expect("an id"),
        title: "Riqualificazione energetica della scuola Nord e della palestra".to_owned(),
        cup: "C11G06000000001".to_owned(),
        scheme: SchemeId::new("piemonte-por-fesr-iv4c1").expect("an id"),
        factor_set: FactorSetId::new("it-dm-2015").expect("an id"),
        beneficiary: Beneficiary {
            name: "Comune di Borgo Dimostrativo".to_owned(),
            tax_code: "12345678903".to_owned(),
            legal_representative: "il Sindaco pro tempore".to_owned(),
        },
        dates: ProjectDates {
            baseline_from: day(2019, 1, 1),
            baseline_to: day(2021, 1, 1),
            works_from: day(2021, 6, 1),
            completed: day(2024, 9, 30),
            expenses_closed: None,
            final_payment: None,
        },
        facility: Some(Euro::from_euros(900_000)),
        zone: chrono_tz::Europe::Rome,
        station: StationId::new("torino").expect("an id"),
        buildings: vec![
            building("scuola-nord", "Scuola primaria Nord", vec![use_of("E.7", 2150.5)], of("scuola-nord")),
            building(
                "palestra",
                "Palestra comunale",
                vec![use_of("E.6(2)", 820.0), use_of("E.2", 95.0)],
                of("palestra"),
            ),
        ],
        grant: model::Grant::default(),
        declared: vec![DeclaredValue {
            kpi: "4.c.2".to_owned(),
            value: 60.0,
            source: "relazione tecnica allegata alla domanda".to_owned(),
            by_carrier: Vec::new(),
        }],
        terms: model::Terms::default(),
    }
}

fn kpi(code: &str, text: &str, measure: KpiMeasure, unit: KpiUnit, target: Target) -> KpiDefinition {
    KpiDefinition {
        code: code.to_owned(),
        text: text.to_owned(),
        measure,
        unit,
        target,
        citation: "bando, par. 7.1".to_owned(),
    }
}

fn kpis() -> Vec<KpiResult> {
    vec![
        KpiResult {
            definition: kpi(
                "4.c.2",
                "kpi.test.primary",
                KpiMeasure::PrimaryEnergySaved,
                KpiUnit::MegawattHour,
                Target::Declared,
            ),
            target: Some(60.0),
            target_source: Some("relazione tecnica allegata alla domanda".to_owned()),
            achieved: Some(17.83),
            best: Some(22.835),
            low: Some(17.83),
            high: Some(27.74),
            better: Some(27.74),
            attainment_ratio: Some(0.29717),
            verdict: Verdict::Missed,
            because: vec!["series.coverage.low".to_owned()],
            chain: KpiChain::default(),
        },
        KpiResult {
            definition: kpi("CO34", "kpi.test.co2", KpiMeasure::Co2Avoided, KpiUnit::Tonne, Target::Declared),
            target: Some(4.5),
            target_source: Some("relazione tecnica allegata alla domanda".to_owned()),
            achieved: None,
            best: None,
            low: None,
            high: None,
            better: None,
            attainment_ratio: None,
            verdict: Verdict::Undetermined,
            because: vec!["baseline.short".to_owned()],
            chain: KpiChain::default(),
        },
        KpiResult {
            definition: kpi(
                "autoconsumo",
                "kpi.test.share",
                KpiMeasure::SelfConsumedShare,
                KpiUnit::Percent,
                Target::AtLeast(80.0),
            ),
            target: Some(80.0),
            target_source: None,
            achieved: Some(86.5),
            best: Some(86.5),
            low: Some(86.1),
            high: Some(87.0),
            better: Some(87.0),
            attainment_ratio: Some(1.08125),
            verdict: Verdict::Reached,
            because: Vec::new(),
            chain: KpiChain::default(),
        },
    ]
}

fn scheme() -> Scheme {
    Scheme {
        id: SchemeId::new("piemonte-por-fesr-iv4c1").expect("an id"),
        title: "POR FESR Piemonte 2014-2020, azione IV.4c.1, edifici pubblici".to_owned(),
        citation: "Regione Piemonte, D.D. 170 del 21/04/2017".to_owned(),
        authority: "Regione Piemonte".to_owned(),
        default_factor_set: FactorSetId::new("it-dm-2015").expect("an id"),
        yearly: Some(YearlyObligation {
            due_month: 3,
            due_day: 31,
            counts_from: CountsFrom::Completion,
            years: Some(5),
            channel: "posta elettronica certificata, a firma del legale rappresentante".to_owned(),
            citation: "bando, par. 7.1".to_owned(),
        }),
        rules: analytics::scheme::SchemeRules::default(),
        kpis: kpis().into_iter().map(|k| k.definition).collect(),
    }
}

fn factors() -> FactorSet {
    let carrier = |carrier, kwh, nren, ren, co2| CarrierFactors {
        carrier,
        kwh_per_unit: kwh,
        primary_nonrenewable: Some(nren),
        primary_renewable: Some(ren),
        co2_kg_per_kwh: co2,
        nox_g_per_gj: None,
        pm10_g_per_gj: None,
        toe_per_unit: None,
    };
    FactorSet {
        id: FactorSetId::new("it-dm-2015").expect("an id"),
        title: "D.M. 26/06/2015 ed ENEA/CTI".to_owned(),
        source: "D.M. 26/06/2015, allegato 1, tabella 1; tabella APE ENEA/CTI".to_owned(),
        valid_from: Some(day(2015, 10, 1)),
        valid_to: None,
        carriers: vec![
            carrier(Carrier::GridElectricity, 1.0, 1.95, 0.47, Some(0.4332)),
            carrier(Carrier::NaturalGas, 9.45, 1.05, 0.0, Some(0.1969)),
            carrier(Carrier::OnSitePv, 1.0, 0.0, 1.0, None),
        ],
    }
}

fn findings() -> Vec<Finding> {
    vec![
        Finding::new(
            "baseline.short",
            Severity::Blocks,
            "meter:heat-1",
            "the baseline has 3 months, and 12 are needed",
            "IPMVP, option C",
        ),
        Finding::new(
            "series.coverage.low",
            Severity::Caution,
            "meter:gas-1 2025-11",
            "only 0 % of the time measured, at least 90 % is needed",
            "§ 7.1",
        )
        .with("percent", 0),
        Finding::new(
            "series.estimated",
            Severity::Note,
            "meter:power-1 2025-02",
            "the month comes from an estimated bill",
            "",
        ),
    ]
}

/// A complete year with everything that may go wrong in it once.
pub(crate) fn year() -> ProjectYear {
    let meters = vec![
        gas(),
        power(),
        other(
            "pump-1",
            "Pompe circuito radiatori",
            "scuola-nord",
            Carrier::GridElectricity,
            Direction::Import,
            MeterRole::Sub,
            20.0,
        ),
        other(
            "pv-1",
            "Fotovoltaico tetto scuola",
            "scuola-nord",
            Carrier::OnSitePv,
            Direction::Production,
            MeterRole::New,
            250.0,
        ),
        other(
            "export-1",
            "Immissione in rete",
            "scuola-nord",
            Carrier::GridElectricity,
            Direction::Export,
            MeterRole::New,
            33.75,
        ),
        silent(),
    ];
    ProjectYear {
        project: Arc::new(project(&meters)),
        scheme: Arc::new(scheme()),
        factors: Arc::new(factors()),
        year: YEAR,
        until: day(2026, 1, 1),
        meters,
        weather: weather(),
        kpis: kpis(),
        balances: Vec::new(),
        findings: findings(),
        provenance: Provenance {
            readings: 1_051_200,
            bills: 24,
            temperatures: 1096,
            first_reading_at: Some(Instant::from_seconds(1_546_300_800)),
            last_reading_at: Some(Instant::from_seconds(1_767_221_100)),
            inputs: Digest([0xab; 32]),
            catalog: Digest([0x1c; 32]),
            rules: "1",
        },
    }
}

/// Three days of the baseline and two of the year filled, one of them plainly; one municipality with legal degree days.
fn weather() -> YearWeather {
    let period = |from, to, measured_days, adjusted_days, unadjusted_days| WeatherPeriod {
        from,
        to,
        measured_days,
        adjusted_days,
        unadjusted_days,
        missing_days: 0,
    };
    let season = |season, offset_k| SeasonDifference {
        season,
        common_days: if offset_k == 0.0 { 12 } else { 88 },
        offset_k: (offset_k != 0.0).then_some(offset_k),
        deviation_k: 0.4,
    };
    YearWeather {
        made: vec![
            (MeanDefinition::AsGiven, TemperatureSource::File, 362),
            (MeanDefinition::HourlyMeans, TemperatureSource::Service, 363),
        ],
        filling: Some(Filling {
            neighbour: StationId::new("stazione-vicina").unwrap(),
            seasons: [
                season(Season::Winter, -1.5),
                season(Season::Spring, -0.75),
                season(Season::Summer, 0.0),
                season(Season::Autumn, -1.0),
            ],
        }),
        periods: vec![
            period(day(2019, 1, 1), day(2020, 1, 1), 362, 3, 0),
            period(day(YEAR, 1, 1), day(YEAR + 1, 1, 1), 363, 1, 1),
        ],
        legal: vec![LegalDegreeDays {
            place: Place {
                istat: "001272".to_owned(),
                name: "Torino".to_owned(),
                zone: ClimaticZone::E,
                degree_days: 2617,
            },
            rules: analytics::places::ZoneRules {
                zone: ClimaticZone::E,
                above: Some(2100),
                up_to: Some(3000),
                season: None,
            },
            baseline: Some(2401.5),
            year: None,
        }],
    }
}

/// The same year on 1 July: six months are not due yet.
pub(crate) fn provisional() -> ProjectYear {
    let mut year = year();
    year.until = day(YEAR, 7, 1);
    for meter in &mut year.meters {
        for month in &mut meter.months[6..] {
            *month = MeterMonth { reporting: false, measured_low: None, ..missing(month.month.number) };
        }
    }
    year
}

//! The embedded catalogue is whole, and an overlay adds to it or replaces files of it.
//!
//! Must never: depend on files outside the test's own folder.

use std::fs;

use analytics::scheme::{KpiMeasure, ReportKind, Target};
use analytics::text::placeholders;
use chrono::NaiveDate;
use model::Carrier;

use super::*;

fn catalog() -> Catalog {
    Catalog::embedded().unwrap_or_else(|error| panic!("{error}"))
}

fn scheme(id: &str) -> Arc<Scheme> {
    Arc::clone(catalog().scheme(&SchemeId::new(id).unwrap()).unwrap())
}

#[test]
fn the_schemes_say_what_their_acts_say() {
    let ids: Vec<_> = catalog().schemes().map(|s| s.id.to_string()).collect();
    assert_eq!(
        ids,
        [
            "emilia-romagna-por-fesr-2014-20-sanita",
            "fesr-2014-20-indicatori-comuni",
            "mase-cse-2025",
            "mattm-audit-energetiche",
            "piemonte-por-fesr-2014-20-4c1",
            "piemonte-pr-fesr-2021-27-monet",
            "pr-fesr-2021-27-indicatori-comuni"
        ]
    );
    let a = scheme("piemonte-por-fesr-2014-20-4c1");
    let yearly = a.yearly.as_ref().unwrap();
    assert_eq!((yearly.due_month, yearly.due_day, yearly.years), (3, 31, Some(5)));
    let ratio = a.kpis.iter().find(|k| k.measure == KpiMeasure::PrimaryEnergySavedPerEuro).unwrap();
    assert_eq!(ratio.target, Target::AtLeast(0.4));
    let b = scheme("piemonte-pr-fesr-2021-27-monet");
    let yearly = b.yearly.as_ref().unwrap();
    assert_eq!((yearly.due_month, yearly.due_day, yearly.years), (4, 30, None));
    let c = scheme("emilia-romagna-por-fesr-2014-20-sanita");
    assert_eq!(c.yearly, None);
    let kpis: Vec<_> = c.kpis.iter().map(|k| format!("{} {}", k.code, k.unit.symbol())).collect();
    assert_eq!(
        kpis,
        [
            "CO30 MW",
            "CO34 t",
            "4.c.1 n.",
            "4.c.2 GWh",
            "4.c.3 t",
            "4.c.4 kg",
            "4.c.5 kg",
            "4.e.5 km",
            "CO918 n."
        ]
    );
    let d = scheme("mase-cse-2025");
    assert_eq!(d.yearly, None);
    assert!(d.kpis.iter().any(|k| k.target == Target::AtLeast(80.0)));
}

#[test]
fn a_wrong_example_refuses_its_scheme() {
    let name = "schemes/it/piemonte-pr-fesr-2021-27-monet.toml";
    let mut files = catalog().files;
    let text = files[name].text.replace("[\"2026-04-30\"]", "[\"2025-04-30\"]");
    files.insert(name.to_owned(), file(Cow::Owned(text), None));
    let error = Catalog::from_files(files).unwrap_err();
    assert!(error.problems()[0].says.contains("computed days of monitoraggio-kpi: 2026-04-30"), "{error}");
}

#[test]
fn every_obligation_period_and_clause_has_its_words() {
    let catalog = catalog();
    for language in LANGUAGES {
        let texts = catalog.texts(language);
        let known = |key: &str| assert!(texts.find(key).is_some(), "{language} has no {key}");
        for scheme in catalog.schemes() {
            scheme.kpis.iter().for_each(|k| known(&k.text));
            scheme.rules.obligations.iter().for_each(|o| known(&o.text));
            scheme.rules.periods.iter().for_each(|p| known(&p.text));
            scheme.rules.clauses.iter().for_each(|c| known(&c.text));
            let signers = scheme.rules.obligations.iter().map(|o| format!("signer.{}", o.signer.code()));
            signers.for_each(|key| known(&key));
        }
        model::Event::ALL.iter().for_each(|e| known(&format!("need.{}", e.code())));
        known("need.report_years");
    }
}

#[test]
fn factors_are_those_of_their_source() {
    let catalog = catalog();
    let set = catalog.factor_set(&FactorSetId::new("dm-2015-enea-cti").unwrap()).unwrap();
    let of = |carrier| set.of(carrier).unwrap();
    let gas = of(Carrier::NaturalGas);
    assert_eq!(
        (gas.kwh_per_unit, gas.primary_nonrenewable, gas.co2_kg_per_kwh),
        (9.45, Some(1.05), Some(0.1969))
    );
    assert_eq!((gas.nox_g_per_gj, gas.pm10_g_per_gj), (Some(32.3), None));
    let grid = of(Carrier::GridElectricity);
    assert_eq!((grid.primary_nonrenewable, grid.primary_renewable), (Some(1.95), Some(0.47)));
    assert_eq!(of(Carrier::DistrictCooling).primary_renewable, None);
    // Not confirmed by any source that was read.
    assert!(set.of(Carrier::Aerothermal).is_none() && set.of(Carrier::Other).is_none());
    assert_eq!(set.valid_to, NaiveDate::from_ymd_opt(2026, 6, 2));
}

#[test]
fn both_languages_have_every_text_with_the_same_placeholders() {
    let catalog = catalog();
    let [it, en] = LANGUAGES.map(|l| catalog.texts(l));
    assert_eq!((it.language(), en.language()), ("it", "en"));
    let missing = |a: &Texts, b: &Texts| -> Vec<String> {
        a.keys().filter(|k| b.find(k).is_none()).map(str::to_owned).collect()
    };
    assert_eq!(missing(&it, &en), Vec::<String>::new(), "not in English");
    assert_eq!(missing(&en, &it), Vec::<String>::new(), "not in Italian");
    for key in it.keys() {
        let names = |texts: &Texts| {
            let mut names: Vec<String> = placeholders(texts.get(key)).map(str::to_owned).collect();
            names.sort();
            names.dedup();
            names
        };
        assert_eq!(names(&it), names(&en), "{key}");
        assert!(!it.get(key).trim().is_empty() && !en.get(key).trim().is_empty(), "{key} is empty");
    }
}

#[test]
fn every_way_of_sending_is_told_in_both_languages() {
    let catalog = catalog();
    for language in ["it", "en"] {
        let texts = catalog.texts(language);
        for obligation in catalog.schemes().flat_map(|scheme| scheme.rules.obligations.clone()) {
            let key = format!("channel.{}", obligation.channel);
            assert!(texts.find(&key).is_some(), "{language}: {key}");
        }
    }
    let mail = "PEC del legale rappresentante all'indirizzo indicato dal bando";
    assert_eq!(catalog.texts("it").channel(mail), mail);
    assert!(catalog.texts("en").channel(mail).starts_with("Certified mail (PEC)"));
    assert_eq!(catalog.texts("en").channel("di un bando proprio"), "di un bando proprio");
}

#[test]
fn every_kpi_has_its_name_and_every_kpi_name_is_used() {
    let catalog = catalog();
    let texts = catalog.texts("it");
    let mut used: Vec<&str> = catalog.schemes().flat_map(|s| &s.kpis).map(|k| k.text.as_str()).collect();
    used.sort_unstable();
    used.dedup();
    for key in &used {
        assert!(texts.find(key).is_some(), "no text {key}");
    }
    let named: Vec<&str> = texts.keys().filter(|k| k.starts_with("kpi.")).collect();
    assert_eq!(named, used);
}

#[test]
fn every_indicator_of_a_sheet_has_its_own_method() {
    let catalog = catalog();
    let asks =
        |scheme: &Scheme| scheme.rules.obligations.iter().any(|o| o.report == Some(ReportKind::Indicators));
    let schemes: Vec<_> = catalog.schemes().filter(|scheme| asks(scheme)).collect();
    assert!(!schemes.is_empty());
    for language in LANGUAGES {
        let texts = catalog.texts(language);
        for kpi in schemes.iter().flat_map(|scheme| &scheme.kpis) {
            let key = format!("report.sheet.method.{}", kpi.measure.code());
            assert!(texts.find(&key).is_some(), "{language}: no text {key}, which {} needs", kpi.code);
        }
    }
}

#[test]
fn a_finding_of_this_crate_is_translated() {
    let texts = catalog().texts("it");
    let settings = "[installation]\nid = \"a\"\nname = \"A\"\n[web]\nlisten = \"0.0.0.0:80\"\n";
    let (_, findings) = crate::parse_settings(settings, Path::new("c.toml")).unwrap();
    assert!(texts.finding(&findings[0]).starts_with("le pagine sono servite su 0.0.0.0:80"));
}

#[test]
fn the_digest_changes_with_either_file_and_only_then() {
    let (scheme, set) =
        (SchemeId::new("mase-cse-2025").unwrap(), FactorSetId::new("dm-2015-enea-cti").unwrap());
    let before = catalog().digest_of(&scheme, &set).unwrap();
    assert_eq!(catalog().digest_of(&scheme, &set), Some(before));
    assert_eq!(catalog().digest_of(&scheme, &FactorSetId::new("none").unwrap()), None);
    for (name, changes) in [
        ("schemes/it/mase-cse-2025.toml", true),
        ("factors/it/dm-2015-enea-cti.toml", true),
        ("text/it/common.toml", false),
    ] {
        let mut files = catalog().files;
        let text = format!("{}\n# changed\n", files[name].text);
        files.insert(name.to_owned(), file(Cow::Owned(text), None));
        let after = Catalog::from_files(files).unwrap().digest_of(&scheme, &set).unwrap();
        assert_eq!(after != before, changes, "{name}");
    }
}

#[test]
fn municipalities_are_found_by_code_and_by_name() {
    let catalog = catalog();
    // Torino, Cuneo (zone F) and cities elsewhere, by the annex to DPR 412/93.
    for (istat, name, zone, degree_days) in [
        ("001272", "Torino", "E", 2617),
        ("004078", "Cuneo", "F", 3012),
        ("001002", "Airasca", "E", 2781),
        ("015146", "milano", "E", 2404),
        ("082053", "Palermo", "B", 751),
        ("001001", "Agliè", "E", 2617),
    ] {
        let place = catalog.place(istat).unwrap();
        assert_eq!((place.zone.letter(), place.degree_days), (zone, degree_days), "{name}");
        assert_eq!(catalog.places_named(name).collect::<Vec<_>>(), [place]);
    }
    assert!(catalog.place("999999").is_none() && catalog.places_named("Atlantide").next().is_none());
    let of_piemonte = |p: &&Place| p.istat.as_str() < "010" || ["096", "103"].contains(&&p.istat[..3]);
    let piemonte: Vec<&Place> = catalog.places().filter(of_piemonte).collect();
    let in_zone = |zone| piemonte.iter().filter(|p| p.zone == zone).count();
    assert_eq!((in_zone(ClimaticZone::E), in_zone(ClimaticZone::F), piemonte.len()), (897, 309, 1206));
    let degree_days = || piemonte.iter().map(|p| p.degree_days);
    assert_eq!((degree_days().min(), degree_days().max()), (Some(2422), Some(5165)));
}

#[test]
fn zones_have_their_limits_and_seasons() {
    let catalog = catalog();
    let hours = ClimaticZone::ALL.map(|z| catalog.zone(z).unwrap().season.map(|s| s.hours_per_day));
    assert_eq!(hours, [Some(6), Some(8), Some(10), Some(12), Some(14), None]);
    for (degree_days, letter) in
        [(600, "A"), (601, "B"), (900, "B"), (901, "C"), (1400, "C"), (2100, "D"), (3000, "E"), (3001, "F")]
    {
        let zones = ClimaticZone::ALL.map(|z| catalog.zone(z).unwrap());
        let admitting: Vec<_> =
            zones.iter().filter(|z| z.admits(degree_days)).map(|z| z.zone.letter()).collect();
        assert_eq!(admitting, [letter], "{degree_days}");
    }
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let torino = catalog.zone(ClimaticZone::E).unwrap();
    assert!(torino.counts(day("2025-10-15")) && !torino.counts(day("2025-10-14")));
    assert!(torino.counts(day("2025-04-15")) && !torino.counts(day("2025-04-16")));
    assert!(catalog.zone(ClimaticZone::F).unwrap().counts(day("2025-07-01")));
}

#[test]
fn a_wrong_municipality_refuses_its_file() {
    let load = |text: &str| {
        let mut files = catalog().files;
        files.insert("places/it/own.toml".to_owned(), file(Cow::Owned(text.to_owned()), None));
        Catalog::from_files(files).map(|_| ()).map_err(|e| e.to_string())
    };
    let good = "source = \"annex\"\nplace = [\n  { istat = \"048017\", name = \"Firenze\", zone = \"D\", degree_days = 1821 },\n]\n";
    load(good).unwrap();
    for (from, to, says) in [
        ("1821", "2101", "own.toml:3: `place[1].istat`: Firenze has 2101 degree days, which is not zone D"),
        ("048017", "001272", "ISTAT code 001272 is \"Firenze\" already"),
        ("048017", "48017", "6 digits in quotes"),
        ("\"D\"", "\"G\"", "expected a climatic zone"),
        ("source = \"annex\"", "", "`source`: is missing"),
        ("degree_days = 1821", "gg = 1821", "`place[1].degree_days`: is missing"),
    ] {
        let error = load(&good.replace(from, to)).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    let zone = "source = \"s\"\n[[zone]]\nletter = \"A\"\nup_to = 600\n";
    assert!(load(zone).unwrap_err().contains("zone A is defined twice"));
    let season = format!("{zone}season = {{ from = \"02-29\", to = \"03-01\", hours_per_day = 6 }}\n");
    assert!(load(&season).unwrap_err().contains("a day of every year"));
}

#[test]
fn an_overlay_adds_and_replaces_files() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("factors/it");
    fs::create_dir_all(&own).unwrap();
    let text = "id = \"own\"\ntitle = \"Own\"\nsource = \"supplier\"\n[[carrier]]\ncarrier = \"district_heating\"\n\
                kwh_per_unit = 1\nprimary_nonrenewable = 0.4\n";
    fs::write(own.join("own.toml"), text).unwrap();
    fs::write(dir.path().join("notes.md"), "not read").unwrap();
    let catalog = Catalog::load(Some(dir.path())).unwrap();
    let set = catalog.factor_set(&FactorSetId::new("own").unwrap()).unwrap();
    assert_eq!(set.carriers[0].primary_nonrenewable, Some(0.4));
    let (_, file) = catalog.files_under("factors").find(|(name, _)| name.ends_with("own.toml")).unwrap();
    assert_eq!(file.path.as_deref(), Some(own.join("own.toml").as_path()));
    fs::write(own.join("own.toml"), text.replace("0.4", "-1")).unwrap();
    let error = Catalog::load(Some(dir.path())).unwrap_err().to_string();
    assert!(
        error.contains(
            "own.toml:7: `carrier[1].primary_nonrenewable`: expected a number from 0 to 10, found -1"
        ),
        "{error}"
    );
    fs::write(own.join("own.toml"), text.replace("\"own\"", "\"dm-2015-enea-cti\"")).unwrap();
    let error = Catalog::load(Some(dir.path())).unwrap_err().to_string();
    assert!(error.contains("factor set \"dm-2015-enea-cti\" is defined twice"), "{error}");
    assert!(Catalog::load(Some(&dir.path().join("none"))).is_err());
}

#[test]
fn each_wrong_scheme_is_refused_with_its_reason() {
    let good = "id = \"s\"\ntitle = \"S\"\ncitation = \"act\"\nauthority = \"who\"\n\
                default_factor_set = \"dm-2015-enea-cti\"\n[[obligation]]\nid = \"o\"\ntext = \"obligation.o\"\n\
                due = { rule = \"yearly\", month = 3, day = 31, counts_from = \"completion\", first_year = 1, \
                due_after_years = 1, years = 5 }\nsigner = \"project_lead\"\nchannel = \"PEC\"\ncitation = \"§1\"\n\
                [[kpi]]\ncode = \"k\"\ntext = \"kpi.k\"\nmeasure = \"co2_avoided\"\nunit = \"t\"\ntarget = \"declared\"\ncitation = \"§2\"\n";
    let load = |text: &str| {
        let mut files = catalog().files;
        files.insert("schemes/it/s.toml".to_owned(), file(Cow::Owned(text.to_owned()), None));
        Catalog::from_files(files).map(|_| ()).map_err(|e| e.to_string())
    };
    load(good).unwrap();
    for (from, to, says) in [
        ("month = 3", "month = 2", "does not exist in that month"),
        (", years = 5", "", "it is not clear how often it comes"),
        (", years = 5", ", years = 5, as_granted = true", "it is not clear how often it comes"),
        ("rule = \"yearly\"", "rule = \"monthly\"", "\"monthly\" is no rule"),
        ("\"completion\"", "\"the end\"", "expected one of completion, expenses_closed"),
        ("unit = \"t\"", "unit = \"GWh\"", "GWh is no unit of co2_avoided; use one of kg, t"),
        ("target = \"declared\"", "", "it is not clear what must be reached"),
        (
            "target = \"declared\"",
            "target = \"declared\"\nat_least = 1",
            "it is not clear what must be reached",
        ),
        ("code = \"k\"", "code = \"a-code-of-twenty-one-c\"", "the region's system takes 20"),
        (
            "code = \"k\"",
            "code = \"k\"\nexchange_code = \"a-code-of-twenty-one-c\"",
            "the region's system takes 20",
        ),
        ("measure = \"co2_avoided\"", "measure = \"co2\"", "expected a measure such as"),
        ("dm-2015-enea-cti", "dm-2016", "no factor set \"dm-2016\" in the catalogue"),
        ("authority", "authorty", "`authority`: is missing; add `authority`, or rename `authorty`"),
    ] {
        let error = load(&good.replace(from, to)).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    let twice = format!("{good}{}", good.split("citation = \"§1\"\n").nth(1).unwrap());
    assert!(load(&twice).unwrap_err().contains("code \"k\" is used twice"));
    // Two KPI that the region's system could not tell apart.
    let alike = format!("{good}{}", good.split("citation = \"§1\"\n").nth(1).unwrap());
    let alike = alike.replacen("code = \"k\"", "code = \"long\"\nexchange_code = \"k\"", 1);
    assert!(load(&alike).unwrap_err().contains("code \"k\" is used twice"));
    load(&alike.replace("exchange_code = \"k\"", "exchange_code = \"l\"")).unwrap();
}

#[test]
fn every_kpi_has_a_code_of_its_own_that_fits_the_regions_field() {
    for scheme in catalog().schemes() {
        let codes: Vec<&str> = scheme.kpis.iter().map(|k| scheme.exchange_code(&k.code)).collect();
        assert!(codes.iter().all(|c| (1..=20).contains(&c.chars().count())), "{codes:?}");
        let different: std::collections::BTreeSet<&&str> = codes.iter().collect();
        assert_eq!(different.len(), codes.len(), "{codes:?}");
    }
    let monet = scheme("piemonte-pr-fesr-2021-27-monet");
    assert_eq!(monet.exchange_code("risparmio-energia-primaria"), "risp-en-primaria");
    assert_eq!(monet.exchange_code("co2-evitata"), "co2-evitata");
}

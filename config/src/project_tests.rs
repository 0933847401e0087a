//! Project files: the example, and each wrong value with its message.
//!
//! Must never: depend on files outside the crate.

use super::*;

const EXAMPLE: &str = include_str!("../examples/project.toml");

fn catalog() -> Catalog {
    Catalog::embedded().unwrap_or_else(|error| panic!("{error}"))
}

fn parse(text: &str) -> Result<(Project, Vec<Finding>), Vec<String>> {
    parse_project(text, &catalog()).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn changed(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "the example has no {from:?}");
    EXAMPLE.replacen(from, to, 1)
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

#[test]
fn the_example_is_a_project() {
    let (project, findings) = parse(EXAMPLE).unwrap();
    let codes: Vec<_> = findings.iter().map(|f| f.code).collect();
    assert_eq!(codes, ["project.place.unknown"], "its municipality is invented");
    assert_eq!(project.facility, Some(Euro::from_euros(240_000)));
    assert_eq!(project.dates.baseline_to, day(2020, 1, 1), "first day after the last one written");
    assert_eq!(project.buildings[0].meters[1].carrier, Carrier::NaturalGas);
    assert_eq!(project.buildings[0].meters[0].wraps_at, Some(1_000_000_000_000));
    assert_eq!(project.declared.len(), 2);
    let scheme = catalog().scheme(&project.scheme).cloned().unwrap();
    let due = scheme.due_reports(&project, 10);
    assert_eq!((due.len(), due[0].year, due[0].due), (5, 2022, day(2023, 3, 31)));
}

#[test]
fn a_meters_calibration_has_a_day() {
    let key = "accuracy_class = \"B\"";
    let with = |more: &str| parse(&changed(key, &format!("{key}\n{more}")));
    let (project, _) = with("calibrated_on = 2023-05-12\ncertificate = \"LAT 042 n. 118\"").unwrap();
    let meters = &project.buildings[0].meters;
    let of = meters[0].calibration.as_ref().unwrap();
    assert_eq!((of.on, of.certificate.as_deref()), (day(2023, 5, 12), Some("LAT 042 n. 118")));
    assert_eq!(meters[1].calibration, None);
    let (project, _) = with("calibrated_on = 2023-05-12").unwrap();
    assert_eq!(project.buildings[0].meters[0].calibration.as_ref().unwrap().certificate, None);
    let refused = with("certificate = \"LAT 042 n. 118\"").unwrap_err();
    assert!(refused[0].contains("has no day"), "{refused:?}");
}

#[test]
fn the_monet_example_of_the_region_gives_its_due_day() {
    let text = changed("piemonte-por-fesr-2014-20-4c1", "piemonte-pr-fesr-2021-27-monet");
    let text = text.replace("# expenses_closed = 2021-12-20", "expenses_closed = 2024-09-30");
    let (project, findings) = parse(&text).unwrap();
    let scheme = catalog().scheme(&project.scheme).cloned().unwrap();
    let due = scheme.due_reports(&project, 5);
    assert_eq!((due[0].year, due[0].due), (2025, day(2026, 4, 30)));
    let codes: Vec<_> = findings.iter().map(|f| f.code).collect();
    let wanted = ["project.declared.missing", "project.place.unknown", "project.report_years.missing"];
    assert_eq!(codes, wanted, "the final energy saving is not declared, nor the number of years");
    // Stated in the project file, the number is known and nothing is asked.
    let text = text.replace("[beneficiary]", "[grant]\nreport_years = 3\n\n[beneficiary]");
    let (project, findings) = parse(&text).unwrap();
    assert!(findings.iter().all(|f| f.code != "project.report_years.missing"));
    assert_eq!(scheme.due_reports(&project, 10).len(), 3);
}

#[test]
fn a_campaign_funds_no_works_and_needs_no_days_of_them() {
    let text = changed("piemonte-por-fesr-2014-20-4c1", "mattm-audit-energetiche");
    let (before, _) = text.split_once("[[declared]]").unwrap();
    let without = |keys: &[&str]| -> String {
        let kept = before.lines().filter(|line| !keys.iter().any(|key| line.starts_with(key)));
        kept.flat_map(|line| [line, "\n"]).collect()
    };
    let neither = without(&["works_from", "completed"]);
    let (project, _) = parse(&neither).unwrap();
    assert_eq!((project.dates.works_from, project.dates.completed), (day(2020, 1, 1), day(2020, 1, 1)));
    let (project, _) = parse(&format!("{neither}\n[grant.dates]\nterm_to = 2020-04-30\n")).unwrap();
    assert_eq!((project.dates.works_from, project.dates.completed), (day(2020, 4, 30), day(2020, 4, 30)));
    // What is stated holds, and is checked as ever.
    let (project, _) = parse(before).unwrap();
    assert_eq!(project.dates, parse(EXAMPLE).unwrap().0.dates);
    let wrong =
        format!("{}\n", without(&["works_from"]).replace("completed = ", "completed = 2018-01-01 # "));
    assert!(parse(&wrong).unwrap_err()[0].contains("is before the day after baseline_to"), "{wrong}");
    // Another scheme funds works: both days are asked for.
    let refused = parse(&neither.replace("mattm-audit-energetiche", "mase-cse-2025")).unwrap_err();
    assert!(refused.iter().any(|r| r.contains("completed")), "{refused:?}");
}

#[test]
fn the_grant_its_subjects_and_statements() {
    let more = "[grant]\ncosts_eur = 600000.50\ngranted_costs_eur = 700000\ncig = [\"1234567CE7\", \"B123456789\"]\n\
                dates = { grant_notice = 2019-05-01, planned_completion = 2021-12-31 }\n\
                [[subject]]\nname = \"M. R.\"\ntax_code = \"RSSMRA80A01H501U\"\nrole = \"data_entry\"\n\
                email = \"ufficio@esempio.example\"\n\
                [[statement]]\nfact = \"not_oil_fired\"\nyes = true\nsource = \"RTES §3\"\n\
                [[statement]]\nfact = \"technical_costs_percent\"\nvalue = 9.5\nunit = \"%\"\nsource = \"QTE\"\n";
    let text = format!("{EXAMPLE}\n{more}");
    let (project, findings) = parse(&text).unwrap();
    let codes: Vec<_> = findings.iter().map(|f| f.code).collect();
    assert_eq!(codes, ["project.place.unknown", "project.cig.unusual"]);
    let provisional = text.replace("cup = \"C11G06000000001\"", "cup = \"PROV0000012345\"");
    let (_, findings) = parse(&provisional).unwrap();
    let told = findings.iter().find(|f| f.code == "project.cup.provisional").expect("it is told");
    assert!(told.severity == Severity::Caution && told.says.contains("PROV0000012345"), "{told:?}");
    let grant = &project.grant;
    assert_eq!(grant.costs, Some(Euro { cents: 60_000_050 }));
    assert_eq!(grant.granted_costs, Some(Euro { cents: 70_000_000 }));
    assert_eq!(project.events()[&model::Event::GrantNotice], day(2019, 5, 1));
    assert_eq!((grant.subjects.len(), grant.statements.len()), (1, 2));
    assert!(grant.subjects[0].enabled && (grant.statements[0].value - 1.0).abs() < 1e-9);
    for (from, to, says) in [
        ("RSSMRA80A01H501U", "RSSMRA80A01H501V", "a person's tax code whose check character is right"),
        ("\ncosts_eur = 600000.50", "", "costs as granted without the costs as they are now"),
        ("ufficio@esempio.example", "ufficio@esempio", "expected a mail address"),
        ("\"data_entry\"", "\"mayor\"", "\"data_entry\" or \"professional\""),
        ("yes = true", "value = 1", "not_oil_fired has no usable value; write `yes = true`"),
        ("unit = \"%\"", "unit = \"EUR\"", "technical_costs_percent has no usable value"),
        ("\"technical_costs_percent\"", "\"costs_eur\"", "costs_eur follows from the project file"),
        ("grant_notice", "grant_notices", "did you mean `grant_notice`?"),
    ] {
        assert!(more.contains(from), "{from}");
        let text = format!("{EXAMPLE}\n{}", more.replacen(from, to, 1));
        let problems = parse(&text).expect_err(says).join("\n");
        assert!(problems.contains(says), "{says}: {problems}");
    }
    let twice = "[[statement]]\nfact = \"not_oil_fired\"\nyes = false\nsource = \"QTE\"\n";
    let problems = parse(&format!("{text}{twice}")).expect_err("stated twice").join("\n");
    assert!(problems.contains("\"not_oil_fired\" is stated twice"), "{problems}");
}

/// What is changed in the example, into what, and what must be said.
const WRONG: &[(&str, &str, &str)] = &[
    ("cup = \"C11G06000000001\"", "cup = \"C11G0600000000\"", "`project.cup`: expected a CUP such as"),
    (
        "\"12345678903\"",
        "\"12345678901\"",
        "`beneficiary.tax_code`: expected a tax code or VAT number whose check digit is right",
    ),
    (
        "4c1\"",
        "4c2\"",
        "`project.scheme`: \"piemonte-por-fesr-2014-20-4c2\" is not in the catalogue; did you mean `piemonte-por-fesr-2014-20-4c1`?",
    ),
    (
        "\"dm-2015-enea-cti\"",
        "\"ispra\"",
        "`project.factor_set`: \"ispra\" is not in the catalogue; use one of dm-2015-enea-cti",
    ),
    ("facility_eur = 240000.00", "facility_eur = 0", "`project.facility_eur`: expected an amount in euro"),
    (
        "facility_eur = 240000.00",
        "facility_eur = 1.005",
        "`project.facility_eur`: expected an amount in euro",
    ),
    (
        "facility_eur = 240000.00",
        "",
        "`project.facility_eur`: is missing, and risparmio-su-agevolazione is computed with it",
    ),
    (
        "\"IT999E12345678\"",
        "\"IT999E1234567\"",
        "`building[1].meter[1].supply_point`: expected a POD such as",
    ),
    (
        "\"00880000000001\"",
        "\"880000000001\"",
        "`building[1].meter[2].supply_point`: expected a PDR of 14 digits",
    ),
    ("\"001999\"", "1999", "`building[1].istat_code`: expected the ISTAT code"),
    ("\"E.2\"", "\"E2\"", "`building[1].uses[1].category`: expected a use of DPR 412/93"),
    (
        "floor_area_m2 = 1800.0",
        "floor_area_m2 = 2800.0",
        "`building[1].uses`: the areas of the uses add up to 2800 m2",
    ),
    (
        "gross_volume_m3 = 7200.0",
        "gross_volume_m3 = 0",
        "`building[1].gross_volume_m3`: expected a gross conditioned volume in m3, above 0",
    ),
    ("ceiling_per_hour = 66.0", "", "`building[1].meter[1].ceiling_per_hour`: is missing"),
    (
        "ceiling_per_hour = 66.0",
        "ceiling_per_hour = 0",
        "`building[1].meter[1].ceiling_per_hour`: expected the most the connection can carry",
    ),
    (
        "id = \"municipio-gas\"",
        "id = \"municipio-elettrico\"",
        "`building[1].meter[2].id`: meter \"municipio-elettrico\" is already defined on line 57",
    ),
    (
        "carrier = \"natural_gas\"",
        "carrier = \"gas\"",
        "`building[1].meter[2].carrier`: expected an energy carrier",
    ),
    (
        "carrier = \"natural_gas\"\nsupply_point = \"00880000000001\"",
        "carrier = \"other\"",
        "`building`: factor set dm-2015-enea-cti has nothing for other",
    ),
    (
        "carrier = \"natural_gas\"",
        "carrier = \"natural_gas\"\ndirection = \"export\"",
        "`building[1].meter[2].direction`: natural_gas cannot have the direction \"export\"",
    ),
    (
        "baseline_to = 2019-12-31",
        "baseline_to = 2020-03-01",
        "`dates.works_from`: 2020-03-01 is before the day after baseline_to (2020-03-02)",
    ),
    (
        "completed = 2021-10-15",
        "completed = 2020-02-01",
        "`dates.completed`: 2020-02-01 is before works_from (2020-03-01)",
    ),
    (
        "completed = 2021-10-15",
        "completed = \"15/10/2021\"",
        "`dates.completed`: expected a date such as 2024-09-30",
    ),
    (
        "kpi = \"co2-evitata\"",
        "kpi = \"co2\"",
        "`declared[2].kpi`: \"co2\" is no KPI of piemonte-por-fesr-2014-20-4c1; use one of",
    ),
    (
        "kpi = \"co2-evitata\"",
        "kpi = \"risparmio-energia-primaria\"",
        "`declared`: \"risparmio-energia-primaria\" is declared twice",
    ),
    (
        "unit = \"MWh\"",
        "unit = \"GWh\"",
        "`declared[1].unit`: risparmio-energia-primaria is stated in MWh by the scheme, not in \"GWh\"",
    ),
    ("value = 21.0", "value = -21.0", "`declared[2].value`: expected a number from 0 on"),
    ("value = 21.0", "value = nan", "`declared[2].value`: expected a number from 0 on"),
    ("value = 21.0", "value = inf", "`declared[2].value`: expected a number from 0 on"),
    (
        "[beneficiary]",
        "[beneficiari]",
        "`beneficiary`: is missing; add `beneficiary`, or rename `beneficiari`",
    ),
];

#[test]
fn each_wrong_value_has_its_message() {
    for (from, to, expected) in WRONG {
        let problems = parse(&changed(from, to)).expect_err(to);
        assert!(problems.iter().any(|p| p.contains(expected)), "{to}: {problems:#?}");
        assert!(problems.iter().all(|p| p.contains("; ")), "no next step: {problems:#?}");
    }
}

#[test]
fn a_gas_meter_says_how_its_volume_becomes_standard() {
    let gas = |text: &str| {
        let at = "carrier = \"natural_gas\"";
        parse(&changed(at, &format!("{at}\ngas = {text}")))
    };
    let read = |text: &str| gas(text).unwrap().0.buildings[0].meters[1].gas.unwrap();
    assert_eq!(read("{ coefficient = 1.0175 }").coefficient.millionths(), 1_017_500);
    let torino = read("{ altitude_m = 239, degree_days = 2617, zone = \"E\" }");
    assert_eq!(torino.coefficient.to_string(), "1.017506");
    for (text, expected) in [
        (
            "{ }",
            "does not say the coefficient; give `coefficient`, or `altitude_m`, and `degree_days` and `zone` too where",
        ),
        ("{ coefficient = 1.0175, zone = \"E\" }", "does not say the coefficient"),
        ("{ coefficient = 1.01750641 }", "expected the coefficient C of the bill"),
        ("{ coefficient = 0.2 }", "expected the coefficient C of the bill"),
        (
            "{ altitude_m = 20, degree_days = 568, zone = \"A\" }",
            "the rule gives no days for climatic zone A",
        ),
        ("{ altitude_m = 20, degree_days = 568, zone = \"G\" }", "expected a climatic zone"),
        ("{ coeficient = 1.0 }", "is not a known key; did you mean `coefficient`?"),
    ] {
        let problems = gas(text).unwrap_err();
        assert!(problems.iter().any(|p| p.contains(expected)), "{text}: {problems:?}");
    }
    let wrong = parse(&changed(
        "carrier = \"grid_electricity\"",
        "carrier = \"grid_electricity\"\ngas = { coefficient = 1.0 }",
    ));
    assert!(wrong.unwrap_err()[0].contains("grid_electricity has no gas coefficient"));
}

#[test]
fn a_wrong_unit_of_a_known_kpi_and_a_wrong_cup_are_told_at_once() {
    let text = changed("unit = \"MWh\"", "unit = \"GWh\"")
        .replace("C11G06000000001", "C11G0600000000X")
        .replace("ceiling_per_hour = 25.0", "")
        .replace("title = ", "titel = ");
    let problems = parse(&text).unwrap_err();
    let keys: Vec<_> = problems.iter().map(|p| p.split('`').nth(1).unwrap_or("")).collect();
    assert_eq!(
        keys,
        [
            "project.title",
            "project.titel",
            "project.cup",
            "building[1].meter[2].ceiling_per_hour",
            "declared[1].unit"
        ]
    );
}

#[test]
fn a_missing_emission_factor_is_a_finding() {
    let text = changed("piemonte-por-fesr-2014-20-4c1", "emilia-romagna-por-fesr-2014-20-sanita");
    let text = text.split("[[declared]]").next().unwrap();
    let (_, findings) = parse(text).unwrap();
    let missing: Vec<_> = findings.iter().filter(|f| f.code == "project.factor.missing").collect();
    assert_eq!(missing.len(), 1);
    assert_eq!(
        missing[0].says,
        "dm-2015-enea-cti gives no pm10_g_per_gj for natural_gas, so 4.c.4 cannot be computed"
    );
}

#[test]
fn what_is_weak_is_a_finding() {
    let text = changed("baseline_from = 2019-01-01", "baseline_from = 2019-07-01")
        .replace("IT999E12345678", "IT999E1234567A")
        .replace("piemonte-por-fesr-2014-20-4c1", "piemonte-pr-fesr-2021-27-monet");
    let (_, findings) = parse(&text).unwrap();
    let codes: Vec<_> = findings.iter().map(|f| f.code).collect();
    assert_eq!(
        codes,
        [
            "project.baseline.short",
            "project.declared.missing",
            "project.expenses_closed.missing",
            "project.pod.unusual",
            "project.place.unknown"
        ]
    );
}

#[test]
fn code_and_name_of_a_municipality_agree() {
    for (name, code) in [("Torino", None), ("TORINO", None), ("Milano", Some("project.place.other"))] {
        let text = changed("\"001999\"", "\"001272\"")
            .replace("municipality = \"Esempio\"", &format!("municipality = \"{name}\""));
        let (_, findings) = parse(&text).unwrap();
        assert_eq!(findings.first().map(|f| f.code), code, "{name}");
        assert!(findings.iter().all(|f| f.severity == Severity::Caution));
    }
}

#[test]
fn a_file_that_is_no_project_is_refused() {
    assert_eq!(
        parse("").unwrap_err(),
        [
            "line 1: `beneficiary`: is missing; add `beneficiary = …` with a table",
            "line 1: `building`: is missing; add at least one [[building]]",
            "line 1: `dates`: is missing; add `dates = …` with a table",
            "line 1: `project`: is missing; add `project = …` with a table",
        ]
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.toml");
    std::fs::write(&file, EXAMPLE).unwrap();
    assert!(load_project(&file, &catalog()).is_ok());
    std::fs::write(&file, "[project").unwrap();
    let error = load_project(&file, &catalog()).unwrap_err().to_string();
    assert!(error.contains("p.toml:1: "), "{error}");
}

const TERMS: &str = r#"
[[factor]]
carrier = "natural_gas"
factor = "co2_kg_per_kwh"
value = 0.21
source = "certificato"

[[tariff]]
carrier = "natural_gas"
from = 2024-01-01
to = 2024-12-31
eur_per_unit = 0.854217
source = "contratto"

[[plant]]
name = "tetto"
carrier = "on_site_pv"
nominal_kw = 19.8
in_service = 2021-09-01
source = "collaudo"

[normalise]
reference = "legal"
"#;

#[test]
fn what_stands_beside_the_meters_is_read_exactly() {
    let (project, _) = parse(&format!("{EXAMPLE}{TERMS}")).unwrap();
    let terms = &project.terms;
    assert_eq!((terms.factors[0].kind, terms.factors[0].value), (model::FactorKind::Co2, 0.21));
    let tariff = &terms.tariffs[0];
    assert_eq!((tariff.microeuro_per_unit, tariff.to), (854_217, Some(day(2025, 1, 1))));
    assert_eq!(terms.plants[0].nominal_kw, 19.8);
    assert_eq!(terms.reference, model::ReferenceYear::Legal);
    let (plain, _) = parse(EXAMPLE).unwrap();
    assert_eq!(plain.terms, model::Terms::default());
}

#[test]
fn wrong_terms_are_refused_with_their_place() {
    for (from, to, says) in [
        ("value = 0.21", "value = 21", "from 0 to 10"),
        ("0.854217", "0.8542171", "at most six decimals"),
        ("to = 2024-12-31", "to = 2023-12-31", "is before `from`"),
        ("source = \"collaudo\"", "", "source"),
        ("\"legal\"", "\"mean\"", "\"typical\" or \"legal\""),
        ("from = 2024", "meter = \"nessuno\"\nfrom = 2024", "which is no meter of it here"),
        (
            "[normalise]",
            "[[stated]]\nkpi = \"x\"\nvalue = 1\nsource = \"s\"\n[normalise]",
            "no KPI of piemonte-por-fesr-2014-20-4c1 that a document states",
        ),
    ] {
        assert!(TERMS.contains(from), "{from}");
        let problems = parse(&format!("{EXAMPLE}{}", TERMS.replacen(from, to, 1))).unwrap_err();
        assert!(problems.iter().any(|p| p.contains(says)), "{to}: {problems:?}");
    }
}

#[test]
fn a_part_names_its_whole() {
    let part = "\n[[building.meter]]\nid = \"uffici\"\nname = \"Uffici\"\ncarrier = \"grid_electricity\"\n\
                role = \"sub\"\nparent = \"municipio-elettrico\"\nceiling_per_hour = 10.0\n";
    let with = |part: &str| EXAMPLE.replacen("\n[[declared]]", &format!("{part}\n[[declared]]"), 1);
    let (project, _) = parse(&with(part)).unwrap();
    let meter = &project.buildings[0].meters[2];
    assert_eq!(meter.parent.as_ref().map(model::MeterId::as_str), Some("municipio-elettrico"));
    for (from, to, says) in [
        ("municipio-elettrico", "nessuno", "no meter \"nessuno\""),
        ("municipio-elettrico", "municipio-gas", "measures natural_gas"),
        ("municipio-elettrico", "uffici", "a part of itself"),
        ("role = \"sub\"\n", "", "only a sub-meter"),
    ] {
        let problems = parse(&with(&part.replacen(from, to, 1))).unwrap_err();
        assert!(problems.iter().any(|p| p.contains(says)), "{to}: {problems:?}");
    }
}

#[test]
fn zero_is_a_declared_value_where_it_can_be() {
    for zero in ["0", "0.0", "-0.0"] {
        let value = parse(&changed("value = 21.0", &format!("value = {zero}"))).unwrap().0.declared[1].value;
        assert!(value == 0.0 && value.is_sign_positive(), "{zero}");
    }
    let head = EXAMPLE.split("[[declared]]").next().unwrap();
    let text = |scheme: &str, kpi: &str, unit: &str, more: &str| {
        let head = head.replace("piemonte-por-fesr-2014-20-4c1", scheme);
        parse(&format!(
            "{head}\n[[declared]]\nkpi = \"{kpi}\"\nvalue = 0\nunit = \"{unit}\"\nsource = \"diagnosi\"\n{more}\n"
        ))
    };
    // Parts of nothing: what one use saves another one takes, as it is rounded.
    let parts = |parts: &str| text("mattm-audit-energetiche", "potenziale-risparmio", "MWh", parts);
    let of_nothing = "by_carrier = { natural_gas = 0.3, district_heating = -0.1, grid_electricity = -0.2 }";
    assert_eq!(parts(of_nothing).unwrap().0.declared[0].by_carrier.len(), 3);
    let refused = parts("by_carrier = { natural_gas = 0.3, grid_electricity = -0.2 }").unwrap_err();
    assert!(refused.iter().any(|r| r.contains("and the value is 0")), "{refused:?}");
    // No building is without an area.
    let refused = text("pr-fesr-2021-27-indicatori-comuni", "RCO19", "m2", "").unwrap_err();
    assert!(refused.iter().any(|r| r.contains("`declared[1].value`: RCO19 cannot be 0")), "{refused:?}");
}

#[test]
fn a_declared_final_energy_may_be_split_by_carrier_and_the_parts_are_the_whole() {
    let with = |parts: &str| {
        let text = EXAMPLE
            .replace("piemonte-por-fesr-2014-20-4c1", "mattm-audit-energetiche")
            .split("[[declared]]")
            .next()
            .unwrap()
            .to_owned();
        parse(&format!(
            "{text}\n[[declared]]\nkpi = \"potenziale-risparmio\"\nvalue = 60.0\nunit = \"MWh\"\n\
             source = \"diagnosi §7\"\n{parts}\n"
        ))
    };
    let (project, _) = with("by_carrier = { natural_gas = 64.5, grid_electricity = -4.5 }").unwrap();
    let parts = &project.declared[0].by_carrier;
    assert_eq!(parts.len(), 2);
    assert!(
        parts.contains(&(Carrier::NaturalGas, 64.5)) && parts.contains(&(Carrier::GridElectricity, -4.5))
    );
    // To the decimals that a document prints, and no further.
    assert!(with("by_carrier = { natural_gas = 60.05 }").is_ok());
    assert!(with("").unwrap().0.declared[0].by_carrier.is_empty());
    for (parts, says) in [
        ("by_carrier = { natural_gas = 45.0 }", "the parts add up to 45, and the value is 60"),
        ("by_carrier = {}", "the parts add up to 0"),
        ("by_carrier = { methane = 60.0 }", "\"methane\" is no carrier with a number"),
        ("by_carrier = { natural_gas = \"60\" }", "\"natural_gas\" is no carrier with a number"),
        ("by_carrier = 60.0", "`declared[1].by_carrier`: expected a table"),
    ] {
        let refused = with(parts).unwrap_err();
        assert!(refused.iter().any(|r| r.contains(says)), "{parts}: {refused:?}");
    }
    let other = changed("value = 110.0", "value = 110.0\nby_carrier = { natural_gas = 110.0 }");
    let refused = parse(&other).unwrap_err();
    assert!(refused[0].contains("is no final energy"), "{refused:?}");
}

/// A school's year of two entries, before the meters of the example's building.
const SCHOOL: &str = "[[building.opening]]\nfrom = 2018-09-01\nseason = \"09-10..06-10\"\nweek = \"lun-ven\"\n\
                      hours_per_day = 8.5\nclosed = [\"12-23..01-06\", \"2019-03-04..2019-03-05\", \"2019-04-18\"]\n\
                      [[building.opening]]\nfrom = 2018-09-01\nto = 2026-08-31\nseason = \"06-11..09-09\"\n\
                      week = \"none\"\n";
const DRIVERS: &str = "[baseline]\nmethod = \"drivers\"\ndrivers = [\"opening_days\"]\n";

/// The example with a calendar and with terms.
fn opened(calendar: &str, terms: &str) -> String {
    let meter = "[[building.meter]]";
    format!("{}\n{terms}", changed(meter, &format!("{calendar}\n{meter}")))
}

#[test]
fn an_opening_calendar_is_read_exactly() {
    use model::{BaselineMethod, Stretch, UseDriver, YearDay};
    let (project, _) = parse(&opened(SCHOOL, DRIVERS)).unwrap();
    let [school, summer] = project.buildings[0].opening.as_slice() else { panic!("two entries") };
    let of = |month, day| YearDay::new(month, day).unwrap();
    assert_eq!((school.from, school.to), (day(2018, 9, 1), None));
    assert_eq!(school.season, Some(Stretch::EveryYear(of(9, 10), of(6, 10))));
    assert_eq!(school.week, [true, true, true, true, true, false, false]);
    assert!((school.hours_per_day - 8.5).abs() < 1e-12 && !school.open_on_holidays);
    let closed = [
        Stretch::EveryYear(of(12, 23), of(1, 6)),
        Stretch::Once(day(2019, 3, 4), day(2019, 3, 6)),
        Stretch::Once(day(2019, 4, 18), day(2019, 4, 19)),
    ];
    assert_eq!(school.closed, closed);
    assert_eq!((summer.to, summer.week, summer.hours_per_day), (Some(day(2026, 9, 1)), [false; 7], 0.0));
    let terms = (project.terms.baseline, project.terms.drivers.as_slice());
    assert_eq!(terms, (BaselineMethod::Drivers, &[UseDriver::OpeningDays][..]));
    let (project, _) = parse(EXAMPLE).unwrap();
    assert!(project.buildings[0].opening.is_empty() && project.terms.drivers.is_empty());
}

#[test]
fn a_wrong_calendar_is_refused_with_its_place() {
    for (from, to, says) in [
        ("from = 2018-09-01\nseason", "season", "`building[1].opening[1].from`: is missing"),
        ("\"lun-ven\"", "\"lun ven\"", "opening[1].week`: expected the open days such as \"lun-ven\""),
        ("\"lun-ven\"", "\"sempre\"", "opening[1].week`: expected the open days"),
        ("8.5", "25", "opening[1].hours_per_day`: expected hours of an open day"),
        ("hours_per_day = 8.5\n", "", "opening[1].hours_per_day`: is missing; add how many hours"),
        ("\"09-10..06-10\"", "\"09-31..06-10\"", "opening[1].season`: expected a part of every year"),
        ("2019-03-04..2019-03-05", "2019-03-05..2019-03-04", "closed`: \"2019-03-05..2019-03-04\" is no day"),
        ("week = \"none\"", "week = \"none\"\nhours_per_day = 3", "is given for a week without an open day"),
        (
            "06-11..09-09",
            "06-10..09-09",
            "opening[2].from`: 2019-06-10 is already stated by the entry on line",
        ),
        ("to = 2026-08-31", "to = 2017-08-31", "opening[2].to`: is before `from`"),
        ("closed = [", "holidays = \"maybe\"\nclosed = [", "holidays`: expected \"closed\" or \"open\""),
    ] {
        assert!(SCHOOL.contains(from), "{from}");
        let problems = parse(&opened(&SCHOOL.replacen(from, to, 1), DRIVERS)).expect_err(says).join("\n");
        assert!(problems.contains(says), "{says}: {problems}");
        assert!(to != "25" || !problems.contains("hours_per_day`: is missing"), "said once: {problems}");
    }
    for (terms, says) in [
        ("[baseline]\nmethod = \"drivers\"\n", "`baseline.drivers`: is missing"),
        ("[baseline]\ndrivers = [\"opening_days\"]\n", "are followed by the method of drivers only"),
        (
            "[baseline]\nmethod = \"drivers\"\ndrivers = [\"visitors\"]\n",
            "\"visitors\" is no driver, or is named twice; write a list of opening_days, opening_hours",
        ),
    ] {
        let problems = parse(&opened(SCHOOL, terms)).expect_err(says).join("\n");
        assert!(problems.contains(says), "{says}: {problems}");
    }
    let problems = parse(&opened("", DRIVERS)).expect_err("no calendar").join("\n");
    assert!(problems.contains("building \"municipio\" has no opening calendar"), "{problems}");
}

#[test]
fn days_out_of_order_are_refused_and_the_same_day_is_taken() {
    // The example's works were completed on 15 October 2021, and its balance was paid on 30 March 2022.
    let grant = |text: &str, dates: &str| format!("{text}\n[grant]\ndates = {{ {dates} }}\n");
    let closed =
        |day: &str| EXAMPLE.replace("# expenses_closed = 2021-12-20", &format!("expenses_closed = {day}"));
    let paid = |day: &str| EXAMPLE.replace("final_payment = 2022-03-30", &format!("final_payment = {day}"));
    for (wrong, says) in [
        (closed("2021-10-14"), "2021-10-14 is before completed (2021-10-15)"),
        (paid("2021-10-14"), "2021-10-14 is before completed (2021-10-15)"),
        (
            grant(EXAMPLE, "term_from = 2025-03-02, term_to = 2025-03-01"),
            "grant.dates.term_to`: term_to (2025-03-01) is before term_from (2025-03-02)",
        ),
        (
            grant(EXAMPLE, "grant_notice = 2022-03-31"),
            "grant.dates.grant_notice`: final_payment (2022-03-30) is before grant_notice (2022-03-31)",
        ),
        (
            grant(&closed("2021-12-20"), "grant_notice = 2021-12-21"),
            "expenses_closed (2021-12-20) is before grant_notice (2021-12-21)",
        ),
    ] {
        let problems = parse(&wrong).expect_err(says).join("\n");
        assert!(problems.contains(says), "{says}: {problems}");
    }
    for right in [
        closed("2021-10-15"),
        paid("2021-10-15"),
        grant(EXAMPLE, "term_from = 2025-03-01, term_to = 2025-03-01"),
        // Works may be over when the grant is notified.
        grant(&closed("2021-12-20"), "grant_notice = 2021-12-20"),
    ] {
        parse(&right).unwrap();
    }
}

#[test]
fn a_facility_that_the_costs_do_not_make_is_told_with_both_sums() {
    // 40 % and 50 % of a million and a half.
    let of = |stated: &str, costs: &str| {
        let text = EXAMPLE.replace("facility_eur = 240000.00", &format!("facility_eur = {stated}"));
        let (_, findings) = parse(&format!("{text}\n[grant]\ncosts_eur = {costs}\n")).unwrap();
        findings.into_iter().find(|f| f.code == "project.facility.unlike").map(|f| f.says)
    };
    let says = of("1000000", "1500000").unwrap();
    assert!(says.contains("1000000.00 EUR") && says.contains("1350000.00 EUR"), "{says}");
    assert_eq!(of("1350000", "1500000"), None);
    assert_eq!(of("1350001", "1500000"), None, "rounded to the euro");
    assert!(of("1350001.01", "1500000").is_some());
    assert_eq!(of("1000000", "900000"), None, "the call admits no such costs");
}

#[test]
fn one_cup_of_two_projects_is_told() {
    let (project, _) = parse(EXAMPLE).unwrap();
    let mut other = project.clone();
    assert_eq!(grant::shared_cups([&project, &other]), [], "the same project twice");
    other.id = ProjectId::new("altra").unwrap();
    let told = grant::shared_cups([&project, &other]);
    assert_eq!((told.len(), told[0].code, told[0].severity), (1, "project.cup.shared", Severity::Caution));
    assert!(told[0].says.contains(&format!("altra, {}", project.id)), "{}", told[0].says);
    other.cup = "PROV0000012345".to_owned();
    assert_eq!(grant::shared_cups([&project, &other]), []);
}

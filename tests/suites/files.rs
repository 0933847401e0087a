//! Files of distributors and of the regulator's portal, end to end: imported by the binary, seen in the months of the
//! structured file, rectified, refused.
//!
//! Must never: take an expected figure from the program under test; the case's README says where the month is from.

use std::fs;
use std::process::Output;

use model::{Channel, Instant, MeterId, Origin, Quality, Quantity, Reading, SeriesKey};
use serde_json::Value;
use tests::repo;
use tests::site::Site;

const CASE: &str = "tests/cases/load-curve-e-distribuzione";

fn case(file: &str) -> String {
    repo::root().join(CASE).join(file).display().to_string()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "exit {:?}:\n{}", output.status.code(), said(output));
    said(output)
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(6), "{}", said(output));
    said(output)
}

fn site() -> Site {
    let site = Site::new();
    done(&site.run(&["import", "project", &case("project.toml")]));
    site
}

fn write(site: &Site, name: &str, text: &str) -> String {
    let path = site.path().join(name);
    fs::write(&path, text).expect("a file can be written");
    path.display().to_string()
}

/// The rows of the report of 2024: of one meter by month.
fn row(site: &Site, meter: &str, month: u64) -> Value {
    let out = site.path().join("out");
    let out_text = out.display().to_string();
    done(&site.run(&[
        "report",
        "--project",
        "curva",
        "--year",
        "2024",
        "--until",
        "2025-01-01",
        "--out",
        &out_text,
    ]));
    let json = fs::read_dir(&out)
        .expect("the folder was written")
        .filter_map(Result::ok)
        .find(|entry| entry.path().extension().is_some_and(|e| e == "json"))
        .expect("the structured file is there");
    let file: Value = serde_json::from_slice(&fs::read(json.path()).expect("a file")).expect("JSON");
    file["rows"]
        .as_array()
        .expect("rows is a list")
        .iter()
        .find(|row| row["meter"] == meter && row["month"] == month)
        .cloned()
        .unwrap_or_else(|| panic!("no row of {meter} in month {month}"))
}

#[track_caller]
fn near(found: &Value, wanted: f64) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{found} is no number, {wanted} was expected"));
    assert!((found - wanted).abs() < 1e-6, "{found}, {wanted} was expected");
}

#[test]
fn a_load_curve_becomes_its_month() {
    let site = site();
    let import = |file: &str| site.run(&["import", "load-curve", file, "--meter", "luce"]);
    assert!(row(&site, "luce", 9)["measured"].is_null());
    let first = done(&import(&case("september.csv")));
    assert!(first.contains("quarter-hours: 2880 read, 2880 new, 0 already there, 0 replaced"), "{first}");
    assert!(first.contains("rows: 30 read, 0 refused\n"), "{first}");
    let september = row(&site, "luce", 9);
    near(&september["measured"], 269.281);
    near(&september["coverage_percent"], 100.0);
    assert!(row(&site, "luce", 10)["measured"].is_null(), "a month that no file names is not zero");
    let by_pod =
        done(&site.run(&["import", "load-curve", &case("september.csv"), "--pod", "IT999E12345678"]));
    assert!(by_pod.contains("2880 read, 0 new, 2880 already there, 0 replaced"), "{by_pod}");
}

/// The report of the first year says of a meter whose values come from files that nothing reads it.
#[test]
fn the_monitoring_system_is_described_as_it_is_configured() {
    let site = site();
    done(&site.run(&["import", "load-curve", &case("september.csv"), "--meter", "luce"]));
    let out = site.path().join("sistema").display().to_string();
    let report = ["system-report", "--project", "curva", "--until", "2024-10-01", "--out", &out];
    let said = done(&site.run(&report));
    let path = said
        .lines()
        .find(|l| l.ends_with("sistema-di-monitoraggio.pdf"))
        .expect("the file is named")
        .to_owned();
    let first = fs::read(&path).expect("the report was written");
    done(&site.run(&report));
    assert_eq!(fs::read(&path).expect("the report was written"), first, "same day, same bytes");
    let text = std::process::Command::new("pdftotext")
        .args(["-layout", &path, "-"])
        .output()
        .expect("pdftotext runs");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for words in ["01/10/2024", "distributore", "Nessun contatore è letto dal sistema"] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}

/// What one installation wrote, another one reads: the same month to the last digit, in every form of the file.
#[test]
fn a_structured_file_gives_its_months_back() {
    let from = site();
    done(&from.run(&["import", "load-curve", &case("september.csv"), "--meter", "luce"]));
    let first = row(&from, "luce", 9);
    for ending in ["misure-mensili-2024.xlsx", "2024.csv", "-plain.csv", ".xml", ".json"] {
        let to = site();
        let file = fs::read_dir(from.path().join("out"))
            .expect("the report was written")
            .filter_map(Result::ok)
            .find(|entry| entry.file_name().to_string_lossy().ends_with(ending))
            .unwrap_or_else(|| panic!("no {ending}"));
        let file = file.path().display().to_string();
        let text = done(&to.run(&["import", "structured", &file]));
        assert!(text.contains("months: "), "{text}");
        let again = done(&to.run(&["import", "structured", &file]));
        assert!(again.contains(" 0 new, 1 already there, 0 replaced"), "{ending}: {again}");
        let september = row(&to, "luce", 9);
        near(&september["measured"], 269.281);
        for field in
            ["source", "measured_low", "measured_high", "coverage_percent", "estimated_percent", "findings"]
        {
            assert_eq!(september[field], first[field], "{ending}: {field}");
        }
        assert!(row(&to, "luce", 10)["measured"].is_null(), "a month without a measurement is not zero");
    }
    let empty = Site::new();
    let file = from.path().join("out/misure-mensili-2024.xml").display().to_string();
    let text = refused(&empty.run(&["import", "structured", &file]));
    assert!(
        text.contains("no imported project of CUP C11G06000000001 has this meter and supply point"),
        "{text}"
    );
}

/// Files of the former version of the columns were sent for years: each form gives its months to the last digit.
#[test]
fn a_structured_file_of_version_1_gives_its_months_back() {
    let folder = repo::root().join("tests/cases/structured-file-1");
    for ending in [".xlsx", ".csv", "-plain.csv", ".xml", ".json"] {
        let to = site();
        let file = folder.join(format!("misure-mensili-2024{ending}")).display().to_string();
        done(&to.run(&["import", "structured", &file]));
        let again = done(&to.run(&["import", "structured", &file]));
        assert!(again.contains(" 0 new, 4 already there, 0 replaced"), "{ending}: {again}");
        let light = row(&to, "luce", 9);
        near(&light["measured"], 269.281);
        near(&light["coverage_percent"], 100.0);
        let gas = row(&to, "gas", 9);
        assert_eq!(gas["source"], "bills", "{ending}");
        for bound in ["measured", "measured_low", "measured_high"] {
            near(&gas[bound], 41.537);
        }
        assert!(row(&to, "luce", 10)["measured"].is_null(), "a month without a measurement is not zero");
    }
}

/// A file that somebody edited never makes a meter give back energy, and never says a month twice.
#[test]
fn an_edited_structured_file_is_refused_by_its_line() {
    let site = site();
    done(&site.run(&["import", "load-curve", &case("september.csv"), "--meter", "luce"]));
    row(&site, "luce", 9);
    let mut files = fs::read_dir(site.path().join("out"))
        .expect("the report was written")
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let file = files.find(|path| path.display().to_string().ends_with("-plain.csv")).expect("a CSV");
    let text = fs::read_to_string(file).expect("text");
    let at = text.find("269.281").expect("September");
    let line = 1 + text[..at].matches('\n').count();
    let says = |text: &str| refused(&site.run(&["import", "structured", &write(&site, "edited.csv", text)]));
    let negative = says(&text.replacen("269.281", "-269.281", 1));
    assert!(negative.contains(&format!("line {line}, column `quantita_misurata`")), "{negative}");
    let below = says(&text.replacen("269.281", "269.291", 1));
    assert!(below.contains(&format!("line {line}, column `quantita_massima`")), "{below}");
    let september = text.lines().find(|line| line.contains("269.281")).expect("September");
    let unit = says(&text.replacen(september, &september.replacen("kWh", "Smc", 1), 1));
    assert!(unit.contains(&format!("line {line}, column `unita_misura`, \"Smc\"")), "{unit}");
    assert!(unit.contains("the meter counts in kWh"), "{unit}");
    let twice = says(&format!("{text}{september}\r\n"));
    let last = text.lines().count() + 1;
    assert!(twice.contains(&format!("2 times, on the lines {line}, {last}")), "{twice}");
    assert!(twice.contains("2 of "), "{twice}");
}

#[test]
fn a_rectified_curve_replaces_and_the_former_file_does_not_undo_it() {
    let site = site();
    let good = fs::read_to_string(case("september.csv")).expect("the case has its month");
    done(&site.run(&["import", "load-curve", &case("september.csv"), "--meter", "luce"]));
    // The first quarter of the month: 0.139 becomes 0.239 kWh.
    let rectified = write(&site, "rettificata.csv", &good.replacen("\"0,139\"", "\"0,239\"", 1));
    let text = done(&site.run(&["import", "load-curve", &rectified, "--meter", "luce"]));
    assert!(text.contains("2880 read, 0 new, 2879 already there, 1 replaced"), "{text}");
    near(&row(&site, "luce", 9)["measured"], 269.381);
    let again = done(&site.run(&["import", "load-curve", &case("september.csv"), "--meter", "luce"]));
    assert!(again.contains("2879 already there, 0 replaced, 1 older than what is there"), "{again}");
    near(&row(&site, "luce", 9)["measured"], 269.381);
    site.journal().verify_audit().expect("the audit log is sound");
}

/// Half the month is missing: it is withheld, and neither zero nor a saving.
#[test]
fn missing_quarters_stay_missing() {
    let site = site();
    let good = fs::read_to_string(case("september.csv")).expect("the case has its month");
    let half: Vec<&str> = good.lines().take(16).collect();
    let file = write(&site, "mezzo.csv", &(half.join("\n") + "\n"));
    done(&site.run(&["import", "load-curve", &file, "--meter", "luce"]));
    let september = row(&site, "luce", 9);
    near(&september["coverage_percent"], 50.0);
    assert!(september["avoided"].is_null(), "{september}");
}

#[test]
fn a_garbled_cell_refuses_the_file_and_partial_takes_the_others() {
    let site = site();
    let good = fs::read_to_string(case("september.csv")).expect("the case has its month");
    let bad = write(&site, "guasta.csv", &good.replacen("\"0,139\"", "\"0,1x9\"", 1));
    let text = refused(&site.run(&["import", "load-curve", &bad, "--meter", "luce"]));
    assert!(text.contains("line 2, column `00:00-00:15`, \"0,1x9\": is no number"), "{text}");
    assert!(row(&site, "luce", 9)["measured"].is_null(), "nothing of a refused file is taken");
    let taken = done(&site.run(&["import", "load-curve", &bad, "--meter", "luce", "--partial"]));
    assert!(taken.contains("rows: 30 read, 1 refused\n"), "a day of 96 values is one row: {taken}");
    let covered = row(&site, "luce", 9)["coverage_percent"].as_f64();
    assert!(covered.is_some_and(|c| 99.9 < c && c <= 100.0), "{covered:?}");
    let text = refused(&site.run(&["import", "load-curve", &case("september.csv"), "--meter", "gas"]));
    assert!(text.contains("a load curve is electricity in kWh, and meter gas counts"), "{text}");
    let text = refused(&site.run(&["import", "load-curve", &case("september.csv"), "--meter", "nessuno"]));
    assert!(text.contains("no imported project has the meter nessuno"), "{text}");
}

const GAS: &str = "PDR;ANNOMESE_RIFERIMENTO;DATA LETTURA;DATA RICEZIONE;FLUSSO;MOTIVAZIONE;LETTURA\n";

fn gas_line(day: &str, received: &str, flow: &str, total: u32) -> String {
    format!("00990000000007;202409;{day};{received};{flow};4;{total:08}\n")
}

/// Gas is read in cubic metres at the meter: the readings are kept, rectified, and without a coefficient no month is
/// made of them.
#[test]
fn gas_readings_are_kept_and_rectified() {
    let site = site();
    let august = gas_line("2024-08-31", "2024-09-05", "TML", 1_000);
    let september = gas_line("2024-09-30", "2024-10-05", "TML", 1_100);
    let file = write(&site, "gas.csv", &format!("{GAS}{august}{september}"));
    let text = done(&site.run(&["import", "arera-gas", &file]));
    assert!(text.contains("2 read, 2 new, 0 already there, 0 replaced"), "{text}");
    let rectified = gas_line("2024-09-30", "2024-12-01", "RML", 1_120);
    let later = write(&site, "rettifica.csv", &format!("{GAS}{september}{rectified}"));
    let text = done(&site.run(&["import", "arera-gas", &later]));
    assert!(text.contains("2 read, 0 new, 0 already there, 1 replaced"), "{text}");
    // The first file again: what was received earlier stays what it was.
    let text = done(&site.run(&["import", "arera-gas", &file]));
    assert!(text.contains("0 new, 1 already there, 0 replaced, 1 older"), "{text}");
    let journal = site.journal();
    let key = model::SeriesKey {
        meter: model::MeterId::new("gas").expect("an id"),
        channel: model::Channel::total(model::Quantity::GasVolume),
    };
    let totals: Vec<i64> = journal
        .totals(&key, model::Instant::from_millis(i64::MAX))
        .expect("the totals are readable")
        .iter()
        .map(|total| total.total)
        .collect();
    assert_eq!(totals, [1_000_000, 1_120_000]);
    journal.verify_audit().expect("the audit log is sound");
    assert!(
        row(&site, "gas", 9)["measured"].is_null(),
        "cubic metres at the meter are no standard cubic metres"
    );
}

/// The same readings with the place of the meter: their months are standard cubic metres, by the coefficient of Torino
/// (239 m, 2617 degree days, zone E: C = 1.017506, the check value of the sources that docs/files.md names).
#[test]
fn gas_readings_become_months_of_standard_cubic_metres() {
    const C: f64 = 1.017_506;
    for (istat, gas) in [
        ("001999", "{ altitude_m = 239, degree_days = 2617, zone = \"E\" }"),
        // Of Torino the catalogue knows degree days and zone.
        ("001272", "{ altitude_m = 239 }"),
        ("001999", "{ coefficient = 1.017506 }"),
    ] {
        let site = Site::new();
        let text = fs::read_to_string(case("project.toml")).expect("the case has its project");
        let text = text
            .replace("001999", istat)
            .replace("\"natural_gas\"", &format!("\"natural_gas\"\ngas = {gas}"));
        let project = write(&site, "progetto.toml", &text);
        done(&site.run(&["import", "project", &project]));
        let lines = [
            gas_line("2024-08-31", "2024-09-05", "TML", 1_000),
            gas_line("2024-09-30", "2024-10-05", "TML", 1_100),
            gas_line("2024-10-31", "2024-11-05", "TML", 1_350),
        ];
        let file = write(&site, "gas.csv", &format!("{GAS}{}", lines.concat()));
        done(&site.run(&["import", "arera-gas", &file]));
        for (month, cubic_metres) in [(9, 100.0), (10, 250.0)] {
            let row = row(&site, "gas", month);
            // A total counts in litres.
            let found = row["measured"].as_f64().unwrap_or_else(|| panic!("{gas}: {row}"));
            assert!((found - cubic_metres * C).abs() <= 0.001, "{gas}: {found} in month {month}");
            assert_eq!(row["unit"], "Smc", "{row}");
        }
        let rectified = gas_line("2024-09-30", "2024-12-01", "RML", 1_120);
        let later = write(&site, "rettifica.csv", &format!("{GAS}{rectified}"));
        done(&site.run(&["import", "arera-gas", &later]));
        for (month, cubic_metres) in [(9, 120.0), (10, 230.0)] {
            let found = row(&site, "gas", month)["measured"].as_f64().expect("a number");
            assert!((found - cubic_metres * C).abs() <= 0.001, "{gas}: {found} in month {month}, rectified");
        }
        assert!(row(&site, "gas", 11)["measured"].is_null(), "no reading ends November");
    }
}

#[test]
fn a_portal_day_of_electricity_and_a_strange_supply_point() {
    let site = site();
    let names: Vec<String> = (1..=96).map(|i| format!("ea{i}")).collect();
    let header =
        format!("pod;data_lettura;data_ricezione;lettura_monoraria;tipo_flusso;{}\n", names.join(";"));
    let day = |pod: &str, day: u32| {
        format!("{pod};{day:02}/09/2024;05/10/2024;;PDO;{}\n", vec!["0.1"; 96].join(";"))
    };
    let rows: String = (1..=30).map(|d| day("IT999E12345678", d)).collect();
    let file = write(&site, "luce.csv", &format!("{header}{rows}"));
    let text = done(&site.run(&["import", "arera-electricity", &file]));
    assert!(text.contains("quarter-hours: 2880 read, 2880 new"), "{text}");
    near(&row(&site, "luce", 9)["measured"], 288.0);
    let strange = write(&site, "altra.csv", &format!("{header}{}", day("IT001E99999999", 1)));
    let text = refused(&site.run(&["import", "arera-electricity", &strange]));
    assert!(text.contains("line 2") && text.contains("is no supply point of any project"), "{text}");
}

#[test]
fn a_mapped_file_of_months_and_of_totals() {
    let site = site();
    let map = write(
        &site,
        "mappa.toml",
        "decimal = \",\"\nseparator = \";\"\nzone = \"Europe/Rome\"\n[time]\ncolumn = \"Mese\"\nformat = \"%m/%Y\"\n\
         [[value]]\ncolumn = \"Prelievo\"\nmeter = \"luce\"\nquantity = \"active_energy_import\"\nunit = \"MWh\"\n\
         kind = \"interval\"\nevery = \"month\"\nstamp = \"begin\"\n",
    );
    let file = write(&site, "mesi.csv", "Mese;Prelievo\n09/2024;0,321\n10/2024;\n11/2024;0\n");
    let text = done(&site.run(&["import", "csv", &file, "--map", &map]));
    assert!(text.contains("intervals: 2 read, 2 new"), "{text}");
    near(&row(&site, "luce", 9)["measured"], 321.0);
    assert!(row(&site, "luce", 10)["measured"].is_null(), "an empty cell is missing");
    near(&row(&site, "luce", 11)["measured"], 0.0);
    // The month's quarters say another energy: they are refused with both, until a person gives the reason.
    let curve = ["import", "load-curve", &case("september.csv"), "--meter", "luce"];
    let text = refused(&site.run(&curve));
    assert!(text.contains("line 2") && text.contains("gave 321000 from"), "{text}");
    assert!(text.contains("come to 269281") && text.contains("--replace"), "{text}");
    near(&row(&site, "luce", 9)["measured"], 321.0);
    let text = done(&site.run(&[&curve[..], &["--replace", "rettifica del distributore"]].concat()));
    assert!(text.contains("quarter-hours: 2880 read, 2880 new, 0 already there, 1 replaced"), "{text}");
    near(&row(&site, "luce", 9)["measured"], 269.281);
    site.journal().verify_audit().expect("the audit log is sound");
}

/// Values of which a file or a mapping tells that they are something else than the meter counts never reach it.
#[test]
fn what_another_meter_counts_is_refused_with_both_units() {
    let site = site();
    let text = refused(&site.run(&["import", "load-curve", &case("september.csv"), "--meter", "gas"]));
    assert!(text.contains("september.csv: a load curve is electricity in kWh"), "{text}");
    assert!(text.contains("meter gas counts gas_standard_volume in Smc"), "{text}");
    let mapping = |column: &str, meter: &str, quantity: &str, unit: &str| {
        let text = format!(
            "decimal = \",\"\nseparator = \";\"\nzone = \"Europe/Rome\"\n[time]\ncolumn = \"Data\"\n\
             format = \"%d/%m/%Y\"\n[[value]]\ncolumn = \"{column}\"\nmeter = \"{meter}\"\n\
             quantity = \"{quantity}\"\nunit = \"{unit}\"\nkind = \"total\"\n"
        );
        write(&site, "mappa.toml", &text)
    };
    for (meter, quantity, unit, says) in [
        (
            "gas",
            "active_energy_import",
            "kWh",
            "active_energy_import in kWh, and meter gas counts gas_standard_volume in Smc",
        ),
        (
            "luce",
            "water_volume",
            "m3",
            "water_volume in m3, and meter luce counts active_energy_import in kWh",
        ),
        (
            "luce",
            "heat_energy",
            "kWh",
            "heat_energy in kWh, and meter luce counts active_energy_import in kWh",
        ),
    ] {
        let map = mapping("Lettura", meter, quantity, unit);
        let file = write(&site, "letture.csv", "Data;Lettura\n01/02/2024;100\n");
        let text = refused(&site.run(&["import", "csv", &file, "--map", &map]));
        assert!(text.contains("mappa.toml, column `Lettura`") && text.contains(says), "{text}");
    }
    // The mapping fits the meter, and the file says another thing.
    let map = mapping("Lettura (MWh)", "luce", "active_energy_import", "kWh");
    let file = write(&site, "letture.csv", "Data;Lettura (MWh)\n01/02/2024;100\n");
    let text = refused(&site.run(&["import", "csv", &file, "--map", &map]));
    assert!(text.contains("letture.csv cannot be imported"), "{text}");
    assert!(
        text.contains("line 1, column `Lettura (MWh)`: the header says MWh, and the mapping says kWh"),
        "{text}"
    );
    assert_eq!(tests::journal::count(&site.journal(), "luce"), 0);
    // Gas at the meter is of a gas meter, in its own register.
    let map = mapping("Lettura (m3)", "gas", "gas_volume", "m3");
    let file = write(&site, "letture.csv", "Data;Lettura (m3)\n01/02/2024;100\n");
    let text = done(&site.run(&["import", "csv", &file, "--map", &map]));
    assert!(text.contains("totals: 1 read, 1 new"), "{text}");
}

#[test]
fn a_total_that_contradicts_an_earlier_file_is_refused_by_its_line() {
    let site = site();
    let map = write(
        &site,
        "mappa.toml",
        "decimal = \",\"\nseparator = \";\"\nzone = \"Europe/Rome\"\n[time]\ncolumn = \"Data\"\nhour_column = \"Ora\"\n\
         format = \"%d/%m/%Y %H:%M\"\n[[value]]\ncolumn = \"Lettura\"\nmeter = \"luce\"\n\
         quantity = \"active_energy_import\"\nunit = \"kWh\"\nkind = \"total\"\n",
    );
    let first = "Data;Ora;Lettura\n01/02/2024;10:00;100\n02/02/2024;10:00;110\n";
    let first = write(&site, "prima.csv", first);
    let text = done(&site.run(&["import", "csv", &first, "--map", &map]));
    assert!(text.contains("totals: 2 read, 2 new"), "{text}");
    let second = "Data;Ora;Lettura\n02/02/2024;10:00;120\n03/02/2024;10:00;130\n";
    let second = write(&site, "seconda.csv", second);
    let text = refused(&site.run(&["import", "csv", &second, "--map", &map]));
    assert!(text.contains("line 2, column `Lettura`, \"120.000 kWh\""), "{text}");
    assert!(text.contains("already says 110.000 kWh for 2024-02-02T09:00:00Z"), "{text}");
    assert_eq!(tests::journal::count(&site.journal(), "luce"), 2, "all of a file, or nothing");
    let text = done(&site.run(&["import", "csv", &second, "--map", &map, "--partial"]));
    assert!(text.contains("totals: 1 read, 1 new"), "{text}");
    assert_eq!(tests::journal::count(&site.journal(), "luce"), 3);
    // What came by another way is kept aside, and listed with what stands.
    let series = SeriesKey {
        meter: MeterId::new("luce").unwrap(),
        channel: Channel::total(Quantity::ActiveEnergyImport),
    };
    let at = Instant::parse_rfc3339("2024-02-02T09:00:00Z").unwrap();
    let other = Reading {
        series,
        observed_at: at,
        received_at: at,
        value: model::Value::Total(115_000),
        quality: Quality::Good,
        origin: Origin::File,
    };
    assert_eq!(site.journal().append_blocking(vec![other]).unwrap().conflicting, 1);
    let text = done(&site.run(&["counter", "list", "--meter", "luce"]));
    assert!(text.contains("luce@2024-02-02T09:00:00Z  another value was put aside"), "{text}");
    assert!(
        text.contains("kept      110.000 kWh") && text.contains("aside     115.000 kWh, received 2024-02-02"),
        "{text}"
    );
    let text = done(&site.run(&["counter", "list", "--meter", "luce", "--open"]));
    assert!(!text.contains("put aside"), "{text}");
    // The same file again changes nothing and says what it said.
    let text = done(&site.run(&["import", "csv", &first, "--map", &map]));
    assert!(text.contains("2 already there"), "{text}");
}

#[test]
fn a_finer_curve_takes_the_place_of_a_month_of_the_same_total() {
    let site = site();
    let map = write(
        &site,
        "mappa.toml",
        "decimal = \",\"\nseparator = \";\"\nzone = \"Europe/Rome\"\n[time]\ncolumn = \"Mese\"\nformat = \"%m/%Y\"\n\
         [[value]]\ncolumn = \"Prelievo\"\nmeter = \"luce\"\nquantity = \"active_energy_import\"\nunit = \"kWh\"\n\
         kind = \"interval\"\nevery = \"month\"\nstamp = \"begin\"\n",
    );
    let file = write(&site, "mesi.csv", "Mese;Prelievo\n08/2024;300\n09/2024;269\n");
    done(&site.run(&["import", "csv", &file, "--map", &map]));
    let curve = ["import", "load-curve", &case("september.csv"), "--meter", "luce"];
    let text = done(&site.run(&curve));
    assert!(text.contains("2880 new, 0 already there, 1 replaced"), "{text}");
    near(&row(&site, "luce", 9)["measured"], 269.281);
    let text = done(&site.run(&["import", "csv", &file, "--map", &map]));
    assert!(text.contains("intervals: 2 read, 0 new, 1 already there, 0 replaced, 1 older"), "{text}");
    near(&row(&site, "luce", 8)["measured"], 300.0);
    near(&row(&site, "luce", 9)["measured"], 269.281);
    site.journal().verify_audit().expect("the audit log is sound");
}

#[test]
fn a_bill_is_corrected_only_with_a_reason() {
    let site = site();
    let bill = |from: &str, to: &str, kwh: u32| {
        format!("pod;dal;al;quantita;um;tipo\nIT999E12345678;{from};{to};{kwh};kWh;letta\n")
    };
    let first = write(&site, "a.csv", &bill("2024-09-01", "2024-09-30", 300));
    done(&site.run(&["import", "bills", &first]));
    let other = write(&site, "b.csv", &bill("2024-09-01", "2024-09-30", 250));
    let text = refused(&site.run(&["import", "bills", &other]));
    assert!(text.contains("line 2") && text.contains("--replace"), "{text}");
    near(&row(&site, "luce", 9)["measured"], 300.0);
    let crossing = write(&site, "c.csv", &bill("2024-09-15", "2024-10-15", 250));
    let text = refused(&site.run(&["import", "bills", &crossing, "--replace", "conguaglio"]));
    assert!(text.contains("energy would count twice"), "{text}");
    let text = done(&site.run(&["import", "bills", &other, "--replace", "conguaglio di dicembre"]));
    assert!(text.contains("0 new, 0 already there, 1 replaced"), "{text}");
    near(&row(&site, "luce", 9)["measured"], 250.0);
    site.journal().verify_audit().expect("the audit log is sound");
}

#[test]
fn certificates_are_shown_and_compared_and_change_nothing() {
    let site = site();
    let ape = |area: &str, primary: &str| {
        format!(
            "<APE2015><datiAttestato><codiceIdentificativo>2019 1 0001</codiceIdentificativo></datiAttestato><datiGenerali>\
             <superficieUtileRiscaldata>{area}</superficieUtileRiscaldata></datiGenerali><prestazioneImpianti>\
             <epglnren>{primary}</epglnren></prestazioneImpianti></APE2015>"
        )
    };
    let before = write(&site, "ante.xml", &ape("95.00", "200.00"));
    let after = write(&site, "post.xml", &ape("95.00", "100.00"));
    let output = tests::daemon::run(&[
        "import",
        "ape",
        &before,
        "--after",
        &after,
        "--project",
        &case("project.toml"),
    ]);
    let text = done(&output);
    assert!(text.contains("floor_area_m2 = 95.0") && text.contains("ape_code = \"2019 1 0001\""), "{text}");
    assert!(text.contains("kpi = \"risparmio-energia-primaria\"\nvalue = 9.5\nunit = \"MWh\""), "{text}");
    assert!(
        text.contains("[ape.differs] building:edificio: floor_area_m2 is 90 in the project and 95"),
        "{text}"
    );
}

//! Mapped files: totals and intervals, times with and without a zone, bad mappings and bad cells.
//!
//! Must never: accept a cell that the mapping does not make plain.

use proptest::prelude::*;

use super::*;

const TOTALS: &str = r#"
separator = ";"
decimal = ","
header_rows = 2
zone = "Europe/Rome"
[time]
column = "Data"
hour_column = "Ora"
format = "%d/%m/%Y %H:%M"
[[value]]
column = "Calore"
meter = "heat-1"
quantity = "heat_energy"
unit = "MWh"
kind = "total"
[[value]]
column = 4
meter = "water-1"
quantity = "water_volume"
unit = "m3"
kind = "total"
"#;

const MONTHS: &str = r#"
decimal = "."
zone = "Europe/Rome"
[time]
column = "mese"
format = "%m/%Y"
[[value]]
column = "energia"
meter = "heat-1"
quantity = "heat_energy"
unit = "kWh"
kind = "interval"
every = "month"
stamp = "begin"
"#;

fn read(mapping: &str, text: &str) -> ImportReport<OnLine<OfSeries<Stated>>> {
    let mapping = read_mapping(mapping.as_bytes()).unwrap();
    read_mapped(text.as_bytes(), &mapping, &|_, millis| Some(millis / 36)).unwrap()
}

fn rows(report: &ImportReport<OnLine<OfSeries<Stated>>>) -> Vec<String> {
    let row = |on: &OnLine<OfSeries<Stated>>| match on.value.value {
        Stated::Total(t) => format!("{} {} {} = {}", on.line, on.value.series.meter, t.at, t.total),
        Stated::Interval(i) => {
            format!("{} {} {}..{} + {}", on.line, on.value.series.meter, i.from, i.to, i.amount)
        }
    };
    report.accepted.iter().map(row).collect()
}

#[test]
fn a_header_that_tells_another_unit_than_the_mapping_is_an_error_with_both() {
    let wanted = |column: &str, quantity: &str, unit: &str| {
        let mapping = MONTHS
            .replace("\"energia\"", &format!("\"{column}\""))
            .replace("heat_energy", quantity)
            .replace("unit = \"kWh\"", &format!("unit = \"{unit}\""));
        let mapping = read_mapping(mapping.as_bytes()).unwrap();
        let text = format!("mese,{column}\n01/2025,1\n");
        read_mapped(text.as_bytes(), &mapping, &|_, _| None).map(|report| report.accepted.len())
    };
    for (column, quantity, unit) in [
        ("Calore [MWh]", "heat_energy", "MWh"),
        ("Calore", "heat_energy", "GJ"),
        ("Gas (m³)", "gas_volume", "m3"),
        ("Gas (Smc)", "gas_standard_volume", "Smc"),
        ("Reattiva kvarh", "reactive_energy_import", "kvarh"),
    ] {
        assert_eq!(wanted(column, quantity, unit), Ok(1), "{column}");
    }
    for (column, quantity, unit, found) in [
        (
            "Calore [MWh]",
            "heat_energy",
            "kWh",
            "the header says MWh, and the mapping says kWh for heat_energy",
        ),
        ("Elettricità kWh", "gas_standard_volume", "Smc", "the header says kWh, and the mapping says Smc"),
        ("Acqua (m3)", "heat_energy", "kWh", "the header says m3, and the mapping says kWh"),
        ("Gas (m3)", "gas_standard_volume", "Smc", "the header says m3, and the mapping says Smc"),
        ("Energia kvarh", "active_energy_import", "kWh", "the header says kvarh, and the mapping says kWh"),
        ("Energia reattiva", "active_energy_import", "kWh", "the header says reactive energy"),
        ("Potenza (kW)", "active_energy_import", "kWh", "the header says kW, and the mapping says kWh"),
    ] {
        let error = wanted(column, quantity, unit).unwrap_err().to_string();
        assert!(error.starts_with(&format!("line 1, column `{column}`: {found}")), "{error}");
    }
}

#[test]
fn totals_of_two_meters_are_read_below_two_header_rows() {
    let report = read(
        TOTALS,
        "Impianto;Centrale 1;;\nData;Ora;Calore;Acqua\n01/02/2025;00:00;1.234,567;10,5\n01/02/2025;01:00;;10,6\n",
    );
    assert_eq!(
        rows(&report),
        [
            "3 heat-1 2025-01-31T23:00:00Z = 1234567000",
            "3 water-1 2025-01-31T23:00:00Z = 10500",
            "4 water-1 2025-02-01T00:00:00Z = 10600",
        ]
    );
    assert_eq!((report.read, report.refused.len(), report.findings[0].code), (3, 0, "import.values.missing"));
}

#[test]
fn intervals_of_months_end_where_the_next_begins() {
    let report = read(MONTHS, "mese,energia\n03/2025,1500.5\n02/2025,10\n");
    assert_eq!(
        rows(&report),
        [
            "3 heat-1 2025-01-31T23:00:00Z..2025-02-28T23:00:00Z + 10000",
            "2 heat-1 2025-02-28T23:00:00Z..2025-03-31T22:00:00Z + 1500500",
        ]
    );
}

#[test]
fn an_interval_may_end_in_a_column_of_its_own() {
    let mapping = MONTHS
        .replace(
            "column = \"mese\"\nformat = \"%m/%Y\"",
            "column = \"dal\"\nto_column = \"al\"\nformat = \"%Y-%m-%d\"",
        )
        .replace("every = \"month\"\nstamp = \"begin\"\n", "");
    let report = read(
        &mapping,
        "dal,al,energia\n2025-01-01,2025-01-31,5\n2025-01-31,2025-02-28,6\n2025-03-01,2025-02-01,7\n",
    );
    assert_eq!(rows(&report), Vec::<String>::new(), "two that overlap are both refused");
    let said: Vec<&str> = report.refused.iter().map(|r| r.reason.as_str()).collect();
    assert!(
        said[0].contains("overlaps that of line 3") && said[1].contains("overlaps that of line 2"),
        "{said:?}"
    );
    assert!(said[2].contains("ends before it begins"), "{said:?}");
}

#[test]
fn stamps_at_the_end_offsets_and_the_doubled_hour() {
    let mapping = |format: &str| {
        MONTHS
            .replace("%m/%Y", format)
            .replace("every = \"month\"\nstamp = \"begin\"", "every_minutes = 60\nstamp = \"end\"")
    };
    let local = read(&mapping("%Y-%m-%d %H:%M"), "mese,energia\n2025-10-26 02:00,1\n2025-10-26 04:00,2\n");
    assert_eq!(rows(&local), ["3 heat-1 2025-10-26T02:00:00Z..2025-10-26T03:00:00Z + 2000"]);
    assert_eq!(local.findings[0].code, "import.clock_change");
    let offset = read(
        &mapping("%Y-%m-%dT%H:%M%:z"),
        "mese,energia\n2025-10-26T02:00+02:00,1\n2025-10-26T02:00+01:00,2\n",
    );
    assert_eq!(offset.accepted.len(), 2);
    let skipped = read(&mapping("%Y-%m-%d %H:%M"), "mese,energia\n2025-03-30 02:30,1\n");
    assert!(skipped.refused[0].reason.contains("did not happen"), "{}", skipped.refused[0]);
}

#[test]
fn a_local_hour_that_comes_twice_in_order_is_told_apart() {
    let mapping = |minutes: u32| {
        MONTHS
            .replace("%m/%Y", "%Y-%m-%d %H:%M")
            .replace("every = \"month\"", &format!("every_minutes = {minutes}"))
    };
    let of = |day: &str, minutes: u32, clocks: &[&str]| {
        let rows: Vec<String> =
            clocks.iter().zip(1..).map(|(clock, amount)| format!("{day} {clock},{amount}\n")).collect();
        read(&mapping(minutes), &format!("mese,energia\n{}", rows.concat()))
    };
    let starts = |report: &ImportReport<OnLine<OfSeries<Stated>>>| -> Vec<String> {
        let interval = |on: &OnLine<OfSeries<Stated>>| match on.value.value {
            Stated::Interval(interval) => interval.from.utc().format("%H:%M").to_string(),
            Stated::Total(_) => "total".to_owned(),
        };
        report.accepted.iter().map(interval).collect()
    };
    for day in ["2024-10-27", "2025-10-26"] {
        let hourly = of(day, 60, &["01:00", "02:00", "02:00", "03:00"]);
        assert_eq!(
            (starts(&hourly), hourly.findings.len()),
            (["23:00", "00:00", "01:00", "02:00"].map(str::to_owned).into(), 0)
        );
        let halves = of(day, 30, &["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]);
        let wanted = ["23:30", "00:00", "00:30", "01:00", "01:30", "02:00"].map(str::to_owned);
        assert_eq!((starts(&halves), halves.findings.len()), (wanted.into(), 0));
        // Newest first.
        let back = of(day, 60, &["03:00", "02:00", "02:00", "01:00"]);
        let amounts: Vec<String> =
            rows(&back).iter().map(|row| row.rsplit(' ').next().unwrap().to_owned()).collect();
        assert_eq!((starts(&back).len(), back.findings.len()), (4, 0));
        assert_eq!(amounts, ["4000", "3000", "2000", "1000"]);
        // Once, out of order, a part of it, or every row twice: the file does not say.
        for unclear in [
            &["01:00", "02:00", "03:00"][..],
            &["01:30", "02:00", "02:30", "02:30", "02:00", "03:00"],
            &["01:30", "02:00", "02:30", "02:00", "03:00"],
            &["01:00", "01:00", "02:00", "02:00", "03:00", "03:00"],
        ] {
            let report = of(day, 30, unclear);
            assert!(report.findings.iter().any(|f| f.code == "import.clock_change"), "{unclear:?}");
        }
    }
    let short = of("2025-03-30", 60, &["01:00", "03:00"]);
    assert_eq!((starts(&short), short.findings.len()), (["00:00", "01:00"].map(str::to_owned).into(), 0));
}

#[test]
fn each_bad_cell_is_refused_with_its_line() {
    for (row, column, reason) in [
        ("13/2025,1", "mese", "is no time of the form %m/%Y"),
        ("01/2025,x", "energia", "is no number"),
        ("01/2025,-1", "energia", "is negative"),
        ("01/2025,\"1,5\"", "energia", "has a comma"),
        ("01/2025,99999999", "energia", "is more than the connection carries"),
        ("01/1870,1", "mese", "is outside the years"),
        ("01/2025", "", "the row has 1 cells"),
    ] {
        let report = read(MONTHS, &format!("mese,energia\n{row}\n"));
        assert_eq!((report.accepted.len(), report.refused.len()), (0, 1), "{row}");
        assert_eq!((report.refused[0].line, report.refused[0].column.as_str()), (2, column), "{row}");
        assert!(report.refused[0].reason.contains(reason), "{row}: {}", report.refused[0].reason);
    }
    let twice = read(MONTHS, "mese,energia\n01/2025,1\n01/2025,2\n01/2025,2\n");
    assert_eq!((twice.accepted.len(), twice.refused.len()), (0, 3));
    let same = read(MONTHS, "mese,energia\n01/2025,1\n01/2025,1.0\n");
    assert_eq!((same.accepted.len(), same.repeated), (1, 1));
}

#[test]
fn a_mapping_that_leaves_something_open_is_refused() {
    for (from, to, says) in [
        ("decimal = \".\"", "", "missing field `decimal`"),
        ("decimal = \".\"", "decimal = \"x\"", "`decimal` must be"),
        ("zone = \"Europe/Rome\"", "zone = \"Rome\"", "`zone` is no zone"),
        ("%m/%Y", "%Q", "`time.format` is no format"),
        ("unit = \"kWh\"", "unit = \"Smc\"", "\"Smc\" is no unit of heat_energy"),
        ("heat_energy", "active_power", "is no energy, volume or mass"),
        ("kind = \"interval\"", "kind = \"power\"", "must be \"total\" or \"interval\""),
        ("stamp = \"begin\"", "", "must be \"begin\" or \"end\""),
        ("every = \"month\"", "every = \"week\"", "must be \"day\" or \"month\""),
        ("decimal", "decimale", "unknown field `decimale`"),
        ("meter = \"heat-1\"", "meter = \"Heat 1\"", "is not a meter id"),
    ] {
        let error = read_mapping(MONTHS.replace(from, to).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{from} -> {to}: {error}");
    }
    let mapping = read_mapping(MONTHS.as_bytes()).unwrap();
    let error = read_mapped(b"mese,altro\n", &mapping, &|_, _| None).unwrap_err().to_string();
    assert!(error.contains("the file has no column \"energia\", but mese, altro"), "{error}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..400), format in "[%a-zA-Z:/ -]{1,12}"
    ) {
        let _outcome = read_mapping(&bytes).is_ok();
        let mapping = MONTHS.replace("%m/%Y", &format);
        if let Ok(mapping) = read_mapping(mapping.as_bytes()) {
            let _outcome = read_mapped(&bytes, &mapping, &|_, _| None).is_ok();
            let mut text = b"mese,energia\n".to_vec();
            text.extend(&bytes);
            let _outcome = read_mapped(&text, &mapping, &|_, _| None).is_ok();
        }
    }

    #[test]
    fn accepted_intervals_never_overlap(days in proptest::collection::vec((1_u32..28, 1_u32..28, 0_u32..3), 0..12)) {
        let mapping = MONTHS
            .replace("column = \"mese\"\nformat = \"%m/%Y\"", "column = \"dal\"\nto_column = \"al\"\nformat = \"%Y-%m-%d\"")
            .replace("every = \"month\"\nstamp = \"begin\"\n", "");
        let rows: String = days.iter().map(|(a, b, v)| format!("2025-01-{a:02},2025-01-{b:02},{v}\n")).collect();
        let report = read(&mapping, &format!("dal,al,energia\n{rows}"));
        let mut spans: Vec<_> = report.accepted.iter().filter_map(|on| match on.value.value {
            Stated::Interval(i) => Some((i.from, i.to)),
            Stated::Total(_) => None,
        }).collect();
        spans.sort_unstable();
        prop_assert!(spans.windows(2).all(|w| w[0].1 <= w[1].0));
    }
}

//! Load curves: the known month, the days of the clock change, each bad cell with its message, and arbitrary bytes.
//!
//! Must never: take an empty cell for zero.

use proptest::prelude::*;

use super::*;

const ROME: Zone = Zone::Europe__Rome;
const OPTIONS: CurveOptions<'_> = CurveOptions {
    zone: ROME,
    supply_point: None,
    curve: None,
    direction: None,
    ceiling_kwh_per_hour: Some(10.0),
};

fn import(text: &str) -> ImportReport<OnLine<StatedInterval>> {
    read_load_curve(text.as_bytes(), &OPTIONS).unwrap()
}

fn sum(report: &ImportReport<OnLine<StatedInterval>>) -> i64 {
    report.accepted.iter().map(|on| on.value.amount).sum()
}

/// A wide file: the day, then as many cells as there are columns.
fn wide(columns: usize, rows: &[(&str, Vec<String>)]) -> String {
    let labels: Vec<String> = (0..columns).map(quarters::label).collect();
    let mut text = format!("Giorno;{}\n", labels.join(";"));
    for (day, cells) in rows {
        text.push_str(&format!(
            "\"{day}\";{};\n",
            cells.iter().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(";")
        ));
    }
    text
}

fn cells(columns: usize, value: impl Fn(usize) -> &'static str) -> Vec<String> {
    (0..columns).map(|i| value(i).to_owned()).collect()
}

#[test]
fn the_known_month_has_its_values_and_its_sum() {
    let bytes = include_bytes!("../../../tests/cases/load-curve-e-distribuzione/september.csv");
    let report = read_load_curve(bytes, &OPTIONS).unwrap();
    assert_eq!((report.read, report.accepted.len(), report.repeated), (2_880, 2_880, 0));
    assert_eq!((report.refused.as_slice(), report.findings.as_slice()), (&[][..], &[][..]));
    assert_eq!(sum(&report), 269_281);
    let (first, last) = (report.accepted[0].value, report.accepted[2_879].value);
    assert_eq!((first.from.to_string().as_str(), first.amount), ("2024-08-31T22:00:00Z", 139));
    assert_eq!(last.to.to_string(), "2024-09-30T22:00:00Z");
    assert!(report.accepted.windows(2).all(|w| w[0].value.to == w[1].value.from));
}

#[test]
fn bom_crlf_points_iso_days_and_tabs_are_read_alike() {
    let plain = import(&wide(96, &[("2024-09-01", cells(96, |_| "0,25"))]));
    assert_eq!((plain.accepted.len(), sum(&plain)), (96, 24_000));
    let crlf =
        format!("\u{feff}{}", wide(96, &[("01/09/2024", cells(96, |_| "0,25"))]).replace('\n', "\r\n"));
    let point = wide(96, &[("2024-09-01", cells(96, |_| "0.250"))]).replace('"', "");
    let comma_separated = point.replace(';', ",");
    let tabs = point.replace(';', "\t");
    for text in [crlf, point, comma_separated, tabs] {
        assert_eq!(import(&text).accepted, plain.accepted, "{text:.60}");
    }
}

#[test]
fn an_empty_cell_is_missing_and_a_zero_is_a_value() {
    let report = import(&wide(96, &[("01/09/2024", cells(96, |i| ["0", "", "0,1"][i.min(2)]))]));
    assert_eq!((report.read, report.accepted.len(), sum(&report)), (95, 95, 9_400));
    assert!(report.accepted.iter().all(|on| on.value.from.to_string() != "2024-08-31T22:15:00Z"));
    assert_eq!(report.findings[0].code, "import.values.missing");
    let report = import(&wide(96, &[("01/09/2024", cells(96, |_| "1")), ("04/09/2024", cells(96, |_| "1"))]));
    assert_eq!(
        report.findings[0].says,
        "2 days in the middle of the file are not there, the first is 2024-09-02"
    );
}

#[test]
fn each_bad_cell_is_refused_with_its_line_and_never_zero() {
    for (cell, reason) in [
        ("n.d.", "is no number"),
        ("-0,1", "is negative"),
        ("0,1,2", "is no number"),
        ("1.234", "can mean 1234 or 1,234"),
        ("2,6", "is more than the connection carries in a quarter of an hour (10 kW)"),
        ("1e3", "is no number"),
        ("NaN", "is no number"),
    ] {
        let cell = cell.to_owned().leak();
        // A second row with a comma makes plain how the file writes numbers.
        let text = wide(
            96,
            &[
                ("01/09/2024", cells(96, |i| if i == 40 { cell } else { "" })),
                ("02/09/2024", cells(96, |_| "0,1")),
            ],
        );
        let report = import(&text);
        assert_eq!((report.accepted.len(), report.refused.len()), (96, 1), "{cell}");
        let refused = &report.refused[0];
        assert_eq!(
            (refused.line, refused.column.as_str(), refused.value.as_str()),
            (2, "10:00-10:15", &*cell)
        );
        assert!(refused.reason.contains(reason), "{cell}: {}", refused.reason);
    }
    let report = import(&wide(96, &[("31/09/2024", cells(96, |_| "1"))]));
    assert!(report.refused[0].reason.starts_with("is no day of the calendar"), "{}", report.refused[0]);
}

#[test]
fn on_the_short_day_the_skipped_hour_must_be_empty() {
    for skipped in ["", "0"] {
        let row = cells(96, |i| if (8..12).contains(&i) { skipped } else { "1" });
        let report = import(&wide(96, &[("30/03/2025", row)]));
        assert_eq!(
            (report.accepted.len(), report.refused.len(), sum(&report)),
            (92, 0, 92_000),
            "{skipped:?}"
        );
        assert!(report.accepted.windows(2).all(|w| w[0].value.to == w[1].value.from));
    }
    let report = import(&wide(96, &[("30/03/2025", cells(96, |_| "1"))]));
    assert_eq!((report.accepted.len(), report.refused.len()), (92, 4));
    assert_eq!(report.refused[0].column, "02:00-02:15");
    assert!(report.refused[0].reason.contains("this day does not have"));
}

#[test]
fn on_the_long_day_what_is_not_told_is_not_covered() {
    let report = import(&wide(96, &[("26/10/2025", cells(96, |_| "1"))]));
    assert_eq!((report.accepted.len(), report.refused.len(), sum(&report)), (92, 0, 92_000));
    let covered: i64 = report.accepted.iter().map(|on| on.value.to.millis() - on.value.from.millis()).sum();
    assert_eq!(covered, 23 * 3_600_000, "two of twenty-five hours stay missing");
    assert_eq!(report.findings[0].code, "import.clock_change");
    let report = import(&wide(
        100,
        &[("26/10/2025", cells(100, |_| "1")), ("27/10/2025", cells(100, |i| if i < 96 { "1" } else { "" }))],
    ));
    assert_eq!((report.accepted.len(), report.refused.len(), report.findings.len()), (196, 0, 0));
    assert!(report.accepted.windows(2).all(|w| w[0].value.to == w[1].value.from));
}

/// The columns of a day as exports label them, with the hour that comes twice at the end, in its place, or counted on.
fn labelled(order: &str) -> Vec<usize> {
    match order {
        "at the end" => (0..96).chain(8..12).collect(),
        "in its place" => (0..12).chain(8..96).collect(),
        _ => (0..100).collect(),
    }
}

#[test]
fn every_way_to_label_the_days_of_the_clock_change_is_read_without_a_false_word() {
    let file = |columns: &[usize], day: &str, cell: &dyn Fn(usize) -> String| {
        let labels: Vec<String> = columns.iter().map(|&i| quarters::label(i)).collect();
        let cells: Vec<String> = (0..columns.len()).map(cell).collect();
        import(&format!("Giorno;{}\n{day};{}\n", labels.join(";"), cells.join(";")))
    };
    for day in ["2024-10-27", "2025-10-26"] {
        for order in ["at the end", "in its place", "counted on"] {
            let report = file(&labelled(order), day, &|i| format!("0,{:03}", i + 1));
            assert_eq!(
                (report.accepted.len(), report.refused.len(), &report.findings[..]),
                (100, 0, &[][..])
            );
            assert_eq!(sum(&report), 5_050);
            let mut begins: Vec<i64> = report.accepted.iter().map(|on| on.value.from.millis()).collect();
            begins.sort_unstable();
            assert!(begins.windows(2).all(|w| w[0] + quarters::MILLIS == w[1]), "{day} {order}");
        }
    }
    // The repeated hour stands where it belongs, whichever column says it.
    let at = |order: &str, cell: usize| {
        let report = file(&labelled(order), "2025-10-26", &|i| format!("0,{:03}", i + 1));
        let found = report.accepted.iter().find(|on| on.value.amount == cell as i64 + 1).unwrap();
        found.value.from.utc().format("%H:%M").to_string()
    };
    assert_eq!(
        [at("in its place", 8), at("in its place", 12), at("in its place", 16)],
        ["00:00", "01:00", "02:00"]
    );
    assert_eq!(
        [at("at the end", 8), at("at the end", 96), at("at the end", 12)],
        ["00:00", "01:00", "02:00"]
    );
    // Other days in such a file leave the further columns empty, or fill them with zeros.
    for order in ["at the end", "in its place", "counted on"] {
        let columns = labelled(order);
        let extra = |i: usize| match order {
            "in its place" => (12..16).contains(&i),
            _ => 96 <= i,
        };
        for filler in ["", "0"] {
            let cell = |i: usize| if extra(i) { filler.to_owned() } else { "1".to_owned() };
            let report = file(&columns, "2025-10-27", &cell);
            assert_eq!(
                (report.accepted.len(), report.refused.len(), report.findings.len()),
                (96, 0, 0),
                "{order}"
            );
        }
    }
    for cell in ["1", "0"] {
        let short = |i: usize| if i < 92 { cell.to_owned() } else { String::new() };
        let report = file(&(0..96).collect::<Vec<_>>(), "2025-03-30", &short);
        assert_eq!(
            (report.accepted.len(), report.refused.len(), report.findings.len()),
            (92, 0, 0),
            "{cell}"
        );
    }
    let wrong: Vec<usize> = (0..96).chain([8, 9, 10, 12]).collect();
    let labels: Vec<String> = wrong.iter().map(|&i| quarters::label(i)).collect();
    let error = read_load_curve(format!("Giorno;{}\n", labels.join(";")).as_bytes(), &OPTIONS).unwrap_err();
    assert!(error.to_string().contains("one hour in order, or none, is known"), "{error}");
}

#[test]
fn a_day_given_twice_counts_once_or_not_at_all() {
    let one = ("01/09/2024", cells(96, |_| "1"));
    let report = import(&wide(96, &[one.clone(), one.clone()]));
    assert_eq!((report.accepted.len(), report.repeated, report.refused.len()), (96, 96, 0));
    let report = import(&wide(96, &[one, ("01/09/2024", cells(96, |_| "2"))]));
    assert_eq!((report.accepted.len(), report.refused.len()), (0, 2));
    assert!(report.refused[0].reason.contains("lines 2 and 3 give this day different values"));
}

#[test]
fn rows_of_another_supply_point_or_curve_are_not_taken() {
    let header: Vec<String> = (0..96).map(quarters::label).collect();
    let row = |pod: &str, curve: &str| format!("{pod};01/09/2024;{curve};{}\n", vec!["1"; 96].join(";"));
    let text = format!("POD;Giorno;curva;{}\n{}", header.join(";"), row("IT001E12345678", "F1"));
    let pod = CurveOptions { supply_point: Some("IT001E12345678"), ..OPTIONS };
    assert_eq!(read_load_curve(text.as_bytes(), &pod).unwrap().accepted.len(), 96);
    let other = CurveOptions { supply_point: Some("IT001E87654321"), ..OPTIONS };
    let report = read_load_curve(text.as_bytes(), &other).unwrap();
    assert_eq!((report.accepted.len(), report.refused[0].column.as_str()), (0, "POD"));
    let two = format!("{text}{}", row("IT001E12345678", "F2"));
    let error = read_load_curve(two.as_bytes(), &pod).unwrap_err().to_string();
    assert!(error.contains("say which one with --curve"), "{error}");
    let chosen = CurveOptions { curve: Some("f2"), ..pod };
    assert_eq!(read_load_curve(two.as_bytes(), &chosen).unwrap().accepted.len(), 96);
}

#[test]
fn a_curve_of_another_energy_unit_or_direction_is_refused_by_its_line() {
    let header: Vec<String> = (0..96).map(quarters::label).collect();
    let file = |curve: &str, unit: &str| {
        let cells = vec!["1"; 96].join(";");
        format!("Giorno;curva;um;{}\n01/09/2024;{curve};{unit};{cells}\n", header.join(";"))
    };
    let drawn = CurveOptions { direction: Some(Direction::Import), ..OPTIONS };
    let read = |curve, unit, options: &CurveOptions<'_>| {
        read_load_curve(file(curve, unit).as_bytes(), options).unwrap()
    };
    for (curve, unit) in [("", ""), ("Attiva prelevata", "kWh"), ("A+", "KWH"), ("F1", "")] {
        assert_eq!(read(curve, unit, &drawn).accepted.len(), 96, "{curve} {unit}");
    }
    assert_eq!(read("Attiva immessa", "kWh", &OPTIONS).accepted.len(), 96, "the meter's way is not known");
    for (curve, unit, column, why) in [
        (
            "Attiva",
            "MWh",
            "um",
            "says that the values are in MWh, and kWh are wanted; export the curve in kWh",
        ),
        ("Attiva", "kvarh", "um", "says that the values are in kvarh, and kWh are wanted"),
        ("Attiva", "quintali", "um", "is no unit that is known, and kWh are wanted"),
        ("Reattiva induttiva", "", "curva", "is reactive energy (kvarh), and active energy (kWh) is wanted"),
        ("Attiva immessa", "", "curva", "is energy of the direction export, and the meter's is import"),
    ] {
        let report = read(curve, unit, &drawn);
        assert_eq!((report.accepted.len(), report.refused.len()), (0, 1), "{curve} {unit}");
        let told = &report.refused[0];
        assert_eq!((told.line, told.column.as_str()), (2, column));
        assert!(told.reason.contains(why), "{told}");
    }
    // Of a file with both curves the one that is named counts.
    let cells = vec!["1"; 96].join(";");
    let both = format!("{}02/09/2024;Reattiva;;{cells}\n", file("Attiva", ""));
    let named = CurveOptions { curve: Some("attiva"), ..drawn };
    let report = read_load_curve(both.as_bytes(), &named).unwrap();
    assert_eq!((report.accepted.len(), report.refused.len()), (96, 0));
    let wrong = CurveOptions { curve: Some("reattiva"), ..drawn };
    assert!(
        read_load_curve(both.as_bytes(), &wrong).unwrap().accepted.is_empty(),
        "naming it makes it no other"
    );
}

#[test]
fn a_quarter_a_row_is_read_too() {
    let text =
        "Data;Ora;Consumo\n01/09/2024;00:00-00:15;0,1\n01/09/2024;00:15-00:30;0,2\n01/09/2024;00:30;0,3\n";
    let report = import(text);
    assert_eq!((report.accepted.len(), sum(&report), report.refused.len()), (2, 300, 1));
    assert!(report.refused[0].reason.contains("may begin or end it"), "{}", report.refused[0]);
    // The hour that comes twice comes twice.
    let mut long = "Data;Ora;Consumo\n".to_owned();
    for i in (0..12).chain(8..96) {
        long.push_str(&format!("26/10/2025;{};1\n", quarters::label(i)));
    }
    let report = import(&long);
    assert_eq!((report.accepted.len(), report.refused.len(), report.findings.len()), (100, 0, 0));
    let twice =
        "Data;Ora;Consumo\n01/09/2024;00:00-00:15;1\n01/09/2024;00:00-00:15;2\n01/09/2024;00:00-00:15;2\n";
    let report = import(twice);
    assert_eq!((report.accepted.len(), report.refused.len()), (0, 3));
}

#[test]
fn files_of_another_kind_are_errors() {
    let error = |text: &str| read_load_curve(text.as_bytes(), &OPTIONS).unwrap_err().to_string();
    assert!(error("").starts_with("the file is empty"));
    assert!(error("pod;dal;al\n").contains("no column for day"));
    assert!(error("Giorno;00:00-00:15\n").contains("it lacks the column 00:15-00:30"));
    assert!(error("Giorno;00:15-00:30\n").contains("the column 00:00-00:15 was expected"));
    let garbage =
        format!("{}{}", wide(96, &[]), format!("01/09/2024;{}\n", vec!["x"; 96].join(";")).repeat(200));
    assert!(error(&garbage).starts_with("more than 10000 rows or cells cannot be read, the first on line 2"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _outcome = read_load_curve(&bytes, &OPTIONS).is_ok();
    }

    /// Whatever the cells, no two accepted intervals overlap, none is of a cell that is no number, and nothing is
    /// accepted on the day of the clock change that the day does not have.
    #[test]
    fn arbitrary_cells_make_no_overlap(
        rows in proptest::collection::vec(("(30/03|26/10|01/06)/2025", proptest::collection::vec("|0|0,1|x|1[.]5|-1", 100)), 0..4)
    ) {
        let text = wide(100, &rows.iter().map(|(day, cells)| (day.as_str(), cells.clone())).collect::<Vec<_>>());
        let report = read_load_curve(text.as_bytes(), &OPTIONS).unwrap();
        let mut spans: Vec<_> = report.accepted.iter().map(|on| (on.value.from, on.value.to)).collect();
        spans.sort_unstable();
        prop_assert!(spans.windows(2).all(|w| w[0].1 <= w[1].0));
        prop_assert!(report.accepted.iter().all(|on| [0, 100, 1_500].contains(&on.value.amount)));
    }
}

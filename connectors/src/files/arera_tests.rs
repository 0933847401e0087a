//! Portal files: the later receipt counts, a rectification replaces, and nothing becomes a zero.
//!
//! Must never: depend on a file of a real customer; the supply points are invented.

use proptest::prelude::*;

use super::*;

const ROME: Zone = Zone::Europe__Rome;
const PDR: &str = "00880000000001";
const GAS: &str = "PDR;ANNOMESE_RIFERIMENTO;DATA LETTURA;DATA RICEZIONE;FLUSSO;MOTIVAZIONE;LETTURA\n";

fn gas(rows: &str) -> ImportReport<OnLine<OfPoint<StatedTotal>>> {
    read_arera_gas(format!("{GAS}{rows}").as_bytes(), ROME).unwrap()
}

fn totals(report: &ImportReport<OnLine<OfPoint<StatedTotal>>>) -> Vec<(String, i64)> {
    report.accepted.iter().map(|on| (on.value.value.at.to_string(), on.value.value.total)).collect()
}

#[test]
fn padded_totals_are_litres_at_the_end_of_their_day() {
    let report = gas(&format!(
        "{PDR};202501;2025-01-31;2025-02-05;TML;4;00012345\n{PDR};202502;2025-02-28;2025-03-04;TGL;4;00012700\n"
    ));
    assert_eq!(
        totals(&report),
        [("2025-01-31T23:00:00Z".to_owned(), 12_345_000), ("2025-02-28T23:00:00Z".to_owned(), 12_700_000)]
    );
    assert_eq!((report.refused.len(), report.findings.len()), (0, 0));
    assert_eq!(report.accepted[0].value.value.received, NaiveDate::from_ymd_opt(2025, 2, 5));
}

#[test]
fn a_row_that_tells_another_unit_is_refused_by_its_line() {
    let header = GAS.replace('\n', ";UM\n");
    let read = |unit: &str| {
        let text = format!("{header}{PDR};202501;2025-01-31;2025-02-05;TML;4;00012345;{unit}\n");
        read_arera_gas(text.as_bytes(), ROME).unwrap()
    };
    for unit in ["", "m3", "mc", "M³"] {
        assert_eq!((read(unit).accepted.len(), read(unit).refused.len()), (1, 0), "{unit}");
    }
    for (unit, why) in [
        ("Smc", "says that the values are in Smc, and m3 are wanted; bring in standard cubic metres"),
        ("kWh", "says that the values are in kWh, and m3 are wanted"),
    ] {
        let report = read(unit);
        assert_eq!(report.accepted.len(), 0, "{unit}");
        let told = &report.refused[0];
        assert_eq!((told.line, told.column.as_str(), told.value.as_str()), (2, "UM", unit));
        assert!(told.reason.contains(why), "{told}");
    }
    let power = |unit: &str| {
        let text = format!(
            "pod;data_lettura;data_ricezione;lettura_monoraria;unita_misura\n\
             IT001E12345678;2025-01-31;2025-02-05;1000;{unit}\n"
        );
        read_arera_electricity(text.as_bytes(), ROME, &|_| None).unwrap()
    };
    assert_eq!((power("kWh").accepted.len(), power("").accepted.len()), (1, 1));
    let told = power("kvarh");
    assert_eq!((told.accepted.len(), told.refused[0].line), (0, 2));
    assert!(told.refused[0].reason.contains("in kvarh, and kWh are wanted"), "{}", told.refused[0]);
}

#[test]
fn the_later_receipt_counts_and_a_rectification_replaces() {
    let late = format!(
        "{PDR};202501;2025-01-31;2025-03-10;RML;4;00012300\n{PDR};202501;2025-01-31;2025-02-05;TML;4;00012345\n"
    );
    assert_eq!((totals(&gas(&late))[0].1, gas(&late).repeated), (12_300_000, 1));
    let same_day = late.replace("2025-03-10", "2025-02-05");
    assert_eq!(totals(&gas(&same_day))[0].1, 12_300_000);
    let contradiction = same_day.replace("RML", "TML");
    let report = gas(&contradiction);
    assert_eq!(report.refused.len(), 1);
    assert!(report.refused[0].reason.contains("received on the same day"), "{}", report.refused[0]);
}

#[test]
fn each_bad_cell_is_refused_with_its_line() {
    for (row, column, reason) in [
        ("880000000001;202501;2025-01-31;2025-02-05;TML;4;1", "PDR", "were leading zeros lost"),
        ("00880000000001;202501;2025-02-30;2025-03-05;TML;4;1", "DATA LETTURA", "is no day of the calendar"),
        (
            "00880000000001;202501;2025-01-31;2025-01-05;TML;4;1",
            "DATA RICEZIONE",
            "is before the reading itself",
        ),
        ("00880000000001;202501;2025-01-31;2025-02-05;XXX;4;1", "FLUSSO", "is no flow of readings"),
        ("00880000000001;202501;2025-01-31;2025-02-05;TML;4;", "LETTURA", "is empty"),
        ("00880000000001;202501;2025-01-31;2025-02-05;TML;4;0001x", "LETTURA", "is no number"),
        ("00880000000001;202501;2025-01-31;2025-02-05;TML;4;-1", "LETTURA", "is negative"),
        (
            "00880000000001;202501;2025-01-31;2025-02-05;TML;4;99999999999",
            "LETTURA",
            "is larger than any register",
        ),
        ("00880000000001;202501;2025-01-31;2025-02-05;TML;4", "", "the row has 6 cells"),
    ] {
        let report = gas(&format!("{row}\n"));
        assert_eq!((report.accepted.len(), report.refused.len()), (0, 1), "{row}");
        assert_eq!((report.refused[0].line, report.refused[0].column.as_str()), (2, column), "{row}");
        assert!(report.refused[0].reason.contains(reason), "{row}: {}", report.refused[0].reason);
    }
    assert_eq!(totals(&gas(&format!("{PDR};202501;2025-01-31;2025-02-05;TML;4;00000000\n")))[0].1, 0);
}

#[test]
fn a_falling_register_is_a_finding() {
    let report = gas(&format!(
        "{PDR};202501;2025-01-31;2025-02-05;TML;4;00012345\n{PDR};202502;2025-02-28;2025-03-04;TML;4;00000012\n"
    ));
    assert_eq!((report.accepted.len(), report.findings[0].code), (2, "import.total.falls"));
    assert!(report.findings[0].says.starts_with("line 3: the total of 2025-02-28 is lower"));
}

const POD: &str = "IT001E12345678";

fn electricity_header(quarters: usize) -> String {
    let names = |prefix: &str| (1..=quarters).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>().join(";");
    format!(
        "pod;data_lettura;data_ricezione;motivazione;lettura_monoraria;lettura_f1;lettura_f2;lettura_f3;lettura_f4;\
         lettura_f5;lettura_f6;tipo_flusso;annomese_riferimento;{};{}\n",
        names("ea"),
        names("er")
    )
}

fn day(date: &str, received: &str, registers: &str, flow: &str, quarters: usize, value: &str) -> String {
    let many = |value: &str| vec![value; quarters].join(";");
    format!("{POD};{date};{received};4;{registers};{flow};202501;{};{}\n", many(value), many(""))
}

fn electricity(quarters: usize, rows: &str) -> ImportReport<OnLine<OfPoint<Stated>>> {
    let text = format!("{}{rows}", electricity_header(quarters));
    read_arera_electricity(text.as_bytes(), ROME, &|_| Some(10.0)).unwrap()
}

fn amounts(report: &ImportReport<OnLine<OfPoint<Stated>>>) -> (usize, i64, Vec<i64>) {
    let (mut count, mut sum, mut registers) = (0, 0, Vec::new());
    for on in &report.accepted {
        match on.value.value {
            Stated::Interval(interval) => {
                count += 1;
                sum += interval.amount;
            }
            Stated::Total(total) => registers.push(total.total),
        }
    }
    (count, sum, registers)
}

const NONE: &str = ";;;;;;";

#[test]
fn a_day_gives_its_quarters_and_its_register() {
    let report = electricity(96, &day("15/01/2025", "20/01/2025", NONE, "PDO", 96, "0.139"));
    assert_eq!(amounts(&report), (96, 96 * 139, vec![]));
    let report = electricity(96, &day("31/01/2025", "20/02/2025", "1234.5;;;;;;", "PNO", 96, ""));
    assert_eq!(amounts(&report), (0, 0, vec![1_234_500]));
    let report = electricity(96, &day("31/01/2025", "20/02/2025", ";100;200;300.5;;;", "PNO", 96, ""));
    assert_eq!(amounts(&report), (0, 0, vec![600_500]));
    // Two of three bands are not the whole meter.
    let report = electricity(96, &day("31/01/2025", "20/02/2025", ";100;200;;;;", "PNO", 96, ""));
    assert_eq!(amounts(&report), (0, 0, vec![]));
}

#[test]
fn of_several_rows_of_a_day_the_last_received_counts() {
    let rows = day("15/01/2025", "20/03/2025", NONE, "RFO", 96, "0.2")
        + &day("15/01/2025", "20/01/2025", NONE, "PDO", 96, "0.1");
    let report = electricity(96, &rows);
    assert_eq!((amounts(&report), report.repeated), ((96, 19_200, vec![]), 1));
}

#[test]
fn days_of_23_and_25_hours_have_92_and_100_quarters() {
    let short = format!(
        "{POD};30/03/2025;05/04/2025;4;{NONE};PDO;202503;{};;;;;{}\n",
        vec!["1"; 92].join(";"),
        ";".repeat(95)
    );
    let report = electricity(96, &short);
    assert_eq!((amounts(&report), report.refused.len()), ((92, 92_000, vec![]), 0));
    let report = electricity(100, &day("26/10/2025", "05/11/2025", NONE, "PDO", 100, "1"));
    assert_eq!((amounts(&report), report.findings.len()), ((100, 100_000, vec![]), 0));
    let report = electricity(96, &day("26/10/2025", "05/11/2025", NONE, "PDO", 96, "1"));
    assert_eq!((amounts(&report), report.findings[0].code), ((92, 92_000, vec![]), "import.clock_change"));
    let report = electricity(96, &day("30/03/2025", "05/04/2025", NONE, "PDO", 96, "1"));
    assert_eq!((amounts(&report).0, report.refused.len(), report.refused[0].column.as_str()), (92, 4, "ea9"));
}

#[test]
fn the_days_of_the_clock_change_are_told_only_where_the_file_does_not_say() {
    let row = |day: &str, columns: usize, value: &dyn Fn(usize) -> String| {
        let cells: Vec<String> = (0..columns).map(value).collect();
        let text = format!(
            "{POD};{day};2025-12-01;4;{NONE};PDO;202510;{};{}\n",
            cells.join(";"),
            ";".repeat(columns - 1)
        );
        let report = electricity(columns, &text);
        assert!(report.refused.is_empty(), "{day} {columns}: {}", report.refused[0]);
        (amounts(&report).0, amounts(&report).1, report.findings.iter().map(|f| f.code).collect::<Vec<_>>())
    };
    let some = |until: usize, fill: &'static str| {
        move |i: usize| if i < until { "0.1".to_owned() } else { fill.to_owned() }
    };
    for day in ["2024-10-27", "2025-10-26"] {
        assert_eq!(row(day, 100, &some(100, "")), (100, 10_000, vec![]));
        for (columns, fill) in [(96, ""), (100, ""), (100, "0")] {
            assert_eq!(row(day, columns, &some(96, fill)), (92, 9_200, vec!["import.clock_change"]));
        }
    }
    for fill in ["", "0"] {
        for columns in [96, 100] {
            assert_eq!(row("2025-03-30", columns, &some(92, fill)), (92, 9_200, vec![]));
        }
        // An ordinary day of a file that has room for a hundred.
        assert_eq!(row("2025-10-27", 100, &some(96, fill)), (96, 9_600, vec![]));
    }
    // A plant in the sun: nothing at night, and still 92.
    let plant = |i: usize| match i {
        32..80 => "0.5".to_owned(),
        92.. => String::new(),
        _ => "0".to_owned(),
    };
    assert_eq!(row("2025-03-30", 96, &plant), (92, 24_000, vec![]));
}

#[test]
fn a_garbled_or_impossible_quarter_refuses_its_row() {
    for (value, reason) in
        [("abc", "is no number"), ("-1", "is negative"), ("3", "is more than the connection carries")]
    {
        let report = electricity(96, &day("15/01/2025", "20/01/2025", NONE, "PDO", 96, value));
        assert_eq!((report.accepted.len(), report.refused.len()), (0, 1));
        assert_eq!((report.refused[0].line, report.refused[0].column.as_str()), (2, "ea1"));
        assert!(report.refused[0].reason.contains(reason), "{}", report.refused[0]);
    }
}

#[test]
fn files_of_another_kind_are_errors() {
    let gas = |text: &str| read_arera_gas(text.as_bytes(), ROME).unwrap_err().to_string();
    assert!(gas("pod;data_lettura;data_ricezione\n").contains("no column for PDR"));
    let power =
        |text: &str| read_arera_electricity(text.as_bytes(), ROME, &|_| None).unwrap_err().to_string();
    assert!(power(GAS).contains("neither lettura_monoraria nor ea1"));
    assert!(power("pod;data_lettura;data_ricezione;ea1;ea2\n").contains("ea1 to ea96"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _outcome = read_arera_gas(&bytes, ROME).is_ok();
        let _outcome = read_arera_electricity(&bytes, ROME, &|_| None).is_ok();
    }

    #[test]
    fn every_gas_row_is_accounted_for(
        rows in proptest::collection::vec(
            "(00880000000001|0088);[0-9]{0,6};2025-0[1-9]-[0-3][0-9];(2025-12-0[1-3]|x);(TML|RML|Q);;[0-9x,]{0,9}", 0..20)
    ) {
        let report = gas(&(rows.join("\n") + "\n"));
        prop_assert_eq!(report.read, report.accepted.len() + report.repeated + report.refused.len());
    }
}

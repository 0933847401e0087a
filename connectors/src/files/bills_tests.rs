//! Bills files: good ones in both notations, each bad cell with its message, and arbitrary bytes.
//!
//! Must never: depend on a file on disk.

use super::*;
use proptest::prelude::*;

const POD: &str = "IT001E12345678";
const PDR: &str = "00880000000001";

fn carrier_of(point: &str) -> Option<Carrier> {
    match point {
        POD => Some(Carrier::GridElectricity),
        PDR => Some(Carrier::NaturalGas),
        "TLR-1" => Some(Carrier::DistrictHeating),
        "PELLET-1" => Some(Carrier::Pellets),
        _ => None,
    }
}

fn import(text: &str) -> ImportReport<BilledPeriod> {
    without_lines(read_bills(text.as_bytes(), &carrier_of).unwrap())
}

fn without_lines(report: ImportReport<OnLine<BilledPeriod>>) -> ImportReport<BilledPeriod> {
    let ImportReport { rows, read, accepted, repeated, refused, findings } = report;
    let accepted = accepted.into_iter().map(|on| on.value).collect();
    ImportReport { rows, read, accepted, repeated, refused, findings }
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

const ENGLISH: &str = "supply_point,from,to,quantity,unit,type\n";
const ITALIAN: &str = "POD;Dal;Al;Quantità;Unità;Tipo\n";

#[test]
fn an_italian_file_is_read() {
    let text = format!(
        "\u{feff}POD;Dal;Al;Quantità;Unità;Tipo\r\n{POD};01/01/2024;31/01/2024;\"1.234,567\";kWh;Letta\r\n\r\n\
         it001e12345678;01/02/2024;29/02/2024;2,5;MWh;stimata;\r\n{PDR};01/01/2024;31/01/2024;812;Smc;reale\r\n"
    );
    let report = import(&text);
    assert_eq!((report.read, report.refused.as_slice(), report.findings.as_slice()), (3, &[][..], &[][..]));
    assert_eq!(
        report.accepted,
        [
            BilledPeriod {
                supply_point: POD.to_owned(),
                from: day(2024, 1, 1),
                to: day(2024, 2, 1),
                amount: 1_234_567,
                unit: model::BaseUnit::WattHour,
                quality: BillQuality::Read,
            },
            BilledPeriod {
                supply_point: POD.to_owned(),
                from: day(2024, 2, 1),
                to: day(2024, 3, 1),
                amount: 2_500_000,
                unit: model::BaseUnit::WattHour,
                quality: BillQuality::Estimated,
            },
            BilledPeriod {
                supply_point: PDR.to_owned(),
                from: day(2024, 1, 1),
                to: day(2024, 2, 1),
                amount: 812_000,
                unit: model::BaseUnit::Litre,
                quality: BillQuality::Read,
            },
        ]
    );
}

#[test]
fn the_end_is_the_last_day_unless_the_header_says_excluded() {
    let row = format!("{POD},2024-01-01,2024-02-01,10,kWh,read\n");
    assert_eq!(import(&format!("{ENGLISH}{row}")).accepted[0].to, day(2024, 2, 2));
    let header = ENGLISH.replace(",to,", ",to_excluded,");
    assert_eq!(import(&format!("{header}{row}")).accepted[0].to, day(2024, 2, 1));
    let italian = format!("POD;dal;al escluso;quantita;um;tipo\n{POD};2024-01-01;2024-02-01;0;kWh;letta\n");
    let report = import(&italian);
    assert_eq!((report.accepted[0].to, report.accepted[0].amount), (day(2024, 2, 1), 0));
}

#[test]
fn units_are_converted_to_the_smallest() {
    let row = |point: &str, quantity: &str, unit: &str| {
        import(&format!("{ENGLISH}{point},2024-01-01,2024-01-31,{quantity},{unit},read\n")).accepted[0].amount
    };
    assert_eq!(row("TLR-1", "3.6", "GJ"), 1_000_000);
    assert_eq!(row("PELLET-1", "1.25", "t"), 1_250_000);
    assert_eq!(row(POD, "0.0014", "kWh"), 1);
}

#[test]
fn each_bad_cell_is_refused_with_its_reason() {
    let cases = [
        (
            "IT001E99999999;01/01/2024;31/01/2024;1;kWh;letta",
            "POD",
            "is no supply point of any project; add it",
        ),
        (";01/01/2024;31/01/2024;1;kWh;letta", "POD", "is empty; write the POD or PDR"),
        (
            "880000000001;01/01/2024;31/01/2024;1;Smc;letta",
            "POD",
            "were leading zeros lost in a spreadsheet?",
        ),
        ("8,8E+11;01/01/2024;31/01/2024;1;Smc;letta", "POD", "is a code that a spreadsheet made a number of"),
        ("IT001E12345678;31/02/2024;31/03/2024;1;kWh;letta", "Dal", "is no day of the calendar"),
        ("IT001E12345678;1/1/24;31/01/2024;1;kWh;letta", "Dal", "is no date; write 2024-01-31 or 31/01/2024"),
        (
            "IT001E12345678;01/02/2024;31/01/2024;1;kWh;letta",
            "Al",
            "is before the period begins (2024-02-01)",
        ),
        ("IT001E12345678;01/01/2014;31/01/2024;1;kWh;letta", "Al", "makes a period of 3683 days"),
        ("IT001E12345678;01/01/2024;31/01/2024;1.234;kWh;letta", "Quantità", "can mean 1234 or 1,234"),
        ("IT001E12345678;01/01/2024;31/01/2024;;kWh;letta", "Quantità", "is empty"),
        ("IT001E12345678;01/01/2024;31/01/2024;-5;kWh;letta", "Quantità", "is negative: a credit corrects"),
        (
            "IT001E12345678;01/01/2024;31/01/2024;2000000;MWh;letta",
            "Quantità",
            "is larger than any building uses",
        ),
        ("IT001E12345678;01/01/2024;31/01/2024;1;;letta", "Unità", "is empty; write kWh, MWh, GJ or Wh"),
        ("IT001E12345678;01/01/2024;31/01/2024;1;kW;letta", "Unità", "is no unit of a bill; write kWh"),
        ("IT001E12345678;01/01/2024;31/01/2024;1;Smc;letta", "Unità", "is no unit of grid_electricity"),
        ("00880000000001;01/01/2024;31/01/2024;1;mc;letta", "Unità", "is not the standard cubic metre"),
        ("PELLET-1;01/01/2024;31/01/2024;1;m3;letta", "Unità", "is no unit of pellets; write kg, t or g"),
        ("IT001E12345678;01/01/2024;31/01/2024;1;kWh;forse", "Tipo", "is not known; write `read` (letta)"),
        ("IT001E12345678;01/01/2024;31/01/2024;1;kWh;", "Tipo", "is empty; write `read` (letta)"),
        ("IT001E12345678;01/01/2024;31/01/2024;1;kWh", "", "the row has 5 cells, the header 6"),
        ("IT001E12345678;01/01/2024;31/01/2024;1;kWh;letta;x", "", "the row has 7 cells, the header 6"),
    ];
    for (row, column, reason) in cases {
        let report = import(&format!("{ITALIAN}{row}\n"));
        assert_eq!((report.read, report.accepted.len(), report.refused.len()), (1, 0, 1), "{row}");
        let refused = &report.refused[0];
        assert_eq!((refused.line, refused.column.as_str()), (2, column), "{row}");
        assert!(refused.reason.contains(reason), "{row}: {}", refused.reason);
    }
}

#[test]
fn a_refused_cell_reads_as_a_sentence() {
    let report = import(&format!("{ENGLISH}{POD},2024-01-01,2024-01-31,\"1,5\",kWh,read\n"));
    assert_eq!(
        report.refused[0].to_string(),
        "line 2, column `quantity`, \"1,5\": has a comma in a file separated by commas; write the decimals with a point"
    );
}

#[test]
fn rows_that_overlap_are_all_refused_and_others_stand() {
    let report = import(&format!(
        "{ENGLISH}{POD},2024-01-01,2024-02-01,1,kWh,read\n{POD},2024-02-01,2024-02-29,2,kWh,read\n\
         {POD},2024-03-01,2024-03-31,3,kWh,read\nTLR-1,2024-01-01,2024-12-31,4,kWh,read\n"
    ));
    let lines: Vec<u64> = report.refused.iter().map(|r| r.line).collect();
    assert_eq!(lines, [2, 3]);
    assert!(report.refused[0].reason.contains("overlaps line 3 by 1 days"), "{}", report.refused[0]);
    assert!(report.refused[0].reason.ends_with("name the column to_excluded"), "{}", report.refused[0]);
    assert_eq!(report.accepted.len(), 2);
}

#[test]
fn a_long_bill_overlaps_every_one_within_it() {
    let report = import(&format!(
        "{ENGLISH}{POD},2024-01-01,2024-12-31,1,kWh,read\n{POD},2024-02-01,2024-02-29,2,kWh,read\n\
         {POD},2024-06-01,2024-06-30,3,kWh,read\n{POD},2025-01-01,2025-01-31,3,kWh,read\n"
    ));
    assert_eq!(report.refused.iter().map(|r| r.line).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(report.accepted[0].from, day(2025, 1, 1));
}

#[test]
fn the_same_row_twice_counts_once_and_a_contradiction_not_at_all() {
    let row = format!("{POD},2024-01-01,2024-01-31,10,kWh,read\n");
    let report = import(&format!("{ENGLISH}{row}{row}"));
    assert_eq!((report.read, report.accepted.len(), report.repeated), (2, 1, 1));
    assert_eq!(report.findings[0].code, "import.repeated");
    let other = row.replace(",10,", ",11,");
    let report = import(&format!("{ENGLISH}{row}{other}"));
    assert_eq!((report.accepted.len(), report.refused.len()), (0, 2));
    assert!(
        report.refused[1].reason.starts_with("line 2 states another quantity or type"),
        "{}",
        report.refused[1]
    );
}

#[test]
fn days_without_a_bill_are_a_finding() {
    let report = import(&format!(
        "{ENGLISH}{POD},2024-03-01,2024-03-31,1,kWh,read\n{POD},2024-01-01,2024-01-31,1,kWh,read\n"
    ));
    assert_eq!(report.findings.len(), 1);
    assert_eq!(
        report.findings[0].to_string(),
        format!(
            "caution [import.bills.gap] supply_point:{POD}: no bill of this file covers the 29 days from 2024-02-01 to 2024-02-29"
        )
    );
}

#[test]
fn files_that_are_no_bills_are_errors() {
    let error = |bytes: &[u8]| read_bills(bytes, &carrier_of).unwrap_err().to_string();
    assert!(error(b"").starts_with("the file is empty"));
    assert!(error(b"pod;dal;al;quantita;unita\n").starts_with("the header has no column for type"));
    assert!(error(b"pod;pdr;dal;al;quantita;unita;tipo\n").contains("twice, as `pod` and as `pdr`"));
    assert!(error(b"pod;dal\nx;\x81\n").starts_with("line 2 is no text"));
    assert!(error(&b"a;".repeat(300)).starts_with("the header has 301 columns"));
    let huge = vec![b'\n'; super::super::FILE_BYTES_MAX + 1];
    assert!(error(&huge).contains("bytes, the most is"));
    let rows = "x,,,,,\n".repeat(super::super::ROWS_MAX + 1);
    assert!(error(format!("{ENGLISH}{rows}").as_bytes()).starts_with("the file has more than"));
}

#[test]
fn a_quote_that_is_never_closed_refuses_what_it_swallows() {
    let rest = format!("{POD},2024-01-01,2024-01-31,10,kWh,read\n").repeat(20);
    let report = import(&format!("{ENGLISH}\"{rest}"));
    assert_eq!((report.accepted.len(), report.refused.len()), (0, 1));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _outcome = read_bills(&bytes, &|_| Some(Carrier::NaturalGas)).is_ok();
    }

    #[test]
    fn arbitrary_cells_never_panic_and_every_row_is_accounted_for(
        rows in proptest::collection::vec("[-0-9a-zA-Z/.,;\"éà+ ]{0,60}", 0..20)
    ) {
        let text = format!("{ITALIAN}{}", rows.join("\n"));
        let report = read_bills(text.as_bytes(), &|_| Some(Carrier::GridElectricity)).unwrap();
        prop_assert_eq!(report.read, report.accepted.len() + report.repeated + report.refused.len());
    }

    #[test]
    fn accepted_bills_never_overlap(
        periods in proptest::collection::vec((0_u64..60, 1_u64..20, 0_u32..3), 0..30)
    ) {
        let start = day(2024, 1, 1);
        let mut text = ENGLISH.replace(",to,", ",to_excluded,");
        for (from, days, quantity) in periods {
            let (from, to) = (start + Days::new(from), start + Days::new(from + days));
            text.push_str(&format!("{POD},{from},{to},{quantity},kWh,read\n"));
        }
        let mut accepted = import(&text).accepted;
        accepted.sort_by_key(|b| b.from);
        prop_assert!(accepted.windows(2).all(|w| w[0].to <= w[1].from));
    }
}

fn excel_day(day: NaiveDate) -> rust_xlsxwriter::ExcelDateTime {
    rust_xlsxwriter::ExcelDateTime::parse_from_str(&day.to_string()).unwrap()
}

/// A workbook with these rows; a number is written as one, anything else as text.
fn workbook(rows: &[&[&str]]) -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (r, row) in (0..).zip(rows) {
        for (c, cell) in (0..).zip(*row) {
            match (cell.parse::<f64>(), cell.parse::<NaiveDate>()) {
                (Ok(number), _) => sheet.write_number(r, c, number).map(|_| ()),
                (_, Ok(day)) => {
                    let format = rust_xlsxwriter::Format::new().set_num_format("dd/mm/yyyy");
                    sheet.write_datetime_with_format(r, c, excel_day(day), &format).map(|_| ())
                }
                _ if cell.is_empty() => Ok(()),
                _ => sheet.write_string(r, c, *cell).map(|_| ()),
            }
            .unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

#[test]
fn lines_are_counted_alike_whatever_ends_them() {
    for end in ["\n", "\r\n"] {
        let rows = [ITALIAN.trim_end(), "", &format!("{POD};x;31/01/2024;1;kWh;letta"), ";;;;;;", "x"];
        let lines: Vec<u64> = import(&rows.join(end)).refused.iter().map(|r| r.line).collect();
        assert_eq!(lines, [3, 5], "{end:?}");
    }
}

#[test]
fn a_workbook_says_what_the_csv_says() {
    let bytes = workbook(&[
        &["POD", "Dal", "Al", "Quantità", "Unità", "Tipo"],
        &[POD, "2024-01-01", "2024-01-31", "1234.567", "kWh", "letta"],
        &[],
        &[POD, "01/02/2024", "29/02/2024", "1.234,5", "kWh", "stimata"],
        &[POD, "2024-03-01", "2024-03-31", "", "kWh", "letta"],
        &[POD, "2024-04-01", "2024-04-30", "#N/A", "kWh", "letta"],
        &["880000000001", "2024-04-01", "2024-04-30", "5", "Smc", "letta"],
    ]);
    let report = read_bills(&bytes, &carrier_of).unwrap();
    let accepted: Vec<_> =
        report.accepted.iter().map(|on| (on.line, on.value.from, on.value.amount)).collect();
    assert_eq!(accepted, [(2, day(2024, 1, 1), 1_234_567), (4, day(2024, 2, 1), 1_234_500)]);
    let refused: Vec<_> = report.refused.iter().map(|r| (r.line, r.column.as_str())).collect();
    assert_eq!(refused, [(5, "Quantità"), (6, "Quantità"), (7, "POD")]);
    assert!(report.refused[0].reason.starts_with("is empty"), "{}", report.refused[0]);
    assert!(report.refused[1].reason.starts_with("is no number"), "{}", report.refused[1]);
}

#[test]
fn a_workbook_that_unpacks_without_bound_is_refused() {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("xl/worksheets/sheet1.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let zeros = vec![b' '; 1024 * 1024];
    for _ in 0..65 {
        archive.write_all(&zeros).unwrap();
    }
    let bytes = archive.finish().unwrap().into_inner();
    assert!(bytes.len() < 1024 * 1024);
    let error = read_bills(&bytes, &carrier_of).unwrap_err().to_string();
    assert!(error.contains("unpacks to more than 67108864 bytes"), "{error}");
    let error = read_bills(b"PK\x03\x04 and nothing", &carrier_of).unwrap_err().to_string();
    assert!(error.starts_with("the workbook cannot be read"), "{error}");
}

#[test]
fn a_cell_at_the_end_of_the_sheet_costs_nothing() {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_string(0, 0, "POD").unwrap();
    sheet.write_string(1_048_575, 16_383, "x").unwrap();
    let error = read_bills(&book.save_to_buffer().unwrap(), &carrier_of).unwrap_err().to_string();
    assert!(error.starts_with("the header has 16384 columns"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn broken_workbooks_never_panic(
        changes in proptest::collection::vec((0_usize..8_000, any::<u8>()), 1..6), cut in 0_usize..8_000
    ) {
        let mut bytes = workbook(&[&["POD", "Dal", "Al", "Quantità", "Unità", "Tipo"], &[POD, "2024-01-01", "2024-01-31", "5", "kWh", "letta"]]);
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(cut.max(4));
        let _outcome = read_bills(&bytes, &carrier_of).is_ok();
    }
}

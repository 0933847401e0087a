//! Every meter file of the catalogue proves itself, and bad files say what is wrong with them.
//!
//! Must never: be told which files there are; a new file is tested by being in the folder.

use super::*;

fn catalogue() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog/meters");
    let files = files_in(&folder).unwrap();
    files.iter().map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), read(p).unwrap())).collect()
}

fn says(text: &str) -> String {
    let error = parse_meter("x.toml", text).unwrap_err();
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn sdm630() -> &'static str {
    embedded().find(|(file, _)| *file == "eastron-sdm630.toml").unwrap().1
}

#[test]
fn every_file_of_the_folder_is_embedded_and_proves_itself() {
    let files = catalogue();
    let embedded: Vec<_> = embedded().map(|(f, t)| ((*f).to_owned(), (*t).to_owned())).collect();
    assert_eq!(files, embedded);
    let meters = load_meters(None).unwrap();
    assert_eq!(meters.iter().count(), files.len());
    for (file, text) in &files {
        let model = parse_meter(file, text).unwrap();
        assert_eq!(format!("{}.toml", model.id), *file, "a file is named after its id");
        assert!(!model.evidence.sources.is_empty(), "{file} names no source");
    }
}

#[test]
fn the_plans_keep_the_limits_and_are_no_worse_than_the_yardstick() {
    let meters = load_meters(None).unwrap();
    let mut plans = String::new();
    for model in meters.iter() {
        let Some(registers) = model.registers() else { continue };
        plans.push_str(&format!("{} ({} points)\n", model.id, registers.measures.len()));
        for block in registers.plan() {
            assert!(block.count <= registers.limits.registers_per_request);
            plans.push_str(&format!("  {} {}-{}\n", block.space.code(), block.address, block.last()));
        }
    }
    let golden = "carlo-gavazzi-em340 (21 points)
  input 0-49
  input 51-81
eastron-sdm630 (24 points)
  input 0-17
  input 52-79
  input 346-357
";
    assert_eq!(plans, golden);
}

#[test]
fn a_wrong_address_order_type_or_scale_cannot_pass_its_example() {
    let good = sdm630();
    let energy = r#"address = 72, type = "f32", order = "ABCD""#;
    assert!(good.contains(energy));
    for bad in [
        r#"address = 74, type = "f32", order = "ABCD""#,
        r#"address = 73, type = "f32", order = "ABCD""#,
        r#"address = 72, type = "f32", order = "CDAB""#,
        r#"address = 72, type = "u32", order = "ABCD""#,
    ] {
        let said = says(&good.replace(energy, bad));
        assert!(said.starts_with("x.toml: the examples do not prove the file"), "{said}");
    }
    let uncovered = good.replace("\"frequency\" = \"49.98 Hz\"\n", "");
    assert!(says(&uncovered).contains("no example says what frequency must read"));
}

#[test]
fn a_bad_file_names_the_place_and_what_to_do() {
    let good = sdm630();
    let said = says(&good.replace("widest_gap = 16", "widest_gap = 16\nwidest_hole = 3"));
    assert!(said.starts_with("x.toml:24: unknown field `widest_hole`"), "{said}");
    let said = says(&good.replacen("unit = \"V\"", "unit = \"kWh\"", 1));
    assert_eq!(said, "x.toml: `measure[1].unit`: kWh does not measure voltage.l1; use a unit of V");
    let said = says(&good.replacen("quantity = \"voltage\"", "quantity = \"volts\"", 1));
    assert!(
        said.starts_with("x.toml: `measure[1].quantity`: \"volts\" is not known; use one of active"),
        "{said}"
    );
    let said = says(&good.replace("registers_per_request = 80", "registers_per_request = 126"));
    assert_eq!(said, "x.toml: the register map cannot be used: registers_per_request is 126: use 1 to 125");
    let said = says(&good.replacen("from = 0, to = 500", "from = 500, to = 0", 1));
    assert_eq!(said, "x.toml: `measure[1].plausible`: `from` must be below `to`");
    let said = says(&good.replace("[modbus]", "[mqtt]"));
    assert!(said.contains("unknown field"), "{said}");
}

#[test]
fn a_folder_adds_models_and_an_id_is_claimed_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("meters")).unwrap();
    let path = folder.path().join("meters/acme.toml");
    let acme = sdm630()
        .replace("id = \"eastron-sdm630\"", "id = \"acme\"")
        .replace("replaces = []", "replaces = [\"acme-old\"]");
    std::fs::write(&path, &acme).unwrap();
    let meters = load_meters(Some(folder.path())).unwrap();
    let id = |text| ModelId::new(text).unwrap();
    assert_eq!(meters.get(&id("acme-old")).unwrap().id, id("acme"));

    std::fs::write(&path, acme.replace("acme-old", "eastron-sdm630")).unwrap();
    let errors = load_meters(Some(folder.path())).unwrap_err();
    assert_eq!(
        errors.iter().map(|e| e.to_string().replace(path.to_str().unwrap(), "acme.toml")).collect::<Vec<_>>(),
        ["acme.toml: the id eastron-sdm630 is also claimed by eastron-sdm630.toml; rename one of them"]
    );
}

//! The documents of the demonstration's projects as files: their words and values held against kept ones, their form
//! judged by qpdf and poppler, their pages by how they look in grey; the English edition, the report on the monitoring
//! system, the campaign's report, comments, another template.
//!
//! Must never: pass by itself when a tool is missing; `poppler-utils` and `qpdf` are needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::daemon::{binary, run_in};
use tests::repo;

/// The day on which the demonstration takes place: its last whole year is 2025.
const TODAY: &str = "2026-06-30";
/// Set to write the kept texts anew after a change that was meant.
const BLESS: &str = "CONSUNTIVO_BLESS";

fn consuntivo(arguments: &[&str]) -> (i32, String) {
    let output = run_in(Command::new(binary()).args(arguments));
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), said)
}

fn tool(program: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(file).arg("-").output();
    let output = match program {
        "pdftotext" => output,
        _ => Command::new(program).args(arguments).arg(file).output(),
    };
    let output =
        output.unwrap_or_else(|e| panic!("{program} could not be started ({e}); `make test` installs it"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {said}{wrong}", file.display());
    said
}

fn pdfs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "pdf") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Archival, tagged, with its fonts and files inside, and without a picture that says nothing.
fn is_sound(file: &Path) {
    assert!(
        tool("qpdf", &["--check"], file).contains("No syntax or stream encoding errors"),
        "{}",
        file.display()
    );
    let info = tool("pdfinfo", &[], file);
    assert!(info.contains("Tagged:          yes") && info.contains("A4)"), "{}: {info}", file.display());
    let meta = tool("pdfinfo", &["-meta"], file);
    for mark in ["<pdfaid:part>3<", "<pdfaid:conformance>A<", "<pdfuaid:part>1<"] {
        assert!(meta.contains(mark), "{}: {mark}", file.display());
    }
    for line in tool("pdffonts", &[], file).lines().skip(2) {
        let words: Vec<&str> = line.split_whitespace().rev().collect();
        assert_eq!(words[2..5], ["yes", "yes", "yes"], "{}: not embedded: {line}", file.display());
    }
    let named = |part: &str| file.file_name().is_some_and(|n| n.to_string_lossy().contains(part));
    let annual = named("annua");
    let inside = tool("pdfdetach", &["-list"], file);
    // The structured file in three forms; of each year of a campaign its own.
    let expected = match (annual, named("campa")) {
        (true, _) => "3 embedded files",
        (false, true) => "6 embedded files",
        (false, false) => "0 embedded files",
    };
    assert!(inside.starts_with(expected), "{}: {inside}", file.display());
    let structure = tool("pdfinfo", &["-struct"], file);
    let tags: &[&str] =
        if annual { &["Figure", "Table", "TH", "H1", "Caption", "L"] } else { &["Table", "TH", "H1"] };
    for tag in tags {
        assert!(structure.lines().any(|l| l.trim().starts_with(tag)), "{}: no {tag}", file.display());
    }
}

/// Resolution at which pages are looked at, in dots per inch.
const LOOK_DPI: usize = 36;

/// A page in grey: rows of dots, 255 is white.
struct Look {
    width: usize,
    dots: Vec<u8>,
}

impl Look {
    /// Reads a binary portable grey map.
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).expect("a page");
        let mut head = bytes.splitn(4, |b| b.is_ascii_whitespace());
        let mut next = || head.next().and_then(|word| std::str::from_utf8(word).ok()).expect("a head");
        assert_eq!(next(), "P5");
        let width: usize = next().parse().expect("a width");
        let height: usize = next().parse().expect("a height");
        let dots = bytes.get(bytes.len() - width * height..).expect("every dot").to_vec();
        Self { width, dots }
    }

    /// Whether anything is printed in a row, from one column to another.
    fn inked(&self, row: &[u8], from: usize, to: usize) -> bool {
        row.get(from..to.min(self.width)).is_some_and(|dots| dots.iter().any(|dot| *dot < 200))
    }

    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.dots.chunks(self.width)
    }
}

const fn dots(millimetres: usize) -> usize {
    millimetres * LOOK_DPI * 10 / 254
}

/// No page is empty, or has anything beyond its margins: what is too wide for a line, a table or a chart would be cut
/// off or stand over the edge. Every page is filled at least to `PAGE_FILLED_MIN_MM`, but the last and the frontispiece.
fn looks_right(file: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("page");
    let dpi = LOOK_DPI.to_string();
    let made = Command::new("pdftoppm").args(["-gray", "-r", &dpi]).arg(file).arg(&prefix).output();
    let made =
        made.unwrap_or_else(|e| panic!("pdftoppm could not be started ({e}); `make test` installs it"));
    assert!(made.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&made.stderr));
    let mut pages: Vec<PathBuf> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let last = pages.len() - 1;
    for (number, page) in pages.iter().enumerate() {
        let at = format!("{}, page {}", file.display(), number + 1);
        let look = Look::read(page);
        let (left, right) = (dots(SIDE_MARGIN_MM), look.width - dots(SIDE_MARGIN_MM));
        let beyond = |row: &&[u8]| look.inked(row, 0, left) || look.inked(row, right, look.width);
        assert_eq!(look.rows().filter(beyond).count(), 0, "{at}: printed beyond the margins");
        let body =
            look.rows().enumerate().filter(|(y, _)| (dots(BODY_FROM_MM)..dots(BODY_TO_MM)).contains(y));
        let filled = body.filter(|(_, row)| look.inked(row, left, right)).map(|(y, _)| y).max();
        let least = if number == 0 || number == last { BODY_FROM_MM } else { PAGE_FILLED_MIN_MM };
        assert!(filled.is_some_and(|y| dots(least) <= y), "{at}: empty from row {filled:?} on");
    }
}

/// The paper's side margins are 22 mm; letters lean over a line's end by less than the difference.
const SIDE_MARGIN_MM: usize = 20;
/// Between the head and the foot of a page.
const BODY_FROM_MM: usize = 28;
const BODY_TO_MM: usize = 272;
/// Down to where a page in the middle is filled at least: more than a heading. The last one before the annexes is short.
const PAGE_FILLED_MIN_MM: usize = 50;

/// The head of the table of the loss budget, in which the demonstration's live readings are counted: how many there are
/// is a matter of when the document was made.
const LOSS_BUDGET: &str = "Mese Attese Ricevute In ritardo Respinte Non comprese Stimato\n";

/// The words of a document, without its layout, and without the digests, which change with every word of the catalogue.
fn words(file: &Path) -> String {
    let text = tool("pdftotext", &["-raw", "-enc", "UTF-8"], file);
    let mut out = String::new();
    for line in text.lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if out.ends_with(LOSS_BUDGET)
            && let Some(received) = words.get_mut(2)
        {
            assert!(received.parse::<u32>().is_ok(), "{line}");
            *received = "…";
        }
        let line = words.join(" ");
        let digest = line.len() == 64 && line.bytes().all(|b| b.is_ascii_hexdigit());
        if !line.is_empty() && !digest {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// Holds the text against the kept one, or keeps it.
fn held_against(name: &str, text: &str) {
    let path = repo::root().join("tests/cases/documents").join(name);
    if std::env::var_os(BLESS).is_some_and(|set| set == "1") {
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(&path, text).expect("the text is kept");
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let mut lines = kept.lines().zip(text.lines()).enumerate();
    let differs = lines.find(|(_, (a, b))| a != b);
    assert!(
        kept == text,
        "{} says another thing ({} lines kept, {} now); first difference: {differs:?}. If it was meant, run the suite \
         with {BLESS}=1 and look at the change",
        path.display(),
        kept.lines().count(),
        text.lines().count()
    );
}

#[test]
fn the_demonstrations_documents_hold_their_words_and_their_form() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    let path = |p: &Path| p.to_str().expect("a plain path").to_owned();
    let (code, said) =
        consuntivo(&["demo", "--once", "--today", TODAY, "--dir", &path(&data), "--out", &path(&out)]);
    assert_eq!(code, 0, "{said}");
    let made = pdfs(&out);
    assert_eq!(made.len(), 5, "{made:?}");
    for file in &made {
        is_sound(file);
        looks_right(file);
        let project = file.parent().and_then(Path::parent).and_then(Path::file_name).expect("a project");
        let stem = file.file_stem().expect("a name").to_string_lossy();
        let text = words(file);
        assert!(!text.contains('{') && !text.contains("report."), "{}: {text}", file.display());
        held_against(&format!("{}-{stem}.txt", project.to_string_lossy()), &text);
    }
    if let Some(keep) = std::env::var_os("CONSUNTIVO_KEEP_REPORT") {
        for (i, file) in made.iter().enumerate() {
            fs::copy(file, Path::new(&keep).join(format!("demo-{i}.pdf"))).expect("kept");
        }
    }
    let config = path(&data.join("consuntivo.toml"));
    same_bytes_again(&config, &out, folder.path());
    an_english_edition(&config, folder.path());
    the_monitoring_system(&config, folder.path());
    a_comment_is_printed_with_its_author(&config, folder.path());
    a_stated_value_is_printed_with_its_reason(&config, folder.path());
    another_template(&data, folder.path());
    // The last, for it makes the project another one.
    a_campaign(&config, &data, folder.path());
}

fn report(config: &str, out: &Path, more: &[&str]) -> (i32, String) {
    let out = out.to_str().expect("a plain path");
    let base = ["report", "--config", config, "--project", "scuola-primaria", "--year", "2025", "--out", out];
    consuntivo(&[&base[..], more].concat())
}

fn same_bytes_again(config: &str, first: &Path, folder: &Path) {
    let again = folder.join("again");
    let (code, said) = report(config, &again, &[]);
    assert_eq!(code, 0, "{said}");
    let name = "relazione-annuale-2025.pdf";
    let before = fs::read(first.join("scuola-primaria/2025").join(name)).expect("the demonstration's");
    assert!(before == fs::read(again.join(name)).expect("made again"), "{name} has other bytes");
}

fn an_english_edition(config: &str, folder: &Path) {
    let out = folder.join("english");
    let (code, said) = report(config, &out, &["--language", "en"]);
    assert_eq!(code, 0, "{said}");
    let file = out.join("annual-report-2025.pdf");
    is_sound(&file);
    looks_right(&file);
    held_against("scuola-primaria-annual-report-2025.txt", &words(&file));
}

/// Generated from the configuration, in both languages.
fn the_monitoring_system(config: &str, folder: &Path) {
    for language in ["it", "en"] {
        let out = folder.join(format!("system-{language}"));
        let place = out.to_str().expect("a plain path");
        let project = ["--project", "palestra-uffici", "--until", TODAY, "--language", language];
        let on = ["system-report", "--config", config, "--out", place];
        let (code, said) = consuntivo(&[&on[..], &project].concat());
        assert_eq!(code, 0, "{said}");
        for file in pdfs(&out) {
            is_sound(&file);
            looks_right(&file);
            held_against(&format!("palestra-uffici-system-{language}.txt"), &words(&file));
        }
        assert_eq!(pdfs(&out).len(), 1, "{said}");
    }
}

/// The same buildings as a measurement campaign of fourteen months.
fn a_campaign(config: &str, data: &Path, folder: &Path) {
    let project = fs::read_to_string(data.join("projects/palestra-uffici.toml")).expect("the project file");
    let (before, _) = project.split_once("[[declared]]").expect("declared values");
    let file = folder.join("campaign.toml");
    let text = before.replace("\"mase-cse-2025\"", "\"mattm-audit-energetiche\"").replace(
        "\n[[building]]\n",
        "\n[grant.dates]\nterm_from = 2025-03-01\nterm_to = 2026-04-30\n\n[[building]]\n",
    );
    let declared = "[[declared]]\nkpi = \"potenziale-risparmio\"\nvalue = 42.5\nunit = \"MWh\"\n\
                    source = \"diagnosi §7\"\nby_carrier = { natural_gas = 38.0, grid_electricity = 4.5 }\n";
    fs::write(&file, text + declared).expect("written");
    let file = file.to_str().expect("a plain path");
    let (code, said) = consuntivo(&["import", "project", file, "--config", config]);
    assert_eq!(code, 0, "{said}");
    for language in ["it", "en"] {
        let out = folder.join(format!("campaign-{language}"));
        let place = out.to_str().expect("a plain path");
        let project = ["--project", "palestra-uffici", "--until", TODAY, "--language", language];
        let (code, said) =
            consuntivo(&[&["report", "--config", config, "--out", place][..], &project].concat());
        assert_eq!(code, 0, "{said}");
        assert_eq!(pdfs(&out).len(), 1, "{said}");
        for year in ["2025", "2026"] {
            for ending in [".xlsx", ".csv", "-plain.csv", ".xml", ".json"] {
                let file = out.join(format!("misure-mensili-{year}{ending}"));
                assert!(fs::metadata(&file).is_ok_and(|f| f.len() > 0), "{}", file.display());
            }
        }
        for file in pdfs(&out) {
            is_sound(&file);
            looks_right(&file);
            let text = words(&file);
            let (profile, electric) = match language {
                "it" => ("Profilo di carico dal 01/03/2025 al", "Totale elettrico"),
                _ => ("Load profile from", "Electric total"),
            };
            assert!(text.contains(profile) && text.contains(electric), "{text}");
            held_against(&format!("palestra-uffici-campaign-{language}.txt"), &text);
        }
    }
}

fn a_comment_is_printed_with_its_author(config: &str, folder: &Path) {
    let on = ["--config", config, "--project", "scuola-primaria", "--year", "2025"];
    let comment = |what: &str, more: &[&str]| consuntivo(&[&["comment", what][..], &on, more].concat());
    let words_of =
        ["--section", "savings", "--author", "A. Rossi", "--text", "Aule aperte il sabato: #panic()"];
    assert_eq!(comment("set", &words_of).0, 0);
    assert!(comment("list", &[]).1.contains("savings: A. Rossi"));
    let out = folder.join("commented");
    assert_eq!(report(config, &out, &["--document", "annual"]).0, 0);
    let text = words(&out.join("relazione-annuale-2025.pdf"));
    assert!(
        text.contains("Commento di A. Rossi") && text.contains("Aule aperte il sabato: #panic()"),
        "{text}"
    );
    assert_eq!(comment("remove", &["--section", "savings", "--author", "A. Rossi"]).0, 0);
    assert_eq!(comment("remove", &["--section", "savings", "--author", "A. Rossi"]).0, 6);
    let (code, said) =
        comment("set", &["--section", "weather", "--author", "A", "--text", &"x".repeat(5_000)]);
    assert!(code == 6 && said.contains("4000"), "{code} {said}");
}

/// An indicator that no meter measures, and the sheet that a person signs.
fn a_stated_value_is_printed_with_its_reason(config: &str, folder: &Path) {
    let on = ["--config", config, "--project", "casa-della-salute"];
    let listed = |more: &[&str]| {
        let (code, says) = consuntivo(&[&["kpi", "list", "--year", "2025"][..], more, &on].concat());
        assert_eq!(code, 0, "{says}");
        says
    };
    let line = |says: &str, of: &str| -> Vec<String> {
        let found = says.lines().find(|l| l.starts_with(of)).unwrap_or_else(|| panic!("no {of} in {says}"));
        found.split('\t').map(str::to_owned).collect()
    };
    let before = line(&listed(&[]), "4.c.1\t");
    assert_eq!((before[5].as_str(), before[7].as_str()), ("da dichiarare", "-"), "{before:?}");
    assert!(before[8].starts_with("nessun contatore lo misura"), "{before:?}");
    let said =
        ["--code", "4.c.1", "--value", "2", "--reason", "attestati dopo i lavori", "--author", "A. Rossi"];
    let (code, says) = consuntivo(&[&["kpi", "set", "--year", "2025"][..], &said, &on].concat());
    assert_eq!(code, 0, "{says}");
    let after = line(&listed(&[]), "4.c.1\t");
    assert_eq!((after[4].as_str(), after[5].as_str()), ("2.00", "dichiarato"), "{after:?}");
    assert!(after[6].ends_with(": attestati dopo i lavori"), "{after:?}");
    assert!(!after[8].starts_with("nessun contatore lo misura"), "{after:?}");
    let all: serde_json::Value = serde_json::from_str(&listed(&["--json"])).expect("JSON");
    for kpi in all.as_array().expect("a list") {
        let cells = line(&listed(&[]), &format!("{}\t", kpi["code"].as_str().expect("a code")));
        let band = match (kpi["low"].as_f64(), kpi["high"].as_f64()) {
            (Some(low), Some(high)) => format!("{low:.2} – {high:.2}"),
            _ => "-".to_owned(),
        };
        assert_eq!((kpi["says"].as_str(), &*band), (Some(&*cells[5]), &*cells[7]), "{kpi}");
        let reason = kpi["reasons"][0].as_str().unwrap_or("-");
        assert_eq!(reason, cells[8], "{kpi}");
        if kpi["verdict"] == "undetermined" && kpi["told"] != "stated" {
            assert_ne!(reason, "-", "{kpi}");
        }
    }
    let out = folder.join("stated");
    let place = ["--year", "2025", "--document", "indicators", "--out", out.to_str().expect("a plain path")];
    let (code, says) = consuntivo(&[&["report"][..], &on, &place].concat());
    assert_eq!(code, 0, "{says}");
    let file = out.join("scheda-indicatori-2025.pdf");
    is_sound(&file);
    looks_right(&file);
    let text = words(&file).replace("\u{ad}\n", "").replace('\n', " ");
    assert!(text.contains("2,00 §") && text.contains("Motivo: attestati dopo i lavori."), "{text}");
    assert!(text.contains("4.c.1: 2,00 n., dichiarato da A. Rossi il "), "{text}");
    assert!(!text.contains("4.c.1: valore non disponibile"), "{text}");
    // What nobody stated is still asked for.
    assert!(text.contains("CO918: valore da dichiarare"), "{text}");
}

fn another_template(data: &Path, folder: &Path) {
    let own = data.join("template");
    fs::create_dir_all(&own).expect("a folder");
    let bundled = repo::text("dashboards/typeset/src/template.typ").expect("the template is text");
    let text = fs::read_to_string(data.join("consuntivo.toml")).expect("the installation file");
    let config = data.join("own.toml");
    fs::write(&config, text.replace("[reports]\n", "[reports]\ntemplate_dir = \"template\"\n"))
        .expect("written");
    let config = config.to_str().expect("a plain path");
    let write = |text: String| fs::write(own.join("template.typ"), text).expect("written");
    write(bundled.replace("// First page.", "[Carta intestata del Comune]"));
    let out = folder.join("own");
    let (code, said) = report(config, &out, &["--document", "annual"]);
    assert_eq!(code, 0, "{said}");
    assert!(words(&out.join("relazione-annuale-2025.pdf")).contains("Carta intestata del Comune"));
    write(format!("{bundled}\n#eval(data.title)\n"));
    let (code, said) = consuntivo(&["check", "--config", config]);
    assert!(code != 0 && said.contains("template.typ") && said.contains("eval"), "{code} {said}");
}

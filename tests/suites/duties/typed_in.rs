//! A year whose values are typed into the authority's own system (MONET): values, notes and their signed page are frozen.
//!
//! Must never: take what a person states later for what was frozen.

use std::path::Path;
use std::process::Command;

use tests::certificates::Authority;
use tests::site::Site;

use super::{PROJECT, good, lift_all, sign, stdout, with_project};

const OF: [&str; 6] = ["--project", PROJECT, "--obligation", "monitoraggio-kpi", "--year", "2022"];
const ANNEX: &str = "allegato-kpi-2022.pdf";

/// The example project under the scheme of MONET.
fn monet_site() -> Site {
    let site = Site::new();
    let monet = "scheme = \"piemonte-pr-fesr-2021-27-monet\"";
    with_project(
        &site,
        &[
            ("scheme = \"piemonte-por-fesr-2014-20-4c1\"", monet),
            ("# expenses_closed = 2021-12-20", "expenses_closed = 2021-12-20"),
        ],
    );
    site
}

fn run(site: &Site, what: &[&str]) -> String {
    good(site, &[&["submission"], what, &OF].concat())
}

fn shown(site: &Site) -> String {
    good(site, &["submission", "show", "--project", PROJECT])
}

fn state(site: &Site, value: &str, more: &[&str]) {
    let code = ["--code", "risparmio-energia-primaria", "--value", value, "--year", "2022"];
    let why = ["--reason", "bolletta rettificata", "--project", PROJECT];
    good(site, &[&["kpi", "set"][..], &code, &why, more].concat());
}

/// The words of a PDF on one line, whole where a line ended in one.
fn words(file: &Path) -> String {
    let output =
        Command::new("pdftotext").args(["-raw", "-enc", "UTF-8"]).arg(file).arg("-").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    stdout(&output).replace("\u{ad}\n", "").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_typed_into_the_authoritys_system_is_frozen_and_a_later_value_asks_for_a_correction() {
    let site = monet_site();
    run(&site, &["draft"]);
    lift_all(&site, &OF);
    state(&site, "100", &[]);
    run(&site, &["freeze"]);
    assert!(!shown(&site).contains("_changed"), "{}", shown(&site));
    let frozen = good(&site, &["submission", "show", "--json", "--project", PROJECT]);
    assert!(frozen.contains("\"reason\": \"bolletta rettificata\""), "{frozen}");
    // Without a person's own note, the value goes out with what it is.
    let pasted = good(&site, &["kpi", "exchange", "--year", "2022", "--project", PROJECT]);
    assert!(pasted.contains("per questo motivo: bolletta rettificata. Obiettivo raggiunto"), "{pasted}");
    // A note on the project is none beside a value.
    good(&site, &["record", "note-add", "--text", "sopralluogo", "--project", PROJECT]);
    assert!(!shown(&site).contains("_changed"), "{}", shown(&site));
    state(&site, "100", &["--note", "parole nuove"]);
    let told = shown(&site);
    assert!(told.contains("submission.note_changed") && told.contains("\"parole nuove\" now"), "{told}");
    assert!(!told.contains("figures_changed"), "{told}");
    state(&site, "90", &[]);
    let told = "(Valore POST) was frozen as 100.00 MWh and would be 90.00 now (difference -10.00)";
    assert!(shown(&site).contains(told), "{}", shown(&site));
}

#[test]
fn the_page_of_values_is_frozen_signed_and_says_what_it_replaces() {
    let site = monet_site();
    let professional = Authority::new(site.path(), "firme").sign("professionista", "rossi.example", 2);
    let frozen_in = |name: &str| {
        let out = site.path().join(name);
        run(&site, &["freeze", "--out", out.to_str().unwrap()]);
        out.join(ANNEX)
    };
    let by_itself = |name: &str| {
        let out = site.path().join(name);
        let annex = ["kpi", "annex", "--year", "2022", "--project", PROJECT, "--out", out.to_str().unwrap()];
        good(&site, &annex);
        words(&out.join(ANNEX))
    };
    let day = super::today().format("%d/%m/%Y").to_string();
    run(&site, &["draft"]);
    lift_all(&site, &OF);
    state(&site, "100", &[]);
    let draft = by_itself("bozza");
    assert!(draft.contains(&format!("bozza del {day}, non congelata in un invio")), "{draft}");
    let first = frozen_in("prima");
    let same = by_itself("uguale");
    assert!(same.contains(&format!("1 dell’invio, congelata il {day}")), "{same}");
    assert!(shown(&site).contains(ANNEX), "{}", shown(&site));
    assert!(
        words(&first).contains("100,00 §") && !words(&first).contains("sostituisce la versione"),
        "{}",
        words(&first)
    );
    let signed = sign(site.path(), &professional, &first);
    run(&site, &["sign", signed.to_str().unwrap(), "--reason", "certificato di prova"]);
    assert!(shown(&site).contains("allegato-kpi-2022.pdf.p7m"), "{}", shown(&site));
    // The correction's page says so.
    state(&site, "90", &[]);
    let other = by_itself("altra");
    let counts = format!("copia di lavoro del {day}; fa fede la versione 1 dell’invio, congelata il {day}");
    assert!(other.contains(&counts), "{other}");
    run(&site, &["correct", "--why", "valore rettificato"]);
    lift_all(&site, &OF);
    let second = words(&frozen_in("seconda"));
    let same = by_itself("uguale-seconda");
    assert!(same.contains("2 dell’invio, congelata il") && !same.contains("copia di lavoro"), "{same}");
    assert!(second.contains("2 – sostituisce la versione 1 del "), "{second}");
    assert!(second.contains("Motivo: valore rettificato") && second.contains("90,00 §"), "{second}");
}

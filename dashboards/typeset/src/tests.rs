//! The template with small data: what must be set, what must be refused, and that it is the same every time.
//!
//! Must never: know a report; its data are made up to try the template.

use super::*;

const DATA: &str = r##"{
  "title": "Relazione 2025", "subtitle": "Scuola «Nord»", "author": "Comune dimostrativo", "language": "it",
  "header": "Relazione 2025", "code": "CUP A00A00000000000",
  "labels": {"page": "Pagina", "of": "di", "contents": "Indice", "table": "Tabella", "figure": "Figura",
             "annex": "Allegato", "note": "Nota", "caution": "Attenzione", "blocks": "Dato non disponibile"},
  "front": [["CUP", "A00A00000000000"]],
  "sections": [
    {"title": "Sintesi", "annex": false, "blocks": [
      {"kind": "paragraph", "text": "#panic(\"markup\") *non grassetto* $x$ @rif"},
      {"kind": "bullets", "items": ["uno", "due"]},
      {"kind": "comment", "by": "Commento di A. B.", "paragraphs": ["#panic() primo", "secondo"]},
      {"kind": "callout", "severity": "caution", "text": "Attenzione ai dati."},
      {"kind": "table", "caption": "Mesi", "columns": [
        {"title": "Mese", "align": "left", "weight": 2}, {"title": "kWh", "align": "right", "weight": 1}],
        "rows": [["gennaio", "1.234,5"], ["febbraio", "n.d."]], "total": ["Totale", "1.234,5"]},
      {"kind": "chart", "caption": "Grafico", "alternative": "Un quadrato.", "index": 0}]},
    {"title": "Provenienza", "annex": true, "blocks": [{"kind": "facts", "rows": [["a", "b"]]}]}
  ]
}"##;

fn job() -> PdfJob {
    PdfJob {
        data: DATA.to_owned(),
        charts: vec![
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="9" height="9"/></svg>"##
                .to_owned(),
        ],
        attachments: vec![Attachment {
            name: "misure.csv".to_owned(),
            mime: "text/csv".to_owned(),
            description: "Misure".to_owned(),
            bytes: b"a;b\r\n".to_vec(),
        }],
        date: Date { year: 2026, month: 1, day: 1 },
        ident: "test".to_owned(),
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn a_document_is_archival_tagged_and_the_same_every_time() {
    let first = pdf(&job(), &Template::bundled()).expect("the document is set");
    assert!(first.starts_with(b"%PDF-1.7"));
    for text in
        ["pdfaid:part>3<", "pdfaid:conformance>A<", "pdfuaid:part>1<", "/AFRelationship", "misure.csv"]
    {
        assert!(contains(&first, text), "{text} is not in the file");
    }
    assert_eq!(first, pdf(&job(), &Template::bundled()).expect("the document is set again"));
}

#[test]
fn a_character_that_no_font_has_keeps_nothing_from_being_set() {
    let with = |text: &str| PdfJob { data: DATA.replace("non grassetto", text), ..job() };
    let set = |text: &str| pdf(&with(text), &Template::bundled()).expect("the document is set");
    assert_eq!(set("ok 👍 漢字"), set("ok [U+1F44D] [U+6F22][U+5B57]"));
    // What the fonts have stays as it is.
    assert_ne!(set("½ ✓ ὅρος Ж"), set("[U+00BD] [U+2713] ὅρος Ж"));
    let drawn = PdfJob {
        charts: vec![
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"><text y="15">👍</text></svg>"##.to_owned(),
        ],
        ..job()
    };
    pdf(&drawn, &Template::bundled()).expect("the document is set");
}

#[test]
fn data_of_another_form_are_refused_and_the_next_job_is_not_harmed() {
    let broken = PdfJob { data: "{".to_owned(), ..job() };
    assert!(matches!(pdf(&broken, &Template::bundled()), Err(TypesetError::Layout(_))));
    let no_chart = PdfJob { charts: Vec::new(), ..job() };
    assert!(matches!(pdf(&no_chart, &Template::bundled()), Err(TypesetError::Layout(_))));
    assert!(pdf(&job(), &Template::bundled()).is_ok());
}

#[test]
fn limits_and_names_are_checked_before_setting() {
    let many = PdfJob { charts: vec![String::new(); CHARTS_MAX + 1], ..job() };
    assert!(matches!(pdf(&many, &Template::bundled()), Err(TypesetError::TooLarge { what: "charts", .. })));
    for name in ["", "../x", "a b", ".hidden", "à.csv"] {
        let mut bad = job();
        bad.attachments[0].name = name.to_owned();
        assert!(
            matches!(pdf(&bad, &Template::bundled()), Err(TypesetError::AttachmentName { .. })),
            "{name:?} was accepted"
        );
    }
    let undated = PdfJob { date: Date { year: 2026, month: 2, day: 30 }, ..job() };
    assert!(matches!(pdf(&undated, &Template::bundled()), Err(TypesetError::Date { .. })));
}

const BUNDLED: &str = include_str!("template.typ");

#[test]
fn an_installation_may_bring_its_own_template_and_a_picture() {
    let picture = br##"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>"##;
    let text = BUNDLED.replace(
        "// First page.",
        "#image(\"stemma.svg\", width: 10mm, alt: \"Stemma\")\n#let mark = [Carta intestata]\n#mark\n",
    );
    let own = Template::own(&text, vec![("stemma.svg".to_owned(), picture.to_vec())]).expect("it is sound");
    let bytes = pdf(&job(), &own).expect("the document is set");
    assert_ne!(bytes, pdf(&job(), &Template::bundled()).expect("the document is set"));
    assert_eq!(bytes, pdf(&job(), &own).expect("the document is set again"));
}

#[test]
fn a_template_that_breaks_runs_texts_or_reaches_out_is_refused_with_its_line() {
    let says = |text: &str| Template::own(text, Vec::new()).expect_err("refused").to_string();
    for (text, part) in [
        ("#let x = (", "line 1: "),
        ("#let d = json(\"data.json\")\n#eval(d.title)", "line 2: a template may not use `eval`"),
        ("#let run = eval\n", "line 1: a template may not use `eval`"),
        ("#import \"@preview/cetz:0.3.4\"", "line 1: a template may not use `import`"),
        ("#include \"x.typ\"", "line 1: a template may not use `include`"),
        ("#read(\"/etc/passwd\")", "could not be set with it"),
        ("= Title\n\n#read(\"/etc/passwd\")", "line 3: "),
        ("#let f(x) = {\n  panic(x)\n}\n#f(\"no\")", "line 2: "),
        ("#panic(\"no\")", "could not be set with it"),
        // No title: no PDF/UA.
        ("Nothing", "could not be set with it"),
    ] {
        let said = says(text);
        assert!(said.contains(part), "{text}: {said}");
    }
    let long = "a".repeat(TEMPLATE_BYTES_MAX + 1);
    assert!(says(&long).contains("at most"));
    for name in ["../x.svg", "a b.svg", "x.typ", "chart-0.svg", ".svg"] {
        let refused = Template::own(BUNDLED, vec![(name.to_owned(), Vec::new())]).expect_err("refused");
        assert!(matches!(refused, TemplateError::PictureName { .. }), "{name}: {refused}");
    }
}

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
    let first = pdf(&job()).expect("the document is set");
    assert!(first.starts_with(b"%PDF-1.7"));
    for text in
        ["pdfaid:part>3<", "pdfaid:conformance>A<", "pdfuaid:part>1<", "/AFRelationship", "misure.csv"]
    {
        assert!(contains(&first, text), "{text} is not in the file");
    }
    assert_eq!(first, pdf(&job()).expect("the document is set again"));
}

#[test]
fn data_of_another_form_are_refused_and_the_next_job_is_not_harmed() {
    let broken = PdfJob { data: "{".to_owned(), ..job() };
    assert!(matches!(pdf(&broken), Err(TypesetError::Layout(_))));
    let no_chart = PdfJob { charts: Vec::new(), ..job() };
    assert!(matches!(pdf(&no_chart), Err(TypesetError::Layout(_))));
    assert!(pdf(&job()).is_ok());
}

#[test]
fn limits_and_names_are_checked_before_setting() {
    let many = PdfJob { charts: vec![String::new(); CHARTS_MAX + 1], ..job() };
    assert!(matches!(pdf(&many), Err(TypesetError::TooLarge { what: "charts", .. })));
    for name in ["", "../x", "a b", ".hidden", "à.csv"] {
        let mut bad = job();
        bad.attachments[0].name = name.to_owned();
        assert!(matches!(pdf(&bad), Err(TypesetError::AttachmentName { .. })), "{name:?} was accepted");
    }
    let undated = PdfJob { date: Date { year: 2026, month: 2, day: 30 }, ..job() };
    assert!(matches!(pdf(&undated), Err(TypesetError::Date { .. })));
}

//! What goes wrong on a link is told to its owner in the owner's language, with the numbers in it.
//!
//! Must never: let a sentence fall back to English in silence.

use std::io;

use analytics::text::placeholders;
use config::Catalog;
use connectors::keys::{Wrong, unusable};
use connectors::mbus::{MBusError, MBusTarget};
use connectors::{InboxError, LinkError, Target};
use model::{Finding, MeterId, Severity};
use profile::PayloadError;
use profile::mbus::Trouble;

/// One of each kind.
fn errors() -> Vec<LinkError> {
    let meter = MeterId::new("caldaia").unwrap();
    let address = || "10.0.0.5:502".to_owned();
    let target = || {
        Box::new(Target {
            meter: meter.clone(),
            place: "modbus tcp 10.0.0.5:502".to_owned(),
            unit: 7,
            asked: "input registers 72-75".to_owned(),
        })
    };
    let slave = || {
        Box::new(MBusTarget {
            meter: meter.clone(),
            at: "10.0.0.7:10001".to_owned(),
            address: "primary 5".to_owned(),
        })
    };
    let io = || io::Error::from(io::ErrorKind::ConnectionReset);
    vec![
        LinkError::Refused { address: address(), source: io() },
        LinkError::Unreachable { address: address(), source: io() },
        LinkError::ConnectTimeout { address: address(), timeout_ms: 3_000 },
        LinkError::Timeout { target: target(), timeout_ms: 1_000 },
        LinkError::Exception { target: target(), code: 2, meaning: "it does not have these registers" },
        LinkError::Short { target: target(), got: 3, wanted: 4 },
        LinkError::Lost { target: target(), source: io() },
        LinkError::Protocol { target: target(), says: "another unit".to_owned() },
        LinkError::BrokerLost { address: address(), source: Box::new(io()) },
        LinkError::Secret {
            link: "broker".to_owned(),
            what: "password",
            from: "file x".to_owned(),
            source: Box::new(io()),
        },
        LinkError::Inbox { link: "broker".to_owned(), source: InboxError::Closed },
        LinkError::MBus(MBusError::Timeout { target: slave(), timeout_ms: 1_000 }),
        LinkError::MBus(MBusError::Trouble { target: slave(), says: Trouble::Permanent }),
        LinkError::MBus(MBusError::Twice {
            target: slave(),
            identity: "12345678".to_owned(),
            other: MeterId::new("altra").unwrap(),
        }),
        LinkError::NoSuchMeter { link: "broker".to_owned(), meter },
    ]
}

#[test]
fn every_failure_of_a_link_has_its_sentence_in_every_language() {
    let catalog = Catalog::embedded().unwrap();
    for language in config::catalog::LANGUAGES {
        let texts = catalog.texts(language);
        for error in errors() {
            let finding = error.finding("meter:caldaia");
            let sentence = texts.finding(&finding);
            let code = finding.code;
            assert!(texts.find(&format!("finding.{code}")).is_some(), "{language} has no {code}");
            assert_eq!(placeholders(&sentence).count(), 0, "{language} {code}: {sentence}");
            // The English of the program, or of the operating system, is for the log.
            for foreign in [finding.says.as_str(), "connection reset", "consuntivo probe", "within"] {
                let is_own = language == "en" && foreign == "within";
                assert!(is_own || !sentence.contains(foreign), "{language} {code}: {sentence}");
            }
        }
    }
    let italian = catalog.texts("it");
    let exception = &errors()[4];
    assert_eq!(
        italian.finding(&exception.finding("meter:caldaia")),
        "l’unità 7 ha rifiutato la richiesta con l’eccezione 2; confrontare il modello con il contatore"
    );
}

/// Findings hold values as machines write them; readers see them as their language does.
#[test]
fn numbers_days_and_words_of_a_finding_are_the_readers() {
    let note = |code, subject: &str| Finding::new(code, Severity::Note, subject, "-", "");
    let coverage = note("series.coverage.low", "meter:m 2025-06")
        .with("month", "2025-06")
        .with("coverage_percent", "88.5")
        .with("threshold_percent", 90.0);
    let valid = |kind: &'static str, from: &'static str, to: &'static str| {
        let finding = note("factor.validity", "factors:dm").with("set", "dm").with("kind", kind);
        let finding = finding.with("from", from).with("to", to);
        finding.with("begin", "2022-01-01").with("end", "2025-12-31")
    };
    let missing = note("factor.missing", "factors:dm natural_gas")
        .with("set", "dm")
        .with("carrier", "natural_gas")
        .with("what", "heating value");
    let method = note("method.chosen", "meter:m").with("method", "averaged").with("kind", "bills");
    let suspected = note("event.suspected", "meter:m").with("from", "2026-04-01").with("percent", "-110.8");
    let cases = [
        (
            &coverage,
            "giugno 2025: misurato l’88,5 % del mese, ne serve il 90 %",
            "June 2025: 88.5 % of the month",
        ),
        (&valid("to", "-", "2026-06-02"), "era valido fino al 02/06/2026 e", "was valid until 02/06/2026,"),
        (&valid("from", "2015-10-01", "-"), "era valido dal 01/10/2015 e", "was valid from 01/10/2015,"),
        (&missing, "il fattore potere calorifico per gas naturale", "natural gas"),
        (&method, "metodo scelto in base ai dati: media di più modelli.", "average over models"),
        (
            &suspected,
            "dal 01/04/2026 lo scarto dal modello cambia di −110,8 punti percentuali del consumo atteso",
            "from 01/04/2026 on the difference from the model changes by −110.8 percentage points of the expected use",
        ),
    ];
    let catalog = Catalog::embedded().unwrap();
    for (finding, italian, english) in cases {
        for (language, wanted) in [("it", italian), ("en", english)] {
            let sentence = catalog.texts(language).finding(finding);
            assert!(sentence.contains(wanted), "{language}: {sentence}");
        }
    }
}

/// What a code alone does not tell is a text too, never a word of the program.
#[test]
fn every_kind_of_a_finding_has_its_words_in_every_language() {
    let catalog = Catalog::embedded().unwrap();
    let settings = Wrong::ALL.map(|wrong| ("settings.invalid", wrong.code()));
    let troubles = Trouble::ALL.map(|trouble| ("link.meter.error", trouble.code()));
    let payloads = PayloadError::KINDS.map(|kind| ("payload.quarantined", kind));
    let records = connectors::mqtt::RECORDS_KINDS.map(|kind| ("records.refused", kind));
    let births = connectors::mqtt::BIRTH_KINDS.map(|kind| ("payload.birth", kind));
    let doubts = ["reporting.month_doubtful", "reporting.confirmed"]
        .map(|code| [(code, "baseline"), (code, "others")])
        .concat();
    let confirmed = [("reporting.confirmed", "plant")];
    let needed = ["forecast.at_risk", "forecast.out_of_reach"]
        .map(|code| ["needed", "at_most", "exceeded", "left"].map(|kind| (code, kind)))
        .concat();
    for language in config::catalog::LANGUAGES {
        let texts = catalog.texts(language);
        for (code, kind) in settings
            .iter()
            .chain(&troubles)
            .chain(&payloads)
            .chain(&records)
            .chain(&births)
            .chain(&doubts)
            .chain(&confirmed)
            .chain(&needed)
        {
            assert!(texts.find(&format!("kind.{code}.{kind}")).is_some(), "{language}: {code} {kind}");
        }
    }
    let italian = catalog.texts("it");
    let twice = unusable("meter:a", Wrong::Shared, "meter `b` has the same unit 3; give each its own");
    assert_eq!(
        italian.finding(&twice),
        "impostazione non utilizzabile: due contatori o collegamenti occupano lo stesso posto – meter `b` has the \
         same unit 3; give each its own"
    );
}

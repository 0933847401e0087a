//! Certificates: what is read, what is refused, and files that attack the reader.
//!
//! Must never: hold a certificate of a real building; this one is invented along the schema's element names.

use proptest::prelude::*;

use super::*;

const APE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ape:ape2015 xmlns:ape="urn:example">
  <datiAttestato><codiceISTATRegione>01</codiceISTATRegione><codiceIdentificativo>2019 123456 0001</codiceIdentificativo>
    <dataScadenza>2029-12-31</dataScadenza></datiAttestato>
  <datiGenerali><zonaClimatica>E</zonaClimatica><annoCostruzione>1962</annoCostruzione>
    <superficieUtileRiscaldata>1850.00</superficieUtileRiscaldata><superficieUtileRaffrescata/>
    <volumeLordoRiscaldato>7200.50</volumeLordoRiscaldato><classeEnergetica>F</classeEnergetica></datiGenerali>
  <prestazioneImpianti>
    <energiaElettricaRete><consumoAnnuo>21000</consumoAnnuo><consumoAnnuoUM>3</consumoAnnuoUM></energiaElettricaRete>
    <gasNaturale><consumoAnnuo>30500</consumoAnnuo><consumoAnnuoUM>4</consumoAnnuoUM></gasNaturale>
    <gasolio><consumoAnnuo>800</consumoAnnuo><consumoAnnuoUM>2</consumoAnnuoUM></gasolio>
    <altro><consumoAnnuo>5</consumoAnnuo><consumoAnnuoUM>9</consumoAnnuoUM></altro>
    <epglnren>210.50</epglnren><epglren>3.10</epglren><emissioniCO2>45.25</emissioniCO2>
  </prestazioneImpianti>
  <raccomandazioni><epglnren>120.00</epglnren><classeEnergetica>C</classeEnergetica></raccomandazioni>
</ape:ape2015>"#;

#[test]
fn the_declared_values_are_read() {
    let ape = read_ape(APE.as_bytes()).unwrap();
    assert_eq!(ape.code.as_deref(), Some("2019 123456 0001"));
    assert_eq!(
        (ape.region.as_deref(), ape.class.as_deref(), ape.climate_zone.as_deref()),
        (Some("01"), Some("F"), Some("E"))
    );
    assert_eq!(
        (ape.heated_area_m2, ape.cooled_area_m2, ape.heated_volume_m3),
        (Some(1850.0), None, Some(7200.5))
    );
    assert_eq!(
        ape.primary_nonrenewable_kwh_m2,
        Some(210.5),
        "that of the building, not of recommended works"
    );
    assert_eq!((ape.primary_renewable_kwh_m2, ape.co2_kg_m2), (Some(3.1), Some(45.25)));
    assert_eq!((ape.year_built, ape.expires), (Some(1962), NaiveDate::from_ymd_opt(2029, 12, 31)));
    let carriers: Vec<_> = ape.carriers.iter().map(|c| (c.name, c.amount, c.unit.symbol())).collect();
    assert_eq!(
        carriers,
        [
            ("energiaElettricaRete", 21_000.0, "kWh"),
            ("gasNaturale", 30_500.0, "Smc"),
            ("gasolio", 800.0, "kg")
        ]
    );
    assert_eq!(ape.problems.len(), 1, "{:?}", ape.problems);
    assert!(ape.problems[0].starts_with("altro has no known unit"));
}

#[test]
fn two_values_of_one_element_are_neither() {
    let twice = APE.replace("<epglren>3.10</epglren>", "<epglren>3.10</epglren><epglren>4.00</epglren>");
    let ape = read_ape(twice.as_bytes()).unwrap();
    assert_eq!(ape.primary_renewable_kwh_m2, None);
    assert!(ape.problems.iter().any(|p| p.contains("neither is taken")), "{:?}", ape.problems);
    let garbled = APE.replace("210.50", "210,5O").replace("45.25", "");
    let ape = read_ape(garbled.as_bytes()).unwrap();
    assert_eq!(
        (ape.primary_nonrenewable_kwh_m2, ape.co2_kg_m2),
        (None, None),
        "garbled or empty is not zero"
    );
}

#[test]
fn what_could_harm_is_refused() {
    let error = |text: &str| read_ape(text.as_bytes()).unwrap_err().to_string();
    let laughs =
        "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><ape><codiceIdentificativo>&b;</codiceIdentificativo></ape>";
    assert!(error(laughs).contains("a document type stands here"), "{}", error(laughs));
    assert!(
        error("<ape><codiceIdentificativo>&b;</codiceIdentificativo></ape>").contains("&b; is not expanded")
    );
    assert!(error(&"<a>".repeat(100)).contains("more than 64 levels"));
    assert!(error(&format!("<r>{}</r>", "<a/>".repeat(60_000))).contains("50000 elements"));
    assert!(error("<ape><codiceIdentificativo>x</codiceIdentificativo>").contains("the file ends within"));
    assert!(error("<ape></epa>").contains("no well-formed XML"));
    assert!(error("<html><body>errore</body></html>").contains("no certificate stands in this file"));
    assert!(error("").contains("no certificate"));
    let known = read_ape(b"<ape><codiceIdentificativo>A&amp;B&#65;</codiceIdentificativo></ape>").unwrap();
    assert_eq!(known.code.as_deref(), Some("A&BA"));
    let parts = read_ape(b"<ape><epglnren>1<![CDATA[0]]>5</epglnren></ape>").unwrap();
    assert_eq!(parts.primary_nonrenewable_kwh_m2, Some(105.0), "a part in CDATA counts as the rest does");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _outcome = read_ape(&bytes).is_ok();
    }

    #[test]
    fn arbitrary_cuts_never_panic(from in 0..APE.len(), length in 0..200_usize, put in "[<>&;/a-z\"!-]{0,8}") {
        let to = (from + length).min(APE.len());
        let text = format!("{}{put}{}", &APE[..from], &APE[to..]);
        let _outcome = read_ape(text.as_bytes()).is_ok();
    }
}

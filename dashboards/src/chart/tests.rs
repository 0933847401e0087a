//! Charts at the level of what is drawn: gaps, negatives, zeros, single points, markup in names, same bytes.
//!
//! Must never: compare whole drawings; a test says which one thing it is about.

use analytics::report::document::{
    Chart, ChartKind, FlowArrow, FlowBox, FlowColumn, NamedLine, NamedPoints, NamedValues,
};
use analytics::report::format::Numbers;

use super::{ChartStyle, svg};

fn style() -> ChartStyle {
    ChartStyle {
        numbers: Numbers::Italian,
        font: "Libertinus Serif".to_owned(),
        no_data: "n.d.".to_owned(),
        all_zero: "tutti zero".to_owned(),
        id: "c1".to_owned(),
        counts: false,
    }
}

fn named(name: &str, values: &[Option<f64>]) -> NamedValues {
    NamedValues { name: name.to_owned(), values: values.to_vec() }
}

fn chart(kind: ChartKind) -> Chart {
    Chart { caption: "Misure <2025>".to_owned(), alternative: "Dodici mesi & altro".to_owned(), kind }
}

fn columns(columns: Vec<NamedValues>, line: Option<NamedValues>) -> String {
    let labels = (1..=3).map(|i| format!("m{i}")).collect();
    let chart = chart(ChartKind::MonthlyColumns { unit: "kWh".to_owned(), labels, columns, line });
    let out = svg(&chart, &style());
    assert_eq!(out, svg(&chart, &style()));
    assert!(!out.contains("NaN") && !out.contains("inf"), "{out}");
    out
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_chart_says_what_it_shows_and_escapes_names() {
    let out = columns(vec![named("a \"<b>\"", &[Some(1234.5), Some(2.0), Some(3.0)])], None);
    assert!(out.starts_with("<svg "));
    assert!(out.contains(r#"aria-labelledby="c1-title c1-desc""#));
    assert!(out.contains("<title id=\"c1-title\">Misure &lt;2025&gt;</title>"));
    assert!(out.contains("<desc id=\"c1-desc\">Dodici mesi &amp; altro</desc>"));
    assert!(out.contains(">a &quot;&lt;b&gt;&quot;</text>"));
    assert!(out.contains(">1.250</text>"), "{out}");
    assert_eq!(count(&out, "#1f4e79"), 4, "three columns and the legend");
}

#[test]
fn a_missing_layer_is_a_gap_and_never_a_lower_column() {
    let whole = named("misurato", &[Some(5.0), Some(5.0), Some(5.0)]);
    let part = named("stimato", &[Some(1.0), None, Some(1.0)]);
    let out = columns(vec![whole, part], Some(named("linea", &[Some(6.0), None, Some(7.0)])));
    assert_eq!(count(&out, "fill=\"#1f4e79\""), 3, "two months and the legend");
    assert_eq!(count(&out, "url(#c1-gap)"), 2, "one month and the legend");
    assert_eq!(count(&out, "url(#c1-hatch)"), 3);
    // Two single points of the line, none joined over the gap; the legend has the only stroke.
    assert_eq!(count(&out, "<polyline"), 2);
    assert_eq!(count(&out, ">n.d.</text>"), 2);
}

#[test]
fn negative_zero_and_empty_charts_are_drawn() {
    let out = columns(vec![named("risparmio", &[Some(-20.0), Some(35.0), Some(0.0)])], None);
    assert!(out.contains(">\u{2212}20</text>"), "{out}");
    let out = columns(vec![named("zero", &[Some(0.0), Some(0.0), Some(0.0)])], None);
    assert!(out.contains(">tutti zero</text>"));
    let out = columns(vec![named("nulla", &[None, None, None])], None);
    assert_eq!(count(&out, "url(#c1-gap)"), 4);
    let out = columns(vec![], None);
    assert!(out.ends_with("</svg>"));
}

#[test]
fn scatters_of_many_one_and_no_points_are_drawn() {
    let scatter = |points: Vec<(f64, f64)>, line: Option<NamedLine>| {
        let groups = vec![NamedPoints { name: "prima".to_owned(), points }];
        let kind = ChartKind::Scatter { x_label: "GG".to_owned(), y_label: "kWh".to_owned(), groups, line };
        svg(&chart(kind), &style())
    };
    let line = NamedLine { name: "modello".to_owned(), points: vec![(0.0, 1.0), (10.0, 15.0)] };
    let out = scatter(vec![(1.0, 2.0), (f64::NAN, 3.0), (9.5, 14.0)], Some(line));
    assert_eq!(count(&out, "<circle"), 3, "two points and the legend");
    assert_eq!(count(&out, "<polyline"), 4, "line and legend, each with its halo");
    assert_eq!(count(&scatter(vec![(1.0, 2.0)], None), "<circle"), 2);
    assert!(scatter(Vec::new(), None).contains(">n.d.</text>"));
}

#[test]
fn coverage_is_rounded_and_never_up_to_all_and_not_due_is_empty() {
    let kind = ChartKind::Coverage {
        labels: vec!["gen".to_owned(), "feb".to_owned(), "mar".to_owned(), "apr".to_owned()],
        rows: vec![named("contatore", &[Some(0.999), Some(0.0), None, Some(1.0)])],
    };
    let out = svg(&chart(kind), &style());
    assert!(out.contains(">99</text>") && out.contains(">0</text>") && out.contains(">100</text>"));
    assert_eq!(count(&out, "<rect x="), 3);
}

#[test]
fn names_that_begin_alike_stay_apart_where_they_are_cut() {
    let names = [
        "Energia elettrica, quadro generale (Ambulatori)",
        "Energia elettrica, quadro generale (Consultorio)",
    ];
    let rows = names.map(|name| named(name, &[Some(1.0)])).to_vec();
    let out = svg(&chart(ChartKind::Coverage { labels: vec!["gen".to_owned()], rows }), &style());
    assert!(out.contains(">(Ambulatori)</text>") && out.contains(">(Consultorio)</text>"), "{out}");
    assert_eq!(count(&out, ">Energia elettrica, quadro generale</text>"), 2, "{out}");
    let layers = names.map(|name| named(name, &[Some(1.0), Some(1.0), Some(1.0)])).to_vec();
    // A legend has room for what tells them apart.
    let out = columns(layers, None);
    assert!(out.contains("generale (Ambu…</text>") && out.contains("generale (Cons…</text>"), "{out}");
    // Beyond two lines what they begin with in common goes.
    let long = names.map(|name| format!("Plesso scolastico comunale di via della Dimostrazione, {name}"));
    let rows = long.iter().map(|name| named(name, &[Some(1.0)])).collect();
    let out = svg(&chart(ChartKind::Coverage { labels: vec!["gen".to_owned()], rows }), &style());
    assert!(out.contains(">…(Ambulatori)</text>") && out.contains(">…(Consultorio)</text>"), "{out}");
}

#[test]
fn a_name_too_long_for_two_lines_has_a_third_in_its_box() {
    let column = |name: &str| FlowColumn {
        title: String::new(),
        boxes: vec![FlowBox { name: name.to_owned(), note: "0.9.0".to_owned() }],
    };
    let columns = ["a", "b", "Dimostrazione: edifici inventati", "c", "d"].map(column).to_vec();
    let out = svg(&chart(ChartKind::Flow { columns, arrows: Vec::new() }), &style());
    for line in ["Dimostrazione:", "edifici", "inventati"] {
        assert!(out.contains(&format!(">{line}</text>")), "{out}");
    }
}

#[test]
fn a_flow_draws_its_boxes_and_only_arrows_between_them() {
    let column = |title: &str, names: &[&str]| FlowColumn {
        title: title.to_owned(),
        boxes: names.iter().map(|n| FlowBox { name: (*n).to_owned(), note: "nota".to_owned() }).collect(),
    };
    let columns = vec![
        column("Contatori", &["Caldaia della scuola elementare Nord di Borgo", "<b>"]),
        column("Rete", &["bus"]),
    ];
    let arrow = |from, to| FlowArrow { from, to };
    let arrows =
        vec![arrow((0, 0), (1, 0)), arrow((0, 1), (1, 0)), arrow((0, 2), (1, 0)), arrow((1, 0), (2, 0))];
    let out = svg(&chart(ChartKind::Flow { columns, arrows }), &style());
    assert_eq!(count(&out, "<rect "), 3);
    assert_eq!(count(&out, "stroke=\"#555555\""), 2 * 3, "two arrows of three strokes");
    assert!(out.contains(">&lt;b&gt;</text>"));
    assert_eq!(count(&out, "</text>"), 2 + 3 + 3, "titles, notes and names: {out}");
    let none = svg(&chart(ChartKind::Flow { columns: Vec::new(), arrows: Vec::new() }), &style());
    assert!(!none.contains("NaN") && !none.contains("inf"));
}

#[test]
fn a_long_name_is_told_whole_on_two_lines_and_a_word_without_spaces_is_broken() {
    let size = svg::TEXT_SIZE;
    let lines = svg::wrapped("Energia elettrica, quadro generale (Ambulatori)", (size, 218.0), 2);
    assert_eq!(lines, ["Energia elettrica, quadro", "generale (Ambulatori)"]);
    let word = "Contatore_elettrico_generale_senza_spazi_nel_nome";
    let lines = svg::wrapped(word, (size, 218.0), 2);
    assert!(lines.len() == 2 && lines.concat() == word, "{lines:?}");
    let lines = svg::wrapped(&word.repeat(3), (size, 218.0), 2);
    assert!(lines.len() == 2 && lines[1].ends_with('…'), "{lines:?}");
    let kind = ChartKind::Coverage {
        labels: vec!["gen".to_owned()],
        rows: vec![named("Energia elettrica, quadro generale (Ambulatori)", &[Some(1.0)])],
    };
    let out = svg(&chart(kind), &style());
    assert!(out.contains(">(Ambulatori)</text>") && !out.contains('…'), "{out}");
}

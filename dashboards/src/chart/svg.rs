//! The little of SVG that the charts need, with fixed number formatting, escaping and fill patterns.
//!
//! Must never: let a text of the data become markup.

use std::fmt::Write as _;

use super::ChartStyle;

/// Width of every chart in its own units.
pub(super) const WIDTH: f64 = 680.0;
pub(super) const TEXT_SIZE: f64 = 13.0;

pub(super) const INK: &str = "#1a1a1a";
pub(super) const GRID: &str = "#c9c9c9";
pub(super) const SOFT: &str = "#555555";

/// Fills that stay apart in black and white: two lightnesses, a hatch, dots.
pub(super) const FILLS: [Fill; 4] = [Fill::Dark, Fill::Hatch, Fill::Light, Fill::Dots];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Dark,
    Hatch,
    Light,
    Dots,
    /// Where there are no data: a wide hatch on white.
    Gap,
}

impl Fill {
    const fn id(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Hatch => "hatch",
            Self::Light => "light",
            Self::Dots => "dots",
            Self::Gap => "gap",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing that grows; finished once.
#[derive(Debug)]
pub(super) struct Drawing {
    height: f64,
    id: String,
    used: Vec<Fill>,
    body: String,
}

impl Drawing {
    pub(super) fn new(style: &ChartStyle, height: f64) -> Self {
        let id = style.id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        Self { height, id, used: Vec::new(), body: String::new() }
    }

    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Fill) {
        let paint = match fill {
            Fill::Dark => "#1f4e79".to_owned(),
            Fill::Light => "#d5dde6".to_owned(),
            Fill::Hatch | Fill::Dots | Fill::Gap => {
                if !self.used.contains(&fill) {
                    self.used.push(fill);
                }
                format!("url(#{}-{})", self.id, fill.id())
            }
        };
        let stroke = if fill == Fill::Gap { "#8a8a8a" } else { "#123251" };
        let dash = if fill == Fill::Gap { r#" stroke-dasharray="3 2""# } else { "" };
        let _infallible = write!(
            self.body,
            r#"<rect x="{}" y="{}" width="{}" height="{}" fill="{paint}" stroke="{stroke}" stroke-width="0.7"{dash}/>"#,
            n(x),
            n(y),
            n(width.max(0.0)),
            n(height.max(0.0))
        );
    }

    /// A shape whose colour the page's style gives to its class.
    pub(super) fn path(&mut self, class: &str, d: &str) {
        let _infallible = write!(self.body, r#"<path class="{}" d="{}"/>"#, escape(class), escape(d));
    }

    /// A white ground for a text that stands on a hatch, centred on the point.
    pub(super) fn plate(&mut self, x: f64, y: f64, width: f64, height: f64) {
        let _infallible = write!(
            self.body,
            r##"<path d="M{} {}h{}v{}h-{}z" fill="#ffffff"/>"##,
            n(x - width / 2.0),
            n(y - height / 2.0),
            n(width),
            n(height),
            n(width)
        );
    }

    /// A cell of a grey as dark as `share` is large.
    pub(super) fn shade(&mut self, x: f64, y: f64, width: f64, height: f64, share: f64) {
        // From white at 0 to #5b84ad at 1: dark text stays readable on all of them.
        let mix = |to: f64| (255.0 + (to - 255.0) * share.clamp(0.0, 1.0)).round();
        let _infallible = write!(
            self.body,
            r#"<rect x="{}" y="{}" width="{}" height="{}" fill="rgb({},{},{})" stroke="{SOFT}" stroke-width="0.5"/>"#,
            n(x),
            n(y),
            n(width),
            n(height),
            mix(143.0),
            mix(176.0),
            mix(208.0)
        );
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, width: f64) {
        let _infallible = write!(
            self.body,
            r#"<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="{stroke}" stroke-width="{}"/>"#,
            n(from.0),
            n(from.1),
            n(to.0),
            n(to.1),
            n(width)
        );
    }

    pub(super) fn polyline(&mut self, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|p| format!("{},{}", n(p.0), n(p.1))).collect();
        let _infallible = write!(
            self.body,
            r##"<polyline points="{}" fill="none" stroke="#ffffff" stroke-width="4.4" stroke-linejoin="round"/><polyline points="{}" fill="none" stroke="#b5480e" stroke-width="2.2" stroke-linejoin="round"/>"##,
            points.join(" "),
            points.join(" ")
        );
    }

    /// A shaded area with a thin edge, under lines.
    pub(super) fn area(&mut self, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|p| format!("{},{}", n(p.0), n(p.1))).collect();
        let _infallible = write!(
            self.body,
            r##"<polygon points="{}" fill="#d5dde6" stroke="#7f95ab" stroke-width="0.8" stroke-linejoin="round"/>"##,
            points.join(" ")
        );
    }

    /// A heavy dashed line: a mark to be reached.
    pub(super) fn dashed(&mut self, from: (f64, f64), to: (f64, f64)) {
        let _infallible = write!(
            self.body,
            r#"<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="{INK}" stroke-width="1.8" stroke-dasharray="7 4"/>"#,
            n(from.0),
            n(from.1),
            n(to.0),
            n(to.1)
        );
    }

    /// A marker: filled disc, open square, open triangle by number.
    pub(super) fn marker(&mut self, x: f64, y: f64, kind: usize) {
        let _infallible = match kind {
            0 => write!(
                self.body,
                r##"<circle cx="{}" cy="{}" r="3.6" fill="#7f95ab" stroke="{INK}" stroke-width="0.8"/>"##,
                n(x),
                n(y)
            ),
            1 => write!(
                self.body,
                r##"<rect x="{}" y="{}" width="8" height="8" fill="#ffffff" stroke="#b5480e" stroke-width="2"/>"##,
                n(x - 4.0),
                n(y - 4.0)
            ),
            _ => write!(
                self.body,
                r##"<path d="M{} {}l5 8.6h-10z" fill="#ffffff" stroke="{INK}" stroke-width="1.4"/>"##,
                n(x),
                n(y - 5.0)
            ),
        };
    }

    /// A small open diamond: a point of the line.
    pub(super) fn diamond(&mut self, x: f64, y: f64) {
        let _infallible = write!(
            self.body,
            r##"<path d="M{} {}l3.6 3.6l-3.6 3.6l-3.6 -3.6z" fill="#ffffff" stroke="#b5480e" stroke-width="1.6"/>"##,
            n(x),
            n(y - 3.6)
        );
    }

    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, size: f64, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _infallible = write!(
            self.body,
            r#"<text x="{}" y="{}" text-anchor="{anchor}" font-size="{}" fill="{INK}">{}</text>"#,
            n(x),
            n(y),
            n(size),
            escape(text)
        );
    }

    /// A text that reads upwards, centred on the point.
    pub(super) fn text_up(&mut self, x: f64, y: f64, size: f64, text: &str) {
        let _infallible = write!(
            self.body,
            r#"<text transform="translate({} {}) rotate(-90)" text-anchor="middle" font-size="{}" fill="{INK}">{}</text>"#,
            n(x),
            n(y),
            n(size),
            escape(text)
        );
    }

    /// The whole SVG document.
    pub(super) fn finish(self, style: &ChartStyle, title: &str, description: &str) -> String {
        let mut out = String::with_capacity(self.body.len() + 2048);
        let _infallible = write!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-labelledby="{id}-title {id}-desc" font-family="{font}"><title id="{id}-title">{title}</title><desc id="{id}-desc">{description}</desc>"#,
            w = n(WIDTH),
            h = n(self.height),
            id = self.id,
            font = escape(&style.font),
            title = escape(title),
            description = escape(description)
        );
        if !self.used.is_empty() {
            out.push_str("<defs>");
            for fill in &self.used {
                out.push_str(&pattern(&self.id, *fill));
            }
            out.push_str("</defs>");
        }
        out.push_str(&self.body);
        out.push_str("</svg>");
        out
    }
}

fn pattern(id: &str, fill: Fill) -> String {
    let (size, ground, marks) = match fill {
        Fill::Hatch => {
            (6, "#ffffff", r##"<path d="M-1 1L1 -1M0 6L6 0M5 7L7 5" stroke="#1f4e79" stroke-width="1.5"/>"##)
        }
        Fill::Dots => (6, "#ffffff", r##"<circle cx="3" cy="3" r="1.3" fill="#1f4e79"/>"##),
        Fill::Dark | Fill::Light | Fill::Gap => (
            9,
            "#ffffff",
            r##"<path d="M-1 8L1 10M0 0L9 9M8 -1L10 1" stroke="#9a9a9a" stroke-width="0.8"/>"##,
        ),
    };
    format!(
        r#"<pattern id="{id}-{}" width="{size}" height="{size}" patternUnits="userSpaceOnUse"><rect width="{size}" height="{size}" fill="{ground}"/>{marks}</pattern>"#,
        fill.id()
    )
}

/// A coordinate with at most two decimals; never an exponent, never a negative zero.
pub(super) fn n(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" || text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // What XML 1.0 cannot hold.
            c if u32::from(c) < 0x20 && !matches!(c, '\t' | '\n') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Width of a character over the text size: above the mean of the serif and sans faces in use.
const CHARACTER_WIDTH: f64 = 0.52;

/// Where the entries of a legend begin, and their names, cut only when the line has no room for all of them.
pub(super) fn legend_places(names: &[&str], left: f64, right: f64) -> Vec<(f64, String)> {
    const MARK: f64 = 26.0;
    const AFTER: f64 = 18.0;
    let natural: f64 = names.iter().map(|n| text_width(n, TEXT_SIZE) + MARK + AFTER).sum();
    let room = (right - left) / names.len().max(1) as f64;
    let texts = if natural <= right - left {
        names.iter().map(|name| (*name).to_owned()).collect()
    } else {
        cut_apart(names, TEXT_SIZE, room - MARK - 6.0)
    };
    let mut x = left;
    texts
        .into_iter()
        .map(|text| {
            let at = x;
            x += (text_width(&text, TEXT_SIZE) + MARK + AFTER)
                .min(room.max(natural / names.len() as f64 * 4.0));
            (at, text)
        })
        .collect()
}

/// About how wide a text is: an upper estimate for proportional fonts, so that labels never meet.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * CHARACTER_WIDTH
}

/// The room that the ticks of the value axis and the unit over them take: a unit has letters wider than most.
pub(super) fn axis_width(ticks: &[String], unit: &str) -> f64 {
    const CAPITALS: f64 = 1.4;
    let widest = ticks.iter().map(|t| text_width(t, TEXT_SIZE)).fold(20.0, f64::max);
    widest.max(CAPITALS * text_width(unit, TEXT_SIZE))
}

/// The text cut to a width, with an ellipsis where it was cut.
pub(super) fn cut(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive count")]
    let room = ((width / (size * CHARACTER_WIDTH)).max(2.0) - 1.0) as usize;
    let mut short: String = text.chars().take(room).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// The text of a size and for a width in at most so many lines, broken at spaces, and within a word that no line holds;
/// what has no room on the last line is cut there, and its ellipsis says so.
pub(super) fn wrapped(text: &str, (size, width): (f64, f64), lines_max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let room = lines.len() < lines_max;
        let Some(last) = lines.last_mut() else { break };
        let longer = if last.is_empty() { word.to_owned() } else { format!("{last} {word}") };
        if !room || text_width(&longer, size) <= width {
            *last = longer;
            continue;
        }
        // A word longer than a line begins where it is and goes on below.
        let mut left = if text_width(word, size) <= width && !last.is_empty() {
            lines.push(word.to_owned());
            continue;
        } else {
            longer
        };
        while text_width(&left, size) > width && lines.len() < lines_max {
            let rest = left.split_off(fitting(&left, size, width));
            if let Some(last) = lines.last_mut() {
                *last = std::mem::replace(&mut left, rest);
            }
            lines.push(String::new());
        }
        if let Some(last) = lines.last_mut() {
            *last = left;
        }
    }
    lines.iter().map(|line| cut(line, size, width)).collect()
}

/// How many bytes of a text a line holds; of one character at least.
fn fitting(text: &str, size: f64, width: f64) -> usize {
    let fits = |end: &usize| text_width(&text[..*end], size) <= width;
    let ends = || text.char_indices().map(|(at, c)| at + c.len_utf8());
    ends().take_while(fits).last().or_else(|| ends().next()).unwrap_or(0)
}

/// Every text cut to a width. Where two that differ would become one, each keeps what tells it apart: its beginning goes
/// instead of its end.
pub(super) fn cut_apart(texts: &[&str], size: f64, width: f64) -> Vec<String> {
    let short: Vec<String> = texts.iter().map(|text| cut(text, size, width)).collect();
    let apart = |i: usize| {
        let like: Vec<&str> = (0..texts.len()).filter(|j| short[*j] == short[i]).map(|j| texts[j]).collect();
        if like.iter().all(|text| *text == texts[i]) {
            return short[i].clone();
        }
        cut(&format!("…{}", &texts[i][shared_words(&like)..]), size, width)
    };
    (0..texts.len()).map(apart).collect()
}

/// How many bytes of whole words, with the space after them, all texts begin with.
fn shared_words(texts: &[&str]) -> usize {
    let Some((first, others)) = texts.split_first() else { return 0 };
    let is_shared =
        |end: usize| others.iter().all(|text| text.as_bytes().get(..end) == Some(&first.as_bytes()[..end]));
    let mut ends = first.match_indices(' ').map(|(i, space)| i + space.len());
    ends.rfind(|end| is_shared(*end)).unwrap_or(0)
}

//! Every finding that touches a number of the report, worst first.
//!
//! Must never: leave a blocking finding out.

use model::Finding;

use super::context::Context;
use super::document::{Align, Block, Section};

/// Most findings printed one by one; the worst come first, and the rest is counted.
const PRINTED_MAX: usize = 120;

pub(super) fn section(context: &Context<'_>) -> Section {
    let findings = &context.year.findings;
    let blocks = if findings.is_empty() {
        vec![context.paragraph("findings.none")]
    } else {
        let mut blocks = vec![context.paragraph("findings.intro"), table(context, findings)];
        if findings.len() > PRINTED_MAX {
            let more = (findings.len() - PRINTED_MAX).to_string();
            blocks.push(Block::Paragraph(context.fill("findings.more", &[("count", &more)])));
        }
        blocks
    };
    context.section("findings", blocks)
}

fn table(context: &Context<'_>, findings: &[Finding]) -> Block {
    let rows = findings
        .iter()
        .take(PRINTED_MAX)
        .map(|f| {
            vec![
                context.t(&format!("severity.{}", f.severity.code())),
                context.subject(f),
                context.sentence(f),
                f.code.to_owned(),
            ]
        })
        .collect();
    let columns = [
        ("severity", Align::Left),
        ("subject", Align::Left),
        ("finding", Align::Left),
        ("code", Align::Left),
    ];
    context.table(context.t("findings.caption"), &columns, rows)
}

//! Who answers for the report, and what is attached to it.
//!
//! Must never: state that the document was signed or sent.

use super::context::Context;
use super::document::{Block, Section};

pub(super) fn section(context: &Context<'_>) -> Section {
    let project = &context.year.project;
    let values = [
        ("beneficiary", &*project.beneficiary.name),
        ("representative", &*project.beneficiary.legal_representative),
        ("year", &*context.year.year.to_string()),
    ];
    let named = !project.beneficiary.legal_representative.trim().is_empty();
    let key = if named { "closing.signer_named" } else { "closing.signer" };
    let mut blocks =
        vec![context.paragraph("closing.attachments"), Block::Paragraph(context.fill(key, &values))];
    if let Some(yearly) = &context.year.scheme.yearly {
        let channel = [("channel", context.texts.channel(&yearly.channel)), ("citation", &*yearly.citation)];
        blocks.push(Block::Paragraph(context.fill("closing.channel", &channel)));
    }
    blocks.push(context.paragraph("closing.place"));
    context.section("closing", blocks)
}

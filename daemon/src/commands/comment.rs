//! `consuntivo comment`: people's comments on the sections of a report.
//!
//! Must never: write a comment without the name of who wrote it.

use std::path::PathBuf;

use analytics::report::beside::SectionKey;
use anyhow::Context;
use clap::{Args, Subcommand};
use model::ProjectId;

use crate::comments::{self, Said};
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{ConfigArg, clock, figures};

#[derive(Debug, Subcommand)]
pub(crate) enum CommentWhat {
    /// Write a comment, in place of the one there was
    Set {
        #[command(flatten)]
        on: On,
        /// The section
        #[arg(long, value_parser = parse_section)]
        section: SectionKey,
        /// The words; an empty line begins a paragraph
        #[arg(long, required_unless_present = "file", conflicts_with = "file")]
        text: Option<String>,
        /// A file with the words (UTF-8)
        #[arg(long)]
        file: Option<PathBuf>,
        /// Who comments; the report names them
        #[arg(long)]
        author: String,
        /// Leave the program's own comment out of this section
        #[arg(long)]
        instead: bool,
    },
    /// Every comment on a report
    List {
        #[command(flatten)]
        on: On,
    },
    /// Take a comment out of the report; the store keeps it
    Remove {
        #[command(flatten)]
        on: On,
        #[arg(long, value_parser = parse_section)]
        section: SectionKey,
        /// Who takes it away
        #[arg(long)]
        author: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct On {
    #[command(flatten)]
    config: ConfigArg,
    #[arg(long, value_parser = crate::parse_project)]
    project: ProjectId,
    /// The year that the report is about
    #[arg(long)]
    year: i32,
}

fn parse_section(text: &str) -> Result<SectionKey, String> {
    SectionKey::parse(text).ok_or_else(|| {
        let known: Vec<&str> = SectionKey::ALL.iter().map(|s| s.code()).collect();
        format!("no section; write one of {}", known.join(", "))
    })
}

/// Bytes of a file that cannot be short enough are not read.
const FILE_BYTES_MAX: u64 = 4 * comments::TEXT_MAX as u64;

pub(crate) fn comment(what: &CommentWhat) -> Result<Exit, Failure> {
    let (CommentWhat::Set { on, .. } | CommentWhat::List { on } | CommentWhat::Remove { on, .. }) = what;
    let installation = Installation::load(&on.config.config)?;
    let store = installation.open_shared_store()?;
    let project = figures::project(&store, &installation.catalog, &on.project)?;
    let now = clock::now();
    match what {
        CommentWhat::Set { section, text, file, author, instead, .. } => {
            let words = match (text, file) {
                (Some(text), _) => text.clone(),
                (None, Some(file)) => read(file)?,
                (None, None) => String::new(),
            };
            let said = Said { text: &words, author, instead: *instead };
            comments::set(&store, (&project.id, on.year, *section), said, now)?;
        }
        CommentWhat::List { .. } => {
            for comment in comments::of_report(&store, &project, on.year)? {
                let instead = if comment.instead { ", in place of the program's" } else { "" };
                println!("{}: {}, {}{instead}", comment.section.code(), comment.author, comment.date);
                for line in comment.text.lines() {
                    println!("  {line}");
                }
            }
        }
        CommentWhat::Remove { section, author, .. } => {
            comments::remove(&store, (&project.id, on.year, *section), author, now)?;
        }
    }
    Ok(Exit::OK)
}

fn read(file: &PathBuf) -> Result<String, Failure> {
    let length = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    if FILE_BYTES_MAX < length {
        return Err(Failure::bad_input(format!(
            "{} has {length} bytes; a comment has at most {} characters",
            file.display(),
            comments::TEXT_MAX
        )));
    }
    std::fs::read_to_string(file).map_err(|error| {
        Failure::bad_input(format!("cannot read {}: {error}; it must be UTF-8", file.display()))
    })
}

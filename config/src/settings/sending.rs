//! Settings of what is sent and taken in on paper's behalf: memo mails, certified mail, signatures, the grants system.
//!
//! Must never: hold a password; it stands in a file of its own.

use std::path::{Path, PathBuf};

use crate::project::grant::is_address;
use crate::reader::{Source, Table};

/// How the line to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    StartTls,
    Tls,
    /// Only to this machine.
    Plain,
}

impl MailSecurity {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "starttls" => Some(Self::StartTls),
            "tls" => Some(Self::Tls),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }
}

/// A mail server and who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    pub server: String,
    pub port: u16,
    pub security: MailSecurity,
    pub username: Option<String>,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    /// The address that letters come from.
    pub from: String,
    /// Where receipts of certified mail are put, one `.eml` file each, by whatever fetches them.
    pub receipts_dir: Option<PathBuf>,
}

/// What the grants system delivers, and by which ways.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantsSettings {
    /// A folder that is looked through every minute.
    pub folder: Option<PathBuf>,
    /// The token of the endpoint; without it the endpoint takes nothing.
    pub token_file: Option<PathBuf>,
}

/// Everything of this file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SendingSettings {
    /// For memo mails.
    pub mail: Option<MailSettings>,
    /// Certified mail, for submissions.
    pub pec: Option<MailSettings>,
    pub grants: GrantsSettings,
    /// Authorities that signers' certificates must lead to, PEM.
    pub trust_file: Option<PathBuf>,
}

const FILE: &str = "a file, absolute or relative to this one";

pub(super) fn read(source: &Source<'_>, root: &Table<'_, '_>, base: &Path) -> Option<SendingSettings> {
    let server = |key: &'static str, receipts: bool| {
        root.table_optional(key).map(|table| read_server(source, &table, base, receipts))
    };
    let (mail, pec) = (server("mail", false), server("pec", true));
    let path = |table: &Table<'_, '_>, key| table.text_optional(key, FILE).map(|text| base.join(text));
    let grants = root.table_optional("grants").map(|table| {
        let grants =
            GrantsSettings { folder: path(&table, "folder"), token_file: path(&table, "token_file") };
        table.finish();
        grants
    });
    let trust_file = root.table_optional("signatures").and_then(|table| {
        let file = path(&table, "trust_file");
        table.finish();
        file
    });
    let all_of = |read: Option<Option<MailSettings>>| match read {
        Some(read) => read.map(Some),
        None => Some(None),
    };
    Some(SendingSettings {
        mail: all_of(mail)?,
        pec: all_of(pec)?,
        grants: grants.unwrap_or_default(),
        trust_file,
    })
}

fn read_server(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    base: &Path,
    receipts: bool,
) -> Option<MailSettings> {
    let server = table.parsed("server", "the mail server's name", |t| {
        (!t.is_empty() && !t.contains([':', '/', ' '])).then(|| t.to_owned())
    });
    let expected = "\"starttls\", \"tls\" or \"plain\"";
    let security = table.parsed_or("security", expected, MailSecurity::StartTls, MailSecurity::parse)?;
    let usual = match security {
        MailSecurity::StartTls => 587,
        MailSecurity::Tls => 465,
        MailSecurity::Plain => 25,
    };
    let port = table.integer_or("port", 1..=65_535, usual).and_then(|n| u16::try_from(n).ok());
    let username = table.text_optional("username", "the user's name there");
    let path = |key| table.text_optional(key, FILE).map(|text| base.join(text));
    let (password_file, ca_file) = (path("password_file"), path("ca_file"));
    let from = table
        .parsed("from", "a mail address that letters come from", |t| is_address(t).then(|| t.to_owned()));
    let receipts_dir = if receipts { path("receipts_dir") } else { None };
    table.finish();
    let server = server?;
    if username.is_some() != password_file.is_some() {
        let next = "give both, or neither";
        source.report_at(&table.at("username"), "stands without its other half", next);
    }
    let own = ["localhost", "127.0.0.1"].contains(&server.as_str());
    if security == MailSecurity::Plain && (!own || username.is_some()) {
        let says = "an unprotected line is for a relay on this machine, without a user";
        source.report_at(&table.at("security"), says, "use \"starttls\" or \"tls\"");
    }
    Some(MailSettings {
        server,
        port: port?,
        security,
        username,
        password_file,
        ca_file,
        from: from?,
        receipts_dir,
    })
}

//! `consuntivo account`: accounts from the command line, for whoever has the machine.
//!
//! Must never: take a password on the command line, where others see it; people choose theirs by a one-time link.

use std::sync::Arc;

use clap::Subcommand;
use dashboards::access::{AccountView, Held, LinkPurpose, NewAccount, Refused, Role, Scope, Secret};
use model::{BuildingId, ProjectId};

use crate::access::{Accounts, Terms};
use crate::clock::SystemClock;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{ConfigArg, figures, site};

/// Who acts, for the audit log.
const AUTHOR: &str = "cli";

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Make an account; prints the one-time link by which its holder chooses a password
    Add {
        /// What its holder signs in with: 1 to 64 of a-z, 0-9, '-', '_', '.' and '@'
        account: String,
        /// Name and surname
        #[arg(long)]
        name: String,
        /// ROLE everywhere, ROLE=PROJECT or ROLE=PROJECT/BUILDING; may be given several times
        #[arg(long, value_parser = parse_role)]
        role: Vec<Held>,
        #[arg(long)]
        mail: Option<String>,
        /// For who comes by a login provider
        #[arg(long)]
        tax_code: Option<String>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// One line for each account: enabled or not, password, second factor, roles
    List(ConfigArg),
    /// Shut an account; its sessions and links end within seconds, also in a running daemon
    Disable {
        account: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Open a disabled account again
    Enable {
        account: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Print a one-time link, valid for 24 hours, to choose another password; without ACCOUNT, and while there is none,
    /// the link that makes the first administrator
    Link {
        account: Option<String>,
        #[command(flatten)]
        config: ConfigArg,
    },
}

pub(crate) fn account(what: &What) -> Result<Exit, Failure> {
    match what {
        What::Add { account, name, role, mail, tax_code, config } => {
            let (accounts, origin) = open(config)?;
            let new = NewAccount {
                account: account.clone(),
                name: name.clone(),
                mail: mail.clone(),
                tax_code: tax_code.clone(),
                roles: joined(role),
            };
            let made = accounts.add(&new, LinkPurpose::Invitation, AUTHOR);
            let secret = made.map_err(|refused| failure(account, refused))?;
            show(&origin, LinkPurpose::Invitation, &secret);
            note_unknown_places(config, role)?;
        }
        What::List(config) => {
            let (accounts, _) = open(config)?;
            for view in accounts.all() {
                println!("{}", line(&view));
            }
        }
        What::Disable { account, config } | What::Enable { account, config } => {
            let enabled = matches!(what, What::Enable { .. });
            let (accounts, _) = open(config)?;
            accounts.set(account, enabled, None, AUTHOR).map_err(|refused| failure(account, refused))?;
            println!("{account}\t{}", if enabled { "enabled" } else { "disabled" });
        }
        What::Link { account: Some(account), config } => {
            let (accounts, origin) = open(config)?;
            let made = accounts.renew_link(account, LinkPurpose::Reset, AUTHOR);
            let secret = made.map_err(|refused| failure(account, refused))?;
            show(&origin, LinkPurpose::Reset, &secret);
        }
        What::Link { account: None, config } => {
            let (accounts, origin) = open(config)?;
            let made = accounts.first_run().map_err(|refused| failure("the first account", refused))?;
            let secret = made.ok_or_else(|| {
                Failure::bad_input("there are accounts already; name the one whose link is wanted")
            })?;
            show(&origin, LinkPurpose::FirstRun, &secret);
        }
    }
    Ok(Exit::OK)
}

/// A role may be given before its project is imported; a slip of the pen looks the same, and is told.
fn note_unknown_places(config: &ConfigArg, roles: &[Held]) -> Result<(), Failure> {
    let installation = Installation::load(&config.config)?;
    let store = installation.open_or_make_store()?;
    let (projects, _) = figures::projects(&store, &installation.catalog)?;
    let known = |project: &ProjectId, building: Option<&BuildingId>| {
        projects.iter().filter(|known| known.id == *project).any(|known| {
            building.is_none_or(|building| known.buildings.iter().any(|own| own.id == *building))
        })
    };
    for held in roles {
        let is_known = match &held.scope {
            Scope::All => true,
            Scope::Projects(ids) => ids.iter().all(|id| known(id, None)),
            Scope::Buildings(ids) => ids.iter().all(|(project, building)| known(project, Some(building))),
        };
        if !is_known {
            eprintln!("note: nothing is imported yet that {} holds for; check its name", written(held));
        }
    }
    Ok(())
}

fn open(config: &ConfigArg) -> Result<(Accounts, String), Failure> {
    let installation = Installation::load(&config.config)?;
    let access = &installation.settings.access;
    let terms = Terms { idle_s: access.idle_minutes * 60, session_s: access.session_hours * 3_600 };
    let store = installation.open_or_make_store()?;
    let accounts = Accounts::open(store, Arc::new(SystemClock), terms)?;
    Ok((accounts, site::stated_origin(&installation.settings.web)))
}

fn show(origin: &str, purpose: LinkPurpose, secret: &Secret) {
    println!("{origin}{}", purpose.path(secret));
}

fn failure(subject: &str, refused: Refused) -> Failure {
    let next = match refused {
        Refused::Taken => "there is an account of this name or tax code; choose another",
        Refused::Unknown => "there is no such enabled account; `consuntivo account list` names them",
        Refused::Unreadable => "a name, mail address or tax code is none; correct it",
        Refused::LastAdministrator => {
            "nobody else who administers accounts is enabled; enable or add an administrator first"
        }
        _ => "the store could not take it; see the messages above and try again",
    };
    Failure::bad_input(format!("{subject}: {next}"))
}

fn line(view: &AccountView) -> String {
    let roles: Vec<String> = view.roles.iter().map(written).collect();
    let state = if view.is_enabled { "enabled" } else { "disabled" };
    let password = if view.has_password { "password" } else { "no password" };
    let factor = if view.has_second_factor { "second factor" } else { "-" };
    let seen = view.last_seen.map_or_else(|| "-".to_owned(), |at| at.to_string());
    format!("{}\t{state}\t{password}\t{factor}\t{seen}\t{}\t{}", view.account, roles.join(" "), view.name)
}

fn written(held: &Held) -> String {
    let role = held.role.code();
    match &held.scope {
        Scope::All => role.to_owned(),
        Scope::Projects(ids) => ids.iter().map(|id| format!("{role}={id}")).collect::<Vec<_>>().join(" "),
        Scope::Buildings(ids) => {
            ids.iter().map(|(p, b)| format!("{role}={p}/{b}")).collect::<Vec<_>>().join(" ")
        }
    }
}

fn parse_role(text: &str) -> Result<Held, String> {
    let (code, place) = text.split_once('=').map_or((text, None), |(code, place)| (code, Some(place)));
    let codes = Role::ALL.map(Role::code).join(", ");
    let role = Role::parse(code).ok_or_else(|| format!("{code:?} is no role; use one of {codes}"))?;
    let says = |error: model::IdError| error.to_string();
    let scope = match place.map(|place| place.split_once('/').ok_or(place)) {
        None => Scope::All,
        Some(Err(project)) => Scope::Projects([ProjectId::new(project).map_err(says)?].into()),
        Some(Ok((project, building))) => Scope::Buildings(
            [(ProjectId::new(project).map_err(says)?, BuildingId::new(building).map_err(says)?)].into(),
        ),
    };
    Ok(Held { role, scope })
}

/// The same with one entry for all projects, and one for all buildings, of a role.
fn joined(roles: &[Held]) -> Vec<Held> {
    let mut all: Vec<Held> = Vec::new();
    for held in roles {
        let same = all.iter_mut().find(|known| {
            known.role == held.role
                && std::mem::discriminant(&known.scope) == std::mem::discriminant(&held.scope)
        });
        match (same.map(|known| &mut known.scope), &held.scope) {
            (Some(Scope::Projects(known)), Scope::Projects(more)) => known.extend(more.iter().cloned()),
            (Some(Scope::Buildings(known)), Scope::Buildings(more)) => known.extend(more.iter().cloned()),
            (Some(_), _) => {}
            (None, _) => all.push(held.clone()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_written_as_they_are_read() {
        for text in ["administrator", "data_entry=scuola", "facility_manager=scuola/palestra"] {
            assert_eq!(written(&parse_role(text).unwrap()), text);
        }
        for wrong in ["king", "administrator=", "data_entry=a b", "data_entry=a/", "=a"] {
            assert!(parse_role(wrong).is_err(), "{wrong}");
        }
        let two = ["data_entry=a", "data_entry=b", "administrator", "administrator"];
        let two: Vec<Held> = two.iter().map(|text| parse_role(text).unwrap()).collect();
        let joined: Vec<String> = joined(&two).iter().map(written).collect();
        assert_eq!(joined, ["data_entry=a data_entry=b", "administrator"]);
    }
}

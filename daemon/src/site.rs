//! The site as its readers reach it: address, certificate, who is let in; and the first link, for the first account.
//!
//! Must never: open itself to others than this machine without an account, or print a secret but that link.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use config::settings::{ProviderSettings, WebSettings};
use connectors::Stop;
use connectors::identity::{IdentityProvider, IdentitySettings};
use dashboards::access::{Held, LinkPurpose, Role, Scope};
use dashboards::routes::{Hosts, Options};
use dashboards::tls::Certificate;
use model::SubjectRole;

use crate::access::{Accounts, NamedSubject, Provider, Terms};
use crate::exit::Failure;
use crate::runtime::Runtime;

/// How often the certificate's files are looked at.
const RENEW_EVERY: Duration = Duration::from_secs(60);

/// Where the pages are.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) certificate: Option<Arc<Certificate>>,
}

impl Site {
    pub(crate) fn options(&self, runtime: &Runtime) -> Options {
        let installation = runtime.installation();
        let (web, access) = (&installation.settings.web, &installation.settings.access);
        // The address may be another one than the file's.
        let is_exposed = WebSettings { listen: self.address, ..web.clone() }.is_exposed();
        let hosts = match (Hosts::for_address(self.address), web.public_host()) {
            (Hosts::Loopback, Some(host)) => Hosts::Public(host.to_owned()),
            (hosts, _) => hosts,
        };
        Options {
            hosts,
            is_exposed,
            anonymous_reading: access.anonymous_reading,
            public_origin: web.public_url.clone(),
            trusted_proxies: web.trusted_proxies.clone(),
            ..Options::default()
        }
    }

    /// The address to open in a browser.
    pub(crate) fn origin(&self, runtime: &Runtime) -> String {
        stated_origin(&WebSettings { listen: self.address, ..runtime.installation().settings.web.clone() })
    }

    /// Prints the link that makes the first administrator, where there is no account. On the standard output alone: a
    /// log is kept, and read by others.
    pub(crate) async fn announce(&self, runtime: &Runtime, accounts: &Arc<Accounts>) {
        if runtime.demo {
            return;
        }
        let worker = Arc::clone(accounts);
        let made = tokio::task::spawn_blocking(move || worker.first_run()).await;
        match made {
            Ok(Ok(Some(secret))) => println!(
                "there is no account yet; within 24 hours, make the first administrator at {}{}",
                self.origin(runtime),
                LinkPurpose::FirstRun.path(&secret)
            ),
            Ok(Ok(None)) => {}
            Ok(Err(refused)) => tracing::error!("the first sign-in link cannot be made: {}", refused.code()),
            Err(error) => tracing::error!(%error, "making the first sign-in link panicked"),
        }
    }
}

/// The site's address as the settings have it.
pub(crate) fn stated_origin(web: &WebSettings) -> String {
    let scheme = if web.tls.is_some() { "https" } else { "http" };
    web.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", web.listen))
}

/// The accounts of this installation. Blocks on the disk.
pub(crate) fn accounts(runtime: &Arc<Runtime>) -> Result<Accounts, Failure> {
    let installation = runtime.installation();
    let access = &installation.settings.access;
    let terms = Terms { idle_s: access.idle_minutes * 60, session_s: access.session_hours * 3_600 };
    let accounts = Accounts::open(runtime.store.clone(), Arc::clone(&runtime.clock), terms)?;
    let Some(provider) = &access.provider else { return Ok(accounts) };
    let origin = installation.settings.web.public_url.clone().unwrap_or_default();
    let identity = IdentityProvider::new(identity(provider, &origin), Arc::clone(&runtime.clock));
    let identity = identity.context("the login provider under [access.provider] cannot be used")?;
    let named = Arc::clone(runtime);
    let subjects = Box::new(move || named_subjects(&named));
    Ok(accounts.with_provider(Provider::new(provider.name.clone(), identity), subjects))
}

fn identity(settings: &ProviderSettings, origin: &str) -> IdentitySettings {
    IdentitySettings {
        issuer: settings.issuer.clone(),
        client_id: settings.client_id.clone(),
        client_secret_file: settings.client_secret_file.clone(),
        redirect: format!("{origin}/login/provider/back"),
        scopes: settings.scopes.clone(),
        tax_code_claim: settings.tax_code_claim.clone(),
        acr: settings.acr.clone(),
        ca_file: settings.ca_file.clone(),
    }
}

/// Whom the projects' own files name as legal representative or operator; professionals sign, and do not come in.
fn named_subjects(runtime: &Runtime) -> Vec<NamedSubject> {
    let mut all = Vec::new();
    for project in runtime.projects() {
        for subject in project.grant.subjects.iter().filter(|subject| subject.enabled) {
            let role = match subject.role {
                SubjectRole::LegalRepresentative => Role::LegalRepresentative,
                SubjectRole::DataEntry => Role::DataEntry,
                SubjectRole::Professional => continue,
            };
            all.push(NamedSubject {
                tax_code: subject.tax_code.clone(),
                name: subject.name.clone(),
                held: Held { role, scope: Scope::Projects(BTreeSet::from([project.id.clone()])) },
            });
        }
    }
    all
}

/// The certificate that the settings name.
pub(crate) fn certificate(web: &WebSettings) -> Result<Option<Arc<Certificate>>, Failure> {
    let Some(tls) = &web.tls else { return Ok(None) };
    let read = Certificate::read(tls.certificate_file.clone(), tls.key_file.clone());
    Ok(Some(read.context("the pages cannot be served under TLS")?))
}

/// Looks at the certificate's files until told to stop.
pub(crate) async fn renew(certificate: Option<Arc<Certificate>>, mut stop: Stop) {
    let Some(certificate) = certificate else { return };
    let mut tick = tokio::time::interval(RENEW_EVERY);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.stopped() => return,
        }
        let worker = Arc::clone(&certificate);
        match tokio::task::spawn_blocking(move || worker.renew()).await {
            Ok(Ok(true)) => tracing::info!("the pages have a new certificate"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!("the certificate stays the former one: {error}"),
            Err(error) => tracing::error!(%error, "reading the certificate panicked"),
        }
    }
}
